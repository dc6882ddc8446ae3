//! When plaintexts become known, and when they are forgotten.

use super::bench::Bench;
use sotto::localnet::standins::{Rules, StandInConfig, StandIns};

#[test]
fn a_simulation_leaves_no_plaintext() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let user = bench.user.insecure_clone();
    let before = bench.stand_ins.vault().snapshot();
    let transfer = bench.programs.transfer(&bench.payment(&user, bench.encrypt(300)));
    let (_, scratch) = bench.simulate(&[transfer], &[&user]);
    assert!(scratch.handles() >= 5, "the simulation did make handles");
    assert_eq!(bench.stand_ins.vault().snapshot(), before);
}

#[test]
fn a_failed_transaction_leaves_no_plaintext() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let user = bench.user.insecure_clone();
    let before = bench.stand_ins.vault().snapshot();
    let good = bench.programs.transfer(&bench.payment(&user, bench.encrypt(300)));
    let mut bad = good.clone();
    bad.data.truncate(9);
    bench.land(&[good, bad], &[&user]).unwrap_err();
    assert_eq!(bench.stand_ins.vault().snapshot(), before);
    assert_eq!(bench.balance(&user), 1_000);
}

#[test]
fn handles_made_in_one_transaction_are_known_within_it() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let user = bench.user.insecure_clone();
    let first = bench.programs.transfer(&bench.payment(&user, bench.encrypt(300)));
    let second = bench.programs.transfer(&bench.payment(&user, bench.encrypt(600)));
    bench.land(&[first, second], &[&user]).unwrap();
    assert_eq!((bench.balance(&user), bench.balance(&bench.merchant)), (100, 900));
}

#[test]
fn a_fork_takes_plaintexts_back() {
    let bench = Bench::funded(Rules::default(), 1_000);
    let handle = bench.account(&bench.user).amount;
    let landed = bench.stand_ins.vault().look_up(handle).unwrap();
    assert_eq!(landed.plaintext, Some(1_000));
    bench.stand_ins.take_back(landed.slot + 1);
    assert!(bench.stand_ins.vault().look_up(handle).is_some());
    bench.stand_ins.take_back(landed.slot);
    assert!(bench.stand_ins.vault().look_up(handle).is_none());
}

#[test]
fn a_vault_survives_its_snapshot() {
    let bench = Bench::funded(Rules::default(), 1_000);
    let text = serde_json::to_string(&bench.stand_ins.vault().snapshot()).unwrap();
    let restored = StandIns::new(StandInConfig::default()).unwrap();
    restored.vault().restore(serde_json::from_str(&text).unwrap());
    assert_eq!(restored.vault().snapshot(), bench.stand_ins.vault().snapshot());
    let handle = bench.account(&bench.user).amount;
    assert_eq!(restored.vault().look_up(handle).unwrap().plaintext, Some(1_000));
}

#[test]
fn two_networks_on_one_thread_do_not_share_rules_or_plaintexts() {
    let mut first = Bench::funded(Rules::default(), 1_000);
    let second = Bench::funded(Rules { authorization_stub: true, ..Rules::default() }, 5);
    let user = first.user.insecure_clone();
    let transfer = first.programs.transfer(&first.payment(&user, first.encrypt(1)));
    first.land(&[transfer], &[&user]).unwrap();
    assert_eq!((first.balance(&user), second.balance(&user)), (999, 5));
    assert!(second.stand_ins.vault().look_up(first.account(&user).amount).is_none());
}
