//! Background work: the table of tasks, and the round that finds what an outage left behind.

use crate::{
    domain::settlement::State,
    facilitator::{
        AllowancePolicy, CapCheckPolicy, Facilitator, events::SessionEvent, lifecycle::ledger_watch::LedgerWatch,
        tasks::ticks,
    },
    ledger::{Archived, LedgerError},
};
use std::{pin::Pin, sync::Arc};

/// How many rounds pass between two looks for what may be archived.
const ROUNDS_BETWEEN_ARCHIVING: u32 = 12;

/// A background task: what it does in a few words, whether the settings ask for it, and the task itself, which never ends by
/// itself.
struct BackgroundTask {
    name: &'static str,
    wanted: bool,
    task: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Facilitator {
    /// The table of background tasks.
    fn background(self: &Arc<Self>) -> Vec<BackgroundTask> {
        let settings = &self.core.settings;
        let task = |name, wanted, task| BackgroundTask { name, wanted, task };
        let of_mpp = self.mpp.iter().flat_map(|mpp| {
            let [preparing, verifying] = [(); 2].map(|()| Arc::clone(&mpp.charges));
            [
                task("write down what was prepared", true, Box::pin(preparing.preparation_rounds())),
                task("watch over the accounts behind channels", true, Box::pin(Arc::clone(&mpp.monitor).rounds())),
                task("read landed charges again", true, Box::pin(verifying.verification_rounds())),
            ]
        });
        let all = [
            task("expire sessions, resume what was left", true, Box::pin(Arc::clone(self).rounds())),
            task("settle promises by age", true, Box::pin(Arc::clone(&self.deferred).promise_rounds())),
            task("read the fee payers' balances", true, Box::pin(Arc::clone(&self.sponsor).balance_rounds())),
            task("look at payers' accounts", true, Box::pin(Arc::clone(&self.funding).monitor_rounds())),
            task(
                "make idle balances readable",
                settings.transfers.decrypt_allowance == AllowancePolicy::Idle,
                Box::pin(Arc::clone(&self.allowances).idle_rounds()),
            ),
            task(
                "ask about unverified caps",
                settings.openings.cap_check == CapCheckPolicy::BestEffort,
                Box::pin(Arc::clone(&self.sessions).cap_rounds()),
            ),
            task(
                "archive what has ended long ago",
                settings.background.archive_after.is_some(),
                Box::pin(Arc::clone(self).archive_rounds()),
            ),
        ];
        all.into_iter().chain(of_mpp).collect()
    }

    /// Starts every background task that the settings ask for.
    pub(crate) async fn start_background(self: &Arc<Self>) -> Result<(), LedgerError> {
        if self.core.settings.transfers.decrypt_allowance == AllowancePolicy::Idle {
            self.allowances.restore_idle().await?;
        }
        for BackgroundTask { name, task, .. } in self.background().into_iter().filter(|task| task.wanted) {
            tracing::debug!(task = name, "background task started");
            self.core.tasks.spawn(task);
        }
        Ok(())
    }

    async fn rounds(self: Arc<Self>) {
        let mut ticks = ticks(self.core.settings.background.round);
        let mut watch = LedgerWatch::default();
        loop {
            ticks.tick().await;
            watch.look(&*self.core.ledger).await;
            match self.round().await {
                Err(error) if !watch.is_unwritable() => {
                    tracing::warn!(%error, "a background round failed; the next one tries again");
                }
                // It is told already.
                Ok(()) | Err(_) => {}
            }
        }
    }

    async fn archive_rounds(self: Arc<Self>) {
        let mut ticks = ticks(self.core.settings.background.round * ROUNDS_BETWEEN_ARCHIVING);
        // A start has more urgent things to do.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            if let Err(error) = self.archive().await {
                tracing::warn!(%error, "payments cannot be moved to the archive; the next round tries again");
            }
        }
    }

    /// Moves the payments of all sessions that ended long enough ago.
    async fn archive(&self) -> Result<(), LedgerError> {
        let Some(after) = self.core.settings.background.archive_after else { return Ok(()) };
        let before = self.core.clock.now().saturating_sub(after);
        while let Some(Archived { session, payments }) = self.core.ledger.archive_one(before).await? {
            tracing::info!(session = %session.log_hash(), payments, "the payments of an ended session are in the archive");
        }
        Ok(())
    }

    async fn round(&self) -> Result<(), LedgerError> {
        let ledger = &self.core.ledger;
        for expired in ledger.expire_sessions(self.core.clock.now()).await? {
            self.dispatch.settle_promises(expired);
            self.core.events.publish(expired, SessionEvent::Recorded);
        }
        self.deferred.settle_due_promises().await?;
        // A notification that was lost costs nothing but this look.
        for session in ledger.waiting_sessions().await? {
            self.dispatch.notify_queue(session);
        }
        for work in ledger.unfinished().await? {
            let opening = work.settlement.purpose.driven_by_opening() && work.settlement.state != State::Landed;
            if !opening && !self.settlements.is_driven(work.settlement.id) {
                self.resume(work).await?;
            }
        }
        self.sponsor.check_rents();
        // An outage while an opening was proved, or a Covalidator that lagged, leaves it for the next round.
        for session in ledger.opening_sessions().await? {
            self.sessions.resume_opening(&session);
        }
        Ok(())
    }
}
