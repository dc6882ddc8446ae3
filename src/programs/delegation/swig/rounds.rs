//! The rounds of an onboarding, each one transaction; and what an account that stands at a Swig's address is good for.

use super::{Action, Authority, RoleGrant, SwigAccount, SwigAddresses, SwigRole, UNITS};
use crate::{
    domain::{
        amount::Amount,
        mpp::money::{Reading, Role},
    },
    programs::{
        delegation::{Settled, template},
        spl_token::{TransferChecked, associated_account, create_associated_account},
    },
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

/// A round that is left for a buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Make the Swig, its wallet's token account, and move the deposit in.
    CreateSwig,
    /// Grant us a role.
    GrantRole,
    /// Let our key act.
    ActivateSessionKey,
}

impl Round {
    /// Its label on the wire.
    pub const fn label(self) -> &'static str {
        match self {
            Self::CreateSwig => "create_swig",
            Self::GrantRole => "grant_role",
            Self::ActivateSessionKey => "activate_session_key",
        }
    }
}

/// What stands at the address of a buyer's Swig: anybody could have made it first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Nothing: it is made.
    Nothing,
    /// The buyer's.
    Ours(SwigAccount),
    /// Somebody else's: another id has to serve.
    Foreign,
}

/// Our role in a Swig, as it stands on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OurRole {
    /// Its id.
    pub id: u32,
    /// What may still move, in base units.
    pub remaining: u64,
    /// The last slot in which our key acts; 0 before it ever did.
    pub expiry: u64,
}

impl Existing {
    /// Judges the bytes at an address: the buyer's only if the root is the buyer's key alone and may do everything.
    pub fn judge(bytes: Option<&[u8]>, addresses: &SwigAddresses, buyer: &Pubkey) -> Self {
        let Some(bytes) = bytes else { return Self::Nothing };
        let Ok(account) = SwigAccount::decode(bytes) else { return Self::Foreign };
        let is_buyers = account.id == addresses.id && account.roles.first().is_some_and(|role| role.is_root_of(buyer));
        if is_buyers { Self::Ours(account) } else { Self::Foreign }
    }

    /// The rounds that are left at `slot` until this grant can be settled by.
    pub fn rounds_left(&self, buyer: &Pubkey, grant: &RoleGrant, slot: u64) -> Vec<Round> {
        let all = [Round::CreateSwig, Round::GrantRole, Round::ActivateSessionKey];
        let done = match self {
            Self::Nothing | Self::Foreign => 0,
            Self::Ours(account) => match account.our_role(buyer, grant) {
                None => 1,
                Some(role) if role.expiry < slot || role.expiry == 0 => 2,
                Some(_) => 3,
            },
        };
        all.into_iter().skip(done).collect()
    }
}

impl SwigAccount {
    /// Our role of a grant: its root is the buyer, its session key our delegate, and it may do exactly what was granted, less
    /// what has moved.
    pub fn our_role(&self, buyer: &Pubkey, grant: &RoleGrant) -> Option<OurRole> {
        self.roles.iter().find_map(|role| role.as_ours(buyer, grant))
    }
}

impl SwigRole {
    fn is_root_of(&self, buyer: &Pubkey) -> bool {
        self.id == 0 && self.authority == Authority::Ed25519(*buyer) && self.actions.contains(&Action::All)
    }

    fn as_ours(&self, buyer: &Pubkey, grant: &RoleGrant) -> Option<OurRole> {
        let Authority::Ed25519Session { root, session_key, expiry, .. } = self.authority else { return None };
        let (program, limit, destination) = match self.actions.as_slice() {
            [Action::Program(program), Action::TokenLimit { mint, remaining }] if *mint == grant.mint => {
                (program, *remaining, None)
            }
            [
                Action::Program(program),
                Action::TokenLimit { mint, remaining },
                Action::TokenDestinationLimit { mint: bound, destination, remaining: least },
            ] if *mint == grant.mint && *bound == grant.mint => (program, *remaining.min(least), Some(*destination)),
            _ => return None,
        };
        let is_ours = root == *buyer
            && session_key == grant.delegate
            && *program == grant.program.address()
            && limit <= grant.limit
            && destination == grant.destination();
        is_ours.then_some(OurRole { id: self.id, remaining: limit, expiry })
    }
}

impl OurRole {
    /// What can be settled by it at `slot`, of what the wallet's token account holds.
    pub fn reading(&self, balance: u64, slot: u64) -> Reading {
        let role = if slot > self.expiry { Role::Expired } else { Role::Live };
        Reading { role, balance, remaining: self.remaining }
    }
}

/// The transactions of a Swig; `payer` pays the fee and the rent.
impl SwigAddresses {
    /// The first round. The deposit may be zero: its transfer is what makes the buyer a signer.
    pub fn create_round(&self, payer: &Pubkey, buyer: &Pubkey, grant: &RoleGrant, deposit: Amount) -> Vec<Instruction> {
        let source = associated_account(grant.program, buyer, &grant.mint);
        let destination = self.token_account(grant.program, &grant.mint);
        let made = [
            self.create(payer, buyer),
            create_associated_account(grant.program, payer, &self.wallet.0, &grant.mint),
            transfer(grant, [source, destination, *buyer], deposit),
        ];
        template(UNITS, made)
    }

    /// The second round.
    pub fn grant_round(&self, payer: &Pubkey, buyer: &Pubkey, grant: &RoleGrant) -> Vec<Instruction> {
        template(UNITS, [self.grant(payer, buyer, grant)])
    }

    /// The third round: our key may act from now on.
    pub fn activate_round(&self, payer: &Pubkey, buyer: &Pubkey, role: u32, grant: &RoleGrant) -> Vec<Instruction> {
        template(UNITS, [self.activate(payer, buyer, role, grant.slots, &grant.delegate)])
    }

    /// A new role in place of an old one: never a second limit in one role, of which the first alone counts.
    pub fn renew_round(&self, payer: &Pubkey, buyer: &Pubkey, old: u32, grant: &RoleGrant) -> Vec<Instruction> {
        template(UNITS, [self.remove(payer, buyer, old), self.grant(payer, buyer, grant)])
    }

    /// The buyer takes the role back.
    pub fn revoke(&self, payer: &Pubkey, buyer: &Pubkey, role: u32) -> Vec<Instruction> {
        template(UNITS, [self.remove(payer, buyer, role)])
    }

    /// The transaction that settles a channel; `None` never happens for one transfer.
    pub fn settle(&self, role: u32, grant: &RoleGrant, settled: &Settled) -> Option<Vec<Instruction>> {
        let source = self.token_account(grant.program, &grant.mint);
        let destination = associated_account(grant.program, &settled.seller, &grant.mint);
        let transfer = transfer(grant, [source, destination, self.wallet.0], settled.amount);
        Some(template(UNITS, [self.sign(role, &grant.delegate, &[transfer])?, settled.memo()]))
    }
}

/// A transfer of the granted token: from, to, and by whom.
fn transfer(grant: &RoleGrant, [source, destination, authority]: [Pubkey; 3], amount: Amount) -> Instruction {
    let RoleGrant { program, mint, decimals, .. } = *grant;
    TransferChecked { program, source, mint, destination, authority, amount: amount.get(), decimals }.instruction()
}
