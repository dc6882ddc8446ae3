//! Instruction by instruction: what ours would be, and whether this one is it.

use super::{
    ApproveTemplate, TransactionRefusal,
    additions::{Additions, LIGHTHOUSE, foreign, same},
};
use crate::{
    chain::transaction::MAX_CIPHERTEXT_BYTES,
    programs::{discriminator, inco_token::Allowance},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_sdk_ids::{compute_budget, system_program};
use solana_system_interface::instruction as system;

/// The shortest an encrypted amount gets: 113 bytes and one digit.
const MIN_CIPHERTEXT_BYTES: usize = 114;

/// What the walk over the instructions has found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The instructions as we would have built them.
    pub(super) ours: Vec<Instruction>,
    pub(super) grant: Option<u64>,
    pub(super) creates: bool,
    pub(super) approve: Option<Approve>,
    additions: Additions,
}

/// The variable parts of the approve.
#[derive(Debug)]
pub(super) struct Approve {
    pub(super) ciphertext: Vec<u8>,
    pub(super) allowance: Pubkey,
}

impl ApproveTemplate<'_> {
    /// Accepts the next instruction, or names what differs.
    pub(super) fn accept(&self, found: &mut Found, index: usize, seen: &Instruction) -> Result<(), TransactionRefusal> {
        let added = found.additions.accept(index, seen, self.compute, &|key| self.is_ours(key))?;
        let ours = if let Some(added) = added {
            added
        } else if found.approve.is_some() {
            return Err(self.after_approve(index, seen));
        } else if seen.program_id == system_program::ID {
            self.grant(found, index, seen)?
        } else if seen.program_id == self.programs.token {
            self.token(found, index, seen)?
        } else {
            return Err(foreign(index, seen));
        };
        found.ours.push(ours);
        Ok(())
    }

    /// Why nothing of the template may come after the approve, in the words that help most.
    fn after_approve(&self, index: usize, seen: &Instruction) -> TransactionRefusal {
        if seen.program_id == self.programs.token && ApproveKind::of(&seen.data).is_some() {
            TransactionRefusal::TooMany { index, what: "approve" }
        } else if seen.program_id == system_program::ID || seen.program_id == self.programs.token {
            TransactionRefusal::OutOfOrder { index }
        } else {
            foreign(index, seen)
        }
    }

    fn grant(&self, found: &mut Found, index: usize, seen: &Instruction) -> Result<Instruction, TransactionRefusal> {
        // The system program's bincode: instruction 2 (transfer) as u32, lamports as u64, both little endian.
        let [2, 0, 0, 0, lamports @ ..] = seen.data.as_slice() else { return Err(foreign(index, seen)) };
        let lamports = <[u8; 8]>::try_from(lamports).map(u64::from_le_bytes).map_err(|_| foreign(index, seen))?;
        if found.grant.is_some() {
            return Err(TransactionRefusal::TooMany { index, what: "grant" });
        }
        if found.creates {
            return Err(TransactionRefusal::OutOfOrder { index });
        }
        if lamports > self.max_grant {
            return Err(TransactionRefusal::Grant { lamports, most: self.max_grant });
        }
        found.grant = Some(lamports);
        let ours = system::transfer(&self.fee_payer, &self.user, lamports);
        same(index, seen, ours, "the grant goes from the fee payer to the user")
    }

    fn token(&self, found: &mut Found, index: usize, seen: &Instruction) -> Result<Instruction, TransactionRefusal> {
        if seen.data.starts_with(&discriminator("create_idempotent")) {
            return self.create(found, index, seen);
        }
        let kind = ApproveKind::of(&seen.data).ok_or_else(|| foreign(index, seen))?;
        self.approve(found, index, seen, kind)
    }

    fn create(&self, found: &mut Found, index: usize, seen: &Instruction) -> Result<Instruction, TransactionRefusal> {
        if found.creates {
            return Err(TransactionRefusal::TooMany { index, what: "account creation" });
        }
        if !self.may_create {
            return Err(TransactionRefusal::CreateNotSponsored);
        }
        found.creates = true;
        let ours = self.programs.create_idempotent(&self.fee_payer, &self.user, &self.mint);
        same(index, seen, ours, "only the user's own account of this asset is created")
    }

    fn approve(
        &self,
        found: &mut Found,
        index: usize,
        seen: &Instruction,
        kind: ApproveKind,
    ) -> Result<Instruction, TransactionRefusal> {
        let differs = |what| TransactionRefusal::Differs { index, what };
        let ciphertext = ciphertext(&seen.data).ok_or_else(|| differs("the ciphertext"))?;
        // The decrypt allowance is the last account but one; whether it is that of the new delegated amount only a
        // simulation can tell.
        let [.., allowance, _] = seen.accounts.as_slice() else { return Err(differs("the accounts")) };
        let (allowance, source) = (allowance.pubkey, self.source());
        let pair = Some(Allowance { account: allowance, holder: self.spender });
        let (programs, spender, user) = (&self.programs, &self.spender, &self.user);
        let ours = match kind {
            ApproveKind::Checked => {
                programs.approve_checked(&source, &self.mint, spender, user, &ciphertext, self.decimals, pair)
            }
            ApproveKind::Plain => programs.approve(&source, spender, user, &ciphertext, pair),
        };
        // A program-derived address is not on the curve, and it is nobody who has another part in this.
        let taken = ours.accounts.iter().filter(|account| account.pubkey == allowance).count() > 1
            || self.is_ours(&allowance)
            || [self.mint, programs.token, compute_budget::ID, LIGHTHOUSE].contains(&allowance);
        if taken || allowance.is_on_curve() {
            return Err(differs("the decrypt allowance"));
        }
        found.approve = Some(Approve { ciphertext, allowance });
        same(index, seen, ours, "the accounts or arguments of the approve")
    }
}

/// The token program's two instructions that approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ApproveKind {
    /// `approve`.
    Plain,
    /// `approve_checked`, which names the mint and its decimals.
    Checked,
}

impl ApproveKind {
    /// The kind of approve that an instruction's bytes are, if they are one.
    fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&discriminator("approve_checked")) {
            Some(Self::Checked)
        } else {
            bytes.starts_with(&discriminator("approve")).then_some(Self::Plain)
        }
    }
}

/// The ciphertext of an approve: after the discriminator, with its length before it.
fn ciphertext(bytes: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = bytes.get(8..)?.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let fits = (MIN_CIPHERTEXT_BYTES..=MAX_CIPHERTEXT_BYTES).contains(&length);
    rest.get(..length).filter(|_| fits).map(<[u8]>::to_vec)
}
