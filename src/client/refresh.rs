//! Asking the facilitator to make a balance readable: payments leave decrypt allowances out, so a balance that has moved
//! lately may be one that its owner cannot decrypt. The facilitator pays, once in a while, for the two wallets of a
//! session.

use crate::{
    client::{
        error::SessionClientError,
        facilitator::{FacilitatorHttp, RefreshReply},
        session::view,
        signer::PayerSigner,
    },
    domain::{clock::Clock, session::SessionId, signed},
    wire::session::RefreshFor,
};

/// Makes the balance of `wallet` readable in the name of a session that it pays for or is paid by; gives the
/// transaction that did it, none when it was readable already.
///
/// The wallet signs the request. Refused for any other wallet, and when the facilitator paid for it a short while ago.
pub async fn make_readable(
    facilitator: &str,
    session: SessionId,
    wallet: &dyn PayerSigner,
    clock: &dyn Clock,
) -> Result<Option<String>, SessionClientError> {
    let http = FacilitatorHttp::new(facilitator)?;
    let view = view(&http, session, None).await?;
    let own = wallet.pubkey().to_string();
    let reader = if view.user == own {
        RefreshFor::User
    } else if view.recipient == own {
        RefreshFor::Merchant
    } else {
        return Err(SessionClientError::OtherSession("it is another wallet's"));
    };
    let now = clock.now();
    let signature = wallet.sign_message(signed::read_message(&session.to_string(), now).as_bytes()).await?;
    match http.refresh(session, reader, (now, signature)).await? {
        RefreshReply::Readable(answer) => Ok(Some(answer.transaction).filter(|signature| !signature.is_empty())),
        RefreshReply::Refused(refused) => Err(SessionClientError::Refused(refused.body)),
    }
}
