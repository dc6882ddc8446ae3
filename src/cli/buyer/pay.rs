//! `sotto mpp pay`: an HTTP request that is paid for by a voucher when it has to be.

use super::{BuyerConfig, BuyerError, ChannelsAt, tokens};
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
        mpp::{BuyerToken, Drawn, Served, Spending},
    },
    domain::mpp::channel_id::PublicId,
};
use clap::Args;
use reqwest::{Method, Url};
use serde_json::json;

/// Send a request and, when the answer is 402, pay for it by one voucher of a channel and send it once more
///
/// Nothing goes to the chain: the voucher says what is owed in all, and is settled when the channel closes. Never more than --max-price
/// is drawn, and only from a channel to the seller who asks. A voucher that was drawn is owed, whatever the seller answers.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sotto mpp pay http://127.0.0.1:4022/mpp/stream --max-price 0.01")]
pub(in crate::cli) struct Pay {
    /// What to ask for
    #[arg(value_parser = url)]
    url: Url,
    /// The most to pay for this request, in whole tokens
    #[arg(long, value_name = "TOKENS")]
    max_price: String,
    /// The channel's public id [default: the newest channel to this seller that has enough left]
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<PublicId>,
    /// How many units of the seller's meter this request is
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    units: u64,
    #[command(flatten)]
    at: ChannelsAt,
    /// The method
    #[arg(long, default_value = "GET", value_parser = method)]
    method: Method,
    /// The body, sent as JSON
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
    /// The most that is read of the seller's answer, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = MOST_BODY_BYTES)]
    max_body: u64,
    /// Print one JSON object: status, body, what was paid, and the channel's sum so far
    #[arg(long)]
    json: bool,
}

impl Pay {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = BuyerConfig::read(global)?;
        runtime()?.block_on(async {
            let (client, token) = self.at.client(&config).await?;
            let max_price = tokens_of(&self.max_price, token.decimals)?;
            let spending = Spending { max_price, units: self.units, channel: self.channel };
            let asked = request(&self.method, &self.url, self.body.as_deref());
            let served = client.fetch(asked, &spending).await.map_err(BuyerError::Session)?;
            self.tell(served, &token).await
        })
    }

    async fn tell(&self, served: Served, token: &BuyerToken) -> Result<(), CliError> {
        let Served { response, drawn } = served;
        let status = response.status().as_u16();
        let body = BoundedBody::of(response, self.max_body);
        if self.json {
            let body = body.bytes().await.map_err(PayerError::from)?;
            let voucher = drawn.as_ref().map(|drawn| &drawn.voucher);
            json(&json!({
                "status": status,
                "body": String::from_utf8_lossy(&body),
                "paid": drawn.as_ref().map(|drawn| tokens(drawn.paid, token)),
                "channel": voucher.map(|voucher| &voucher.channel_id),
                "cumulative": voucher.map(|voucher| tokens(voucher.cumulative_amount, token)),
                "sequence": voucher.map(|voucher| voucher.sequence),
            }))?;
        } else {
            pass_on(body).await?.map_err(PayerError::from)?;
            note(&drawn.as_ref().map_or_else(|| "nothing was paid".to_owned(), |drawn| summary(drawn, token)));
        }
        if (200..400).contains(&status) { Ok(()) } else { Err(PayerError::NotServed(status).into()) }
    }
}

fn summary(drawn: &Drawn, token: &BuyerToken) -> String {
    let Drawn { voucher, paid, .. } = drawn;
    let so_far = tokens(voucher.cumulative_amount, token);
    format!("paid {} by voucher {} of {}; {so_far} so far", tokens(*paid, token), voucher.sequence, voucher.channel_id)
}
