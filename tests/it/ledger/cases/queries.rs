//! Questions over many rows.

use crate::ledger::build::{
    CAP, NOW, abandoned, absent, amount, approve, attempt, held, hold_id, in_flight, key, landed, opened, payment,
    planned, recorded, refused, session_id, session_with, settlement_id, signature, signed,
};
use solana_pubkey::Pubkey;
use sotto::{
    domain::{
        amount::Amount,
        reason::{PayReason, SessionReason},
        session::{CapCheck, Session},
        settlement::{Event, MOST_ATTEMPTS, Purpose, Subject},
    },
    ledger::{Carry, CreatedRecipient, Ledger, LedgerError, Totals},
};

pub(crate) async fn unfinished_work_is_told_oldest_first_with_what_may_be_sent(ledger: &dyn Ledger) {
    assert_eq!(ledger.unfinished().await.ok(), Some(vec![]));
    let session = opened(ledger, 1).await;
    for number in 1..=5 {
        held(ledger, &payment(session.id, number, 10)).await;
        let settlement = planned(ledger, session.id, 10 - number).await;
        let settlement = match number {
            1 => continue,
            _ => signed(ledger, &settlement, number).await.0,
        };
        if number == 2 {
            continue;
        }
        let event = if number == 5 { absent() } else { landed() };
        let settlement = recorded(ledger, &settlement, event).await;
        match number {
            3 => continue,
            4 => recorded(ledger, &settlement, Event::Finalised).await,
            _ => recorded(ledger, &settlement, abandoned()).await,
        };
    }
    let work = ledger.unfinished().await.expect("reads");
    let told: Vec<_> = work.iter().map(|w| (w.settlement.id, w.attempt.as_ref().map(|a| a.get().signature))).collect();
    let expected =
        [(settlement_id(9), None), (settlement_id(8), Some(signature(2))), (settlement_id(7), Some(signature(3)))];
    assert_eq!(told, expected);
}

pub(crate) async fn sessions_with_waiting_holds_are_told_oldest_first(ledger: &dyn Ledger) {
    let (one, two, three) = (opened(ledger, 1).await, opened(ledger, 2).await, opened(ledger, 3).await);
    opened(ledger, 4).await;
    held(ledger, &payment(two.id, 1, 1)).await;
    held(ledger, &payment(one.id, 2, 1)).await;
    held(ledger, &payment(two.id, 3, 1)).await;
    held(ledger, &payment(three.id, 4, 1)).await;
    assert_eq!(ledger.waiting_sessions().await.ok(), Some(vec![two.id, one.id, three.id]));
    ledger.plan_settlement(settlement_id(1), two.id, Carry::up_to(amount(1)), NOW).await.expect("plans");
    ledger.end_wait(hold_id(4), PayReason::SettlementExpired).await.expect("releases");
    assert_eq!(ledger.waiting_sessions().await.ok(), Some(vec![one.id, two.id]));
}

pub(crate) async fn a_users_sessions_are_told_newest_first_and_page_by_page(ledger: &dyn Ledger) {
    let (user, other_asset) = (key(60, 0), key(61, 0));
    for number in 1..=5 {
        let session = session_with(number, |session| {
            session.intent.user = user;
            if number == 3 {
                session.intent.asset = other_asset;
            }
        });
        ledger.open_session(&session).await.expect("writes");
        opened(ledger, 100 + number).await;
    }
    ledger.reject_session(session_id(2), SessionReason::CapMismatch).await.expect("ends");
    let told = async |asset: Option<&Pubkey>, before: Option<u64>, most: usize| {
        ledger.sessions_of(&user, asset, before, most).await.expect("reads")
    };
    let ids = |page: &[(u64, Session)]| page.iter().map(|(_, session)| session.id).collect::<Vec<_>>();
    let all = told(None, None, 9).await;
    assert_eq!(ids(&all), [5, 4, 3, 2, 1].map(session_id), "ended ones too, and nobody else's");
    assert_eq!(ids(&told(Some(&other_asset), None, 9).await), [session_id(3)]);
    let first = told(None, None, 2).await;
    assert_eq!(first, all[..2]);
    assert_eq!(told(None, Some(first[1].0), 9).await, all[2..]);
    assert_eq!(told(None, Some(all[4].0), 9).await, []);
    assert_eq!(ledger.sessions_of(&key(62, 0), None, None, 9).await.ok(), Some(vec![]));
}

/// An account is created for a recipient once; only a creation that came to nothing is followed by another.
pub(crate) async fn a_recipients_account_is_created_once(ledger: &dyn Ledger) {
    let (one, two) = (opened(ledger, 1).await, opened(ledger, 2).await);
    let same = session_with(3, |s| s.intent.recipient = one.intent.recipient);
    ledger.open_session(&same).await.expect("writes");
    let plan = async |number, session: &Session| {
        ledger.plan_other(settlement_id(number), Purpose::CreateRecipient, Subject::Session(session.id), NOW).await
    };
    let is_lost = |planned| matches!(planned, Err(LedgerError::LostRace));
    let known = async || {
        let known = ledger.created_recipient(&one.intent.recipient, &one.intent.asset).await.expect("answers");
        known.map(|settlement| settlement.id)
    };
    assert_eq!(known().await, None);
    let first = plan(1, &one).await.expect("plans");
    assert_eq!(known().await, Some(first.id));
    assert!(is_lost(plan(2, &same).await) && is_lost(plan(2, &one).await));
    plan(3, &two).await.expect("another recipient's");
    recorded(ledger, &first, abandoned()).await;
    assert_eq!(known().await, None);
    let second = plan(4, &same).await.expect("the first came to nothing");
    let (second, _) = signed(ledger, &second, 1).await;
    recorded(ledger, &recorded(ledger, &second, landed()).await, Event::Finalised).await;
    assert!(is_lost(plan(5, &one).await) && is_lost(plan(5, &same).await));
    assert_eq!(known().await, Some(second.id));
    // What came to nothing is not among those of the day.
    let of =
        |session: &Session| CreatedRecipient { recipient: session.intent.recipient, payer: *session.user(), at: NOW };
    let mut told = ledger.recipients_created_since(NOW).await.expect("answers");
    told.sort_by_key(|created| created.recipient != one.intent.recipient);
    assert_eq!(told, [of(&same), of(&two)]);
    assert_eq!(ledger.recipients_created_since(NOW + 1).await.ok(), Some(vec![]));
}

/// Holds on a settlement that has had all its attempts wait for an operator, and nobody else waits for them.
pub(crate) async fn a_settlement_has_so_many_attempts_and_no_more(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let mut settlement = planned(ledger, session.id, 1).await;
    for number in 1..=MOST_ATTEMPTS {
        assert!(!settlement.is_held());
        assert_eq!(ledger.open_holds(session.id).await.ok(), Some(1));
        settlement = signed(ledger, &settlement, number).await.0;
        settlement = recorded(ledger, &settlement, absent()).await;
    }
    assert!(settlement.is_held());
    let sixth = attempt(&settlement, MOST_ATTEMPTS + 1);
    assert!(matches!(ledger.record_signed(&settlement, sixth, NOW).await, Err(LedgerError::Inconsistent(_))));
    assert_eq!(ledger.open_holds(session.id).await.ok(), Some(0), "nothing of it moves");
    assert_eq!(ledger.session(session.id).await.ok().flatten().map(|session| session.held), Some(amount(10)));
    assert_eq!(ledger.unfinished().await.map(|work| work.len()).ok(), Some(1));
}

pub(crate) async fn open_holds_are_those_whose_fate_is_open(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let open = async || ledger.open_holds(session.id).await.expect("counts");
    assert_eq!(open().await, 0);
    held(ledger, &payment(session.id, 1, 1)).await;
    held(ledger, &payment(session.id, 2, 1)).await;
    assert_eq!(open().await, 2);
    let settlement = in_flight(ledger, session.id, 1).await;
    held(ledger, &payment(session.id, 3, 1)).await;
    assert_eq!(open().await, 3, "planned and waiting");
    let settlement = recorded(ledger, &settlement, landed()).await;
    assert_eq!(open().await, 1);
    let settlement = recorded(ledger, &settlement, Event::TakenBack).await;
    assert_eq!(open().await, 3, "a fork opens them again");
    recorded(ledger, &settlement, refused()).await;
    assert_eq!(open().await, 1);
    assert_eq!(ledger.open_holds(session_id(9)).await.ok(), Some(0));
}

pub(crate) async fn totals_tell_what_moved_and_what_it_cost(ledger: &dyn Ledger) {
    assert_eq!(ledger.totals(None).await.ok(), Some(Totals::default()));
    let (one, two) = (opened(ledger, 1).await, opened(ledger, 2).await);
    held(ledger, &payment(one.id, 1, 10)).await;
    recorded(ledger, &in_flight(ledger, one.id, 1).await, landed()).await;
    held(ledger, &payment(one.id, 2, 20)).await;
    recorded(ledger, &in_flight(ledger, one.id, 2).await, refused()).await;
    held(ledger, &payment(one.id, 3, 30)).await;
    held(ledger, &payment(two.id, 4, 40)).await;
    let settlement = recorded(ledger, &in_flight(ledger, two.id, 4).await, landed()).await;
    recorded(ledger, &settlement, Event::Finalised).await;
    let approve =
        ledger.plan_other(settlement_id(5), Purpose::Approve, Subject::Session(two.id), NOW).await.expect("plans");
    recorded(ledger, &signed(ledger, &approve, 5).await.0, landed()).await;

    let totals = |captured, held, transfers, fees: u64, others: u64| Totals {
        captured: amount(captured),
        held: amount(held),
        lost: amount(0),
        transfers,
        fees: fees * 10_000,
        rent: others * 2_000_000,
        grants: others * 7,
        single: amount(0),
    };
    assert_eq!(ledger.totals(Some(one.id)).await.ok(), Some(totals(10, 30, 1, 2, 1)));
    assert_eq!(ledger.totals(Some(two.id)).await.ok(), Some(totals(40, 0, 1, 2, 2)));
    assert_eq!(ledger.totals(None).await.ok(), Some(totals(50, 30, 2, 4, 3)));
    assert_eq!(ledger.totals(Some(session_id(9))).await.ok(), Some(Totals::default()));
}

pub(crate) async fn sums_larger_than_an_amount_are_refused(ledger: &dyn Ledger) {
    for number in [1, 2] {
        let rich = session_with(number, |s| s.intent.cap = Amount::MAX);
        ledger.open_session(&rich).await.expect("opens");
        ledger.mark_open(rich.id, CapCheck::Verified, &approve(number), &[]).await.expect("opens");
        let all = payment(rich.id, number, Amount::MAX.get());
        assert_eq!(held(ledger, &all).await.remaining_after, Amount::ZERO);
        let one_more = ledger.hold(&payment(rich.id, number + 10, 1)).await;
        let refused = sotto::ledger::Held::Refused(PayReason::CapExceeded);
        assert_eq!(one_more.ok(), Some(refused), "no sum overflows");
    }
    assert_eq!(ledger.totals(Some(session_id(1))).await.ok().map(|t| t.held), Some(Amount::MAX));
    assert!(matches!(ledger.totals(None).await, Err(LedgerError::Inconsistent(_))));
    recorded(ledger, &in_flight(ledger, session_id(1), 1).await, landed()).await;
    assert_eq!(ledger.totals(None).await.ok().map(|t| (t.captured, t.held)), Some((Amount::MAX, Amount::MAX)));
    assert!(CAP < Amount::MAX.get());
}

pub(crate) async fn the_ledger_answers_a_ping(ledger: &dyn Ledger) {
    assert!(ledger.ping().await.is_ok());
}
