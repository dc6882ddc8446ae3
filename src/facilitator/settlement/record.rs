//! Recording what became of a settlement, and what follows from it: the driver's hand.
//!
//! Callers are told only after the ledger has written it. Who waits for a capture is counted before, so that the one
//! success that the ledger books is said to somebody ([`super::waiters`]).

use crate::{
    domain::{
        hold::{HoldId, HoldState},
        settlement::{Event, Observation, Settlement, State},
    },
    facilitator::{
        Facilitator,
        events::SessionEvent,
        settlement::{
            driver::{Carried, Drive},
            waiters::Outcome,
        },
    },
    ledger::LedgerError,
};
use std::{collections::HashSet, sync::Arc};
use tokio::time::Instant;

impl Facilitator {
    /// Writes an event with everything that follows from it, and tells those who wait for it.
    pub(crate) async fn step_record(self: &Arc<Self>, drive: &mut Drive, event: Event) -> Result<(), LedgerError> {
        let payer = drive.settlement.pays_from();
        let tells = matches!(event, Event::Landed { .. } | Event::Refused { .. } | Event::Abandoned { .. });
        if tells {
            self.carried(drive).await?;
        }
        // It changes what is carried, whatever it is.
        let carried = drive.carried.take().filter(|_| tells).unwrap_or_default();
        let lands = matches!(event, Event::Landed { .. });
        let counted = if lands { self.waiters.count(carried.iter().map(|hold| hold.id)) } else { Vec::new() };
        let turn = self.bulk.turn(carried.len()).await;
        let recorded = self.ledger.record(&drive.settlement, event.clone(), &counted, self.clock.now()).await;
        drop(turn);
        let settlement = match recorded {
            Ok(settlement) => settlement,
            Err(error) => {
                self.waiters.uncount(&counted);
                return Err(error);
            }
        };
        drive.settlement = settlement;
        let bought = drive.bears_allowances();
        if matches!(event, Event::Absent(_) | Event::Failed { .. }) {
            drive.attempt = None;
        }
        drive.seen = Observation::NotAsked;
        if let Some(session) = payer {
            match event {
                Event::Landed { .. } => {
                    self.distrusted.forget(session);
                    if let Some(held) = &drive.held {
                        self.unread.moved(session, held.accounts(), bought, Instant::now());
                    }
                }
                Event::Refused { .. } | Event::Failed { .. } => self.look_into_refusal(session).await,
                _ => {}
            }
        }
        self.tell_callers(&drive.settlement, &event, &carried, &counted);
        if let Some(session) = drive.settlement.session {
            self.events.publish(session, SessionEvent::Recorded);
        }
        if let Some(session) = payer
            && drive.settlement.state == State::Released
        {
            let gave_back = carried.iter().any(|hold| hold.told);
            self.settlement_came_to_nothing(session, Some(&event), gave_back).await;
        }
        // An opening may wait for this user's lanes to drain, whoever drove them.
        self.lanes.progress.notify_waiters();
        Ok(())
    }

    fn tell_callers(&self, settlement: &Settlement, event: &Event, carried: &[Carried], counted: &[HoldId]) {
        let gave_back = settlement.state == State::Released;
        let counted: HashSet<&HoldId> = counted.iter().collect();
        // What was promised is not released: it waits again.
        for hold in carried.iter().filter(|hold| !(gave_back && hold.told)) {
            match (event, settlement.signature) {
                (Event::Landed { .. }, Some(signature)) => {
                    let booked = counted.contains(&hold.id) && !hold.told;
                    self.waiters.tell(hold.id, Outcome::Captured { signature, yours: false }, booked);
                }
                (Event::Refused { reason, .. }, signature) => {
                    self.waiters.tell(hold.id, Outcome::Released { reason: *reason, signature }, false);
                }
                (Event::Abandoned { reason }, _) => {
                    self.waiters.tell(hold.id, Outcome::Released { reason: *reason, signature: None }, false);
                }
                _ => {}
            }
        }
    }

    /// A write whose answer was lost may have happened: callers who still wait are told what the ledger says, and what a
    /// settlement that came to nothing gave back is tried again.
    pub(crate) async fn follow_what_was_written(self: &Arc<Self>, settlement: &Settlement) {
        if let (State::Released, Some(session)) = (&settlement.state, settlement.pays_from()) {
            self.settlement_came_to_nothing(session, None, true).await;
        }
        let Ok(holds) = self.ledger.holds_of(settlement.id).await else { return };
        for hold in holds {
            match hold.state {
                HoldState::Captured { signature, .. } => {
                    self.waiters.tell(hold.id, Outcome::Captured { signature, yours: false }, false);
                }
                HoldState::Released { reason, signature } => {
                    self.waiters.tell(hold.id, Outcome::Released { reason, signature }, false);
                }
                HoldState::Waiting | HoldState::Planned { .. } => {}
            }
        }
    }
}
