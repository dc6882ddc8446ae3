use super::*;

fn absent(finalised_height: u64, first_available_block: u64) -> History {
    History::Absent(AbsenceProof { finalised_height, first_available_block })
}

fn found(level: Level, error: Option<&str>) -> History {
    History::Found(Seen { slot: 7, level, error: error.map(str::to_owned) })
}

fn silent() -> ChainError {
    ChainError::Unavailable { what: "asking", source: None, retry_after: None }
}

fn of(said: Vec<Result<History, ChainError>>) -> Result<History, ChainError> {
    verdict(said.into_iter().enumerate().map(|(place, said)| EndpointAnswer { place, said }).collect())
}

#[test]
fn all_say_absent_and_the_weakest_of_each_is_kept() {
    let History::Absent(proof) = of(vec![Ok(absent(400, 3)), Ok(absent(390, 9)), Ok(absent(410, 0))]).unwrap() else {
        panic!("absent");
    };
    assert_eq!(proof, AbsenceProof { finalised_height: 390, first_available_block: 9 });
}

#[test]
fn one_that_does_not_say_it_delays() {
    let unproved = |said: Vec<_>| matches!(of(said), Ok(History::Unprovable));
    assert!(unproved(vec![Ok(absent(400, 0)), Err(silent())]));
    assert!(unproved(vec![Err(silent()), Ok(absent(400, 0))]));
    assert!(unproved(vec![Ok(absent(400, 0)), Ok(History::Unprovable)]));
    assert!(unproved(vec![Ok(History::Unprovable), Err(silent())]));
    assert!(unproved(vec![]), "no endpoint of the right cluster is none that says absent");
    assert!(matches!(of(vec![Ok(absent(400, 0)), Ok(History::TooEarly)]), Ok(History::TooEarly)));
    assert!(of(vec![Err(silent()), Err(silent())]).is_err(), "nobody answered");
}

#[test]
fn one_that_has_it_ends_the_question() {
    for others in [Ok(absent(400, 0)), Err(silent()), Ok(History::TooEarly), Ok(History::Unprovable)] {
        let told = of(vec![others, Ok(found(Level::Confirmed, None))]);
        assert!(matches!(&told, Ok(History::Found(seen)) if seen.level == Level::Confirmed), "{told:?}");
    }
}

#[test]
fn a_success_outweighs_an_error_and_finality_less() {
    let told = |first: &dyn Fn() -> History, second: &dyn Fn() -> History| {
        let both = [of(vec![Ok(first()), Ok(second())]), of(vec![Ok(second()), Ok(first())])];
        both.map(|told| match told {
            Ok(History::Found(seen)) => (seen.level, seen.error),
            other => panic!("{other:?}"),
        })
    };
    let (sure, unsure) = (|| found(Level::Finalized, None), || found(Level::Confirmed, None));
    assert_eq!(told(&sure, &unsure), [(Level::Finalized, None), (Level::Finalized, None)]);
    let failed = || found(Level::Finalized, Some("custom program error"));
    assert_eq!(told(&failed, &unsure), [(Level::Confirmed, None), (Level::Confirmed, None)]);
}
