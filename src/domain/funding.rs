//! What is known of a payer's balance.

/// How sure we are that a session's payments move money (`spec/settlement.md` §5).
///
/// A confidential transfer from a short balance succeeds and moves zero, so until a funding proof exists the honest
/// word is [`Funding::Unproven`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Funding {
    /// Nothing attests the balance.
    #[default]
    Unproven,
}

impl Funding {
    /// The word in `extensions.session.funding`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unproven => "unproven",
        }
    }
}
