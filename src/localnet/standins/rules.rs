//! The rules on which public material disagrees or is silent, as switches (`spec/inco.md` §4).

use crate::domain::session::Delegation;
use serde::{Deserialize, Serialize};
use std::sync::{PoisonError, RwLock};

/// Which key may be the payer of `transfer_with_authorization`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PayerRule {
    /// Only the source's owner.
    Owner,
    /// The source's owner or its delegate.
    #[default]
    OwnerOrDelegate,
    /// Any key that pays.
    Anyone,
}

/// One setting of all switches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Rules {
    /// What a delegate may move.
    pub delegation: Delegation,
    /// Which key may pay for `transfer_with_authorization`.
    pub payer_rule: PayerRule,
    /// `transfer_with_authorization` checks the signature and moves nothing, as reported of devnet.
    pub authorization_stub: bool,
    /// The remaining accounts of transfers and spend approvals must be there.
    pub require_remaining_accounts: bool,
    /// Lightning takes each ciphertext once: one that has landed is refused, whoever sends it again.
    pub single_use_ciphertexts: bool,
}

/// Rules that can change while a network runs. A transaction sees one setting from its beginning to its end.
#[derive(Debug, Default)]
pub struct Switches(RwLock<Rules>);

impl Switches {
    /// Switches that start with `rules`.
    pub fn new(rules: Rules) -> Self {
        Self(RwLock::new(rules))
    }

    /// The setting now.
    pub fn get(&self) -> Rules {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets all of them.
    pub fn set(&self, rules: Rules) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// Changes some of them.
    pub fn change(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}
