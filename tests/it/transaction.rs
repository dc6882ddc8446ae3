//! What we build and sign ourselves: golden bytes, sizes, fees.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_hash::Hash;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::{VersionedMessage, compiled_instruction::CompiledInstruction};
use solana_pubkey::Pubkey;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    chain::{
        fees::ComputeBudget,
        keys::{LocalSigner, Signer},
        transaction::{
            self, Authorization, ConfidentialTransfer, MAX_TRANSACTION_BYTES, SettleInstruction, SettlementParts,
            TransactionError, UnsignedTransaction, create_recipient, largest_settlement_size,
        },
    },
    domain::signed,
    programs::{
        Programs,
        inco_token::{Allowance, Transfer},
    },
};

pub(crate) const INTENT_BYTES: usize = 339;
const CHEAP: ComputeBudget = ComputeBudget { units: 120_000, price: 1_000 };

fn signer(byte: u8) -> LocalSigner {
    LocalSigner::from_seed(&[byte; 32])
}

pub(crate) struct Scene {
    pub(crate) programs: Programs,
    user: LocalSigner,
    pub(crate) spender: LocalSigner,
    pub(crate) payer: LocalSigner,
    message: Vec<u8>,
    signature: [u8; 64],
    transfer: Transfer,
}

impl Scene {
    pub(crate) fn new(ciphertext: usize, message: usize) -> Self {
        let (programs, user, spender) = (Programs::default(), signer(1), signer(2));
        let (mint, merchant) = (signer(3).pubkey(), signer(4).pubkey());
        let message = vec![b'x'; message];
        let signature = user.sign(&message);
        let allowance = |handle, holder| Allowance { account: programs.decrypt_allowance(handle, &holder), holder };
        let transfer = Transfer {
            source: programs.token_account(&user.pubkey(), &mint),
            destination: programs.token_account(&merchant, &mint),
            authority: spender.pubkey(),
            ciphertext: vec![4; ciphertext],
            allowances: Some([allowance(1, user.pubkey()), allowance(2, merchant)]),
        };
        Self { programs, user, spender, payer: signer(6), message, signature, transfer }
    }

    pub(crate) fn parts(&self, instruction: SettleInstruction, fee_payer: Pubkey) -> SettlementParts<'_> {
        let owner = self.user.pubkey();
        let authorization = Authorization { owner, message: &self.message, signature: &self.signature };
        let (programs, transfer) = (&self.programs, &self.transfer);
        let transfer = ConfidentialTransfer { programs, instruction, authorization, transfer };
        SettlementParts { fee_payer, transfer: transaction::Transfer::Confidential(transfer), compute: CHEAP }
    }
}

/// The instructions with keys in place of indexes: two compilers may order equal accounts differently.
pub(crate) fn resolved(message: &VersionedMessage) -> Vec<Instruction> {
    let (keys, header) = (message.static_account_keys(), message.header());
    let writable = keys.len() - usize::from(header.num_readonly_unsigned_accounts);
    let meta = |index: &u8| AccountMeta {
        pubkey: keys[usize::from(*index)],
        is_signer: message.is_signer(usize::from(*index)),
        is_writable: usize::from(*index) < writable,
    };
    let resolve = |compiled: &CompiledInstruction| Instruction {
        program_id: keys[usize::from(compiled.program_id_index)],
        accounts: compiled.accounts.iter().map(meta).collect(),
        data: compiled.data.clone(),
    };
    message.instructions().iter().map(resolve).collect()
}

#[test]
fn the_golden_settlement_is_rebuilt_with_the_same_accounts_rights_and_size() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../vectors/inco.json")).unwrap();
    let golden = STANDARD.decode(vectors["settlement_transaction"]["wire_base64"].as_str().unwrap()).unwrap();
    let golden: VersionedTransaction = wincode::deserialize_exact(&golden).unwrap();
    let spender = signer(2);
    let instructions = resolved(&golden.message);
    let blockhash = *golden.message.recent_blockhash();
    let unsigned = UnsignedTransaction::new(&spender.pubkey(), &instructions, blockhash).unwrap();
    assert_eq!(resolved(&unsigned.transaction().message), instructions);
    assert_eq!(unsigned.bytes(), 1_087);
    assert_eq!(unsigned.fee(), 10_000, "one signature and one verified by the Ed25519 program");
    let signed = unsigned.sign(&[&spender]).unwrap();
    assert_eq!(signed.wire.len(), 1_087);
    assert!(signed::verify(&spender.pubkey(), &signed.wire[65..], &signed.signature.into()));
}

#[test]
fn ed25519_comes_first_the_transfer_directly_after_it_and_the_compute_budget_last() {
    let scene = Scene::new(119, INTENT_BYTES);
    let parts = scene.parts(SettleInstruction::TransferWithAuthorization, scene.spender.pubkey());
    let unsigned = parts.build(Hash::default()).unwrap();
    let message = &unsigned.transaction().message;
    let programs: Vec<Pubkey> =
        message.instructions().iter().map(|i| message.static_account_keys()[usize::from(i.program_id_index)]).collect();
    let budget = solana_sdk_ids::compute_budget::ID;
    assert_eq!(programs, [solana_sdk_ids::ed25519_program::ID, scene.programs.token, budget, budget]);
    assert_eq!(unsigned.fee(), 10_000 + 120);
}

#[test]
fn a_plain_transfer_carries_no_signature_of_the_user() {
    let scene = Scene::new(119, INTENT_BYTES);
    let unsigned = scene.parts(SettleInstruction::Transfer, scene.spender.pubkey()).build(Hash::default()).unwrap();
    assert_eq!(unsigned.fee(), 5_000 + 120);
    assert_eq!(unsigned.transaction().message.instructions().len(), 3);
    let wire = unsigned.sign(&[&scene.spender]).unwrap().wire;
    assert!(!wire.windows(64).any(|window| window == scene.signature), "a published signature could be replayed");
}

#[test]
fn a_separate_fee_payer_signs_first_and_costs_one_more_signature() {
    let scene = Scene::new(114, 77);
    let unsigned = scene
        .parts(SettleInstruction::TransferWithAuthorization, scene.payer.pubkey())
        .build(Hash::new_from_array([9; 32]))
        .unwrap();
    assert_eq!(unsigned.fee(), 15_000 + 120);
    let expected = unsigned.bytes();
    let missing = unsigned.clone().sign(&[&scene.payer]).unwrap_err();
    assert_eq!(missing, TransactionError::MissingSigner(scene.spender.pubkey()));
    let signed = unsigned.sign(&[&scene.spender, &scene.payer, &scene.user]).unwrap();
    assert_eq!(signed.wire.len(), expected);
    let message = &signed.wire[1 + 2 * 64..];
    assert!(signed::verify(&scene.payer.pubkey(), message, &signed.signature.into()));
    assert!(signed::verify(&scene.spender.pubkey(), message, signed.wire[65..129].try_into().unwrap()));
}

#[test]
fn what_does_not_fit_into_a_packet_is_refused_before_it_is_signed() {
    // spec/settlement.md §3: full intent, separate fee payer and compute budget together pass 1,232 bytes.
    let scene = Scene::new(119, INTENT_BYTES);
    let parts = scene.parts(SettleInstruction::TransferWithAuthorization, scene.payer.pubkey());
    let Err(TransactionError::TooLarge { bytes }) = parts.build(Hash::default()) else { panic!("it fits") };
    assert!(bytes > MAX_TRANSACTION_BYTES);
    let with_the_spender_paying = scene.parts(SettleInstruction::TransferWithAuthorization, scene.spender.pubkey());
    assert!(with_the_spender_paying.build(Hash::default()).unwrap().bytes() <= MAX_TRANSACTION_BYTES);
    for huge in [2_000, 70_000] {
        let scene = Scene::new(119, huge);
        let parts = scene.parts(SettleInstruction::TransferWithAuthorization, scene.spender.pubkey());
        assert!(matches!(parts.build(Hash::default()), Err(TransactionError::TooLarge { .. })));
    }
}

#[test]
fn the_largest_settlement_is_never_smaller_than_a_real_one() {
    for message in [77, 200, INTENT_BYTES] {
        for digits in [1, 7, 19] {
            let scene = Scene::new(113 + digits, message);
            for payer in [scene.spender.pubkey(), scene.payer.pubkey()] {
                for instruction in [SettleInstruction::TransferWithAuthorization, SettleInstruction::Transfer] {
                    let foretold = largest_settlement_size(
                        &scene.programs,
                        &scene.spender.pubkey(),
                        &payer,
                        instruction,
                        &scene.message,
                        digits,
                    );
                    match scene.parts(instruction, payer).build(Hash::default()) {
                        Ok(real) => assert_eq!(foretold, Ok(real.bytes())),
                        Err(error) => assert_eq!(foretold, Err(error)),
                    }
                }
            }
        }
    }
}

#[test]
fn creating_a_recipients_account_needs_only_the_fee_payer() {
    let programs = Programs::default();
    let payer = signer(6);
    let wallet = signer(4).pubkey();
    let unsigned =
        create_recipient(&programs, &payer.pubkey(), &wallet, &signer(3).pubkey(), CHEAP, Hash::default()).unwrap();
    assert_eq!(unsigned.fee(), 5_000 + 120);
    assert_eq!(unsigned.transaction().signatures.len(), 1);
    unsigned.sign(&[&payer]).unwrap();
}
