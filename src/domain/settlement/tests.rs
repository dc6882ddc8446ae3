//! Table tests: every state and event, every state and observation.

use super::*;

const REASON: PayReason = PayReason::SettlementExpired;
const PROOF: AbsenceProof = AbsenceProof { finalised_height: 9, first_available_block: 1 };

/// [`next_step`], with both of its choices as the tables here write them.
fn decide(settlement: &Settlement, seen: &Observation, wanted: bool, bears: bool) -> Step {
    let further = if wanted { Further::Wanted } else { Further::Unwanted(REASON) };
    next_step(settlement, seen, further, Allowances::from(bears))
}

fn states() -> Vec<Option<State>> {
    vec![
        None,
        Some(State::Reserved),
        Some(State::InFlight),
        Some(State::Landed),
        Some(State::Settled),
        Some(State::Released),
    ]
}

fn events() -> Vec<Event> {
    vec![
        Event::Reserved,
        Event::Signed { signature: Signature::default() },
        Event::Landed { slot: 1 },
        Event::Found { signature: Signature::default(), slot: 1 },
        Event::Finalised,
        Event::TakenBack,
        Event::Refused { slot: 1, reason: REASON },
        Event::Failed { slot: 1 },
        Event::Absent(PROOF),
        Event::Abandoned { reason: REASON },
    ]
}

/// The table of the module's picture, row by row: what a state becomes by each event, in the order of [`events`].
const TABLE: [(Option<&str>, [Option<&str>; 10]); 6] = [
    (None, [Some("reserved"), None, None, None, None, None, None, None, None, None]),
    (Some("reserved"), [None, Some("in_flight"), None, Some("landed"), None, None, None, None, None, Some("released")]),
    (
        Some("in_flight"),
        [None, None, Some("landed"), None, None, None, Some("released"), Some("reserved"), Some("reserved"), None],
    ),
    (Some("landed"), [None, None, None, None, Some("settled"), Some("in_flight"), None, None, None, None]),
    (Some("settled"), [None; 10]),
    (Some("released"), [None; 10]),
];

#[test]
fn every_event_does_to_every_state_what_the_table_says() {
    for (state, (word, row)) in states().into_iter().zip(TABLE) {
        assert_eq!(state.as_ref().map(State::word), word, "the table has its rows in order");
        for (event, expected) in events().iter().zip(row) {
            let after = apply(state.clone(), event);
            assert_eq!(after.as_ref().ok().map(State::word), expected, "{state:?} and {}", event.word());
            if let Err(illegal) = after {
                assert_eq!(illegal, IllegalEvent { state: state.clone(), event: event.word() });
            }
        }
    }
}

#[test]
fn nothing_follows_a_terminal_state_and_something_follows_every_other() {
    for state in states() {
        let follows = events().iter().any(|event| apply(state.clone(), event).is_ok());
        assert_eq!(follows, !state.as_ref().is_some_and(State::is_terminal), "{state:?}");
    }
}

#[test]
fn a_refusal_to_apply_names_state_and_event() {
    let told = apply(Some(State::Settled), &Event::TakenBack).map_err(|error| error.to_string());
    assert_eq!(told, Err("a settlement that is settled cannot take the event taken_back".to_owned()));
    let told = apply(None, &Event::Finalised).map_err(|error| error.to_string());
    assert_eq!(told, Err("a settlement that is new cannot take the event finalised".to_owned()));
}

#[test]
fn words_are_unique() {
    let words = |words: Vec<&'static str>| words.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!(words(events().iter().map(Event::word).collect()), 10);
    assert_eq!(words(states().iter().flatten().map(State::word).collect()), 5);
    assert_eq!(words(Purpose::ALL.iter().map(|purpose| purpose.word()).collect()), Purpose::ALL.len());
}

#[test]
fn a_log_is_replayed_to_its_last_state() {
    let signed = |number| Event::Signed { signature: Signature::from([number; 64]) };
    let log = [
        Event::Reserved,
        signed(1),
        Event::Absent(PROOF),
        signed(2),
        Event::Landed { slot: 5 },
        Event::TakenBack,
        Event::Landed { slot: 6 },
        Event::Finalised,
    ];
    let expected = ["reserved", "in_flight", "reserved", "in_flight", "landed", "in_flight", "landed", "settled"];
    for (length, word) in (1..).zip(expected) {
        let state = replay(&log[..length]).expect("every prefix of a log is a log");
        assert_eq!(state.as_ref().map(State::word), Some(word));
    }
    assert_eq!(replay(&[]), Ok(None));
    assert!(replay(&log[1..]).is_err(), "a log without its beginning");
    let with_a_hole: Vec<_> = log.iter().enumerate().filter(|(i, _)| *i != 3).map(|(_, event)| event).collect();
    assert!(replay(with_a_hole).is_err());
}

fn observations() -> Vec<Observation> {
    let failed = |finalised| Observation::Failed { slot: 3, finalised, error: "custom program error".to_owned() };
    vec![
        Observation::JustSigned,
        Observation::NotAsked,
        Observation::Pending,
        Observation::Unknown,
        Observation::Landed { slot: 3, finalised: false },
        Observation::Landed { slot: 3, finalised: true },
        failed(false),
        failed(true),
        Observation::Absent(PROOF),
        Observation::Disputed { slot: 3, landed: vec![1], denied: vec![2] },
        Observation::Unproved(HeldBecause::Silence),
        Observation::Unproved(HeldBecause::Moved),
    ]
}

fn settlement(state: State, purpose: Purpose, attempts: u32) -> Settlement {
    Settlement {
        id: SettlementId::from_random_bytes([1; 16]),
        purpose,
        subject: Subject::Own,
        amount: Amount::ZERO,
        landed_at: (state == State::Landed).then_some(3),
        state,
        sequence: 1,
        attempts,
        signature: None,
        held: None,
    }
}

/// What is done next in a state that has an attempt, for each of [`observations`]: send, look, or record that word.
const NEXT: [(State, [&str; 12]); 4] = [
    (
        State::InFlight,
        ["send", "look", "send", "look", "landed", "landed", "look", "refused", "absent", "look", "look", "hold"],
    ),
    (
        State::Landed,
        [
            "look",
            "look",
            "send",
            "look",
            "look",
            "finalised",
            "look",
            "taken_back",
            "taken_back",
            "look",
            "look",
            "look",
        ],
    ),
    (State::Settled, ["done"; 12]),
    (State::Released, ["done"; 12]),
];

fn word(step: &Step) -> &'static str {
    match step {
        Step::Sign => "sign",
        Step::Send => "send",
        Step::LookUp => "look",
        Step::Record(event) => event.word(),
        Step::Hold(_) => "hold",
        Step::Done => "done",
    }
}

#[test]
fn the_next_step_of_a_signed_settlement_follows_from_what_was_seen_alone() {
    for (state, row) in NEXT {
        for (seen, expected) in observations().iter().zip(row) {
            for purpose in Purpose::ALL {
                for (attempts, wanted) in [(1, true), (1, false), (2, true), (2, false)] {
                    let step = decide(&settlement(state.clone(), purpose, attempts), seen, wanted, false);
                    assert_eq!(word(&step), expected, "{state:?} {seen:?} {purpose:?} {attempts} {wanted}");
                }
            }
        }
    }
}

#[test]
fn an_unsigned_settlement_is_signed_while_it_is_wanted_and_may_be() {
    for seen in observations() {
        for purpose in Purpose::ALL {
            for attempts in [0, 1, 2] {
                let next = |wanted| decide(&settlement(State::Reserved, purpose, attempts), &seen, wanted, false);
                let again = matches!(
                    purpose,
                    Purpose::Capture | Purpose::CreateRecipient | Purpose::MppOpen | Purpose::MppClose
                );
                let abandoned = Step::Record(Event::Abandoned { reason: REASON });
                assert_eq!(next(true), if attempts == 0 || again { Step::Sign } else { abandoned.clone() });
                assert_eq!(next(false), abandoned);
            }
        }
    }
}

/// Whatever is seen and whoever waits: what was signed may have landed, so nothing is given back either.
#[test]
fn after_its_last_attempt_a_settlement_is_neither_signed_nor_given_up() {
    for seen in observations() {
        for (wanted, bears) in [(true, true), (true, false), (false, true), (false, false)] {
            for (attempts, expected) in [(MOST_ATTEMPTS - 1, "sign"), (MOST_ATTEMPTS, "hold"), (u32::MAX, "hold")] {
                let settlement = settlement(State::Reserved, Purpose::Capture, attempts);
                let expected = if wanted || expected == "hold" { expected } else { "abandoned" };
                assert_eq!(word(&decide(&settlement, &seen, wanted, bears)), expected, "{attempts} {seen:?}");
                assert_eq!(settlement.is_held(), expected == "hold");
            }
        }
    }
    for state in [State::InFlight, State::Landed, State::Settled, State::Released] {
        assert!(!settlement(state, Purpose::Capture, MOST_ATTEMPTS).is_held(), "its last attempt is looked at");
    }
}

/// A proof that the fifth attempt is absent is written as any other; only then does the settlement wait.
#[test]
fn the_last_attempt_is_followed_to_its_end() {
    let next = |state, seen: Observation| {
        word(&decide(&settlement(state, Purpose::Capture, MOST_ATTEMPTS), &seen, true, false))
    };
    assert_eq!(next(State::InFlight, Observation::Absent(PROOF)), "absent");
    assert_eq!(next(State::InFlight, Observation::Landed { slot: 3, finalised: false }), "landed");
    assert_eq!(
        next(State::InFlight, Observation::Failed { slot: 3, finalised: true, error: String::new() }),
        "refused"
    );
}

#[test]
fn an_attempt_that_failed_with_its_allowances_is_signed_anew_and_not_for_ever() {
    let failed = |finalised| Observation::Failed { slot: 5, finalised, error: String::new() };
    let next = |attempts, seen, bears| {
        word(&decide(&settlement(State::InFlight, Purpose::Capture, attempts), &seen, true, bears))
    };
    assert_eq!(next(1, failed(false), true), "look", "a fork may still let it land without an error");
    assert_eq!(next(1, failed(true), true), "failed");
    assert_eq!(next(1, failed(true), false), "refused");
    assert_eq!(next(MOST_EXCUSED - 1, failed(true), true), "failed");
    assert_eq!(next(MOST_EXCUSED, failed(true), true), "refused");
}

#[test]
fn what_is_recorded_tells_what_was_seen() {
    let in_flight = settlement(State::InFlight, Purpose::Capture, 1);
    let record = |seen| decide(&in_flight, &seen, true, false);
    let landed = Observation::Landed { slot: 77, finalised: true };
    assert_eq!(record(landed), Step::Record(Event::Landed { slot: 77 }));
    let failed = Observation::Failed { slot: 78, finalised: true, error: String::new() };
    let refused = Event::Refused { slot: 78, reason: PayReason::OnchainTransferFailed };
    assert_eq!(record(failed), Step::Record(refused));
    assert_eq!(record(Observation::Absent(PROOF)), Step::Record(Event::Absent(PROOF)));
}

/// What was proved of a balance counts landings by their slots.
#[test]
fn what_stands_in_a_later_slot_than_it_landed_in_was_taken_back_in_between() {
    let landed = settlement(State::Landed, Purpose::Capture, 1);
    for finalised in [false, true] {
        let next = |slot| word(&decide(&landed, &Observation::Landed { slot, finalised }, true, false));
        assert_eq!(next(4), "taken_back");
        assert_eq!(
            next(2),
            if finalised { "finalised" } else { "look" },
            "it was told late, which claims too much at most"
        );
    }
    let older = Settlement { landed_at: None, ..landed };
    let seen = Observation::Landed { slot: 4, finalised: true };
    assert_eq!(word(&decide(&older, &seen, true, false)), "finalised", "where it landed is not known");
}

#[test]
fn every_recorded_step_is_one_that_can_be_applied() {
    for state in states().into_iter().flatten() {
        for seen in observations() {
            for (attempts, wanted) in [(0, true), (0, false), (1, true), (1, false)] {
                for purpose in Purpose::ALL {
                    let step = decide(&settlement(state.clone(), purpose, attempts), &seen, wanted, false);
                    if let Step::Record(event) = step {
                        assert!(apply(Some(state.clone()), &event).is_ok(), "{state:?} {seen:?}");
                    }
                }
            }
        }
    }
}
