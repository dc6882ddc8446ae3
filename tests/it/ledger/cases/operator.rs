//! What an operator has to know of and decides: settlements that are held, their word, and who told of landings.

use crate::ledger::build::{
    NOW, abandoned, absent, all_absent, amount, attempt, held, in_flight, landed, opened, payment, planned, recorded,
    settlement_id, signature, signed,
};
use sotto::{
    domain::settlement::{
        AbsenceProof, AbsenceVoices, Event, HeldBecause, MOST_ATTEMPTS, Moves, Purpose, Resolution, SeenHandle,
        Settlement, SettlementHeld, SettlementId, State, Subject, Verdict, Witness,
    },
    ledger::{Ledger, LedgerError, NotResolved, Resolved, SeenLanding},
};

const PROOF: AbsenceProof = AbsenceProof { finalised_height: 301, first_available_block: 200 };

async fn resolved(ledger: &dyn Ledger, settlement: SettlementId, verdict: Verdict) -> Resolved {
    let resolution = Resolution { settlement, verdict, words: "an archive node".to_owned() };
    ledger.resolve(&resolution, NOW + 5).await.expect("answers")
}

fn found(number: u32) -> Verdict {
    Verdict::Landed { signature: signature(number), slot: 250 }
}

/// One payment of ten units whose transfer is held.
async fn held_in_flight(ledger: &dyn Ledger) -> Settlement {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let settlement = in_flight(ledger, session.id, 1).await;
    ledger.note_held(&settlement, HeldBecause::Moved, NOW).await.expect("notes")
}

async fn captured(ledger: &dyn Ledger) -> u64 {
    ledger.totals(None).await.expect("answers").captured.get()
}

pub(crate) async fn what_is_held_is_so_until_its_next_event(ledger: &dyn Ledger) {
    let settlement = held_in_flight(ledger).await;
    let held = SettlementHeld { because: HeldBecause::Moved, since: NOW };
    assert_eq!((settlement.held, settlement.is_held()), (Some(held), true));
    let again = ledger.note_held(&settlement, HeldBecause::Silence, NOW + 1).await.expect("notes");
    assert_eq!(again.held, Some(held), "the first cause stays");
    let session = settlement.session().expect("a session's");
    assert_eq!(ledger.open_holds(session).await.ok(), Some(0), "nobody waits for it");
    let told = ledger.held_settlements().await.expect("answers");
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].settlement, told[0].live), (&settlement, Some(signature(1))));
    assert_eq!(told[0].events.iter().map(|(_, event)| event.word()).collect::<Vec<_>>(), ["reserved", "signed"]);
    let now = recorded(ledger, &settlement, absent()).await;
    assert!(now.held.is_none() && ledger.held_settlements().await.expect("answers").is_empty());
    assert_eq!(ledger.load_work(now.id).await.expect("answers").settlement, now);
    let late = ledger.note_held(&settlement, HeldBecause::Moved, NOW).await;
    assert!(matches!(late, Err(LedgerError::LostRace)), "it has moved on");
    recorded(ledger, &now, abandoned()).await;
}

pub(crate) async fn an_operator_finds_a_transaction_and_its_payments_are_captured(ledger: &dyn Ledger) {
    let settlement = held_in_flight(ledger).await;
    for (verdict, refused) in [(found(7), NotResolved::NoAttempt)] {
        assert_eq!(resolved(ledger, settlement.id, verdict).await, Resolved::Refused(refused));
    }
    let unknown = resolved(ledger, settlement_id(9), found(1)).await;
    assert_eq!(unknown, Resolved::Refused(NotResolved::Unknown));
    let Resolved::Written(now) = resolved(ledger, settlement.id, found(1)).await else { panic!("written") };
    assert_eq!((&now.state, captured(ledger).await), (&State::Settled, 10));
    let record = ledger.settlement_record(now.id).await.expect("answers").expect("is there");
    assert_eq!(record.words, [(NOW + 5, "an archive node".to_owned())]);
    let ended = resolved(ledger, settlement.id, Verdict::Absent(PROOF)).await;
    assert_eq!(ended, Resolved::Refused(NotResolved::Ended), "it is captured for ever");
}

/// Of five that were proved absent the second is there after all: it lives again, and by an operator's word alone.
pub(crate) async fn an_operator_finds_what_had_been_proved_absent(ledger: &dyn Ledger) {
    let settlement = all_absent(ledger, signature(MOST_ATTEMPTS)).await;
    let event = Event::Found { signature: signature(2), slot: 250 };
    let by_itself = ledger.record(&settlement, event, &[], NOW).await;
    assert!(matches!(by_itself, Err(LedgerError::Inconsistent(_))), "{by_itself:?}");
    let Resolved::Written(now) = resolved(ledger, settlement.id, found(2)).await else { panic!("written") };
    assert_eq!((&now.state, now.signature, captured(ledger).await), (&State::Settled, Some(signature(2)), 10));
    let holds = ledger.holds_of(now.id).await.expect("answers");
    assert!(matches!(
        holds[0].state,
        sotto::domain::hold::HoldState::Captured { signature: of, .. } if of == signature(2)
    ));
}

pub(crate) async fn an_operator_finds_nothing_and_it_goes_on_or_is_given_back(ledger: &dyn Ledger) {
    let settlement = held_in_flight(ledger).await;
    let Resolved::Written(now) = resolved(ledger, settlement.id, Verdict::Absent(PROOF)).await else {
        panic!("written")
    };
    assert_eq!((&now.state, now.attempts), (&State::Reserved, 1), "it may be signed anew");
    assert_eq!(resolved(ledger, now.id, found(1)).await, Resolved::Refused(NotResolved::NotHeld));
    recorded(ledger, &now, abandoned()).await;
    assert_eq!(ledger.totals(None).await.expect("answers").held.get(), 0);
}

pub(crate) async fn what_has_had_all_its_attempts_is_given_back_by_an_operators_word(ledger: &dyn Ledger) {
    let settlement = all_absent(ledger, signature(MOST_ATTEMPTS)).await;
    let Resolved::Written(now) = resolved(ledger, settlement.id, Verdict::Absent(PROOF)).await else {
        panic!("written")
    };
    let totals = ledger.totals(None).await.expect("answers");
    assert_eq!((&now.state, totals.held.get(), totals.captured.get()), (&State::Released, 0, 0));
}

pub(crate) async fn a_landing_that_nobody_sees_any_more_is_resolved_too(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let first = recorded(ledger, &in_flight(ledger, session.id, 1).await, landed()).await;
    let Resolved::Written(now) = resolved(ledger, first.id, Verdict::Absent(PROOF)).await else { panic!("written") };
    assert_eq!((&now.state, captured(ledger).await), (&State::Reserved, 0));
    recorded(ledger, &now, abandoned()).await;
    held(ledger, &payment(session.id, 2, 20)).await;
    let second = recorded(ledger, &in_flight(ledger, session.id, 2).await, landed()).await;
    let Resolved::Written(now) = resolved(ledger, second.id, found(2)).await else { panic!("written") };
    assert_eq!((&now.state, captured(ledger).await), (&State::Settled, 20));
}

pub(crate) async fn an_attempt_keeps_its_witness_and_who_told_of_it(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    held(ledger, &payment(session.id, 1, 10)).await;
    let settlement = planned(ledger, session.id, 1).await;
    let before = SeenHandle { handle: u128::MAX - 5, slot: 190 };
    let witness = Witness { account: crate::ledger::build::key(40, 1), before, delegated: Some(u128::MAX - 6) };
    let nothing = sotto::domain::settlement::Attempt { moves: Moves::Nothing, ..attempt(&settlement, 1) };
    let refused = ledger.record_signed(&settlement, nothing, NOW).await;
    assert!(matches!(refused, Err(LedgerError::Inconsistent(_))), "a capture moves a balance");
    let attempt =
        sotto::domain::settlement::Attempt { moves: Moves::Balance(Some(witness)), ..attempt(&settlement, 1) };
    ledger.record_signed(&settlement, attempt.clone(), NOW).await.expect("records");
    let seen = |voice: &str| SeenLanding { signature: signature(1), voice: voice.to_owned(), slot: 210 };
    ledger.note_seen(&[seen("a.example"), seen("b.example")], NOW).await.expect("notes");
    ledger.note_seen(&[seen("a.example")], NOW + 1).await.expect("once more");
    ledger.note_past(&signature(1), 400, NOW).await.expect("notes");
    ledger.note_past(&signature(1), 300, NOW + 1).await.expect("once more");
    let read = ledger.load_work(settlement.id).await.expect("answers").attempt.expect("is there").get().clone();
    assert_eq!(read.past_at, Some(400), "the first one stays");
    let mut voices = read.seen_by.clone();
    voices.sort();
    assert_eq!((voices, read.moves), (vec!["a.example".to_owned(), "b.example".to_owned()], attempt.moves));
    let probe = ledger.plan_other(settlement_id(2), Purpose::Probe, Subject::Own, NOW).await.expect("plans");
    let (probe, recorded) = signed(ledger, &probe, 2).await;
    assert_eq!((recorded.get().moves, probe.amount), (Moves::Nothing, amount(0)));
}

pub(crate) async fn what_services_agree_on_stays_until_an_operator_changes_it(ledger: &dyn Ledger) {
    assert_eq!(ledger.agreed_voices().await.ok(), Some(None));
    assert_eq!(ledger.agree_on_voices(AbsenceVoices::Two, NOW).await.ok(), Some(AbsenceVoices::Two));
    assert_eq!(
        ledger.agree_on_voices(AbsenceVoices::One, NOW + 1).await.ok(),
        Some(AbsenceVoices::Two),
        "the first one's"
    );
    ledger.change_voices(AbsenceVoices::One, NOW + 2).await.expect("changes");
    assert_eq!(ledger.agreed_voices().await.ok(), Some(Some(AbsenceVoices::One)));
    assert_eq!(ledger.agree_on_voices(AbsenceVoices::Two, NOW + 3).await.ok(), Some(AbsenceVoices::One));
}
