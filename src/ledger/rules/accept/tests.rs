//! Every reason against a payment, in the order in which they are told, and what an accepted one comes to.

use super::{Accepted, Rows, accept, asks_for_reliance, repeat};
use crate::{
    domain::{
        amount::Amount,
        funding::{Bound, Funding, FundingDemand, Lost, Seen, Source},
        hold::{ContentHash, Exposure, Hold, HoldId, HoldState, NewHold},
        reason::PayReason,
        samples::{self, amount},
        session::{CapCheck, Session, SessionState},
    },
    ledger::{
        Held,
        rules::{SumsChange, promise},
    },
};

const NOW: u64 = 1_000;

fn session() -> Session {
    let mut session = samples::session(1);
    session.intent.expires_at = NOW + 1;
    (session.captured, session.held) = (amount(300), amount(200));
    session
}

fn payment(session: &Session, units: u64) -> NewHold {
    NewHold {
        id: HoldId::from_random_bytes([2; 16]),
        session: session.id,
        nonce: None,
        content: ContentHash([3; 32]),
        amount: amount(units),
        unverified_exposure: amount(600),
        deferred: None,
        funding: FundingDemand { required: false, max_age: 60, cap_binds: false },
        answer: None,
        now: NOW,
    }
}

fn proved(session: &Session, bound: u64, claimed: u64) -> Source {
    let bound = Bound {
        amount: amount(bound),
        handle: 7,
        slot: 50,
        anchor: None,
        proved_at: NOW,
        claimed: amount(claimed),
        examined: 50,
        is_final: true,
        looked_at: NOW,
        seen: Seen { handle: Some(7), slot: 50, ridden: amount(0) },
        ridden: amount(0),
        lost: None,
    };
    Source { bound: Some(bound), ..Source::unknown(*session.user(), session.intent.asset) }
}

fn rows(session: &Session) -> Rows<'_> {
    Rows {
        session,
        source: Source::unknown(*session.user(), session.intent.asset),
        is_relied_upon: false,
        promised: promise::PromisedSums::default(),
    }
}

#[test]
fn an_accepted_payment_is_counted_up_to_the_cap() {
    let session = session();
    let accepted = accept(&payment(&session, 500), &rows(&session));
    let expected = Accepted {
        spent_after: amount(1_000),
        remaining_after: Amount::ZERO,
        promised: false,
        funding: Funding::Unproven,
        sums: SumsChange { held: 500, ..SumsChange::default() },
    };
    assert_eq!(accepted, Ok(expected));
    assert_eq!(accept(&payment(&session, 501), &rows(&session)), Err(PayReason::CapExceeded));
    assert_eq!(accept(&payment(&session, 0), &rows(&session)), Err(PayReason::InvalidAmount));
}

#[test]
fn what_the_session_refuses_is_told_before_what_its_payer_has() {
    for (change, reason) in [
        ((|session| session.state = SessionState::Revoked) as fn(&mut Session), PayReason::SessionRevoked),
        (|session| session.intent.expires_at = NOW, PayReason::SessionExpired),
        (|session| session.cap_check = CapCheck::Unverified, PayReason::CapUnverified),
    ] {
        let mut session = session();
        change(&mut session);
        let mut rows = rows(&session);
        rows.source.frozen = true;
        assert_eq!(accept(&payment(&session, 101), &rows), Err(reason));
    }
    let session = session();
    let mut rows = rows(&session);
    rows.source.frozen = true;
    assert_eq!(accept(&payment(&session, 1), &rows), Err(PayReason::SourceFrozen));
}

#[test]
fn nothing_passes_a_proved_balance_that_others_rely_on() {
    let session = session();
    let (within, beyond) = (payment(&session, 10), payment(&session, 11));
    let mut rows = Rows { source: proved(&session, 510, 500), ..rows(&session) };
    let level = |new: &NewHold, rows: &Rows<'_>| accept(new, rows).map(|accepted| accepted.funding);
    assert!(!asks_for_reliance(&within, &rows.source) && asks_for_reliance(&beyond, &rows.source));
    assert_eq!(level(&within, &rows), Ok(Funding::Proven));
    assert_eq!(level(&beyond, &rows), Ok(Funding::Short));
    rows.is_relied_upon = true;
    assert_eq!(level(&within, &rows), Ok(Funding::Proven));
    assert_eq!(level(&beyond, &rows), Err(PayReason::InsufficientFunds));
    rows.is_relied_upon = false;
    let strict = |units| {
        let mut new = payment(&session, units);
        new.funding.required = true;
        new
    };
    assert_eq!(level(&strict(11), &rows), Err(PayReason::InsufficientFunds));
    rows.source.bound = rows.source.bound.map(|bound| Bound { lost: Some((Lost::Fork, 51)), ..bound });
    assert_eq!(level(&strict(10), &rows), Err(PayReason::FundingUnproven));
}

#[test]
fn a_deferred_payment_is_a_promise_within_both_limits_and_an_ordinary_one_beyond() {
    let session = session();
    let limits = Exposure { unproven_per_merchant: amount(150), ..Exposure::shared(amount(100), amount(150)) };
    let new = NewHold { deferred: Some(limits), ..payment(&session, 40) };
    for (of_session, of_merchant, promised) in [(60, 110, true), (61, 61, false), (0, 111, false)] {
        let of_session = amount(of_session);
        let held = promise::PromisedSums { session: of_session, payer: of_session, merchant: amount(of_merchant) };
        let accepted = accept(&new, &Rows { promised: held, ..rows(&session) }).expect("is accepted");
        let sums = if promised { SumsChange::promise(amount(40)) } else { SumsChange::hold(amount(40)) };
        assert_eq!((accepted.promised, accepted.sums), (promised, sums));
    }
}

#[test]
fn a_repeat_is_told_its_own_payment_and_a_used_nonce_nothing_else() {
    let session = session();
    let new = payment(&session, 5);
    let earlier = Hold {
        id: HoldId::from_random_bytes([9; 16]),
        session: session.id,
        nonce: None,
        content: new.content,
        amount: new.amount,
        spent_after: amount(505),
        remaining_after: amount(495),
        state: HoldState::Waiting,
        told: false,
        deferred: false,
        returns: 0,
        accepted_at: NOW,
        funding: Funding::Unproven,
    };
    assert_eq!(repeat(&new, earlier.clone()), Held::Repeat(earlier.clone()));
    let other = Hold { content: ContentHash([4; 32]), ..earlier };
    assert_eq!(repeat(&new, other), Held::NonceConflict);
}
