//! `sotto receipts`: whether the settlements a merchant was told of really moved money to them; `sotto receipts verify` is
//! [`super::verify_receipt`].

use super::{
    Global,
    error::CliError,
    output::{json, say, table},
    payer::{self, PayerConfig, PayerError, address},
    runtime,
    verify_receipt::Verify,
};
use crate::{
    client::LocalKey,
    config::read_text,
    covalidator::RequestSigner,
    domain::amount::Amount,
    merchant::{
        chain::JsonRpc,
        receipts::{ProofError, Question, ReceiptProof, Span, Verdict, prove_receipts},
    },
};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// The deadline of one question to the RPC.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// Prove what your wallet received: hold the growth of its balance against the settlements on chain
///
/// A confidential transfer from an empty balance succeeds and moves zero. Only the receiver can see that: this decrypts
/// your own balance before and after, and tells which settlements moved nothing or less than you were told.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  sotto receipts --key .keys/merchant.json --facilitator-address ADDRESS\n  \
                  sotto receipts --key .keys/merchant.json --facilitator-address ADDRESS --since SIGNATURE \\\n    \
                  --told receipts.jsonl --json\n  \
                  sotto receipts verify paid.json --facilitator https://facilitator.example\n\n\
                  A line of --told is one receipt of the middleware: {\"transaction\": \"...\", \"amount\": \"10000\"}."
)]
pub(super) struct Receipts {
    #[command(subcommand)]
    command: Option<Command>,
    /// The key pair of the wallet that was paid
    #[arg(long, alias = "wallet", value_name = "FILE", required = true)]
    key: Option<PathBuf>,
    /// The facilitator's address (the spender): its transfers are settlements
    #[arg(long, value_name = "ADDRESS", value_parser = address, required = true)]
    facilitator_address: Option<Pubkey>,
    /// Only what came after this transaction
    #[arg(long, value_name = "SIGNATURE", value_parser = signature)]
    since: Option<Signature>,
    /// What you were told you received, one JSON object a line with transaction and amount (base units)
    #[arg(long, value_name = "FILE")]
    told: Option<PathBuf>,
    /// How long to wait for a Covalidator that lags the chain, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    patience: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What else there is to do with receipts.
#[derive(Debug, Subcommand)]
enum Command {
    Verify(Verify),
}

/// Why nothing is proved.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReceiptsError {
    /// The proof.
    #[error("nothing is proved")]
    Proof(#[from] ProofError),
    /// A line of `--told`.
    #[error("line {0} of --told is no receipt with transaction and amount")]
    Told(usize),
    /// Something was told and not received, and the result has already told what.
    #[error("not everything that was told was received")]
    Short,
}

/// The wallet, asking for its own balances.
struct Reader<'a>(&'a LocalKey);

impl RequestSigner for Reader<'_> {
    fn address(&self) -> Pubkey {
        self.0.pubkey()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message)
    }
}

#[derive(Deserialize)]
struct Told {
    transaction: String,
    amount: String,
}

impl Receipts {
    pub(super) fn run(mut self, global: &Global) -> Result<(), CliError> {
        match (self.command.take(), &self.key, self.facilitator_address) {
            (Some(Command::Verify(command)), ..) => command.run(global),
            (None, Some(key), Some(spender)) => self.prove(global, key, spender),
            // The parser asks for both.
            (None, ..) => Ok(()),
        }
    }

    fn prove(&self, global: &Global, key: &Path, spender: Pubkey) -> Result<(), CliError> {
        let config = PayerConfig::read(global)?;
        let wallet = payer::read_wallet(key)?;
        let told = self.told.as_deref().map(read_told).transpose()?;
        let reader = Reader(&wallet);
        let url = config.network.rpc_urls.first().map(|url| url.expose().to_owned()).unwrap_or_default();
        let proof = runtime()?.block_on(async {
            let chain = JsonRpc::new(&url, DEADLINE).map_err(|error| ReceiptsError::Proof(error.into()))?;
            let covalidator = config.covalidator_client()?;
            let question = Question {
                wallet: wallet.pubkey(),
                mint: config.asset.mint,
                spender,
                since: self.since,
                told: told.as_ref(),
                patience: Duration::from_secs(self.patience),
            };
            let proof = prove_receipts(&chain, &covalidator, &reader, &config.programs(), &question).await;
            Ok::<_, CliError>(proof.map_err(ReceiptsError::from)?)
        })?;
        self.tell(&proof, config.asset.decimals)?;
        // Without a list of what was told there is nothing to fail against but transfers of nothing.
        let fails = proof.spans.iter().any(|s| matches!(s.verdict(), Verdict::Short { .. } | Verdict::Nothing));
        if fails || !proof.absent.is_empty() { Err(ReceiptsError::Short.into()) } else { Ok(()) }
    }

    fn tell(&self, proof: &ReceiptProof, decimals: u8) -> Result<(), CliError> {
        if self.json {
            return json(&object(proof));
        }
        table(
            ["settlements", "last transaction", "told", "grew by", "verdict"],
            proof.spans.iter().map(|span| row(span, decimals)),
        )?;
        for signature in &proof.absent {
            say(format_args!("told of {signature}, which is no settlement to this wallet"))?;
        }
        match proof.newest {
            Some(newest) => say(format_args!("go on with --since {newest}")),
            None => say("nothing was received yet"),
        }
    }
}

fn row(span: &Span, decimals: u8) -> [String; 5] {
    let decimal = |units: u128| {
        let amount = u64::try_from(units).ok().and_then(Amount::new);
        amount.map_or_else(|| units.to_string(), |amount| amount.to_decimal(decimals))
    };
    let growth = span.growth.map_or_else(
        || "not readable".to_owned(),
        |growth| format!("{}{}", if growth < 0 { "-" } else { "" }, decimal(growth.unsigned_abs())),
    );
    let verdict = match span.verdict() {
        Verdict::Paid => "paid".to_owned(),
        Verdict::Short { missing } => format!("short by {}", decimal(missing)),
        Verdict::Nothing => "moved nothing".to_owned(),
        Verdict::Grew => "grew".to_owned(),
        Verdict::Open => format!("open: {} other transactions", span.others),
    };
    [
        span.settlements.len().to_string(),
        span.settlements.last().map(|settled| settled.signature.to_string()).unwrap_or_default(),
        span.told().map_or_else(|| "-".to_owned(), decimal),
        growth,
        verdict,
    ]
}

fn object(proof: &ReceiptProof) -> Value {
    let spans: Vec<Value> = proof
        .spans
        .iter()
        .map(|span| {
            let settlements: Vec<Value> = span
                .settlements
                .iter()
                .map(|settled| {
                    json!({
                        "transaction": settled.signature.to_string(),
                        "slot": settled.slot,
                        "told": settled.told.map(|amount| amount.to_string()),
                    })
                })
                .collect();
            let missing = match span.verdict() {
                Verdict::Short { missing } => Some(missing.to_string()),
                Verdict::Nothing => span.told().map(|told| told.to_string()),
                Verdict::Paid | Verdict::Grew | Verdict::Open => None,
            };
            json!({
                "settlements": settlements,
                "others": span.others,
                "told": span.told().map(|told| told.to_string()),
                "growth": span.growth.map(|growth| growth.to_string()),
                "verdict": span.verdict().word(),
                "missing": missing,
            })
        })
        .collect();
    json!({
        "holds": proof.holds(),
        "spans": spans,
        "absent": proof.absent.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "newest": proof.newest.map(|signature| signature.to_string()),
    })
}

/// The sum told for each transaction: payments that came together share one.
fn read_told(path: &Path) -> Result<HashMap<Signature, Amount>, CliError> {
    let text = read_text(path).map_err(|source| PayerError::File { path: path.to_owned(), what: "read", source })?;
    let mut told: HashMap<Signature, Amount> = HashMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = ReceiptsError::Told(number + 1);
        let Ok(Told { transaction, amount }) = serde_json::from_str(line) else { return Err(wrong.into()) };
        let (Ok(signature), Ok(amount)) = (transaction.parse(), Amount::parse(&amount)) else {
            return Err(wrong.into());
        };
        let sum = told.get(&signature).copied().unwrap_or_default().checked_add(amount);
        told.insert(signature, sum.ok_or(wrong)?);
    }
    Ok(told)
}

fn signature(text: &str) -> Result<Signature, String> {
    text.parse().map_err(|_| "it is not a transaction's signature in base58".to_owned())
}
