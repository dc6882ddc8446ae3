//! The watch over what has landed and is not final yet: one task and few requests for all of it.
//!
//! A landed settlement is looked at when it should be final, together with all others that are watched; what is final
//! is recorded in one go. It decides nothing: [`next_step`] does, as everywhere. Whatever is not simply final or simply
//! there (a fork took it back, or it turned into an error) goes to [`Facilitator::settle_again`], which sends the same
//! bytes at once, stands in line for the accounts, and hands it to the driver. Nothing is signed anew before the driver
//! has the proof of absence.

use crate::{
    domain::{
        reason::PayReason,
        session::SessionState,
        settlement::{Event, Observation, Purpose, Settlement, SettlementId, State, Step, next_step},
    },
    facilitator::{
        Facilitator,
        settlement::driver::{Drive, Until},
    },
    ledger::{LedgerError, Work},
};
use futures_util::future::join_all;
use std::{
    collections::{HashMap, hash_map},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// How many are asked about in one request: what `getSignatureStatuses` takes.
const TOGETHER: usize = 256;
/// How many records are written at the same time; they share their commits.
const RECORDED_TOGETHER: usize = 64;
/// Between two looks at the same settlement, as a share of the time until the first one.
const LOOKS: u32 = 4;

/// A landed settlement, and when it is looked at next.
struct Watched {
    work: Work,
    due: Instant,
}

/// What has landed and is not final yet.
#[derive(Default)]
pub(crate) struct Finality {
    landed: Mutex<HashMap<SettlementId, Watched>>,
    changed: Notify,
    running: AtomicBool,
}

impl Finality {
    fn lock(&self) -> MutexGuard<'_, HashMap<SettlementId, Watched>> {
        self.landed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what is not there yet.
    fn add(&self, work: Work, due: Instant) {
        if let hash_map::Entry::Vacant(place) = self.lock().entry(work.settlement.id) {
            place.insert(Watched { work, due });
            self.changed.notify_one();
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.lock().values().map(|watched| watched.due).min()
    }

    /// At most [`TOGETHER`], those first that are due first; they are due again at `again`.
    fn take(&self, again: Instant) -> Vec<Work> {
        let mut landed = self.lock();
        let mut order: Vec<(Instant, SettlementId)> = landed.iter().map(|(id, watched)| (watched.due, *id)).collect();
        order.sort_unstable();
        order.truncate(TOGETHER);
        let mut taken = Vec::with_capacity(order.len());
        for (_, id) in order {
            if let Some(watched) = landed.get_mut(&id) {
                watched.due = watched.due.max(again);
                taken.push(watched.work.clone());
            }
        }
        taken
    }

    fn postpone(&self, until: Instant) {
        for watched in self.lock().values_mut() {
            watched.due = watched.due.max(until);
        }
    }

    fn remove(&self, id: SettlementId) {
        self.lock().remove(&id);
    }
}

impl Facilitator {
    /// Takes a landed settlement to its end in the background; one that is watched already stays as it is.
    pub(crate) fn watch_finality(self: &Arc<Self>, work: Work) {
        if work.attempt.is_none() {
            // Nothing of what could be looked up is known here: the next round loads it whole.
            return;
        }
        self.finality.add(work, Instant::now() + self.settings.finality_after);
        if !self.finality.running.swap(true, Ordering::Relaxed) {
            let this = Arc::clone(self);
            self.spawn(async move { this.watch_landed().await });
        }
    }

    /// Never ends.
    async fn watch_landed(self: &Arc<Self>) {
        let pause = self.settings.finality_after / LOOKS;
        loop {
            let Some(due) = self.finality.next_due() else {
                self.finality.changed.notified().await;
                continue;
            };
            sleep_until(due).await;
            // Whoever is watched shares the request, due or not: the sooner a fork is noticed.
            let landed = self.finality.take(Instant::now() + pause);
            self.look_at_landed(landed, pause).await;
        }
    }

    async fn look_at_landed(self: &Arc<Self>, landed: Vec<Work>, pause: Duration) {
        let attempts: Vec<_> = landed.iter().filter_map(|work| work.attempt.clone()).collect();
        match self.chain.look_up(&attempts).await {
            Ok(seen) => {
                let mut finalised = Vec::new();
                for (work, seen) in landed.into_iter().zip(seen) {
                    let bears = work.attempt.as_ref().is_some_and(|attempt| attempt.get().bears_allowances);
                    match next_step(&work.settlement, &seen, true, PayReason::SettlementExpired, bears) {
                        Step::Record(Event::Finalised) => finalised.push(work),
                        Step::Done => self.finality.remove(work.settlement.id),
                        Step::LookUp => {}
                        Step::Sign | Step::Send | Step::Record(_) => self.hand_over(work, &seen),
                    }
                }
                for together in finalised.chunks(RECORDED_TOGETHER) {
                    join_all(together.iter().map(|work| self.record_final(work))).await;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "what has landed cannot be looked at; it is looked at again");
                self.finality.postpone(Instant::now() + pause);
            }
        }
    }

    async fn record_final(self: &Arc<Self>, work: &Work) {
        let id = work.settlement.id;
        let mut drive = Drive::new(work.clone(), Until::Landed, None);
        match self.step_record(&mut drive, Event::Finalised).await {
            Ok(()) => self.finality.remove(id),
            Err(error) => self.watch_anew(id, &error).await,
        }
    }

    /// Somebody else moved it on, or the ledger failed in an unknown state: the ledger says where it stands.
    async fn watch_anew(self: &Arc<Self>, id: SettlementId, error: &LedgerError) {
        tracing::debug!(settlement = %id, %error, "finality was not recorded here");
        if let Ok(work) = self.ledger.load_work(id).await {
            self.finality.remove(id);
            match work.settlement.state {
                State::Settled | State::Released => {}
                State::Landed => self.watch_finality(work),
                State::Reserved | State::InFlight => self.resume(work),
            }
        }
    }

    /// What is neither final nor there goes to a task of its own.
    fn hand_over(self: &Arc<Self>, work: Work, seen: &Observation) {
        self.finality.remove(work.settlement.id);
        tracing::warn!(settlement = %work.settlement.id, ?seen, "a landed transaction is not on the chain as it was");
        let this = Arc::clone(self);
        self.spawn(async move { this.settle_again(work).await });
    }

    /// Takes a settlement that a fork has touched until it stands again, or until what replaces it does.
    async fn settle_again(self: &Arc<Self>, work: Work) {
        let id = work.settlement.id;
        let Some(_queued) = self.resuming.claim(id) else { return };
        // Before standing in line: the same bytes land once, whoever sends them, and usually a fork takes them in again.
        if let Some(attempt) = &work.attempt
            && let Err(error) = self.chain.send(attempt).await
        {
            tracing::debug!(settlement = %id, %error, "send was not acknowledged");
        }
        let held = self.hold_again(&work).await;
        let _busy = held.as_ref().map(|held| self.unread.at_work(held.accounts()));
        let Ok(work) = self.ledger.load_work(id).await else { return };
        let settlement = self.drive_holding(work, Until::LandedAgain, held).await;
        if settlement.purpose == Purpose::Approve && settlement.state == State::Released {
            self.mourn_approve(&settlement).await;
        }
    }

    /// An approve that a fork took back for good: the sessions that live on it are looked at before they cost a fee.
    async fn mourn_approve(&self, settlement: &Settlement) {
        let Some(id) = settlement.session else { return };
        let session = self.ledger.session(id).await.ok().flatten();
        if session.is_some_and(|session| session.state == SessionState::Open) {
            self.look_into_refusal(id).await;
        }
    }
}
