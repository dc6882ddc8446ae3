//! A session as an answer shows it.

use crate::{
    domain::session::{CapCheck, Session, SessionState},
    facilitator::Backing,
    wire::session::SessionView,
};

/// A session as its reader may see it: never the intent, never a signature of it.
pub(super) fn view(session: &Session, amounts: bool, backing: Backing) -> SessionView {
    let told = |amount: crate::domain::amount::Amount| amounts.then(|| amount.to_string());
    let rejected = match session.state {
        SessionState::Rejected(reason) => Some(reason.word().to_owned()),
        SessionState::Opening
        | SessionState::Open
        | SessionState::Expired
        | SessionState::Closing
        | SessionState::Closed
        | SessionState::Superseded
        | SessionState::Revoked => None,
    };
    SessionView {
        session_id: session.id.to_string(),
        user: session.intent.user.to_string(),
        spender: session.intent.spender.to_string(),
        asset: session.intent.asset.to_string(),
        recipient: session.intent.recipient.to_string(),
        cap: told(session.intent.cap),
        spent: told(session.spent()),
        captured: told(session.captured),
        held: told(session.held),
        remaining: told(session.remaining()),
        expiration_unix: session.intent.expires_at,
        network: session.intent.network.clone(),
        approve_tx_signature: session.approve.map(|signature| signature.to_string()),
        state: Some(session.state.word().to_owned()),
        rejected_reason: rejected,
        cap_verified: Some(session.cap_check == CapCheck::Verified),
        funding: Some(backing.funding.word().to_owned()),
        frozen: backing.frozen.then_some(true),
        session_key: session.intent.session_key.map(|key| key.to_string()),
    }
}
