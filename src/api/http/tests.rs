//! The guard around every route: whatever happens inside, the answer is its surface's own JSON.

use crate::api::{
    behind, error,
    http::{
        guard::{Guard, RequestLimits},
        rate_limit::Counted,
        surface::{RouteSurface, Surface},
    },
    pay_status, refusing_other_methods, session_status,
};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
    routing::{MethodRouter, get, post},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Notify, Semaphore};
use tower::ServiceExt as _;

const SURFACES: [Surface; 5] = [Surface::Verify, Surface::Settle, Surface::Sessions, Surface::Mpp, Surface::Plain];

fn route_surface(surface: Surface) -> RouteSurface {
    RouteSurface { surface, network: "solana:devnet".into() }
}

fn serving(service: MethodRouter, surface: Surface, concurrent: usize, deadline: Duration) -> Router {
    let limits = RequestLimits { body: 1_024, body_within: Duration::from_secs(5), answer_within: deadline };
    let work = Arc::new(Semaphore::new(concurrent));
    Router::new().route(
        "/x",
        behind(
            refusing_other_methods(service, &route_surface(surface)),
            Guard { surface: route_surface(surface), callers: None, counted_as: Counted::Request, work, limits },
        ),
    )
}

async fn ask(router: &Router, method: &str) -> (StatusCode, axum::http::HeaderMap, Value) {
    let request = Request::builder().method(method).uri("/x").body(Body::empty()).expect("a request");
    let response = router.clone().oneshot(request).await.expect("routers do not fail");
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.expect("a body");
    (parts.status, parts.headers, serde_json::from_slice(&bytes).expect("every answer is JSON"))
}

/// What each surface must carry on every failure, so that official clients read a typed refusal.
#[track_caller]
fn is_typed(surface: Surface, body: &Value, pay: &str, open: &str) {
    match surface {
        Surface::Verify => {
            assert_eq!((&body["isValid"], &body["invalidReason"]), (&json!(false), &json!(pay)), "{body}");
        }
        Surface::Settle => {
            let members = (&body["success"], &body["errorReason"], &body["transaction"], &body["network"]);
            assert_eq!(members, (&json!(false), &json!(pay), &json!(""), &json!("solana:devnet")), "{body}");
        }
        Surface::Mpp => {
            // Overload is an outage there: no word of the protocol tells them apart.
            let word = if open == "overloaded" { "unavailable" } else { open };
            assert_eq!((&body["success"], &body["ok"]), (&json!(false), &json!(false)), "{body}");
            assert_eq!((&body["error"], &body["errorCode"]), (&json!(word), &json!(word)), "{body}");
            assert!(body["detail"].is_string() && body["details"] == body["detail"], "{body}");
        }
        Surface::Sessions | Surface::Plain => {
            assert_eq!(body["error"], open, "{body}");
            assert!(body["message"].is_string(), "{body}");
        }
    }
}

#[tokio::test]
async fn a_panic_answers_typed_json() {
    async fn bug() {
        panic!("a bug")
    }
    for surface in SURFACES {
        let router = serving(get(bug), surface, 8, Duration::from_secs(5));
        let (status, _, body) = ask(&router, "GET").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        is_typed(surface, &body, "internal_error", "internal_error");
    }
}

#[tokio::test]
async fn a_missed_deadline_answers_typed_json_and_asks_to_come_back() {
    for surface in SURFACES {
        let router = serving(get(std::future::pending::<()>), surface, 8, Duration::from_millis(5));
        let (status, headers, body) = ask(&router, "GET").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(headers["retry-after"], "1");
        is_typed(surface, &body, "internal_error", "internal_error");
    }
}

#[tokio::test]
async fn too_many_at_once_are_shed_and_the_next_is_served() {
    for surface in SURFACES {
        let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let route = get({
            let (entered, leave) = (Arc::clone(&entered), Arc::clone(&leave));
            move || async move {
                entered.notify_one();
                leave.notified().await;
                axum::Json(json!("done"))
            }
        });
        let router = serving(route, surface, 1, Duration::from_secs(30));
        let first = tokio::spawn({
            let router = router.clone();
            async move { ask(&router, "GET").await }
        });
        entered.notified().await;
        let (status, headers, body) = ask(&router, "GET").await;
        assert_eq!((status, headers["retry-after"].as_bytes()), (StatusCode::SERVICE_UNAVAILABLE, &b"1"[..]));
        is_typed(surface, &body, "overloaded", "overloaded");
        leave.notify_one();
        assert_eq!(first.await.expect("joins").0, StatusCode::OK);
        leave.notify_one();
        assert_eq!(ask(&router, "GET").await.0, StatusCode::OK, "the permit came back");
    }
}

#[tokio::test]
async fn another_method_answers_typed_json_and_names_the_right_one() {
    for surface in SURFACES {
        let router = serving(post(|| async {}), surface, 8, Duration::from_secs(5));
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let (status, headers, body) = ask(&router, method).await;
            assert_eq!((status, headers["allow"].as_bytes()), (StatusCode::METHOD_NOT_ALLOWED, &b"POST"[..]));
            let word = if surface == Surface::Plain { "method_not_allowed" } else { "bad_request" };
            is_typed(surface, &body, "bad_request", word);
        }
    }
}

#[test]
fn every_reason_that_asks_to_come_back_says_when() {
    use crate::domain::reason::{PayReason, SessionReason};
    let statuses = PayReason::ALL.iter().map(|&reason| (reason.retry(), pay_status(reason)));
    let statuses = statuses.chain(SessionReason::ALL.iter().map(|&reason| (reason.retry(), session_status(reason))));
    for (retry, status) in statuses {
        let answer = error::with_retry(status, None, axum::response::Response::default());
        let backpressure = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers().contains_key("retry-after"), backpressure);
        assert!(retry || !backpressure, "only what may be repeated asks to be repeated");
    }
}
