//! `sotto mpp onboard|status|leave`: what channels stand on.

use super::{BuyerConfig, BuyerError, ChannelsAt};
use crate::{
    cli::{
        Global,
        error::CliError,
        follow::amount,
        output::{json, say},
        payer::{address, tokens_of},
        runtime,
    },
    client::mpp::OnboardOptions,
    domain::mpp::delegation::Renewal,
};
use clap::Args;
use serde_json::json;
use solana_pubkey::Pubkey;

/// Delegate a spending limit to a facilitator, once, so that channels can be opened without a further transaction
///
/// The wallet signs up to three transactions, each only where it is exactly this grant; the facilitator pays the fees. The money stays in
/// an account of the wallet's own, and the wallet can revoke at any time.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sotto mpp onboard --facilitator http://127.0.0.1:4021 --limit 5 --deposit 2")]
pub(in crate::cli) struct Onboard {
    /// The most that may ever move by the grant, in whole tokens
    #[arg(long, value_name = "TOKENS", default_value = "100")]
    limit: String,
    /// What moves into the account that is granted from, in whole tokens [default: the limit, or all that there is]
    #[arg(long, value_name = "TOKENS")]
    deposit: Option<String>,
    /// For how long, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    ttl: u64,
    /// The only wallet that is ever paid, where the facilitator's program can see to it
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    seller: Option<Pubkey>,
    /// Grant anew although a grant is active
    #[arg(long)]
    renew: bool,
    #[command(flatten)]
    at: ChannelsAt,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Ask the facilitator how the wallet's delegation stands
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sotto mpp status --facilitator http://127.0.0.1:4021")]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    at: ChannelsAt,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Take the delegation back, with everything that is left; the facilitator pays the fee
///
/// Close every channel first. A wallet with SOL can revoke at any time without the facilitator.
#[derive(Debug, Args)]
pub(in crate::cli) struct Leave {
    #[command(flatten)]
    at: ChannelsAt,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Onboard {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = BuyerConfig::read(global)?;
        let (onboarded, token) = runtime()?.block_on(async {
            let (client, token) = self.at.client(&config).await?;
            let options = OnboardOptions {
                spend_limit: tokens_of(&self.limit, token.decimals)?,
                ttl: self.ttl,
                deposit: self.deposit.as_deref().map(|text| tokens_of(text, token.decimals)).transpose()?,
                seller: self.seller,
                renewal: if self.renew { Renewal::Asked } else { Renewal::WhenNeeded },
            };
            let onboarded = client.onboard(&options).await.map_err(BuyerError::Session)?;
            Ok::<_, CliError>((onboarded, token))
        })?;
        let remaining = onboarded.remaining.as_deref().map(|left| amount(Some(left), Some(token.decimals)));
        if self.json {
            return json(&json!({
                "account": onboarded.account,
                "roleId": onboarded.role_id,
                "remaining": remaining,
                "transactions": onboarded.transactions,
            }));
        }
        say(format_args!("account       {}", onboarded.account))?;
        say(format_args!("left to move  {}", remaining.as_deref().unwrap_or("not told")))?;
        if onboarded.transactions.is_empty() {
            say("it was ready already; nothing was signed")?;
        }
        onboarded.transactions.iter().try_for_each(|transaction| say(format_args!("transaction   {transaction}")))
    }
}

impl Status {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = BuyerConfig::read(global)?;
        let (status, token) = runtime()?.block_on(async {
            let (client, token) = self.at.client(&config).await?;
            Ok::<_, CliError>((client.status().await.map_err(BuyerError::Session)?, token))
        })?;
        if self.json {
            return json(&status);
        }
        let units = |text: &Option<String>| amount(text.as_deref(), Some(token.decimals));
        say(format_args!("status        {}", status.status))?;
        say(format_args!("account       {}", status.swig_address.as_deref().unwrap_or("none")))?;
        say(format_args!("limit         {}", units(&status.spend_limit_atomic)))?;
        say(format_args!("left to move  {}", units(&status.spend_limit_remaining)))?;
        say(format_args!("until         {}", status.role_expires_at.as_deref().unwrap_or("-")))
    }
}

impl Leave {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = BuyerConfig::read(global)?;
        let transactions = runtime()?.block_on(async {
            let (client, _) = self.at.client(&config).await?;
            Ok::<_, CliError>(client.leave().await.map_err(BuyerError::Session)?)
        })?;
        if self.json {
            return json(&json!({ "transactions": transactions }));
        }
        say("the delegation is taken back; what was left is in the wallet's own account")?;
        transactions.iter().try_for_each(|transaction| say(format_args!("transaction   {transaction}")))
    }
}
