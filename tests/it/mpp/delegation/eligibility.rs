//! Who is served: `not_eligible` and `temporarily_unavailable`, each with what to do about it, and what strangers leave of shared
//! limits.

use crate::support::{DelegationScene, HOME, Sent, Wallet, World, confirmation, offered, signed_by};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use solana_instruction::{AccountMeta, Instruction};
use sotto::{
    domain::mpp::{caps::CapRow, delegation::OnboardLimits},
    programs::spl_token::TokenProgram,
};

async fn not_eligible(scene: &DelegationScene, body: Value, text: &str) {
    let answer = scene.told(body, "not_eligible").await;
    let next = answer["next_step"].as_str().unwrap();
    assert!(next.contains(text), "{next}");
    assert!(answer.get("transactions").is_none(), "{answer:#}");
}

async fn not_now(scene: &DelegationScene, text: &str) {
    let answer = scene.told(json!({}), "temporarily_unavailable").await;
    let next = answer["next_step"].as_str().unwrap();
    assert!(next.contains(text), "{next}");
}

/// Guards: `too_poor`, `affordable`.
#[tokio::test]
async fn a_wallet_with_too_little_is_not_eligible() {
    let scene = DelegationScene::start().await;
    not_eligible(&scene, json!({ "deposit_atomic": "5000001" }), "less than the deposit").await;
    let poor = DelegationScene { buyer: scene.world.stranger(), world: scene.world };
    not_eligible(&poor, json!({}), "fund it").await;
    poor.world.gives_cash(&poor.buyer, 999_999).await;
    not_eligible(&poor, json!({}), "holds 999999").await;
    poor.world.gives_cash(&poor.buyer, 1).await;
    poor.next(json!({}), "create_session_account").await;
    poor.world.finish().await;
}

/// Guard: `not_served`.
#[tokio::test]
async fn a_wallet_that_is_not_listed_is_not_eligible() {
    let listed = Wallet::from_seed([7; 32]);
    let key = listed.key();
    let scene = DelegationScene::with(move |settings| settings.delegations.buyers = vec![key]).await;
    not_eligible(&scene, json!({}), "list").await;
    let scene = DelegationScene { buyer: listed, world: scene.world };
    scene.world.gives_cash(&scene.buyer, 1_000_000).await;
    scene.next(json!({}), "create_session_account").await;
    scene.world.finish().await;
}

fn token(scene: &DelegationScene, data: Vec<u8>, further: &[AccountMeta]) -> Instruction {
    let mut accounts = vec![AccountMeta::new(scene.account().address(), false)];
    accounts.extend_from_slice(further);
    accounts.push(AccountMeta::new_readonly(scene.buyer.key(), true));
    Instruction { program_id: TokenProgram::Token.address(), accounts, data }
}

/// Guards: `SessionAccount::check`. Another facilitator's delegate or close authority: two would cut each other's channels off.
#[tokio::test]
async fn an_account_of_another_facilitator_is_not_eligible() {
    for closes in [false, true] {
        let scene = DelegationScene::start().await;
        let (payer, rival) = (scene.world.stranger(), scene.world.stranger());
        let account = scene.account();
        let mut made = vec![account.create(&payer.key()), account.initialize()];
        made.push(if closes {
            account.set_close_authority(&rival.key())
        } else {
            account.approve(&rival.key(), sotto::domain::amount::Amount::new(5).unwrap())
        });
        scene.lands(&payer, &made, &[&scene.buyer]).await;
        not_eligible(&scene, json!({}), if closes { "close authority" } else { "delegated to somebody else" }).await;
        scene.world.finish().await;
    }
}

/// A session account that its owner made needs nothing of ours: it has its own rent, and keeps it.
#[tokio::test]
async fn an_account_of_the_buyers_own_is_granted_from_and_left_open() {
    let scene = DelegationScene::start().await;
    let payer = scene.world.stranger();
    let account = scene.account();
    scene.lands(&payer, &[account.create(&payer.key()), account.initialize()], &[&scene.buyer]).await;
    let signed = scene.next(json!({ "deposit_atomic": "1000000" }), "grant_role").await;
    scene.landed(signed, "ready").await;
    let (_, offered) = scene.leaves().await;
    scene.landed(scene.signed(&offered), "left").await;
    assert!(scene.session_account().unwrap().delegate.is_none(), "the buyer's rent stays the buyer's");
    scene.world.finish().await;
}

/// The account's owner gave it away: what stands at the address is not the buyer's.
#[tokio::test]
async fn an_account_that_belongs_to_somebody_else_is_not_eligible() {
    let scene = DelegationScene::start().await;
    let (payer, rival) = (scene.world.stranger(), scene.world.stranger());
    let account = scene.account();
    let give_away = token(&scene, [&[6, 2, 1], rival.key().as_ref()].concat(), &[]);
    let made = [account.create(&payer.key()), account.initialize(), give_away];
    scene.lands(&payer, &made, &[&scene.buyer]).await;
    not_eligible(&scene, json!({}), "not a usable one").await;
    scene.world.finish().await;
}

/// Guards: `too_many`, `over_rent`, through the route.
#[tokio::test]
async fn quotas_are_told_before_anything_is_signed() {
    let scene = DelegationScene::with(|settings| settings.delegations.limits.of_wallet_per_day = 1).await;
    scene.onboarded(json!({})).await;
    let answer = scene.told(json!({ "renew": true }), "temporarily_unavailable").await;
    assert!(answer["next_step"].as_str().unwrap().contains("onboardings of the day"), "{answer:#}");
    scene.world.finish().await;
    let scene = DelegationScene::with(|settings| settings.delegations.limits.rent_per_day = 1_000).await;
    not_now(&scene, "rent").await;
    scene.world.finish().await;
}

/// Guard: the look again in the record: what was offered before the limit was reached is not sent after it.
#[tokio::test]
async fn a_limit_that_is_reached_in_between_holds() {
    let scene = DelegationScene::with(|settings| settings.delegations.limits.per_hour = 2).await;
    let first = scene.next(json!({}), "create_session_account").await;
    let other = DelegationScene { buyer: scene.world.stranger(), world: scene.world };
    other.world.gives_cash(&other.buyer, 1_000_000).await;
    other.onboarded(json!({})).await;
    let scene = DelegationScene { buyer: scene.buyer, world: other.world };
    let refused = scene.refused(first, 429, "global_settle_cap_exceeded").await;
    assert!(refused["detail"].as_str().unwrap().contains("hour"), "{refused:#}");
    assert!(scene.session_account().is_none());
    scene.world.finish().await;
}

/// Guard: `round_payer`.
#[tokio::test]
async fn a_sponsor_without_sol_serves_nobody_for_now() {
    let mut scene = DelegationScene::start().await;
    scene.world.kill().await;
    scene.world.configure(|settings| settings.low_balance = u64::MAX / 2);
    scene.world.boot().await;
    not_now(&scene, "fund").await;
    scene.world.finish().await;
}

/// A hundred wallets with one token each take what strangers may, and a wallet that is known finds its half.
#[tokio::test]
async fn a_hundred_wallets_close_nobodys_hour() {
    let known = Wallet::from_seed([9; 32]);
    let key = known.key();
    let scene = DelegationScene::with(move |settings| {
        settings.known_wallets = vec![key];
        settings.delegations.limits = OnboardLimits { per_hour: 20, ..settings.delegations.limits };
        settings.caps.concurrency = CapRow::default();
    })
    .await;
    let crowd: Vec<Wallet> = (0..100).map(|_| scene.world.stranger()).collect();
    for wallet in &crowd {
        scene.world.net.cash().fund(&wallet.key(), 1_000_000).unwrap();
    }
    scene.world.gives_cash(&known, 1_000_000).await;
    let world = scene.world;
    let tries = stream::iter(crowd).map(|wallet| {
        let world = &world;
        async move { onboards(world, &wallet).await }
    });
    let landed = tries.buffer_unordered(8).filter(|landed| std::future::ready(*landed)).count().await;
    assert_eq!(landed, 10, "half of what all share");
    assert!(onboards(&world, &known).await, "the other half is for those who are known");
    world.finish().await;
}

/// Whether a wallet is onboarded.
async fn onboards(world: &World, wallet: &Wallet) -> bool {
    let post = async |path: &'static str, mut body: Value| {
        body["buyer_wallet"] = json!(wallet.key().to_string());
        let sign_in = Some(world.signs_in(wallet, |_| ()));
        world.sends(&Sent { path, body, sign_in, from: HOME, origin: None }).await
    };
    let (_, answer) = post("/api/sessions/onboard", json!({})).await;
    if answer["status"] != "transactions_required" {
        return false;
    }
    post("/api/sessions/onboard/confirm", confirmation(&signed_by(wallet, offered(&answer)))).await.0 == 200
}
