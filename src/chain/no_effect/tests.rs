use super::*;
use crate::chain::{EndpointUrls, signature_statuses::Level};

fn absent(finalised_height: u64, first_available_block: u64) -> Said {
    Said::Absent(AbsenceProof { finalised_height, first_available_block })
}

const CANNOT_KNOW: Said = Said::CannotKnow { finalised_height: 400 };

fn found(level: Level, error: Option<&str>) -> Said {
    Said::Found(Seen { slot: 7, level, error: error.map(str::to_owned), by: 0 })
}

fn failed(error: &str) -> Said {
    found(Level::Finalized, Some(error))
}

fn silent() -> ChainError {
    ChainError::Unavailable { what: "asking", source: None, retry_after: None }
}

/// As many voices as endpoints, of which two have to say so; one where there is no other.
fn of(said: Vec<Result<Said, ChainError>>) -> Result<Verdict, ChainError> {
    let hosts = ["https://a.example", "https://b.example", "https://c.example"];
    seen_by(&hosts[..said.len()], said, &[])
}

fn seen_by(urls: &[&str], said: Vec<Result<Said, ChainError>>, names: &[&str]) -> Result<Verdict, ChainError> {
    called(urls, &[], said, names)
}

/// As [`seen_by`], where the operator has named the providers of the endpoints.
fn called(
    urls: &[&str],
    named: &[&str],
    said: Vec<Result<Said, ChainError>>,
    names: &[&str],
) -> Result<Verdict, ChainError> {
    let endpoint = |url: &&str| EndpointUrls { rpc: (*url).to_owned(), websocket: None };
    let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
    let voices = Voices::new(&urls.iter().map(endpoint).collect::<Vec<_>>(), &named);
    let needed = voices.of_each().iter().collect::<BTreeSet<_>>().len().min(2);
    let said = said.into_iter().map(|said| said.map(|said| (500, said)));
    let answers = said.enumerate().map(|(place, said)| EndpointAnswer { place, said }).collect();
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Ok(verdict(&some_answer(answers)?, &voices, needed, &names))
}

fn is_unproved(said: Vec<Result<Said, ChainError>>) -> bool {
    matches!(of(said), Ok(Verdict::Unproved(HeldBecause::Silence)))
}

#[test]
fn all_say_absent_and_the_weakest_of_each_is_kept() {
    let Verdict::Absent(proof) = of(vec![Ok(absent(400, 3)), Ok(absent(390, 9)), Ok(absent(410, 0))]).unwrap() else {
        panic!("absent");
    };
    assert_eq!(proof, AbsenceProof { finalised_height: 390, first_available_block: 9 });
}

/// Two are needed of the voices that are configured, however many of these answer.
#[test]
fn fewer_than_two_voices_delay() {
    assert!(is_unproved(vec![Ok(absent(400, 0)), Err(silent())]));
    assert!(is_unproved(vec![Err(silent()), Ok(absent(400, 0))]));
    assert!(is_unproved(vec![Ok(absent(400, 0)), Ok(CANNOT_KNOW)]));
    assert!(is_unproved(vec![Ok(CANNOT_KNOW), Err(silent())]));
    assert!(is_unproved(vec![Ok(absent(400, 0)), Err(silent()), Err(silent())]));
    assert!(is_unproved(vec![]), "no endpoint of the right cluster is none that says absent");
    assert!(matches!(of(vec![Ok(absent(400, 0)), Ok(Said::TooEarly)]), Ok(Verdict::TooEarly)));
    assert!(of(vec![Err(silent()), Err(silent())]).is_err(), "nobody answered");
    assert!(matches!(of(vec![Ok(absent(400, 0)), Err(silent()), Ok(absent(400, 0))]), Ok(Verdict::Absent(_))));
    assert!(matches!(of(vec![Ok(absent(400, 0))]), Ok(Verdict::Absent(_))), "one that is alone has to do");
}

#[test]
fn two_endpoints_of_one_host_say_it_once() {
    let urls = ["https://a.example/1", "https://a.example/2", "https://b.example"];
    let both = || vec![Ok(absent(400, 0)), Ok(absent(400, 0)), Err(silent())];
    assert!(matches!(seen_by(&urls, both(), &[]), Ok(Verdict::Unproved(HeldBecause::Silence))));
    let with_another = vec![Err(silent()), Ok(absent(400, 0)), Ok(absent(400, 0))];
    assert!(matches!(seen_by(&urls, with_another, &[]), Ok(Verdict::Absent(_))), "one node of a voice is enough");
}

/// Guard: `Voices`, by the operator's names. A provider with two hosts has one hole for both of them.
#[test]
fn two_hosts_of_one_named_provider_say_it_once() {
    let urls = ["https://eu.a.example", "https://us.a.example", "https://b.example"];
    let both = || vec![Ok(absent(400, 0)), Ok(absent(400, 0)), Err(silent())];
    assert!(matches!(called(&urls, &[], both(), &[]), Ok(Verdict::Absent(_))));
    let unproved = called(&urls, &["a", "a"], both(), &[]);
    assert!(matches!(unproved, Ok(Verdict::Unproved(HeldBecause::Silence))));
    let with_another = vec![Err(silent()), Ok(absent(400, 0)), Ok(absent(400, 0))];
    assert!(matches!(called(&urls, &["a", "a"], with_another, &["eu.a.example"]), Ok(Verdict::Absent(_))));
}

/// Also one that was taken out of the configuration: what it told is not forgotten with it.
#[test]
fn whoever_told_of_a_landing_has_to_say_itself_that_there_is_none() {
    let urls = ["https://a.example", "https://b.example"];
    let both = || vec![Ok(absent(400, 0)), Ok(absent(400, 0))];
    assert!(matches!(seen_by(&urls, both(), &["b.example"]), Ok(Verdict::Absent(_))));
    assert!(matches!(seen_by(&urls, both(), &["gone.example"]), Ok(Verdict::Unproved(HeldBecause::Seen))));
    let alone = vec![Ok(absent(400, 0))];
    assert!(matches!(seen_by(&urls[..1], alone, &["b.example"]), Ok(Verdict::Unproved(HeldBecause::Seen))));
    let failed = vec![Ok(failed("an error")), Ok(failed("an error"))];
    assert!(matches!(seen_by(&urls, failed, &["gone.example"]), Ok(Verdict::Unproved(HeldBecause::Seen))));
}

#[test]
fn one_that_has_it_ends_the_question() {
    for (others, denies) in [
        (Ok(absent(400, 0)), true),
        (Ok(failed("custom program error")), true),
        (Err(silent()), false),
        (Ok(Said::TooEarly), false),
        (Ok(CANNOT_KNOW), false),
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
    assert!(is_unproved(vec![Ok(absent(400, 0)), Ok(absent(400, 0)), Ok(found(Level::Processed, None))]));
}

#[test]
fn an_error_counts_when_two_voices_tell_the_same_as_final() {
    let told = of(vec![Ok(failed("an error")), Ok(failed("an error"))]).unwrap();
    assert!(matches!(&told, Verdict::Failed { slot: 7, error } if error == "an error"), "{told:?}");
    assert!(matches!(
        told.no_effect(),
        Some(Observation::Failed { slot: 7, finalised: true, error }) if error == "an error"
    ));
    for other in [
        Err(silent()),
        Ok(Said::TooEarly),
        Ok(CANNOT_KNOW),
        Ok(absent(400, 0)),
        Ok(failed("another error")),
        Ok(found(Level::Confirmed, Some("an error"))),
    ] {
        let told = of(vec![Ok(failed("an error")), other]);
        let is_open = matches!(told, Ok(Verdict::TooEarly | Verdict::Unproved(_)));
        assert!(is_open, "{told:?}");
    }
    let contradicted = of(vec![Ok(failed("an error")), Ok(absent(400, 0))]);
    assert!(matches!(contradicted, Ok(Verdict::Unproved(HeldBecause::Contradiction))));
}

/// Guard: [`EndpointAnswer::past`]. What counts is the voice's own finalised height; what is said of a landing has no time.
#[test]
fn a_voice_says_absent_only_when_a_life_has_passed_since_its_first_height() {
    let said =
        |said: Said, dead_after| EndpointAnswer { place: 1, said: Ok((500, said)) }.past(dead_after).said.unwrap().1;
    assert!(matches!(said(absent(401, 0), Some(400)), Said::Absent(_)));
    assert!(matches!(said(absent(400, 0), Some(400)), Said::TooEarly));
    assert!(matches!(said(absent(401, 0), None), Said::TooEarly), "it has told no height yet");
    assert!(matches!(said(failed("x"), None), Said::Found(_)));
    assert!(matches!(said(CANNOT_KNOW, None), Said::CannotKnow { .. }));
}
