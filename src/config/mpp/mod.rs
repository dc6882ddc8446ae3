//! `[mpp]`: the Machine Payments Protocol. Nothing of it is served unless it is switched on and has a mint and a root.

mod caps;
mod channels;
mod delegations;
mod roots;

pub use self::{channels::MppChannelsConfig, delegations::MppDelegationsConfig};

use super::{
    network::{NetworkConfig, NetworkName},
    reader::Reader,
    schema::Key,
};
use crate::domain::{
    amount::Amount,
    mpp::{caps::Caps, choices::StatsShown, root::Roots},
    signed::parse_key,
};
use solana_pubkey::Pubkey;

pub(super) const ENABLED: Key = Key::switch("mpp", "enabled");
const MINT: Key = Key::text("mpp", "mint");
const FURTHER_MINTS: Key = Key::list("mpp", "further_mints");
const MIN_AMOUNT: Key = Key::integer("mpp", "min_amount");
const STATS: Key = Key::text("mpp", "stats");
const KNOWN_WALLETS: Key = Key::list("mpp", "known_wallets");

/// The keys of the section, in the order of the compiled-in file.
pub(super) const KEYS: &[Key] = &[
    ENABLED,
    MINT,
    FURTHER_MINTS,
    roots::ROOT,
    roots::PREVIOUS_ROOTS,
    MIN_AMOUNT,
    STATS,
    KNOWN_WALLETS,
    caps::STRANGER_DAY,
    caps::GLOBAL_VERIFY,
    caps::SELLER_VERIFY,
    caps::PAYER_VERIFY,
    caps::GLOBAL_SETTLE,
    caps::SELLER_SETTLE,
    caps::PAYER_SETTLE,
    caps::GLOBAL_CONCURRENCY,
    caps::SELLER_CONCURRENCY,
    caps::PAYER_CONCURRENCY,
    delegations::BACKEND,
    delegations::PUBLIC_HOSTS,
    delegations::BUYERS,
    delegations::MIN_ONBOARDING_BALANCE,
    delegations::ONBOARDINGS_OF_WALLET,
    delegations::ONBOARDINGS_OF_IP,
    delegations::ONBOARDINGS,
    delegations::RENT_DAY,
    delegations::SWIG_RENT_DAY,
    channels::OPEN_AUTH,
    channels::WINDOW_PRIVATE,
    channels::WINDOW_DEPOSIT_MAX,
    channels::SELLERS,
    channels::MIN_DEPOSIT,
    channels::MAX_DEPOSIT,
    channels::EMERGENCY,
    channels::MONITOR,
    channels::GRACE,
    channels::MAX_OWED,
    channels::CREDIT_LINE,
    channels::OF_BUYER,
    channels::OF_SELLER,
    channels::IN_ALL,
    channels::VOUCHERS_OF_CHANNEL,
    channels::VOUCHER_RETENTION,
];

/// The most base units that a limit may be.
const MOST_UNITS: u64 = i64::MAX.unsigned_abs();

/// What an operator who serves MPP decides.
#[derive(Clone, Debug)]
pub struct MppConfig {
    /// The token of a request that names none.
    pub mint: Pubkey,
    /// Further tokens that charges may be paid in.
    pub further_mints: Vec<Pubkey>,
    /// The secret that keys are derived from.
    pub roots: Roots,
    /// The least amount of a charge, in base units.
    pub min_amount: Amount,
    /// How much of what was settled everybody is told.
    pub stats: StatsShown,
    /// Wallets that are known without having paid.
    pub known_wallets: Vec<Pubkey>,
    /// How much is sponsored.
    pub caps: Caps,
    /// How buyers delegate.
    pub delegations: MppDelegationsConfig,
    /// What channels may hold, and for how long.
    pub channels: MppChannelsConfig,
}

/// The section without faults.
#[derive(Clone, Debug)]
pub struct MppSection {
    /// What it says; none where MPP is not served.
    pub served: Option<MppConfig>,
}

impl MppSection {
    /// Reads the section. Values are judged either way, but only what is served has to be set.
    pub fn read(reader: &mut Reader<'_>, network: Option<&NetworkConfig>) -> Option<Self> {
        let is_on = reader.switch(&ENABLED);
        let is_served = is_on == Some(true);
        let network = network.map(|network| &network.name);
        let is_local = matches!(network, Some(NetworkName::Local { .. }));
        let mint = read_mint(reader, is_served);
        let further_mints = read_wallets(reader, &FURTHER_MINTS);
        let roots = roots::read(reader, is_served);
        let min_amount = read_units(reader, &MIN_AMOUNT, 1);
        let words = [("public", StatsShown::Public), ("totals", StatsShown::Totals), ("off", StatsShown::Off)];
        let stats = reader.word(&STATS, &words);
        let known_wallets = read_wallets(reader, &KNOWN_WALLETS);
        let caps = caps::read(reader, is_local);
        let delegations = MppDelegationsConfig::read(reader, network, is_served);
        let channels = MppChannelsConfig::read(reader);
        let (further_mints, min_amount, stats) = (further_mints?, min_amount?, stats?);
        let (known_wallets, caps, delegations, channels) = (known_wallets?, caps?, delegations?, channels?);
        if !is_on? {
            return Some(Self { served: None });
        }
        let (mint, roots) = (mint?, roots?);
        let served =
            MppConfig { mint, further_mints, roots, min_amount, stats, known_wallets, caps, delegations, channels };
        Some(Self { served: Some(served) })
    }
}

/// The mint, which has no default: which token is taken is the operator's to say.
fn read_mint(reader: &mut Reader<'_>, is_served: bool) -> Option<Pubkey> {
    let remedy = "write the base58 address of the token's mint, or set mpp.enabled = false";
    let Some(text) = reader.optional_text(&MINT) else {
        if is_served {
            reader.fault(&MINT, "not set, and mpp.enabled is true", remedy);
        }
        return None;
    };
    let mint = parse_key(text);
    if mint.is_none() {
        reader.fault(&MINT, format!("{text:?} is not an address"), remedy);
    }
    mint
}

/// A list of addresses.
fn read_wallets(reader: &mut Reader<'_>, key: &Key) -> Option<Vec<Pubkey>> {
    let texts = reader.list(key)?;
    let mut keys = Vec::with_capacity(texts.len());
    for text in texts {
        match parse_key(text) {
            Some(address) => keys.push(address),
            None => reader.fault(key, format!("{text:?} is not an address"), "write base58 addresses (32 bytes)"),
        }
    }
    (keys.len() == texts.len()).then_some(keys)
}

/// Base units of the mint, `least` or more.
fn read_units(reader: &mut Reader<'_>, key: &Key, least: u64) -> Option<Amount> {
    reader.whole(key, least..=MOST_UNITS).and_then(Amount::new)
}
