//! Questions. Those that put several statements together ask them of one snapshot.

use crate::ledger::sqlite::statements::{Outcome, missing, select, single_claims};
use crate::{
    domain::{
        amount::Amount,
        budget::Credit,
        clock::UnixSeconds,
        hold::Hold,
        session::{Session, SessionId},
        settlement::{MOST_ATTEMPTS, Settlement, SettlementId, State},
    },
    ledger::{
        CreatedRecipient, LastTransfer, LedgerError, OpeningCount, Openings, Recorded, Totals, Work,
        rows::{self, column},
    },
};
use rusqlite::{Connection, Params, params};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use uuid::Uuid;

/// Runs `questions` on one snapshot of the database, so that no commit falls between them.
pub(in crate::ledger) fn snapshot<T>(
    conn: &Connection,
    questions: impl FnOnce(&Connection) -> Outcome<T>,
) -> Outcome<T> {
    // Dropping it ends a transaction that wrote nothing.
    let transaction = conn.unchecked_transaction()?;
    questions(&transaction)
}

/// The live sessions of a user and asset, and those that have ended and still hold something, oldest first.
pub(in crate::ledger) fn live_sessions(conn: &Connection, user: &Pubkey, asset: &Pubkey) -> Outcome<Vec<Session>> {
    select::sessions(
        conn,
        // Found by the user, whose sessions are few: the unique nonces index them.
        "WHERE user = ?1 AND asset = ?2 AND (state IN ('opening', 'open') OR held > 0) ORDER BY seq",
        [user.to_bytes(), asset.to_bytes()],
    )
}

/// A user's sessions with their numbers, newest first.
pub(in crate::ledger) fn sessions_of(
    conn: &Connection,
    user: &Pubkey,
    asset: Option<&Pubkey>,
    before: Option<u64>,
    most: usize,
) -> Outcome<Vec<(u64, Session)>> {
    let before = before.map_or(Ok(i64::MAX), |number| column("seq", number))?;
    select::numbered_sessions(
        conn,
        "WHERE user = ?1 AND (?2 IS NULL OR asset = ?2) AND seq < ?3 ORDER BY seq DESC LIMIT ?4",
        params![user.to_bytes(), asset.map(Pubkey::to_bytes), before, column("limit", most as u64)?],
    )?
    .into_iter()
    .map(|(number, session)| Ok((rows::count("seq", number)?, session)))
    .collect()
}

/// Sessions in state `opening`, oldest first.
pub(in crate::ledger) fn opening_sessions(conn: &Connection) -> Outcome<Vec<Session>> {
    select::sessions(conn, "WHERE state = 'opening' ORDER BY seq", [])
}

/// Open sessions whose cap is not verified, oldest first.
pub(in crate::ledger) fn unverified_sessions(conn: &Connection) -> Outcome<Vec<Session>> {
    select::sessions(conn, "WHERE state = 'open' AND cap_verified = 0 ORDER BY seq", [])
}

/// The settlement and its live attempt.
pub(in crate::ledger) fn load_work(conn: &Connection, id: SettlementId) -> Outcome<Work> {
    snapshot(conn, |conn| {
        let settlement = select::settlement(conn, id)?.ok_or_else(|| missing("settlement"))?;
        work(conn, settlement)
    })
}

fn work(conn: &Connection, settlement: Settlement) -> Outcome<Work> {
    let attempt = select::live_attempt(conn, settlement.id)?.map(Recorded);
    Ok(Work { settlement, attempt })
}

/// Every settlement that is not finished, oldest first.
pub(in crate::ledger) fn unfinished(conn: &Connection) -> Outcome<Vec<Work>> {
    snapshot(conn, |conn| {
        select::settlements(conn, "WHERE state NOT IN ('settled', 'released') ORDER BY seq", [])?
            .into_iter()
            .map(|settlement| work(conn, settlement))
            .collect()
    })
}

/// The settlement that carries a session's approve: the last one, when an earlier one came to nothing.
pub(in crate::ledger) fn approve_of(conn: &Connection, session: SessionId) -> Outcome<Option<Work>> {
    snapshot(conn, |conn| {
        select::settlements(
            conn,
            "WHERE session = ?1 AND purpose = 'approve' ORDER BY seq DESC LIMIT 1",
            [session.to_bytes()],
        )?
        .pop()
        .map(|settlement| work(conn, settlement))
        .transpose()
    })
}

/// Sessions that have waiting holds somebody asked to settle at once, oldest hold first.
pub(in crate::ledger) fn waiting_sessions(conn: &Connection) -> Outcome<Vec<SessionId>> {
    let sql = "SELECT session FROM holds WHERE state = 'waiting' AND told = 0 GROUP BY session ORDER BY min(seq)";
    select::list(conn, sql, [], |row| Ok(SessionId::from_bytes(row.get(0)?)))
}

/// The holds of a settlement, oldest first, released ones included.
pub(in crate::ledger) fn holds_of(conn: &Connection, id: SettlementId) -> Outcome<Vec<Hold>> {
    select::holds(conn, "WHERE h.settlement = ?1 ORDER BY h.seq", [select::settlement_key(id)])
}

/// How many holds of a session wait or are planned, without those on which an operator has to decide: nothing of theirs
/// moves.
pub(in crate::ledger) fn open_holds(conn: &Connection, session: SessionId) -> Outcome<u64> {
    // Planned holds are found by the session's unfinished settlements: an index over all holds is not worth its pages.
    count(
        conn,
        "SELECT (SELECT count(*) FROM holds WHERE seq >> 8 IN (SELECT stretch FROM waiting_stretches) \
         AND session = ?1 AND state = 'waiting') + (SELECT count(*) FROM settlements s \
         JOIN holds h ON h.settlement = s.id WHERE s.session = ?1 AND s.purpose = 'capture' \
         AND (s.state = 'in_flight' OR (s.state = 'reserved' AND s.attempts < ?2)) AND h.state = 'planned' \
         AND NOT EXISTS (SELECT 1 FROM held_settlements l WHERE l.settlement = s.id AND l.sequence = s.sequence))",
        params![session.to_bytes(), MOST_ATTEMPTS],
    )
}

/// The creation of this recipient's token account that was planned and has not come to nothing.
pub(in crate::ledger) fn created_recipient(
    conn: &Connection,
    recipient: &Pubkey,
    asset: &Pubkey,
) -> Outcome<Option<Settlement>> {
    let sql = "SELECT settlement FROM created_recipients WHERE recipient = ?1 AND asset = ?2";
    snapshot(conn, |conn| {
        let planned: Option<[u8; 16]> = select::value(conn, sql, [recipient.to_bytes(), asset.to_bytes()])?;
        let Some(planned) = planned else { return Ok(None) };
        let settlement = select::settlement(conn, SettlementId(Uuid::from_bytes(planned)))?;
        Ok(settlement.filter(|settlement| settlement.state != State::Released))
    })
}

/// The creations of recipients' accounts that were planned since `since` and have not come to nothing, oldest first.
pub(in crate::ledger) fn recipients_created_since(
    conn: &Connection,
    since: UnixSeconds,
) -> Outcome<Vec<CreatedRecipient>> {
    let sql = "SELECT c.recipient, o.user, s.created_at FROM settlements s \
               JOIN created_recipients c ON c.settlement = s.id JOIN sessions o ON o.id = s.session \
               WHERE s.purpose = 'create_recipient' AND s.created_at >= ?1 AND s.state <> 'released' \
               ORDER BY s.created_at";
    select::list(conn, sql, [column("since", since)?], |row| {
        let (recipient, payer) = (Pubkey::new_from_array(row.get(0)?), Pubkey::new_from_array(row.get(1)?));
        Ok(CreatedRecipient { recipient, payer, at: rows::count("created_at", row.get(2)?)? })
    })
}

/// When each session's last transfer that landed was signed, and the last that bought allowances. Every one is booked, so
/// the bookings' index by time is all it reads.
pub(in crate::ledger) fn transfers_since(conn: &Connection, since: UnixSeconds) -> Outcome<Vec<LastTransfer>> {
    let at = |seconds: i64| u64::try_from(seconds).unwrap_or_default();
    select::list(
        conn,
        "SELECT session, max(at) FILTER (WHERE purpose = 'capture') AS moved, max(at) FILTER (WHERE rent > 0) \
         FROM sponsored_lamports WHERE at >= ?1 AND state = 'spent' AND purpose IN ('capture', 'refresh') AND session IS NOT NULL \
         GROUP BY session HAVING moved IS NOT NULL",
        [column("at", since)?],
        |row| {
            Ok(LastTransfer {
                session: SessionId::from_bytes(row.get(0)?),
                moved: at(row.get(1)?),
                bought: row.get::<_, Option<i64>>(2)?.map(at),
            })
        },
    )
}

/// Whether a transfer of a session was ever signed.
pub(in crate::ledger) fn was_settled_from(conn: &Connection, session: SessionId) -> Outcome<bool> {
    let signed = select::value::<i64>(
        conn,
        "SELECT 1 FROM settlements WHERE session = ?1 AND purpose = 'capture' AND attempts > 0 LIMIT 1",
        [session.to_bytes()],
    )?;
    Ok(signed.is_some())
}

/// Leaves out sessions for whose opening we have signed nothing and sign nothing any more: those that were rejected before,
/// and those that opened on an approve of the user's own. What they cost later is counted by budgets.
const COST_US: &str = "(EXISTS (SELECT 1 FROM settlements s WHERE s.session = sessions.id AND s.attempts > 0 \
     AND s.purpose IN ('approve', 'create_recipient')) \
     OR (state = 'opening' AND approve IS NULL))";

/// Leaves out sessions of users who have credit; `?3` is the latest day on which it may have begun.
const OF_NEWCOMERS: &str =
    "NOT (SELECT count(*) >= ?4 AND coalesce(min(d.day) <= ?3, 0) FROM proven_days d WHERE d.user = sessions.user)";

/// How many sessions were opened since `since`: by a user, with a merchant, and by all, and of them by users without credit at
/// `now`. Against the merchant and all count only those whose opening costs us something: anybody can name a merchant, at no
/// cost of theirs.
pub(in crate::ledger) fn opened_since(
    conn: &Connection,
    user: &Pubkey,
    recipient: &Pubkey,
    since: UnixSeconds,
    now: UnixSeconds,
) -> Outcome<Openings> {
    let since = column("since", since)?;
    // Nobody began before the epoch.
    let began = Credit::latest_first_day(now).map_or(Ok(-1), |day| column("day", day))?;
    let days = column("days", Credit::DAYS)?;
    let (for_recipient, by_all) = (
        format!("WHERE recipient = ?1 AND created_at >= ?2 AND {COST_US}"),
        format!("WHERE created_at >= ?2 AND {COST_US}"),
    );
    let all_of = |rest: &str| opening(conn, rest, params![recipient.to_bytes(), since]);
    let newcomers_of = |rest: &str| {
        let rest = format!("{rest} AND {OF_NEWCOMERS}");
        opening(conn, &rest, params![recipient.to_bytes(), since, began, days])
    };
    snapshot(conn, |conn| {
        Ok(Openings {
            by_user: opening(conn, "WHERE user = ?1 AND created_at >= ?2", params![user.to_bytes(), since])?,
            for_recipient: all_of(&for_recipient)?,
            for_recipient_by_newcomers: newcomers_of(&for_recipient)?,
            by_all: all_of(&by_all)?,
            by_newcomers: newcomers_of(&by_all)?,
        })
    })
}

/// How many grants to a user were booked since `since`. A grant stands in an approve and nowhere else, and an approve is
/// signed moments after its session's row is made: sessions that are an hour older are left out.
pub(in crate::ledger) fn granted_since(conn: &Connection, user: &Pubkey, since: UnixSeconds) -> Outcome<OpeningCount> {
    let sql = "SELECT count(*), min(b.at) FROM sessions s \
         JOIN settlements t ON t.session = s.id AND t.purpose = 'approve' \
         JOIN attempts a ON a.settlement = t.id JOIN sponsored_lamports b ON b.signature = a.signature \
         WHERE s.user = ?1 AND +s.created_at >= ?2 - 3600 AND b.at >= ?2 AND b.lamports_granted > 0";
    counted(conn, sql, params![user.to_bytes(), column("since", since)?])
}

/// How many grants were booked since `since` in whose openings nothing proved a balance, whatever was proved later.
pub(in crate::ledger) fn unproven_grants_since(conn: &Connection, since: UnixSeconds) -> Outcome<OpeningCount> {
    let sql = "SELECT count(*), min(b.at) FROM sessions s \
         JOIN settlements t ON t.session = s.id AND t.purpose = 'approve' \
         JOIN attempts a ON a.settlement = t.id JOIN sponsored_lamports b ON b.signature = a.signature \
         WHERE s.created_at >= ?1 - 3600 AND b.at >= ?1 AND b.lamports_granted > 0 \
         AND EXISTS (SELECT 1 FROM unproven_grants u WHERE u.session = s.id)";
    counted(conn, sql, [column("since", since)?])
}

fn opening(conn: &Connection, rest: &str, params: impl Params) -> Outcome<OpeningCount> {
    counted(conn, &format!("SELECT count(*), min(created_at) FROM sessions {rest}"), params)
}

/// Runs a question that answers with a count and the time of the oldest that it counts.
fn counted(conn: &Connection, sql: &str, params: impl Params) -> Outcome<OpeningCount> {
    let (count, first): (i64, Option<i64>) =
        conn.prepare_cached(sql)?.query_row(params, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let negative = |_| LedgerError::Inconsistent("a count or a time is negative".to_owned());
    let first = first.map(u64::try_from).transpose().map_err(negative)?;
    Ok(OpeningCount { count: u64::try_from(count).map_err(negative)?, first })
}

/// What a session, or all sessions, moved through holds of ours, and what that cost.
pub(in crate::ledger) fn totals(conn: &Connection, session: Option<SessionId>) -> Outcome<Totals> {
    let id = session.map(SessionId::to_bytes);
    // Not one statement for both: a choice inside it would keep a session's index from being used.
    let of = if id.is_some() { "session = ?1" } else { "?1 IS NULL" };
    snapshot(conn, |conn| {
        Ok(Totals {
            captured: sum(conn, "captured - captured_before", id)?,
            held: sum(conn, "held", id)?,
            lost: sum(conn, "lost", id)?,
            single: if id.is_some() { Amount::ZERO } else { single_claims::landed(conn)? },
            transfers: count(
                conn,
                &format!(
                    "SELECT count(*) FROM settlements WHERE {of} AND purpose = 'capture' \
                     AND state IN ('landed', 'settled')"
                ),
                [id],
            )?,
            fees: lamports(conn, "fee", of, id)?,
            rent: lamports(conn, "rent", of, id)?,
            grants: lamports(conn, "lamports_granted", of, id)?,
        })
    })
}

/// What was promised in a session and never captured.
pub(in crate::ledger) fn lost(conn: &Connection, session: SessionId) -> Outcome<Amount> {
    sum(conn, "lost", Some(session.to_bytes()))
}

fn lamports(conn: &Connection, column: &'static str, of: &str, session: Option<[u8; 16]>) -> Outcome<u64> {
    let sql = format!("SELECT coalesce(sum({column}), 0) FROM sponsored_lamports WHERE {of} AND state = 'spent'");
    count(conn, &sql, [session])
}

/// Adds up an amount over sessions in two halves, because `SUM` fails above 63 bits; more than an [`Amount`] holds is
/// refused here.
fn sum(conn: &Connection, expression: &'static str, session: Option<[u8; 16]>) -> Outcome<Amount> {
    let of = if session.is_some() { "session = (SELECT seq FROM sessions WHERE id = ?1)" } else { "?1 IS NULL" };
    let sql = format!(
        "SELECT coalesce(sum(({expression}) >> 32), 0), coalesce(sum(({expression}) & 4294967295), 0) \
         FROM session_sums WHERE {of}"
    );
    let (high, low): (i64, i64) =
        conn.prepare_cached(&sql)?.query_row([session], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let wrong = || LedgerError::Inconsistent("the sum over sessions does not fit an amount".to_owned());
    Ok(joined(high, low).ok_or_else(wrong)?)
}

/// The amount that two halves of a sum make, where one does: that of what amounts have above 32 bits, and that of the rest.
pub(super) fn joined(high: i64, low: i64) -> Option<Amount> {
    let total = (i128::from(high) << 32) + i128::from(low);
    u64::try_from(total).ok().and_then(Amount::new)
}

fn count(conn: &Connection, sql: &str, params: impl Params) -> Outcome<u64> {
    let counted: i64 = select::value(conn, sql, params)?.unwrap_or_default();
    Ok(u64::try_from(counted).map_err(|_| LedgerError::Inconsistent("a count is negative".to_owned()))?)
}

/// What landed last, by the order in which it was planned.
pub(in crate::ledger) fn newest_landings(conn: &Connection, most: u64) -> Outcome<Vec<Signature>> {
    let mut statement = conn.prepare_cached(
        "SELECT signature FROM settlements WHERE state IN ('landed', 'settled') AND signature IS NOT NULL \
         ORDER BY seq DESC LIMIT ?1",
    )?;
    let rows = statement.query_map([i64::try_from(most).unwrap_or(i64::MAX)], |row| row.get::<_, [u8; 64]>(0))?;
    rows.map(|bytes| Ok(Signature::from(bytes?))).collect()
}

/// Whether the deployed service's sessions were imported into this file.
pub(in crate::ledger) fn was_taken_over(conn: &Connection) -> Outcome<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'deployed_sessions_imported'";
    Ok(count(conn, sql, [])? > 0)
}

/// Writes what is there already: SQLite takes the page of its header anew, and no row changes. The number itself means nothing.
pub(in crate::ledger) fn rewrite(conn: &Connection) -> Outcome<()> {
    let same: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(conn.pragma_update(None, "user_version", same)?)
}

/// Whether the database answers.
pub(in crate::ledger) fn ping(conn: &Connection) -> Outcome<()> {
    select::value::<i64>(conn, "SELECT count(*) FROM (SELECT 1 FROM sessions LIMIT 1)", [])?;
    Ok(())
}
