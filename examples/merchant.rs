//! A merchant that sells two things at two prices: `GET /weather/{city}` and the parts of a story.
//!
//! ```console
//! $ cargo run --example merchant -- FACILITATOR NETWORK ASSET WALLET [PORT]
//! ```
//!
//! `sotto dev` prints all four; with it, `http://127.0.0.1:4021 solana:localnet ASSET WALLET`.

use axum::{Extension, Router, extract::Path, http::StatusCode, routing::get};
use sotto::merchant::{FacilitatorClient, Gate, Offer, Paywall, Price, Receipt};
use std::{error::Error, net::Ipv4Addr};

const STORY: [&str; 5] = ["Once upon a time ", "an agent read ", "a story, ", "and paid for ", "every part of it."];

async fn weather(Extension(receipt): Extension<Receipt>, Path(city): Path<String>) -> String {
    format!("It is sunny in {city}, for {} base units.", receipt.amount)
}

async fn part(Extension(_paid): Extension<Receipt>, Path(part): Path<usize>) -> Result<&'static str, StatusCode> {
    STORY.get(part).copied().ok_or(StatusCode::NOT_FOUND)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [facilitator, network, asset, wallet, port @ ..] = arguments.as_slice() else {
        return Err("usage: merchant FACILITATOR NETWORK ASSET WALLET [PORT]".into());
    };
    let sells = |route: &str, price: &str| -> Result<Paywall, Box<dyn Error>> {
        let offer = Offer::new(network, asset.parse()?, wallet.parse()?, Price::decimal(price, 6)?);
        Ok(Paywall::new(FacilitatorClient::new(facilitator)?, Gate::new(route, offer)?))
    };
    let app = Router::new()
        .route("/weather/{city}", get(weather).layer(sells("GET /weather/{city}", "0.01")?))
        .route("/story/{part}", get(part).layer(sells("GET /story/{part}", "0.001")?));
    let port = port.first().map_or(Ok(4023), |port| port.parse())?;
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
