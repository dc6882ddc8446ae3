//! The end of a facilitator's delegation over a wallet's token account, at the facilitator's cost (`spec/session.md` §4).
//!
//! Promises: the wallet signs a transaction only where it is its own revoke and nothing else, rebuilt here from the payer's own
//! settings; who pays the fee is the one thing that is taken from the facilitator, and it is never the wallet.

use super::{SessionClient, SessionClientError, repeats::Repeats, unsigned::Unsigned};
use crate::{
    client::{
        facilitator::{FacilitatorError, Refused},
        opening::wallet_signed,
        rpc::RpcError,
        signer::PayerSigner,
        terms::{self, FacilitatorPin},
    },
    domain::{reason::SessionReason, signed},
    programs::inco_token::IncoAccount,
    wire::{
        payments::CloseAllBody,
        revoke::{RevokeAnswer, RevokeBody},
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_message::legacy;
use solana_pubkey::Pubkey;
use solana_transaction::versioned::VersionedTransaction;
use std::time::Duration;

/// A revoke that its wallet has signed. Whoever has it can have it carried out while its blockhash lives; it is one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRevoke {
    user: Pubkey,
    /// Base64.
    transaction: String,
}

/// Whom a wallet's token account lets spend from it, as the chain shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delegation {
    /// Nobody, or there is no such account.
    Nobody,
    /// The facilitator that the client speaks to, whether or not a session of it is live.
    Facilitator,
    /// Somebody else.
    Other(Pubkey),
}

impl Delegation {
    /// The word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Facilitator => "facilitator",
            Self::Other(_) => "other",
        }
    }
}

/// What the last answer means when patience ends: a no that says that nothing was sent stays one.
fn undecided(last: SessionClientError) -> SessionClientError {
    let is_open = |word: &str| {
        [SessionReason::RevokePending, SessionReason::InternalError].iter().any(|reason| reason.word() == word)
            || word.starts_with("http_")
    };
    match last {
        SessionClientError::Refused(body) if !is_open(&body.error) => SessionClientError::Refused(body),
        last => SessionClientError::RevokeUndecided { last: Box::new(last) },
    }
}

impl SessionClient {
    /// Takes the facilitator's delegation back: [`SessionClient::prepare_revoke`] and [`SessionClient::finish_revoke`].
    pub async fn revoke(
        &self,
        wallet: &dyn PayerSigner,
        patience: Duration,
    ) -> Result<RevokeAnswer, SessionClientError> {
        let signed = self.prepare_revoke(wallet).await?;
        self.finish_revoke(&signed, patience).await
    }

    /// Asks for the revoke and has the wallet sign it: once the request and once the transaction. Nothing has changed then.
    ///
    /// Fails with `Refused` (`session_busy` while a session is live or holds something, `delegate_mismatch` where there is nothing
    /// to take back, `quota_exceeded`), and with `Foreign` where what is to be signed is anything else.
    pub async fn prepare_revoke(&self, wallet: &dyn PayerSigner) -> Result<SignedRevoke, SessionClientError> {
        let (user, asset, at) = (wallet.pubkey(), self.settings.asset, self.clock.now());
        let pin = terms::agree(&self.http.supported().await?, &self.settings)?.facilitator;
        // With the wallet as fee payer the transaction would be complete without the facilitator, at the wallet's expense.
        if [pin.spender, pin.fee_payer].contains(&user) {
            return Err(SessionClientError::Options("the facilitator's address is the payer's"));
        }
        let message = signed::close_all_message(&pin.spender, &user, &asset, at);
        let signature = bs58::encode(wallet.sign_message(message.as_bytes()).await?).into_string();
        let body = CloseAllBody { user: user.to_string(), asset: asset.to_string(), at, signature };
        let offer = self.http.revoke_offer(&body).await?.map_err(SessionClientError::Refused)?;
        let (unsigned, fee_payer) = self.own_revoke(&user, &offer.transaction)?;
        let signed = wallet.sign_transaction(unsigned).await?;
        let signed = wallet_signed(&signed, &user, &FacilitatorPin::one_key(fee_payer))?;
        Ok(SignedRevoke { user, transaction: STANDARD.encode(signed) })
    }

    /// Has a signed revoke carried out, and waits for its outcome. Repeating it is safe: it is one transaction. Fails with
    /// `RevokeUndecided` where its outcome is not known when `patience` ends.
    pub async fn finish_revoke(
        &self,
        revoke: &SignedRevoke,
        patience: Duration,
    ) -> Result<RevokeAnswer, SessionClientError> {
        let body = RevokeBody { transaction: revoke.transaction.clone() };
        let mut repeats = Repeats::within(patience);
        loop {
            let (last, asked) = match self.http.revoke(&body).await {
                Ok(Ok(answer)) if answer.user == revoke.user.to_string() => return Ok(answer),
                Ok(Ok(_)) => return Err(SessionClientError::Foreign("it tells of another wallet's revoke")),
                Ok(Err(Refused { body, may_pass: true, retry_after })) => {
                    (SessionClientError::Refused(body), retry_after)
                }
                Ok(Err(Refused { body, .. })) => return Err(SessionClientError::Refused(body)),
                Err(error @ FacilitatorError::Unreachable(_)) => (error.into(), None),
                Err(error) => return Err(error.into()),
            };
            if !repeats.wait(asked).await {
                return Err(undecided(last));
            }
        }
    }

    /// Whom a wallet's account of this client's asset lets spend from it. Read from the chain, not asked of the facilitator.
    pub async fn delegation(&self, user: &Pubkey) -> Result<Delegation, SessionClientError> {
        let spender = terms::agree(&self.http.supported().await?, &self.settings)?.facilitator.spender;
        let source = self.settings.programs.token_account(user, &self.settings.asset);
        let told = self.rpc().accounts(&[source]).await?;
        let [account] = <[_; 1]>::try_from(told).map_err(|_| RpcError::Impossible { what: "accounts" })?;
        let account = account.filter(|account| account.owner == self.settings.programs.token);
        let decoded = account.and_then(|account| IncoAccount::decode(&account.bytes).ok());
        Ok(match decoded.and_then(|account| account.delegate) {
            None => Delegation::Nobody,
            Some(delegate) if delegate == spender => Delegation::Facilitator,
            Some(other) => Delegation::Other(other),
        })
    }

    /// The transaction that was told, where it is this wallet's revoke and nothing else, and who pays its fee.
    fn own_revoke(&self, user: &Pubkey, told: &str) -> Result<(VersionedTransaction, Pubkey), SessionClientError> {
        let foreign = SessionClientError::Foreign;
        let Unsigned { transaction, message, fee_payer } = Unsigned::read(told).map_err(foreign)?;
        if fee_payer == *user || transaction.signatures.len() != 2 {
            return Err(foreign("others sign its transaction, or the wallet pays its fee"));
        }
        let programs = &self.settings.programs;
        let revoke = programs.revoke(&programs.token_account(user, &self.settings.asset), user);
        if message != legacy::Message::new_with_blockhash(&[revoke], Some(&fee_payer), &message.recent_blockhash) {
            return Err(foreign("its transaction is no revoke of this wallet, or holds more"));
        }
        Ok((transaction, fee_payer))
    }
}
