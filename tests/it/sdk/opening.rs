//! Opening at facilitators that are not the pinned one, or do not answer as they should: the wallet is never asked.

use super::stand_in::{Answer, StandIn, json};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    client::{
        FacilitatorPin, OpenOptions, PayerSigner, SessionClient, SessionClientError, Settings, SigningError, SolanaRpc,
        TermsError, Trust,
    },
    domain::{amount::Amount, chance::SeededChance, clock::ManualClock, session::SessionId},
};
use std::{sync::Arc, time::Duration};

fn key(byte: u8) -> Pubkey {
    Pubkey::new_from_array([byte; 32])
}

/// A wallet that must not be asked.
struct Untouched;

#[async_trait::async_trait]
impl PayerSigner for Untouched {
    fn pubkey(&self) -> Pubkey {
        key(1)
    }

    async fn sign_message(&self, _message: &[u8]) -> Result<[u8; 64], SigningError> {
        panic!("the wallet is asked to sign a message")
    }

    async fn sign_transaction(&self, _transaction: VersionedTransaction) -> Result<VersionedTransaction, SigningError> {
        panic!("the wallet is asked to sign a transaction")
    }
}

fn client(facilitator: &str) -> SessionClient {
    let settings = Settings::devnet(facilitator, FacilitatorPin::one_key(key(2)), key(3)).unwrap();
    // Nothing listens there: an opening that gets as far as the chain fails differently.
    let rpc = Arc::new(SolanaRpc::new("http://127.0.0.1:9".to_owned(), Duration::from_millis(200)));
    SessionClient::new(settings, rpc, Arc::new(ManualClock::at(1_000)), Arc::new(SeededChance::new(1))).unwrap()
}

fn supported(spender: u8) -> Value {
    json!({"kinds": [{"x402Version": 2, "scheme": "session", "network": "solana:devnet", "asset": key(3).to_string(),
        "extra": {"facilitatorAddress": key(spender).to_string(), "sessionsEndpoint": "/sessions"}}]})
}

fn options() -> OpenOptions {
    OpenOptions::new(key(4), Amount::new(1_000).unwrap(), Duration::from_mins(1))
}

async fn open(answers: Vec<Answer>, options: OpenOptions) -> (SessionClientError, usize) {
    let facilitator = StandIn::answering(answers).await;
    let error = client(&facilitator.url).open(&Untouched, &options).await.expect_err("nothing opens");
    (error, facilitator.asked().len())
}

#[tokio::test]
async fn r34_a_facilitator_that_is_not_the_pinned_one_gets_no_signature() {
    let (error, asked) = open(vec![json(200, &supported(9))], options()).await;
    assert!(matches!(error, SessionClientError::Terms(TermsError::Pin { what: "spender", .. })), "{error:?}");
    assert_eq!(asked, 1, "only /supported was asked");
}

#[tokio::test]
async fn malformed_answers_to_supported_open_nothing() {
    let answers: Vec<Answer> = vec![
        (200, vec![], "{".to_owned()),
        (200, vec![], r#"{"kinds":{}}"#.to_owned()),
        (200, vec![], r#"{"kinds":[],"kinds":[]}"#.to_owned()),
        (200, vec![], format!(r#"{{"kinds":[],"x":"{}"}}"#, "x".repeat(200_000))),
        (302, vec![("location", "http://127.0.0.1:9".to_owned())], String::new()),
        (500, vec![], "oops".to_owned()),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let (error, _) = open(vec![answer], options()).await;
        assert!(matches!(error, SessionClientError::Facilitator(_)), "answer {number}: {error:?}");
    }
    let (error, _) = open(vec![json(200, &json!({"kinds": []}))], options()).await;
    assert!(matches!(error, SessionClientError::Terms(TermsError::NotServed)));
}

#[tokio::test]
async fn contradictory_options_are_refused_before_anybody_is_asked() {
    for bent in [
        OpenOptions { recipient: key(1), ..options() },
        OpenOptions { cap: Amount::ZERO, ..options() },
        OpenOptions { lifetime: Duration::from_millis(999), ..options() },
        OpenOptions { approve_total: Amount::new(999), ..options() },
        OpenOptions { nonce: Some("short".to_owned()), ..options() },
    ] {
        let (error, asked) = open(vec![json(200, &supported(2))], bent).await;
        assert!(matches!(error, SessionClientError::Options(_)), "{error:?}");
        assert_eq!(asked, 0);
    }
}

#[tokio::test]
async fn the_facilitator_may_not_be_the_payer() {
    let facilitator = StandIn::answering(vec![json(200, &supported(1))]).await;
    let mut settings = Settings::devnet(&facilitator.url, FacilitatorPin::one_key(key(2)), key(3)).unwrap();
    settings.trust = Trust::OnFirstUse;
    let rpc = Arc::new(SolanaRpc::new("http://127.0.0.1:9".to_owned(), Duration::from_millis(200)));
    let client =
        SessionClient::new(settings, rpc, Arc::new(ManualClock::at(1_000)), Arc::new(SeededChance::new(1))).unwrap();
    let error = client.open(&Untouched, &options()).await.expect_err("refused");
    assert!(matches!(error, SessionClientError::Options(_)), "{error:?}");
}

#[tokio::test]
async fn the_chain_is_simulated_before_the_wallet_is_asked() {
    let (error, _) = open(vec![json(200, &supported(2))], options()).await;
    assert!(matches!(error, SessionClientError::Approve(_)), "{error:?}");
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    assert!(!text.contains("127.0.0.1:9"), "errors name no URL: {text}");
}

#[tokio::test]
async fn a_session_with_a_session_key_is_not_resumed_by_its_bare_id() {
    let id = SessionId::from_random_bytes([7; 16]);
    let view = |session_key: Option<String>, spender: u8| {
        let view = json!({"sessionId": id.to_string(), "user": key(1).to_string(), "spender": key(spender).to_string(),
            "asset": key(3).to_string(), "recipient": key(4).to_string(), "expirationUnix": 5_000,
            "network": "solana:devnet", "sessionKey": session_key});
        vec![json(200, &view)]
    };
    let facilitator = StandIn::answering(view(Some(key(5).to_string()), 2)).await;
    assert!(matches!(client(&facilitator.url).resume(id, vec![]).await, Err(SessionClientError::OtherSession(_))));
    let facilitator = StandIn::answering(view(None, 9)).await;
    assert!(matches!(client(&facilitator.url).resume(id, vec![]).await, Err(SessionClientError::OtherSession(_))));
    let facilitator = StandIn::answering(view(None, 2)).await;
    let session = client(&facilitator.url).resume(id, vec![]).await.expect("keyless");
    assert_eq!((session.recipient, session.expires_at), (key(4), 5_000));
    assert!(session.is_on("solana-devnet") && session.authority.is_none());
}
