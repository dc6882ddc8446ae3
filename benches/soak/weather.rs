//! The chain's moods: one fault after the other, with fair weather in between.

use crate::{Outcome, dice::Dice, stage::Stage};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinHandle;

/// The longest that a mood or fair weather lasts, in milliseconds.
const LONGEST: u64 = 1_500;
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Weather {
    storms: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

/// Which moods there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Climate {
    /// All of them.
    Whole,
    /// None in which the network hides transactions from everybody: beside a liar who hides them too, all endpoints would say
    /// that what landed is absent, and against that nothing helps (`docs/TRUST.md`).
    Open,
}

/// Lets the chain misbehave until it is ended.
pub fn turn_bad(rpc: String, climate: Climate, mut dice: Dice) -> Weather {
    let storms = Arc::new(AtomicU64::new(0));
    let counted = storms.clone();
    let task = tokio::spawn(async move {
        let Ok(http) = reqwest::Client::builder().timeout(PATIENCE).build() else { return };
        let ask = async |method: &str, params: Value| {
            let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
            // A refusal is no loss: a fork that would reach into what is final.
            drop(http.post(&rpc).json(&body).send().await);
        };
        loop {
            tokio::time::sleep(Duration::from_millis(dice.below(LONGEST))).await;
            let (method, params) = mood(climate, &mut dice);
            ask(method, params).await;
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(dice.below(LONGEST))).await;
            ask("localnet_setFaults", json!([{ "latency": { "*": crate::LATENCY } }])).await;
        }
    });
    Weather { storms, task }
}

impl Weather {
    /// Fair weather for good; gives how many moods there were.
    pub async fn end(self, stage: &Stage) -> Outcome<u64> {
        self.task.abort();
        drop(self.task.await);
        stage.ask("localnet_setFaults", json!([{ "latency": { "*": crate::LATENCY } }])).await?;
        Ok(self.storms.load(Ordering::Relaxed))
    }
}

fn mood(climate: Climate, dice: &mut Dice) -> (&'static str, Value) {
    let plan = |plan: Value| ("localnet_setFaults", json!([plan]));
    match dice.below(12) {
        0 => plan(json!({ "latency": { "*": dice.below(400) } })),
        1 => plan(json!({ "dropSends": { "perMille": 400 } })),
        2 => plan(json!({ "errorAfterTake": { "perMille": 500 } })),
        3 => plan(json!({ "tooManyRequests": { "next": dice.below(40), "retryAfter": dice.below(2) } })),
        4 => plan(json!({ "websocketsDown": true })),
        5 => ("localnet_disconnectWebsockets", json!([])),
        6 if climate == Climate::Whole => plan(json!({ "missingConfirmation": ["*"] })),
        7 => plan(json!({ "lateConfirmation": { "*": dice.below(8) } })),
        8 => plan(json!({ "frozen": true })),
        9 => plan(json!({ "lag": dice.below(10) })),
        10 => ("localnet_fork", json!([1 + dice.below(4), dice.below(3)])),
        _ => ("localnet_fork", json!([1 + dice.below(4)])),
    }
}
