//! The refusals of `IncoToken`: Anchor errors from 6000 on, in the program's order (`spec/inco.md` §3).

/// Anchor's own error for an account that does not exist, as when a merchant has no token account yet.
pub const ACCOUNT_NOT_INITIALIZED: u32 = 3012;

const FIRST_CODE: u32 = 6000;

macro_rules! errors {
    ($($(#[doc = $doc:literal])+ $name:ident => $sentence:literal,)+) => {
        /// Why the program refused. The order is the program's: it gives the codes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        #[repr(u32)]
        pub enum IncoTokenError {
            $($(#[doc = $doc])+ #[error($sentence)] $name,)+
        }

        impl IncoTokenError {
            /// Every refusal, by ascending code.
            pub const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

errors! {
    /// 6000
    NotRentExempt => "the account has too few lamports to be exempt from rent",
    /// 6001. Never seen for a short balance: that moves zero and succeeds.
    InsufficientFunds => "the funds are insufficient",
    /// 6002
    InvalidMint => "the mint is invalid",
    /// 6003
    MintMismatch => "the account belongs to another mint",
    /// 6004. Also: the authority is neither owner nor delegate.
    OwnerMismatch => "the authority does not own the account",
    /// 6005
    FixedSupply => "the mint has no mint authority",
    /// 6006
    AlreadyInUse => "the account is already initialised",
    /// 6007
    InvalidNumberOfProvidedSigners => "the number of provided signers is invalid",
    /// 6008
    InvalidNumberOfRequiredSigners => "the number of required signers is invalid",
    /// 6009
    UninitializedState => "the account is not initialised",
    /// 6010
    NativeNotSupported => "native tokens do not support the instruction",
    /// 6011
    NonNativeHasBalance => "a non-native account can be closed only when it is empty",
    /// 6012
    InvalidInstruction => "the instruction is invalid",
    /// 6013
    InvalidState => "the account's state does not allow the instruction",
    /// 6014
    Overflow => "the operation overflowed",
    /// 6015
    AuthorityTypeNotSupported => "the account has no authority of this type",
    /// 6016
    MintCannotFreeze => "the mint has no freeze authority",
    /// 6017
    AccountFrozen => "the account is frozen",
    /// 6018
    MintDecimalsMismatch => "the decimals are not the mint's",
    /// 6019
    NonNativeNotSupported => "only native tokens support the instruction",
}

impl IncoTokenError {
    /// The code in a transaction's custom program error.
    pub const fn code(self) -> u32 {
        FIRST_CODE + self as u32
    }

    /// The refusal with this code; none for codes of other programs and of Anchor itself.
    pub fn from_code(code: u32) -> Option<Self> {
        let index = usize::try_from(code.checked_sub(FIRST_CODE)?).ok()?;
        Self::ALL.get(index).copied()
    }
}
