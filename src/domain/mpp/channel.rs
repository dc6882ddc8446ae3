//! A channel: from a deposit of its buyer's one seller is paid by vouchers (`spec/mpp.md` §7, §9).
//!
//! ```text
//! opening ─▶ open ◀─▶ grace ─▶ closing ◀─▶ closed
//!     └────▶ failed
//! ```
//!
//! Grace is no state that is written: it is what an open channel is in once its idle timeout is over, and a voucher ends it.
//! From closed a channel goes back to closing when a fork takes its settlement back, and no other way.

pub mod draw;
pub mod plan;
pub mod reason;

use crate::domain::{
    amount::Amount,
    clock::UnixSeconds,
    mpp::{
        channel_id::PublicId,
        delegation::SETTLED_BEFORE_END,
        money::{ChannelMoney, Claimant},
    },
    settlement::ChannelId,
};
use solana_pubkey::Pubkey;
use uuid::Uuid;

/// The oldest that a channel grows, in seconds: 30 days.
pub const LIFETIME: u64 = 30 * 86_400;
/// The longest idle timeout before the first voucher, in seconds: of a lost answer nobody may know the secret.
pub const IDLE_BEFORE_FIRST_VOUCHER: u64 = 3_600;
/// How often a settlement that landed with an error is planned anew; then the rest is written off.
pub const MOST_REFUSALS: u32 = 3;

/// What is written of where a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelState {
    /// Its anchor has not landed.
    Opening,
    /// It gives vouchers.
    Open,
    /// It gives none any more, and what it owes is being settled.
    Closing,
    /// Everything it owed is settled or written off.
    Closed,
    /// Its anchor came to nothing in time.
    Failed,
}

impl ChannelState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Opening, Self::Open, Self::Closing, Self::Closed, Self::Failed];

    /// The word in the ledger and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Failed => "failed",
        }
    }

    /// The state that is written as this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether something of the deposit may still move.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Opening | Self::Open | Self::Closing)
    }

    /// Whether a channel may go from this state to the next.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Opening, Self::Open | Self::Failed)
                | (Self::Open, Self::Closing | Self::Closed)
                | (Self::Closing, Self::Closed)
                | (Self::Closed, Self::Closing)
        )
    }
}

/// Why a channel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// Its buyer closed it.
    Buyer,
    /// Nothing was drawn for its idle timeout and the grace period.
    Idle,
    /// The grant that it is settled by ends.
    RoleExpired,
    /// That grant was taken back.
    RoleRemoved,
    /// The buyer's account has less than what was set aside.
    Balance,
    /// The seller's account is gone or takes nothing.
    SellerAccount,
    /// It is as old as a channel may be.
    Lifetime,
    /// The operator ended it.
    Operator,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Buyer,
        Self::Idle,
        Self::RoleExpired,
        Self::RoleRemoved,
        Self::Balance,
        Self::SellerAccount,
        Self::Lifetime,
        Self::Operator,
    ];

    /// The word in the ledger and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::Idle => "idle",
            Self::RoleExpired => "role_expired",
            Self::RoleRemoved => "role_removed",
            Self::Balance => "balance",
            Self::SellerAccount => "seller_account",
            Self::Lifetime => "lifetime",
            Self::Operator => "operator",
        }
    }

    /// The reason that is written as this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

/// By what an opening was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Authorisation {
    /// The wallet signed in from the same place a moment ago.
    Window,
    /// The wallet signed for this very channel.
    Proof,
    /// The operator asks for nothing.
    Off,
}

impl Authorisation {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Window, Self::Proof, Self::Off];

    /// The word in the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Proof => "proof",
            Self::Off => "off",
        }
    }

    /// The way that is written as this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.word() == word)
    }
}

/// What never changes of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelTerms {
    /// Its public id.
    pub id: PublicId,
    /// The wallet that pays.
    pub buyer: Pubkey,
    /// The wallet that is paid.
    pub seller: Pubkey,
    /// The token.
    pub mint: Pubkey,
    /// The token account that it is settled from.
    pub account: Pubkey,
    /// Which of the buyer's grants it was opened under.
    pub generation: u32,
    /// The key that signs its vouchers.
    pub signer: Pubkey,
    /// The program that enforces the grant.
    pub program: Pubkey,
    /// The most that is ever paid, in base units.
    pub deposit: Amount,
    /// How long it may lie still, in seconds.
    pub idle_timeout: u64,
    /// When it was asked for.
    pub opened_at: UnixSeconds,
    /// No voucher from this second on.
    pub expires_at: UnixSeconds,
    /// The issuer's word for its key.
    pub certificate: [u8; 64],
    /// By what it was allowed.
    pub authorised: Authorisation,
}

/// A channel as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// What never changes.
    pub terms: ChannelTerms,
    /// Where it stands.
    pub state: ChannelState,
    /// Why it ended; none while it has not.
    pub reason: Option<EndReason>,
    /// Its deposit, what vouchers say, and what has landed of that.
    pub money: ChannelMoney,
    /// What was drawn and is written off: the seller's loss.
    pub shortfall: Amount,
    /// The number of its last voucher, which is how many there are; zero before the first.
    pub sequence: u64,
    /// When the last voucher was given; when it was asked for before the first.
    pub active_at: UnixSeconds,
    /// Since when something is owed without a break; none while nothing is.
    pub owed_since: Option<UnixSeconds>,
    /// When it stopped giving vouchers.
    pub ended_at: Option<UnixSeconds>,
    /// How many of its settlements landed with an error.
    pub refusals: u32,
    /// How many settlements have paid it in part since it ended.
    pub parts: u32,
}

/// Where a channel stands, as its parties are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As it is written.
    Written(ChannelState),
    /// Open, and its idle timeout is over: a voucher revives it.
    Grace,
}

impl Standing {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Written(state) => state.word(),
            Self::Grace => "grace",
        }
    }
}

impl Channel {
    /// How long it may lie still now, in seconds.
    pub const fn idle_timeout(&self) -> u64 {
        let told = self.terms.idle_timeout;
        if self.sequence == 0 && told > IDLE_BEFORE_FIRST_VOUCHER { IDLE_BEFORE_FIRST_VOUCHER } else { told }
    }

    /// Where it stands at `now`.
    pub const fn standing(&self, now: UnixSeconds) -> Standing {
        let idle_at = self.active_at.saturating_add(self.idle_timeout());
        match self.state {
            ChannelState::Open if now >= idle_at => Standing::Grace,
            state => Standing::Written(state),
        }
    }

    /// Whether it gives vouchers at `now`.
    pub const fn gives_vouchers(&self, now: UnixSeconds) -> bool {
        matches!(self.state, ChannelState::Open) && now < self.terms.expires_at
    }

    /// Why an open channel ends at `now`, `grace` seconds after its idle timeout at the latest; none while it goes on.
    pub const fn is_over(&self, now: UnixSeconds, grace: u64) -> Option<EndReason> {
        if !matches!(self.state, ChannelState::Open) {
            return None;
        }
        if now >= self.terms.expires_at {
            let lifetime = self.terms.opened_at.saturating_add(LIFETIME);
            return Some(if self.terms.expires_at >= lifetime { EndReason::Lifetime } else { EndReason::RoleExpired });
        }
        let still = self.active_at.saturating_add(self.idle_timeout()).saturating_add(grace);
        if now >= still { Some(EndReason::Idle) } else { None }
    }

    /// Whether it has owed for longer than `most` seconds.
    pub fn owes_too_long(&self, now: UnixSeconds, most: u64) -> bool {
        self.owed_since.is_some_and(|since| now > since.saturating_add(most))
    }

    /// How long it gave vouchers, or has so far, in seconds.
    pub fn duration(&self, now: UnixSeconds) -> u64 {
        self.ended_at.unwrap_or(now).saturating_sub(self.terms.opened_at)
    }
}

impl From<&Channel> for Claimant {
    fn from(channel: &Channel) -> Self {
        Self {
            channel: channel.terms.id,
            opened_at: channel.terms.opened_at,
            money: channel.money,
            parts: channel.parts,
        }
    }
}

/// When a channel that is opened at `now` gives its last voucher, under a grant that ends at `role_expires_at`.
pub const fn expiry(now: UnixSeconds, role_expires_at: UnixSeconds) -> UnixSeconds {
    let of_role = role_expires_at.saturating_sub(SETTLED_BEFORE_END);
    let of_age = now.saturating_add(LIFETIME);
    if of_role < of_age { of_role } else { of_age }
}

impl From<PublicId> for ChannelId {
    fn from(id: PublicId) -> Self {
        Self(Uuid::from_bytes(id.to_bytes()))
    }
}

impl From<ChannelId> for PublicId {
    fn from(id: ChannelId) -> Self {
        Self::from_bytes(id.0.into_bytes())
    }
}

#[cfg(test)]
mod tests;
