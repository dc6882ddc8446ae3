//! Stand-ins for `IncoToken`, Inco Lightning and Swig: native programs inside the local network's SVM.
//!
//! They promise the layouts, account orders, errors and side effects of `spec/inco.md` §3 to §5 and of `spec/mpp.md`
//! §6.2 and §6.3, and nothing about the programs that they stand in for. The rules know no virtual machine and speak to
//! a `Host`; `builtin` is the one adapter that puts them into `LiteSVM`.
//!
//! A native program is a plain function, so what belongs to one network (rules, plaintexts, keys) reaches it through a
//! thread-local that [`StandIns::run`] sets around every execution. Several networks can live in one process, each on
//! any thread, as long as **every** execute and simulate call is wrapped in `run`. Outside of it the stand-ins refuse.

mod anchor;
mod builtin;
mod host;
mod introspection;
mod lightning;
mod rules;
mod swig;
mod token;
mod vault;

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use litesvm::LiteSVM;
use solana_pubkey::Pubkey;

pub use crate::domain::session::Delegation;
pub use rules::{PayerRule, Rules, Switches};
pub use swig::SWIG;
pub use vault::{Landed, Scratch, Vault, VaultSnapshot};

use crate::programs::Programs;
use crate::programs::ciphertext::{self, CiphertextError, DecryptionKey, EncryptionKey};

/// What one network's stand-ins are made of.
#[derive(Clone)]
pub struct StandInConfig {
    /// Where the programs stand; the default is devnet's addresses, which the published client has built in.
    pub programs: Programs,
    /// The rules they follow; keep a clone to change them while the network runs.
    pub switches: Arc<Switches>,
    /// The Covalidator's secp256k1 private key, big endian; decides which ciphertexts have a plaintext.
    pub decryption_key: [u8; 32],
    /// The Covalidator's Ed25519 private key, which attests plaintexts.
    pub attestation_key: [u8; 32],
    /// Where `e_rand` draws its values from.
    pub seed: u64,
}

impl Default for StandInConfig {
    /// Fixed keys that everybody knows: for tests, and for nothing that leaves this machine.
    fn default() -> Self {
        Self {
            programs: Programs::default(),
            switches: Arc::default(),
            decryption_key: [0x11; 32],
            attestation_key: [5; 32],
            seed: 0,
        }
    }
}

/// The stand-ins of one network. Clones share everything.
#[derive(Clone)]
pub struct StandIns(Arc<Shared>);

struct Shared {
    config: StandInConfig,
    decryption: DecryptionKey,
    attestation: SigningKey,
    vault: Vault,
}

impl StandIns {
    /// Stand-ins with an empty vault. Refuses 32 bytes that are no secp256k1 private key.
    pub fn new(config: StandInConfig) -> Result<Self, CiphertextError> {
        let decryption = DecryptionKey::from_bytes(&config.decryption_key)?;
        let attestation = SigningKey::from_bytes(&config.attestation_key);
        Ok(Self(Arc::new(Shared { config, decryption, attestation, vault: Vault::default() })))
    }

    /// The public key that this network's clients encrypt to.
    pub fn encryption_key(&self) -> EncryptionKey {
        self.0.decryption.public()
    }

    /// The public key that this network's attestations verify under.
    pub fn attestation_key(&self) -> Pubkey {
        Pubkey::new_from_array(self.0.attestation.verifying_key().to_bytes())
    }

    /// Signs as the Covalidator.
    pub(in crate::localnet) fn attest(&self, digest: &[u8; 32]) -> [u8; 64] {
        use ed25519_dalek::Signer as _;
        self.0.attestation.sign(digest).to_bytes()
    }

    /// Whether an account with this owner and these bytes is a decrypt allowance of this network.
    pub(in crate::localnet) fn grants(&self, owner: &Pubkey, bytes: &[u8]) -> bool {
        *owner == self.config().programs.lightning && lightning::is_granted(bytes)
    }

    fn decrypt(&self, bytes: &[u8]) -> Option<u128> {
        ciphertext::decrypt(&self.0.decryption, bytes).ok()
    }

    fn random(&self, number: u64) -> u128 {
        let seed = self.0.config.seed.to_le_bytes();
        host::digest_to_handle(&[b"stand-in randomness", &seed, &number.to_le_bytes()])
    }

    /// Registers the programs with a virtual machine. A clone of that machine keeps them.
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
