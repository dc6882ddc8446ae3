//! Single payments: what was offered, and what was signed of it.
//!
//! Must be true: a message has one offer, an offer is used once and before its end, a message and a ciphertext pay once, and
//! everything of a payment (its row, its settlement, its signed bytes, its booking, its claim on a proved balance) is written in
//! one transaction.
//! The claim follows by triggers (migration 14), but for what depends on the slot of a landing.

use crate::ledger::sqlite::statements::{
    Outcome, budgets, credit, funding, journal, missing, select, settlements, single_claims,
};
use crate::{
    domain::{
        budget::{BudgetSubject, Credit},
        clock::UnixSeconds,
        funding::{Funding, Source},
        reason::PayReason,
        settlement::{Attempt, Purpose, SingleId, Subject},
        single_payment::{Claimant, OfferLimits, RecordedSingle, SingleKey, SingleOffer, SinglePlan},
    },
    ledger::{
        LedgerError, Offered, Signed, SingleClaim, SinglePaid, Work,
        rows::{OfferRow, SingleRow, column, count},
    },
};
use rusqlite::{Connection, Params, params};
use solana_pubkey::Pubkey;

const OFFER: &str = "SELECT id, payer, recipient, asset, nonce, content, amount, ciphertext, message, proof_demanded, \
    caller, issued_at, until, last_valid_block_height FROM pay_offers";

const SINGLE: &str = "SELECT p.seq, p.id, p.settlement, p.payer, p.recipient, p.asset, p.amount, p.content, p.signed, \
    p.funding, p.proof_demanded, p.told, p.reason, s.state, s.signature, \
    (SELECT e.slot FROM settlement_events e WHERE e.settlement = s.id AND e.event = 'landed' ORDER BY e.sequence DESC LIMIT 1) \
    FROM single_payments p JOIN settlements s ON s.id = p.settlement";

fn offers(conn: &Connection, rest: &str, params: impl Params) -> Outcome<Vec<SingleOffer>> {
    select::list(conn, &format!("{OFFER} {rest}"), params, |row| {
        let row = OfferRow {
            id: row.get(0)?,
            payer: row.get(1)?,
            recipient: row.get(2)?,
            asset: row.get(3)?,
            nonce: row.get(4)?,
            content: row.get(5)?,
            amount: row.get(6)?,
            ciphertext: row.get(7)?,
            message: row.get(8)?,
            proof_demanded: row.get(9)?,
            caller: row.get(10)?,
            issued_at: row.get(11)?,
            until: row.get(12)?,
            last_valid_block_height: row.get(13)?,
        };
        Ok(row.into_offer()?)
    })
}

fn singles(conn: &Connection, rest: &str, params: impl Params) -> Outcome<Vec<RecordedSingle>> {
    select::list(conn, &format!("{SINGLE} {rest}"), params, |row| {
        let row = SingleRow {
            seq: row.get(0)?,
            id: row.get(1)?,
            settlement: row.get(2)?,
            payer: row.get(3)?,
            recipient: row.get(4)?,
            asset: row.get(5)?,
            amount: row.get(6)?,
            content: row.get(7)?,
            signed: row.get(8)?,
            funding: row.get(9)?,
            proof_demanded: row.get(10)?,
            told: row.get(11)?,
            reason: row.get(12)?,
            state: row.get(13)?,
            signature: row.get(14)?,
            landed_at: row.get(15)?,
        };
        Ok(row.into_single()?)
    })
}

/// The payment that was recorded under this key.
pub(in crate::ledger) fn find(conn: &Connection, key: &SingleKey) -> Outcome<Option<RecordedSingle>> {
    let mut found = match key {
        SingleKey::Nonce(payer, nonce) => {
            singles(conn, "WHERE p.payer = ?1 AND p.nonce = ?2", params![payer.to_bytes(), nonce])?
        }
        SingleKey::Signed(hash) => singles(conn, "WHERE p.signed = ?1", [hash.0])?,
        SingleKey::Ciphertext(ciphertext) => singles(conn, "WHERE p.ciphertext = ?1", [ciphertext])?,
    };
    Ok(found.pop())
}

/// The offers of a payer whose time is not over, oldest first.
pub(in crate::ledger) fn live_offers(conn: &Connection, payer: &Pubkey, now: UnixSeconds) -> Outcome<Vec<SingleOffer>> {
    offers(conn, "WHERE payer = ?1 AND until > ?2 ORDER BY issued_at", params![payer.to_bytes(), column("until", now)?])
}

/// Writes an offer where there may be one more, in place of an older one of the same message; forgets those whose time is over.
pub(in crate::ledger) fn offer(
    conn: &Connection,
    new: &SingleOffer,
    limits: OfferLimits,
    now: UnixSeconds,
) -> Outcome<Offered> {
    if let Some(known) = find(conn, &SingleKey::Nonce(new.payer, new.nonce.clone()))? {
        return Ok(Offered::Known(Box::new(known)));
    }
    if find(conn, &SingleKey::Ciphertext(new.ciphertext.clone()))?.is_some() {
        return Ok(Offered::CiphertextUsed);
    }
    conn.prepare_cached("DELETE FROM pay_offers WHERE until <= ?1")?.execute([column("until", now)?])?;
    let credit = credit::of_user(conn, &new.payer, now)?;
    if let Some(first_ends) = crowded(conn, new, limits, (credit, now))? {
        return Ok(Offered::TooMany { again_in: first_ends.saturating_sub(now).max(1) });
    }
    conn.prepare_cached("DELETE FROM pay_offers WHERE payer = ?1 AND nonce = ?2")?
        .execute(params![new.payer.to_bytes(), new.nonce])?;
    conn.prepare_cached(
        "INSERT INTO pay_offers (id, payer, recipient, asset, nonce, content, amount, ciphertext, message, proof_demanded, \
         newcomer, caller, issued_at, until, last_valid_block_height) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute(params![
        new.id.0.into_bytes(),
        new.payer.to_bytes(),
        new.recipient.to_bytes(),
        new.asset.to_bytes(),
        new.nonce,
        new.content.0,
        i64::from(new.amount),
        new.ciphertext,
        new.message,
        new.proof_demanded,
        credit == Credit::Newcomer,
        new.caller.0,
        column("issued_at", new.issued_at)?,
        column("until", new.until)?,
        column("last_valid_block_height", new.last_valid_block_height)?,
    ])?;
    Ok(Offered::Issued)
}

/// When the first of those offers ends that leave no place for one more; none where there is one, or one was made. What the
/// new one replaces is not counted.
fn crowded(
    conn: &Connection,
    new: &SingleOffer,
    limits: OfferLimits,
    (credit, now): (Credit, UnixSeconds),
) -> Outcome<Option<UnixSeconds>> {
    let others = |of: &str| -> Outcome<(u64, Option<UnixSeconds>)> {
        let sql = format!("SELECT count(*), min(until) FROM pay_offers WHERE (payer <> ?1 OR nonce <> ?2) AND {of}");
        let (number, first): (i64, Option<i64>) = conn
            .prepare_cached(&sql)?
            .query_row(params![new.payer.to_bytes(), new.nonce], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((count("offers", number)?, first.map(|first| count("until", first)).transpose()?))
    };
    let (of_payer, first) = others("payer = ?1")?;
    if of_payer >= limits.of_payer {
        return Ok(Some(first.unwrap_or(new.until)));
    }
    if credit == Credit::Newcomer && others("newcomer = 1")?.0 >= limits.of_newcomers {
        make_place(conn, now)?;
    }
    let (in_all, first) = others("TRUE")?;
    Ok((in_all >= limits.in_all).then(|| first.unwrap_or(new.until)))
}

/// Forgets a newcomer's offer for another's: the oldest of the address that has most, and there of the payer who has most, so
/// that whoever fills all places with what they do not sign gives up their own. An address may speak for many (a merchant who
/// relays), whose payers sign soon: while there are older ones no offer is forgotten that may be about to be signed. The only one
/// of its address goes after all others.
fn make_place(conn: &Connection, now: UnixSeconds) -> Outcome<()> {
    conn.prepare_cached(
        "DELETE FROM pay_offers WHERE id = (SELECT o.id FROM pay_offers o \
         JOIN (SELECT caller, count(*) AS held FROM pay_offers WHERE newcomer = 1 GROUP BY caller) c ON c.caller = o.caller \
         JOIN (SELECT payer, count(*) AS held FROM pay_offers WHERE newcomer = 1 GROUP BY payer) p ON p.payer = o.payer \
         WHERE o.newcomer = 1 \
         ORDER BY c.held = 1, o.issued_at > ?1, c.held DESC, p.held DESC, o.issued_at, o.id LIMIT 1)",
    )?
    .execute([column("issued_at", now.saturating_sub(OfferLimits::SPARED))?])?;
    Ok(())
}

/// Uses an offer: writes the payment, its settlement and its signed attempt, unless something forbids it.
pub(in crate::ledger) fn pay(
    conn: &Connection,
    plan: &SinglePlan,
    attempt: &Attempt,
    now: UnixSeconds,
) -> Outcome<SinglePaid> {
    if let Some(known) = find(conn, &SingleKey::Signed(plan.signed))? {
        return Ok(SinglePaid::Known(Box::new(known)));
    }
    let offered =
        offers(conn, "WHERE id = ?1 AND until > ?2", params![plan.offer.0.into_bytes(), column("until", now)?])?;
    let Some(offer) = offered.into_iter().next() else { return Ok(SinglePaid::NotOffered) };
    if find(conn, &SingleKey::Nonce(offer.payer, offer.nonce.clone()))?.is_some() {
        return Ok(SinglePaid::Refused(PayReason::NonceConflict));
    }
    if find(conn, &SingleKey::Ciphertext(offer.ciphertext.clone()))?.is_some() {
        return Ok(SinglePaid::Refused(PayReason::CiphertextUsed));
    }
    let level = match level(conn, &offer, plan, now)? {
        Ok(level) => level,
        Err(reason) => return Ok(SinglePaid::Refused(reason)),
    };
    let subject = BudgetSubject { session: None, user: offer.payer, recipient: offer.recipient };
    let credit = credit::of_single(conn, &offer.payer, level, now)?;
    let over = budgets::judge_settlement(conn, plan.settlement, (Some(&subject), credit), attempt.cost, now)?;
    if let Some(over) = over {
        return Ok(SinglePaid::OverBudget(over));
    }
    write(conn, plan, &offer, level, now)?;
    let subject = Subject::Single(plan.offer);
    let planned = settlements::insert(conn, plan.settlement, Purpose::SinglePayment, subject, offer.amount, now)?;
    match journal::record_signed(conn, &planned, attempt, now)? {
        Signed::Recorded { settlement, attempt } => {
            let single = find(conn, &SingleKey::Signed(plan.signed))?.ok_or_else(|| missing("single payment"))?;
            Ok(SinglePaid::Recorded(Box::new(single), Box::new(Work { settlement, attempt: Some(attempt) })))
        }
        Signed::OverBudget(_) => {
            Err(LedgerError::Inconsistent("a budget that was met is passed by the same cost".to_owned()).into())
        }
    }
}

/// The level of the payer's balance, or why the payment is not taken: it would pass what the payer's sums can hold, or the proved
/// balance while something that was accepted as proven is not captured (`rules/accept.rs`), or a proof is demanded.
fn level(
    conn: &Connection,
    offer: &SingleOffer,
    plan: &SinglePlan,
    now: UnixSeconds,
) -> Outcome<Result<Funding, PayReason>> {
    let known = funding::source(conn, &offer.payer, &offer.asset)?;
    let source = known.unwrap_or_else(|| Source::unknown(offer.payer, offer.asset));
    if !single_claims::leaves_an_amount(conn, &source, offer.amount)? {
        return Ok(Err(PayReason::PerCallLimitExceeded));
    }
    if source.is_passed_by(offer.amount) && funding::is_relied_upon(conn, &offer.payer, &offer.asset)? {
        return Ok(Err(PayReason::InsufficientFunds));
    }
    Ok(plan.demand.admit(source.funding(offer.amount, now, plan.demand.max_age)))
}

/// Moves the offer to the payments.
fn write(conn: &Connection, plan: &SinglePlan, offer: &SingleOffer, level: Funding, now: UnixSeconds) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO single_payments (id, settlement, payer, recipient, asset, nonce, content, amount, ciphertext, signed, \
         proof_demanded, funding, created_at, kept_until) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        offer.id.0.into_bytes(),
        select::settlement_key(plan.settlement),
        offer.payer.to_bytes(),
        offer.recipient.to_bytes(),
        offer.asset.to_bytes(),
        offer.nonce,
        offer.content.0,
        i64::from(offer.amount),
        offer.ciphertext,
        plan.signed.0,
        plan.demand.required,
        level.word(),
        column("created_at", now)?,
        column("kept_until", plan.kept_until)?,
    ])?;
    conn.prepare_cached("DELETE FROM pay_offers WHERE id = ?1")?.execute([offer.id.0.into_bytes()])?;
    Ok(())
}

/// Hands out the one success of a payment that has landed: to whoever recorded it or, once it is kept for them no more, to
/// another who proves to know it.
pub(in crate::ledger) fn claim(
    conn: &Connection,
    id: SingleId,
    claimant: Claimant,
    now: UnixSeconds,
) -> Outcome<SingleClaim> {
    const UNTOLD: &str = "id = ?1 AND told = 0 AND settlement IN \
        (SELECT id FROM settlements WHERE subject_id = ?1 AND id = single_payments.settlement \
         AND state IN ('landed', 'settled'))";
    // Whoever recorded it does not wait for an end that is there for the others.
    let as_of = match claimant {
        Claimant::Recorder => i64::MAX,
        Claimant::Prover => column("now", now)?,
    };
    let claimed = conn
        .prepare_cached(&format!("UPDATE single_payments SET told = 1 WHERE {UNTOLD} AND kept_until <= ?2"))?
        .execute(params![id.0.into_bytes(), as_of])?;
    if claimed == 1 {
        return Ok(SingleClaim::Granted);
    }
    let mut untold = conn.prepare_cached(&format!("SELECT 1 FROM single_payments WHERE {UNTOLD}"))?;
    Ok(if untold.exists([id.0.into_bytes()])? { SingleClaim::Kept } else { SingleClaim::Refused })
}
