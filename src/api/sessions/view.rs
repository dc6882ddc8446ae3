//! A session as an answer shows it.

use crate::{
    domain::{
        approval::Approval,
        session::{CapCheck, Session, SessionState},
    },
    facilitator::Backing,
    wire::session::{ApprovalView, SessionView},
};

/// Whether an answer tells amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amounts {
    /// The reader has proved that they may know them.
    Shown,
    /// Anybody may read the answer.
    Hidden,
}

/// A session as its reader may see it: never the intent, never a signature of it.
pub(super) fn view(session: &Session, amounts: Amounts, backing: Backing) -> SessionView {
    let shown = |amount: crate::domain::amount::Amount| (amounts == Amounts::Shown).then(|| amount.to_string());
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
        cap: shown(session.intent.cap),
        spent: shown(session.spent()),
        captured: shown(session.captured),
        held: shown(session.held),
        remaining: shown(backing.remaining),
        expiration_unix: session.intent.expires_at,
        network: session.intent.network.clone(),
        approve_tx_signature: session.approve.map(|signature| signature.to_string()),
        state: Some(session.state.word().to_owned()),
        rejected_reason: rejected,
        cap_verified: Some(session.cap_check == CapCheck::Verified),
        funding: Some(backing.funding.word().to_owned()),
        frozen: backing.frozen.then_some(true),
        session_key: session.intent.session_key.map(|key| key.to_string()),
        id: Some(session.id.to_string()),
        created_at: Some(session.created_at),
        approval: None,
    }
}

/// An approval as its wallet sees it.
pub(super) fn approval(approval: &Approval) -> ApprovalView {
    ApprovalView {
        signature: approval.signature.to_string(),
        approved: approval.amount.map(|amount| amount.to_string()),
        free: approval.free().to_string(),
    }
}
