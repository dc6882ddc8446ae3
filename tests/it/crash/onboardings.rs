//! The crash loop for delegations: a process dies at every call it makes while a wallet is onboarded and leaves, before and after
//! the call's effect. Whatever was sent is known afterwards, nothing is sent twice, and the wallet ends with what it had.

use super::{
    fate::{Fate, Last},
    lives, process, wait_until_settled,
};
use crate::support::{
    Engine, Options, Wallet, World,
    engine::{cases, each_engine},
    quiet, signed_by, wire,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sotto::{
    domain::{
        amount::Amount,
        mpp::{
            delegation::{DelegationState, IssuedKind, Renewal},
            siwx::{Proof, SignIn},
        },
    },
    facilitator::{CallerPlace, ConfirmRequest, Facilitator, OnboardAnswer, OnboardRequest, SentSignIn, ToSign},
    ledger::{DelegationKey, Ledger},
    wire::mpp::siwx::SignedIn,
};
use std::{net::Ipv4Addr, sync::Arc};

/// What a buyer starts with, in base units.
const CASH: u64 = 1_000_000;

fn options(engine: Engine) -> Options {
    Options { settings: Box::new(super::bound), ..Options::mpp() }.on(engine)
}

fn request(buyer: &Wallet) -> OnboardRequest {
    OnboardRequest {
        wallet: buyer.key(),
        limit: Amount::new(2_000_000).unwrap(),
        ttl: 3_600,
        deposit: None,
        seller: None,
        renewal: Renewal::WhenNeeded,
    }
}

fn signs_in(world: &World, buyer: &Wallet, change: impl FnOnce(&mut SignIn)) -> SentSignIn {
    let SignedIn { sign_in, signature } = SignedIn::decode(Some(&world.signs_in(buyer, change))).unwrap();
    SentSignIn { sign_in, signature }
}

fn place() -> CallerPlace {
    CallerPlace { address: Some(Ipv4Addr::LOCALHOST.into()), prefix: Some(1), ..CallerPlace::default() }
}

/// Signs what was issued and confirms it, twice, as a client does that is impatient. What is refused is asked for anew by others.
async fn confirms(world: &World, facilitator: &Arc<Facilitator>, buyer: &Wallet, to_sign: &ToSign) {
    let signed = signed_by(buyer, wincode::deserialize(&to_sign.wire).unwrap());
    let request = ConfirmRequest { wallet: buyer.key(), transactions: vec![BASE64_STANDARD.encode(wire(&signed))] };
    for _ in 0..2 {
        let _ = facilitator.confirm_onboarding(&signs_in(world, buyer, |_| ()), &request, &place()).await;
    }
}

/// Is onboarded, renews the grant, and leaves.
async fn live(world: &World, facilitator: &Arc<Facilitator>, buyer: &Wallet) {
    let sign_in = signs_in(world, buyer, |_| ());
    for renewal in [Renewal::WhenNeeded, Renewal::Asked] {
        let request = OnboardRequest { renewal, ..request(buyer) };
        if let Ok(OnboardAnswer::Sign(to_sign)) = facilitator.onboard(&sign_in, &request, &place()).await {
            confirms(world, facilitator, buyer, &to_sign).await;
        }
    }
    let _ = facilitator.onboard(&sign_in, &request(buyer), &place()).await;
    let proof = signs_in(world, buyer, |sign_in| sign_in.resources = Proof::Leave.resources());
    for _ in 0..2 {
        if let Ok(to_sign) = facilitator.leave_mpp(&proof, buyer.key()).await {
            assert_eq!(to_sign.kind, IssuedKind::Leave);
            confirms(world, facilitator, buyer, &to_sign).await;
        }
    }
    let _ = facilitator.onboard_status(&sign_in, buyer.key(), &place()).await;
}

async fn die_and_recover(world: Arc<World>, last: Last, after_effect: bool) -> Arc<Fate> {
    let world = &*world;
    let name = format!("onboarding-{last:?}-{after_effect}");
    let ledger = world.open_ledger(&name).await;
    let buyer = world.stranger();
    world.gives_cash(&buyer, CASH).await;
    let fate = Fate::at(last, after_effect);
    let first = process(world, &ledger, &fate);
    tokio::select! {
        () = live(world, &first, &buyer) => {}
        () = fate.dead.cancelled() => {}
    }
    first.stop().await;
    drop(first);

    let second = process(world, &ledger, &Fate::immortal());
    second.recover().await.unwrap();
    wait_until_settled(&*ledger, &name).await;
    check(world, &*ledger, &buyer, &name).await;
    // Whatever was left, another life finishes it.
    live(world, &second, &buyer).await;
    quiet(&*ledger).await;
    second.stop().await;
    check(world, &*ledger, &buyer, &name).await;
    fate
}

/// The ledger says what the chain says, and the wallet has what it had.
async fn check(world: &World, ledger: &dyn Ledger, buyer: &Wallet, name: &str) {
    ledger.audit().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let mint = world.net.cash().mint();
    let known = ledger.delegation(&DelegationKey::Buyer(buyer.key(), mint)).await.unwrap();
    let account = known.as_ref().and_then(|known| world.spl_account(&known.account));
    let inside = account.as_ref().map_or(0, |account| account.amount);
    assert_eq!(world.cash(buyer) + inside, CASH, "{name}: nothing is lost");
    let granted = account.and_then(|account| account.delegate);
    let active = known.as_ref().filter(|known| known.state == DelegationState::Active);
    assert_eq!(granted, active.and_then(|known| known.grant).map(|grant| grant.terms.delegate), "{name}: {known:?}");
    let bookings = ledger.spending(0).await.unwrap();
    assert!(bookings.iter().all(|row| row.reserved.total() == 0), "{name}: {bookings:?}");
}

each_engine! { cases
    a_process_that_dies_at_any_call_onboards_and_gives_back,
}

/// A life that nobody ends.
pub(super) async fn undisturbed(engine: Engine) -> Arc<Fate> {
    lives::undisturbed(options(engine), die_and_recover).await
}

async fn a_process_that_dies_at_any_call_onboards_and_gives_back(engine: Engine) {
    lives::end_at_every_call(|| options(engine), die_and_recover).await;
}
