//! Swig's instructions, as these tests build them: from the golden bytes, and by nobody's library.

use crate::localnet::golden::{VECTORS, address, bytes, key};
use serde_json::Value;
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;
use solana_signer::Signer as _;
use sotto::{
    localnet::standins::SWIG,
    programs::spl_token::{TokenProgram, TransferChecked},
};

/// Where the acting key signs in instructions that manage roles, and in the others.
const MANAGER: u8 = 3;
const SIGNER: u8 = 2;

/// A wallet's addresses.
#[derive(Clone, Copy)]
pub(crate) struct Wallet {
    pub(crate) id: [u8; 32],
    pub(crate) config: Pubkey,
    pub(crate) config_bump: u8,
    pub(crate) address: Pubkey,
    pub(crate) address_bump: u8,
}

impl Wallet {
    pub(crate) fn new(id: [u8; 32]) -> Self {
        let (config, config_bump) = Pubkey::find_program_address(&[b"swig", &id], &SWIG);
        let (address, address_bump) = Pubkey::find_program_address(&[b"swig-wallet-address", config.as_ref()], &SWIG);
        Self { id, config, config_bump, address, address_bump }
    }
}

/// Whose signature a role takes.
#[derive(Clone, Copy)]
pub(crate) enum Authority {
    Key(Pubkey),
    /// Root, session key, and the most slots of a session.
    Session(Pubkey, Pubkey, u64),
}

impl Authority {
    fn kind(self) -> u16 {
        match self {
            Self::Key(_) => 1,
            Self::Session(..) => 2,
        }
    }

    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Key(key) => key.to_bytes().to_vec(),
            Self::Session(root, key, longest) => {
                [root.to_bytes().as_slice(), &key.to_bytes(), &longest.to_le_bytes()].concat()
            }
        }
    }
}

/// What a role may do.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    Program(Pubkey),
    TokenLimit(Pubkey, u64),
    All,
    ManageAuthority,
    /// Mint, token account, base units.
    Destination(Pubkey, Pubkey, u64),
}

impl Action {
    fn encode(self) -> (u16, Vec<u8>) {
        match self {
            Self::Program(program) => (3, program.to_bytes().to_vec()),
            Self::TokenLimit(mint, units) => (5, [mint.to_bytes().as_slice(), &units.to_le_bytes()].concat()),
            Self::All => (7, vec![]),
            Self::ManageAuthority => (8, vec![]),
            Self::Destination(mint, to, units) => {
                (18, [mint.to_bytes().as_slice(), &to.to_bytes(), &units.to_le_bytes()].concat())
            }
        }
    }
}

fn actions(all: &[Action]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for action in all {
        let (permission, terms) = action.encode();
        let end = encoded.len() + 8 + terms.len();
        encoded.extend(permission.to_le_bytes());
        encoded.extend(short(terms.len()));
        encoded.extend(u32::try_from(end).unwrap().to_le_bytes());
        encoded.extend(terms);
    }
    encoded
}

fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap().to_le_bytes()
}

fn byte(number: usize) -> u8 {
    u8::try_from(number).unwrap()
}

fn swig(accounts: Vec<AccountMeta>, parts: &[&[u8]]) -> Instruction {
    Instruction { program_id: SWIG, accounts, data: parts.concat() }
}

pub(crate) fn create(wallet: &Wallet, payer: &Pubkey, root: Authority, may: &[Action]) -> Instruction {
    let accounts = vec![
        AccountMeta::new(wallet.config, false),
        AccountMeta::new(*payer, true),
        AccountMeta::new(wallet.address, false),
        AccountMeta::new_readonly(system_program::ID, false),
    ];
    let authority = root.bytes();
    let bumps = [wallet.config_bump, wallet.address_bump];
    let head = [&[0; 2], root.kind().to_le_bytes().as_slice(), &short(authority.len()), &bumps, &wallet.id].concat();
    swig(accounts, &[&head, &authority, &actions(may)])
}

/// The accounts of an instruction that manages roles.
fn managing(wallet: &Wallet, payer: &Pubkey, manager: &Pubkey) -> Vec<AccountMeta> {
    vec![
        AccountMeta::new(wallet.config, false),
        AccountMeta::new(*payer, true),
        AccountMeta::new_readonly(system_program::ID, false),
        AccountMeta::new_readonly(*manager, true),
    ]
}

/// Adds a role by the role `acting`, for which `manager` signs.
pub(crate) fn add(
    wallet: &Wallet,
    payer: &Pubkey,
    (acting, manager): (u32, &Pubkey),
    authority: Authority,
    may: &[Action],
) -> Instruction {
    let (kind, authority, encoded) = (authority.kind(), authority.bytes(), actions(may));
    let lengths = [short(authority.len()), short(encoded.len())].concat();
    let head = [&1_u16.to_le_bytes(), lengths.as_slice(), &kind.to_le_bytes(), &[byte(may.len()), 0, 0, 0]].concat();
    let accounts = managing(wallet, payer, manager);
    swig(accounts, &[&head, &acting.to_le_bytes(), &authority, &encoded, &[MANAGER]])
}

/// Removes the role `target` by the role `acting`, for which `manager` signs.
pub(crate) fn remove(wallet: &Wallet, payer: &Pubkey, (acting, manager): (u32, &Pubkey), target: u32) -> Instruction {
    let head = [2, 0, 1, 0, 0, 0, 0, 0];
    let accounts = managing(wallet, payer, manager);
    swig(accounts, &[&head, &acting.to_le_bytes(), &target.to_le_bytes(), &[MANAGER]])
}

/// Lets `key` act for a role for so many slots; `root` signs.
pub(crate) fn session(
    wallet: &Wallet,
    payer: &Pubkey,
    (role, root): (u32, &Pubkey),
    key: &Pubkey,
    slots: u64,
) -> Instruction {
    let accounts = vec![
        AccountMeta::new(wallet.config, false),
        AccountMeta::new(*payer, true),
        AccountMeta::new_readonly(*root, true),
    ];
    let head = [5, 0, 0, 0];
    swig(accounts, &[&head, &role.to_le_bytes(), &slots.to_le_bytes(), key.as_ref(), &[SIGNER]])
}

/// Makes calls with the wallet's signature by a role, for which `key` signs.
pub(crate) fn sign(wallet: &Wallet, (role, key): (u32, &Pubkey), calls: &[Instruction]) -> Instruction {
    let mut accounts = vec![
        AccountMeta::new(wallet.config, false),
        AccountMeta::new(wallet.address, false),
        AccountMeta::new_readonly(*key, true),
    ];
    let mut place = |wanted: &AccountMeta| {
        let at = accounts.iter().position(|known| known.pubkey == wanted.pubkey).unwrap_or(accounts.len());
        if at == accounts.len() {
            accounts.push(AccountMeta { is_signer: false, ..wanted.clone() });
        }
        let known = &mut accounts[at];
        known.is_writable |= wanted.is_writable;
        // The wallet has no key: the program signs for it.
        known.is_signer |= wanted.is_signer && wanted.pubkey != wallet.address;
        byte(at)
    };
    let mut compact = vec![byte(calls.len())];
    for call in calls {
        compact.push(place(&AccountMeta::new_readonly(call.program_id, false)));
        compact.push(byte(call.accounts.len()));
        for account in &call.accounts {
            let index = place(account);
            compact.push(index);
        }
        compact.extend(short(call.data.len()));
        compact.extend(&call.data);
    }
    let head = [&11_u16.to_le_bytes(), short(compact.len()).as_slice(), &role.to_le_bytes()].concat();
    swig(accounts, &[&head, &compact, &[SIGNER]])
}

/// An instruction of the vectors.
fn golden(name: &str) -> Instruction {
    let golden = &VECTORS["swig"]["instructions"][name];
    let account = |account: &Value| AccountMeta {
        pubkey: address(&account["pubkey"]),
        is_signer: account["signer"] == true,
        is_writable: account["writable"] == true,
    };
    let accounts = golden["accounts"].as_array().expect("accounts").iter().map(account).collect();
    Instruction { program_id: address(&golden["program"]), accounts, data: bytes(&golden["data_hex"]) }
}

#[test]
fn what_these_tests_build_is_what_the_published_client_builds() {
    let constants = &VECTORS["constants"];
    let id: [u8; 32] = bytes(&VECTORS["swig"]["id_hex"]).try_into().unwrap();
    let wallet = Wallet::new(id);
    assert_eq!(wallet.config, address(&VECTORS["swig"]["config"]));
    assert_eq!(wallet.address, address(&VECTORS["swig"]["wallet"]));
    let [payer, buyer, delegate] = ["fee_payer", "buyer", "delegate"].map(|name| key(name).pubkey());
    let (mint, token) = (address(&constants["mint"]), TokenProgram::Token.address());
    let longest = VECTORS["swig"]["max_session_slots"].as_str().unwrap().parse().unwrap();
    let bounded = Authority::Session(buyer, delegate, longest);
    let sellers = address(&constants["seller_token_account"]);
    let may = [Action::Program(token), Action::TokenLimit(mint, 100_000_000)];
    let bound = [may[0], may[1], Action::Destination(mint, sellers, 100_000_000)];
    let transfer = TransferChecked {
        program: TokenProgram::Token,
        source: address(&VECTORS["swig"]["wallet_token_account"]),
        mint,
        destination: sellers,
        authority: wallet.address,
        amount: 35_000,
        decimals: 6,
    };
    for (name, built) in [
        ("create_v1", create(&wallet, &payer, Authority::Key(buyer), &[Action::All])),
        ("add_authority_v1", add(&wallet, &payer, (0, &buyer), bounded, &may)),
        ("add_authority_v1_with_destination", add(&wallet, &payer, (0, &buyer), bounded, &bound)),
        ("create_session_v1", session(&wallet, &payer, (1, &buyer), &delegate, longest)),
        ("sign_v2_transfer_checked", sign(&wallet, (1, &delegate), &[transfer.instruction()])),
        ("remove_authority_v1", remove(&wallet, &payer, (0, &buyer), 1)),
    ] {
        assert_eq!(built, golden(name), "{name}");
    }
}
