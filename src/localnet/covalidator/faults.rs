//! What the Covalidator's stand-in does wrong on demand.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How an answer lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lie {
    /// The signature is not one over the digest.
    Signature,
    /// A valid attestation of another handle, named as such.
    Handle,
    /// Another plaintext than the one that was signed.
    Plaintext,
    /// No plaintext at all, as the real service has been seen to answer.
    Empty,
}

/// What is to go wrong. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CovalidatorPlan {
    /// Slots between a transaction's landing and the moment its plaintexts can be asked for.
    pub lag_slots: u64,
    /// Added before every answer, in milliseconds.
    pub delay_ms: u64,
    /// So many of the next requests are answered with status 500.
    pub fail_next: u32,
    /// So many of the next requests, before those that fail, are never answered.
    pub silent_next: u32,
    /// How every answer lies.
    pub lie: Option<Lie>,
}

/// A plan that tests and the admin RPC can change while the service runs.
#[derive(Debug, Default)]
pub struct CovalidatorFaults(Mutex<CovalidatorPlan>);

impl CovalidatorFaults {
    /// What is left of the plan.
    pub fn get(&self) -> CovalidatorPlan {
        *self.lock()
    }

    /// Replaces the plan.
    pub fn set(&self, plan: CovalidatorPlan) {
        *self.lock() = plan;
    }

    /// Changes the plan.
    pub fn change(&self, change: impl FnOnce(&mut CovalidatorPlan)) {
        change(&mut self.lock());
    }

    /// What happens to one request; uses up one of the counted faults.
    pub(super) fn take_turn(&self) -> Turn {
        let mut plan = self.lock();
        let turn = Turn(*plan);
        if plan.silent_next > 0 {
            plan.silent_next -= 1;
        } else {
            plan.fail_next = plan.fail_next.saturating_sub(1);
        }
        turn
    }

    fn lock(&self) -> MutexGuard<'_, CovalidatorPlan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The plan as one request met it.
pub(super) struct Turn(CovalidatorPlan);

impl Turn {
    pub(super) fn delay(&self) -> Option<Duration> {
        (self.0.delay_ms > 0).then(|| Duration::from_millis(self.0.delay_ms))
    }

    pub(super) fn is_silent(&self) -> bool {
        self.0.silent_next > 0
    }

    pub(super) fn fails(&self) -> bool {
        self.0.fail_next > 0
    }

    pub(super) fn lag_slots(&self) -> u64 {
        self.0.lag_slots
    }

    pub(super) fn lie(&self) -> Option<Lie> {
        self.0.lie
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_faults_are_used_up_silence_first() {
        let faults = CovalidatorFaults::default();
        faults.set(CovalidatorPlan { fail_next: 1, silent_next: 1, ..CovalidatorPlan::default() });
        let turns: Vec<_> = (0..3).map(|_| faults.take_turn()).map(|turn| (turn.is_silent(), turn.fails())).collect();
        assert_eq!(turns, [(true, true), (false, true), (false, false)]);
        assert_eq!(faults.get(), CovalidatorPlan::default());
    }

    #[test]
    fn a_plan_is_json_with_defaults_and_no_unknown_members() {
        let plan: CovalidatorPlan = serde_json::from_str(r#"{"lagSlots":3,"lie":"plaintext"}"#).unwrap();
        assert_eq!(plan, CovalidatorPlan { lag_slots: 3, lie: Some(Lie::Plaintext), ..CovalidatorPlan::default() });
        assert!(serde_json::from_str::<CovalidatorPlan>(r#"{"lag":3}"#).is_err());
    }
}
