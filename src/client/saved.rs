//! An open session as a payer keeps it, and its JSON.
//!
//! The JSON holds the session key: whoever reads it can spend what is left of the cap at the session's recipient. It
//! belongs into a file that only its owner reads.

use crate::{
    client::{facilitator::Signed, signer::LocalKey},
    domain::{
        amount::{Amount, AmountError},
        clock::UnixSeconds,
        intent::IntentHash,
        session::SessionId,
        signed,
    },
};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use zeroize::Zeroizing;

/// The form's number; another one is refused.
const FORM: u64 = 1;

/// Why a text is not a saved session or opening. Repeats nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// Not the JSON that [`OpenSession::to_json`] writes.
    #[error("this is not what was saved")]
    NotJson(#[source] serde_json::Error),
    /// Written by another version.
    #[error("this was saved in form {0}, and form {FORM} is read")]
    Form(u64),
    /// A member that does not hold what it must.
    #[error("the saved {0} is malformed")]
    Member(&'static str),
    /// The cap.
    #[error("the saved cap is malformed")]
    Cap(#[from] AmountError),
}

/// An open session, from the payer's side.
#[derive(Clone, Debug)]
pub struct OpenSession {
    /// Its id.
    pub id: SessionId,
    /// The facilitator's URL.
    pub facilitator: String,
    /// The wallet that pays.
    pub user: Pubkey,
    /// The facilitator's delegate key.
    pub spender: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// The wallet that is paid, and nobody else.
    pub recipient: Pubkey,
    /// The most that may be captured, in base units; unknown for a session resumed by its id alone.
    pub cap: Option<Amount>,
    /// When it stops accepting payments.
    pub expires_at: UnixSeconds,
    /// Every spelling of its network, the intent's first.
    pub networks: Vec<String>,
    /// The origins that may be paid, as in `https://api.example.com`.
    pub origins: Vec<String>,
    /// What every payment is signed with; none for a session without a session key.
    pub authority: Option<Authority>,
}

/// The session key and what it signs for.
#[derive(Clone, Debug)]
pub struct Authority {
    /// The intent's hash, which every signature refers to.
    pub intent: IntentHash,
    /// The session key.
    pub key: LocalKey,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Saved {
    form: u64,
    session_id: String,
    facilitator: String,
    user: String,
    spender: String,
    asset: String,
    recipient: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cap: Option<String>,
    expiration_unix: u64,
    networks: Vec<String>,
    origins: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intent_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_key: Option<Zeroizing<String>>,
}

impl OpenSession {
    /// Whether `spelling` names this session's network.
    pub fn is_on(&self, spelling: &str) -> bool {
        self.networks.iter().any(|known| known == spelling)
    }

    /// A signature of the session key, where there is one, for a request to read the session at `now`.
    pub(super) fn sign_read(&self, now: UnixSeconds) -> Option<Signed> {
        let authority = self.authority.as_ref()?;
        Some((now, authority.key.sign(signed::read_message(&self.id.to_string(), now).as_bytes())))
    }

    /// The text to keep. Holds the session key.
    pub fn to_json(&self) -> Result<Zeroizing<String>, SavedError> {
        let saved = Saved {
            form: FORM,
            session_id: self.id.to_string(),
            facilitator: self.facilitator.clone(),
            user: self.user.to_string(),
            spender: self.spender.to_string(),
            asset: self.asset.to_string(),
            recipient: self.recipient.to_string(),
            cap: self.cap.map(|cap| cap.to_string()),
            expiration_unix: self.expires_at,
            networks: self.networks.clone(),
            origins: self.origins.clone(),
            intent_hash: self.authority.as_ref().map(|authority| authority.intent.hex()),
            session_key: self.authority.as_ref().map(|authority| authority.key.secret_text()),
        };
        serde_json::to_string_pretty(&saved).map(Zeroizing::new).map_err(SavedError::NotJson)
    }

    /// Reads what [`OpenSession::to_json`] wrote.
    pub fn from_json(text: &str) -> Result<Self, SavedError> {
        let saved: Saved = serde_json::from_str(text).map_err(SavedError::NotJson)?;
        if saved.form != FORM {
            return Err(SavedError::Form(saved.form));
        }
        let key = |text: &str, member| signed::parse_key(text).ok_or(SavedError::Member(member));
        let authority = match (&saved.intent_hash, &saved.session_key) {
            (None, None) => None,
            (Some(hash), Some(secret)) => Some(Authority {
                intent: intent_hash(hash).ok_or(SavedError::Member("intent hash"))?,
                key: LocalKey::from_secret_text(secret).ok_or(SavedError::Member("session key"))?,
            }),
            _ => return Err(SavedError::Member("session key")),
        };
        Ok(Self {
            id: saved.session_id.parse().map_err(|_| SavedError::Member("session id"))?,
            facilitator: saved.facilitator,
            user: key(&saved.user, "user")?,
            spender: key(&saved.spender, "spender")?,
            asset: key(&saved.asset, "asset")?,
            recipient: key(&saved.recipient, "recipient")?,
            cap: saved.cap.as_deref().map(Amount::parse_positive).transpose()?,
            expires_at: saved.expiration_unix,
            networks: saved.networks,
            origins: saved.origins,
            authority,
        })
    }
}

fn intent_hash(text: &str) -> Option<IntentHash> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok()?;
    Some(IntentHash(hash))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::chance::SeededChance;

    pub(in crate::client) fn session() -> OpenSession {
        OpenSession {
            id: SessionId::from_random_bytes([7; 16]),
            facilitator: "http://127.0.0.1:4021".to_owned(),
            user: Pubkey::new_from_array([1; 32]),
            spender: Pubkey::new_from_array([2; 32]),
            asset: Pubkey::new_from_array([3; 32]),
            recipient: Pubkey::new_from_array([4; 32]),
            cap: Amount::new(1_000_000),
            expires_at: 2_000,
            networks: vec!["solana:devnet".to_owned(), "solana-devnet".to_owned()],
            origins: vec!["http://shop".to_owned()],
            authority: Some(Authority { intent: IntentHash([5; 32]), key: LocalKey::generate(&SeededChance::new(1)) }),
        }
    }

    #[test]
    fn a_saved_session_comes_back_whole() {
        let session = session();
        let back = OpenSession::from_json(&session.to_json().unwrap()).unwrap();
        assert_eq!(back.to_json().unwrap(), session.to_json().unwrap());
        assert_eq!(format!("{back:?}"), format!("{session:?}"));
        let keyless = OpenSession { authority: None, cap: None, ..session };
        let back = OpenSession::from_json(&keyless.to_json().unwrap()).unwrap();
        assert!(back.authority.is_none() && back.cap.is_none());
    }

    #[test]
    fn damaged_files_are_refused_and_the_secret_is_not_repeated() {
        let text = session().to_json().unwrap();
        let secret = session().authority.unwrap().key.secret_text();
        for (from, to) in [("\"form\": 1", "\"form\": 2"), ("1000000", "-1"), ("intentHash", "x"), ("2000,", "\"x\",")]
        {
            let bent = text.replacen(from, to, 1);
            assert_ne!(bent, *text, "{from}");
            let error = OpenSession::from_json(&bent).expect_err(from);
            assert!(!format!("{error:?}{error}").contains(secret.as_str()), "{from}");
        }
        let half = text.replacen("sessionKey", "sessionKy", 1);
        assert!(OpenSession::from_json(&half).is_err());
        assert!(!format!("{:?}", session()).contains(secret.as_str()));
    }
}
