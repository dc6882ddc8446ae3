//! Slots pass, transactions land in them, and everybody who listens hears of it.

use solana_commitment_config::CommitmentLevel;
use solana_message::{Message, VersionedMessage};
use solana_pubkey::Pubkey;
use solana_rpc_client_api::response::SlotInfo;
use solana_signature::Signature;
use solana_signer::Signer as _;
use solana_system_interface::instruction::transfer;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;

use super::{Event, Network, Told, lock, seconds};
use crate::localnet::cluster::Cluster;

impl Network {
    /// Takes a transaction as a leader would: it lands in the current slot, or nothing is ever heard of it.
    ///
    /// # Errors
    /// Why it cannot land. A node does not tell its clients; tests may want to know.
    pub fn send(&self, tx: VersionedTransaction) -> Result<Signature, TransactionError> {
        let signature = tx.signatures.first().copied().ok_or(TransactionError::SanitizeFailure)?;
        if tx.verify_with_results().contains(&false) {
            return Err(TransactionError::SignatureFailure);
        }
        if self.shared.first.faults.is_frozen() {
            lock(&self.shared.waiting).push(tx);
            return Ok(signature);
        }
        self.land(&mut self.cluster(), tx)?;
        Ok(signature)
    }

    /// Sends `lamports` from the faucet to `to`.
    ///
    /// # Errors
    /// When the transfer cannot land, such as an amount below the rent-exempt minimum of a new account.
    pub fn airdrop(&self, to: &Pubkey, lamports: u64) -> Result<Signature, TransactionError> {
        let count = {
            let mut airdrops = lock(&self.shared.airdrops);
            *airdrops += 1;
            *airdrops
        };
        let faucet = self.shared.faucet.pubkey();
        // The second transfer makes equal airdrops within one slot different transactions.
        let transfers = [transfer(&faucet, to, lamports), transfer(&faucet, &faucet, count)];
        let message = Message::new_with_blockhash(&transfers, Some(&faucet), &self.latest_blockhash());
        let tx = VersionedTransaction::try_new(VersionedMessage::Legacy(message), &[&self.shared.faucet])
            .map_err(|_| TransactionError::SignatureFailure)?;
        let mut cluster = self.cluster();
        let at = cluster.slot();
        cluster.simulate(&tx, at)?.outcome?;
        drop(cluster);
        self.send(tx)
    }

    /// Begins the next slot. A frozen node stays where it is.
    pub fn tick(&self) {
        if self.shared.first.faults.is_frozen() {
            return;
        }
        self.begin_slot(&mut self.cluster());
    }

    /// The next slot begins, with what waited for it.
    pub(in crate::localnet) fn begin_slot(&self, cluster: &mut Cluster) {
        let parent = cluster.blocks.newest().slot;
        let reached = cluster.advance(seconds(&*self.shared.clock));
        let slot = cluster.slot();
        let root = cluster.slot_at(CommitmentLevel::Finalized, slot);
        self.tell(slot, Event::Slot(SlotInfo { slot, parent, root }));
        for reached in reached {
            self.tell(slot, Event::Reached(reached));
        }
        let replayed = self.replays_due(slot);
        for tx in replayed.into_iter().chain(std::mem::take(&mut *lock(&self.shared.waiting))) {
            // Too late for some of them, and nobody is told, as with any send.
            let _ = self.land(cluster, tx);
        }
    }

    /// Begins the next `n` slots.
    pub fn tick_slots(&self, n: u64) {
        (0..n).for_each(|_| self.tick());
    }

    /// Waits until everything that has landed so far is confirmed, which is what most clients read.
    pub async fn until_confirmed(&self) {
        let mut events = self.events();
        let landed = self.slot();
        while self.confirmed_slot() < landed {
            // Too slow for some events is no harm: the cluster is looked at again after the next one.
            let _ = events.recv().await;
        }
    }

    fn confirmed_slot(&self) -> u64 {
        let cluster = self.cluster();
        cluster.slot_at(CommitmentLevel::Confirmed, cluster.slot())
    }

    fn land(&self, cluster: &mut Cluster, tx: VersionedTransaction) -> Result<(), TransactionError> {
        for stranger in self.ambushes_of(&tx) {
            // One that cannot land never does; whoever laid it can look at the history.
            let _ = self.land_one(cluster, stranger);
        }
        self.land_one(cluster, tx)
    }

    fn land_one(&self, cluster: &mut Cluster, tx: VersionedTransaction) -> Result<(), TransactionError> {
        let late = tx.signatures.first().map_or(0, |signature| self.shared.first.faults.late_by(signature));
        let reached = cluster.land(tx, late)?;
        for reached in reached {
            self.tell(cluster.slot(), Event::Reached(reached));
        }
        Ok(())
    }

    /// Events are told while the cluster is locked, so that everybody hears them in their order.
    fn tell(&self, slot: u64, event: Event) {
        // An error means that nobody listens.
        let _ = self.shared.events.send(Told { slot, event });
    }
}
