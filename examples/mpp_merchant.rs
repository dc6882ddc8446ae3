//! A merchant that sells by the Machine Payments Protocol: `GET /weather/{city}` for a charge, and the parts of a story by vouchers of
//! a channel.
//!
//! ```console
//! $ cargo run --example mpp_merchant -- FACILITATOR MINT WALLET [PORT]
//! ```
//!
//! The facilitator is one with `[mpp] enabled`. Its keys are taken as it tells them at the start, so name it by https, or pin them.

use axum::{Extension, Router, extract::Path, http::StatusCode, routing::get};
use sotto::merchant::{
    Bought, FacilitatorClient, Gate, Offer, Price,
    mpp::{ChargeSeller, FileStore, MppWall, SecretKey, SessionGate, SessionSale, SessionWall, session::Paid},
};
use std::{error::Error, net::Ipv4Addr, sync::Arc};

const STORY: [&str; 5] = ["Once upon a time ", "an agent read ", "a story, ", "and paid for ", "every part of it."];

/// What is sold for a charge.
struct Forecast;

async fn weather(Extension(bought): Extension<Bought<Forecast>>, Path(city): Path<String>) -> String {
    format!("It is sunny in {city}, for {} base units.", bought.receipt().amount)
}

async fn part(Extension(_paid): Extension<Paid>, Path(part): Path<usize>) -> Result<&'static str, StatusCode> {
    STORY.get(part).copied().ok_or(StatusCode::NOT_FOUND)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [facilitator, mint, wallet, port @ ..] = arguments.as_slice() else {
        return Err("usage: mpp_merchant FACILITATOR MINT WALLET [PORT]".into());
    };
    let client = FacilitatorClient::new(facilitator)?;
    let keys = client.mpp_keys().await?;

    // The example's own; a shop reads one that nobody else has, as with `SecretKey::read("mpp.secret")`.
    let seller = ChargeSeller::new(client.clone(), "localhost", SecretKey::new("an example's secret, known to all")?)?;
    let offer = Offer::new(&keys.network, mint.parse()?, wallet.parse()?, Price::decimal("0.01", 6)?);
    let forecasts = Gate::new("GET /weather/{city}", offer)?.sold_as::<Forecast>();
    let charges = MppWall::new(seller, forecasts);
    // A shop in which nobody can pay does not open.
    charges.check().await?;

    let sale = SessionSale::new(wallet.parse()?, Price::decimal("0.001", 6)?).keys(&keys)?.facilitator(client);
    // A restart must not serve for old vouchers again.
    let channels = FileStore::open(std::env::temp_dir().join("sotto-mpp-channels"), 100_000)?;
    let gate = SessionGate::new(sale.named_facilitator(facilitator), Arc::new(channels))?;
    let vouchers = SessionWall::new(gate, "GET /story/{part}")?.units(1);

    let routes = Router::new().route("/weather/{city}", get(weather)).layer(charges);
    let app = routes.merge(Router::new().route("/story/{part}", get(part)).layer(vouchers));
    let port = port.first().map_or(Ok(4024), |port| port.parse())?;
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
