//! Lightning called directly: handles, chance and attested plaintexts.

use super::bench::{Bench, custom, key};
use solana_instruction::{AccountMeta, Instruction};
use solana_instruction_error::InstructionError;
use solana_keypair::{Keypair, Signer as _};
use solana_sdk_ids::sysvar;
use solana_transaction_error::TransactionError;
use sotto::localnet::standins::Rules;
use sotto::programs::attestation::attestation_digest;
use sotto::programs::discriminator;
use sotto::programs::inco_token::ed25519_verify;

fn operate(bench: &Bench, name: &str, arguments: &[&[u8]]) -> Instruction {
    let accounts = vec![AccountMeta::new(bench.user.pubkey(), true)];
    let bytes = [&discriminator(name), arguments.concat().as_slice()].concat();
    Instruction { program_id: bench.programs.lightning, accounts, data: bytes }
}

/// Lands one operation and gives its handle.
fn handle(bench: &mut Bench, name: &str, arguments: &[&[u8]]) -> u128 {
    let (instruction, user) = (operate(bench, name, arguments), bench.user.insecure_clone());
    let landed = bench.land(&[instruction], &[&user]).unwrap();
    assert_eq!(landed.return_data.program_id, bench.programs.lightning);
    u128::from_le_bytes(landed.return_data.data.try_into().unwrap())
}

#[test]
fn the_same_operation_on_the_same_inputs_is_the_same_handle() {
    let mut bench = Bench::new(Rules::default());
    let five = handle(&mut bench, "as_euint128", &[&5_u128.to_le_bytes()]);
    let again = handle(&mut bench, "as_euint128", &[&5_u128.to_le_bytes()]);
    let six = handle(&mut bench, "as_euint128", &[&6_u128.to_le_bytes()]);
    assert_eq!(five, again);
    assert_ne!(five, six);
    let sum = handle(&mut bench, "e_add", &[&five.to_le_bytes(), &six.to_le_bytes(), &[0]]);
    let product = handle(&mut bench, "e_mul", &[&five.to_le_bytes(), &six.to_le_bytes(), &[0]]);
    assert_eq!((bench.plaintext(sum), bench.plaintext(product)), (Some(11), Some(30)));
}

/// Whether the deployed program takes a ciphertext again is not known, so the stand-in can do both.
#[test]
fn a_ciphertext_that_has_landed_is_taken_again_unless_each_is_taken_once() {
    let mut bench = Bench::new(Rules::default());
    let ciphertext = bench.encrypt(5);
    let length = u32::try_from(ciphertext.len()).unwrap().to_le_bytes();
    let arguments: [&[u8]; 3] = [&length, &ciphertext, &[0]];
    let first = handle(&mut bench, "new_euint128", &arguments);
    assert_eq!(handle(&mut bench, "new_euint128", &arguments), first);
    bench.stand_ins.switches().change(|rules| rules.single_use_ciphertexts = true);
    let (again, user) = (operate(&bench, "new_euint128", &arguments), bench.user.insecure_clone());
    assert_eq!(bench.refusal(&[again], &[&user]), custom(0, 9_001));
    let fresh = bench.encrypt(5);
    let fresh = operate(&bench, "new_euint128", &[&length, &fresh, &[0]]);
    assert_eq!(bench.refusal(&[fresh.clone(), fresh.clone()], &[&user]), custom(1, 9_001), "nor twice at once");
    bench.land(&[fresh], &[&user]).unwrap();
    // Of what nobody encrypted the same is made again and again.
    let five = handle(&mut bench, "as_euint128", &[&5_u128.to_le_bytes()]);
    assert_eq!(handle(&mut bench, "as_euint128", &[&5_u128.to_le_bytes()]), five);
}

#[test]
fn an_operand_that_is_not_initialised_is_refused() {
    let mut bench = Bench::new(Rules::default());
    let user = bench.user.insecure_clone();
    let instruction = operate(&bench, "e_not", &[&0_u128.to_le_bytes(), &[0]]);
    assert_eq!(bench.refusal(&[instruction], &[&user]), custom(0, 404));
}

#[test]
fn the_signer_is_required() {
    let mut bench = Bench::new(Rules::default());
    let user = bench.user.insecure_clone();
    let mut instruction = operate(&bench, "as_euint128", &[&5_u128.to_le_bytes()]);
    instruction.accounts[0] = AccountMeta::new(key(9).pubkey(), false);
    assert_eq!(bench.refusal(std::slice::from_ref(&instruction), &[&user]), custom(0, 3010));
    instruction.accounts.clear();
    assert_eq!(bench.refusal(&[instruction], &[&user]), custom(0, 3005));
}

#[test]
fn chance_gives_a_new_value_each_time_and_a_simulation_foretells_it() {
    let mut bench = Bench::new(Rules::default());
    let user = bench.user.insecure_clone();
    let instruction = operate(&bench, "e_rand", &[&[0]]);
    let (foretold, _) = bench.simulate(&[instruction], &[&user]);
    let foretold = u128::from_le_bytes(foretold.meta.return_data.data.try_into().unwrap());
    let first = handle(&mut bench, "e_rand", &[&[0]]);
    let second = handle(&mut bench, "e_rand", &[&[0]]);
    assert_eq!(first, foretold);
    assert_ne!(bench.plaintext(first).unwrap(), bench.plaintext(second).unwrap());
}

/// A check of one attestation by `signer` of `plaintext`, which claims `claimed`.
fn attested(bench: &Bench, signer: &Keypair, plaintext: u128, claimed: u128) -> [Instruction; 2] {
    let digest = attestation_digest(0xff, plaintext);
    let signature = ed25519_verify(&signer.pubkey(), &digest, signer.sign_message(&digest).as_array());
    let one = 1_u32.to_le_bytes();
    let mut check = operate(
        bench,
        "is_validsignature",
        &[&[1], &[1], &one, &2_u32.to_le_bytes(), b"ff", &[1], &one, &16_u32.to_le_bytes(), &claimed.to_le_bytes()],
    );
    check.accounts.insert(0, AccountMeta::new_readonly(sysvar::instructions::ID, false));
    [signature, check]
}

#[test]
fn an_attested_plaintext_can_be_checked_on_chain() {
    let mut bench = Bench::new(Rules::default());
    let (user, covalidator) = (bench.user.insecure_clone(), key(5));
    assert_eq!(bench.stand_ins.attestation_key(), covalidator.pubkey());
    let good = attested(&bench, &covalidator, 500_000, 500_000);
    let landed = bench.land(&good, &[&user]).unwrap();
    assert_eq!(&landed.return_data.data[..4], &1_u32.to_le_bytes());
    assert_eq!(&landed.return_data.data[4..36], covalidator.pubkey().as_ref());
    let refused = TransactionError::InstructionError(1, InstructionError::InvalidArgument);
    for bad in [attested(&bench, &covalidator, 500_000, 500_001), attested(&bench, &key(9), 500_000, 500_000)] {
        assert_eq!(bench.refusal(&bad, &[&user]), refused);
    }
}

#[test]
fn outside_of_a_network_the_stand_ins_refuse_instead_of_guessing() {
    let mut bench = Bench::new(Rules::default());
    let user = bench.user.insecure_clone();
    let instruction = operate(&bench, "as_euint128", &[&5_u128.to_le_bytes()]);
    let transaction = bench.transaction(&[instruction], &[&user]);
    let failed = bench.svm.send_transaction(transaction).unwrap_err();
    let expected = InstructionError::ProgramEnvironmentSetupFailure;
    assert_eq!(failed.err, TransactionError::InstructionError(0, expected));
}
