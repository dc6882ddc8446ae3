//! A lying RPC endpoint: what it can make us pay twice, give back, or call final; and a forgetful one.

use super::{Shop, is_refused_everywhere};
use crate::{
    chain::proxy::Proxy,
    support::{Log, Options, World},
};
use serde_json::json;
use sotto::{
    chain::EndpointUrls,
    domain::{
        amount::Amount,
        settlement::{AbsenceProof, HeldBecause, Resolution, State, Verdict},
    },
    facilitator::AllowancePolicy,
    ledger::{LedgerOptions, OperatorLedger as _, Resolved, SqliteLedger},
    localnet::Odds,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Transfers bought without allowances can be sent while nobody looks.
pub(super) fn plain() -> Options {
    Options::settings(|settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        (settings.deferred.count, settings.deferred.age_seconds) = (1, 1);
    })
}

pub(super) async fn liar(world: &World) -> Proxy {
    let liar = Proxy::start(world.net.rpc_url()).await;
    liar.hides_transactions();
    liar
}

/// The fee of a transfer, in lamports.
pub(super) const TRANSFER: u64 = 10_000;

/// What is logged once for each landing about which endpoints contradict each other.
const DISPUTE: &str = "endpoints contradict each other about a landed transaction";

/// Waits until so many disputes were told.
async fn are_told(world: &World, log: &Log, disputes: usize) {
    world.until("endpoints contradict each other", async || log.errors(DISPUTE).len() >= disputes).await;
}

/// What `/ready` says of landings: whether all is well, and the words.
async fn landings(world: &World) -> (u16, bool, String) {
    let (status, ready) = world.get("/ready").await;
    let checks = ready["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "landings").unwrap();
    (status, check["ok"] == true, check["detail"].as_str().unwrap().to_owned())
}

pub(super) fn endpoint(rpc: &str, websocket: Option<String>) -> EndpointUrls {
    EndpointUrls { rpc: rpc.to_owned(), websocket }
}

/// Guard: `chain::no_effect::verdict`. The first of two endpoints hides every transaction; a payment that somebody waits for
/// and one that was promised land once each, though nobody is told of it until their blockhashes have died.
#[tokio::test]
async fn a01_an_endpoint_that_hides_transactions_has_nothing_paid_twice() {
    let mut shop = Shop::open(plain(), 10_000).await;
    let liar = liar(&shop.world).await;
    let both = vec![endpoint(&liar.url, None), endpoint(&shop.world.net.rpc_url(), None)];
    shop.world.reboots_with_endpoints(both).await;
    let mut promise = shop.payment(300, Some("promised"));
    promise["paymentRequirements"]["extra"] = json!({ "settlement": "deferred" });
    let (_, promised) = shop.world.post("/settle", &promise).await;
    assert_eq!(promised["success"], true, "{promised:#}");
    shop.pays(200, Some("waited-for")).await;
    // Final they are by its word too.
    liar.is_honest();
    shop.moved_what_it_captured().await;
    let totals = shop.world.ledger().totals(None).await.unwrap();
    assert_eq!((totals.captured.get(), totals.held.get()), (500, 0));
    shop.closes().await;
}

/// Guard: as before. The honest endpoint's websocket tells of the landing, and the watch over finality asks the liar.
#[tokio::test]
async fn a01_what_was_told_as_landed_is_not_taken_back_on_a_liars_word() {
    let log = Log::listen();
    let mut shop = Shop::open(plain(), 10_000).await;
    shop.world.quiet().await;
    let liar = liar(&shop.world).await;
    let both = vec![endpoint(&liar.url, None), endpoint(&shop.world.net.rpc_url(), Some(shop.world.net.ws_url()))];
    shop.world.reboots_with_endpoints(both).await;
    shop.pays(200, Some("told")).await;
    are_told(&shop.world, &log, 1).await;
    let settlement = shop.world.ledger().unfinished().await.unwrap().remove(0).settlement;
    assert_eq!((&settlement.state, settlement.attempts), (&State::Landed, 1));
    liar.is_honest();
    shop.moved_what_it_captured().await;
    assert_eq!(shop.world.ledger().totals(None).await.unwrap().transfers, 1);
    shop.closes().await;
}

/// Guard: `chain::confirm` asks every endpoint about an error. The first of two tells of every transfer that it failed for
/// good: nothing is given back, and one that bought allowances (which is signed again when it fails) is not paid again.
#[tokio::test]
async fn a01_an_error_that_a_liar_makes_up_gives_nothing_back_and_signs_nothing_anew() {
    for policy in [AllowancePolicy::Never, AllowancePolicy::Every] {
        let log = Log::listen();
        let options = Options::settings(move |settings| settings.transfers.decrypt_allowance = policy);
        let mut shop = Shop::open(options, 10_000).await;
        shop.world.quiet().await;
        let liar = Proxy::start(shop.world.net.rpc_url()).await;
        liar.makes_up_errors();
        let both = vec![endpoint(&liar.url, None), endpoint(&shop.world.net.rpc_url(), None)];
        shop.world.reboots_with_endpoints(both).await;
        shop.pays(200, Some("landed")).await;
        are_told(&shop.world, &log, 1).await;
        let settlement = shop.world.ledger().unfinished().await.unwrap().remove(0).settlement;
        assert_eq!((&settlement.state, settlement.attempts), (&State::Landed, 1), "{policy:?}");
        assert_eq!(shop.world.units(&shop.merchant), 200, "once");
        liar.is_honest();
        shop.closes().await;
    }
}

/// Guards: `chain::survey::Survey::makes_final` and `settlement::disputes`. The first of two endpoints swallows a transfer and
/// says that it is final; nothing gets to the chain. Its caller is told, once, and it becomes final for nobody: not in
/// another process either. When the liar is taken out, an operator has to say that nothing landed; then the money moves.
#[tokio::test]
async fn a02_a_landing_that_only_a_liar_tells_is_said_once_never_final_and_paid_in_the_end() {
    let log = Log::listen();
    let mut shop = Shop::open(plain(), 10_000).await;
    shop.world.quiet().await;
    let liar = Proxy::start(shop.world.net.rpc_url()).await;
    liar.makes_up_landings();
    shop.world.net.faults().change(|plan| plan.drop_sends = Odds { next: 0, per_mille: 1_000 });
    let honest = || endpoint(&shop.world.net.rpc_url(), None);
    let (both, alone) = (vec![endpoint(&liar.url, None), honest()], vec![honest()]);
    shop.world.reboots_with_endpoints(both).await;
    shop.pays(200, Some("made-up")).await;
    for processes in 1..=2 {
        are_told(&shop.world, &log, processes).await;
        assert_eq!(log.errors(DISPUTE).len(), processes, "one line in each: {}", log.text());
        let settlement = shop.world.ledger().unfinished().await.unwrap().remove(0).settlement;
        assert_eq!((&settlement.state, settlement.attempts), (&State::Landed, 1));
        let (status, ok, detail) = landings(&shop.world).await;
        assert_eq!((status, ok), (200, true), "one is told, and stops nothing");
        assert!(detail.contains("landed, say the endpoints [1]") && detail.contains("say [2]"), "{detail}");
        let (_, again) = shop.settle(200, Some("made-up")).await;
        assert_eq!(again["errorReason"], "duplicate_settlement", "{again:#}");
        shop.world.kill().await;
        shop.world.boot().await;
    }
    assert_eq!(shop.world.units(&shop.merchant), 0);
    shop.world.net.faults().clear();
    shop.world.reboots_with_endpoints(alone).await;
    // Who told of it is gone and is not forgotten: whether it lied an operator knows, and nobody else.
    let held = async || shop.world.ledger().held_settlements().await.unwrap().remove(0).settlement;
    let until = shop.world.net.network().slot() + 100;
    while shop.world.net.network().slot() < until {
        shop.world.confirmed().await;
    }
    let settlement = held().await;
    assert_eq!((&settlement.state, settlement.attempts), (&State::Landed, 1), "nothing is signed anew");
    let proof = AbsenceProof { finalised_height: 1, first_available_block: 0 };
    let (verdict, words) = (Verdict::Absent(proof), "the explorer".to_owned());
    let resolution = Resolution { settlement: settlement.id, verdict, words };
    shop.world.kill().await;
    let ledger = SqliteLedger::open(&shop.world.directory().join("sotto.db"), &LedgerOptions::default()).await.unwrap();
    assert!(matches!(ledger.resolve(&resolution, 1).await.unwrap(), Resolved::Written(_)));
    drop(ledger);
    shop.world.boot().await;
    shop.moved_what_it_captured().await;
    assert_eq!(shop.world.ledger().totals(None).await.unwrap().captured.get(), 200);
    shop.closes().await;
}

/// Guard: the same look. Where the honest endpoint can be sent to, what the liar swallowed goes out through it.
#[tokio::test]
async fn a02_what_a_liar_swallows_is_sent_through_another_endpoint() {
    let mut shop = Shop::open(plain(), 10_000).await;
    shop.world.quiet().await;
    let liar = Proxy::start(shop.world.net.rpc_url()).await;
    liar.makes_up_landings();
    let both = vec![endpoint(&liar.url, None), endpoint(&shop.world.net.rpc_url(), None)];
    shop.world.reboots_with_endpoints(both).await;
    shop.pays(200, Some("swallowed")).await;
    shop.moved_what_it_captured().await;
    let totals = shop.world.ledger().totals(None).await.unwrap();
    assert_eq!((totals.captured.get(), totals.transfers), (200, 1));
    shop.closes().await;
}

/// Guard: `Disputes::refusal`. The second of two endpoints has a hole in its history. Each landing that it denies is
/// a dispute, and at three nothing new is taken, by whatever form; what was taken keeps its answer. When it tells the truth
/// again, all goes on.
#[tokio::test]
async fn a02_three_disputes_stop_new_payments_until_they_end() {
    let log = Log::listen();
    let mut shop = Shop::open(plain(), 10_000).await;
    shop.world.quiet().await;
    let forgetful = liar(&shop.world).await;
    let honest = endpoint(&shop.world.net.rpc_url(), Some(shop.world.net.ws_url()));
    shop.world.reboots_with_endpoints(vec![honest, endpoint(&forgetful.url, None)]).await;
    for (taken, nonce) in ["first", "second", "third"].into_iter().enumerate() {
        assert!(landings(&shop.world).await.1, "{taken} are not too many");
        shop.pays(200, Some(nonce)).await;
        are_told(&shop.world, &log, taken + 1).await;
    }
    let (status, ok, detail) = landings(&shop.world).await;
    assert_eq!((status, ok), (503, false), "{detail}");
    is_refused_everywhere(&shop.world, &shop.payment(200, Some("fourth")), "overloaded").await;
    let mut promise = shop.payment(300, Some("promised"));
    promise["paymentRequirements"]["extra"] = json!({ "settlement": "deferred" });
    is_refused_everywhere(&shop.world, &promise, "overloaded").await;
    let (_, again) = shop.settle(200, Some("first")).await;
    assert_eq!(again["errorReason"], "duplicate_settlement", "{again:#}");
    forgetful.is_honest();
    shop.world.until("it ends", async || landings(&shop.world).await.1).await;
    shop.pays(200, Some("fourth")).await;
    shop.moved_what_it_captured().await;
    assert_eq!(shop.world.ledger().totals(None).await.unwrap().captured.get(), 800);
    shop.closes().await;
}

/// Guard: `settlement::flips`. A lone endpoint says each time it is asked that the transfer has landed just now, so that each
/// landing is later than the one before: a row for each, for ever.
#[tokio::test]
async fn a01_a_landing_that_is_told_anew_with_every_look_is_written_a_few_times() {
    let log = Log::listen();
    let mut shop = Shop::open(plain(), 10_000).await;
    shop.world.quiet().await;
    let liar = Proxy::start(shop.world.net.rpc_url()).await;
    liar.changes_statuses(|status, now| {
        if !status.is_null() {
            (status["slot"], status["confirmations"]) = (now.clone(), json!(1));
            status["confirmationStatus"] = json!("confirmed");
        }
    });
    shop.world.reboots_with_endpoints(vec![endpoint(&liar.url, None)]).await;
    shop.pays(200, Some("late")).await;
    // Planned, signed, landed; then taken back and landed again, once at first, once a second later, once after four more.
    let most = 3 + 2 * 3;
    let events = async || shop.world.ledger().unfinished().await.unwrap()[0].settlement.sequence;
    let counted = || log.text().contains("a landing was told and taken back many times");
    shop.world.until("they are counted", async || counted() || events().await > most).await;
    assert!(events().await <= most, "{} events", events().await);
    liar.is_honest();
    shop.closes().await;
}

/// Guard: `chain::witness`. A lone voice with a hole in its history hides a transfer that landed; it cannot hide that the balance
/// has moved. The promise is paid once and held, across starts, told of once in each; nobody waits for it; and when the
/// provider has filled its hole, it is found without a restart.
#[tokio::test]
async fn a01_a_lone_voice_with_a_hole_has_nothing_paid_twice() {
    let log = Log::listen();
    let mut shop = Shop::open(plain(), 10_000).await;
    let liar = liar(&shop.world).await;
    shop.world.reboots_with_endpoints(vec![endpoint(&liar.url, None)]).await;
    let mut promise = shop.payment(300, Some("promised"));
    promise["paymentRequirements"]["extra"] = json!({ "settlement": "deferred" });
    let (_, promised) = shop.world.post("/settle", &promise).await;
    assert_eq!(promised["success"], true, "{promised:#}");
    shop.world.until("it is held", async || !shop.world.ledger().held_settlements().await.unwrap().is_empty()).await;
    // Rounds come and go, and another process takes over.
    for starts in 1..=2 {
        let until = shop.world.net.network().slot() + 200;
        while shop.world.net.network().slot() < until {
            shop.world.confirmed().await;
        }
        assert_eq!(log.errors("a settlement is held").len(), starts, "{}", log.text());
        assert_eq!(shop.world.units(&shop.merchant), 300, "once");
        shop.world.kill().await;
        shop.world.boot().await;
    }
    let held = shop.world.ledger().held_settlements().await.unwrap().remove(0).settlement;
    assert_eq!((&held.state, held.attempts), (&State::InFlight, 1));
    assert_eq!(held.held.unwrap().because, HeldBecause::Moved);
    let totals = shop.world.ledger().totals(None).await.unwrap();
    assert_eq!((totals.captured.get(), totals.held.get(), totals.lost.get()), (0, 300, 0), "no cap is freed");
    // Who asks again is told that it is open; a new approve does not wait for what cannot move; the end is quick.
    let (_, again) = shop.world.post("/settle", &promise).await;
    assert_eq!(again["errorReason"], "duplicate_settlement", "{again:#}");
    let begun = std::time::Instant::now();
    shop.world.running().facilitator.leave().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    shop.world.kill().await;
    shop.world.boot().await;
    liar.is_honest();
    shop.moved_what_it_captured().await;
    let totals = shop.world.ledger().totals(None).await.unwrap();
    assert_eq!((totals.captured.get(), totals.transfers), (300, 1));
    shop.closes().await;
}

/// Guard: `Settlements::note_seen`. One of two endpoints tells of a landing and the other, which has a hole, denies it. An
/// operator takes the honest one out: nothing is paid again, because it said what it said, and the balance has moved.
#[tokio::test]
async fn a01_what_an_honest_voice_told_outlives_its_place_in_the_configuration() {
    let log = Log::listen();
    let mut shop = Shop::open(plain(), 10_000).await;
    shop.world.quiet().await;
    let forgetful = liar(&shop.world).await;
    let honest = Proxy::start(shop.world.net.rpc_url()).await;
    let urls = || vec![endpoint(&honest.url, None), endpoint(&forgetful.url, None)];
    shop.world.reboots_with_endpoints(urls()).await;
    shop.pays(200, Some("told")).await;
    are_told(&shop.world, &log, 1).await;
    let seen_by = async || {
        let held = shop.world.ledger().held_settlements().await.unwrap();
        held.first().map_or(0, |record| record.attempts[0].get().seen_by.len())
    };
    shop.world.until("it is noted", async || seen_by().await == 1).await;
    shop.world.reboots_with_endpoints(vec![endpoint(&forgetful.url, None)]).await;
    let until = shop.world.net.network().slot() + 200;
    while shop.world.net.network().slot() < until {
        shop.world.confirmed().await;
    }
    let settlement = shop.world.ledger().unfinished().await.unwrap().remove(0).settlement;
    assert_eq!((&settlement.state, settlement.attempts), (&State::Landed, 1), "{}", log.text());
    assert_eq!(shop.world.units(&shop.merchant), 200, "once");
    shop.world.reboots_with_endpoints(urls()).await;
    forgetful.is_honest();
    shop.closes().await;
}

/// Guard: `settlement::one_voice`. The first of two endpoints makes landings up. Callers are told of at most so much on its word;
/// who pays more waits for the other one, and is told of nothing that it does not have. A process that is started meanwhile
/// goes on with the same sum.
#[tokio::test]
async fn a02_what_a_liar_makes_up_is_told_up_to_a_sum() {
    const MOST: u64 = 500;
    let watches = Arc::new(AtomicBool::new(true));
    let watch = Arc::clone(&watches);
    let options = Options::settings(move |settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        settings.transfers.one_voice_exposure = Amount::new(MOST).unwrap();
        // While nothing is watched nothing is found out.
        if !watch.load(Ordering::SeqCst) {
            settings.transfers.finality_after = Duration::from_hours(1);
        }
    });
    let mut shop = Shop::open(options, 10_000).await;
    shop.world.quiet().await;
    watches.store(false, Ordering::SeqCst);
    let (liar, honest) = (Proxy::start(shop.world.net.rpc_url()).await, Proxy::start(shop.world.net.rpc_url()).await);
    liar.makes_up_landings();
    shop.world.reboots_with_endpoints(vec![endpoint(&liar.url, None), endpoint(&honest.url, None)]).await;
    let mut told = 0;
    for nonce in ["1", "2", "3", "4"] {
        if nonce == "4" {
            shop.world.kill().await;
            shop.world.boot().await;
        }
        let (_, answer) = shop.world.post("/settle", &shop.hasty_payment(200, Some(nonce))).await;
        told += if answer["success"] == true { 200 } else { 0 };
    }
    assert_eq!(told, 400, "of 800, and of at most {MOST}");
    assert_eq!(shop.world.units(&shop.merchant), 0, "nothing has moved");
    // What was told is paid once it is looked at; of the rest nobody was told.
    liar.is_honest();
    watches.store(true, Ordering::SeqCst);
    shop.world.kill().await;
    shop.world.boot().await;
    shop.moved_what_it_captured().await;
    shop.closes().await;
}

/// Guard: the witness of an error that one voice alone tells. The transfer landed; believed, it would be given back.
#[tokio::test]
async fn a01_an_error_that_a_lone_voice_makes_up_gives_nothing_back() {
    let mut shop = Shop::open(plain(), 10_000).await;
    shop.world.quiet().await;
    let liar = Proxy::start(shop.world.net.rpc_url()).await;
    liar.makes_up_errors();
    shop.world.reboots_with_endpoints(vec![endpoint(&liar.url, None)]).await;
    let (_, told) = shop.world.post("/settle", &shop.hasty_payment(200, Some("landed"))).await;
    assert_eq!(told["success"], false, "{told:#}");
    shop.world.until("it is held", async || !shop.world.ledger().held_settlements().await.unwrap().is_empty()).await;
    let held = shop.world.ledger().held_settlements().await.unwrap().remove(0).settlement;
    assert_eq!((&held.state, held.attempts, held.held.unwrap().because), (&State::InFlight, 1, HeldBecause::Moved));
    let totals = shop.world.ledger().totals(None).await.unwrap();
    assert_eq!((totals.held.get(), shop.world.units(&shop.merchant)), (200, 200));
    liar.is_honest();
    shop.moved_what_it_captured().await;
    assert_eq!(shop.world.ledger().totals(None).await.unwrap().captured.get(), 200);
    shop.closes().await;
}
