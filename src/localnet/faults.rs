//! Faults on demand: what the network does wrong, for tests of those who must live with it.
//!
//! A plan says what goes wrong at one endpoint; it is set as a whole, by test code or by the admin method
//! `localnet_setFaults` of that endpoint. What concerns the network itself is in the plan of its first endpoint. Chances
//! are drawn from the network's seed, so a run repeats itself.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use solana_signature::Signature;
use tokio::sync::watch;

use crate::domain::chance::{SeededChance, draw};

/// Stands for every method or every signature in a plan.
pub const ALL: &str = "*";

/// What goes wrong from now on. The default plan: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultPlan {
    /// Milliseconds that an answer is held back, by method or [`ALL`]. Websocket pushes go by the name of their
    /// notification, such as `signatureNotification`. The request itself takes effect at once.
    pub latency: BTreeMap<String, u64>,
    /// Sends that are answered with their signature and never reach a leader.
    pub drop_sends: Odds,
    /// Sends that are answered with an internal error although the transaction was taken.
    pub error_after_take: Odds,
    /// Requests that are refused with HTTP 429 before anything is looked at.
    pub too_many_requests: Option<TooManyRequests>,
    /// Extra slots until a transaction is reported as confirmed and finalised, by signature or [`ALL`]. Decided when
    /// it lands; accounts are not affected. Of the network: only the first endpoint's plan counts.
    pub late_confirmation: BTreeMap<String, u64>,
    /// Transactions (or [`ALL`]) whose status is told by nobody while this lasts: no status, no push.
    pub missing_confirmation: Vec<String>,
    /// The node stands still: slots do not move, sends are taken and wait. It goes on where it stopped.
    /// Of the network: only the first endpoint's plan counts.
    pub frozen: bool,
    /// The endpoint is this many slots behind in everything it says: slots, blockhashes, accounts, statuses, history,
    /// simulations, pushes. What it is sent reaches the network at once. At most the configured `most_lag`.
    pub lag: u64,
    /// The endpoint has no block before this one: `getFirstAvailableBlock` says so, and every transaction that landed
    /// earlier is unknown to it, as after a restart from a snapshot or behind a pruned ledger. Accounts are unaffected.
    pub first_block: u64,
    /// Transactions (or [`ALL`]) that the endpoint leaves out of histories and does not know by their signature, as if they
    /// had never been: `getSignaturesForAddress`, `getTransaction`. Their statuses it tells.
    pub hidden_history: Vec<String>,
    /// The endpoint tells accounts and balances as they were this many slots ago, under the slot of now. At most the
    /// configured `most_lag`.
    pub accounts_behind: u64,
    /// The node says that it is behind: `getHealth` and every preflight are refused with -32005.
    pub unhealthy: bool,
    /// Websockets are cut, and new ones refused with HTTP 503.
    pub websockets_down: bool,
}

/// How many of the coming cases are struck: the next few for certain, of the others some by chance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Odds {
    /// This many for certain; counts down.
    pub next: u32,
    /// Of the rest, this many in a thousand.
    pub per_mille: u16,
}

impl Odds {
    /// The next `n`, and none after.
    pub fn next(n: u32) -> Self {
        Self { next: n, per_mille: 0 }
    }
}

/// Rate limiting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TooManyRequests {
    /// How many requests are refused; counts down.
    pub next: u32,
    /// Seconds of the `Retry-After` header; no header when absent.
    #[serde(default)]
    pub retry_after: Option<u64>,
    /// Only requests of this method.
    #[serde(default)]
    pub method: Option<String>,
}

/// A request is refused with HTTP 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Seconds of the `Retry-After` header, if it has one.
    pub(super) retry_after: Option<u64>,
}

/// The plan in force. One per endpoint.
pub struct Faults {
    plan: Mutex<FaultPlan>,
    chance: SeededChance,
    cut: watch::Sender<u64>,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self { plan: Mutex::default(), chance: SeededChance::new(seed), cut: watch::Sender::new(0) }
    }

    /// The plan as it is now, with what is left of its counts.
    pub fn plan(&self) -> FaultPlan {
        self.lock().clone()
    }

    /// Replaces the plan.
    pub fn set(&self, plan: FaultPlan) {
        self.change(|current| *current = plan);
    }

    /// Changes the plan.
    pub fn change(&self, change: impl FnOnce(&mut FaultPlan)) {
        let mut plan = self.lock();
        change(&mut plan);
        let down = plan.websockets_down;
        drop(plan);
        if down {
            self.disconnect_websockets();
        }
    }

    /// From now on this many slots behind; 0 catches up.
    pub fn lag_behind(&self, slots: u64) {
        self.change(|plan| plan.lag = slots);
    }

    /// From now on without any block before this one; 0 has them all.
    pub fn forget_before(&self, slot: u64) {
        self.change(|plan| plan.first_block = slot);
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        self.set(FaultPlan::default());
    }

    /// Cuts every websocket that is open now, without a closing handshake. New ones are accepted.
    pub fn disconnect_websockets(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Changes when websockets are to be cut.
    pub(super) fn cuts(&self) -> watch::Receiver<u64> {
        self.cut.subscribe()
    }

    pub(super) fn latency(&self, method: &str) -> Option<Duration> {
        let plan = self.lock();
        let millis = plan.latency.get(method).or_else(|| plan.latency.get(ALL))?;
        Some(Duration::from_millis(*millis)).filter(|latency| !latency.is_zero())
    }

    pub(super) fn drops_send(&self) -> bool {
        self.strikes(|plan| &mut plan.drop_sends)
    }

    pub(super) fn errs_after_take(&self) -> bool {
        self.strikes(|plan| &mut plan.error_after_take)
    }

    /// Whether a request of these methods is refused.
    pub(super) fn refuses<'a>(&self, mut methods: impl Iterator<Item = &'a str>) -> Option<Refusal> {
        let mut plan = self.lock();
        let limit = plan.too_many_requests.as_mut()?;
        let meant = limit.method.as_deref().is_none_or(|only| methods.any(|method| method == only));
        if !meant || limit.next == 0 {
            return None;
        }
        limit.next -= 1;
        Some(Refusal { retry_after: limit.retry_after })
    }

    pub(super) fn late_by(&self, signature: &Signature) -> u64 {
        let plan = self.lock();
        if plan.late_confirmation.is_empty() {
            return 0;
        }
        let slots = plan.late_confirmation.get(&signature.to_string());
        slots.or_else(|| plan.late_confirmation.get(ALL)).copied().unwrap_or(0)
    }

    pub(super) fn hides(&self, signature: &Signature) -> bool {
        names(&self.lock().missing_confirmation, signature)
    }

    pub(super) fn leaves_out(&self, signature: &Signature) -> bool {
        names(&self.lock().hidden_history, signature)
    }

    pub(super) fn accounts_behind(&self) -> u64 {
        self.lock().accounts_behind
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.lock().frozen
    }

    pub(super) fn lag(&self) -> u64 {
        self.lock().lag
    }

    pub(super) fn first_block(&self) -> u64 {
        self.lock().first_block
    }

    pub(super) fn is_unhealthy(&self) -> bool {
        self.lock().unhealthy
    }

    pub(super) fn websockets_are_down(&self) -> bool {
        self.lock().websockets_down
    }

    fn strikes(&self, of: impl FnOnce(&mut FaultPlan) -> &mut Odds) -> bool {
        let mut plan = self.lock();
        let odds = of(&mut plan);
        if odds.next > 0 {
            odds.next -= 1;
            return true;
        }
        odds.per_mille > 0 && {
            let drawn = u64::from_le_bytes(draw(&self.chance));
            drawn % 1_000 < u64::from(odds.per_mille)
        }
    }

    fn lock(&self) -> MutexGuard<'_, FaultPlan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a list of signatures names this one, by itself or with all.
fn names(list: &[String], signature: &Signature) -> bool {
    !list.is_empty() && {
        let signature = signature.to_string();
        list.iter().any(|named| *named == signature || named == ALL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_few_are_struck_for_certain_and_then_none() {
        let faults = Faults::new(1);
        faults.change(|plan| plan.drop_sends = Odds::next(2));
        assert_eq!([(); 4].map(|()| faults.drops_send()), [true, true, false, false]);
        assert_eq!(faults.plan(), FaultPlan::default(), "what is left of a plan is told");
    }

    #[test]
    fn chances_repeat_themselves_for_equal_seeds() {
        let strikes = |seed| {
            let faults = Faults::new(seed);
            faults.change(|plan| plan.error_after_take = Odds { next: 0, per_mille: 300 });
            (0..200).map(|_| faults.errs_after_take()).collect::<Vec<_>>()
        };
        assert_eq!(strikes(7), strikes(7));
        assert_ne!(strikes(7), strikes(8));
        let struck = strikes(7).into_iter().filter(|struck| *struck).count();
        assert!((30..90).contains(&struck), "{struck} of 200 at three in ten");
    }

    #[test]
    fn a_limit_on_one_method_lets_others_pass() {
        let faults = Faults::new(1);
        let limit = TooManyRequests { next: 1, retry_after: Some(3), method: Some("getSlot".to_owned()) };
        faults.change(|plan| plan.too_many_requests = Some(limit));
        assert_eq!(faults.refuses(["getHealth"].into_iter()), None);
        assert_eq!(faults.refuses(["getHealth", "getSlot"].into_iter()), Some(Refusal { retry_after: Some(3) }));
        assert_eq!(faults.refuses(["getSlot"].into_iter()), None, "one only");
    }

    #[test]
    fn a_plan_with_an_unknown_word_is_refused() {
        assert!(serde_json::from_str::<FaultPlan>(r#"{"dropSends":{"next":1}}"#).is_ok());
        assert!(serde_json::from_str::<FaultPlan>(r#"{"dropSend":{"next":1}}"#).is_err());
    }
}
