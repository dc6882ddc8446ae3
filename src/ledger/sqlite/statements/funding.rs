//! Proofs of payers' balances: what they are claimed for, and what voids them.
//!
//! `claimed` is kept by a trigger wherever sessions change, so no verb can forget it; here stands only what depends on
//! the slot of a landing: a transfer that landed up to the proof's slot is in the proved balance already.

use crate::ledger::sqlite::statements::{Outcome, missing, select, single_claims};
use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        funding::{Bound, Examined, Look, Lost, NewBound, Ride, Source},
        hold::HoldId,
        settlement::Settlement,
    },
    ledger::{
        LedgerError, Proved,
        rows::{column, count},
    },
};
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// What is known of an account, if anything is.
pub(in crate::ledger) fn source(conn: &Connection, user: &Pubkey, asset: &Pubkey) -> Outcome<Option<Source>> {
    Ok(select::sources(conn, "WHERE user = ?1 AND asset = ?2", [user.to_bytes(), asset.to_bytes()])?.pop())
}

/// Writes a checked proof, unless what is known was seen later: a node that lags must not bring back a balance that
/// was spent since.
pub(in crate::ledger) fn prove(conn: &Connection, new: &NewBound) -> Outcome<Proved> {
    if let Some(known) = source(conn, &new.user, &new.asset)?
        && let Some(bound) = known.bound
    {
        if bound.lost.is_none() && bound.handle == new.handle && new.slot <= bound.slot {
            return Ok(Proved::Counts(Box::new(known)));
        }
        let newest = bound.lost.map_or(bound.slot, |(_, slot)| slot.max(bound.slot));
        if new.slot <= newest {
            return Ok(Proved::Outdated);
        }
        // Whether they met the whole balance was to be seen in the history since the older proof, and is not looked for now.
        unprove_captured(conn, &new.user, &new.asset, (bound.judged_up_to(), new.slot))?;
    }
    let claimed = claimed_since(conn, &new.user, &new.asset, new.slot)?;
    if claimed > new.amount {
        unprove_holds(conn, &new.user, &new.asset)?;
    }
    conn.prepare_cached(
        "INSERT INTO sources (user, asset, frozen, bound, handle, slot, anchor, proved_at, claimed, examined, final, looked_at, \
         seen_handle, seen_slot) VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?5, 0, ?7, ?4, ?5) ON CONFLICT (user, asset) DO UPDATE \
         SET frozen = 0, bound = excluded.bound, handle = excluded.handle, slot = excluded.slot, anchor = excluded.anchor, \
         proved_at = excluded.proved_at, claimed = excluded.claimed, examined = excluded.examined, final = 0, \
         looked_at = excluded.looked_at, lost = NULL, lost_slot = NULL, seen_handle = excluded.seen_handle, \
         seen_slot = excluded.seen_slot",
    )?
    .execute(params![
        new.user.to_bytes(),
        new.asset.to_bytes(),
        i64::from(new.amount),
        new.handle.to_le_bytes(),
        column("slot", new.slot)?,
        new.anchor.as_ref().map(AsRef::<[u8]>::as_ref),
        column("proved_at", new.now)?,
        i64::from(claimed),
    ])?;
    source(conn, &new.user, &new.asset)?.map(|source| Proved::Counts(Box::new(source))).ok_or_else(|| missing("source"))
}

/// What all sessions of a user and asset hold, what they captured in slots after `slot`, and single payments likewise.
pub(super) fn claimed_since(conn: &Connection, user: &Pubkey, asset: &Pubkey, slot: u64) -> Outcome<Amount> {
    let key = [user.to_bytes(), asset.to_bytes()];
    let held: i64 = select::value(
        conn,
        // Found by the user: the unique nonces index their sessions.
        "SELECT coalesce(sum(t.held), 0) FROM sessions s JOIN session_sums t ON t.session = s.seq \
         WHERE s.user = ?1 AND s.asset = ?2",
        key,
    )?
    .unwrap_or_default();
    let captured = captured_since(conn, user, asset, slot)?;
    let single = single_claims::claimed_since(conn, user, asset, slot)?;
    let claimed = [held, captured]
        .into_iter()
        .try_fold(single, |sum, more| Amount::try_from(more).ok().and_then(|more| sum.checked_add(more)));
    Ok(claimed.ok_or_else(|| LedgerError::Inconsistent("what a balance is claimed for is no amount".to_owned()))?)
}

/// What all sessions of a user and asset captured in slots after `slot`, in base units.
pub(super) fn captured_since(conn: &Connection, user: &Pubkey, asset: &Pubkey, slot: u64) -> Outcome<i64> {
    let captured = select::value(
        conn,
        "SELECT coalesce(sum(s.amount), 0) FROM settlement_events e JOIN settlements s ON s.id = e.settlement \
         JOIN sessions x ON x.id = s.session \
         WHERE e.event = 'landed' AND e.slot > ?3 AND x.user = ?1 AND x.asset = ?2 AND s.purpose = 'capture' \
         AND s.state IN ('landed', 'settled') AND e.sequence = \
         (SELECT max(l.sequence) FROM settlement_events l WHERE l.settlement = e.settlement AND l.event = 'landed')",
        params![user.to_bytes(), asset.to_bytes(), column("slot", slot)?],
    )?;
    Ok(captured.unwrap_or_default())
}

/// Whether a transfer out of a user's account landed in a slot after `slot`, or may have.
pub(in crate::ledger) fn may_have_moved_since(
    conn: &Connection,
    user: &Pubkey,
    asset: &Pubkey,
    slot: u64,
) -> Outcome<bool> {
    let in_flight = "SELECT 1 FROM settlements s JOIN sessions x ON x.id = s.session \
         WHERE s.state NOT IN ('settled', 'released') AND s.state = 'in_flight' AND s.purpose = 'capture' \
         AND x.user = ?1 AND x.asset = ?2 LIMIT 1";
    Ok(captured_since(conn, user, asset, slot)? > 0
        || select::value::<i64>(conn, in_flight, [user.to_bytes(), asset.to_bytes()])?.is_some())
}

/// What a transfer that landed up to the slot of the proof moved is in the proved balance already: not claimed twice.
pub(super) fn captured(conn: &Connection, settlement: &Settlement, slot: u64) -> Outcome<()> {
    let Some(session) = settlement.pays_from() else { return Ok(()) };
    conn.prepare_cached(
        "UPDATE sources SET claimed = claimed - ?3 \
         WHERE (user, asset) = (SELECT user, asset FROM sessions WHERE id = ?1) AND slot >= ?2",
    )?
    .execute(params![session.to_bytes(), column("slot", slot)?, i64::from(settlement.amount)])?;
    Ok(())
}

/// A fork took a landing back. When the proof had seen it, what it was read from is gone too.
pub(super) fn taken_back(conn: &Connection, settlement: &Settlement) -> Outcome<()> {
    let Some(session) = settlement.pays_from() else { return Ok(()) };
    let landed: Option<i64> = select::value(
        conn,
        "SELECT slot FROM settlement_events WHERE settlement = ?1 AND event = 'landed' ORDER BY sequence DESC LIMIT 1",
        [select::settlement_key(settlement.id)],
    )?;
    conn.prepare_cached(
        "UPDATE sources SET claimed = claimed + ?3, lost = coalesce(lost, ?4), lost_slot = coalesce(lost_slot, slot) \
         WHERE (user, asset) = (SELECT user, asset FROM sessions WHERE id = ?1) AND slot >= ?2",
    )?
    .execute(params![session.to_bytes(), landed, i64::from(settlement.amount), Lost::Fork.word()])?;
    let session = select::session(conn, session)?.ok_or_else(|| missing("session"))?;
    unprove_unless_covered(conn, session.user(), &session.intent.asset)
}

/// Since something landed that a fork took back, others may have been let past the bound: then nothing is proven any more.
pub(super) fn unprove_unless_covered(conn: &Connection, user: &Pubkey, asset: &Pubkey) -> Outcome<()> {
    let covers = |bound: &Bound| bound.lost.is_none() && bound.covers(Amount::ZERO);
    match source(conn, user, asset)?.and_then(|known| known.bound) {
        Some(bound) if !covers(&bound) => unprove_holds(conn, user, asset),
        Some(_) | None => Ok(()),
    }
}

/// Every account with an open session, those that were looked at longest ago first.
pub(in crate::ledger) fn watched(conn: &Connection) -> Outcome<Vec<Source>> {
    select::list(
        conn,
        "SELECT l.user, l.asset FROM (SELECT DISTINCT user, asset FROM sessions WHERE state = 'open') l \
         LEFT JOIN sources s ON s.user = l.user AND s.asset = l.asset ORDER BY coalesce(s.looked_at, 0)",
        [],
        |row| {
            let (user, asset) = (Pubkey::new_from_array(row.get(0)?), Pubkey::new_from_array(row.get(1)?));
            Ok(source(conn, &user, &asset)?.unwrap_or_else(|| Source::unknown(user, asset)))
        },
    )
}

/// Writes what a round of the monitor saw.
pub(in crate::ledger) fn record_looks(conn: &Connection, looks: &[Look], now: UnixSeconds) -> Outcome<()> {
    for look in looks {
        record_frozen(conn, look)?;
        if let Some(examined) = &look.examined {
            record_examined(conn, look, examined, now)?;
        }
    }
    Ok(())
}

fn record_frozen(conn: &Connection, look: &Look) -> Outcome<()> {
    let Some(frozen) = look.frozen else { return Ok(()) };
    let key = [look.user.to_bytes(), look.asset.to_bytes()];
    match source(conn, &look.user, &look.asset)? {
        Some(known) if known.frozen != frozen => {
            conn.prepare_cached("UPDATE sources SET frozen = ?3 WHERE user = ?1 AND asset = ?2")?
                .execute(params![key[0], key[1], frozen])?;
        }
        None if frozen => {
            conn.prepare_cached("INSERT INTO sources (user, asset, frozen, claimed, final) VALUES (?1, ?2, 1, 0, 0)")?
                .execute(key)?;
        }
        Some(_) | None => {}
    }
    Ok(())
}

fn record_examined(conn: &Connection, look: &Look, examined: &Examined, now: UnixSeconds) -> Outcome<()> {
    let key = [look.user.to_bytes(), look.asset.to_bytes()];
    let lost_slot = examined.lost.map(|(_, slot)| column("lost_slot", slot)).transpose()?;
    let changed = conn
        .prepare_cached(
            "UPDATE sources SET examined = max(examined, ?4), final = max(final, ?5), looked_at = max(looked_at, ?6), \
             lost = coalesce(lost, ?7), lost_slot = coalesce(lost_slot, ?8), \
             seen_handle = CASE WHEN ?7 IS NULL AND ?9 >= coalesce(seen_slot, slot) THEN coalesce(?10, seen_handle) \
                 ELSE seen_handle END, \
             seen_slot = max(coalesce(seen_slot, slot), ?9), \
             seen_ridden = CASE WHEN ?7 IS NULL THEN max(seen_ridden, min(ridden, ?11)) ELSE seen_ridden END \
             WHERE user = ?1 AND asset = ?2 AND slot = ?3",
        )?
        .execute(params![
            key[0],
            key[1],
            column("slot", examined.of)?,
            column("examined", examined.up_to)?,
            examined.is_final,
            column("looked_at", now)?,
            examined.lost.map(|(lost, _)| lost.word()),
            lost_slot,
            column("seen_slot", examined.clean)?,
            examined.handle.map(u128::to_le_bytes),
            i64::from(examined.ridden),
        ])?;
    if changed == 1 && examined.lost.is_some() {
        unprove_holds(conn, &look.user, &look.asset)?;
        unprove_captured(conn, &look.user, &look.asset, (examined.clean, u64::MAX >> 1))?;
    }
    Ok(())
}

/// Counts what is about to be signed as proven, where it may ride on the last look.
pub(in crate::ledger) fn ride(
    conn: &Connection,
    user: &Pubkey,
    asset: &Pubkey,
    units: Amount,
    most: Amount,
) -> Outcome<Ride> {
    let counted = conn
        .prepare_cached(
            "UPDATE sources SET ridden = ridden + ?3 WHERE user = ?1 AND asset = ?2 AND bound IS NOT NULL AND lost IS NULL \
             AND (ridden = seen_ridden OR ?3 <= min(bound, ?4) - (ridden - seen_ridden))",
        )?
        .execute(params![user.to_bytes(), asset.to_bytes(), i64::from(units), i64::from(most)])?;
    Ok(if counted == 1 { Ride::Counted } else { Ride::LookFirst })
}

/// The slot of the landing that captured a payment.
pub(in crate::ledger) fn landed_slot(conn: &Connection, hold: HoldId) -> Outcome<Option<u64>> {
    let slot: Option<i64> = select::value(
        conn,
        "SELECT e.slot FROM holds h JOIN settlement_events e ON e.settlement = h.settlement \
         WHERE h.id = ?1 AND h.state = 'captured' AND e.event = 'landed' ORDER BY e.sequence DESC LIMIT 1",
        [select::hold_key(hold)],
    )?;
    Ok(slot.map(|slot| count("slot", slot)).transpose()?)
}

/// What landed in slots after the first and up to the second is not known to have moved money any more.
fn unprove_captured(conn: &Connection, user: &Pubkey, asset: &Pubkey, (after, up_to): (u64, u64)) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE holds SET funding = 'unproven' WHERE funding = 'proven' AND state = 'captured' AND settlement IN \
         (SELECT e.settlement FROM settlement_events e JOIN settlements s ON s.id = e.settlement \
          JOIN sessions x ON x.id = s.session \
          WHERE e.event = 'landed' AND e.slot > ?3 AND e.slot <= ?4 AND x.user = ?1 AND x.asset = ?2 \
          AND s.purpose = 'capture')",
    )?
    .execute(params![user.to_bytes(), asset.to_bytes(), column("slot", after)?, column("slot", up_to)?])?;
    single_claims::unprove_landed(conn, user, asset, (after, up_to))
}

/// Waiting holds that were accepted as proven, by user and asset.
const WAITING_PROVEN: &str = "seq >> 8 IN (SELECT stretch FROM waiting_stretches) \
    AND funding = 'proven' AND state = 'waiting' AND session IN \
    (SELECT x.id FROM sessions x JOIN session_sums t ON t.session = x.seq \
     WHERE x.user = ?1 AND x.asset = ?2 AND t.held > 0)";

/// Planned holds that were accepted as proven, by user and asset.
const PLANNED_PROVEN: &str = "funding = 'proven' AND state = 'planned' AND settlement IN \
    (SELECT s.id FROM sessions x JOIN session_sums t ON t.session = x.seq \
     JOIN settlements s ON s.session = x.id AND s.purpose = 'capture' \
     WHERE x.user = ?1 AND x.asset = ?2 AND t.held > 0 AND s.state IN ('reserved', 'in_flight'))";

/// Whether a payment that was accepted as proven has not been captured yet.
pub(super) fn is_relied_upon(conn: &Connection, user: &Pubkey, asset: &Pubkey) -> Outcome<bool> {
    for of in [WAITING_PROVEN, PLANNED_PROVEN] {
        let mut found = conn.prepare_cached(&format!("SELECT 1 FROM holds WHERE {of} LIMIT 1"))?;
        if found.exists([user.to_bytes(), asset.to_bytes()])? {
            return Ok(true);
        }
    }
    single_claims::is_relied_upon(conn, user, asset)
}

/// What was accepted as proven and has not landed yet is not known to move money any more.
fn unprove_holds(conn: &Connection, user: &Pubkey, asset: &Pubkey) -> Outcome<()> {
    for of in [WAITING_PROVEN, PLANNED_PROVEN] {
        conn.prepare_cached(&format!("UPDATE holds SET funding = 'unproven' WHERE {of}"))?
            .execute([user.to_bytes(), asset.to_bytes()])?;
    }
    single_claims::unprove_open(conn, user, asset)
}

/// Which of these signatures name transactions of ours.
pub(in crate::ledger) fn known_signatures(conn: &Connection, signatures: &[Signature]) -> Outcome<Vec<Signature>> {
    let mut known = conn.prepare_cached("SELECT 1 FROM attempts WHERE signature = ?1")?;
    let mut found = Vec::new();
    for signature in signatures {
        if known.exists([signature.as_ref()])? {
            found.push(*signature);
        }
    }
    Ok(found)
}
