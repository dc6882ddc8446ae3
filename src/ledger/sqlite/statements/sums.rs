//! The sums of a session and what its merchant's sessions hold by promise, which follows them.

use crate::ledger::sqlite::statements::{Outcome, missing, select};
use crate::{
    domain::{
        amount::Amount,
        session::{CapCheck, Session, SessionId},
    },
    ledger::{
        LedgerError,
        rules::{SumsChange, promise},
    },
};
use rusqlite::{Connection, params};

/// What the live sessions of the payer of `s` hold by promise for its merchant; few, and found by the index of what is live.
pub(super) const OF_USER: &str = "coalesce((SELECT sum(u.deferred_held) FROM sessions v \
    JOIN session_sums u ON u.session = v.seq WHERE v.user = s.user AND v.asset = s.asset \
    AND v.state IN ('opening', 'open') AND v.recipient = s.recipient), 0)";

/// What the other unverified sessions on the approval of `s` have spent: while nobody knows the amount they share one limit.
pub(super) const UNVERIFIED_BESIDE: &str = "coalesce((SELECT sum(u.captured + u.held) FROM sessions v \
    JOIN session_sums u ON u.session = v.seq WHERE v.approval = s.approval AND v.cap_verified = 0 AND v.seq <> s.seq), 0)";

/// What the other unverified sessions on the approval of this one have spent.
pub(in crate::ledger) fn unverified_beside(conn: &Connection, session: SessionId) -> Outcome<Amount> {
    let sql = format!("SELECT {UNVERIFIED_BESIDE} FROM sessions s WHERE s.id = ?1");
    let beside: i64 = select::value(conn, &sql, [session.to_bytes()])?.ok_or_else(|| missing("session"))?;
    let negative = |_| LedgerError::Inconsistent("less than nothing is spent unverified".to_owned());
    Ok(Amount::try_from(beside).map_err(negative)?)
}

/// What is left of `limit` for an unverified session, beside the others on its approval.
pub(super) fn unverified_exposure(conn: &Connection, session: &Session, limit: Amount) -> Outcome<Amount> {
    match session.cap_check {
        CapCheck::Verified => Ok(limit),
        CapCheck::Unverified => Ok(limit.checked_sub(unverified_beside(conn, session.id)?).unwrap_or_default()),
    }
}

/// Changes the sums of a session; the tables refuse to pass the cap or zero.
pub(super) fn change(conn: &Connection, id: SessionId, by: SumsChange) -> Outcome<()> {
    change_with(conn, id, by, 0)
}

/// Like [`change`], by a payment whose row has this number.
pub(super) fn accept(conn: &Connection, id: SessionId, by: SumsChange, hold: i64) -> Outcome<()> {
    change_with(conn, id, by, hold)
}

fn change_with(conn: &Connection, id: SessionId, by: SumsChange, newest_hold: i64) -> Outcome<()> {
    let SumsChange { captured, held, deferred_held, lost } = by;
    let changed = conn
        .prepare_cached(
            "UPDATE session_sums SET captured = captured + ?2, held = held + ?3, deferred_held = deferred_held + ?4, \
             lost = lost + ?5, newest_hold = max(newest_hold, ?6) WHERE session = (SELECT seq FROM sessions WHERE id = ?1)",
        )?
        .execute(params![id.to_bytes(), captured, held, deferred_held, lost, newest_hold])?;
    if changed != 1 {
        return Err(missing("session"));
    }
    expose(conn, id, deferred_held)
}

/// Changes what all sessions together hold by promise for this session's merchant.
fn expose(conn: &Connection, session: SessionId, by: i64) -> Outcome<()> {
    let sql = match by {
        0 => return Ok(()),
        1.. => {
            "INSERT INTO merchant_exposure (recipient, asset, deferred_held) \
             SELECT recipient, asset, ?2 FROM sessions WHERE id = ?1 \
             ON CONFLICT (recipient, asset) DO UPDATE SET deferred_held = deferred_held + ?2"
        }
        ..0 => {
            "UPDATE merchant_exposure SET deferred_held = deferred_held + ?2 \
             WHERE (recipient, asset) = (SELECT recipient, asset FROM sessions WHERE id = ?1)"
        }
    };
    let changed = conn.prepare_cached(sql)?.execute(params![session.to_bytes(), by])?;
    if changed == 1 { Ok(()) } else { Err(missing("merchant's exposure")) }
}

/// What is held by promise in a session, in all live ones of its payer with its merchant, and for that merchant.
pub(super) fn promised(conn: &Connection, session: &Session) -> Outcome<promise::PromisedSums> {
    let of_session = "SELECT deferred_held FROM session_sums WHERE session = (SELECT seq FROM sessions WHERE id = ?1)";
    let of_merchant = "SELECT deferred_held FROM merchant_exposure WHERE recipient = ?1 AND asset = ?2";
    let of_user = format!("SELECT {OF_USER} FROM sessions s WHERE s.id = ?1");
    let intent = &session.intent;
    let of_session = select::value::<i64>(conn, of_session, [session.id.to_bytes()])?;
    let of_merchant = select::value::<i64>(conn, of_merchant, [intent.recipient.to_bytes(), intent.asset.to_bytes()])?;
    let of_user = select::value::<i64>(conn, &of_user, [session.id.to_bytes()])?;
    let (of_session, of_user) = of_session.zip(of_user).ok_or_else(|| missing("session"))?;
    Ok(held(of_session, of_user, of_merchant.unwrap_or_default())?)
}

/// What is held by promise, from the columns that say it.
pub(super) fn held(of_session: i64, of_user: i64, of_merchant: i64) -> Result<promise::PromisedSums, LedgerError> {
    let amount = |column: i64| {
        Amount::try_from(column).map_err(|_| LedgerError::Inconsistent("less than nothing is promised".to_owned()))
    };
    Ok(promise::PromisedSums { session: amount(of_session)?, payer: amount(of_user)?, merchant: amount(of_merchant)? })
}
