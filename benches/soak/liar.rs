//! A lying RPC endpoint: the network as it is, and now and then a lie about transactions or a payer's account. The facilitator
//! has it as the first of two; the second tells the truth (as far as the weather lets it).

use crate::{Outcome, dice::Dice, stage::Stage};
use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::Response,
    routing::post,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_transaction::versioned::VersionedTransaction;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// The longest that most lies and the truth between them last, in milliseconds.
const LONGEST: u64 = 2_500;
/// Longer than a blockhash lives (150 slots), so that what is hidden for so long looks as if it could land no more.
const LIFETIMES: Duration = Duration::from_secs(18);
/// Of a hundred lies, so many last that long.
const PERSISTENT: u64 = 25;
const PATIENCE: Duration = Duration::from_secs(20);
/// A port at which nobody listens.
const NO_WEBSOCKET: &str = "ws://127.0.0.1:1";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mood {
    Honest,
    /// It knows of no transaction.
    Hides,
    /// It swallows what is sent, and calls final whatever is not on chain.
    MakesUpLandings,
    /// Whatever is on chain has failed.
    MakesUpErrors,
    /// Whatever is on chain has landed just now.
    TellsAnew,
    /// It says 429 to everything.
    Refuses,
    /// It leaves out of histories what a thief took from their own account, and tells the truth of all else.
    HidesDebits,
    /// It tells accounts as they were when the mood began, under the slot of now.
    TellsOldAccounts,
}

const LIES: [Mood; 7] = [
    Mood::Hides,
    Mood::MakesUpLandings,
    Mood::MakesUpErrors,
    Mood::TellsAnew,
    Mood::Refuses,
    Mood::HidesDebits,
    Mood::TellsOldAccounts,
];

impl Mood {
    const fn word(self) -> &'static str {
        match self {
            Self::Honest => "told the truth",
            Self::Hides => "hid transactions",
            Self::MakesUpLandings => "made up landings",
            Self::MakesUpErrors => "made up errors",
            Self::TellsAnew => "told landings anew",
            Self::Refuses => "said 429",
            Self::HidesDebits => "hid debits of owners",
            Self::TellsOldAccounts => "told old accounts",
        }
    }
}

/// The transactions that thieves have the liar leave out of histories: what they took from their own accounts.
pub type Debits = Arc<Mutex<HashSet<String>>>;
/// From when to when something was hidden.
pub type Spans = Vec<(Instant, Instant)>;

#[derive(Default)]
struct Mind {
    mood: Option<Mood>,
    /// Since when.
    since: Option<Instant>,
    /// When it hid debits.
    hid_debits: Spans,
    /// Accounts as they were told last, by key and encoding.
    accounts: HashMap<String, Value>,
    /// When all that is made up has landed, in this mood.
    slot: Value,
    /// Answers that were changed or made up.
    told: BTreeMap<&'static str, u64>,
}

struct Inner {
    upstream: String,
    http: reqwest::Client,
    mind: Mutex<Mind>,
    debits: Debits,
}

pub struct Liar {
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
    lying: Option<JoinHandle<()>>,
    /// The RPC endpoints, the liar first, as the configuration has them.
    pub endpoints: String,
    /// Their websockets, which both tell the truth; and where neither has one.
    pub websockets: [String; 2],
}

impl Liar {
    /// An endpoint before the network that tells the truth until it is let loose.
    pub async fn start(stage: &Stage) -> Outcome<Self> {
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let inner =
            Arc::new(Inner { upstream: stage.rpc.clone(), http, mind: Mutex::default(), debits: Debits::default() });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let endpoints = format!("http://{},{}", listener.local_addr()?, stage.rpc);
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&inner));
        // Ends with the runtime, and tells nobody: a benchmark without its liar would see refused connections only.
        let serving = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        let websocket = stage.websocket()?;
        let websockets = [format!("{websocket},{websocket}"), format!("{NO_WEBSOCKET},{NO_WEBSOCKET}")];
        Ok(Self { inner, serving, lying: None, endpoints, websockets })
    }

    /// From now on it lies from time to time.
    pub fn let_loose(&mut self, mut dice: Dice) {
        let inner = self.inner.clone();
        self.lying = Some(tokio::spawn(async move {
            for lie in 0.. {
                tokio::time::sleep(Duration::from_millis(dice.below(LONGEST))).await;
                // Each in turn first, so that a short run has all of them.
                let drawn = LIES[usize::try_from(dice.below(LIES.len() as u64)).unwrap_or(0)];
                inner.begin(LIES.get(lie).copied().unwrap_or(drawn));
                let lasts =
                    if dice.chance(PERSISTENT) { LIFETIMES } else { Duration::from_millis(dice.below(LONGEST)) };
                tokio::time::sleep(lasts).await;
                inner.begin(Mood::Honest);
            }
        }));
    }

    /// What thieves name to it.
    pub fn debits(&self) -> Debits {
        Arc::clone(&self.inner.debits)
    }

    /// It is honest for good; gives how often it told which lie, and when it hid debits.
    pub async fn end(&mut self) -> (BTreeMap<&'static str, u64>, Spans) {
        if let Some(lying) = self.lying.take() {
            lying.abort();
            drop(lying.await);
        }
        self.inner.begin(Mood::Honest);
        let mut mind = self.inner.mind();
        (std::mem::take(&mut mind.told), std::mem::take(&mut mind.hid_debits))
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Inner {
    fn mind(&self) -> MutexGuard<'_, Mind> {
        self.mind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, mood: Mood) {
        let (mut mind, now) = (self.mind(), Instant::now());
        if let (Some(Mood::HidesDebits), Some(since)) = (mind.mood, mind.since) {
            mind.hid_debits.push((since, now));
        }
        (mind.mood, mind.slot, mind.since) = (Some(mood), Value::Null, Some(now));
    }

    fn mood(&self) -> Mood {
        self.mind().mood.unwrap_or(Mood::Honest)
    }

    fn lied(&self, mood: Mood) {
        *self.mind().told.entry(mood.word()).or_default() += 1;
    }

    /// What is told instead of the truth.
    fn lie(&self, mood: Mood, request: &Value, truth: &Value) -> Option<Value> {
        let method = request["method"].as_str().unwrap_or_default();
        match (mood, method) {
            (Mood::Hides, "getSignaturesForAddress") => Some(json!([])),
            (Mood::Hides, "getTransaction") => Some(Value::Null),
            (Mood::HidesDebits, "getSignaturesForAddress") => self.without_debits(truth),
            (Mood::HidesDebits, "getTransaction") => {
                let debits = self.debits.lock().unwrap_or_else(PoisonError::into_inner);
                debits.contains(request["params"][0].as_str()?).then_some(Value::Null)
            }
            (_, "getAccountInfo" | "getMultipleAccounts") => self.accounts(mood, &request["params"], truth),
            (Mood::Honest | Mood::Refuses | Mood::HidesDebits | Mood::TellsOldAccounts, _) => None,
            (_, "getSignatureStatuses") => {
                let mut told = truth.clone();
                let now = truth["context"]["slot"].clone();
                let made_up = {
                    let mut mind = self.mind();
                    if mind.slot.is_null() {
                        mind.slot = now.clone();
                    }
                    mind.slot.clone()
                };
                for status in told["value"].as_array_mut()? {
                    change(mood, status, &now, &made_up);
                }
                (told != *truth).then_some(told)
            }
            _ => None,
        }
    }

    fn without_debits(&self, truth: &Value) -> Option<Value> {
        let debits = self.debits.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told = truth.clone();
        let listed = told.as_array_mut()?;
        listed.retain(|entry| entry["signature"].as_str().is_none_or(|signature| !debits.contains(signature)));
        (told != *truth).then_some(told)
    }

    /// Remembers accounts while it tells the truth of them, and tells what it remembers when it does not.
    fn accounts(&self, mood: Mood, params: &Value, truth: &Value) -> Option<Value> {
        let shape = format!("{}{}", params[1]["encoding"], params[1]["dataSlice"]);
        let keys = params[0].as_array().cloned().unwrap_or_else(|| vec![params[0].clone()]);
        let mut told = truth.clone();
        let value = &mut told["value"];
        let accounts = if value.is_array() { value.as_array_mut()?.iter_mut().collect() } else { vec![value] };
        let mut mind = self.mind();
        for (key, account) in keys.iter().zip(accounts) {
            let known = mind.accounts.entry(format!("{key}{shape}"));
            if mood == Mood::TellsOldAccounts {
                *account = known.or_insert_with(|| account.clone()).clone();
            } else {
                known.insert_entry(account.clone());
            }
        }
        (told != *truth).then_some(told)
    }
}

fn change(mood: Mood, status: &mut Value, now: &Value, made_up: &Value) {
    match mood {
        Mood::Hides => *status = Value::Null,
        Mood::MakesUpLandings if status.is_null() => {
            *status = json!({
                "slot": made_up, "confirmations": null, "err": null, "status": { "Ok": null },
                "confirmationStatus": "finalized",
            });
        }
        Mood::MakesUpErrors if !status.is_null() => {
            let error = json!({ "InstructionError": [0, { "Custom": 6001 }] });
            (status["err"], status["status"]) = (error.clone(), json!({ "Err": error }));
            (status["confirmations"], status["confirmationStatus"]) = (Value::Null, json!("finalized"));
        }
        Mood::TellsAnew if !status.is_null() => {
            (status["slot"], status["confirmations"]) = (now.clone(), json!(1));
            status["confirmationStatus"] = json!("confirmed");
        }
        _ => {}
    }
}

async fn answer(State(inner): State<Arc<Inner>>, Json(request): Json<Value>) -> Response {
    let (mood, method) = (inner.mood(), request["method"].as_str().unwrap_or_default());
    if mood == Mood::Refuses {
        inner.lied(mood);
        return said(StatusCode::TOO_MANY_REQUESTS, None, Body::empty());
    }
    if mood == Mood::MakesUpLandings && method == "sendTransaction" {
        inner.lied(mood);
        return swallowed(&request);
    }
    let failed = || said(StatusCode::BAD_GATEWAY, None, Body::empty());
    let Ok(told) = inner.http.post(&inner.upstream).json(&request).send().await else { return failed() };
    let (status, rest) = (told.status(), told.headers().get(RETRY_AFTER).cloned());
    let Ok(bytes) = told.bytes().await else { return failed() };
    let Ok(mut truth) = serde_json::from_slice::<Value>(&bytes) else { return said(status, rest, bytes.into()) };
    let Some(lie) = truth.get("result").and_then(|result| inner.lie(mood, &request, result)) else {
        return said(status, rest, bytes.into());
    };
    inner.lied(mood);
    truth["result"] = lie;
    said(status, rest, truth.to_string().into())
}

/// The answer of a node that takes a transaction and does nothing with it.
fn swallowed(request: &Value) -> Response {
    let bytes = BASE64_STANDARD.decode(request["params"][0].as_str().unwrap_or_default()).unwrap_or_default();
    let transaction = wincode::deserialize::<VersionedTransaction>(&bytes).ok();
    let signature = transaction.and_then(|transaction| transaction.signatures.first().map(ToString::to_string));
    let told = json!({ "jsonrpc": "2.0", "id": request["id"], "result": signature });
    said(StatusCode::OK, None, told.to_string().into())
}

fn said(status: StatusCode, retry_after: Option<HeaderValue>, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(axum::http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(rest) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, rest);
    }
    response
}
