//! What a revoke is that we pay for, and everything that it is not.

use super::{CAPS, GRANT, LIGHTHOUSE, Scene, encode, wallets::assertion};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_compute_budget_interface::ComputeBudgetInstruction as Budget;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::{VersionedMessage, legacy};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    chain::{
        inspect::{
            TransactionRefusal,
            payers_transaction::PayersTransaction,
            revoke::{InspectedRevoke, RevokeTemplate},
        },
        keys::Signer,
        transaction::TransactionError,
    },
    domain::signed,
};

fn revoke(scene: &Scene) -> Instruction {
    scene.programs.revoke(&scene.source(), &scene.user.pubkey())
}

fn inspect_transaction(
    scene: &Scene,
    transaction: &VersionedTransaction,
) -> Result<InspectedRevoke, TransactionRefusal> {
    let fee_payers = [scene.payer.pubkey(), scene.ours[2]];
    let template = RevokeTemplate {
        programs: &scene.programs,
        user: scene.user.pubkey(),
        mint: scene.mint,
        fee_payers: &fee_payers,
        our_keys: &scene.ours,
        compute: CAPS,
    };
    template.inspect(&PayersTransaction::read(&STANDARD.encode(encode(transaction)))?)
}

fn inspect(scene: &Scene, instructions: &[Instruction]) -> Result<InspectedRevoke, TransactionRefusal> {
    inspect_transaction(scene, &scene.sign(scene.compile(instructions)))
}

#[test]
fn a_users_own_revoke_passes_and_stays_what_the_user_signed() {
    let scene = Scene::with_payer(6);
    let inspected = inspect(&scene, &[revoke(&scene)]).unwrap();
    assert_eq!((inspected.fee(), *inspected.fee_payer()), (10_000, scene.payer.pubkey()));
    let v0 = scene.sign(VersionedMessage::V0(scene.compile_v0(&[revoke(&scene)])));
    assert!(inspect_transaction(&scene, &v0).is_ok());
    let other = inspected.clone().countersign(&scene.user);
    assert_eq!(other, Err(TransactionError::MissingSigner(scene.payer.pubkey())));
    let signed = inspected.countersign(&scene.payer).unwrap();
    let sent: VersionedTransaction = wincode::deserialize(&signed.wire).unwrap();
    let message = sent.message.serialize();
    for (key, signature) in [scene.payer.pubkey(), scene.user.pubkey()].iter().zip(&sent.signatures) {
        assert!(signed::verify(key, &message, &(*signature).into()));
    }
}

#[test]
fn wallets_add_to_a_revoke_what_they_may_add_to_an_approve_and_nothing_else() {
    let scene = Scene::with_payer(6);
    let user = scene.user.pubkey();
    for allowed in [Budget::set_compute_unit_limit(400_000), Budget::set_compute_unit_price(50_000), assertion(user)] {
        assert!(inspect(&scene, &[allowed.clone(), revoke(&scene)]).is_ok());
        assert!(inspect(&scene, &[revoke(&scene), allowed]).is_ok());
    }
    let is = |expected: fn(&TransactionRefusal) -> bool| expected;
    let foreign = is(|refusal| {
        matches!(refusal, TransactionRefusal::ForeignInstruction { .. } | TransactionRefusal::Differs { .. })
    });
    let writes = Instruction { program_id: LIGHTHOUSE, accounts: Vec::new(), data: vec![0] };
    let raises = Instruction { accounts: vec![AccountMeta::new(scene.mint, false)], ..assertion(scene.mint) };
    for (more, is_expected) in [
        (Budget::set_compute_unit_limit(400_001), is(|refusal| *refusal == TransactionRefusal::ComputeBudget)),
        (Budget::set_compute_unit_price(50_001), is(|refusal| *refusal == TransactionRefusal::ComputeBudget)),
        (Budget::request_heap_frame(1024), is(|r| matches!(r, TransactionRefusal::ForeignInstruction { .. }))),
        (writes, is(|refusal| matches!(refusal, TransactionRefusal::LighthouseWrites { .. }))),
        (
            assertion(scene.spender.pubkey()),
            is(|refusal| matches!(refusal, TransactionRefusal::LighthouseNamesUs { .. })),
        ),
        (raises, is(|refusal| matches!(refusal, TransactionRefusal::AccountRights(_)))),
        // A grant, an account, an approve, the same once more, and whatever else our money could be spent on.
        (scene.grant(GRANT), foreign),
        (scene.create(), foreign),
        (scene.approve_checked(), foreign),
        (scene.approve(), foreign),
        (revoke(&scene), foreign),
        (scene.programs.close_account(&scene.source(), &user, &user), foreign),
        (solana_system_interface::instruction::advance_nonce_account(&scene.mint, &user), foreign),
    ] {
        for instructions in [[more.clone(), revoke(&scene)], [revoke(&scene), more]] {
            let refusal = inspect(&scene, &instructions).unwrap_err();
            assert!(is_expected(&refusal), "{refusal}");
        }
    }
}

#[test]
fn it_is_the_users_own_account_and_their_signature() {
    let scene = Scene::with_payer(6);
    let (user, stranger) = (scene.user.pubkey(), scene.ours[1]);
    let accounts = [
        // Another account, another owner, an account of another asset.
        scene.programs.revoke(&scene.programs.token_account(&stranger, &scene.mint), &user),
        scene.programs.revoke(&scene.programs.token_account(&user, &stranger), &user),
    ];
    for bent in accounts {
        assert!(matches!(inspect(&scene, &[bent]).unwrap_err(), TransactionRefusal::Differs { .. }));
    }
    assert_eq!(inspect(&scene, &[assertion(user)]).unwrap_err(), TransactionRefusal::Signers, "the user signs nothing");
    let nothing = Instruction { accounts: vec![AccountMeta::new_readonly(user, true)], ..assertion(user) };
    assert_eq!(inspect(&scene, &[nothing]).unwrap_err(), TransactionRefusal::NoRevoke);
    let more = Instruction { data: [revoke(&scene).data, vec![0]].concat(), ..revoke(&scene) };
    assert!(matches!(inspect(&scene, &[more]).unwrap_err(), TransactionRefusal::Differs { .. }), "a byte more");

    let honest = scene.sign(scene.compile(&[revoke(&scene)]));
    let mut unsigned = honest.clone();
    unsigned.signatures[1] = Signature::default();
    assert_eq!(inspect_transaction(&scene, &unsigned).unwrap_err(), TransactionRefusal::UserSignature);
    let mut filled = honest;
    filled.signatures[0] = Signature::from([7; 64]);
    assert_eq!(inspect_transaction(&scene, &filled).unwrap_err(), TransactionRefusal::FilledSlot);
}

#[test]
fn nobody_else_signs_or_pays() {
    let scene = Scene::with_payer(6);
    let (user, other) = (scene.user.pubkey(), scene.mint);
    let signed_twice = Instruction {
        accounts: [revoke(&scene).accounts, vec![AccountMeta::new_readonly(other, true)]].concat(),
        ..revoke(&scene)
    };
    assert_eq!(inspect(&scene, &[signed_twice]).unwrap_err(), TransactionRefusal::Signers, "a second signer");
    for (payer, expected) in [
        // The spender is none of those that pay here; a stranger and the user are nobody of ours.
        (scene.spender.pubkey(), TransactionRefusal::FeePayer(scene.spender.pubkey())),
        (other, TransactionRefusal::FeePayer(other)),
        (user, TransactionRefusal::FeePayer(user)),
    ] {
        let hash = solana_hash::Hash::new_from_array([5; 32]);
        let message = legacy::Message::new_with_blockhash(&[revoke(&scene)], Some(&payer), &hash);
        let refusal = inspect_transaction(&scene, &scene.sign(VersionedMessage::Legacy(message))).unwrap_err();
        assert_eq!(refusal, expected);
    }
}
