//! What a wallet has signed of what was issued: what bars it, and its record.
//!
//! Must be true: everything of it (its use, its settlement, its signed bytes, its booking) is written in one transaction, which also
//! looks again at what stands on the delegation; the schema (migration 26) refuses what would take that away, whatever is asked
//! here.

use crate::{
    domain::{
        amount::Amount,
        budget::{BudgetSubject, Credit, Window},
        clock::{DAY, HOUR, UnixSeconds},
        mpp::{
            caps::Sponsored,
            choices::Backend,
            delegation::{
                ConfirmPlan, Delegation, IssuedKind, IssuedMessage, IssuedState, OnboardBar, OnboardLimits,
                OnboardQuestion,
            },
        },
        settlement::{Attempt, Purpose, Subject},
    },
    ledger::{
        DelegationKey, IssuedKey, LedgerError, OnboardRecorded, Signed, Work,
        rows::{column, count},
        sqlite::statements::{
            Outcome, budgets, journal, missing,
            mpp::{delegations, issued, sponsoring},
            queries::snapshot,
            select, settlements,
        },
    },
};
use rusqlite::{Connection, Params, params};

/// Writes what a wallet has signed with its settlement and its signed attempt, unless something forbids it.
pub(in crate::ledger) fn record(
    conn: &Connection,
    plan: &ConfirmPlan,
    attempt: &Attempt,
    now: UnixSeconds,
) -> Outcome<OnboardRecorded> {
    let Some(message) = issued::find(conn, &IssuedKey::Id(plan.message))? else {
        return Ok(OnboardRecorded::NotIssued);
    };
    match message.state {
        IssuedState::Waiting if message.until > now => {}
        IssuedState::Waiting => return Ok(OnboardRecorded::Expired),
        IssuedState::Voided => return Ok(OnboardRecorded::Voided),
        IssuedState::OnItsWay(_) | IssuedState::Landed(_) | IssuedState::Released(_) => {
            return Ok(OnboardRecorded::Known(Box::new(message)));
        }
    }
    let key = DelegationKey::Id(message.delegation);
    let (seq, delegation) = delegations::numbered(conn, &key)?.ok_or_else(|| missing("delegation"))?;
    if let Some(refused) = refused(conn, seq, (&message, &delegation), now)? {
        return Ok(refused);
    }
    let question = OnboardQuestion {
        sponsored: Sponsored {
            payer: message.buyer,
            seller: None,
            payer_is_listed: plan.is_listed,
            seller_is_listed: false,
            lamports: attempt.cost.fee,
            caps: plan.caps,
        },
        backend: delegation.backend,
        kind: message.kind,
        begins: begins(conn, plan)?,
        rent: attempt.cost.rent,
        caller: plan.caller,
        limits: plan.limits,
    };
    let credit = sponsoring::credit(conn, &question.sponsored, now)?;
    let is_known = credit == Credit::Earned;
    if let Some(bar) = barred(conn, &question, is_known, now)? {
        return Ok(OnboardRecorded::Barred(bar));
    }
    let subject = BudgetSubject { session: None, user: message.buyer, recipient: message.buyer };
    if let Some(over) = budgets::judge_settlement(conn, plan.settlement, (Some(&subject), credit), attempt.cost, now)? {
        return Ok(OnboardRecorded::OverBudget(over));
    }
    write(conn, plan, (&question, is_known), attempt, now)
}

fn write(
    conn: &Connection,
    plan: &ConfirmPlan,
    (question, is_known): (&OnboardQuestion, bool),
    attempt: &Attempt,
    now: UnixSeconds,
) -> Outcome<OnboardRecorded> {
    conn.prepare_cached(
        "UPDATE issued_messages SET settlement = ?2, confirmed_at = ?3, caller = ?4, newcomer = ?5 WHERE id = ?1",
    )?
    .execute(params![
        plan.message.0.into_bytes(),
        select::settlement_key(plan.settlement),
        column("confirmed_at", now)?,
        question.caller,
        !is_known,
    ])?;
    sponsoring::sponsor(conn, plan.settlement, &question.sponsored, now)?;
    let purpose = if question.kind == IssuedKind::Leave { Purpose::MppLeave } else { Purpose::MppOnboard };
    let subject = Subject::Issued(plan.message);
    let planned = settlements::insert(conn, plan.settlement, purpose, subject, Amount::ZERO, now)?;
    match journal::record_signed(conn, &planned, attempt, now)? {
        Signed::Recorded { settlement, attempt } => {
            let message = issued::find(conn, &IssuedKey::Id(plan.message))?.ok_or_else(|| missing("message"))?;
            let work = Work { settlement, attempt: Some(attempt) };
            Ok(OnboardRecorded::Recorded(Box::new(message), Box::new(work)))
        }
        Signed::OverBudget(_) => {
            Err(LedgerError::Inconsistent("a budget that was met is passed by the same cost".to_owned()).into())
        }
    }
}

/// What stands on the delegation, or is on its way, against it.
fn refused(
    conn: &Connection,
    seq: i64,
    (message, delegation): (&IssuedMessage, &Delegation),
    now: UnixSeconds,
) -> Outcome<Option<OnboardRecorded>> {
    if issued::on_its_way(conn, delegation.id)?.is_some() {
        return Ok(Some(OnboardRecorded::OnItsWay));
    }
    match (message.kind, message.generation) {
        (IssuedKind::Leave, _) if !delegation.used.is_free() => Ok(Some(OnboardRecorded::ChannelsOpen)),
        (IssuedKind::Leave, _) => refused_leave(conn, seq, now),
        (IssuedKind::GrantRole, Some(generation)) => {
            let sql = "SELECT spend_limit FROM delegation_grants WHERE delegation = ?1 AND generation = ?2";
            let limit: Option<i64> = select::value(conn, sql, params![seq, generation])?;
            let limit = Amount::try_from(limit.ok_or_else(|| missing("grant"))?);
            let limit = limit.map_err(|_| LedgerError::Inconsistent("a grant's limit is no amount".to_owned()))?;
            let covered = delegation.used.allows_renewal(delegation.backend, limit);
            Ok((!covered).then_some(OnboardRecorded::NotCovered))
        }
        _ => Ok(None),
    }
}

/// Why a leave is not paid for: it gives back what landed of ours, and so often in a day. No cap or limit that others share asks for
/// more.
fn refused_leave(conn: &Connection, seq: i64, now: UnixSeconds) -> Outcome<Option<OnboardRecorded>> {
    let landed = "SELECT 1 FROM issued_messages m JOIN settlements s ON s.id = m.settlement WHERE m.delegation = ?1 \
        AND m.kind <> 'leave' AND s.state IN ('landed', 'settled') LIMIT 1";
    if select::value::<i64>(conn, landed, [seq])?.is_none() {
        return Ok(Some(OnboardRecorded::NothingGranted));
    }
    let leaves =
        "SELECT count(*), NULL FROM issued_messages WHERE delegation = ?1 AND kind = 'leave' AND confirmed_at >= ?2";
    let (today, _) = counted(conn, leaves, params![seq, column("confirmed_at", now / DAY * DAY)?])?;
    let bar = OnboardBar::Leaves { again_in: DAY - now % DAY };
    Ok(reached(OnboardLimits::LEAVES_PER_DAY, today).then_some(OnboardRecorded::Barred(bar)))
}

fn begins(conn: &Connection, plan: &ConfirmPlan) -> Outcome<bool> {
    let sql = "SELECT begins FROM issued_messages WHERE id = ?1";
    Ok(select::value::<bool>(conn, sql, [plan.message.0.into_bytes()])?.unwrap_or(true))
}

/// Why a step of an onboarding would not be paid for now, by one snapshot.
pub(in crate::ledger) fn bar(
    conn: &Connection,
    question: &OnboardQuestion,
    now: UnixSeconds,
) -> Outcome<Option<OnboardBar>> {
    snapshot(conn, |conn| {
        let is_known = sponsoring::credit(conn, &question.sponsored, now)? == Credit::Earned;
        barred(conn, question, is_known, now)
    })
}

/// Why no more of an onboarding is paid for now. A leave asks for something else ([`refused_leave`]).
fn barred(
    conn: &Connection,
    question: &OnboardQuestion,
    is_known: bool,
    now: UnixSeconds,
) -> Outcome<Option<OnboardBar>> {
    if question.kind == IssuedKind::Leave {
        return Ok(None);
    }
    if question.kind == IssuedKind::CreateSwig && was_lent_a_swig(conn, question)? {
        return Ok(Some(OnboardBar::SwigLent));
    }
    if let Some(bar) = sponsoring::bar(conn, &question.sponsored, now)? {
        return Ok(Some(OnboardBar::Cap(bar)));
    }
    if question.begins
        && let Some(bar) = too_many(conn, question, is_known, now)?
    {
        return Ok(Some(bar));
    }
    let rent = match question.backend {
        Backend::SplDelegate => ("d.backend = 'spl-delegate'", question.limits.rent_per_day),
        // Its buyer can close it and keep what we lent.
        Backend::Swig => ("d.backend = 'swig'", question.limits.swig_rent_per_day),
    };
    let is_over = question.rent > 0 && over_rent(conn, (question, is_known), rent, now)?;
    Ok(is_over.then(|| OnboardBar::Rent { again_in: DAY - now % DAY }))
}

/// Whether a Swig of this wallet was made at our cost before.
fn was_lent_a_swig(conn: &Connection, question: &OnboardQuestion) -> Outcome<bool> {
    let made = "SELECT 1 FROM delegations d JOIN issued_messages m ON m.delegation = d.seq JOIN settlements s ON s.id = m.settlement \
        WHERE d.buyer = ?1 AND m.kind = 'create_swig' AND s.state IN ('landed', 'settled') LIMIT 1";
    Ok(select::value::<i64>(conn, made, [question.sponsored.payer.to_bytes()])?.is_some())
}

/// Whether there were as many onboardings as may be: of the wallet, of the caller's address, of everybody.
fn too_many(
    conn: &Connection,
    question: &OnboardQuestion,
    is_known: bool,
    now: UnixSeconds,
) -> Outcome<Option<OnboardBar>> {
    let limits = &question.limits;
    let today = column("confirmed_at", now / DAY * DAY)?;
    let again_in = DAY - now % DAY;
    let of_wallet = "SELECT count(*), NULL FROM delegations d JOIN issued_messages m ON m.delegation = d.seq \
        WHERE d.buyer = ?1 AND m.begins = 1 AND m.confirmed_at >= ?2";
    let buyer = question.sponsored.payer.to_bytes();
    if reached(limits.of_wallet_per_day, counted(conn, of_wallet, params![buyer, today])?.0) {
        return Ok(Some(OnboardBar::Wallet { again_in }));
    }
    let of_caller =
        "SELECT count(*), NULL FROM issued_messages WHERE caller = ?1 AND begins = 1 AND confirmed_at >= ?2";
    // Of whoever asks from no address that is known nothing is counted.
    if question.caller != [0; 16]
        && reached(limits.of_caller_per_day, counted(conn, of_caller, params![question.caller, today])?.0)
    {
        return Ok(Some(OnboardBar::Caller { again_in }));
    }
    let hour = Window::of_events(HOUR);
    let of_all = "SELECT count(*), min(confirmed_at) FROM issued_messages WHERE confirmed_at >= ?1 AND begins = 1";
    let strangers = format!("{of_all} AND newcomer = 1");
    let share = if is_known { 0 } else { OnboardLimits::of_strangers(limits.per_hour) };
    for (sql, most) in [(of_all, limits.per_hour), (strangers.as_str(), share)] {
        let (number, first) = counted(conn, sql, [column("confirmed_at", hour.oldest(now))?])?;
        if reached(most, number) {
            let again_in = first.map_or(HOUR, |first| hour.leaves_in(first, now));
            return Ok(Some(OnboardBar::Everybody { again_in }));
        }
    }
    Ok(None)
}

/// Whether a limit is reached; 0 is none.
const fn reached(most: u64, number: u64) -> bool {
    most > 0 && number >= most
}

/// Whether what was lent in the day passes a limit with this one. What strangers were lent counts against their share too.
fn over_rent(
    conn: &Connection,
    (question, is_known): (&OnboardQuestion, bool),
    (which, limit): (&str, u64),
    now: UnixSeconds,
) -> Outcome<bool> {
    let sql = format!(
        "SELECT coalesce(sum(b.rent), 0), coalesce(sum(iif(m.newcomer, b.rent, 0)), 0) FROM issued_messages m \
         JOIN delegations d ON d.seq = m.delegation \
         JOIN settlements s ON s.id = m.settlement JOIN sponsored_lamports b ON b.signature = s.signature \
         WHERE m.rent > 0 AND m.confirmed_at >= ?1 AND b.state <> 'void' AND {which}"
    );
    let (all, strangers) = counted(conn, &sql, [column("confirmed_at", now / DAY * DAY)?])?;
    let passes = |lent: u64, most: u64| lent.saturating_add(question.rent) > most;
    let of_strangers = !is_known && passes(strangers.unwrap_or(0), OnboardLimits::of_strangers(limit));
    Ok(passes(all, limit) || of_strangers)
}

/// Two numbers, the second of which may be none.
fn counted(conn: &Connection, sql: &str, params: impl Params) -> Outcome<(u64, Option<u64>)> {
    let (number, other): (i64, Option<i64>) =
        conn.prepare_cached(sql)?.query_row(params, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((count("issued_messages", number)?, other.map(|other| count("issued_messages", other)).transpose()?))
}
