//! `sotto mpp charge`: an HTTP request that is paid for by one transfer when it has to be.

use super::{BuyerConfig, BuyerError, Purse, tokens};
use crate::{
    cli::{
        Global,
        error::CliError,
        output::{json, note},
        payer::{PayerError, tokens_of},
        runtime,
        session_pay::{MOST_BODY_BYTES, method, pass_on, request, url},
    },
    client::{
        BoundedBody,
        mpp::{Bought, BuyError, BuyerTerms, BuyerToken, ChargePayment, MppClient},
    },
    domain::clock::SystemClock,
};
use clap::Args;
use reqwest::{Method, Url};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// Send a request and, when the answer is 402, pay the charge that it asks for and send it once more
///
/// The wallet signs one plain transfer to the seller, never of more than --max-price, and only of a token of its own list; the
/// seller's facilitator pays the fee. The answer goes to standard output; on a terminal its control characters are escaped.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sotto mpp charge http://127.0.0.1:4022/mpp/weather --max-price 0.01")]
pub(in crate::cli) struct Charge {
    /// What to ask for
    #[arg(value_parser = url)]
    url: Url,
    /// The most to pay, in whole tokens
    #[arg(long, value_name = "TOKENS")]
    max_price: String,
    #[command(flatten)]
    purse: Purse,
    /// The method
    #[arg(long, default_value = "GET", value_parser = method)]
    method: Method,
    /// The body, sent as JSON
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
    /// How long the seller may take, settlement included, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    deadline: u64,
    /// The most that is read of the seller's answer, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = MOST_BODY_BYTES)]
    max_body: u64,
    /// Print one JSON object: status, body, what was paid, to whom, and the seller's receipt
    #[arg(long)]
    json: bool,
}

impl Charge {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = BuyerConfig::read(global)?;
        let wallet = self.purse.wallet()?;
        runtime()?.block_on(async {
            let network = config.network().await?;
            let token = self.purse.token(&network)?;
            let limit = tokens_of(&self.max_price, token.decimals)?;
            let terms = BuyerTerms::new(&network, limit).token(token);
            let deadline = Duration::from_secs(self.deadline);
            let client =
                MppClient::new(Arc::new(wallet), terms, deadline, Arc::new(SystemClock)).map_err(BuyerError::Buy)?;
            let asked = request(&self.method, &self.url, self.body.as_deref());
            match client.fetch(asked).await {
                Ok(bought) => self.tell(bought, &token).await,
                Err(error) => self.tell_error(error, &token),
            }
        })
    }

    async fn tell(&self, bought: Bought, token: &BuyerToken) -> Result<(), CliError> {
        let Bought { response, payment, receipt } = bought;
        let status = response.status().as_u16();
        let body = BoundedBody::of(response, self.max_body);
        if self.json {
            let body = body.bytes().await.map_err(PayerError::from)?;
            json(&json!({
                "status": status,
                "body": String::from_utf8_lossy(&body),
                "state": if payment.is_some() { "sent" } else { "nothing_sent" },
                "paid": payment.as_ref().map(|payment| tokens(payment.amount, token)),
                "recipient": payment.as_ref().map(|payment| payment.recipient.to_string()),
                "mint": payment.as_ref().map(|payment| payment.mint.to_string()),
                "receipt": receipt,
            }))?;
        } else {
            pass_on(body).await?.map_err(PayerError::from)?;
            note(&payment.as_ref().map_or_else(|| "nothing was paid".to_owned(), |payment| summary(payment, token)));
            match (&payment, &receipt) {
                (Some(_), Some(receipt)) => {
                    note(&format_args!("the seller's receipt names transaction {}", receipt.reference));
                }
                (Some(_), None) => note(&"the seller gave no receipt"),
                (None, _) => {}
            }
        }
        if (200..400).contains(&status) { Ok(()) } else { Err(PayerError::NotServed(status).into()) }
    }

    fn tell_error(&self, error: BuyError, token: &BuyerToken) -> Result<(), CliError> {
        if let Some(payment) = error.payment() {
            if self.json {
                json(&json!({
                    "status": null,
                    "state": "unknown",
                    "sent": tokens(payment.amount, token),
                    "recipient": payment.recipient.to_string(),
                    "mint": payment.mint.to_string(),
                }))?;
            } else {
                note(&summary(payment, token));
            }
        }
        let is_sent = error.payment().is_some();
        Err(if is_sent { BuyerError::Undecided(error) } else { BuyerError::Buy(error) }.into())
    }
}

fn summary(payment: &ChargePayment, token: &BuyerToken) -> String {
    format!("sent {} to {}", tokens(payment.amount, token), payment.recipient)
}
