//! A program that pays for what it asks for, with nobody at a keyboard.
//!
//! ```console
//! $ sotto session open --recipient WALLET --cap 1 --origin http://127.0.0.1:4023 ...    # once; keeps .keys/session.json
//! $ cargo run --example payer -- .keys/session.json http://127.0.0.1:4023/weather/Bern
//! ```

use sotto::{
    client::{OpenSession, Payer},
    domain::{amount::Amount, chance::OsChance, clock::SystemClock},
};
use std::{error::Error, sync::Arc, time::Duration};

/// The most that one call may cost, in whole tokens of six decimals.
const MOST: &str = "0.01";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, url] = arguments.as_slice() else { return Err("usage: payer SESSION_FILE URL".into()) };
    let session = OpenSession::from_json(&std::fs::read_to_string(file)?)?;
    let (most, deadline) = (Amount::parse_decimal(MOST, 6)?, Duration::from_mins(1));
    let payer = Payer::new(session, most, deadline, Arc::new(SystemClock), Arc::new(OsChance))?;
    let answered = payer.get(url.parse()?).await?.response.error_for_status()?;
    println!("{}", answered.text().await?);
    Ok(())
}
