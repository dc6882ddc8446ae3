//! Lives that end at a call each: those of one kind are one future, which is given where it ends, and tells what it met.

use super::fate::{Fate, Last};
use crate::support::{Options, World};
use futures_util::future::join_all;
use std::sync::Arc;

/// How many crash points are tried at the same time.
const TOGETHER: usize = 24;

/// What a life of a kind that nobody ends has met, in a world of its own.
pub(super) async fn undisturbed<L: Future<Output = Arc<Fate>>>(
    options: Options,
    life: impl Fn(Arc<World>, Last, bool) -> L,
) -> Arc<Fate> {
    let world = Arc::new(World::with(options).await);
    let fate = life(Arc::clone(&world), Last::Never, false).await;
    finish(world).await;
    fate
}

/// Lives of a kind, one for each call that an undisturbed one makes, before and after the call's effect; all in one world.
pub(super) async fn end_at_every_call<L: Future<Output = Arc<Fate>> + Send + 'static>(
    options: impl Fn() -> Options,
    life: impl Fn(Arc<World>, Last, bool) -> L,
) {
    let calls = undisturbed(options(), &life).await.calls();
    let world = Arc::new(World::with(options()).await);
    at_every_call(&world, calls, life).await;
    finish(world).await;
}

/// Like [`end_at_every_call`], where rounds make the number of calls differ: one for the first call of each name.
pub(super) async fn end_at_each_name<L: Future<Output = Arc<Fate>>>(
    options: impl Fn() -> Options,
    life: impl Fn(Arc<World>, Last, bool) -> L,
) {
    let names = undisturbed(options(), &life).await.met();
    let world = Arc::new(World::with(options()).await);
    let points: Vec<_> = names.into_iter().flat_map(|name| [(name, false), (name, true)]).collect();
    for batch in points.chunks(TOGETHER) {
        join_all(batch.iter().map(|&(name, after)| life(Arc::clone(&world), Last::First(name), after))).await;
    }
    finish(world).await;
}

/// Lives of which each ends at one of so many calls, before or after its effect; some at the same time. What each gave.
pub(super) async fn at_every_call<T: Send + 'static, L: Future<Output = T> + Send + 'static>(
    world: &Arc<World>,
    calls: u64,
    life: impl Fn(Arc<World>, Last, bool) -> L,
) -> Vec<T> {
    let points: Vec<_> = (0..calls).flat_map(|last| [false, true].map(|after| (Last::Call(last), after))).collect();
    let mut given = Vec::new();
    for batch in points.chunks(TOGETHER) {
        let lives = batch.iter().map(|&(last, after)| tokio::spawn(life(Arc::clone(world), last, after)));
        for life in lives.collect::<Vec<_>>() {
            given.push(life.await.unwrap());
        }
    }
    given
}

/// Ends a world in which no life goes on any more.
pub(super) async fn finish(world: Arc<World>) {
    Arc::into_inner(world).expect("every life has ended").finish().await;
}
