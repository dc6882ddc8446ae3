//! Accounts with hundreds of transactions in the time in which one transfer lives: what was lost, or never was, is signed anew
//! without an operator.

use super::{Shop, funding::proves, liars::plain, witness::Scene};
use crate::{
    chain::proxy::Proxy,
    support::{Log, Wallet, World},
};
use solana_instruction::{AccountMeta, Instruction};
use sotto::{
    chain::EndpointUrls,
    domain::{
        amount::Amount,
        settlement::{HeldBecause, State},
    },
    localnet::Odds,
};

/// What the voices tell of an account's history.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lists {
    Equal,
    /// One of them leaves something out.
    Differ,
}

/// More than one examination reads.
const MANY: usize = 150;

/// Somebody sends the payer nothing, so many times.
fn moves_it(world: &World, payer: &Wallet, times: usize) {
    let stranger = world.stranger();
    world.faucet.fund(&stranger.key(), 0).unwrap();
    for _ in 0..times {
        world.lands(world.transfer_by_owner(&stranger, &payer.key(), 0));
    }
}

/// Somebody names the payer's account in so many transactions that fail.
fn names_it(world: &World, payer: &Wallet, times: u64) {
    let authority = world.faucet.authority();
    let account = world.account_of(&payer.key());
    for number in 0..times {
        let mut data = vec![2, 0, 0, 0];
        data.extend((u64::MAX - number).to_le_bytes());
        let accounts =
            vec![AccountMeta::new(solana_signer::Signer::pubkey(authority), true), AccountMeta::new(account, false)];
        let transfer = Instruction { program_id: solana_sdk_ids::system_program::ID, accounts, data };
        world.lands(world.signed_by(&[authority], transfer));
    }
}

/// Guard: `witness::BUDGET` spreads reading over examinations. With one voice the whole history is the proof, with two that
/// their lists are equal.
#[tokio::test]
async fn a_lost_transfer_of_a_busy_account_is_signed_anew() {
    for voices in [1, 2] {
        let scene = Scene::of(voices).await;
        scene.pays_meanwhile(async { moves_it(scene.world(), &scene.shop.payer, MANY) }).await;
        assert!(scene.log.text().contains("testimony=Unfinished"), "{}", scene.log.text());
        scene.ends(2, 0).await;
    }
}

/// Guard: `witness::told::Asking::list`. The lists have more than a page of what failed, and moved nothing, behind it what
/// explains the balance.
#[tokio::test]
async fn a_list_of_many_pages_is_read_back_to_the_signing() {
    for voices in [1, 2] {
        let scene = Scene::of(voices).await;
        scene
            .pays_meanwhile(async {
                moves_it(scene.world(), &scene.shop.payer, 3);
                names_it(scene.world(), &scene.shop.payer, 1_100);
            })
            .await;
        let expected = if voices == 1 { "testimony=Explained" } else { "testimony=" };
        assert!(scene.log.text().contains(expected), "{}", scene.log.text());
        scene.ends(2, 0).await;
    }
}

/// Ten transfers leave one account, and the first is lost: the others and strangers move the balance while it is looked for. Where
/// one voice lists one of the others nowhere, the other voice does, and both lists together explain the balance.
#[tokio::test]
async fn one_of_ten_that_is_lost_is_signed_anew_with_and_without_strangers() {
    for (strangers, lists) in [(0, Lists::Equal), (100, Lists::Equal), (3, Lists::Differ)] {
        let scene = Scene::of(2).await;
        proves(&scene.shop).await;
        let others = async {
            scene.world().until("it is lost", async || scene.is_lost()).await;
            moves_it(scene.world(), &scene.shop.payer, strangers);
            for number in 1..10 {
                let paid = scene.shop.pays(200, Some(&number.to_string())).await;
                if number == 1 && lists == Lists::Differ {
                    scene.voices[0].leaves_out(paid["transaction"].as_str().unwrap());
                }
            }
        };
        tokio::join!(scene.shop.pays(200, Some("lost")), others);
        scene.world().quiet().await;
        let totals = scene.world().ledger().totals(None).await.unwrap();
        assert_eq!((totals.captured.get(), scene.world().units(&scene.shop.merchant)), (2_000, 2_000), "once each");
        let expected = if lists == Lists::Equal { "testimony=" } else { "testimony=Explained" };
        assert!(scene.log.text().contains(expected), "{}", scene.log.text());
        assert!(!scene.log.text().contains("testimony=Unmoved"), "the others have moved it: {}", scene.log.text());
        assert!(scene.log.errors("").is_empty(), "{}", scene.log.text());
        scene.shop.closes().await;
    }
}

/// Guard: the table's cell for two voices, on a landing that one of them made up. It was told and nothing moved; honest again, the
/// liar says itself that there is none, and the payment is made without an operator, however busy its payer was.
#[tokio::test]
async fn a_landing_that_was_made_up_on_a_busy_account_is_taken_back_and_paid() {
    let log = Log::listen();
    let mut shop = Shop::open(plain(), 10_000).await;
    shop.world.quiet().await;
    let (liar, honest) = (Proxy::start(shop.world.net.rpc_url()).await, Proxy::start(shop.world.net.rpc_url()).await);
    liar.makes_up_landings();
    shop.world.net.faults().change(|plan| plan.drop_sends = Odds { next: 0, per_mille: 1_000 });
    let urls = [&liar, &honest].map(|proxy| EndpointUrls { rpc: proxy.url.clone(), websocket: None });
    shop.world.reboots_with_endpoints(urls.to_vec()).await;
    shop.pays(200, Some("made-up")).await;
    moves_it(&shop.world, &shop.payer, MANY);
    let told = async || !log.errors("endpoints contradict each other").is_empty();
    shop.world.until("it is in dispute", told).await;
    assert_eq!(shop.world.units(&shop.merchant), 0);
    shop.world.net.faults().clear();
    liar.is_honest();
    shop.moved_what_it_captured().await;
    assert_eq!(shop.world.units(&shop.merchant), 200, "once");
    assert!(log.text().contains("testimony=Unfinished"), "{}", log.text());
    shop.closes().await;
}

/// Guard: `Settlements::note_past`. What the payer does while nobody can decide, and while no process runs, is read by nobody: the
/// window stays what it was.
#[tokio::test]
async fn a_window_outlives_the_process_that_found_its_end() {
    let mut scene = Scene::of(2).await;
    let payer = Wallet::from_seed(scene.shop.payer.seed());
    let body = scene.shop.hasty_payment(200, Some("once"));
    let is_held = async {
        scene.world().until("it is lost", async || scene.is_lost()).await;
        let hidden = scene.a_stranger_moves_it().await;
        moves_it(scene.world(), &payer, 1);
        scene.voices[0].keeps_no_logs(Some(&hidden));
        scene.voices[1].keeps_no_logs(None);
        scene.is_held(HeldBecause::Moved).await;
    };
    tokio::join!(scene.world().post("/settle", &body), is_held);
    let past_at = async || {
        let record = scene.world().ledger().held_settlements().await.unwrap().remove(0);
        record.attempts[0].get().past_at
    };
    scene.world().until("it is noted", async || past_at().await.is_some()).await;
    scene.shop.world.kill().await;
    moves_it(&scene.shop.world, &payer, MANY);
    scene.shop.world.boot().await;
    scene.voices.iter().for_each(Proxy::is_honest);
    scene.world().until("it ends", async || scene.held().await.is_none()).await;
    assert!(!scene.log.text().contains("testimony=Unfinished"), "what came later is not read: {}", scene.log.text());
    // Nobody waits for it any more, so it is given back.
    scene.world().quiet().await;
    let totals = scene.world().ledger().totals(None).await.unwrap();
    assert_eq!((totals.captured.get(), totals.held.get(), scene.world().units(&scene.shop.merchant)), (0, 0, 0));
    scene.shop.closes().await;
}

/// Guard: `Settlements::look_for_landings`. What has had all its attempts is looked at, though nothing is signed for it any more; one
/// that is found after all is told to the operator with its name.
#[tokio::test]
async fn what_has_had_all_its_attempts_is_looked_at_and_never_signed_again() {
    let log = Log::listen();
    let shop = Shop::open(plain(), 10_000).await;
    let paid = shop.pays(200, Some("landed")).await;
    let on_chain = paid["transaction"].as_str().unwrap().to_owned();
    shop.world.quiet().await;
    let ledger = shop.world.open_ledger("exhausted.db").await;
    let settlement = crate::ledger::build::all_absent(&*ledger, on_chain.parse().unwrap()).await;
    assert_eq!(settlement.state, State::Reserved);
    let facilitator = shop.world.facilitator_over(ledger.clone(), shop.world.running().chain.clone());
    facilitator.recover().await.unwrap();
    let told = || log.errors("a transaction that was proved absent is on the chain");
    shop.world.until("it is told", async || !told().is_empty()).await;
    assert!(told()[0].contains(&on_chain), "{:?}", told());
    let record = ledger.settlement_record(settlement.id).await.unwrap().unwrap();
    assert_eq!(record.attempts.len(), usize::try_from(settlement.attempts).unwrap(), "nothing is signed");
    let seen_by = async || {
        let record = ledger.settlement_record(settlement.id).await.unwrap().unwrap();
        record.attempts.iter().any(|attempt| !attempt.get().seen_by.is_empty())
    };
    shop.world.until("it is noted", seen_by).await;
    // Each look asks twice: for statuses, and for the history of what has none.
    let asked = || shop.world.running().chain.counts().finality;
    let before = asked();
    shop.world.until("it is looked at again", async || asked() >= before + 6).await;
    facilitator.stop().await;
    assert_eq!(told().len(), 1, "once");
    assert_eq!(Amount::new(200).unwrap(), shop.world.ledger().totals(None).await.unwrap().captured);
    shop.closes().await;
}
