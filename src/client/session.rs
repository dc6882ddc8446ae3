//! Opening a session, showing one, and coming back to one.
//!
//! The wallet is asked once: for the approve transaction (none on an approve that stands already), the intent, and the short
//! message that stands for the intent on chain. What it signs is built here from the payer's own settings; what the facilitator
//! answers is believed only where it repeats what was asked for.

mod approving;
mod of_wallet;
pub(super) mod repeats;
mod revoking;
mod showing;
mod single;
mod unsigned;

pub use of_wallet::WalletList;
pub use revoking::{Delegation, SignedRevoke};
pub use showing::show;
pub(super) use showing::view;
pub use single::{SignedSingle, SingleError, SingleOptions, SingleReceipt};

use crate::{
    client::{
        error::SessionClientError,
        facilitator::{FacilitatorError, FacilitatorHttp, Refused, SessionAnswer},
        funding::Prover,
        opening::{
            ApprovalChoice, Authorization, OpenOptions, SessionKeyChoice, check_options, check_terms, wallet_signed,
        },
        rpc::{NoRpc, PayerRpc},
        saved::{Authority, OpenSession},
        signed_opening::Opening,
        signer::{LocalKey, PayerSigner},
        terms::{self, Settings, Terms},
    },
    domain::{
        chance::{self, Chance},
        clock::Clock,
        intent::{Intent, IntentHash},
    },
    wire::{
        funding::FundingProofBody,
        session::{OpenSessionBody, SessionView},
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use repeats::Repeats;
use showing::same_session;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{sync::Arc, time::Duration};

/// The pause before the first repeat; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause that the facilitator does not ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// What backs an opening on chain.
enum BackedBy {
    /// A transaction that the wallet has signed, in its wire encoding.
    Transaction(Vec<u8>),
    /// One that is on chain already.
    Landed(Signature),
}

impl BackedBy {
    fn transaction(&self) -> Option<String> {
        match self {
            Self::Transaction(bytes) => Some(STANDARD.encode(bytes)),
            Self::Landed(_) => None,
        }
    }

    fn signature(&self) -> Option<String> {
        match self {
            Self::Transaction(_) => None,
            Self::Landed(signature) => Some(signature.to_string()),
        }
    }
}

/// Opens sessions at one facilitator.
pub struct SessionClient {
    settings: Settings,
    http: FacilitatorHttp,
    /// The payer's own node, if there is one.
    rpc: Option<Arc<dyn PayerRpc>>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    prover: Option<Prover>,
}

impl SessionClient {
    /// A client with these settings; `rpc` is used to read and simulate what the facilitator does not tell.
    pub fn new(
        settings: Settings,
        rpc: Arc<dyn PayerRpc>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
    ) -> Result<Self, FacilitatorError> {
        Ok(Self { rpc: Some(rpc), ..Self::without_rpc(settings, clock, chance)? })
    }

    /// A client with these settings, and no node of Solana: it opens sessions of a wallet that has a token account, at a facilitator
    /// that serves `POST /sessions/prepare`. That the recipient is a wallet is then the facilitator's to check.
    pub fn without_rpc(
        settings: Settings,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
    ) -> Result<Self, FacilitatorError> {
        let http = FacilitatorHttp::new(&settings.facilitator)?;
        Ok(Self { settings, http, rpc: None, clock, chance, prover: None })
    }

    /// The payer's own node, or one that answers nothing.
    fn rpc(&self) -> &dyn PayerRpc {
        self.rpc.as_deref().unwrap_or(&NoRpc)
    }

    /// Adds to every opening a proof of the balance where there is one to prove.
    #[must_use]
    pub fn proving(mut self, prover: Prover) -> Self {
        self.prover = Some(prover);
        self
    }

    /// A proof for an opening or a single payment. One without it is as good: it is asked for where it is needed.
    async fn funding_proof(&self, wallet: &dyn PayerSigner) -> Option<FundingProofBody> {
        let proof = self.prover.as_ref()?.proof(wallet, &self.settings.asset).await;
        proof.inspect_err(|error| tracing::info!(%error, "going on without a funding proof")).ok()
    }

    /// Opens a session: asks the wallet once, and waits until the facilitator has said yes or no.
    pub async fn open(
        &self,
        wallet: &dyn PayerSigner,
        options: &OpenOptions,
    ) -> Result<OpenSession, SessionClientError> {
        let opening = self.prepare(wallet, options).await?;
        self.finish(opening, options.patience).await
    }

    /// Everything before `POST /sessions`: terms, what the approve needs of the chain, the wallet's signatures.
    pub async fn prepare(
        &self,
        wallet: &dyn PayerSigner,
        options: &OpenOptions,
    ) -> Result<Opening, SessionClientError> {
        let user = wallet.pubkey();
        check_options(&user, options)?;
        let terms = terms::agree(&self.http.supported().await?, &self.settings)?;
        check_terms(&user, options, &terms)?;
        let approve = match options.approval {
            ApprovalChoice::Standing { signature, .. } => BackedBy::Landed(signature),
            ApprovalChoice::Own | ApprovalChoice::Total(_) => {
                let approve = self.approve(&user, options, &terms).await?;
                let signed = wallet.sign_transaction(approve).await?;
                BackedBy::Transaction(wallet_signed(&signed, &user, &terms.facilitator)?)
            }
        };
        let session_key = match &options.session_key {
            SessionKeyChoice::Generate => Some(LocalKey::generate(self.chance.as_ref())),
            SessionKeyChoice::Given(key) => Some(key.clone()),
            SessionKeyChoice::None => None,
        };
        let intent = self.intent(user, options, &terms, session_key.as_ref().map(LocalKey::pubkey));
        self.sign(wallet, options, terms, intent, session_key, &approve).await
    }

    async fn sign(
        &self,
        wallet: &dyn PayerSigner,
        options: &OpenOptions,
        terms: Terms,
        intent: Intent,
        session_key: Option<LocalKey>,
        approve: &BackedBy,
    ) -> Result<Opening, SessionClientError> {
        let bytes = intent.to_bytes();
        let hash = IntentHash::of(&bytes);
        let auth_signature = match options.authorization {
            Authorization::Both | Authorization::Readable => Some(STANDARD.encode(wallet.sign_message(&bytes).await?)),
            Authorization::Short => None,
        };
        let settle_message = match options.authorization {
            Authorization::Both | Authorization::Short => Some(hash.settle_message()),
            Authorization::Readable => None,
        };
        let settle_signature = match &settle_message {
            Some(message) => Some(STANDARD.encode(wallet.sign_message(message.as_bytes()).await?)),
            None => None,
        };
        let body = OpenSessionBody {
            user: intent.user.to_string(),
            asset: intent.asset.to_string(),
            recipient: intent.recipient.to_string(),
            cap: intent.cap.to_string(),
            expiration_unix: intent.expires_at,
            network: intent.network.clone(),
            approve_tx_base64: approve.transaction(),
            approve_tx_signature: approve.signature(),
            auth_message: STANDARD.encode(&bytes),
            auth_signature,
            settle_message,
            settle_signature,
            funding_proof: self.funding_proof(wallet).await,
        };
        let origins = options.origins.clone();
        let facilitator = self.settings.facilitator.clone();
        Ok(Opening { body, facilitator, sessions_path: terms.sessions_path, intent, hash, session_key, origins })
    }

    fn intent(&self, user: Pubkey, options: &OpenOptions, terms: &Terms, session_key: Option<Pubkey>) -> Intent {
        let random = || hex::encode(chance::draw::<16>(self.chance.as_ref()));
        Intent {
            approved: options.approval.total(),
            asset: self.settings.asset,
            cap: options.cap,
            expires_at: self.clock.now().saturating_add(options.lifetime.as_secs()),
            network: terms.network.clone(),
            nonce: options.nonce.clone().unwrap_or_else(random),
            recipient: options.recipient,
            spender: terms.facilitator.spender,
            user,
            session_key,
        }
    }

    /// Repeats `POST /sessions` until the facilitator has said yes or no, or `patience` ends. The same opening always
    /// meets the same session, so repeating is safe. One that was made for another facilitator or asset is not sent: it tells what
    /// the payer confides to theirs alone.
    pub async fn finish(&self, opening: Opening, patience: Duration) -> Result<OpenSession, SessionClientError> {
        if let Some(what) = self.settings.other_than(&opening) {
            return Err(SessionClientError::OtherSession(what));
        }
        let mut repeats = Repeats::within(patience);
        loop {
            let (last, asked) = match self.http.open(&opening.sessions_path, &opening.body).await {
                Ok(SessionAnswer::Session(view)) => return self.opened(opening, &view),
                Ok(SessionAnswer::Refused(Refused { body, may_pass: true, retry_after })) => {
                    (SessionClientError::Refused(body), retry_after)
                }
                Ok(SessionAnswer::Refused(Refused { body, .. })) => return Err(SessionClientError::Refused(body)),
                Err(error @ FacilitatorError::Unreachable(_)) => (error.into(), None),
                Err(error) => return Err(error.into()),
            };
            if !repeats.wait(asked).await {
                return Err(SessionClientError::Unfinished { opening: Box::new(opening), last: Box::new(last) });
            }
        }
    }

    fn opened(&self, opening: Opening, view: &SessionView) -> Result<OpenSession, SessionClientError> {
        let Opening { intent, hash, session_key, origins, .. } = opening;
        match view.state.as_deref() {
            None | Some("open") => {}
            Some("opening") => return Err(SessionClientError::OtherSession("it is not open")),
            Some(state) => return Err(SessionClientError::Ended(state.to_owned())),
        }
        if view.cap.as_ref().is_some_and(|cap| *cap != intent.cap.to_string()) {
            return Err(SessionClientError::OtherSession("its cap"));
        }
        let session = OpenSession {
            id: view.session_id.parse().map_err(|_| SessionClientError::OtherSession("its id is no session id"))?,
            facilitator: self.settings.facilitator.clone(),
            user: intent.user,
            spender: intent.spender,
            asset: intent.asset,
            recipient: intent.recipient,
            cap: Some(intent.cap),
            expires_at: intent.expires_at,
            networks: self.networks(&intent.network),
            origins,
            authority: session_key.map(|key| Authority { intent: hash, key }),
        };
        same_session(&session, view)?;
        Ok(session)
    }

    /// Every spelling of the network, `first` in front.
    fn networks(&self, first: &str) -> Vec<String> {
        let network = &self.settings.network;
        let others = network.spellings().chain(network.v1()).filter(|spelling| *spelling != first);
        std::iter::once(first).chain(others).map(str::to_owned).collect()
    }
}
