//! What follows from an operator's word about a settlement.

use crate::{
    domain::{
        reason::PayReason,
        settlement::{Event, Settlement, State, Verdict},
    },
    ledger::NotResolved,
};
use solana_signature::Signature;

/// The events that are written for a verdict, in their order. `attempts` are all that were signed, `live` is the one whose
/// effect is open or known.
///
/// What has ended stays as it is, and what nobody holds or doubts is the driver's.
pub(in crate::ledger) fn events(
    settlement: &Settlement,
    (attempts, live): (&[Signature], Option<&Signature>),
    verdict: Verdict,
) -> Result<Vec<Event>, NotResolved> {
    if settlement.state.is_terminal() {
        return Err(NotResolved::Ended);
    }
    if settlement.state != State::Landed && !settlement.is_held() {
        return Err(NotResolved::NotHeld);
    }
    match verdict {
        Verdict::Landed { signature, slot } => found(settlement, (attempts, live), signature, slot),
        Verdict::Absent(proof) => Ok(without_effect(settlement, Event::Absent(proof))),
        Verdict::Failed { slot } => Ok(without_effect(settlement, Event::Failed { slot })),
    }
}

/// The live attempt ends with this, and nothing more is tried where none is.
fn without_effect(settlement: &Settlement, end: Event) -> Vec<Event> {
    match settlement.state {
        State::Landed => vec![Event::TakenBack, end],
        State::InFlight => vec![end],
        State::Reserved | State::Settled | State::Released => {
            vec![Event::Abandoned { reason: PayReason::SettlementExpired }]
        }
    }
}

fn found(
    settlement: &Settlement,
    (attempts, live): (&[Signature], Option<&Signature>),
    signature: Signature,
    slot: u64,
) -> Result<Vec<Event>, NotResolved> {
    if !attempts.contains(&signature) {
        return Err(NotResolved::NoAttempt);
    }
    match live {
        Some(other) if *other != signature => Err(NotResolved::AnotherIsLive(*other)),
        Some(_) if settlement.state == State::Landed => Ok(vec![Event::Finalised]),
        Some(_) => Ok(vec![Event::Landed { slot }, Event::Finalised]),
        None => Ok(vec![Event::Found { signature, slot }, Event::Finalised]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        amount::Amount,
        clock::UnixSeconds,
        settlement::{AbsenceProof, HeldBecause, MOST_ATTEMPTS, Purpose, SettlementHeld, SettlementId, Subject},
    };

    const SINCE: UnixSeconds = 5;
    const PROOF: AbsenceProof = AbsenceProof { finalised_height: 9, first_available_block: 1 };

    fn signature(number: u8) -> Signature {
        Signature::from([number; 64])
    }

    fn settlement(state: State, held: bool) -> Settlement {
        Settlement {
            id: SettlementId::from_random_bytes([1; 16]),
            purpose: Purpose::Capture,
            subject: Subject::Own,
            amount: Amount::ZERO,
            landed_at: None,
            state,
            sequence: 3,
            attempts: 2,
            signature: Some(signature(2)),
            held: held.then_some(SettlementHeld { because: HeldBecause::Moved, since: SINCE }),
        }
    }

    /// What follows, of two attempts of which the second is alive or none is.
    fn of(state: State, held: bool, live: Option<u8>, verdict: Verdict) -> Result<Vec<&'static str>, NotResolved> {
        let live = live.map(signature);
        let told = events(&settlement(state, held), (&[signature(1), signature(2)], live.as_ref()), verdict);
        told.map(|events| events.iter().map(Event::word).collect())
    }

    #[test]
    fn a_transaction_that_was_found_settles_and_only_an_attempt_is_found() {
        let landed = |number| Verdict::Landed { signature: signature(number), slot: 7 };
        assert_eq!(of(State::InFlight, true, Some(2), landed(2)), Ok(vec!["landed", "finalised"]));
        assert_eq!(of(State::Landed, false, Some(2), landed(2)), Ok(vec!["finalised"]));
        assert_eq!(of(State::Reserved, true, None, landed(1)), Ok(vec!["found", "finalised"]));
        assert_eq!(of(State::InFlight, true, Some(2), landed(3)), Err(NotResolved::NoAttempt));
        assert_eq!(of(State::InFlight, true, Some(2), landed(1)), Err(NotResolved::AnotherIsLive(signature(2))));
    }

    #[test]
    fn what_is_absent_goes_on_where_it_can_and_is_given_back_where_it_cannot() {
        let absent = Verdict::Absent(PROOF);
        assert_eq!(of(State::InFlight, true, Some(2), absent), Ok(vec!["absent"]));
        assert_eq!(of(State::Landed, false, Some(2), absent), Ok(vec!["taken_back", "absent"]));
        let failed = Verdict::Failed { slot: 7 };
        assert_eq!(of(State::InFlight, true, Some(2), failed), Ok(vec!["failed"]), "its fee is spent");
        assert_eq!(of(State::Landed, false, Some(2), failed), Ok(vec!["taken_back", "failed"]));
        assert_eq!(of(State::Reserved, true, None, failed), Ok(vec!["abandoned"]));
        let all = Settlement { attempts: MOST_ATTEMPTS, ..settlement(State::Reserved, false) };
        let told = events(&all, (&[signature(1)], None), absent).expect("follows");
        assert_eq!(told, [Event::Abandoned { reason: PayReason::SettlementExpired }]);
    }

    #[test]
    fn what_has_ended_or_is_not_held_is_left_alone() {
        let absent = Verdict::Absent(PROOF);
        for state in [State::Settled, State::Released] {
            assert_eq!(of(state, true, None, absent), Err(NotResolved::Ended));
        }
        for (state, live) in [(State::Reserved, None), (State::InFlight, Some(2))] {
            assert_eq!(of(state, false, live, absent), Err(NotResolved::NotHeld));
        }
    }
}
