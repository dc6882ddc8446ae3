//! What other people and other validators do to a network: forks that take blocks back, and transactions that land
//! between a simulation and the landing of what was simulated.

use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;

use super::{
    cluster::{ForkError, TakenBack},
    network::Network,
};

/// A transaction that waits for another one.
pub(super) struct Ambush {
    account: Pubkey,
    tx: VersionedTransaction,
}

/// Transactions that a fork took back and that validators will land again.
pub(super) struct Replay {
    /// The first slot that may include them.
    pub(super) from: u64,
    pub(super) transactions: Vec<VersionedTransaction>,
}

impl Network {
    /// A fork: takes back the newest `slots` blocks with all that landed in them, and the next slot begins on the block
    /// before. Nobody is told. The slots stay empty, so that block heights fall behind slots.
    ///
    /// What was taken back can be sent again while its blockhash is alive, which it is not when it was one of those
    /// blocks'. Nothing lands again by itself.
    ///
    /// # Errors
    /// When some of it is finalised. Nothing has changed then.
    pub fn fork(&self, slots: u64) -> Result<TakenBack, ForkError> {
        let mut cluster = self.cluster();
        let taken = cluster.fork(slots)?;
        self.begin_slot(&mut cluster);
        Ok(taken)
    }

    /// A fork whose transactions validators include again, in their order, after `slots_later` slots.
    ///
    /// # Errors
    /// As [`Network::fork`].
    pub fn fork_and_replay(&self, slots: u64, slots_later: u64) -> Result<TakenBack, ForkError> {
        let mut cluster = self.cluster();
        let taken = cluster.fork(slots)?;
        let from = cluster.slot().saturating_add(slots_later).saturating_add(1);
        self.replays().push(Replay { from, transactions: taken.transactions.clone() });
        self.begin_slot(&mut cluster);
        Ok(taken)
    }

    /// A fork that takes back a landed transaction, with its slot and all later ones.
    ///
    /// # Errors
    /// When it has not landed or is finalised. Nothing has changed then.
    pub fn fork_away(&self, signature: &Signature) -> Result<TakenBack, ForkError> {
        let mut cluster = self.cluster();
        let slots = cluster.blocks_since(signature).ok_or(ForkError::Unknown)?;
        let taken = cluster.fork(slots)?;
        self.begin_slot(&mut cluster);
        Ok(taken)
    }

    /// Lets `tx` land right before the next transaction that writes `account`: after whoever sends that has simulated
    /// it, and without its sender's knowing. If `tx` cannot land then, it never does.
    pub fn ambush(&self, account: Pubkey, tx: VersionedTransaction) {
        self.ambushes().push(Ambush { account, tx });
    }

    /// Whether some ambush still waits.
    pub fn has_ambushes(&self) -> bool {
        !self.ambushes().is_empty()
    }

    /// The transactions that land right before this one.
    pub(super) fn ambushes_of(&self, tx: &VersionedTransaction) -> Vec<VersionedTransaction> {
        let mut ambushes = self.ambushes();
        if ambushes.is_empty() {
            return Vec::new();
        }
        let keys = tx.message.static_account_keys();
        let writes = |account: &Pubkey| {
            let named = keys.iter().position(|key| key == account);
            named.is_some_and(|index| tx.message.is_maybe_writable_with_reserved_addresses(index, NO_RESERVED))
        };
        let (struck, waiting) = std::mem::take(&mut *ambushes).into_iter().partition(|ambush| writes(&ambush.account));
        *ambushes = waiting;
        let struck: Vec<Ambush> = struck;
        struck.into_iter().map(|ambush| ambush.tx).collect()
    }

    /// The transactions of forks that are due in this slot.
    pub(super) fn replays_due(&self, slot: u64) -> Vec<VersionedTransaction> {
        let mut replays = self.replays();
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut *replays).into_iter().partition(|it| it.from <= slot);
        *replays = later;
        due.into_iter().flat_map(|replay| replay.transactions).collect()
    }
}

/// Reserved accounts are demoted elsewhere; an ambush on one of them is the test's own mistake.
const NO_RESERVED: Option<&std::collections::HashSet<Pubkey>> = None;
