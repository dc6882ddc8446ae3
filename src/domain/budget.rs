//! What the operator lets be spent for strangers, and why one more transaction is not affordable.
//!
//! A transaction counts with its full cost from the moment it is signed; what is proved dead no longer counts. An hour is
//! the last 60 to 65 minutes and a day the last 24 to 25 hours: sums are kept in pieces of five minutes and of an hour,
//! and a piece counts as long as any of it is young enough, so that no 60 minutes ever hold more than the limit (ADR 0018).

use crate::domain::{
    clock::{DAY, HOUR, UnixSeconds},
    reason::PayReason,
    session::{Session, SessionId},
    settlement::{Cost, Purpose},
};
use solana_pubkey::Pubkey;

/// Whose spending a limit bounds, and over which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// All attempts of one settlement.
    Settlement,
    /// Everything for one session, ever.
    Session,
    /// Transfers within an hour for one user who has no credit, of payments that no proof of the balance covers.
    UnprovenUserHour,
    /// Everything for one user within an hour.
    UserHour,
    /// Everything for one user within a day.
    UserDay,
    /// Everything for one merchant within an hour.
    MerchantHour,
    /// Everything within an hour for all users who have no credit.
    NewcomersHour,
    /// Everything within a day for all users who have no credit.
    NewcomersDay,
    /// Everything within an hour.
    Hour,
    /// Everything within a day.
    Day,
}

impl Scope {
    /// Every scope, the narrowest first: a refusal names the first that is passed.
    pub const ALL: [Self; 10] = [
        Self::Settlement,
        Self::Session,
        Self::UnprovenUserHour,
        Self::UserHour,
        Self::UserDay,
        Self::MerchantHour,
        Self::NewcomersHour,
        Self::NewcomersDay,
        Self::Hour,
        Self::Day,
    ];

    /// The word in the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Settlement => "settlement",
            Self::Session => "session",
            Self::UnprovenUserHour => "unproven_user_hour",
            Self::UserHour => "user_hour",
            Self::UserDay => "user_day",
            Self::MerchantHour => "merchant_hour",
            Self::NewcomersHour => "newcomers_hour",
            Self::NewcomersDay => "newcomers_day",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The scope that has this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }

    /// How long spending counts and how fine its sums are, in seconds; none where it counts for ever.
    pub const fn window(self) -> Option<Window> {
        match self {
            Self::Settlement | Self::Session => None,
            Self::UnprovenUserHour | Self::UserHour | Self::MerchantHour | Self::NewcomersHour | Self::Hour => {
                Some(Window { seconds: HOUR, piece: 300 })
            }
            Self::UserDay | Self::NewcomersDay | Self::Day => Some(Window { seconds: DAY, piece: HOUR }),
        }
    }

    /// What a payer is told whose payment this limit stops.
    pub const fn reason(self) -> PayReason {
        match self {
            Self::Settlement | Self::Session | Self::UnprovenUserHour | Self::UserHour | Self::UserDay => {
                PayReason::PayerSettleCapExceeded
            }
            Self::MerchantHour => PayReason::SellerSettleCapExceeded,
            Self::NewcomersHour | Self::NewcomersDay | Self::Hour | Self::Day => PayReason::GlobalSettleCapExceeded,
        }
    }

    /// Whether a transaction for a user of this credit counts in this scope.
    pub const fn counts(self, credit: Credit) -> bool {
        match self {
            Self::UnprovenUserHour => matches!(credit, Credit::Start),
            Self::NewcomersHour | Self::NewcomersDay => matches!(credit, Credit::Start | Credit::Newcomer),
            _ => true,
        }
    }
}

/// What a user has earned by payments that are known to have moved something (ADR 0036).
///
/// Fees are paid for strangers, and a transfer from an empty account costs what any other does. So a wallet that nothing is
/// known of gets a small start, and all such wallets together no more than a part of what is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credit {
    /// None, and nothing proves that the transfer moves anything.
    Start,
    /// None so far; the transaction carries payments that a proof of the balance covers, or is no transfer of payments.
    Newcomer,
    /// Payments that a proof covered have landed on [`Credit::DAYS`] days, the first so many days ago at least.
    Earned,
}

impl Credit {
    /// On how many days, and how many days ago the first.
    pub const DAYS: u64 = 3;

    /// The word in the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Newcomer => "newcomer",
            Self::Earned => "earned",
        }
    }

    /// Whether so many days, the first of them day `first` since the epoch, are enough at `now`.
    pub const fn is_earned(days: u64, first: u64, now: UnixSeconds) -> bool {
        match Self::latest_first_day(now) {
            Some(latest) => days >= Self::DAYS && first <= latest,
            None => false,
        }
    }

    /// The latest day since the epoch that the first day may be, for a user who has credit at `now`; none so early that nobody
    /// has any.
    pub const fn latest_first_day(now: UnixSeconds) -> Option<u64> {
        (now / DAY).checked_sub(Self::DAYS)
    }
}

/// A sliding stretch of time, cut into pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How long spending counts at least.
    pub seconds: u64,
    /// How long a piece is: spending counts up to this much longer.
    pub piece: u64,
}

impl Window {
    /// A stretch whose events are kept one by one, and count for exactly so many seconds.
    pub const fn of_events(seconds: u64) -> Self {
        Self { seconds, piece: 1 }
    }

    /// The start of the oldest piece that counts at `now`.
    pub const fn oldest(self, now: UnixSeconds) -> UnixSeconds {
        now.saturating_sub(self.seconds) / self.piece * self.piece
    }

    /// How many seconds after `now` the piece that starts at `start` no longer counts, at least one.
    pub const fn leaves_in(self, start: UnixSeconds, now: UnixSeconds) -> u64 {
        let end = start.saturating_add(self.piece).saturating_add(self.seconds);
        let left = end.saturating_sub(now);
        if left == 0 { 1 } else { left }
    }
}

/// Which lamports a limit bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// All of them.
    Total,
    /// Fees.
    Fee,
    /// Rent for accounts that others own.
    Rent,
    /// Grants to users.
    Grant,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 4] = [Self::Total, Self::Fee, Self::Rent, Self::Grant];

    /// The word in the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Fee => "fee",
            Self::Rent => "rent",
            Self::Grant => "grant",
        }
    }

    /// The part that has this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.word() == word)
    }

    /// What of a cost this part is.
    pub const fn of(self, cost: Cost) -> u64 {
        match self {
            Self::Total => cost.total(),
            Self::Fee => cost.fee,
            Self::Rent => cost.rent,
            Self::Grant => cost.grant,
        }
    }
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Whose spending, over which time.
    pub scope: Scope,
    /// Which lamports.
    pub part: Part,
    /// The most of them.
    pub lamports: u64,
}

/// All limits; without one nothing is bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budgets(pub Vec<Limit>);

impl Budgets {
    /// Adds a limit.
    #[must_use]
    pub fn with(mut self, scope: Scope, part: Part, lamports: u64) -> Self {
        self.0.push(Limit { scope, part, lamports });
        self
    }

    /// The limits that a transaction for a user of this credit counts in.
    #[must_use]
    pub fn of(mut self, credit: Credit) -> Self {
        self.0.retain(|limit| limit.scope.counts(credit));
        self
    }
}

/// What was booked in one scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// The lamports.
    pub cost: Cost,
    /// The start of the oldest piece of the window that holds any of it.
    pub since: Option<UnixSeconds>,
}

/// Why one more transaction is not affordable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBudget {
    /// The narrowest limit that it would pass.
    pub scope: Scope,
    /// Which lamports that limit bounds.
    pub part: Part,
    /// Whether the fee alone would pass no limit: the transaction may go without what it buys.
    pub fee_fits: bool,
    /// Seconds until some of what counts no longer does; none where waiting does not help.
    pub retry_after: Option<u64>,
}

/// Whether `cost` may be added to what `used` tells of each scope. The limits are those that the transaction counts in.
pub fn judge(budgets: &Budgets, cost: Cost, used: impl Fn(Scope) -> Used, now: UnixSeconds) -> Option<OverBudget> {
    let passes = |limit: &Limit, cost: Cost| {
        let more = limit.part.of(cost);
        // What adds nothing to a part is not stopped by its limit.
        more > 0 && limit.part.of(used(limit.scope).cost).saturating_add(more) > limit.lamports
    };
    let passed = budgets.0.iter().filter(|limit| passes(limit, cost)).min_by_key(|limit| (limit.scope, limit.part))?;
    let fee = Cost { fee: cost.fee, ..Cost::default() };
    let alone_fits = passed.part.of(cost) <= passed.lamports;
    let retry_after = match (passed.scope.window(), used(passed.scope).since) {
        (Some(window), Some(since)) if alone_fits => Some(window.leaves_in(since, now)),
        _ => None,
    };
    Some(OverBudget {
        scope: passed.scope,
        part: passed.part,
        fee_fits: !budgets.0.iter().any(|limit| passes(limit, fee)),
        retry_after,
    })
}

/// The user and merchant, and the session if there is one, whose budgets a transaction of ours counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetSubject {
    /// The session; none for a payment outside any.
    pub session: Option<SessionId>,
    /// The wallet that pays.
    pub user: Pubkey,
    /// The merchant; the wallet once more where nobody is paid.
    pub recipient: Pubkey,
}

impl BudgetSubject {
    /// A session's subject.
    pub fn of(session: &Session) -> Self {
        Self { session: Some(session.id), user: *session.user(), recipient: session.intent.recipient }
    }
}

/// What was booked within one hour for one purpose and merchant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spending {
    /// The hour's beginning.
    pub hour: UnixSeconds,
    /// What for.
    pub purpose: Purpose,
    /// The merchant; none where nobody is paid.
    pub recipient: Option<Pubkey>,
    /// Transactions that landed.
    pub landed: u64,
    /// What they spent.
    pub spent: Cost,
    /// What transactions with an open outcome may yet spend.
    pub reserved: Cost,
}

#[cfg(test)]
mod tests;
