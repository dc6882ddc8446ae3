//! `[programs]`: where Inco's programs live.

use super::{reader::Reader, schema::Key};
use crate::domain::session::Delegation;
use solana_pubkey::Pubkey;

const INCO_TOKEN: Key = Key::text("programs", "inco_token").of_network();
const INCO_LIGHTNING: Key = Key::text("programs", "inco_lightning").of_network();
const DELEGATION: Key = Key::text("programs", "delegation");

pub(super) const KEYS: &[Key] = &[INCO_TOKEN, INCO_LIGHTNING, DELEGATION];

/// The addresses of the two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramsConfig {
    /// `IncoToken`.
    pub inco_token: Pubkey,
    /// Inco Lightning.
    pub inco_lightning: Pubkey,
    /// What the token program does with an approved amount.
    pub delegation: Delegation,
}

impl ProgramsConfig {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let inco_token = reader.address(&INCO_TOKEN);
        let inco_lightning = reader.address(&INCO_LIGHTNING);
        if inco_token.is_some() && inco_token == inco_lightning {
            reader.fault(&INCO_LIGHTNING, "it is the same as programs.inco_token", "these are two programs: set both");
        }
        let words = [("public", Delegation::Public), ("documented", Delegation::Documented)];
        let delegation = reader.word(&DELEGATION, &words);
        Some(Self { inco_token: inco_token?, inco_lightning: inco_lightning?, delegation: delegation? })
    }
}
