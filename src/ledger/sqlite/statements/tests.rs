//! What a question costs must not depend on how much others have written: counted in steps of SQLite's machine, of the
//! verbs themselves.

use crate::ledger::sqlite::statements::{
    Outcome, approvals, bookings, budgets, deferred, examinations, funding, history, holds, journal, queries, select,
    sessions, settlements, sums,
};
use crate::{
    domain::{
        amount::Amount,
        approval::{Examination, LandedApprove},
        budget::{BudgetSubject, Budgets, Limit, Part, Scope},
        funding::FundingDemand,
        hold::{ContentHash, Exposure, GiveUp, HoldId, NewHold},
        reason::PayReason,
        samples::{self, amount},
        session::{CapCheck, Delegation, Session, SessionId, SessionState},
        settlement::{Allowances, Attempt, Cost, Event, Moves, SettlementId},
    },
    ledger::{Carry, sqlite::migrate},
};
use rusqlite::Connection;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// How many others there are at the second look; each with every kind of row.
const OTHERS: u32 = 250;
/// How many steps more a question may take then.
const LEEWAY: u64 = OTHERS as u64;
const NOW: u64 = 1_000;

fn bytes<const N: usize>(kind: u8, number: u32) -> [u8; N] {
    let mut bytes = [kind; N];
    bytes[N - 4..].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn key(kind: u8, number: u32) -> Pubkey {
    Pubkey::new_from_array(bytes(kind, number))
}

fn hold_id(number: u32) -> HoldId {
    HoldId::from_random_bytes(bytes(2, number))
}

fn settlement_id(number: u32) -> SettlementId {
    SettlementId::from_random_bytes(bytes(3, number))
}

/// One that is opening, of a payer and a merchant of its own.
fn session(number: u32) -> Session {
    let mut session = samples::session(20);
    session.id = SessionId::from_random_bytes(bytes(1, number));
    session.intent.nonce = format!("intent-{number}");
    session.intent.expires_at = 5_000;
    (session.intent.user, session.intent.recipient) = (key(23, number), key(21, number));
    session.signed.bytes = session.intent.to_bytes();
    (session.state, session.cap_check) = (SessionState::Opening, CapCheck::Unverified);
    session.created_at = NOW;
    session
}

/// The approve of a session, with as much beside it.
fn approve(number: u32) -> LandedApprove {
    let handle = u128::from(number);
    let signature = Signature::from(bytes(9, number));
    LandedApprove {
        signature,
        amount: Some(amount(2_000)),
        handle,
        seen: handle,
        seen_slot: 1,
        slot: 1,
        delegation: Delegation::Public,
    }
}

/// A further session on the approve of another one.
fn on_approval(session: &Session) -> Session {
    let mut further = self::session(77_777);
    (further.intent.user, further.intent.approved) = (*session.user(), Some(amount(2_000)));
    further.signed.bytes = further.intent.to_bytes();
    further.approve = session.approve.or(Some(approve(0).signature));
    further
}

/// A payment, promised if it has a nonce.
fn payment(session: SessionId, number: u32, nonce: bool) -> NewHold {
    let limits = Exposure::shared(Amount::MAX, Amount::MAX);
    NewHold {
        id: hold_id(number),
        session,
        nonce: nonce.then(|| format!("payment-{number}")),
        content: ContentHash(bytes(24, number)),
        amount: amount(10),
        unverified_exposure: amount(50),
        deferred: nonce.then_some(limits),
        funding: FundingDemand { required: false, max_age: 60, cap_binds: false },
        answer: None,
        now: NOW,
    }
}

/// A session with a payment that is final, one that came back and rests, one on its way, one that waits by promise and
/// one whose caller waits.
fn live(conn: &Connection, number: u32) -> Outcome<Session> {
    let session = opened(conn, number)?;
    for (part, end) in [
        Some(FINAL),
        Some(&[Event::Refused { slot: 211, reason: PayReason::OnchainTransferFailed }][..]),
        Some(&[][..]),
        None,
    ]
    .into_iter()
    .enumerate()
    {
        let number = number * 8 + u32::try_from(part).unwrap_or_default();
        holds::hold(conn, &payment(session.id, number, true))?;
        let Some(end) = end else { continue };
        settle(conn, &session, number, end)?;
    }
    holds::hold(conn, &payment(session.id, number * 8 + 7, false))?;
    Ok(session)
}

/// A session whose payments are all final.
fn settled(conn: &Connection, number: u32) -> Outcome<Session> {
    let session = opened(conn, number)?;
    for number in number * 8..number * 8 + 4 {
        holds::hold(conn, &payment(session.id, number, true))?;
        settle(conn, &session, number, FINAL)?;
    }
    Ok(session)
}

const FINAL: &[Event] = &[Event::Landed { slot: 210 }, Event::Finalised];

fn opened(conn: &Connection, number: u32) -> Outcome<Session> {
    let session = session(number);
    sessions::open(conn, &session)?;
    sessions::mark_open(conn, session.id, CapCheck::Verified, &approve(number), &[])?;
    Ok(session)
}

/// Plans what waits in a session, signs it and records `end`.
fn settle(conn: &Connection, session: &Session, number: u32, end: &[Event]) -> Outcome<()> {
    let planned = settlements::plan(conn, settlement_id(number), session.id, Carry::up_to(Amount::MAX), NOW)?;
    let mut settlement = planned.expect("something waits");
    let attempt = Attempt {
        settlement: settlement.id,
        number: 1,
        signature: Signature::from(bytes(9, number)),
        wire: vec![1],
        last_valid_block_height: 300,
        signed_at_slot: 200,
        cost: Cost { fee: 10, rent: 20, grant: 0 },
        allowances: Allowances::NotBought,
        moves: Moves::Balance(None),
        seen_by: Vec::new(),
        past_at: None,
    };
    let signed = journal::record_signed(conn, &settlement, &attempt, NOW)?;
    settlement = signed.recorded().expect("is within every budget").0;
    for event in end {
        settlement = journal::record(conn, &settlement, event, &[], NOW)?;
    }
    Ok(())
}

/// What is asked about one session, its payer or one of its payments.
type Question = (&'static str, fn(&Connection, &Session) -> Outcome<()>);

const QUESTIONS: &[Question] = &[
    ("session", |c, s| select::numbered_session(c, s.id).map(drop)),
    ("find_session", |c, s| sessions::find(c, s.user(), &s.intent.nonce).map(drop)),
    ("live_sessions", |c, s| queries::live_sessions(c, s.user(), &s.intent.asset).map(drop)),
    ("find_hold", |c, _| select::hold(c, hold_id(0)).map(drop)),
    ("find_payment", |c, s| holds::find_payment(c, s.id, "payment-0").map(drop)),
    ("over_budget", |c, s| {
        let subject = BudgetSubject { session: Some(s.id), user: *s.user(), recipient: s.intent.recipient };
        budgets::judge_subject(c, &subject, Cost { fee: 1, rent: 1, grant: 1 }, NOW).map(drop)
    }),
    ("granted_since", |c, s| queries::granted_since(c, s.user(), 1).map(drop)),
    ("load_work", |c, _| queries::load_work(c, settlement_id(2)).map(drop)),
    ("holds_of", |c, _| queries::holds_of(c, settlement_id(2)).map(drop)),
    ("promised", |c, s| deferred::promised(c, Some(s.id)).map(drop)),
    ("payment_times", |c, _| history::times(c, hold_id(0)).map(drop)),
    ("history from now on", |c, s| history::history(c, s.id, history::end(c, s.id)?.into(), 100).map(drop)),
    ("newest_position", |c, s| history::end(c, s.id).map(drop)),
    ("approve_of", |c, s| queries::approve_of(c, s.id).map(drop)),
    ("open_holds", |c, s| queries::open_holds(c, s.id).map(drop)),
    ("was_settled_from", |c, s| queries::was_settled_from(c, s.id).map(drop)),
    ("totals", |c, s| queries::totals(c, Some(s.id)).map(drop)),
    ("lost", |c, s| queries::lost(c, s.id).map(drop)),
    ("source", |c, s| funding::source(c, s.user(), &s.intent.asset).map(drop)),
    ("known_signatures", |c, _| funding::known_signatures(c, &[Signature::from(bytes(9, 0))]).map(drop)),
    ("approve_handle", |c, s| approvals::handle(c, s.id).map(drop)),
    ("opening_by_approve", |c, s| approvals::opening_by(c, s.user(), &s.intent.asset, 7).map(drop)),
    ("current_approval", |c, s| approvals::current(c, s.user(), &s.intent.asset).map(drop)),
    ("standing_approvals", |c, s| approvals::standing(c, s.user()).map(drop)),
    ("approvals_of", |c, s| approvals::of_sessions(c, &[s.id]).map(drop)),
    ("may_have_been_used", |c, s| {
        approvals::may_have_been_used(c, s.user(), &s.intent.asset, &approve(0), Some(NOW)).map(drop)
    }),
    ("unverified_beside", |c, s| sums::unverified_beside(c, s.id).map(drop)),
    ("known_transfers", |c, _| approvals::known_transfers(c, &[Signature::from(bytes(9, 0))]).map(drop)),
    ("may_have_moved_since", |c, s| funding::may_have_moved_since(c, s.user(), &s.intent.asset, 1).map(drop)),
    ("tried_since", |c, s| deferred::tried_since(c, s.id, NOW).map(drop)),
    ("seen_delegations", |c, s| examinations::seen(c, &[*s.user()], &s.intent.asset).map(drop)),
    ("examination", |c, s| examinations::find(c, s.user(), &s.intent.asset, &approve(0).signature).map(drop)),
    ("created_recipient", |c, s| queries::created_recipient(c, &s.intent.recipient, &s.intent.asset).map(drop)),
    ("recipients_created_since", |c, _| queries::recipients_created_since(c, NOW).map(drop)),
];

/// The verbs that write, and what they ask on the way.
const VERBS: &[Question] = &[
    ("land_approval", |c, s| approvals::land(c, s.user(), &s.intent.asset, &approve(8)).map(drop)),
    ("open_on_approval", |c, s| approvals::open(c, &on_approval(s), 16).map(drop)),
    ("note_delegation", |c, s| examinations::note(c, s.user(), &s.intent.asset, &approve(0).signature, (1, 1))),
    ("wake_promises", |c, s| deferred::wake(c, s.user(), &s.intent.asset, NOW)),
    ("record_examination", |c, s| {
        let approve = approve(0).signature;
        examinations::record(c, s.user(), &s.intent.asset, &approve, &Examination::beginning(approve, 1))
    }),
    ("close_session", |c, s| sessions::close(c, s.id).map(drop)),
    ("revoke_sessions", |c, s| sessions::revoke(c, s.user(), &s.intent.asset).map(drop)),
    ("hold", |c, s| holds::hold(c, &payment(s.id, 5, true)).map(drop)),
    ("hold without a nonce", |c, s| holds::hold(c, &payment(s.id, 5, false)).map(drop)),
    ("hold of a repeat", |c, s| holds::hold(c, &payment(s.id, 3, true)).map(drop)),
    ("end_wait", |c, _| holds::end_wait(c, hold_id(7), PayReason::SettlementExpired).map(drop)),
    ("plan_settlement", |c, s| settlements::plan(c, settlement_id(5), s.id, Carry::up_to(Amount::MAX), NOW).map(drop)),
    ("give_up", |c, s| {
        deferred::give_up(c, s.id, GiveUp { returns: 1, age_seconds: 1, delegation: Delegation::Public }).map(drop)
    }),
    ("claimed_since", |c, s| funding::claimed_since(c, s.user(), &s.intent.asset, 300).map(drop)),
    ("correct_rent", |c, _| bookings::correct_rent(c, &Signature::from(bytes(9, 0)), 1)),
];

/// What a process does at its start, before it serves.
const START: &[Question] = &[
    ("was_taken_over", |c, _| queries::was_taken_over(c).map(drop)),
    ("promised", |c, _| deferred::promised(c, None).map(drop)),
    ("unfinished", |c, _| queries::unfinished(c).map(drop)),
    ("opening_sessions", |c, _| queries::opening_sessions(c).map(drop)),
    ("unverified_sessions", |c, _| queries::unverified_sessions(c).map(drop)),
    ("waiting_sessions", |c, _| queries::waiting_sessions(c).map(drop)),
];

/// What a process writes at its start.
const START_VERBS: &[Question] = &[
    ("set_budgets", |c, _| budgets::set(c, &Budgets(Vec::new())).map(drop)),
    ("release_abandoned", |c, _| holds::release_abandoned(c, NOW + 1, PayReason::SettlementExpired).map(drop)),
];

/// How many steps a question takes.
fn steps(conn: &Connection, question: impl FnOnce(&Connection) -> Outcome<()>) -> u64 {
    let counted = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&counted);
    let count = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        false
    };
    conn.progress_handler(1, Some(count)).expect("listens");
    let answer = question(conn);
    conn.progress_handler(0, None::<fn() -> bool>).expect("stops listening");
    answer.expect("answers");
    counted.load(Ordering::Relaxed)
}

/// The steps of each question and each verb about `session`; what a verb wrote is undone.
fn costs(
    conn: &Connection,
    session: &Session,
    (questions, verbs): (&[Question], &[Question]),
) -> Vec<(&'static str, u64)> {
    let asked = questions.iter().map(|(name, ask)| (*name, steps(conn, |conn| ask(conn, session))));
    let done = verbs.iter().map(|(name, verb)| {
        conn.execute_batch("BEGIN").expect("begins");
        let steps = steps(conn, |conn| verb(conn, session));
        conn.execute_batch("ROLLBACK").expect("is undone");
        (*name, steps)
    });
    asked.chain(done).collect()
}

/// What takes more steps now than before, by more than is let pass.
fn grown(before: Vec<(&'static str, u64)>, after: Vec<(&'static str, u64)>) -> Vec<String> {
    let grown = before.into_iter().zip(after).filter(|((_, before), (_, after))| *after > before + LEEWAY);
    grown.map(|((name, before), (_, after))| format!("{name}: {before} steps, then {after}")).collect()
}

/// A ledger of its own, without its syncs.
async fn empty(dir: &tempfile::TempDir) -> Connection {
    let path = dir.path().join("ledger.db");
    let conn = Connection::open(&path).expect("makes a file");
    migrate::migrate(&path).await.expect("makes the tables");
    conn.execute_batch("PRAGMA synchronous = OFF").expect("sets");
    conn
}

#[tokio::test]
async fn a_start_reads_what_is_unfinished_however_much_is_finished() {
    let dir = tempfile::tempdir().expect("a directory");
    let conn = empty(&dir).await;
    let one = live(&conn, 0).expect("lives");
    let before = costs(&conn, &one, (START, START_VERBS));
    conn.execute_batch("BEGIN").expect("begins");
    for number in 1..=OTHERS {
        settled(&conn, number).expect("is settled");
    }
    conn.execute_batch("COMMIT").expect("commits");
    let grown = grown(before, costs(&conn, &one, (START, START_VERBS)));
    assert!(grown.is_empty(), "{grown:#?}");
}

#[tokio::test]
async fn what_is_asked_about_one_session_costs_the_same_however_many_others_there_are() {
    let dir = tempfile::tempdir().expect("a directory");
    let conn = empty(&dir).await;
    let limit = |scope| Limit { scope, part: Part::Total, lamports: u32::MAX.into() };
    let scopes = Scope::ALL.into_iter().filter(|scope| *scope != Scope::Settlement);
    budgets::set(&conn, &Budgets(scopes.map(limit).collect())).expect("sets");
    let one = live(&conn, 0).expect("lives");
    let before = costs(&conn, &one, (QUESTIONS, VERBS));
    let read_on = |after| history::history(&conn, one.id, after, 100).expect("reads");
    let begun = read_on(history::end(&conn, one.id).expect("reads").into()).upto;
    conn.execute_batch("BEGIN").expect("begins");
    for number in 1..=OTHERS {
        live(&conn, number).expect("lives");
    }
    conn.execute_batch("COMMIT").expect("commits");
    // Who looks for what waits looks at every stretch in which anything waits, one of 256 payments. A table that is read
    // whole takes several steps for each row.
    let grown = grown(before, costs(&conn, &one, (QUESTIONS, VERBS)));
    assert!(grown.is_empty(), "{grown:#?}");
    let listened = read_on(begun).upto;
    holds::hold(&conn, &payment(one.id, 6, true)).expect("holds");
    let walk = |after| steps(&conn, |conn| history::history(conn, one.id, after, 100).map(drop));
    assert!(walk(begun) > LEEWAY + walk(listened), "whoever looked lately does not walk the payments of others again");
    assert!(steps(&conn, |conn| queries::totals(conn, None).map(drop)) > LEEWAY, "a walk over everybody is noticed");
}
