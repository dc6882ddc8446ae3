//! Creating, freezing, closing, minting and burning.

use super::bench::{Bench, DECIMALS, custom, key};
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Signer as _;
use solana_sdk_ids::system_program;
use sotto::localnet::standins::Rules;
use sotto::programs::discriminator;
use sotto::programs::inco_token::{AccountState, IncoAccount, IncoMint, IncoTokenError};

/// A burn by the user, without remaining accounts.
fn burn(bench: &Bench, units: u128, decimals: Option<u8>) -> Instruction {
    let ciphertext = bench.encrypt(units);
    let mut bytes = discriminator(if decimals.is_some() { "burn_checked" } else { "burn" }).to_vec();
    bytes.extend_from_slice(&u32::try_from(ciphertext.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&ciphertext);
    bytes.push(0);
    bytes.extend(decimals);
    let accounts = vec![
        AccountMeta::new(bench.token_account(&bench.user), false),
        AccountMeta::new(bench.mint.pubkey(), false),
        AccountMeta::new(bench.user.pubkey(), true),
        AccountMeta::new_readonly(bench.programs.lightning, false),
        AccountMeta::new_readonly(system_program::ID, false),
    ];
    Instruction { program_id: bench.programs.token, accounts, data: bytes }
}

#[test]
fn a_new_account_is_empty_and_rent_exempt() {
    let bench = Bench::new(Rules::default());
    let stored = bench.svm.get_account(&bench.token_account(&bench.user)).unwrap();
    assert_eq!((stored.owner, stored.data.len()), (bench.programs.token, IncoAccount::SIZE));
    assert_eq!(stored.lamports, bench.svm.minimum_balance_for_rent_exemption(IncoAccount::SIZE));
    let account = bench.account(&bench.user);
    assert_eq!((account.mint, account.owner), (bench.mint.pubkey(), bench.user.pubkey()));
    assert_eq!((account.state, account.delegate), (AccountState::Initialised, None));
    assert_eq!(bench.balance(&bench.user), 0);
    let mint = IncoMint::decode(&bench.svm.get_account(&bench.mint.pubkey()).unwrap().data).unwrap();
    assert_eq!((mint.decimals, mint.mint_authority), (DECIMALS, Some(bench.authority.pubkey())));
}

#[test]
fn creating_again_changes_nothing() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let before = bench.account(&bench.user);
    let payer = bench.facilitator.insecure_clone();
    let create = bench.programs.create_idempotent(&payer.pubkey(), &bench.user.pubkey(), &bench.mint.pubkey());
    bench.land(&[create], &[&payer]).unwrap();
    assert_eq!(bench.account(&bench.user), before);
}

#[test]
fn creating_a_frozen_account_again_resets_its_balance() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let (user, payer) = (bench.user.insecure_clone(), bench.facilitator.insecure_clone());
    bench.set_frozen(&user, true);
    assert_eq!(bench.account(&user).state, AccountState::Frozen);
    let create = bench.programs.create_idempotent(&payer.pubkey(), &user.pubkey(), &bench.mint.pubkey());
    bench.land(&[create], &[&payer]).unwrap();
    assert_eq!((bench.account(&user).state, bench.balance(&user)), (AccountState::Initialised, 0));
}

#[test]
fn lamports_sent_ahead_do_not_block_an_account() {
    let mut bench = Bench::new(Rules::default());
    let payer = bench.facilitator.insecure_clone();
    let wallet = key(20);
    let address = bench.token_account(&wallet);
    bench.svm.airdrop(&address, 1_000_000_000).unwrap();
    let create = bench.programs.create_idempotent(&payer.pubkey(), &wallet.pubkey(), &bench.mint.pubkey());
    bench.land(&[create], &[&payer]).unwrap();
    assert_eq!(bench.balance(&wallet), 0);
}

#[test]
fn creating_at_another_address_is_refused() {
    let mut bench = Bench::new(Rules::default());
    let payer = bench.facilitator.insecure_clone();
    let mut create = bench.programs.create_idempotent(&payer.pubkey(), &key(20).pubkey(), &bench.mint.pubkey());
    create.accounts[1].pubkey = key(21).pubkey();
    assert_eq!(bench.refusal(&[create], &[&payer]), custom(0, 2006));
}

#[test]
fn create_refuses_an_account_that_exists() {
    let mut bench = Bench::new(Rules::default());
    let payer = bench.facilitator.insecure_clone();
    let mut create = bench.programs.create_idempotent(&payer.pubkey(), &bench.user.pubkey(), &bench.mint.pubkey());
    create.data = discriminator("create").to_vec();
    assert_eq!(bench.refusal(std::slice::from_ref(&create), &[&payer]), custom(0, 0));
}

#[test]
fn an_account_with_a_key_of_its_own_can_be_initialised() {
    let mut bench = Bench::new(Rules::default());
    let (payer, fresh) = (bench.facilitator.insecure_clone(), key(22));
    let accounts = vec![
        AccountMeta::new(fresh.pubkey(), true),
        AccountMeta::new_readonly(bench.mint.pubkey(), false),
        AccountMeta::new_readonly(bench.user.pubkey(), false),
        AccountMeta::new(payer.pubkey(), true),
        AccountMeta::new_readonly(system_program::ID, false),
        AccountMeta::new_readonly(bench.programs.lightning, false),
    ];
    let bytes = discriminator("initialize_account").to_vec();
    let create = Instruction { program_id: bench.programs.token, accounts, data: bytes };
    bench.land(&[create], &[&payer, &fresh]).unwrap();
    let stored = bench.svm.get_account(&fresh.pubkey()).unwrap();
    assert_eq!(IncoAccount::decode(&stored.data).unwrap().owner, bench.user.pubkey());
}

#[test]
fn only_the_mint_authority_mints() {
    let mut bench = Bench::new(Rules::default());
    let (user, ciphertext) = (bench.user.insecure_clone(), bench.encrypt(5));
    let account = bench.token_account(&user);
    let mint_to = bench.programs.mint_to(&bench.mint.pubkey(), &account, &user.pubkey(), &ciphertext, None);
    assert_eq!(bench.refusal(&[mint_to], &[&user]), custom(0, IncoTokenError::OwnerMismatch.code()));
}

#[test]
fn minting_and_burning_move_the_supply() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let user = bench.user.insecure_clone();
    for (units, decimals, left) in [(300, None, 700), (800, None, 700), (200, Some(DECIMALS), 500)] {
        let burn = burn(&bench, units, decimals);
        bench.land(&[burn], &[&user]).unwrap();
        let mint = IncoMint::decode(&bench.svm.get_account(&bench.mint.pubkey()).unwrap().data).unwrap();
        assert_eq!((bench.balance(&user), bench.plaintext(mint.supply)), (left, Some(left)), "burning {units}");
    }
    let wrong = burn(&bench, 1, Some(DECIMALS + 1));
    assert_eq!(bench.refusal(&[wrong], &[&user]), custom(0, IncoTokenError::MintDecimalsMismatch.code()));
}

#[test]
fn approving_with_other_decimals_is_refused() {
    let mut bench = Bench::new(Rules::default());
    let (user, ciphertext) = (bench.user.insecure_clone(), bench.encrypt(5));
    let (source, mint) = (bench.token_account(&user), bench.mint.pubkey());
    let delegate = bench.facilitator.pubkey();
    let approve = bench.programs.approve_checked(&source, &mint, &delegate, &user.pubkey(), &ciphertext, 9, None);
    assert_eq!(bench.refusal(&[approve], &[&user]), custom(0, IncoTokenError::MintDecimalsMismatch.code()));
}

#[test]
fn nobody_approves_for_another() {
    let mut bench = Bench::new(Rules::default());
    let (facilitator, ciphertext) = (bench.facilitator.insecure_clone(), bench.encrypt(5));
    let source = bench.token_account(&bench.user);
    let me = facilitator.pubkey();
    let approve = bench.programs.approve(&source, &me, &me, &ciphertext, None);
    assert_eq!(bench.refusal(&[approve], &[&facilitator]), custom(0, IncoTokenError::OwnerMismatch.code()));
}

#[test]
fn closing_pays_the_rent_to_the_owner() {
    let mut bench = Bench::new(Rules::default());
    let user = bench.user.insecure_clone();
    let account = bench.token_account(&user);
    let rent = bench.svm.get_balance(&account).unwrap();
    let before = bench.svm.get_balance(&user.pubkey()).unwrap();
    let close = bench.programs.close_account(&account, &user.pubkey(), &user.pubkey());
    bench.land(&[close], &[&user]).unwrap();
    assert_eq!(bench.svm.get_balance(&user.pubkey()).unwrap(), before + rent - 5_000);
    assert!(bench.svm.get_account(&account).is_none_or(|closed| closed.lamports == 0));
    let transfer = bench.programs.transfer(&bench.payment(&user, bench.encrypt(1)));
    assert_eq!(bench.refusal(&[transfer], &[&user]), custom(0, 3012));
}

#[test]
fn a_stranger_neither_closes_nor_freezes() {
    let mut bench = Bench::new(Rules::default());
    let (account, stranger) = (bench.token_account(&bench.user), bench.facilitator.insecure_clone());
    let (mint, me) = (bench.mint.pubkey(), stranger.pubkey());
    for instruction in
        [bench.programs.close_account(&account, &me, &me), bench.programs.freeze_account(&account, &mint, &me)]
    {
        assert_eq!(bench.refusal(&[instruction], &[&stranger]), custom(0, IncoTokenError::OwnerMismatch.code()));
    }
    let thaw = bench.programs.thaw_account(&account, &mint, &me);
    assert_eq!(bench.refusal(&[thaw], &[&stranger]), custom(0, IncoTokenError::InvalidState.code()));
}
