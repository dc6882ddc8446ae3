//! Closing a channel, and whether its sums are those of the vouchers that came.

use super::{MppSessionClient, MppSessionError, MppSessionEvent};
use crate::{
    client::mpp::{
        http::{self, Tells, foreign},
        state::{EndedChannel, KnownChannel},
    },
    domain::{
        amount::Amount,
        mpp::{channel_id::PublicId, siwx::Proof},
        printable::brief,
    },
    wire::mpp::session::CloseAnswer,
};
use serde_json::json;

/// How a channel ended.
pub type Closed = EndedChannel;

impl MppSessionClient {
    /// Closes a channel: what was drawn is settled, the rest of the deposit is free. Asked again it tells the same.
    ///
    /// One that this side does not know, from another device, is closed by the wallet's proof; its sums have nothing here to be
    /// compared with but each other.
    pub async fn close(&self, id: &PublicId) -> Result<Closed, MppSessionError> {
        let mut state = self.state.lock().await;
        if let Some(ended) = state.ended.iter().find(|ended| ended.id == *id) {
            return Ok(ended.clone());
        }
        self.tell(&MppSessionEvent::Closing { channel: *id });
        let known = state.channel(id).cloned();
        let body = if let Some(known) = &known {
            json!({ "channel_id": known.secret.expose().as_str() })
        } else {
            let proof = self.sign_in(Some(&Proof::Close(*id))).await?;
            json!({ "channel_id": id.to_string(), "metadata": { "siwx": proof } })
        };
        let told = self.ask(|| self.http.post("/mpp/session/close", &body, None), Tells::ByMember).await?;
        let answer: CloseAnswer = serde_json::from_value(told).map_err(foreign)?;
        if body.get("channel_id").and_then(serde_json::Value::as_str) != Some(&answer.channel_id) {
            return Err(MppSessionError::Foreign("it is about another channel"));
        }
        let why = |why| MppSessionError::Sums { channel: *id, why };
        let closed = sums(id, &answer).ok_or(why("they are no amounts"))?;
        if let Some(known) = &known {
            compare(known, &closed).map_err(why)?;
        }
        state.end(closed.clone());
        self.keep(&state)?;
        let (settled, refunded) = (closed.settled, closed.refunded);
        self.tell(&MppSessionEvent::Closed { channel: *id, settled, refunded });
        Ok(closed)
    }
}

/// What an answer says; the deposit is what its sums make.
fn sums(id: &PublicId, answer: &CloseAnswer) -> Option<Closed> {
    let of = &answer.settlement;
    let amount = |text: &str| Amount::parse(text).ok();
    let (settled, refunded) = (amount(&of.amount_settled)?, amount(&of.buyer_refund)?);
    let shortfall = amount(&answer.shortfall)?;
    Some(EndedChannel {
        id: *id,
        seller: crate::domain::signed::parse_key(&of.seller)?,
        deposit: settled.checked_add(refunded)?.checked_add(shortfall)?,
        settled,
        refunded,
        shortfall,
        vouchers: of.voucher_count,
        transaction: answer.close_tx_signature.as_deref().map(http::transaction),
        reason: brief(&answer.reason),
    })
}

/// Holds the sums of a close against the vouchers that came, and the one that was asked for and may have been given.
pub(super) fn compare(known: &KnownChannel, closed: &Closed) -> Result<(), &'static str> {
    if closed.seller != known.seller {
        return Err("another wallet was paid");
    }
    if closed.deposit != known.deposit {
        return Err("they do not make the deposit");
    }
    let drawn = known.deposit.checked_sub(closed.refunded).ok_or("more than the deposit came back")?;
    let may_be_drawn = [Some(known.cumulative), known.pending.as_ref().map(|pending| pending.cumulative)];
    if !may_be_drawn.contains(&Some(drawn)) {
        return Err("more or less was drawn than by the vouchers that came");
    }
    if closed.settled > drawn {
        return Err("more was paid than was drawn");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{client::mpp::state::tests::channel, domain::samples::amount};

    fn closed(settled: u64, refunded: u64, shortfall: u64) -> Closed {
        EndedChannel {
            id: channel().id(),
            seller: channel().seller,
            deposit: amount(settled + refunded + shortfall),
            settled: amount(settled),
            refunded: amount(refunded),
            shortfall: amount(shortfall),
            vouchers: 1,
            transaction: None,
            reason: "buyer".to_owned(),
        }
    }

    #[test]
    fn the_sums_of_a_close_are_those_of_the_vouchers() {
        let known = channel();
        assert_eq!(compare(&known, &closed(10_000, 990_000, 0)), Ok(()));
        assert_eq!(compare(&known, &closed(9_000, 990_000, 1_000)), Ok(()), "a shortfall is the seller's");
        assert_eq!(
            compare(&known, &closed(20_000, 980_000, 0)),
            Ok(()),
            "the one that did not come may have been given"
        );
        let answered = KnownChannel { pending: None, ..channel() };
        for (known, closed) in [
            (&answered, closed(20_000, 980_000, 0)),
            (&known, closed(15_000, 985_000, 0)),
            (&known, closed(0, 1_000_000, 0)),
            (&known, closed(10_000, 990_001, 0)),
            (&known, closed(10_000, 989_999, 0)),
            (&known, closed(1_000_000, 0, 0)),
            (&known, Closed { seller: known.signer, ..closed(10_000, 990_000, 0) }),
        ] {
            assert!(compare(known, &closed).is_err(), "{closed:?}");
        }
    }
}
