//! What a node shows of a charge: that of the vectors, and others.

use super::*;
use crate::{domain::amount::Amount, merchant::price::Price, programs::spl_token::TokenProgram};
use serde_json::Value;
use solana_pubkey::Pubkey;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../../tests/vectors/mpp.json")).unwrap()
}

fn address(golden: &Value, pointer: &str) -> Pubkey {
    golden.pointer(pointer).and_then(Value::as_str).unwrap().parse().unwrap()
}

fn offer(golden: &Value) -> Offer {
    let price = Price::base_units(Amount::new(10_000).unwrap()).unwrap();
    Offer::new("devnet", address(golden, "/constants/mint"), address(golden, "/keys/seller/pubkey"), price)
}

/// What the charge of the vectors did.
fn landed(golden: &Value) -> Deed {
    let buyer = address(golden, "/keys/buyer/pubkey");
    let transfer = TransferChecked {
        program: TokenProgram::Token,
        source: address(golden, "/constants/buyer_token_account"),
        mint: address(golden, "/constants/mint"),
        destination: address(golden, "/constants/seller_token_account"),
        authority: buyer,
        amount: 10_000,
        decimals: 6,
    };
    let cosigned = golden["charge"]["cosigned"]["wire_base64"].as_str().unwrap();
    Deed {
        signers: vec![buyer],
        calls: vec![call(&transfer)],
        signatures: buyers_signatures(cosigned),
        ..Deed::default()
    }
}

fn call(transfer: &TransferChecked) -> Call {
    let instruction = transfer.instruction();
    let accounts = instruction.accounts.iter().map(|meta| meta.pubkey).collect();
    Call { program: instruction.program_id, accounts, bytes: instruction.data }
}

fn credential(golden: &Value) -> Credential {
    Credential::read(golden["credential"]["authorization"].as_str().unwrap()).unwrap()
}

#[test]
fn the_charge_of_the_vectors_is_shown() {
    let golden = golden();
    let deed = landed(&golden);
    assert_eq!(deed.signatures.len(), 2, "the fee payer's and the buyer's");
    assert_eq!(buyers_signatures(&credential(&golden).transaction), deed.signatures[1..]);
    assert_eq!(judge(&deed, &credential(&golden), &offer(&golden)), Ok(()));
}

#[test]
fn each_other_transaction_has_its_word() {
    let golden = golden();
    let (deed, other) = (landed(&golden), Pubkey::new_from_array([9; 32]));
    let paid = TransferChecked::read(&Instruction {
        program_id: deed.calls[0].program,
        accounts: deed.calls[0].accounts.iter().map(|key| AccountMeta::new(*key, false)).collect(),
        data: deed.calls[0].bytes.clone(),
    })
    .unwrap();
    let moving = |transfer: TransferChecked| Deed { calls: vec![call(&transfer)], ..deed.clone() };
    for (shown, expected) in [
        (Deed { failed: true, ..deed.clone() }, SellerReason::OnchainFailed),
        (Deed { calls: Vec::new(), ..deed.clone() }, SellerReason::OnchainNoTransfer),
        (moving(TransferChecked { mint: other, ..paid }), SellerReason::OnchainAsset),
        (moving(TransferChecked { destination: other, ..paid }), SellerReason::OnchainRecipient),
        (moving(TransferChecked { amount: 9_999, ..paid }), SellerReason::OnchainAmount),
        // An old transfer of the same amount.
        (Deed { signatures: vec![Signature::from([7; 64])], ..deed.clone() }, SellerReason::OnchainOtherPayment),
        (Deed { signatures: Vec::new(), ..deed.clone() }, SellerReason::OnchainOtherPayment),
    ] {
        assert_eq!(judge(&shown, &credential(&golden), &offer(&golden)), Err(expected), "{shown:?}");
    }
    for unsigned in ["", "!", "AA==", "AQ=="] {
        let credential = Credential { transaction: unsigned.to_owned(), ..credential(&golden) };
        assert_eq!(judge(&deed, &credential, &offer(&golden)), Err(SellerReason::OnchainOtherPayment), "{unsigned}");
    }
}
