//! Funding proofs (`spec/session.md` §4): the payer shows the facilitator what they hold, so that "settled" means "paid".
//!
//! The proof is the payer's own attested decryption of their balance. It tells the facilitator the balance, which it has
//! no right to read by itself; whoever does not want that does not attach a [`BalanceReader`].

use crate::{
    client::{
        balance::{Balance, BalanceError, BalanceReader},
        facilitator::{FacilitatorError, FacilitatorHttp, SessionAnswer},
        saved::OpenSession,
        signer::PayerSigner,
    },
    covalidator::AttestedValue,
    domain::funding::{Funding, FundingProof},
    wire::{
        funding::{FundingBody, FundingProofBody},
        session::{SessionRefusalBody, SessionView},
    },
};
use solana_pubkey::Pubkey;
use std::{fmt, time::Duration};

/// How often a proof is made anew because the balance changed while it was made.
const TRIES: usize = 5;
/// The pause after a refusal that names none.
const PAUSE: Duration = Duration::from_secs(1);
/// The word of a proof that came too late.
const STALE: &str = "stale_funding_proof";
/// The word of one that came too soon after another.
const BUSY: &str = "session_busy";

/// Why nothing was proved.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The balance cannot be read.
    #[error("the balance cannot be read")]
    Balance(#[from] BalanceError),
    /// There is nothing to prove, or nobody who would attest it.
    #[error("there is no balance to prove: {0}")]
    Nothing(&'static str),
    /// The facilitator gave no usable answer.
    #[error(transparent)]
    Facilitator(#[from] FacilitatorError),
    /// The facilitator said no.
    #[error("the facilitator refused: {} ({})", .0.message, .0.error)]
    Refused(SessionRefusalBody),
}

/// Proves the balance of one wallet.
#[derive(Clone)]
pub struct Prover {
    reader: BalanceReader,
    patience: Duration,
}

impl fmt::Debug for Prover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prover").field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl Prover {
    /// Reads balances through `reader`; waits up to `patience` for a Covalidator that lags.
    pub fn new(reader: BalanceReader, patience: Duration) -> Self {
        Self { reader, patience }
    }

    /// The attested balance as it goes to a facilitator; refuses where there is nothing to decrypt.
    pub async fn proof(&self, wallet: &dyn PayerSigner, mint: &Pubkey) -> Result<FundingProofBody, ProveError> {
        match self.reader.read(wallet, mint, self.patience).await? {
            Balance::Value(holding) => {
                let AttestedValue { handle, plaintext, signature } = holding.attested;
                Ok(FundingProofBody::from(&FundingProof { handle, plaintext, signature }))
            }
            Balance::NoAccount => Err(ProveError::Nothing("the wallet has no account of this token")),
            Balance::Empty => Err(ProveError::Nothing("the account has never held anything")),
            Balance::NoDecryptAllowance { .. } => {
                Err(ProveError::Nothing("the wallet may not decrypt its balance; receive once, or ask for a refresh"))
            }
            Balance::CovalidatorBehind { .. } => Err(ProveError::Nothing("the Covalidator is behind the chain")),
        }
    }

    /// Proves the balance behind `session` to its facilitator; a proof that was overtaken by a transfer is made anew, and one
    /// that came too soon after another is made again when the facilitator says.
    pub async fn prove(&self, session: &OpenSession, wallet: &dyn PayerSigner) -> Result<SessionView, ProveError> {
        let http = FacilitatorHttp::new(&session.facilitator)?;
        let mut tries = 1;
        loop {
            let body = FundingBody { funding_proof: self.proof(wallet, &session.asset).await? };
            match http.prove_funding(session.id, &body).await? {
                SessionAnswer::Session(view) => return Ok(*view),
                SessionAnswer::Refused(refused) if refused.body.error == STALE && tries < TRIES => tries += 1,
                SessionAnswer::Refused(refused) if refused.body.error == BUSY && tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(refused.retry_after.unwrap_or(PAUSE).min(self.patience)).await;
                }
                SessionAnswer::Refused(refused) => return Err(ProveError::Refused(refused.body)),
            }
        }
    }
}

/// Whether an answer's level asks for a new proof.
pub fn asks_for_proof(level: Option<&str>) -> bool {
    matches!(level.and_then(Funding::from_word), Some(Funding::Unproven | Funding::Short))
}
