//! Approvals: what a payer approved on chain, and how much of it sessions take (`spec/session.md` §7).
//!
//! A token account has one delegate slot, so of the approvals of a payer and asset one stands at a time. What an approval is,
//! is told by its landed transaction: neither the name that a caller gives it, nor the handle of what it delegated, which
//! whoever copies the ciphertext gets as well.

use crate::domain::{amount::Amount, intent::Intent, reason::SessionReason, session::Delegation};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// What is this many slots behind is final on every cluster; a node may write entries of a history late, but not that late.
pub const SETTLED_SLOTS: u64 = 32;

/// An approve that has landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LandedApprove {
    /// The signature of its transaction.
    pub signature: Signature,
    /// What it delegated, in base units, where the Covalidator has told.
    pub amount: Option<Amount>,
    /// The handle of what it delegated; zero, which is no amount's, where its transaction does not tell.
    pub handle: u128,
    /// The handle of what the account showed as delegated when it was seen to stand; another one after transfers, where these
    /// lower the delegated amount.
    pub seen: u128,
    /// The slot of the state in which it was seen so.
    pub seen_slot: u64,
    /// It landed in this slot or before.
    pub slot: u64,
    /// What transfers do to what it delegated: where they lower it, those that landed since have drawn from it.
    pub delegation: Delegation,
}

/// What an account showed when its approval was last known to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenDelegation {
    /// The signature of the approve.
    pub signature: Signature,
    /// The handle of the delegated amount; none where nobody has looked.
    pub handle: Option<u128>,
    /// The slot of that state; none where it was not noted.
    pub slot: Option<u64>,
    /// Whether it is certain that the approval stood then: the handle is the one that the approve itself made, or nothing else was
    /// in the account's history once no entry could come late any more ([`SETTLED_SLOTS`]).
    pub is_settled: bool,
}

/// How far the list of what happened to an account since one of its approves was examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Examination {
    /// The entry up to which everything is examined: final, and with everything that is older listed. At first the approve itself.
    pub entry: Signature,
    /// The slot of that entry.
    pub slot: u64,
    /// The newest of what was examined that may have touched the account's delegation.
    pub change: Option<Signature>,
    /// The slot of the newest of what was examined that we signed as the delegate.
    pub own_slot: Option<u64>,
    /// The list was last read to its end from a node that knew this slot.
    pub read_at: Option<u64>,
}

impl Examination {
    /// Where nothing since the approve of this signature, which is listed in this slot, is examined.
    pub const fn beginning(approve: Signature, slot: u64) -> Self {
        Self { entry: approve, slot, change: None, own_slot: None, read_at: None }
    }
}

/// Where an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApprovalState {
    /// It is what the account's delegate slot holds.
    Current,
    /// A newer approve has taken the slot.
    Replaced,
    /// The payer took it back.
    Revoked,
}

impl ApprovalState {
    /// The word in the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Replaced => "replaced",
            Self::Revoked => "revoked",
        }
    }

    /// The state that is written as this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Current, Self::Replaced, Self::Revoked].into_iter().find(|state| state.word() == word)
    }
}

/// An approval as the ledger holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The wallet that pays.
    pub user: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// The signature of the approve.
    pub signature: Signature,
    /// What was approved, in base units; none while nobody knows.
    pub amount: Option<Amount>,
    /// What the intent of the first session on it says was approved, where that began before anybody knew.
    pub claimed: Option<Amount>,
    /// The handle of what was approved.
    pub handle: Option<u128>,
    /// The handle of what the account showed as delegated when the approval was last known to stand.
    pub seen: Option<u128>,
    /// The slot of the state in which it showed that; none where nobody has looked, or it was not noted.
    pub seen_slot: Option<u64>,
    /// Where it stands.
    pub state: ApprovalState,
    /// Whether everything that was ever taken from it is counted. Not of one from before approvals were kept.
    pub is_complete: bool,
    /// What all sessions that were ever bound to it take, in base units: a live one its cap, an ended one what it has captured
    /// or holds. With it what transfers had drawn from it before it was on record.
    pub taken: Amount,
    /// How many live sessions take from it.
    pub live: u64,
    /// How many sessions were ever bound to it and to no newer one.
    pub sessions: u64,
}

impl Approval {
    /// The most that sessions may take together: what was approved, or what the first session says while nobody knows.
    pub fn limit(&self) -> Option<Amount> {
        self.amount.or(self.claimed)
    }

    /// What further sessions may take, in base units.
    pub fn free(&self) -> Amount {
        if !self.is_complete || self.state != ApprovalState::Current {
            return Amount::ZERO;
        }
        self.limit().and_then(|limit| limit.checked_sub(self.taken)).unwrap_or(Amount::ZERO)
    }

    /// Whether a session of this intent may open on the approval while it stands, beside at most `most` live ones in all.
    ///
    /// What the intent says was approved has to be the amount exactly. An answer to "at least" could be searched for the amount,
    /// which somebody may have copied from another's ciphertext. Without `approved` one approve opens one session, of all of it.
    pub fn admits(&self, intent: &Intent, most: u64) -> Result<(), SessionReason> {
        if self.state != ApprovalState::Current {
            return Err(SessionReason::ApproveStale);
        }
        if !self.is_complete || (intent.approved.is_none() && self.sessions > 0) {
            return Err(SessionReason::ApproveUsed);
        }
        let said = intent.said_approved();
        let limit = self.limit().unwrap_or(said);
        if limit != said {
            let with = intent.approved.map(|_| SessionReason::ApprovedMismatch);
            return Err(with.unwrap_or(SessionReason::CapMismatch));
        }
        if self.taken.checked_add(intent.cap).is_none_or(|taken| taken > limit) {
            return Err(SessionReason::ApprovalExhausted);
        }
        if self.live >= most { Err(SessionReason::QuotaExceeded) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::{self, amount};

    const MOST: u64 = 16;

    fn approval(units: u64) -> Approval {
        let key = Pubkey::new_from_array([1; 32]);
        Approval {
            user: key,
            asset: key,
            signature: Signature::from([1; 64]),
            amount: Some(amount(units)),
            claimed: None,
            handle: Some(1),
            seen: Some(1),
            seen_slot: Some(1),
            state: ApprovalState::Current,
            is_complete: true,
            taken: Amount::ZERO,
            live: 0,
            sessions: 0,
        }
    }

    fn intent(cap: u64, approved: Option<u64>) -> Intent {
        let mut intent = samples::session(1).intent;
        (intent.cap, intent.approved) = (amount(cap), approved.map(amount));
        intent
    }

    #[test]
    fn what_is_said_to_be_approved_is_the_amount_and_nothing_else() {
        assert_eq!(approval(10).admits(&intent(4, Some(10)), MOST), Ok(()));
        for other in [9, 11, 4] {
            let refused = approval(10).admits(&intent(4, Some(other)), MOST);
            assert_eq!(refused, Err(SessionReason::ApprovedMismatch), "{other}");
        }
    }

    #[test]
    fn without_a_total_one_approve_opens_one_session_of_all_of_it() {
        assert_eq!(approval(10).admits(&intent(10, None), MOST), Ok(()));
        assert_eq!(approval(10).admits(&intent(9, None), MOST), Err(SessionReason::CapMismatch));
        let used = Approval { sessions: 1, ..approval(10) };
        assert_eq!(used.admits(&intent(10, None), MOST), Err(SessionReason::ApproveUsed));
    }

    #[test]
    fn sessions_take_what_was_approved_and_not_a_unit_more() {
        let half = Approval { taken: amount(5), live: 1, sessions: 1, ..approval(10) };
        assert_eq!(half.free(), amount(5));
        assert_eq!(half.admits(&intent(5, Some(10)), MOST), Ok(()));
        assert_eq!(half.admits(&intent(6, Some(10)), MOST), Err(SessionReason::ApprovalExhausted));
        let most = Approval { taken: Amount::MAX, amount: Some(Amount::MAX), ..approval(10) };
        let all = Intent { approved: Some(Amount::MAX), cap: Amount::MAX, ..intent(1, None) };
        assert_eq!(most.admits(&all, MOST), Err(SessionReason::ApprovalExhausted), "no sum overflows");
    }

    #[test]
    fn an_unknown_amount_is_what_the_first_session_says() {
        let unknown = Approval { amount: None, ..approval(1) };
        assert_eq!(unknown.admits(&intent(4, Some(10)), MOST), Ok(()));
        let said = Approval { claimed: Some(amount(10)), taken: amount(4), live: 1, sessions: 1, ..unknown };
        assert_eq!(said.admits(&intent(6, Some(10)), MOST), Ok(()));
        assert_eq!(said.admits(&intent(6, Some(11)), MOST), Err(SessionReason::ApprovedMismatch));
        assert_eq!(said.admits(&intent(7, Some(10)), MOST), Err(SessionReason::ApprovalExhausted));
    }

    #[test]
    fn what_does_not_stand_or_is_not_counted_admits_nothing() {
        for state in [ApprovalState::Replaced, ApprovalState::Revoked] {
            let gone = Approval { state, ..approval(10) };
            assert_eq!(
                (gone.admits(&intent(1, Some(10)), MOST), gone.free()),
                (Err(SessionReason::ApproveStale), Amount::ZERO)
            );
        }
        let former = Approval { is_complete: false, ..approval(10) };
        assert_eq!(
            (former.admits(&intent(1, Some(10)), MOST), former.free()),
            (Err(SessionReason::ApproveUsed), Amount::ZERO)
        );
        let crowded = Approval { live: MOST, ..approval(100) };
        assert_eq!(crowded.admits(&intent(1, Some(100)), MOST), Err(SessionReason::QuotaExceeded));
    }
}
