//! A ledger that cannot keep up says so at once, and keeps every promise it made meanwhile.

use super::bench::{ApiBench, UNITS};
use crate::support::in_time;
use axum::http::StatusCode;
use futures_util::{StreamExt as _, stream::FuturesUnordered};

/// Room in the ledger's queue.
const QUEUE: usize = 4;

#[tokio::test]
async fn a_full_ledger_answers_503_with_a_time_to_come_back_and_writes_nothing() {
    let bench = ApiBench::with_queue(QUEUE, |_| {}).await;
    let id = bench.open(UNITS, "nonce-0123456789abcdef", None).await;
    // Another program that writes makes the writer stand still, as a slow disk would.
    let other = rusqlite::Connection::open(bench.ledger_file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let bodies: Vec<_> = (0..40).map(|n| bench.payment(&id, 1_000, Some(&format!("call-{n}")))).collect();
    let bench = &bench;
    let pays = |body| async move { (bench.post("/settle", body).await, body) };
    let mut paying: FuturesUnordered<_> = bodies.iter().map(pays).collect();
    // While the writer stands still nobody is paid, so whoever is answered is turned away. Then it is let go.
    let mut answers = Vec::new();
    while answers.len() < 40 - 2 * (QUEUE + 1) {
        answers.push(in_time("the others are turned away", paying.next()).await.unwrap());
    }
    assert!(answers.iter().all(|(answer, _)| answer.status != StatusCode::OK), "nobody was paid meanwhile");
    other.execute_batch("ROLLBACK").unwrap();
    answers.extend(paying.collect::<Vec<_>>().await);
    let (paid, turned_away): (Vec<_>, Vec<_>) = answers.iter().partition(|(answer, _)| answer.status == StatusCode::OK);
    assert!(!paid.is_empty(), "those in the queue were served");
    for (answer, _) in &paid {
        assert_eq!(answer.body["success"], true, "{}", answer.body);
    }
    for (answer, _) in &turned_away {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
        assert_eq!((answer.headers["retry-after"].as_bytes(), &answer.body["success"]), (&b"1"[..], &false.into()));
        assert_eq!(answer.body["errorReason"], "overloaded");
    }
    let shown = bench.get(&format!("/sessions/{id}")).await;
    assert_eq!(shown.body["spent"], (paid.len() * 1_000).to_string(), "nothing was written for the others");
    // Coming back is safe: the nonce was not used up.
    let again = bench.post("/settle", turned_away[0].1).await;
    assert_eq!(again.body["success"], true, "{}", again.body);
    bench.facilitator.stop().await;
}
