//! Recipients' accounts as a farm (A3): who owns one can close it and keep the rent that we paid, and fresh keys cost nothing.
//! What docs/TRUST.md names as the bound is what these thieves get at most.

use super::{Trace, funding, is_not_opened, is_refused_everywhere, lands_by_itself, with_sol};
use crate::support::{Options, Wallet, World};
use futures_util::future::join_all;
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    domain::{amount::Amount, funding::FundingPolicy, settlement::Purpose},
    facilitator::{AllowancePolicy, Settings},
};
use std::time::Duration;

/// The rent of one account, in lamports.
const RENT: u64 = 2_429_040;
/// What one costs us with the fee of its transaction, as docs/TRUST.md says.
const ONE: u64 = 2_434_040;
/// The smallest payment that creates one here, in base units.
const LEAST: u64 = 1_000;
/// What a payer has.
const PURSE: u64 = 1_000_000;

/// Transfers cost their fee only, and nothing but the limits of creations stops a thief.
fn so_many_a_day(creations: u64) -> Options {
    Options::settings(move |settings| {
        settings.recipients.creations_per_day = creations;
        settings.recipients.least = Amount::new(LEAST).unwrap();
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        settings.openings.sessions_per_user_per_hour = 1_000;
        settings.openings.sessions_per_hour = 1_000;
        settings.funding.interval = Duration::from_millis(150);
    })
}

/// An opening that costs us its fees only, with a proof of what the payer has where they can still read that.
async fn proving(world: &World, payer: &Wallet, recipient: &Pubkey) -> Value {
    let mut opening = world.opening(payer, recipient, 100_000);
    opening.grant = 0;
    let mut body = world.opening_body(&opening).await;
    body["fundingProof"] = world.funding_proof(payer).await["fundingProof"].take();
    body
}

/// A payer who can prove what they have and pays for their own decrypt allowances.
async fn payer(world: &World) -> Wallet {
    let payer = world.wallet(PURSE).await;
    with_sol(world, &payer).await;
    payer
}

async fn opens(world: &World, payer: &Wallet, recipient: &Pubkey) -> String {
    let (status, answer) = world.post("/sessions", &proving(world, payer, recipient).await).await;
    assert_eq!((status, &answer["funding"]), (201, &json!("proven")), "{answer:#}");
    answer["sessionId"].as_str().unwrap().to_owned()
}

async fn pays(world: &World, session: &str, recipient: &Pubkey, units: u64) -> Value {
    world.post("/settle", &world.payment(session, recipient, units, None)).await.1
}

fn closes(world: &World, owner: &Wallet) {
    let account = world.account_of(&owner.key());
    lands_by_itself(world, owner, &[world.programs.close_account(&account, &owner.key(), &owner.key())]);
}

fn exists(world: &World, wallet: &Wallet) -> bool {
    world.token_account(&wallet.key()).is_some()
}

/// Guard: `examine_recipient`, and its `shows_funds`.
#[tokio::test]
async fn a03_a_wallet_without_tokens_creates_nothing_for_hundreds_of_fresh_recipients() {
    let world = World::with(so_many_a_day(50)).await;
    let farmer = world.wallet(1).await;
    with_sol(&world, &farmer).await;
    let opening = crate::support::Opening { grant: 0, ..world.opening(&farmer, &world.spender(), 10) };
    let approve = world.approve_instructions(&opening).await.pop().unwrap();
    let approve = lands_by_itself(&world, &farmer, &[approve]);
    world.confirmed().await;
    let before = Trace::of(&world).await;
    let fresh: Vec<_> = (0..200).map(|_| world.stranger().key()).collect();
    let bodies = fresh.iter().map(|to| world.opening_body_landed(&world.opening(&farmer, to, 10), &approve));
    for bodies in bodies.collect::<Vec<_>>().chunks(50) {
        for (status, answer) in join_all(bodies.iter().map(|body| world.post("/sessions", body))).await {
            assert_eq!((status, &answer["error"]), (400, &json!("recipient_not_ready")), "{answer:#}");
            assert!(answer["message"].as_str().unwrap().contains("funding proof"), "the remedy: {answer:#}");
            assert_eq!(answer.get("sessionId"), None, "no row was written: {answer:#}");
        }
    }
    // The one unit can be proved, and is too little; so is an approve of its own.
    is_not_opened(&world, &proving(&world, &farmer, &fresh[0]).await, 400, "recipient_not_ready").await;
    assert_eq!(Trace::of(&world).await, before, "nothing was spent");
    world.finish().await;
}

/// Guards: `forbids_one_more`, asked where a session opens and again under `creations`; `created_recipients_once`. Thieves
/// with money, who take it back each time: what they cost is the number of the day, and nobody else is kept out.
#[tokio::test]
async fn a03_a_day_of_thieves_costs_what_it_may_and_honest_payers_are_served() {
    let world = World::with(so_many_a_day(3)).await;
    let mut thieves = Vec::new();
    for _ in 0..5 {
        let (thief, own) = (payer(&world).await, world.stranger());
        with_sol(&world, &own).await;
        let session = if thieves.len() < 3 { Some(opens(&world, &thief, &own.key()).await) } else { None };
        assert!(!exists(&world, &own), "nothing is created by an opening");
        if let Some(session) = &session {
            assert_eq!(pays(&world, session, &own.key(), LEAST).await["success"], json!(true));
            assert_eq!(world.units(&own), LEAST, "the transfer that created it paid it");
        }
        thieves.push((thief, own, session));
    }
    world.quiet().await;
    for (thief, own, session) in &thieves[..3] {
        closes(&world, own);
        world.confirmed().await;
        // The first transfer that fails shows it; and it is not created again, for whatever session.
        let refused = pays(&world, session.as_ref().unwrap(), &own.key(), LEAST).await;
        assert_eq!(refused["success"], json!(false), "{refused:#}");
        let refused = pays(&world, session.as_ref().unwrap(), &own.key(), LEAST).await;
        assert_eq!(refused["errorReason"], json!("recipient_not_ready"), "{refused:#}");
        let body = world.opening_body(&world.opening(thief, &own.key(), 10)).await;
        is_not_opened(&world, &body, 400, "recipient_not_ready").await;
    }
    let before = Trace::of(&world).await;
    for (thief, own, _) in &thieves[3..] {
        let told = is_not_opened(&world, &proving(&world, thief, &own.key()).await, 429, "quota_exceeded").await;
        assert!(told["message"].as_str().unwrap().contains("create its own"), "the remedy: {told:#}");
    }
    assert_eq!(Trace::of(&world).await, before);
    let rows = world.ledger().spending(0).await.unwrap();
    let creations = rows.iter().filter(|row| row.purpose == Purpose::CreateRecipient);
    assert_eq!(creations.map(|row| row.spent.total() + row.reserved.total()).sum::<u64>(), 3 * ONE);
    assert_eq!(world.ledger().totals(None).await.unwrap().rent, 3 * RENT, "no other rent was paid");

    // Whoever has an account is paid meanwhile; the next day others get theirs.
    let (honest, merchant) = (payer(&world).await, world.wallet(0).await);
    let session = opens(&world, &honest, &merchant.key()).await;
    assert_eq!(pays(&world, &session, &merchant.key(), 1).await["success"], json!(true));
    world.lets_pass(86_500);
    let (honest, merchant) = (payer(&world).await, world.stranger());
    let session = opens(&world, &honest, &merchant.key()).await;
    assert_eq!(pays(&world, &session, &merchant.key(), LEAST).await["success"], json!(true));
    assert_eq!(world.units(&merchant), LEAST);
    world.finish().await;
}

/// Guard: the payer's own count in `forbids_one_more`, where payments are refused before anything is held.
#[tokio::test]
async fn a03_one_payer_has_one_account_created_a_day() {
    let world = World::with(so_many_a_day(50)).await;
    let (payer, one, other) = (payer(&world).await, world.stranger(), world.stranger());
    let mut opening = world.opening(&payer, &other.key(), 10_000);
    opening.approved = 110_000;
    let first = opens(&world, &payer, &one.key()).await;
    let (status, second) = world.post("/sessions", &world.opening_body(&opening).await).await;
    assert_eq!(status, 201, "the balance was proved with the first: {second:#}");
    assert_eq!(pays(&world, &first, &one.key(), LEAST).await["success"], json!(true));
    let before = Trace::of(&world).await;
    let payment = world.payment(second["sessionId"].as_str().unwrap(), &other.key(), LEAST, None);
    is_refused_everywhere(&world, &payment, "payer_settle_cap_exceeded").await;
    assert_eq!(Trace::of(&world).await, before);
    assert!(!exists(&world, &other));
    world.finish().await;
}

/// Guards: `demand_on_arrival` and `exposure_on_arrival`. What moves zero, what is too little and what is only promised
/// creates nothing, and nothing of it is held.
#[tokio::test]
async fn a03_no_account_is_created_for_what_is_not_proved_or_too_little() {
    let world = World::with(so_many_a_day(50)).await;
    let (payer, merchant, friend) = (payer(&world).await, world.stranger(), world.wallet(0).await);
    let session = opens(&world, &payer, &merchant.key()).await;
    let payment = |units| world.payment(&session, &merchant.key(), units, None);
    is_refused_everywhere(&world, &payment(LEAST - 1), "recipient_not_ready").await;
    // The money is taken away.
    funding::moves(&world, &payer, &friend.key(), PURSE);
    let is_unproven = async || super::view(&world, &session).await["funding"] == "unproven";
    world.until("the proof is lost", is_unproven).await;
    let before = Trace::of(&world).await;
    is_refused_everywhere(&world, &payment(LEAST), "funding_unproven").await;
    let mut promised = payment(LEAST);
    promised["paymentRequirements"]["extra"] = json!({ "settlement": "deferred" });
    let (_, refused) = world.post("/settle", &promised).await;
    assert_eq!(refused["errorReason"], json!("funding_unproven"), "nothing is promised: {refused:#}");
    assert!(refused["errorMessage"].as_str().unwrap().contains("create its own"), "the remedy: {refused:#}");
    assert_eq!(Trace::of(&world).await, before);
    assert!(!exists(&world, &merchant));
    // The remedy that needs nobody: the merchant creates it, and is paid as everywhere.
    with_sol(&world, &merchant).await;
    let own = world.programs.create_idempotent(&merchant.key(), &merchant.key(), &world.faucet.mint());
    lands_by_itself(&world, &merchant, &[own]);
    world.confirmed().await;
    let is_paid = async || pays(&world, &session, &merchant.key(), LEAST).await["success"] == json!(true);
    world.until("payments go on", is_paid).await;
    world.finish().await;
}

/// Guard: `creating`. Payers who come together have one account created, all are served, and a promise is settled at once.
#[tokio::test]
async fn a03_payments_that_come_together_create_one_account() {
    let world = World::with(so_many_a_day(50)).await;
    let merchant = world.stranger();
    let mut payments = Vec::new();
    for _ in 0..3 {
        let session = opens(&world, &payer(&world).await, &merchant.key()).await;
        for extra in [json!({}), json!({ "settlement": "deferred" })] {
            let mut payment = world.payment(&session, &merchant.key(), LEAST, None);
            payment["paymentRequirements"]["extra"] = extra;
            payments.push(payment);
        }
    }
    let answers = join_all(payments.iter().map(|payment| world.post("/settle", payment))).await;
    for (_, answer) in &answers {
        assert_eq!(answer["success"], json!(true), "{answer:#}");
        assert_eq!(answer["extensions"]["session"]["settlement"], json!("captured"), "nothing is promised: {answer:#}");
    }
    world.quiet().await;
    assert_eq!(world.units(&merchant), 6 * LEAST);
    assert_eq!(world.ledger().totals(None).await.unwrap().rent, RENT);
    world.finish().await;
}

/// Guard: `is_listed`. The operator's own merchants need no funded payer, count for nobody, and get one account as well.
#[tokio::test]
async fn a03_a_listed_recipient_gets_its_account_with_the_first_session() {
    let listed = Wallet::from_seed([77; 32]);
    let key = listed.key();
    let world = World::with(Options::settings(move |settings: &mut Settings| {
        (settings.recipients.listed, settings.recipients.creations_per_day) = (vec![key], 0);
    }))
    .await;
    let (payer, other) = (world.wallet(100).await, world.stranger());
    let before = Trace::of(&world).await;
    let body = world.opening_body(&world.opening(&payer, &other.key(), 10)).await;
    is_not_opened(&world, &body, 429, "quota_exceeded").await;
    assert_eq!(Trace::of(&world).await, before);
    let mut bent = world.opening(&payer, &key, 10);
    bent.approved = 9;
    is_not_opened(&world, &world.opening_body(&bent).await, 400, "cap_mismatch").await;
    assert!(!exists(&world, &listed), "a rejected opening creates nothing");
    let session = world.open(&payer, &key, 10).await;
    assert!(exists(&world, &listed));
    assert_eq!(pays(&world, &session, &key, 10).await["success"], json!(true), "it needs no proof");
    world.quiet().await;
    with_sol(&world, &listed).await;
    closes(&world, &listed);
    world.confirmed().await;
    let body = world.opening_body(&world.opening(&payer, &key, 20)).await;
    is_not_opened(&world, &body, 400, "recipient_not_ready").await;
    world.finish().await;
}

/// Guards: `create` and the policy in `forbids_creation`: where no proofs are taken nobody can be the first to pay.
#[tokio::test]
async fn a03_where_nothing_can_be_created_an_opening_says_so() {
    let switches: [fn(&mut Settings); 2] =
        [|settings| settings.recipients.create = false, |settings| settings.funding.policy = FundingPolicy::Off];
    for switch in switches {
        let world = World::with(Options::settings(switch)).await;
        let (payer, merchant) = (payer(&world).await, world.stranger());
        let before = Trace::of(&world).await;
        let told =
            is_not_opened(&world, &proving(&world, &payer, &merchant.key()).await, 400, "recipient_not_ready").await;
        assert!(told["message"].as_str().unwrap().contains("create its own"), "{told:#}");
        assert_eq!(Trace::of(&world).await, before);
        world.finish().await;
    }
}
