//! The driver: observe, decide, act, record. The one loop for live requests and for recovery.
//!
//! It decides nothing: [`next_step`] does. It promises that every act follows a durable record, that unknown outcomes
//! are looked at and never acted upon, and that callers are told only what the ledger already knows
//! ([`super::recording`]).

use crate::{
    domain::{
        budget::OverBudget,
        hold::HoldId,
        reason::PayReason,
        settlement::{Attempt, Observation, Purpose, Settlement, State, Step, next_step},
    },
    facilitator::{
        Facilitator, events::SessionEvent, locks::account_locks::AccountsHeld, settlement::sign::SignFailure,
    },
    ledger::{LedgerError, Recorded, Signed, Work},
};
use std::{sync::Arc, time::Duration};

/// The rest after a port failed; doubled up to the longest.
const SHORTEST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(5);

/// How far a settlement is driven by its caller; finality is always watched in the background.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Callers can be answered.
    Landed,
    /// It is on the chain, as seen just now: what landed once may have been taken back by a fork.
    LandedAgain,
}

/// What the driver holds of one settlement between two steps.
pub(crate) struct Drive {
    pub(crate) settlement: Settlement,
    pub(crate) attempt: Option<Recorded<Attempt>>,
    pub(crate) seen: Observation,
    /// What callers are told if it is given up before it was ever sent.
    give_up: PayReason,
    refused: bool,
    /// Whether the budget has refused it the allowances it wanted to buy.
    goes_without: bool,
    /// Whether the settlement was read anew, so that its callers may not have been told what was written.
    reloaded: bool,
    until: Until,
    rest: Duration,
    /// The token accounts of the transfer; held alone, an attempt may name their handles.
    pub(crate) held: Option<AccountsHeld>,
    /// What it carries, once it was read: the same until its next event.
    pub(crate) carried: Option<Vec<Carried>>,
}

/// A payment that a settlement carries, as far as its driver has to know.
#[derive(Clone, Copy)]
pub(crate) struct Carried {
    pub(crate) id: HoldId,
    /// Whether its success was said already: a promise, which is not released.
    pub(crate) told: bool,
}

impl Drive {
    pub(crate) fn new(work: Work, until: Until, held: Option<AccountsHeld>) -> Self {
        Self {
            until,
            settlement: work.settlement,
            attempt: work.attempt,
            seen: Observation::NotAsked,
            give_up: PayReason::SettlementExpired,
            refused: false,
            goes_without: false,
            reloaded: false,
            rest: SHORTEST_REST,
            held,
            carried: None,
        }
    }

    /// Whether the live attempt names handles in advance.
    pub(crate) fn bears_allowances(&self) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| attempt.get().bears_allowances)
    }

    /// Waits after something that did not go well, longer each time.
    pub(crate) async fn rest(&mut self) {
        tokio::time::sleep(self.rest).await;
        self.rest = (self.rest * 2).min(LONGEST_REST);
    }

    /// Something went well.
    pub(crate) const fn is_rested(&mut self) {
        self.rest = SHORTEST_REST;
    }

    fn has_reached(&self) -> bool {
        match (&self.settlement.state, self.until) {
            (State::Settled | State::Released, _) | (State::Landed, Until::Landed) => true,
            (State::Landed, Until::LandedAgain) => {
                matches!(self.seen, Observation::Landed { slot, .. } if self.settlement.stands_at(slot))
            }
            (State::Reserved | State::InFlight, _) => false,
        }
    }
}

impl Facilitator {
    /// Drives a settlement until it has landed or come to its end, and returns it as it then stands. Only one task of this
    /// process drives a settlement; a second call returns at once with what it was given.
    pub(crate) async fn drive(self: &Arc<Self>, work: Work) -> Settlement {
        self.drive_holding(work, Until::Landed, None).await
    }

    /// The same as far as it is to be driven, for a transfer whose token accounts are held meanwhile.
    pub(crate) async fn drive_holding(
        self: &Arc<Self>,
        work: Work,
        until: Until,
        held: Option<AccountsHeld>,
    ) -> Settlement {
        let Some(claim) = self.driving.claim(work.settlement.id) else { return work.settlement };
        let mut drive = Drive::new(work, until, held);
        while !drive.has_reached() {
            if let Err(error) = self.step(&mut drive).await {
                self.recover_from(&mut drive, error).await;
            }
        }
        if drive.reloaded {
            self.follow_what_was_written(&drive.settlement).await;
        }
        // Given back first: the watch may have it driven anew.
        drop(claim);
        let Drive { settlement, attempt, .. } = drive;
        if settlement.state == State::Landed {
            self.watch_finality(Work { settlement: settlement.clone(), attempt });
        }
        settlement
    }

    /// Another writer may have moved the settlement on, or the ledger failed in an unknown state: look again.
    async fn recover_from(&self, drive: &mut Drive, error: LedgerError) {
        if !matches!(error, LedgerError::LostRace) {
            tracing::warn!(settlement = %drive.settlement.id, %error, "the ledger failed the driver; it looks again");
            drive.rest().await;
        }
        if let Ok(work) = self.ledger.load_work(drive.settlement.id).await {
            drive.settlement = work.settlement;
            drive.attempt = work.attempt;
            drive.seen = Observation::NotAsked;
            drive.carried = None;
            drive.reloaded = true;
        }
    }

    async fn step(self: &Arc<Self>, drive: &mut Drive) -> Result<(), LedgerError> {
        let wanted = !drive.refused && self.is_wanted(drive).await?;
        match next_step(&drive.settlement, &drive.seen, wanted, drive.give_up, drive.bears_allowances()) {
            Step::Done => {}
            Step::Sign => self.step_sign(drive).await?,
            Step::Send => self.send_and_look(drive).await,
            Step::LookUp => self.look(drive).await,
            Step::Record(event) => self.step_record(drive, event).await?,
        }
        Ok(())
    }

    async fn step_sign(&self, drive: &mut Drive) -> Result<(), LedgerError> {
        let alone = !drive.goes_without && drive.held.as_ref().is_some_and(AccountsHeld::is_alone);
        match self.sign(&drive.settlement, alone).await {
            // Making it may have taken a while: what nobody waits for any more is not sent.
            Ok(_) if !self.is_wanted(drive).await? => {}
            Ok(attempt) => {
                let buys = attempt.bears_allowances;
                match self.ledger.record_signed(&drive.settlement, attempt, self.clock.now()).await? {
                    Signed::Recorded { settlement, attempt } => {
                        if let Some(session) = settlement.session {
                            self.events.publish(session, SessionEvent::Recorded);
                        }
                        drive.settlement = settlement;
                        drive.attempt = Some(attempt);
                        drive.seen = Observation::JustSigned;
                        drive.rest = SHORTEST_REST;
                    }
                    Signed::OverBudget(over) => self.step_over_budget(drive, buys, &over).await?,
                }
            }
            Err(SignFailure::Refused { reason, detail }) => {
                tracing::info!(settlement = %drive.settlement.id, %reason, detail, "a settlement cannot be sent");
                drive.refused = true;
                drive.give_up = reason;
            }
            Err(SignFailure::Ledger(error)) => return Err(error),
            Err(SignFailure::Unavailable(error)) => {
                tracing::warn!(settlement = %drive.settlement.id, error, "cannot prepare a settlement yet");
                drive.rest().await;
            }
        }
        Ok(())
    }

    /// Nothing was recorded, so nothing can be sent: given up, or signed again without the allowances it cannot buy.
    async fn step_over_budget(&self, drive: &mut Drive, buys: bool, over: &OverBudget) -> Result<(), LedgerError> {
        let reason = self.heed_over_budget(&drive.settlement, buys && !drive.goes_without, over).await?;
        drive.goes_without = true;
        if let Some(reason) = reason {
            drive.refused = true;
            drive.give_up = reason;
        }
        Ok(())
    }

    /// Whether a further attempt is wanted: for a capture, when somebody waits for one of its holds, or was told that it
    /// is settled before a fork took it back: a success that was said is a promise.
    async fn is_wanted(&self, drive: &mut Drive) -> Result<bool, LedgerError> {
        if drive.settlement.state != State::Reserved {
            return Ok(true);
        }
        match drive.settlement.purpose {
            Purpose::Capture => {
                let carried = self.carried(drive).await?;
                Ok(carried.iter().any(|hold| hold.told) || self.waiters.any(carried.iter().map(|hold| hold.id)))
            }
            Purpose::CreateRecipient | Purpose::Probe => Ok(drive.settlement.attempts < 3),
            Purpose::Approve | Purpose::Refresh => Ok(false),
        }
    }

    /// What the settlement carries: the same until its next event, so it is read once.
    pub(crate) async fn carried<'a>(&self, drive: &'a mut Drive) -> Result<&'a [Carried], LedgerError> {
        if drive.carried.is_none() && drive.settlement.pays_from().is_some() {
            let holds = self.ledger.holds_of(drive.settlement.id).await?;
            drive.carried = Some(holds.iter().map(|hold| Carried { id: hold.id, told: hold.told }).collect());
        }
        Ok(drive.carried.as_deref().unwrap_or_default())
    }
}
