//! `sotto receipts verify`: whether a signed receipt may be believed, and whether its transaction stands.

use super::{
    Global,
    error::CliError,
    output::{json, say},
    payer::{PayerConfig, PayerError, address},
    receipts::DEADLINE,
    runtime,
};
use crate::{
    config::read_text,
    merchant::{
        AnswerReceiptFault, FacilitatorClient, FacilitatorFault, ReceiptKey, ReceiptStatement,
        chain::{Deed, JsonRpc, Landing, ReadError, ReceiptChain as _},
        facilitator::SetupError,
        verify_answer,
    },
    programs::Programs,
    wire::{
        facilitator::SettleAnswer,
        header::{self, HeaderError},
        json::{self as strict, JsonError},
    },
};
use clap::{ArgGroup, Args};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use std::{
    io::{Read as _, stdin},
    path::{Path, PathBuf},
};

/// The longest input that is read, in bytes.
const MAX_INPUT: u64 = 64 * 1024;
/// How far the facilitator's clock and the chain's may be apart, in seconds.
const MAX_CLOCK_DIFFERENCE: u64 = 300;

/// Verify a signed receipt: who signed it, for which payer and URL, and that its transaction is final
///
/// Reads a receipt, the answer or `PAYMENT-RESPONSE` header that it came in, or what `sotto session pay --json` printed. The
/// facilitator's receipt key is what you name, or what the facilitator tells over TLS or from this machine; never the one in
/// the receipt. Exit code 0 means: signed by that key, as expected, and final on chain, as a transfer out of the payer's account that
/// is no younger than the receipt (or signed and not asked, with --offline).
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("believed").required(true).multiple(true),
    after_help = "Examples:\n  sotto receipts verify paid.json --facilitator https://facilitator.example\n  \
                  sotto receipts verify paid.json --receipt-key did:key:z6Mk... --resource https://shop.example/weather"
)]
pub(super) struct Verify {
    /// The file; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// A key that receipts are believed under: a did:key, or base58; may be repeated
    #[arg(long, value_name = "KEY", value_parser = receipt_key, group = "believed")]
    receipt_key: Vec<Pubkey>,
    /// The facilitator: it tells its receipt keys, where none is named, and what became of a payment whose transaction is gone
    #[arg(long, value_name = "URL", group = "believed")]
    facilitator: Option<String>,
    /// The URL that it has to be of
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
    /// The payer that it has to be of
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    payer: Option<Pubkey>,
    /// Do not ask the chain
    #[arg(long)]
    offline: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Why a receipt is not verified.
#[derive(Debug, thiserror::Error)]
pub(super) enum VerifyError {
    /// Longer than any receipt.
    #[error("the input is longer than {MAX_INPUT} bytes, so it is no receipt")]
    TooLong,
    /// The input is no JSON that we read.
    #[error("the input is neither a receipt nor an answer that has one")]
    NotJson(#[from] JsonError),
    /// The input is another object.
    #[error("the input is no answer of /settle")]
    NotAnAnswer(#[source] serde_json::Error),
    /// The input is no header.
    #[error("the input is neither a receipt nor a PAYMENT-RESPONSE header")]
    NotAHeader(#[from] HeaderError),
    /// The receipt itself.
    #[error("the receipt is not believed")]
    Receipt(#[from] AnswerReceiptFault),
    /// It is a receipt of something else.
    #[error("the receipt is of another {0} than you expect")]
    Unexpected(&'static str),
    /// Keys that anybody on the way could have written.
    #[error("the receipt keys of {0} would come over an unprotected connection; name the key with --receipt-key")]
    Unprotected(String),
    /// The facilitator's client.
    #[error("the facilitator cannot be asked")]
    Setup(#[from] SetupError),
    /// The facilitator.
    #[error("the facilitator does not tell its receipt keys")]
    Facilitator(#[from] FacilitatorFault),
    /// The chain.
    #[error("the chain cannot be asked for the transaction")]
    Chain(#[from] ReadError),
    /// The node knows that the transaction landed, and not what it did.
    #[error("the chain's node does not have the receipt's transaction any more; name another one in network.rpc_urls")]
    NotKept,
    /// It is somebody else's transfer.
    #[error("the receipt's transaction takes nothing from the account of the payer that it names")]
    AnotherPayer,
    /// The key may have been retired since, and leaked.
    #[error(
        "the receipt says that its payment landed at {issued_at}, and its transaction's block was made at {block_time}: it is back-dated"
    )]
    BackDated {
        /// What the receipt says, Unix seconds.
        issued_at: u64,
        /// What the chain says, Unix seconds.
        block_time: u64,
    },
    /// The transaction does not stand, or not yet, and the result has already told how.
    #[error("the receipt is the facilitator's, and its transaction is not final")]
    NotFinal,
}

/// What was given to verify.
enum Given {
    /// The receipt alone.
    Receipt(String),
    /// An answer that has one.
    Answer(Box<SettleAnswer>),
}

/// What the chain has of the receipt's transaction; and, where it does not stand, which one the facilitator names by now.
struct Standing {
    landing: Landing,
    newer: Option<(String, String)>,
}

impl Verify {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = PayerConfig::read(global)?;
        let given = read_given(&read_input(&self.file)?)?;
        let facilitator = self.facilitator.as_deref().map(FacilitatorClient::new).transpose();
        let facilitator = facilitator.map_err(VerifyError::from)?;
        let rpc = config.network.rpc_urls.first().map(|url| url.expose().to_owned()).unwrap_or_default();
        let (programs, mint) = (config.programs(), config.asset.mint);
        let (statement, standing) = runtime()?.block_on(async {
            let keys = self.keys(facilitator.as_ref()).await?;
            let statement = self.check(&given, &keys)?;
            if self.offline {
                return Ok((statement, None));
            }
            let node = JsonRpc::new(&rpc, DEADLINE)?;
            let standing = standing(&node, facilitator.as_ref(), &given, &statement).await?;
            if matches!(standing.landing, Landing::Landed | Landing::Final) {
                let deed = node.deed(&statement.transaction).await?.ok_or(VerifyError::NotKept)?;
                compare(&statement, &deed, &programs, &mint)?;
            }
            Ok::<_, VerifyError>((statement, Some(standing)))
        })?;
        self.tell(&statement, standing.as_ref())?;
        match standing {
            Some(standing) if standing.landing != Landing::Final => Err(VerifyError::NotFinal.into()),
            _ => Ok(()),
        }
    }

    /// The keys that were named, else those that the facilitator tells.
    async fn keys(&self, facilitator: Option<&FacilitatorClient>) -> Result<Vec<ReceiptKey>, VerifyError> {
        match (facilitator, &self.facilitator) {
            (Some(client), Some(url)) if self.receipt_key.is_empty() => {
                if !is_protected(url) {
                    return Err(VerifyError::Unprotected(url.clone()));
                }
                Ok(client.receipt_keys().await?)
            }
            _ => Ok(self.receipt_key.iter().copied().map(ReceiptKey::current).collect()),
        }
    }

    fn check(&self, given: &Given, keys: &[ReceiptKey]) -> Result<ReceiptStatement, VerifyError> {
        let statement = match given {
            Given::Receipt(receipt) => ReceiptStatement::verify(receipt, keys).map_err(AnswerReceiptFault::from)?,
            Given::Answer(answer) => verify_answer(answer, keys)?,
        };
        if self.resource.as_ref().is_some_and(|url| *url != statement.resource_url) {
            return Err(VerifyError::Unexpected("URL"));
        }
        if self.payer.is_some_and(|payer| payer != statement.payer) {
            return Err(VerifyError::Unexpected("payer"));
        }
        Ok(statement)
    }

    fn tell(&self, statement: &ReceiptStatement, standing: Option<&Standing>) -> Result<(), CliError> {
        let state = standing.map_or("not asked", |standing| word(standing.landing));
        let newer = standing.and_then(|standing| standing.newer.as_ref());
        if self.json {
            return json(&json!({
                "signed": true,
                "network": statement.network,
                "payer": statement.payer.to_string(),
                "resourceUrl": statement.resource_url,
                "issuedAt": statement.issued_at,
                "transaction": statement.transaction.to_string(),
                "state": standing.map(|standing| word(standing.landing)),
                "newer": newer.map(|(state, transaction)| json!({ "state": state, "transaction": transaction })),
            }));
        }
        for (what, value) in [
            ("paid for", statement.resource_url.clone()),
            ("payer", statement.payer.to_string()),
            ("network", statement.network.clone()),
            ("landed at", format!("{} (Unix seconds)", statement.issued_at)),
            ("transaction", statement.transaction.to_string()),
            ("on chain", state.to_owned()),
        ] {
            say(format_args!("{what:<11}  {value}"))?;
        }
        match newer {
            Some((state, transaction)) => {
                say(format_args!("the facilitator has it as {state}, transaction {transaction}"))
            }
            None => Ok(()),
        }
    }
}

const fn word(landing: Landing) -> &'static str {
    match landing {
        Landing::Unknown => "unknown",
        Landing::Failed => "failed",
        Landing::Landed => "landed",
        Landing::Final => "final",
    }
}

/// What the chain says, and the facilitator where that is not a landing: a fork may have replaced the transaction.
async fn standing(
    node: &JsonRpc,
    facilitator: Option<&FacilitatorClient>,
    given: &Given,
    statement: &ReceiptStatement,
) -> Result<Standing, VerifyError> {
    let landing = node.landing(&statement.transaction).await?;
    let stands = matches!(landing, Landing::Final | Landing::Landed);
    let newer = match (facilitator, given) {
        (Some(client), Given::Answer(answer)) if !stands => newer(client, answer).await,
        _ => None,
    };
    Ok(Standing { landing, newer })
}

/// Refuses a receipt of a transaction that takes nothing from the payer's account, or that is younger than the receipt: whoever has a
/// key that was retired can write receipts from before, and no blocks.
fn compare(statement: &ReceiptStatement, deed: &Deed, programs: &Programs, mint: &Pubkey) -> Result<(), VerifyError> {
    if !deed.acts_on(&programs.token, &programs.token_account(&statement.payer, mint)) {
        return Err(VerifyError::AnotherPayer);
    }
    let issued_at = statement.issued_at;
    match deed.block_time {
        Some(block_time) if block_time > issued_at.saturating_add(MAX_CLOCK_DIFFERENCE) => {
            Err(VerifyError::BackDated { issued_at, block_time })
        }
        Some(_) | None => Ok(()),
    }
}

/// How the facilitator has the payment by now, where it tells another transaction. That it does not answer changes nothing.
async fn newer(client: &FacilitatorClient, answer: &SettleAnswer) -> Option<(String, String)> {
    let session = answer.extensions.as_ref()?.session.as_ref()?;
    let payment = client.payment(&session.id, session.payment.as_ref()?).await.ok()??;
    (payment.transaction != answer.transaction).then_some((payment.state, payment.transaction))
}

fn read_input(path: &Path) -> Result<String, CliError> {
    let failed = |source| PayerError::File { path: path.to_owned(), what: "read", source };
    if path != Path::new("-") {
        return Ok(read_text(path).map_err(failed)?);
    }
    let mut text = String::new();
    let read = stdin().lock().take(MAX_INPUT + 1).read_to_string(&mut text).map_err(failed)?;
    if read as u64 > MAX_INPUT { Err(VerifyError::TooLong.into()) } else { Ok(text) }
}

fn read_given(text: &str) -> Result<Given, VerifyError> {
    let text = text.trim();
    if text.len() as u64 > MAX_INPUT {
        return Err(VerifyError::TooLong);
    }
    if text.starts_with('{') {
        let object = strict::read(text.as_bytes())?;
        // What `session pay --json` prints has the answer as a member.
        let answer =
            if object.get("success").is_none() { object.get("receipt").unwrap_or(&Value::Null) } else { &object };
        let answer = serde_json::from_value(answer.clone()).map_err(VerifyError::NotAnAnswer)?;
        return Ok(Given::Answer(Box::new(answer)));
    }
    // The alphabets of base64 have no dot.
    if text.contains('.') {
        return Ok(Given::Receipt(text.to_owned()));
    }
    Ok(Given::Answer(Box::new(header::decode(text)?)))
}

/// Whether nobody on the way can have written what comes from there: TLS, or this machine itself.
fn is_protected(url: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| {
        let is_local = url.host_str().is_some_and(|host| {
            let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
            host == "localhost" || address.is_ok_and(|address| address.is_loopback())
        });
        url.scheme() == "https" || is_local
    })
}

fn receipt_key(text: &str) -> Result<Pubkey, String> {
    ReceiptKey::parse(text).ok_or_else(|| "it is no Ed25519 public key as did:key or in base58".to_owned())
}
