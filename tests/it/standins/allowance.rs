//! Decrypt allowances: who pays, when they are made, and that making them twice costs nothing.

use super::bench::{Bench, custom, key};
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::{Keypair, Signer as _};
use solana_pubkey::Pubkey;
use sotto::localnet::standins::Rules;
use sotto::programs::discriminator;
use sotto::programs::inco_token::{IncoAccount, Transfer};

const RENT: u64 = 960_480;

pub(super) fn allow(bench: &Bench, handle: u128, payer: &Keypair, allowed: &Pubkey) -> Instruction {
    let mut bytes = discriminator("allow").to_vec();
    bytes.extend_from_slice(&handle.to_le_bytes());
    bytes.push(1);
    bytes.extend_from_slice(allowed.as_ref());
    let accounts = vec![
        AccountMeta::new(bench.programs.decrypt_allowance(handle, allowed), false),
        AccountMeta::new(payer.pubkey(), true),
        AccountMeta::new_readonly(*allowed, false),
        AccountMeta::new_readonly(solana_sdk_ids::system_program::ID, false),
    ];
    Instruction { program_id: bench.programs.lightning, accounts, data: bytes }
}

#[test]
fn the_signer_pays_the_rent_once() {
    let mut bench = Bench::new(Rules::default());
    let user = bench.user.insecure_clone();
    let instruction = allow(&bench, 7, &user, &key(9).pubkey());
    let start = bench.svm.get_balance(&user.pubkey()).unwrap();
    bench.land(std::slice::from_ref(&instruction), &[&user]).unwrap();
    let after = bench.svm.get_balance(&user.pubkey()).unwrap();
    assert_eq!(start - after, RENT + 5_000);
    let account = bench.svm.get_account(&instruction.accounts[0].pubkey).unwrap();
    assert_eq!((account.owner, account.data.len(), account.lamports), (bench.programs.lightning, 10, RENT));
    bench.land(&[instruction], &[&user]).unwrap();
    assert_eq!(after - bench.svm.get_balance(&user.pubkey()).unwrap(), 5_000, "the second time only the fee");
}

#[test]
fn lamports_sent_ahead_do_not_block_an_allowance() {
    let mut bench = Bench::new(Rules::default());
    let user = bench.user.insecure_clone();
    let instruction = allow(&bench, 7, &user, &user.pubkey());
    let address = instruction.accounts[0].pubkey;
    bench.svm.airdrop(&address, 900_000).unwrap();
    bench.land(&[instruction], &[&user]).unwrap();
    let account = bench.svm.get_account(&address).unwrap();
    assert_eq!((account.owner, account.lamports), (bench.programs.lightning, RENT));
}

#[test]
fn a_wrong_address_and_a_missing_signature_are_refused() {
    let mut bench = Bench::new(Rules::default());
    let user = bench.user.insecure_clone();
    let good = allow(&bench, 7, &user, &user.pubkey());
    let mut elsewhere = good.clone();
    elsewhere.accounts[0].pubkey = bench.programs.decrypt_allowance(8, &user.pubkey());
    assert_eq!(bench.refusal(&[elsewhere], &[&user]), custom(0, 2006));
    let mut for_another = good.clone();
    for_another.accounts[2].pubkey = key(9).pubkey();
    assert_eq!(bench.refusal(&[for_another], &[&user]), custom(0, 2012));
    let mut unsigned = good.clone();
    unsigned.accounts[1] = AccountMeta::new(key(9).pubkey(), false);
    assert_eq!(bench.refusal(&[unsigned], &[&user]), custom(0, 3010));
}

/// What a simulation says the two new balances' handles are.
fn handles_after(bench: &mut Bench, transfer: &Transfer, signer: &Keypair) -> (u128, u128) {
    let accounts = bench.simulate(&[bench.programs.transfer(transfer)], &[signer]).0.post_accounts;
    let amount = |wanted: &Pubkey| {
        let (_, account) = accounts.iter().find(|(address, _)| address == wanted).unwrap();
        IncoAccount::decode(solana_account::ReadableAccount::data(account)).unwrap().amount
    };
    (amount(&transfer.source), amount(&transfer.destination))
}

#[test]
fn a_simulation_tells_the_handles_that_a_transfer_grants_allowances_for() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let (user, merchant) = (bench.user.insecure_clone(), bench.merchant.insecure_clone());
    let mut transfer = bench.payment(&user, bench.encrypt(300));
    let (source, destination) = handles_after(&mut bench, &transfer, &user);
    transfer.allowances = Some([bench.allowance(source, &user), bench.allowance(destination, &merchant)]);
    let instruction = bench.programs.transfer(&transfer);
    bench.stand_ins.switches().change(|rules| rules.require_remaining_accounts = true);
    bench.land(&[instruction], &[&user]).unwrap();
    assert_eq!((bench.account(&user).amount, bench.account(&merchant).amount), (source, destination));
    for allowance in [bench.allowance(source, &user), bench.allowance(destination, &merchant)] {
        assert_eq!(bench.svm.get_account(&allowance.account).unwrap().owner, bench.programs.lightning);
    }
}

#[test]
fn a_stale_allowance_fails_the_transfer() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let (user, merchant) = (bench.user.insecure_clone(), bench.merchant.insecure_clone());
    let mut transfer = bench.payment(&user, bench.encrypt(300));
    let (source, destination) = handles_after(&mut bench, &transfer, &user);
    transfer.allowances = Some([bench.allowance(source, &user), bench.allowance(destination, &merchant)]);
    bench.mint_to(user.pubkey(), 1);
    let instruction = bench.programs.transfer(&transfer);
    assert_eq!(bench.refusal(&[instruction], &[&user]), custom(0, 2006));
    assert_eq!(bench.balance(&user), 1_001);
}

#[test]
fn an_approval_lets_the_delegate_read_its_cap() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let (user, facilitator) = (bench.user.insecure_clone(), bench.facilitator.insecure_clone());
    let ciphertext = bench.encrypt(250);
    let build = |bench: &Bench, allowance| {
        let source = bench.token_account(&user);
        bench.programs.approve(&source, &facilitator.pubkey(), &user.pubkey(), &ciphertext, allowance)
    };
    let first = build(&bench, None);
    bench.land(&[first], &[&user]).unwrap();
    let handle = bench.account(&user).delegated_amount;
    let again = build(&bench, Some(bench.allowance(handle, &facilitator)));
    bench.land(&[again], &[&user]).unwrap();
    assert_eq!(bench.account(&user).delegated_amount, handle, "the same ciphertext is the same handle");
    let allowance = bench.allowance(handle, &facilitator);
    assert!(bench.svm.get_account(&allowance.account).is_some());
}
