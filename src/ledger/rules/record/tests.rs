//! What follows from each event, for a settlement that carries payments and for one that does not.

use super::{Asks, Booking, ClaimedBalance, Effects, Entry, HoldsBecome, Rows, asks, effects};
use crate::{
    domain::{
        amount::Amount,
        funding::Funding,
        hold::{ContentHash, Hold, HoldId, HoldState},
        reason::PayReason,
        samples::amount,
        session::SessionId,
        settlement::{
            AbsenceProof, Allowances, Attempt, Cost, Event, Moves, Purpose, Settlement, SettlementId, State, Subject,
        },
    },
    ledger::rules::{SumsChange, promise::Returned},
};
use solana_signature::Signature;

const NOW: u64 = 1_000;
const REASON: PayReason = PayReason::OnchainTransferFailed;
const COST: Cost = Cost { fee: 10, rent: 20, grant: 5 };
const FEE: Cost = Cost { fee: 10, rent: 0, grant: 0 };

fn settlement(purpose: Purpose, state: State) -> Settlement {
    Settlement {
        id: SettlementId::from_random_bytes([7; 16]),
        purpose,
        subject: Subject::Session(SessionId::from_random_bytes([1; 16])),
        amount: if purpose.carries_holds() { amount(30) } else { Amount::ZERO },
        state,
        sequence: 3,
        attempts: 1,
        signature: Some(signature()),
        landed_at: None,
        held: None,
    }
}

fn signature() -> Signature {
    Signature::from([9; 64])
}

fn attempt() -> Attempt {
    Attempt {
        settlement: SettlementId::from_random_bytes([7; 16]),
        number: 1,
        signature: signature(),
        wire: vec![1],
        last_valid_block_height: 300,
        signed_at_slot: 200,
        cost: COST,
        allowances: Allowances::NotBought,
        moves: Moves::Nothing,
        seen_by: Vec::new(),
        past_at: None,
    }
}

fn planned(number: u8, units: u64, told: bool) -> Hold {
    let settlement = SettlementId::from_random_bytes([7; 16]);
    Hold {
        id: HoldId::from_random_bytes([number; 16]),
        session: SessionId::from_random_bytes([1; 16]),
        nonce: None,
        content: ContentHash([3; 32]),
        amount: amount(units),
        spent_after: amount(units),
        remaining_after: amount(100),
        state: HoldState::Planned { settlement, signature: None },
        told,
        deferred: told,
        returns: 0,
        accepted_at: NOW,
        funding: Funding::Unproven,
    }
}

/// Every event that `record` takes, with the state it leaves.
fn events() -> Vec<(Event, State)> {
    vec![
        (Event::Landed { slot: 210 }, State::Landed),
        (Event::TakenBack, State::InFlight),
        (Event::Finalised, State::Settled),
        (Event::Refused { slot: 211, reason: REASON }, State::Released),
        (Event::Failed { slot: 212 }, State::Reserved),
        (Event::Absent(AbsenceProof { finalised_height: 301, first_available_block: 1 }), State::Reserved),
        (Event::Abandoned { reason: REASON }, State::Released),
    ]
}

/// What follows from an event with all rows at hand.
fn all(purpose: Purpose, event: &Event, state: State) -> Effects {
    let (after, live) = (settlement(purpose, state), attempt());
    let holds = [planned(1, 20, true), planned(2, 10, false)];
    let rows = Rows { after: &after, live: Some(&live), deferred: amount(20), planned: &holds };
    effects(&rows, event, NOW).expect("follows")
}

fn entry(booking: Booking, cost: Cost, ends: bool) -> Entry {
    Entry { signature: signature(), booking, cost, ends }
}

#[test]
fn each_event_of_a_capture_has_its_own_effects() {
    let given_back = |failed| HoldsBecome::GivenBack {
        reason: REASON,
        failed,
        waiting: vec![Returned { id: HoldId::from_random_bytes([1; 16]), returns: 1, not_before: NOW + 1 }],
    };
    let (nothing, unclaimed) = (SumsChange::default(), ClaimedBalance::Unchanged);
    let released = SumsChange { held: -10, ..nothing };
    let captured = SumsChange { captured: 30, held: -30, deferred_held: -20, lost: 0 };
    let undone = SumsChange { captured: -30, held: 30, deferred_held: 20, lost: 0 };
    let landed = ClaimedBalance::Captured { slot: 210 };
    let spent = |cost, ends| Some(entry(Booking::Spent, cost, ends));
    let expected = [
        (spent(COST, false), HoldsBecome::Captured, captured, landed, false),
        (Some(entry(Booking::Reserved, COST, false)), HoldsBecome::Planned, undone, ClaimedBalance::TakenBack, false),
        (None, HoldsBecome::Unchanged, nothing, unclaimed, true),
        (spent(FEE, true), given_back(Some(signature())), released, unclaimed, true),
        (spent(FEE, true), HoldsBecome::Unchanged, nothing, unclaimed, false),
        (Some(entry(Booking::Void, Cost::default(), true)), HoldsBecome::Unchanged, nothing, unclaimed, false),
        (None, given_back(None), released, unclaimed, true),
    ];
    for ((event, state), (entry, holds, sums, claimed, may_close)) in events().into_iter().zip(expected) {
        let session = settlement(Purpose::Capture, state.clone()).pays_from();
        let expected = Effects { entry, session, holds, sums, claimed, may_close, ended: None };
        assert_eq!(all(Purpose::Capture, &event, state), expected, "{event:?}");
    }
}

/// Purposes of payments outside any session.
const LONE_PAYMENTS: [Purpose; 2] = [Purpose::SinglePayment, Purpose::MppCharge];

#[test]
fn what_carries_no_payments_is_booked_and_changes_nothing_else() {
    let stands_for_itself = |purpose: &Purpose| LONE_PAYMENTS.contains(purpose);
    for purpose in Purpose::ALL.into_iter().filter(|it| !it.carries_holds() && !stands_for_itself(it)) {
        for (event, state) in events() {
            let told = all(purpose, &event, state.clone());
            let expected = Effects {
                entry: all(Purpose::Capture, &event, state).entry,
                session: None,
                holds: HoldsBecome::Unchanged,
                sums: SumsChange::default(),
                claimed: ClaimedBalance::Unchanged,
                may_close: false,
                ended: None,
            };
            assert_eq!(told, expected, "{purpose:?} {event:?}");
        }
    }
}

#[test]
fn a_payment_that_stands_for_itself_is_claimed_by_its_slot_and_ends_with_its_reason() {
    let (landed, ended) = (ClaimedBalance::Captured { slot: 210 }, Some(REASON));
    let nothing = (ClaimedBalance::Unchanged, None);
    let expected = [
        (landed, None),
        (ClaimedBalance::TakenBack, None),
        nothing,
        (ClaimedBalance::Unchanged, ended),
        nothing,
        nothing,
        (ClaimedBalance::Unchanged, ended),
    ];
    for ((event, state), (claimed, ended)) in events().into_iter().zip(expected) {
        for purpose in LONE_PAYMENTS {
            let told = all(purpose, &event, state.clone());
            let booked = all(Purpose::Probe, &event, state.clone());
            assert_eq!(told, Effects { claimed, ended, ..booked }, "{purpose:?} {event:?}");
        }
    }
}

#[test]
fn what_is_not_asked_for_may_be_left_out() {
    for purpose in Purpose::ALL {
        for (event, state) in events() {
            let (after, live) = (settlement(purpose, state.clone()), attempt());
            let holds = [planned(1, 20, true), planned(2, 10, false)];
            let Asks { live: asks_live, deferred, planned } = asks(&after, &event);
            let rows = Rows {
                after: &after,
                live: asks_live.then_some(&live),
                deferred: if deferred { amount(20) } else { Amount::ZERO },
                planned: if planned { &holds } else { &[] },
            };
            assert_eq!(effects(&rows, &event, NOW).ok(), Some(all(purpose, &event, state)), "{purpose:?} {event:?}");
            if asks_live {
                assert!(effects(&Rows { live: None, ..rows }, &event, NOW).is_err(), "{event:?} needs an attempt");
            }
        }
    }
}

#[test]
fn promised_holds_that_are_more_than_the_settlement_carries_are_told() {
    let (after, holds) = (settlement(Purpose::Capture, State::Released), [planned(1, 31, true)]);
    let rows = Rows { after: &after, live: None, deferred: Amount::ZERO, planned: &holds };
    assert!(effects(&rows, &Event::Abandoned { reason: REASON }, NOW).is_err());
}
