//! `GET /ready`: able to work, which asks the ledger, the chain and the fee payer's balance.

use crate::{api::App, facilitator::Facilitator};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::Instant};

/// Every check by its name.
#[derive(Debug, Serialize)]
pub(super) struct ReadyAnswer {
    ok: bool,
    checks: Vec<CheckAnswer>,
}

#[derive(Debug, Serialize)]
struct CheckAnswer {
    name: &'static str,
    ok: bool,
    detail: String,
}

impl ReadyAnswer {
    /// Not ready, for one reason.
    pub(super) fn failing(name: &'static str, detail: String) -> Self {
        Self { ok: false, checks: vec![CheckAnswer { name, ok: false, detail }] }
    }

    /// 200 when every check passes, else 503.
    pub(super) fn response(&self) -> Response {
        let status = if self.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, Json(self)).into_response()
    }
}

/// Remembers the last answer of `/ready`.
pub(super) struct ReadyCache {
    good_for: Duration,
    last: Mutex<Option<(Instant, Arc<ReadyAnswer>)>>,
}

impl ReadyCache {
    /// Gives each answer again for `good_for`.
    pub(super) fn new(good_for: Duration) -> Self {
        Self { good_for, last: Mutex::new(None) }
    }

    /// The last answer while it is fresh, else a new one; a caller who comes while it is made waits for it.
    async fn answer(&self, facilitator: &Facilitator) -> Arc<ReadyAnswer> {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < self.good_for
        {
            return Arc::clone(answer);
        }
        let readiness = facilitator.readiness().await;
        let ok = readiness.is_ready();
        let checks = readiness.checks.into_iter();
        let checks = checks.map(|check| CheckAnswer { name: check.name, ok: check.ok, detail: check.detail }).collect();
        let answer = Arc::new(ReadyAnswer { ok, checks });
        *last = Some((Instant::now(), Arc::clone(&answer)));
        answer
    }
}

/// Readiness: 200 when every check passes, else 503.
pub(super) async fn ready(State(app): State<App>) -> Response {
    app.ready.answer(&app.facilitator).await.response()
}
