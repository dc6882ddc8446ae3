//! The stage: what the demo's people do and see, each through what people really have: the SDKs, the chain's RPC, the
//! Covalidator, and for the operator the ledger.

use super::figures::Standing;
use crate::{
    chain::ChainError,
    cli::sandbox::Sandbox,
    client::{
        ApprovalChoice, Balance, BalanceReader, BoundedBody, FacilitatorError, FacilitatorPin, FollowError, LocalKey,
        OpenOptions, PayError, Payer, PayerRpc, RpcError, SessionClient, SessionClientError, Settings, SingleError,
        SingleOptions, SingleReceipt, SolanaRpc, Trust,
        balance::BalanceError,
        make_readable,
        mpp::{BuyError, MppSessionError},
    },
    covalidator::{HttpCovalidator, SetupError},
    domain::{
        amount::{Amount, AmountError},
        chance::OsChance,
        clock::SystemClock,
        key_pair::KeyPair,
        session::SessionId,
    },
    ledger::{LedgerError, Totals},
    programs::{
        Programs,
        ciphertext::{CiphertextError, EncryptionKey},
        inco_token::{DecodeError, IncoAccount},
    },
};
use reqwest::{StatusCode, Url};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The longest that one call, one question or one decryption takes.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
/// The longest answer that is read, in bytes.
const MOST_SERVED_BYTES: u64 = 64 * 1024;
/// How long the session is open.
const LIFETIME: Duration = Duration::from_hours(1);

/// Why the demo did not come to its end, or did not add up.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum DemoError {
    /// The session did not open.
    #[error("the session did not open")]
    Open(#[from] Box<SessionClientError>),
    /// A call was not paid.
    #[error("a call was not paid")]
    Pay(#[from] Box<PayError>),
    /// The single payment was not made.
    #[error("the single payment was not made")]
    Single(#[from] Box<SingleError>),
    /// The session was not closed.
    #[error("the session was not closed")]
    Follow(#[from] FollowError),
    /// A call was answered oddly.
    #[error("the merchant answered {status}, {what}")]
    Unserved {
        /// The HTTP status.
        status: StatusCode,
        /// What is missing.
        what: &'static str,
    },
    /// A balance could not be read.
    #[error("a balance cannot be read")]
    Balance(#[from] BalanceError),
    /// A balance could not be decrypted.
    #[error("the {0} cannot be decrypted")]
    Sealed(&'static str),
    /// The chain could not be asked.
    #[error("the local network did not answer")]
    Rpc(#[from] RpcError),
    /// A token account's bytes.
    #[error("a token account is unreadable")]
    Account(#[from] DecodeError),
    /// The charge was not paid.
    #[error("the charge was not paid")]
    Charge(#[from] Box<BuyError>),
    /// The channel could not be used.
    #[error("the channel did not open, pay or close")]
    Channel(#[from] Box<MppSessionError>),
    /// The merchant could not be asked.
    #[error("the merchant did not answer")]
    Merchant(#[from] reqwest::Error),
    /// The facilitator's chain could not be asked.
    #[error("the facilitator's endpoint did not answer")]
    Chain(#[from] ChainError),
    /// The ledger.
    #[error("the ledger did not answer")]
    Ledger(#[from] LedgerError),
    /// A client could not be set up.
    #[error("the facilitator's client cannot be set up")]
    Facilitator(#[from] FacilitatorError),
    /// The Covalidator's client could not be set up.
    #[error("the Covalidator's client cannot be set up")]
    Covalidator(#[from] SetupError),
    /// The encryption key.
    #[error("the local network's encryption key is no key")]
    EncryptionKey(#[from] CiphertextError),
    /// An amount.
    #[error("an amount is out of range")]
    Amount(#[from] AmountError),
    /// The merchant's URL.
    #[error("the merchant's address is no URL")]
    Url,
    /// Everything happened, and the figures contradict each other.
    #[error("the figures do not add up: {}", .0.join("; "))]
    DoesNotAddUp(Vec<String>),
}

/// One paid call.
pub(super) struct Call {
    pub(super) amount: Amount,
    /// The transaction that settled it; empty when it was held.
    pub(super) signature: String,
    /// From the first request, answered 402, to the end of the paid answer.
    pub(super) latency: Duration,
    /// The payer's balance handle before and after; zero when it was not looked at.
    pub(super) handles: [u128; 2],
    /// What the facilitator knows of the payer's balance.
    pub(super) funding: Option<String>,
}

/// A merchant with its shop.
pub(super) struct Seller {
    pub(super) wallet: LocalKey,
    /// The shop's origin.
    pub(super) origin: String,
}

/// A payer with a session of theirs.
pub(super) struct Buyer(Payer);

/// A sandbox with its people.
pub(super) struct Scene<'a> {
    sandbox: &'a Sandbox,
    pub(super) merchant: LocalKey,
    pub(super) price: Amount,
    rpc: Arc<dyn PayerRpc>,
    balances: BalanceReader,
    sessions: SessionClient,
    /// The session opened last, in whose name balances are made readable.
    session: Mutex<Option<SessionId>>,
    route: Url,
    deferred_route: Url,
}

impl<'a> Scene<'a> {
    pub(super) fn set(sandbox: &'a Sandbox, merchant: LocalKey, price: Amount) -> Result<Self, DemoError> {
        let config = &sandbox.config;
        let rpc: Arc<dyn PayerRpc> = Arc::new(SolanaRpc::new(sandbox.network.rpc_url(), PATIENCE));
        let programs = Programs { token: config.programs.inco_token, lightning: config.programs.inco_lightning };
        let endpoint = config.covalidator.endpoint.expose();
        let covalidator = HttpCovalidator::new(endpoint, config.covalidator.attestation_key, PATIENCE)?;
        let settings = Settings {
            facilitator: sandbox.facilitator.clone(),
            trust: Trust::Pinned(FacilitatorPin::one_key(config.keys.spender.public())),
            network: sandbox.service.network.clone(),
            asset: config.asset.mint,
            programs,
            encryption_key: EncryptionKey::from_hex(&config.covalidator.encryption_key)?,
        };
        Ok(Self {
            sandbox,
            merchant,
            price,
            balances: BalanceReader::new(Arc::clone(&rpc), Arc::new(covalidator), programs),
            sessions: SessionClient::new(settings, Arc::clone(&rpc), Arc::new(SystemClock), Arc::new(OsChance))?,
            rpc,
            session: Mutex::default(),
            route: Url::parse(&sandbox.paid_route()).map_err(|_| DemoError::Url)?,
            deferred_route: Url::parse(&sandbox.deferred_route()).map_err(|_| DemoError::Url)?,
        })
    }

    /// The paid route.
    pub(super) fn route(&self) -> &Url {
        &self.route
    }

    /// The route that is paid by a charge.
    pub(super) fn charge_route(&self) -> Result<Url, DemoError> {
        Url::parse(&self.sandbox.charge_route()).map_err(|_| DemoError::Url)
    }

    /// The route that is paid by vouchers.
    pub(super) fn stream_route(&self) -> Result<Url, DemoError> {
        Url::parse(&self.sandbox.stream_route()).map_err(|_| DemoError::Url)
    }

    /// Everything that runs.
    pub(super) const fn sandbox(&self) -> &Sandbox {
        self.sandbox
    }

    /// The chain, as everybody may ask it.
    pub(super) fn rpc(&self) -> &dyn PayerRpc {
        &*self.rpc
    }

    /// The two keys that pay fees.
    pub(super) fn fee_payers(&self) -> Vec<Pubkey> {
        self.sandbox.config.keys.fee_payers.iter().map(KeyPair::public).collect()
    }

    /// The facilitator's key.
    pub(super) fn spender(&self) -> Pubkey {
        self.sandbox.config.keys.spender.public()
    }

    /// Gives `wallet` tokens and no SOL.
    pub(super) async fn give(&self, wallet: &LocalKey, units: Amount) -> Result<(), crate::cli::error::CliError> {
        self.sandbox.network.give_tokens(&wallet.pubkey(), units.get())?;
        self.sandbox.network.until_confirmed().await;
        Ok(())
    }

    /// Opens a session with the merchant as its recipient.
    pub(super) async fn open(&self, wallet: &LocalKey, cap: Amount) -> Result<Payer, DemoError> {
        Ok(self.open_at(wallet, &self.seller(), cap, ApprovalChoice::Own).await?.0)
    }

    /// The merchant of the sandbox.
    pub(super) fn seller(&self) -> Seller {
        Seller { wallet: self.merchant.clone(), origin: self.sandbox.merchant.clone() }
    }

    /// Opens a session with this merchant as its recipient.
    pub(super) async fn open_at(
        &self,
        wallet: &LocalKey,
        seller: &Seller,
        cap: Amount,
        approval: ApprovalChoice,
    ) -> Result<Buyer, DemoError> {
        let mut options = OpenOptions { approval, ..OpenOptions::new(seller.wallet.pubkey(), cap, LIFETIME) };
        options.origins = vec![seller.origin.clone()];
        let session = self.sessions.open(wallet, &options).await.map_err(Box::new)?;
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.id);
        let payer = Payer::new(session, self.price, PATIENCE, Arc::new(SystemClock), Arc::new(OsChance));
        Ok(Buyer(payer.map_err(Box::new)?))
    }

    /// The approve that the facilitator says stands for a wallet.
    pub(super) async fn standing_approve(&self, wallet: &LocalKey) -> Result<Signature, DemoError> {
        let standing = self.sessions.standing_approval(wallet).await.map_err(Box::new)?;
        let signature = standing.and_then(|standing| standing.approval.signature.parse().ok());
        signature.ok_or(DemoError::Sealed("standing approval"))
    }

    /// Asks for the paid route of this merchant, pays, and is served.
    pub(super) async fn call_at(&self, buyer: &Buyer, seller: &Seller) -> Result<Call, DemoError> {
        let route = self.route.path();
        let route = Url::parse(&format!("{}{route}", seller.origin)).map_err(|_| DemoError::Url)?;
        self.pay(&buyer.0, &route).await
    }

    /// How a session stands.
    pub(super) async fn state(&self, buyer: &Buyer) -> Result<String, DemoError> {
        let view = self.sessions.show(buyer.0.session()).await.map_err(Box::new)?;
        Ok(view.state.unwrap_or_default())
    }

    /// Asks for the paid route, pays, and is served.
    pub(super) async fn call(&self, wallet: &LocalKey, payer: &Payer) -> Result<Call, DemoError> {
        let before = self.handle(&wallet.pubkey()).await?;
        let call = self.pay(payer, &self.route).await?;
        Ok(Call { handles: [before, self.handle(&wallet.pubkey()).await?], ..call })
    }

    /// Asks for the route that is settled later, pays, and is served.
    pub(super) async fn deferred_call(&self, payer: &Payer) -> Result<Call, DemoError> {
        self.pay(payer, &self.deferred_route).await
    }

    /// Pays the merchant the price of a call outside any session.
    pub(super) async fn pay_once(&self, wallet: &LocalKey) -> Result<SingleReceipt, DemoError> {
        let options = SingleOptions::new(self.merchant.pubkey(), self.price);
        Ok(self.sessions.pay_single(wallet, &options).await.map_err(Box::new)?)
    }

    async fn pay(&self, payer: &Payer, route: &Url) -> Result<Call, DemoError> {
        let started = Instant::now();
        let fetched = payer.get(route.clone()).await.map_err(Box::new)?;
        let status = fetched.response.status();
        let body = BoundedBody::of(fetched.response, MOST_SERVED_BYTES).bytes().await;
        let served = body.is_ok_and(|body| !body.is_empty());
        let latency = started.elapsed();
        let unserved = |what| DemoError::Unserved { status, what };
        if !status.is_success() || !served {
            return Err(unserved("and served nothing"));
        }
        let payment = fetched.payment.ok_or_else(|| unserved("and asked for no payment"))?;
        let receipt = fetched.receipt.ok_or_else(|| unserved("without a receipt"))?;
        let session = receipt.extensions.and_then(|extensions| extensions.session);
        Ok(Call {
            amount: payment.amount,
            signature: receipt.transaction,
            latency,
            handles: [0, 0],
            funding: session.and_then(|session| session.funding),
        })
    }

    /// Where everything stands: decrypted balances, the fee payer's lamports, the ledger's sums.
    pub(super) async fn standing(&self, payer: &LocalKey) -> Result<Standing, DemoError> {
        let payer = self.balance(payer, "payer's balance").await?;
        let merchant = self.balance(&self.merchant, "merchant's balance").await?;
        let accounts = self.rpc.accounts(&[self.spender()]).await?;
        let lamports = accounts.into_iter().flatten().next().map_or(0, |account| account.lamports);
        Ok(Standing { payer, merchant, lamports, totals: self.totals().await? })
    }

    /// The ledger's sums over all sessions.
    pub(super) async fn totals(&self) -> Result<Totals, DemoError> {
        Ok(self.sandbox.service.ledger.totals(None).await?)
    }

    /// What the ledger says of itself, `None` when it finds nothing wrong.
    pub(super) async fn audit(&self) -> Result<Option<String>, DemoError> {
        match self.sandbox.service.ledger.audit().await {
            Ok(()) => Ok(None),
            Err(LedgerError::Inconsistent(found)) => Ok(Some(found)),
            Err(error) => Err(error.into()),
        }
    }

    /// A balance as its owner decrypts it, in base units.
    async fn balance(&self, wallet: &LocalKey, what: &'static str) -> Result<u64, DemoError> {
        let session = *self.session.lock().unwrap_or_else(PoisonError::into_inner);
        self.balance_in(session, wallet, what).await
    }

    /// Like [`Scene::balance`], made readable in the name of this buyer's session.
    pub(super) async fn balance_of(
        &self,
        wallet: &LocalKey,
        buyer: &Buyer,
        what: &'static str,
    ) -> Result<u64, DemoError> {
        self.balance_in(Some(buyer.0.session().id), wallet, what).await
    }

    async fn balance_in(
        &self,
        session: Option<SessionId>,
        wallet: &LocalKey,
        what: &'static str,
    ) -> Result<u64, DemoError> {
        let mint = &self.sandbox.config.asset.mint;
        let mut balance = self.balances.read(wallet, mint, PATIENCE).await?;
        if let (Balance::NoDecryptAllowance { .. }, Some(session)) = (&balance, session) {
            make_readable(&self.sandbox.facilitator, session, wallet, &SystemClock).await.map_err(Box::new)?;
            balance = self.balances.read(wallet, mint, PATIENCE).await?;
        }
        match balance {
            Balance::NoAccount | Balance::Empty => Ok(0),
            Balance::Value(holding) => u64::try_from(holding.attested.plaintext).map_err(|_| DemoError::Sealed(what)),
            Balance::NoDecryptAllowance { .. } | Balance::CovalidatorBehind { .. } => Err(DemoError::Sealed(what)),
        }
    }

    /// The handle of a wallet's balance, zero without an account.
    async fn handle(&self, wallet: &Pubkey) -> Result<u128, DemoError> {
        let config = &self.sandbox.config;
        let programs = Programs { token: config.programs.inco_token, lightning: config.programs.inco_lightning };
        let accounts = self.rpc.accounts(&[programs.token_account(wallet, &config.asset.mint)]).await?;
        match accounts.into_iter().flatten().next() {
            Some(account) => Ok(IncoAccount::decode(&account.bytes)?.amount),
            None => Ok(0),
        }
    }
}
