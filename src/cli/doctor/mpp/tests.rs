//! Each finding, as it should be and as it should not.

use super::*;

fn key(byte: u8) -> Pubkey {
    Pubkey::new_from_array([byte; 32])
}

const NOTHING: ChannelRisks =
    ChannelRisks { issuer: None, live: 0, ending: 0, owed: 0, most_owed: 0, short: 0, shortfall: 0 };

fn told(risks: &ChannelRisks, line: u64) -> Vec<(&'static str, String)> {
    let findings = tell(risks, Amount::new(line).expect("fits"));
    assert!(findings.iter().all(|finding| finding.ok), "a debt is nothing that an operator set wrongly");
    findings.into_iter().map(|finding| (finding.subject, finding.detail)).collect()
}

#[test]
fn a_swig_back_end_needs_its_program() {
    assert!(judge_swig(true).ok);
    let missing = judge_swig(false);
    assert!(!missing.ok && missing.detail.contains("spl-delegate"), "{}", missing.detail);
}

#[test]
fn a_clock_that_is_apart_or_unknown_is_wrong() {
    assert!(judge_clock(ClockDifference::of(100, &[90])).ok);
    let apart = judge_clock(ClockDifference::of(100, &[50]));
    assert!(!apart.ok && apart.detail.contains("50 s ahead"), "{}", apart.detail);
    assert!(!judge_clock(None).ok);
}

#[test]
fn a_root_that_the_ledger_does_not_know_is_wrong() {
    let (own, before, other) = (key(1), key(2), key(3));
    assert!(judge_root(own, &[], None).ok && judge_root(own, &[], Some(own)).ok);
    assert!(judge_root(own, &[before], Some(before)).ok, "its successor");
    let wrong = judge_root(own, &[before], Some(other));
    assert!(!wrong.ok && wrong.detail.contains(&other.to_string()), "{}", wrong.detail);
}

#[test]
fn what_is_owed_lost_and_about_to_end_is_told() {
    let [channels, grants, credit] = told(&NOTHING, 0).try_into().expect("three");
    assert!(channels.1.contains("0 live") && channels.1.contains("nothing was ever written off"), "{channels:?}");
    assert!(grants.1.starts_with("none") && credit.1.starts_with("off"), "{grants:?} {credit:?}");
    let risks = ChannelRisks { live: 3, ending: 2, owed: 700, most_owed: 400, short: 1, shortfall: 90, ..NOTHING };
    let [channels, grants, credit] = told(&risks, 500).try_into().expect("three");
    assert_eq!([channels.0, grants.0, credit.0], ["MPP channels", "MPP grants", "MPP credit line"]);
    assert!(channels.1.contains("3 live, which owe 700") && channels.1.contains("1 ended short of 90"), "{channels:?}");
    assert!(grants.1.contains("those of 2 buyers") && credit.1.contains("400 of 500"), "{grants:?} {credit:?}");
}
