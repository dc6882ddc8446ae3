//! `[programs]`: where Inco's programs live.

use super::{reader::Reader, schema::Key};
use solana_pubkey::Pubkey;

const INCO_TOKEN: Key = Key::text("programs", "inco_token").of_network();
const INCO_LIGHTNING: Key = Key::text("programs", "inco_lightning").of_network();

pub(super) const KEYS: &[Key] = &[INCO_TOKEN, INCO_LIGHTNING];

/// The addresses of the two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramsConfig {
    /// `IncoToken`.
    pub inco_token: Pubkey,
    /// Inco Lightning.
    pub inco_lightning: Pubkey,
}

impl ProgramsConfig {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let inco_token = reader.address(&INCO_TOKEN);
        let inco_lightning = reader.address(&INCO_LIGHTNING);
        if inco_token.is_some() && inco_token == inco_lightning {
            reader.fault(&INCO_LIGHTNING, "it is the same as programs.inco_token", "these are two programs: set both");
        }
        Some(Self { inco_token: inco_token?, inco_lightning: inco_lightning? })
    }
}
