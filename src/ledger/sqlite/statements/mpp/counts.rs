//! How often something happened, ever and on this UTC day: one row each, so that nobody has to count.

use crate::{
    domain::clock::{DAY, UnixSeconds},
    ledger::{
        rows::{column, count},
        sqlite::statements::Outcome,
    },
};
use rusqlite::{Connection, OptionalExtension as _, params};

/// Calls of `/mpp/prepare`.
pub(in crate::ledger) const PREPARED: &str = "prepared";

/// Adds so many, and gives how many there are on this day then.
pub(in crate::ledger) fn add(conn: &Connection, name: &str, more: u64, now: UnixSeconds) -> Outcome<u64> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO mpp_counts (name, total, day, today) VALUES (?1, ?2, ?3, ?2) \
         ON CONFLICT (name) DO UPDATE SET total = total + excluded.total, day = excluded.day, \
         today = iif(day = excluded.day, today, 0) + excluded.today RETURNING today",
    )?;
    let today = params![name, column("count", more)?, column("day", now / DAY)?];
    Ok(count("today", statement.query_row(today, |row| row.get(0))?)?)
}

/// How many there are on this day.
pub(in crate::ledger) fn today(conn: &Connection, name: &str, now: UnixSeconds) -> Outcome<u64> {
    let mut statement = conn.prepare_cached("SELECT today FROM mpp_counts WHERE name = ?1 AND day = ?2")?;
    let found = statement.query_row(params![name, column("day", now / DAY)?], |row| row.get(0)).optional()?;
    Ok(found.map_or(Ok(0), |today| count("today", today))?)
}
