//! A decrypt endpoint that answers what the test says, in order; the last step answers every further request.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::post,
};
use futures_util::stream;
use serde_json::Value;
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// What one request is answered with.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// This JSON.
    Json(StatusCode, Value),
    /// This text.
    Text(StatusCode, String),
    /// A wish for as many seconds of peace.
    RetryAfter(StatusCode, u64),
    /// A body that never ends.
    Endless(StatusCode),
    /// A body that breaks off.
    HangUp,
    /// Nothing, for ever.
    Silence,
    /// Another place, with the method kept.
    Redirect(String),
}

/// The running server. It ends with its value.
pub(super) struct Scripted {
    address: SocketAddr,
    script: Arc<Script>,
    serving: JoinHandle<()>,
}

struct Script {
    steps: Vec<Step>,
    requests: Mutex<Vec<Value>>,
}

impl Scripted {
    /// Starts it on a free port of the loopback interface.
    pub(super) async fn start(steps: impl IntoIterator<Item = Step>) -> Self {
        let script = Arc::new(Script { steps: steps.into_iter().collect(), requests: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().route("/hushhush", post(answer)).with_state(script.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("serving") });
        Self { address, script, serving }
    }

    /// Where requests go.
    pub(super) fn url(&self) -> String {
        format!("http://{}/hushhush", self.address)
    }

    /// What came in.
    pub(super) fn requests(&self) -> Vec<Value> {
        self.script.requests.lock().expect("no test panicked in here").clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(script): State<Arc<Script>>, body: Bytes) -> Response {
    let request = serde_json::from_slice(&body).expect("a request is JSON");
    let count = {
        let mut requests = script.requests.lock().expect("no test panicked in here");
        requests.push(request);
        requests.len()
    };
    let step = script.steps.get(count - 1).or(script.steps.last()).expect("a script has steps");
    match step.clone() {
        Step::Json(status, value) => (status, axum::Json(value)).into_response(),
        Step::Text(status, text) => (status, text).into_response(),
        Step::RetryAfter(status, seconds) => (status, [(header::RETRY_AFTER, seconds.to_string())]).into_response(),
        Step::Endless(status) => {
            let chunk = || Ok::<_, io::Error>(Bytes::from_static(&[b' '; 16 * 1024]));
            (status, Body::from_stream(stream::repeat_with(chunk))).into_response()
        }
        Step::HangUp => {
            let pieces = [Ok(Bytes::from_static(b"{\"plaintext\":")), Err(io::Error::other("broken off"))];
            Body::from_stream(stream::iter(pieces)).into_response()
        }
        Step::Silence => std::future::pending().await,
        Step::Redirect(to) => Redirect::temporary(&to).into_response(),
    }
}
