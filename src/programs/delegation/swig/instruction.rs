//! The five instructions that we use.

use super::{Action, ED25519, ED25519_SESSION, PROGRAM};
use crate::programs::spl_token::{TokenProgram, associated_account};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;

/// Instructions by their numbers.
const CREATE: u16 = 0;
const ADD_AUTHORITY: u16 = 1;
const REMOVE_AUTHORITY: u16 = 2;
const CREATE_SESSION: u16 = 5;
const SIGN: u16 = 11;
/// Where the acting authority stands among the accounts.
const FOURTH: u8 = 3;
const THIRD: u8 = 2;
/// The role of the buyer.
const ROOT: u32 = 0;

/// A Swig's addresses, all of which follow from its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwigAddresses {
    /// What they are derived from.
    pub id: [u8; 32],
    /// The config account, and its bump.
    pub config: (Pubkey, u8),
    /// The wallet, and its bump.
    pub wallet: (Pubkey, u8),
}

/// The role that a buyer grants us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleGrant {
    /// Our key of this generation.
    pub delegate: Pubkey,
    /// The longest session, in slots.
    pub slots: u64,
    /// The mint's program.
    pub program: TokenProgram,
    /// The token.
    pub mint: Pubkey,
    /// Its decimals.
    pub decimals: u8,
    /// The most that ever moves, in base units.
    pub limit: u64,
    /// The only wallet that is paid, where there is one.
    pub seller: Option<Pubkey>,
}

impl RoleGrant {
    /// The role's permissions: instructions of the token program alone, within the limits.
    pub fn actions(&self) -> Vec<Action> {
        let mut actions = vec![
            Action::Program(self.program.address()),
            Action::TokenLimit { mint: self.mint, remaining: self.limit },
        ];
        actions.extend(self.destination().map(|destination| Action::TokenDestinationLimit {
            mint: self.mint,
            destination,
            remaining: self.limit,
        }));
        actions
    }

    /// The only token account that is paid.
    pub fn destination(&self) -> Option<Pubkey> {
        self.seller.map(|seller| associated_account(self.program, &seller, &self.mint))
    }
}

impl SwigAddresses {
    /// The addresses of an id.
    pub fn of(id: [u8; 32]) -> Self {
        let config = Pubkey::find_program_address(&[b"swig", &id], &PROGRAM);
        let wallet = Pubkey::find_program_address(&[b"swig-wallet-address", config.0.as_ref()], &PROGRAM);
        Self { id, config, wallet }
    }

    /// The wallet's associated token account.
    pub fn token_account(&self, program: TokenProgram, mint: &Pubkey) -> Pubkey {
        associated_account(program, &self.wallet.0, mint)
    }

    /// `CreateV1`: makes the Swig, with the buyer as its root.
    pub fn create(&self, payer: &Pubkey, buyer: &Pubkey) -> Instruction {
        let bytes = [
            &CREATE.to_le_bytes()[..],
            &ED25519.to_le_bytes(),
            &32_u16.to_le_bytes(),
            &[self.config.1, self.wallet.1],
            &self.id,
            &buyer.to_bytes(),
            &Action::encode_all(&[Action::All]),
        ];
        let accounts = vec![
            AccountMeta::new(self.config.0, false),
            AccountMeta::new(*payer, true),
            AccountMeta::new(self.wallet.0, false),
            AccountMeta::new_readonly(system_program::ID, false),
        ];
        Instruction { program_id: PROGRAM, accounts, data: bytes.concat() }
    }

    /// `AddAuthorityV1`: the buyer grants us a role, whose root is the buyer too, so that we cannot prolong it ourselves.
    pub fn grant(&self, payer: &Pubkey, buyer: &Pubkey, grant: &RoleGrant) -> Instruction {
        let authority = [&buyer.to_bytes()[..], &grant.delegate.to_bytes(), &grant.slots.to_le_bytes()].concat();
        let granted = grant.actions();
        let actions = Action::encode_all(&granted);
        // Of at most 72, 168 and 3: they fit.
        let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes();
        let bytes = [
            &ADD_AUTHORITY.to_le_bytes()[..],
            &length(&authority),
            &length(&actions),
            &ED25519_SESSION.to_le_bytes(),
            &[u8::try_from(granted.len()).unwrap_or(u8::MAX), 0, 0, 0],
            &ROOT.to_le_bytes(),
            &authority,
            &actions,
            &[FOURTH],
        ];
        Instruction { program_id: PROGRAM, accounts: self.managed(payer, buyer), data: bytes.concat() }
    }

    /// `RemoveAuthorityV1`: the buyer takes a role back.
    pub fn remove(&self, payer: &Pubkey, buyer: &Pubkey, role: u32) -> Instruction {
        let bytes = [
            &REMOVE_AUTHORITY.to_le_bytes()[..],
            &1_u16.to_le_bytes(),
            &[0; 4],
            &ROOT.to_le_bytes(),
            &role.to_le_bytes(),
            &[FOURTH],
        ];
        Instruction { program_id: PROGRAM, accounts: self.managed(payer, buyer), data: bytes.concat() }
    }

    /// `CreateSessionV1`: the buyer lets our key act for so many slots from now.
    pub fn activate(&self, payer: &Pubkey, buyer: &Pubkey, role: u32, slots: u64, delegate: &Pubkey) -> Instruction {
        let bytes = [
            &CREATE_SESSION.to_le_bytes()[..],
            &[0; 2],
            &role.to_le_bytes(),
            &slots.to_le_bytes(),
            &delegate.to_bytes(),
            &[THIRD],
        ];
        let accounts = vec![
            AccountMeta::new(self.config.0, false),
            AccountMeta::new(*payer, true),
            AccountMeta::new_readonly(*buyer, true),
        ];
        Instruction { program_id: PROGRAM, accounts, data: bytes.concat() }
    }

    /// `SignV2`: our key acts as the wallet. The wallet signs inside and so is passed unsigned. `None` for more accounts than
    /// a byte counts.
    pub fn sign(&self, role: u32, session_key: &Pubkey, inner: &[Instruction]) -> Option<Instruction> {
        let mut accounts = vec![
            AccountMeta::new(self.config.0, false),
            AccountMeta::new(self.wallet.0, false),
            AccountMeta::new_readonly(*session_key, true),
        ];
        let mut compact = vec![u8::try_from(inner.len()).ok()?];
        for instruction in inner {
            compact.push(place(&mut accounts, &AccountMeta::new_readonly(instruction.program_id, false))?);
            compact.push(u8::try_from(instruction.accounts.len()).ok()?);
            for account in &instruction.accounts {
                compact.push(place(&mut accounts, account)?);
            }
            compact.extend(u16::try_from(instruction.data.len()).ok()?.to_le_bytes());
            compact.extend(&instruction.data);
        }
        let length = u16::try_from(compact.len()).ok()?;
        let bytes = [&SIGN.to_le_bytes()[..], &length.to_le_bytes(), &role.to_le_bytes(), &compact, &[THIRD]].concat();
        Some(Instruction { program_id: PROGRAM, accounts, data: bytes })
    }

    /// The accounts of what the root does with roles.
    fn managed(&self, payer: &Pubkey, buyer: &Pubkey) -> Vec<AccountMeta> {
        vec![
            AccountMeta::new(self.config.0, false),
            AccountMeta::new(*payer, true),
            AccountMeta::new_readonly(system_program::ID, false),
            AccountMeta::new_readonly(*buyer, true),
        ]
    }
}

/// Where an account stands in the list; it is appended where it is not there yet, and may be written if any use writes it.
fn place(accounts: &mut Vec<AccountMeta>, account: &AccountMeta) -> Option<u8> {
    let known = accounts.iter().position(|known| known.pubkey == account.pubkey);
    let at = known.unwrap_or(accounts.len());
    match accounts.get_mut(at) {
        Some(known) => known.is_writable |= account.is_writable,
        None => accounts.push(AccountMeta { is_signer: false, ..account.clone() }),
    }
    u8::try_from(at).ok()
}
