//! Budgets that all share: strangers use one up, and an honest payer is served all the same, or what they lose is stated.

use super::{has_paid_for_days, with_sol};
use crate::support::{Options, Wallet, World};
use serde_json::{Value, json};
use sotto::{
    domain::{
        amount::Amount,
        budget::{Budgets, Part, Scope},
    },
    facilitator::{AllowancePolicy, AllowanceSettings, Settings},
};
use std::time::Duration;

/// The largest grant of an opening, in lamports.
const GRANT: u64 = 2_000_000;
/// The rent of two decrypt allowances, in lamports.
const PAIR: u64 = 2 * 960_480;
/// The fee of a transfer, in lamports.
const TRANSFER: u64 = 10_000;

fn bounded(part: Part, scope: Scope, lamports: u64) -> Options {
    Options::settings(move |settings: &mut Settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        settings.budgets = Budgets::default().with(scope, part, lamports);
    })
}

async fn opens(world: &World, payer: &Wallet, merchant: &Wallet, grant: u64) -> (u16, Value) {
    let mut opening = world.opening(payer, &merchant.key(), 1_000);
    opening.grant = grant;
    world.post("/sessions", &world.opening_body(&opening).await).await
}

async fn pays(world: &World, session: &Value, merchant: &Wallet, units: u64) -> Value {
    let session = session["sessionId"].as_str().unwrap();
    world.post("/settle", &world.payment(session, &merchant.key(), units, None)).await.1
}

/// A budget of the default configuration, in lamports.
fn by_default(key: &str) -> u64 {
    let line = sotto::config::DEFAULTS.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    line.unwrap().parse().unwrap()
}

/// The budgets of the default configuration, scaled so that a wallet that proves nothing has an approve and three transfers of
/// dust: the limits of a user, of all newcomers and of everybody stand to each other as they are shipped.
fn scaled(of_wallet: u64) -> Budgets {
    let start = by_default("unproven_user_hour_lamports");
    let scopes = [
        (Scope::UnprovenUserHour, "unproven_user_hour_lamports"),
        (Scope::UserHour, "user_hour_lamports"),
        (Scope::MerchantHour, "merchant_hour_lamports"),
        (Scope::NewcomersHour, "newcomers_hour_lamports"),
        (Scope::NewcomersDay, "newcomers_day_lamports"),
        (Scope::Hour, "hour_lamports"),
        (Scope::Day, "day_lamports"),
    ];
    let part = |scope| if scope == Scope::UnprovenUserHour { Part::Fee } else { Part::Total };
    scopes.into_iter().fold(Budgets::default(), |budgets, (scope, key)| {
        budgets.with(scope, part(scope), by_default(key) / start * of_wallet)
    })
}

/// A wallet with SOL of its own opens a session, for which we pay a signature.
async fn opens_at_own_cost(world: &World, payer: &Wallet, merchant: &Wallet) -> (u16, Value) {
    with_sol(world, payer).await;
    let mut opening = world.opening(payer, &merchant.key(), 100);
    opening.grant = 0;
    let approve = world.approve_instructions(&opening).await.pop().unwrap();
    let approve = world.sign_as_user(payer, &[approve]).await;
    world.post("/sessions", &world.opening_body_with(&opening, &approve)).await
}

/// Lamports that the ledger says were spent.
async fn spent(world: &World) -> u64 {
    world.ledger().spending(0).await.unwrap().iter().map(|row| row.spent.total()).sum()
}

/// Pays dust until it is refused for this word; gives how often it was paid.
async fn dust_until(world: &World, session: &Value, merchant: &Wallet, word: &str) -> u64 {
    for paid in 0.. {
        let told = pays(world, session, merchant, 1).await;
        if told["success"] != json!(true) {
            assert_eq!(told["errorReason"], json!(word), "{told:#}");
            return paid;
        }
    }
    0
}

/// Guard: `Scope::counts` and how small a user's start is beside what all newcomers have. Each call pays one base unit and costs
/// us a fee; ten wallets that prove nothing take ten of the 2,500 starts that newcomers have in an hour.
#[tokio::test]
async fn dust_of_a_few_users_leaves_the_others_their_budget() {
    let of_wallet = 3 * TRANSFER;
    let world = World::with(Options::settings(move |settings: &mut Settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        settings.budgets = scaled(of_wallet);
    }))
    .await;
    let starts = by_default("newcomers_hour_lamports") / by_default("unproven_user_hour_lamports");
    assert_eq!((starts, by_default("hour_lamports")), (2_500, 2 * by_default("newcomers_hour_lamports")));
    let merchant = world.wallet(0).await;
    let before = spent(&world).await;
    for number in 0..10 {
        let payer = world.wallet(100).await;
        let (status, opened) = opens_at_own_cost(&world, &payer, &merchant).await;
        assert_eq!(status, 201, "the budget of all is used up by {number}: {opened:#}");
        assert_eq!(dust_until(&world, &opened, &merchant, "payer_settle_cap_exceeded").await, 3);
    }
    world.quiet().await;
    // With the signature of its opening.
    let each = of_wallet + 10_000;
    assert_eq!(spent(&world).await - before, 10 * each, "what they cost, and no lamport more");
    let payer = world.wallet(100).await;
    let (status, opened) = opens_at_own_cost(&world, &payer, &merchant).await;
    assert_eq!(status, 201, "another user opens: {opened:#}");
    assert_eq!(pays(&world, &opened, &merchant, 1).await["success"], json!(true));
    world.finish().await;
}

/// Guard: `hour_grant_lamports` counts grants alone. Strangers use up the hour's grants; who needs none is not concerned, and
/// who needs one is told when to come back.
#[tokio::test]
async fn a12_strangers_use_up_the_grants_of_an_hour_and_whoever_needs_none_opens_and_pays() {
    let world = World::with(bounded(Part::Grant, Scope::Hour, 3 * GRANT)).await;
    let merchant = world.wallet(0).await;
    for _ in 0..3 {
        let (status, opened) = opens(&world, &world.wallet(0).await, &merchant, GRANT).await;
        assert_eq!(status, 201, "{opened:#}");
    }
    let (status, refused) = opens(&world, &world.wallet(100).await, &merchant, GRANT).await;
    assert_eq!((status, &refused["error"]), (429, &json!("quota_exceeded")), "the stated loss: {refused:#}");
    let honest = world.wallet(1_000).await;
    with_sol(&world, &honest).await;
    let (status, opened) = opens(&world, &honest, &merchant, 0).await;
    assert_eq!(status, 201, "{opened:#}");
    assert_eq!(pays(&world, &opened, &merchant, 100).await["success"], json!(true));
    assert_eq!(world.units(&merchant), 100);
    world.finish().await;
}

/// Guards: `hour_rent_lamports` counts rent alone, and `may_go_without`. Strangers have all decrypt allowances of an hour bought;
/// an honest payment is made without them, and its balances are unreadable until the next hour.
#[tokio::test]
async fn a13_strangers_use_up_the_rent_of_an_hour_and_payments_go_on_without_allowances() {
    // The approve of an opening is booked with the rent of an account that may have to be made, until it has landed.
    let limit = PAIR + 2_500_000;
    let world = World::with(Options::settings(move |settings| {
        settings.budgets = Budgets::default().with(Scope::Hour, Part::Rent, limit);
        settings.transfers.decrypt_allowance = AllowancePolicy::Idle;
        settings.allowances = AllowanceSettings {
            min_moved: Amount::ZERO,
            idle_after: Duration::from_hours(1),
            min_interval: Duration::ZERO,
            max_age: Duration::ZERO,
            request_interval: Duration::ZERO,
        };
    }))
    .await;
    let merchant = world.wallet(0).await;
    let (_, stranger) = opens(&world, &world.wallet(1_000).await, &merchant, GRANT).await;
    let (_, honest) = opens(&world, &world.wallet(1_000).await, &merchant, GRANT).await;
    let before = world.ledger().totals(None).await.unwrap();
    for _ in 0..6 {
        assert_eq!(pays(&world, &stranger, &merchant, 100).await["success"], json!(true));
    }
    let taken = world.ledger().totals(None).await.unwrap().rent - before.rent;
    assert!((PAIR..=limit).contains(&taken), "{taken} of {limit}");
    for _ in 0..3 {
        assert_eq!(pays(&world, &honest, &merchant, 100).await["success"], json!(true), "without the right to read");
    }
    let after = world.ledger().totals(None).await.unwrap();
    assert_eq!(after.rent - before.rent, taken, "nothing more is bought");
    assert_eq!(world.units(&merchant), 900);
    world.quiet().await;
    world.finish().await;
}

/// Guard: `Scope::counts`. Strangers use up what is there for all without credit; whoever has credit pays on.
#[tokio::test]
async fn a12_strangers_use_up_what_newcomers_have_and_a_payer_with_credit_pays_on() {
    let world = World::with(bounded(Part::Fee, Scope::NewcomersHour, 4 * TRANSFER)).await;
    let (merchant, honest) = (world.wallet(0).await, world.wallet(1_000).await);
    has_paid_for_days(&world, &honest.key());
    let newcomer = world.wallet(1_000).await;
    for payer in [&honest, &newcomer] {
        with_sol(&world, payer).await;
    }
    let (status, known) = opens(&world, &honest, &merchant, 0).await;
    assert_eq!(status, 201, "{known:#}");
    let (status, stranger) = opens(&world, &newcomer, &merchant, 0).await;
    assert_eq!(status, 201, "{stranger:#}");
    let mut told = Vec::new();
    for _ in 0..8 {
        told.push(pays(&world, &stranger, &merchant, 100).await);
    }
    let last = told.last().unwrap();
    assert_eq!(last["errorReason"], json!("global_settle_cap_exceeded"), "{last:#}");
    for _ in 0..5 {
        let paid = pays(&world, &known, &merchant, 100).await;
        assert_eq!(paid["success"], json!(true), "{paid:#}");
    }
    world.quiet().await;
    world.finish().await;
}
