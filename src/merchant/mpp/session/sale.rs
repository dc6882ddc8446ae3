//! What is sold by vouchers: to whom, for how much, and under whose word.

use crate::{
    domain::{
        amount::Amount,
        chance::{Chance, OsChance},
        clock::{Clock, SystemClock},
        mpp::spellings,
        signed::parse_key,
    },
    merchant::{facilitator::FacilitatorClient, price::Price},
    programs::delegation::swig,
    wire::mpp::keys::KeysAnswer,
};
use solana_pubkey::Pubkey;
use std::{fmt, sync::Arc};

/// The network of a seller who names none.
const NETWORK: &str = "mainnet-beta";
/// What is counted where nothing else is said.
const METER: &str = "request";
/// The suggested deposit, in prices of a unit.
const UNITS_OF_DEPOSIT: u64 = 100;
/// The length of a CAIP-2 name with its prefix.
const CHAIN_ID: usize = "solana:".len() + 32;

/// What is sold by vouchers. Strict unless it says otherwise: the facilitator's word is needed for a channel's key, and a channel
/// that has ended is not served.
#[derive(Clone)]
pub struct SessionSale {
    pub(super) recipient: Pubkey,
    pub(super) price_per_unit: Amount,
    pub(super) network: String,
    pub(super) meter: String,
    pub(super) suggested_deposit: Amount,
    pub(super) channel_program: Pubkey,
    pub(super) rules: Rules,
    pub(super) nonces: NonceRule,
    pub(super) issuer: Option<Pubkey>,
    pub(super) facilitator: Option<FacilitatorClient>,
    pub(super) named: Option<String>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Arc<dyn Chance>,
    chain_id: Option<String>,
}

/// Which rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    /// Those of the published verifier, by which anybody can sign themselves vouchers.
    Stock,
    /// Those and ours.
    Strict,
}

/// Which nonces are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NonceRule {
    /// Any.
    Any,
    /// Those of the challenge, each once.
    Issued,
}

/// Why nothing can be sold like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaleFault {
    /// No key signs for the recipient.
    #[error("the recipient is no wallet: no key signs for it, and what is paid to it is lost")]
    NotAWallet,
    /// Anybody could sign themselves vouchers.
    #[error("pin the facilitator's issuer key, or name the facilitator that is asked for channels")]
    NobodyTrusted,
    /// A local network under a name that says nothing.
    #[error("the network's CAIP-2 name is not known; take that of GET /mpp/keys")]
    UnknownNetwork,
}

/// What a facilitator told of its keys is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the facilitator's issuer or program is no key")]
pub struct NoKeys;

impl fmt::Debug for SessionSale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recipient, price_per_unit, network, meter, rules, nonces, issuer, .. } = self;
        f.debug_struct("SessionSale")
            .field("recipient", recipient)
            .field("price_per_unit", price_per_unit)
            .field("network", network)
            .field("meter", meter)
            .field("rules", rules)
            .field("nonces", nonces)
            .field("issuer", issuer)
            .finish_non_exhaustive()
    }
}

impl SessionSale {
    /// Sells to whoever pays the wallet `recipient` so much a unit.
    pub fn new(recipient: Pubkey, price_per_unit: Price) -> Self {
        let price = price_per_unit.amount();
        let deposit = price.get().checked_mul(UNITS_OF_DEPOSIT).and_then(Amount::new);
        Self {
            recipient,
            price_per_unit: price,
            network: NETWORK.to_owned(),
            meter: METER.to_owned(),
            suggested_deposit: deposit.unwrap_or(Amount::MAX),
            channel_program: swig::PROGRAM,
            rules: Rules::Strict,
            nonces: NonceRule::Any,
            issuer: None,
            facilitator: None,
            named: None,
            clock: Arc::new(SystemClock),
            chance: Arc::new(OsChance),
            chain_id: None,
        }
    }

    /// On this network, in a spelling that buyers and the facilitator take.
    #[must_use]
    pub fn network(self, network: impl Into<String>) -> Self {
        Self { network: network.into(), ..self }
    }

    /// Counts something else than requests.
    #[must_use]
    pub fn meter(self, meter: impl Into<String>) -> Self {
        Self { meter: meter.into(), ..self }
    }

    /// Suggests another deposit than a hundred units' price.
    #[must_use]
    pub fn suggested_deposit(self, deposit: Amount) -> Self {
        Self { suggested_deposit: deposit, ..self }
    }

    /// Names another program in the challenge than Swig.
    #[must_use]
    pub fn channel_program(self, program: Pubkey) -> Self {
        Self { channel_program: program, ..self }
    }

    /// Believes this issuer's certificates, so that nobody is asked for channels that bring one along.
    #[must_use]
    pub fn issuer(self, issuer: Pubkey) -> Self {
        Self { issuer: Some(issuer), ..self }
    }

    /// The network's CAIP-2 name, as vouchers have it; of public networks it is known.
    #[must_use]
    pub fn chain_id(self, chain_id: impl Into<String>) -> Self {
        Self { chain_id: Some(chain_id.into()), ..self }
    }

    /// Takes issuer, network and program from a facilitator's keys: over TLS at each start, or from a file that was looked at.
    pub fn keys(self, keys: &KeysAnswer) -> Result<Self, NoKeys> {
        let issuer = parse_key(&keys.issuer).ok_or(NoKeys)?;
        let program = keys.channel_programs.first().and_then(|program| parse_key(program)).ok_or(NoKeys)?;
        Ok(self.issuer(issuer).network(&keys.network).chain_id(&keys.chain_id).channel_program(program))
    }

    /// Asks this facilitator where channels stand: every 15 seconds for those in use, and once for a new one without a certificate.
    /// Never another one, whatever a voucher says.
    #[must_use]
    pub fn facilitator(self, facilitator: FacilitatorClient) -> Self {
        Self { facilitator: Some(facilitator), ..self }
    }

    /// Tells buyers whose vouchers are taken, as in `https://facilitator.example.com`.
    #[must_use]
    pub fn named_facilitator(self, url: impl Into<String>) -> Self {
        Self { named: Some(url.into()), ..self }
    }

    /// Takes vouchers for the challenge's nonce alone, within five minutes and once, so that nobody draws in advance. Published
    /// buyers that invent nonces are refused; several processes must each see the buyers whom they challenged.
    #[must_use]
    pub fn require_nonce(self) -> Self {
        Self { nonces: NonceRule::Issued, ..self }
    }

    /// Holds to the published verifier's rules alone, by which anybody can sign themselves vouchers and be served.
    #[must_use]
    pub fn stock_rules(self) -> Self {
        Self { rules: Rules::Stock, ..self }
    }

    /// Tells the time by another clock than the machine's.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The network's CAIP-2 name, where all is said that its rules need.
    pub(super) fn checked(&self) -> Result<String, SaleFault> {
        if !self.recipient.is_on_curve() {
            return Err(SaleFault::NotAWallet);
        }
        let chain_id = self.chain_id.clone().or_else(|| spellings::chain_id(&self.network));
        if self.rules == Rules::Stock {
            return Ok(chain_id.unwrap_or_default());
        }
        if self.issuer.is_none() && self.facilitator.is_none() {
            return Err(SaleFault::NobodyTrusted);
        }
        let named = Some(self.network.clone()).filter(|name| name.starts_with("solana:") && name.len() == CHAIN_ID);
        chain_id.or(named).ok_or(SaleFault::UnknownNetwork)
    }
}
