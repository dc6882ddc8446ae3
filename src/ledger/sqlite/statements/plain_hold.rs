//! The usual hold: a nonce never seen before, a session with headroom. One look, one row, one or two sums, each by one
//! index, and nothing that could fail half-way; everything unusual is left to [`holds::hold`](super::holds::hold).
//!
//! It decides nothing on its own: what it lets pass is a subset of what [`accept`](crate::ledger::rules::accept) lets pass
//! and is written alike, which the property test beside it holds, and the tables' own constraints stand behind it.

use crate::ledger::sqlite::statements::{Outcome, holds, sums};
use crate::{
    domain::{
        amount::Amount,
        funding::Funding,
        hold::{Hold, NewHold},
    },
    ledger::{
        LedgerError,
        rows::column,
        rules::{SumsChange, accept::Accepted, promise},
    },
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::sync::LazyLock;

#[cfg(test)]
mod tests;

/// What is left of a session's cap, and of what may be promised: read only of a session that is open, in time, has headroom
/// for the amount, and of whose payer's account nothing is known.
struct Headroom {
    row: i64,
    spent: i64,
    left: i64,
    deferred_held: i64,
    /// Zero where it is not asked for.
    of_user: i64,
    recipient: [u8; 32],
    asset: [u8; 32],
    merchant_held: i64,
}

/// What of a payer's promises is added up only for one more of them.
static HEADROOM: LazyLock<String> = LazyLock::new(|| {
    let (of_user, beside) = (sums::OF_USER, sums::UNVERIFIED_BESIDE);
    let bound = format!("(CASE s.cap_verified WHEN 1 THEN s.cap ELSE min(s.cap, ?4 - {beside}) END)");
    format!(
        "SELECT s.seq, t.captured + t.held, {bound} - t.captured - t.held, \
         t.deferred_held, s.recipient, \
         s.asset, coalesce((SELECT m.deferred_held FROM merchant_exposure m \
             WHERE m.recipient = s.recipient AND m.asset = s.asset), 0), \
         CASE WHEN ?5 THEN {of_user} ELSE 0 END \
         FROM sessions s JOIN session_sums t ON t.session = s.seq \
         WHERE s.id = ?1 AND s.state = 'open' AND s.expires_at > ?2 \
         AND NOT EXISTS (SELECT 1 FROM sources p WHERE p.user = s.user AND p.asset = s.asset) \
         AND ?3 <= {bound} - t.captured - t.held"
    )
});

impl Headroom {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            row: row.get(0)?,
            spent: row.get(1)?,
            left: row.get(2)?,
            deferred_held: row.get(3)?,
            recipient: row.get(4)?,
            asset: row.get(5)?,
            merchant_held: row.get(6)?,
            of_user: row.get(7)?,
        })
    }
}

/// Writes the hold; none, and nothing is written, when it is not that simple.
pub(super) fn write(conn: &Connection, new: &NewHold) -> Outcome<Option<Hold>> {
    // Where something is known or asked of the payer's balance, it has to be weighed.
    if new.nonce.is_none() || new.amount == Amount::ZERO || new.funding.required {
        return Ok(None);
    }
    let (amount, now) = (i64::from(new.amount), column("accepted_at", new.now)?);
    let exposure = i64::from(new.unverified_exposure);
    let asked = params![new.session.to_bytes(), now, amount, exposure, new.deferred.is_some()];
    let Some(headroom) = conn.prepare_cached(&HEADROOM)?.query_row(asked, Headroom::read).optional()? else {
        return Ok(None);
    };
    let held = sums::held(headroom.deferred_held, headroom.of_user, headroom.merchant_held)?;
    let promised = new.deferred.is_some_and(|limits| promise::fits(new.amount, Funding::Unproven, limits, held));
    let (Some(spent), Some(left)) = (headroom.spent.checked_add(amount), headroom.left.checked_sub(amount)) else {
        return Ok(None);
    };
    let (Ok(spent_after), Ok(remaining_after)) = (Amount::try_from(spent), Amount::try_from(left)) else {
        return Err(LedgerError::Inconsistent("a session has spent more than its cap".to_owned()).into());
    };
    // The constraint on the nonce is what recognises a repeat: looked up by the write itself.
    let sums = if promised { SumsChange::promise(new.amount) } else { SumsChange::hold(new.amount) };
    let accepted = Accepted { spent_after, remaining_after, promised, funding: Funding::Unproven, sums };
    let held = holds::insert(conn, new, &accepted)?;
    if held.is_some() {
        count_up(conn, &headroom, sums)?;
    }
    Ok(held)
}

fn count_up(conn: &Connection, headroom: &Headroom, sums: SumsChange) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE session_sums SET held = held + ?2, deferred_held = deferred_held + ?3, newest_hold = ?4 WHERE session = ?1",
    )?
    .execute(params![headroom.row, sums.held, sums.deferred_held, conn.last_insert_rowid()])?;
    if sums.deferred_held > 0 {
        conn.prepare_cached(
            "INSERT INTO merchant_exposure (recipient, asset, deferred_held) VALUES (?1, ?2, ?3) \
             ON CONFLICT (recipient, asset) DO UPDATE SET deferred_held = deferred_held + ?3",
        )?
        .execute(params![headroom.recipient, headroom.asset, sums.deferred_held])?;
    }
    Ok(())
}
