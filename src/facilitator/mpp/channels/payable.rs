//! Whether a seller can be paid: their canonical token account is there and takes the token.

use super::{ChannelError, Channels};
use crate::programs::{
    inco_token::AccountState,
    spl_token::{TokenAccount, TokenProgram, associated_account},
};
use solana_pubkey::Pubkey;

impl Channels {
    /// Whether a transfer to this wallet can land.
    pub(crate) async fn can_be_paid(&self, seller: &Pubkey) -> Result<bool, ChannelError> {
        let asset = &self.shared.settings.offer.asset;
        let Some(program) = TokenProgram::at(&asset.token_program) else { return Ok(false) };
        let account = associated_account(program, seller, &asset.mint);
        let read = self.shared.core.chain.accounts(&[account]).await?;
        let found = read.into_iter().next().flatten().filter(|found| found.owner == program.address());
        let decoded = found.and_then(|found| TokenAccount::decode(program, &found.data).ok());
        Ok(decoded.is_some_and(|account| {
            account.mint == asset.mint && account.owner == *seller && account.state == AccountState::Initialised
        }))
    }
}
