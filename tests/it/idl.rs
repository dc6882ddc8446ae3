//! Our builders against what anchor generates from `idl/`: discriminators, account order, flags and arguments
//! (ADR 0006). `tests/it/programs.rs` holds the same builders to golden bytes of the published client.

use anchor_lang::{AccountDeserialize as _, AnchorSerialize as _, Discriminator as _, InstructionData, ToAccountMetas};
use serde_json::Value;
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use sotto::programs::{
    Programs, discriminator,
    inco_token::{AccountState, Allowance, IncoAccount, IncoMint, IncoTokenError, Transfer},
};
use std::collections::BTreeSet;

#[expect(unexpected_cfgs, reason = "the generated modules ask for cfgs that only on-chain crates have")]
mod declared {
    use anchor_lang::{self, prelude::*};
    declare_program!(inco_token);
    declare_program!(inco_lightning);
}
use declared::{
    inco_lightning,
    inco_token::{
        self,
        client::{accounts, args},
    },
};

const TOKEN_IDL: &str = include_str!("../../idl/inco_token.json");
const LIGHTNING_IDL: &str = include_str!("../../idl/inco_lightning.json");
const GOLDEN: &str = include_str!("../vectors/inco.json");

const SYSTEM: Pubkey = solana_sdk_ids::system_program::ID;
const CIPHERTEXT: &[u8] = &[0xc1; 119];

fn key(byte: u8) -> Pubkey {
    Pubkey::new_from_array([byte; 32])
}

fn generated(accounts: &impl ToAccountMetas, arguments: &impl InstructionData, rest: &[AccountMeta]) -> Instruction {
    let mut metas = accounts.to_account_metas(None);
    metas.extend_from_slice(rest);
    Instruction { program_id: inco_token::ID, accounts: metas, data: arguments.data() }
}

fn amount() -> Vec<u8> {
    CIPHERTEXT.to_vec()
}

fn allowance(byte: u8) -> (Allowance, Vec<AccountMeta>) {
    let (account, holder) = (key(byte), key(byte + 1));
    (Allowance { account, holder }, vec![AccountMeta::new(account, false), AccountMeta::new_readonly(holder, false)])
}

#[test]
fn the_default_addresses_are_those_of_the_idls() {
    assert_eq!(Programs::default(), Programs { token: inco_token::ID, lightning: inco_lightning::ID });
}

#[test]
fn mint_and_account_creation_agree_with_the_idl() {
    let programs = Programs::default();
    let (mint, payer, wallet) = (key(1), key(2), key(3));
    for freeze_authority in [None, Some(key(5))] {
        let ours = programs.initialize_mint(&mint, &payer, 6, &key(4), freeze_authority);
        let accounts = accounts::InitializeMint {
            mint,
            payer,
            system_program: SYSTEM,
            inco_lightning_program: inco_lightning::ID,
        };
        let arguments = args::InitializeMint { decimals: 6, mint_authority: key(4), freeze_authority };
        assert_eq!(ours, generated(&accounts, &arguments, &[]));
    }
    let accounts = accounts::CreateIdempotent {
        payer,
        associated_token: programs.token_account(&wallet, &mint),
        wallet,
        mint,
        system_program: SYSTEM,
        inco_lightning_program: inco_lightning::ID,
    };
    let ours = programs.create_idempotent(&payer, &wallet, &mint);
    assert_eq!(ours, generated(&accounts, &args::CreateIdempotent {}, &[]));
}

#[test]
fn minting_and_approving_agree_with_the_idl_with_and_without_allowance() {
    let programs = Programs::default();
    let (granted, remaining) = allowance(20);
    let (lightning, system) = (inco_lightning::ID, SYSTEM);
    for (allowance, rest) in [(None, [].as_slice()), (Some(granted), remaining.as_slice())] {
        let ours = programs.mint_to(&key(1), &key(2), &key(3), CIPHERTEXT, allowance);
        let accounts = accounts::MintTo {
            mint: key(1),
            account: key(2),
            mint_authority: key(3),
            inco_lightning_program: lightning,
            system_program: system,
        };
        assert_eq!(ours, generated(&accounts, &args::MintTo { ciphertext: amount(), input_type: 0 }, rest));

        let ours = programs.approve(&key(1), &key(2), &key(3), CIPHERTEXT, allowance);
        let accounts = accounts::Approve {
            source: key(1),
            delegate: key(2),
            owner: key(3),
            inco_lightning_program: lightning,
            system_program: system,
        };
        assert_eq!(ours, generated(&accounts, &args::Approve { ciphertext: amount(), input_type: 0 }, rest));

        let ours = programs.approve_checked(&key(1), &key(4), &key(2), &key(3), CIPHERTEXT, 6, allowance);
        let accounts = accounts::ApproveChecked {
            source: key(1),
            mint: key(4),
            delegate: key(2),
            owner: key(3),
            inco_lightning_program: lightning,
            system_program: system,
        };
        let arguments = args::ApproveChecked { ciphertext: amount(), input_type: 0, decimals: 6 };
        assert_eq!(ours, generated(&accounts, &arguments, rest));
    }
    let accounts = accounts::Revoke { source: key(1), owner: key(2), inco_lightning_program: lightning };
    assert_eq!(programs.revoke(&key(1), &key(2)), generated(&accounts, &args::Revoke {}, &[]));
}

#[test]
fn transfers_agree_with_the_idl_but_for_the_writable_payer() {
    let programs = Programs::default();
    let ((source, mut rest), (destination, more)) = (allowance(20), allowance(30));
    rest.extend(more);
    for (allowances, rest) in [(None, [].as_slice()), (Some([source, destination]), rest.as_slice())] {
        let transfer =
            Transfer { source: key(1), destination: key(2), authority: key(3), ciphertext: amount(), allowances };
        let accounts = accounts::Transfer {
            source: key(1),
            destination: key(2),
            authority: key(3),
            inco_lightning_program: inco_lightning::ID,
            system_program: SYSTEM,
        };
        let arguments = args::Transfer { ciphertext: amount(), input_type: 0 };
        assert_eq!(programs.transfer(&transfer), generated(&accounts, &arguments, rest));

        let accounts = accounts::TransferWithAuthorization {
            source: key(1),
            destination: key(2),
            payer: key(3),
            instructions: solana_sdk_ids::sysvar::instructions::ID,
            inco_lightning_program: inco_lightning::ID,
            system_program: SYSTEM,
        };
        let arguments = args::TransferWithAuthorization { ciphertext: amount(), input_type: 0 };
        let mut expected = generated(&accounts, &arguments, rest);
        // The one place where the interface and the chain's needs differ (`spec/inco.md` §4).
        assert_eq!(expected.accounts[2], AccountMeta::new_readonly(key(3), true));
        expected.accounts[2].is_writable = true;
        assert_eq!(programs.transfer_with_authorization(&transfer), expected);
    }
}

#[test]
fn freezing_thawing_and_closing_agree_with_the_idl() {
    let programs = Programs::default();
    let (account, mint, freeze_authority) = (key(1), key(2), key(3));
    let ours = programs.freeze_account(&account, &mint, &freeze_authority);
    let accounts = accounts::FreezeAccount { account, mint, freeze_authority };
    assert_eq!(ours, generated(&accounts, &args::FreezeAccount {}, &[]));
    let ours = programs.thaw_account(&account, &mint, &freeze_authority);
    let accounts = accounts::ThawAccount { account, mint, freeze_authority };
    assert_eq!(ours, generated(&accounts, &args::ThawAccount {}, &[]));
    let ours = programs.close_account(&account, &key(4), &key(5));
    let accounts = accounts::CloseAccount { account, destination: key(4), authority: key(5) };
    assert_eq!(ours, generated(&accounts, &args::CloseAccount {}, &[]));
}

#[test]
fn anchor_reads_and_writes_the_accounts_as_we_do() {
    for (delegate, is_native, close_authority) in [(None, None, None), (Some(key(3)), Some(7), Some(key(4)))] {
        let ours = IncoAccount {
            mint: key(1),
            owner: key(2),
            amount: u128::MAX - 1,
            delegate,
            state: AccountState::Frozen,
            is_native,
            delegated_amount: 77,
            close_authority,
        };
        let bytes = ours.encode();
        let theirs =
            inco_token::accounts::IncoAccount::try_deserialize(&mut bytes.as_slice()).expect("anchor reads it");
        assert_eq!((theirs.mint, theirs.owner, theirs.amount), (ours.mint, ours.owner, ours.amount));
        assert_eq!((theirs.delegate, theirs.is_native), (ours.delegate, ours.is_native));
        assert_eq!((theirs.delegated_amount, theirs.close_authority), (ours.delegated_amount, ours.close_authority));
        assert!(matches!(theirs.state, inco_token::types::AccountState::Frozen));
        let mut written = inco_token::accounts::IncoAccount::DISCRIMINATOR.to_vec();
        theirs.serialize(&mut written).expect("a vector takes everything");
        assert_eq!(IncoAccount::decode(&written), Ok(ours), "without padding");
    }
    let ours =
        IncoMint { mint_authority: Some(key(1)), supply: 9, decimals: 6, is_initialized: true, freeze_authority: None };
    let bytes = ours.encode();
    let theirs = inco_token::accounts::IncoMint::try_deserialize(&mut bytes.as_slice()).expect("anchor reads it");
    assert_eq!((theirs.mint_authority, theirs.freeze_authority), (ours.mint_authority, ours.freeze_authority));
    assert_eq!((theirs.supply, theirs.decimals, theirs.is_initialized), (ours.supply, ours.decimals, true));
}

#[test]
fn the_refusals_are_the_idls_in_name_code_and_sentence() {
    let idl: Value = serde_json::from_str(TOKEN_IDL).expect("the IDL is JSON");
    let listed: Vec<_> = idl["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| (error["code"].as_u64().expect("a code"), error["name"].to_string(), error["msg"].to_string()))
        .collect();
    let ours: Vec<_> = IncoTokenError::ALL
        .iter()
        .map(|error| (u64::from(error.code()), format!("\"{error:?}\""), format!("\"{error}\"")))
        .collect();
    assert_eq!(ours, listed);
    for error in IncoTokenError::ALL {
        assert_eq!(IncoTokenError::from_code(error.code()), Some(*error));
    }
    assert_eq!(IncoTokenError::AccountFrozen.code(), 6017);
    assert_eq!([3012, 5999, 6020, u32::MAX].map(IncoTokenError::from_code), [None; 4]);
}

#[test]
fn every_discriminator_of_the_idls_is_the_published_one() {
    let golden: Value = serde_json::from_str(GOLDEN).expect("the vectors are JSON");
    let unlisted = BTreeSet::from(["as_ebool", "new_ebool", "transient_allow"].map(str::to_owned));
    for (program, idl, missing) in
        [("inco_token", TOKEN_IDL, BTreeSet::new()), ("inco_lightning", LIGHTNING_IDL, unlisted)]
    {
        let idl: Value = serde_json::from_str(idl).expect("the IDL is JSON");
        let published = golden["discriminators"][program].as_object().expect("an object");
        let mut names: BTreeSet<String> = published.keys().cloned().collect();
        for instruction in idl["instructions"].as_array().expect("a list") {
            let name = instruction["name"].as_str().expect("a name");
            assert_eq!(Some(&instruction["discriminator"]), published.get(name), "{name}");
            assert_eq!(instruction["discriminator"], serde_json::json!(discriminator(name)), "{name}");
            assert!(names.remove(name), "{name} is there once");
        }
        assert_eq!(names, missing, "what {program} has and we never use");
    }
    let accounts = &golden["discriminators"]["accounts"];
    assert_eq!(serde_json::json!(inco_token::accounts::IncoAccount::DISCRIMINATOR), accounts["IncoAccount"]);
    assert_eq!(serde_json::json!(inco_token::accounts::IncoMint::DISCRIMINATOR), accounts["IncoMint"]);
}

#[test]
fn the_lightning_idl_is_the_interface_that_the_stand_in_serves() {
    use inco_lightning::client::{accounts, args};
    let metas =
        accounts::Allow { allowance_account: key(1), signer: key(2), allowed_address: key(3), system_program: SYSTEM }
            .to_account_metas(None);
    let expected = [
        AccountMeta::new(key(1), false),
        AccountMeta::new(key(2), true),
        AccountMeta::new_readonly(key(3), false),
        AccountMeta::new_readonly(SYSTEM, false),
    ];
    assert_eq!(metas, expected);
    let bytes = args::Allow { handle: 5, allowed: true, address: key(3) }.data();
    assert_eq!(bytes, [&discriminator("allow")[..], &5_u128.to_le_bytes(), &[1], &[3; 32]].concat());
    let metas = accounts::EGe { signer: key(2) }.to_account_metas(None);
    assert_eq!(metas, [AccountMeta::new(key(2), true)]);
    let bytes = args::ESelect { condition: 1, if_true: 2, if_false: 3, scalar_byte: 0 }.data();
    assert_eq!(bytes.len(), 8 + 3 * 16 + 1);
}
