//! What a payer's wallet may add to a single payment, and that everything else of it is what was issued.

use super::{CAPS, LIGHTHOUSE, Scene, encode, wallets::assertion};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_compute_budget_interface::ComputeBudgetInstruction as Budget;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::VersionedMessage;
use sotto::{
    chain::{
        inspect::{
            TransactionRefusal,
            payers_transaction::PayersTransaction,
            single_payment::{InspectedSingle, SingleTemplate},
        },
        keys::Signer,
        transaction::TransactionError,
    },
    domain::signed,
    programs::inco_token::{Transfer, ed25519_verify},
};

/// The verified message and the transfer that relies on it.
fn issued(scene: &Scene) -> Vec<Instruction> {
    let message = b"a message";
    let transfer = Transfer {
        source: scene.source(),
        destination: scene.programs.token_account(&scene.spender.pubkey(), &scene.mint),
        authority: scene.user.pubkey(),
        ciphertext: scene.ciphertext.clone(),
        allowances: None,
    };
    vec![
        ed25519_verify(&scene.user.pubkey(), message, &scene.user.sign(message)),
        scene.programs.transfer_with_authorization(&transfer),
    ]
}

fn inspect_message(scene: &Scene, message: VersionedMessage) -> Result<InspectedSingle, TransactionRefusal> {
    let issued = wincode::serialize(&scene.compile(&issued(scene))).unwrap();
    let payer = scene.user.pubkey();
    let template = SingleTemplate { issued: &issued, payer, our_keys: &scene.ours, compute: CAPS };
    template.inspect(&PayersTransaction::read(&STANDARD.encode(encode(&scene.sign(message))))?)
}

fn inspect(scene: &Scene, instructions: &[Instruction]) -> Result<InspectedSingle, TransactionRefusal> {
    inspect_message(scene, scene.compile(instructions))
}

fn with(scene: &Scene, place: usize, more: &Instruction) -> Vec<Instruction> {
    let mut instructions = issued(scene);
    instructions.insert(place, more.clone());
    instructions
}

#[test]
fn what_was_issued_passes_and_stays_what_the_payer_signed() {
    let scene = Scene::with_payer(6);
    let inspected = inspect(&scene, &issued(&scene)).unwrap();
    assert_eq!((inspected.fee(), *inspected.fee_payer()), (15_000, scene.payer.pubkey()));
    assert!(inspect_message(&scene, VersionedMessage::V0(scene.compile_v0(&issued(&scene)))).is_ok());
    let other = inspected.clone().countersign(&scene.user);
    assert_eq!(other, Err(TransactionError::MissingSigner(scene.payer.pubkey())));
    let signed = inspected.countersign(&scene.payer).unwrap();
    let sent: solana_transaction::versioned::VersionedTransaction = wincode::deserialize(&signed.wire).unwrap();
    let message = sent.message.serialize();
    for (key, signature) in [scene.payer.pubkey(), scene.user.pubkey()].iter().zip(&sent.signatures) {
        assert!(signed::verify(key, &message, &(*signature).into()));
    }
}

#[test]
fn wallets_add_what_they_may_add_to_an_approve_and_nothing_else() {
    let scene = Scene::new();
    let user = scene.user.pubkey();
    for allowed in [Budget::set_compute_unit_limit(400_000), Budget::set_compute_unit_price(50_000), assertion(user)] {
        for place in [0, 2] {
            assert!(inspect(&scene, &with(&scene, place, &allowed)).is_ok(), "at {place}");
        }
        // The verified message has to stand directly before the transfer.
        let between = inspect(&scene, &with(&scene, 1, &allowed)).unwrap_err();
        assert_eq!(between, TransactionRefusal::OutOfOrder { index: 1 });
    }
    let writes = Instruction { program_id: LIGHTHOUSE, accounts: Vec::new(), data: vec![0] };
    let raises = Instruction { accounts: vec![AccountMeta::new(scene.mint, false)], ..assertion(scene.mint) };
    for (more, is_expected) in [
        (
            Budget::set_compute_unit_limit(400_001),
            (|r| *r == TransactionRefusal::ComputeBudget) as fn(&TransactionRefusal) -> bool,
        ),
        (Budget::set_compute_unit_price(50_001), |r| *r == TransactionRefusal::ComputeBudget),
        (Budget::request_heap_frame(1024), |r| matches!(r, TransactionRefusal::ForeignInstruction { .. })),
        (writes, |r| matches!(r, TransactionRefusal::LighthouseWrites { .. })),
        (assertion(scene.spender.pubkey()), |r| matches!(r, TransactionRefusal::LighthouseNamesUs { .. })),
        (assertion(scene.ours[2]), |r| matches!(r, TransactionRefusal::LighthouseNamesUs { .. })),
        (raises, |r| matches!(r, TransactionRefusal::AccountRights(_))),
        (scene.grant(1), |r| {
            matches!(r, TransactionRefusal::ForeignInstruction { .. } | TransactionRefusal::Differs { .. })
        }),
        (scene.approve(), |r| {
            matches!(r, TransactionRefusal::ForeignInstruction { .. } | TransactionRefusal::Differs { .. })
        }),
    ] {
        for place in [0, 2] {
            let refusal = inspect(&scene, &with(&scene, place, &more)).unwrap_err();
            assert!(is_expected(&refusal), "at {place}: {refusal}");
        }
    }
    let mut many = issued(&scene);
    many.extend((0..4).map(|_| assertion(user)));
    assert_eq!(inspect(&scene, &many).unwrap_err(), TransactionRefusal::TooMany { index: 5, what: "Lighthouse" });
}

#[test]
fn nothing_of_it_may_be_missing_or_stand_elsewhere() {
    let scene = Scene::new();
    let issued = issued(&scene);
    assert_eq!(inspect(&scene, &issued[..1]).unwrap_err(), TransactionRefusal::Signers, "nobody but us signs it");
    assert!(matches!(inspect(&scene, &issued[1..]).unwrap_err(), TransactionRefusal::Differs { .. }));
    let swapped = [issued[1].clone(), issued[0].clone()];
    assert!(matches!(inspect(&scene, &swapped).unwrap_err(), TransactionRefusal::Differs { .. }));
    let twice = [issued[0].clone(), issued[1].clone(), issued[1].clone()];
    assert!(matches!(inspect(&scene, &twice).unwrap_err(), TransactionRefusal::ForeignInstruction { .. }));
    let VersionedMessage::Legacy(mut later) = scene.compile(&issued) else { unreachable!() };
    later.recent_blockhash = solana_hash::Hash::new_from_array([6; 32]);
    assert_eq!(inspect_message(&scene, VersionedMessage::Legacy(later)).unwrap_err(), TransactionRefusal::Blockhash);
}
