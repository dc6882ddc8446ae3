//! What one websocket has subscribed to, and what an event means to it.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};
use solana_commitment_config::CommitmentLevel;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::{
    config::{RpcAccountInfoConfig, RpcSignatureSubscribeConfig, RpcTransactionLogsConfig, RpcTransactionLogsFilter},
    response::RpcLogsResponse,
};
use solana_signature::Signature;

use crate::localnet::{
    cluster::Reached,
    history::{Landed, Notice},
    network::{Event, Network},
    rpc::{Params, RpcError, Shape, level, pubkey, signature, to_json},
};

/// Numbers subscriptions across all websockets, as a validator does.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A message that was not asked for just now.
pub(super) struct Push {
    pub(super) method: &'static str,
    subscription: u64,
    result: Value,
}

impl Push {
    fn new(method: &'static str, subscription: u64, slot: u64, value: &Value) -> Self {
        Self { method, subscription, result: json!({ "context": { "slot": slot }, "value": value }) }
    }

    pub(super) fn to_json(&self) -> Value {
        let params = json!({ "result": self.result, "subscription": self.subscription });
        json!({ "jsonrpc": "2.0", "method": self.method, "params": params })
    }
}

/// Whose logs are wanted.
enum Mentions {
    All,
    Of(Pubkey),
}

enum Topic {
    Slot,
    Account { key: Pubkey, shape: Shape, level: CommitmentLevel },
    Logs { mentions: Mentions, level: CommitmentLevel },
}

/// The subscriptions of one websocket.
#[derive(Default)]
pub(super) struct Subscriptions {
    topics: HashMap<u64, Topic>,
    /// Apart from the others, because there may be very many and each ends with its first push.
    signatures: HashMap<u64, (Signature, CommitmentLevel)>,
    by_signature: HashMap<Signature, Vec<u64>>,
}

impl Subscriptions {
    /// Answers a request; a subscription to something that has already happened is served at once.
    pub(super) fn call(
        &mut self,
        network: &Network,
        method: &str,
        params: Params,
    ) -> Result<(Value, Option<Push>), RpcError> {
        match method {
            "signatureSubscribe" => self.subscribe_signature(network, params),
            "accountSubscribe" => self.subscribe_account(params),
            "logsSubscribe" => self.subscribe_logs(params),
            "slotSubscribe" => Ok(self.subscribe(Topic::Slot)),
            "signatureUnsubscribe" | "accountUnsubscribe" | "logsUnsubscribe" | "slotUnsubscribe" => {
                self.unsubscribe(params)
            }
            _ => Err(RpcError::unknown_method()),
        }
    }

    fn subscribe(&mut self, topic: Topic) -> (Value, Option<Push>) {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        self.topics.insert(id, topic);
        (json!(id), None)
    }

    fn subscribe_signature(
        &mut self,
        network: &Network,
        mut params: Params,
    ) -> Result<(Value, Option<Push>), RpcError> {
        let signature = signature(&params.required::<String>(0)?)?;
        // `enableReceivedNotification` is read and has no effect: there is no moment between receipt and processing.
        let config: RpcSignatureSubscribeConfig = params.optional(1)?;
        let level = level(config.commitment);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let view = network.view();
        let reached = view.find(&signature).filter(|landed| view.has_reached(landed, level));
        if let Some(landed) = reached.filter(|_| !network.faults().hides(&signature)) {
            return Ok((json!(id), Some(confirmation(id, view.slot_at(level), landed))));
        }
        // From here on it is an event, and those of the time since the look are still in our queue.
        self.signatures.insert(id, (signature, level));
        self.by_signature.entry(signature).or_default().push(id);
        Ok((json!(id), None))
    }

    fn subscribe_account(&mut self, mut params: Params) -> Result<(Value, Option<Push>), RpcError> {
        let key = params.pubkey(0)?;
        let config: RpcAccountInfoConfig = params.optional(1)?;
        Ok(self.subscribe(Topic::Account { key, shape: Shape::of(&config), level: level(config.commitment) }))
    }

    fn subscribe_logs(&mut self, mut params: Params) -> Result<(Value, Option<Push>), RpcError> {
        let mentions = match params.required(0)? {
            RpcTransactionLogsFilter::All | RpcTransactionLogsFilter::AllWithVotes => Mentions::All,
            RpcTransactionLogsFilter::Mentions(addresses) => match addresses.as_slice() {
                [only] => Mentions::Of(pubkey(only)?),
                _ => return Err(RpcError::params("Invalid Request: Only 1 address supported")),
            },
        };
        let config: Option<RpcTransactionLogsConfig> = params.optional(1)?;
        let level = level(config.and_then(|config| config.commitment));
        Ok(self.subscribe(Topic::Logs { mentions, level }))
    }

    fn unsubscribe(&mut self, mut params: Params) -> Result<(Value, Option<Push>), RpcError> {
        let id: u64 = params.required(0)?;
        let known = self.topics.remove(&id).is_some() || self.forget_signature(id);
        if known { Ok((json!(true), None)) } else { Err(RpcError::params("Invalid subscription id.")) }
    }

    fn forget_signature(&mut self, id: u64) -> bool {
        let Some((signature, _)) = self.signatures.remove(&id) else { return false };
        if let Some(ids) = self.by_signature.get_mut(&signature) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_signature.remove(&signature);
            }
        }
        true
    }

    /// What an event means to this websocket.
    pub(super) fn hear(&mut self, network: &Network, event: &Event) -> Vec<Push> {
        match event {
            Event::Slot(slot) => {
                let subscribed = self.topics.iter().filter(|(_, topic)| matches!(topic, Topic::Slot));
                let push = |(id, _): (&u64, _)| {
                    Some(Push { method: "slotNotification", subscription: *id, result: to_json(slot).ok()? })
                };
                subscribed.filter_map(push).collect()
            }
            Event::Reached(reached) => {
                let mut pushes = self.confirmations(network, reached);
                for (id, topic) in &self.topics {
                    match topic {
                        Topic::Account { key, shape, level } if *level == reached.level => {
                            pushes.extend(account_change(network, *id, reached, key, *shape));
                        }
                        Topic::Logs { mentions, level } if *level == reached.level => {
                            pushes.extend(logs(*id, reached, mentions));
                        }
                        Topic::Slot | Topic::Account { .. } | Topic::Logs { .. } => {}
                    }
                }
                pushes
            }
        }
    }

    /// What an endpoint that lags comes to know of signatures, although it happened before this websocket was there.
    pub(super) fn catch_up(&mut self, network: &Network) -> Vec<Push> {
        if self.signatures.is_empty() {
            return Vec::new();
        }
        let view = network.view();
        let known = |(id, (signature, level)): (&u64, &(Signature, CommitmentLevel))| {
            let landed = view.find(signature).filter(|landed| view.has_reached(landed, *level))?;
            let told = !network.faults().hides(signature);
            told.then(|| confirmation(*id, view.slot_at(*level), landed))
        };
        let pushes: Vec<_> = self.signatures.iter().filter_map(known).collect();
        drop(view);
        for push in &pushes {
            self.forget_signature(push.subscription);
        }
        pushes
    }

    fn confirmations(&mut self, network: &Network, reached: &Reached) -> Vec<Push> {
        let mut pushes = Vec::new();
        for Notice { landed, .. } in &*reached.notices {
            let Some(ids) = self.by_signature.get(&landed.signature) else { continue };
            if network.faults().hides(&landed.signature) {
                continue;
            }
            let wants = |id: &u64| self.signatures.get(id).is_some_and(|(_, level)| *level == reached.level);
            let ids: Vec<u64> = ids.iter().copied().filter(wants).collect();
            for id in ids {
                pushes.push(confirmation(id, reached.slot, landed));
                self.forget_signature(id);
            }
        }
        pushes
    }
}

fn confirmation(id: u64, slot: u64, landed: &Landed) -> Push {
    let error = landed.error().map(solana_transaction_status_client_types::UiTransactionError::from);
    Push::new("signatureNotification", id, slot, &json!({ "err": error }))
}

/// The account as the last of these transactions left it; one that is gone is told as empty.
fn account_change(network: &Network, id: u64, reached: &Reached, key: &Pubkey, shape: Shape) -> Option<Push> {
    let changes = reached.notices.iter().flat_map(|notice| notice.changed.iter());
    let (_, account) = changes.rev().find(|(changed, _)| changed == key)?;
    let account = shape.encode(&network.view(), key, &account.clone().unwrap_or_default()).ok()?;
    Some(Push::new("accountNotification", id, reached.slot, &to_json(account).ok()?))
}

fn logs(id: u64, reached: &Reached, mentions: &Mentions) -> Vec<Push> {
    let meant = |landed: &Landed| match mentions {
        Mentions::All => true,
        Mentions::Of(key) => landed.keys.contains(key),
    };
    let push = |landed: &Landed| {
        let logs = RpcLogsResponse {
            signature: landed.signature.to_string(),
            err: landed.error().map(Into::into),
            logs: landed.meta.log_messages.clone().unwrap_or_default(),
        };
        Some(Push::new("logsNotification", id, reached.slot, &to_json(logs).ok()?))
    };
    reached.notices.iter().map(|notice| &*notice.landed).filter(|landed| meant(landed)).filter_map(push).collect()
}
