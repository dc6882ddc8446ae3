//! A signed opening, to be sent until the facilitator says yes or no.

use crate::{
    client::{saved::SavedError, signer::LocalKey},
    domain::{
        amount::Amount,
        intent::{Intent, IntentHash},
    },
    wire::session::OpenSessionBody,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use zeroize::Zeroizing;

/// The form's number; another one is refused.
const FORM: u64 = 1;

/// A signed opening on its way: everything that has to be repeated until the facilitator says yes or no.
#[derive(Clone, Debug)]
pub struct Opening {
    pub(super) body: OpenSessionBody,
    /// The URL of the facilitator that it was made for.
    pub(super) facilitator: String,
    pub(super) sessions_path: String,
    pub(super) intent: Intent,
    pub(super) hash: IntentHash,
    pub(super) session_key: Option<LocalKey>,
    pub(super) origins: Vec<String>,
}

/// The text of a signed opening. Its name says what the file holds, so that it is never taken for an open session's.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SavedOpening {
    opening_form: u64,
    facilitator: String,
    sessions_path: String,
    body: OpenSessionBody,
    origins: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_key: Option<Zeroizing<String>>,
}

impl Opening {
    /// The wallet that pays.
    pub fn user(&self) -> Pubkey {
        self.intent.user
    }

    /// The wallet that is paid.
    pub fn recipient(&self) -> Pubkey {
        self.intent.recipient
    }

    /// The most that it lets the session pay, in base units.
    pub fn cap(&self) -> Amount {
        self.intent.cap
    }

    /// What it says was approved on chain in all, in base units, where other sessions may take from that approve.
    pub fn approved(&self) -> Option<Amount> {
        self.intent.approved
    }

    /// The URL of the facilitator that it was made for.
    pub fn facilitator(&self) -> &str {
        &self.facilitator
    }

    /// Where the session may be used.
    pub fn origins(&self) -> &[String] {
        &self.origins
    }

    /// Whether the session has a key of its own.
    pub fn has_session_key(&self) -> bool {
        self.session_key.is_some()
    }

    /// The text to keep before it is sent: with it the same opening can be sent again, whatever becomes of this process. Holds
    /// the session key.
    pub fn to_json(&self) -> Result<Zeroizing<String>, SavedError> {
        let saved = SavedOpening {
            opening_form: FORM,
            facilitator: self.facilitator.clone(),
            sessions_path: self.sessions_path.clone(),
            body: self.body.clone(),
            origins: self.origins.clone(),
            session_key: self.session_key.as_ref().map(LocalKey::secret_text),
        };
        serde_json::to_string_pretty(&saved).map(Zeroizing::new).map_err(SavedError::NotJson)
    }

    /// Reads what [`Opening::to_json`] wrote.
    pub fn from_json(text: &str) -> Result<Self, SavedError> {
        let saved: SavedOpening = serde_json::from_str(text).map_err(SavedError::NotJson)?;
        if saved.opening_form != FORM {
            return Err(SavedError::Form(saved.opening_form));
        }
        let intent = STANDARD.decode(&saved.body.auth_message).map_err(|_| SavedError::Member("intent"))?;
        let secret = saved.session_key.as_ref();
        let key = |secret: &Zeroizing<String>| LocalKey::from_secret_text(secret);
        Ok(Self {
            hash: IntentHash::of(&intent),
            intent: Intent::parse(&intent).map_err(|_| SavedError::Member("intent"))?,
            session_key: secret.map(|secret| key(secret).ok_or(SavedError::Member("session key"))).transpose()?,
            body: saved.body,
            facilitator: saved.facilitator,
            sessions_path: saved.sessions_path,
            origins: saved.origins,
        })
    }
}
