//! Charges: transfers that their buyers sign and sellers hand on, whose fee we pay (`spec/mpp.md` §2, §3).
//!
//! Owns how often was prepared lately, who is at which message, and the key of the hashes of callers' addresses. Everything else of
//! a charge is in the ledger.
//!
//! The order is the promise, each step cheaper than the next: what was recorded is answered from its row; then the policy, the
//! caps, the blockhash, the accounts and a simulation; then the charge is written with our signature in one verb, and only then
//! may anybody send it. Whoever hangs up, it is driven to its end.
//!
//! | died | after restart |
//! |---|---|
//! | before its record | there is no trace; the seller's repeat starts anew |
//! | between record and answer | the driver looks and records what it finds; the first repeat is told the success |
//! | after the success was told | the repeat with the key that it was told to is told it again |

pub(crate) mod answer;
pub(crate) mod check;
pub(crate) mod prepare;
pub(crate) mod record;
pub(crate) mod settle;
pub(crate) mod stats;
pub(crate) mod turns;
pub(crate) mod verify;

use crate::{
    domain::{mpp::recorded_charge::ChargeClaimant, mpp::recorded_charge::KeyHash, single_payment::CallerHash},
    facilitator::{locks::single_flight::Marks, mpp::MppShared},
};
use prepare::Preparations;
use sha2::{Digest as _, Sha256};
use solana_signature::Signature;
use std::sync::Arc;
use turns::Turns;

/// What one charge costs at most, in lamports: two signatures, and the most compute that the policy takes.
const MOST_FEE: u64 = 20_000;

/// Takes charges.
pub(crate) struct Charges {
    shared: Arc<MppShared>,
    preparations: Preparations,
    turns: Turns,
    /// Charges of which it was told that the chain contradicts itself about them.
    contradicted: Marks<Signature>,
    /// The key of the hashes of callers' addresses.
    callers: [u8; 32],
}

impl Charges {
    pub(crate) fn new(shared: Arc<MppShared>) -> Self {
        // Ed25519 signatures are deterministic, so every process and every replica derives the same secret.
        let callers = Sha256::digest(shared.core.keys.spender.sign(b"sotto mpp callers")).into();
        let (preparations, turns) = (Preparations::default(), Turns::default());
        Self { shared, preparations, turns, contradicted: Marks::default(), callers }
    }

    /// Who asks: from this address (an IPv4 address or the /64 of an IPv6 address as a number), with this idempotency key.
    fn claimant(&self, caller: Option<u128>, key: Option<&str>) -> ChargeClaimant {
        let hashed = |caller: u128| {
            let mut hash = [0; 16];
            let digest = Sha256::new().chain_update(self.callers).chain_update(caller.to_be_bytes()).finalize();
            hash.copy_from_slice(&digest[..16]);
            CallerHash(hash)
        };
        ChargeClaimant { caller: caller.map(hashed).unwrap_or_default(), key: key.map(KeyHash::of) }
    }
}
