//! What of the day's caps on verification is used that sellers and all together share (`spec/mpp.md` §10).
//!
//! Preparations are nobody's in particular, so they count as those of strangers: they never use up the half that is kept for known
//! wallets.

use super::counts;
use crate::{
    domain::{
        clock::{DAY, UnixSeconds},
        mpp::caps::{Standing, Use},
    },
    ledger::{
        rows::{column, count},
        sqlite::statements::Outcome,
    },
};
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;

/// Counts one voucher to this seller, drawn by a wallet of this standing.
pub(super) fn add(conn: &Connection, seller: &Pubkey, standing: Standing, now: UnixSeconds) -> Outcome<()> {
    let day = column("day", now / DAY)?;
    let stranger = standing == Standing::Stranger;
    let mut statement = conn.prepare_cached(
        "INSERT INTO mpp_use (day, cap, scope, subject, stranger, used) \
         VALUES (?1, 'verify', 'global', x'', ?3, 1), (?1, 'verify', 'seller', ?2, ?3, 1) \
         ON CONFLICT (day, cap, scope, subject, stranger) DO UPDATE SET used = used + 1",
    )?;
    statement.execute(params![day, seller.to_bytes(), stranger])?;
    Ok(())
}

/// How many vouchers and preparations there were on this day.
pub(in crate::ledger) fn of_all(conn: &Connection, now: UnixSeconds) -> Outcome<Use> {
    let vouchers = used(conn, ("global", &[]), now)?;
    let prepared = counts::read(conn, counts::PREPARED, now)?.today;
    Ok(Use { all: vouchers.all.saturating_add(prepared), strangers: vouchers.strangers.saturating_add(prepared) })
}

/// How many vouchers to this seller there were on this day.
pub(super) fn of_seller(conn: &Connection, seller: &Pubkey, now: UnixSeconds) -> Outcome<Use> {
    used(conn, ("seller", seller.as_ref()), now)
}

fn used(conn: &Connection, (scope, subject): (&str, &[u8]), now: UnixSeconds) -> Outcome<Use> {
    let mut statement = conn.prepare_cached(
        "SELECT coalesce(sum(used), 0), coalesce(sum(used) FILTER (WHERE stranger = 1), 0) FROM mpp_use \
         WHERE day = ?1 AND cap = 'verify' AND scope = ?2 AND subject = ?3",
    )?;
    let (all, strangers): (i64, i64) = statement
        .query_row(params![column("day", now / DAY)?, scope, subject], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Use { all: count("use", all)?, strangers: count("use", strangers)? })
}
