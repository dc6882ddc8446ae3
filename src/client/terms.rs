//! What a facilitator says of itself, held against what the payer pinned.
//!
//! `/supported` comes over a wire that others may hold. So nothing dangerous is taken from it: who is delegated to and
//! who pays fees is pinned, programs, asset, network and encryption key are the payer's own settings, and what
//! `/supported` says of them only has to agree.

use crate::{
    client::signed_opening::Opening,
    domain::{network::Network, signed},
    programs::{
        Programs,
        ciphertext::{CiphertextError, EncryptionKey},
    },
    wire::{facilitator::SupportedAnswer, session::SessionTerms},
};
use solana_pubkey::Pubkey;

/// The Covalidator's encryption key on devnet (`spec/inco.md` §1).
const DEVNET_ENCRYPTION_KEY: &str = "0486ca2bbf34bea44c6043f23ebc5b67ca7ccefc3710498385ecc161460a1f8729db2a361cb0d7f40847a99a75572bc10e36a365218f4bae450dc61348330bb717";
/// Where sessions are opened unless the facilitator says otherwise.
const SESSIONS_ENDPOINT: &str = "/sessions";

/// The facilitator's addresses as the payer learnt them from somewhere trustworthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FacilitatorPin {
    /// The key that becomes the delegate.
    pub spender: Pubkey,
    /// The key that pays the approve's fee.
    pub fee_payer: Pubkey,
}

impl FacilitatorPin {
    /// A facilitator whose spender pays the fees too, as the deployed one.
    pub fn one_key(address: Pubkey) -> Self {
        Self { spender: address, fee_payer: address }
    }
}

/// Whom the payer delegates to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Only this facilitator.
    Pinned(FacilitatorPin),
    /// Trust any facilitator that answers: whoever controls the connection can become the delegate; for development only.
    OnFirstUse,
}

/// What the payer knows before they ask.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The facilitator's URL.
    pub facilitator: String,
    /// Whom to delegate to.
    pub trust: Trust,
    /// The network.
    pub network: Network,
    /// The mint.
    pub asset: Pubkey,
    /// The on-chain programs: they get the wallet's signature, so they are never taken from an answer.
    pub programs: Programs,
    /// The Covalidator's key, to which the cap is encrypted.
    pub encryption_key: EncryptionKey,
}

impl Settings {
    /// In what a signed opening was made for somebody else than these settings name, if it was.
    pub(super) fn other_than(&self, opening: &Opening) -> Option<&'static str> {
        let is_pinned = match self.trust {
            Trust::Pinned(pin) => pin.spender == opening.intent.spender,
            Trust::OnFirstUse => true,
        };
        if opening.facilitator != self.facilitator || !is_pinned {
            return Some("it was made for another facilitator");
        }
        (opening.intent.asset != self.asset).then_some("it was made for another asset")
    }

    /// Settings for devnet, with the programs and the encryption key of `spec/inco.md` §1.
    pub fn devnet(facilitator: impl Into<String>, pin: FacilitatorPin, asset: Pubkey) -> Result<Self, CiphertextError> {
        Ok(Self {
            facilitator: facilitator.into(),
            trust: Trust::Pinned(pin),
            network: Network::devnet(),
            asset,
            programs: Programs::default(),
            encryption_key: EncryptionKey::from_hex(DEVNET_ENCRYPTION_KEY)?,
        })
    }
}

/// Why a facilitator's terms are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// No `session` kind for this network and asset.
    #[error("the facilitator serves no session scheme for this network and asset")]
    NotServed,
    /// It names another address than the pinned one.
    #[error("the facilitator names {told} as its {what}, and {pinned} is pinned")]
    Pin {
        /// Which address.
        what: &'static str,
        /// What it says.
        told: Pubkey,
        /// What the payer pinned.
        pinned: Pubkey,
    },
    /// It works with other programs or another encryption key than the payer's settings.
    #[error("the facilitator works with another {0}")]
    Differs(&'static str),
    /// A member that is no address, or no path.
    #[error("the facilitator's {0} is malformed")]
    Malformed(&'static str),
}

/// What an opening takes from `/supported`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The network in the facilitator's spelling.
    pub network: String,
    /// The addresses: the pinned ones, or on first use the told ones.
    pub facilitator: FacilitatorPin,
    /// The path of `POST /sessions`.
    pub sessions_path: String,
    /// The asset's decimals, when they are told.
    pub decimals: Option<u8>,
    /// The furthest expiration, in seconds from now, when it is told.
    pub max_session_seconds: Option<u64>,
    /// The largest grant, in lamports, when it is told.
    pub max_grant_lamports: Option<u64>,
}

/// Finds the kind that serves the payer's network and asset, and holds it against the payer's settings.
pub fn agree(supported: &SupportedAnswer, settings: &Settings) -> Result<Terms, TermsError> {
    let asset = settings.asset.to_string();
    let served = supported.kinds.iter().filter(|kind| settings.network.is(&kind.network)).find_map(|kind| {
        let terms = kind.session_terms()?;
        let agrees = [&kind.asset, &terms.asset].into_iter().flatten().all(|told| *told == asset);
        agrees.then(|| (kind.network.clone(), terms))
    });
    let (network, terms) = served.ok_or(TermsError::NotServed)?;
    check_settings(&terms, settings)?;
    let told = addresses(&terms)?;
    let facilitator = match settings.trust {
        Trust::Pinned(pin) => {
            pinned("spender", told.spender, pin.spender)?;
            pinned("fee payer", told.fee_payer, pin.fee_payer)?;
            pin
        }
        Trust::OnFirstUse => told,
    };
    let sessions_path = terms.sessions_endpoint.unwrap_or_else(|| SESSIONS_ENDPOINT.to_owned());
    // A path on the facilitator, never another server.
    if !sessions_path.starts_with('/') || sessions_path.starts_with("//") {
        return Err(TermsError::Malformed("sessions endpoint"));
    }
    Ok(Terms {
        network,
        facilitator,
        sessions_path,
        decimals: terms.decimals,
        max_session_seconds: terms.limits.as_ref().map(|limits| limits.max_session_seconds),
        max_grant_lamports: terms.limits.as_ref().map(|limits| limits.max_grant_lamports),
    })
}

fn pinned(what: &'static str, told: Pubkey, pinned: Pubkey) -> Result<(), TermsError> {
    if told == pinned { Ok(()) } else { Err(TermsError::Pin { what, told, pinned }) }
}

fn addresses(terms: &SessionTerms) -> Result<FacilitatorPin, TermsError> {
    let key = |text: &str, what| signed::parse_key(text).ok_or(TermsError::Malformed(what));
    let address = key(&terms.facilitator_address, "address")?;
    let told = |text: &Option<String>, what| text.as_deref().map_or(Ok(address), |text| key(text, what));
    let spender = told(&terms.spender, "spender")?;
    // Both names mean the delegate (`spec/session.md` §1); two answers to one question are none.
    if spender != address {
        return Err(TermsError::Malformed("spender"));
    }
    Ok(FacilitatorPin { spender, fee_payer: told(&terms.fee_payer, "fee payer")? })
}

fn check_settings(terms: &SessionTerms, settings: &Settings) -> Result<(), TermsError> {
    if let Some(told) = &terms.programs {
        let ours = [settings.programs.token, settings.programs.lightning].map(|key| key.to_string());
        if [&told.token, &told.lightning] != [&ours[0], &ours[1]] {
            return Err(TermsError::Differs("token or Lightning program"));
        }
    }
    match &terms.encryption_key {
        Some(told) if !told.eq_ignore_ascii_case(&settings.encryption_key.to_hex()) => {
            Err(TermsError::Differs("encryption key"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
