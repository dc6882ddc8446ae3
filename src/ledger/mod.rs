//! Durability. Every verb is exactly one database transaction and is on disk when it returns; no transaction handle
//! leaves this module, so none can wait on the network. Questions may read the archive in a second one.
//!
//! Promises: captured + held never pass a session's cap; a hold is captured at most once; at most one attempt of a
//! settlement is live; terminal states never change; and [`Recorded`] values come only from here, so sending a
//! transaction before its bytes are durable does not compile.

mod approvals;
mod mpp;
mod open;
mod operator;
mod outcomes;
mod revocations;
mod rows;
mod rules;
mod single_payments;
mod sqlite;
mod upkeep;

pub use approvals::ApprovalLedger;
pub use mpp::{
    AccountStanding, ChannelCounts, ChannelLedger, ChannelOpened, ChannelRecord, ChannelRisks, ChannelSettling,
    ChannelTimes, ChargeClaim, ChargeLedger, ChargeRecorded, DelegationKey, DelegationLedger, Drawn, IssuedKey,
    IssuerClaim, MppLedger, SeenRole,
};
pub use open::{OpenLedgerError, import, look_at_channels, look_at_held, look_at_settlement, look_at_spending, open};
pub use operator::{NotResolved, OperatorLedger, Resolved, SeenLanding, SettlementRecord};
pub use outcomes::{
    Archived, Carry, CreatedRecipient, Deadline, Held, LastTransfer, NotCompleted, Offered, OnboardRecorded, Opened,
    OpenedOnApproval, OpeningCount, Openings, Promised, Proved, RevocationRecorded, Signed, SingleClaim, SinglePaid,
    Totals, WasIssued, Work, WriteFault, WriterCounts,
};
pub use revocations::RevocationLedger;
pub use single_payments::SinglePaymentLedger;
pub use sqlite::handle::SqliteLedger;
pub use sqlite::import::{ImportReport, ImportTerms, Skipped};
pub use sqlite::open::LedgerOptions;
pub use sqlite::write_ahead_log::LogLimits;
pub use upkeep::Upkeep;

use crate::domain::{
    amount::Amount,
    approval::LandedApprove,
    budget::{BudgetSubject, Budgets, OverBudget, Spending},
    clock::UnixSeconds,
    funding::{Look, NewBound, Ride, Source},
    history::{Cursor, History, PaymentTimes, Position},
    hold::{GiveUp, Hold, HoldId, NewHold, RecordedAnswer},
    reason::{PayReason, SessionReason},
    session::{CapCheck, Session, SessionId},
    settlement::{Attempt, Cost, Event, Purpose, Settlement, SettlementId, Subject},
};
use async_trait::async_trait;
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// A value whose row is durable. Made only inside this module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded<T>(T);

impl<T> Recorded<T> {
    /// The value.
    pub fn get(&self) -> &T {
        &self.0
    }
}

/// Why a verb failed. Refusals that are part of a verb's meaning are in its own return type.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database did not answer or failed: the outcome is unknown, look before doing it again.
    #[error("the ledger is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Rows contradict each other or an invariant: stop and look.
    #[error("the ledger is inconsistent: {0}")]
    Inconsistent(String),
    /// Another writer recorded an event first: load the settlement again and look again.
    #[error("another driver moved this settlement on")]
    LostRace,
    /// The queue is full: nothing was written, repeat later.
    #[error("the ledger's queue is full")]
    Busy,
}

/// The verbs. See the module for what they all promise.
#[async_trait]
pub trait Ledger:
    ApprovalLedger + MppLedger + OperatorLedger + RevocationLedger + SinglePaymentLedger + Upkeep
{
    /// Writes a session in state `opening`, or finds the one that this user opened with this nonce. Not while a revoke of this user
    /// and asset may still land.
    async fn open_session(&self, session: &Session) -> Result<Opened, LedgerError>;

    /// The session with this id.
    async fn session(&self, id: SessionId) -> Result<Option<Session>, LedgerError>;

    /// The session that this user opened (or tried to open) with this nonce.
    async fn find_session(&self, user: &Pubkey, nonce: &str) -> Result<Option<Session>, LedgerError>;

    /// Open sessions whose approved amount is not verified yet, oldest first: what the cap check asks about again.
    async fn unverified_sessions(&self) -> Result<Vec<Session>, LedgerError>;

    /// The live (`opening` or `open`) sessions of a user and asset, and those that have ended and still hold something:
    /// everything that may yet move money of that account. Oldest first.
    async fn live_sessions(&self, user: &Pubkey, asset: &Pubkey) -> Result<Vec<Session>, LedgerError>;

    /// At most `most` sessions of a user, of one asset for `Some`, newest first; only those that are older than the one of the
    /// number `before` where it is given. A number tells a session's place among all of this ledger and nothing else.
    async fn sessions_of(
        &self,
        user: &Pubkey,
        asset: Option<&Pubkey>,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<(u64, Session)>, LedgerError>;

    /// Sessions in state `opening`, oldest first: what recovery has to finish.
    async fn opening_sessions(&self) -> Result<Vec<Session>, LedgerError>;

    /// `opening` becomes `open` on the approve that it brought, which has landed, and in the same transaction every session in
    /// `superseded` that is live becomes `superseded`, and the others of the account are bound to that approve as in
    /// [`ApprovalLedger::land_approval`]. Where the approve does not back the session (any more), `opening` becomes `rejected`.
    /// Other states are left alone.
    async fn mark_open(
        &self,
        id: SessionId,
        check: CapCheck,
        approve: &LandedApprove,
        superseded: &[SessionId],
    ) -> Result<Session, LedgerError>;

    /// An `open` session's cap is verified from now on. Other states are left alone.
    async fn verify_cap(&self, id: SessionId) -> Result<(), LedgerError>;

    /// `opening` (or `open` with an unverified cap) becomes `rejected`. What it holds stays held and is settled.
    async fn reject_session(&self, id: SessionId, reason: SessionReason) -> Result<(), LedgerError>;

    /// All live sessions of this user and asset become `revoked`, and so does the approval that stood for the account.
    async fn revoke_sessions(&self, user: &Pubkey, asset: &Pubkey) -> Result<u64, LedgerError>;

    /// Open sessions past their expiration become `expired`. Returns which, oldest first.
    async fn expire_sessions(&self, now: UnixSeconds) -> Result<Vec<SessionId>, LedgerError>;

    /// `open` becomes `closing`: it accepts nothing more. It becomes `closed` by itself in the verb that settles (or gives
    /// up) the last of what it holds, at once when nothing is left. Other states are left alone.
    async fn close_session(&self, id: SessionId) -> Result<Session, LedgerError>;

    /// Accepts a payment: looks the nonce up first, then state, expiry and cap, then writes the hold.
    ///
    /// Without a nonce, a hold of the same content that was last answered `settlement_pending` is taken over once,
    /// the oldest first. A deferred payment within the limits of exposure is promised and told with its row; one that
    /// would pass a limit is held as if it were not deferred.
    ///
    /// A refusal is looked up in the archive first, by a read of its own that writes nothing: the nonce of a payment that
    /// has moved there is recognised like any other.
    async fn hold(&self, hold: &NewHold) -> Result<Held, LedgerError>;

    /// The hold with this id.
    async fn find_hold(&self, id: HoldId) -> Result<Option<Hold>, LedgerError>;

    /// What this nonce was used for in this session.
    async fn find_payment(&self, session: SessionId, nonce: &str) -> Result<Option<Hold>, LedgerError>;

    /// Hands out `success:true` for a captured hold, once: true for the one caller who may say it. With it is written to which
    /// repeats it is told again; without `answer` to none, ever.
    async fn claim_success(&self, id: HoldId, answer: Option<RecordedAnswer>) -> Result<bool, LedgerError>;

    /// To which repeats the success of this hold is told again; none as well for what has ended and was deleted. An archived
    /// payment keeps it.
    async fn recorded_answer(&self, id: HoldId) -> Result<Option<RecordedAnswer>, LedgerError>;

    /// Ends a caller's wait: an uncovered hold is released with `reason`, a covered (or promised) one is marked answered
    /// `pending`.
    async fn end_wait(&self, id: HoldId, reason: PayReason) -> Result<Deadline, LedgerError>;

    /// Plans one settlement over the waiting holds of a session, oldest first, as far as it may `carry` them; `None` when
    /// nothing waits that it may go for. A promised hold that rests after a settlement came to nothing is left out.
    async fn plan_settlement(
        &self,
        id: SettlementId,
        session: SessionId,
        carry: Carry,
        now: UnixSeconds,
    ) -> Result<Option<Settlement>, LedgerError>;

    /// Plans a settlement without holds: an approve, an account creation, a probe, a refresh. Fails with `LostRace`
    /// where that session has an approve, or that recipient a creation, which is not released.
    async fn plan_other(
        &self,
        id: SettlementId,
        purpose: Purpose,
        subject: Subject,
        now: UnixSeconds,
    ) -> Result<Settlement, LedgerError>;

    /// The creation of this recipient's token account that was planned and has not come to nothing.
    async fn created_recipient(&self, recipient: &Pubkey, asset: &Pubkey) -> Result<Option<Settlement>, LedgerError>;

    /// The creations of recipients' accounts that were planned since `since` and have not come to nothing, oldest first.
    async fn recipients_created_since(&self, since: UnixSeconds) -> Result<Vec<CreatedRecipient>, LedgerError>;

    /// Records a signed attempt (event `Signed`) and books its full cost as reserved, or tells which budget that would
    /// pass and writes nothing. Checked and booked in one transaction, so no number of drivers passes a limit together.
    async fn record_signed(
        &self,
        settlement: &Settlement,
        attempt: Attempt,
        now: UnixSeconds,
    ) -> Result<Signed, LedgerError>;

    /// The limits from now on, for everybody who uses this ledger.
    async fn set_budgets(&self, budgets: &Budgets) -> Result<(), LedgerError>;

    /// Whether a transaction for this subject would pass a budget now; promises nothing, [`Ledger::record_signed`] decides.
    async fn over_budget(
        &self,
        subject: &BudgetSubject,
        cost: Cost,
        now: UnixSeconds,
    ) -> Result<Option<OverBudget>, LedgerError>;

    /// How many grants to this user were booked since `since`, reserved or spent, and when the first of them.
    async fn granted_since(&self, user: &Pubkey, since: UnixSeconds) -> Result<OpeningCount, LedgerError>;

    /// Remembers for good that nothing proved the balance of a session's wallet when its opening was granted SOL, before that is
    /// booked.
    async fn mark_unproven_grant(&self, session: SessionId) -> Result<(), LedgerError>;

    /// How many grants were booked since `since` that are marked as unproven, and when the first of them.
    async fn unproven_grants_since(&self, since: UnixSeconds) -> Result<OpeningCount, LedgerError>;

    /// What was booked since `since`, by hour, purpose and merchant, oldest first.
    async fn spending(&self, since: UnixSeconds) -> Result<Vec<Spending>, LedgerError>;

    /// At most `most` landed attempts whose booked rent is an upper bound that nobody has compared with the chain yet, in
    /// the order of their settlements: those that come after `after`.
    async fn rents_to_check(
        &self,
        after: Option<SettlementId>,
        most: u64,
    ) -> Result<Vec<Recorded<Attempt>>, LedgerError>;

    /// Books the rent that a landed attempt really spent, once; a booking that is not waiting for it is left alone.
    async fn correct_rent(&self, signature: &Signature, rent: u64) -> Result<(), LedgerError>;

    /// Appends an event and everything that follows from it, in one transaction: `Landed` captures the holds, books
    /// the cost as spent and marks the holds in `waiting` as told; `TakenBack` undoes that; `Failed` books the fee alone
    /// and keeps the holds; `Refused` books the fee alone and, like `Abandoned`, returns the holds one by one: what was
    /// told waits again and leaves a trace, the rest is released with the event's reason; `Absent` books nothing.
    ///
    /// What follows is decided in `ledger/rules` and written by the verb. Three things follow from what any verb writes, and
    /// an engine keeps them wherever it writes: on SQLite triggers do, because a statement of a trigger costs a fraction of
    /// one of the verb's, and most verbs cause none. An engine without them writes them as effects.
    ///
    /// - `session_events`: a row for each event of a capture but `reserved`, `absent` and `failed`, for each waiting hold
    ///   that is released, and for each new state of a session, placed after the session's newest payment.
    /// - `budget_use`: the sums by session, user, merchant and time follow each booking that is made or changed.
    /// - `sources.claimed`: follows what a session holds and has captured, for a payer with a proof.
    async fn record(
        &self,
        settlement: &Settlement,
        event: Event,
        waiting: &[HoldId],
        now: UnixSeconds,
    ) -> Result<Settlement, LedgerError>;

    /// The settlement and its live attempt.
    async fn load_work(&self, id: SettlementId) -> Result<Work, LedgerError>;

    /// Every settlement that is not in a terminal state, oldest first.
    async fn unfinished(&self) -> Result<Vec<Work>, LedgerError>;

    /// Sessions that have holds which no settlement covers and nobody was promised, oldest hold first.
    async fn waiting_sessions(&self) -> Result<Vec<SessionId>, LedgerError>;

    /// Releases every uncovered hold accepted before `before` with `reason`: at start nobody waits for them any more.
    /// Promises are kept.
    async fn release_abandoned(&self, before: UnixSeconds, reason: PayReason) -> Result<u64, LedgerError>;

    /// Moves the payments of one session to the archive, where every question about them still finds them: of one that has
    /// ended and holds nothing, and whose last payment (or, without any, the session itself) was accepted before `before`.
    /// What an interrupted move has left goes first. `None`: there is nothing to move. Its settlements, what they cost and
    /// its sums stay where they are; a payment that is archived is never told for the first time (ADR 0038).
    async fn archive_one(&self, before: UnixSeconds) -> Result<Option<Archived>, LedgerError>;

    /// What waits by promise, by session, oldest first; of one session for `Some`.
    async fn promised(&self, session: Option<SessionId>) -> Result<Vec<Promised>, LedgerError>;

    /// Gives up the promises of a session that `when` says cannot be kept, and all that wait in one that is revoked:
    /// released with the reason of their last settlement, or with `session_revoked`, and booked as lost. Returns them.
    async fn give_up(&self, session: SessionId, when: GiveUp) -> Result<Vec<Hold>, LedgerError>;

    /// The holds of a settlement.
    async fn holds_of(&self, id: SettlementId) -> Result<Vec<Hold>, LedgerError>;

    /// What happened to a session after a cursor, oldest first, at most `most` things.
    async fn history(&self, session: SessionId, after: Cursor, most: usize) -> Result<History, LedgerError>;

    /// The end of the order in which things happen to a session; the start for one that does not exist. Positions of two
    /// sessions say nothing of each other.
    async fn newest_position(&self, session: SessionId) -> Result<Position, LedgerError>;

    /// When a payment was captured, became final, or failed.
    async fn payment_times(&self, payment: HoldId) -> Result<PaymentTimes, LedgerError>;

    /// The settlement that carries a session's approve, if one is recorded.
    async fn approve_of(&self, session: SessionId) -> Result<Option<Work>, LedgerError>;

    /// Holds of a session whose fate is open: waiting or planned, but not on a settlement that awaits an operator.
    async fn open_holds(&self, session: SessionId) -> Result<u64, LedgerError>;

    /// Whether a transfer of this session was ever signed: from then on what it carries may be on chain for everybody to
    /// read, whether it landed or not.
    async fn was_settled_from(&self, session: SessionId) -> Result<bool, LedgerError>;

    /// Sessions whose transfers landed since `since`, in no order.
    async fn transfers_since(&self, since: UnixSeconds) -> Result<Vec<LastTransfer>, LedgerError>;

    /// What a session cost and moved; of all sessions for `None`.
    async fn totals(&self, session: Option<SessionId>) -> Result<Totals, LedgerError>;

    /// What was promised in a session and never captured, in base units; nothing where there is no such session.
    async fn lost(&self, session: SessionId) -> Result<Amount, LedgerError>;

    /// How many sessions were opened since `since`, by this user, with this merchant, and by all, with those of users who have
    /// no credit at `now` apart: the opening quotas.
    async fn opened_since(
        &self,
        user: &Pubkey,
        recipient: &Pubkey,
        since: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<Openings, LedgerError>;

    /// Whether a user has credit at `now`: payments that a proof covered landed on three days, the first three days ago.
    async fn has_credit(&self, user: &Pubkey, now: UnixSeconds) -> Result<bool, LedgerError>;

    /// What is known of a payer's token account; `None` when nothing is.
    async fn source(&self, user: &Pubkey, asset: &Pubkey) -> Result<Option<Source>, LedgerError>;

    /// Writes a checked proof of a balance with what it is claimed for: everything held by all sessions of that user and
    /// asset, and everything they captured in later slots. What is in flight is held, so each transfer is counted either
    /// as claimed or as part of the balance, by the slot in which it turns out to have landed.
    async fn prove_funding(&self, bound: &NewBound) -> Result<Proved, LedgerError>;

    /// Every account with an open session, those that were looked at longest ago first.
    async fn watched_sources(&self) -> Result<Vec<Source>, LedgerError>;

    /// Writes what a look saw. A proof that is lost stays lost until a newer one, and payments that were accepted as proven
    /// are unproven from then on, unless they landed before what the look found.
    async fn record_looks(&self, looks: &[Look], now: UnixSeconds) -> Result<(), LedgerError>;

    /// Counts so many base units as signed as proven, unless with what was signed since the last look they would pass `most`
    /// or the proved balance. What is alone since the look always may. A process that dies then has counted too much, which the
    /// next look corrects.
    async fn ride_on_look(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        units: Amount,
        most: Amount,
    ) -> Result<Ride, LedgerError>;

    /// The slot in which the transfer landed that captured this payment; none of one that is not captured.
    async fn landed_slot(&self, hold: HoldId) -> Result<Option<u64>, LedgerError>;

    /// Which of these signatures name transactions of ours.
    async fn known_signatures(&self, signatures: &[Signature]) -> Result<Vec<Signature>, LedgerError>;

    /// What other sessions of the deployed service can have taken, at most, from the approve that this imported session names,
    /// which landed at `since`; none where that cannot be told, and of a session that was not imported.
    async fn taken_beside(&self, session: SessionId, since: UnixSeconds) -> Result<Option<Amount>, LedgerError>;

    /// The transactions of at most `most` settlements that landed last, newest first.
    async fn newest_landings(&self, most: u64) -> Result<Vec<Signature>, LedgerError>;

    /// Whether this ledger began as the deployed service's file, whose merchants expect its answers.
    async fn was_taken_over(&self) -> Result<bool, LedgerError>;
}

/// Whether two requests to open a session are the same request: the same bytes of the intent and, where both carry a signature
/// over them, the same signature. What the short message alone has opened may be asked for again with the readable signature.
pub fn is_same_opening(one: &Session, other: &Session) -> bool {
    let (one, other) = (&one.signed, &other.signed);
    let agree = one.signature.zip(other.signature).is_none_or(|(one, other)| one == other);
    agree && one.bytes == other.bytes
}
