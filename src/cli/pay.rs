//! `sotto session pay`: an HTTP request that is paid for when it has to be.

use super::{
    Global,
    error::CliError,
    output::{json, note, say},
    payer::{self, PayerConfig, PayerError, SESSION_FILE},
    runtime,
};
use crate::{
    client::{Fetched, PayError, Payer},
    domain::{amount::Amount, chance::OsChance, clock::SystemClock},
    wire::facilitator::SettleAnswer,
};
use clap::Args;
use reqwest::{Body, Method, Request, Url};
use serde_json::json;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Send a request and, when the answer is 402, pay for it from the session and send it once more
///
/// Pays only the session's recipient, only origins that the session was opened for, and never more than --max-price.
/// The merchant's answer goes to standard output.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sotto session pay http://127.0.0.1:4022/weather --max-price 0.01")]
pub(super) struct Pay {
    /// What to ask for
    #[arg(value_parser = url)]
    url: Url,
    /// The most to pay for this call, in whole tokens
    #[arg(long, value_name = "TOKENS")]
    max_price: String,
    /// The session's file
    #[arg(long, value_name = "FILE", default_value = SESSION_FILE)]
    session: PathBuf,
    /// The method
    #[arg(long, default_value = "GET", value_parser = method)]
    method: Method,
    /// The body, sent as JSON
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
    /// Pay this URL's origin though the session was not opened for it
    #[arg(long)]
    allow_origin: bool,
    /// How long the merchant may take, settlement included, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    deadline: u64,
    /// Print one JSON object: status, body, what was paid, the receipt
    #[arg(long)]
    json: bool,
}

/// What came back, read to its end.
struct Answer {
    status: u16,
    body: String,
    paid: Option<Amount>,
    receipt: Option<SettleAnswer>,
}

impl Pay {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = PayerConfig::read(global)?;
        let mut session = payer::read_session(&self.session)?;
        let most = config.base_units(&session, &self.max_price)?;
        if self.allow_origin {
            session.origins.push(self.url.origin().ascii_serialization());
        }
        let deadline = Duration::from_secs(self.deadline);
        let payer =
            Payer::new(session, most, deadline, Arc::new(SystemClock), Arc::new(OsChance)).map_err(PayerError::from)?;
        let answer = runtime()?.block_on(self.ask(&payer)).map_err(PayerError::from)?;
        self.tell(&answer, config.asset.decimals)?;
        if (200..400).contains(&answer.status) { Ok(()) } else { Err(PayerError::NotServed(answer.status).into()) }
    }

    async fn ask(&self, payer: &Payer) -> Result<Answer, PayError> {
        let Fetched { response, payment, receipt } = payer.fetch(self.request()).await?;
        let status = response.status().as_u16();
        let body = response.text().await.map_err(|error| PayError::Http(error.without_url()))?;
        Ok(Answer { status, body, paid: payment.map(|payment| payment.amount), receipt })
    }

    fn request(&self) -> Request {
        let mut request = Request::new(self.method.clone(), self.url.clone());
        if let Some(body) = &self.body {
            let json = reqwest::header::HeaderValue::from_static("application/json");
            request.headers_mut().insert(reqwest::header::CONTENT_TYPE, json);
            *request.body_mut() = Some(Body::from(body.clone()));
        }
        request
    }

    fn tell(&self, answer: &Answer, decimals: u8) -> Result<(), CliError> {
        let paid = answer.paid.map(|amount| amount.to_decimal(decimals));
        if self.json {
            let Answer { status, body, receipt, .. } = answer;
            return json(&json!({ "status": status, "body": body, "paid": paid, "receipt": receipt }));
        }
        say(&answer.body)?;
        let settled = match &answer.receipt {
            None => "no receipt".to_owned(),
            Some(receipt) if receipt.transaction.is_empty() => format!("held and settled later{}", payment_of(receipt)),
            Some(receipt) => format!("transaction {}", receipt.transaction),
        };
        match paid {
            Some(paid) => note(&format_args!("paid {paid}, {settled}")),
            None => note(&"nothing was paid"),
        }
        Ok(())
    }
}

/// Under which id a held payment can be asked for.
fn payment_of(receipt: &SettleAnswer) -> String {
    let session = receipt.extensions.as_ref().and_then(|extensions| extensions.session.as_ref());
    let payment = session.and_then(|session| session.payment.as_ref());
    payment.map(|payment| format!(", payment {payment}")).unwrap_or_default()
}

fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err("write an http or https URL".to_owned()) }
}

fn method(text: &str) -> Result<Method, String> {
    text.to_ascii_uppercase().parse().map_err(|_| "it is not an HTTP method".to_owned())
}
