//! A delegation that was granted, whichever program enforces it: which accounts tell how it stands, what they say, and the
//! transaction that settles by it.

use super::{
    Settled,
    session_account::SessionAccount,
    swig::{self, Existing, OurRole, RoleGrant, SwigAddresses},
};
use crate::{
    domain::mpp::money::{Reading, Role},
    programs::{
        inco_token::AccountState,
        spl_token::{TokenAccount, TokenProgram},
        wallet::AccountAtAddress,
    },
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

/// A granted delegation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// A session account whose delegate we are.
    SessionAccount {
        /// The account.
        account: SessionAccount,
        /// Our key of the granted generation.
        delegate: Pubkey,
    },
    /// A Swig with a role for us.
    Swig {
        /// Its addresses.
        addresses: SwigAddresses,
        /// The wallet that is its root.
        buyer: Pubkey,
        /// What was granted; names our key.
        grant: RoleGrant,
    },
}

/// How a granted delegation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantedReading {
    /// What can be settled.
    pub reading: Reading,
    /// Of a Swig, our role.
    pub role: Option<OurRole>,
}

impl Granted {
    /// The accounts that tell how it stands, in the order of [`Granted::read`].
    pub fn accounts(&self) -> Vec<Pubkey> {
        match self {
            Self::SessionAccount { account, .. } => vec![account.address()],
            Self::Swig { addresses, grant, .. } => {
                vec![addresses.config.0, addresses.token_account(grant.program, &grant.mint)]
            }
        }
    }

    /// The token account that is settled from.
    pub fn source(&self) -> Pubkey {
        match self {
            Self::SessionAccount { account, .. } => account.address(),
            Self::Swig { addresses, grant, .. } => addresses.token_account(grant.program, &grant.mint),
        }
    }

    /// Our key that signs settlements.
    pub const fn delegate(&self) -> Pubkey {
        match self {
            Self::SessionAccount { delegate, .. } => *delegate,
            Self::Swig { grant, .. } => grant.delegate,
        }
    }

    /// How it stands by [`Granted::accounts`], as they were in `slot`. What is not there or cannot be read is gone.
    pub fn read(&self, slot: u64, accounts: &[Option<AccountAtAddress<'_>>]) -> GrantedReading {
        let at = |index: usize| accounts.get(index).copied().flatten();
        match self {
            Self::SessionAccount { account, delegate } => {
                let read = at(0).and_then(|seen| token_account(account.program, seen));
                GrantedReading { reading: read.map_or(NOTHING, |read| account.reading(&read, delegate)), role: None }
            }
            Self::Swig { addresses, buyer, grant } => {
                let config = at(0).filter(|seen| *seen.owner == swig::PROGRAM);
                let role = match Existing::judge(config.map(|seen| seen.data), addresses, buyer) {
                    Existing::Ours(account) => account.our_role(buyer, grant),
                    Existing::Nothing | Existing::Foreign => None,
                };
                let purse = at(1).and_then(|seen| token_account(grant.program, seen));
                let purse = purse.filter(|purse| purse.owner == addresses.wallet.0 && purse.mint == grant.mint);
                let Some(role) = role else { return GrantedReading { reading: NOTHING, role: None } };
                let reading = role.reading(purse.as_ref().map_or(0, |purse| purse.amount), slot);
                let is_frozen = purse.is_some_and(|purse| purse.state == AccountState::Frozen);
                let reading = if is_frozen { Reading { role: Role::Frozen, ..reading } } else { reading };
                GrantedReading { reading, role: Some(role) }
            }
        }
    }

    /// The transaction that settles a channel; of a Swig by this role. `None` where the role is not known.
    pub fn settle(&self, role: Option<u32>, settled: &Settled) -> Option<Vec<Instruction>> {
        match self {
            Self::SessionAccount { account, delegate } => Some(account.settle(*delegate, settled)),
            Self::Swig { addresses, grant, .. } => addresses.settle(role?, grant, settled),
        }
    }
}

/// Nothing that can be settled by.
const NOTHING: Reading = Reading { role: Role::Gone, balance: 0, remaining: 0 };

/// What an account says, where it is a token account of the mint's program.
pub fn token_account(program: TokenProgram, seen: AccountAtAddress<'_>) -> Option<TokenAccount> {
    let is_programs = *seen.owner == program.address();
    is_programs.then(|| TokenAccount::decode(program, seen.data).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{mpp::channel_id::PublicId, samples::amount};

    const BUYER: Pubkey = Pubkey::new_from_array([3; 32]);
    const MINT: Pubkey = Pubkey::new_from_array([4; 32]);
    const DELEGATE: Pubkey = Pubkey::new_from_array([5; 32]);
    const TOKEN: TokenProgram = TokenProgram::Token;

    fn session() -> Granted {
        let account = SessionAccount { program: TOKEN, mint: MINT, decimals: 6, buyer: BUYER };
        Granted::SessionAccount { account, delegate: DELEGATE }
    }

    fn role_grant() -> RoleGrant {
        RoleGrant { delegate: DELEGATE, slots: 100, program: TOKEN, mint: MINT, decimals: 6, limit: 900, seller: None }
    }

    fn swig() -> Granted {
        Granted::Swig { addresses: SwigAddresses::of([7; 32]), buyer: BUYER, grant: role_grant() }
    }

    /// A token account of `owner` with `balance`, and this many delegated to us.
    fn purse(owner: &Pubkey, balance: u64, delegated: u64) -> Vec<u8> {
        let mut bytes = [MINT.as_ref(), owner.as_ref(), &balance.to_le_bytes()].concat();
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(DELEGATE.to_bytes());
        bytes.push(1);
        bytes.extend([0; 12]);
        bytes.extend(delegated.to_le_bytes());
        bytes.resize(TokenAccount::SIZE, 0);
        bytes
    }

    const fn seen<'a>(owner: &'a Pubkey, bytes: &'a [u8]) -> AccountAtAddress<'a> {
        AccountAtAddress { owner, data: bytes }
    }

    #[test]
    fn a_session_account_tells_its_balance_and_what_is_left_of_the_grant() {
        let (program, bytes) = (TOKEN.address(), purse(&BUYER, 50, 40));
        let read = session().read(9, &[Some(seen(&program, &bytes))]);
        assert_eq!(
            read,
            GrantedReading { reading: Reading { role: Role::Live, balance: 50, remaining: 40 }, role: None }
        );
        assert_eq!(session().accounts(), [session().source()]);
        for gone in [None, Some(seen(&BUYER, &bytes)), Some(seen(&program, &bytes[..9]))] {
            assert_eq!(session().read(9, &[gone]).reading, NOTHING);
        }
        assert_eq!(session().read(9, &[]).reading, NOTHING);
    }

    #[test]
    fn what_is_no_swig_of_the_buyer_is_gone() {
        let (program, token) = (swig::PROGRAM, TOKEN.address());
        let Granted::Swig { addresses, .. } = swig() else { panic!("a Swig") };
        let bytes = purse(&addresses.wallet.0, 50, 0);
        for config in [None, Some(seen(&program, &[1; 60])), Some(seen(&token, &bytes))] {
            assert_eq!(swig().read(9, &[config, Some(seen(&token, &bytes))]).reading, NOTHING);
        }
        assert_eq!(swig().accounts(), [addresses.config.0, swig().source()]);
    }

    #[test]
    fn a_swig_settles_by_a_role_that_is_known_and_a_session_account_needs_none() {
        let settled = Settled { channel: PublicId::from_bytes([1; 16]), seller: BUYER, amount: amount(5), sequence: 1 };
        assert!(session().settle(None, &settled).is_some());
        assert!(swig().settle(None, &settled).is_none() && swig().settle(Some(1), &settled).is_some());
        assert_eq!([session().delegate(), swig().delegate()], [DELEGATE; 2]);
    }
}
