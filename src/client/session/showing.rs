//! Showing a session, and coming back to one: what a facilitator shows must be what the payer means.

use super::{SessionClient, SessionClientError};
use crate::{
    client::{
        facilitator::{FacilitatorHttp, SessionAnswer, Signed},
        saved::OpenSession,
        terms::Trust,
    },
    domain::{
        clock::{Clock, UnixSeconds},
        session::SessionId,
        signed,
    },
    wire::session::SessionView,
};

impl SessionClient {
    /// What the facilitator says of a session now. The session key signs the question, so amounts are told.
    pub async fn show(&self, session: &OpenSession) -> Result<SessionView, SessionClientError> {
        shown(&self.http, session, self.clock.now()).await
    }

    /// Comes back to a session without a session key by its id alone. One with a session key needs its saved form.
    pub async fn resume(&self, id: SessionId, origins: Vec<String>) -> Result<OpenSession, SessionClientError> {
        let view = view(&self.http, id, None).await?;
        if view.session_key.is_some() {
            return Err(SessionClientError::OtherSession("it has a session key, which only its saved form holds"));
        }
        let key =
            |text: &str| signed::parse_key(text).ok_or(SessionClientError::OtherSession("a member is no address"));
        let session = OpenSession {
            id,
            facilitator: self.settings.facilitator.clone(),
            user: key(&view.user)?,
            spender: key(&view.spender)?,
            asset: self.settings.asset,
            recipient: key(&view.recipient)?,
            cap: None,
            expires_at: view.expiration_unix,
            networks: self.networks(self.settings.network.canonical()),
            origins,
            authority: None,
        };
        if let Trust::Pinned(pin) = self.settings.trust
            && pin.spender != session.spender
        {
            return Err(SessionClientError::OtherSession("its spender is not the pinned one"));
        }
        same_session(&session, &view)?;
        Ok(session)
    }
}

/// What its own facilitator says of a saved session; needs no settings.
pub async fn show(session: &OpenSession, clock: &dyn Clock) -> Result<SessionView, SessionClientError> {
    shown(&FacilitatorHttp::new(&session.facilitator)?, session, clock.now()).await
}

async fn shown(
    http: &FacilitatorHttp,
    session: &OpenSession,
    now: UnixSeconds,
) -> Result<SessionView, SessionClientError> {
    let view = view(http, session.id, session.sign_read(now)).await?;
    same_session(session, &view)?;
    Ok(view)
}

pub(in crate::client) async fn view(
    http: &FacilitatorHttp,
    id: SessionId,
    signed: Option<Signed>,
) -> Result<SessionView, SessionClientError> {
    match http.session(id, signed).await? {
        SessionAnswer::Session(view) => Ok(*view),
        SessionAnswer::Refused(refused) => Err(SessionClientError::Refused(refused.body)),
    }
}

/// The session that a facilitator shows must be the one that the payer means.
pub(super) fn same_session(session: &OpenSession, view: &SessionView) -> Result<(), SessionClientError> {
    let session_key = session.authority.as_ref().map(|authority| authority.key.pubkey().to_string());
    let checks = [
        ("its id", view.session_id == session.id.to_string()),
        ("its user", view.user == session.user.to_string()),
        ("its spender", view.spender == session.spender.to_string()),
        ("its asset", view.asset == session.asset.to_string()),
        ("its recipient", view.recipient == session.recipient.to_string()),
        ("its expiration", view.expiration_unix == session.expires_at),
        ("its network", session.is_on(&view.network)),
        // The deployed service does not tell the session key.
        ("its session key", view.session_key.is_none() || view.session_key == session_key),
    ];
    match checks.into_iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(SessionClientError::OtherSession(what)),
        None => Ok(()),
    }
}
