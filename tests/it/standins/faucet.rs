//! The faucet of the demo token, through the same path as everybody's transactions.

use std::sync::Arc;

use solana_keypair::Signer as _;
use sotto::domain::chance::SeededChance;
use sotto::localnet::LocalChain as _;
use sotto::localnet::faucet::{DEMO_DECIMALS, Faucet, FaucetConfig, FaucetError};
use sotto::localnet::standins::Rules;
use sotto::programs::Programs;
use sotto::programs::inco_token::{IncoAccount, IncoMint};

use super::bench::{Bench, key};
use super::chain::BenchChain;

fn open(chain: &Arc<BenchChain>) -> Faucet {
    let config = FaucetConfig {
        programs: Programs::default(),
        encryption_key: chain.with(|bench| bench.stand_ins.encryption_key()),
        mint: [40; 32],
        authority: [41; 32],
        chance: Arc::new(SeededChance::new(1)),
    };
    Faucet::open(chain.clone(), config).unwrap()
}

fn chain() -> Arc<BenchChain> {
    Arc::new(BenchChain::new(Bench::new(Rules::default())))
}

#[test]
fn it_creates_the_mint_once() {
    let chain = chain();
    let (first, second) = (open(&chain), open(&chain));
    assert_eq!(first.mint(), second.mint());
    let mint = IncoMint::decode(&chain.account(&first.mint()).unwrap().data).unwrap();
    assert_eq!((mint.decimals, mint.mint_authority), (DEMO_DECIMALS, Some(first.authority().pubkey())));
}

#[test]
fn gifts_add_up_and_each_balance_can_be_read_by_its_owner() {
    let chain = chain();
    let faucet = open(&chain);
    let wallet = key(50).pubkey();
    for (gift, total) in [(5_000_000, 5_000_000), (1, 5_000_001)] {
        faucet.fund(&wallet, gift).unwrap();
        let address = Programs::default().token_account(&wallet, &faucet.mint());
        let account = IncoAccount::decode(&chain.account(&address).unwrap().data).unwrap();
        assert_eq!(chain.with(|bench| bench.plaintext(account.amount)), Some(total));
        let allowance = Programs::default().decrypt_allowance(account.amount, &wallet);
        assert_eq!(chain.account(&allowance).unwrap().owner, Programs::default().lightning);
    }
}

#[test]
fn a_frozen_account_keeps_its_balance_and_gets_nothing() {
    let chain = chain();
    let faucet = open(&chain);
    let wallet = key(50).pubkey();
    faucet.fund(&wallet, 7).unwrap();
    let account = Programs::default().token_account(&wallet, &faucet.mint());
    let authority = faucet.authority();
    let freeze = Programs::default().freeze_account(&account, &faucet.mint(), &authority.pubkey());
    chain.with(|bench| bench.land(&[freeze], &[authority]).map(drop)).unwrap();
    assert!(matches!(faucet.fund(&wallet, 1), Err(FaucetError::Frozen(frozen)) if frozen == account));
    let stored = IncoAccount::decode(&chain.account(&account).unwrap().data).unwrap();
    assert_eq!(chain.with(|bench| bench.plaintext(stored.amount)), Some(7));
}

#[test]
fn the_purse_is_filled_again() {
    let chain = chain();
    let faucet = open(&chain);
    let authority = faucet.authority().pubkey();
    chain
        .with(|bench| {
            bench.svm.set_account(authority, solana_account::Account { lamports: 1_000_000, ..Default::default() })
        })
        .unwrap();
    faucet.fund(&key(50).pubkey(), 7).unwrap();
    assert!(chain.account(&authority).unwrap().lamports > 1_000_000_000);
}
