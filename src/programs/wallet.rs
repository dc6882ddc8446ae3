//! Who can be paid: a wallet. What is paid to any other account is lost, because no key signs for what is derived from it.
//!
//! Explorers show token accounts where people look for an address, so that is what is named by mistake.

use crate::programs::{
    Programs,
    inco_token::IncoAccount,
    spl_token::{TokenAccount, TokenProgram},
};
use solana_pubkey::Pubkey;

/// Why an address is no wallet. The text completes "the recipient".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAWallet {
    /// A token account.
    #[error("is the token account of {owner} for the mint {mint}; name {owner}")]
    TokenAccount {
        /// Whose it is.
        owner: Pubkey,
        /// What it holds.
        mint: Pubkey,
    },
    /// An account with data, or one of another program than the system's.
    #[error("is an account of the program {0} and no wallet; name the wallet that is to be paid")]
    OfProgram(Pubkey),
    /// An address that is no public key.
    #[error(
        "is a derived address, for which no key signs; name the wallet that is to be paid, or, where a program pays out of it, \
         have the operator list it"
    )]
    Derived,
}

/// An account as the chain tells it.
#[derive(Clone, Copy, Debug)]
pub struct AccountAtAddress<'a> {
    /// The owning program.
    pub owner: &'a Pubkey,
    /// Its data.
    pub data: &'a [u8],
}

/// Refuses an address that is no wallet; `account` is what stands there, if anything does.
pub fn check_wallet(
    programs: &Programs,
    wallet: &Pubkey,
    account: Option<AccountAtAddress<'_>>,
) -> Result<(), NotAWallet> {
    if let Some(AccountAtAddress { owner, data }) = account {
        let of_inco = (*owner == programs.token).then(|| IncoAccount::decode(data).ok()).flatten();
        if let Some(account) = of_inco {
            return Err(NotAWallet::TokenAccount { owner: account.owner, mint: account.mint });
        }
        let of_spl = TokenProgram::at(owner).and_then(|program| TokenAccount::decode(program, data).ok());
        if let Some(account) = of_spl {
            return Err(NotAWallet::TokenAccount { owner: account.owner, mint: account.mint });
        }
        if *owner != solana_sdk_ids::system_program::ID || !data.is_empty() {
            return Err(NotAWallet::OfProgram(*owner));
        }
    }
    if wallet.is_on_curve() { Ok(()) } else { Err(NotAWallet::Derived) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::inco_token::AccountState;

    /// A point of the curve, and an address that is none.
    const WALLET: Pubkey = Pubkey::new_from_array([3; 32]);
    const DERIVED: Pubkey = Pubkey::new_from_array([2; 32]);

    fn check(wallet: &Pubkey, owner: &Pubkey, data: &[u8]) -> Result<(), NotAWallet> {
        check_wallet(&Programs::default(), wallet, Some(AccountAtAddress { owner, data }))
    }

    #[test]
    fn a_wallet_is_a_key_with_nothing_but_lamports() {
        let programs = Programs::default();
        assert_eq!(check_wallet(&programs, &WALLET, None), Ok(()));
        assert_eq!(check(&WALLET, &solana_sdk_ids::system_program::ID, &[]), Ok(()));
        assert_eq!(check_wallet(&programs, &DERIVED, None), Err(NotAWallet::Derived));
        assert_eq!(check(&DERIVED, &solana_sdk_ids::system_program::ID, &[]), Err(NotAWallet::Derived));
    }

    #[test]
    fn a_token_account_is_told_by_its_owner() {
        let (owner, mint) = (Pubkey::new_from_array([5; 32]), Pubkey::new_from_array([6; 32]));
        let inco = IncoAccount {
            mint,
            owner,
            amount: 0,
            delegate: None,
            state: AccountState::Initialised,
            is_native: None,
            delegated_amount: 0,
            close_authority: None,
        };
        let refusal = NotAWallet::TokenAccount { owner, mint };
        let told = Err(refusal);
        assert_eq!(check(&WALLET, &Programs::default().token, &inco.encode()), told);
        let mut spl = [mint.to_bytes(), owner.to_bytes()].concat();
        spl.resize(TokenAccount::SIZE, 0);
        spl[108] = 1;
        for program in TokenProgram::ALL {
            assert_eq!(check(&WALLET, &program.address(), &spl), told, "{program:?}");
        }
        assert!(refusal.to_string().ends_with(&format!("name {owner}")));
    }

    #[test]
    fn no_other_account_is_a_wallet() {
        let token = Programs::default().token;
        for (owner, data) in [
            (token, &[1_u8; 8][..]),
            (TokenProgram::Token.address(), &[0; 82]),
            (solana_sdk_ids::bpf_loader_upgradeable::ID, &[2; 36]),
            (solana_sdk_ids::sysvar::ID, &[0; 40]),
            (solana_sdk_ids::system_program::ID, &[0; 80]),
            (token, &[]),
        ] {
            assert_eq!(check(&WALLET, &owner, data), Err(NotAWallet::OfProgram(owner)));
        }
    }
}
