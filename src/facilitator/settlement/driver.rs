//! The driver: observe, decide, act, record. The one loop for live requests and for recovery.
//!
//! It decides nothing: [`next_step`] does. It promises that every act follows a durable record, that unknown outcomes
//! are looked at and never acted upon, and that callers are told only what the ledger already knows
//! ([`super::record`]).

use super::{SettlementOutcome, Settlements};
use crate::facilitator::error::SignFailure;
use crate::{
    domain::{
        amount::Amount,
        budget::OverBudget,
        funding::Funding,
        hold::{Hold, HoldId},
        reason::PayReason,
        settlement::{
            Allowances, Attempt, Event, Further, HeldBecause, Observation, Settlement, SettlementId, State, Step,
            next_step,
        },
    },
    facilitator::{
        events::SessionEvent,
        locks::account_locks::{Access, LockedAccounts},
        looks::Rider,
    },
    ledger::{LedgerError, Recorded, Signed, Work},
};
use std::time::Duration;
use tokio::time::Instant;

/// The backoff after a port failed; doubled up to the longest.
const SHORTEST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// How far a settlement is driven by its caller; finality is always watched in the background.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Callers can be answered.
    Landed,
    /// It is on the chain, as seen just now: what landed once may have been taken back by a fork.
    LandedAgain,
}

/// How the next attempt of a settlement is made, as far as earlier tries decided it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NextTry {
    /// With decrypt allowances where they can be had.
    AsPlanned,
    /// Without the decrypt allowances that the budget has refused it.
    WithoutAllowances,
    /// Not at all: callers are given this reason.
    GiveUp(PayReason),
}

/// What the driver holds of one settlement between two steps.
pub(crate) struct Drive {
    pub(crate) settlement: Settlement,
    pub(crate) attempt: Option<Recorded<Attempt>>,
    pub(crate) seen: Observation,
    next_try: NextTry,
    /// Whether the settlement was read anew, so that its callers may not have been told what was written.
    reloaded: bool,
    until: Until,
    /// It is left as it is: it stays landed although it was not seen so, because that it was taken back is written later, if it is
    /// still so; or it is held.
    is_left: bool,
    /// Why it is not proved that the dead attempt has no effect, and since when.
    pub(crate) unproved: Option<(HeldBecause, Instant)>,
    backoff: Duration,
    /// The token accounts of the transfer; locked exclusively, an attempt may name their handles.
    pub(crate) locked: Option<LockedAccounts>,
    /// What it carries, once it was read: the same until its next event.
    pub(crate) carried: Option<Vec<Carried>>,
    /// What others of its payer ride with, from before it is signed as proven until its outcome.
    pub(crate) rider: Option<Rider>,
    /// The event that gave its holds back, and whether promises were among them.
    pub(crate) returned: Option<(Event, bool)>,
}

/// A payment that a settlement carries, as far as its driver has to know.
#[derive(Clone, Copy)]
pub(crate) struct Carried {
    pub(crate) id: HoldId,
    /// In base units.
    pub(crate) amount: Amount,
    /// What is known of its payer's balance.
    pub(crate) funding: Funding,
    /// Whether its success was reported already: a promise, which is not released.
    pub(crate) reported: bool,
}

impl Drive {
    pub(crate) fn new(work: Work, until: Until, locked: Option<LockedAccounts>) -> Self {
        Self {
            until,
            settlement: work.settlement,
            attempt: work.attempt,
            seen: Observation::NotAsked,
            next_try: NextTry::AsPlanned,
            reloaded: false,
            is_left: false,
            unproved: None,
            backoff: SHORTEST_BACKOFF,
            locked,
            carried: None,
            rider: None,
            returned: None,
        }
    }

    /// What the live attempt buys, and so which handles it names in advance.
    pub(crate) fn allowances(&self) -> Allowances {
        self.attempt.as_ref().map_or(Allowances::NotBought, |attempt| attempt.get().allowances)
    }

    /// Waits after something that did not go well, longer each time.
    pub(crate) async fn back_off(&mut self) {
        tokio::time::sleep(self.backoff).await;
        self.backoff = (self.backoff * 2).min(LONGEST_BACKOFF);
    }

    /// Something went well: the next backoff is the shortest again.
    pub(crate) const fn reset_backoff(&mut self) {
        self.backoff = SHORTEST_BACKOFF;
    }

    /// Ends the drive, and leaves the settlement as it is.
    pub(crate) const fn leave(&mut self) {
        self.is_left = true;
    }

    /// What was seen, and since when nothing is proved by it.
    pub(crate) fn saw(&mut self, seen: Observation) {
        self.unproved = match (&seen, self.unproved) {
            (Observation::Unproved(because), Some((_, since))) => Some((*because, since)),
            (Observation::Unproved(because), None) => Some((*because, Instant::now())),
            // No answer ends no silence.
            (Observation::Unknown, known) => known,
            _ => None,
        };
        self.seen = seen;
    }

    /// No further attempt is made; callers are given this reason.
    pub(crate) const fn give_up(&mut self, reason: PayReason) {
        self.next_try = NextTry::GiveUp(reason);
    }

    /// How the next attempt may use its accounts.
    pub(crate) fn access(&self) -> Access {
        match (&self.locked, self.next_try) {
            (Some(locked), NextTry::AsPlanned) => locked.access(),
            _ => Access::Shared,
        }
    }

    fn has_reached(&self) -> bool {
        if self.is_left {
            return true;
        }
        match (&self.settlement.state, self.until) {
            (State::Settled | State::Released, _) | (State::Landed, Until::Landed) => true,
            (State::Landed, Until::LandedAgain) => {
                matches!(self.seen, Observation::Landed { slot, .. } if self.settlement.stands_at(slot))
            }
            (State::Reserved | State::InFlight, _) => false,
        }
    }

    /// The outcome of a drive that has ended, for its caller.
    fn outcome(self) -> SettlementOutcome {
        let Self { settlement, reloaded, returned, .. } = self;
        match settlement.state {
            // Read anew, its end may have been written without this task.
            State::Released if settlement.pays_from().is_some() && (reloaded || returned.is_some()) => {
                let (end, promises) =
                    returned.map_or((None, true), |(end, promises)| (Some(end), promises || reloaded));
                SettlementOutcome::Returned { settlement, end: end.filter(|_| !reloaded), promises }
            }
            State::Landed | State::Released | State::Settled | State::Reserved | State::InFlight => {
                SettlementOutcome::Ended(settlement)
            }
        }
    }
}

impl Settlements {
    /// Drives a settlement as far as `until`, watches what has landed, and returns how it then stands, for a transfer with its
    /// token accounts locked meanwhile. Only one task of this process drives a settlement; a second call returns at once.
    pub(crate) async fn drive(&self, work: Work, until: Until, locked: Option<LockedAccounts>) -> SettlementOutcome {
        let Some(running) = self.driving.start(work.settlement.id) else {
            return SettlementOutcome::DrivenElsewhere(work.settlement);
        };
        let mut drive = Drive::new(work, until, locked);
        while !drive.has_reached() {
            if let Err(error) = self.step(&mut drive).await {
                self.recover_from(&mut drive, error).await;
            }
        }
        if drive.reloaded {
            self.report_what_was_written(&drive.settlement).await;
        }
        let landed = (drive.settlement.state == State::Landed)
            .then(|| Work { settlement: drive.settlement.clone(), attempt: drive.attempt.clone() });
        let outcome = drive.outcome();
        // Nobody drives it any more when the watch may have it driven again.
        drop(running);
        if let Some(work) = landed {
            self.watch(work);
        }
        outcome
    }

    /// Whether a task of this process drives the settlement or waits to.
    pub(crate) fn is_driven(&self, id: SettlementId) -> bool {
        self.driving.is_running(id) || self.queued.is_running(id)
    }

    /// Another writer may have moved the settlement on, or the ledger failed in an unknown state: look again.
    async fn recover_from(&self, drive: &mut Drive, error: LedgerError) {
        if !matches!(error, LedgerError::LostRace) {
            tracing::warn!(settlement = %drive.settlement.id, %error, "the ledger failed the driver; it looks again");
            drive.back_off().await;
        }
        if let Ok(work) = self.core.ledger.load_work(drive.settlement.id).await {
            drive.settlement = work.settlement;
            drive.attempt = work.attempt;
            drive.saw(Observation::NotAsked);
            drive.carried = None;
            drive.reloaded = true;
            // A write whose answer was lost is news, too.
            self.progress.tell(drive.settlement.id);
        }
    }

    async fn step(&self, drive: &mut Drive) -> Result<(), LedgerError> {
        if let Some(because) = self.patience_is_over(drive) {
            return self.step_hold(drive, because).await;
        }
        let further = match drive.next_try {
            NextTry::GiveUp(reason) => Further::Unwanted(reason),
            NextTry::AsPlanned | NextTry::WithoutAllowances => {
                if self.is_wanted(drive).await? {
                    Further::Wanted
                } else {
                    Further::Unwanted(PayReason::SettlementExpired)
                }
            }
        };
        match next_step(&drive.settlement, &drive.seen, further, drive.allowances()) {
            Step::Done => {}
            Step::Hold(because) => self.step_hold(drive, because).await?,
            Step::Sign => self.step_sign(drive).await?,
            Step::Send => self.send_and_look(drive).await,
            Step::LookUp => self.look(drive).await,
            Step::Record(Event::TakenBack) => self.step_take_back(drive).await?,
            Step::Record(event @ Event::Landed { .. }) => self.step_land(drive, event).await?,
            Step::Record(event @ (Event::Absent(_) | Event::Refused { .. }))
                if drive.settlement.purpose.has_grant_witness() =>
            {
                self.step_without_effect(drive, event).await?;
            }
            Step::Record(event) => self.step_record(drive, event).await?,
        }
        Ok(())
    }

    /// Writes that a landing was taken back, unless that was written a moment ago.
    async fn step_take_back(&self, drive: &mut Drive) -> Result<(), LedgerError> {
        let (id, now) = (drive.settlement.id, Instant::now());
        if !self.flips.is_due(id, now) {
            drive.leave();
            return Ok(());
        }
        self.step_record(drive, Event::TakenBack).await?;
        let flips = self.flips.written(id, now);
        if flips > 0 {
            tracing::warn!(settlement = %id, flips, "a landing was told and taken back many times; few of them are written");
        }
        Ok(())
    }

    async fn step_sign(&self, drive: &mut Drive) -> Result<(), LedgerError> {
        let Some(signed) = self.sign_backed(drive).await? else { return Ok(()) };
        match signed {
            // Making it may have taken a while: what nobody waits for any more is not sent.
            Ok(_) if !self.is_wanted(drive).await? => {}
            Ok(attempt) => {
                let buys = attempt.allowances;
                match self.core.ledger.record_signed(&drive.settlement, attempt, self.core.clock.now()).await? {
                    Signed::Recorded { settlement, attempt } => {
                        if let Some(session) = settlement.session() {
                            self.core.events.publish(session, SessionEvent::Recorded);
                        }
                        drive.settlement = settlement;
                        drive.attempt = Some(attempt);
                        drive.seen = Observation::JustSigned;
                        drive.reset_backoff();
                    }
                    Signed::OverBudget(over) => self.step_over_budget(drive, buys, &over).await?,
                }
            }
            Err(SignFailure::Refused { reason, detail }) => {
                tracing::info!(settlement = %drive.settlement.id, %reason, detail, "a settlement cannot be sent");
                drive.give_up(reason);
            }
            Err(SignFailure::Ledger(error)) => return Err(error),
            Err(SignFailure::Unavailable(error)) => {
                tracing::warn!(settlement = %drive.settlement.id, error, "cannot prepare a settlement yet");
                drive.back_off().await;
            }
        }
        Ok(())
    }

    /// Has a settlement that no budget covers given up, or signed again without the allowances that it cannot buy: nothing was
    /// recorded, so nothing can be sent.
    async fn step_over_budget(
        &self,
        drive: &mut Drive,
        buys: Allowances,
        over: &OverBudget,
    ) -> Result<(), LedgerError> {
        let buys = if drive.next_try == NextTry::AsPlanned { buys } else { Allowances::NotBought };
        let reason = self.sponsor.note_over_budget(&drive.settlement, buys, over).await?;
        drive.next_try = reason.map_or(NextTry::WithoutAllowances, NextTry::GiveUp);
        Ok(())
    }

    /// Whether a further attempt is wanted: for a capture, when somebody waits for one of its holds, or was told that it
    /// is settled before a fork took it back: a success that was said is a promise.
    async fn is_wanted(&self, drive: &mut Drive) -> Result<bool, LedgerError> {
        if drive.settlement.state != State::Reserved {
            return Ok(true);
        }
        if let Some(limit) = drive.settlement.purpose.resign_limit() {
            return Ok(drive.settlement.attempts < limit);
        }
        let carried = self.carried(drive).await?;
        Ok(carried.iter().any(|hold| hold.reported) || self.waiters.any(carried.iter().map(|hold| hold.id)))
    }

    /// What the settlement carries: the same until its next event, so it is read once.
    pub(crate) async fn carried<'a>(&self, drive: &'a mut Drive) -> Result<&'a [Carried], LedgerError> {
        if drive.carried.is_none() && drive.settlement.pays_from().is_some() {
            let holds = self.core.ledger.holds_of(drive.settlement.id).await?;
            let carried = |hold: &Hold| {
                let Hold { id, amount, funding, told: reported, .. } = *hold;
                Carried { id, amount, funding, reported }
            };
            drive.carried = Some(holds.iter().map(carried).collect());
        }
        Ok(drive.carried.as_deref().unwrap_or_default())
    }
}
