//! Background work: what goes on when its caller does not, and ends when the service stops.
//!
//! Promises: work stops at an await when the service stops. Every await in the facilitator is between two durable writes,
//! so that is a crash which recovery is made for.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{Interval, MissedTickBehavior, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The background tasks of one facilitator.
#[derive(Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Runs `work` in the background until it ends or the service stops.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Runs `work` in the background and gives its output to whoever waits for it; it goes on when nobody does. The receiver
    /// fails when the service stops first.
    pub(crate) fn spawn_detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (output, receiver) = oneshot::channel();
        self.spawn(async move {
            // A caller who is gone asks again, and is answered from what was recorded.
            let _ = output.send(work.await);
        });
        receiver
    }

    /// Runs `work` in the background unless the process is ending: without a runtime nothing can run, and the next process
    /// finds what was written.
    pub(crate) fn spawn_if_possible(&self, work: impl Future<Output = ()> + Send + 'static) {
        if Handle::try_current().is_ok() {
            self.spawn(work);
        }
    }

    /// Work that its caller polls, and that a background task finishes when the caller drops it: then its output goes to
    /// `abandoned`. Cheaper than a task for each: most callers stay.
    pub(crate) fn finish_if_dropped<T, F, A>(self: &Arc<Self>, work: F, abandoned: A) -> FinishIfDropped<F, A>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
        A: FnOnce(T) + Send + Unpin + 'static,
    {
        FinishIfDropped { tasks: Arc::clone(self), work: Some((Box::pin(work), abandoned)) }
    }

    /// Stops all work at its next await and waits until every task has ended.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// See [`Tasks::finish_if_dropped`].
pub(crate) struct FinishIfDropped<F, A>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    A: FnOnce(F::Output) + Send + Unpin + 'static,
{
    tasks: Arc<Tasks>,
    /// None once it has ended.
    work: Option<(Pin<Box<F>>, A)>,
}

impl<F, A> Future for FinishIfDropped<F, A>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    A: FnOnce(F::Output) + Send + Unpin + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some((work, _)) = &mut self.work else { return Poll::Pending };
        let output = work.as_mut().poll(context);
        if output.is_ready() {
            self.work = None;
        }
        output
    }
}

impl<F, A> Drop for FinishIfDropped<F, A>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    A: FnOnce(F::Output) + Send + Unpin + 'static,
{
    fn drop(&mut self) {
        if let Some((work, abandoned)) = self.work.take() {
            self.tasks.spawn_if_possible(async move { abandoned(work.await) });
        }
    }
}

/// Rounds of background work; one that was missed is not made up for.
pub(crate) fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn dropped_work_is_finished_and_its_output_handed_on() {
        let tasks = Arc::new(Tasks::default());
        let (go, wait) = oneshot::channel::<u8>();
        let (output, finished) = oneshot::channel();
        let abandoned = move |value: Result<u8, _>| assert!(output.send(value).is_ok());
        let mut work = Box::pin(tasks.finish_if_dropped(wait, abandoned));
        assert!(work.as_mut().now_or_never().is_none());
        drop(work);
        assert!(go.send(7).is_ok());
        assert_eq!(finished.await, Ok(Ok(7)));
    }

    #[tokio::test]
    async fn finished_work_is_handed_to_its_caller_alone() {
        let tasks = Arc::new(Tasks::default());
        let abandoned = |_: u8| unreachable!("its caller has the output");
        assert_eq!(tasks.finish_if_dropped(async { 7_u8 }, abandoned).await, 7);
        tasks.stop().await;
    }

    #[tokio::test]
    async fn detached_work_goes_on_without_its_caller_until_the_service_stops() {
        let tasks = Tasks::default();
        let (done, is_done) = oneshot::channel();
        drop(tasks.spawn_detached(async move { done.send(()) }));
        assert_eq!(is_done.await, Ok(()));
        let never = tasks.spawn_detached(std::future::pending::<()>());
        tasks.stop().await;
        assert!(never.await.is_err());
    }
}
