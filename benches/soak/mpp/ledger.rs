//! What a ledger says of charges and channels, read beside the process that writes it or from a copy.

use crate::Outcome;
use rusqlite::{Connection, OpenFlags};
use solana_pubkey::Pubkey;
use sotto::domain::mpp::channel_id::PublicId;
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

/// A charge.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChargeRow {
    pub(super) payer: Pubkey,
    pub(super) seller: Pubkey,
    pub(super) amount: u64,
    pub(super) is_told: bool,
    /// Whether it may be on chain: it was not given up, or was found there after all.
    pub(super) may_move: bool,
    pub(super) has_landed: bool,
}

/// A channel.
#[derive(Clone, Debug)]
pub(super) struct ChannelRow {
    pub(super) buyer: Pubkey,
    pub(super) seller: Pubkey,
    pub(super) cumulative: u64,
    pub(super) settled: u64,
    pub(super) shortfall: u64,
    pub(super) sequence: u64,
    pub(super) state: String,
    pub(super) reason: Option<String>,
}

/// All of them.
pub(super) struct Rows {
    pub(super) charges: HashMap<[u8; 32], ChargeRow>,
    pub(super) channels: BTreeMap<[u8; 16], ChannelRow>,
}

impl Rows {
    pub(super) fn read(ledger: &Path) -> Outcome<Self> {
        let reader = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut statement = reader.prepare(
            "SELECT c.message, c.payer, c.recipient, c.amount, c.told, \
             s.state <> 'released' OR c.landed_slot IS NOT NULL, c.landed_slot IS NOT NULL \
             FROM charges c JOIN settlements s ON s.id = c.settlement",
        )?;
        let charges = statement.query_map([], |row| {
            let charge = ChargeRow {
                payer: Pubkey::new_from_array(row.get(1)?),
                seller: Pubkey::new_from_array(row.get(2)?),
                amount: row.get::<_, i64>(3)?.unsigned_abs(),
                is_told: row.get(4)?,
                may_move: row.get(5)?,
                has_landed: row.get(6)?,
            };
            Ok((row.get(0)?, charge))
        })?;
        let charges = charges.collect::<Result<_, _>>()?;
        let mut statement = reader.prepare(
            "SELECT c.id, c.buyer, c.seller, s.cumulative, s.settled, s.shortfall, s.sequence, s.state, s.reason \
             FROM channels c JOIN channel_sums s ON s.channel = c.seq",
        )?;
        let channels = statement.query_map([], |row| {
            let channel = ChannelRow {
                buyer: Pubkey::new_from_array(row.get(1)?),
                seller: Pubkey::new_from_array(row.get(2)?),
                cumulative: row.get::<_, i64>(3)?.unsigned_abs(),
                settled: row.get::<_, i64>(4)?.unsigned_abs(),
                shortfall: row.get::<_, i64>(5)?.unsigned_abs(),
                sequence: row.get::<_, i64>(6)?.unsigned_abs(),
                state: row.get(7)?,
                reason: row.get(8)?,
            };
            Ok((row.get(0)?, channel))
        })?;
        let channels = channels.collect::<Result<_, _>>()?;
        Ok(Self { charges, channels })
    }

    pub(super) fn channel(&self, id: PublicId) -> Option<&ChannelRow> {
        self.channels.get(&id.to_bytes())
    }

    /// What may have moved by these rows, of each buyer and to each seller: every voucher, and every charge that was not given up.
    pub(super) fn claims(&self) -> (BTreeMap<Pubkey, u64>, BTreeMap<Pubkey, u64>) {
        let charges = self.charges.values().filter(|charge| charge.may_move);
        let charges = charges.map(|charge| (charge.payer, charge.seller, charge.amount));
        let channels = self.channels.values().map(|channel| (channel.buyer, channel.seller, channel.cumulative));
        sums(charges.chain(channels))
    }

    /// What has moved by them.
    pub(super) fn moved(&self) -> (BTreeMap<Pubkey, u64>, BTreeMap<Pubkey, u64>) {
        let charges = self.charges.values().filter(|charge| charge.has_landed);
        let charges = charges.map(|charge| (charge.payer, charge.seller, charge.amount));
        let channels = self.channels.values().map(|channel| (channel.buyer, channel.seller, channel.settled));
        sums(charges.chain(channels))
    }
}

fn sums(all: impl Iterator<Item = (Pubkey, Pubkey, u64)>) -> (BTreeMap<Pubkey, u64>, BTreeMap<Pubkey, u64>) {
    let (mut by_buyer, mut by_seller) = (BTreeMap::new(), BTreeMap::new());
    for (buyer, seller, amount) in all {
        *by_buyer.entry(buyer).or_default() += amount;
        *by_seller.entry(seller).or_default() += amount;
    }
    (by_buyer, by_seller)
}

/// Vouchers by channel and number, each with its sum and its nonce.
pub(super) type Vouchers = HashMap<([u8; 16], u64), (u64, String)>;

/// Every voucher of a ledger.
pub(super) fn vouchers(ledger: &Path) -> Outcome<Vouchers> {
    let reader = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = reader.prepare(
        "SELECT c.id, v.sequence, v.cumulative, v.server_nonce FROM vouchers v JOIN channels c ON c.seq = v.channel",
    )?;
    let rows = statement.query_map([], |row| {
        let (sequence, cumulative) = (row.get::<_, i64>(1)?.unsigned_abs(), row.get::<_, i64>(2)?.unsigned_abs());
        Ok(((row.get(0)?, sequence), (cumulative, row.get(3)?)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Lamports of rent that were lent for session accounts, by a ledger, and those accounts.
pub(super) fn rent(ledger: &Path) -> Outcome<(u64, Vec<Pubkey>)> {
    let reader = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let lent = "SELECT coalesce(sum(rent), 0) FROM sponsored_lamports WHERE purpose = 'mpp_onboard'";
    let lent = reader.query_row(lent, [], |row| row.get::<_, i64>(0))?.unsigned_abs();
    let mut statement = reader.prepare("SELECT account FROM delegations")?;
    let accounts = statement.query_map([], |row| Ok(Pubkey::new_from_array(row.get(0)?)))?;
    Ok((lent, accounts.collect::<Result<_, _>>()?))
}
