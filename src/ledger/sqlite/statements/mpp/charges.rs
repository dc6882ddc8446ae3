//! Charges: what buyers have signed, and whom its success was told to.
//!
//! Must be true: a message is recorded once for ever, and everything of a charge (its row, who is sponsored, its settlement, its
//! signed bytes, its booking) is written in one transaction.

use super::{counts, sponsoring};
use crate::{
    domain::{
        amount::Amount,
        budget::BudgetSubject,
        clock::UnixSeconds,
        hold::ContentHash,
        mpp::recorded_charge::{ChargeClaimant, ChargePlan, ChargeState, ChargeStats, RecordedCharge},
        settlement::{Attempt, ChargeId, Purpose, Settlement, Subject},
    },
    ledger::{
        ChargeClaim, ChargeRecorded, LedgerError, Signed, Work,
        rows::{ChargeRow, column},
        rules::record::{ClaimedBalance, Effects},
        sqlite::statements::{Outcome, budgets, journal, missing, queries, select, settlements},
    },
};
use rusqlite::{Connection, Params, params};
use solana_pubkey::Pubkey;

const CHARGE: &str = "SELECT c.seq, c.id, c.settlement, c.signature, c.payer, c.recipient, c.asset, c.amount, \
    c.destination, c.fee_payer, c.caller, c.first_key, c.told, c.told_key, c.told_slot, c.landed_slot, c.landed_at, \
    c.verified, c.reason, s.state FROM charges c JOIN settlements s ON s.id = c.settlement";

fn charges(conn: &Connection, rest: &str, params: impl Params) -> Outcome<Vec<RecordedCharge>> {
    select::list(conn, &format!("{CHARGE} {rest}"), params, |row| {
        let row = ChargeRow {
            seq: row.get(0)?,
            id: row.get(1)?,
            settlement: row.get(2)?,
            signature: row.get(3)?,
            payer: row.get(4)?,
            recipient: row.get(5)?,
            asset: row.get(6)?,
            amount: row.get(7)?,
            destination: row.get(8)?,
            fee_payer: row.get(9)?,
            caller: row.get(10)?,
            first_key: row.get(11)?,
            told: row.get(12)?,
            told_key: row.get(13)?,
            told_slot: row.get(14)?,
            landed_slot: row.get(15)?,
            landed_at: row.get(16)?,
            verified: row.get(17)?,
            reason: row.get(18)?,
            state: row.get(19)?,
        };
        Ok(row.into_charge()?)
    })
}

/// The charge of this message.
pub(in crate::ledger) fn find(conn: &Connection, message: &ContentHash) -> Outcome<Option<RecordedCharge>> {
    Ok(charges(conn, "WHERE c.message = ?1", [message.0])?.pop())
}

/// What charges take from an account that a reading as of `slot` does not show, in base units; the most that there is where they
/// add up to more.
pub(in crate::ledger) fn taken_from(conn: &Connection, source: &Pubkey, slot: u64) -> Outcome<Amount> {
    let mut halves = conn.prepare_cached(
        "SELECT coalesce(sum(c.amount >> 32), 0), coalesce(sum(c.amount & 4294967295), 0) \
         FROM charges c JOIN settlements s ON s.id = c.settlement WHERE c.source = ?1 AND \
         ((c.landed_slot IS NULL AND s.state IN ('reserved', 'in_flight')) OR c.landed_slot > ?2)",
    )?;
    let (high, low): (i64, i64) =
        halves.query_row(params![source.to_bytes(), column("slot", slot)?], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(queries::joined(high, low).unwrap_or(Amount::MAX))
}

/// Writes a charge, who is sponsored by it, its settlement and its signed attempt, unless something forbids it.
pub(in crate::ledger) fn record(
    conn: &Connection,
    plan: &ChargePlan,
    attempt: &Attempt,
    now: UnixSeconds,
) -> Outcome<ChargeRecorded> {
    if let Some(known) = find(conn, &plan.message)? {
        return Ok(ChargeRecorded::Known(Box::new(known)));
    }
    if let Some(bar) = sponsoring::bar(conn, &plan.sponsored, now)? {
        return Ok(ChargeRecorded::Barred(bar));
    }
    if backs_channels(conn, &plan.source)? {
        return Ok(ChargeRecorded::BacksChannels);
    }
    let (held, slot) = plan.held;
    let left = held.checked_sub(taken_from(conn, &plan.source, slot)?);
    if left.is_none_or(|left| left < plan.amount) {
        return Ok(ChargeRecorded::Overdrawn);
    }
    let subject = BudgetSubject { session: None, user: plan.payer, recipient: plan.recipient };
    let credit = sponsoring::credit(conn, &plan.sponsored, now)?;
    if let Some(over) = budgets::judge_settlement(conn, plan.settlement, (Some(&subject), credit), attempt.cost, now)? {
        return Ok(ChargeRecorded::OverBudget(over));
    }
    insert(conn, plan, attempt, now)?;
    sponsoring::sponsor(conn, plan.settlement, &plan.sponsored, now)?;
    let subject = Subject::Charge(plan.id);
    let planned = settlements::insert(conn, plan.settlement, Purpose::MppCharge, subject, plan.amount, now)?;
    match journal::record_signed(conn, &planned, attempt, now)? {
        Signed::Recorded { settlement, attempt } => {
            let charge = find(conn, &plan.message)?.ok_or_else(|| missing("charge"))?;
            Ok(ChargeRecorded::Recorded(Box::new(charge), Box::new(Work { settlement, attempt: Some(attempt) })))
        }
        Signed::OverBudget(_) => {
            Err(LedgerError::Inconsistent("a budget that was met is passed by the same cost".to_owned()).into())
        }
    }
}

/// Whether channels are settled from an account, or may have to be again after a fork.
fn backs_channels(conn: &Connection, account: &Pubkey) -> Outcome<bool> {
    let sql = "SELECT 1 FROM delegations d JOIN delegation_use u ON u.delegation = d.seq \
               WHERE d.account = ?1 AND (u.live > 0 OR u.in_flight > 0)";
    Ok(select::value::<i64>(conn, sql, [account.to_bytes()])?.is_some())
}

fn insert(conn: &Connection, plan: &ChargePlan, attempt: &Attempt, now: UnixSeconds) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO charges (id, settlement, message, signature, payer, recipient, asset, source, destination, amount, \
         fee_payer, caller, first_key, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        plan.id.0.into_bytes(),
        select::settlement_key(plan.settlement),
        plan.message.0,
        attempt.signature.as_ref(),
        plan.payer.to_bytes(),
        plan.recipient.to_bytes(),
        plan.asset.to_bytes(),
        plan.source.to_bytes(),
        plan.destination.to_bytes(),
        i64::from(plan.amount),
        plan.fee_payer.to_bytes(),
        plan.claimant.caller.0,
        plan.claimant.key.map(|key| key.0),
        column("created_at", now)?,
    ])?;
    Ok(())
}

/// Hands out the success of a charge that has landed, once; to the key that it was told to, again.
pub(in crate::ledger) fn claim(
    conn: &Connection,
    id: ChargeId,
    claimant: &ChargeClaimant,
    now: UnixSeconds,
) -> Outcome<ChargeClaim> {
    let charge = charges(conn, "WHERE c.id = ?1", [id.0.into_bytes()])?.pop().ok_or_else(|| missing("charge"))?;
    if let Some(slot) = charge.told_to(claimant) {
        return Ok(ChargeClaim::Granted { slot });
    }
    if charge.told.is_some() {
        return Ok(ChargeClaim::Told);
    }
    let ChargeState::Landed { slot } = charge.state else { return Ok(ChargeClaim::NotLanded) };
    if !charge.is_for(claimant, now) {
        return Ok(ChargeClaim::Kept);
    }
    conn.prepare_cached("UPDATE charges SET told = 1, told_key = ?2, told_slot = ?3 WHERE id = ?1 AND told = 0")?
        .execute(params![id.0.into_bytes(), claimant.key.map(|key| key.0), column("slot", slot)?])?;
    Ok(ChargeClaim::Granted { slot })
}

/// Notes that another reading has shown what a charge moved, where it stands in this slot.
pub(in crate::ledger) fn verify(conn: &Connection, id: ChargeId, slot: u64) -> Outcome<()> {
    conn.prepare_cached("UPDATE charges SET verified = 1 WHERE id = ?1 AND landed_slot = ?2")?
        .execute(params![id.0.into_bytes(), column("slot", slot)?])?;
    Ok(())
}

/// Notes that a charge whose absence was proved has landed after all.
pub(in crate::ledger) fn found(conn: &Connection, id: ChargeId, slot: u64, now: UnixSeconds) -> Outcome<()> {
    let changed = conn
        .prepare_cached(
            "UPDATE charges SET landed_slot = ?2, landed_at = ?3, verified = 1 WHERE id = ?1 AND landed_slot IS NULL \
             AND reason IS NOT NULL",
        )?
        .execute(params![id.0.into_bytes(), column("slot", slot)?, column("landed_at", now)?])?;
    if changed == 1 {
        counts::take_back(conn, counts::FAILED, now)?;
        counts::add(conn, counts::LANDED, 1, now)?;
    }
    Ok(())
}

/// Charges that have landed and that no other reading has shown, oldest first.
pub(in crate::ledger) fn unverified(conn: &Connection, most: u64) -> Outcome<Vec<RecordedCharge>> {
    let rest = "WHERE c.verified = 0 AND c.landed_slot IS NOT NULL ORDER BY c.seq LIMIT ?1";
    charges(conn, rest, [column("most", most)?])
}

/// How much was prepared and settled, with so many of the newest.
pub(in crate::ledger) fn stats(conn: &Connection, newest: u64, now: UnixSeconds) -> Outcome<ChargeStats> {
    let rest = "WHERE c.landed_at IS NOT NULL ORDER BY c.landed_at DESC LIMIT ?1";
    Ok(ChargeStats {
        prepared: counts::read(conn, counts::PREPARED, now)?,
        landed: counts::read(conn, counts::LANDED, now)?,
        failed: counts::read(conn, counts::FAILED, now)?,
        newest: charges(conn, rest, [column("newest", newest)?])?,
    })
}

/// Writes what follows from an event of the settlement of a charge.
pub(in crate::ledger::sqlite::statements) fn follow(
    conn: &Connection,
    after: &Settlement,
    effects: &Effects,
    now: UnixSeconds,
) -> Outcome<()> {
    let key = select::settlement_key(after.id);
    if let Some(reason) = effects.ended {
        conn.prepare_cached("UPDATE charges SET reason = ?2 WHERE settlement = ?1")?
            .execute(params![key, reason.word()])?;
        counts::add(conn, counts::FAILED, 1, now)?;
    }
    match effects.claimed {
        ClaimedBalance::Unchanged => {}
        ClaimedBalance::Captured { slot } => {
            conn.prepare_cached(
                "UPDATE charges SET landed_slot = ?2, landed_at = ?3, verified = 0 WHERE settlement = ?1",
            )?
            .execute(params![key, column("slot", slot)?, column("landed_at", now)?])?;
            counts::add(conn, counts::LANDED, 1, now)?;
        }
        ClaimedBalance::TakenBack => {
            conn.prepare_cached(
                "UPDATE charges SET landed_slot = NULL, landed_at = NULL, verified = 0 WHERE settlement = ?1",
            )?
            .execute([key])?;
            counts::take_back(conn, counts::LANDED, now)?;
        }
    }
    Ok(())
}

/// Refuses a charge that is not what its settlement says, and a settlement without its charge.
pub(in crate::ledger::sqlite::statements) const CONTRADICTIONS: [(&str, &str, &str); 4] = [
    (
        "charges",
        "its settlement is another's, carries another amount, or was signed otherwise",
        "SELECT c.seq FROM charges c LEFT JOIN settlements s ON s.id = c.settlement \
         WHERE s.id IS NULL OR s.purpose <> 'mpp_charge' OR s.subject_id <> c.id OR s.amount <> c.amount \
         OR s.signature IS NOT c.signature LIMIT 1",
    ),
    (
        "charges",
        "it has a reason and did not come to nothing, or none and did",
        "SELECT c.seq FROM charges c JOIN settlements s ON s.id = c.settlement \
         WHERE (c.reason IS NOT NULL) <> (s.state = 'released') LIMIT 1",
    ),
    (
        "charges",
        "it landed and its settlement did not, or the other way round",
        // One whose absence was proved may be found after all.
        "SELECT c.seq FROM charges c JOIN settlements s ON s.id = c.settlement \
         WHERE s.state <> 'released' AND (c.landed_slot IS NOT NULL) <> (s.state IN ('landed', 'settled')) LIMIT 1",
    ),
    (
        "settlements",
        "it carries a charge that is not there",
        "SELECT s.seq FROM settlements s LEFT JOIN charges c ON c.settlement = s.id \
         WHERE s.purpose = 'mpp_charge' AND c.id IS NULL LIMIT 1",
    ),
];
