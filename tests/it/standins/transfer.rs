//! Transfers by owner and delegate, under both readings of what a delegate may move.

use super::bench::{Bench, custom, key};
use solana_keypair::Signer as _;
use sotto::localnet::standins::{Delegation, Rules};
use sotto::programs::inco_token::{IncoTokenError, Transfer};

const DOCUMENTED: Rules = Rules {
    delegation: Delegation::Documented,
    payer_rule: sotto::localnet::standins::PayerRule::OwnerOrDelegate,
    authorization_stub: false,
    require_remaining_accounts: false,
    single_use_ciphertexts: false,
};

/// The facilitator moves `units` from the user to the merchant with the delegate's `transfer`.
fn delegate_moves(bench: &mut Bench, units: u128) {
    let facilitator = bench.facilitator.insecure_clone();
    let transfer = bench.payment(&facilitator, bench.encrypt(units));
    let transfer = bench.programs.transfer(&transfer);
    bench.land(&[transfer], &[&facilitator]).unwrap();
}

#[test]
fn the_owner_moves_an_amount() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let user = bench.user.insecure_clone();
    let transfer = bench.payment(&user, bench.encrypt(300));
    let transfer = bench.programs.transfer(&transfer);
    let landed = bench.land(&[transfer], &[&user]).unwrap();
    assert_eq!((bench.balance(&user), bench.balance(&bench.merchant)), (700, 300));
    assert!(landed.inner_instructions[0].len() >= 6, "Lightning's calls are inner instructions");
    assert!(landed.logs.iter().any(|line| line.contains("stand-in")), "{:?}", landed.logs);
}

#[test]
fn a_short_balance_moves_zero_and_succeeds() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let user = bench.user.insecure_clone();
    let before = bench.account(&user).amount;
    let transfer = bench.payment(&user, bench.encrypt(1_001));
    let transfer = bench.programs.transfer(&transfer);
    bench.land(&[transfer], &[&user]).unwrap();
    assert_eq!((bench.balance(&user), bench.balance(&bench.merchant)), (1_000, 0));
    assert_ne!(bench.account(&user).amount, before, "the handle changes although the amount does not");
}

#[test]
fn a_ciphertext_for_another_key_moves_zero_and_succeeds() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let user = bench.user.insecure_clone();
    for ciphertext in [vec![4; 114], vec![], b"0".to_vec()] {
        let transfer = bench.programs.transfer(&bench.payment(&user, ciphertext));
        bench.land(&[transfer], &[&user]).unwrap();
        assert_eq!((bench.balance(&user), bench.balance(&bench.merchant)), (1_000, 0));
    }
}

#[test]
fn a_public_delegate_may_move_more_than_it_was_approved() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.approve(100);
    delegate_moves(&mut bench, 900);
    assert_eq!((bench.balance(&bench.user), bench.balance(&bench.merchant), bench.approved()), (100, 900, 100));
}

#[test]
fn a_documented_delegate_moves_up_to_its_cap_and_lowers_it() {
    let mut bench = Bench::funded(DOCUMENTED, 1_000);
    bench.approve(100);
    delegate_moves(&mut bench, 60);
    assert_eq!((bench.balance(&bench.merchant), bench.approved()), (60, 40));
    delegate_moves(&mut bench, 41);
    assert_eq!((bench.balance(&bench.merchant), bench.approved()), (60, 40), "more than the cap moves zero");
    delegate_moves(&mut bench, 40);
    assert_eq!((bench.balance(&bench.merchant), bench.approved()), (100, 0));
}

#[test]
fn a_documented_cap_above_the_balance_does_not_create_money() {
    let mut bench = Bench::funded(DOCUMENTED, 50);
    bench.approve(100);
    delegate_moves(&mut bench, 60);
    assert_eq!((bench.balance(&bench.user), bench.balance(&bench.merchant), bench.approved()), (50, 0, 100));
}

#[test]
fn a_documented_cap_does_not_bind_the_owner() {
    let mut bench = Bench::funded(DOCUMENTED, 1_000);
    bench.approve(100);
    let user = bench.user.insecure_clone();
    let transfer = bench.payment(&user, bench.encrypt(500));
    let transfer = bench.programs.transfer(&transfer);
    bench.land(&[transfer], &[&user]).unwrap();
    assert_eq!((bench.balance(&bench.merchant), bench.approved()), (500, 100));
}

#[test]
fn delegation_can_be_switched_while_the_network_runs() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.approve(100);
    delegate_moves(&mut bench, 200);
    bench.stand_ins.switches().change(|rules| rules.delegation = Delegation::Documented);
    delegate_moves(&mut bench, 200);
    assert_eq!(bench.balance(&bench.merchant), 200);
}

#[test]
fn a_second_approval_replaces_the_first_delegate() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.approve(100);
    let (user, other) = (bench.user.insecure_clone(), key(9));
    let (source, ciphertext) = (bench.token_account(&user), bench.encrypt(5));
    let approve = bench.programs.approve(&source, &other.pubkey(), &user.pubkey(), &ciphertext, None);
    bench.land(&[approve], &[&user]).unwrap();
    assert_eq!(bench.account(&user).delegate, Some(other.pubkey()));
    assert_eq!(bench.approved(), 5);
    let facilitator = bench.facilitator.insecure_clone();
    let transfer = bench.programs.transfer(&bench.payment(&facilitator, bench.encrypt(1)));
    let refusal = bench.refusal(&[transfer], &[&facilitator]);
    assert_eq!(refusal, custom(0, IncoTokenError::OwnerMismatch.code()));
}

#[test]
fn a_revoked_delegate_is_refused() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.approve(100);
    let (user, facilitator) = (bench.user.insecure_clone(), bench.facilitator.insecure_clone());
    let revoke = bench.programs.revoke(&bench.token_account(&user), &user.pubkey());
    bench.land(&[revoke], &[&user]).unwrap();
    assert_eq!((bench.account(&user).delegate, bench.approved()), (None, 0));
    let transfer = bench.programs.transfer(&bench.payment(&facilitator, bench.encrypt(1)));
    assert_eq!(bench.refusal(&[transfer], &[&facilitator]), custom(0, IncoTokenError::OwnerMismatch.code()));
}

#[test]
fn a_frozen_account_neither_pays_nor_is_paid() {
    for payer_is_frozen in [true, false] {
        let mut bench = Bench::funded(Rules::default(), 1_000);
        let user = bench.user.insecure_clone();
        let frozen = if payer_is_frozen { user.insecure_clone() } else { bench.merchant.insecure_clone() };
        bench.set_frozen(&frozen, true);
        let transfer = bench.programs.transfer(&bench.payment(&user, bench.encrypt(1)));
        assert_eq!(
            bench.refusal(std::slice::from_ref(&transfer), &[&user]),
            custom(0, IncoTokenError::AccountFrozen.code())
        );
        bench.set_frozen(&frozen, false);
        bench.land(&[transfer], &[&user]).unwrap();
        assert_eq!(bench.balance(&bench.merchant), 1);
    }
}

#[test]
fn a_transfer_to_oneself_succeeds_and_does_nothing() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let user = bench.user.insecure_clone();
    let before = bench.account(&user);
    let source = bench.token_account(&user);
    let transfer = Transfer { destination: source, ..bench.payment(&user, bench.encrypt(1)) };
    let transfer = bench.programs.transfer(&transfer);
    bench.land(&[transfer], &[&user]).unwrap();
    assert_eq!(bench.account(&user), before);
}

#[test]
fn a_merchant_without_an_account_is_anchors_3012() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let user = bench.user.insecure_clone();
    let destination = bench.token_account(&key(33));
    let transfer = Transfer { destination, ..bench.payment(&user, bench.encrypt(1)) };
    let transfer = bench.programs.transfer(&transfer);
    assert_eq!(bench.refusal(&[transfer], &[&user]), custom(0, 3012));
}

#[test]
fn wrong_accounts_are_refused_with_anchors_codes() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let user = bench.user.insecure_clone();
    let good = bench.programs.transfer(&bench.payment(&user, bench.encrypt(1)));
    let cases: [(usize, solana_pubkey::Pubkey, u32); 5] = [
        (0, bench.mint.pubkey(), 3002),
        (0, user.pubkey(), 3007),
        (3, user.pubkey(), 2012),
        (4, user.pubkey(), 3008),
        (1, bench.programs.lightning, 3007),
    ];
    for (position, account, code) in cases {
        let mut bad = good.clone();
        bad.accounts[position].pubkey = account;
        assert_eq!(bench.refusal(&[bad], &[&user]), custom(0, code), "account {position}");
    }
    let mut unsigned = good.clone();
    unsigned.accounts[2].is_signer = false;
    unsigned.accounts[2].pubkey = bench.merchant.pubkey();
    assert_eq!(bench.refusal(&[unsigned], &[&user]), custom(0, 3010));
    let mut read_only = good.clone();
    read_only.accounts[0].is_writable = false;
    assert_eq!(bench.refusal(&[read_only], &[&user]), custom(0, 2000));
    let mut short = good.clone();
    short.accounts.truncate(4);
    assert_eq!(bench.refusal(&[short], &[&user]), custom(0, 3005));
    for (bytes, code) in [(vec![], 100), (vec![1; 8], 101), (good.data[..20].to_vec(), 102)] {
        let mut bad = good.clone();
        bad.data = bytes;
        assert_eq!(bench.refusal(&[bad], &[&user]), custom(0, code));
    }
}

#[test]
fn insisting_on_remaining_accounts_refuses_a_bare_transfer() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.stand_ins.switches().change(|rules| rules.require_remaining_accounts = true);
    let user = bench.user.insecure_clone();
    let transfer = bench.programs.transfer(&bench.payment(&user, bench.encrypt(1)));
    assert_eq!(bench.refusal(&[transfer], &[&user]), custom(0, IncoTokenError::InvalidInstruction.code()));
}
