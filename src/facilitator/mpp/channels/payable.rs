//! Whether a seller can be paid: their canonical token account is there and takes the token.

use super::{ChannelError, Channels};
use crate::{
    chain::ChainAccount,
    facilitator::mpp::consensus::{Consensus, Word},
    programs::{
        inco_token::AccountState,
        spl_token::{TokenAccount, TokenProgram, associated_account},
    },
};
use solana_pubkey::Pubkey;

/// Where a seller is paid.
#[derive(Clone, Copy)]
struct Purse {
    program: TokenProgram,
    mint: Pubkey,
    seller: Pubkey,
    account: Pubkey,
}

impl Purse {
    /// Whether a transfer to it can land.
    fn takes(&self, found: Option<&ChainAccount>) -> bool {
        let found = found.filter(|found| found.owner == self.program.address());
        let decoded = found.and_then(|found| TokenAccount::decode(self.program, &found.data).ok());
        decoded.is_some_and(|account| {
            account.mint == self.mint && account.owner == self.seller && account.state == AccountState::Initialised
        })
    }
}

impl Channels {
    /// Whether a transfer to this wallet can land.
    pub(crate) async fn can_be_paid(&self, seller: &Pubkey) -> Result<bool, ChannelError> {
        let Some(purse) = self.purse(seller) else { return Ok(false) };
        let read = self.shared.core.chain.accounts(&[purse.account]).await?;
        Ok(purse.takes(read.first().and_then(Option::as_ref)))
    }

    /// What every endpoint says of whether a transfer to this wallet can land.
    pub(in crate::facilitator::mpp) async fn can_be_paid_anywhere(
        &self,
        seller: &Pubkey,
    ) -> Result<Consensus<()>, ChannelError> {
        let Some(purse) = self.purse(seller) else { return Ok(Consensus::Nothing) };
        let core = &self.shared.core;
        let told = core.chain.accounts_everywhere(&[purse.account]).await?;
        Ok(core.consensus(&told, |endpoint| match &endpoint.told {
            None => Word::Silent,
            Some((_, accounts)) if purse.takes(accounts.first().and_then(Option::as_ref)) => Word::Something(()),
            Some(_) => Word::Nothing,
        }))
    }

    fn purse(&self, seller: &Pubkey) -> Option<Purse> {
        let asset = &self.shared.settings.offer.asset;
        let program = TokenProgram::at(&asset.token_program)?;
        let account = associated_account(program, seller, &asset.mint);
        Some(Purse { program, mint: asset.mint, seller: *seller, account })
    }
}
