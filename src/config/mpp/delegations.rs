//! How buyers delegate: the part of `[mpp]` that onboarding reads.

use super::{read_units, read_wallets};
use crate::{
    config::{network::NetworkName, reader::Reader, schema::Key},
    domain::{amount::Amount, mpp::choices::Backend, network::Network},
};
use solana_pubkey::Pubkey;

pub(super) const BACKEND: Key = Key::text("mpp", "backend");
pub(super) const PUBLIC_HOSTS: Key = Key::list("mpp", "public_hosts");
pub(super) const BUYERS: Key = Key::list("mpp", "buyers");
pub(super) const MIN_ONBOARDING_BALANCE: Key = Key::integer("mpp", "min_onboarding_balance");
pub(super) const ONBOARDINGS_OF_WALLET: Key = Key::integer("mpp", "onboardings_per_wallet_per_day");
pub(super) const ONBOARDINGS_OF_IP: Key = Key::integer("mpp", "onboardings_per_ip_per_day");
pub(super) const ONBOARDINGS: Key = Key::integer("mpp", "onboardings_per_hour");
pub(super) const RENT_DAY: Key = Key::integer("mpp", "rent_day_lamports");
pub(super) const SWIG_RENT_DAY: Key = Key::integer("mpp", "swig_rent_day_lamports");

/// More than this is a slip of the pen.
const MOST: u64 = 1_000_000_000_000;

/// How buyers delegate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MppDelegationsConfig {
    /// By what new delegations are made.
    pub backend: Backend,
    /// The host names, without ports, that sign-ins may be for; empty for what the server is bound to.
    pub public_hosts: Vec<String>,
    /// The only wallets that may onboard; empty for all.
    pub buyers: Vec<Pubkey>,
    /// What a wallet has to hold, in base units.
    pub min_balance: Amount,
    /// Onboardings of one wallet in a UTC day; 0 for no limit, as in all of these.
    pub of_wallet_per_day: u64,
    /// Onboardings from one caller address in a UTC day.
    pub of_ip_per_day: u64,
    /// Onboardings in an hour.
    pub per_hour: u64,
    /// Lamports of rent for session accounts in a UTC day; 0 pays none.
    pub rent_day_lamports: u64,
    /// Lamports of rent for Swig wallets in a UTC day; 0 pays none.
    pub swig_rent_day_lamports: u64,
}

impl MppDelegationsConfig {
    pub(super) fn read(reader: &mut Reader<'_>, network: Option<&NetworkName>, is_served: bool) -> Option<Self> {
        let backend = read_backend(reader, network, is_served);
        let public_hosts = read_hosts(reader);
        let buyers = read_wallets(reader, &BUYERS);
        let min_balance = read_units(reader, &MIN_ONBOARDING_BALANCE, 0);
        let [of_wallet_per_day, of_ip_per_day, per_hour, rent_day_lamports, swig_rent_day_lamports] =
            [&ONBOARDINGS_OF_WALLET, &ONBOARDINGS_OF_IP, &ONBOARDINGS, &RENT_DAY, &SWIG_RENT_DAY]
                .map(|key| reader.whole(key, 0..=MOST));
        Some(Self {
            backend: backend?,
            public_hosts: public_hosts?,
            buyers: buyers?,
            min_balance: min_balance?,
            of_wallet_per_day: of_wallet_per_day?,
            of_ip_per_day: of_ip_per_day?,
            per_hour: per_hour?,
            rent_day_lamports: rent_day_lamports?,
            swig_rent_day_lamports: swig_rent_day_lamports?,
        })
    }
}

/// On mainnet the operator chooses; elsewhere it is the token program's own delegation.
fn read_backend(reader: &mut Reader<'_>, network: Option<&NetworkName>, is_served: bool) -> Option<Backend> {
    let words = [("auto", None), ("spl-delegate", Some(Backend::SplDelegate)), ("swig", Some(Backend::Swig))];
    if let Some(chosen) = reader.word(&BACKEND, &words)? {
        return Some(chosen);
    }
    if is_served && network == Some(&NetworkName::Public(Network::mainnet())) {
        let remedy = "write \"spl-delegate\", or \"swig\" once `sotto doctor` has seen that it works on this network";
        reader.fault(&BACKEND, "on mainnet it has to be chosen", remedy);
        return None;
    }
    Some(Backend::SplDelegate)
}

fn read_hosts(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let hosts = reader.list(&PUBLIC_HOSTS)?;
    let is_host = |host: &String| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    match hosts.iter().find(|host| !is_host(host)) {
        None => Some(hosts.to_vec()),
        Some(other) => {
            let remedy = "write host names alone, such as \"pay.example.com\": no scheme, port or path";
            reader.fault(&PUBLIC_HOSTS, format!("{other:?} is no host name"), remedy);
            None
        }
    }
}
