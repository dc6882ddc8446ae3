//! Stand-ins for IncoToken and Inco Lightning: native programs inside the local network's SVM.
//!
//! They promise the layouts, account orders, errors and side effects of `spec/inco.md` §3 to §5, and nothing about
//! Inco's own programs. The rules know no virtual machine and speak to a `Host`;
//! `builtin` is the one adapter that puts them into LiteSVM.
//!
//! A native program is a plain function, so what belongs to one network (rules, plaintexts, keys) reaches it through a
//! thread-local that [`StandIns::run`] sets around every execution. Several networks can live in one process, each on
//! any thread, as long as **every** execute and simulate call is wrapped in `run`. Outside of it the stand-ins refuse.

mod builtin;
mod rules;
mod vault;

use std::sync::Arc;

use litesvm::LiteSVM;

pub use rules::{Delegation, PayerRule, Rules, Switches};
pub use vault::{Landed, Scratch, Vault, VaultSnapshot};

/// What one network's stand-ins are made of.
#[derive(Clone)]
pub struct StandInConfig {
    /// The rules they follow; keep a clone to change them while the network runs.
    pub switches: Arc<Switches>,
    /// The Covalidator's secp256k1 private key, big endian; decides which ciphertexts have a plaintext.
    pub decryption_key: [u8; 32],
    /// Where `e_rand` draws its values from.
    pub seed: u64,
}

impl Default for StandInConfig {
    fn default() -> Self {
        Self { switches: Arc::default(), decryption_key: [0x11; 32], seed: 0 }
    }
}

/// The stand-ins of one network. Clones share everything.
#[derive(Clone)]
pub struct StandIns(Arc<Shared>);

struct Shared {
    config: StandInConfig,
    vault: Vault,
}

impl StandIns {
    /// Stand-ins with an empty vault.
    pub fn new(config: StandInConfig) -> Self {
        Self(Arc::new(Shared { config, vault: Vault::default() }))
    }

    /// Registers both programs with a virtual machine. A clone of that machine keeps them.
    pub fn install(&self, svm: &mut LiteSVM) {
        builtin::install(self, svm);
    }

    /// Runs `f`, which executes or simulates **one** transaction, with this network's rules and plaintexts in reach of
    /// its programs; gives what `f` gave and the plaintexts the transaction made.
    ///
    /// The scratch of a simulation or of a failed transaction must be dropped; that of one that landed goes to
    /// [`StandIns::commit`].
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> (R, Scratch) {
        builtin::run(self, f)
    }

    /// Makes the plaintexts of a transaction that landed in `slot` known to the Covalidator.
    pub fn commit(&self, scratch: Scratch, slot: u64) {
        self.0.vault.commit(scratch, slot);
    }

    /// Forgets what landed in `slot` or later: a fork took those slots back.
    pub fn take_back(&self, slot: u64) {
        self.0.vault.take_back(slot);
    }

    /// The rules, changeable while the network runs.
    pub fn switches(&self) -> &Arc<Switches> {
        &self.0.config.switches
    }

    /// The committed plaintexts.
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// What these stand-ins are made of.
    pub fn config(&self) -> &StandInConfig {
        &self.0.config
    }
}
