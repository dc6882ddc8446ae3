//! `transfer_with_authorization`: which signature counts, who may pay, and the switches the probe looks for.

use super::bench::{Bench, custom, key};
use solana_instruction::Instruction;
use solana_keypair::{Keypair, Signer as _};
use solana_transaction_error::TransactionError;
use sotto::localnet::standins::{Delegation, PayerRule, Rules};
use sotto::programs::inco_token::{IncoTokenError, ed25519_verify};

const MESSAGE: &[u8] = b"pay the merchant";

fn authorised_by(signer: &Keypair, message: &[u8]) -> Instruction {
    ed25519_verify(&signer.pubkey(), message, signer.sign_message(message).as_array())
}

/// The user's signature and a transfer of `units` paid by `payer`.
fn payment(bench: &Bench, payer: &Keypair, units: u128) -> [Instruction; 2] {
    let transfer = bench.payment(payer, bench.encrypt(units));
    [authorised_by(&bench.user, MESSAGE), bench.programs.transfer_with_authorization(&transfer)]
}

fn invalid(instruction: u8) -> TransactionError {
    custom(instruction, IncoTokenError::InvalidInstruction.code())
}

fn not_the_owner(instruction: u8) -> TransactionError {
    custom(instruction, IncoTokenError::OwnerMismatch.code())
}

#[test]
fn the_delegate_pays_with_the_owners_signature() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.approve(1_000);
    let facilitator = bench.facilitator.insecure_clone();
    let payment = payment(&bench, &facilitator, 300);
    bench.land(&payment, &[&facilitator]).unwrap();
    assert_eq!((bench.balance(&bench.user), bench.balance(&bench.merchant)), (700, 300));
}

#[test]
fn each_payer_rule_admits_whom_it_names() {
    for (rule, owner, delegate, stranger) in [
        (PayerRule::Owner, true, false, false),
        (PayerRule::OwnerOrDelegate, true, true, false),
        (PayerRule::Anyone, true, true, true),
    ] {
        let mut bench = Bench::funded(Rules::default(), 1_000);
        bench.approve(1_000);
        bench.stand_ins.switches().change(|rules| rules.payer_rule = rule);
        let payers =
            [bench.user.insecure_clone(), bench.facilitator.insecure_clone(), bench.authority.insecure_clone()];
        for (payer, admitted) in payers.iter().zip([owner, delegate, stranger]) {
            let payment = payment(&bench, payer, 1);
            let result = bench.land(&payment, &[payer]).map(drop);
            let expected = if admitted { Ok(()) } else { Err(not_the_owner(1)) };
            assert_eq!(result, expected, "{rule:?}");
        }
    }
}

#[test]
fn a_documented_cap_binds_the_delegate_and_no_other_payer() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.approve(100);
    bench.stand_ins.switches().change(|rules| rules.delegation = Delegation::Documented);
    let (user, facilitator) = (bench.user.insecure_clone(), bench.facilitator.insecure_clone());
    let above = payment(&bench, &facilitator, 101);
    bench.land(&above, &[&facilitator]).unwrap();
    assert_eq!((bench.balance(&bench.merchant), bench.approved()), (0, 100));
    let within = payment(&bench, &facilitator, 30);
    bench.land(&within, &[&facilitator]).unwrap();
    assert_eq!((bench.balance(&bench.merchant), bench.approved()), (30, 70));
    let own = payment(&bench, &user, 500);
    bench.land(&own, &[&user]).unwrap();
    assert_eq!((bench.balance(&bench.merchant), bench.approved()), (530, 70));
}

#[test]
fn the_stub_checks_the_signature_and_moves_nothing() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.approve(1_000);
    bench.stand_ins.switches().change(|rules| rules.authorization_stub = true);
    let facilitator = bench.facilitator.insecure_clone();
    let before = (bench.account(&bench.user), bench.account(&bench.merchant));
    let good = payment(&bench, &facilitator, 300);
    bench.land(&good, &[&facilitator]).unwrap();
    assert_eq!((bench.account(&bench.user), bench.account(&bench.merchant)), before);
    let forged = [authorised_by(&key(9), MESSAGE), good[1].clone()];
    assert_eq!(bench.refusal(&forged, &[&facilitator]), not_the_owner(1));
}

#[test]
fn insisting_refuses_a_payment_without_the_four_remaining_accounts() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.approve(1_000);
    bench.stand_ins.switches().change(|rules| rules.require_remaining_accounts = true);
    let facilitator = bench.facilitator.insecure_clone();
    let payment = payment(&bench, &facilitator, 300);
    assert_eq!(bench.refusal(&payment, &[&facilitator]), invalid(1));
}

#[test]
fn the_signature_must_be_in_the_instruction_directly_before() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.approve(1_000);
    let facilitator = bench.facilitator.insecure_clone();
    let [signature, transfer] = payment(&bench, &facilitator, 300);
    let between = solana_system_interface::instruction::transfer(&facilitator.pubkey(), &bench.user.pubkey(), 1);
    let cases: [(&[Instruction], u8); 3] = [
        (std::slice::from_ref(&transfer), 0),
        (&[signature.clone(), between, transfer.clone()], 2),
        (&[transfer.clone(), signature.clone()], 0),
    ];
    for (instructions, failing) in cases {
        assert_eq!(bench.refusal(instructions, &[&facilitator]), invalid(failing));
    }
    let before = solana_system_interface::instruction::transfer(&facilitator.pubkey(), &bench.user.pubkey(), 1);
    bench.land(&[before, signature, transfer], &[&facilitator]).unwrap();
    assert_eq!(bench.balance(&bench.merchant), 300, "the index does not have to be zero");
}

#[test]
fn only_the_owners_signature_counts() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.approve(1_000);
    let facilitator = bench.facilitator.insecure_clone();
    let [_, transfer] = payment(&bench, &facilitator, 300);
    for other in [&facilitator, &key(9)] {
        let forged = [authorised_by(other, MESSAGE), transfer.clone()];
        assert_eq!(bench.refusal(&forged, &[&facilitator]), not_the_owner(1));
    }
    let mut altered = authorised_by(&bench.user, MESSAGE);
    *altered.data.last_mut().unwrap() ^= 1;
    assert!(matches!(bench.refusal(&[altered, transfer], &[&facilitator]), TransactionError::InstructionError(0, _)));
}

#[test]
fn two_signatures_or_none_in_the_instruction_are_refused() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.approve(1_000);
    let facilitator = bench.facilitator.insecure_clone();
    let [signature, transfer] = payment(&bench, &facilitator, 300);
    let offsets = &signature.data[2..16];
    let shifted: Vec<u8> = offsets
        .chunks(2)
        .enumerate()
        .flat_map(|(field, bytes)| {
            let value = u16::from_le_bytes([bytes[0], bytes[1]]);
            // The second block of offsets moves what it points at by its own length.
            let value = if [0, 2, 4].contains(&field) { value + 14 } else { value };
            value.to_le_bytes()
        })
        .collect();
    let mut twice = signature.clone();
    twice.data = [&[2, 0], shifted.as_slice(), shifted.as_slice(), &signature.data[16..]].concat();
    assert_eq!(bench.refusal(&[twice, transfer.clone()], &[&facilitator]), invalid(1));
    let mut none = signature;
    none.data = vec![0, 0];
    assert_eq!(bench.refusal(&[none, transfer], &[&facilitator]), invalid(1));
}

/// The offsets of the checked signature point into another instruction: the bytes at the usual place are the owner's
/// key, yet what was verified is the attacker's.
#[test]
fn offsets_into_another_instruction_are_refused_field_by_field() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.approve(1_000);
    let facilitator = bench.facilitator.insecure_clone();
    let [owners, transfer] = payment(&bench, &facilitator, 300);
    let attacker = key(9);
    let attackers = authorised_by(&attacker, MESSAGE);

    let mut disguised = owners.clone();
    for field in [1, 3, 6] {
        disguised.data[2 + 2 * field..4 + 2 * field].copy_from_slice(&0_u16.to_le_bytes());
    }
    assert_eq!(bench.refusal(&[attackers, disguised, transfer.clone()], &[&facilitator]), invalid(2));

    for field in [1, 3, 6] {
        let mut partly = owners.clone();
        partly.data[2 + 2 * field..4 + 2 * field].copy_from_slice(&0_u16.to_le_bytes());
        let attack = [owners.clone(), partly, transfer.clone()];
        assert_eq!(bench.refusal(&attack, &[&facilitator]), invalid(2), "field {field}");
    }

    let mut own_index = owners.clone();
    for field in [1, 3, 6] {
        own_index.data[2 + 2 * field..4 + 2 * field].copy_from_slice(&1_u16.to_le_bytes());
    }
    bench.land(&[owners, own_index, transfer], &[&facilitator]).unwrap();
    assert_eq!(bench.balance(&bench.merchant), 300, "naming its own index is the same as naming itself");
}

#[test]
fn another_account_in_place_of_the_sysvar_is_refused() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.approve(1_000);
    let facilitator = bench.facilitator.insecure_clone();
    let [signature, mut transfer] = payment(&bench, &facilitator, 300);
    transfer.accounts[3].pubkey = key(9).pubkey();
    assert_eq!(bench.refusal(&[signature, transfer], &[&facilitator]), custom(1, 2012));
}

#[test]
fn a_payer_sent_read_only_fails_at_lightnings_door() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.approve(1_000);
    let (facilitator, user) = (bench.facilitator.insecure_clone(), bench.user.insecure_clone());
    let [signature, mut transfer] = payment(&bench, &facilitator, 300);
    transfer.accounts[2].is_writable = false;
    let refusal = bench.refusal(&[signature, transfer], &[&user, &facilitator]);
    let expected = solana_instruction_error::InstructionError::PrivilegeEscalation;
    assert_eq!(refusal, TransactionError::InstructionError(1, expected));
}

#[test]
fn a_published_signature_can_be_used_again() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    bench.approve(1_000);
    let facilitator = bench.facilitator.insecure_clone();
    for _ in 0..2 {
        let payment = payment(&bench, &facilitator, 300);
        bench.land(&payment, &[&facilitator]).unwrap();
    }
    assert_eq!(bench.balance(&bench.merchant), 600);
}
