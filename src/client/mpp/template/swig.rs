//! The rounds of a Swig, and its leave.
//!
//! A deposit goes only into a Swig that the same transaction makes, with the wallet as its root. A role is granted only on the Swig
//! whose id follows from wallet and network, or on the one that this wallet made; and only the key of a role that was granted
//! last is let act: an older role could have a larger limit.

use super::{Step, TemplateFault, Wanted};
use crate::{
    client::mpp::{session::OnboardOptions, state::GrantMemory, transaction::Unsigned},
    domain::{
        amount::Amount,
        mpp::{money::slots, root::swig_id},
    },
    programs::{
        compute_budget,
        delegation::{
            UNIT_PRICE,
            swig::{PROGRAM, RoleGrant, SwigAddresses, UNITS},
        },
        spl_token::{TransferChecked, associated_account},
    },
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

/// Instructions by their numbers.
const CREATE: u16 = 0;
const ADD_AUTHORITY: u16 = 1;
const REMOVE_AUTHORITY: u16 = 2;
const CREATE_SESSION: u16 = 5;
const SIGN: u16 = 11;
/// The role of the buyer, who acts as it.
const ROOT: u32 = 0;

/// The first instruction of a Swig with this number.
fn of_swig(instructions: &[Instruction], number: u16) -> Option<&Instruction> {
    instructions.iter().find(|it| it.program_id == PROGRAM && it.data.starts_with(&number.to_le_bytes()))
}

/// Four bytes of an instruction.
fn number_at(instruction: &Instruction, at: usize) -> Option<u32> {
    instruction.data.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

impl Wanted<'_> {
    pub(super) fn onboards_swig(
        &self,
        unsigned: &Unsigned,
        options: &OnboardOptions,
        delegate: Option<Pubkey>,
    ) -> Result<(Step, Pubkey), TemplateFault> {
        let instructions = unsigned.instructions();
        if let Some(create) = of_swig(instructions, CREATE) {
            return self.makes_swig(unsigned, create, options);
        }
        let swig = self.swig();
        let delegate = delegate.ok_or(TemplateFault("it is not told to whom it delegates"))?;
        let (payer, grant) = (unsigned.fee_payer(), self.role_grant(options, delegate));
        let granted = GrantMemory { delegate, limit: options.spend_limit, ttl: options.ttl, seller: options.seller };
        if of_swig(instructions, ADD_AUTHORITY).is_some() {
            let old = of_swig(instructions, REMOVE_AUTHORITY);
            let expected = match old.map(|old| number_at(old, 12)) {
                None => swig.grant_round(&payer, &self.wallet, &grant),
                Some(Some(old)) if old != ROOT => swig.renew_round(&payer, &self.wallet, old, &grant),
                Some(_) => return Err(TemplateFault("it takes the wallet's own role away")),
            };
            let is_grant = unsigned.is(&expected);
            let fault = TemplateFault("it grants otherwise than was asked for, or on another Swig");
            return is_grant.then_some((Step::RoleGranted(granted), swig.config.0)).ok_or(fault);
        }
        let role = of_swig(instructions, CREATE_SESSION).and_then(|session| number_at(session, 4));
        let role = role.ok_or(TemplateFault("it is no round of an onboarding"))?;
        if !unsigned.is(&swig.activate_round(&payer, &self.wallet, role, &grant)) {
            return Err(TemplateFault("it lets another key act, or for longer"));
        }
        self.check_role(role, &granted)?;
        Ok((Step::KeyActivated(role), swig.config.0))
    }

    /// A role that this wallet has granted on these terms, and none from before.
    fn check_role(&self, role: u32, granted: &GrantMemory) -> Result<(), TemplateFault> {
        let known = self.swig.filter(|known| known.granted.as_ref() == Some(granted) && role > known.last_role);
        let fault = TemplateFault("its role is not the one that was granted last; onboard with another limit");
        known.map(|_| ()).ok_or(fault)
    }

    fn makes_swig(
        &self,
        unsigned: &Unsigned,
        create: &Instruction,
        options: &OnboardOptions,
    ) -> Result<(Step, Pubkey), TemplateFault> {
        let id = create.data.get(8..40).and_then(|id| <[u8; 32]>::try_from(id).ok());
        let id = id.ok_or(TemplateFault("it makes no Swig"))?;
        let deposit = super::transfer(unsigned.instructions()).ok_or(TemplateFault("it moves nothing"))?;
        if deposit > options.deposit.unwrap_or(options.spend_limit) {
            return Err(TemplateFault("it moves more than was asked for"));
        }
        let swig = SwigAddresses::of(id);
        // Nothing is granted by this round, so whom to is no matter.
        let grant = self.role_grant(options, Pubkey::default());
        if !unsigned.is(&swig.create_round(&unsigned.fee_payer(), &self.wallet, &grant, deposit)) {
            return Err(TemplateFault("it makes the Swig otherwise than with the wallet as its root, or does more"));
        }
        Ok((Step::SwigMade(id), swig.config.0))
    }

    /// The Swig that this wallet made, else the one that follows from wallet and network.
    fn swig(&self) -> SwigAddresses {
        SwigAddresses::of(self.swig.map_or_else(|| swig_id(self.chain_id, &self.wallet), |known| known.id))
    }

    fn role_grant(&self, options: &OnboardOptions, delegate: Pubkey) -> RoleGrant {
        RoleGrant {
            delegate,
            slots: slots(options.ttl),
            program: self.token.program,
            mint: self.token.mint,
            decimals: self.token.decimals,
            limit: options.spend_limit.get(),
            seller: options.seller,
        }
    }

    /// Takes roles out and moves tokens to the wallet's own account.
    pub(super) fn leaves_swig(&self, unsigned: &Unsigned) -> Result<(), TemplateFault> {
        let (swig, payer) = (self.swig(), unsigned.fee_payer());
        let fault = TemplateFault("it is no leave, or does more");
        let mut expected = vec![compute_budget::limit(UNITS), compute_budget::price(UNIT_PRICE)];
        for instruction in unsigned.instructions().iter().filter(|it| it.program_id == PROGRAM) {
            if instruction.data.starts_with(&REMOVE_AUTHORITY.to_le_bytes()) {
                let role = number_at(instruction, 12).filter(|role| *role != ROOT).ok_or(fault)?;
                expected.push(swig.remove(&payer, &self.wallet, role));
            } else if instruction.data.starts_with(&SIGN.to_le_bytes()) {
                let amount = withdrawn(instruction).ok_or(fault)?;
                expected.extend(swig.sign(ROOT, &self.wallet, &[self.withdrawal(&swig, amount)]));
            }
        }
        unsigned.is(&expected).then_some(()).ok_or(fault)
    }

    fn withdrawal(&self, swig: &SwigAddresses, amount: Amount) -> Instruction {
        let (program, mint) = (self.token.program, self.token.mint);
        TransferChecked {
            program,
            source: swig.token_account(program, &mint),
            mint,
            destination: associated_account(program, &self.wallet, &mint),
            authority: swig.wallet.0,
            amount: amount.get(),
            decimals: self.token.decimals,
        }
        .instruction()
    }
}

/// What a signed transfer moves: its amount stands before the decimals and the place of the authority, at the end.
fn withdrawn(sign: &Instruction) -> Option<Amount> {
    let end = sign.data.len().checked_sub(2)?;
    let bytes = sign.data.get(end.checked_sub(8)?..end)?;
    Amount::new(u64::from_le_bytes(bytes.try_into().ok()?))
}
