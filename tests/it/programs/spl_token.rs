//! Plain tokens against the golden bytes of published clients and of the real programs (`tests/vectors/spl_token.json`).

use super::pubkey;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;
use solana_hash::Hash;
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use sotto::{
    chain::{
        fees::ComputeBudget,
        transaction::{SettlementParts, Transfer},
    },
    programs::{
        inco_token::{AccountState, DecodeError},
        spl_token::{Mint, TokenAccount, TokenProgram, TransferChecked, associated_account},
    },
};

fn golden(section: &str) -> Vec<Value> {
    let mut all: Value = serde_json::from_str(include_str!("../../vectors/spl_token.json")).expect("JSON");
    serde_json::from_value(all[section].take()).expect("a list")
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry[field].as_str().expect("text")
}

fn key(entry: &Value, field: &str) -> Pubkey {
    pubkey(text(entry, field))
}

fn maybe_key(entry: &Value, field: &str) -> Option<Pubkey> {
    entry[field].as_str().map(pubkey)
}

fn small(entry: &Value, field: &str) -> u8 {
    entry[field].as_u64().and_then(|number| u8::try_from(number).ok()).expect("a byte")
}

fn number(entry: &Value, field: &str) -> u64 {
    text(entry, field).parse().expect("a number")
}

fn bytes(entry: &Value) -> Vec<u8> {
    BASE64.decode(text(entry, "data_base64")).expect("base64")
}

fn program(entry: &Value) -> TokenProgram {
    TokenProgram::at(&key(entry, "program")).expect("a token program")
}

/// The transfer that a golden case asks for, and the instruction that its client built.
fn transfers() -> Vec<(TransferChecked, Instruction)> {
    let read = |entry: &Value| {
        let built = &entry["instruction"];
        let (program, mint) = (program(built), key(entry, "mint"));
        let authority = key(entry, "source_owner");
        let transfer = TransferChecked {
            program,
            source: associated_account(program, &authority, &mint),
            mint,
            destination: associated_account(program, &key(entry, "destination_owner"), &mint),
            authority,
            amount: number(entry, "amount"),
            decimals: small(entry, "decimals"),
        };
        let flag = |account: &Value, field: &str| account[field].as_bool().expect("a flag");
        let accounts = built["accounts"].as_array().expect("a list").iter().map(|account| AccountMeta {
            pubkey: key(account, "address"),
            is_signer: flag(account, "signer"),
            is_writable: flag(account, "writable"),
        });
        let accounts = accounts.collect();
        let data = hex::decode(text(built, "data_hex")).expect("hex");
        (transfer, Instruction { program_id: program.address(), accounts, data })
    };
    golden("transfers").iter().map(read).collect()
}

#[test]
fn a_plain_transfer_is_built_as_the_published_clients_build_it() {
    let transfers = transfers();
    assert_eq!(transfers.len(), 3);
    for (transfer, built) in transfers {
        assert_eq!(transfer.instruction(), built);
    }
}

#[test]
fn a_settlement_may_be_a_plain_transfer() {
    let compute = ComputeBudget { units: 20_000, price: 1 };
    for (transfer, built) in transfers() {
        let fee_payer = Pubkey::new_from_array([7; 32]);
        let parts = SettlementParts { fee_payer, transfer: Transfer::Plain(&transfer), compute };
        let unsigned = parts.build(Hash::new_from_array([17; 32])).expect("builds");
        let message = &unsigned.transaction().message;
        let keys = message.static_account_keys();
        let first = &message.instructions()[0];
        assert_eq!((keys[usize::from(first.program_id_index)], &first.data), (built.program_id, &built.data));
        let named: Vec<_> = first.accounts.iter().map(|index| keys[usize::from(*index)]).collect();
        assert_eq!(named, built.accounts.iter().map(|account| account.pubkey).collect::<Vec<_>>());
        assert_eq!(keys[..2], [fee_payer, transfer.authority], "both sign");
        assert_eq!(message.header().num_required_signatures, 2);
        assert_eq!(message.instructions().len(), 3, "and a compute budget");
    }
}

#[test]
fn mints_and_accounts_of_both_programs_are_read() {
    for entry in golden("mints") {
        let expected = Mint {
            authority: maybe_key(&entry, "mint_authority"),
            supply: number(&entry, "supply"),
            decimals: small(&entry, "decimals"),
            is_initialised: true,
            freeze_authority: maybe_key(&entry, "freeze_authority"),
        };
        assert_eq!(Mint::decode(program(&entry), &bytes(&entry)), Ok(expected), "{}", text(&entry, "address"));
    }
    for entry in golden("accounts") {
        let (program, owner, mint) = (program(&entry), key(&entry, "owner"), key(&entry, "mint"));
        assert_eq!(associated_account(program, &owner, &mint), key(&entry, "address"));
        let expected = TokenAccount {
            mint,
            owner,
            amount: number(&entry, "amount"),
            delegate: maybe_key(&entry, "delegate"),
            state: AccountState::Initialised,
            native_reserve: None,
            delegated_amount: number(&entry, "delegated_amount"),
            close_authority: maybe_key(&entry, "close_authority"),
        };
        assert_eq!((small(&entry, "state"), TokenAccount::decode(program, &bytes(&entry))), (1, Ok(expected)));
    }
}

#[test]
fn an_account_of_another_kind_or_length_is_refused() {
    for entry in golden("accounts").iter().chain(&golden("mints")) {
        let (program, bytes) = (program(entry), bytes(entry));
        let is_mint = entry.get("supply").is_some();
        let read = |bytes: &[u8]| {
            if is_mint {
                Mint::decode(program, bytes).map(drop)
            } else {
                TokenAccount::decode(program, bytes).map(drop)
            }
        };
        let size = if is_mint { Mint::SIZE } else { TokenAccount::SIZE };
        for length in 0..size {
            assert_eq!(read(&bytes[..length]), Err(DecodeError::Truncated), "{length}");
        }
        let longer = [bytes.as_slice(), &[0; 20]].concat();
        match program {
            TokenProgram::Token => assert_eq!(read(&longer), Err(DecodeError::TooLong)),
            // Extensions follow, where the kind says so.
            TokenProgram::Token2022 if bytes.len() > size => assert_eq!(read(&longer), Ok(())),
            TokenProgram::Token2022 => assert!(read(&longer).is_err()),
        }
        let wrong = if is_mint {
            TokenAccount::decode(program, &bytes).is_err()
        } else {
            Mint::decode(program, &bytes).is_err()
        };
        assert!(wrong, "the other kind");
    }
    let multisig = [2; 355];
    assert_eq!(TokenAccount::decode(TokenProgram::Token2022, &multisig), Err(DecodeError::TooLong));
    assert_eq!(TokenProgram::at(&Pubkey::default()), None);
}

#[test]
fn a_tag_a_state_or_a_flag_that_cannot_be_is_refused() {
    let account = golden("accounts").swap_remove(0);
    let mint = golden("mints").swap_remove(0);
    for at in [72, 108, 109, 129] {
        let mut bytes = bytes(&account);
        bytes[at] = 3;
        assert_eq!(TokenAccount::decode(program(&account), &bytes), Err(DecodeError::Value), "{at}");
    }
    for at in [0, 45, 46] {
        let mut bytes = bytes(&mint);
        bytes[at] = 3;
        assert_eq!(Mint::decode(program(&mint), &bytes), Err(DecodeError::Value), "{at}");
    }
    let mut frozen = bytes(&account);
    frozen[108] = 2;
    let read = TokenAccount::decode(program(&account), &frozen).expect("reads");
    assert_eq!(read.state, AccountState::Frozen);
    let mut delegated = bytes(&account);
    delegated[72] = 1;
    delegated[76..108].copy_from_slice(&[9; 32]);
    delegated[121] = 5;
    let read = TokenAccount::decode(program(&account), &delegated).expect("reads");
    assert_eq!((read.delegate, read.delegated_amount), (Some(Pubkey::new_from_array([9; 32])), 5));
}
