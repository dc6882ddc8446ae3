//! What the cases of the vectors leave out of a charge that somebody bends on purpose.

use super::{address, key, known, mint};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use solana_compute_budget_interface::ComputeBudgetInstruction as Budget;
use solana_hash::Hash;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::{VersionedMessage, v0};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    chain::inspect::charge::{ChargePolicy, ChargeRequest, InspectedCharge, MAX_COMPUTE},
    domain::{
        amount::Amount,
        mpp::{
            charge::{ChargeAsset, ChargeOffer},
            reason::ChargeReason,
        },
    },
    programs::{
        memo::{MEMO, memo},
        spl_token::{TokenProgram, TransferChecked, associated_account},
    },
};

fn lighthouse() -> Pubkey {
    address("/constants/lighthouse_program")
}

/// The transfer that is asked for.
fn transfer(program: TokenProgram) -> TransferChecked {
    TransferChecked {
        program,
        source: associated_account(program, &known("buyer"), &mint()),
        mint: mint(),
        destination: associated_account(program, &known("seller"), &mint()),
        authority: known("buyer"),
        amount: 10_000,
        decimals: 6,
    }
}

fn paid() -> Instruction {
    transfer(TokenProgram::Token).instruction()
}

fn compile(instructions: &[Instruction]) -> v0::Message {
    let blockhash = Hash::new_from_array([5; 32]);
    v0::Message::try_compile(&known("fee_payer"), instructions, &[], blockhash).unwrap()
}

/// Signed by these, in the order of the message, with the fee payer's slot left empty.
fn wire(message: v0::Message, signers: &[SigningKey]) -> String {
    let message = VersionedMessage::V0(message);
    let bytes = message.serialize();
    let keys = message.static_account_keys();
    let signed = |key: &Pubkey| {
        let signer = signers.iter().find(|signer| signer.verifying_key().to_bytes() == key.to_bytes());
        signer.map_or_else(Signature::default, |signer| Signature::from(signer.sign(&bytes).to_bytes()))
    };
    let required = usize::from(message.header().num_required_signatures);
    let signatures = keys.iter().take(required).map(signed).collect();
    STANDARD.encode(wincode::serialize(&VersionedTransaction { signatures, message }).unwrap())
}

fn inspect_as(program: TokenProgram, transaction: &str) -> Result<InspectedCharge, ChargeReason> {
    let asset = ChargeAsset { mint: mint(), token_program: program.address(), decimals: 6 };
    let offer = ChargeOffer { asset, others: Vec::new(), min_amount: Amount::ONE };
    let our_keys = ["fee_payer", "delegate"].map(known);
    let policy = ChargePolicy { offer: &offer, fee_payers: &our_keys[..1], our_keys: &our_keys, compute: MAX_COMPUTE };
    let request = ChargeRequest { transaction, recipient: known("seller"), amount: "10000", asset: None };
    policy.inspect(&request).map_err(|refusal| refusal.reason)
}

fn inspect(message: v0::Message, signers: &[SigningKey]) -> Result<InspectedCharge, ChargeReason> {
    inspect_as(TokenProgram::Token, &wire(message, signers))
}

/// Inspects the transfer with something beside it, signed by the buyer.
fn beside(instruction: Instruction) -> Result<InspectedCharge, ChargeReason> {
    inspect(compile(&[paid(), instruction]), &[key("buyer")])
}

#[test]
fn both_token_programs_are_settled_each_for_its_own_mints() {
    for (of_mint, of_transfer) in
        [(TokenProgram::Token, TokenProgram::Token2022), (TokenProgram::Token2022, TokenProgram::Token)]
    {
        let signed = |program| wire(compile(&[transfer(program).instruction()]), &[key("buyer")]);
        assert!(inspect_as(of_mint, &signed(of_mint)).is_ok(), "{of_mint:?}");
        assert_eq!(inspect_as(of_mint, &signed(of_transfer)).err(), Some(ChargeReason::MalformedTransfer));
    }
}

#[test]
fn lighthouse_asserts_what_is_known_and_nothing_else() {
    let assertion = |bytes: &[u8]| Instruction { program_id: lighthouse(), accounts: Vec::new(), data: bytes.to_vec() };
    for known in [2, 17] {
        assert!(beside(assertion(&[known, 1])).is_ok(), "{known}");
    }
    for bytes in [&[][..], &[0], &[1], &[18, 1], &[255]] {
        assert_eq!(beside(assertion(bytes)).err(), Some(ChargeReason::MalformedInstruction), "{bytes:?}");
    }
}

/// The runtime gives each instruction 200,000 units: three of them at the full price would cost 40,000 lamports.
#[test]
fn a_price_without_a_limit_costs_no_more_than_the_limit() {
    let [most, half] = [MAX_COMPUTE.price, MAX_COMPUTE.price / 2].map(Budget::set_compute_unit_price);
    let limit = Budget::set_compute_unit_limit(MAX_COMPUTE.units);
    let (one, two) = (memo("one"), memo("two"));
    let signed = |instructions: &[Instruction]| inspect(compile(instructions), &[key("buyer")]);
    let fee = |instructions: &[Instruction]| signed(instructions).map(|it| it.fee());
    assert_eq!(fee(&[paid(), most.clone()]), Ok(20_000), "one instruction has one limit's worth");
    assert_eq!(fee(&[paid(), one.clone(), half.clone()]), Ok(20_000));
    assert_eq!(fee(&[paid(), one.clone(), two.clone(), most.clone(), limit]), Ok(20_000));
    let too_many: [&[Instruction]; 2] = [&[paid(), one.clone(), most], &[paid(), one, two, half]];
    for instructions in too_many {
        assert_eq!(fee(instructions), Err(ChargeReason::ComputeUnitsTooHigh));
    }
}

#[test]
fn no_instruction_raises_the_rights_of_an_account() {
    let reading = |meta: AccountMeta| Instruction { program_id: MEMO, accounts: vec![meta], data: b"x".to_vec() };
    let stranger = known("stranger");
    assert!(beside(reading(AccountMeta::new_readonly(stranger, false))).is_ok());
    assert!(beside(reading(AccountMeta::new_readonly(known("buyer"), true))).is_ok());
    for meta in
        [AccountMeta::new(stranger, false), AccountMeta::new(mint(), false), AccountMeta::new(lighthouse(), false)]
    {
        assert_eq!(beside(reading(meta.clone())).err(), Some(ChargeReason::InvalidTransaction), "{meta:?}");
    }
}

#[test]
fn an_account_that_nothing_uses_is_refused() {
    let mut message = compile(&[paid()]);
    message.account_keys.push(known("stranger"));
    message.header.num_readonly_unsigned_accounts += 1;
    assert_eq!(inspect(message, &[key("buyer")]).err(), Some(ChargeReason::InvalidTransaction));
}

#[test]
fn whoever_pays_signs_and_nobody_else() {
    // The stranger signs a memo, and the buyer, whose money moves, does not sign at all.
    let mut unsigned = paid();
    unsigned.accounts[3].is_signer = false;
    let by_stranger = Instruction {
        program_id: MEMO,
        accounts: vec![AccountMeta::new_readonly(known("stranger"), true)],
        data: b"x".to_vec(),
    };
    let signed = inspect(compile(&[unsigned.clone(), by_stranger.clone()]), &[key("stranger")]);
    assert_eq!(signed.err(), Some(ChargeReason::InvalidTransaction));
    let three = inspect(compile(&[paid(), by_stranger]), &[key("stranger"), key("buyer")]);
    assert_eq!(three.err(), Some(ChargeReason::InvalidTransaction));
    assert_eq!(inspect(compile(&[unsigned]), &[]).err(), Some(ChargeReason::InvalidTransaction));
    assert_eq!(
        inspect(compile(&[paid()]), &[key("fee_payer"), key("buyer")]).err(),
        Some(ChargeReason::InvalidTransaction)
    );
}

#[test]
fn what_is_sponsored_is_bounded() {
    let asked = |units, price| {
        let budget = [Budget::set_compute_unit_limit(units), Budget::set_compute_unit_price(price)];
        inspect(compile(&[&budget[..], &[paid()]].concat()), &[key("buyer")])
    };
    assert_eq!(asked(200_000, 50_000).map(|charge| charge.fee()), Ok(20_000));
    assert_eq!(asked(200_001, 0).err(), Some(ChargeReason::ComputeUnitsTooHigh));
    assert_eq!(asked(0, 50_001).err(), Some(ChargeReason::PriorityFeeTooHigh));
    let twice = [Budget::set_compute_unit_price(1), paid(), Budget::set_compute_unit_price(1)];
    assert_eq!(inspect(compile(&twice), &[key("buyer")]).err(), Some(ChargeReason::ComputeBudgetNotAllowed));
    assert!(beside(memo(&"x".repeat(566))).is_ok());
}

#[test]
fn other_base64_of_the_same_bytes_is_refused() {
    let standard = wire(compile(&[paid(), memo(&"x".repeat(3))]), &[key("buyer")]);
    assert!(inspect_as(TokenProgram::Token, &standard).is_ok());
    let url_safe = standard.replace('+', "-").replace('/', "_");
    let unpadded = standard.trim_end_matches('=').to_owned();
    for other in [url_safe, unpadded, format!(" {standard}"), format!("{standard}=")] {
        let is_other = other != standard;
        let verdict = inspect_as(TokenProgram::Token, &other).err();
        assert!(!is_other || verdict == Some(ChargeReason::InvalidTransactionEncoding), "{other}");
    }
}
