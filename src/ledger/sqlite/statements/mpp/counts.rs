//! How often something happened, ever and on this UTC day: one row each, so that nobody has to count.

use crate::{
    domain::{
        clock::{DAY, UnixSeconds},
        mpp::recorded_charge::DayCount,
    },
    ledger::{
        rows::{column, count},
        sqlite::statements::Outcome,
    },
};
use rusqlite::{Connection, OptionalExtension as _, params};

/// Calls of `/mpp/prepare`.
pub(in crate::ledger) const PREPARED: &str = "prepared";
/// Charges that landed.
pub(super) const LANDED: &str = "charges_landed";
/// Charges that came to nothing.
pub(super) const FAILED: &str = "charges_failed";

/// Adds so many.
pub(in crate::ledger) fn add(conn: &Connection, name: &str, more: u64, now: UnixSeconds) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO mpp_counts (name, total, day, today) VALUES (?1, ?2, ?3, ?2) \
         ON CONFLICT (name) DO UPDATE SET total = total + excluded.total, day = excluded.day, \
         today = iif(day = excluded.day, today, 0) + excluded.today",
    )?
    .execute(params![name, column("count", more)?, column("day", now / DAY)?])?;
    Ok(())
}

/// Takes one off again: it was not so.
pub(super) fn take_back(conn: &Connection, name: &str, now: UnixSeconds) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE mpp_counts SET total = max(total - 1, 0), today = iif(day = ?2, max(today - 1, 0), today) WHERE name = ?1",
    )?
    .execute(params![name, column("day", now / DAY)?])?;
    Ok(())
}

/// How many there are, ever and on this day.
pub(in crate::ledger) fn read(conn: &Connection, name: &str, now: UnixSeconds) -> Outcome<DayCount> {
    let mut statement = conn.prepare_cached("SELECT total, iif(day = ?2, today, 0) FROM mpp_counts WHERE name = ?1")?;
    let found: Option<(i64, i64)> = statement
        .query_row(params![name, column("day", now / DAY)?], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (total, today) = found.unwrap_or_default();
    Ok(DayCount { total: count("total", total)?, today: count("today", today)? })
}
