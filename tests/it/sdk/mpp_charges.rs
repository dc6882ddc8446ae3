//! Charges from the first request to the receipt: a seller's layer, a facilitator that serves, and a real chain.

use super::{mpp_refusals::challenge, paywall::text};
use crate::support::{MppScene, charged, wire};
use axum::{Router, body::Body, routing::get};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{Request, Response};
use sotto::{
    domain::amount::Amount,
    merchant::{
        FacilitatorClient, Gate, Offer, Price,
        chain::JsonRpc,
        mpp::{ChargeSeller, MppWall, SecretKey},
    },
    programs::charge::ChargeDraft,
    wire::mpp::{challenge::Challenge, credential::Credential, receipt::ChargeReceipt},
};
use std::{sync::Arc, time::Duration};
use tower::ServiceExt as _;

/// A shop with a cheap route and a dear one, and its facilitator.
struct Market {
    scene: MppScene,
    shop: Router,
}

impl Market {
    async fn open(finish: impl Fn(&MppScene, ChargeSeller) -> ChargeSeller) -> Self {
        let scene = MppScene::start().await;
        let client = FacilitatorClient::new(&scene.world.running().url).unwrap();
        let secret = SecretKey::new("an example's secret of 32 bytes or more").unwrap();
        let seller = finish(&scene, ChargeSeller::new(client, "shop.example", secret).unwrap());
        let offer = |units| {
            let price = Price::base_units(Amount::new(units).unwrap()).unwrap();
            Offer::new("solana:devnet", scene.world.net.cash().mint(), scene.seller.key(), price)
        };
        let cheap = Gate::new("GET /cheap", offer(10_000)).unwrap();
        let wall = MppWall::new(seller, cheap.and(Gate::new("GET /dear", offer(1_000_000)).unwrap()).unwrap());
        wall.check().await.unwrap();
        let shop = Router::new().route("/cheap", get(|| async { "cheap" })).route("/dear", get(|| async { "dear" }));
        Self { scene, shop: shop.layer(wall) }
    }

    async fn ask(&self, path: &str, credential: Option<&Credential>) -> Response<Body> {
        let request = Request::get(path);
        let request = credential.into_iter().fold(request, |request, it| request.header("authorization", it.header()));
        self.shop.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    /// Pays a challenge as the published client does.
    fn pay(&self, challenge: Challenge) -> Credential {
        let asked = challenge.requested().unwrap();
        let transfer = self.scene.transfer(asked.amount.parse().unwrap());
        let details = asked.method_details;
        let instructions = ChargeDraft::new(transfer, Some(details.reference)).instructions();
        let fee_payer = details.fee_payer_key.parse().unwrap();
        let blockhash = details.recent_blockhash.parse().unwrap();
        let transaction = charged(&fee_payer, &instructions, blockhash, &[&self.scene.buyer]);
        Credential { challenge, transaction: BASE64_STANDARD.encode(wire(&transaction)), source: None }
    }
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
