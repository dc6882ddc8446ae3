//! `sotto session pay`: an HTTP request that is paid for when it has to be.

use super::{
    Global,
    error::CliError,
    foreign::foreign,
    kept_payment::{forget, keep, kept},
    outcome::{PaymentOutcome, PaymentState},
    output::{json, note},
    payer::{self, PayerConfig, PayerError, SESSION_FILE},
    runtime,
};
use crate::{
    client::{BodyError, BoundedBody, Fetched, OpenSession, PayError, Payer},
    domain::{chance::OsChance, clock::SystemClock, hold::Standing},
};
use clap::Args;
use reqwest::{Body, Method, Request, Url};
use serde_json::json;
use std::{io, path::PathBuf, sync::Arc, time::Duration};

/// The most that is read of an answer unless told otherwise, in bytes.
pub(super) const MOST_BODY_BYTES: u64 = 16 * 1024 * 1024;

/// Send a request and, when the answer is 402, pay for it from the session and send it once more
///
/// Pays only the session's recipient, only origins that the session was opened for, and never more than --max-price.
/// The merchant's answer goes to standard output as it arrives; on a terminal its control characters are escaped.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sotto session pay http://127.0.0.1:4022/weather --max-price 0.01")]
pub(super) struct SessionPay {
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
    /// Send the payment with this nonce again, whose outcome was not known: the same one, which is charged once
    #[arg(long, value_name = "NONCE")]
    again: Option<String>,
    /// Print one JSON object: status, body, what was sent and paid, where the payment stands and how to ask for it, the
    /// receipt and where it does not fit
    #[arg(long)]
    json: bool,
}

impl SessionPay {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = PayerConfig::read(global)?;
        let mut session = payer::read_session(&self.session)?;
        let most = config.base_units(&session, &self.max_price)?;
        if self.allow_origin {
            session.origins.push(self.url.origin().ascii_serialization());
        }
        let deadline = Duration::from_secs(self.deadline);
        let again =
            self.again.as_ref().map(|nonce| kept(&self.session, &session, &self.url, nonce, most)).transpose()?;
        let file = self.session.clone();
        let payer = Payer::new(session.clone(), most, deadline, Arc::new(SystemClock), Arc::new(OsChance))
            .map_err(PayerError::from)?
            .keeping(move |url, payment| keep(&file, url, payment));
        runtime()?.block_on(async {
            let answered = match again {
                Some(payment) => payer.repeat(self.request(), payment).await,
                None => payer.fetch(self.request()).await,
            };
            match answered {
                Ok(fetched) => self.tell(&session, fetched, config.asset.decimals).await,
                Err(error) => self.tell_error(&session, error, config.asset.decimals).await,
            }
        })
    }

    fn request(&self) -> Request {
        request(&self.method, &self.url, self.body.as_deref())
    }

    /// Tells what came back and what was sent for it, and fails for what is wrong with either.
    async fn tell(&self, session: &OpenSession, fetched: Fetched, decimals: u8) -> Result<(), CliError> {
        let Fetched { response, payment, receipt, misfit } = fetched;
        let status = response.status().as_u16();
        let body = BoundedBody::of(response, self.max_body);
        // What was served comes first: the facilitator may take its time.
        let (body, read, written) = if self.json {
            match body.bytes().await {
                Ok(body) => (Some(String::from_utf8_lossy(&body).into_owned()), Ok(()), Ok(())),
                Err(error) => (None, Err(error), Ok(())),
            }
        } else {
            match pass_on(body).await {
                Ok(read) => (None, read, Ok(())),
                Err(error) => (None, Ok(()), Err(error)),
            }
        };
        let outcome = PaymentOutcome::of_answer(session, payment, receipt, misfit.as_deref()).await;
        self.forget_if_final(&outcome);
        if self.json {
            print_json(Some(status), body.as_deref(), &outcome, decimals)?;
        } else {
            note(&summary(&outcome, decimals));
        }
        note_how_to_ask(&outcome);
        let fault: Option<CliError> = match (written, read, misfit) {
            (Err(error), _, _) => Some(error),
            (Ok(()), Err(error), _) => Some(PayerError::from(error).into()),
            (Ok(()), Ok(()), Some(misfit)) => Some(PayerError::Misfit(misfit).into()),
            (Ok(()), Ok(()), None) => (!(200..400).contains(&status)).then(|| PayerError::NotServed(status).into()),
        };
        let Some(undecided) = outcome.undecided() else { return fault.map_or(Ok(()), Err) };
        if let Some(fault) = fault {
            note(&fault);
        }
        Err(undecided.into())
    }

    /// Tells where the payment stands of a request that was not answered or not paid, and fails.
    async fn tell_error(&self, session: &OpenSession, error: PayError, decimals: u8) -> Result<(), CliError> {
        let outcome = PaymentOutcome::of_error(session, &error).await;
        self.forget_if_final(&outcome);
        if self.json {
            print_json(None, None, &outcome, decimals)?;
        } else if outcome.payment.is_some() {
            note(&summary(&outcome, decimals));
        }
        note_how_to_ask(&outcome);
        let Some(undecided) = outcome.undecided() else { return Err(PayerError::from(error).into()) };
        note(&error);
        Err(undecided.into())
    }

    /// Forgets the payment on disk where nothing can change it any more.
    fn forget_if_final(&self, outcome: &PaymentOutcome) {
        if let Some(payment) = outcome.payment.as_ref().filter(|_| outcome.state.is_final()) {
            forget(&self.session, payment);
        }
    }
}

/// A request with a body of JSON, where there is one.
pub(super) fn request(method: &Method, url: &Url, body: Option<&str>) -> Request {
    let mut request = Request::new(method.clone(), url.clone());
    if let Some(body) = body {
        let json = reqwest::header::HeaderValue::from_static("application/json");
        request.headers_mut().insert(reqwest::header::CONTENT_TYPE, json);
        *request.body_mut() = Some(Body::from(body.to_owned()));
    }
    request
}

/// One object for programs.
fn print_json(status: Option<u16>, body: Option<&str>, outcome: &PaymentOutcome, decimals: u8) -> Result<(), CliError> {
    let sent = outcome.payment.as_ref().map(|payment| payment.amount.to_decimal(decimals));
    json(&json!({
        "status": status,
        "body": body,
        "state": outcome.state.word(),
        "paid": sent.as_ref().filter(|_| outcome.state.is_paid()),
        "sent": sent,
        "nonce": outcome.payment.as_ref().map(|payment| &payment.nonce),
        "payment": outcome.id,
        "transaction": outcome.transaction,
        "receipt": outcome.receipt,
        "differences": outcome.differences,
    }))
}

/// One line for people.
fn summary(outcome: &PaymentOutcome, decimals: u8) -> String {
    let Some(payment) = &outcome.payment else { return "nothing was paid".to_owned() };
    let amount = payment.amount.to_decimal(decimals);
    let id = outcome.id.as_ref().map(|id| format!(", payment {id}")).unwrap_or_default();
    let transaction = outcome.transaction.as_ref().map(|text| format!(", transaction {text}")).unwrap_or_default();
    let is_of_receipt = outcome.receipt.is_some() && outcome.differences.is_empty();
    match outcome.state {
        PaymentState::NothingSent => "nothing was paid".to_owned(),
        PaymentState::Known(Standing::Captured) if is_of_receipt => format!("paid {amount}{transaction}"),
        PaymentState::Known(Standing::Held) if is_of_receipt => format!("paid {amount}, held and settled later{id}"),
        PaymentState::Known(Standing::Pending) => format!("pending: {amount} is on its way{id}{transaction}"),
        PaymentState::Refused => format!(
            "sent {amount}; refused, and the facilitator has nothing of it so far: who has it can still have it settled for a while"
        ),
        state => {
            let why = if outcome.differences.is_empty() { "no receipt came" } else { "the receipt does not fit" };
            let known = match state {
                PaymentState::Unknown => "nobody says what became of it".to_owned(),
                state => format!("the facilitator has it as {}{id}{transaction}", state.word()),
            };
            format!("sent {amount}, and {why}; {known}")
        }
    }
}

/// Writes the body to standard output as it arrives. The inner result is about the merchant, the outer one about us.
pub(super) async fn pass_on(mut body: BoundedBody) -> Result<Result<(), BodyError>, CliError> {
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

/// How to learn from the facilitator what a merchant did not show, and how to ask the merchant again.
fn note_how_to_ask(outcome: &PaymentOutcome) {
    let Some(payment) = &outcome.payment else { return };
    let is_told = outcome.receipt.is_some() && outcome.differences.is_empty() && outcome.state.is_paid();
    if !is_told {
        note(&format_args!("`sotto session payments {}` tells what became of the payment", payment.nonce));
    }
    if !outcome.state.is_final() {
        let nonce = &payment.nonce;
        note(&format_args!("the same command with `--again {nonce}` sends this payment again; it is charged once"));
    }
}

pub(super) fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err("write an http or https URL".to_owned()) }
}

pub(super) fn method(text: &str) -> Result<Method, String> {
    text.to_ascii_uppercase().parse().map_err(|_| "it is not an HTTP method".to_owned())
}
