//! The use cases, in the domain's words: open a session, verify, settle, recover. Knows the ports and nothing of
//! HTTP, SQL or configuration files.
//!
//! [`Facilitator::new`] is the only wiring. Whoever builds one calls [`Facilitator::recover`] once before serving, so
//! that what a killed process left behind is handed to the same driver that serves live requests, and
//! [`Facilitator::stop`] at the end.

pub mod error;
pub mod settings;

mod decrypt_allowances;
mod deferred;
mod dispatch;
mod events;
mod funding;
mod lifecycle;
mod locks;
mod payments;
mod reads;
mod sessions;
mod settlement;
mod sponsor;
mod supported;
mod token_accounts;

use crate::{
    chain::{Chain, keys::Signer},
    covalidator::Covalidator,
    domain::{
        chance::{Chance, draw},
        clock::Clock,
        event_id::EventIds,
        hold::HoldId,
        session::SessionId,
        settlement::SettlementId,
    },
    ledger::Ledger,
};
pub use decrypt_allowances::request::{ReadableBalance, Reader};
pub use error::{FacilitatorError, PayError, PayRefusal, PaymentAfter, SessionAfter, SessionError, SessionRefusal};
pub use events::SessionEvent;
pub use funding::proof::{Backing, FundingSettings};
pub use lifecycle::probe::{ProbeError, ProbeReport, ProbeVerdict};
pub use lifecycle::readiness::{Check, Readiness};
pub use payments::settle::Receipt;
pub use payments::verify::Verified;
pub use reads::{Listening, PaymentRecord, ReadRequest};
pub use sessions::close::{CloseRequest, Closed};
pub use sessions::open::{ApproveSource, OpenRequest};
pub use settings::{
    AllowancePolicy, AllowanceSettings, CapCheckPolicy, DeferredPolicy, DispatchSettings, ReadPolicy, Settings,
    WaitingSettings,
};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
pub use supported::Supported;
use tokio::{
    sync::oneshot,
    time::{Interval, MissedTickBehavior, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The outside world, as the facilitator needs it.
#[derive(Clone)]
pub struct Ports {
    /// Durability.
    pub ledger: Arc<dyn Ledger>,
    /// Solana.
    pub chain: Arc<dyn Chain>,
    /// The decrypt service.
    pub covalidator: Arc<dyn Covalidator>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub chance: Arc<dyn Chance>,
}

/// The two kinds of key (`spec/security.md` §1.1): the spender is delegate of every session; fee payers may be other
/// keys.
#[derive(Clone)]
pub struct Keys {
    /// The delegate key. Signs only transactions we built.
    pub spender: Arc<dyn Signer>,
    /// The announced fee payer: co-signs approves that match the template, which clients compile with this key.
    pub fee_payer: Arc<dyn Signer>,
    /// Keys that share the other fees with it.
    pub further_fee_payers: Vec<Arc<dyn Signer>>,
}

/// The service.
pub struct Facilitator {
    ledger: Arc<dyn Ledger>,
    chain: Arc<dyn Chain>,
    covalidator: Arc<dyn Covalidator>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    keys: Keys,
    settings: Settings,
    /// Limits that were reached lately.
    rests: sponsor::budget::Rests,
    /// Where the comparing of booked rents stands.
    rents: sponsor::rent_checks::Rents,
    fee_payers: sponsor::fee_payers::FeePayers,
    lanes: dispatch::queue_state::Lanes,
    /// Turns at the ledger for what carries many holds.
    bulk: locks::write_throttle::Bulk,
    deferred: deferred::policy::Deferred,
    events: Arc<events::Events>,
    event_ids: EventIds,
    windows: locks::in_flight_limits::Windows,
    rooms: locks::wait_quota::Rooms,
    gates: locks::account_locks::Gates,
    unread: Arc<locks::idle_accounts::Resting>,
    /// Refreshes that were asked for.
    requests: decrypt_allowances::request::Requests,
    waiters: Arc<settlement::waiters::Waiters>,
    /// What has landed and is not final yet.
    finality: settlement::finality::Finality,
    /// Settlements a task of this process drives right now.
    driving: locks::single_flight::Claims<SettlementId>,
    /// Settlements a task of this process drives, or stands in line to drive, or is about to plan.
    resuming: Arc<locks::single_flight::Claims<SettlementId>>,
    /// Merchants' accounts that a request has refreshed right now.
    refreshing: Arc<locks::single_flight::Claims<Pubkey>>,
    /// Openings a task of this process finishes right now.
    finishing: locks::single_flight::Claims<SessionId>,
    /// Users whose proof a task of this process reads right now.
    proving: locks::single_flight::Claims<Pubkey>,
    /// Proofs that were read lately.
    readings: funding::proof_rate_limit::Readings,
    /// Users whose delegation a task of this process reads a second time.
    doubting: locks::single_flight::Claims<Pubkey>,
    /// Held by the task that reads histories, one at a time.
    examining: Arc<locks::single_flight::Claims<()>>,
    /// One look for payments at a time, for each user.
    looking: locks::keyed_locks::Keyed<Pubkey, tokio::sync::Mutex<()>>,
    /// What the monitor remembers.
    watch: funding::monitor_state::Watch,
    /// Sessions whose last transfer landed with an error: the next one is simulated first.
    distrusted: locks::single_flight::Marks<SessionId>,
    /// Compute units of the last measured transfers.
    units: settlement::simulate::Units,
    /// The probe found that settlements work only with decrypt allowances.
    needs_allowances: AtomicBool,
    /// Holds that this process made or tried to make.
    holds_made: AtomicU32,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Facilitator {
    /// Puts the service together. Nothing runs until [`Facilitator::recover`] or a request.
    pub fn new(ports: Ports, keys: Keys, settings: Settings) -> Arc<Self> {
        let rests = settings.decrypt_allowance == AllowancePolicy::Idle;
        Arc::new(Self {
            ledger: ports.ledger,
            chain: ports.chain,
            covalidator: ports.covalidator,
            clock: ports.clock,
            chance: ports.chance,
            rests: sponsor::budget::Rests::default(),
            rents: sponsor::rent_checks::Rents::default(),
            fee_payers: sponsor::fee_payers::FeePayers::new(&keys, settings.low_balance),
            event_ids: event_ids(&*keys.spender),
            keys,
            lanes: dispatch::queue_state::Lanes::default(),
            bulk: locks::write_throttle::Bulk::default(),
            deferred: deferred::policy::Deferred::default(),
            events: Arc::default(),
            windows: locks::in_flight_limits::Windows::new(&settings.dispatch),
            rooms: locks::wait_quota::Rooms::new(&settings.waiting),
            gates: locks::account_locks::Gates::default(),
            unread: Arc::new(locks::idle_accounts::Resting::new(rests.then_some(settings.allowances))),
            requests: decrypt_allowances::request::Requests::default(),
            settings,
            waiters: Arc::default(),
            finality: settlement::finality::Finality::default(),
            driving: locks::single_flight::Claims::default(),
            resuming: Arc::default(),
            refreshing: Arc::default(),
            finishing: locks::single_flight::Claims::default(),
            proving: locks::single_flight::Claims::default(),
            readings: funding::proof_rate_limit::Readings::default(),
            doubting: locks::single_flight::Claims::default(),
            examining: Arc::default(),
            looking: locks::keyed_locks::Keyed::default(),
            watch: funding::monitor_state::Watch::default(),
            distrusted: locks::single_flight::Marks::default(),
            units: settlement::simulate::Units::default(),
            needs_allowances: AtomicBool::new(false),
            holds_made: AtomicU32::new(0),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// Stops background work at once and waits until every task has come to a durable resting point. What is in flight
    /// is found again by [`Facilitator::recover`]. [`Facilitator::leave`] settles what is promised first.
    pub async fn stop(&self) {
        self.end_streams();
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Runs `work` in the background until it ends or the service stops.
    fn spawn<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            // Every await in `work` is between two durable writes, so dropping it anywhere is a crash that recovery
            // is made for.
            tokio::select! {
                () = stop.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// The same for work whose outcome somebody waits for: it goes on when he does not. No outcome when the service stops.
    fn spawn_apart<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> oneshot::Receiver<T> {
        let (tell, told) = oneshot::channel();
        self.spawn(async move {
            // Who is gone asks again, and is told what was recorded.
            let _ = tell.send(work.await);
        });
        told
    }

    /// Sixteen random bytes, for identifiers.
    fn random_id(&self) -> [u8; 16] {
        draw(&*self.chance)
    }

    /// Whether the token program settles only with decrypt allowances.
    fn needs_allowances(&self) -> bool {
        self.needs_allowances.load(Ordering::Relaxed)
    }

    /// The id of a settlement that is about to be made.
    fn next_settlement_id(&self) -> SettlementId {
        SettlementId::from_random_bytes(self.random_id())
    }

    /// The id of a hold that is about to be made.
    fn next_hold_id(&self) -> HoldId {
        // The order is of use and promises nothing, so it may wrap and need not be seen alike by everybody.
        let count = self.holds_made.fetch_add(1, Ordering::Relaxed);
        HoldId::in_order(self.clock.now(), count, draw(&*self.chance))
    }
}

/// Rounds of the background; one that was missed is not made up for.
fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Ids of events under a secret that only the spender's key can derive: Ed25519 signatures are deterministic, so every
/// process and every replica has the same.
fn event_ids(spender: &dyn Signer) -> EventIds {
    EventIds::new(Sha256::digest(spender.sign(b"sotto event ids")).into())
}
