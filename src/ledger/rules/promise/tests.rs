//! Limits to the unit, rests, when a promise is given up, and how waits end.

use super::{
    Backing, Ending, PromisedSums, Return, Returned, WaitEnd, end_wait, ending, fits, given_up, loss, take_back,
};
use crate::{
    domain::{
        amount::Amount,
        funding::Funding,
        hold::{ContentHash, Exposure, GiveUp, Hold, HoldId, HoldState},
        reason::PayReason,
        samples::amount,
        session::{Delegation, SessionId, SessionState},
        settlement::SettlementId,
    },
    ledger::rules::SumsChange,
};
use solana_signature::Signature;

fn hold(number: u8, told: bool, deferred: bool) -> Hold {
    Hold {
        id: HoldId::from_random_bytes([number; 16]),
        session: SessionId::from_random_bytes([1; 16]),
        nonce: None,
        content: ContentHash([3; 32]),
        amount: amount(10),
        spent_after: amount(10),
        remaining_after: amount(90),
        state: HoldState::Waiting,
        told,
        deferred,
        returns: 0,
        accepted_at: 100,
        funding: Funding::Unproven,
    }
}

fn back(reason: PayReason, at: u64) -> Return {
    Return { reason, failed: None, at }
}

#[test]
fn a_promise_fits_all_limits_to_the_unit_and_overflows_none() {
    let limits = Exposure {
        per_session: amount(100),
        per_user: amount(120),
        per_merchant: amount(150),
        unproven_per_merchant: amount(75),
    };
    let held = |of_session, of_user, of_merchant| PromisedSums {
        session: amount(of_session),
        payer: amount(of_user),
        merchant: amount(of_merchant),
    };
    for (units, [of_session, of_user, of_merchant], expected) in [
        (40, [60, 80, 110], true),
        (40, [61, 61, 61], false),
        (40, [60, 81, 110], false),
        (40, [60, 80, 111], false),
        (101, [0, 0, 0], false),
        (100, [0, 0, 0], true),
    ] {
        let held = held(of_session, of_user, of_merchant);
        assert_eq!(fits(amount(units), Funding::Proven, limits, held), expected, "{held:?}");
    }
    for (of_merchant, expected) in [(35, true), (36, false)] {
        for funding in [Funding::Unproven, Funding::Short] {
            assert_eq!(
                fits(amount(40), funding, limits, held(0, 0, of_merchant)),
                expected,
                "the rest is for the proven"
            );
        }
    }
    let all = Exposure::shared(Amount::MAX, Amount::MAX);
    let full = PromisedSums { session: Amount::MAX, payer: Amount::MAX, merchant: Amount::MAX };
    assert!(!fits(amount(1), Funding::Proven, all, full) && fits(Amount::ZERO, Funding::Proven, all, full));
}

#[test]
fn what_was_told_comes_back_to_rest_and_the_others_do_not() {
    let again = Hold { returns: 3, ..hold(3, true, false) };
    let planned = [hold(1, true, true), hold(2, false, false), again];
    let (returned, sum) = take_back(&planned, 1_000).expect("fits");
    let expected = [
        Returned { id: planned[0].id, returns: 1, not_before: 1_001 },
        Returned { id: planned[2].id, returns: 4, not_before: 1_008 },
    ];
    assert_eq!((returned.as_slice(), sum), (expected.as_slice(), amount(20)));
    let most = Hold { amount: Amount::MAX, ..hold(4, true, true) };
    assert!(take_back(&[most, hold(5, true, true)], 1).is_err());
    assert!(take_back(&[Hold { returns: u32::MAX, ..hold(6, true, true) }], 1).is_err());
}

#[test]
fn a_promise_is_given_up_for_what_counts_against_it_alone() {
    let (no, ours) = (PayReason::OnchainTransferFailed, PayReason::OF_THE_SPONSOR);
    let promise = hold(1, true, true);
    let often = GiveUp { returns: 2, age_seconds: u64::MAX, delegation: Delegation::Public };
    assert_eq!(given_up(&promise, &[], often), None);
    assert_eq!(given_up(&promise, &[back(no, 200)], often), None);
    let twice = [back(no, 200), back(no, 300)];
    assert_eq!(given_up(&promise, &twice, often), Some(&twice[1]));
    for reason in ours {
        assert_eq!(given_up(&promise, &[back(no, 200), back(reason, 300)], often), None, "{reason}");
    }
    let delayed = [back(no, 200), back(ours[0], 300), back(no, 400)];
    assert_eq!(given_up(&promise, &delayed, often), Some(&delayed[2]));
}

#[test]
fn an_old_promise_is_given_up_by_its_latest_settlement_alone() {
    let no = PayReason::OnchainTransferFailed;
    let promise = hold(1, true, true);
    let old = GiveUp { returns: u32::MAX, age_seconds: 50, delegation: Delegation::Public };
    assert_eq!(given_up(&promise, &[back(no, 149)], old), None);
    let at_age = [back(no, 150)];
    assert_eq!(given_up(&promise, &at_age, old), Some(&at_age[0]));
    let purse = [back(no, 150), back(PayReason::InsufficientSponsorBalance, 160)];
    assert_eq!(given_up(&promise, &purse, old), None, "our empty purse says nothing");
    assert_eq!(given_up(&promise, &[back(no, 99)], GiveUp { age_seconds: 0, ..old }), None, "before it was accepted");
}

#[test]
fn a_promise_without_a_delegation_is_given_up_at_once() {
    let (promise, no, gone) = (hold(1, true, true), PayReason::OnchainTransferFailed, PayReason::SessionRevoked);
    let never = GiveUp { returns: u32::MAX, age_seconds: u64::MAX, delegation: Delegation::Public };
    let failed = Return { failed: Some(Signature::from([9; 64])), ..back(no, 200) };
    assert_eq!(ending(&promise, &[], Backing::Stands, never), None);
    assert_eq!(ending(&promise, std::slice::from_ref(&failed), Backing::Stands, never), None);
    let found = [failed.clone(), back(gone, 300)];
    assert_eq!(ending(&promise, &found, Backing::Stands, never), Some(Ending { reason: gone, failed: None }));
    let stands = [back(gone, 300), failed.clone()];
    assert_eq!(ending(&promise, &stands, Backing::Stands, never), None, "the latest tells");
    for (backing, reason) in [(Backing::Revoked, gone), (Backing::Replaced, PayReason::DelegationReplaced)] {
        assert_eq!(ending(&promise, &[], backing, never), Some(Ending { reason, failed: None }), "untried");
        let tried = Some(Ending { reason, failed: failed.failed });
        assert_eq!(ending(&promise, std::slice::from_ref(&failed), backing, never), tried);
    }
}

#[test]
fn a_newer_approve_leaves_nothing_for_what_it_does_not_cover_where_transfers_lower_it() {
    let (public, documented) = (Delegation::Public, Delegation::Documented);
    for state in [SessionState::Closing, SessionState::Expired, SessionState::Superseded] {
        assert_eq!(Backing::of(state, true, documented), Backing::Replaced);
        assert_eq!(Backing::of(state, true, public), Backing::Stands, "each transfer moves what it says");
        assert_eq!(Backing::of(state, false, documented), Backing::Stands);
    }
    assert_eq!(Backing::of(SessionState::Open, true, documented), Backing::Stands, "it ends first");
    assert_eq!(Backing::of(SessionState::Revoked, true, documented), Backing::Revoked);
}

#[test]
fn a_loss_leaves_what_is_held() {
    assert_eq!(loss(&hold(1, true, true)), SumsChange { captured: 0, held: -10, deferred_held: -10, lost: 10 });
    assert_eq!(loss(&hold(1, true, false)), SumsChange { captured: 0, held: -10, deferred_held: 0, lost: 10 });
}

#[test]
fn only_what_nobody_covers_and_nobody_was_told_is_given_back_at_the_deadline() {
    let (settlement, signature) = (SettlementId::from_random_bytes([7; 16]), Signature::from([9; 64]));
    let planned = HoldState::Planned { settlement, signature: None };
    let captured = HoldState::Captured { settlement, signature };
    let released = HoldState::Released { reason: PayReason::SettlementExpired, signature: None };
    for (state, untold, told) in [
        (HoldState::Waiting, WaitEnd::Released, WaitEnd::Pending),
        (planned, WaitEnd::Pending, WaitEnd::Pending),
        (captured, WaitEnd::DecidedUntold, WaitEnd::Decided),
        (released, WaitEnd::Decided, WaitEnd::Decided),
    ] {
        assert_eq!(end_wait(&Hold { state: state.clone(), ..hold(1, false, false) }), untold);
        assert_eq!(end_wait(&Hold { state, ..hold(1, true, false) }), told);
    }
}
