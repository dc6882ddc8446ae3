//! A merchant who has a payment settled and says that it was refused, with the real facilitator: the payer pays once.

use super::journey::{PRICE, amount, client, key, payer, reader};
use crate::support::{Wallet, World};
use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, Method, Response, Uri},
};
use reqwest::Url;
use serde_json::{Value, json};
use sotto::{
    client::{Fate, Fetched, OpenOptions, PayError, Payer, PayerSigner, Prover},
    merchant::{
        FacilitatorClient, Gate, Offer, Price,
        quote::{Decision, Payable},
    },
    wire::{facilitator::SettleAnswer, header},
};
use std::{net::Ipv4Addr, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

type Asked = (Option<String>, oneshot::Sender<Response<Body>>);

/// A merchant whose every answer the test gives.
struct Forger {
    url: String,
    gate: Gate,
    facilitator: FacilitatorClient,
    asked: mpsc::Receiver<Asked>,
    server: JoinHandle<()>,
}

impl Forger {
    async fn start(world: &World, recipient: &Wallet) -> Self {
        let (tell, asked) = mpsc::channel::<Asked>(1);
        let router = Router::new().fallback(move |request: Request| {
            let tell = tell.clone();
            async move {
                let header = request.headers().get("payment-signature").map(|value| value.to_str().unwrap().to_owned());
                let (answer, answered) = oneshot::channel();
                tell.send((header, answer)).await.unwrap();
                answered.await.unwrap()
            }
        });
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let price = Price::base_units(amount(PRICE)).unwrap();
        let offer = Offer::new("solana:devnet", world.faucet.mint(), recipient.key(), price);
        let gate = Gate::new("GET /", offer).unwrap();
        let facilitator = FacilitatorClient::new(&world.running().url).unwrap();
        Self { url, gate, facilitator, asked, server }
    }

    /// The next payment; whoever asks without one is told the price.
    async fn payment(&mut self) -> (String, Box<Payable>, oneshot::Sender<Response<Body>>) {
        loop {
            let (header, answer) = self.asked.recv().await.unwrap();
            let (method, uri, headers) = (Method::GET, Uri::from_static("/"), HeaderMap::new());
            let quote = self.gate.quote(&method, &uri, &headers).await.unwrap();
            match (quote.decide(header.as_deref(), &self.url), header) {
                (Decision::Settle(payable), Some(header)) => return (header, payable, answer),
                _ => answer.send(respond(402, &[], quote.ask(&self.url, "pay").body)).unwrap(),
            }
        }
    }

    async fn settles(&self, payable: &Payable) -> SettleAnswer {
        self.facilitator.settle(payable).await.unwrap()
    }
}

impl Drop for Forger {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn respond(status: u16, receipt: &[&Value], body: String) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for receipt in receipt {
        response = response.header("payment-response", header::encode(receipt).unwrap());
    }
    response.body(Body::from(body)).unwrap()
}

fn forged() -> Response<Body> {
    let refusal = json!({"success": false, "transaction": "", "network": "solana:devnet",
        "errorReason": "insufficient_funds"});
    respond(402, &[&refusal], String::new())
}

/// A payer who proves their balance whenever that is asked for.
async fn proving_payer(world: &World, wallet: &Wallet, recipient: &Wallet, origin: &str) -> Payer {
    let prover = Prover::new(reader(world), Duration::from_secs(5));
    let mut options = OpenOptions::new(recipient.key(), amount(1_000_000), Duration::from_mins(10));
    options.origins = vec![origin.to_owned()];
    let session = client(world).open(&key(wallet), &options).await.unwrap();
    let signer: Arc<dyn PayerSigner> = Arc::new(key(wallet));
    payer(world, &session).proving(prover, signer)
}

/// A little for the payer, which makes their balance readable, and so provable.
async fn makes_readable(world: &World, wallet: &Wallet) {
    world.faucet.fund(&wallet.key(), 0).unwrap();
    world.confirmed().await;
}

/// Guard: `Fate::NoRecord` as the condition of a repeat in `Payer::fetch`.
#[tokio::test]
async fn a15_a_settled_payment_that_the_merchant_calls_refused_is_not_made_again() {
    let world = World::start().await;
    let (wallet, recipient) = (world.wallet(5_000_000).await, world.wallet(0).await);
    let mut forger = Forger::start(&world, &recipient).await;
    let payer = proving_payer(&world, &wallet, &recipient, &forger.url).await;
    let url = Url::parse(&forger.url).unwrap();
    let mut sent = Vec::new();
    let thief = async {
        loop {
            let (header, payable, answer) = forger.payment().await;
            assert!(forger.settles(&payable).await.success);
            makes_readable(&world, &wallet).await;
            sent.push(header);
            answer.send(forged()).unwrap();
        }
    };
    let outcome = tokio::select! {
        outcome = payer.get(url) => outcome,
        () = thief => unreachable!(),
    };
    let error = outcome.expect_err("it is told");
    match &error {
        PayError::NotSettled { fate, payment, .. } => match &**fate {
            Fate::Recorded(view) => {
                assert_eq!((view.state.as_str(), view.nonce.as_ref()), ("captured", Some(&payment.nonce)));
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
    assert!(error.to_string().ends_with("the facilitator has it as captured"), "{error}");
    assert_eq!(sent.len(), 1);
    world.quiet().await;
    assert_eq!(world.units(&recipient), PRICE, "one call, one price");
    world.finish().await;
}

/// Guard: the same payment in the repeat of `Payer::fetch`. The merchant keeps the first header until the second is there.
#[tokio::test]
async fn a15_what_is_sent_again_after_a_refusal_is_the_same_payment() {
    let world = World::start().await;
    let (wallet, recipient) = (world.wallet(5_000_000).await, world.wallet(0).await);
    let mut forger = Forger::start(&world, &recipient).await;
    let payer = proving_payer(&world, &wallet, &recipient, &forger.url).await;
    let url = Url::parse(&forger.url).unwrap();
    let thief = async {
        let (first, kept, answer) = forger.payment().await;
        answer.send(forged()).unwrap();
        let (second, payable, answer) = forger.payment().await;
        assert_eq!(first, second);
        let settled = forger.settles(&kept).await;
        assert!(settled.success);
        assert_eq!(forger.settles(&payable).await.error_reason.as_deref(), Some("duplicate_settlement"));
        let receipt = serde_json::to_value(&settled).unwrap();
        answer.send(respond(200, &[&receipt], "sunny".to_owned())).unwrap();
    };
    let (outcome, ()) = tokio::join!(payer.get(url), thief);
    let Fetched { response, receipt, misfit, .. } = outcome.unwrap();
    assert!(receipt.is_some() && misfit.is_none());
    assert_eq!(response.text().await.unwrap(), "sunny");
    world.quiet().await;
    assert_eq!(world.units(&recipient), PRICE, "two headers, one price");
    world.finish().await;
}
