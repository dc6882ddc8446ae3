//! `POST /sessions`: the request, and every check of it that asks nothing of the chain.
//!
//! The order of work is that of `spec/session.md` §2: what costs nothing first, then quotas, then reads, and the
//! session's row right before the first signature, so that a refusal leaves no trace.

use crate::{
    chain::{
        fees::ComputeBudget,
        inspect::{ApproveTemplate, InspectedApprove},
    },
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        funding::FundingProof,
        intent::{Intent, IntentError},
        reason::SessionReason,
        session::{CapCheck, Session, SessionId, SessionState, SignedIntent},
        signed,
    },
    facilitator::{SessionError, SessionRefusal, funding::proof::Delegate, sessions::Sessions},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::sync::Arc;

/// How the approve reaches the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApproveSource {
    /// The user's signed transaction in base64, for us to co-sign and send.
    Transaction(String),
    /// An approve that is on chain already, by its signature. Proved by what that transaction and the account's history hold, not
    /// by its name.
    Landed(Signature),
}

/// A request to open a session, decoded but not parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// The wallet that pays.
    pub user: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// The wallet that is paid.
    pub recipient: Pubkey,
    /// The most that may be captured, in base units.
    pub cap: Amount,
    /// When the session stops accepting payments, Unix seconds.
    pub expires_at: UnixSeconds,
    /// The network as the caller spelled it.
    pub network: String,
    /// The approve.
    pub approve: ApproveSource,
    /// The signed intent.
    pub intent: SignedIntent,
    /// What the payer proves of their balance.
    pub funding: Option<FundingProof>,
}

/// A request that has passed every check that costs nothing.
pub(crate) struct ParsedOpening {
    /// The session as it will be written, in state `opening`.
    pub(crate) session: Session,
    /// The approve to co-sign; none when it is on chain already.
    pub(crate) approve: Option<InspectedApprove>,
    /// What the payer proves of their balance.
    pub(crate) funding: Option<FundingProof>,
}

impl Sessions {
    /// Opens a session: lands the approve, proves its effect, and answers with the open session.
    ///
    /// A repeated request with the same nonce and content answers with the same session. Refusals are the words of
    /// `spec/session.md` §2; until the approve is signed a refusal leaves no trace.
    pub(crate) async fn open_session(self: &Arc<Self>, request: OpenRequest) -> Result<Session, SessionError> {
        let session = self.open_unproved(&request).await?;
        if let Some(proof) = request.funding
            && session.state == SessionState::Open
            && let Err(error) = self.funding.accept_proof(session.user(), &proof, Delegate::HasToBeUs).await
        {
            // The session is open all the same: a stranger's transfer between decrypting and opening must not keep
            // anybody from opening. Its answer tells the level, and the payer proves again.
            tracing::info!(session = session.id.log_hash(), ?error, "the opening's funding proof does not count");
        }
        Ok(session)
    }

    async fn open_unproved(self: &Arc<Self>, request: &OpenRequest) -> Result<Session, SessionError> {
        let intent = self.check_intent(request)?;
        if let Some(proof) = &request.funding {
            self.funding.check_proof(proof)?;
        }
        let session = self.new_session(request, intent);
        // A repeat is answered before its approve is parsed: that transaction has landed or died long ago.
        if let Some(known) = self.core.ledger.find_session(&request.user, &session.intent.nonce).await? {
            return self.answer_repeat(&session, known).await;
        }
        self.check_terms(request)?;
        let approve = self.inspect_approve(request)?;
        self.settlements.check_size(&session)?;
        self.check_quota(&session).await?;
        let parsed = ParsedOpening { session, approve, funding: request.funding };
        if let ApproveSource::Landed(named) = request.approve {
            // In a box: a rare branch would make every opening larger.
            return Box::pin(self.open_standing(parsed, named)).await;
        }
        self.check_grants(&parsed).await?;
        self.land_session(parsed).await
    }

    /// Checks that the intent is signed by the user, equals the body and names us as spender; returns it parsed.
    fn check_intent(&self, request: &OpenRequest) -> Result<Intent, SessionRefusal> {
        let network = &self.core.settings.served.network;
        if !network.is(&request.network) {
            return Err(SessionRefusal::new(SessionReason::NetworkMismatch));
        }
        let signed = &request.intent;
        if signed.signature.is_some_and(|readable| !signed::verify(&request.user, &signed.bytes, &readable)) {
            return Err(SessionRefusal::new(SessionReason::InvalidAuthSignature));
        }
        let intent = Intent::parse(&signed.bytes).map_err(|error| match error {
            IntentError::Nonce => SessionRefusal::because(SessionReason::AuthMessageMissingNonce, error.to_string()),
            IntentError::Field(field) => mismatch(field, error.to_string()),
            IntentError::TooLong(_) | IntentError::NotJson(_) => {
                SessionRefusal::because(SessionReason::AuthMessageNotJson, error.to_string())
            }
        })?;
        let same = [
            ("user", intent.user == request.user),
            ("asset", intent.asset == request.asset),
            ("recipient", intent.recipient == request.recipient),
            ("cap", intent.cap == request.cap),
            ("expirationUnix", intent.expires_at == request.expires_at),
            ("network", intent.network == request.network),
            ("spender", intent.spender == self.core.keys.spender.pubkey()),
        ];
        if let Some((field, _)) = same.iter().find(|(_, holds)| !holds) {
            return Err(mismatch(field, format!("the intent's {field} is not what the request says")));
        }
        let message = signed.hash().settle_message();
        match signed.settle_signature {
            Some(signature) if !signed::verify(&request.user, message.as_bytes(), &signature) => {
                Err(SessionRefusal::because(
                    SessionReason::InvalidAuthSignature,
                    "settleSignature is not the user's over the intent's settle message",
                ))
            }
            _ => check_short_opening(request, &intent).map(|()| intent),
        }
    }

    /// Checks asset, recipient, cap and expiration against what this facilitator serves.
    fn check_terms(&self, request: &OpenRequest) -> Result<(), SessionRefusal> {
        let now = self.core.clock.now();
        if request.asset != self.core.settings.served.asset {
            return Err(SessionRefusal::new(SessionReason::AssetNotAllowed));
        }
        // What is paid to a key that signs for everybody stands in an account that the same key can empty.
        if request.recipient == request.user || self.sponsor.fee_payers.all().contains(&request.recipient) {
            return Err(SessionRefusal::new(SessionReason::InvalidRecipient));
        }
        if request.cap == Amount::ZERO {
            return Err(SessionRefusal::new(SessionReason::InvalidCap));
        }
        if request.expires_at <= now {
            return Err(SessionRefusal::new(SessionReason::ExpirationInPast));
        }
        if request.expires_at - now > self.core.settings.openings.max_session_seconds {
            let longest = self.core.settings.openings.max_session_seconds;
            return Err(SessionRefusal::because(
                SessionReason::ExpirationTooFar,
                format!("a session lasts at most {longest} seconds here"),
            ));
        }
        Ok(())
    }

    /// Compares the user's approve transaction with our template; `None` for an approve that is on chain already.
    fn inspect_approve(&self, request: &OpenRequest) -> Result<Option<InspectedApprove>, SessionRefusal> {
        let ApproveSource::Transaction(text) = &request.approve else { return Ok(None) };
        let (spender, fee_payer) = (self.core.keys.spender.pubkey(), self.core.keys.fee_payer.pubkey());
        let template = ApproveTemplate {
            programs: self.core.settings.served.programs,
            fee_payer,
            our_keys: &self.sponsor.fee_payers.all(),
            spender,
            user: request.user,
            mint: self.core.settings.served.asset,
            decimals: self.core.settings.served.decimals,
            max_grant: self.core.settings.openings.max_grant,
            // Whether it really creates the account is seen when the account is read; here it is a bystander.
            may_create: true,
            compute: ComputeBudget {
                units: self.core.settings.openings.max_approve_units,
                price: self.core.settings.transfers.max_priority_fee,
            },
        };
        let inspected = template.inspect(text);
        inspected
            .map(Some)
            .map_err(|refusal| SessionRefusal::because(SessionReason::ApproveNotAllowed, refusal.to_string()))
    }

    fn new_session(&self, request: &OpenRequest, intent: Intent) -> Session {
        let approve = match &request.approve {
            ApproveSource::Transaction(_) => None,
            ApproveSource::Landed(signature) => Some(*signature),
        };
        Session {
            id: SessionId::from_random_bytes(self.core.random_id()),
            intent,
            signed: request.intent.clone(),
            network: self.core.settings.served.network.canonical().to_owned(),
            state: SessionState::Opening,
            cap_check: CapCheck::Unverified,
            captured: Amount::ZERO,
            held: Amount::ZERO,
            approve,
            created_at: self.core.clock.now(),
        }
    }
}

/// Refuses a request that the short message alone authenticates, unless it brings an approve transaction, which the wallet has just
/// shown and signed, and a session key has to sign its payments. On an approve that is on chain one opaque line, which any page
/// may ask for, would be an order for all that is left of it (`spec/session.md` §7).
fn check_short_opening(request: &OpenRequest, intent: &Intent) -> Result<(), SessionRefusal> {
    let brings_approve = matches!(request.approve, ApproveSource::Transaction(_));
    let is_short = request.intent.settle_signature.is_some() && brings_approve && intent.session_key.is_some();
    if request.intent.signature.is_some() || is_short {
        return Ok(());
    }
    Err(SessionRefusal::new(SessionReason::AuthSignatureRequired))
}

fn mismatch(field: &'static str, detail: String) -> SessionRefusal {
    SessionRefusal { field: Some(field), ..SessionRefusal::because(SessionReason::FieldMismatch, detail) }
}
