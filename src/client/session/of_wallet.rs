//! What a wallet may ask about all its sessions at a facilitator, without their ids and keys: a list, and their end.

use super::{SessionClient, SessionClientError};
use crate::{
    client::{signer::PayerSigner, terms},
    domain::signed,
    wire::{
        payments::{CloseAllAnswer, CloseAllBody},
        session::ListedSession,
    },
};
use solana_pubkey::Pubkey;

impl SessionClient {
    /// Every session of a wallet and this client's asset, newest first, with amounts. The wallet signs once.
    pub async fn list(&self, wallet: &dyn PayerSigner) -> Result<Vec<ListedSession>, SessionClientError> {
        let (user, at) = (wallet.pubkey(), self.clock.now());
        let message = signed::list_message(&self.spender().await?, &user, at);
        let signature = wallet.sign_message(message.as_bytes()).await?;
        let (mut sessions, mut after) = (Vec::new(), None);
        loop {
            let page = self.http.list(&user, &self.settings.asset, after.as_deref(), (at, signature)).await?;
            let page = page.map_err(SessionClientError::Refused)?;
            if page.sessions.iter().any(|listed| listed.session.user != user.to_string()) {
                return Err(SessionClientError::OtherSession("its user"));
            }
            sessions.extend(page.sessions);
            match page.next {
                Some(next) if Some(&next) != after.as_ref() => after = Some(next),
                Some(_) | None => return Ok(sessions),
            }
        }
    }

    /// Closes every session of a wallet and this client's asset, and settles what they hold: for a payer who has lost their
    /// keys or files. One that is still `opening` can open: ask again then.
    pub async fn close_all(&self, wallet: &dyn PayerSigner) -> Result<CloseAllAnswer, SessionClientError> {
        let (user, asset, at) = (wallet.pubkey(), self.settings.asset, self.clock.now());
        let message = signed::close_all_message(&self.spender().await?, &user, &asset, at);
        let signature = bs58::encode(wallet.sign_message(message.as_bytes()).await?).into_string();
        let body = CloseAllBody { user: user.to_string(), asset: asset.to_string(), at, signature };
        self.http.close_all(&body).await?.map_err(SessionClientError::Refused)
    }

    /// The spender of the facilitator that this payer trusts.
    async fn spender(&self) -> Result<Pubkey, SessionClientError> {
        Ok(terms::agree(&self.http.supported().await?, &self.settings)?.facilitator.spender)
    }
}
