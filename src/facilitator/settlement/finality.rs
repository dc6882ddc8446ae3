//! The watch over what has landed and is not final yet: one task and few requests for all of it.
//!
//! A landed settlement is looked at when it should be final, together with all others that are watched; what is final
//! is recorded in one go. It decides nothing: [`next_step`] does, as everywhere. Whatever is not simply final or simply
//! there (a fork took it back, or it turned into an error) is handed up as [`NotFinal`], to be sent again and driven
//! ([`crate::facilitator::lifecycle::forks`]). Nothing is signed anew before the driver has the proof of absence. What
//! endpoints contradict each other about stays watched, and is told ([`super::disputes`]).

use super::{
    Settlements,
    disputes::{Dispute, Disputes},
    driver::{Drive, Until},
};
use crate::{
    domain::settlement::{Allowances, Event, Further, Observation, Purpose, SettlementId, State, Step, next_step},
    ledger::{LedgerError, Work},
};
use futures_util::future::join_all;
use std::{
    collections::{HashMap, hash_map},
    sync::{Mutex, MutexGuard, PoisonError},
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
/// `finality_after` divided by this is the pause between two looks at a landed settlement.
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
    disputes: Disputes,
    changed: Notify,
}

/// A settlement that was watched and has to be driven again.
pub(crate) enum NotFinal {
    /// Its landing is not on the chain as it was.
    TakenBack(Work),
    /// The ledger says that another writer moved it on.
    Unfinished(Work),
}

impl NotFinal {
    /// Why it was broadcast.
    pub(crate) const fn purpose(&self) -> Purpose {
        match self {
            Self::TakenBack(work) | Self::Unfinished(work) => work.settlement.purpose,
        }
    }
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
        self.disputes.close(id);
    }
}

impl Settlements {
    /// Adds a landed settlement to the watch; one that is watched already stays as it is.
    pub(crate) fn watch(&self, work: Work) {
        // Without its attempt nothing of it could be looked up: the next round loads it whole.
        if work.attempt.is_some() {
            self.one_voice.count_again(&work.settlement);
            self.finality.add(work, Instant::now() + self.core.settings.transfers.finality_after);
        }
    }

    /// The landings about which endpoints contradict each other.
    pub(crate) const fn disputes(&self) -> &Disputes {
        &self.finality.disputes
    }

    /// Watches what has landed until something of it has to be driven again, and returns that.
    pub(crate) async fn next_not_final(&self) -> Vec<NotFinal> {
        let pause = self.core.settings.transfers.finality_after / LOOKS;
        loop {
            let Some(due) = self.finality.next_due() else {
                self.finality.changed.notified().await;
                continue;
            };
            sleep_until(due).await;
            // Whatever is watched shares the request, due or not: the sooner a fork is noticed.
            let landed = self.finality.take(Instant::now() + pause);
            let not_final = self.look_at_landed(landed, pause).await;
            if !not_final.is_empty() {
                return not_final;
            }
        }
    }

    async fn look_at_landed(&self, landed: Vec<Work>, pause: Duration) -> Vec<NotFinal> {
        let attempts: Vec<_> = landed.iter().filter_map(|work| work.attempt.clone()).collect();
        let seen = match self.core.chain.look_up(&attempts).await {
            Ok(seen) => seen,
            Err(error) => {
                tracing::debug!(%error, "what has landed cannot be looked at; it is looked at again");
                self.finality.postpone(Instant::now() + pause);
                return Vec::new();
            }
        };
        let (mut finalised, mut not_final) = (Vec::new(), Vec::new());
        for (work, seen) in landed.into_iter().zip(seen) {
            self.note_dispute(&work, &seen);
            self.note_unproved_landing(&work, &seen).await;
            let allowances = work.attempt.as_ref().map_or(Allowances::NotBought, |attempt| attempt.get().allowances);
            match next_step(&work.settlement, &seen, Further::Wanted, allowances) {
                Step::Record(Event::Finalised) => finalised.push(work),
                // It is looked at again, and written when it is due.
                Step::Record(Event::TakenBack) if !self.flips.is_due(work.settlement.id, Instant::now()) => {}
                Step::Hold(_) | Step::Done => self.finality.remove(work.settlement.id),
                Step::LookUp => self.note_seen(&work).await,
                Step::Sign | Step::Send | Step::Record(_) => not_final.push(self.hand_over(work, &seen)),
            }
        }
        for together in finalised.chunks(RECORDED_TOGETHER) {
            not_final.extend(join_all(together.iter().map(|work| self.record_final(work))).await.into_iter().flatten());
        }
        not_final
    }

    fn note_dispute(&self, work: &Work, seen: &Observation) {
        let (Observation::Disputed { landed, denied, .. }, Some(attempt)) = (seen, &work.attempt) else { return };
        let (id, signature) = (work.settlement.id, attempt.get().signature);
        let dispute = Dispute { signature, landed: landed.clone(), denied: denied.clone() };
        let detail = dispute.to_string();
        if self.finality.disputes.open(id, dispute) {
            tracing::error!(
                settlement = %id,
                detail,
                "endpoints contradict each other about a landed transaction; it is not final, and nothing is signed anew. \
                 Look it up at an endpoint that is not configured, and take the one that is wrong out of network.rpc_urls"
            );
        }
    }

    async fn record_final(&self, work: &Work) -> Option<NotFinal> {
        let id = work.settlement.id;
        let mut drive = Drive::new(work.clone(), Until::Landed, None);
        match self.step_record(&mut drive, Event::Finalised).await {
            Ok(()) => {
                self.finality.remove(id);
                None
            }
            Err(error) => self.watch_anew(id, &error).await,
        }
    }

    /// Another writer moved it on, or the ledger failed in an unknown state: the ledger says where it stands.
    async fn watch_anew(&self, id: SettlementId, error: &LedgerError) -> Option<NotFinal> {
        tracing::debug!(settlement = %id, %error, "finality was not recorded here");
        let work = self.core.ledger.load_work(id).await.ok()?;
        self.finality.remove(id);
        match work.settlement.state {
            State::Settled | State::Released => None,
            State::Landed => {
                self.watch(work);
                None
            }
            State::Reserved | State::InFlight => Some(NotFinal::Unfinished(work)),
        }
    }

    fn hand_over(&self, work: Work, seen: &Observation) -> NotFinal {
        self.finality.remove(work.settlement.id);
        tracing::warn!(settlement = %work.settlement.id, ?seen, "a landed transaction is not on the chain as it was");
        NotFinal::TakenBack(work)
    }
}
