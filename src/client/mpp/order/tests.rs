//! Challenges of the vectors, paid as the published client pays them; and each thing that may be wrong with one.

use super::*;
use crate::{
    client::LocalKey,
    wire::mpp::challenge::{ChallengeParts, ChargeRequested, read_all},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::sync::LazyLock;

static GOLDEN: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../../tests/vectors/mpp.json")).unwrap());
/// Before the challenges of the vectors expire.
const NOW: UnixMillis = 1_775_858_400_000;

fn text(pointer: &str) -> &'static str {
    GOLDEN.pointer(pointer).and_then(Value::as_str).unwrap()
}

fn buyer() -> LocalKey {
    let seed = GOLDEN.pointer("/keys/buyer/seed_byte").and_then(Value::as_u64).unwrap();
    LocalKey::from_bytes(&[u8::try_from(seed).unwrap(); 32]).unwrap()
}

fn terms() -> BuyerTerms {
    BuyerTerms::new(&Network::devnet(), Amount::new(10_000).unwrap())
}

fn golden() -> Challenge {
    read_all(text("/challenges/0/www_authenticate")).remove(0)
}

/// The vectors' challenge with another request.
fn asking(change: impl FnOnce(&mut ChargeRequested)) -> Challenge {
    let mut request = golden().requested().unwrap();
    change(&mut request);
    let parts = ChallengeParts { realm: "api.example.com", ..ChallengeParts::default() };
    Challenge::charge(b"secret", &request, &parts).unwrap()
}

fn refusal(challenge: &Challenge) -> OrderRefusal {
    order(challenge, &terms(), &buyer().pubkey(), NOW).map(|order| order.amount()).unwrap_err()
}

#[tokio::test]
async fn a_challenge_is_paid_byte_for_byte_as_by_the_published_client() {
    let order = order(&golden(), &terms(), &buyer().pubkey(), NOW).unwrap();
    let transaction = order.unsigned().unwrap().signed_by(&buyer()).await.unwrap();
    assert_eq!(transaction, text("/charge/wire_base64"));
    let credential =
        crate::wire::mpp::credential::Credential { challenge: order.challenge().clone(), transaction, source: None };
    assert_eq!(credential.header(), text("/credential/authorization"));
    assert_eq!((order.recipient().to_string(), order.amount().get()), (text("/keys/seller/pubkey").to_owned(), 10_000));
}

#[test]
fn what_a_challenge_says_is_held_against_the_buyers_own_list() {
    let stranger = text("/keys/stranger/pubkey");
    let differs = |change: fn(&mut MethodDetails)| refusal(&asking(|asked| change(&mut asked.method_details)));
    assert_eq!(
        differs(|details| details.token_program = TokenProgram::Token2022.address().to_string()),
        OrderRefusal::TokenDiffers("token program")
    );
    assert_eq!(
        differs(|details| details.token_program = details.spl_token.clone()),
        OrderRefusal::TokenDiffers("token program")
    );
    assert_eq!(differs(|details| details.decimals = 5), OrderRefusal::TokenDiffers("number of decimals"));
    assert_eq!(
        refusal(&asking(|asked| asked.method_details.spl_token = stranger.to_owned())),
        OrderRefusal::Token(parse_key(stranger).unwrap())
    );
    assert_eq!(
        differs(|details| details.network = "mainnet-beta".to_owned()),
        OrderRefusal::Network("mainnet-beta".to_owned())
    );
    assert_eq!(differs(|details| details.fee_payer = false), OrderRefusal::Own("fee payer"));
    let own = buyer().pubkey().to_string();
    assert_eq!(
        refusal(&asking(|asked| asked.method_details.fee_payer_key.clone_from(&own))),
        OrderRefusal::Own("fee payer")
    );
    assert_eq!(refusal(&asking(|asked| asked.recipient = own)), OrderRefusal::Own("recipient"));
}

#[test]
fn prices_over_the_limit_and_what_is_no_price_are_refused() {
    for (price, is_paid) in
        [("10000", true), ("10001", false), ("0", false), ("-1", false), ("01", false), ("1e3", false)]
    {
        let challenge = asking(|asked| asked.amount = price.to_owned());
        assert_eq!(order(&challenge, &terms(), &buyer().pubkey(), NOW).is_ok(), is_paid, "{price}");
    }
    let OrderRefusal::OverLimit { price, limit } = refusal(&asking(|asked| asked.amount = "10001".to_owned())) else {
        panic!("another refusal");
    };
    assert_eq!((price.get(), limit.get()), (10_001, 10_000));
}

#[test]
fn expired_and_unreadable_challenges_are_refused() {
    let at = |expires: &str| Challenge { expires: Some(expires.to_owned()), ..golden() };
    assert_eq!(refusal(&at("2026-04-10T21:59:59.999Z")), OrderRefusal::Expired);
    assert_eq!(refusal(&at("tomorrow")), OrderRefusal::Expired);
    assert_eq!(refusal(&Challenge { method: "other".to_owned(), ..golden() }), OrderRefusal::Method);
    assert_eq!(refusal(&Challenge { intent: "session".to_owned(), ..golden() }), OrderRefusal::Method);
    assert!(matches!(refusal(&Challenge { request: "e30".to_owned(), ..golden() }), OrderRefusal::Unreadable(_)));
    for reference in ["x".repeat(129), "a\nb".to_owned(), "é".to_owned()] {
        assert!(matches!(
            refusal(&asking(|asked| asked.method_details.reference = reference)),
            OrderRefusal::Unreadable(_)
        ));
    }
}

#[test]
fn the_first_challenge_that_may_be_paid_is_and_else_the_first_of_ours_says_why_not() {
    let other = Challenge { method: "other".to_owned(), ..golden() };
    let dear = asking(|asked| asked.amount = "10001".to_owned());
    let chosen = |challenges: &[Challenge]| {
        choose(challenges, &terms(), &buyer().pubkey(), NOW).map(|order| order.amount().get())
    };
    assert_eq!(chosen(&[other.clone(), dear.clone(), golden()]), Ok(10_000));
    assert!(matches!(chosen(&[other.clone(), dear]), Err(OrderRefusal::OverLimit { .. })));
    assert_eq!(chosen(&[other]), Err(OrderRefusal::Method));
    assert_eq!(chosen(&[]), Err(OrderRefusal::Method));
}

#[tokio::test]
async fn a_wallet_that_changes_the_transaction_is_found_out() {
    struct Bent(LocalKey);

    #[async_trait::async_trait]
    impl crate::client::PayerSigner for Bent {
        fn pubkey(&self) -> Pubkey {
            self.0.pubkey()
        }

        async fn sign_message(&self, message: &[u8]) -> Result<[u8; 64], crate::client::SigningError> {
            Ok(self.0.sign(message))
        }

        async fn sign_transaction(
            &self,
            transaction: solana_transaction::versioned::VersionedTransaction,
        ) -> Result<solana_transaction::versioned::VersionedTransaction, crate::client::SigningError> {
            let mut signed = self.0.sign_transaction(transaction).await?;
            signed.signatures.swap(0, 1);
            Ok(signed)
        }
    }

    let order = order(&golden(), &terms(), &buyer().pubkey(), NOW).unwrap();
    assert!(order.unsigned().unwrap().signed_by(&Bent(buyer())).await.is_err());
    assert_eq!(STANDARD.decode(text("/charge/wire_base64")).unwrap().len(), 505);
}
