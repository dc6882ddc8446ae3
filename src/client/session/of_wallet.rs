//! What a wallet may ask about all its sessions at a facilitator, without their ids and keys: a list, and their end.

use super::{SessionClient, SessionClientError};
use crate::{
    client::{signer::PayerSigner, terms},
    domain::signed,
    wire::{
        payments::{CloseAllAnswer, CloseAllBody},
        session::{ListedApproval, ListedSession},
    },
};
use solana_pubkey::Pubkey;
use std::collections::HashSet;

/// The most sessions that are listed: a wallet that opens one a minute has as many after seventy days.
const MOST_SESSIONS: usize = 100_000;

/// What a facilitator tells a wallet of itself, in one asset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WalletList {
    /// Every session, newest first, with amounts.
    pub sessions: Vec<ListedSession>,
    /// The approves that stand, whether sessions take from them or not.
    pub approvals: Vec<ListedApproval>,
}

impl SessionClient {
    /// Every session of a wallet and this client's asset, newest first, with amounts, and what stands on chain. The wallet signs
    /// once.
    ///
    /// Fails with `Refused` (`signature_required`), and with `OtherSession` where a page tells of another wallet or of what was
    /// told before, which would never end.
    pub async fn list(&self, wallet: &dyn PayerSigner) -> Result<WalletList, SessionClientError> {
        let (user, at) = (wallet.pubkey(), self.clock.now());
        let message = signed::list_message(&self.spender().await?, &user, at);
        let signature = wallet.sign_message(message.as_bytes()).await?;
        let (mut list, mut told, mut after) = (WalletList::default(), HashSet::new(), None);
        loop {
            let page = self.http.list(&user, &self.settings.asset, after.as_deref(), (at, signature)).await?;
            let page = page.map_err(SessionClientError::Refused)?;
            if page.sessions.iter().any(|listed| listed.session.user != user.to_string()) {
                return Err(SessionClientError::OtherSession("its user"));
            }
            let is_new = |listed: &ListedSession| told.insert(listed.session.session_id.clone());
            if list.sessions.len() > MOST_SESSIONS || !page.sessions.iter().all(is_new) {
                return Err(SessionClientError::OtherSession("its list has no end"));
            }
            let is_over = page.sessions.is_empty();
            list.sessions.extend(page.sessions);
            list.approvals.extend(page.approvals);
            match page.next {
                Some(next) if !is_over => after = Some(next),
                Some(_) | None => return Ok(list),
            }
        }
    }

    /// The approve that stands for a wallet's account of this client's asset, if the facilitator knows of one, with what is free of
    /// it. The wallet signs once.
    ///
    /// Fails with `Refused` (`signature_required`).
    pub async fn standing_approval(
        &self,
        wallet: &dyn PayerSigner,
    ) -> Result<Option<ListedApproval>, SessionClientError> {
        let (user, at) = (wallet.pubkey(), self.clock.now());
        let message = signed::list_message(&self.spender().await?, &user, at);
        let signature = wallet.sign_message(message.as_bytes()).await?;
        // What stands is on the first page.
        let page = self.http.list(&user, &self.settings.asset, None, (at, signature)).await?;
        let approvals = page.map_err(SessionClientError::Refused)?.approvals;
        let asset = self.settings.asset.to_string();
        Ok(approvals.into_iter().find(|approval| approval.asset == asset))
    }

    /// Closes every session of a wallet and this client's asset and settles what they hold; the wallet alone signs, once. One that
    /// is still `opening` can open: ask again then.
    ///
    /// Fails with `Refused` (`invalid_close_signature`, `session_busy`).
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
