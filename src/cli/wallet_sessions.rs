//! `sotto session list|close-all|revoke`: what a wallet may ask of a facilitator about all its sessions, and the end of its delegation.

use super::{
    Global,
    error::CliError,
    follow::{amount, tell_what_stands},
    output::{json, say, table},
    payer::{self, FacilitatorChoice, PayerConfig, PayerError, WALLET_FILE},
    runtime,
};
use crate::{
    client::{Delegation, SessionClient, WalletList},
    wire::session::{ListedApproval, SessionView},
};
use clap::Args;
use serde_json::json;
use std::{path::PathBuf, time::Duration};

/// How long to wait for a revoke to land.
const REVOKED_WITHIN: Duration = Duration::from_mins(1);

/// List every session of a wallet at a facilitator, newest first, and tell whether it may still spend
///
/// What the wallet approved on chain stands until it is revoked or replaced there, whatever sessions have ended.
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
/// Nothing more is accepted, and what they hold is settled. A session that is still opening can open: ask again then. What the
/// wallet approved on chain stands until `sotto session revoke`.
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
        let (listed, delegation) = runtime()?.block_on(async {
            let client = self.of.client(&config).await?;
            // The list is told whether or not the chain answers.
            Ok::<_, PayerError>((client.list(&wallet).await?, client.delegation(&wallet.pubkey()).await.ok()))
        })?;
        let WalletList { sessions: listed, approvals } = listed;
        if self.json {
            let delegation = delegation.map(Delegation::word);
            return json(&json!({ "sessions": listed, "approvals": approvals, "delegation": delegation }));
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
        table(["session", "state", "recipient", "cap", "captured", "held", "expires (Unix seconds)"], rows)?;
        // What the chain shows is of this asset alone.
        let shown = |listed: &ListedApproval| delegation.filter(|_| listed.asset == config.asset.mint.to_string());
        tell_approvals(approvals.iter().map(|listed| (listed, shown(listed))), decimals)?;
        say("")?;
        say(format_args!("on chain, {}", standing(delegation)))
    }
}

/// What stands on chain, in words.
fn standing(delegation: Option<Delegation>) -> String {
    match delegation {
        None => "it is not known who may spend from this wallet's account".to_owned(),
        Some(Delegation::Nobody) => "nobody may spend from this wallet's account".to_owned(),
        Some(Delegation::Facilitator) => {
            "this facilitator may spend from this wallet's account until it is revoked (`sotto session revoke`)"
                .to_owned()
        }
        Some(Delegation::Other(delegate)) => format!("{delegate} may spend from this wallet's account"),
    }
}

/// Tells what the facilitator says that stands on chain, with sessions or without: an approve has no end there but the next one or a
/// revoke. It may hear of a revoke that the wallet sent alone later than the chain shows it.
fn tell_approvals<'a>(
    approvals: impl Iterator<Item = (&'a ListedApproval, Option<Delegation>)>,
    decimals: Option<u8>,
) -> Result<(), CliError> {
    for (ListedApproval { approval, sessions, .. }, delegation) in approvals {
        let approved = amount(approval.approved.as_deref(), decimals);
        let free = amount(Some(&approval.free), decimals);
        let what = advice(delegation, *sessions);
        say(format_args!(
            "approve  {}  of {approved}, {free} free, {sessions} live session(s)  {what}",
            approval.signature
        ))?;
    }
    Ok(())
}

/// What is to be done about an approve: nothing where the account does not delegate to the facilitator any more.
const fn advice(delegation: Option<Delegation>, sessions: u64) -> &'static str {
    match (delegation, sessions) {
        (Some(Delegation::Nobody | Delegation::Other(_)), _) => "on chain it stands no more",
        (Some(Delegation::Facilitator) | None, 0) => "no session takes from it; `sotto session revoke` takes it back",
        (Some(Delegation::Facilitator) | None, _) => "",
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
        table(["session", "state", "captured", "held", "lost"], rows)?;
        tell_what_stands(closed.revoke.as_ref());
        Ok(())
    }
}

/// Take back what a wallet approved to a facilitator, which pays the fee
///
/// Only when no session of the wallet is live and nothing is held; at most once a day. The wallet signs twice: the request, and its
/// own revoke, which is checked before it is signed. A wallet with SOL revokes at any time without the facilitator.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sotto session revoke --facilitator http://127.0.0.1:4021 --facilitator-address ADDRESS"
)]
pub(super) struct Revoke {
    #[command(flatten)]
    of: WalletAt,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Revoke {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = PayerConfig::read(global)?;
        let wallet = payer::read_wallet(&self.of.key)?;
        let revoked = runtime()?.block_on(async {
            let client = self.of.client(&config).await?;
            client.revoke(&wallet, REVOKED_WITHIN).await.map_err(PayerError::Revoke)
        })?;
        if self.json {
            return json(&revoked);
        }
        say(format_args!("revoked      {}", revoked.user))?;
        say(format_args!("transaction  {}", revoked.transaction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The facilitator may hear later than the chain shows that a wallet has revoked by itself.
    #[test]
    fn nobody_is_told_to_take_back_what_is_taken_back() {
        for delegation in [Delegation::Nobody, Delegation::Other(solana_pubkey::Pubkey::default())] {
            assert_eq!(advice(Some(delegation), 0), "on chain it stands no more");
        }
        for delegation in [Some(Delegation::Facilitator), None] {
            assert!(advice(delegation, 0).contains("`sotto session revoke` takes it back"));
            assert_eq!(advice(delegation, 1), "");
        }
    }
}
