//! An endpoint in front of the local network that changes chosen answers: what the network itself never says.

use axum::{Json, Router, body::Body, extract::State, response::Response, routing::post};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_transaction::versioned::VersionedTransaction;
use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicBool, Ordering},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// Changes the answer to a method: given the method and the network's result, `Some` replaces it.
type Change = Box<dyn Fn(&str, &Value) -> Option<Reply> + Send + Sync>;

/// What the proxy says instead.
pub enum Reply {
    /// This result.
    Result(Value),
    /// This whole HTTP answer.
    Raw(Response),
    /// Nothing, for ever.
    Silence,
}

/// One transaction that no endpoint which shares this passes on, however often it is sent: the first that comes.
#[derive(Clone, Default)]
pub struct Lost(Arc<OnceLock<String>>);

impl Lost {
    fn is(&self, signature: &str) -> bool {
        self.0.get_or_init(|| signature.to_owned()) == signature
    }

    /// Its signature, once it was sent.
    pub fn signature(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

struct Inner {
    upstream: String,
    http: reqwest::Client,
    change: Mutex<Change>,
    /// What is sent is answered with its signature and goes nowhere.
    swallows_sends: AtomicBool,
    /// What it swallowed.
    swallowed: Arc<Mutex<Vec<Value>>>,
    /// What it loses on the way.
    loses: OnceLock<Lost>,
    /// It answers nothing and passes nothing on.
    is_down: AtomicBool,
}

pub struct Proxy {
    pub url: String,
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// In front of `upstream`, changing nothing yet.
    pub async fn start(upstream: String) -> Self {
        let http = reqwest::Client::builder().timeout(crate::support::PATIENCE).build().unwrap();
        let change: Mutex<Change> = Mutex::new(Box::new(|_, _| None));
        let inner = Arc::new(Inner {
            upstream,
            http,
            change,
            swallows_sends: AtomicBool::default(),
            swallowed: Arc::default(),
            loses: OnceLock::default(),
            is_down: AtomicBool::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/?api-key=secret", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&inner));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner, serving }
    }

    /// From now on it knows of no transaction, and tells the truth of everything else: a node with a hole in its history, or
    /// one that lies by leaving out.
    pub fn hides_transactions(&self) {
        self.change(hidden);
    }

    /// From now on it swallows what is sent, and tells of every transaction that is not on chain that it landed and is final.
    pub fn makes_up_landings(&self) {
        self.inner.swallows_sends.store(true, Ordering::SeqCst);
        let slot = OnceLock::new();
        self.changes_statuses(move |status, now| {
            if status.is_null() {
                *status = json!({
                    "slot": slot.get_or_init(|| now.clone()),
                    "confirmations": null,
                    "err": null,
                    "status": { "Ok": null },
                    "confirmationStatus": "finalized",
                });
            }
        });
    }

    /// From now on it tells blockhashes of now that die when one of this moment does, until it was sent a transaction; that it
    /// swallows, like all that follow, and it knows of no transaction.
    pub fn has_blockhashes_die_early(&self) {
        self.inner.swallows_sends.store(true, Ordering::SeqCst);
        let (swallowed, dies_at) = (Arc::clone(&self.inner.swallowed), OnceLock::new());
        self.change(move |method, truth| {
            let told = match method {
                "getLatestBlockhash" if swallowed.lock().unwrap().is_empty() => {
                    let mut told = truth.clone();
                    let last = &mut told["value"]["lastValidBlockHeight"];
                    *last = dies_at.get_or_init(|| last.clone()).clone();
                    told
                }
                _ => return hidden(method, truth),
            };
            Some(Reply::Result(told))
        });
    }

    /// From now on it tells heights that were the chain's so many blocks ago, and blockhashes of now that die as much too early,
    /// until it was sent a transaction; that it swallows, like all that follow, and it knows of no transaction.
    pub fn tells_heights_too_low(&self, blocks: u64) {
        self.inner.swallows_sends.store(true, Ordering::SeqCst);
        let swallowed = Arc::clone(&self.inner.swallowed);
        self.change(move |method, truth| {
            let mut told = truth.clone();
            let height = match method {
                _ if !swallowed.lock().unwrap().is_empty() => return hidden(method, truth),
                "getLatestBlockhash" => &mut told["value"]["lastValidBlockHeight"],
                "getBlockHeight" => &mut told,
                _ => return hidden(method, truth),
            };
            *height = json!(height.as_u64()?.saturating_sub(blocks));
            Some(Reply::Result(told))
        });
    }

    /// Whether it has swallowed a transaction and not let it go.
    pub fn has_swallowed(&self) -> bool {
        !self.inner.swallowed.lock().unwrap().is_empty()
    }

    /// From now on every request fails, and nothing is passed on.
    pub fn is_down(&self) {
        self.inner.is_down.store(true, Ordering::SeqCst);
    }

    /// Passes on what it has swallowed.
    pub async fn lets_go(&self) {
        let swallowed = std::mem::take(&mut *self.inner.swallowed.lock().unwrap());
        for request in swallowed {
            self.inner.http.post(&self.inner.upstream).json(&request).send().await.unwrap();
        }
    }

    /// From now on it tells of every transaction on chain that it failed for good.
    pub fn makes_up_errors(&self) {
        self.changes_statuses(|status, _| {
            if !status.is_null() {
                let error = json!({ "InstructionError": [0, { "Custom": 6001 }] });
                (status["err"], status["status"]) = (error.clone(), json!({ "Err": error }));
                (status["confirmations"], status["confirmationStatus"]) = (Value::Null, json!("finalized"));
            }
        });
    }

    /// From now on each status it tells is changed; `change` is also given the slot that it is told at.
    pub fn changes_statuses(&self, change: impl Fn(&mut Value, &Value) + Send + Sync + 'static) {
        self.change(move |method, truth| {
            (method == "getSignatureStatuses").then(|| {
                let mut told = truth.clone();
                let now = truth["context"]["slot"].clone();
                let statuses = told["value"].as_array_mut().into_iter().flatten();
                statuses.for_each(|status| change(status, &now));
                Reply::Result(told)
            })
        });
    }

    /// From now on this transaction is in no list of an account's history; asked for by its name, it is shown.
    pub fn leaves_out(&self, signature: &str) {
        let hidden = signature.to_owned();
        self.change(move |method, truth| {
            (method == "getSignaturesForAddress").then(|| {
                let listed = truth.as_array().into_iter().flatten();
                Reply::Result(listed.filter(|entry| entry["signature"] != hidden.as_str()).cloned().collect())
            })
        });
    }

    /// From now on it tells no logs of transactions, as a node that keeps none, and this one it lists nowhere.
    pub fn keeps_no_logs(&self, left_out: Option<&str>) {
        let hidden = left_out.map(str::to_owned);
        self.change(move |method, truth| {
            let mut told = truth.clone();
            match method {
                "getTransaction" if !truth.is_null() => told["meta"]["logMessages"] = Value::Null,
                "getSignaturesForAddress" => {
                    let hides = |entry: &Value| hidden.as_deref().is_some_and(|hidden| entry["signature"] == hidden);
                    told.as_array_mut()?.retain(|entry| !hides(entry));
                }
                _ => return None,
            }
            Some(Reply::Result(told))
        });
    }

    /// From now on it answers that we have asked too often.
    pub fn is_limited(&self) {
        self.change(|_, _| {
            let answer = Response::builder().status(429).header("retry-after", "1");
            Some(Reply::Raw(answer.body(Body::empty()).unwrap()))
        });
    }

    /// From now on it takes this transaction and does not pass it on, and hides nothing.
    pub fn loses(&self, lost: &Lost) {
        assert!(self.inner.loses.set(lost.clone()).is_ok(), "it loses one already");
    }

    /// From now on it tells the truth, and passes on what is sent.
    pub fn is_honest(&self) {
        self.inner.swallows_sends.store(false, Ordering::SeqCst);
        self.inner.is_down.store(false, Ordering::SeqCst);
        self.change(|_, _| None);
    }

    pub fn change(&self, change: impl Fn(&str, &Value) -> Option<Reply> + Send + Sync + 'static) {
        *self.inner.change.lock().unwrap() = Box::new(change);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What is told of transactions by one who hides them all.
fn hidden(method: &str, truth: &Value) -> Option<Reply> {
    match method {
        "getSignatureStatuses" => {
            let nothing = vec![Value::Null; truth["value"].as_array().map_or(0, Vec::len)];
            Some(Reply::Result(json!({ "context": truth["context"], "value": nothing })))
        }
        "getSignaturesForAddress" => Some(Reply::Result(json!([]))),
        "getTransaction" => Some(Reply::Result(Value::Null)),
        _ => None,
    }
}

/// The signature of the transaction that is sent.
fn sent(request: &Value) -> String {
    let bytes = BASE64_STANDARD.decode(request["params"][0].as_str().unwrap()).unwrap();
    let transaction: VersionedTransaction = wincode::deserialize(&bytes).unwrap();
    transaction.signatures[0].to_string()
}

/// The answer of a node that takes a transaction and does nothing with it.
fn swallowed(request: &Value, signature: &str) -> Response {
    Response::new(Body::from(json!({ "jsonrpc": "2.0", "id": request["id"], "result": signature }).to_string()))
}

async fn answer(State(inner): State<Arc<Inner>>, Json(request): Json<Value>) -> Response {
    if inner.is_down.load(Ordering::SeqCst) {
        return Response::builder().status(503).body(Body::empty()).unwrap();
    }
    if request["method"] == "sendTransaction" {
        let signature = sent(&request);
        let is_lost = inner.loses.get().is_some_and(|lost| lost.is(&signature));
        if is_lost || inner.swallows_sends.load(Ordering::SeqCst) {
            inner.swallowed.lock().unwrap().push(request.clone());
            return swallowed(&request, &signature);
        }
    }
    let upstream = inner.http.post(&inner.upstream).json(&request).send().await.unwrap();
    let mut truth: Value = upstream.json().await.unwrap();
    let method = request["method"].as_str().unwrap_or_default();
    let reply = (inner.change.lock().unwrap())(method, &truth["result"]);
    match reply {
        None => {}
        Some(Reply::Result(result)) => truth = json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }),
        Some(Reply::Raw(response)) => return response,
        Some(Reply::Silence) => std::future::pending().await,
    }
    Response::new(Body::from(truth.to_string()))
}
