//! Charges from the first request to the receipt: a seller's layer, a facilitator that serves, and a real chain.

use super::{mpp_refusals::challenge, paywall::text};
use crate::support::{MppScene, charged, wire};
use axum::{Router, body::Body, routing::get};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{Request, Response};
use serde_json::{Map, Value, json};
use sotto::{
    domain::{
        amount::Amount,
        clock::{Clock as _, ManualClock, SystemClock},
    },
    merchant::{
        FacilitatorClient, Gate, Offer, Price,
        chain::JsonRpc,
        mpp::{ChargeSeller, MppWall, SecretKey, mcp},
    },
    programs::charge::ChargeDraft,
    wire::mpp::{
        challenge::{Challenge, encode},
        credential::Credential,
        mcp as codec,
        receipt::ChargeReceipt,
    },
};
use std::{net::Ipv4Addr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, copy, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt as _;

const REALM: &str = "shop.example";

/// A shop with a cheap route and a dear one, and its facilitator.
pub(super) struct Market {
    pub(super) scene: MppScene,
    pub(super) shop: Router,
}

impl Market {
    pub(super) async fn open(finish: impl Fn(&MppScene, ChargeSeller) -> ChargeSeller) -> Self {
        let scene = MppScene::start().await;
        let seller = finish(&scene, seller(&scene.world.running().url, REALM));
        let wall = wall(&scene, seller);
        wall.check().await.unwrap();
        Self { scene, shop: shop(wall) }
    }

    /// A shop like this one: the same realm and secret, and nothing else that they share.
    pub(super) fn another_instance(&self) -> Router {
        shop(wall(&self.scene, seller(&self.scene.world.running().url, REALM)))
    }

    pub(super) async fn ask(&self, path: &str, credential: Option<&Credential>) -> Response<Body> {
        Self::ask_of(&self.shop, path, credential).await
    }

    pub(super) async fn ask_of(shop: &Router, path: &str, credential: Option<&Credential>) -> Response<Body> {
        let request = Request::get(path);
        let request = credential.into_iter().fold(request, |request, it| request.header("authorization", it.header()));
        shop.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    /// Pays a challenge as the published client does.
    pub(super) fn pay(&self, challenge: Challenge) -> Credential {
        let units = challenge.requested().unwrap().amount.parse().unwrap();
        self.pay_units(challenge, units)
    }

    /// Pays another amount than is asked for.
    fn pay_units(&self, challenge: Challenge, units: u64) -> Credential {
        let transfer = self.scene.transfer(units);
        let details = challenge.requested().unwrap().method_details;
        let instructions = ChargeDraft::new(transfer, Some(details.reference)).instructions();
        let fee_payer = details.fee_payer_key.parse().unwrap();
        let blockhash = details.recent_blockhash.parse().unwrap();
        let transaction = charged(&fee_payer, &instructions, blockhash, &[&self.scene.buyer]);
        Credential { challenge, transaction: BASE64_STANDARD.encode(wire(&transaction)), source: None }
    }
}

fn seller(url: &str, realm: &str) -> ChargeSeller {
    let secret = SecretKey::new("an example's secret of 32 bytes or more").unwrap();
    ChargeSeller::new(FacilitatorClient::new(url).unwrap(), realm, secret).unwrap()
}

fn offer(scene: &MppScene, units: u64) -> Offer {
    let price = Price::base_units(Amount::new(units).unwrap()).unwrap();
    Offer::new("solana:devnet", scene.world.net.cash().mint(), scene.seller.key(), price)
}

fn wall(scene: &MppScene, seller: ChargeSeller) -> MppWall {
    let cheap = Gate::new("GET /cheap", offer(scene, 10_000)).unwrap();
    MppWall::new(seller, cheap.and(Gate::new("GET /dear", offer(scene, 1_000_000)).unwrap()).unwrap())
}

fn shop(wall: MppWall) -> Router {
    let routes = Router::new().route("/cheap", get(|| async { "cheap" })).route("/dear", get(|| async { "dear" }));
    routes.layer(wall)
}

#[tokio::test]
async fn a_charge_is_paid_served_and_good_once() {
    let market = Market::open(|_, seller| seller).await;
    let credential = market.pay(challenge(&market.ask("/cheap", None).await));
    let response = market.ask("/cheap", Some(&credential)).await;
    assert_eq!(response.status(), 200);
    let receipt = ChargeReceipt::read(response.headers()["payment-receipt"].to_str().unwrap()).unwrap();
    let landed = receipt.reference.parse().unwrap();
    assert!(market.scene.world.net.network().outcome(&landed).unwrap().is_ok());
    assert_eq!(text(response).await, "cheap");

    let again = market.ask("/cheap", Some(&credential)).await;
    assert_eq!(again.status(), 402);
    assert!(text(again).await.contains("duplicate_settlement"));
    market.scene.closes(10_000).await;
}

/// Guard: `judge::accepted`. The published seller serves the dear route for the cheap one's price.
#[tokio::test]
async fn a_cheap_routes_credential_opens_no_dear_route() {
    let market = Market::open(|_, seller| seller).await;
    let credential = market.pay(challenge(&market.ask("/cheap", None).await));
    let refused = market.ask("/dear", Some(&credential)).await;
    assert_eq!(refused.status(), 402);
    assert!(text(refused).await.contains("invalid-challenge"));
    assert_eq!(market.ask("/cheap", Some(&credential)).await.status(), 200, "nothing was settled for it");
    market.scene.closes(10_000).await;
}

/// Guard: `onchain::check`.
#[tokio::test]
async fn a_node_of_the_sellers_own_shows_the_charge() {
    let market = Market::open(|scene, seller| {
        let node = JsonRpc::new(&scene.world.net.rpc_url(), Duration::from_secs(5)).unwrap();
        seller.verified_by(Arc::new(node))
    })
    .await;
    let credential = market.pay(challenge(&market.ask("/dear", None).await));
    let response = market.ask("/dear", Some(&credential)).await;
    assert_eq!(response.status(), 200, "{}", text(response).await);
    market.scene.closes(1_000_000).await;
}

/// An address that leads to this one, and hangs up when the first answer comes.
async fn hanging_up_once(url: &str) -> String {
    let address = url.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(&address).await.unwrap();
        let (mut answers, mut asks) = server.split();
        tokio::select! {
            _ = copy(&mut client, &mut asks) => {}
            _ = answers.read_u8() => {}
        }
        drop((client, server));
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&address).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    own
}

/// Guard: `ChargeSeller::verify` draws one key a verification, and `settle_charge` repeats with it. The first answer is lost on its
/// way, after the charge has landed; the buyer hears of neither.
#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_served() {
    let market = Market::open(|_, seller| seller).await;
    let credential = market.pay(challenge(&market.ask("/cheap", None).await));
    let hanging_up = hanging_up_once(&market.scene.world.running().url).await;
    let shop = shop(wall(&market.scene, seller(&hanging_up, REALM)));
    let response = Market::ask_of(&shop, "/cheap", Some(&credential)).await;
    assert_eq!((response.status().as_u16(), &*text(response).await), (200, "cheap"));
    let again = market.ask("/cheap", Some(&credential)).await;
    assert!(text(again).await.contains("duplicate_settlement"), "it was told once");
    market.scene.closes(10_000).await;
}

/// Guards: `judge::accepted` (realm, secret, expiry), and the policy of the facilitator (amount, recipient).
#[tokio::test]
async fn what_pays_something_else_settles_nothing() {
    let market = Market::open(|_, seller| seller).await;
    let asked = challenge(&market.ask("/cheap", None).await);
    let of_another = shop(wall(&market.scene, seller(&market.scene.world.running().url, "other.example")));
    let credential = market.pay(asked.clone());
    let refused = Market::ask_of(&of_another, "/cheap", Some(&credential)).await;
    assert!(text(refused).await.contains("invalid-challenge"), "another seller's challenge");
    let late = Arc::new(ManualClock::at(SystemClock.now() + 61));
    let late = shop(wall(&market.scene, seller(&market.scene.world.running().url, REALM).clock(late)));
    let refused = Market::ask_of(&late, "/cheap", Some(&credential)).await;
    assert!(text(refused).await.contains("payment-expired"), "its minute is over");
    for units in [9_999, 10_001] {
        let refused = market.ask("/cheap", Some(&market.pay_units(asked.clone(), units))).await;
        assert_eq!(refused.status(), 402);
        assert!(text(refused).await.contains("amount_mismatch"), "{units}");
    }
    let mut bent = asked.clone();
    let mut requested = bent.requested().unwrap();
    requested.amount = "1".to_owned();
    bent.request = encode(&json!(requested)).unwrap();
    let refused = market.ask("/cheap", Some(&market.pay(bent))).await;
    assert!(text(refused).await.contains("invalid-challenge"), "the price is bound");
    assert_eq!(market.ask("/cheap", Some(&credential)).await.status(), 200, "nothing was settled for it");
    market.scene.closes(10_000).await;
}

/// Guards: `ChargeSeller::verify_call`, `mcp::add_receipt`. A tool of the Model Context Protocol from the first call to the receipt.
#[tokio::test]
async fn a_tool_is_sold_from_its_first_call_to_the_receipt() {
    let market = Market::open(|_, seller| seller).await;
    let (seller, offers) = (seller(&market.scene.world.running().url, REALM), [offer(&market.scene, 10_000)]);
    let mut parameters = json!({ "name": "weather", "_meta": { "progressToken": 7 } });
    let error = seller.verify_call(&parameters, &offers).await.unwrap_err();
    assert_eq!(error["code"], json!(codec::PAYMENT_REQUIRED), "{error:#}");
    let (challenges, _) = codec::read_error(&error);
    let credential = market.pay(challenges[0].clone());
    codec::add_credential(parameters.as_object_mut().unwrap(), &credential);
    assert_eq!(parameters["_meta"]["progressToken"], json!(7), "what the call says else stays");
    let charged = seller.verify_call(&parameters, &offers).await.unwrap();
    let mut result = Map::new();
    mcp::add_receipt(&mut result, &charged);
    let (receipt, id) = codec::read_receipt(&Value::Object(result)).unwrap();
    assert_eq!(id, challenges[0].id);
    let landed = receipt.reference.parse().unwrap();
    assert!(market.scene.world.net.network().outcome(&landed).unwrap().is_ok());
    let error = seller.verify_call(&parameters, &offers).await.unwrap_err();
    let (fresh, problem) = codec::read_error(&error);
    assert_eq!((error["code"].clone(), fresh.len()), (json!(codec::VERIFICATION_FAILED), 1), "{error:#}");
    assert!(problem.unwrap().detail.contains("duplicate_settlement"), "{error:#}");
    market.scene.closes(10_000).await;
}
