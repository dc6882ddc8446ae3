//! Whether a voucher is served for, and remembering it before anything is.
//!
//! Promises: what [`SessionGate::verify`] accepts is remembered first, so that no voucher is served for twice; the published
//! verifier's words come first and in its order; nobody is asked within a request, but once for a new channel that brings no
//! certificate along.

use super::{
    nonces::Nonces,
    sale::{NonceRule, Rules, SaleFault, SessionSale},
    store::{ChannelStore, Remembered, Standing, StoreFault, Swapped},
    trust::{AT_ONCE, Trust, Word},
};
use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        mpp::{
            channel_id::PublicId,
            voucher::{Accepted, Presented, SellerTerms, Strictness, Voucher, VoucherFault, verify},
        },
    },
    merchant::{facilitator::FacilitatorFault, mpp::reason::SellerReason},
    wire::mpp::{
        session_challenge::{SESSION_TYPE, SessionChallenge},
        voucher::read,
    },
};
use solana_pubkey::Pubkey;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, task::JoinSet, time::interval};

/// How often the facilitator is asked for the channels in use.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// How long after its last voucher a channel is in use.
const IN_USE_FOR: Duration = Duration::from_hours(1);
/// The longest id of a channel, in bytes; without a certificate it can be any text.
const LONGEST_ID: usize = 128;
/// How often a voucher is judged anew because another one of its channel came before.
const TRIES: u32 = 64;

/// Sells by vouchers; clones are one.
#[derive(Clone)]
pub struct SessionGate(Arc<Shared>);

/// A voucher that is remembered, and for which is to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// What it pays on top of the one before, base units.
    pub amount: Amount,
    /// The voucher.
    pub voucher: Voucher,
}

/// Why nothing is served for a voucher; the text is a word, in the published verifier's spelling where it has one.
#[derive(Debug, thiserror::Error)]
pub enum SessionFault {
    /// The voucher.
    #[error(transparent)]
    Voucher(#[from] VoucherFault),
    /// The nonce is none that was issued, is too old, or was taken.
    #[error("nonce_mismatch")]
    Nonce,
    /// The facilitator says that the channel has ended.
    #[error("channel_closed")]
    Closed,
    /// It cannot be remembered.
    #[error("{}", .0.reason().word())]
    Store(#[from] StoreFault),
    /// The facilitator cannot be asked for a new channel.
    #[error(transparent)]
    Facilitator(#[from] FacilitatorFault),
}

struct Shared {
    sale: SessionSale,
    stock: SellerTerms,
    chain_id: String,
    store: Arc<dyn ChannelStore>,
    trust: Option<Trust>,
    nonces: Nonces,
    in_use: Mutex<InUse>,
}

/// The channels whose vouchers came lately.
#[derive(Default)]
struct InUse {
    last: HashMap<PublicId, Instant>,
    /// Whether a task looks at them.
    watched: bool,
}

impl StoreFault {
    const fn reason(&self) -> SellerReason {
        match self {
            Self::Full => SellerReason::TooManyChannels,
            Self::Unavailable(_) => SellerReason::StoreUnavailable,
        }
    }
}

impl SessionFault {
    /// The word's row in `docs/ERRORS.md`; none where the facilitator cannot be asked.
    pub fn reason(&self) -> Option<SellerReason> {
        Some(match self {
            Self::Voucher(fault) => fault.into(),
            Self::Nonce => SellerReason::NonceMismatch,
            Self::Closed => SellerReason::ChannelClosed,
            Self::Store(fault) => fault.reason(),
            Self::Facilitator(_) => return None,
        })
    }
}

impl fmt::Debug for SessionGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionGate").field(&self.0.sale).finish()
    }
}

impl SessionGate {
    /// Sells on these terms, and remembers channels in `store`.
    pub fn new(sale: SessionSale, store: Arc<dyn ChannelStore>) -> Result<Self, SaleFault> {
        let chain_id = sale.checked()?;
        let stock = SellerTerms {
            recipient: sale.recipient,
            price_per_unit: sale.price_per_unit,
            meter: sale.meter.clone(),
            strictness: Strictness::Stock,
        };
        let trust = sale.facilitator.clone().map(Trust::new);
        let nonces = Nonces::new(&*sale.chance);
        Ok(Self(Arc::new(Shared { sale, stock, chain_id, store, trust, nonces, in_use: Mutex::default() })))
    }

    /// What is asked for where no voucher comes along.
    pub fn challenge(&self) -> SessionChallenge {
        let sale = &self.0.sale;
        SessionChallenge {
            kind: SESSION_TYPE.to_owned(),
            recipient: sale.recipient.to_string(),
            network: sale.network.clone(),
            price_per_unit: sale.price_per_unit.to_string(),
            meter: sale.meter.clone(),
            suggested_deposit: sale.suggested_deposit.to_string(),
            channel_program: sale.channel_program.to_string(),
            server_nonce: Some(self.0.nonces.issue(&*sale.chance, sale.clock.now())),
            facilitator: sale.named.clone(),
        }
    }

    /// Judges the header `x-mpp-voucher` and remembers what it pays. How many units it pays for is the buyer's word.
    pub async fn verify(&self, header: &str) -> Result<Paid, SessionFault> {
        self.judge(header, None).await
    }

    /// Like [`SessionGate::verify`], for a request that really costs so many units.
    pub async fn verify_for(&self, header: &str, units: u64) -> Result<Paid, SessionFault> {
        self.judge(header, Some(units)).await
    }

    /// What is remembered of a channel.
    pub async fn context(&self, channel: &str) -> Result<Option<Remembered>, StoreFault> {
        self.0.store.get(channel).await
    }

    /// Forgets a channel; its vouchers would be served for again.
    pub async fn remove(&self, channel: &str) -> Result<(), StoreFault> {
        self.0.store.remove(channel).await
    }

    /// Asks the facilitator for the channels in use, as is done every 15 seconds by itself; those that have ended are served no more.
    pub async fn look(&self) {
        Arc::clone(&self.0).look().await;
    }

    async fn judge(&self, header: &str, units: Option<u64>) -> Result<Paid, SessionFault> {
        let shared = &self.0;
        let presented = read(header)?;
        let channel = presented.voucher.channel_id.as_str();
        if channel.len() > LONGEST_ID {
            return Err(VoucherFault::Malformed.into());
        }
        let mut has_nonce = shared.sale.nonces == NonceRule::Any;
        for _ in 0..TRIES {
            let before = shared.store.get(channel).await?;
            let (amount, after) = match &before {
                Some(known) => shared.next(&presented, known, units)?,
                None => shared.first(&presented, units).await?,
            };
            let now = shared.sale.clock.now();
            // Taken last, so that a voucher which is refused otherwise costs no nonce.
            has_nonce = has_nonce || shared.nonces.take(&presented.voucher.server_nonce, now);
            if !has_nonce {
                return Err(SessionFault::Nonce);
            }
            if shared.store.swap(channel, before.as_ref(), &after, now).await? == Swapped::Done {
                shared.note_use(channel);
                return Ok(Paid { amount, voucher: presented.voucher });
            }
        }
        Err(StoreFault::Unavailable("the channel's vouchers come faster than they are remembered".into()).into())
    }
}

impl Shared {
    /// A voucher of a channel that is remembered: its key was certified when it came first.
    fn next(
        &self,
        presented: &Presented,
        known: &Remembered,
        units: Option<u64>,
    ) -> Result<(Amount, Remembered), SessionFault> {
        let now = self.sale.clock.now();
        let accepted = verify(presented, &self.stock, Some(&known.seen), units, now)?;
        let voucher = &presented.voucher;
        if self.sale.rules == Rules::Strict {
            if voucher.chain_id != self.chain_id || voucher.payer != known.payer {
                return Err(VoucherFault::UnknownSigner.into());
            }
            if voucher.cumulative_amount > known.deposit {
                return Err(VoucherFault::DepositExceeded.into());
            }
            if now >= known.expires {
                return Err(VoucherFault::ChannelExpired.into());
            }
            if voucher.meter != self.sale.meter {
                return Err(VoucherFault::MeterMismatch.into());
            }
            if known.standing == Standing::Ended {
                return Err(SessionFault::Closed);
            }
        }
        Ok((accepted.amount_paid, Remembered { seen: accepted.seen, ..known.clone() }))
    }

    /// The first voucher of a channel.
    async fn first(&self, presented: &Presented, units: Option<u64>) -> Result<(Amount, Remembered), SessionFault> {
        let now = self.sale.clock.now();
        let judge = |presented: &Presented, terms: &SellerTerms| verify(presented, terms, None, units, now);
        if self.sale.rules == Rules::Stock {
            // Nothing says when such a channel ends, so it is never forgotten.
            let accepted = judge(presented, &self.stock)?;
            return Ok(remembered(accepted, presented, Amount::MAX, UnixSeconds::MAX));
        }
        let pinned = self.sale.issuer.filter(|_| presented.certificate.is_some() || self.trust.is_none());
        let Some(issuer) = pinned else { return self.looked_up(presented, judge).await };
        let accepted = judge(presented, &self.certified(issuer))?;
        let certificate = presented.certificate.as_ref().ok_or(VoucherFault::UnknownSigner)?;
        Ok(remembered(accepted, presented, certificate.deposit, certificate.expires))
    }

    /// The first voucher of a channel that brings no certificate along, or none that is known to be good.
    async fn looked_up(
        &self,
        presented: &Presented,
        judge: impl Fn(&Presented, &SellerTerms) -> Result<Accepted, VoucherFault>,
    ) -> Result<(Amount, Remembered), SessionFault> {
        // The published words come first, and nobody makes us ask for what is not served anyway.
        judge(presented, &self.stock)?;
        let unknown = VoucherFault::UnknownSigner;
        let channel: PublicId = presented.voucher.channel_id.parse().map_err(|_| unknown.clone())?;
        let trust = self.trust.as_ref().ok_or(unknown.clone())?;
        let (certificate, issuer) = match trust.ask_of_new(&channel).await? {
            Word::Unknown => return Err(unknown.into()),
            Word::Ended => return Err(SessionFault::Closed),
            Word::Live(certificate, issuer) => (certificate, issuer),
        };
        let (deposit, expires) = (certificate.deposit, certificate.expires);
        let presented = Presented { certificate: Some(certificate), ..presented.clone() };
        let accepted = judge(&presented, &self.certified(self.sale.issuer.unwrap_or(issuer)))?;
        Ok(remembered(accepted, &presented, deposit, expires))
    }

    fn certified(&self, issuer: Pubkey) -> SellerTerms {
        let strictness = Strictness::Certified { issuer, chain_id: self.chain_id.clone() };
        SellerTerms { strictness, ..self.stock.clone() }
    }

    /// Notes that a voucher came, and has the channels in use looked at from now on.
    fn note_use(self: &Arc<Self>, channel: &str) {
        let (Ok(channel), Some(_), Rules::Strict) = (channel.parse(), &self.trust, self.sale.rules) else { return };
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        in_use.last.insert(channel, Instant::now());
        if !in_use.watched
            && let Ok(runtime) = Handle::try_current()
        {
            in_use.watched = true;
            runtime.spawn(watch(Arc::downgrade(self)));
        }
    }

    /// Asks the facilitator for every channel in use, so many at once.
    async fn look(self: Arc<Self>) {
        let channels = {
            let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
            in_use.last.retain(|_, last| last.elapsed() < IN_USE_FOR);
            in_use.last.keys().copied().collect::<Vec<_>>()
        };
        let mut looks = JoinSet::new();
        for channel in channels {
            if looks.len() >= AT_ONCE {
                looks.join_next().await;
            }
            let shared = Arc::clone(&self);
            looks.spawn(async move { shared.look_at(channel).await });
        }
        while looks.join_next().await.is_some() {}
    }

    async fn look_at(&self, channel: PublicId) {
        let Some(trust) = &self.trust else { return };
        match trust.ask(&channel).await {
            Ok(Word::Live(..)) => {}
            // What the facilitator does not know it will not pay.
            Ok(Word::Ended | Word::Unknown) => {
                if let Err(error) = self.end(&channel.to_string()).await {
                    tracing::error!(error = &error as &dyn std::error::Error, %channel, "the end of a channel is not remembered");
                    return;
                }
                let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
                in_use.last.remove(&channel);
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, %channel, "a channel in use cannot be looked up");
            }
        }
    }

    /// Remembers that a channel's vouchers are paid no more.
    async fn end(&self, channel: &str) -> Result<(), StoreFault> {
        for _ in 0..TRIES {
            let Some(before) = self.store.get(channel).await? else { return Ok(()) };
            let after = Remembered { standing: Standing::Ended, ..before.clone() };
            let now = self.sale.clock.now();
            if self.store.swap(channel, Some(&before), &after, now).await? == Swapped::Done {
                return Ok(());
            }
        }
        Err(StoreFault::Unavailable("the channel's vouchers come faster than its end is remembered".into()))
    }
}

/// Looks at the channels in use until nobody sells any more.
async fn watch(shared: Weak<Shared>) {
    let mut rounds = interval(LOOK_EVERY);
    // The first tick comes at once.
    rounds.tick().await;
    loop {
        rounds.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        shared.look().await;
    }
}

fn remembered(
    accepted: Accepted,
    presented: &Presented,
    deposit: Amount,
    expires: UnixSeconds,
) -> (Amount, Remembered) {
    let payer = presented.voucher.payer.clone();
    (accepted.amount_paid, Remembered { seen: accepted.seen, payer, deposit, expires, standing: Standing::Live })
}
