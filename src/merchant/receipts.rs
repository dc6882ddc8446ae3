//! Proof of receipt (`spec/session.md` §6): whether the settlements a merchant was told of really moved money to them.
//!
//! A confidential transfer from a short balance succeeds and moves zero, so a signature on chain proves nothing. The
//! merchant can decrypt their own balance: between two balances that they may read, the sum of their settlements must equal
//! the growth. A balance is readable where a decrypt allowance was granted to them; its handle is found in the
//! transaction that granted it. Settlements between two readable balances are judged together.

mod verdict;

pub use verdict::{ReceiptProof, Settled, Span, Verdict};

use crate::{
    covalidator::{Covalidator, CovalidatorError, RequestSigner},
    domain::amount::Amount,
    merchant::chain::{Deed, Entry, ReadError, ReceiptChain},
    programs::{
        Programs, discriminator,
        inco_token::{DecodeError, IncoAccount},
    },
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{collections::HashMap, time::Duration};

/// How often the account is read until it stands still while its history is listed.
const TRIES: usize = 5;
/// The most entries of a history that are gone through.
const MOST_ENTRIES: usize = 20_000;
/// Entries of a page.
const PAGE: usize = 1_000;

/// Why nothing is proved.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ReadError),
    /// The Covalidator does not answer, or its answer does not verify.
    #[error(transparent)]
    Covalidator(#[from] CovalidatorError),
    /// The wallet has no account of this token.
    #[error("the wallet has no token account of this mint")]
    NoAccount,
    /// The account's bytes are not what they should be.
    #[error("the token account is unreadable")]
    Unreadable(#[source] DecodeError),
    /// Transactions keep arriving while it is read.
    #[error("the account changes faster than it can be read; try again")]
    Restless,
    /// More than is gone through.
    #[error("there are more than {MOST_ENTRIES} transactions; name a later one with since")]
    TooLong,
    /// A listed transaction is not there to be read.
    #[error("the RPC lists {0} and does not have it")]
    Missing(Signature),
}

/// Whose receipts are proved.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The merchant's wallet.
    pub wallet: Pubkey,
    /// The token.
    pub mint: Pubkey,
    /// The facilitator's delegate key: its transfers are settlements.
    pub spender: Pubkey,
    /// Only what came after this transaction; everything, when there is none.
    pub since: Option<Signature>,
    /// What the merchant was told, by transaction, in base units: the sum of all payments it carried.
    pub told: Option<&'a HashMap<Signature, Amount>>,
    /// How long a Covalidator that lags is waited for.
    pub patience: Duration,
}

/// Reads the account's history and the balances on its way, and holds them against what was told.
pub async fn prove_receipts(
    chain: &dyn ReceiptChain,
    covalidator: &dyn Covalidator,
    reader: &dyn RequestSigner,
    programs: &Programs,
    question: &Question<'_>,
) -> Result<ReceiptProof, ProofError> {
    let account = programs.token_account(&question.wallet, &question.mint);
    let (handle, entries) = standing_still(chain, &account, question.since.as_ref()).await?;
    let mut steps = Vec::with_capacity(entries.len());
    for entry in &entries {
        let deed = chain.deed(&entry.signature).await?.ok_or(ProofError::Missing(entry.signature))?;
        steps.push(Step::of(entry, &deed, &account, programs, question));
    }
    let first = match &question.since {
        // From the account's beginning it holds nothing.
        None => Start::Balance(0),
        Some(since) => {
            let deed = chain.deed(since).await?.ok_or(ProofError::Missing(*since))?;
            granted(&deed, programs, &question.wallet).map_or(Start::Unknown, Start::Handle)
        }
    };
    if let Some(last) = steps.last_mut() {
        last.handle = Some(handle);
    }
    let mut balances = Balances { covalidator, reader, patience: question.patience, known: HashMap::new() };
    let spans = spans(&mut balances, first, &steps).await?;
    let seen = |signature: &Signature| steps.iter().any(|step| step.settled.is_some_and(|s| s.signature == *signature));
    let absent = question.told.into_iter().flatten().map(|(signature, _)| *signature).filter(|s| !seen(s)).collect();
    Ok(ReceiptProof { spans, absent, newest: entries.last().map(|entry| entry.signature).or(question.since) })
}

/// The account's current handle and its history up to it, oldest first, failed transactions left out.
async fn standing_still(
    chain: &dyn ReceiptChain,
    account: &Pubkey,
    since: Option<&Signature>,
) -> Result<(u128, Vec<Entry>), ProofError> {
    let mut before = balance_handle(chain, account).await?;
    for _ in 0..TRIES {
        let entries = history(chain, account, since).await?;
        let after = balance_handle(chain, account).await?;
        if before == after {
            return Ok((after, entries));
        }
        before = after;
    }
    Err(ProofError::Restless)
}

async fn balance_handle(chain: &dyn ReceiptChain, account: &Pubkey) -> Result<u128, ProofError> {
    let (_, bytes) = chain.account(account).await?.ok_or(ProofError::NoAccount)?;
    Ok(IncoAccount::decode(&bytes).map_err(ProofError::Unreadable)?.amount)
}

async fn history(
    chain: &dyn ReceiptChain,
    account: &Pubkey,
    since: Option<&Signature>,
) -> Result<Vec<Entry>, ProofError> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let before = entries.last().map(|entry| entry.signature);
        let page = chain.history(account, before.as_ref(), since).await?;
        let whole = page.len() < PAGE;
        entries.extend(page);
        if whole {
            entries.retain(|entry| !entry.failed);
            entries.reverse();
            return Ok(entries);
        }
        if entries.len() > MOST_ENTRIES {
            return Err(ProofError::TooLong);
        }
    }
}

/// What is known at the beginning.
enum Start {
    Balance(u128),
    Handle(u128),
    Unknown,
}

/// One transaction of the history.
struct Step {
    settled: Option<Settled>,
    /// The balance's handle after it, where the merchant was given the right to decrypt it.
    handle: Option<u128>,
    /// It changes no balance: the account's creation.
    idle: bool,
}

impl Step {
    fn of(entry: &Entry, deed: &Deed, account: &Pubkey, programs: &Programs, question: &Question<'_>) -> Self {
        let names = ["transfer", "transfer_with_authorization"].map(discriminator);
        let to_account = |position: usize| {
            deed.calls
                .iter()
                .filter(move |call| call.program == programs.token && call.accounts.get(position) == Some(account))
        };
        let carried = to_account(1).any(|call| names.iter().any(|name| call.bytes.starts_with(name)));
        let settled = (carried && deed.signers.contains(&question.spender)).then(|| Settled {
            signature: entry.signature,
            slot: entry.slot,
            told: question.told.and_then(|told| told.get(&entry.signature)).copied(),
        });
        let create = discriminator("create_idempotent");
        let touches =
            deed.calls.iter().filter(|call| call.program == programs.token && call.accounts.contains(account));
        let idle = touches.clone().count() == touches.filter(|call| call.bytes.starts_with(&create)).count();
        Self { settled, handle: granted(deed, programs, &question.wallet), idle }
    }
}

/// The handle that a transaction lets the wallet decrypt; the last one, which is the balance it leaves.
fn granted(deed: &Deed, programs: &Programs, wallet: &Pubkey) -> Option<u128> {
    let allow = discriminator("allow");
    deed.calls.iter().rev().filter(|call| call.program == programs.lightning).find_map(|call| {
        let rest = call.bytes.strip_prefix(&allow)?;
        let (handle, rest) = rest.split_first_chunk::<16>()?;
        (rest.get(1..33) == Some(wallet.as_ref())).then(|| u128::from_le_bytes(*handle))
    })
}

struct Balances<'a> {
    covalidator: &'a dyn Covalidator,
    reader: &'a dyn RequestSigner,
    patience: Duration,
    known: HashMap<u128, Option<u128>>,
}

impl Balances<'_> {
    /// What a handle decrypts to; none where the wallet has no right to it. Every answer is attested.
    async fn read(&mut self, handle: u128) -> Result<Option<u128>, ProofError> {
        if let Some(known) = self.known.get(&handle) {
            return Ok(*known);
        }
        let value = match self.covalidator.decrypt(handle, self.reader, self.patience).await {
            Ok(value) => Some(value.plaintext),
            Err(CovalidatorError::NotAllowed { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        self.known.insert(handle, value);
        Ok(value)
    }
}

async fn spans(balances: &mut Balances<'_>, first: Start, steps: &[Step]) -> Result<Vec<Span>, ProofError> {
    let mut from = match first {
        Start::Balance(balance) => Some(balance),
        Start::Handle(handle) => balances.read(handle).await?,
        Start::Unknown => None,
    };
    let mut found = Vec::new();
    let mut span = Span { settlements: Vec::new(), others: 0, growth: None };
    for (number, step) in steps.iter().enumerate() {
        match step.settled {
            Some(settled) => span.settlements.push(settled),
            None => span.others += usize::from(!step.idle),
        }
        let readable = match step.handle {
            Some(handle) => balances.read(handle).await?,
            None => None,
        };
        if readable.is_none() && number + 1 < steps.len() {
            continue;
        }
        let growth =
            from.zip(readable).and_then(|(from, to)| i128::try_from(to).ok()?.checked_sub(i128::try_from(from).ok()?));
        let done = std::mem::replace(&mut span, Span { settlements: Vec::new(), others: 0, growth: None });
        if !done.settlements.is_empty() {
            found.push(Span { growth, ..done });
        }
        from = readable;
    }
    Ok(found)
}
