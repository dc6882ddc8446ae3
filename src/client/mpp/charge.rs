//! HTTP with charges: send, and when a 402 may be paid, pay once and ask once more.
//!
//! Promises that a request is paid at most once, whatever the seller answers: what is sent again is the same transaction, which is
//! settled once.

use super::{
    order::{self, BuyerTerms, Order, OrderRefusal},
    transaction::WalletFault,
};
use crate::{
    client::{body::BoundedBody, signer::PayerSigner},
    domain::{amount::Amount, clock::Clock, printable::printable},
    wire::{
        json,
        mpp::{
            challenge,
            credential::Credential,
            problem::ProblemDocument,
            receipt::{ChargeReceipt, PAYMENT_RECEIPT},
        },
    },
};
use reqwest::{
    Request, Response, StatusCode, Url,
    header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE},
    redirect,
};
use solana_pubkey::Pubkey;
use std::{fmt, sync::Arc, time::Duration};

/// The longest refusal that is read of a seller, in bytes.
const MAX_PROBLEM_BYTES: u64 = 64 * 1024;
/// The most of a seller's words that is told, in characters.
const MAX_WORDS: usize = 300;

/// Why a request was not answered, or not paid.
#[derive(Debug, thiserror::Error)]
pub enum BuyError {
    /// The request cannot be sent a second time (its body is a stream).
    #[error("a request with a streaming body cannot be paid for, because it cannot be repeated")]
    NotRepeatable,
    /// A payment would replace what the request carries.
    #[error("the request has an `Authorization` of its own, whose place a payment needs")]
    Authorization,
    /// The request could not be sent, or its answer not read. Nothing was paid.
    #[error("the seller did not answer")]
    Http(#[source] reqwest::Error),
    /// The 402 asks for no payment of this protocol.
    #[error("the seller's 402 has no readable challenge of the scheme Payment")]
    NoChallenge,
    /// The challenge is not one that this buyer pays.
    #[error(transparent)]
    Refusal(#[from] OrderRefusal),
    /// The wallet did not sign.
    #[error(transparent)]
    Wallet(#[from] WalletFault),
    /// The payment was sent, and no answer came: it may have been made. [`MppClient::repeat`] sends the same payment.
    #[error("the seller did not answer the payment, so its outcome is unknown")]
    Unknown {
        /// The payment that was sent.
        payment: Box<ChargePayment>,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The seller asks again instead of serving. What they say of the payment is their word alone: it may be settled all the same.
    #[error("the seller did not take the payment: {words}")]
    Rejected {
        /// The payment that was sent.
        payment: Box<ChargePayment>,
        /// The seller's words.
        words: String,
    },
}

impl BuyError {
    /// The payment that was sent, where one was.
    pub fn payment(&self) -> Option<&ChargePayment> {
        match self {
            Self::Unknown { payment, .. } | Self::Rejected { payment, .. } => Some(payment),
            Self::NotRepeatable
            | Self::Authorization
            | Self::Http(_)
            | Self::NoChallenge
            | Self::Refusal(_)
            | Self::Wallet(_) => None,
        }
    }
}

/// A signed payment of one challenge; sent again it is still the same payment.
#[derive(Clone)]
pub struct ChargePayment {
    /// What it pays, in base units.
    pub amount: Amount,
    /// The seller's wallet.
    pub recipient: Pubkey,
    /// The token.
    pub mint: Pubkey,
    authorization: HeaderValue,
}

impl fmt::Debug for ChargePayment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { amount, recipient, mint, .. } = self;
        write!(f, "ChargePayment({amount} of {mint} to {recipient}, credential not shown)")
    }
}

/// An answered request.
#[derive(Debug)]
pub struct Bought {
    /// The seller's answer. Its body is as long as the seller likes: [`BoundedBody`] reads no more than a limit.
    pub response: Response,
    /// What was sent to pay for it, if it cost anything.
    pub payment: Option<ChargePayment>,
    /// The seller's receipt, which names the transaction. It is the seller's word; without one the payment may be settled too.
    pub receipt: Option<ChargeReceipt>,
}

/// What happens while a charge is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChargeEvent {
    /// The transaction is about to be built.
    Building {
        /// The seller's wallet.
        recipient: Pubkey,
        /// Base units.
        amount: Amount,
        /// The token.
        mint: Pubkey,
    },
    /// The wallet is asked.
    Signing,
    /// The wallet has signed.
    Signed {
        /// The transaction, standard base64.
        transaction: String,
    },
}

/// Hears of each [`ChargeEvent`].
type OnEvent = Box<dyn Fn(&ChargeEvent) + Send + Sync>;

/// Pays charges from one wallet. Asks no node of Solana: what a challenge tells is held against the buyer's own terms.
pub struct MppClient {
    http: reqwest::Client,
    wallet: Arc<dyn PayerSigner>,
    terms: BuyerTerms,
    clock: Arc<dyn Clock>,
    on_event: Option<OnEvent>,
}

impl fmt::Debug for MppClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MppClient")
            .field("wallet", &self.wallet.pubkey())
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}

impl MppClient {
    /// Pays on these terms from `wallet`; a request, settlement included, may take `deadline`.
    pub fn new(
        wallet: Arc<dyn PayerSigner>,
        terms: BuyerTerms,
        deadline: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BuyError> {
        let http = reqwest::Client::builder()
            // A followed redirect would carry the payment to whoever it points to; callers get the 3xx.
            .redirect(redirect::Policy::none())
            .timeout(deadline)
            .user_agent(concat!("sotto/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(http)?;
        Ok(Self { http, wallet, terms, clock, on_event: None })
    }

    /// Has `listener` hear of each step of a payment.
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(&ChargeEvent) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Box::new(listener));
        self
    }

    /// `GET url`.
    pub async fn get(&self, url: Url) -> Result<Bought, BuyError> {
        self.fetch(Request::new(reqwest::Method::GET, url)).await
    }

    /// Sends `request`; when the answer is a 402 that may be paid, pays once and sends it once more.
    pub async fn fetch(&self, request: Request) -> Result<Bought, BuyError> {
        let again = request.try_clone().ok_or(BuyError::NotRepeatable)?;
        let response = self.http.execute(request).await.map_err(http)?;
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return Ok(Bought { response, payment: None, receipt: None });
        }
        if again.headers().contains_key(AUTHORIZATION) {
            return Err(BuyError::Authorization);
        }
        let challenges: Vec<_> = response
            .headers()
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(challenge::read_all)
            .collect();
        if challenges.is_empty() {
            return Err(BuyError::NoChallenge);
        }
        let order = order::choose(&challenges, &self.terms, &self.wallet.pubkey(), self.clock.now_millis())?;
        let payment = self.pay(&order).await?;
        self.repeat(again, payment).await
    }

    /// Signs the payment of an order.
    async fn pay(&self, order: &Order) -> Result<ChargePayment, BuyError> {
        let (recipient, amount, mint) = (order.recipient(), order.amount(), order.mint());
        self.tell(&ChargeEvent::Building { recipient, amount, mint });
        let unsigned = order.unsigned()?;
        self.tell(&ChargeEvent::Signing);
        let transaction = unsigned.signed_by(self.wallet.as_ref()).await?;
        self.tell(&ChargeEvent::Signed { transaction: transaction.clone() });
        let credential = Credential { challenge: order.challenge().clone(), transaction, source: None };
        let too_long = |_| OrderRefusal::Unreadable("its parts do not fit into a header");
        let mut authorization = HeaderValue::try_from(credential.header()).map_err(too_long)?;
        authorization.set_sensitive(true);
        Ok(ChargePayment { amount, recipient, mint, authorization })
    }

    /// Sends `request` with a payment; also one that was sent before and whose outcome is not known, which is charged once however
    /// often it is sent.
    pub async fn repeat(&self, mut request: Request, payment: ChargePayment) -> Result<Bought, BuyError> {
        request.headers_mut().insert(AUTHORIZATION, payment.authorization.clone());
        let response = match self.http.execute(request).await {
            Ok(response) => response,
            Err(source) => {
                return Err(BuyError::Unknown { payment: Box::new(payment), source: source.without_url() });
            }
        };
        if response.status() == StatusCode::PAYMENT_REQUIRED {
            return Err(BuyError::Rejected { payment: Box::new(payment), words: words(response).await });
        }
        let receipt =
            response.headers().get(PAYMENT_RECEIPT).and_then(|value| ChargeReceipt::read(value.to_str().ok()?));
        Ok(Bought { response, payment: Some(payment), receipt })
    }

    fn tell(&self, event: &ChargeEvent) {
        if let Some(listener) = &self.on_event {
            listener(event);
        }
    }
}

fn http(error: reqwest::Error) -> BuyError {
    BuyError::Http(error.without_url())
}

/// What a seller says in a problem document.
async fn words(response: Response) -> String {
    let body = BoundedBody::of(response, MAX_PROBLEM_BYTES).bytes().await.unwrap_or_default();
    let json = json::read(&body).ok();
    let problem: Option<ProblemDocument> = json.and_then(|json| serde_json::from_value(json).ok());
    let detail = problem.map_or_else(|| "no reason given".to_owned(), |problem| problem.detail);
    printable(detail.chars().take(MAX_WORDS).collect::<String>()).to_string()
}
