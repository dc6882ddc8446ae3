//! One-shot charges as a seller takes them: a challenge for an offer, and a credential settled by the facilitator.
//!
//! Promises that nothing counts as paid before the facilitator has said so with a proof that is this seller's own offer, and with
//! [`ChargeSeller::verified_by`] not before the seller's own node has shown it. No challenge is kept: each shows by its id that
//! it is ours, and the facilitator settles each transaction once.

use crate::{
    domain::{
        chance::{Chance, OsChance, draw},
        clock::{Clock, SystemClock, UnixMillis},
        mpp::timestamp,
    },
    merchant::{
        chain::ReceiptChain,
        facilitator::{FacilitatorClient, FacilitatorFault},
        mpp::{
            client::{ChargeFault, SettlementError},
            judge, onchain,
            secret::SecretKey,
        },
        price::Offer,
    },
    wire::mpp::{
        challenge::{Challenge, ChallengeError, ChallengeParts, ChargeRequested, MethodDetails, is_quotable},
        charge::{PrepareAnswer, SettleAnswer, SettleBody},
        credential::{Credential, CredentialFault},
        problem::Problem,
        receipt::ChargeReceipt,
    },
};
use std::{fmt, sync::Arc};

/// How long a challenge is good, in milliseconds: no longer than its blockhash, which is some seconds old when it is told.
const GOOD_FOR: UnixMillis = 60_000;

/// Whoever sells for charges: realm, secret, and whom they ask whether something was paid.
#[derive(Clone)]
pub struct ChargeSeller {
    facilitator: FacilitatorClient,
    realm: Arc<str>,
    secret: SecretKey,
    node: Option<Arc<dyn ReceiptChain>>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
}

/// The realm would be taken apart wrongly by published clients: quotes, backslashes, `|`, the word `Payment ` or anything but
/// printable ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the realm may not be empty, nor hold quotes, backslashes, `|`, the word `Payment ` or anything but printable ASCII"
)]
pub struct BadRealm;

/// A charge that has landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    /// What the facilitator said, its proof compared with the offer.
    pub answer: SettleAnswer,
    /// What the buyer is told.
    pub receipt: ChargeReceipt,
    /// The id of the challenge that was paid.
    pub challenge_id: String,
    /// The network as the offer spells it.
    pub network: String,
}

/// Why nothing is served for a credential.
#[derive(Debug)]
pub enum Unpaid {
    /// It does not pay this: 402, or 400 where a fresh challenge does not help.
    Problem(Problem),
    /// The facilitator does not know yet whether it will land: the credential is to be sent again, and no other one.
    Pending(SettlementError),
    /// The facilitator gave no usable answer; whether it was paid is not known.
    Facilitator(FacilitatorFault),
}

impl fmt::Debug for ChargeSeller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let looks = self.node.is_some();
        f.debug_struct("ChargeSeller").field("realm", &self.realm).field("looks", &looks).finish_non_exhaustive()
    }
}

impl ChargeSeller {
    /// A seller whose challenges name `realm` and are bound with `secret`.
    pub fn new(facilitator: FacilitatorClient, realm: &str, secret: SecretKey) -> Result<Self, BadRealm> {
        if realm.is_empty() || realm.contains('|') || !is_quotable(realm) {
            return Err(BadRealm);
        }
        let (clock, chance) = (Arc::new(SystemClock), Arc::new(OsChance));
        Ok(Self { facilitator, realm: realm.into(), secret, node: None, clock, chance })
    }

    /// Has each settled charge shown by a node of the seller's own before it is served for, which takes a second or two: the
    /// buyer's own transaction, confirmed, paying the recipient's canonical account.
    #[must_use]
    pub fn verified_by(self, node: Arc<dyn ReceiptChain>) -> Self {
        Self { node: Some(node), ..self }
    }

    /// Tells the time by another clock than the machine's.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Whom it asks whether something was paid.
    pub(super) fn facilitator(&self) -> &FacilitatorClient {
        &self.facilitator
    }

    /// A fresh challenge for an offer, for which the facilitator is asked.
    pub async fn challenge(&self, offer: &Offer) -> Result<Challenge, ChargeFault> {
        let prepared = self.facilitator.prepare_charge(offer.network()).await?;
        if prepared.spl_token != offer.asset().to_string() {
            return Err(FacilitatorFault::Contradiction("it takes another token than the offer's").into());
        }
        let reference = uuid::Builder::from_random_bytes(draw(&*self.chance)).into_uuid();
        let expires = timestamp::write(self.clock.now_millis().saturating_add(GOOD_FOR));
        let parts = ChallengeParts {
            realm: &self.realm,
            description: offer.description(),
            expires: Some(&expires),
            ..ChallengeParts::default()
        };
        let request = requested(offer, prepared, reference.to_string());
        Challenge::charge(self.secret.bytes(), &request, &parts).map_err(|error| unusable(&error).into())
    }

    /// Settles what a credential pays for one of the offers. The price is always the offer's own.
    pub async fn verify(&self, credential: &Credential, offers: &[Offer]) -> Result<Charged, Unpaid> {
        let by = (&*self.realm, self.secret.bytes());
        let accepted = judge::accepted(&credential.challenge, by, offers, self.clock.now_millis());
        let (requested, offer) = accepted.map_err(Unpaid::Problem)?;
        let body = SettleBody {
            transaction: credential.transaction.clone(),
            recipient: requested.recipient.clone(),
            amount: requested.amount.clone(),
            asset: Some(requested.method_details.spl_token.clone()),
            network: Some(requested.method_details.network.clone()),
            // Of nothing that the buyer sent, so that only this verification hears of a success that was lost.
            idempotency_key: Some(hex::encode(draw::<16>(&*self.chance))),
        };
        let answer = self.facilitator.settle_charge(&body).await?;
        if let Some(node) = &self.node {
            onchain::check(&**node, &answer, credential, offer).await.map_err(|error| {
                let transaction = &answer.signature;
                tracing::error!(
                    reason = error.code,
                    transaction,
                    "a settled charge is not shown by the seller's own node"
                );
                Unpaid::Problem(Problem::VerificationFailed(error.code))
            })?;
        }
        let receipt = ChargeReceipt::new(&answer.signature, &timestamp::write(self.clock.now_millis()));
        let (challenge_id, network) = (credential.challenge.id.clone(), offer.network().to_owned());
        Ok(Charged { answer, receipt, challenge_id, network })
    }
}

impl From<ChargeFault> for Unpaid {
    fn from(fault: ChargeFault) -> Self {
        match fault {
            ChargeFault::Refused(pending) if pending.is_pending() => Self::Pending(pending),
            ChargeFault::Refused(error) => refused(error),
            ChargeFault::Facilitator(fault) => Self::Facilitator(fault),
        }
    }
}

impl From<CredentialFault> for Unpaid {
    fn from(fault: CredentialFault) -> Self {
        Self::Problem(match fault {
            CredentialFault::Absent => Problem::PaymentRequired,
            CredentialFault::Malformed => Problem::MalformedCredential,
            CredentialFault::UnsupportedType => Problem::VerificationFailed(fault.to_string()),
        })
    }
}

/// A settlement that the facilitator refused, or that is not what was asked for.
fn refused(error: SettlementError) -> Unpaid {
    tracing::warn!(reason = error.code, detail = error.message, "a charge was refused");
    Unpaid::Problem(Problem::VerificationFailed(error.code))
}

/// What an offer asks for, with what the facilitator prepared.
fn requested(offer: &Offer, prepared: PrepareAnswer, reference: String) -> ChargeRequested {
    ChargeRequested {
        amount: offer.amount().to_string(),
        currency: judge::currency(offer),
        recipient: offer.recipient().to_string(),
        description: None,
        external_id: None,
        method_details: MethodDetails {
            reference,
            network: prepared.network,
            spl_token: prepared.spl_token,
            decimals: prepared.decimals,
            token_program: prepared.token_program,
            fee_payer: true,
            fee_payer_key: prepared.fee_payer,
            recent_blockhash: prepared.recent_blockhash,
            last_valid_block_height: prepared.last_valid_block_height,
        },
    }
}

/// What the facilitator prepared cannot stand in a challenge.
fn unusable(error: &ChallengeError) -> FacilitatorFault {
    tracing::warn!(error = error as &dyn std::error::Error, "no challenge can be made");
    FacilitatorFault::Contradiction("what it prepared cannot stand in a challenge")
}
