//! The use cases, in the domain's words: open a session, verify, settle, recover. Knows the ports and nothing of
//! HTTP, SQL or configuration files.
//!
//! [`Facilitator::new`] is the only wiring. Whoever builds one calls [`Facilitator::recover`] once before serving, so
//! that what a killed process left behind is handed to the same driver that serves live requests, and
//! [`Facilitator::stop`] at the end.
//!
//! # Rooms
//! One folder for each concern, each with a struct of its own state. A folder knows those below it and none above
//! (`tests/it/architecture.rs` holds it to that); the ways up are the driver's
//! [`SettlementOutcome`](settlement::SettlementOutcome) and the answer to the caller.
//!
//! ```text
//! lifecycle   reads   supported   mpp_requests   start, background work, stop, self-test; what is asked and told
//! sessions   payments   single_payments   revocations   decrypt_allowances   mpp      what callers ask for
//! funding                                       what a payer's account is worth
//! deferred                                      when promises are settled, and given up
//! dispatch                                      which holds are carried together
//! settlement                                    one settlement to finality
//! sponsor   looks                               our lamports; whether a proved balance still stands
//! locks   backing   token_accounts   signed_reads
//! core
//! recipients   known_handles   events   tasks   settings   ports   error
//! ```

pub mod error;
pub mod settings;

mod backing;
mod core;
mod decrypt_allowances;
mod deferred;
mod delegated;
mod dispatch;
mod doubted_delegations;
mod events;
mod funding;
mod known_handles;
mod lifecycle;
mod locks;
mod looks;
mod mpp;
mod mpp_requests;
mod payments;
mod ports;
mod reads;
mod recipients;
mod revocations;
mod sessions;
mod settlement;
mod signed_reads;
mod single_payments;
mod sponsor;
mod supported;
mod tasks;
mod token_accounts;

use self::core::Core;
use crate::{
    chain::keys::Signer,
    domain::{
        amount::Amount,
        event_id::EventIds,
        funding::FundingProof,
        payment::Payment,
        session::{Session, SessionId},
        single_payment::{SingleCompletion, SinglePayment},
    },
};
pub use backing::Backing;
use decrypt_allowances::DecryptAllowances;
pub use decrypt_allowances::request::{ReadableBalance, Reader};
use deferred::Deferred;
use dispatch::Dispatch;
pub use error::{
    FacilitatorError, PayError, PayRefusal, PaymentAfter, SessionAfter, SessionError, SessionRefusal, is_told_already,
};
pub use events::SessionEvent;
use funding::FundingMonitor;
pub use known_handles::HandleReport;
pub use lifecycle::{
    probe::{ProbeError, ProbeReport, ProbeVerdict},
    probe_copies::{CopyOutcome, CopyReport, UsedIn},
    readiness::{Check, Readiness},
    startup::StartError,
};
use locks::Locks;
use looks::Looks;
use mpp::Mpp;
pub use mpp::{
    CallerPlace, ChannelError, ChargeError, ChargeOrder, CloseChannelRequest, ClosedChannel, ConfirmRequest, Confirmed,
    DelegationStatus, Forwarded, GrantOffer, OnboardAnswer, OnboardError, OnboardRequest, OnboardWord,
    OpenChannelRequest, OpenedChannel, PreparedCharge, ReadyDelegation, RefusedChannel, RefusedCharge,
    RefusedOnboarding, SentSignIn, SettledCharge, ShownChannel, SignedVoucher, ToSign, VoucherRequest,
};
pub use mpp_requests::{MppKeys, ToldStats};
use payments::Payments;
pub use payments::{settle::Receipt, verify::Verified};
pub use ports::{Keys, Ports, ReceiptKeys};
pub use reads::{ListRequest, Listening, PaymentRecord, ReadRequest, SessionPage, VisibleSession};
use revocations::Revocations;
pub use revocations::{RevokeOfferRequest, Revoked, UnsignedRevoke};
use sessions::Sessions;
pub use sessions::{
    close::{CloseRequest, Closed},
    close_all::CloseAllRequest,
    open::{ApproveSource, OpenRequest},
    prepare::{PrepareRequest, PreparedApprove},
};
pub use settings::{
    AllowancePolicy, AllowanceSettings, BackgroundSettings, CapCheckPolicy, ChannelSettings, ClockCheck,
    DeferredPolicy, DelegationSettings, DispatchSettings, FundingSettings, InstructionChoice, MppSettings,
    OpeningSettings, PrepareSettings, ReadPolicy, RecipientSettings, ServedAsset, Settings, TransferSettings,
    WaitingSettings, WindowTrust,
};
use settlement::Settlements;
use sha2::{Digest as _, Sha256};
use single_payments::SinglePayments;
pub use single_payments::{SingleReceipt, UnsignedSingle};
use solana_pubkey::Pubkey;
use sponsor::Sponsor;
use std::sync::Arc;
pub use supported::Supported;

/// The service: one struct for each folder, and the use cases that callers may ask for.
pub struct Facilitator {
    core: Arc<Core>,
    event_ids: EventIds,
    sponsor: Arc<Sponsor>,
    settlements: Arc<Settlements>,
    dispatch: Arc<Dispatch>,
    deferred: Arc<Deferred>,
    funding: Arc<FundingMonitor>,
    allowances: Arc<DecryptAllowances>,
    sessions: Arc<Sessions>,
    payments: Arc<Payments>,
    single_payments: Arc<SinglePayments>,
    revocations: Arc<Revocations>,
    mpp: Option<Mpp>,
}

/// The parts that every use case works with.
struct SharedParts {
    sponsor: Arc<Sponsor>,
    looks: Arc<Looks>,
    settlements: Arc<Settlements>,
    dispatch: Arc<Dispatch>,
}

impl SharedParts {
    fn new(core: &Arc<Core>, locks: &Arc<Locks>) -> Self {
        let sponsor = Arc::new(Sponsor::new(core.clone()));
        let looks = Arc::new(Looks::new(core.clone()));
        let settlements = Settlements::new(core.clone(), locks.clone(), sponsor.clone(), looks.clone());
        let settlements = Arc::new(settlements);
        let dispatch = Arc::new(Dispatch::new(core.clone(), locks.clone(), sponsor.clone(), settlements.clone()));
        Self { sponsor, looks, settlements, dispatch }
    }
}

impl Facilitator {
    /// Puts the service together. Nothing runs until [`Facilitator::recover`] or a request, but the watch over what lands, for
    /// which there is nothing to do before. Must be called within a tokio runtime.
    pub fn new(ports: Ports, keys: Keys, settings: Settings) -> Arc<Self> {
        let event_ids = event_ids(&*keys.spender);
        let core = Arc::new(Core::new(ports, keys, settings));
        let locks = Arc::new(Locks::new(&core.settings));
        let SharedParts { sponsor, looks, settlements, dispatch } = SharedParts::new(&core, &locks);
        let deferred = Arc::new(Deferred::new(core.clone(), dispatch.clone()));
        let (of_funding, of_dispatch) = (locks.clone(), dispatch.clone());
        let funding = Arc::new(FundingMonitor::new(core.clone(), of_funding, sponsor.clone(), looks, of_dispatch));
        let allowances = Arc::new(DecryptAllowances::new(
            core.clone(),
            locks.clone(),
            sponsor.clone(),
            settlements.clone(),
            dispatch.clone(),
        ));
        let sessions = Arc::new(Sessions::new(
            core.clone(),
            locks.clone(),
            sponsor.clone(),
            settlements.clone(),
            dispatch.clone(),
            funding.clone(),
        ));
        let payments = Arc::new(Payments::new(
            core.clone(),
            locks.clone(),
            sponsor.clone(),
            settlements.clone(),
            dispatch.clone(),
            deferred.clone(),
            funding.clone(),
        ));
        let revocations = Arc::new(Revocations::new(&core, &locks, &sponsor, &settlements, &dispatch));
        let mpp = Mpp::new(&core, &sponsor, &settlements, &dispatch);
        core.tasks.spawn(lifecycle::forks::finality_rounds(settlements.clone(), dispatch.clone(), revocations.clone()));
        let single_payments = Arc::new(SinglePayments::new(
            core.clone(),
            locks,
            sponsor.clone(),
            settlements.clone(),
            dispatch.clone(),
            funding.clone(),
        ));
        Arc::new(Self {
            core,
            event_ids,
            sponsor,
            settlements,
            dispatch,
            deferred,
            funding,
            allowances,
            sessions,
            payments,
            single_payments,
            revocations,
            mpp,
        })
    }

    /// Opens a session: lands the approve, proves its effect, and answers with the open session.
    ///
    /// A repeated request with the same nonce and content answers with the same session. Refusals are the words of
    /// `spec/session.md` §2; until the approve is signed a refusal leaves no trace.
    pub async fn open_session(&self, request: OpenRequest) -> Result<Session, SessionError> {
        self.sessions.open_session(request).await
    }

    /// Tells what an approve needs of the chain: a blockhash, the handle that the approved amount will have, and what the wallet
    /// lacks for the rent. Nothing that the chain does not tell everybody; writes nothing, reserves nothing.
    ///
    /// Refuses with `asset_not_allowed`, `invalid_user`, `source_not_ready`, `insufficient_sponsor_balance`,
    /// `approve_submit_failed` where the approve would fail, `too_many_requests` where others were told, and `overloaded` while others
    /// are or an endpoint of the chain is to be left alone.
    pub async fn prepare_approve(&self, request: &PrepareRequest) -> Result<PreparedApprove, SessionError> {
        self.sessions.prepare_approve(request).await
    }

    /// Closes a session and settles what it holds: answered when everything is final, at the deadline or when this process
    /// leaves, whichever comes first, and at once when enough wait for it already; from `closing` it becomes `closed` by
    /// itself. Asked again it answers how it stands. A session that ended another way is settled and told all the same.
    ///
    /// Refuses with `session_not_found`, `invalid_close_signature`, and `session_busy` while the session opens.
    pub async fn close_session(&self, id: SessionId, request: &CloseRequest) -> Result<Closed, SessionError> {
        self.sessions.close_session(id, request).await
    }

    /// Closes all sessions of a wallet and asset that are live or hold something, and settles what they hold: answered like
    /// [`Facilitator::close_session`], with each of them, oldest first. One whose approve is under way stays `opening`.
    ///
    /// Refuses with `invalid_close_signature`, and `session_busy` while an opening of this wallet is under way.
    pub async fn close_all_sessions(&self, request: &CloseAllRequest) -> Result<Vec<Closed>, SessionError> {
        self.sessions.close_all(request).await
    }

    /// Judges a payment as [`Facilitator::settle`] would, and changes nothing.
    pub async fn verify(&self, payment: &Payment) -> Result<Verified, PayError> {
        match payment {
            Payment::Session(payment) => self.payments.verify(payment).await,
        }
    }

    /// Settles a payment: answered when a transfer that covers it has landed or, when the caller asked for it and the
    /// limits of exposure allow it, as soon as it is durably held.
    ///
    /// Runs every check of [`Facilitator::verify`] by itself. Refuses with the reasons of `spec/session.md` §3; a
    /// refusal before the hold leaves no trace.
    pub async fn settle(&self, payment: &Payment) -> Result<Receipt, PayError> {
        match payment {
            Payment::Session(payment) => self.payments.settle(payment).await,
        }
    }

    /// Encrypts an amount for a single payment, so that it is known again. Refuses with `pay_not_served`.
    pub fn encrypt_amount(&self, amount: Amount) -> Result<Vec<u8>, PayError> {
        self.single_payments.encrypt_amount(amount)
    }

    /// Judges the signed message of a single payment as [`Facilitator::offer_single`] would, and changes nothing.
    pub async fn verify_single(&self, payment: &SinglePayment) -> Result<(), PayError> {
        self.single_payments.check(payment).await.map(drop)
    }

    /// Makes the transaction of a single payment for its payer to sign, and remembers that it was issued. Moves nothing. `caller` is
    /// the address that asks, an IPv4 address or the /64 of an IPv6 address as a number, where it is known.
    pub async fn offer_single(
        &self,
        payment: &SinglePayment,
        caller: Option<u128>,
    ) -> Result<UnsignedSingle, PayError> {
        self.single_payments.offer(payment, caller).await
    }

    /// Carries out a single payment whose payer has signed the transaction that was issued: answered when it has landed. One
    /// that is not what the request requires is refused before anything is recorded. A repeat is answered from what was
    /// recorded.
    pub async fn pay_single(&self, request: &SingleCompletion) -> Result<SingleReceipt, PayError> {
        self.single_payments.pay(request).await
    }

    /// Makes the revoke of our delegation for a wallet to sign, whose fee we pay. Moves nothing and is remembered nowhere.
    ///
    /// Refuses with `invalid_close_signature`, `asset_not_allowed`, `session_not_found` where this ledger knows no session of the
    /// wallet, `session_busy` while one is live or holds something, `source_not_ready`, `delegate_mismatch` where there is
    /// nothing to take back, `quota_exceeded`, and `insufficient_sponsor_balance`.
    pub async fn offer_revoke(&self, request: &RevokeOfferRequest) -> Result<UnsignedRevoke, SessionError> {
        self.revocations.offer(request).await
    }

    /// The revoke that is offered beside the answer to a close; none where [`Facilitator::offer_revoke`] would refuse it, or where
    /// the chain does not answer at once.
    pub async fn revoke_beside_close(&self, user: &Pubkey, asset: &Pubkey) -> Option<UnsignedRevoke> {
        self.revocations.offer_beside_close(user, asset).await
    }

    /// Carries out a revoke that its wallet has signed (in base64), of the wallet of `session` where one is named: answered when
    /// it has landed. A repeat is answered from what was recorded. No session of the wallet opens meanwhile.
    ///
    /// Refuses as [`Facilitator::offer_revoke`] does, and with `revoke_not_allowed` for a transaction that is not just that,
    /// `revoke_pending` while its outcome is not known, and `revoke_submit_failed`.
    pub async fn revoke(&self, session: Option<SessionId>, transaction: &str) -> Result<Revoked, SessionError> {
        self.revocations.revoke(session, transaction).await
    }

    /// Takes a proof for an open session. Refuses with `invalid_funding_proof`, `stale_funding_proof`,
    /// `session_not_open`, `source_not_ready`, `delegate_mismatch`, and `session_busy` while a proof of this user is being
    /// read or right after this one was; where no proofs are taken it changes nothing.
    pub async fn prove_funding(&self, id: SessionId, proof: &FundingProof) -> Result<(Session, Backing), SessionError> {
        self.funding.prove_funding(id, proof).await
    }

    /// What is known of the account behind a session.
    pub async fn backing(&self, session: &Session) -> Result<Backing, SessionError> {
        self.core.backing(session).await
    }

    /// What is known of the accounts behind sessions, in their order.
    pub async fn backings(&self, sessions: &[Session]) -> Result<Vec<Backing>, SessionError> {
        Ok(self.core.backings(sessions).await?)
    }

    /// Makes sure that a wallet of this session can decrypt its balance.
    ///
    /// Refuses with `session_not_found`, `signature_required` (the request is not signed by the wallet it is for, or is
    /// too old), `refresh_too_soon` (rent was spent for it lately, or it was asked for too often), `session_busy` (another
    /// refresh with this merchant is under way, or too many wait for this payer), `quota_exceeded` (a budget is used up), and
    /// `source_not_ready` or `recipient_not_ready` (no usable account).
    pub async fn make_readable(
        &self,
        id: SessionId,
        reader: Reader,
        read: Option<ReadRequest>,
    ) -> Result<ReadableBalance, SessionError> {
        self.allowances.make_readable(id, reader, read).await
    }
}

/// Ids of events under a secret that only the spender's key can derive: Ed25519 signatures are deterministic, so every
/// process and every replica has the same.
fn event_ids(spender: &dyn Signer) -> EventIds {
    EventIds::new(Sha256::digest(spender.sign(b"sotto event ids")).into())
}
