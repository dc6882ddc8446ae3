//! `sotto mpp open|close|sessions`: the channels of a buyer.

use super::{BuyerConfig, BuyerError, ChannelsAt, tokens};
use crate::{
    cli::{
        Global,
        error::CliError,
        output::{json, say, table},
        payer::{address, tokens_of},
        runtime,
    },
    client::mpp::{BuyerToken, EndedChannel, KnownChannel},
    domain::{
        amount::Amount,
        mpp::{channel_id::PublicId, timestamp},
    },
};
use clap::Args;
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use std::time::Duration;

/// Open a channel to a seller: a ceiling, from which nothing moves until vouchers are settled
///
/// The wallet signs a message and no transaction. Onboard first: the channel stands on that delegation.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sotto mpp open SELLER 1 --facilitator http://127.0.0.1:4021")]
pub(in crate::cli) struct Open {
    /// The seller's wallet; the channel pays nobody else
    #[arg(value_name = "ADDRESS", value_parser = address)]
    seller: Pubkey,
    /// The most that may be paid, in whole tokens
    #[arg(value_name = "TOKENS")]
    deposit: String,
    /// Close it when it lies still for so long, in seconds
    #[arg(long, value_name = "SECONDS")]
    idle_timeout: Option<u64>,
    #[command(flatten)]
    at: ChannelsAt,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Close a channel: what was drawn is settled, the rest of the deposit is free
///
/// Tells the sums, and fails where they are not those of the vouchers that came. A channel that this file does not know is closed by
/// the wallet's signature.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sotto mpp close ch_00112233445566778899aabbccddeeff")]
pub(in crate::cli) struct Close {
    /// The channel's public id
    #[arg(value_name = "CHANNEL")]
    channel: PublicId,
    #[command(flatten)]
    at: ChannelsAt,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// List the channels in the state's file, open and closed
#[derive(Debug, Args)]
pub(in crate::cli) struct Sessions {
    #[command(flatten)]
    at: ChannelsAt,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Open {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = BuyerConfig::read(global)?;
        let (opened, token) = runtime()?.block_on(async {
            let (client, token) = self.at.client(&config).await?;
            let deposit = tokens_of(&self.deposit, token.decimals)?;
            let timeout = self.idle_timeout.map(Duration::from_secs);
            let opened = client.open(self.seller, deposit, timeout).await.map_err(BuyerError::Session)?;
            Ok::<_, CliError>((opened, token))
        })?;
        if self.json {
            return json(&json!({
                "channel": opened.id.to_string(),
                "seller": opened.seller.to_string(),
                "deposit": tokens(opened.deposit, &token),
                "sessionPubkey": opened.session_pubkey.to_string(),
                "expiresAt": time(opened.expires),
                "transaction": opened.transaction,
            }));
        }
        say(format_args!("channel      {}", opened.id))?;
        say(format_args!("seller       {}", opened.seller))?;
        say(format_args!("deposit      {}", tokens(opened.deposit, &token)))?;
        say(format_args!("expires      {}", time(opened.expires)))?;
        say(format_args!("transaction  {}", opened.transaction))
    }
}

impl Close {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = BuyerConfig::read(global)?;
        let (closed, token) = runtime()?.block_on(async {
            let (client, token) = self.at.client(&config).await?;
            let closed = client.close(&self.channel).await.map_err(BuyerError::Session)?;
            Ok::<_, CliError>((closed, token))
        })?;
        if self.json {
            return json(&ended(&closed, &token));
        }
        say(format_args!("channel      {}", closed.id))?;
        say(format_args!("settled      {} to {}", tokens(closed.settled, &token), closed.seller))?;
        say(format_args!("free again   {}", tokens(closed.refunded, &token)))?;
        if closed.shortfall > Amount::ZERO {
            say(format_args!(
                "not paid     {}: the account had less than was drawn",
                tokens(closed.shortfall, &token)
            ))?;
        }
        say(format_args!("vouchers     {}", closed.vouchers))?;
        say(format_args!("transaction  {}", closed.transaction.as_deref().unwrap_or("none: nothing was drawn")))
    }
}

impl Sessions {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = BuyerConfig::read(global)?;
        let (open, closed, token) = runtime()?.block_on(async {
            let (client, token) = self.at.client(&config).await?;
            Ok::<_, CliError>((client.sessions().await, client.ended().await, token))
        })?;
        if self.json {
            let open: Vec<Value> = open.iter().map(|channel| known(channel, &token)).collect();
            let closed: Vec<Value> = closed.iter().map(|channel| ended(channel, &token)).collect();
            return json(&json!({ "open": open, "closed": closed }));
        }
        let row = |channel: &KnownChannel| {
            let sums = [channel.deposit, channel.cumulative].map(|sum| tokens(sum, &token));
            let [deposit, drawn] = sums;
            let until = time(channel.expires);
            [channel.id().to_string(), channel.seller.to_string(), deposit, drawn, channel.sequence.to_string(), until]
        };
        table(["channel", "seller", "deposit", "drawn", "vouchers", "expires"], open.iter().map(row))?;
        if closed.is_empty() {
            return Ok(());
        }
        say("")?;
        let row = |channel: &EndedChannel| {
            let sums = [channel.deposit, channel.settled, channel.shortfall].map(|sum| tokens(sum, &token));
            let [deposit, settled, shortfall] = sums;
            [channel.id.to_string(), channel.seller.to_string(), deposit, settled, shortfall, channel.reason.clone()]
        };
        table(["closed channel", "seller", "deposit", "settled", "not paid", "reason"], closed.iter().map(row))
    }
}

fn time(seconds: u64) -> String {
    timestamp::write(seconds.saturating_mul(1_000))
}

fn known(channel: &KnownChannel, token: &BuyerToken) -> Value {
    json!({
        "channel": channel.id().to_string(),
        "seller": channel.seller.to_string(),
        "deposit": tokens(channel.deposit, token),
        "drawn": tokens(channel.cumulative, token),
        "pending": channel.pending.as_ref().map(|pending| tokens(pending.cumulative, token)),
        "vouchers": channel.sequence,
        "expiresAt": time(channel.expires),
    })
}

fn ended(channel: &EndedChannel, token: &BuyerToken) -> Value {
    json!({
        "channel": channel.id.to_string(),
        "seller": channel.seller.to_string(),
        "deposit": tokens(channel.deposit, token),
        "settled": tokens(channel.settled, token),
        "refunded": tokens(channel.refunded, token),
        "shortfall": tokens(channel.shortfall, token),
        "vouchers": channel.vouchers,
        "transaction": channel.transaction,
        "reason": channel.reason,
    })
}
