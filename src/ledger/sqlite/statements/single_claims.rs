//! What single payments claim of proved balances, and what follows from the events of their settlements.
//!
//! Must be true: as for sessions (`funding.rs`), what is in flight is claimed, and what landed is either claimed or part of
//! the proved balance, by its slot. What does not depend on a slot follows by triggers (migration 14).

use crate::ledger::sqlite::statements::{Outcome, funding, queries, select};
use crate::{
    domain::{
        amount::Amount,
        funding::{Lost, Source},
        settlement::Settlement,
    },
    ledger::{
        LedgerError,
        rows::column,
        rules::record::{ClaimedBalance, Effects},
    },
};
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;

/// Whether a proved balance covered a payment when it was recorded, and is not known to be lost since.
pub(super) fn is_proven(conn: &Connection, settlement: &Settlement) -> Outcome<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM single_payments WHERE settlement = ?1 AND funding = 'proven')";
    Ok(conn.prepare_cached(sql)?.query_row([select::settlement_key(settlement.id)], |row| row.get(0))?)
}

/// Writes what follows from an event of the settlement of a single payment.
pub(super) fn follow(conn: &Connection, after: &Settlement, effects: &Effects) -> Outcome<()> {
    if let Some(reason) = effects.ended {
        conn.prepare_cached("UPDATE single_payments SET reason = ?2 WHERE settlement = ?1")?
            .execute(params![select::settlement_key(after.id), reason.word()])?;
    }
    match effects.claimed {
        ClaimedBalance::Unchanged => Ok(()),
        ClaimedBalance::Captured { slot } => {
            conn.prepare_cached(
                "UPDATE sources SET claimed = claimed - ?3 WHERE slot >= ?2 \
                 AND (user, asset) = (SELECT payer, asset FROM single_payments WHERE settlement = ?1)",
            )?
            .execute(params![
                select::settlement_key(after.id),
                column("slot", slot)?,
                i64::from(after.amount)
            ])?;
            Ok(())
        }
        ClaimedBalance::TakenBack => taken_back(conn, after),
    }
}

/// A fork took a landing back. When the proof had seen it, what it was read from is gone too.
fn taken_back(conn: &Connection, settlement: &Settlement) -> Outcome<()> {
    let key = select::settlement_key(settlement.id);
    let landed: Option<i64> = select::value(
        conn,
        "SELECT slot FROM settlement_events WHERE settlement = ?1 AND event = 'landed' ORDER BY sequence DESC LIMIT 1",
        [key],
    )?;
    conn.prepare_cached(
        "UPDATE sources SET claimed = claimed + ?3, lost = coalesce(lost, ?4), lost_slot = coalesce(lost_slot, slot) \
         WHERE slot >= ?2 AND (user, asset) = (SELECT payer, asset FROM single_payments WHERE settlement = ?1)",
    )?
    .execute(params![key, landed, i64::from(settlement.amount), Lost::Fork.word()])?;
    let mut owner = conn.prepare_cached("SELECT payer, asset FROM single_payments WHERE settlement = ?1")?;
    let (payer, asset): ([u8; 32], [u8; 32]) = owner.query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
    funding::unprove_unless_covered(conn, &Pubkey::new_from_array(payer), &Pubkey::new_from_array(asset))
}

/// What single payments claim of a payer's balance that was proved at `slot`, in base units. Added up in halves: those from
/// before migration 19 may be more than an amount holds, and SQLite fails on a sum that overflows.
pub(super) fn claimed_since(conn: &Connection, user: &Pubkey, asset: &Pubkey, slot: u64) -> Outcome<Amount> {
    let mut halves = conn.prepare_cached(
        "SELECT coalesce(sum(p.amount >> 32), 0), coalesce(sum(p.amount & 4294967295), 0) \
         FROM single_payments p JOIN settlements s ON s.id = p.settlement \
         WHERE p.payer = ?1 AND p.asset = ?2 AND (s.state IN ('reserved', 'in_flight') OR (s.state IN ('landed', 'settled') \
         AND (SELECT e.slot FROM settlement_events e WHERE e.settlement = s.id AND e.event = 'landed' \
              ORDER BY e.sequence DESC LIMIT 1) > ?3))",
    )?;
    let (high, low): (i64, i64) = halves
        .query_row(params![user.to_bytes(), asset.to_bytes(), column("slot", slot)?], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let wrong = || LedgerError::Inconsistent("what single payments claim of a balance is no amount".to_owned());
    Ok(queries::joined(high, low).ok_or_else(wrong)?)
}

/// The sum of single payments whose transfers landed, in base units; those of several payers may be more than an amount holds.
pub(super) fn landed(conn: &Connection) -> Outcome<Amount> {
    let mut halves = conn.prepare_cached(
        "SELECT coalesce(sum(p.amount >> 32), 0), coalesce(sum(p.amount & 4294967295), 0) \
         FROM single_payments p JOIN settlements s ON s.id = p.settlement WHERE s.state IN ('landed', 'settled')",
    )?;
    let (high, low): (i64, i64) = halves.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let wrong = || LedgerError::Inconsistent("the sum of single payments does not fit an amount".to_owned());
    Ok(queries::joined(high, low).ok_or_else(wrong)?)
}

/// Whether one more payment of `more` leaves what a payer's single payments move an amount, and what is claimed of their
/// balance: the tables refuse what does not (migration 19).
pub(super) fn leaves_an_amount(conn: &Connection, source: &Source, more: Amount) -> Outcome<bool> {
    let moved: Option<i64> = select::value(
        conn,
        "SELECT amount FROM single_sums WHERE payer = ?1 AND asset = ?2",
        [source.user.to_bytes(), source.asset.to_bytes()],
    )?;
    let wrong = |_| LedgerError::Inconsistent("a payer's single payments add up to no amount".to_owned());
    let moved = Amount::try_from(moved.unwrap_or_default()).map_err(wrong)?;
    let claimed = source.bound.map_or(Amount::ZERO, |bound| bound.claimed);
    Ok([moved, claimed].into_iter().all(|sum| sum.checked_add(more).is_some()))
}

/// Single payments of a user and asset that were accepted as proven and have not landed.
const OPEN_PROVEN: &str = "payer = ?1 AND asset = ?2 AND funding = 'proven' AND settlement IN \
    (SELECT id FROM settlements WHERE id = single_payments.settlement AND state IN ('reserved', 'in_flight'))";

/// Whether a payment that was accepted as proven has not landed yet.
pub(super) fn is_relied_upon(conn: &Connection, user: &Pubkey, asset: &Pubkey) -> Outcome<bool> {
    let mut found = conn.prepare_cached(&format!("SELECT 1 FROM single_payments WHERE {OPEN_PROVEN} LIMIT 1"))?;
    Ok(found.exists([user.to_bytes(), asset.to_bytes()])?)
}

/// What was accepted as proven and has not landed yet is not known to move money any more.
pub(super) fn unprove_open(conn: &Connection, user: &Pubkey, asset: &Pubkey) -> Outcome<()> {
    conn.prepare_cached(&format!("UPDATE single_payments SET funding = 'unproven' WHERE {OPEN_PROVEN}"))?
        .execute([user.to_bytes(), asset.to_bytes()])?;
    Ok(())
}

/// What landed in slots after the first and up to the second is not known to have moved money any more.
pub(super) fn unprove_landed(
    conn: &Connection,
    user: &Pubkey,
    asset: &Pubkey,
    (after, up_to): (u64, u64),
) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE single_payments SET funding = 'unproven' WHERE payer = ?1 AND asset = ?2 AND funding = 'proven' \
         AND settlement IN (SELECT e.settlement FROM settlement_events e JOIN settlements s ON s.id = e.settlement \
          WHERE e.event = 'landed' AND e.slot > ?3 AND e.slot <= ?4 AND e.settlement = single_payments.settlement \
          AND s.state IN ('landed', 'settled'))",
    )?
    .execute(params![user.to_bytes(), asset.to_bytes(), column("slot", after)?, column("slot", up_to)?])?;
    Ok(())
}

/// Refuses a payment that is not what its settlement says, and a settlement without its payment.
pub(super) const CONTRADICTIONS: [(&str, &str, &str); 4] = [
    (
        "single_payments",
        "its settlement is another's, or carries another amount",
        "SELECT p.seq FROM single_payments p LEFT JOIN settlements s ON s.id = p.settlement \
         WHERE s.id IS NULL OR s.purpose <> 'single_payment' OR s.subject_id <> p.id OR s.amount <> p.amount LIMIT 1",
    ),
    (
        "single_payments",
        "it has a reason and did not come to nothing, or none and did",
        "SELECT p.seq FROM single_payments p JOIN settlements s ON s.id = p.settlement \
         WHERE (p.reason IS NOT NULL) <> (s.state = 'released') LIMIT 1",
    ),
    (
        "single_payments",
        "what its payer pays is not what their payments add up to",
        "SELECT min(p.seq) FROM single_payments p JOIN settlements s ON s.id = p.settlement \
         LEFT JOIN single_sums t ON t.payer = p.payer AND t.asset = p.asset GROUP BY p.payer, p.asset \
         HAVING coalesce(max(t.amount), 0) <> iif(sum(iif(s.state = 'released', 0, p.amount >> 32)) \
          + (sum(iif(s.state = 'released', 0, p.amount & 4294967295)) >> 32) > 2147483647, 9223372036854775807, \
          (sum(iif(s.state = 'released', 0, p.amount >> 32)) << 32) \
          + sum(iif(s.state = 'released', 0, p.amount & 4294967295))) LIMIT 1",
    ),
    (
        "settlements",
        "it carries a single payment that is not there",
        "SELECT s.seq FROM settlements s LEFT JOIN single_payments p ON p.settlement = s.id \
         WHERE s.purpose = 'single_payment' AND p.id IS NULL LIMIT 1",
    ),
];
