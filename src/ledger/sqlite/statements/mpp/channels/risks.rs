//! What an operator is told of channels and of the grants that they stand on, by one look at the ledger.

use crate::{
    domain::{clock::UnixSeconds, mpp::delegation::SETTLED_BEFORE_END},
    ledger::{
        ChannelRisks,
        rows::{column, count, key},
        sqlite::statements::{Outcome, select},
    },
};
use rusqlite::Connection;

/// What stands and what was lost. Grants count as ending that end before `soon`.
pub(in crate::ledger) fn risks(conn: &Connection, chain_id: &str, soon: UnixSeconds) -> Outcome<ChannelRisks> {
    let newest = "SELECT issuer FROM mpp_issuers WHERE chain_id = ?1 ORDER BY seq DESC LIMIT 1";
    let issuer = select::value::<Vec<u8>>(conn, newest, [chain_id])?;
    let owed = amounts(conn, "SELECT owed FROM delegation_use WHERE owed > 0")?;
    let lost = amounts(conn, "SELECT shortfall FROM channel_sums WHERE shortfall > 0")?;
    let of_sellers = amounts(
        conn,
        "SELECT sum(s.cumulative - s.settled - s.shortfall) FROM live_channels l JOIN channel_sums s ON s.channel = l.channel \
         GROUP BY l.delegation, l.seller",
    )?;
    let live = "SELECT live FROM channel_totals";
    let ending = "SELECT count(*) FROM delegations d JOIN delegation_use u ON u.delegation = d.seq \
        JOIN delegation_grants g ON g.delegation = d.seq AND g.generation = d.generation \
        WHERE d.state = 'active' AND u.live > 0 AND g.expires_at - ?2 < ?1";
    let before_end = column("before_end", SETTLED_BEFORE_END)?;
    let ending: Option<i64> = select::value(conn, ending, [column("soon", soon)?, before_end])?;
    Ok(ChannelRisks {
        issuer: issuer.map(|bytes| key("issuer", &bytes)).transpose()?,
        live: count("live", select::value::<i64>(conn, live, [])?.unwrap_or(0))?,
        ending: count("ending", ending.unwrap_or(0))?,
        owed: owed.iter().sum(),
        most_owed: of_sellers.into_iter().max().unwrap_or(0),
        short: lost.len() as u64,
        shortfall: lost.iter().sum(),
    })
}

/// The first column of every row: base units, which may add up to more than a column holds.
fn amounts(conn: &Connection, sql: &str) -> Outcome<Vec<u128>> {
    select::list(conn, sql, [], |row| Ok(u128::from(count("amount", row.get(0)?)?)))
}
