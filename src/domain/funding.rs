//! What is known of a payer's balance, and what a proof of it stays worth.
//!
//! A confidential transfer from a short balance succeeds and moves zero, so "settled" means "paid" only while a
//! lower bound of the balance covers everything. The bound is an attested balance at one slot, minus everything that
//! settlements of ours moved after that slot or that is still held. Others can only add to the account, unless its
//! owner or its delegate signs: then the bound is lost until a new proof (`spec/settlement.md` §5).

use crate::domain::{amount::Amount, clock::UnixSeconds, reason::PayReason, session::CapCheck};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

#[cfg(test)]
mod tests;

/// How sure we are that a session's payments move money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Funding {
    /// Everything held, in flight and captured since the proof fits the proved balance.
    Proven,
    /// Nothing that counts attests the balance.
    #[default]
    Unproven,
    /// A proof counts, and it does not cover everything.
    Short,
}

impl Funding {
    /// The word in `extensions.session.funding` and in the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Unproven => "unproven",
            Self::Short => "short",
        }
    }

    /// The level that has this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Proven, Self::Unproven, Self::Short].into_iter().find(|level| level.word() == word)
    }
}

/// What an operator asks of payers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FundingPolicy {
    /// No proof is taken and no history is watched.
    Off,
    /// The level is told; a merchant may demand proof per request.
    #[default]
    Advisory,
    /// Every payment has to be proven.
    Required,
}

impl FundingPolicy {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Off, Self::Advisory, Self::Required];

    /// The word in the configuration and in `/supported`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Advisory => "advisory",
            Self::Required => "required",
        }
    }
}

/// What the hold verb asks of the payer's balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingDemand {
    /// Whether an unproven or short balance is refused.
    pub required: bool,
    /// How long ago the account may have been looked at for its proof to count, in seconds; with zero none counts.
    pub max_age: u64,
    /// Whether the token program moves no more than was approved, so that a cap that nobody verified proves nothing: what
    /// is beyond the approved amount moves zero, however much the payer has.
    pub cap_binds: bool,
}

/// A payer's own attested decryption of their balance, as they give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingProof {
    /// The balance's handle.
    pub handle: u128,
    /// What it decrypts to, in base units.
    pub plaintext: u128,
    /// The attestation key's signature over both.
    pub signature: [u8; 64],
}

/// Why a proof no longer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Its owner signed a transaction on the account that is not ours.
    OwnerSigned,
    /// A delegate moved something, and it was not a settlement of ours.
    ForeignDelegate,
    /// Somebody else had the token program act on the account itself: freeze it, thaw it, start it anew.
    ActedOn,
    /// A fork took back what the proof was read from.
    Fork,
    /// The account's history is too long, or no longer there, to be examined.
    Unreadable,
}

impl Lost {
    const ALL: [Self; 5] = [Self::OwnerSigned, Self::ForeignDelegate, Self::ActedOn, Self::Fork, Self::Unreadable];

    /// The word in the ledger and in events.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OwnerSigned => "owner_signed",
            Self::ForeignDelegate => "foreign_delegate",
            Self::ActedOn => "acted_on",
            Self::Fork => "fork",
            Self::Unreadable => "unreadable",
        }
    }

    /// The reason that has this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lost| lost.word() == word)
    }
}

/// A proof, once it is checked: the account held `handle` after `slot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewBound {
    /// The wallet.
    pub user: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// The attested balance.
    pub amount: Amount,
    /// Its handle.
    pub handle: u128,
    /// The slot of the state in which the account held that handle. What landed up to and in it is in the balance.
    pub slot: u64,
    /// The newest signature of the account's history at that slot.
    pub anchor: Option<Signature>,
    /// When.
    pub now: UnixSeconds,
}

/// A proved balance and what it is claimed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The attested balance.
    pub amount: Amount,
    /// Its handle.
    pub handle: u128,
    /// The slot of the state it was read from.
    pub slot: u64,
    /// The newest signature of the account's history at that slot.
    pub anchor: Option<Signature>,
    /// When it was proved.
    pub proved_at: UnixSeconds,
    /// What all sessions of this user and asset hold, and what they captured in slots after `slot`.
    pub claimed: Amount,
    /// The history is examined up to and including this slot.
    pub examined: u64,
    /// Whether the anchor can no longer be taken back.
    pub is_final: bool,
    /// When the account was last looked at.
    pub looked_at: UnixSeconds,
    /// What the last look told.
    pub seen: Seen,
    /// The sum of what was ever signed as proven, in base units.
    pub ridden: Amount,
    /// Why it no longer counts, and the slot that shows it.
    pub lost: Option<(Lost, u64)>,
}

/// What the last look at an account told that found nothing taken away; right after a proof, what the proof told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The balance's handle at the last look that read it: while the account has it, nothing has changed since. None for a
    /// proof from before this was kept.
    pub handle: Option<u128>,
    /// Nothing that landed up to this slot took anything away.
    pub slot: u64,
    /// What had been signed as proven when the look began, in base units.
    pub ridden: Amount,
}

/// Whether what a transfer carries as proven may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ride {
    /// It is counted as signed.
    Counted,
    /// Too much was signed since the last look, or the proof is lost; nothing is counted.
    LookFirst,
}

/// What is known of a payer's token account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The wallet.
    pub user: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// Whether it was frozen at the last look: nothing can be paid from it until it is thawed.
    pub frozen: bool,
    /// The last proof.
    pub bound: Option<Bound>,
}

impl FundingDemand {
    /// Whether a proved balance counts for a session whose cap check is `cap`.
    pub fn counts_for(&self, cap: CapCheck) -> bool {
        !self.cap_binds || cap == CapCheck::Verified
    }

    /// Whether a payment is taken at this level of its payer's balance; tells the level.
    pub const fn admit(&self, level: Funding) -> Result<Funding, PayReason> {
        match level {
            Funding::Unproven if self.required => Err(PayReason::FundingUnproven),
            Funding::Short if self.required => Err(PayReason::InsufficientFunds),
            Funding::Proven | Funding::Unproven | Funding::Short => Ok(level),
        }
    }
}

impl Source {
    /// An account of which nothing is known.
    pub const fn unknown(user: Pubkey, asset: Pubkey) -> Self {
        Self { user, asset, frozen: false, bound: None }
    }

    /// The proof, while it counts: not lost, on an account that is not frozen, looked at within `max_age` seconds. With zero none
    /// counts.
    pub fn counting(&self, now: UnixSeconds, max_age: u64) -> Option<&Bound> {
        let is_recent = |bound: &Bound| max_age > 0 && now.saturating_sub(bound.looked_at) <= max_age;
        let counts = |bound: &&Bound| bound.lost.is_none() && is_recent(bound);
        self.bound.as_ref().filter(|_| !self.frozen).filter(counts)
    }

    /// The funding level of a payment of `more` from a session whose cap check is `cap`.
    pub fn level(&self, cap: CapCheck, more: Amount, now: UnixSeconds, demand: &FundingDemand) -> Funding {
        match self.funding(more, now, demand.max_age) {
            Funding::Proven if !demand.counts_for(cap) => Funding::Unproven,
            level => level,
        }
    }

    /// Whether `more` would pass a proved balance, counting or only not looked at for a while.
    pub fn is_passed_by(&self, more: Amount) -> bool {
        self.bound.as_ref().is_some_and(|bound| bound.lost.is_none() && !bound.covers(more))
    }

    /// The level of the balance once `more` is held too.
    pub fn funding(&self, more: Amount, now: UnixSeconds, max_age: u64) -> Funding {
        match self.counting(now, max_age) {
            None => Funding::Unproven,
            Some(bound) if bound.covers(more) => Funding::Proven,
            Some(_) => Funding::Short,
        }
    }
}

impl Bound {
    /// Whether everything claimed and `more` fit the proved balance.
    pub fn covers(&self, more: Amount) -> bool {
        self.claimed.checked_add(more).is_some_and(|all| all <= self.amount)
    }

    /// The slot up to which nothing took anything away.
    pub fn judged_up_to(&self) -> u64 {
        self.seen.slot.max(self.examined).max(self.slot)
    }

    /// Whether what landed in this slot was seen to have met the whole balance, or never will be: the proof is newer, or lost.
    pub fn has_judged(&self, slot: u64) -> bool {
        self.lost.is_some() || slot <= self.judged_up_to()
    }
}

/// What the monitor saw of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The wallet.
    pub user: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// Whether it is frozen; none when the look was at its history only.
    pub frozen: Option<bool>,
    /// What the history told about the bound that was proved at this slot; none when it was not examined to its end.
    pub examined: Option<Examined>,
}

/// What the history of an account told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The slot of the proof it was examined for: it says nothing about another one.
    pub of: u64,
    /// Examined up to and including this slot.
    pub up_to: u64,
    /// Whether the anchor can no longer be taken back.
    pub is_final: bool,
    /// What makes the proof void, and its slot.
    pub lost: Option<(Lost, u64)>,
    /// Nothing that landed up to this slot took anything away: that of the look or, where something did, the one before it.
    pub clean: u64,
    /// The balance's handle in the state that was looked at, where it was read.
    pub handle: Option<u128>,
    /// What had been signed as proven when the look began, in base units.
    pub ridden: Amount,
}

/// One transaction in the history of a payer's account that did not fail and is not one of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreign {
    /// The signers.
    pub signers: Vec<Pubkey>,
    /// Whether the token program was given the account as an instruction's subject (its first account), in whatever
    /// depth: every transfer out of it, freeze and thaw does so, and no deposit.
    pub acts_on_account: bool,
}

impl Foreign {
    /// What it does to a proof of `owner`'s balance while `spender` is the delegate; none when it can only have added.
    ///
    /// The token program lets only the owner and the delegate move anything out, so a transaction that neither signed
    /// can only have added. What acts on the account all the same is a freeze or a thaw (and a frozen account may be
    /// started anew by anybody), or a program that admits others: nothing to rely on.
    pub fn voids(&self, owner: &Pubkey, spender: &Pubkey) -> Option<Lost> {
        if self.signers.contains(owner) {
            Some(Lost::OwnerSigned)
        } else if self.signers.contains(spender) {
            Some(Lost::ForeignDelegate)
        } else if self.acts_on_account {
            Some(Lost::ActedOn)
        } else {
            None
        }
    }
}
