//! The program's refusals that a settlement or an onboarding can meet, by their codes.

macro_rules! errors {
    ($($name:ident = $code:literal, $sentence:literal;)+) => {
        /// Why the program refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum SwigError {
            $(#[doc = $sentence] #[error($sentence)] $name,)+
        }

        impl SwigError {
            /// Every refusal that is known here, with its code.
            pub const ALL: &[(u32, Self)] = &[$(($code, Self::$name)),+];
        }
    };
}

errors! {
    NoSuchRole = 12, "the wallet has no such role";
    AccountChanged = 43, "an account changed in what it may not";
    Signer = 3005, "the signer of the role is wrong or missing";
    Permission = 3006, "the role has no permission for this";
    Manage = 3010, "the role may not manage authorities";
    LimitExhausted = 3011, "the role's limit is used up";
    Root = 3012, "the root cannot be removed";
    SessionExpired = 3014, "the role's session is over";
    DurationTooLong = 3022, "the session would be longer than the role allows";
    Destination = 3031, "the role may not pay this account, or not so much";
}

impl SwigError {
    /// The refusal of a code.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == code).map(|(_, error)| *error)
    }
}
