//! Records what became of a settlement, and tells the callers who wait for it.
//!
//! Callers are told only after the ledger has written it. Callers of a capture are counted before, so that the one success
//! that the ledger books is reported to one of them ([`super::waiters`]).

use super::{
    Settlements,
    driver::{Carried, Drive},
    waiters::HoldOutcome,
};
use crate::{
    domain::{
        hold::{HoldId, HoldState},
        settlement::{Event, Observation, Settlement, State},
    },
    facilitator::events::SessionEvent,
    ledger::LedgerError,
};
use std::collections::HashSet;
use tokio::time::Instant;

impl Settlements {
    /// Writes an event with everything that follows from it, and tells those who wait for it.
    pub(crate) async fn step_record(&self, drive: &mut Drive, event: Event) -> Result<(), LedgerError> {
        let payer = drive.settlement.pays_from();
        let tells = matches!(event, Event::Landed { .. } | Event::Refused { .. } | Event::Abandoned { .. });
        if tells {
            self.carried(drive).await?;
        }
        // It changes what is carried, whatever it is.
        let carried = drive.carried.take().filter(|_| tells).unwrap_or_default();
        let lands = matches!(event, Event::Landed { .. });
        let counted = if lands { self.waiters.count(carried.iter().map(|hold| hold.id)) } else { Vec::new() };
        let permit = self.locks.writes.acquire(carried.len()).await;
        let recorded = self.core.ledger.record(&drive.settlement, event.clone(), &counted, self.core.clock.now()).await;
        drop(permit);
        let settlement = match recorded {
            Ok(settlement) => settlement,
            Err(error) => {
                self.waiters.uncount(&counted);
                return Err(error);
            }
        };
        drive.settlement = settlement;
        // Held again, it is told again.
        self.held.forget(drive.settlement.id);
        if drive.settlement.state != State::Landed {
            self.one_voice.forget(drive.settlement.id);
        }
        let bought = drive.allowances();
        if matches!(event, Event::Absent(_) | Event::Failed { .. }) {
            drive.attempt = None;
        }
        drive.saw(Observation::NotAsked);
        if let Some(session) = payer {
            match event {
                Event::Landed { .. } => {
                    self.distrusted.forget(session);
                    if let Some(locked) = &drive.locked {
                        let amount = drive.settlement.amount;
                        self.locks.idle.moved(session, locked.accounts(), amount, bought, Instant::now());
                    }
                }
                Event::Refused { .. } | Event::Failed { .. } => self.look_into_refusal(session).await,
                _ => {}
            }
        }
        self.tell_callers(&drive.settlement, &event, &carried, &counted);
        if let Some(session) = drive.settlement.session() {
            self.core.events.publish(session, SessionEvent::Recorded);
        }
        if payer.is_some() && drive.settlement.state == State::Released {
            let promises = carried.iter().any(|hold| hold.reported);
            drive.returned = Some((event, promises));
        }
        // An opening may wait until nothing of this user is on its way, whichever task drove it.
        self.progress.tell(drive.settlement.id);
        Ok(())
    }

    fn tell_callers(&self, settlement: &Settlement, event: &Event, carried: &[Carried], counted: &[HoldId]) {
        let gives_back = settlement.state == State::Released;
        let counted: HashSet<&HoldId> = counted.iter().collect();
        // What was promised is not released: it waits again.
        for hold in carried.iter().filter(|hold| !(gives_back && hold.reported)) {
            match (event, settlement.signature) {
                (Event::Landed { .. }, Some(signature)) => {
                    if counted.contains(&hold.id) && !hold.reported {
                        self.waiters.report_success(hold.id, signature);
                    } else {
                        self.waiters.report(hold.id, HoldOutcome::Captured { signature, reports_success: false });
                    }
                }
                (Event::Refused { reason, .. }, signature) => {
                    self.waiters.report(hold.id, HoldOutcome::Released { reason: *reason, signature });
                }
                (Event::Abandoned { reason }, _) => {
                    self.waiters.report(hold.id, HoldOutcome::Released { reason: *reason, signature: None });
                }
                _ => {}
            }
        }
    }

    /// Tells callers who still wait what the ledger says: a write whose answer was lost may have happened.
    pub(crate) async fn report_what_was_written(&self, settlement: &Settlement) {
        let Ok(holds) = self.core.ledger.holds_of(settlement.id).await else { return };
        for hold in holds {
            match hold.state {
                HoldState::Captured { signature, .. } => {
                    self.waiters.report(hold.id, HoldOutcome::Captured { signature, reports_success: false });
                }
                HoldState::Released { reason, signature } => {
                    self.waiters.report(hold.id, HoldOutcome::Released { reason, signature });
                }
                HoldState::Waiting | HoldState::Planned { .. } => {}
            }
        }
    }
}
