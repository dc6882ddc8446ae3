//! `sotto session list|close-all`: what a wallet may ask of a facilitator about all its sessions.

use super::{
    Global,
    error::CliError,
    follow::amount,
    output::{json, table},
    payer::{self, FacilitatorChoice, PayerConfig, PayerError, WALLET_FILE},
    runtime,
};
use crate::{client::SessionClient, wire::session::SessionView};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// List every session of a wallet at a facilitator, newest first
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sotto session list --facilitator http://127.0.0.1:4021 --facilitator-address ADDRESS"
)]
pub(super) struct List {
    #[command(flatten)]
    of: WalletAt,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Close every session of a wallet at a facilitator, without their files and keys
///
/// Nothing more is accepted, and what they hold is settled. A session that is still opening can open: ask again then.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sotto session close-all --facilitator http://127.0.0.1:4021 --facilitator-address ADDRESS"
)]
pub(super) struct CloseAll {
    #[command(flatten)]
    of: WalletAt,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A wallet, and the facilitator that is asked about it.
#[derive(Debug, Args)]
struct WalletAt {
    #[command(flatten)]
    facilitator: FacilitatorChoice,
    /// The payer's key pair
    #[arg(long, value_name = "FILE", default_value = WALLET_FILE)]
    key: PathBuf,
}

impl WalletAt {
    async fn client(&self, config: &PayerConfig) -> Result<SessionClient, PayerError> {
        Ok(config.session_client(&self.facilitator).await?.0)
    }
}

impl List {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = PayerConfig::read(global)?;
        let wallet = payer::read_wallet(&self.of.key)?;
        let listed =
            runtime()?.block_on(async { Ok::<_, PayerError>(self.of.client(&config).await?.list(&wallet).await?) })?;
        if self.json {
            return json(&json!({ "sessions": listed }));
        }
        let decimals = Some(config.asset.decimals);
        let row = |view: &SessionView| {
            let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            [
                view.session_id.clone(),
                text(&view.state),
                view.recipient.clone(),
                amount(view.cap.as_deref(), decimals),
                amount(view.captured.as_deref(), decimals),
                amount(view.held.as_deref(), decimals),
                view.expiration_unix.to_string(),
            ]
        };
        let rows = listed.iter().map(|listed| row(&listed.session));
        table(["session", "state", "recipient", "cap", "captured", "held", "expires (Unix seconds)"], rows)
    }
}

impl CloseAll {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = PayerConfig::read(global)?;
        let wallet = payer::read_wallet(&self.of.key)?;
        let closed = runtime()?
            .block_on(async { Ok::<_, PayerError>(self.of.client(&config).await?.close_all(&wallet).await?) })?;
        if self.json {
            return json(&closed);
        }
        let decimals = Some(config.asset.decimals);
        let rows = closed.sessions.iter().map(|closed| {
            let view = &closed.session;
            [
                view.session_id.clone(),
                view.state.clone().unwrap_or_else(|| "-".to_owned()),
                amount(view.captured.as_deref(), decimals),
                amount(view.held.as_deref(), decimals),
                amount(Some(&closed.lost), decimals),
            ]
        });
        table(["session", "state", "captured", "held", "lost"], rows)
    }
}
