//! What an operator decides, as plain values.

mod mpp;
mod openings;

pub use self::{
    mpp::{ChannelSettings, ClockCheck, DelegationSettings, MppSettings, WindowTrust},
    openings::{OpeningSettings, PrepareSettings},
};
use crate::{
    chain::transaction::SettleInstruction,
    domain::{
        amount::Amount,
        budget::Budgets,
        funding::FundingPolicy,
        hold::{Exposure, GiveUp},
        network::Network,
        payment::PaymentLimits,
        session::Delegation,
        settlement::Allowances,
    },
    programs::{Programs, ciphertext::EncryptionKey},
};
use solana_pubkey::Pubkey;
use std::time::Duration;

/// When settlements buy decrypt allowances for both accounts' new handles (`spec/settlement.md` §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowancePolicy {
    /// For accounts at rest, and once in a while for those that never are: calls cost a fee and no rent.
    Idle,
    /// In every settlement: balances are readable at once, one transfer per token account at a time.
    Every,
    /// In none: no simulation, the cheapest; balances become readable by other means.
    Never,
}

/// How transfers share the way to the chain. See [`super::dispatch`] and
/// [`super::locks::in_flight_limits`] for why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DispatchSettings {
    /// Transfers in flight together, at most.
    pub in_flight: usize,
    /// Transfers in flight together from one payer's account.
    pub per_payer: usize,
    /// Transfers in flight together to one merchant's account.
    pub per_merchant: usize,
    /// How long a queue whose callers come together waits after a landing for them to come back.
    pub gather: Duration,
    /// When a transfer is so late that another of the same session may overtake it.
    pub overtake_after: Duration,
    /// How long a single payment that is sent and does not land keeps its accounts locked.
    pub single_lock: Duration,
}

impl Default for DispatchSettings {
    /// 512 in all, 16 of a payer, 256 to a merchant, 10 ms to gather, late after one second, ten for a single payment.
    fn default() -> Self {
        Self {
            in_flight: 512,
            per_payer: 16,
            per_merchant: 256,
            gather: Duration::from_millis(10),
            overtake_after: Duration::from_secs(1),
            single_lock: Duration::from_secs(10),
        }
    }
}

/// When decrypt allowances are bought apart from payments, and how often at most. See [`super::locks::idle_accounts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowanceSettings {
    /// How much has to have moved since the last purchase for one that nobody asked for, in base units.
    pub min_moved: Amount,
    /// How long nothing may have waited for an account before it counts as being at rest.
    pub idle_after: Duration,
    /// The shortest time between two purchases for one account that nobody asked for.
    pub min_interval: Duration,
    /// How long a balance that never rests may stay unreadable.
    pub max_age: Duration,
    /// The shortest time between two purchases for one account on request.
    pub request_interval: Duration,
}

impl Default for AllowanceSettings {
    /// For accounts that moved a token of six decimals, at rest after five minutes, bought once an hour, within a day for
    /// accounts that never rest, and every ten minutes on request.
    fn default() -> Self {
        Self {
            min_moved: Amount::new(1_000_000).unwrap_or_default(),
            idle_after: Duration::from_mins(5),
            min_interval: Duration::from_hours(1),
            max_age: Duration::from_hours(24),
            request_interval: Duration::from_mins(10),
        }
    }
}

/// What to do with the amount that was really approved (`spec/session.md` §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapCheckPolicy {
    /// A session opens only when the Covalidator has attested the cap.
    Required,
    /// It opens meanwhile with a small exposure limit, and the check goes on.
    BestEffort,
    /// The Covalidator is never asked.
    Off,
}

/// When promised payments are settled, how much may be promised, and when a promise is given up
/// (`spec/settlement.md` §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeferredPolicy {
    /// Settle a session when this much waits by promise, in base units.
    pub amount: Amount,
    /// Settle a session when this many payments wait by promise.
    pub count: u64,
    /// Settle a session when its oldest promise is this old, in seconds.
    pub age_seconds: u64,
    /// How much may be promised at once; what would pass it is settled per call. Zero defers nothing.
    pub exposure: Exposure,
    /// How many promises one payer may make in an hour; more payments are settled per call.
    pub promises_per_user_per_hour: u64,
    /// Give a promise up after this many settlements that came to nothing.
    pub give_up_returns: u32,
    /// Give a promise up once a settlement of it came to nothing when it was this old, in seconds.
    pub give_up_seconds: u64,
    /// How long a leaving process settles what is promised.
    pub leave_within: Duration,
    /// How long ago somebody may have looked at a payer's account for something to be promised on it; a payment after a
    /// longer time looks first. Zero looks at none.
    pub look_after: Duration,
}

impl DeferredPolicy {
    /// When a promise is given up where transfers do this to the delegated amount.
    pub(crate) const fn give_up(&self, delegation: Delegation) -> GiveUp {
        GiveUp { returns: self.give_up_returns, age_seconds: self.give_up_seconds, delegation }
    }
}

impl Default for DeferredPolicy {
    fn default() -> Self {
        let units = |units| Amount::new(units).unwrap_or_default();
        Self {
            amount: units(1_000_000),
            count: 500,
            age_seconds: 60,
            exposure: Exposure::shared(units(5_000_000), units(100_000_000)),
            promises_per_user_per_hour: 36_000,
            give_up_returns: 24,
            give_up_seconds: 86_400,
            leave_within: Duration::from_secs(10),
            look_after: Duration::from_secs(5),
        }
    }
}

/// How many requests may wait for the chain at once. See [`super::locks::wait_quota`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingSettings {
    /// For transfers, openings and closes of one payer.
    pub per_user: usize,
    /// For those of one payer whose balance nothing proves.
    pub per_unproven_user: usize,
    /// In all; fewer than the edge works on, so that something is left for what is answered at once.
    pub in_all: usize,
    /// Of them for all payers together who have no credit: a balance is proved with a few tokens, credit takes days.
    pub newcomers_in_all: usize,
    /// Of them for all payers together whose balances nothing proves: wallets without tokens cost nothing. The
    /// first of each is beyond it.
    pub unproven_in_all: usize,
}

impl Default for WaitingSettings {
    /// 512 for one payer, 32 for one of whom nothing is proved, 1,536 in all, three quarters of them for those without credit and
    /// half for those of whom nothing is proved.
    fn default() -> Self {
        Self { per_user: 512, per_unproven_user: 32, in_all: 1_536, newcomers_in_all: 1_152, unproven_in_all: 768 }
    }
}

/// Who may read what is not public, and how many may listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadPolicy {
    /// Amounts, payments and events of every session only to signed requests, also where there is no session key.
    pub signed: bool,
    /// How many streams of events are open at once.
    pub streams: usize,
    /// Of those, how many to sessions of one user.
    pub streams_per_user: usize,
    /// Of those, how many from one address.
    pub streams_per_ip: usize,
}

impl Default for ReadPolicy {
    fn default() -> Self {
        Self { signed: false, streams: 256, streams_per_user: 16, streams_per_ip: 64 }
    }
}

/// What an operator decides about proofs and the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingSettings {
    /// Whether proofs are taken and demanded.
    pub policy: FundingPolicy,
    /// How long ago an account may have been looked at for its proof to count, in seconds.
    pub max_age: u64,
    /// How often every account with an open session is looked at.
    pub interval: Duration,
    /// The most RPC requests that one round makes for histories; accounts themselves are always read.
    pub requests_per_round: u32,
    /// The most that is signed as proven after one look at an account, in base units; what is alone always may be.
    pub look_exposure: Amount,
}

impl Default for FundingSettings {
    /// Advisory, 60 seconds, looks every 15 seconds with at most 300 requests, 20 tokens of six decimals on a look.
    fn default() -> Self {
        Self {
            policy: FundingPolicy::Advisory,
            max_age: 60,
            interval: Duration::from_secs(15),
            requests_per_round: 300,
            look_exposure: Amount::new(20_000_000).unwrap_or_default(),
        }
    }
}

/// What is served: one confidential asset on one network, and beside it the Machine Payments Protocol.
#[derive(Clone, Debug)]
pub struct ServedAsset {
    /// The network served.
    pub network: Network,
    /// The two programs' addresses.
    pub programs: Programs,
    /// The mint served.
    pub asset: Pubkey,
    /// The mint's decimals.
    pub decimals: u8,
    /// The key that amounts are encrypted to.
    pub encryption_key: EncryptionKey,
    /// The Machine Payments Protocol, where it is served.
    pub mpp: Option<MppSettings>,
}

/// For whom a missing token account is created at our cost. Its owner can close it and keep the rent, so whoever asks pays
/// for nothing: only the number of them bounds what strangers take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientSettings {
    /// Whether any is created at all.
    pub create: bool,
    /// Recipients whose account is created when a first session with them opens, whoever opens it.
    pub listed: Vec<Pubkey>,
    /// Accounts of others that are created in 24 hours, at most.
    pub creations_per_day: u64,
    /// The smallest payment for which the account of one that is not listed is created, in base units.
    pub least: Amount,
}

impl Default for RecipientSettings {
    /// 50 a day, for payments of 0.01 of a token with six decimals and more; nobody is listed.
    fn default() -> Self {
        let least = Amount::new(10_000).unwrap_or_default();
        Self { create: true, listed: Vec::new(), creations_per_day: 50, least }
    }
}

impl RecipientSettings {
    /// Whether the operator has named this recipient.
    pub fn is_listed(&self, recipient: &Pubkey) -> bool {
        self.listed.contains(recipient)
    }
}

/// Which instruction settles, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionChoice {
    /// This one.
    Fixed(SettleInstruction),
    /// The one that carries the user's signature where the probe found that it does what is relied on; until then, and where it
    /// does not, the plain one, which publishes no signature.
    AsProbed,
}

impl InstructionChoice {
    /// The longer of those that may be used: what has to fit a transaction.
    pub const fn longest(self) -> SettleInstruction {
        match self {
            Self::Fixed(instruction) => instruction,
            Self::AsProbed => SettleInstruction::TransferWithAuthorization,
        }
    }
}

/// How transfers are built and what they may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferSettings {
    /// Which instruction settles.
    pub settle_instruction: InstructionChoice,
    /// Added to the measured compute units, in percent.
    pub compute_unit_margin: u32,
    /// The most paid per compute unit, in micro-lamports.
    pub max_priority_fee: u64,
    /// The most one transfer of a session carries while nothing proves its funding, in base units.
    pub unproven_exposure: Amount,
    /// What the token program does with the amount a payer approved.
    pub delegation: Delegation,
    /// When allowances are bought.
    pub decrypt_allowance: AllowancePolicy,
    /// How long after its landing a transaction is first asked whether it is final: what finality takes (32 slots). Then
    /// four times in such a span.
    pub finality_after: Duration,
    /// The most that is told as landed on one voice's word and seen by no other, in base units; only where two are configured.
    pub one_voice_exposure: Amount,
    /// How long it is waited for enough voices to say that a dead transaction has no effect, before its settlement is held.
    pub absence_patience: Duration,
    /// How often it is asked again about what is held.
    pub held_again: Duration,
    /// Whether single payments are served, where the instruction that carries them is safe.
    pub single_payments: bool,
}

impl TransferSettings {
    /// Whether every transfer has to buy decrypt allowances.
    pub fn each_buys(&self) -> Allowances {
        Allowances::from(self.decrypt_allowance == AllowancePolicy::Every)
    }
}

/// What is done beside requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackgroundSettings {
    /// How often the background looks for expired sessions, unverified caps and work that an outage left behind.
    pub round: Duration,
    /// How many seconds after its last payment an ended session's payments move to the archive; none for never.
    pub archive_after: Option<u64>,
}

/// Everything the use cases need to know that is not a port.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is served.
    pub served: ServedAsset,
    /// What a session may be opened with.
    pub openings: OpeningSettings,
    /// For whom accounts are created.
    pub recipients: RecipientSettings,
    /// How transfers are built.
    pub transfers: TransferSettings,
    /// Limits of a single payment.
    pub payments: PaymentLimits,
    /// The longest any caller waits for the chain.
    pub answer_deadline: Duration,
    /// How many callers may wait.
    pub waiting: WaitingSettings,
    /// When promised payments are settled.
    pub deferred: DeferredPolicy,
    /// Who may read what is not public.
    pub reads: ReadPolicy,
    /// When decrypt allowances are bought apart from payments.
    pub allowances: AllowanceSettings,
    /// How transfers share the way to the chain.
    pub dispatch: DispatchSettings,
    /// What is done beside requests, and how often.
    pub background: BackgroundSettings,
    /// Proofs of payers' balances, and how their accounts are watched.
    pub funding: FundingSettings,
    /// The balance below which a fee payer gets no new work and `ready` says no, in lamports.
    pub low_balance: u64,
    /// What may be spent for whom, in lamports.
    pub budgets: Budgets,
}
