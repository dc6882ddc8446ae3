//! Each known way to make a co-signer sign what it should not, by name.

use super::{GRANT, Scene, encode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_instruction::{AccountMeta, Instruction};
use solana_message::{VersionedMessage, v0::MessageAddressTableLookup};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_system_interface::instruction as system;
use sotto::{
    chain::{
        inspect::TransactionRefusal,
        keys::{LocalSigner, Signer},
    },
    programs::inco_token::{Allowance, Transfer},
};

pub(super) fn key(byte: u8) -> Pubkey {
    LocalSigner::from_seed(&[byte; 32]).pubkey()
}

pub(super) fn is_foreign(refusal: &TransactionRefusal) -> bool {
    matches!(refusal, TransactionRefusal::ForeignInstruction { .. })
}

pub(super) fn is_out_of_place(refusal: &TransactionRefusal) -> bool {
    use TransactionRefusal::{Differs, OutOfOrder, TooMany};
    is_foreign(refusal) || matches!(refusal, Differs { .. } | OutOfOrder { .. } | TooMany { .. })
}

#[test]
fn r01_a_foreign_program_is_refused_wherever_it_stands() {
    let scene = Scene::new();
    let memo = Instruction { program_id: key(40), accounts: Vec::new(), data: b"hello".to_vec() };
    scene.refuses_anywhere(&memo, is_foreign);
    let with_us = Instruction { accounts: vec![AccountMeta::new(scene.payer.pubkey(), true)], ..memo };
    scene.refuses_anywhere(&with_us, is_foreign);
}

#[test]
fn r01_sol_cannot_be_drained_from_the_fee_payer() {
    let scene = Scene::new();
    let payer = scene.payer.pubkey();
    scene.refuses_anywhere(&system::transfer(&payer, &key(40), 1), is_out_of_place);
    scene.refuses_anywhere(&system::transfer(&payer, &scene.user.pubkey(), 1), is_out_of_place);
    scene.refuses_anywhere(&system::create_account(&payer, &key(40), 1, 0, &key(41)), |r| {
        is_out_of_place(r) || *r == TransactionRefusal::Signers
    });
    scene.refuses_anywhere(&system::assign(&payer, &key(41)), is_out_of_place);
    scene.refuses_anywhere(&system::allocate(&payer, 10), is_out_of_place);
    let lone = scene.inspect(&[system::transfer(&payer, &key(40), GRANT), scene.approve()]).unwrap_err();
    assert!(matches!(lone, TransactionRefusal::Differs { index: 0, .. }));
}

#[test]
fn r01_the_spender_cannot_be_made_to_move_another_users_tokens() {
    let scene = Scene::new();
    let victim = scene.programs.token_account(&key(50), &scene.mint);
    let theft = Transfer {
        source: victim,
        destination: scene.source(),
        authority: scene.spender.pubkey(),
        ciphertext: scene.ciphertext.clone(),
        allowances: None,
    };
    for instruction in [scene.programs.transfer(&theft), scene.programs.transfer_with_authorization(&theft)] {
        scene.refuses_anywhere(&instruction, is_out_of_place);
        assert_eq!(scene.inspect(std::slice::from_ref(&instruction)).unwrap_err(), TransactionRefusal::Signers);
    }
}

#[test]
fn r01_the_fee_payer_is_never_a_token_authority_or_a_rent_destination() {
    let scene = Scene::new();
    let payer = scene.payer.pubkey();
    let own = scene.programs.token_account(&payer, &scene.mint);
    for instruction in [
        scene.programs.revoke(&own, &payer),
        scene.programs.approve(&own, &key(40), &payer, &scene.ciphertext, None),
        scene.programs.close_account(&own, &key(40), &payer),
        scene.programs.close_account(&scene.source(), &payer, &scene.user.pubkey()),
        scene.programs.freeze_account(&own, &scene.mint, &payer),
        scene.programs.mint_to(&scene.mint, &scene.source(), &payer, &scene.ciphertext, None),
    ] {
        scene.refuses_anywhere(&instruction, is_out_of_place);
    }
}

#[test]
fn r01_no_third_party_may_have_to_sign() {
    let scene = Scene::new();
    let mut third = scene.instructions.clone();
    third[2].accounts.push(AccountMeta::new_readonly(key(40), true));
    assert_eq!(scene.inspect(&third).unwrap_err(), TransactionRefusal::Signers);

    let VersionedMessage::Legacy(mut raised) = scene.compile(&scene.instructions) else { unreachable!() };
    raised.header.num_required_signatures = 3;
    assert_eq!(scene.inspect_message(VersionedMessage::Legacy(raised)).unwrap_err(), TransactionRefusal::Signers);

    // A pool key of ours as second signer, and a spender that is not the fee payer but is asked to sign.
    let scene = Scene::with_payer(6);
    for ours in [key(9), scene.spender.pubkey()] {
        let mut instructions = scene.instructions.clone();
        instructions[2].accounts.push(AccountMeta::new_readonly(ours, true));
        assert_eq!(scene.inspect(&instructions).unwrap_err(), TransactionRefusal::Signers);
    }
}

#[test]
fn r01_no_account_may_have_more_rights_than_in_our_own_compilation() {
    let scene = Scene::with_payer(6);
    for (place, mint) in [(2, scene.mint), (2, scene.spender.pubkey()), (2, scene.programs.lightning)] {
        let mut instructions = scene.instructions.clone();
        for account in instructions[place].accounts.iter_mut().filter(|account| account.pubkey == mint) {
            account.is_writable = true;
        }
        assert_eq!(scene.inspect(&instructions).unwrap_err(), TransactionRefusal::AccountRights(mint));
    }
    // Fewer rights are not the template either.
    let mut instructions = vec![scene.approve_checked()];
    instructions[0].accounts[3].is_writable = false;
    assert!(matches!(scene.inspect(&instructions).unwrap_err(), TransactionRefusal::AccountRights(_)));
}

#[test]
fn r01_no_account_may_be_listed_that_no_instruction_uses() {
    let scene = Scene::new();
    let VersionedMessage::Legacy(mut message) = scene.compile(&scene.instructions) else { unreachable!() };
    message.account_keys.push(key(40));
    message.header.num_readonly_unsigned_accounts += 1;
    let refusal = scene.inspect_message(VersionedMessage::Legacy(message)).unwrap_err();
    assert_eq!(refusal, TransactionRefusal::AccountRights(key(40)));
}

#[test]
fn r05_a_transaction_without_an_approve_opens_nothing() {
    let scene = Scene::new();
    for instructions in [vec![], vec![scene.grant(1)], vec![scene.grant(1), scene.create()]] {
        let refusal = scene.inspect(&instructions).unwrap_err();
        // Alone, an empty transaction does not even need the user's signature.
        assert!(matches!(refusal, TransactionRefusal::NoApprove | TransactionRefusal::Signers), "{refusal}");
    }
}

#[test]
fn r05_every_part_of_the_approve_is_ours_or_refused() {
    let scene = Scene::new();
    let (source, spender, user, pair) =
        (scene.source(), scene.spender.pubkey(), scene.user.pubkey(), Some(scene.pair()));
    let (programs, cipher) = (&scene.programs, scene.ciphertext.as_slice());
    let strange = |account, holder| Some(Allowance { account, holder });
    let other_mint = programs.token_account(&user, &key(41));
    let other_user = programs.token_account(&key(50), &scene.mint);
    let wrong = [
        programs.approve_checked(&source, &scene.mint, &key(40), &user, cipher, 6, pair),
        programs.approve_checked(&other_mint, &scene.mint, &spender, &user, cipher, 6, pair),
        programs.approve_checked(&other_user, &scene.mint, &spender, &user, cipher, 6, pair),
        programs.approve_checked(&source, &key(41), &spender, &user, cipher, 6, pair),
        programs.approve_checked(&source, &scene.mint, &spender, &user, cipher, 9, pair),
        programs.approve_checked(&source, &scene.mint, &spender, &user, &cipher[..113], 6, pair),
        programs.approve_checked(&source, &scene.mint, &spender, &user, &[4; 153], 6, pair),
        programs.approve_checked(&source, &scene.mint, &spender, &user, cipher, 6, None),
        programs.approve_checked(&source, &scene.mint, &spender, &user, cipher, 6, strange(scene.allowance, key(40))),
        programs.approve_checked(&source, &scene.mint, &spender, &user, cipher, 6, strange(source, spender)),
        programs.approve_checked(&source, &scene.mint, &spender, &user, cipher, 6, strange(scene.mint, spender)),
        programs.approve_checked(&source, &scene.mint, &spender, &user, cipher, 6, strange(key(40), spender)),
        programs.approve(&source, &key(40), &user, cipher, pair),
        programs.approve(&other_user, &spender, &user, cipher, pair),
        programs.approve(&source, &spender, &user, cipher, None),
    ];
    for (number, instruction) in wrong.into_iter().enumerate() {
        let refusal = scene.inspect(&[instruction]).unwrap_err();
        assert!(matches!(refusal, TransactionRefusal::Differs { index: 0, .. }), "{number}: {refusal}");
    }
    let changes: [fn(&mut Vec<u8>); 3] = [|data| data.push(0), |data| _ = data.pop(), |data| data[8 + 4 + 120] = 1];
    for change in changes {
        let mut instruction = scene.approve_checked();
        change(&mut instruction.data);
        let refusal = scene.inspect(&[instruction]).unwrap_err();
        assert!(matches!(refusal, TransactionRefusal::Differs { index: 0, .. }), "{refusal}");
    }
}

#[test]
fn r05_a_second_approve_is_refused() {
    let scene = Scene::new();
    for second in [scene.approve(), scene.approve_checked()] {
        let mut instructions = scene.instructions.clone();
        instructions.push(second);
        let refusal = scene.inspect(&instructions).unwrap_err();
        assert_eq!(refusal, TransactionRefusal::TooMany { index: 3, what: "approve" });
    }
}

#[test]
fn r18_a_bigger_second_or_misdirected_grant_is_refused() {
    let scene = Scene::new();
    let refusal = scene.inspect(&[scene.grant(GRANT + 1), scene.approve()]).unwrap_err();
    assert_eq!(refusal, TransactionRefusal::Grant { lamports: GRANT + 1, most: GRANT });
    let refusal = scene.inspect(&[scene.grant(u64::MAX), scene.approve()]).unwrap_err();
    assert!(matches!(refusal, TransactionRefusal::Grant { .. }));
    let refusal = scene.inspect(&[scene.grant(1), scene.grant(1), scene.approve()]).unwrap_err();
    assert_eq!(refusal, TransactionRefusal::TooMany { index: 1, what: "grant" });
    let elsewhere = system::transfer(&scene.payer.pubkey(), &key(40), 1);
    assert!(matches!(scene.inspect(&[elsewhere, scene.approve()]), Err(TransactionRefusal::Differs { index: 0, .. })));
    let from_user = system::transfer(&scene.user.pubkey(), &scene.payer.pubkey(), 1);
    assert!(matches!(scene.inspect(&[from_user, scene.approve()]), Err(TransactionRefusal::Differs { index: 0, .. })));
}

#[test]
fn r18_only_the_users_own_account_is_created_and_only_where_sponsored() {
    let scene = Scene::new();
    let payer = scene.payer.pubkey();
    for farmed in [
        scene.programs.create_idempotent(&payer, &key(40), &scene.mint),
        scene.programs.create_idempotent(&payer, &scene.user.pubkey(), &key(41)),
        scene.programs.create_idempotent(&scene.user.pubkey(), &scene.user.pubkey(), &scene.mint),
    ] {
        let refusal = scene.inspect(&[farmed, scene.approve()]).unwrap_err();
        assert!(matches!(refusal, TransactionRefusal::Differs { index: 0, .. }), "{refusal}");
    }
    let refusal = scene.inspect(&[scene.create(), scene.create(), scene.approve()]).unwrap_err();
    assert_eq!(refusal, TransactionRefusal::TooMany { index: 1, what: "account creation" });
    let text = STANDARD.encode(encode(&scene.sign(scene.compile(&scene.instructions))));
    let mut template = scene.template();
    template.may_create = false;
    assert_eq!(template.inspect(&text).unwrap_err(), TransactionRefusal::CreateNotSponsored);
}

#[test]
fn the_template_has_one_order() {
    let scene = Scene::new();
    let (grant, create, approve) = (scene.grant(1), scene.create(), scene.approve());
    for (order, index) in [
        (vec![create.clone(), grant.clone(), approve.clone()], 1),
        (vec![approve.clone(), grant.clone()], 1),
        (vec![approve, create], 1),
    ] {
        assert_eq!(scene.inspect(&order).unwrap_err(), TransactionRefusal::OutOfOrder { index });
    }
}

#[test]
fn r22_another_fee_payer_is_refused_and_never_replaced() {
    let mut scene = Scene::new();
    let other = key(40);
    let VersionedMessage::Legacy(mut message) = scene.compile(&scene.instructions) else { unreachable!() };
    message.account_keys[0] = other;
    let refusal = scene.inspect_message(VersionedMessage::Legacy(message)).unwrap_err();
    assert_eq!(refusal, TransactionRefusal::FeePayer(other));
    // The user as fee payer, alone and with us behind them.
    let text = STANDARD.encode(encode(&scene.sign(scene.compile(&[scene.approve()]))));
    scene.payer = LocalSigner::from_seed(&[1; 32]);
    let alone = STANDARD.encode(encode(&scene.sign(scene.compile(&[scene.approve()]))));
    scene.payer = LocalSigner::from_seed(&[2; 32]);
    assert!(scene.template().inspect(&text).is_ok());
    assert_eq!(scene.template().inspect(&alone).unwrap_err(), TransactionRefusal::FeePayer(scene.user.pubkey()));
}

#[test]
fn r22_the_users_signature_must_be_there_and_over_this_message() {
    let scene = Scene::new();
    let good = scene.sign(scene.compile(&scene.instructions));
    let mut missing = good.clone();
    missing.signatures[1] = Signature::default();
    let mut forged = good.clone();
    forged.signatures[1] = Signature::from(LocalSigner::from_seed(&[40; 32]).sign(&good.message.serialize()));
    let mut moved = scene.sign(scene.compile(&[scene.approve()]));
    moved.signatures[1] = good.signatures[1];
    for bad in [missing, forged, moved] {
        assert_eq!(scene.inspect_wire(&encode(&bad)).unwrap_err(), TransactionRefusal::UserSignature);
    }
    let mut short = good;
    short.signatures.pop();
    assert_eq!(scene.inspect_wire(&encode(&short)).unwrap_err(), TransactionRefusal::OutOfRange);
}

#[test]
fn a_filled_signer_slot_is_refused() {
    let scene = Scene::new();
    let mut filled = scene.sign(scene.compile(&scene.instructions));
    filled.signatures[0] = Signature::from([1; 64]);
    assert_eq!(scene.inspect_wire(&encode(&filled)).unwrap_err(), TransactionRefusal::FilledSlot);
    // Even our own signature, from an earlier answer.
    filled.signatures[0] = Signature::from(scene.payer.sign(&filled.message.serialize()));
    assert_eq!(scene.inspect_wire(&encode(&filled)).unwrap_err(), TransactionRefusal::FilledSlot);
}

#[test]
fn the_facilitator_is_no_user() {
    let scene = Scene::with_payer(6);
    let text = STANDARD.encode(encode(&scene.sign(scene.compile(&scene.instructions))));
    for ours in scene.ours.clone() {
        let mut template = scene.template();
        template.user = ours;
        assert_eq!(template.inspect(&text).unwrap_err(), TransactionRefusal::OurselvesAsUser);
    }
}

#[test]
fn a_lookup_table_hides_nothing() {
    let scene = Scene::new();
    let mut message = scene.compile_v0(&scene.instructions);
    message.address_table_lookups.push(MessageAddressTableLookup {
        account_key: key(40),
        writable_indexes: vec![0],
        readonly_indexes: vec![],
    });
    let refusal = scene.inspect_message(VersionedMessage::V0(message)).unwrap_err();
    assert_eq!(refusal, TransactionRefusal::LookupTable);
}

#[test]
fn indexes_out_of_range_are_refused_not_panicked_on() {
    let scene = Scene::new();
    for index in [12, 13, 127, 128, 255] {
        for instruction in 0..3 {
            let VersionedMessage::Legacy(mut program) = scene.compile(&scene.instructions) else { unreachable!() };
            let mut account = program.clone();
            let mut prefixed = scene.compile_v0(&scene.instructions);
            program.instructions[instruction].program_id_index = index;
            account.instructions[instruction].accounts[0] = index;
            prefixed.instructions[instruction].accounts[1] = index;
            let messages = [program, account].map(VersionedMessage::Legacy);
            for message in messages.into_iter().chain([VersionedMessage::V0(prefixed)]) {
                assert_eq!(scene.inspect_message(message).unwrap_err(), TransactionRefusal::OutOfRange);
            }
        }
    }
    for header in [[2, 2, 0], [2, 0, 255], [0, 0, 0]] {
        let VersionedMessage::Legacy(mut message) = scene.compile(&scene.instructions) else { unreachable!() };
        [message.header.num_required_signatures, message.header.num_readonly_signed_accounts] = [header[0], header[1]];
        message.header.num_readonly_unsigned_accounts = header[2];
        scene.inspect_message(VersionedMessage::Legacy(message)).unwrap_err();
    }
}

#[test]
fn an_account_listed_twice_is_refused() {
    let scene = Scene::new();
    let VersionedMessage::Legacy(mut message) = scene.compile(&scene.instructions) else { unreachable!() };
    let twice = *message.account_keys.last().unwrap();
    message.account_keys.push(twice);
    message.header.num_readonly_unsigned_accounts += 1;
    let refusal = scene.inspect_message(VersionedMessage::Legacy(message)).unwrap_err();
    assert_eq!(refusal, TransactionRefusal::DuplicateAccount(twice));
}

#[test]
fn a_durable_nonce_would_keep_our_signature_alive_and_is_refused() {
    let scene = Scene::new();
    let nonce = system::advance_nonce_account(&key(40), &scene.user.pubkey());
    scene.refuses_anywhere(&nonce, is_out_of_place);
    assert!(is_foreign(&scene.inspect_with(0, nonce).unwrap_err()));
}
