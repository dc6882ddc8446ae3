//! Why we broadcast a transaction, and everything that follows from that alone.

use super::MOST_ATTEMPTS;

/// Why we broadcast a transaction. Everything we send is journalled with one of these, because each spends our SOL
/// and each can be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A transfer that captures the holds of one session.
    Capture,
    /// The user's approve transaction, co-signed by us; its bytes are the user's and cannot be signed anew.
    Approve,
    /// Creates a recipient's missing token account.
    CreateRecipient,
    /// Prepares the operator's own probe accounts.
    Probe,
    /// A transfer of zero that buys a decrypt allowance for a balance at rest.
    Refresh,
    /// A transfer that its payer signed, co-signed by us; its bytes are the payer's and cannot be signed anew.
    SinglePayment,
    /// A wallet's revoke of our delegation, co-signed by us; its bytes are the wallet's and cannot be signed anew.
    Revoke,
    /// A charge of the Machine Payments Protocol, co-signed by us; its bytes are the buyer's and cannot be signed anew.
    MppCharge,
    /// A step of a wallet's onboarding, co-signed by us; its bytes are the wallet's and cannot be signed anew.
    MppOnboard,
    /// A wallet's leave, co-signed by us; its bytes are the wallet's and cannot be signed anew.
    MppLeave,
    /// The anchor of a channel, by which anybody can audit it; ours.
    MppOpen,
    /// A transfer that pays a channel's seller by its buyer's delegation; ours.
    MppClose,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 12] = [
        Self::Capture,
        Self::Approve,
        Self::CreateRecipient,
        Self::Probe,
        Self::Refresh,
        Self::SinglePayment,
        Self::Revoke,
        Self::MppCharge,
        Self::MppOnboard,
        Self::MppLeave,
        Self::MppOpen,
        Self::MppClose,
    ];

    /// The word in the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Approve => "approve",
            Self::CreateRecipient => "create_recipient",
            Self::Probe => "probe",
            Self::Refresh => "refresh",
            Self::SinglePayment => "single_payment",
            Self::Revoke => "revoke",
            Self::MppCharge => "mpp_charge",
            Self::MppOnboard => "mpp_onboard",
            Self::MppLeave => "mpp_leave",
            Self::MppOpen => "mpp_open",
            Self::MppClose => "mpp_close",
        }
    }

    /// The purpose that is written as this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.word() == word)
    }

    /// Whether it carries accepted payments of a session.
    pub const fn carries_holds(self) -> bool {
        match self {
            Self::Capture => true,
            Self::Approve
            | Self::CreateRecipient
            | Self::Probe
            | Self::Refresh
            | Self::SinglePayment
            | Self::Revoke
            | Self::MppCharge
            | Self::MppOnboard
            | Self::MppLeave
            | Self::MppOpen
            | Self::MppClose => false,
        }
    }

    /// Whether it moves confidential tokens out of an account, so that the account's balance tells whether it landed. A refresh
    /// moves zero; charges and steps of an onboarding move plain tokens, and are never signed again; and of a channel's settlement
    /// what is left of the grant tells ([`Purpose::has_grant_witness`]).
    pub const fn moves_balance(self) -> bool {
        match self {
            Self::Capture | Self::SinglePayment => true,
            Self::Approve
            | Self::CreateRecipient
            | Self::Probe
            | Self::Refresh
            | Self::Revoke
            | Self::MppCharge
            | Self::MppOnboard
            | Self::MppLeave
            | Self::MppOpen
            | Self::MppClose => false,
        }
    }

    /// Whether the caps of the Machine Payments Protocol count it, which know who is sponsored by it.
    pub const fn is_sponsored_by_caps(self) -> bool {
        match self {
            Self::MppCharge | Self::MppOnboard | Self::MppLeave | Self::MppOpen | Self::MppClose => true,
            Self::Capture
            | Self::Approve
            | Self::CreateRecipient
            | Self::Probe
            | Self::Refresh
            | Self::SinglePayment
            | Self::Revoke => false,
        }
    }

    /// Whether it pays what somebody was promised by a voucher: it is booked, no budget refuses it, and what keeps it from being
    /// signed now keeps it waiting.
    pub const fn pays_a_debt(self) -> bool {
        matches!(self, Self::MppClose)
    }

    /// Whether it moves tokens whose amounts are public, which are of another asset than those of sessions.
    pub const fn moves_public_tokens(self) -> bool {
        matches!(self, Self::MppCharge | Self::MppClose)
    }

    /// Whether its landing is told only once another voice has it too, where several are configured, so that no sum of it is told
    /// on one voice's word.
    pub const fn is_told_by_two(self) -> bool {
        match self {
            Self::MppCharge => true,
            Self::Capture
            | Self::Approve
            | Self::CreateRecipient
            | Self::Probe
            | Self::Refresh
            | Self::SinglePayment
            | Self::Revoke
            | Self::MppOnboard
            | Self::MppLeave
            | Self::MppOpen
            | Self::MppClose => false,
        }
    }

    /// Whether its bytes are a client's, which we co-sign: they are recorded with their settlement and cannot be made
    /// again.
    pub const fn is_co_signed(self) -> bool {
        match self {
            Self::Approve
            | Self::SinglePayment
            | Self::Revoke
            | Self::MppCharge
            | Self::MppOnboard
            | Self::MppLeave => true,
            Self::Capture | Self::CreateRecipient | Self::Probe | Self::Refresh | Self::MppOpen | Self::MppClose => {
                false
            }
        }
    }

    /// Whether an expired attempt may be followed by another with a fresh blockhash: never where the bytes are made where
    /// they are planned.
    pub const fn may_sign_again(self) -> bool {
        match self {
            Self::Capture | Self::CreateRecipient | Self::MppOpen | Self::MppClose => true,
            Self::Approve
            | Self::Probe
            | Self::Refresh
            | Self::SinglePayment
            | Self::Revoke
            | Self::MppCharge
            | Self::MppOnboard
            | Self::MppLeave => false,
        }
    }

    /// How many attempts are wanted for its own sake; none where the payments that it carries decide.
    pub const fn resign_limit(self) -> Option<u32> {
        match self {
            Self::Capture => None,
            Self::CreateRecipient | Self::Probe | Self::MppOpen => Some(3),
            // What vouchers say is owed whoever waits.
            Self::MppClose => Some(MOST_ATTEMPTS),
            Self::Approve
            | Self::Refresh
            | Self::SinglePayment
            | Self::Revoke
            | Self::MppCharge
            | Self::MppOnboard
            | Self::MppLeave => Some(0),
        }
    }

    /// Whether what is left on chain of a buyer's grant tells whether it landed: each transfer by a grant lowers it.
    pub const fn has_grant_witness(self) -> bool {
        matches!(self, Self::MppClose)
    }

    /// Whether an opening drives it, because it knows what comes after.
    pub const fn driven_by_opening(self) -> bool {
        match self {
            Self::Approve => true,
            Self::Capture
            | Self::CreateRecipient
            | Self::Probe
            | Self::Refresh
            | Self::SinglePayment
            | Self::Revoke
            | Self::MppCharge
            | Self::MppOnboard
            | Self::MppLeave
            | Self::MppOpen
            | Self::MppClose => false,
        }
    }

    /// Whether its drive holds the opening lock of its wallet to the end, so that no session opens that it would end.
    pub const fn keeps_openings_out(self) -> bool {
        match self {
            Self::Revoke => true,
            Self::Capture
            | Self::Approve
            | Self::CreateRecipient
            | Self::Probe
            | Self::Refresh
            | Self::SinglePayment
            | Self::MppCharge
            | Self::MppOnboard
            | Self::MppLeave
            | Self::MppOpen
            | Self::MppClose => false,
        }
    }

    /// Whether an attempt that a budget refuses the decrypt allowances may be signed without them.
    pub const fn may_go_without_allowances(self) -> bool {
        match self {
            Self::Capture => true,
            Self::Approve
            | Self::CreateRecipient
            | Self::Probe
            | Self::Refresh
            | Self::SinglePayment
            | Self::Revoke
            | Self::MppCharge
            | Self::MppOnboard
            | Self::MppLeave
            | Self::MppOpen
            | Self::MppClose => false,
        }
    }

    /// Whether an account that it pays rent for may turn out to exist when its transaction lands, so that the rent is an
    /// upper bound until the landed transaction tells. The accounts of decrypt allowances are named after handles that did
    /// not exist before: that somebody else pays for one first is not worth a request per settlement (ADR 0018).
    pub const fn may_find_its_accounts(self) -> bool {
        match self {
            Self::Approve | Self::CreateRecipient | Self::Probe | Self::MppOnboard => true,
            Self::Capture
            | Self::Refresh
            | Self::SinglePayment
            | Self::Revoke
            | Self::MppCharge
            | Self::MppLeave
            | Self::MppOpen
            | Self::MppClose => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_is_read_as_it_was_written() {
        assert!(Purpose::ALL.into_iter().all(|purpose| Purpose::from_word(purpose.word()) == Some(purpose)));
        assert_eq!(Purpose::from_word("theft"), None);
    }

    #[test]
    fn the_answers_of_a_purpose_agree() {
        for purpose in Purpose::ALL {
            assert!(
                !(purpose.is_co_signed() && purpose.may_sign_again()),
                "{purpose:?}: a client's bytes are signed once"
            );
            assert!(!purpose.driven_by_opening() || purpose.is_co_signed(), "{purpose:?}");
            assert!(!(purpose.driven_by_opening() && purpose.keeps_openings_out()), "{purpose:?} has one driver");
            assert!(!purpose.may_go_without_allowances() || purpose.may_sign_again(), "{purpose:?}");
            assert_eq!(purpose.resign_limit().is_none(), purpose.carries_holds(), "{purpose:?}");
            assert_eq!(
                purpose.is_sponsored_by_caps(),
                purpose.word().starts_with("mpp_"),
                "{purpose:?}: as the schema tells them"
            );
            assert!(!purpose.pays_a_debt() || purpose.may_sign_again(), "{purpose:?}: it is tried until it is paid");
        }
    }
}
