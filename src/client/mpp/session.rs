//! Channels from a buyer's side: onboard once, open a channel to a seller, draw vouchers, close, leave.

mod closing;
mod drawing;
mod error;
mod fetching;
mod leaving;
mod onboarding;
mod opening;

pub use closing::Closed;
pub use drawing::Drawn;
pub use error::MppSessionError;
pub use fetching::{Served, Spending};
pub use onboarding::{OnboardOptions, Onboarded};
pub use opening::OpenedChannel;

use super::{
    http::{MppHttp, MppRefusal, Tells},
    order::BuyerToken,
    sign_in::SignInFor,
    state::{BuyerState, EndedChannel, KnownChannel},
};
use crate::{
    client::{facilitator::FacilitatorError, session::repeats::Repeats, signer::PayerSigner},
    domain::{
        amount::Amount,
        chance::{self, Chance},
        clock::Clock,
        mpp::{channel_id::PublicId, reason::SiwxReason, siwx::Proof, spellings::Spellings},
        network::Network,
    },
    wire::mpp::onboard::StatusAnswer,
};
use reqwest::{RequestBuilder, redirect};
use serde_json::Value;
use solana_pubkey::Pubkey;
use std::{fmt, io, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// How long a request is repeated unless told otherwise.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a seller may take.
const SELLERS_TIME: Duration = Duration::from_secs(90);

/// At which facilitator, on which network and in which token a buyer has channels.
#[derive(Clone, Debug)]
pub struct SessionTerms {
    /// The facilitator's URL. What a seller says of a facilitator is never followed.
    pub api_url: String,
    /// The network.
    pub network: Network,
    /// The token, by the buyer's own word.
    pub token: BuyerToken,
    /// The key that has to certify channels; without one the first that did.
    pub issuer: Option<Pubkey>,
}

/// What happens to a buyer's channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MppSessionEvent {
    /// A channel is asked for.
    Opening {
        /// The seller's wallet.
        seller: Pubkey,
        /// The most that is ever paid, in base units.
        deposit: Amount,
    },
    /// It is open.
    Opened {
        /// Its public id.
        channel: PublicId,
        /// The key that signs its vouchers.
        session_pubkey: Pubkey,
    },
    /// A voucher came.
    Voucher {
        /// The channel.
        channel: PublicId,
        /// What is owed in all, in base units.
        amount: Amount,
        /// The voucher's number.
        sequence: u64,
    },
    /// A close is asked for.
    Closing {
        /// The channel.
        channel: PublicId,
    },
    /// It is closed.
    Closed {
        /// The channel.
        channel: PublicId,
        /// What was paid, in base units.
        settled: Amount,
        /// What was never drawn, in base units.
        refunded: Amount,
    },
}

/// Keeps a state before what it says is sent.
type Keep = Box<dyn Fn(&BuyerState) -> io::Result<()> + Send + Sync>;
/// Hears of each [`MppSessionEvent`].
type OnEvent = Box<dyn Fn(&MppSessionEvent) + Send + Sync>;

/// A buyer's channels at one facilitator. Asks no node of Solana. One request at a time: a channel's vouchers have an order.
pub struct MppSessionClient {
    http: MppHttp,
    /// For whom is paid.
    sellers: reqwest::Client,
    wallet: Arc<dyn PayerSigner>,
    token: BuyerToken,
    network: Spellings,
    issuer: Option<Pubkey>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    state: Mutex<BuyerState>,
    keep: Option<Keep>,
    on_event: Option<OnEvent>,
    patience: Duration,
}

impl fmt::Debug for MppSessionClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MppSessionClient").field("wallet", &self.wallet.pubkey()).finish_non_exhaustive()
    }
}

impl MppSessionClient {
    /// A client that goes on from `state`, or begins anew; refuses a state of another wallet, facilitator, network, token or issuer.
    pub fn new(
        wallet: Arc<dyn PayerSigner>,
        terms: &SessionTerms,
        state: Option<BuyerState>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
    ) -> Result<Self, MppSessionError> {
        let http = MppHttp::new(&terms.api_url)?;
        let network = Spellings::of(&terms.network);
        let fresh = BuyerState::new(http.url(), wallet.pubkey(), network.chain_id(), terms.token.mint);
        let state = state.unwrap_or_else(|| fresh.clone());
        let differences = [
            (state.wallet != fresh.wallet, "wallet"),
            (state.facilitator != fresh.facilitator, "facilitator"),
            (state.chain_id != fresh.chain_id, "network"),
            (state.mint != fresh.mint, "token"),
            (terms.issuer.is_some() && state.issuer.is_some() && terms.issuer != state.issuer, "issuer"),
        ];
        if let Some((_, what)) = differences.into_iter().find(|(differs, _)| *differs) {
            return Err(MppSessionError::OtherState(what));
        }
        let issuer = terms.issuer.or(state.issuer);
        let (state, token) = (Mutex::new(state), terms.token);
        let (keep, on_event, patience) = (None, None, PATIENCE);
        let sellers = reqwest::Client::builder()
            // A followed redirect would carry the voucher to whoever it points to; callers get the 3xx.
            .redirect(redirect::Policy::none())
            .timeout(SELLERS_TIME)
            .user_agent(concat!("sotto/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| MppSessionError::Seller(error.without_url()))?;
        Ok(Self { http, sellers, wallet, token, network, issuer, clock, chance, state, keep, on_event, patience })
    }

    /// Has `keep` called with the state before anything that changes it is sent; what cannot be kept is not sent.
    #[must_use]
    pub fn keeping(mut self, keep: impl Fn(&BuyerState) -> io::Result<()> + Send + Sync + 'static) -> Self {
        self.keep = Some(Box::new(keep));
        self
    }

    /// Has `listener` hear of what happens.
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(&MppSessionEvent) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Box::new(listener));
        self
    }

    /// Repeats requests whose outcome is not known for so long.
    #[must_use]
    pub fn patient_for(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The facilitator's URL, without a slash at its end.
    pub fn facilitator(&self) -> &str {
        self.http.url()
    }

    /// The network's spellings.
    pub fn network(&self) -> &Spellings {
        &self.network
    }

    /// The channels that can be drawn from, oldest first. From this side's memory; nobody is asked.
    pub async fn sessions(&self) -> Vec<KnownChannel> {
        self.state.lock().await.channels.clone()
    }

    /// The channels that were closed, oldest first.
    pub async fn ended(&self) -> Vec<EndedChannel> {
        self.state.lock().await.ended.clone()
    }

    /// Asks the facilitator how the wallet's delegation stands.
    pub async fn status(&self) -> Result<StatusAnswer, MppSessionError> {
        let (sign_in, wallet) = (self.sign_in(None).await?, self.wallet.pubkey().to_string());
        let asked = || self.http.get("/api/sessions/onboard/status", ("buyer_wallet", &wallet), &sign_in);
        let told = self.ask(asked, Tells::ByStatus).await?;
        let status: StatusAnswer = serde_json::from_value(told).map_err(super::http::foreign)?;
        if status.buyer_wallet == wallet {
            Ok(status)
        } else {
            Err(MppSessionError::Foreign("it is of another wallet"))
        }
    }

    /// The header value of a sign-in, or of a proof of one act.
    async fn sign_in(&self, act: Option<&Proof>) -> Result<String, MppSessionError> {
        let asked = SignInFor {
            host: self.http.host(),
            chain_id: self.network.chain_id(),
            resources: act.map(Proof::resources).unwrap_or_default(),
            nonce: chance::draw::<16>(self.chance.as_ref()),
            now: self.clock.now_millis(),
        };
        Ok(asked.signed_by(self.wallet.as_ref()).await?)
    }

    /// Sends the same request until its outcome is known or patience ends.
    async fn ask(&self, request: impl Fn() -> RequestBuilder, tells: Tells) -> Result<Value, MppSessionError> {
        let mut repeats = Repeats::within(self.patience);
        loop {
            let (last, asked) = match self.http.send(request(), tells).await {
                Ok(Ok(told)) => return Ok(told),
                Ok(Err(refusal @ MppRefusal { may_pass: true, retry_after, .. })) => {
                    (MppSessionError::refused(refusal), retry_after)
                }
                // Repeats used the sign-in up, so what became of the first request is not known.
                Ok(Err(refusal)) if refusal.word == SiwxReason::NonceExhausted.word() => {
                    return Err(MppSessionError::Undecided(Box::new(MppSessionError::refused(refusal))));
                }
                Ok(Err(refusal)) => return Err(MppSessionError::refused(refusal)),
                Err(error @ FacilitatorError::Unreachable(_)) => (error.into(), None),
                Err(error) => return Err(error.into()),
            };
            if !repeats.wait(asked).await {
                return Err(MppSessionError::Undecided(Box::new(last)));
            }
        }
    }

    /// Has the state kept before what it says is sent.
    fn keep(&self, state: &BuyerState) -> Result<(), MppSessionError> {
        self.keep.as_ref().map_or(Ok(()), |keep| keep(state)).map_err(MppSessionError::KeepFailed)
    }

    fn tell(&self, event: &MppSessionEvent) {
        if let Some(listener) = &self.on_event {
            listener(event);
        }
    }
}
