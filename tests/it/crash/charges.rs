//! The crash loop for charges: a process dies at every call it makes while it settles one, before and after the call's effect. What
//! a buyer signed moves at most once, and its success is told at most once.

use super::{
    fate::{Fate, Last},
    lives, process, wait_until_settled,
};
use crate::support::{
    Engine, Options, Wallet, World, charged,
    engine::{cases, each_engine},
    quiet, wire,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    domain::{hold::ContentHash, mpp::recorded_charge::ChargeState},
    facilitator::{ChargeOrder, Facilitator},
    ledger::Ledger,
    programs::charge::ChargeDraft,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// What is paid, in base units.
const UNITS: u64 = 10_000;
/// What a buyer starts with.
const CASH: u64 = 1_000_000;

fn options(engine: Engine) -> Options {
    Options { settings: Box::new(super::bound), ..Options::mpp() }.on(engine)
}

/// What one life works with.
struct Till {
    buyer: Wallet,
    seller: Wallet,
    transaction: VersionedTransaction,
    order: ChargeOrder,
}

impl Till {
    /// A buyer who has signed what a seller asks for.
    async fn set(world: &World, facilitator: &Facilitator) -> Self {
        let (buyer, seller) = (world.stranger(), world.stranger());
        world.gives_cash(&buyer, CASH).await;
        world.gives_cash(&seller, 0).await;
        let prepared = facilitator.prepare_charge(None).await.unwrap();
        let transfer = world.cash_transfer(&buyer, &seller.key(), UNITS);
        let instructions = ChargeDraft::new(transfer, None).instructions();
        let transaction = charged(&prepared.fee_payer, &instructions, prepared.blockhash, &[&buyer]);
        let order = ChargeOrder {
            transaction: BASE64_STANDARD.encode(wire(&transaction)),
            recipient: seller.key(),
            amount: UNITS.to_string(),
            asset: None,
            network: None,
            idempotency_key: None,
        };
        Self { buyer, seller, transaction, order }
    }

    fn message(&self) -> ContentHash {
        ContentHash(Sha256::digest(self.transaction.message.serialize()).into())
    }
}

/// Settles, twice, as a seller does who is impatient. Counts how often that was a success.
async fn live(facilitator: &Arc<Facilitator>, till: &Till, told: &AtomicU64) {
    for _ in 0..2 {
        let settled = facilitator.settle_charge(&till.order, Some(7)).await;
        told.fetch_add(u64::from(settled.is_ok()), Ordering::SeqCst);
    }
}

async fn die_and_recover(world: Arc<World>, last: Last, after_effect: bool) -> Arc<Fate> {
    let world = &*world;
    let name = format!("charge-{last:?}-{after_effect}");
    let ledger = world.open_ledger(&name).await;
    // Whoever prepared it is another process: what is told lately of a blockhash is this one's alone.
    let seller = process(world, &ledger, &Fate::immortal());
    let till = Till::set(world, &seller).await;
    seller.stop().await;
    drop(seller);
    let (fate, told) = (Fate::at(last, after_effect), AtomicU64::new(0));
    let first = process(world, &ledger, &fate);
    tokio::select! {
        () = live(&first, &till, &told) => {}
        () = fate.dead.cancelled() => {}
    }
    first.stop().await;
    drop(first);

    let second = process(world, &ledger, &Fate::immortal());
    second.recover().await.unwrap();
    wait_until_settled(&*ledger, &name).await;
    live(&second, &till, &told).await;
    quiet(&*ledger).await;
    second.stop().await;
    check(world, &*ledger, &till, &name, told.into_inner()).await;
    fate
}

async fn check(world: &World, ledger: &dyn Ledger, till: &Till, name: &str, told: u64) {
    ledger.audit().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let received = world.cash(&till.seller);
    assert_eq!(world.cash(&till.buyer), CASH - received, "{name}: nothing is lost");
    assert!(told <= 1, "{name}: success is told at most once");
    let bookings = ledger.spending(0).await.unwrap();
    assert!(bookings.iter().all(|row| row.reserved.total() == 0), "{name}: {bookings:?}");
    // A machine that was busy for the life of a blockhash leaves no charge, or one that expired.
    let Some(known) = ledger.find_charge(&till.message()).await.unwrap() else {
        return assert_eq!((received, told), (0, 0), "{name}");
    };
    match known.state {
        ChargeState::Landed { .. } => {
            assert_eq!(received, UNITS, "{name}: it is paid, and once");
            assert!(known.told.is_some(), "{name}: the first repeat is told");
        }
        state => assert_eq!((state, received, told), (ChargeState::Expired, 0, 0), "{name}"),
    }
}

each_engine! { cases
    a_process_that_dies_at_any_call_settles_a_charge_once,
}

/// A life that nobody ends.
pub(super) async fn undisturbed(engine: Engine) -> Arc<Fate> {
    lives::undisturbed(options(engine), die_and_recover).await
}

async fn a_process_that_dies_at_any_call_settles_a_charge_once(engine: Engine) {
    lives::end_at_every_call(|| options(engine), die_and_recover).await;
}
