//! Whether what a facilitator gives a wallet to sign is the template of what was asked for (`spec/mpp.md` §6), and nothing else.
//!
//! What a facilitator may choose is taken out of its transaction: who pays the fee, its own keys, a deposit up to what was asked. From
//! that and from what was asked for the transaction is built anew; only where both say the same is it signed. Every address is derived
//! here.

mod swig;

use super::{
    order::BuyerToken,
    session::OnboardOptions,
    state::{GrantMemory, SwigMemory},
    transaction::Unsigned,
};
use crate::{
    domain::amount::Amount,
    programs::{
        delegation::{
            session_account::{Grant, Leave, Place, RENT, SessionAccount},
            swig::PROGRAM as SWIG,
        },
        spl_token::TransferChecked,
    },
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;

/// `AllocateWithSeed` and `CreateAccountWithSeed` of the system program, and its plain transfer.
const CREATE_WITH_SEED: u32 = 3;
const ALLOCATE_WITH_SEED: u32 = 9;
const TRANSFER: u32 = 2;
/// Instructions of the token programs.
const SET_AUTHORITY: u8 = 6;
const CLOSE_ACCOUNT: u8 = 9;

/// What a facilitator gave to be signed is not what was asked for; nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the facilitator's transaction is not signed: {0}")]
pub struct TemplateFault(pub &'static str);

/// What a wallet asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) wallet: Pubkey,
    pub(super) token: BuyerToken,
    /// The network, CAIP-2.
    pub(super) chain_id: &'a str,
    pub(super) swig: Option<&'a SwigMemory>,
}

/// What a transaction does that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It delegates from a session account.
    SessionAccount,
    /// It makes the Swig of this id.
    SwigMade([u8; 32]),
    /// It grants a role on these terms.
    RoleGranted(GrantMemory),
    /// It lets the key of this role act.
    KeyActivated(u32),
}

impl Step {
    /// The label on the wire of what this does; a session account has two.
    fn is_called(&self, label: &str) -> bool {
        let labels: &[&str] = match self {
            Self::SessionAccount => &["create_session_account", "grant_role"],
            Self::SwigMade(_) => &["create_swig"],
            Self::RoleGranted(_) => &["grant_role"],
            Self::KeyActivated(_) => &["activate_session_key"],
        };
        labels.contains(&label)
    }
}

impl Wanted<'_> {
    /// What a transaction of an onboarding does, where it does exactly what was asked for, and the address that is granted from.
    /// `delegate` is the key that the facilitator says it grants to.
    pub(super) fn onboards(
        &self,
        (label, unsigned): (&str, &Unsigned),
        options: &OnboardOptions,
        delegate: Option<Pubkey>,
    ) -> Result<(Step, Pubkey), TemplateFault> {
        self.check_fee_payer(unsigned)?;
        if delegate == Some(self.wallet) {
            return Err(TemplateFault("it grants to the wallet itself"));
        }
        let is_swig = unsigned.instructions().iter().any(|instruction| instruction.program_id == SWIG);
        let (step, address) = if is_swig {
            self.onboards_swig(unsigned, options, delegate)?
        } else {
            self.onboards_session_account(unsigned, options, delegate)?
        };
        if step.is_called(label) { Ok((step, address)) } else { Err(TemplateFault("its label is another one's")) }
    }

    /// Checks a transaction that takes everything back.
    pub(super) fn leaves(&self, unsigned: &Unsigned) -> Result<(), TemplateFault> {
        self.check_fee_payer(unsigned)?;
        let instructions = unsigned.instructions();
        if instructions.iter().any(|instruction| instruction.program_id == SWIG) {
            return self.leaves_swig(unsigned);
        }
        let balance = transfer(instructions).ok_or(TemplateFault("it withdraws nothing"))?;
        let close = instructions.iter().find(|instruction| self.is_token(instruction, CLOSE_ACCOUNT));
        let leave = match close.map(|close| close.accounts.as_slice()) {
            None => Leave::Open,
            Some([_, fee_payer, rent_authority]) => {
                Leave::Close { fee_payer: fee_payer.pubkey, rent_authority: rent_authority.pubkey }
            }
            Some(_) => return Err(TemplateFault("it is no leave")),
        };
        let is_leave = unsigned.is(&self.session_account().leave(balance, leave));
        is_leave.then_some(()).ok_or(TemplateFault("it is no leave, or does more"))
    }

    /// With the wallet as fee payer the transaction would be complete without the facilitator, at the wallet's expense.
    fn check_fee_payer(&self, unsigned: &Unsigned) -> Result<(), TemplateFault> {
        if unsigned.fee_payer() == self.wallet { Err(TemplateFault("the wallet would pay its fee")) } else { Ok(()) }
    }

    fn session_account(&self) -> SessionAccount {
        let BuyerToken { mint, program, decimals } = self.token;
        SessionAccount { program, mint, decimals, buyer: self.wallet }
    }

    fn is_token(&self, instruction: &Instruction, tag: u8) -> bool {
        instruction.program_id == self.token.program.address() && instruction.data.first() == Some(&tag)
    }

    fn onboards_session_account(
        &self,
        unsigned: &Unsigned,
        options: &OnboardOptions,
        delegate: Option<Pubkey>,
    ) -> Result<(Step, Pubkey), TemplateFault> {
        if options.seller.is_some() {
            return Err(TemplateFault("it cannot be bound to one seller, which was asked for"));
        }
        let (account, instructions) = (self.session_account(), unsigned.instructions());
        let place = place(instructions);
        let deposit = transfer(instructions);
        check_deposit(place, deposit, options)?;
        let authority = instructions.iter().find(|instruction| self.is_token(instruction, SET_AUTHORITY));
        let authority = authority.and_then(|instruction| instruction.data.get(3..)?.try_into().ok());
        let rent_authority = authority.map(Pubkey::new_from_array).unwrap_or_default();
        if rent_authority == self.wallet {
            return Err(TemplateFault("it makes the wallet the facilitator's authority"));
        }
        let grant = Grant {
            fee_payer: unsigned.fee_payer(),
            delegate: delegate.ok_or(TemplateFault("it is not told to whom it delegates"))?,
            rent_authority,
            limit: options.spend_limit,
            deposit,
        };
        if !unsigned.is(&account.onboard(place, &grant)) {
            return Err(TemplateFault("it delegates otherwise than was asked for, or does more"));
        }
        Ok((Step::SessionAccount, account.address()))
    }
}

/// What stands at the session account's address, as a transaction takes it.
fn place(instructions: &[Instruction]) -> Place {
    let of_system = |wanted: u32| {
        let is = |it: &&Instruction| it.program_id == system_program::ID && it.data.starts_with(&wanted.to_le_bytes());
        instructions.iter().find(is)
    };
    if of_system(CREATE_WITH_SEED).is_some() {
        return Place::Empty;
    }
    if of_system(ALLOCATE_WITH_SEED).is_none() {
        return Place::Made;
    }
    let missing = of_system(TRANSFER).and_then(|transfer| transfer.data.get(4..)?.try_into().ok());
    Place::Funded { lamports: RENT.saturating_sub(missing.map_or(0, u64::from_le_bytes)) }
}

/// What a transaction moves of tokens, by its first transfer.
fn transfer(instructions: &[Instruction]) -> Option<Amount> {
    instructions.iter().find_map(TransferChecked::read).and_then(|transfer| Amount::new(transfer.amount))
}

/// At most what was asked for moves; where nothing was said, at most the limit, and nothing into an account that is there.
fn check_deposit(place: Place, deposit: Option<Amount>, options: &OnboardOptions) -> Result<(), TemplateFault> {
    let most = match (options.deposit, place) {
        (Some(asked), _) => asked,
        (None, Place::Made) => Amount::ZERO,
        (None, Place::Empty | Place::Funded { .. }) => options.spend_limit,
    };
    if deposit.is_some_and(|deposit| deposit > most) {
        return Err(TemplateFault("it moves more than was asked for"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
