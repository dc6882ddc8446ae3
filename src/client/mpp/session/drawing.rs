//! Drawing vouchers: the sum so far is this side's to keep, and each voucher that comes is held against what was asked for.
//!
//! What is durable at the facilitator is owed. So a request is kept before it is sent, and until its voucher has come nothing else is
//! asked of the channel: repeated as it is, it is answered with the same voucher.

use super::{MppSessionClient, MppSessionError, MppSessionEvent};
use crate::{
    client::mpp::{
        http::Tells,
        state::{BuyerState, Draw, KnownChannel},
    },
    domain::{
        amount::Amount,
        chance,
        mpp::{
            channel::reason::ChannelReason,
            channel_id::PublicId,
            voucher::{self, SeenChannel, SellerTerms, Strictness, Voucher},
        },
    },
    wire::mpp::{canonical, voucher as wire},
};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;

/// What is counted where nothing else is said.
const METER: &str = "request";

/// A voucher of one's own, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// What it says.
    pub voucher: Voucher,
    /// What it pays on top of the one before, in base units.
    pub paid: Amount,
    /// The value of the header `x-mpp-voucher`, which pays the seller.
    pub header: String,
}

/// How much a voucher is to say.
#[derive(Clone, Copy, Debug)]
enum Asked {
    /// In all.
    Cumulative(Amount),
    /// On top of the last one.
    Delta(Amount),
}

impl MppSessionClient {
    /// Draws the voucher by which `cumulative` base units are owed in all; `nonce` is the seller's, or one's own.
    pub async fn pay(&self, channel: &PublicId, cumulative: Amount, nonce: &str) -> Result<Drawn, MppSessionError> {
        self.draw(channel, Asked::Cumulative(cumulative), nonce, (METER, 1)).await
    }

    /// Draws a voucher for `delta` base units more than the last one.
    ///
    /// Called again with the delta and nonce of a voucher that did not come, it gives that voucher and pays no second time.
    pub async fn pay_delta(&self, channel: &PublicId, delta: Amount, nonce: &str) -> Result<Drawn, MppSessionError> {
        self.draw(channel, Asked::Delta(delta), nonce, (METER, 1)).await
    }

    /// Like [`MppSessionClient::pay_delta`], for so many units of a seller's meter.
    pub async fn pay_for(
        &self,
        channel: &PublicId,
        delta: Amount,
        nonce: &str,
        (meter, units): (&str, u64),
    ) -> Result<Drawn, MppSessionError> {
        self.draw(channel, Asked::Delta(delta), nonce, (meter, units)).await
    }

    /// A nonce of one's own, for a seller who names none.
    pub fn nonce(&self) -> String {
        hex::encode(chance::draw::<16>(self.chance.as_ref()))
    }

    async fn draw(
        &self,
        id: &PublicId,
        asked: Asked,
        nonce: &str,
        (meter, units): (&str, u64),
    ) -> Result<Drawn, MppSessionError> {
        let mut state = self.state.lock().await;
        let known = state.channel(id).ok_or(MppSessionError::SessionNotFound)?;
        if let Some(pending) = known.pending.clone() {
            let drawn = self.finish(&mut state, id, &pending).await?;
            let is_it = match asked {
                Asked::Cumulative(cumulative) => cumulative == pending.cumulative,
                Asked::Delta(delta) => delta == pending.delta,
            };
            if is_it && (nonce, meter, units) == (&pending.nonce, &pending.meter, pending.units) {
                return Ok(drawn);
            }
        }
        let known = state.channel_mut(id).ok_or(MppSessionError::SessionNotFound)?;
        let draw = draw(known, asked, nonce, (meter, units))?;
        known.pending = Some(draw.clone());
        self.keep(&state)?;
        self.finish(&mut state, id, &draw).await
    }

    /// Asks for a voucher that was kept as asked for, verifies it, and keeps that it came.
    async fn finish(&self, state: &mut BuyerState, id: &PublicId, draw: &Draw) -> Result<Drawn, MppSessionError> {
        let known = state.channel(id).ok_or(MppSessionError::SessionNotFound)?;
        let body = json!({
            "channel_id": known.secret.expose().as_str(),
            "amount": draw.cumulative.to_string(),
            "serverNonce": draw.nonce,
            "meter": draw.meter,
            "units": draw.units.to_string(),
        });
        let told = self.ask(|| self.http.post("/mpp/session/voucher", &body, None), Tells::ByMember).await;
        let told = match told {
            Ok(told) => told,
            Err(error) => {
                if is_never_owed(&error) {
                    self.settle_draw(state, id, None)?;
                }
                return Err(error);
            }
        };
        let drawn = self.verify(known, draw, &told, state.issuer)?;
        self.settle_draw(state, id, Some(&drawn.voucher))?;
        let (amount, sequence) = (drawn.voucher.cumulative_amount, drawn.voucher.sequence);
        self.tell(&MppSessionEvent::Voucher { channel: *id, amount, sequence });
        Ok(drawn)
    }

    /// Keeps that nothing is asked for any more, and what came.
    fn settle_draw(
        &self,
        state: &mut BuyerState,
        id: &PublicId,
        came: Option<&Voucher>,
    ) -> Result<(), MppSessionError> {
        let known = state.channel_mut(id).ok_or(MppSessionError::SessionNotFound)?;
        known.pending = None;
        if let Some(voucher) = came {
            (known.cumulative, known.sequence) = (voucher.cumulative_amount, voucher.sequence);
        }
        self.keep(state)
    }

    /// Holds an answer against what was asked for: all ten members, the channel's key, its certificate, and the voucher before.
    fn verify(
        &self,
        known: &KnownChannel,
        draw: &Draw,
        told: &Value,
        issuer: Option<Pubkey>,
    ) -> Result<Drawn, MppSessionError> {
        // One line without blanks, as a header carries it.
        let header = canonical::text(told).map_err(|_| MppSessionError::Foreign("its voucher has an odd number"))?;
        let presented = wire::read(&header)?;
        let expected = Voucher {
            channel_id: known.id().to_string(),
            payer: self.wallet.pubkey().to_string(),
            recipient: known.seller.to_string(),
            cumulative_amount: draw.cumulative,
            sequence: presented.voucher.sequence,
            meter: draw.meter.clone(),
            units: draw.units,
            server_nonce: draw.nonce.clone(),
            chain_id: self.network.chain_id().to_owned(),
            channel_program: known.program.to_string(),
        };
        if presented.voucher != expected {
            return Err(MppSessionError::Foreign("its voucher says something else"));
        }
        let certificate = presented.certificate.as_ref();
        if certificate.is_none_or(|it| (it.deposit, it.expires) != (known.deposit, known.expires)) {
            return Err(MppSessionError::Foreign("its voucher is certified otherwise than the channel was"));
        }
        let last =
            SeenChannel { signer: known.signer.to_string(), cumulative: known.cumulative, sequence: known.sequence };
        let chain_id = self.network.chain_id().to_owned();
        let issuer = issuer.ok_or(MppSessionError::Foreign("nobody has certified the channel"))?;
        let terms = SellerTerms {
            recipient: known.seller,
            price_per_unit: draw.delta,
            meter: draw.meter.clone(),
            strictness: Strictness::Certified { issuer, chain_id },
        };
        // As the seller will, with the last voucher as the one before; of one whose time is over nobody would serve.
        let accepted = voucher::verify(&presented, &terms, Some(&last), Some(1), self.clock.now())?;
        Ok(Drawn { voucher: presented.voucher, paid: accepted.amount_paid, header })
    }
}

/// Whether an error tells that there is no such voucher, so that nothing is owed by it. Where the channel or its delegation is gone, or
/// nothing was looked up, one whose answer was lost may be on record all the same: it stays asked for, and a close may count it.
fn is_never_owed(error: &MppSessionError) -> bool {
    use ChannelReason::{
        AmountNotMonotonic, BadRequest, BodyTooLarge, DepositExceeded, GlobalSettleCap, InsufficientBalance,
        InvalidRequest, PayerSettleCap, PayerVerifyCap, SellerSettleCap, VoucherConflict,
    };
    let MppSessionError::Refused(refusal) = error else { return false };
    matches!(
        ChannelReason::from_word(&refusal.word),
        Some(
            AmountNotMonotonic
                | BadRequest
                | BodyTooLarge
                | DepositExceeded
                | GlobalSettleCap
                | InsufficientBalance
                | InvalidRequest
                | PayerSettleCap
                | PayerVerifyCap
                | SellerSettleCap
                | VoucherConflict
        )
    )
}

/// The request for the next voucher of a channel; refuses what its deposit or its last voucher does not allow.
fn draw(known: &KnownChannel, asked: Asked, nonce: &str, (meter, units): (&str, u64)) -> Result<Draw, MppSessionError> {
    let (cumulative, delta) = match asked {
        Asked::Cumulative(cumulative) => (Some(cumulative), cumulative.checked_sub(known.cumulative)),
        Asked::Delta(delta) => (known.cumulative.checked_add(delta), Some(delta)),
    };
    let cumulative = cumulative.filter(|sum| *sum <= known.deposit).ok_or(MppSessionError::DepositExceeded)?;
    let delta = delta.filter(|delta| *delta > Amount::ZERO).ok_or(MppSessionError::AmountNotMonotonic)?;
    Ok(Draw { cumulative, delta, nonce: nonce.to_owned(), meter: meter.to_owned(), units })
}

#[cfg(test)]
pub(super) mod tests;
