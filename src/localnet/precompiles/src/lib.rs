//! The precompiled programs that the local network's virtual machine knows: Ed25519, with the published crate's names.
//!
//! The published `agave-precompiles` also has secp256k1 and secp256r1. The latter is written with OpenSSL, compiled from C
//! for over two minutes of one core, and nothing here calls either. A transaction that does is refused, as for any
//! program that is not there.

mod ed25519;

use agave_feature_set::FeatureSet;
use solana_precompile_error::PrecompileError;
use solana_pubkey::Pubkey;

/// What checks an instruction: its data, the data of all instructions of its transaction, and the active features.
pub type Verify = fn(&[u8], &[&[u8]], &FeatureSet) -> Result<(), PrecompileError>;

/// A program that the machine runs itself, before any program it loads sees the transaction.
pub struct Precompile {
    /// Its address.
    pub program_id: Pubkey,
    /// The feature that turns it on; `None` for one that is always on.
    pub feature: Option<Pubkey>,
    /// What checks an instruction of it.
    pub verify_fn: Verify,
}

impl Precompile {
    /// Checks an instruction of this program.
    pub fn verify(
        &self,
        data: &[u8],
        instruction_datas: &[&[u8]],
        feature_set: &FeatureSet,
    ) -> Result<(), PrecompileError> {
        (self.verify_fn)(data, instruction_datas, feature_set)
    }
}

static PRECOMPILES: [Precompile; 1] =
    [Precompile { program_id: solana_sdk_ids::ed25519_program::ID, feature: None, verify_fn: ed25519::verify }];

/// All precompiled programs.
pub fn get_precompiles<'a>() -> &'a [Precompile] {
    &PRECOMPILES
}

/// The precompiled program at an address, if it is turned on.
pub fn get_precompile<F>(program_id: &Pubkey, is_enabled: F) -> Option<&Precompile>
where
    F: Fn(&Pubkey) -> bool,
{
    PRECOMPILES
        .iter()
        .find(|precompile| precompile.program_id == *program_id && precompile.feature.as_ref().is_none_or(&is_enabled))
}

/// Whether a precompiled program is at an address and turned on.
pub fn is_precompile<F>(program_id: &Pubkey, is_enabled: F) -> bool
where
    F: Fn(&Pubkey) -> bool,
{
    get_precompile(program_id, is_enabled).is_some()
}
