//! What a developer is told when everything is up: addresses, URLs, and the commands that pay.

use super::{
    PRICE,
    people::{PAYER_FILE, People},
};
use crate::{
    cli::{
        error::CliError,
        output::{Format, json, say_lines},
        sandbox::Sandbox,
        shop,
    },
    domain::signed_receipt::ReceiptKey,
};
use serde_json::json;
use std::path::Path;

/// Tells it; `config` is the file for other commands, in the state directory.
pub(super) fn tell(sandbox: &Sandbox, people: &People, config: &Path, format: Format) -> Result<(), CliError> {
    let state = config.parent().unwrap_or(config);
    if format == Format::Json {
        return for_programs(sandbox, people, config, state);
    }
    who_is_up(sandbox, people, config, state)?;
    how_to_pay(sandbox, people, config, state)?;
    how_to_buy(sandbox, people, config, state)
}

fn for_programs(sandbox: &Sandbox, people: &People, config: &Path, state: &Path) -> Result<(), CliError> {
    json(&json!({
        "facilitator": sandbox.facilitator,
        "merchant": sandbox.merchant,
        "paidRoute": sandbox.paid_route(),
        "mppChargeRoute": sandbox.charge_route(),
        "mppStreamRoute": sandbox.stream_route(),
        "rpc": sandbox.network.rpc_url(),
        "spender": people.keys.spender.public().to_string(),
        "mppFeePayer": people.keys.fees.public().to_string(),
        "recipient": people.merchant.public().to_string(),
        "payer": people.payer.public().to_string(),
        "payerKey": state.join(PAYER_FILE).display().to_string(),
        "receiptKey": ReceiptKey::current(people.keys.receipts.public()).id(),
        "mint": sandbox.config.asset.mint.to_string(),
        "mppMint": sandbox.network.cash_mint().to_string(),
        "config": config.display().to_string(),
    }))
}

fn who_is_up(sandbox: &Sandbox, people: &People, config: &Path, state: &Path) -> Result<(), CliError> {
    let purse = if sandbox.network.is_new() { "1000 tokens, 1000 cash and no SOL" } else { "what it had" };
    say_lines(format_args!(
        "A network with stand-ins for Inco's programs, a facilitator and a merchant are up; ctrl-c stops them.\n\n  \
         facilitator  {}   spender {}\n  \
         merchant     {}   paid to {}\n  \
         payer        {purse}, {}\n  \
         Solana RPC   {}\n  \
         keys         {}/\n  \
         config       {}\n",
        sandbox.facilitator,
        people.keys.spender.public(),
        sandbox.merchant,
        people.merchant.public(),
        people.payer.public(),
        sandbox.network.rpc_url(),
        state.display(),
        config.display(),
    ))
}

/// By x402, from a session.
fn how_to_pay(sandbox: &Sandbox, people: &People, config: &Path, state: &Path) -> Result<(), CliError> {
    let (route, config, state) = (sandbox.paid_route(), config.display(), state.display());
    say_lines(format_args!(
        "What the merchant answers to somebody who does not pay:\n\n  \
         curl -i {route}\n\n\
         Open a session (one signature), pay for a call, and see what is left:\n\n  \
         sotto --config {config} session open --facilitator {} --facilitator-address {} \\\n    \
         --key {state}/{PAYER_FILE} --recipient {} --cap 1 --origin {} --out {state}/session.json --force\n  \
         sotto --config {config} session pay {route} --session {state}/session.json --max-price {PRICE}\n  \
         sotto --config {config} balance --refresh --session {state}/session.json --key {state}/{PAYER_FILE}\n",
        sandbox.facilitator,
        people.keys.spender.public(),
        people.merchant.public(),
        sandbox.merchant,
    ))
}

/// By the Machine Payments Protocol, in cash.
fn how_to_buy(sandbox: &Sandbox, people: &People, config: &Path, state: &Path) -> Result<(), CliError> {
    let (config, state) = (config.display(), state.display());
    let wallet = format!("--key {state}/{PAYER_FILE} --mint {}", sandbox.network.cash_mint());
    // Channels of one network are none on another.
    let channels = format!("{wallet} --state {state}/mpp-{:.8}.json", sandbox.network.genesis_hash());
    say_lines(format_args!(
        "By the Machine Payments Protocol, in plain tokens: a call for one charge,\n\n  \
         sotto --config {config} mpp charge {} --max-price {} \\\n    {wallet}\n\n\
         and a stream by vouchers of a channel: grant once, open, pay as often as you like, and close the CHANNEL that open told:\n\n  \
         sotto --config {config} mpp onboard --facilitator {} --limit 5 --deposit 2 \\\n    {channels}\n  \
         sotto --config {config} mpp open {} 1 \\\n    {channels}\n  \
         sotto --config {config} mpp pay {} --max-price {} \\\n    {channels}\n  \
         sotto --config {config} mpp close CHANNEL \\\n    {channels}\n",
        sandbox.charge_route(),
        shop::CHARGE_PRICE,
        sandbox.facilitator,
        people.merchant.public(),
        sandbox.stream_route(),
        shop::VOUCHER_PRICE,
    ))
}
