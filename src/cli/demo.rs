//! `sotto demo`: payments from the first to the last step in one process, confidential ones and those of the Machine Payments
//! Protocol, and whether they add up.

mod cash;
mod channel;
mod charge;
mod deferred;
mod empty;
mod figures;
mod scene;
mod single;
mod standing;
mod story;
mod trade;

use super::{
    Global,
    dev::new_secret,
    error::CliError,
    keygen::new_pair,
    local_network::LocalTerms,
    localnet::DelegationArg,
    output::{Format, json},
    runtime,
    sandbox::{self, Sandbox, SandboxKeys, SandboxTerms},
};
use crate::{
    client::{LocalKey, Payer},
    domain::{amount::Amount, chance::OsChance},
    localnet::faucet::DEMO_DECIMALS,
    merchant::Price,
};
use clap::Args;
use figures::Figures;
pub(super) use scene::DemoError;
use scene::{Scene, Seller};
use std::time::Duration;
use story::Story;
use tokio::time::Instant;

/// What a call costs, in tokens.
const PRICE: &str = "0.01";
/// What the payer starts with, and the least that the session's cap is, in tokens.
const PURSE: &str = "100";
const LEAST_CAP: &str = "1";

/// Watch payments from the first to the last step, and whether they add up
///
/// Starts a local network with stand-ins for Inco's programs, a facilitator and a merchant in this process, on free
/// ports of this machine only. A payer who has tokens and no SOL opens a session with one signature and pays for each
/// call, settled one by one and then deferred, and once without a session; another keeps sessions with two merchants open under
/// one approve; all sides decrypt their balances. By the Machine Payments Protocol, in plain tokens, a buyer pays one charge, and
/// another draws thousands of vouchers of a channel, which cost two transactions. The exit code is 0 only if every figure adds up.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sotto demo                                        20 payments, a table, the sums\n  \
                  sotto demo --payments 3 --delegation documented   where the delegated amount is lowered\n  \
                  sotto demo --json                                 one object for programs"
)]
pub(super) struct Demo {
    /// How many calls are paid for
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=9_000))]
    payments: u32,
    /// How many vouchers are drawn of the channel
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    vouchers: u32,
    /// What a delegate may move
    #[arg(long, value_enum, default_value_t = DelegationArg::Public)]
    delegation: DelegationArg,
    /// How long a slot takes, in milliseconds; 400 is what Solana aims at
    #[arg(long, value_name = "MS", default_value_t = 400, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    slot_ms: u64,
    /// Print one JSON object; what happens is told on standard error
    #[arg(long)]
    json: bool,
}

impl Demo {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        sandbox::start_logs(global, "warn")?;
        runtime()?.block_on(self.demonstrate(global))
    }

    async fn demonstrate(&self, global: &Global) -> Result<(), CliError> {
        // Removed when this ends, with the ledger in it.
        let state = tempfile::tempdir()?;
        let merchant = LocalKey::generate(&OsChance);
        let terms = SandboxTerms {
            network: LocalTerms::throwaway(self.delegation.into(), Duration::from_millis(self.slot_ms)),
            facilitator_port: 0,
            merchant_port: 0,
            state: state.path().to_owned(),
            keys: SandboxKeys {
                spender: new_pair(&OsChance),
                fees: new_pair(&OsChance),
                receipts: new_pair(&OsChance),
                root: new_secret(),
                challenges: new_secret(),
            },
            merchant: merchant.pubkey(),
            price: Price::decimal(PRICE, DEMO_DECIMALS).map_err(DemoError::from)?,
        };
        let price = terms.price.amount();
        let shop_price = terms.price;
        let mut sandbox = Sandbox::start(terms, global).await?;
        let wallet = LocalKey::generate(&OsChance);
        let origin = sandbox.open_shop(wallet.pubkey(), shop_price).await?;
        let other = Seller { wallet, origin };
        let played = self.play(Scene::set(&sandbox, merchant, price)?, &other).await;
        sandbox.stop().await;
        let figures = played?;
        if self.json {
            json(&figures.to_json())?;
        }
        figures.check().map_err(|contradictions| DemoError::DoesNotAddUp(contradictions).into())
    }

    async fn play(&self, scene: Scene<'_>, other: &Seller) -> Result<Figures, CliError> {
        let story = Story::new(Format::of_switch(self.json));
        let payer = LocalKey::generate(&OsChance);
        scene.give(&payer, tokens(PURSE)?.max(self.needed(&scene)?)).await?;
        story.people(&scene, &payer)?;
        let before = scene.standing(&payer).await?;
        let started = Instant::now();
        let paying = scene.open(&payer, self.cap(&scene)?).await?;
        let opened = scene.totals().await?;
        story.opened(started.elapsed(), self.cap(&scene)?, before.payer)?;
        let calls = self.calls(&scene, &payer, &paying, &story).await?;
        let paid = scene.totals().await?;
        // Reading the balances has them made readable, which costs rent and is told apart.
        let after = scene.standing(&payer).await?;
        let mut figures = Figures::new(self.delegation, scene.price, calls, [before, after], [opened, paid]);
        story.sums(&figures)?;
        figures.once = Some(single::play(&scene, &payer).await?);
        story.once(&figures)?;
        figures.deferred = Some(deferred::play(&scene, &payer, &paying, self.payments).await?);
        story.deferred(&figures)?;
        figures.standing = Some(standing::play(&scene, other, self.payments).await?);
        story.standing(&figures)?;
        figures.empty = Some(empty::play(&scene).await?);
        story.empty(&figures)?;
        figures.charge = Some(charge::play(&scene).await?);
        story.charge(&figures)?;
        figures.channel = Some(channel::play(&scene, self.vouchers).await?);
        story.channel(&figures)?;
        figures.audit = scene.audit().await?;
        story.end(&figures)?;
        Ok(figures)
    }

    async fn calls(
        &self,
        scene: &Scene<'_>,
        wallet: &LocalKey,
        payer: &Payer,
        story: &Story,
    ) -> Result<Vec<scene::Call>, CliError> {
        let mut calls = Vec::new();
        story.calls_begin()?;
        for _ in 0..self.payments {
            let call = scene.call(wallet, payer).await?;
            calls.push(call);
            story.call(&calls)?;
        }
        Ok(calls)
    }

    /// Enough for what the session may spend and for the payment without it.
    fn needed(&self, scene: &Scene<'_>) -> Result<Amount, DemoError> {
        let needed = self.cap(scene)?.get().checked_add(scene.price.get()).and_then(Amount::new);
        Ok(needed.unwrap_or(Amount::MAX))
    }

    /// Enough for all calls, those that are settled one by one and those that are settled later.
    fn cap(&self, scene: &Scene<'_>) -> Result<Amount, DemoError> {
        let needed = Amount::new(2 * scene.price.get() * u64::from(self.payments));
        Ok(needed.unwrap_or(Amount::MAX).max(tokens(LEAST_CAP)?))
    }
}

fn tokens(text: &str) -> Result<Amount, DemoError> {
    Ok(Amount::parse_decimal(text, DEMO_DECIMALS)?)
}
