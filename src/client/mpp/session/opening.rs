//! Opening a channel: the wallet proves that it wants this seller and this deposit, and what comes back is held against that.

use super::{MppSessionClient, MppSessionError, MppSessionEvent};
use crate::{
    client::mpp::{
        http::{self, Tells, foreign},
        sign_in::LIFE,
        state::{BuyerState, KnownChannel, SentOpening},
    },
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        mpp::{
            channel_id::{ChannelSecret, PublicId},
            siwx::Proof,
            timestamp,
            voucher::Certified,
        },
        signed::{self, parse_key},
    },
    programs::delegation::swig,
    wire::mpp::session::OpenAnswer,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use std::time::Duration;

/// What an opening is refused with whose proof is good no more, or was used.
const NOT_AUTHORIZED: &str = "open_not_authorized";

/// An open channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedChannel {
    /// Its public id; the secret is kept in the state.
    pub id: PublicId,
    /// The wallet that is paid.
    pub seller: Pubkey,
    /// The most that is ever paid, in base units.
    pub deposit: Amount,
    /// The key that signs its vouchers.
    pub session_pubkey: Pubkey,
    /// From when on it gives no vouchers, Unix seconds.
    pub expires: UnixSeconds,
    /// The transaction that anchors it on chain, by the facilitator's word.
    pub transaction: String,
}

impl MppSessionClient {
    /// Opens a channel to `seller` with a ceiling of `deposit` base units; `idle_timeout` is how long it may lie still.
    ///
    /// An opening that was sent and not answered is gone on with where it is of the same seller, deposit and timeout: it opens one channel.
    pub async fn open(
        &self,
        seller: Pubkey,
        deposit: Amount,
        idle_timeout: Option<Duration>,
    ) -> Result<OpenedChannel, MppSessionError> {
        let mut state = self.state.lock().await;
        let idle_timeout = idle_timeout.map(|timeout| timeout.as_secs());
        self.tell(&MppSessionEvent::Opening { seller, deposit });
        let sent = state.opening.clone();
        let is_this =
            |sent: &SentOpening| (sent.seller, sent.deposit, sent.idle_timeout) == (seller, deposit, idle_timeout);
        if let Some(sent) = sent.filter(is_this) {
            match self.send_opening(&mut state, &sent).await {
                // Its time is over: what came of it, if anything did, ends by itself within the idle timeout.
                Err(MppSessionError::Refused(refusal))
                    if refusal.word == NOT_AUTHORIZED && sent.until <= self.clock.now() => {}
                answered => return answered,
            }
        }
        let proof = self.sign_in(Some(&Proof::Open { seller, deposit })).await?;
        let until = self.clock.now().saturating_add(LIFE / 1_000);
        let sent = SentOpening { seller, deposit, idle_timeout, proof, until };
        state.opening = Some(sent.clone());
        self.keep(&state)?;
        self.send_opening(&mut state, &sent).await
    }

    /// Sends an opening, and keeps the channel that comes back. One whose outcome is not known stays to be sent again.
    async fn send_opening(&self, state: &mut BuyerState, sent: &SentOpening) -> Result<OpenedChannel, MppSessionError> {
        let body = self.open_body(sent);
        let told = self.ask(|| self.http.post("/mpp/session/open", &body, None), Tells::ByMember).await;
        let told = match told {
            Ok(told) => told,
            Err(error) => {
                if matches!(error, MppSessionError::Refused(_) | MppSessionError::SessionNotFound) {
                    state.opening = None;
                    self.keep(state)?;
                }
                return Err(error);
            }
        };
        let answer: OpenAnswer = serde_json::from_value(told).map_err(foreign)?;
        let (channel, issuer) = self.channel_of(&answer, sent, self.issuer.or(state.issuer))?;
        let opened = OpenedChannel {
            id: channel.id(),
            seller: channel.seller,
            deposit: channel.deposit,
            session_pubkey: channel.signer,
            expires: channel.expires,
            transaction: http::transaction(&answer.open_tx_signature),
        };
        // A repeat of an opening that was kept already changes nothing of what was drawn since.
        if state.channel(&opened.id).is_none() {
            state.channels.push(channel);
        }
        state.issuer = Some(issuer);
        state.opening = None;
        self.keep(state)?;
        self.tell(&MppSessionEvent::Opened { channel: opened.id, session_pubkey: opened.session_pubkey });
        Ok(opened)
    }

    fn open_body(&self, sent: &SentOpening) -> Value {
        let mut body = json!({
            "buyer_wallet": self.wallet.pubkey().to_string(),
            "buyer_swig_address": "pending",
            "seller_wallet": sent.seller.to_string(),
            "deposit_atomic": sent.deposit.to_string(),
            "network": self.network.chain_id(),
            "metadata": { "siwx": sent.proof },
        });
        if let (Some(timeout), Some(members)) = (sent.idle_timeout, body.as_object_mut()) {
            members.insert("idle_timeout_seconds".to_owned(), json!(timeout));
        }
        body
    }

    /// The channel of an answer, and who certifies it; refuses what sellers would refuse, and what is not what was asked for.
    fn channel_of(
        &self,
        answer: &OpenAnswer,
        sent: &SentOpening,
        known: Option<Pubkey>,
    ) -> Result<(KnownChannel, Pubkey), MppSessionError> {
        let other = MppSessionError::Foreign;
        let secret: ChannelSecret = answer.channel_id.parse().map_err(|_| other("its channel has no secret"))?;
        if answer.deposit_atomic != sent.deposit.to_string() || answer.network != self.network.chain_id() {
            return Err(other("its deposit or network is another one"));
        }
        let signer = parse_key(&answer.session_pubkey).ok_or(other("its voucher key is none"))?;
        let programs = [self.token.program.address(), swig::PROGRAM];
        let program = parse_key(&answer.channel_program).filter(|program| programs.contains(program));
        let program = program.ok_or(other("its program enforces no grant of this wallet"))?;
        let expires = timestamp::read(&answer.expires_at).ok_or(other("its end is no time"))? / 1_000;
        let issuer = parse_key(&answer.issuer).ok_or(other("its issuer is no key"))?;
        if known.is_some_and(|known| known != issuer) {
            return Err(other("it is certified by another key than the one that is known"));
        }
        let certified = Certified {
            channel: secret.public_id(),
            signer,
            payer: self.wallet.pubkey(),
            recipient: sent.seller,
            deposit: sent.deposit,
            chain_id: self.network.chain_id().to_owned(),
            channel_program: program,
            expires,
        };
        let certificate = STANDARD.decode(&answer.certificate).ok().and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
        let is_certified =
            certificate.is_some_and(|certificate| signed::verify(&issuer, certified.text().as_bytes(), &certificate));
        if !is_certified {
            return Err(other("its certificate is not of this channel, so no seller would take its vouchers"));
        }
        let channel = KnownChannel {
            secret,
            seller: sent.seller,
            deposit: sent.deposit,
            signer,
            program,
            expires,
            cumulative: Amount::ZERO,
            sequence: 0,
            pending: None,
        };
        Ok((channel, issuer))
    }
}

#[cfg(test)]
mod tests;
