//! A cluster as a value: taken while it stands still, written at leisure.

use std::{collections::BTreeMap, sync::Arc};

use super::super::{
    balance_changes::BalanceChanges,
    bank::{Accounts, Bank, Notes},
    blocks::{Block, Blocks},
    cluster::{Cluster, Depths, Memory},
    history::{History, Landed, Notice},
    standins::{StandIns, VaultSnapshot},
};

/// Everything that a cluster is, as it was at the end of a slot.
pub(in crate::localnet) struct Image {
    pub(super) slot: u64,
    pub(super) blocks: Vec<Block>,
    pub(super) accounts: Accounts,
    pub(super) notes: Notes,
    pub(super) landed: Vec<Arc<Landed>>,
    pub(super) first_slot: u64,
    pub(super) pruned: usize,
    pub(super) plaintexts: VaultSnapshot,
}

impl Image {
    /// What the cluster is now.
    pub(in crate::localnet) fn of(cluster: &Cluster, stand_ins: &StandIns) -> Self {
        Self {
            slot: cluster.slot,
            blocks: cluster.blocks.kept(),
            accounts: cluster.bank.accounts(),
            notes: cluster.bank.notes(),
            landed: cluster.history.all().cloned().collect(),
            first_slot: cluster.history.first_slot(),
            pruned: cluster.history.pruned(),
            plaintexts: stand_ins.vault().snapshot(),
        }
    }

    /// The cluster as it was, one slot later. Who was to be told of a confirmation is gone, but those who ask now are.
    pub(in crate::localnet) fn cluster(
        self,
        stand_ins: &StandIns,
        depths: Depths,
        memory: Memory,
        unix_timestamp: i64,
    ) -> Cluster {
        let depth = depths.kept(memory);
        stand_ins.vault().restore(self.plaintexts);
        let newest = self.blocks.last().map(|block| block.hash).unwrap_or_default();
        let pending = |due: fn(&Landed) -> u64| {
            let mut pending = BTreeMap::<u64, Vec<Notice>>::new();
            for landed in self.landed.iter().filter(|landed| due(landed) > self.slot) {
                let notice = Notice { landed: landed.clone(), changed: Arc::from([]) };
                pending.entry(due(landed)).or_default().push(notice);
            }
            pending
        };
        let (unconfirmed, unfinalized) = (pending(|landed| landed.confirmed_in), pending(|landed| landed.finalized_in));
        let mut cluster = Cluster {
            bank: Bank::restored(stand_ins.clone(), newest, self.accounts, self.notes, depth),
            blocks: Blocks::restored(self.blocks, depth),
            history: History::restored(&self.landed, self.first_slot, self.pruned),
            depths,
            memory,
            slot: self.slot,
            unconfirmed,
            unfinalized,
            balance_changes: BalanceChanges::default(),
        };
        cluster.advance(unix_timestamp);
        cluster
    }
}
