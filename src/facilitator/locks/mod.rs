//! Locks: everything that a task of this process waits for, and what it remembers of who works on what.
//!
//! Defines every kind of lock, permit and in-memory set that more than one task takes. Knows the settings and no use case: a lock
//! never asks the ledger or the chain.
//!
//! # The order
//! A task takes what it needs from top to bottom and never waits for one above what it holds:
//!
//! | # | what | taken by |
//! |---|---|---|
//! | 1 | wait permit of the payer, and of the close ([`wait_quota`]) | whoever is to wait for the chain |
//! | 1a | place of a single payment whose payer has no credit ([`in_flight_limits`]) | a single payment that is to be recorded |
//! | 2 | opening lock of (user, asset), shared or exclusive ([`opening_lock`]) | payments; openings, second looks, revokes and a close of all |
//! | 3 | grants without a proof, then the opening quota (`sessions`) | an opening that writes its row |
//! | 4 | permit of the payer's account, then of the merchant's ([`in_flight_limits`]) | a transfer that is to be planned |
//! | 5 | token-account locks in the order of keys, the spender's own first ([`account_locks`]) | transfers, creations, refreshes |
//! | 6 | permit among all transfers ([`in_flight_limits`]) | a transfer that is planned next |
//! | 7 | creation of one recipient's account, then the count of them (`dispatch`) | a transfer to a missing account; an opening |
//! | 8 | write permit ([`write_throttle`]) | a ledger verb about many holds |
//!
//! [`single_flight`] never waits: who finds a key taken goes without. Every `std::sync::Mutex` is held for a few
//! instructions and never across an await.
//!
//! # What each is, when a second process runs beside this one
//! *Correctness*: money rules depend on it, so several processes need the database's word. *Limit*: it bounds what is
//! spent or waits, so several processes spend or wait several times as much. *Hint*: the ledger decides, and this only
//! spares work. `docs/ARCHITECTURE.md`, "Locks", lists all of them with their state.

pub(crate) mod account_locks;
pub(crate) mod idle_accounts;
pub(crate) mod in_flight_limits;
pub(crate) mod keyed_locks;
pub(crate) mod opening_lock;
pub(crate) mod single_flight;
pub(crate) mod wait_quota;
pub(crate) mod write_throttle;

use crate::facilitator::settings::{AllowancePolicy, Settings};
use account_locks::AccountLocks;
use idle_accounts::IdleAccounts;
use in_flight_limits::InFlightLimits;
use opening_lock::OpeningLocks;
use std::sync::Arc;
use wait_quota::WaitQuotas;
use write_throttle::WriteThrottle;

/// The locks of one facilitator.
pub(crate) struct Locks {
    pub(crate) accounts: AccountLocks,
    pub(crate) openings: OpeningLocks,
    pub(crate) in_flight: InFlightLimits,
    pub(crate) waits: WaitQuotas,
    pub(crate) writes: WriteThrottle,
    pub(crate) idle: Arc<IdleAccounts>,
}

impl Locks {
    pub(crate) fn new(settings: &Settings) -> Self {
        let on_idle = settings.transfers.decrypt_allowance == AllowancePolicy::Idle;
        Self {
            accounts: AccountLocks::default(),
            openings: OpeningLocks::default(),
            in_flight: InFlightLimits::new(&settings.dispatch),
            waits: WaitQuotas::new(&settings.waiting),
            writes: WriteThrottle::default(),
            idle: Arc::new(IdleAccounts::new(on_idle.then_some(settings.allowances))),
        }
    }
}
