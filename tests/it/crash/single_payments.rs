//! The crash loop for single payments: a process dies at every call it makes while it offers one and carries it out, before and
//! after the call's effect. What was signed is paid at most once, and what was told as paid has moved.

use super::{
    PRICE, PURSE,
    fate::{Fate, Last},
    lives, process, wait_until_settled,
};
use crate::support::{
    Engine, Options, Wallet, World,
    engine::{cases, each_engine},
    quiet, signed_by,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    chain::transaction::SettleInstruction,
    domain::{
        amount::Amount,
        hold::ContentHash,
        reason::PayReason,
        single_payment::{SingleCompletion, SingleKey, SinglePayment, SingleRequirements, SingleState},
    },
    facilitator::{AllowancePolicy, Facilitator, InstructionChoice, Settings},
    ledger::Ledger,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

fn settings(settings: &mut Settings) {
    settings.transfers.settle_instruction = InstructionChoice::Fixed(SettleInstruction::Transfer);
    settings.transfers.decrypt_allowance = AllowancePolicy::Never;
    super::bound(settings);
}

/// What one life works with.
struct Till {
    payer: Wallet,
    merchant: Wallet,
    payment: SinglePayment,
}

impl Till {
    /// A payer who has signed a message; any facilitator of the world knows its ciphertext.
    async fn set(world: &World, facilitator: &Facilitator, name: &str) -> Self {
        let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
        let amount = Amount::new(PRICE).unwrap();
        let message = format!("a payment of {name}").into_bytes();
        let payment = SinglePayment {
            payer: payer.key(),
            recipient: merchant.key(),
            asset: world.faucet.mint(),
            amount,
            nonce: "one".to_owned(),
            network: "solana:devnet".to_owned(),
            ciphertext: facilitator.encrypt_amount(amount).unwrap(),
            signature: payer.sign(&message),
            message,
            content: ContentHash([7; 32]),
            source: None,
            destination: None,
            funding: None,
            funding_required: false,
        };
        Self { payer, merchant, payment }
    }

    fn signed(&self, wire: &[u8]) -> SingleCompletion {
        let issued: VersionedTransaction = wincode::deserialize(wire).unwrap();
        let transaction = BASE64_STANDARD.encode(wincode::serialize(&signed_by(&self.payer, issued)).unwrap());
        SingleCompletion { transaction, authorization: None, required: SingleRequirements::default() }
    }
}

/// Asks for the transaction, signs it and sends it, twice, as a payer does who is impatient. Counts how often that was a
/// success.
async fn live(facilitator: &Arc<Facilitator>, till: &Till, told: &AtomicU64) {
    let Ok(unsigned) = facilitator.offer_single(&till.payment, None).await else { return };
    let completion = till.signed(&unsigned.wire);
    for _ in 0..2 {
        told.fetch_add(u64::from(facilitator.pay_single(&completion).await.is_ok()), Ordering::SeqCst);
    }
}

async fn die_and_recover(world: Arc<World>, last: Last, after_effect: bool) -> Arc<Fate> {
    let world = &*world;
    let name = format!("single-{last:?}-{after_effect}");
    let ledger = world.open_ledger(&name).await;
    let (fate, told) = (Fate::at(last, after_effect), AtomicU64::new(0));
    let first = process(world, &ledger, &fate);
    let till = Till::set(world, &first, &name).await;
    tokio::select! {
        () = live(&first, &till, &told) => {}
        () = fate.dead.cancelled() => {}
    }
    first.stop().await;
    drop(first);

    let second = process(world, &ledger, &Fate::immortal());
    second.recover().await.unwrap();
    wait_until_settled(&*ledger, &name).await;
    // The payer comes again with the same message, as a client does that never got its answers.
    live(&second, &till, &told).await;
    quiet(&*ledger).await;
    second.stop().await;
    check(world, &*ledger, &till, &name, told.into_inner()).await;
    fate
}

async fn check(world: &World, ledger: &dyn Ledger, till: &Till, name: &str, told: u64) {
    ledger.audit().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let received = world.units(&till.merchant);
    let paid = ledger.totals(None).await.unwrap().single.get();
    assert_eq!(paid, received, "{name}: the books agree with the chain");
    assert_eq!(world.units(&till.payer), PURSE - received, "{name}: nothing is lost");
    let key = SingleKey::Nonce(till.payer.key(), till.payment.nonce.clone());
    let single = ledger.find_single(&key).await.unwrap().expect("is recorded");
    match single.state {
        SingleState::Landed { .. } => assert_eq!(received, PRICE, "{name}: it is paid, and once"),
        // A machine that was busy for the life of a blockhash.
        state => {
            assert_eq!(
                (state, received),
                (SingleState::Released { reason: PayReason::SettlementExpired }, 0),
                "{name}"
            );
        }
    }
    assert!(told <= 1, "{name}: success is told at most once");
    let bookings = ledger.spending(0).await.unwrap();
    assert!(bookings.iter().all(|row| row.reserved.total() == 0), "{name}: {bookings:?}");
}

each_engine! { cases
    a_process_that_dies_at_any_call_pays_a_single_payment_once,
}

/// A life that nobody ends.
pub(super) async fn undisturbed(engine: Engine) -> Arc<Fate> {
    lives::undisturbed(Options::settings(settings).on(engine), die_and_recover).await
}

async fn a_process_that_dies_at_any_call_pays_a_single_payment_once(engine: Engine) {
    lives::end_at_every_call(|| Options::settings(settings).on(engine), die_and_recover).await;
}
