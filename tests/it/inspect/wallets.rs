//! What wallets and clients really send is accepted, and stays what the user signed.

use super::{GRANT, LIGHTHOUSE, Scene, encode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::VersionedMessage;
use solana_pubkey::Pubkey;
use sotto::{
    chain::{keys::Signer, transaction::TransactionError},
    domain::signed,
};

/// A Lighthouse assertion as Phantom adds it: opcode, then arguments, over one account.
pub(super) fn assertion(account: Pubkey) -> Instruction {
    let accounts = vec![AccountMeta::new_readonly(account, false)];
    Instruction { program_id: LIGHTHOUSE, accounts, data: vec![5, 0, 1, 2, 3] }
}

#[test]
fn the_published_clients_transaction_is_accepted() {
    for scene in [Scene::new(), Scene::with_payer(6)] {
        let inspected = scene.inspect(&scene.instructions).unwrap();
        assert_eq!(inspected.ciphertext(), scene.ciphertext);
        assert_eq!(*inspected.allowance(), scene.allowance);
        assert_eq!(inspected.grant(), GRANT);
        assert!(inspected.creates_account());
        assert_eq!(inspected.blockhash().to_bytes(), [5; 32]);
        assert_eq!(inspected.fee(), 10_000);
    }
}

#[test]
fn the_accounts_may_stand_in_web3_js_order() {
    // web3.js sorts within each class by base58, the Rust compiler by bytes: the order of equals is free.
    let scene = Scene::new();
    let VersionedMessage::Legacy(mut message) = scene.compile(&scene.instructions) else { unreachable!() };
    let readonly = usize::from(message.header.num_readonly_unsigned_accounts);
    let last = message.account_keys.len() - 1;
    assert!(readonly >= 2);
    message.account_keys.swap(last, last - 1);
    let swap = |index: &mut u8| match usize::from(*index) {
        i if i == last => *index -= 1,
        i if i == last - 1 => *index += 1,
        _ => {}
    };
    for instruction in &mut message.instructions {
        swap(&mut instruction.program_id_index);
        instruction.accounts.iter_mut().for_each(swap);
    }
    scene.inspect_message(VersionedMessage::Legacy(message)).unwrap();
}

#[test]
fn grant_and_creation_are_optional_and_the_unchecked_approve_is_as_good() {
    let scene = Scene::new();
    for instructions in [
        vec![scene.approve_checked()],
        vec![scene.approve()],
        vec![scene.create(), scene.approve()],
        vec![scene.grant(0), scene.approve_checked()],
    ] {
        let inspected = scene.inspect(&instructions).unwrap();
        assert_eq!(inspected.grant(), 0);
        assert_eq!(inspected.creates_account(), instructions[0] == scene.create());
    }
}

#[test]
fn version_0_without_lookup_tables_is_accepted() {
    let scene = Scene::new();
    scene.inspect_message(VersionedMessage::V0(scene.compile_v0(&scene.instructions))).unwrap();
}

#[test]
fn wallets_may_put_a_compute_budget_in_front_and_lighthouse_behind() {
    for scene in [Scene::new(), Scene::with_payer(6)] {
        let mut instructions = vec![
            ComputeBudgetInstruction::set_compute_unit_limit(200_000),
            ComputeBudgetInstruction::set_compute_unit_price(10_000),
        ];
        instructions.extend(scene.instructions.clone());
        instructions.extend([scene.source(), scene.user.pubkey(), Pubkey::new_from_array([0x77; 32])].map(assertion));
        let inspected = scene.inspect(&instructions).unwrap();
        assert_eq!(inspected.fee(), 10_000 + 2_000);
        scene.inspect_message(VersionedMessage::V0(scene.compile_v0(&instructions))).unwrap();
    }
}

#[test]
fn r22_countersigning_leaves_the_users_message_and_signature_as_they_are() {
    let scene = Scene::with_payer(6);
    let transaction = scene.sign(scene.compile(&scene.instructions));
    let before = encode(&transaction);
    let inspected = scene.template().inspect(&STANDARD.encode(&before)).unwrap();
    let refused = inspected.clone().countersign(&scene.spender).unwrap_err();
    assert_eq!(refused, TransactionError::MissingSigner(scene.payer.pubkey()));

    let signed = inspected.countersign(&scene.payer).unwrap();
    assert_eq!(signed.wire[65..], before[65..], "everything behind our own signature");
    let message = &signed.wire[1 + 2 * 64..];
    assert!(signed::verify(&scene.payer.pubkey(), message, &signed.signature.into()));
    assert!(signed::verify(&scene.user.pubkey(), message, signed.wire[65..129].try_into().unwrap()));
}
