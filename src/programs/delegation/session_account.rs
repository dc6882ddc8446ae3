//! The session account: a token account of the buyer's own at an address with a seed, whose delegate slot is ours.
//!
//! The token program enforces the amount and the revocation, and nothing else: when a grant ends and who is paid is our word.
//! A rent authority of ours may close it, and only empty, so that the rent that we paid is not for its owner to take.

use super::{Settled, template};
use crate::{
    domain::{
        amount::Amount,
        mpp::money::{Reading, Role},
    },
    programs::{
        inco_token::AccountState,
        spl_token::{TokenAccount, TokenProgram, TransferChecked, associated_account},
    },
};
use sha2::{Digest as _, Sha256};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use solana_system_interface::instruction as system;

/// The rent of a token account, in lamports.
pub const RENT: u64 = 2_039_280;
/// The compute units of every transaction here.
pub const UNITS: u32 = 60_000;
/// The size of a token account without extensions, in bytes.
const SIZE: u64 = TokenAccount::SIZE as u64;
/// What a seed begins with.
const SEED_PREFIX: &str = "sotto1";
/// How many hex digits of the mint's hash stand in a seed, which has 32 characters.
const SEED_DIGITS: usize = 26;

/// Instructions of the token programs, by their numbers.
const REVOKE: u8 = 5;
const SET_AUTHORITY: u8 = 6;
const CLOSE_ACCOUNT: u8 = 9;
const APPROVE_CHECKED: u8 = 13;
const INITIALIZE_ACCOUNT_3: u8 = 18;
/// The authority that may close an account.
const AUTHORITY_CLOSE: u8 = 3;

/// A buyer's session account for one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionAccount {
    /// The mint's program.
    pub program: TokenProgram,
    /// The token.
    pub mint: Pubkey,
    /// Its decimals.
    pub decimals: u8,
    /// The wallet that owns the account.
    pub buyer: Pubkey,
}

/// What stands at the address of a session account before a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing.
    Empty,
    /// Lamports that somebody sent, with which the address cannot be created any more.
    Funded {
        /// How many.
        lamports: u64,
    },
    /// The account.
    Made,
}

/// What a buyer grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who pays the fee and the rent.
    pub fee_payer: Pubkey,
    /// Our key of this generation.
    pub delegate: Pubkey,
    /// Our key that may close the account.
    pub rent_authority: Pubkey,
    /// The most that the delegate may ever move, in base units.
    pub limit: Amount,
    /// What moves into the account from the buyer's associated one.
    pub deposit: Option<Amount>,
}

/// Whether a leave closes the account too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Revoke and withdraw.
    Open,
    /// And close: the account is empty then, and its rent comes back to the fee payer.
    Close {
        /// Who gets the rent.
        fee_payer: Pubkey,
        /// Our key that closes.
        rent_authority: Pubkey,
    },
}

/// Why an account that exists cannot be granted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEligible {
    /// It is of another token, of another owner, frozen, or not initialised.
    #[error("the session account is not a usable one of this wallet for this token")]
    Unusable,
    /// Somebody else may close it.
    #[error("the session account has a close authority that is not this facilitator's")]
    CloseAuthority,
    /// Somebody else is its delegate: an account has one, and two facilitators would cut off each other's channels.
    #[error("the session account is delegated to somebody else")]
    Delegate,
}

impl SessionAccount {
    /// The seed of the address.
    pub fn seed(&self) -> String {
        let hash = hex::encode(Sha256::digest(self.mint));
        format!("{SEED_PREFIX}{}", hash.get(..SEED_DIGITS).unwrap_or_default())
    }

    /// The address: only the buyer signs for it.
    pub fn address(&self) -> Pubkey {
        let hash =
            Sha256::new().chain_update(self.buyer).chain_update(self.seed()).chain_update(self.program.address());
        Pubkey::new_from_array(hash.finalize().into())
    }

    /// The buyer's ordinary account, from which deposits come and to which withdrawals go.
    pub fn buyer_account(&self) -> Pubkey {
        associated_account(self.program, &self.buyer, &self.mint)
    }

    /// Makes the account, with its rent.
    pub fn create(&self, fee_payer: &Pubkey) -> Instruction {
        let (address, owner) = (self.address(), self.program.address());
        system::create_account_with_seed(fee_payer, &address, &self.buyer, &self.seed(), RENT, SIZE, &owner)
    }

    /// Makes the account of an address that has its rent.
    pub fn allocate(&self) -> Instruction {
        system::allocate_with_seed(&self.address(), &self.buyer, &self.seed(), SIZE, &self.program.address())
    }

    /// Makes the buyer its owner.
    pub fn initialize(&self) -> Instruction {
        let accounts = vec![AccountMeta::new(self.address(), false), AccountMeta::new_readonly(self.mint, false)];
        self.token(accounts, &[&[INITIALIZE_ACCOUNT_3], self.buyer.as_ref()])
    }

    /// Lets our rent authority close it, and nobody else.
    pub fn set_close_authority(&self, rent_authority: &Pubkey) -> Instruction {
        self.token(self.signed_by_buyer(), &[&[SET_AUTHORITY, AUTHORITY_CLOSE, 1], rent_authority.as_ref()])
    }

    /// Moves tokens into it.
    pub fn deposit(&self, amount: Amount) -> Instruction {
        self.transfer(self.buyer_account(), self.address(), self.buyer, amount).instruction()
    }

    /// Delegates; whatever was delegated before is replaced.
    pub fn approve(&self, delegate: &Pubkey, limit: Amount) -> Instruction {
        let accounts = vec![
            AccountMeta::new(self.address(), false),
            AccountMeta::new_readonly(self.mint, false),
            AccountMeta::new_readonly(*delegate, false),
            AccountMeta::new_readonly(self.buyer, true),
        ];
        self.token(accounts, &[&[APPROVE_CHECKED], &limit.get().to_le_bytes(), &[self.decimals]])
    }

    /// Takes the delegation back; the buyer alone can.
    pub fn revoke(&self) -> Instruction {
        self.token(self.signed_by_buyer(), &[&[REVOKE]])
    }

    /// Moves tokens out of it to the buyer's associated account.
    pub fn withdraw(&self, amount: Amount) -> Instruction {
        self.transfer(self.address(), self.buyer_account(), self.buyer, amount).instruction()
    }

    /// Closes it, which only works while it is empty.
    pub fn close(&self, fee_payer: &Pubkey, rent_authority: &Pubkey) -> Instruction {
        let accounts = vec![
            AccountMeta::new(self.address(), false),
            AccountMeta::new(*fee_payer, false),
            AccountMeta::new_readonly(*rent_authority, true),
        ];
        self.token(accounts, &[&[CLOSE_ACCOUNT]])
    }

    /// The one transaction of a grant: makes the account where there is none, moves the deposit in, and delegates.
    pub fn onboard(&self, place: Place, grant: &Grant) -> Vec<Instruction> {
        let mut made = match place {
            Place::Made => Vec::new(),
            Place::Empty => vec![self.create(&grant.fee_payer)],
            Place::Funded { lamports } => {
                let missing = RENT.saturating_sub(lamports);
                let fund = (missing > 0).then(|| system::transfer(&grant.fee_payer, &self.address(), missing));
                fund.into_iter().chain([self.allocate()]).collect()
            }
        };
        if place != Place::Made {
            made.extend([self.initialize(), self.set_close_authority(&grant.rent_authority)]);
        }
        made.extend(grant.deposit.map(|amount| self.deposit(amount)));
        made.push(self.approve(&grant.delegate, grant.limit));
        template(UNITS, made)
    }

    /// The one transaction of a leave: everything goes back to the buyer.
    pub fn leave(&self, balance: Amount, leave: Leave) -> Vec<Instruction> {
        let mut instructions = vec![self.revoke(), self.withdraw(balance)];
        if let Leave::Close { fee_payer, rent_authority } = leave {
            instructions.push(self.close(&fee_payer, &rent_authority));
        }
        template(UNITS, instructions)
    }

    /// The transaction that settles a channel: one transfer by the delegate, and the memo that says for what.
    pub fn settle(&self, delegate: Pubkey, settled: &Settled) -> Vec<Instruction> {
        let destination = associated_account(self.program, &settled.seller, &self.mint);
        let transfer = self.transfer(self.address(), destination, delegate, settled.amount);
        template(UNITS, [transfer.instruction(), settled.memo()])
    }

    /// Whether an account that stands at the address can be granted from; `ours` are our delegates of any generation.
    pub fn check(&self, account: &TokenAccount, ours: &[Pubkey], rent_authority: &Pubkey) -> Result<(), NotEligible> {
        let is_usable =
            account.mint == self.mint && account.owner == self.buyer && account.state == AccountState::Initialised;
        if !is_usable {
            return Err(NotEligible::Unusable);
        }
        if account.close_authority.is_some_and(|authority| authority != *rent_authority) {
            return Err(NotEligible::CloseAuthority);
        }
        if account.delegate.is_some_and(|delegate| !ours.contains(&delegate)) {
            return Err(NotEligible::Delegate);
        }
        Ok(())
    }

    /// What can be settled from an account by this delegate. Whether the grant's time is over is not the chain's to say.
    pub fn reading(&self, account: &TokenAccount, delegate: &Pubkey) -> Reading {
        let is_whose = account.mint == self.mint && account.owner == self.buyer;
        let role = match account.state {
            AccountState::Frozen => Role::Frozen,
            AccountState::Initialised if is_whose && account.delegate == Some(*delegate) => Role::Live,
            AccountState::Initialised | AccountState::Uninitialised => Role::Gone,
        };
        let remaining = if account.delegate == Some(*delegate) { account.delegated_amount } else { 0 };
        Reading { role, balance: account.amount, remaining }
    }

    fn transfer(&self, source: Pubkey, destination: Pubkey, authority: Pubkey, amount: Amount) -> TransferChecked {
        let Self { program, mint, decimals, .. } = *self;
        TransferChecked { program, source, mint, destination, authority, amount: amount.get(), decimals }
    }

    fn signed_by_buyer(&self) -> Vec<AccountMeta> {
        vec![AccountMeta::new(self.address(), false), AccountMeta::new_readonly(self.buyer, true)]
    }

    fn token(&self, accounts: Vec<AccountMeta>, parts: &[&[u8]]) -> Instruction {
        Instruction { program_id: self.program.address(), accounts, data: parts.concat() }
    }
}
