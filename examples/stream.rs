//! A reader that pays for a stream part by part, and stops paying when it has read enough.
//!
//! ```console
//! $ cargo run --example stream -- .keys/session.json http://127.0.0.1:4023/story/ 3
//! ```
//!
//! Each part is a payment of its own: who stops owes nothing more, and a merchant who stops has been paid for what they sent.

use sotto::{
    client::{OpenSession, Payer},
    domain::{amount::Amount, chance::OsChance, clock::SystemClock},
};
use std::{
    error::Error,
    io::{Write as _, stdout},
    sync::Arc,
    time::Duration,
};

/// The most that one part may cost, in whole tokens of six decimals.
const MOST: &str = "0.001";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, story, parts] = arguments.as_slice() else { return Err("usage: stream SESSION_FILE URL PARTS".into()) };
    let session = OpenSession::from_json(&std::fs::read_to_string(file)?)?;
    let (most, deadline) = (Amount::parse_decimal(MOST, 6)?, Duration::from_mins(1));
    let payer = Payer::new(session, most, deadline, Arc::new(SystemClock), Arc::new(OsChance))?;
    for part in 0..parts.parse::<usize>()? {
        let answered = payer.get(format!("{story}{part}").parse()?).await?.response.error_for_status()?;
        write!(stdout(), "{}", answered.text().await?)?;
        stdout().flush()?;
    }
    println!();
    Ok(())
}
