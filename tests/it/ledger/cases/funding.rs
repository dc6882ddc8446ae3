//! Proofs of payers' balances: what they are claimed for, by whom, and what voids them.

use crate::ledger::build::{
    NOW, absent, amount, approve, held, in_flight, key, opened, payment, planned, recorded, refused, session_with,
    signature, signed,
};
use sotto::{
    domain::{
        funding::{Bound, Examined, Funding, FundingDemand, Look, Lost, NewBound, Ride, Seen, Source},
        hold::{Hold, NewHold},
        reason::PayReason,
        session::{CapCheck, Session},
        settlement::Event,
    },
    ledger::{Held, Ledger, Opened, Proved},
};

fn bound(session: &Session, units: u64, slot: u64) -> NewBound {
    NewBound {
        user: *session.user(),
        asset: session.intent.asset,
        amount: amount(units),
        handle: u128::from(units) << 64 | 7,
        slot,
        anchor: Some(signature(900)),
        now: NOW,
    }
}

async fn proves(ledger: &dyn Ledger, session: &Session, units: u64, slot: u64) -> Source {
    match ledger.prove_funding(&bound(session, units, slot)).await {
        Ok(Proved::Counts(source)) => *source,
        other => panic!("not proved: {other:?}"),
    }
}

async fn claimed(ledger: &dyn Ledger, session: &Session) -> u64 {
    let source = ledger.source(session.user(), &session.intent.asset).await.expect("reads").expect("is there");
    source.bound.expect("is proved").claimed.get()
}

/// A second open session of the same user.
async fn sibling(ledger: &dyn Ledger, number: u32, of: &Session) -> Session {
    let session = session_with(number, |session| session.intent.user = *of.user());
    assert!(matches!(ledger.open_session(&session).await, Ok(Opened::New(_))));
    ledger.mark_open(session.id, CapCheck::Verified, &approve(number), &[]).await.expect("opens")
}

fn demanding(session: &Session, number: u32, units: u64) -> NewHold {
    NewHold {
        funding: FundingDemand { required: true, max_age: 60, cap_binds: false },
        ..payment(session.id, number, units)
    }
}

fn landed_at(slot: u64) -> Event {
    Event::Landed { slot }
}

fn look(session: &Session, of: u64, lost: Option<(Lost, u64)>) -> Look {
    let clean = lost.map_or(of + 5, |(_, slot)| slot - 1);
    let examined = Some(Examined { of, up_to: of + 5, is_final: true, lost, clean, handle: None, ridden: amount(0) });
    Look { user: *session.user(), asset: session.intent.asset, frozen: None, examined }
}

pub(crate) async fn a_proof_comes_back_as_it_was_written(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    assert_eq!(ledger.source(session.user(), &session.intent.asset).await.ok(), Some(None));
    let expected = Source {
        user: *session.user(),
        asset: session.intent.asset,
        frozen: false,
        bound: Some(Bound {
            amount: amount(500),
            handle: 500 << 64 | 7,
            slot: 300,
            anchor: Some(signature(900)),
            proved_at: NOW,
            claimed: amount(0),
            examined: 300,
            is_final: false,
            looked_at: NOW,
            seen: Seen { handle: Some(500 << 64 | 7), slot: 300, ridden: amount(0) },
            ridden: amount(0),
            lost: None,
        }),
    };
    assert_eq!(proves(ledger, &session, 500, 300).await, expected);
    assert_eq!(ledger.source(session.user(), &session.intent.asset).await.ok(), Some(Some(expected)));
    assert_eq!(ledger.source(&key(99, 9), &session.intent.asset).await.ok(), Some(None));
}

pub(crate) async fn everything_a_user_holds_is_claimed_from_one_balance(ledger: &dyn Ledger) {
    let first = opened(ledger, 1).await;
    held(ledger, &payment(first.id, 1, 30)).await;
    proves(ledger, &first, 100, 300).await;
    assert_eq!(claimed(ledger, &first).await, 30, "what was held before the proof is claimed too");
    let second = sibling(ledger, 2, &first).await;
    held(ledger, &payment(second.id, 2, 40)).await;
    assert_eq!(claimed(ledger, &first).await, 70, "by all sessions together");
    let other = opened(ledger, 3).await;
    held(ledger, &payment(other.id, 3, 500)).await;
    assert_eq!(claimed(ledger, &first).await, 70, "and by nobody else's");
    ledger.end_wait(crate::ledger::build::hold_id(2), PayReason::SettlementExpired).await.expect("releases");
    assert_eq!(claimed(ledger, &first).await, 30, "what is given back is free again");
}

pub(crate) async fn a_capture_after_the_proof_stays_claimed(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    proves(ledger, &session, 100, 300).await;
    held(ledger, &payment(session.id, 1, 30)).await;
    let settlement = in_flight(ledger, session.id, 1).await;
    assert_eq!(claimed(ledger, &session).await, 30);
    let landed = recorded(ledger, &settlement, landed_at(301)).await;
    assert_eq!(claimed(ledger, &session).await, 30);
    recorded(ledger, &landed, Event::Finalised).await;
    assert_eq!(claimed(ledger, &session).await, 30);
    // A newer proof has seen it.
    proves(ledger, &session, 70, 301).await;
    assert_eq!(claimed(ledger, &session).await, 0);
}

pub(crate) async fn a_transfer_in_flight_counts_by_the_slot_it_lands_in(ledger: &dyn Ledger) {
    for (number, slot, expected) in [(1, 299, 0), (2, 300, 0), (3, 301, 30)] {
        let session = opened(ledger, number).await;
        held(ledger, &payment(session.id, number, 30)).await;
        let settlement = in_flight(ledger, session.id, number).await;
        proves(ledger, &session, 100, 300).await;
        assert_eq!(claimed(ledger, &session).await, 30, "unknown is claimed");
        recorded(ledger, &settlement, landed_at(slot)).await;
        assert_eq!(claimed(ledger, &session).await, expected, "landed in {slot}");
    }
}

pub(crate) async fn what_landed_before_the_proof_was_written_counts_by_its_slot_too(ledger: &dyn Ledger) {
    for (number, slot, expected) in [(1, 300, 0), (2, 301, 30)] {
        let session = opened(ledger, number).await;
        held(ledger, &payment(session.id, number, 30)).await;
        let settlement = in_flight(ledger, session.id, number).await;
        recorded(ledger, &settlement, landed_at(slot)).await;
        proves(ledger, &session, 100, 300).await;
        assert_eq!(claimed(ledger, &session).await, expected, "landed in {slot}");
    }
}

pub(crate) async fn a_failed_or_absent_transfer_is_not_claimed(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    proves(ledger, &session, 100, 300).await;
    held(ledger, &payment(session.id, 1, 30)).await;
    let settlement = in_flight(ledger, session.id, 1).await;
    recorded(ledger, &settlement, refused()).await;
    assert_eq!(claimed(ledger, &session).await, 0);
    held(ledger, &payment(session.id, 2, 40)).await;
    let settlement = in_flight(ledger, session.id, 2).await;
    let again = recorded(ledger, &settlement, absent()).await;
    assert_eq!(claimed(ledger, &session).await, 40, "it is still promised");
    let (again, _) = signed(ledger, &again, 3).await;
    recorded(ledger, &again, landed_at(400)).await;
    assert_eq!(claimed(ledger, &session).await, 40);
}

pub(crate) async fn a_fork_voids_the_proof_that_saw_what_it_takes_back(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 30)).await;
    let settlement = in_flight(ledger, session.id, 1).await;
    let landed = recorded(ledger, &settlement, landed_at(290)).await;
    proves(ledger, &session, 70, 300).await;
    let back = recorded(ledger, &landed, Event::TakenBack).await;
    assert_eq!(claimed(ledger, &session).await, 30, "it is held again");
    let source = ledger.source(session.user(), &session.intent.asset).await.expect("reads").expect("is there");
    assert_eq!(source.bound.and_then(|bound| bound.lost), Some((Lost::Fork, 300)));
    recorded(ledger, &back, landed_at(310)).await;
    assert_eq!(claimed(ledger, &session).await, 30);

    // One that landed after the proof takes nothing of it along.
    let other = opened(ledger, 2).await;
    proves(ledger, &other, 100, 300).await;
    held(ledger, &payment(other.id, 2, 30)).await;
    let settlement = in_flight(ledger, other.id, 2).await;
    let landed = recorded(ledger, &settlement, landed_at(305)).await;
    let back = recorded(ledger, &landed, Event::TakenBack).await;
    assert_eq!(claimed(ledger, &other).await, 30);
    recorded(ledger, &back, landed_at(306)).await;
    assert_eq!(claimed(ledger, &other).await, 30);
    assert_eq!(ledger.hold(&demanding(&other, 3, 70)).await.map(|held| matches!(held, Held::New(_))).ok(), Some(true));
}

pub(crate) async fn a_demand_is_decided_with_the_hold(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let unproven = ledger.hold(&demanding(&session, 1, 10)).await;
    assert_eq!(unproven.ok(), Some(Held::Refused(PayReason::FundingUnproven)));
    proves(ledger, &session, 100, 300).await;
    assert_eq!(held(ledger, &demanding(&session, 1, 60)).await.funding, Funding::Proven);
    let second = sibling(ledger, 2, &session).await;
    let short = ledger.hold(&demanding(&second, 2, 41)).await;
    assert_eq!(short.ok(), Some(Held::Refused(PayReason::InsufficientFunds)), "all sessions share one balance");
    assert_eq!(held(ledger, &demanding(&second, 3, 39)).await.funding, Funding::Proven);
    let late = NewHold { now: NOW + 61, ..demanding(&session, 5, 1) };
    let old = ledger.hold(&late).await;
    assert_eq!(old.ok(), Some(Held::Refused(PayReason::FundingUnproven)), "nobody looked for too long");
}

pub(crate) async fn a_short_payment_never_spends_what_a_proven_one_was_promised(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let second = sibling(ledger, 2, &session).await;
    proves(ledger, &session, 100, 300).await;
    held(ledger, &demanding(&session, 1, 99)).await;
    let passes = |number, late| NewHold { now: NOW + late, ..payment(second.id, number, 2) };
    for (number, late) in [(2, 0), (3, 61)] {
        let refused = ledger.hold(&passes(number, late)).await;
        assert_eq!(
            refused.ok(),
            Some(Held::Refused(PayReason::InsufficientFunds)),
            "{late} seconds after the last look"
        );
    }
    assert_eq!(
        held(ledger, &payment(second.id, 4, 1)).await.funding,
        Funding::Proven,
        "what the bound covers may go along"
    );
    let settlement = in_flight(ledger, session.id, 1).await;
    let refused = ledger.hold(&passes(5, 0)).await;
    assert_eq!(refused.ok(), Some(Held::Refused(PayReason::InsufficientFunds)), "it may still land first");
    recorded(ledger, &settlement, landed_at(400)).await;
    recorded(ledger, &in_flight(ledger, second.id, 2).await, landed_at(401)).await;
    assert_eq!(held(ledger, &passes(6, 0)).await.funding, Funding::Short, "told where nobody relies on the balance");
}

pub(crate) async fn a_proof_of_too_little_unproves_what_relied_on_an_older_one(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    proves(ledger, &session, 100, 300).await;
    let proven = held(ledger, &demanding(&session, 1, 60)).await;
    proves(ledger, &session, 59, 310).await;
    assert_eq!(ledger.find_hold(proven.id).await.expect("reads").expect("is there").funding, Funding::Unproven);
}

pub(crate) async fn a_void_proof_stays_void_until_a_newer_one(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    proves(ledger, &session, 100, 300).await;
    let waiting = held(ledger, &payment(session.id, 1, 10)).await;
    let planned_hold = held(ledger, &payment(session.id, 2, 10)).await;
    planned(ledger, session.id, 1).await;
    let third = held(ledger, &payment(session.id, 3, 10)).await;
    assert_eq!([waiting.funding, planned_hold.funding, third.funding], [Funding::Proven; 3]);
    let lost = Some((Lost::OwnerSigned, 320));
    ledger.record_looks(&[look(&session, 300, lost)], NOW + 1).await.expect("records");
    for hold in [&waiting, &planned_hold, &third] {
        let hold = ledger.find_hold(hold.id).await.expect("reads").expect("is there");
        assert_eq!(hold.funding, Funding::Unproven, "what has not landed is not known to move money");
    }
    assert_eq!(held(ledger, &payment(session.id, 4, 1)).await.funding, Funding::Unproven);
    ledger.record_looks(&[look(&session, 300, None)], NOW + 2).await.expect("records");
    let still = ledger.source(session.user(), &session.intent.asset).await.expect("reads").expect("is there");
    assert_eq!(still.bound.and_then(|bound| bound.lost), lost);
    // A node that lags shows the balance of before the debit.
    for slot in [310, 320] {
        assert_eq!(ledger.prove_funding(&bound(&session, 100, slot)).await.ok(), Some(Proved::Outdated), "{slot}");
    }
    proves(ledger, &session, 80, 321).await;
    assert_eq!(held(ledger, &demanding(&session, 5, 1)).await.funding, Funding::Proven);
}

async fn funding_of(ledger: &dyn Ledger, hold: &Hold) -> Funding {
    ledger.find_hold(hold.id).await.expect("reads").expect("is there").funding
}

/// A proven payment that landed in this slot.
async fn proven_at(ledger: &dyn Ledger, session: &Session, number: u32, slot: u64) -> Hold {
    let hold = held(ledger, &payment(session.id, number, 10)).await;
    assert_eq!((hold.funding, ledger.landed_slot(hold.id).await.ok()), (Funding::Proven, Some(None)));
    recorded(ledger, &in_flight(ledger, session.id, number).await, landed_at(slot)).await;
    assert_eq!(ledger.landed_slot(hold.id).await.ok(), Some(Some(slot)));
    hold
}

pub(crate) async fn what_landed_before_a_debit_stays_proven_and_what_landed_after_does_not(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    proves(ledger, &session, 100, 300).await;
    let before = proven_at(ledger, &session, 1, 310).await;
    let beside = proven_at(ledger, &session, 2, 311).await;
    ledger.record_looks(&[look(&session, 300, Some((Lost::OwnerSigned, 311)))], NOW).await.expect("records");
    assert_eq!(funding_of(ledger, &before).await, Funding::Proven);
    assert_eq!(funding_of(ledger, &beside).await, Funding::Unproven, "nobody knows which came first in that slot");
    let known = ledger.source(session.user(), &session.intent.asset).await.expect("reads").expect("is there");
    let bound = known.bound.expect("was proved");
    assert!(bound.has_judged(311) && bound.seen.slot == 310, "{bound:?}");
}

pub(crate) async fn a_newer_proof_leaves_unseen_landings_unproven(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    proves(ledger, &session, 100, 300).await;
    let seen = proven_at(ledger, &session, 1, 305).await;
    ledger.record_looks(&[look(&session, 300, None)], NOW).await.expect("records");
    let unseen = proven_at(ledger, &session, 2, 306).await;
    let later = proven_at(ledger, &session, 3, 321).await;
    proves(ledger, &session, 80, 320).await;
    let levels = [funding_of(ledger, &seen).await, funding_of(ledger, &unseen).await, funding_of(ledger, &later).await];
    assert_eq!(levels, [Funding::Proven, Funding::Unproven, Funding::Proven], "the newer proof is asked for the last");
}

pub(crate) async fn what_is_signed_as_proven_rides_on_a_look_up_to_what_one_is_worth(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let rides = async |units| {
        ledger.ride_on_look(session.user(), &session.intent.asset, amount(units), amount(40)).await.expect("answers")
    };
    let looks = async |ridden: u64| {
        let Look { examined, .. } = look(&session, 300, None);
        let examined = examined.map(|examined| Examined { ridden: amount(ridden), handle: Some(8), ..examined });
        let look = Look { examined, ..look(&session, 300, None) };
        ledger.record_looks(&[look], NOW).await.expect("records");
        ledger.source(session.user(), &session.intent.asset).await.expect("reads").expect("is there").bound
    };
    assert_eq!(rides(1).await, Ride::LookFirst, "nothing is proved");
    proves(ledger, &session, 100, 300).await;
    assert_eq!([rides(30).await, rides(11).await, rides(10).await], [Ride::Counted, Ride::LookFirst, Ride::Counted]);
    assert_eq!(looks(30).await.map(|bound| bound.seen), Some(Seen { handle: Some(8), slot: 305, ridden: amount(30) }));
    assert_eq!([rides(31).await, rides(30).await], [Ride::LookFirst, Ride::Counted], "ten were signed since it began");
    looks(70).await;
    assert_eq!([rides(90).await, rides(1).await], [Ride::Counted, Ride::LookFirst], "what is alone always may");
    looks(160).await;
    ledger.record_looks(&[look(&session, 300, Some((Lost::OwnerSigned, 311)))], NOW).await.expect("records");
    assert_eq!(rides(1).await, Ride::LookFirst, "the proof is lost");
}

pub(crate) async fn a_look_tells_of_the_proof_it_was_made_for_only(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    proves(ledger, &session, 100, 300).await;
    proves(ledger, &session, 90, 310).await;
    ledger.record_looks(&[look(&session, 300, Some((Lost::Fork, 305)))], NOW + 9).await.expect("records");
    let source = ledger.source(session.user(), &session.intent.asset).await.expect("reads").expect("is there");
    let kept = source.bound.expect("is proved");
    assert_eq!((kept.lost, kept.looked_at, kept.examined), (None, NOW, 310));
    ledger.record_looks(&[look(&session, 310, None)], NOW + 9).await.expect("records");
    let source = ledger.source(session.user(), &session.intent.asset).await.expect("reads").expect("is there");
    let kept = source.bound.expect("is proved");
    assert_eq!((kept.looked_at, kept.examined, kept.is_final), (NOW + 9, 315, true));
}

pub(crate) async fn a_frozen_account_pays_nothing_until_it_is_thawed(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let frozen =
        |frozen| Look { user: *session.user(), asset: session.intent.asset, frozen: Some(frozen), examined: None };
    ledger.record_looks(&[frozen(true)], NOW).await.expect("records");
    let refused = ledger.hold(&payment(session.id, 1, 10)).await;
    assert_eq!(refused.ok(), Some(Held::Refused(PayReason::SourceFrozen)));
    ledger.record_looks(&[frozen(false)], NOW).await.expect("records");
    held(ledger, &payment(session.id, 1, 10)).await;
}

pub(crate) async fn accounts_with_open_sessions_are_watched_the_longest_unseen_first(ledger: &dyn Ledger) {
    let (first, second) = (opened(ledger, 1).await, opened(ledger, 2).await);
    sibling(ledger, 3, &first).await;
    let ended = opened(ledger, 4).await;
    ledger.revoke_sessions(ended.user(), &ended.intent.asset).await.expect("revokes");
    proves(ledger, &first, 100, 300).await;
    let watched = ledger.watched_sources().await.expect("reads");
    assert_eq!(watched.iter().map(|source| source.user).collect::<Vec<_>>(), [*second.user(), *first.user()]);
    assert_eq!((watched[0].bound, watched[1].bound.is_some()), (None, true));
}

pub(crate) async fn signatures_of_ours_are_known(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 30)).await;
    in_flight(ledger, session.id, 1).await;
    let known = ledger.known_signatures(&[signature(77), signature(1), signature(78)]).await;
    assert_eq!(known.ok(), Some(vec![signature(1)]));
}
