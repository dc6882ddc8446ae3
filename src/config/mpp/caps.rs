//! The caps of `[mpp]`: how much is sponsored for everybody, for a seller, for a payer.

use crate::{
    config::{reader::Reader, schema::Key, value::Origin},
    domain::mpp::caps::{CapRow, Caps},
};

pub(super) const STRANGER_DAY: Key = Key::integer("mpp", "stranger_day_lamports");
pub(super) const GLOBAL_VERIFY: Key = Key::integer("mpp", "global_verify_per_day");
pub(super) const SELLER_VERIFY: Key = Key::integer("mpp", "seller_verify_per_day");
pub(super) const PAYER_VERIFY: Key = Key::integer("mpp", "payer_verify_per_day");
pub(super) const GLOBAL_SETTLE: Key = Key::integer("mpp", "global_settle_per_day");
pub(super) const SELLER_SETTLE: Key = Key::integer("mpp", "seller_settle_per_day");
pub(super) const PAYER_SETTLE: Key = Key::integer("mpp", "payer_settle_per_day");
pub(super) const GLOBAL_CONCURRENCY: Key = Key::integer("mpp", "global_concurrency");
pub(super) const SELLER_CONCURRENCY: Key = Key::integer("mpp", "seller_concurrency");
pub(super) const PAYER_CONCURRENCY: Key = Key::integer("mpp", "payer_concurrency");

/// More than this is a slip of the pen.
const MOST: u64 = 1_000_000_000_000;

/// Reads the caps. Where a network is local, what strangers may spend is bounded only if the operator says so.
pub(super) fn read(reader: &mut Reader<'_>, is_local: bool) -> Option<Caps> {
    let stranger_day = reader.whole(&STRANGER_DAY, 0..=MOST);
    let verify = row(reader, [&GLOBAL_VERIFY, &SELLER_VERIFY, &PAYER_VERIFY]);
    let settle = row(reader, [&GLOBAL_SETTLE, &SELLER_SETTLE, &PAYER_SETTLE]);
    let concurrency = row(reader, [&GLOBAL_CONCURRENCY, &SELLER_CONCURRENCY, &PAYER_CONCURRENCY]);
    let is_default = reader.origin(&STRANGER_DAY) == Some(Origin::Default);
    let stranger_day_lamports = if is_local && is_default { 0 } else { stranger_day? };
    Some(Caps { verify: verify?, settle: settle?, concurrency: concurrency?, stranger_day_lamports })
}

fn row(reader: &mut Reader<'_>, keys: [&Key; 3]) -> Option<CapRow> {
    let [global, seller, payer] = keys.map(|key| reader.whole(key, 0..=MOST));
    Some(CapRow { global: global?, seller: seller?, payer: payer? })
}
