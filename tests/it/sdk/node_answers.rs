//! How much of a node's answer a seller reads (ADR 0067).

use axum::{Router, routing::post};
use serde_json::json;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use sotto::{
    domain::json_rpc::MOST_ANSWER_BYTES,
    merchant::chain::{JsonRpc, ReadError, ReceiptChain as _},
};
use std::{net::Ipv4Addr, time::Duration};

/// A node that answers everything with this.
async fn node(answer: String) -> JsonRpc {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(async move || answer.clone()));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    JsonRpc::new(&url, Duration::from_secs(30)).unwrap()
}

/// Guard: `MOST_ANSWER_BYTES`. With less a stranger's memos would keep sellers from reading the history of their own account.
#[tokio::test]
async fn a_page_full_of_the_longest_memos_is_read_and_what_no_node_tells_is_not() {
    let memo = "\u{1}".repeat(1_100);
    let entry = |number: u64| {
        let mut signature = [7; 64];
        signature[..8].copy_from_slice(&number.to_le_bytes());
        json!({ "signature": Signature::from(signature).to_string(), "slot": number, "err": null, "memo": memo, "blockTime": 1 })
    };
    let page = json!({ "jsonrpc": "2.0", "id": 1, "result": (0..1_000).map(entry).collect::<Vec<_>>() }).to_string();
    assert!(page.len() > 6 << 20, "{} bytes", page.len());
    let read = node(page.clone()).await.history(&Pubkey::default(), None, None).await;
    assert_eq!(read.expect("it is read").len(), 1_000);
    let padded = format!("{page}{}", " ".repeat(MOST_ANSWER_BYTES));
    let refused = node(padded).await.history(&Pubkey::default(), None, None).await;
    assert!(matches!(refused, Err(ReadError::Malformed(_))), "{refused:?}");
}
