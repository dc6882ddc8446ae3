use super::*;
use crate::chain::signature_statuses::Level;

fn absent(finalised_height: u64, first_available_block: u64) -> Said {
    Said::Absent(AbsenceProof { finalised_height, first_available_block })
}

fn found(level: Level, error: Option<&str>) -> Said {
    Said::Found(Seen { slot: 7, level, error: error.map(str::to_owned), by: 0 })
}

fn failed(error: &str) -> Said {
    found(Level::Finalized, Some(error))
}

fn silent() -> ChainError {
    ChainError::Unavailable { what: "asking", source: None, retry_after: None }
}

fn of(said: Vec<Result<Said, ChainError>>) -> Result<Verdict, ChainError> {
    verdict(said.into_iter().enumerate().map(|(place, said)| EndpointAnswer { place, said }).collect())
}

fn is_unproved(said: Vec<Result<Said, ChainError>>) -> bool {
    matches!(of(said), Ok(Verdict::Unprovable))
}

#[test]
fn all_say_absent_and_the_weakest_of_each_is_kept() {
    let Verdict::Absent(proof) = of(vec![Ok(absent(400, 3)), Ok(absent(390, 9)), Ok(absent(410, 0))]).unwrap() else {
        panic!("absent");
    };
    assert_eq!(proof, AbsenceProof { finalised_height: 390, first_available_block: 9 });
}

#[test]
fn one_that_does_not_say_it_delays() {
    assert!(is_unproved(vec![Ok(absent(400, 0)), Err(silent())]));
    assert!(is_unproved(vec![Err(silent()), Ok(absent(400, 0))]));
    assert!(is_unproved(vec![Ok(absent(400, 0)), Ok(Said::CannotKnow)]));
    assert!(is_unproved(vec![Ok(Said::CannotKnow), Err(silent())]));
    assert!(is_unproved(vec![]), "no endpoint of the right cluster is none that says absent");
    assert!(matches!(of(vec![Ok(absent(400, 0)), Ok(Said::TooEarly)]), Ok(Verdict::TooEarly)));
    assert!(of(vec![Err(silent()), Err(silent())]).is_err(), "nobody answered");
}

#[test]
fn one_that_has_it_ends_the_question() {
    for (others, denies) in [
        (Ok(absent(400, 0)), true),
        (Ok(failed("custom program error")), true),
        (Err(silent()), false),
        (Ok(Said::TooEarly), false),
        (Ok(Said::CannotKnow), false),
        (Ok(found(Level::Confirmed, Some("not final"))), false),
    ] {
        let Ok(Verdict::Landed(landing)) = of(vec![others, Ok(found(Level::Confirmed, None))]) else {
            panic!("it landed")
        };
        assert_eq!((landing.told.len(), landing.denied), (1, if denies { vec![0] } else { vec![] }));
    }
}

#[test]
fn what_one_node_alone_has_executed_proves_nothing() {
    assert!(is_unproved(vec![Ok(found(Level::Processed, None)), Ok(absent(400, 0))]));
    assert!(is_unproved(vec![Ok(failed("an error")), Ok(found(Level::Processed, None))]));
}

#[test]
fn an_error_counts_when_every_endpoint_tells_the_same_as_final() {
    let told = of(vec![Ok(failed("an error")), Ok(failed("an error"))]).unwrap();
    assert!(matches!(&told, Verdict::Failed { slot: 7, error } if error == "an error"), "{told:?}");
    assert!(matches!(
        told.no_effect(),
        Some(Observation::Failed { slot: 7, finalised: true, error }) if error == "an error"
    ));
    for other in [
        Err(silent()),
        Ok(Said::TooEarly),
        Ok(Said::CannotKnow),
        Ok(absent(400, 0)),
        Ok(failed("another error")),
        Ok(found(Level::Confirmed, Some("an error"))),
    ] {
        let both = vec![Ok(failed("an error")), other];
        let told = of(both);
        assert!(told.as_ref().is_ok_and(|told| told.no_effect().is_none()), "{told:?}");
    }
}
