//! The journal: recording signed attempts, and appending events with everything that follows from them.

use crate::ledger::sqlite::statements::{
    Outcome, approvals, bindings, bookings, budgets, credit, deferred, funding, missing, mpp, select, sessions,
    single_claims, sums,
};
use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        hold::{Hold, HoldId},
        reason::PayReason,
        settlement::{Attempt, Event, IllegalEvent, Moves, Purpose, Settlement, SettlementId, State, Subject, apply},
    },
    ledger::{
        LedgerError, Recorded, Signed,
        rows::{EventRow, column},
        rules::{
            SumsChange,
            record::{self as rules, ClaimedBalance, Effects, HoldsBecome},
        },
    },
};
use rusqlite::{Connection, params};
use solana_signature::Signature;

/// Records a signed attempt and books its cost, when every budget allows it or it pays a debt; only the value this returns can be sent.
///
/// Refuses an attempt of another settlement or out of its turn.
pub(in crate::ledger) fn record_signed(
    conn: &Connection,
    seen: &Settlement,
    attempt: &Attempt,
    now: UnixSeconds,
) -> Outcome<Signed> {
    let event = Event::Signed { signature: attempt.signature };
    let before = unmoved(conn, seen)?;
    // What may not be signed at all is told before what it would cost.
    apply(Some(before.state.clone()), &event).map_err(|error| illegal(&error))?;
    if (attempt.moves != Moves::Nothing) != before.purpose.moves_balance() {
        return Err(LedgerError::Inconsistent("an attempt does not move what its purpose says".to_owned()).into());
    }
    if before.purpose.is_co_signed() && before.attempts > 0 {
        return Err(LedgerError::Inconsistent("a client's bytes are co-signed once".to_owned()).into());
    }
    let subject = bookings::subject(conn, before.subject)?;
    let credit = credit::of_settlement(conn, &before, subject.as_ref(), now)?;
    let payer = (subject.as_ref(), credit);
    if !before.purpose.pays_a_debt()
        && let Some(over) = budgets::judge_settlement(conn, before.id, payer, attempt.cost, now)?
    {
        return Ok(Signed::OverBudget(over));
    }
    let after = advance(conn, &before, &event, now)?;
    if attempt.settlement != after.id || attempt.number != after.attempts {
        return Err(LedgerError::Inconsistent("an attempt is not the next one of its settlement".to_owned()).into());
    }
    let witness = attempt.moves.witness();
    conn.prepare_cached(
        "INSERT INTO attempts (signature, settlement, number, wire, last_valid_block_height, signed_at_slot, fee, rent, \
         lamports_granted, live, at, bears_allowances, moves_balance, source, handle_before, handle_slot, \
         delegated_before) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        attempt.signature.as_ref(),
        select::settlement_key(after.id),
        attempt.number,
        attempt.wire,
        column("last_valid_block_height", attempt.last_valid_block_height)?,
        column("signed_at_slot", attempt.signed_at_slot)?,
        column("fee", attempt.cost.fee)?,
        column("rent", attempt.cost.rent)?,
        column("lamports_granted", attempt.cost.grant)?,
        column("at", now)?,
        attempt.allowances.are_bought(),
        attempt.moves != Moves::Nothing,
        witness.map(|witness| witness.account.to_bytes()),
        witness.map(|witness| witness.before.handle.to_le_bytes()),
        witness.map(|witness| column("handle_slot", witness.before.slot)).transpose()?,
        witness.and_then(|witness| witness.delegated).map(u128::to_le_bytes),
    ])?;
    bookings::reserve(conn, &after, payer, attempt, now)?;
    Ok(Signed::Recorded { settlement: after, attempt: Recorded(attempt.clone()) })
}

/// Appends an event and does what follows from it.
///
/// Refuses `Signed`, which is recorded together with its attempt, and whatever [`apply`] refuses.
pub(in crate::ledger) fn record(
    conn: &Connection,
    seen: &Settlement,
    event: &Event,
    waiting: &[HoldId],
    now: UnixSeconds,
) -> Outcome<Settlement> {
    if let Event::Signed { .. } = event {
        return Err(LedgerError::Inconsistent("a signature is recorded together with its attempt".to_owned()).into());
    }
    let after = advance(conn, &unmoved(conn, seen)?, event, now)?;
    let asks = rules::asks(&after, event);
    let live = if asks.live { select::live_attempt(conn, after.id)? } else { None };
    let deferred = if asks.deferred { deferred::deferred_of(conn, after.id)? } else { Amount::ZERO };
    let planned = if asks.planned { planned_by(conn, after.id)? } else { Vec::new() };
    let rows = rules::Rows { after: &after, live: live.as_ref(), deferred, planned: &planned };
    let effects = rules::effects(&rows, event, now)?;
    write(conn, &after, (event, &effects), waiting, now)?;
    Ok(after)
}

/// Writes what follows from an event.
fn write(
    conn: &Connection,
    after: &Settlement,
    (event, effects): (&Event, &Effects),
    waiting: &[HoldId],
    now: UnixSeconds,
) -> Outcome<()> {
    if let Some(entry) = &effects.entry {
        bookings::book(conn, after.purpose, entry)?;
        if entry.ends {
            end_attempt(conn, &entry.signature)?;
        }
    }
    if after.purpose == Purpose::SinglePayment {
        return single_claims::follow(conn, after, effects);
    }
    if after.purpose == Purpose::MppCharge {
        return mpp::charges::follow(conn, after, effects, now);
    }
    if after.purpose == Purpose::Revoke && after.state == State::Settled {
        return approvals::revoked_by(conn, after);
    }
    if matches!(after.purpose, Purpose::MppOpen | Purpose::MppClose) {
        return mpp::channels::follow(conn, after, event, now);
    }
    if let (Purpose::MppOnboard | Purpose::MppLeave, Subject::Issued(message)) = (after.purpose, after.subject) {
        return mpp::delegations::follow(conn, after, message, now);
    }
    let Some(session) = effects.session else { return Ok(()) };
    match &effects.holds {
        HoldsBecome::Unchanged => {}
        HoldsBecome::Captured => set_holds(conn, after.id, "planned", "captured")?,
        HoldsBecome::Planned => set_holds(conn, after.id, "captured", "planned")?,
        HoldsBecome::GivenBack { reason, failed, waiting } => {
            deferred::take_back(conn, after.id, waiting, (*reason, failed.as_ref()), now)?;
            release(conn, after.id, *reason, failed.as_ref())?;
        }
    }
    if effects.sums != SumsChange::default() {
        sums::change(conn, session, effects.sums)?;
    }
    match effects.claimed {
        ClaimedBalance::Unchanged => {}
        ClaimedBalance::Captured { slot } => {
            funding::captured(conn, after, slot)?;
            credit::earn(conn, after, now)?;
            tell(conn, after, waiting)?;
        }
        ClaimedBalance::TakenBack => {
            funding::taken_back(conn, after)?;
            bindings::taken_back(conn, after.id)?;
        }
    }
    if effects.may_close {
        sessions::close_when_settled(conn, session)?;
    }
    Ok(())
}

/// The settlement as it stands; `LostRace` when another driver has recorded an event since it was `seen`.
pub(super) fn unmoved(conn: &Connection, seen: &Settlement) -> Outcome<Settlement> {
    let now = select::settlement(conn, seen.id)?.ok_or_else(|| missing("settlement"))?;
    if now.sequence == seen.sequence { Ok(now) } else { Err(LedgerError::LostRace.into()) }
}

/// Moves the projection and appends the event.
fn advance(conn: &Connection, before: &Settlement, event: &Event, now: UnixSeconds) -> Outcome<Settlement> {
    let overflow = || LedgerError::Inconsistent("a settlement has too many events".to_owned());
    let state = apply(Some(before.state.clone()), event).map_err(|error| illegal(&error))?;
    let sequence = before.sequence.checked_add(1).ok_or_else(overflow)?;
    // What was held is not any more, once something happened to it.
    let mut after = Settlement { state, sequence, held: None, ..before.clone() };
    after.landed_at = match event {
        Event::Landed { slot } | Event::Found { slot, .. } => Some(*slot),
        _ => None,
    };
    if let Event::Found { signature, .. } = event {
        after.signature = Some(*signature);
    }
    if let Event::Signed { signature } = event {
        after.attempts = after.attempts.checked_add(1).ok_or_else(overflow)?;
        after.signature = Some(*signature);
    }
    conn.prepare_cached(
        "UPDATE settlements SET state = ?2, sequence = ?3, attempts = ?4, signature = ?5 WHERE id = ?1",
    )?
    .execute(params![
        select::settlement_key(after.id),
        after.state.word(),
        after.sequence,
        after.attempts,
        after.signature.as_ref().map(AsRef::<[u8]>::as_ref),
    ])?;
    append(conn, &after, event, now)?;
    Ok(after)
}

/// Appends an event under the number that `after` has.
pub(super) fn append(conn: &Connection, after: &Settlement, event: &Event, now: UnixSeconds) -> Outcome<()> {
    let row = EventRow::of(after.sequence, event)?;
    conn.prepare_cached(
        "INSERT INTO settlement_events (settlement, sequence, event, signature, slot, reason, finalised_height, \
         first_available_block, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        select::settlement_key(after.id),
        row.sequence,
        row.event,
        row.signature,
        row.slot,
        row.reason,
        row.finalised_height,
        row.first_available_block,
        column("at", now)?,
    ])?;
    Ok(())
}

/// The error for an event that the settlement's state does not allow.
pub(super) fn illegal(error: &IllegalEvent) -> LedgerError {
    LedgerError::Inconsistent(error.to_string())
}

/// The holds that a settlement covers and whose fate is open, oldest first.
fn planned_by(conn: &Connection, id: SettlementId) -> Outcome<Vec<Hold>> {
    select::holds(conn, "WHERE h.settlement = ?1 AND h.state = 'planned' ORDER BY h.seq", [select::settlement_key(id)])
}

/// Proof says that this attempt had no effect and never will.
fn end_attempt(conn: &Connection, signature: &Signature) -> Outcome<()> {
    conn.prepare_cached("UPDATE attempts SET live = 0 WHERE signature = ?1")?.execute([signature.as_ref()])?;
    Ok(())
}

/// Moves all holds of a settlement from one state to the other.
fn set_holds(conn: &Connection, id: SettlementId, from: &str, to: &str) -> Outcome<()> {
    conn.prepare_cached("UPDATE holds SET state = ?3 WHERE settlement = ?1 AND state = ?2")?.execute(params![
        select::settlement_key(id),
        from,
        to
    ])?;
    Ok(())
}

/// Nothing moved: what the settlement still covers is given back.
fn release(conn: &Connection, id: SettlementId, reason: PayReason, failed: Option<&Signature>) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE holds SET state = 'released', reason = ?2, signature = ?3 WHERE settlement = ?1 AND state = 'planned'",
    )?
    .execute(params![select::settlement_key(id), reason.word(), failed.map(AsRef::<[u8]>::as_ref)])?;
    Ok(())
}

/// The callers who wait for these holds are about to be answered `success:true`.
fn tell(conn: &Connection, settlement: &Settlement, waiting: &[HoldId]) -> Outcome<()> {
    debug_assert_eq!(settlement.state, State::Landed);
    for hold in waiting {
        conn.prepare_cached("UPDATE holds SET told = 1 WHERE id = ?1 AND settlement = ?2 AND state = 'captured'")?
            .execute([select::hold_key(*hold), select::settlement_key(settlement.id)])?;
    }
    Ok(())
}
