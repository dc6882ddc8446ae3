//! An endpoint in front of the local network that changes chosen answers: what the network itself never says.

use axum::{Json, Router, body::Body, extract::State, response::Response, routing::post};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
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

struct Inner {
    upstream: String,
    http: reqwest::Client,
    change: Mutex<Change>,
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
        let inner = Arc::new(Inner { upstream, http, change: Mutex::new(Box::new(|_, _| None)) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/?api-key=secret", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&inner));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner, serving }
    }

    /// From now on it knows of no transaction, and tells the truth of everything else: a node with a hole in its history, or
    /// one that lies by leaving out.
    pub fn hides_transactions(&self) {
        self.change(|method, truth| match method {
            "getSignatureStatuses" => {
                let nothing = vec![Value::Null; truth["value"].as_array().map_or(0, Vec::len)];
                Some(Reply::Result(json!({ "context": truth["context"], "value": nothing })))
            }
            "getSignaturesForAddress" => Some(Reply::Result(json!([]))),
            "getTransaction" => Some(Reply::Result(Value::Null)),
            _ => None,
        });
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

async fn answer(State(inner): State<Arc<Inner>>, Json(request): Json<Value>) -> Response {
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
