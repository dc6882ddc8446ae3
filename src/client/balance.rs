//! Confidential balances (`spec/session.md` §6): find the account, read the handle, sign, ask the Covalidator, check
//! the attestation. Payers read what is left, merchants prove what they received.

use crate::{
    client::{
        rpc::{Account, PayerRpc, RpcError},
        signer::{PayerSigner, SigningError},
    },
    covalidator::{AttestedValue, Covalidator, CovalidatorError, RequestSigner},
    programs::{
        Programs,
        attestation::{attestation_digest, request_message},
        inco_token::{self, AccountState, DecodeError, IncoAccount, IncoMint},
    },
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use std::{ops::ControlFlow, sync::Arc, time::Duration};

/// What is known of one balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Balance {
    /// The wallet has no account of this mint.
    NoAccount,
    /// The account has never held anything, so there is nothing to decrypt.
    Empty,
    /// The wallet may not decrypt this balance: mint or receive once, or ask for a refresh.
    NoDecryptAllowance {
        /// The balance's handle.
        handle: u128,
    },
    /// The Covalidator has not seen this balance yet; it lags the chain by seconds.
    CovalidatorBehind {
        /// The balance's handle.
        handle: u128,
    },
    /// Decrypted and attested.
    Value(Holding),
}

/// A decrypted balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The token account.
    pub account: Pubkey,
    /// The mint's decimals.
    pub decimals: u8,
    /// Whether the account is frozen.
    pub frozen: bool,
    /// The balance in base units, with its handle and the Covalidator's signature.
    pub attested: AttestedValue,
}

impl Holding {
    /// The balance as people write it: `290000` with six decimals is `0.29`.
    pub fn decimal(&self) -> String {
        let places = usize::from(self.decimals);
        let digits = format!("{:0>width$}", self.attested.plaintext, width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        match fraction.trim_end_matches('0') {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        }
    }

    /// An Ed25519 instruction with which a program can check the same attestation on chain; `attestation_key` is the
    /// key that the value was verified with.
    pub fn instruction(&self, attestation_key: &Pubkey) -> Instruction {
        let AttestedValue { handle, plaintext, signature } = &self.attested;
        inco_token::ed25519_verify(attestation_key, &attestation_digest(*handle, *plaintext), signature)
    }
}

/// Why a balance could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum BalanceError {
    /// The chain could not be asked.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The wallet did not sign the request.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The mint is not there, or is no mint of the token program.
    #[error("{0} is not a mint of the token program")]
    Mint(Pubkey),
    /// The account is another program's, or another wallet's.
    #[error("the token account belongs to somebody else")]
    Foreign,
    /// The account's bytes are not what they should be.
    #[error("the token account is unreadable")]
    Unreadable(#[source] DecodeError),
    /// The Covalidator cannot be reached, or its answer does not verify.
    #[error(transparent)]
    Covalidator(CovalidatorError),
}

/// Reads balances.
#[derive(Clone)]
pub struct BalanceReader {
    rpc: Arc<dyn PayerRpc>,
    covalidator: Arc<dyn Covalidator>,
    programs: Programs,
}

/// A token account and its mint's decimals.
struct Found {
    address: Pubkey,
    decimals: u8,
    account: Option<IncoAccount>,
}

/// A wallet's signature over one request, made before the Covalidator's client asks for it: a wallet may take its
/// time, or decline.
struct Presigned {
    address: Pubkey,
    signature: [u8; 64],
}

impl RequestSigner for Presigned {
    fn address(&self) -> Pubkey {
        self.address
    }

    fn sign(&self, _request: &[u8]) -> [u8; 64] {
        self.signature
    }
}

impl BalanceReader {
    /// Reads through `rpc`, decrypts through `covalidator`, which checks every attestation.
    pub fn new(rpc: Arc<dyn PayerRpc>, covalidator: Arc<dyn Covalidator>, programs: Programs) -> Self {
        Self { rpc, covalidator, programs }
    }

    /// The wallet's balance of `mint`; waits up to `patience` for a Covalidator that lags.
    pub async fn read(
        &self,
        wallet: &dyn PayerSigner,
        mint: &Pubkey,
        patience: Duration,
    ) -> Result<Balance, BalanceError> {
        let found = self.find(&wallet.pubkey(), mint).await?;
        self.decrypt(wallet, found, patience).await
    }

    /// Calls `changed` with the balance, and again whenever its handle is another one, until it says to stop. The
    /// chain is looked at every `interval`.
    pub async fn watch(
        &self,
        wallet: &dyn PayerSigner,
        mint: &Pubkey,
        interval: Duration,
        mut changed: impl FnMut(Balance) -> ControlFlow<()>,
    ) -> Result<(), BalanceError> {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut told = None;
        loop {
            ticks.tick().await;
            let found = self.find(&wallet.pubkey(), mint).await?;
            let now = Some(found.account.as_ref().map(|account| account.amount));
            if now == told {
                continue;
            }
            let balance = self.decrypt(wallet, found, interval).await?;
            // What the Covalidator does not know yet is asked for again at the next tick.
            told = if matches!(balance, Balance::CovalidatorBehind { .. }) { None } else { now };
            if changed(balance).is_break() {
                return Ok(());
            }
        }
    }

    async fn find(&self, wallet: &Pubkey, mint: &Pubkey) -> Result<Found, BalanceError> {
        let address = self.programs.token_account(wallet, mint);
        let told = self.rpc.accounts(&[*mint, address]).await?;
        let [told_mint, account] = <[_; 2]>::try_from(told).map_err(|_| RpcError::Impossible { what: "accounts" })?;
        let ours = |account: &Account| account.owner == self.programs.token;
        let told_mint = told_mint.filter(ours).ok_or(BalanceError::Mint(*mint))?;
        let decimals = IncoMint::decode(&told_mint.bytes).map_err(|_| BalanceError::Mint(*mint))?.decimals;
        let Some(account) = account else { return Ok(Found { address, decimals, account: None }) };
        if !ours(&account) {
            return Err(BalanceError::Foreign);
        }
        let account = IncoAccount::decode(&account.bytes).map_err(BalanceError::Unreadable)?;
        if account.owner != *wallet || account.mint != *mint {
            return Err(BalanceError::Foreign);
        }
        let usable = account.state != AccountState::Uninitialised;
        Ok(Found { address, decimals, account: usable.then_some(account) })
    }

    async fn decrypt(
        &self,
        wallet: &dyn PayerSigner,
        found: Found,
        patience: Duration,
    ) -> Result<Balance, BalanceError> {
        let Some(account) = found.account else { return Ok(Balance::NoAccount) };
        let handle = account.amount;
        if handle == 0 {
            return Ok(Balance::Empty);
        }
        let signature = wallet.sign_message(request_message(handle).as_bytes()).await?;
        let request = Presigned { address: wallet.pubkey(), signature };
        match self.covalidator.decrypt(handle, &request, patience).await {
            Ok(attested) => Ok(Balance::Value(Holding {
                account: found.address,
                decimals: found.decimals,
                frozen: account.state == AccountState::Frozen,
                attested,
            })),
            Err(CovalidatorError::NotAllowed { .. }) => Ok(Balance::NoDecryptAllowance { handle }),
            Err(CovalidatorError::Behind) => Ok(Balance::CovalidatorBehind { handle }),
            Err(error @ (CovalidatorError::Unavailable(_) | CovalidatorError::Untrustworthy(_))) => {
                Err(BalanceError::Covalidator(error))
            }
        }
    }
}
