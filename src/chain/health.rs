//! How well an endpoint is, and so when it is asked.
//!
//! Decisions only, no I/O: what happened is told here, and [`Health::cost`] orders the endpoints. The first one an
//! operator names is preferred while it is well; an endpoint that asked to be left alone is left alone for as long as
//! it asked; one of another cluster is never believed.

use crate::chain::{ChainError, endpoint};
use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What being one place further down the operator's list costs: so much faster has a later endpoint to be.
const PLACE: Duration = Duration::from_millis(250);
/// What each failure in a row costs.
const FAILURE: Duration = Duration::from_secs(1);
/// Failures beyond so many in a row say nothing new.
const MOST_FAILURES: u32 = 30;
/// So many slots behind the best are the ordinary spread of a cluster.
const TOLERATED_LAG: u64 = 10;
/// What each further slot costs.
const SLOT: Duration = Duration::from_millis(400);
/// What it costs to have failed a moment ago, or to have asked to be left alone: such an endpoint is a last resort.
const LAST_RESORT: Duration = Duration::from_mins(1);
/// After "too many requests" without a time to wait, and after a failure; doubled with every one in a row.
const SHORTEST_REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// How long an endpoint that was seen to be behind is avoided.
const CATCHING_UP: Duration = Duration::from_secs(2);
/// How long an endpoint is avoided that told of a time to come.
const IMPLAUSIBLE_BACKOFF: Duration = Duration::from_mins(1);
/// How often it is told of an endpoint that another one contradicts it.
const CONTRADICTED_EVERY: Duration = Duration::from_mins(1);
/// A wrong cluster is asked again after so long: a URL may be pointed elsewhere.
const CLUSTER_RECHECK: Duration = Duration::from_mins(1);

/// How an endpoint is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// It was not asked yet.
    Unasked,
    /// It answers.
    Well,
    /// It answers, and is behind the others.
    Behind,
    /// It tells of slots or heights that the chain cannot have reached.
    Ahead,
    /// Its last answer was none.
    Failing,
    /// It asked to be left alone.
    Resting,
    /// It serves another cluster and is not used.
    WrongCluster,
}

impl EndpointState {
    /// The word for people and for metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unasked => "not asked yet",
            Self::Well => "well",
            Self::Behind => "behind",
            Self::Ahead => "ahead of the chain",
            Self::Failing => "failing",
            Self::Resting => "resting",
            Self::WrongCluster => "another cluster",
        }
    }
}

/// How an endpoint is. Tells its place in the configured list and no URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointHealth {
    /// Its place in the configured list, 1 for the first.
    pub place: usize,
    /// How it is.
    pub state: EndpointState,
    /// How long its answers take, a moving average; `None` before the first.
    pub latency: Option<Duration>,
    /// Failures in a row.
    pub failures: u32,
    /// Slots behind the best one, when they were last compared.
    pub behind: u64,
    /// How long it still wants to be left alone.
    pub backoff: Option<Duration>,
    /// How long ago it last asked for that, or said that it is asked too much; `None` where it never did.
    pub limited: Option<Duration>,
}

impl fmt::Display for EndpointHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "endpoint {}: {}", self.place, self.state.word())?;
        if let Some(latency) = self.latency {
            write!(f, ", {} ms", latency.as_millis())?;
        }
        if self.behind > 0 {
            write!(f, ", {} slots behind", self.behind)?;
        }
        if let Some(backoff) = self.backoff {
            write!(f, ", for {} s", backoff.as_secs() + 1)?;
        }
        Ok(())
    }
}

/// Whether an endpoint serves the right cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cluster {
    Unknown,
    Right,
    Wrong { since: Instant },
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    latency: Option<Duration>,
    failures: u32,
    /// How often in a row it was asked too much: no failure, but a reason to come back later each time.
    limits: u32,
    /// It asked to be left alone until then.
    backoff_until: Option<Instant>,
    /// When it last asked for that.
    limited_at: Option<Instant>,
    /// It failed or was behind a moment ago: others first until then.
    avoided_until: Option<Instant>,
    behind: u64,
    /// It told of what cannot be: others first until then, whatever it answers.
    leapt_until: Option<Instant>,
    /// When it was last told that another contradicts it.
    contradicted_at: Option<Instant>,
    cluster: Cluster,
}

/// What is known of one endpoint.
pub(super) struct Health(Mutex<Seen>);

impl Default for Health {
    fn default() -> Self {
        Self(Mutex::new(Seen {
            latency: None,
            failures: 0,
            limits: 0,
            backoff_until: None,
            limited_at: None,
            avoided_until: None,
            behind: 0,
            leapt_until: None,
            contradicted_at: None,
            cluster: Cluster::Unknown,
        }))
    }
}

impl Health {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It answered after `took`, whatever it said. It is not asked meanwhile, so what is answered then was asked
    /// before it asked to be left alone, and does not end that.
    pub(super) fn answered(&self, took: Duration, now: Instant) {
        let mut seen = self.lock();
        seen.latency = Some(seen.latency.map_or(took, |before| (before * 7 + took) / 8));
        (seen.failures, seen.avoided_until) = (0, None);
        if seen.backoff_until.is_none_or(|until| until <= now) {
            (seen.limits, seen.backoff_until) = (0, None);
        }
    }

    /// It gave no answer that could be used.
    pub(super) fn failed(&self, error: &ChainError, now: Instant) {
        let mut seen = self.lock();
        if endpoint::is_behind(error) {
            seen.avoided_until = Some(now + CATCHING_UP);
            return;
        }
        let asked = match error {
            ChainError::Unavailable { retry_after, .. } => *retry_after,
            ChainError::Refused(_) | ChainError::Inconsistent(_) => None,
        };
        if asked.is_some() || endpoint::is_too_many_requests(error) {
            seen.backoff_until = Some(now + asked.unwrap_or_else(|| growing(seen.limits)));
            seen.limits = seen.limits.saturating_add(1);
            seen.limited_at = Some(now);
        } else {
            seen.avoided_until = Some(now + growing(seen.failures));
            seen.failures = seen.failures.saturating_add(1);
        }
    }

    /// How many slots it is behind the best, now that all were asked together.
    pub(super) fn compared(&self, behind: u64) {
        self.lock().behind = behind;
    }

    /// It told of a slot or a height that the chain cannot have reached.
    pub(super) fn reported_impossible(&self, now: Instant) {
        self.lock().leapt_until = Some(now + IMPLAUSIBLE_BACKOFF);
    }

    /// Another endpoint contradicts it; true when that is to be told again. It is asked no later for that: which of the two
    /// is wrong is not known, and a liar could otherwise have itself asked first.
    pub(super) fn contradicted(&self, now: Instant) -> bool {
        let mut seen = self.lock();
        let tells = seen.contradicted_at.is_none_or(|told| now.duration_since(told) >= CONTRADICTED_EVERY);
        if tells {
            seen.contradicted_at = Some(now);
        }
        tells
    }

    /// It serves the right cluster.
    pub(super) fn serves_our_cluster(&self) {
        self.lock().cluster = Cluster::Right;
    }

    /// It serves another cluster.
    pub(super) fn serves_another_cluster(&self, now: Instant) {
        self.lock().cluster = Cluster::Wrong { since: now };
    }

    /// Whether it is known to serve the right cluster; `None` when it has to be asked (again).
    pub(super) fn is_right(&self, now: Instant) -> Option<bool> {
        match self.lock().cluster {
            Cluster::Unknown => None,
            Cluster::Right => Some(true),
            Cluster::Wrong { since } => (now.duration_since(since) < CLUSTER_RECHECK).then_some(false),
        }
    }

    /// How long it still has to be left alone.
    pub(super) fn backoff(&self, now: Instant) -> Option<Duration> {
        let until = self.lock().backoff_until?;
        Some(until.saturating_duration_since(now)).filter(|backoff| !backoff.is_zero())
    }

    /// What asking it costs, in time; the endpoint at the lowest cost is asked first.
    pub(super) fn cost(&self, place: usize, now: Instant) -> Duration {
        let seen = *self.lock();
        let is_ahead = |moment: Option<Instant>| moment.is_some_and(|moment| moment > now);
        let mut cost = PLACE * u32::try_from(place).unwrap_or(u32::MAX).min(1_000);
        cost += seen.latency.unwrap_or_default();
        cost += FAILURE * seen.failures.min(MOST_FAILURES);
        let lag = u32::try_from(seen.behind.saturating_sub(TOLERATED_LAG)).unwrap_or(u32::MAX).min(100_000);
        cost += SLOT * lag;
        if is_ahead(seen.avoided_until) {
            cost += LAST_RESORT;
        }
        if is_ahead(seen.leapt_until) {
            cost += LAST_RESORT * 2;
        }
        if is_ahead(seen.backoff_until) {
            cost += LAST_RESORT * 10;
        }
        if matches!(seen.cluster, Cluster::Wrong { .. }) {
            cost += LAST_RESORT * 10_000;
        }
        cost
    }

    /// The endpoint's health, for logs, metrics and `/ready`.
    pub(super) fn tell(&self, place: usize, now: Instant) -> EndpointHealth {
        let backoff = self.backoff(now);
        let seen = *self.lock();
        let state = match seen {
            Seen { cluster: Cluster::Wrong { .. }, .. } => EndpointState::WrongCluster,
            _ if backoff.is_some() => EndpointState::Resting,
            Seen { failures: 1.., .. } => EndpointState::Failing,
            Seen { leapt_until: Some(until), .. } if until > now => EndpointState::Ahead,
            Seen { latency: None, .. } => EndpointState::Unasked,
            Seen { behind, .. } if behind > TOLERATED_LAG => EndpointState::Behind,
            Seen { .. } => EndpointState::Well,
        };
        let Seen { latency, failures, behind, .. } = seen;
        let limited = seen.limited_at.map(|at| now.duration_since(at));
        EndpointHealth { place: place.saturating_add(1), state, latency, failures, behind, backoff, limited }
    }
}

/// The backoff after so many failures before.
fn growing(before: u32) -> Duration {
    (SHORTEST_REST * 2_u32.saturating_pow(before.min(10))).min(LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    fn down() -> ChainError {
        ChainError::Unavailable { what: "asking", source: None, retry_after: None }
    }

    fn limited(seconds: u64) -> ChainError {
        ChainError::Unavailable { what: "asking", source: None, retry_after: Some(Duration::from_secs(seconds)) }
    }

    #[test]
    fn the_first_is_preferred_unless_another_is_much_faster_or_it_fails() {
        let now = Instant::now();
        let (first, second) = (Health::default(), Health::default());
        assert!(first.cost(0, now) < second.cost(1, now));
        first.answered(200 * MILLI, now);
        second.answered(20 * MILLI, now);
        assert!(first.cost(0, now) < second.cost(1, now), "a little faster is not enough");
        first.failed(&down(), now);
        assert!(first.cost(0, now) > second.cost(1, now));
        assert_eq!(first.tell(0, now).state, EndpointState::Failing);
        first.answered(200 * MILLI, now);
        assert!(first.cost(0, now) < second.cost(1, now), "one answer makes it well again");
        let slow = Health::default();
        slow.answered(2_000 * MILLI, now);
        assert!(slow.cost(0, now) > second.cost(1, now));
    }

    #[test]
    fn who_asks_for_rest_gets_as_much_as_was_asked_for() {
        let (health, now) = (Health::default(), Instant::now());
        health.failed(&limited(7), now);
        assert_eq!(health.backoff(now), Some(Duration::from_secs(7)));
        assert_eq!(health.tell(0, now).state, EndpointState::Resting);
        health.answered(MILLI, now + MILLI);
        assert!(health.backoff(now + 6_999 * MILLI).is_some(), "an answer to an earlier question");
        assert_eq!(health.backoff(now + 7_000 * MILLI), None);
        assert_eq!(Health::default().tell(0, now).limited, None);
        assert_eq!(health.tell(0, now + 9_000 * MILLI).limited, Some(9_000 * MILLI), "that it asked is not forgotten");
    }

    #[test]
    fn who_fails_is_avoided_longer_each_time_but_may_be_asked() {
        let (health, now) = (Health::default(), Instant::now());
        health.failed(&down(), now);
        assert_eq!(health.backoff(now), None, "it did not ask to be left alone");
        assert!(health.cost(0, now + SHORTEST_REST - MILLI) > LAST_RESORT);
        assert!(health.cost(0, now + SHORTEST_REST) < LAST_RESORT);
        for _ in 0..20 {
            health.failed(&down(), now);
        }
        assert!(health.cost(0, now + LONGEST_REST - MILLI) > LAST_RESORT);
        assert!(health.cost(0, now + LONGEST_REST) < LAST_RESORT);
    }

    #[test]
    fn a_node_that_lags_is_asked_after_one_that_does_not() {
        let (first, second, now) = (Health::default(), Health::default(), Instant::now());
        for health in [&first, &second] {
            health.answered(10 * MILLI, now);
        }
        first.compared(TOLERATED_LAG);
        assert!(first.cost(0, now) < second.cost(1, now));
        first.compared(TOLERATED_LAG + 2);
        assert!(first.cost(0, now) > second.cost(1, now));
        assert_eq!(first.tell(0, now).state, EndpointState::Behind);
    }

    #[test]
    fn who_tells_of_a_time_to_come_is_avoided_for_a_while_though_it_answers() {
        let (first, second, now) = (Health::default(), Health::default(), Instant::now());
        first.reported_impossible(now);
        first.answered(MILLI, now);
        assert!(first.cost(0, now) > second.cost(1, now));
        assert_eq!(first.tell(0, now).state, EndpointState::Ahead);
        assert!(first.cost(0, now + IMPLAUSIBLE_BACKOFF) < second.cost(1, now + IMPLAUSIBLE_BACKOFF));
        assert_eq!(first.tell(0, now + IMPLAUSIBLE_BACKOFF).state, EndpointState::Well);
    }

    #[test]
    fn a_contradiction_is_told_once_a_minute_and_moves_nobody_forward() {
        let (first, second, now) = (Health::default(), Health::default(), Instant::now());
        assert!(first.contradicted(now) && !first.contradicted(now + MILLI));
        assert!(first.cost(0, now + MILLI) < second.cost(1, now + MILLI));
        assert!(first.contradicted(now + CONTRADICTED_EVERY));
    }

    #[test]
    fn another_cluster_is_never_preferred_and_asked_again_later() {
        let (health, now) = (Health::default(), Instant::now());
        assert_eq!(health.is_right(now), None);
        health.serves_another_cluster(now);
        assert_eq!((health.is_right(now), health.tell(0, now).state), (Some(false), EndpointState::WrongCluster));
        assert!(health.cost(0, now) > LAST_RESORT * 5_000);
        assert_eq!(health.is_right(now + CLUSTER_RECHECK), None);
        health.serves_our_cluster();
        assert_eq!(health.is_right(now), Some(true));
    }
}
