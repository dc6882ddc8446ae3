//! Payers and merchants who change the chain under our feet.

use super::{Shop, Trace, is_not_opened, lands_by_itself, sends, with_sol};
use crate::support::{Options, Wallet, World};
use serde_json::json;
use solana_signer::Signer as _;
use sotto::facilitator::AllowancePolicy;

fn revoke(shop: &Shop) {
    let source = shop.world.programs.token_account(&shop.payer.key(), &shop.world.faucet.mint());
    lands_by_itself(&shop.world, &shop.payer, &[shop.world.programs.revoke(&source, &shop.payer.key())]);
}

/// Guard: the simulation before every settlement that buys allowances, and `explain_failure`.
#[tokio::test]
async fn who_revokes_pays_nothing_gets_nothing_and_costs_nothing() {
    let shop = Shop::open(Options::default(), 1_000_000).await;
    with_sol(&shop.world, &shop.payer).await;
    shop.pays(1_000, None).await;
    revoke(&shop);
    shop.world.confirmed().await;
    shop.world.quiet().await;
    let before = Trace::of(&shop.world).await;
    let (_, answer) = shop.settle(1_000, None).await;
    assert_eq!(answer["errorReason"], "session_revoked", "{answer:#}");
    shop.is_refused(1_000, None, "session_revoked").await;
    assert_eq!(Trace::of(&shop.world).await, before);
    shop.closes().await;
}

/// Guards: `Failed` is final before it is told; what failed on chain is looked into, so that a revoked delegation burns
/// one fee and not one for each further request.
#[tokio::test]
async fn a_revoke_between_signing_and_landing_burns_one_fee_at_most() {
    for policy in [AllowancePolicy::Every, AllowancePolicy::Never] {
        let options = Options::settings(move |settings| settings.transfers.decrypt_allowance = policy);
        let shop = Shop::open(options, 1_000_000).await;
        with_sol(&shop.world, &shop.payer).await;
        shop.pays(1_000, None).await;
        shop.world.quiet().await;
        let before = Trace::of(&shop.world).await;
        // A node that stands still executes in the order of arrival: the revoke comes first.
        shop.world.net.faults().change(|plan| plan.frozen = true);
        revoke(&shop);
        shop.world.net.network().reset_request_counts();
        let (_, answer) = {
            let payment = shop.settle(1_000, Some("revoked-under-way-1"));
            let thaw = async {
                let counts = || shop.world.net.network().request_counts();
                shop.world.until("it is sent", async || counts().contains_key("sendTransaction")).await;
                shop.world.net.faults().clear();
            };
            tokio::join!(payment, thaw).0
        };
        // With allowances it might have been a stranger who came first, so it is looked at again before it is refused.
        let every = policy == AllowancePolicy::Every;
        let reason = if every { "session_revoked" } else { "onchain_transfer_failed" };
        assert_eq!(answer["errorReason"], reason, "{policy:?}: {answer:#}");
        let once = Trace::of(&shop.world).await;
        assert_eq!(once.totals.captured, before.totals.captured);
        for _ in 0..3 {
            shop.is_refused(1_000, None, "session_revoked").await;
        }
        assert_eq!(Trace::of(&shop.world).await, once, "{policy:?}: one fee, then none");
        assert_eq!(once.totals.held.get(), 0, "the hold went back");
        shop.closes().await;
    }
}

fn freeze(world: &World, wallet: &Wallet) {
    let account = world.programs.token_account(&wallet.key(), &world.faucet.mint());
    let authority = Wallet::from_seed(*world.faucet.authority().secret_bytes());
    assert_eq!(authority.key(), world.faucet.authority().pubkey());
    let freeze = world.programs.freeze_account(&account, &world.faucet.mint(), &authority.key());
    lands_by_itself(world, &authority, &[freeze]);
}

/// Guards: `usable` at the opening; the simulation at the settlement.
#[tokio::test]
async fn frozen_accounts_neither_open_nor_pay_nor_cost() {
    let shop = Shop::open(Options::default(), 1_000_000).await;
    let world = &shop.world;
    freeze(world, &shop.payer);
    world.confirmed().await;
    let before = Trace::of(world).await;
    let (_, answer) = shop.settle(1_000, None).await;
    assert_eq!(answer["errorReason"], "simulation_failed", "{answer:#}");
    assert_eq!(Trace::of(world).await, before);
    // Made out before its account is frozen, so that it can be made out at all.
    let (other, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let as_payer = world.opening_body(&world.opening(&other, &merchant.key(), 10)).await;
    freeze(world, &other);
    world.confirmed().await;
    is_not_opened(world, &as_payer, 400, "source_not_ready").await;
    let third = world.wallet(100).await;
    let to_frozen = world.opening_body(&world.opening(&third, &other.key(), 10)).await;
    is_not_opened(world, &to_frozen, 400, "recipient_not_ready").await;
    assert_eq!(Trace::of(world).await, before);
    shop.closes().await;
}

/// Guard: `check_terms`: a user who pays themselves makes us pay the fees.
#[tokio::test]
async fn nobody_pays_themselves() {
    let world = World::start().await;
    let payer = world.wallet(100).await;
    let before = Trace::of(&world).await;
    let body = world.opening_body(&world.opening(&payer, &payer.key(), 10)).await;
    is_not_opened(&world, &body, 400, "invalid_recipient").await;
    assert_eq!(Trace::of(&world).await, before);
    world.finish().await;
}

/// Guard: `check_terms` refuses our own keys as recipients: what a session pays to us would be in the one account whose
/// key signs for everybody.
#[tokio::test]
async fn our_own_keys_are_no_recipients() {
    let world = World::with(Options { separate_fee_payer: true, ..Options::default() }).await;
    let payer = world.wallet(100).await;
    let before = Trace::of(&world).await;
    for ours in [world.spender(), world.fee_payer()] {
        let body = world.opening_body(&world.opening(&payer, &ours, 10)).await;
        is_not_opened(&world, &body, 400, "invalid_recipient").await;
    }
    assert_eq!(Trace::of(&world).await, before);
    world.finish().await;
}

/// Guard: `inspect`'s `OurselvesAsUser`, and that nobody has our signature over an intent.
#[tokio::test]
async fn we_are_nobodys_payer() {
    let world = World::start().await;
    let (thief, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let opening = world.opening(&thief, &merchant.key(), 10);
    let mut body = world.opening_body(&opening).await;
    body["user"] = json!(world.spender().to_string());
    is_not_opened(&world, &body, 400, "invalid_auth_signature").await;
    world.finish().await;
}

/// Guard: per-session sums, `may_hold`; two sessions of one payer to two merchants never get each other's money.
#[tokio::test]
async fn one_merchants_session_does_not_pay_another() {
    let shop = Shop::open(Options::default(), 1_000_000).await;
    let other = shop.world.wallet(0).await;
    let mut body = shop.world.payment(&shop.session, &other.key(), 1_000, None);
    super::is_refused_everywhere(&shop.world, &body, "recipient_mismatch").await;
    // Not even when the requirements name the right one and the payer accepted another.
    body["paymentRequirements"]["payTo"] = json!(shop.merchant.key().to_string());
    super::is_refused_everywhere(&shop.world, &body, "accepted_mismatch").await;
    assert_eq!((shop.world.units(&other), shop.world.units(&shop.merchant)), (0, 0));
    shop.closes().await;
}

/// Guard: waiters leave the register when their request is dropped: callers who hang up leave nothing behind, and what
/// they paid for is told to the next who asks.
#[tokio::test]
async fn who_hangs_up_is_charged_once_and_told_later() {
    let shop = Shop::open(Options::default(), 1_000_000).await;
    let body = shop.payment(1_000, Some("hung-up-nonce-0001"));
    for _ in 0..5 {
        let request = sends(&shop.world, "/settle", &body);
        tokio::task::yield_now().await;
        request.abort();
        let _ = request.await;
    }
    let (_, answer) = shop.world.post("/settle", &body).await;
    assert!(answer["success"] == json!(true) || answer["errorReason"] == "settlement_expired", "{answer:#}");
    shop.world.quiet().await;
    assert_eq!(shop.world.ledger().totals(None).await.unwrap().held.get(), 0);
    assert!(shop.world.units(&shop.merchant) <= 1_000);
    shop.closes().await;
}
