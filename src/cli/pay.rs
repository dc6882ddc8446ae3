//! `sotto session pay`: an HTTP request that is paid for when it has to be.

use super::{
    Global,
    error::CliError,
    foreign::foreign,
    output::{json, note},
    payer::{self, PayerConfig, PayerError, SESSION_FILE},
    runtime,
};
use crate::{
    client::{BodyError, BoundedBody, Fetched, Payer, Payment},
    domain::{chance::OsChance, clock::SystemClock},
    wire::facilitator::SettleAnswer,
};
use clap::Args;
use reqwest::{Body, Method, Request, Url};
use serde_json::json;
use std::{io, path::PathBuf, sync::Arc, time::Duration};

/// The most that is read of an answer unless told otherwise, in bytes.
const MOST_BODY_BYTES: u64 = 16 * 1024 * 1024;

/// Send a request and, when the answer is 402, pay for it from the session and send it once more
///
/// Pays only the session's recipient, only origins that the session was opened for, and never more than --max-price.
/// The merchant's answer goes to standard output as it arrives; on a terminal its control characters are escaped.
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
    /// The most that is read of the merchant's answer, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = MOST_BODY_BYTES)]
    max_body: u64,
    /// Print one JSON object: status, body, what was sent as payment, the receipt and where it does not fit
    #[arg(long)]
    json: bool,
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
        runtime()?.block_on(async {
            match payer.fetch(self.request()).await {
                Ok(fetched) => self.tell(fetched, config.asset.decimals).await,
                Err(error) => {
                    if let Some(payment) = error.payment() {
                        ask_later(payment);
                    }
                    Err(PayerError::from(error).into())
                }
            }
        })
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

    /// Tells what came back and what was sent for it, and fails for what is wrong with either.
    async fn tell(&self, fetched: Fetched, decimals: u8) -> Result<(), CliError> {
        let Fetched { response, payment, receipt, misfit } = fetched;
        let status = response.status().as_u16();
        let body = BoundedBody::of(response, self.max_body);
        let amount = payment.as_ref().map(|payment| payment.amount.to_decimal(decimals));
        let read = if self.json {
            let (body, read) = match body.bytes().await {
                Ok(body) => (Some(String::from_utf8_lossy(&body).into_owned()), Ok(())),
                Err(error) => (None, Err(error)),
            };
            let differences = misfit.iter().flat_map(|misfit| &misfit.differences).map(|what| what.word());
            json(&json!({
                "status": status,
                "body": body,
                "paid": amount,
                "nonce": payment.as_ref().map(|payment| &payment.nonce),
                "receipt": receipt.as_ref().or(misfit.as_ref().map(|misfit| &misfit.answer)),
                "differences": differences.collect::<Vec<_>>(),
            }))?;
            read
        } else {
            let read = pass_on(body).await?;
            note(&match (amount, &receipt, &misfit) {
                (None, _, _) => "nothing was paid".to_owned(),
                (Some(amount), Some(receipt), _) => format!("paid {amount}, {}", settled(receipt)),
                (Some(amount), None, Some(_)) => format!("sent {amount}, and the receipt does not fit"),
                (Some(amount), None, None) => format!("sent {amount}, and no receipt came"),
            });
            read
        };
        if let Some(payment) = payment.as_ref().filter(|_| receipt.is_none()) {
            ask_later(payment);
        }
        read.map_err(PayerError::from)?;
        if let Some(misfit) = misfit {
            return Err(PayerError::Misfit(misfit).into());
        }
        if (200..400).contains(&status) { Ok(()) } else { Err(PayerError::NotServed(status).into()) }
    }
}

/// Writes the body to standard output as it arrives. The inner result is about the merchant, the outer one about us.
async fn pass_on(mut body: BoundedBody) -> Result<Result<(), BodyError>, CliError> {
    let mut out = foreign();
    let read = loop {
        match body.next().await {
            Ok(Some(piece)) => match out.write(&piece) {
                // The reader has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Ok(())),
                written => written?,
            },
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    match out.end() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(read),
    }
}

/// How to learn from the facilitator what a merchant did not show.
fn ask_later(payment: &Payment) {
    note(&format_args!("`sotto session payments {}` tells what became of the payment", payment.nonce));
}

/// What a receipt says became of the payment.
fn settled(receipt: &SettleAnswer) -> String {
    if receipt.transaction.is_empty() {
        format!("held and settled later{}", payment_of(receipt))
    } else {
        format!("transaction {}", receipt.transaction)
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
