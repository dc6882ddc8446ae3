//! One payment as a caller asks for it, and the checks that `/verify` and `/settle` share.

use crate::domain::{
    amount::Amount,
    clock::UnixSeconds,
    hold::{ContentHash, RecordedAnswer, RequestHash},
    network::Network,
    reason::PayReason,
    session::Session,
    session::SessionId,
    signed,
};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;

/// The latest moment that a ledger has a place for.
const LATEST: UnixSeconds = i64::MAX.unsigned_abs();

/// A session key's signature over one payment (`spec/session.md` §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The payment's idempotency key; it is the payload's nonce too.
    pub nonce: String,
    /// After this moment the authorisation is void.
    pub expires_at: UnixSeconds,
    /// Lower-case hex SHA-256 of the resource's URL, when the payer bound it.
    pub resource_hash: Option<String>,
    /// Ed25519.
    pub signature: [u8; 64],
}

/// A payment as a caller asks for it, by its scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payment {
    /// One that draws on a session.
    Session(SessionPayment),
}

impl Payment {
    /// The network as the caller spelled it; answers echo it.
    pub fn network(&self) -> &str {
        match self {
            Self::Session(payment) => &payment.network,
        }
    }
}

/// A payment that draws on a session, as both sides of the request state it; what they must agree on is already known to
/// agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPayment {
    /// The session to draw on.
    pub session: SessionId,
    /// In base units, positive.
    pub amount: Amount,
    /// The network as the caller spelled it; answers echo it.
    pub network: String,
    /// The mint.
    pub asset: Pubkey,
    /// The wallet to be paid.
    pub pay_to: Pubkey,
    /// The caller's idempotency key.
    pub nonce: Option<String>,
    /// The URL paid for, when the payload tells it.
    pub resource: Option<String>,
    /// The session key's signature.
    pub authorization: Option<Authorization>,
    /// The merchant deduplicates by itself: a repeat whose request has this hash is told the recorded answer byte for byte.
    pub idempotent: Option<RequestHash>,
    /// The merchant is content with a durable hold that is settled later.
    pub deferred: bool,
    /// The merchant takes only payments from a balance that is proved to cover them.
    pub funding_required: bool,
    /// The longest the caller waits, in seconds.
    pub max_timeout_seconds: Option<u64>,
}

impl SessionPayment {
    /// What this payment is: an idempotency key names exactly one content.
    pub fn content(&self, network: &Network) -> ContentHash {
        let mut hash = Sha256::new();
        let fields = [
            "session",
            network.canonical(),
            &self.asset.to_string(),
            &self.pay_to.to_string(),
            &self.amount.to_string(),
            self.resource.as_deref().unwrap_or(""),
        ];
        for field in fields {
            // Length first, so that no two lists of fields share their bytes.
            hash.update((field.len() as u64).to_le_bytes());
            hash.update(field.as_bytes());
        }
        ContentHash(hash.finalize().into())
    }

    /// To which repeats a success that is told now is told again: none where the merchant did not ask for it, or no repeat is
    /// recognised. It ends with the payment's own authorisation and with the merchant's `maxTimeoutSeconds` (`patience`, in
    /// seconds, where they state none), whichever is first: a payer who signs for a year does not make a merchant remember for
    /// one.
    pub fn recorded_answer(&self, now: UnixSeconds, patience: u64) -> Option<RecordedAnswer> {
        let request = self.nonce.as_ref().and(self.idempotent)?;
        let expires = self.authorization.as_ref().map_or(UnixSeconds::MAX, |authorization| authorization.expires_at);
        let waited = now.saturating_add(self.max_timeout_seconds.unwrap_or(patience));
        let until = waited.min(expires).min(LATEST);
        (until > now).then_some(RecordedAnswer { request, told_at: now, until })
    }

    /// The key under which a repeat of this payment is recognised.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.nonce.as_deref()
    }
}

/// The limits every payment meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaymentLimits {
    /// The largest single payment, in base units.
    pub max_per_call: Amount,
    /// The smallest single payment, in base units; zero for any that is positive.
    pub min_per_call: Amount,
    /// The most a session with an unverified cap may spend in all, in base units.
    pub unverified_exposure: Amount,
}

impl PaymentLimits {
    /// The smallest payment there can be, in base units.
    pub fn smallest(&self) -> Amount {
        self.min_per_call.max(Amount::ONE)
    }

    /// Refuses an amount below the smallest or above the largest.
    pub fn check(&self, amount: Amount) -> Result<(), PayReason> {
        if amount < self.smallest() {
            return Err(PayReason::InvalidAmount);
        }
        if amount > self.max_per_call { Err(PayReason::PerCallLimitExceeded) } else { Ok(()) }
    }

    /// What a refusal of this amount for one of these limits says, with the figures; none for other reasons.
    pub fn explain(&self, reason: PayReason, amount: Amount) -> Option<String> {
        match reason {
            PayReason::PerCallLimitExceeded => {
                Some(format!("{amount} base units are more than {}, the most for one call here", self.max_per_call))
            }
            PayReason::InvalidAmount if amount < self.min_per_call => {
                Some(format!("{amount} base units are less than {}, the least for one call here", self.min_per_call))
            }
            _ => None,
        }
    }
}

/// Everything that can be said against a payment without counting money: network, asset, recipient, the limit of one
/// call, the session key's signature.
///
/// Refuses with the reasons of `spec/session.md` §3, in the order a caller would fix them. `/verify` and `/settle`
/// both run it and then [`Session::may_hold`] (state, expiry, cap), which settle runs inside the transaction that
/// writes the hold. An expired authorisation is told last, so that whoever is told so has proved to hold the key.
pub fn check_terms(
    payment: &SessionPayment,
    session: &Session,
    network: &Network,
    limits: &PaymentLimits,
    now: UnixSeconds,
) -> Result<(), PayReason> {
    let refuse_unless = |holds: bool, reason: PayReason| if holds { Ok(()) } else { Err(reason) };
    refuse_unless(network.is(&payment.network), PayReason::NetworkMismatch)?;
    refuse_unless(session.network == network.canonical(), PayReason::SessionNetworkMismatch)?;
    refuse_unless(payment.asset == session.intent.asset, PayReason::AssetMismatch)?;
    refuse_unless(payment.pay_to == session.intent.recipient, PayReason::RecipientMismatch)?;
    limits.check(payment.amount)?;
    check_authorization(payment, session, now)
}

/// A session with a session key is paid from only by payloads that key signed; without one there is nothing to check.
fn check_authorization(payment: &SessionPayment, session: &Session, now: UnixSeconds) -> Result<(), PayReason> {
    let Some(session_key) = session.intent.session_key else {
        return Ok(());
    };
    let Some(authorization) = &payment.authorization else {
        return Err(PayReason::SessionSignatureRequired);
    };
    // The signed nonce is the idempotency key: were another one allowed beside it, one signature would pay twice.
    if payment.nonce.as_deref() != Some(authorization.nonce.as_str()) {
        return Err(PayReason::InvalidSessionSignature);
    }
    let bound = authorization.resource_hash.as_deref();
    let told = payment.resource.as_deref().map(signed::resource_hash);
    // A bound resource must be the one paid for; an unbound authorisation pays for any.
    if bound.is_some() && bound != told.as_deref() {
        return Err(PayReason::InvalidSessionSignature);
    }
    let message = signed::payment_message(
        &session.signed.hash(),
        payment.session,
        payment.amount,
        &payment.pay_to,
        &authorization.nonce,
        authorization.expires_at,
        if bound.is_some() { payment.resource.as_deref() } else { None },
    );
    if !signed::verify(&session_key, message.as_bytes(), &authorization.signature) {
        return Err(PayReason::InvalidSessionSignature);
    }
    if authorization.expires_at > now { Ok(()) } else { Err(PayReason::PaymentExpired) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = 1_000;

    fn ends(change: impl FnOnce(&mut SessionPayment)) -> Option<UnixSeconds> {
        let key = Pubkey::new_from_array([1; 32]);
        let mut payment = SessionPayment {
            session: SessionId::from_random_bytes([1; 16]),
            amount: Amount::ONE,
            network: String::new(),
            asset: key,
            pay_to: key,
            nonce: Some("nonce".to_owned()),
            resource: None,
            authorization: None,
            idempotent: Some(RequestHash([7; 32])),
            deferred: false,
            funding_required: false,
            max_timeout_seconds: Some(60),
        };
        change(&mut payment);
        let answer = payment.recorded_answer(NOW, 30)?;
        assert_eq!((answer.request, answer.told_at), (RequestHash([7; 32]), NOW));
        assert!(answer.is_for(answer.request, answer.until - 1) && !answer.is_for(answer.request, answer.until));
        assert!(!answer.is_for(RequestHash([8; 32]), NOW), "to another request never");
        Some(answer.until)
    }

    fn signed_until(expires_at: UnixSeconds) -> Authorization {
        Authorization { nonce: "nonce".to_owned(), expires_at, resource_hash: None, signature: [0; 64] }
    }

    #[test]
    fn an_answer_is_recorded_until_the_payment_or_the_merchants_time_ends() {
        assert_eq!(ends(|_| ()), Some(NOW + 60));
        assert_eq!(ends(|payment| payment.authorization = Some(signed_until(NOW + 5))), Some(NOW + 5));
        assert_eq!(ends(|payment| payment.authorization = Some(signed_until(UnixSeconds::MAX))), Some(NOW + 60));
        assert_eq!(ends(|payment| payment.max_timeout_seconds = None), Some(NOW + 30), "ours, where they state none");
        assert_eq!(ends(|payment| payment.max_timeout_seconds = Some(u64::MAX)), Some(LATEST));
    }

    #[test]
    fn nothing_is_recorded_that_nobody_asked_for_or_that_no_repeat_names() {
        assert_eq!(ends(|payment| payment.idempotent = None), None);
        assert_eq!(ends(|payment| payment.nonce = None), None);
        assert_eq!(ends(|payment| payment.authorization = Some(signed_until(NOW))), None, "it has ended");
    }
}
