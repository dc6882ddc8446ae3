//! `sotto balance`: a wallet's confidential balances, decrypted by the Covalidator for its owner only.

use super::{
    Global,
    error::CliError,
    output::{json, say, table},
    payer::{self, PayerConfig, PayerError, SESSION_FILE, WALLET_FILE, address},
    runtime,
};
use crate::{
    client::{self, LocalKey},
    domain::{clock::SystemClock, session::SessionId},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use std::{ops::ControlFlow, path::PathBuf, time::Duration};

/// Decrypt the balances of your wallet
///
/// Signs the request with the wallet, asks the Covalidator, and checks its attestation against the configured key.
/// Nothing is sent to the chain by you: with --refresh the facilitator is asked to.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[command(after_help = "Examples:\n  sotto balance                          of asset.mint\n  \
                  sotto balance --mint MINT --mint MINT  of several tokens\n  \
                  sotto balance --watch                  again whenever it changes, until ctrl-c\n  \
                  sotto balance --refresh                have it made readable if it is not\n  \
                  sotto balance --key merchant.json --refresh --session-id ID --facilitator URL")]
pub(super) struct Balance {
    /// The wallet's key pair
    #[arg(long, value_name = "FILE", default_value = WALLET_FILE)]
    key: PathBuf,
    /// A token's mint, instead of asset.mint; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    mint: Vec<Pubkey>,
    /// How long to wait for a Covalidator that lags the chain, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    patience: u64,
    /// Tell the balance again whenever it changes, until ctrl-c; one token only
    #[arg(long)]
    watch: bool,
    /// Also print an Ed25519 instruction with which a program can check the attestation on chain
    #[arg(long, requires = "json")]
    instruction: bool,
    /// Have the facilitator make the balance readable when it is not, in the name of a session of this wallet
    #[arg(long, conflicts_with_all = ["watch", "mint"])]
    refresh: bool,
    /// The file of that session
    #[arg(long, value_name = "FILE", default_value = SESSION_FILE)]
    session: PathBuf,
    /// The id of that session instead, as a merchant knows it
    #[arg(long, value_name = "ID", requires = "refresh", requires = "facilitator")]
    session_id: Option<SessionId>,
    /// The facilitator that has the session with this id
    #[arg(long, value_name = "URL", requires = "session_id")]
    facilitator: Option<String>,
    /// Print one JSON object (with --watch one a change)
    #[arg(long)]
    json: bool,
}

impl Balance {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = PayerConfig::read(global)?;
        let wallet = payer::read_wallet(&self.key)?;
        let mints = if self.mint.is_empty() { vec![config.asset.mint] } else { self.mint.clone() };
        let runtime = runtime()?;
        if self.watch {
            return runtime.block_on(self.watch(&config, &wallet, mints.first().unwrap_or(&config.asset.mint)));
        }
        let balances = runtime.block_on(self.read(&config, &wallet, &mints))?;
        self.tell(&config, &wallet, &balances)
    }

    async fn read(
        &self,
        config: &PayerConfig,
        wallet: &LocalKey,
        mints: &[Pubkey],
    ) -> Result<Vec<(Pubkey, client::Balance)>, PayerError> {
        let (rpc, _) = config.connect().await?;
        let reader = config.balances(rpc)?;
        let patience = Duration::from_secs(self.patience);
        let mut balances = Vec::new();
        for mint in mints {
            let mut balance = reader.read(wallet, mint, patience).await?;
            if self.refresh && matches!(balance, client::Balance::NoDecryptAllowance { .. }) {
                self.make_readable(wallet).await?;
                balance = reader.read(wallet, mint, patience).await?;
            }
            balances.push((*mint, balance));
        }
        Ok(balances)
    }

    async fn make_readable(&self, wallet: &LocalKey) -> Result<(), PayerError> {
        let (facilitator, session) = if let (Some(facilitator), Some(id)) = (&self.facilitator, self.session_id) {
            (facilitator.clone(), id)
        } else {
            let session = payer::read_session(&self.session)?;
            (session.facilitator, session.id)
        };
        client::make_readable(&facilitator, session, wallet, &SystemClock).await?;
        Ok(())
    }

    /// Until ctrl-c, or until nobody reads any more.
    async fn watch(&self, config: &PayerConfig, wallet: &LocalKey, mint: &Pubkey) -> Result<(), CliError> {
        let mut stop = super::stop::Stop::listen()?;
        let (rpc, _) = config.connect().await?;
        let reader = config.balances(rpc)?;
        let mut told = Ok(());
        let watching = reader.watch(wallet, mint, Duration::from_secs(1), |balance| {
            told = self.tell_one(config, mint, &balance);
            if told.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let watched = tokio::select! {
            watched = watching => Some(watched),
            asked = stop.asked() => { asked?; None }
        };
        watched.transpose().map_err(PayerError::from)?;
        told
    }

    fn tell_one(&self, config: &PayerConfig, mint: &Pubkey, balance: &client::Balance) -> Result<(), CliError> {
        if self.json {
            return say(self.object(config, mint, balance));
        }
        let [_, value, remark] = row(mint, balance);
        say(format_args!("{value}  {remark}").to_string().trim_end())
    }

    fn tell(
        &self,
        config: &PayerConfig,
        wallet: &LocalKey,
        balances: &[(Pubkey, client::Balance)],
    ) -> Result<(), CliError> {
        if self.json {
            let balances: Vec<_> = balances.iter().map(|(mint, balance)| self.object(config, mint, balance)).collect();
            return json(&json!({ "wallet": wallet.pubkey().to_string(), "balances": balances }));
        }
        table(["mint", "balance", ""], balances.iter().map(|(mint, balance)| row(mint, balance)))
    }

    fn object(&self, config: &PayerConfig, mint: &Pubkey, balance: &client::Balance) -> Value {
        let mut object = json!({ "mint": mint.to_string(), "state": state(balance) });
        if let client::Balance::Value(holding) = balance {
            object["account"] = json!(holding.account.to_string());
            object["baseUnits"] = json!(holding.attested.plaintext.to_string());
            object["amount"] = json!(holding.decimal());
            object["decimals"] = json!(holding.decimals);
            object["frozen"] = json!(holding.frozen);
            object["handle"] = json!(holding.attested.handle.to_string());
            object["attestation"] = json!(bs58::encode(holding.attested.signature).into_string());
            if self.instruction {
                let instruction = holding.instruction(&config.covalidator.attestation_key);
                object["instruction"] = json!({
                    "programId": instruction.program_id.to_string(),
                    "accounts": [],
                    "bytes": STANDARD.encode(instruction.data),
                });
            }
        }
        object
    }
}

const fn state(balance: &client::Balance) -> &'static str {
    match balance {
        client::Balance::NoAccount => "no_account",
        client::Balance::Empty => "empty",
        client::Balance::NoDecryptAllowance { .. } => "no_decrypt_allowance",
        client::Balance::CovalidatorBehind { .. } => "covalidator_behind",
        client::Balance::Value(_) => "decrypted",
    }
}

fn row(mint: &Pubkey, balance: &client::Balance) -> [String; 3] {
    let (value, remark) = match balance {
        client::Balance::NoAccount => ("-".to_owned(), "no account of this token yet"),
        client::Balance::Empty => ("0".to_owned(), "the account has never held anything"),
        client::Balance::NoDecryptAllowance { .. } => {
            ("?".to_owned(), "no decrypt allowance: mint or receive once, or ask with --refresh")
        }
        client::Balance::CovalidatorBehind { .. } => ("?".to_owned(), "the Covalidator is behind the chain; try again"),
        client::Balance::Value(holding) => (holding.decimal(), if holding.frozen { "frozen" } else { "" }),
    };
    [mint.to_string(), value, remark.to_owned()]
}
