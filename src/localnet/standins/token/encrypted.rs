//! Calls into Lightning, signed by whoever signed for the token instruction.

use solana_instruction::{AccountMeta, Instruction};
use solana_instruction_error::InstructionError;
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;

use super::super::anchor::{Arguments, require};
use super::super::host::{Host, Outcome};
use crate::programs::discriminator;
use crate::programs::inco_token::IncoTokenError;

/// Both operands are handles.
const NO_SCALAR: [u8; 1] = [0];

/// Lightning as the running instruction can reach it.
pub(super) struct Lightning<'a> {
    pub(super) host: &'a mut dyn Host,
    /// Signs, and pays for decrypt allowances; has to be writable.
    pub(super) signer: Pubkey,
}

/// An encrypted amount as clients send it.
pub(super) struct EncryptedAmount {
    ciphertext: Vec<u8>,
    input_type: u8,
}

impl EncryptedAmount {
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Outcome<Self> {
        let ciphertext = arguments.bytes()?.to_vec();
        Ok(Self { ciphertext, input_type: arguments.byte()? })
    }
}

impl Lightning<'_> {
    fn call(&mut self, name: &str, arguments: &[&[u8]], accounts: Vec<AccountMeta>) -> Outcome {
        let mut bytes = discriminator(name).to_vec();
        bytes.extend(arguments.iter().copied().flatten());
        let program_id = self.host.programs().lightning;
        self.host.call(Instruction { program_id, accounts, data: bytes }, &[])
    }

    fn operate(&mut self, name: &str, arguments: &[&[u8]]) -> Outcome<u128> {
        self.call(name, arguments, vec![AccountMeta::new(self.signer, true)])?;
        let (program, bytes) = self.host.returned();
        let handle = bytes.try_into().map(u128::from_le_bytes).map_err(|_| InstructionError::InvalidAccountData)?;
        if program == self.host.programs().lightning { Ok(handle) } else { Err(InstructionError::InvalidAccountData) }
    }

    fn binary(&mut self, name: &str, left: u128, right: u128) -> Outcome<u128> {
        self.operate(name, &[&left.to_le_bytes(), &right.to_le_bytes(), &NO_SCALAR])
    }

    /// The handle of an amount that a client encrypted. Takes any bytes.
    pub(super) fn new_euint128(&mut self, amount: &EncryptedAmount) -> Outcome<u128> {
        let length = u32::try_from(amount.ciphertext.len()).map_err(|_| InstructionError::InvalidArgument)?;
        self.operate("new_euint128", &[&length.to_le_bytes(), &amount.ciphertext, &[amount.input_type]])
    }

    pub(super) fn zero(&mut self) -> Outcome<u128> {
        self.operate("as_euint128", &[&0_u128.to_le_bytes()])
    }

    pub(super) fn add(&mut self, left: u128, right: u128) -> Outcome<u128> {
        self.binary("e_add", left, right)
    }

    pub(super) fn sub(&mut self, left: u128, right: u128) -> Outcome<u128> {
        self.binary("e_sub", left, right)
    }

    pub(super) fn at_least(&mut self, left: u128, right: u128) -> Outcome<u128> {
        self.binary("e_ge", left, right)
    }

    pub(super) fn both(&mut self, left: u128, right: u128) -> Outcome<u128> {
        self.binary("e_and", left, right)
    }

    pub(super) fn select(&mut self, condition: u128, yes: u128, no: u128) -> Outcome<u128> {
        let operands = [condition, yes, no].map(u128::to_le_bytes);
        self.operate("e_select", &[&operands[0], &operands[1], &operands[2], &NO_SCALAR])
    }

    /// Lets `allowed` decrypt `handle`, if the remaining accounts from `at` on were sent: the decrypt allowance and
    /// whom it is for. Without them nothing happens.
    pub(super) fn allow(&mut self, handle: u128, allowed: &Pubkey, at: usize) -> Outcome {
        if self.host.account_count()? < at + 2 {
            return Ok(());
        }
        let (account, holder) = (self.host.account(at)?.key, self.host.account(at + 1)?.key);
        let accounts = vec![
            AccountMeta::new(account, false),
            AccountMeta::new(self.signer, true),
            AccountMeta::new_readonly(holder, false),
            AccountMeta::new_readonly(system_program::ID, false),
        ];
        self.call("allow", &[&handle.to_le_bytes(), &[1], allowed.as_ref()], accounts)
    }
}

/// Refuses, where the rules say so, an instruction without its `needed` remaining accounts after the first `fixed`.
pub(super) fn must_have_remaining(host: &dyn Host, fixed: usize, needed: usize) -> Outcome {
    let missing = host.rules().require_remaining_accounts && host.account_count()? < fixed + needed;
    require(!missing, IncoTokenError::InvalidInstruction)
}
