//! What channels may hold, and for how long: the part of `[mpp]` that sessions of the protocol read.

use super::{read_units, read_wallets};
use crate::{
    config::{reader::Reader, schema::Key},
    domain::{
        amount::Amount,
        mpp::choices::{Emergency, OpenAuth},
    },
};
use solana_pubkey::Pubkey;
use std::time::Duration;

pub(super) const OPEN_AUTH: Key = Key::text("mpp", "open_auth");
pub(super) const WINDOW_PRIVATE: Key = Key::switch("mpp", "window_private");
pub(super) const WINDOW_DEPOSIT_MAX: Key = Key::integer("mpp", "window_deposit_max");
pub(super) const SELLERS: Key = Key::list("mpp", "sellers");
pub(super) const MIN_DEPOSIT: Key = Key::integer("mpp", "min_deposit");
pub(super) const MAX_DEPOSIT: Key = Key::integer("mpp", "max_deposit");
pub(super) const EMERGENCY: Key = Key::text("mpp", "emergency");
pub(super) const MONITOR: Key = Key::integer("mpp", "monitor_seconds");
pub(super) const GRACE: Key = Key::integer("mpp", "grace_seconds");
pub(super) const MAX_OWED: Key = Key::integer("mpp", "max_owed_seconds");
pub(super) const CREDIT_LINE: Key = Key::integer("mpp", "credit_line");
pub(super) const OF_BUYER: Key = Key::integer("mpp", "channels_per_buyer");
pub(super) const OF_SELLER: Key = Key::integer("mpp", "channels_per_seller");
pub(super) const IN_ALL: Key = Key::integer("mpp", "channels");
pub(super) const VOUCHERS_OF_CHANNEL: Key = Key::integer("mpp", "vouchers_per_channel_per_second");
pub(super) const VOUCHER_RETENTION: Key = Key::integer("mpp", "voucher_retention_days");

/// More than this is a slip of the pen.
const MOST: u64 = 1_000_000_000;
/// The longest of any time, in seconds: what a channel lives at most.
const MOST_SECONDS: u64 = 30 * 86_400;

/// What channels may hold, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MppChannelsConfig {
    /// Who may open one.
    pub open_auth: OpenAuth,
    /// Whether callers from loopback and private addresses are told apart by them, as on closed networks.
    pub window_private: bool,
    /// What the live channels of one wallet hold at most that were opened without a proof, in base units.
    pub window_deposit_max: Amount,
    /// The only sellers that channels may pay; empty for all.
    pub sellers: Vec<Pubkey>,
    /// The smallest deposit, in base units.
    pub min_deposit: Amount,
    /// The largest, in base units.
    pub max_deposit: Amount,
    /// When a buyer's channels are settled at once.
    pub emergency: Emergency,
    /// How often the accounts behind channels are looked at.
    pub monitor: Duration,
    /// How long a voucher may still come after the idle time.
    pub grace: Duration,
    /// How long a channel may owe before it is settled in between.
    pub max_owed: Duration,
    /// What one buyer may owe one seller, in base units; 0 for no limit.
    pub credit_line: Amount,
    /// Live channels of one buyer; 0 for no limit, as in the next three.
    pub of_buyer: u64,
    /// Live channels to one seller.
    pub of_seller: u64,
    /// Live channels in all.
    pub in_all: u64,
    /// Vouchers of one channel in a second.
    pub vouchers_per_second: u64,
    /// For how many days the vouchers of a channel are kept that has ended.
    pub voucher_retention_days: u64,
}

impl MppChannelsConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let auth = [("window", OpenAuth::Window), ("proof", OpenAuth::Proof), ("off", OpenAuth::Off)];
        let open_auth = reader.word(&OPEN_AUTH, &auth);
        let window_private = reader.switch(&WINDOW_PRIVATE);
        let window_deposit_max = read_units(reader, &WINDOW_DEPOSIT_MAX, 0);
        let sellers = read_wallets(reader, &SELLERS);
        let [min_deposit, max_deposit] = [&MIN_DEPOSIT, &MAX_DEPOSIT].map(|key| read_units(reader, key, 1));
        if min_deposit.zip(max_deposit).is_some_and(|(least, most)| least > most) {
            reader.fault(&MAX_DEPOSIT, "it is below mpp.min_deposit", "write a larger number");
        }
        let emergency = reader.word(&EMERGENCY, &[("reserve", Emergency::Reserve), ("owed", Emergency::Owed)]);
        let monitor = reader.whole(&MONITOR, 1..=600).map(Duration::from_secs);
        let [grace, max_owed] = [(&GRACE, 0), (&MAX_OWED, 60)]
            .map(|(key, least)| reader.whole(key, least..=MOST_SECONDS).map(Duration::from_secs));
        let credit_line = read_units(reader, &CREDIT_LINE, 0);
        let [of_buyer, of_seller, in_all, vouchers_per_second] =
            [&OF_BUYER, &OF_SELLER, &IN_ALL, &VOUCHERS_OF_CHANNEL].map(|key| reader.whole(key, 0..=MOST));
        let voucher_retention_days = reader.whole(&VOUCHER_RETENTION, 1..=36_500);
        Some(Self {
            open_auth: open_auth?,
            window_private: window_private?,
            window_deposit_max: window_deposit_max?,
            sellers: sellers?,
            min_deposit: min_deposit?,
            max_deposit: max_deposit?,
            emergency: emergency?,
            monitor: monitor?,
            grace: grace?,
            max_owed: max_owed?,
            credit_line: credit_line?,
            of_buyer: of_buyer?,
            of_seller: of_seller?,
            in_all: in_all?,
            vouchers_per_second: vouchers_per_second?,
            voucher_retention_days: voucher_retention_days?,
        })
    }
}
