//! A chain that dies with its process.

use crate::crash::fate::Fate;
use async_trait::async_trait;
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    chain::{
        Chain, ChainAccount, ChainError, Commitment, EndpointAccounts, EndpointHealth, LiveBlockhash, Simulation,
        TokenChange,
        history::{Listed, Page, SeenTransaction},
    },
    domain::settlement::{Attempt, Observation},
    ledger::Recorded,
};
use std::{sync::Arc, time::Duration};

pub struct MortalChain {
    pub inner: Arc<dyn Chain>,
    pub fate: Arc<Fate>,
}

#[async_trait]
impl Chain for MortalChain {
    async fn genesis_hash(&self) -> Result<String, ChainError> {
        self.fate.step("chain genesis_hash", self.inner.genesis_hash()).await
    }

    async fn latest_blockhash(&self) -> Result<LiveBlockhash, ChainError> {
        self.fate.step("chain latest_blockhash", self.inner.latest_blockhash()).await
    }

    async fn blockhash_life(&self, hash: &Hash) -> Result<Option<LiveBlockhash>, ChainError> {
        self.fate.step("chain blockhash_life", self.inner.blockhash_life(hash)).await
    }

    fn told_blockhash(&self, hash: &Hash) -> Option<LiveBlockhash> {
        self.inner.told_blockhash(hash)
    }

    async fn accounts(&self, keys: &[Pubkey]) -> Result<Vec<Option<ChainAccount>>, ChainError> {
        let accounts = self.fate.step("chain accounts", self.inner.accounts(keys)).await?;
        Ok(self.fate.as_they_were(keys, accounts))
    }

    async fn accounts_in_turn(
        &self,
        keys: &[Pubkey],
        at_least: u64,
        turn: usize,
    ) -> Result<(u64, Vec<Option<ChainAccount>>), ChainError> {
        let (slot, accounts) =
            self.fate.step("chain accounts_in_turn", self.inner.accounts_in_turn(keys, at_least, turn)).await?;
        Ok((slot, self.fate.as_they_were(keys, accounts)))
    }

    async fn accounts_everywhere(&self, keys: &[Pubkey]) -> Result<Vec<EndpointAccounts>, ChainError> {
        self.fate.step("chain accounts_everywhere", self.inner.accounts_everywhere(keys)).await
    }

    async fn final_accounts(&self, keys: &[Pubkey]) -> Result<(u64, Vec<Option<ChainAccount>>), ChainError> {
        let (slot, accounts) = self.fate.step("chain final_accounts", self.inner.final_accounts(keys)).await?;
        Ok((slot, self.fate.as_they_were(keys, accounts)))
    }

    async fn history(&self, account: &Pubkey, page: Page) -> Result<Vec<Listed>, ChainError> {
        self.fate.step("chain history", self.inner.history(account, page)).await
    }

    async fn transaction(&self, signature: &Signature) -> Result<Option<SeenTransaction>, ChainError> {
        self.fate.step("chain transaction", self.inner.transaction(signature)).await
    }

    async fn rent(&self, bytes: usize) -> Result<u64, ChainError> {
        self.fate.step("chain rent", self.inner.rent(bytes)).await
    }

    async fn priority_fee(&self, writable: &[Pubkey]) -> Result<u64, ChainError> {
        self.fate.step("chain priority_fee", self.inner.priority_fee(writable)).await
    }

    async fn simulate(&self, tx: &VersionedTransaction, watched: &[Pubkey]) -> Result<Simulation, ChainError> {
        self.fate.step("chain simulate", self.inner.simulate(tx, watched)).await
    }

    async fn send(&self, attempt: &Recorded<Attempt>) -> Result<(), ChainError> {
        self.fate.step("chain send", self.inner.send(attempt)).await
    }

    async fn lamports_spent(&self, attempt: &Recorded<Attempt>) -> Result<Option<u64>, ChainError> {
        self.fate.step("chain lamports_spent", self.inner.lamports_spent(attempt)).await
    }

    async fn observe(
        &self,
        attempt: &Recorded<Attempt>,
        want: Commitment,
        patience: Duration,
    ) -> Result<Observation, ChainError> {
        self.fate.step("chain observe", self.inner.observe(attempt, want, patience)).await
    }
    async fn look_up(&self, attempts: &[Recorded<Attempt>]) -> Result<Vec<Observation>, ChainError> {
        self.fate.step("chain look_up", self.inner.look_up(attempts)).await
    }

    async fn is_seen_by_another(&self, attempt: &Recorded<Attempt>) -> Result<bool, ChainError> {
        self.fate.step("chain is_seen_by_another", self.inner.is_seen_by_another(attempt)).await
    }

    async fn token_change(&self, signature: &Signature, account: &Pubkey) -> Result<Option<TokenChange>, ChainError> {
        self.fate.step("chain token_change", self.inner.token_change(signature, account)).await
    }

    fn has_several_voices(&self) -> bool {
        self.inner.has_several_voices()
    }

    fn seen_by(&self, signature: &Signature) -> Vec<String> {
        self.inner.seen_by(signature)
    }

    fn past_at(&self, signature: &Signature) -> Option<u64> {
        self.inner.past_at(signature)
    }

    fn endpoints(&self) -> Vec<EndpointHealth> {
        self.inner.endpoints()
    }
}
