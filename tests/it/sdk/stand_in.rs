//! Servers on loopback that answer from a script, and what was asked of them.

use axum::{Router, body::Body, extract::Request, http::Response};
use serde_json::Value;
use std::{
    collections::VecDeque,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Value,
}

/// A server that gives its answers in order, the last one for ever.
pub(super) struct StandIn {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    server: JoinHandle<()>,
}

pub(super) type Answer = (u16, Vec<(&'static str, String)>, String);

/// A JSON answer.
pub(super) fn json(status: u16, body: &Value) -> Answer {
    (status, vec![("content-type", "application/json".to_owned())], body.to_string())
}

impl StandIn {
    pub(super) async fn answering(answers: Vec<Answer>) -> Self {
        Self::start(answers, None, Duration::ZERO).await
    }

    /// One that takes so long for the same answer each time.
    pub(super) async fn slow(pause: Duration, answer: Answer) -> Self {
        Self::start(vec![answer], None, pause).await
    }

    /// One that gives each of its answers once, and then those of the server at `base`.
    pub(super) async fn forwarding(answers: Vec<Answer>, base: String, http: reqwest::Client) -> Self {
        Self::start(answers, Some((base, http)), Duration::ZERO).await
    }

    async fn start(answers: Vec<Answer>, behind: Option<(String, reqwest::Client)>, pause: Duration) -> Self {
        let script = Arc::new(Mutex::new(VecDeque::from(answers)));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let router = Router::new().fallback(move |request: Request| {
            let (script, log, behind) = (Arc::clone(&script), Arc::clone(&log), behind.clone());
            async move {
                let (parts, body) = request.into_parts();
                let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                let path = parts.uri.path().to_owned();
                log.lock().unwrap().push(Asked { path: path.clone(), headers: parts.headers, body });
                tokio::time::sleep(pause).await;
                let scripted = {
                    let mut script = script.lock().unwrap();
                    if script.len() > 1 || behind.is_some() { script.pop_front() } else { script.front().cloned() }
                };
                let (status, headers, body) = match (scripted, behind) {
                    (Some(answer), _) => answer,
                    (None, Some((base, http))) => {
                        let request = http.request(parts.method, format!("{base}{path}")).body(bytes);
                        let answer = request.header("content-type", "application/json").send().await.unwrap();
                        (answer.status().as_u16(), vec![], answer.text().await.unwrap())
                    }
                    (None, None) => panic!("a script has answers"),
                };
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                response.body(Body::from(body)).unwrap()
            }
        });
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, server }
    }

    /// Closes the port.
    pub(super) async fn stop(mut self) {
        self.server.abort();
        let _ = (&mut self.server).await;
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}
