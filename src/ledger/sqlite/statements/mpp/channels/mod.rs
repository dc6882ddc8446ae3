//! Channels and their vouchers: what is read of them, and what follows from their settlements.
//!
//! Must be true: what a voucher says is owed from the moment when it is written; nothing is settled beyond it; a channel has at
//! most one settlement that is not at its end. The schema (migration 27) refuses whatever breaks that, and keeps what stands on
//! a delegation by triggers.

mod draw;
mod end;
mod open;
mod risks;
mod settle;

pub(in crate::ledger) use draw::draw;
pub(in crate::ledger) use end::{due, end, end_all_of, fail, fail_openings, prune};
pub(in crate::ledger) use open::open;
pub(in crate::ledger) use risks::risks;
pub(in crate::ledger::sqlite::statements) use settle::follow;
pub(in crate::ledger) use settle::{plan_shares, settle, write_off_account, write_off_channel};

use crate::ledger::sqlite::statements::{Outcome, select};
use crate::{
    domain::{
        amount::Amount,
        mpp::{channel::Channel, channel_id::PublicId},
        settlement::SettlementId,
    },
    ledger::{
        AccountStanding, ChannelCounts, ChannelRecord, ChannelSettling, LedgerError,
        rows::{ChannelRow, count},
    },
};
use rusqlite::{Connection, OptionalExtension as _, Params, Row};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use uuid::Uuid;

const CHANNEL: &str = "SELECT c.seq, c.id, c.buyer, c.seller, c.mint, c.account, c.generation, c.signer, c.program, c.deposit, \
    c.idle_timeout, c.opened_at, c.expires_at, c.certificate, c.authorised, s.state, s.reason, s.cumulative, s.settled, \
    s.shortfall, s.sequence, s.active_at, s.owed_since, s.ended_at, s.refusals, s.parts \
    FROM channels c JOIN channel_sums s ON s.channel = c.seq";
/// What `channels` and `channel_sums` are joined to for the live ones.
const LIVE: &str = "JOIN live_channels l ON l.channel = c.seq AND l.delegation = c.delegation";
/// Those of which no settlement is on its way.
const NOT_SETTLING: &str = "NOT EXISTS (SELECT 1 FROM channel_settlements p WHERE p.channel = c.seq AND p.live = 1)";

fn channel_row(row: &Row<'_>) -> rusqlite::Result<ChannelRow> {
    Ok(ChannelRow {
        seq: row.get(0)?,
        id: row.get(1)?,
        buyer: row.get(2)?,
        seller: row.get(3)?,
        mint: row.get(4)?,
        account: row.get(5)?,
        generation: row.get(6)?,
        signer: row.get(7)?,
        program: row.get(8)?,
        deposit: row.get(9)?,
        idle_timeout: row.get(10)?,
        opened_at: row.get(11)?,
        expires_at: row.get(12)?,
        certificate: row.get(13)?,
        authorised: row.get(14)?,
        state: row.get(15)?,
        reason: row.get(16)?,
        cumulative: row.get(17)?,
        settled: row.get(18)?,
        shortfall: row.get(19)?,
        sequence: row.get(20)?,
        active_at: row.get(21)?,
        owed_since: row.get(22)?,
        ended_at: row.get(23)?,
        refusals: row.get(24)?,
        parts: row.get(25)?,
    })
}

/// The channels that `rest` selects, with the numbers of their rows.
fn numbered(conn: &Connection, rest: &str, params: impl Params) -> Outcome<Vec<(i64, Channel)>> {
    select::list(conn, &format!("{CHANNEL} {rest}"), params, |row| {
        let row = channel_row(row)?;
        Ok((row.seq, row.into_channel()?))
    })
}

/// The channels that `rest` selects.
fn channels(conn: &Connection, rest: &str, params: impl Params) -> Outcome<Vec<Channel>> {
    Ok(numbered(conn, rest, params)?.into_iter().map(|(_, channel)| channel).collect())
}

/// The channel with this public id, and the number of its row.
fn channel(conn: &Connection, id: PublicId) -> Outcome<Option<(i64, Channel)>> {
    Ok(numbered(conn, "WHERE c.id = ?1", [id.to_bytes()])?.pop())
}

/// The delegation that a channel is settled by.
fn delegation_of(conn: &Connection, row: i64) -> Outcome<i64> {
    Ok(conn.prepare_cached("SELECT delegation FROM channels WHERE seq = ?1")?.query_row([row], |row| row.get(0))?)
}

/// The delegation behind an account.
fn delegation(conn: &Connection, account: &Pubkey) -> Outcome<Option<i64>> {
    select::value(conn, "SELECT seq FROM delegations WHERE account = ?1", [account.to_bytes()])
}

/// The channel with this public id, with its transactions.
pub(in crate::ledger) fn find(conn: &Connection, id: PublicId) -> Outcome<Option<ChannelRecord>> {
    let Some((row, channel)) = channel(conn, id)? else { return Ok(None) };
    record(conn, row, channel).map(Some)
}

/// A channel with its transactions.
fn record(conn: &Connection, row: i64, channel: Channel) -> Outcome<ChannelRecord> {
    let (anchor, signature): (Vec<u8>, Option<Vec<u8>>) = conn
        .prepare_cached(
            "SELECT a.id, a.signature FROM channels c JOIN settlements a ON a.id = c.anchor WHERE c.seq = ?1",
        )?
        .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let last: Option<Vec<u8>> = select::value(
        conn,
        "SELECT t.signature FROM channel_settlements p JOIN settlements t ON t.id = p.settlement \
         WHERE p.channel = ?1 AND t.state IN ('landed', 'settled') ORDER BY p.settled_before DESC LIMIT 1",
        [row],
    )?;
    Ok(ChannelRecord {
        channel,
        anchor: (settlement_id(&anchor)?, signature.as_deref().map(transaction).transpose()?),
        last_settled: last.as_deref().map(transaction).transpose()?,
        settling: settling(conn, row)?,
    })
}

/// The settlement of a channel that is not at its end.
fn settling(conn: &Connection, row: i64) -> Outcome<Option<ChannelSettling>> {
    let sql = "SELECT settlement, sequence, generation FROM channel_settlements WHERE channel = ?1 AND live = 1";
    let found = select::list(conn, sql, [row], |row| {
        let (settlement, sequence, generation): (Vec<u8>, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let wrong = |_| LedgerError::Inconsistent("a settlement's generation is no number".to_owned());
        Ok(ChannelSettling {
            settlement: settlement_id(&settlement)?,
            sequence: count("sequence", sequence)?,
            generation: u32::try_from(generation).map_err(wrong)?,
        })
    })?;
    Ok(found.into_iter().next())
}

fn settlement_id(bytes: &[u8]) -> Result<SettlementId, LedgerError> {
    let wrong = |_| LedgerError::Inconsistent("a channel's settlement is no id".to_owned());
    Uuid::from_slice(bytes).map(SettlementId).map_err(wrong)
}

fn transaction(bytes: &[u8]) -> Result<Signature, LedgerError> {
    let wrong = |_| LedgerError::Inconsistent("a channel's transaction is no signature".to_owned());
    Signature::try_from(bytes).map_err(wrong)
}

/// The live channels of an account, oldest first.
pub(in crate::ledger) fn of_account(conn: &Connection, account: &Pubkey) -> Outcome<Vec<Channel>> {
    let Some(delegation) = delegation(conn, account)? else { return Ok(Vec::new()) };
    channels(conn, &format!("{LIVE} WHERE l.delegation = ?1 ORDER BY c.opened_at, c.id"), [delegation])
}

/// What stands on an account.
pub(in crate::ledger) fn account_standing(conn: &Connection, account: &Pubkey) -> Outcome<AccountStanding> {
    let sql =
        "SELECT u.landed_slot FROM delegations d JOIN delegation_use u ON u.delegation = d.seq WHERE d.account = ?1";
    let landed: Option<i64> = select::value(conn, sql, [account.to_bytes()])?;
    Ok(AccountStanding {
        channels: of_account(conn, account)?,
        in_flight: settle::in_flight_of(conn, account)?,
        landed_slot: count("landed_slot", landed.unwrap_or(0))?,
    })
}

/// Which parties of a channel were wallets that we know when it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct KnownParties {
    buyer: bool,
    seller: bool,
}

/// Who was known when a channel was opened, as its anchor says.
fn known_parties(conn: &Connection, row: i64) -> Outcome<KnownParties> {
    let anchor = "SELECT t.stranger = 0, t.seller_known FROM channels c JOIN mpp_transactions t ON t.settlement = c.anchor \
        WHERE c.seq = ?1";
    let known = |row: &Row<'_>| Ok(KnownParties { buyer: row.get(0)?, seller: row.get(1)? });
    Ok(conn.prepare_cached(anchor)?.query_row([row], known).optional()?.unwrap_or_default())
}

/// How many channels there are, and what they came to: one row.
pub(in crate::ledger) fn counts(conn: &Connection) -> Outcome<ChannelCounts> {
    let (open, vouchers, settled): (i64, i64, i64) = conn
        .prepare_cached("SELECT open, vouchers, settled FROM channel_totals")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(ChannelCounts {
        open: count("open", open)?,
        vouchers: count("vouchers", vouchers)?,
        settled: Amount::try_from(settled)
            .map_err(|_| LedgerError::Inconsistent("what channels settled is no amount".to_owned()))?,
    })
}

/// How many rows a statement counts.
fn counted(conn: &Connection, sql: &str, params: impl Params) -> Outcome<u64> {
    let counted: Option<i64> = conn.prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()?.flatten();
    Ok(count("channels", counted.unwrap_or(0))?)
}

/// Questions whose every answer is a contradiction.
pub(in crate::ledger::sqlite::statements) const CONTRADICTIONS: [(&str, &str, &str); 9] = [
    (
        "channel_totals",
        "it does not count the channels that live, those that are open, or what they gave",
        "SELECT one FROM channel_totals WHERE live <> (SELECT count(*) FROM live_channels) \
         OR (open, vouchers) <> (SELECT count(*) FILTER (WHERE state = 'open'), coalesce(sum(sequence), 0) FROM channel_sums)",
    ),
    (
        "channel_sums",
        "it does not owe what its newest voucher says",
        "SELECT s.channel FROM channel_sums s LEFT JOIN vouchers v ON v.sequence = s.sequence AND v.channel = s.channel \
         WHERE (s.sequence = 0) <> (s.cumulative = 0) OR (s.sequence > 0 AND v.cumulative IS NOT s.cumulative) LIMIT 1",
    ),
    (
        "vouchers",
        "it stands out of its turn, or its channel has forgotten it",
        "SELECT v.channel FROM vouchers v JOIN channel_sums s ON s.channel = v.channel \
         LEFT JOIN vouchers b ON b.sequence = v.sequence - 1 AND b.channel = v.channel \
         WHERE v.sequence > s.sequence OR v.sequence <= s.pruned OR b.cumulative >= v.cumulative \
         OR (b.sequence IS NULL AND v.sequence > s.pruned + 1) LIMIT 1",
    ),
    (
        "channel_sums",
        "it has not settled what its landed settlements add up to",
        "SELECT s.channel FROM channel_sums s WHERE s.settled <> (SELECT coalesce(sum(p.amount), 0) \
         FROM channel_settlements p JOIN settlements t ON t.id = p.settlement \
         WHERE p.channel = s.channel AND t.state IN ('landed', 'settled')) LIMIT 1",
    ),
    (
        "channel_settlements",
        "its settlement is another's, or stands elsewhere",
        "SELECT p.channel FROM channel_settlements p JOIN channels c ON c.seq = p.channel \
         LEFT JOIN settlements t ON t.id = p.settlement WHERE t.id IS NULL OR t.purpose <> 'mpp_close' \
         OR t.subject_id <> c.id OR t.amount <> p.amount OR p.live <> (t.state NOT IN ('settled', 'released')) \
         OR p.released <> (t.state = 'released') LIMIT 1",
    ),
    (
        "channels",
        "it is of another delegation's wallet, or its anchor is another's",
        "SELECT c.seq FROM channels c JOIN delegations d ON d.seq = c.delegation LEFT JOIN settlements t ON t.id = c.anchor \
         WHERE d.buyer <> c.buyer OR d.mint <> c.mint OR t.id IS NULL OR t.purpose <> 'mpp_open' OR t.subject_id <> c.id LIMIT 1",
    ),
    (
        "delegation_use",
        "what stands on it is not what its channels add up to",
        "SELECT u.delegation FROM delegation_use u LEFT JOIN (SELECT c.delegation AS delegation, count(*) AS live, \
            sum(s.deposit - s.settled) AS reserved, sum(s.cumulative - s.settled) AS owed \
            FROM channels c JOIN channel_sums s ON s.channel = c.seq WHERE s.state IN ('opening', 'open', 'closing') \
            GROUP BY c.delegation) f ON f.delegation = u.delegation \
         LEFT JOIN (SELECT c.delegation AS delegation, count(*) AS moving FROM channel_settlements p \
            JOIN channels c ON c.seq = p.channel WHERE p.live = 1 GROUP BY c.delegation) m ON m.delegation = u.delegation \
         WHERE u.live <> coalesce(f.live, 0) OR u.reserved <> coalesce(f.reserved, 0) OR u.owed <> coalesce(f.owed, 0) \
         OR u.in_flight <> coalesce(m.moving, 0) \
         OR u.live <> (SELECT count(*) FROM live_channels l WHERE l.delegation = u.delegation) LIMIT 1",
    ),
    (
        "delegation_grants",
        "more has moved by it than was granted",
        "SELECT delegation FROM delegation_grants WHERE moved > spend_limit LIMIT 1",
    ),
    (
        "delegation_grants",
        "it has not moved what landed by it",
        "SELECT g.delegation FROM delegation_grants g WHERE g.moved <> (SELECT coalesce(sum(p.amount), 0) \
         FROM channel_settlements p JOIN channels c ON c.seq = p.channel JOIN settlements t ON t.id = p.settlement \
         WHERE c.delegation = g.delegation AND p.generation = g.generation AND t.state IN ('landed', 'settled')) LIMIT 1",
    ),
];
