//! The audit: replays every log and compares it with its projection, its attempts, its bookings and its holds, and
//! every session's sums with its holds. Reads one snapshot; names the first contradiction by table and row.

mod replay;

use crate::ledger::sqlite::statements::{
    Outcome, bookings, funding, mpp, queries::snapshot, revocations, select, single_claims,
};
use crate::{
    domain::{
        intent::Intent,
        session::{Session, SessionId},
    },
    ledger::LedgerError,
};
use rusqlite::Connection;
use std::collections::HashMap;

/// Finds the first contradiction.
pub(in crate::ledger) fn audit(conn: &Connection) -> Outcome<()> {
    snapshot(conn, |conn| {
        database(conn)?;
        for_each(conn, "settlements", |row| replay::settlement(conn, row))?;
        let sums = sums_of_holds(conn)?;
        for_each(conn, "sessions", |row| session(conn, row, &sums))?;
        sources(conn)?;
        let of_others = single_claims::CONTRADICTIONS.iter().chain(&revocations::CONTRADICTIONS);
        let of_mpp = mpp::charges::CONTRADICTIONS.iter().chain(&mpp::sponsoring::CONTRADICTIONS);
        let of_mpp = of_mpp.chain(&mpp::delegations::CONTRADICTIONS).chain(&mpp::channels::CONTRADICTIONS);
        CONTRADICTIONS.iter().chain(of_others).chain(of_mpp).try_for_each(|(table, text, sql)| {
            let found = select::value::<i64>(conn, sql, [])?;
            found.map_or(Ok(()), |row| Err(contradiction(table, row, text)))
        })?;
        bookings::audit(conn)
    })
}

/// Questions whose every answer is a contradiction.
const CONTRADICTIONS: [(&str, &str, &str); 12] = [
    (
        "approvals",
        "its sessions take more than was approved",
        // Where a payer's word was found to be wrong later, what was taken on it by then is bounded by that word.
        "SELECT a.seq FROM approvals a WHERE a.complete = 1 \
         AND coalesce((SELECT sum(u.taken) FROM approval_use u WHERE u.approval = a.seq), 0) \
             > max(coalesce(a.amount, 0), coalesce(a.claimed, 0)) LIMIT 1",
    ),
    (
        "sessions",
        "it takes from another account's approve, or says that less was approved than its cap",
        "SELECT s.seq FROM sessions s LEFT JOIN approvals a ON a.seq = s.approval \
         WHERE (s.approval IS NOT NULL AND (a.user IS NOT s.user OR a.asset IS NOT s.asset)) OR s.approved < s.cap LIMIT 1",
    ),
    (
        "sessions",
        "it is open on an approve that does not stand",
        "SELECT s.seq FROM sessions s JOIN approvals a ON a.seq = s.approval \
         WHERE s.state = 'open' AND a.state <> 'current' LIMIT 1",
    ),
    (
        "holds",
        "told, but neither promised nor ever covered by a settlement",
        "SELECT seq FROM holds WHERE told = 1 AND settlement IS NULL AND deferred = 0 AND returns = 0 LIMIT 1",
    ),
    (
        "holds",
        "its spent and remaining pass the cap",
        "SELECT h.seq FROM holds h JOIN sessions s ON s.id = h.session \
         WHERE h.spent_after > s.cap OR h.remaining_after > s.cap - h.spent_after LIMIT 1",
    ),
    (
        "holds",
        "covered by a settlement of another session",
        "SELECT h.seq FROM holds h JOIN settlements s ON s.id = h.settlement WHERE s.session IS NOT h.session LIMIT 1",
    ),
    (
        "holds",
        "its returns are not those that are on record",
        "SELECT h.seq FROM holds h WHERE h.returns <> (SELECT count(*) FROM hold_returns r WHERE r.hold = h.id) LIMIT 1",
    ),
    (
        "holds",
        "it came back from a settlement that was not its own, or was never promised",
        "SELECT h.seq FROM hold_returns r JOIN holds h ON h.id = r.hold JOIN settlements s ON s.id = r.settlement \
         WHERE h.told = 0 OR s.session IS NOT h.session OR s.state <> 'released' OR h.settlement IS s.id LIMIT 1",
    ),
    (
        "sessions",
        "its merchant's exposure is not what deferred holds add up to",
        "SELECT min(s.seq) FROM sessions s JOIN session_sums t ON t.session = s.seq \
         LEFT JOIN merchant_exposure m USING (recipient, asset) \
         GROUP BY s.recipient, s.asset HAVING coalesce(max(m.deferred_held), 0) <> sum(t.deferred_held) LIMIT 1",
    ),
    (
        "session_events",
        "it tells of a settlement or payment of another session",
        "SELECT e.seq FROM session_events e LEFT JOIN settlements s ON s.id = e.settlement \
         LEFT JOIN holds h ON h.id = e.hold WHERE (e.settlement IS NOT NULL AND s.session IS NOT e.session) \
         OR (e.hold IS NOT NULL AND h.session IS NOT e.session) LIMIT 1",
    ),
    (
        "sessions",
        "it is closed and still holds something",
        "SELECT s.seq FROM sessions s JOIN session_sums t ON t.session = s.seq \
         WHERE s.state = 'closed' AND t.held > 0 LIMIT 1",
    ),
    (
        "sessions",
        "its sums are kept below another cap",
        "SELECT s.seq FROM sessions s JOIN session_sums t ON t.session = s.seq WHERE t.cap <> s.cap LIMIT 1",
    ),
];

fn contradiction(table: &str, row: i64, text: &str) -> super::VerbError {
    LedgerError::Inconsistent(format!("{table}, row {row}: {text}")).into()
}

/// The database's own checks: pages, indexes, CHECK and NOT NULL constraints, references.
fn database(conn: &Connection) -> Outcome<()> {
    let told: Option<String> = select::value(conn, "PRAGMA integrity_check(1)", [])?;
    if told.as_deref() != Some("ok") {
        return Err(LedgerError::Inconsistent("the database fails SQLite's integrity check".to_owned()).into());
    }
    let dangling: Option<String> = select::value(conn, "PRAGMA foreign_key_check", [])?;
    match dangling {
        None => Ok(()),
        Some(table) => Err(LedgerError::Inconsistent(format!("{table} refers to a row that is not there")).into()),
    }
}

/// Walks a table row by row, so that an audit needs no memory for it.
fn for_each(conn: &Connection, table: &'static str, mut look: impl FnMut(i64) -> Outcome<()>) -> Outcome<()> {
    let mut statement = conn.prepare_cached(&format!("SELECT seq FROM {table} ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        look(row.get(0)?)?;
    }
    Ok(())
}

/// What a session's holds add up to; wider than a column, so that no sum of wrong rows can fail to be told.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    held: i128,
    captured: i128,
    deferred: i128,
    lost: i128,
    newest_hold: i64,
}

fn sums_of_holds(conn: &Connection) -> Outcome<HashMap<SessionId, Sums>> {
    let mut sums: HashMap<SessionId, Sums> = HashMap::new();
    let mut statement = conn.prepare_cached("SELECT session, state, amount, deferred, told, seq FROM holds")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let of = sums.entry(SessionId::from_bytes(row.get(0)?)).or_default();
        let amount = i128::from(row.get::<_, i64>(2)?);
        of.newest_hold = of.newest_hold.max(row.get(5)?);
        match row.get_ref(1)?.as_str().unwrap_or_default() {
            "waiting" | "planned" => {
                of.held += amount;
                of.deferred += amount * i128::from(row.get::<_, i64>(3)?);
            }
            "captured" => of.captured += amount,
            _ => of.lost += amount * i128::from(row.get::<_, i64>(4)?),
        }
    }
    Ok(sums)
}

fn session(conn: &Connection, row: i64, sums: &HashMap<SessionId, Sums>) -> Outcome<()> {
    let wrong = |text| contradiction("sessions", row, text);
    let Some(session) = select::sessions(conn, "WHERE seq = ?1", [row])?.pop() else {
        return Err(wrong("it or its sums are gone"));
    };
    if !signed_what_it_says(&session) {
        return Err(wrong("its columns are not what its signed intent says"));
    }
    let [before, deferred, lost, newest_hold]: [i64; 4] = conn
        .prepare_cached(
            "SELECT captured_before, deferred_held, lost, newest_hold FROM session_sums WHERE session = ?1",
        )?
        .query_row([row], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
    let of_holds = sums.get(&session.id).copied().unwrap_or_default();
    let of_row = Sums {
        held: i64::from(session.held).into(),
        captured: i128::from(i64::from(session.captured)) - i128::from(before),
        deferred: deferred.into(),
        lost: lost.into(),
        newest_hold,
    };
    if of_holds.newest_hold != of_row.newest_hold {
        return Err(wrong("its newest payment is not the last that it accepted"));
    }
    if of_holds.held != of_row.held {
        return Err(wrong("it does not hold what its open holds add up to"));
    }
    if of_holds.captured != of_row.captured {
        return Err(wrong("it has not captured what its captured holds add up to"));
    }
    if of_holds != of_row {
        return Err(wrong("what it promised or lost is not what its holds add up to"));
    }
    Ok(())
}

/// Every proved balance is claimed for what its user's sessions hold and have captured since, and for nothing else.
fn sources(conn: &Connection) -> Outcome<()> {
    for (row, source) in (1..).zip(select::sources(conn, "", [])?) {
        let Some(bound) = source.bound else { continue };
        if funding::claimed_since(conn, &source.user, &source.asset, bound.slot)? != bound.claimed {
            return Err(contradiction(
                "sources",
                row,
                "it is not claimed for what its sessions hold and captured since",
            ));
        }
    }
    Ok(())
}

fn signed_what_it_says(session: &Session) -> bool {
    Intent::parse(&session.signed.bytes).is_ok_and(|intent| intent == session.intent)
}
