//! HTTP with vouchers: send, and when a seller of a channel answers 402, draw one voucher and ask once more.

use super::{Drawn, MppSessionClient, MppSessionError};
use crate::{
    client::{
        body::{BodyError, BoundedBody},
        mpp::{offer::SellerOffer, state::KnownChannel},
    },
    domain::{amount::Amount, mpp::channel_id::PublicId, printable::brief},
    wire::{json, mpp::voucher::X_MPP_VOUCHER},
};
use reqwest::{Request, Response, StatusCode, header::HeaderValue};
use solana_pubkey::Pubkey;

/// The longest 402 that is read of a seller, in bytes.
const MAX_OFFER_BYTES: u64 = 64 * 1024;

/// What a request may cost, and from which channel.
#[derive(Clone, Copy, Debug)]
pub struct Spending {
    /// The most for this request, in base units.
    pub max_price: Amount,
    /// How many units of the seller's meter it is.
    pub units: u64,
    /// From this channel; without it from the newest one to this seller that has as much left.
    pub channel: Option<PublicId>,
}

/// An answered request.
#[derive(Debug)]
pub struct Served {
    /// The seller's answer. Its body is as long as the seller likes: [`BoundedBody`] reads no more than a limit.
    pub response: Response,
    /// The voucher that paid for it, if it cost anything.
    pub drawn: Option<Drawn>,
}

impl MppSessionClient {
    /// Sends `request`; when the answer is a 402 of a seller of a channel, draws one voucher and sends it once more.
    ///
    /// A voucher that was drawn is owed, whatever the seller answers; the next one to this seller pays it along.
    pub async fn fetch(&self, request: Request, spending: &Spending) -> Result<Served, MppSessionError> {
        let mut again = request.try_clone().ok_or(MppSessionError::NotRepeatable)?;
        let response = self.sellers.execute(request).await.map_err(silent)?;
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return Ok(Served { response, drawn: None });
        }
        let body = read(response).await?;
        let offer = SellerOffer::read(&body, &self.network, self.facilitator())?;
        let price = price(&offer, spending)?;
        let channel = self.channel_for(&offer.recipient, price, spending.channel).await?;
        let nonce = offer.server_nonce.clone().unwrap_or_else(|| self.nonce());
        let drawn = self.pay_for(&channel, price, &nonce, (&offer.meter, spending.units)).await?;
        let mut header = HeaderValue::try_from(&drawn.header)
            .map_err(|_| MppSessionError::Foreign("its voucher does not fit into a header"))?;
        header.set_sensitive(true);
        again.headers_mut().insert(X_MPP_VOUCHER, header);
        let response = self.sellers.execute(again).await.map_err(silent)?;
        if response.status() == StatusCode::PAYMENT_REQUIRED {
            return Err(MppSessionError::SellerRefused(words(&read(response).await.unwrap_or_default())));
        }
        Ok(Served { response, drawn: Some(drawn) })
    }

    /// A channel to this seller that has so much left; the one that is named, or the newest.
    async fn channel_for(
        &self,
        seller: &Pubkey,
        price: Amount,
        named: Option<PublicId>,
    ) -> Result<PublicId, MppSessionError> {
        let (state, now) = (self.state.lock().await, self.clock.now());
        let fits = state.channels.iter().rev().find(|channel| {
            let left = channel.deposit.checked_sub(channel.owed_at_most());
            let is_it = named.is_none_or(|named| channel.id() == named);
            is_it && channel.seller == *seller && channel.expires > now && left.is_some_and(|left| left >= price)
        });
        fits.map(KnownChannel::id).ok_or(MppSessionError::NoChannel { seller: *seller, price })
    }
}

/// What so many units cost, where that is not too much.
fn price(offer: &SellerOffer, spending: &Spending) -> Result<Amount, MppSessionError> {
    let price = offer.price_per_unit.get().checked_mul(spending.units).and_then(Amount::new).unwrap_or(Amount::MAX);
    let limit = spending.max_price;
    if price > limit { Err(MppSessionError::OverLimit { price, limit }) } else { Ok(price) }
}

async fn read(response: Response) -> Result<Vec<u8>, MppSessionError> {
    BoundedBody::of(response, MAX_OFFER_BYTES).bytes().await.map_err(|error| match error {
        BodyError::TooLong(_) => MppSessionError::Offer(crate::client::mpp::offer::OfferFault::NoOffer),
        BodyError::Broken(error) => MppSessionError::Seller(error),
    })
}

fn silent(error: reqwest::Error) -> MppSessionError {
    MppSessionError::Seller(error.without_url())
}

/// A seller's word for why a voucher is not taken.
fn words(body: &[u8]) -> String {
    let json = json::read(body).ok();
    let word = json.as_ref().and_then(|json| json.get("error")?.as_str());
    brief(word.unwrap_or("no reason given"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_sellers_word_is_told_without_control_characters() {
        assert_eq!(words(json!({ "error": "underpaid\u{1b}[2J" }).to_string().as_bytes()), "underpaid\\u001b[2J");
        assert_eq!(words(b"<html>"), "no reason given");
    }

    #[test]
    fn units_are_paid_up_to_the_limit() {
        let (recipient, price_per_unit) = (Pubkey::new_from_array([1; 32]), Amount::new(10_000).unwrap());
        let meter = "request".to_owned();
        let offer = SellerOffer { recipient, price_per_unit, meter, suggested_deposit: None, server_nonce: None };
        let asked = |units, most| {
            let spending = Spending { max_price: Amount::new(most).unwrap(), units, channel: None };
            price(&offer, &spending).map(Amount::get).ok()
        };
        assert_eq!(asked(3, 30_000), Some(30_000));
        assert_eq!(asked(3, 29_999), None);
        assert_eq!(asked(u64::MAX, 30_000), None);
    }
}
