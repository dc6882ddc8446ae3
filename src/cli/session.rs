//! `sotto session open|show|prove|pay|payments|events|close|list|close-all|revoke`: a payer's session from the command line.

use super::{
    Global,
    error::CliError,
    follow::{Close, Events, Payments, amount, decimals},
    keygen::Existing,
    output::{json, note, say, table},
    payer::{self, FacilitatorChoice, PayerConfig, PayerError, SESSION_FILE, SessionChoice, WALLET_FILE, address},
    runtime,
    session_file::SessionFile,
    session_pay::SessionPay,
    wallet_sessions::{CloseAll, List, Revoke},
};
use crate::{
    client::{
        ApprovalChoice, Grant, LocalKey, OpenOptions, OpenSession, Opening, SessionClient, SessionKeyChoice, show,
    },
    domain::{amount::Amount, clock::SystemClock},
    wire::session::SessionView,
};
use clap::{Args, Subcommand};
use serde_json::json;
use solana_pubkey::Pubkey;
use std::{path::PathBuf, time::Duration};

/// Open a session as a payer, look at it, pay from it, follow it, close it
#[derive(Debug, Subcommand)]
pub(super) enum Session {
    Open(Open),
    Show(Show),
    #[command(visible_alias = "fund")]
    Prove(Prove),
    Pay(SessionPay),
    Payments(Payments),
    Events(Events),
    Close(Close),
    List(List),
    CloseAll(CloseAll),
    Revoke(Revoke),
}

/// Open a session: the wallet signs once, and payments need no further signature of it
///
/// Approves an encrypted amount to the facilitator and keeps the session with its session key in a file that only you
/// can read. Nobody but the facilitator that you name is ever delegated to. With `--approved` further sessions open on the same
/// approve (`--standing`): from then on whoever gets a signature of the wallet under a message can spend what is left of it, until
/// it is revoked.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[command(
    after_help = "Example:\n  sotto session open --facilitator http://127.0.0.1:4021 --facilitator-address ADDRESS \\\n    \
                  --recipient MERCHANT --cap 5 --origin http://127.0.0.1:4022"
)]
pub(super) struct Open {
    #[command(flatten)]
    facilitator: FacilitatorChoice,
    /// The payer's key pair
    #[arg(long, value_name = "FILE", default_value = WALLET_FILE)]
    key: PathBuf,
    /// The wallet to be paid; the session pays nobody else
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    recipient: Pubkey,
    /// The most that may be spent, in whole tokens
    #[arg(long, value_name = "TOKENS")]
    cap: String,
    /// How long payments are accepted, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    lifetime: u64,
    /// What to approve on chain so that other sessions of this asset stay open, in whole tokens
    #[arg(long, value_name = "TOKENS")]
    approve_total: Option<String>,
    /// Approve so many whole tokens in all, so that further sessions open with `--standing`; with `--standing`, what was approved
    #[arg(long, value_name = "TOKENS", conflicts_with = "approve_total")]
    approved: Option<String>,
    /// Open on the approve that stands already: the wallet signs messages and no transaction
    #[arg(long, conflicts_with = "approve_total")]
    standing: bool,
    /// A merchant's origin (scheme, host and port) that may be paid; may be repeated
    #[arg(long, value_name = "URL")]
    origin: Vec<String>,
    /// Make no session key: whoever learns the session's id can then pay with it, and its merchant learns about the balance
    /// from what is refused
    #[arg(long)]
    no_session_key: bool,
    /// Do not prove the wallet's balance; the facilitator learns it otherwise, and payments count as proven
    #[arg(long)]
    no_funding_proof: bool,
    /// Ask the facilitator for 2000000 lamports whatever the wallet has, as published clients do; without it, for what the
    /// wallet lacks
    #[arg(long)]
    ask_grant: bool,
    /// Ask no Solana RPC: what the approve needs of the chain is the facilitator's word, and a false one makes it fail. Proves no
    /// balance and creates no token account; without it the RPC is asked for what the facilitator does not tell
    #[arg(long)]
    no_rpc: bool,
    /// How long to wait for the session to open, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
    /// The file to keep the session in
    #[arg(long, value_name = "FILE", default_value = SESSION_FILE)]
    out: PathBuf,
    /// Replace the file if it is there, and set an opening aside that was sent and not ended
    #[arg(long)]
    force: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Tell where a session stands and what is left of it
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    session: SessionChoice,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Session {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        match self {
            Self::Open(command) => command.run(global),
            Self::Show(command) => command.run(global),
            Self::Prove(command) => command.run(global),
            Self::Pay(command) => command.run(global),
            Self::Payments(command) => command.run(global),
            Self::Events(command) => command.run(global),
            Self::Close(command) => command.run(global),
            Self::List(command) => command.run(global),
            Self::CloseAll(command) => command.run(global),
            Self::Revoke(command) => command.run(global),
        }
    }
}

impl Open {
    fn run(self, global: &Global) -> Result<(), CliError> {
        let config = PayerConfig::read(global)?;
        let options = self.options(config.asset.decimals)?;
        let wallet = payer::read_wallet(&self.key)?;
        let (mut file, unfinished) = SessionFile::reserve(&self.out, Existing::of_switch(self.force))?;
        if let Some(what) = unfinished.as_ref().and_then(|opening| self.difference(opening, &wallet, &options)) {
            file.leave();
            return Err(PayerError::AnotherOpening { path: self.out.clone(), what }.into());
        }
        let mut is_sent = unfinished.is_some();
        let opened = runtime()?.block_on(async {
            let client = self.client(&config).await?;
            let opening = if let Some(opening) = unfinished {
                note(&"an opening into this file was sent and not ended; going on with it");
                opening
            } else {
                let approval = self.approval(&client, &wallet, options.approval).await?;
                client.prepare(&wallet, &OpenOptions { approval, ..options.clone() }).await?
            };
            file.keep(&opening)?;
            is_sent = true;
            let session = client.finish(opening, options.patience).await?;
            // The session is open whether or not it can be shown.
            let view = client.show(&session).await.ok();
            Ok::<_, PayerError>((session, view))
        });
        match opened {
            Ok((session, view)) => {
                file.write(&session)?;
                self.tell(&session, view.and_then(|view| view.funding), config.asset.decimals)
            }
            Err(error) if is_sent && !error.is_final() => {
                file.leave();
                Err(PayerError::UnfinishedOpening { path: self.out, source: Box::new(error) }.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// In what an opening that was not ended differs from the one that is asked for now.
    fn difference(&self, opening: &Opening, wallet: &LocalKey, options: &OpenOptions) -> Option<&'static str> {
        let differences = [
            (opening.user() != wallet.pubkey(), "wallet"),
            (opening.recipient() != options.recipient, "recipient"),
            (opening.cap() != options.cap, "cap"),
            (self.approved.is_some() && opening.approved() != options.approval.total(), "total that is approved"),
            (opening.facilitator() != self.facilitator.url(), "facilitator"),
            (opening.origins() != options.origins, "origin"),
            (opening.has_session_key() == self.no_session_key, "choice of a session key"),
        ];
        differences.into_iter().find_map(|(differs, what)| differs.then_some(what))
    }

    /// Which approve the session takes from: with `--standing` the one that the facilitator has for this wallet.
    async fn approval(
        &self,
        client: &SessionClient,
        wallet: &LocalKey,
        chosen: ApprovalChoice,
    ) -> Result<ApprovalChoice, PayerError> {
        if !self.standing {
            return Ok(chosen);
        }
        let standing = client.standing_approval(wallet).await?.ok_or(PayerError::NothingStands)?.approval;
        let told = standing.approved.as_deref().and_then(|units| Amount::parse(units).ok());
        let total = chosen.total().or(told).ok_or(PayerError::NothingStands)?;
        let signature = standing.signature.parse().map_err(|_| PayerError::NothingStands)?;
        Ok(ApprovalChoice::Standing { signature, total })
    }

    async fn client(&self, config: &PayerConfig) -> Result<SessionClient, PayerError> {
        if self.no_rpc {
            return config.client_without_rpc(&self.facilitator);
        }
        let (client, rpc) = config.session_client(&self.facilitator).await?;
        Ok(if self.no_funding_proof { client } else { client.proving(config.prover(rpc)?) })
    }

    fn options(&self, decimals: u8) -> Result<OpenOptions, CliError> {
        let tokens = |text: &String| payer::tokens_of(text, decimals);
        Ok(OpenOptions {
            session_key: if self.no_session_key { SessionKeyChoice::None } else { SessionKeyChoice::Generate },
            grant: if self.ask_grant { Grant::Always } else { Grant::WhenNeeded },
            approve_total: self.approve_total.as_ref().map(tokens).transpose()?,
            approval: self
                .approved
                .as_ref()
                .map(tokens)
                .transpose()?
                .map_or(ApprovalChoice::Own, ApprovalChoice::Total),
            origins: self.origin.clone(),
            patience: Duration::from_secs(self.patience),
            ..OpenOptions::new(self.recipient, tokens(&self.cap)?, Duration::from_secs(self.lifetime))
        })
    }

    fn tell(&self, session: &OpenSession, funding: Option<String>, decimals: u8) -> Result<(), CliError> {
        let (id, cap) = (session.id.to_string(), session.cap.map(|cap| cap.to_decimal(decimals)));
        let path = self.out.display().to_string();
        if self.json {
            return json(&json!({
                "sessionId": id,
                "user": session.user.to_string(),
                "recipient": session.recipient.to_string(),
                "spender": session.spender.to_string(),
                "cap": cap,
                "expirationUnix": session.expires_at,
                "funding": funding,
                "file": path,
            }));
        }
        let (cap, funding) = (cap.unwrap_or_default(), funding.unwrap_or_else(|| "not told".to_owned()));
        for line in [("session", id), ("cap", cap), ("funding", funding), ("kept in", path)] {
            say(format_args!("{:<8} {}", line.0, line.1))?;
        }
        Ok(())
    }
}

impl Show {
    fn run(self, global: &Global) -> Result<(), CliError> {
        global.start_logs()?;
        let session = payer::read_session(self.session.path())?;
        let view = runtime()?.block_on(show(&session, &SystemClock)).map_err(PayerError::from)?;
        if self.json {
            return json(&view);
        }
        tell(&view, decimals(global, &session)?)
    }
}

/// Prove the wallet's balance to the facilitator, so that the session counts as funded
///
/// Decrypts the balance with the wallet's own right and sends the Covalidator's attestation. The facilitator learns the
/// balance by it. A debit by the wallet itself makes the proof void; prove again after it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sotto session prove --session .keys/session.json --key .keys/payer.json")]
pub(super) struct Prove {
    #[command(flatten)]
    session: SessionChoice,
    /// The payer's key pair
    #[arg(long, value_name = "FILE", default_value = WALLET_FILE)]
    key: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Prove {
    fn run(self, global: &Global) -> Result<(), CliError> {
        let config = PayerConfig::read(global)?;
        let session = payer::read_session(self.session.path())?;
        let wallet = payer::read_wallet(&self.key)?;
        let view = runtime()?.block_on(async {
            let (rpc, _) = config.connect().await?;
            Ok::<_, PayerError>(config.prover(rpc)?.prove(&session, &wallet).await?)
        })?;
        if self.json {
            return json(&json!({ "sessionId": view.session_id, "funding": view.funding }));
        }
        say(format_args!("funding  {}", view.funding.as_deref().unwrap_or("not told")))
    }
}

/// Amounts in whole tokens where the decimals are known, else in base units.
fn tell(view: &SessionView, decimals: Option<u8>) -> Result<(), CliError> {
    let amount = |units: &Option<String>| amount(units.as_deref(), decimals);
    let plain = |text: &Option<String>| text.clone().unwrap_or_else(|| "not told".to_owned());
    let rows = [
        ("session", view.session_id.clone()),
        ("state", plain(&view.state)),
        ("recipient", view.recipient.clone()),
        ("cap", amount(&view.cap)),
        ("captured", amount(&view.captured)),
        ("held", amount(&view.held)),
        ("remaining", amount(&view.remaining)),
        ("expires", format!("{} (Unix seconds)", view.expiration_unix)),
        ("funding", plain(&view.funding)),
    ];
    table(["what", "value"], rows.map(|(what, value)| [what.to_owned(), value]))
}
