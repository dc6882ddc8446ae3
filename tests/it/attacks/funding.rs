//! Payers who have not what they pay with, and what a proof of their balance stays worth.

use super::{PURSE, Shop, becomes, is_refused_everywhere, lands_by_itself, on_both_sides, transfers, view, with_sol};
use crate::support::{Options, Wallet, World, in_time, proof_body as proof};
use serde_json::{Value, json};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use solana_signer::Signer as _;
use sotto::{
    covalidator::AttestedValue,
    domain::{
        chance::draw,
        funding::{FundingPolicy, Source},
        session::CapCheck,
        settlement::{Purpose, State},
    },
    facilitator::CapCheckPolicy,
    localnet::standins::Delegation,
    programs::{
        ciphertext::encrypt,
        discriminator,
        inco_token::{Allowance, Transfer},
    },
};
use std::time::Duration;

/// A world that looks at accounts often.
pub(super) fn watchful(policy: FundingPolicy) -> Options {
    Options::settings(move |settings| {
        settings.funding.policy = policy;
        settings.funding.interval = Duration::from_millis(150);
    })
}

/// Sends a proof, again when it was read a moment ago.
pub(super) async fn sends_proof(shop: &Shop, body: &Value) -> (u16, Value) {
    loop {
        let answer = shop.world.post(&format!("/sessions/{}/funding", shop.session), body).await;
        crate::openapi::check_answer("/sessions/{id}/funding", "POST", answer.0, &answer.1);
        if answer.1["error"] != "session_busy" {
            return answer;
        }
        shop.world.confirmed().await;
    }
}

pub(super) async fn proves(shop: &Shop) {
    let (status, answer) = sends_proof(shop, &proof(&shop.world.attested(&shop.payer).await)).await;
    assert_eq!((status, &answer["funding"]), (200, &json!("proven")), "{answer:#}");
}

async fn is_not_proved(shop: &Shop, body: &Value, status: u16, error: &str) {
    let (seen, answer) = sends_proof(shop, body).await;
    assert_eq!((seen, answer["error"].as_str()), (status, Some(error)), "{answer:#}");
}

/// Waits until the session's view says so.
pub(super) async fn is_told(shop: &Shop, member: &str, value: &Value) {
    shop.world.until(member, async || view(&shop.world, &shop.session).await[member] == *value).await;
}

/// Waits until a proof counts by a look that was made later than now, or counts no more.
pub(super) async fn is_looked_at(shop: &Shop) {
    // Looks are told apart by the second.
    shop.world.lets_pass(1);
    let now = shop.world.now();
    let is_looked_at = async || {
        let known = shop.world.ledger().source(&shop.payer.key(), &shop.world.faucet.mint()).await.unwrap();
        let bound = known.and_then(|known| known.bound);
        bound.is_none_or(|bound| bound.lost.is_some() || bound.looked_at >= now)
    };
    shop.world.until("the account is looked at", is_looked_at).await;
}

fn source_of(shop: &Shop) -> Pubkey {
    shop.world.programs.token_account(&shop.payer.key(), &shop.world.faucet.mint())
}

fn amount_of(world: &World, units: u64) -> Vec<u8> {
    encrypt(&world.net.network().stand_ins().encryption_key(), units.into(), &*world.chance)
}

/// `from` moves `units` to `to` by itself.
pub(super) fn moves(world: &World, from: &Wallet, to: &Pubkey, units: u64) {
    let mint = world.faucet.mint();
    let transfer = Transfer {
        source: world.programs.token_account(&from.key(), &mint),
        destination: world.programs.token_account(to, &mint),
        authority: from.key(),
        ciphertext: amount_of(world, units),
        allowances: None,
    };
    lands_by_itself(world, from, &[world.programs.transfer(&transfer)]);
}

fn burn(shop: &Shop, units: u64) -> Instruction {
    let (world, ciphertext) = (&shop.world, amount_of(&shop.world, units));
    let mut bytes = discriminator("burn").to_vec();
    bytes.extend_from_slice(&u32::try_from(ciphertext.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&ciphertext);
    bytes.push(0);
    let accounts = vec![
        AccountMeta::new(source_of(shop), false),
        AccountMeta::new(world.faucet.mint(), false),
        AccountMeta::new(shop.payer.key(), true),
        AccountMeta::new_readonly(world.programs.lightning, false),
        AccountMeta::new_readonly(solana_sdk_ids::system_program::ID, false),
    ];
    Instruction { program_id: world.programs.token, accounts, data: bytes }
}

/// Whoever may decrypt a balance afterwards: the wallet, at the authority's cost.
pub(super) async fn lets_read(world: &World, wallet: &Wallet) {
    world.faucet.fund(&wallet.key(), 0).unwrap();
    world.confirmed().await;
}

/// The signer whose key the faucet holds sends this.
fn as_authority(world: &World, instruction: Instruction) {
    let authority = world.faucet.authority();
    let wallet = Wallet::from_seed(*authority.secret_bytes());
    assert_eq!(wallet.key(), authority.pubkey());
    lands_by_itself(world, &wallet, &[instruction]);
}

pub(super) async fn source(shop: &Shop) -> Source {
    let mint = shop.world.faucet.mint();
    shop.world.ledger().source(&shop.payer.key(), &mint).await.unwrap().unwrap()
}

/// Guard: `funding::admit` in the hold verb.
#[tokio::test]
async fn r02_where_proof_is_required_an_empty_payer_never_settles() {
    let world = World::with(watchful(FundingPolicy::Required)).await;
    let (payer, merchant) = (world.wallet(0).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 10_000).await;
    let shop = Shop { world, payer, merchant, session };
    shop.is_refused(1_000, None, "funding_unproven").await;
    proves(&shop).await;
    shop.is_refused(1_000, None, "insufficient_funds").await;
    shop.is_refused(1, Some("empty-nonce-00001"), "insufficient_funds").await;
    assert!(transfers(&shop.world, &shop.payer).await.is_empty(), "nothing was sent");
    assert_eq!(shop.world.ledger().totals(None).await.unwrap().captured.get(), 0);
    shop.world.finish().await;
}

/// Guard: the same, where only the merchant demands it; and all payments together never pass what is there.
#[tokio::test]
async fn r02_a_merchant_who_demands_proof_gets_no_more_than_there_is() {
    let world = World::with(watchful(FundingPolicy::Advisory)).await;
    let (payer, merchant) = (world.wallet(2_500).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 10_000).await;
    let shop = Shop { world, payer, merchant, session };
    let demanding = |amount: u64| {
        let mut body = shop.payment(amount, None);
        on_both_sides(&mut body, "extra", &json!({ "funding": "required" }));
        body
    };
    is_refused_everywhere(&shop.world, &demanding(1_000), "funding_unproven").await;
    proves(&shop).await;
    let bodies: Vec<Value> = (0..6).map(|_| demanding(1_000)).collect();
    let answers = futures_util::future::join_all(bodies.iter().map(|body| shop.world.post("/settle", body))).await;
    let paid: Vec<_> = answers.iter().filter(|(_, answer)| answer["success"] == json!(true)).collect();
    let refused = answers.iter().filter(|(_, answer)| answer["errorReason"] == "insufficient_funds").count();
    assert_eq!((paid.len(), refused), (2, 4), "{answers:#?}");
    assert!(paid.iter().all(|(_, answer)| answer["extensions"]["session"]["funding"] == "proven"), "{paid:#?}");
    assert_eq!(shop.world.units(&shop.merchant), 2_000, "everything that was told as paid has moved");
    // Without the demand it is accepted, and told to be short.
    let (_, answer) = shop.settle(1_000, None).await;
    assert_eq!(answer["extensions"]["session"]["funding"], "short", "{answer:#}");
    assert_eq!(shop.world.units(&shop.merchant), 2_000, "it moved zero");
    shop.world.finish().await;
}

/// Guards: `accept_proof`, `backing` and `demand` where the operator takes no proofs.
#[tokio::test]
async fn where_no_proofs_are_taken_nothing_is_proven_and_a_demand_for_it_is_refused() {
    let world = World::with(watchful(FundingPolicy::Off)).await;
    let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
    let value = world.attested(&payer).await;
    let mut body = world.opening_body(&world.opening(&payer, &merchant.key(), 100_000)).await;
    body["fundingProof"] = proof(&value)["fundingProof"].clone();
    let (status, opened) = world.post("/sessions", &body).await;
    assert_eq!((status, &opened["funding"]), (201, &json!("unproven")), "{opened:#}");
    let session = opened["sessionId"].as_str().unwrap().to_owned();
    let shop = Shop { world, payer, merchant, session };
    let (status, answer) = sends_proof(&shop, &proof(&value)).await;
    assert_eq!((status, &answer["funding"]), (200, &json!("unproven")), "{answer:#}");
    let known = shop.world.ledger().source(&shop.payer.key(), &shop.world.faucet.mint()).await.unwrap();
    assert!(known.is_none_or(|source| source.bound.is_none()), "nothing is kept of it");
    let answer = shop.pays(1_000, None).await;
    assert_eq!(answer["extensions"]["session"]["funding"], "unproven", "{answer:#}");
    let mut demanding = shop.payment(1_000, None);
    on_both_sides(&mut demanding, "extra", &json!({ "funding": "required" }));
    is_refused_everywhere(&shop.world, &demanding, "funding_unproven").await;
    shop.closes().await;
}

/// Guard: `Readings::may_read`. Whoever has seen a proof can post it, and each reading costs requests.
#[tokio::test]
async fn a_proof_that_is_sent_again_and_again_is_read_once_a_second() {
    let options = Options::settings(|settings| {
        settings.deferred.age_seconds = 100_000;
        settings.funding.interval = Duration::from_hours(1);
    });
    let shop = Shop::open(options, 100_000).await;
    let (path, body) = (format!("/sessions/{}/funding", shop.session), proof(&shop.world.attested(&shop.payer).await));
    // Something is claimed from the balance, so that reading it anew could tell something new.
    let mut promised = shop.payment(1_000, Some("promised-and-not-settled"));
    promised["paymentRequirements"]["extra"] = json!({ "settlement": "deferred" });
    let (_, held) = shop.world.post("/settle", &promised).await;
    assert_eq!(held["success"], true, "{held:#}");
    let begun = std::time::Instant::now();
    let histories = || shop.world.net.network().request_counts().get("getSignaturesForAddress").copied().unwrap_or(0);
    let before = histories();
    let (mut taken, mut busy) = (0, 0);
    for _ in 0..20 {
        match shop.world.post(&path, &body).await {
            (200, answer) if answer["funding"] == "proven" => taken += 1,
            (503, answer) if answer["error"] == "session_busy" => busy += 1,
            other => panic!("{other:#?}"),
        }
    }
    let seconds = begun.elapsed().as_secs() + 1;
    assert!((1..=seconds).contains(&taken) && taken + busy == 20, "{taken} in {seconds} seconds");
    assert_eq!(histories() - before, taken, "nothing is read for the others");
    // A stranger's attestation keeps the payer from nothing.
    let foreign = proof(&shop.world.attested(&shop.merchant).await);
    assert_eq!(sends_proof(&shop, &foreign).await.0, 409);
    proves(&shop).await;
    shop.world.finish_holding(1_000).await;
}

/// Guards: `check_proof`, and the handle read from the chain.
#[tokio::test]
async fn a_proof_is_believed_only_of_the_current_balance_of_that_account() {
    let shop = Shop::open(watchful(FundingPolicy::Advisory), 100_000).await;
    let mine = shop.world.attested(&shop.payer).await;
    let forged = AttestedValue { plaintext: mine.plaintext + 1, ..mine.clone() };
    is_not_proved(&shop, &proof(&forged), 400, "invalid_funding_proof").await;
    let moved = AttestedValue { handle: mine.handle + 1, ..mine.clone() };
    is_not_proved(&shop, &proof(&moved), 400, "invalid_funding_proof").await;
    let foreign = shop.world.attested(&shop.merchant).await;
    is_not_proved(&shop, &proof(&foreign), 409, "stale_funding_proof").await;
    is_not_proved(&shop, &json!({}), 400, "missing_fundingProof").await;
    is_not_proved(&shop, &json!({ "fundingProof": { "handle": "x" } }), 400, "invalid_funding_proof").await;
    assert_eq!(view(&shop.world, &shop.session).await["funding"], "unproven");
    let unknown = format!("/sessions/{}/funding", uuid::Uuid::from_u128(7));
    let (status, answer) = shop.world.post(&unknown, &proof(&mine)).await;
    assert_eq!((status, &answer["error"]), (404, &json!("session_not_found")));
    proves(&shop).await;
    shop.pays(1_000, None).await;
    is_not_proved(&shop, &proof(&mine), 409, "stale_funding_proof").await;
    assert_eq!(
        source(&shop).await.bound.unwrap().claimed.get(),
        1_000,
        "the older proof still counts, and what it paid"
    );
    assert_eq!(view(&shop.world, &shop.session).await["funding"], "proven");
    shop.closes().await;
}

/// Guards: a landing counts by its slot; what is in flight is held.
#[tokio::test]
async fn a_proof_read_while_a_transfer_is_in_flight_counts_it_once() {
    let shop = Shop::open(watchful(FundingPolicy::Advisory), 100_000).await;
    let before = shop.world.attested(&shop.payer).await;
    // A node that stands still takes the transfer and does not execute it.
    shop.world.net.faults().change(|plan| plan.frozen = true);
    let body = shop.payment(1_000, None);
    let proves_meanwhile = async {
        let flies = async || {
            let unfinished = shop.world.ledger().unfinished().await.unwrap();
            unfinished
                .iter()
                .any(|work| work.settlement.purpose == Purpose::Capture && work.settlement.state == State::InFlight)
        };
        shop.world.until("a transfer flies", flies).await;
        let (status, answer) = sends_proof(&shop, &proof(&before)).await;
        assert_eq!((status, &answer["funding"]), (200, &json!("proven")), "{answer:#}");
        let bound = source(&shop).await.bound.unwrap();
        assert_eq!((bound.amount.get(), bound.claimed.get()), (PURSE, 1_000), "what is in flight is claimed");
        shop.world.net.faults().clear();
    };
    let both = async { tokio::join!(shop.world.post("/settle", &body), proves_meanwhile) };
    let (answer, ()) = in_time("a payment beside a proof", both).await;
    assert_eq!(answer.1["success"], true, "{:#}", answer.1);
    let bound = source(&shop).await.bound.unwrap();
    let left = bound.amount.get() - bound.claimed.get();
    assert_eq!(left, shop.world.units(&shop.payer), "it landed after the proof and counts once");
    proves(&shop).await;
    assert_eq!(source(&shop).await.bound.unwrap().claimed.get(), 0);
    shop.closes().await;
}

/// Guard: `Foreign::voids` asks who signed.
#[tokio::test]
async fn a_strangers_transfer_stops_nothing() {
    let shop = Shop::open(watchful(FundingPolicy::Required), 100_000).await;
    let stranger = shop.world.wallet(5_000).await;
    with_sol(&shop.world, &stranger).await;
    proves(&shop).await;
    for gift in [0, 3_000, 9_999_999] {
        moves(&shop.world, &stranger, &shop.payer.key(), gift);
        shop.world.confirmed().await;
        is_looked_at(&shop).await;
        assert_eq!(source(&shop).await.bound.unwrap().lost, None, "{gift}");
        let answer = shop.pays(1_000, None).await;
        assert_eq!(answer["extensions"]["session"]["funding"], "proven", "{gift}");
    }
    assert_eq!(shop.world.units(&shop.merchant), 3_000);
    shop.world.finish().await;
}

/// Guard: the monitor's examination of the history.
#[tokio::test]
async fn a_payer_who_moves_money_away_is_unproven_until_he_proves_again() {
    for burns in [false, true] {
        let shop = Shop::open(watchful(FundingPolicy::Required), 100_000).await;
        with_sol(&shop.world, &shop.payer).await;
        proves(&shop).await;
        shop.pays(1_000, None).await;
        if burns {
            lands_by_itself(&shop.world, &shop.payer, &[burn(&shop, 40_000_000)]);
        } else {
            moves(&shop.world, &shop.payer, &shop.merchant.key(), 40_000_000);
        }
        shop.world.confirmed().await;
        is_told(&shop, "funding", &json!("unproven")).await;
        shop.is_refused(1_000, None, "funding_unproven").await;
        lets_read(&shop.world, &shop.payer).await;
        proves(&shop).await;
        assert_eq!(source(&shop).await.bound.unwrap().amount.get(), shop.world.units(&shop.payer));
        shop.pays(1_000, None).await;
        assert_eq!(view(&shop.world, &shop.session).await["state"], "open", "it stayed open all the while");
        shop.world.finish().await;
    }
}

/// Guard: the monitor reads the delegate; two looks say so.
#[tokio::test]
async fn a_foreign_delegate_or_none_ends_the_session_without_a_payment() {
    for foreign in [false, true] {
        let shop = Shop::open(watchful(FundingPolicy::Advisory), 100_000).await;
        with_sol(&shop.world, &shop.payer).await;
        proves(&shop).await;
        let (source, payer) = (source_of(&shop), shop.payer.key());
        let instruction = if foreign {
            let (other, ciphertext) = (shop.world.stranger().key(), amount_of(&shop.world, 5));
            shop.world.programs.approve(&source, &other, &payer, &ciphertext, None::<Allowance>)
        } else {
            shop.world.programs.revoke(&source, &payer)
        };
        lands_by_itself(&shop.world, &shop.payer, &[instruction]);
        becomes(&shop.world, &shop.session, "revoked").await;
        shop.is_refused(1_000, None, "session_revoked").await;
        shop.world.finish().await;
    }
}

/// Guard: the frozen flag in the hold verb, and that a thaw takes it away.
#[tokio::test]
async fn a_frozen_account_pays_nothing_and_goes_on_when_it_is_thawed() {
    let shop = Shop::open(watchful(FundingPolicy::Advisory), 100_000).await;
    let (account, mint) = (source_of(&shop), shop.world.faucet.mint());
    proves(&shop).await;
    let authority = shop.world.faucet.authority().pubkey();
    as_authority(&shop.world, shop.world.programs.freeze_account(&account, &mint, &authority));
    is_told(&shop, "frozen", &json!(true)).await;
    shop.is_refused(1_000, None, "source_frozen").await;
    assert_eq!(view(&shop.world, &shop.session).await["state"], "open");
    as_authority(&shop.world, shop.world.programs.thaw_account(&account, &mint, &authority));
    is_told(&shop, "frozen", &Value::Null).await;
    shop.pays(1_000, None).await;
    is_told(&shop, "funding", &json!("unproven")).await;
    shop.closes().await;
}

/// Guard: rows, not memory.
#[tokio::test]
async fn a_restart_keeps_what_was_proved_and_what_it_is_claimed_for() {
    let mut shop = Shop::open(watchful(FundingPolicy::Required), 100_000).await;
    with_sol(&shop.world, &shop.payer).await;
    proves(&shop).await;
    shop.pays(1_000, None).await;
    let before = source(&shop).await.bound.unwrap();
    shop.world.kill().await;
    shop.world.boot().await;
    let after = source(&shop).await.bound.unwrap();
    assert_eq!(
        (after.amount, after.claimed, after.slot, after.lost),
        (before.amount, before.claimed, before.slot, None)
    );
    shop.pays(1_000, None).await;
    // What happens while nobody is there is found by the next look.
    shop.world.kill().await;
    moves(&shop.world, &shop.payer, &shop.merchant.key(), 1_000_000);
    shop.world.confirmed().await;
    shop.world.boot().await;
    is_told(&shop, "funding", &json!("unproven")).await;
    shop.world.finish().await;
}

#[tokio::test]
async fn an_opening_with_a_proof_is_proven_at_once_and_a_stale_one_opens_all_the_same() {
    let world = World::with(watchful(FundingPolicy::Advisory)).await;
    let (payer, merchant) = (world.wallet(5_000).await, world.wallet(0).await);
    let good = world.attested(&payer).await;
    let mut body = world.opening_body(&world.opening(&payer, &merchant.key(), 2_000)).await;
    body["fundingProof"] = proof(&AttestedValue { plaintext: 9_999_999, ..good.clone() })["fundingProof"].clone();
    let (status, answer) = world.post("/sessions", &body).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_funding_proof")), "a forged one leaves no trace");
    body["fundingProof"] = proof(&good)["fundingProof"].clone();
    let (status, answer) = world.post("/sessions", &body).await;
    assert_eq!((status, &answer["funding"]), (201, &json!("proven")), "{answer:#}");
    let mut body = world.opening_body(&world.opening(&payer, &merchant.key(), 1_000)).await;
    world.faucet.fund(&payer.key(), 1).unwrap();
    world.confirmed().await;
    let other = world.wallet(1).await;
    body["fundingProof"] = proof(&world.attested(&other).await)["fundingProof"].clone();
    let (status, answer) = world.post("/sessions", &body).await;
    assert_eq!((status, &answer["funding"]), (201, &json!("proven")), "the first proof counts still: {answer:#}");
    world.finish().await;
}

/// Guard: `reject_covering`. The rejected approve replaced the delegate's amount all the same.
#[tokio::test]
async fn an_approve_that_is_rejected_for_its_amount_ends_what_it_no_longer_backs() {
    for delegation in [Delegation::Public, Delegation::Documented] {
        let world = World::with(Options { delegation, ..Options::default() }).await;
        let (payer, merchant) = (world.wallet(50_000).await, world.wallet(0).await);
        let first = world.open(&payer, &merchant.key(), 10_000).await;
        let mut opening = world.opening(&payer, &merchant.key(), 5_000);
        opening.approved = 20;
        let (status, answer) = world.post("/sessions", &world.opening_body(&opening).await).await;
        assert_eq!((status, &answer["error"]), (400, &json!("cap_mismatch")), "{answer:#}");
        assert_eq!(view(&world, &first).await["state"], "superseded", "{delegation:?}: 20 back no 10,000");
        world.finish().await;
    }
}

/// Guard: the remembered handle of the approve. After the first transfer nobody may decrypt the current one.
#[tokio::test]
async fn an_unverified_session_that_has_paid_is_verified_when_the_covalidator_is_back() {
    for delegation in [Delegation::Public, Delegation::Documented] {
        let options = Options {
            delegation,
            settings: Box::new(|settings| {
                settings.cap_check = CapCheckPolicy::BestEffort;
                settings.cap_check_deadline = Duration::from_millis(300);
            }),
            ..Options::default()
        };
        let world = World::with(options).await;
        let (payer, merchant) = (world.wallet(50_000).await, world.wallet(0).await);
        world.covalidator.faults().change(|plan| plan.fail_next = u32::MAX);
        let session = world.open(&payer, &merchant.key(), 10_000).await;
        let body = world.payment(&session, &merchant.key(), 1_000, None);
        let (_, answer) = world.post("/settle", &body).await;
        assert_eq!(answer["success"], true, "{answer:#}");
        assert_eq!(view(&world, &session).await["capVerified"], false, "{delegation:?}");
        world.covalidator.faults().change(|plan| plan.fail_next = 0);
        let id = session.parse().unwrap();
        let check = async || world.ledger().session(id).await.unwrap().unwrap().cap_check;
        world.until("the cap is verified", async || check().await == CapCheck::Verified).await;
        world.finish().await;
    }
}

/// What is left of a proved balance is never more than what is really there, whatever happens in whatever order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_a_proof_is_never_more_than_the_real_balance() {
    for _ in 0..2 {
        let shop = Shop::open(watchful(FundingPolicy::Advisory), 40_000_000).await;
        let stranger = shop.world.wallet(10_000_000).await;
        for wallet in [&stranger, &shop.payer] {
            with_sol(&shop.world, wallet).await;
        }
        let mut debited = false;
        for _ in 0..40 {
            let [action, size, ..] = draw::<8>(&*shop.world.chance);
            let amount = u64::from(size) * 1_000 + 1;
            match action % 6 {
                0 => drop(sends_proof(&shop, &proof(&attested_now(&shop).await)).await),
                1 => moves(&shop.world, &stranger, &shop.payer.key(), amount),
                2 if action > 200 => {
                    moves(&shop.world, &shop.payer, &stranger.key(), amount * 10);
                    debited = true;
                }
                3 => {
                    let bodies: Vec<Value> = (0..4).map(|_| shop.payment(amount, None)).collect();
                    let all = bodies.iter().map(|body| shop.world.post("/settle", body));
                    futures_util::future::join_all(all).await;
                }
                _ => drop(shop.settle(amount, None).await),
            }
            if std::mem::take(&mut debited) {
                // Until a look has found the debit the proof counts: that is what the interval is for.
                shop.world.confirmed().await;
                is_looked_at(&shop).await;
            }
            holds_less_than_there_is(&shop).await;
        }
        shop.world.finish().await;
    }
}

/// The payer's own decryption, after somebody let them read it.
async fn attested_now(shop: &Shop) -> AttestedValue {
    lets_read(&shop.world, &shop.payer).await;
    shop.world.attested(&shop.payer).await
}

async fn holds_less_than_there_is(shop: &Shop) {
    let known = shop.world.ledger().source(&shop.payer.key(), &shop.world.faucet.mint()).await.unwrap();
    let Some(bound) = known.and_then(|known| known.bound).filter(|bound| bound.lost.is_none()) else { return };
    let left = bound.amount.checked_sub(bound.claimed).unwrap_or_default().get();
    let real = shop.world.units(&shop.payer);
    assert!(left <= real, "{left} left of a proof, and {real} there");
}
