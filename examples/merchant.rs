//! A merchant that sells two things at two prices: `GET /weather/{city}` and the parts of a story. A handler is bound to the price of
//! what it serves by the type of its receipt.
//!
//! ```console
//! $ cargo run --example merchant -- FACILITATOR NETWORK ASSET WALLET [PORT]
//! ```
//!
//! `sotto dev` prints all four; with it, `http://127.0.0.1:4021 solana:localnet ASSET WALLET`.

use axum::{Extension, Router, extract::Path, http::StatusCode, routing::get};
use sotto::merchant::{Bought, FacilitatorClient, Gate, Offer, Paywall, Price};
use std::{error::Error, net::Ipv4Addr};

const STORY: [&str; 5] = ["Once upon a time ", "an agent read ", "a story, ", "and paid for ", "every part of it."];

/// What is sold.
struct Forecast;
struct StoryPart;

async fn weather(Extension(bought): Extension<Bought<Forecast>>, Path(city): Path<String>) -> String {
    format!("It is sunny in {city}, for {} base units.", bought.receipt().amount)
}

async fn part(
    Extension(_bought): Extension<Bought<StoryPart>>,
    Path(part): Path<usize>,
) -> Result<&'static str, StatusCode> {
    STORY.get(part).copied().ok_or(StatusCode::NOT_FOUND)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [facilitator, network, asset, wallet, port @ ..] = arguments.as_slice() else {
        return Err("usage: merchant FACILITATOR NETWORK ASSET WALLET [PORT]".into());
    };
    let sells = |route: &str, price: &str| -> Result<Gate, Box<dyn Error>> {
        let offer = Offer::new(network, asset.parse()?, wallet.parse()?, Price::decimal(price, 6)?);
        Ok(Gate::new(route, offer)?)
    };
    let forecasts = sells("GET /weather/{city}", "0.01")?.sold_as::<Forecast>();
    let story = sells("GET /story/{part}", "0.001")?.sold_as::<StoryPart>();
    let paywall = Paywall::new(FacilitatorClient::new(facilitator)?, forecasts.and(story)?.closed());
    // A shop in which nobody can pay does not open.
    paywall.check().await?;
    let routes = Router::new().route("/weather/{city}", get(weather)).route("/story/{part}", get(part));
    let app = routes.layer(paywall);
    let port = port.first().map_or(Ok(4023), |port| port.parse())?;
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
