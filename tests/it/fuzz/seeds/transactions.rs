//! One transaction of each kind that we are asked to sign or read as our own, between those who take part in `fuzz/cosigned.rs`.

use super::{super::targets::cosigned, vectors};
use crate::inspect::{LIGHTHOUSE, Scene, encode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_instruction::{AccountMeta, Instruction};
use solana_message::VersionedMessage;
use sotto::{
    chain::{
        fees::ComputeBudget,
        keys::{LocalSigner, Signer as _},
    },
    domain::{amount::Amount, mpp::channel_id::ChannelSecret},
    programs::{
        delegation,
        memo::Anchor,
        spl_token::{TokenProgram, TransferChecked, associated_account},
    },
};

/// What a wallet may add to what it signs: a compute budget and an assertion.
fn additions(scene: &Scene) -> [Instruction; 3] {
    let [limit, price] = ComputeBudget { units: 100_000, price: 10_000 }.instructions();
    let accounts = vec![AccountMeta::new_readonly(scene.user.pubkey(), false)];
    [limit, price, Instruction { program_id: LIGHTHOUSE, accounts, data: vec![5, 0, 1, 2, 3] }]
}

fn charge(scene: &Scene, seller: &LocalSigner) -> Instruction {
    let account = |owner| associated_account(TokenProgram::Token, owner, &scene.mint);
    let transfer = TransferChecked {
        program: TokenProgram::Token,
        source: account(&scene.user.pubkey()),
        mint: scene.mint,
        destination: account(&seller.pubkey()),
        authority: scene.user.pubkey(),
        amount: 10_000,
        decimals: 6,
    };
    transfer.instruction()
}

/// Each with the kind that it passes as.
fn kinds() -> Vec<(&'static str, Vec<u8>)> {
    let (scene, seller) = (Scene::with_payer(6), LocalSigner::from_seed(&[4; 32]));
    let wire = |instructions: &[Instruction]| encode(&scene.sign(scene.compile(instructions)));
    let approve = |approve| [&additions(&scene)[..], &[scene.grant(1), scene.create(), approve]].concat();
    let version_0 = VersionedMessage::V0(scene.compile_v0(&scene.instructions));
    let revoke = scene.programs.revoke(&scene.source(), &scene.user.pubkey());
    let issued = wincode::deserialize_exact(cosigned::issued()).expect("a message");
    let anchor = Anchor {
        channel: ChannelSecret::from_bytes([8; 32]).public_id(),
        signer: scene.spender.pubkey(),
        buyer: scene.user.pubkey(),
        seller: seller.pubkey(),
        deposit: Amount::ONE,
    };
    vec![
        ("approve", wire(&approve(scene.approve_checked()))),
        ("approve", wire(&approve(scene.approve()))),
        ("approve", encode(&scene.sign(version_0))),
        ("revoke", wire(&[&additions(&scene)[..], &[revoke]].concat())),
        ("single payment", encode(&scene.sign(issued))),
        ("charge", wire(&[&additions(&scene)[..2], &[charge(&scene, &seller)]].concat())),
        ("anchor", wire(&delegation::anchor(&anchor))),
    ]
}

/// What is signed, one as text, and a settlement, which is of none of these kinds.
pub(super) fn all() -> Vec<Vec<u8>> {
    let mut all: Vec<_> = kinds().into_iter().map(|(_, wire)| wire).collect();
    all.push(STANDARD.encode(&all[0]).into_bytes());
    all.push(vectors::settlement());
    all
}

/// A seed that is refused would be mutated in vain.
#[test]
fn every_seed_passes_as_what_it_is() {
    for (kind, wire) in kinds() {
        assert_eq!(cosigned::passes_as(&wire), [kind]);
    }
    assert!(cosigned::passes_as(&vectors::settlement()).is_empty());
}
