//! What the balance of a payer's account bears witness of when nobody has a transfer of theirs: each cell of the table of
//! `spec/settlement.md` §2. Money moves once or the settlement is held, whatever a provider hides and whoever moves the account.

use super::{PURSE, Shop};
use crate::{
    chain::proxy::{Lost, Proxy, Reply},
    support::{Log, Options, World, look_again},
};
use serde_json::json;
use sotto::{
    chain::{EndpointUrls, transaction::SettleInstruction},
    domain::{
        session::Delegation,
        settlement::{HeldBecause, Settlement, State},
    },
    facilitator::{AllowancePolicy, HandleReport, InstructionChoice, Settings},
};

/// A payer at one merchant, whose chain is seen through so many endpoints of providers of their own, which all lose the first
/// transaction that is sent through one of them.
pub(super) struct Scene {
    pub(super) shop: Shop,
    pub(super) voices: Vec<Proxy>,
    lost: Lost,
    pub(super) log: Log,
}

impl Scene {
    pub(super) async fn of(voices: usize) -> Self {
        let policy = |settings: &mut Settings| settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        Self::with(voices, Options::settings(policy)).await
    }

    /// A scene of one voice, on whose network transfers by the delegate are plain and this is what they do.
    async fn under(delegation: Delegation) -> Self {
        Self::with(1, by_plain_transfers(delegation)).await
    }

    async fn with(voices: usize, options: Options) -> Self {
        let log = Log::listen();
        let mut shop = Shop::open(options, 10_000).await;
        shop.world.quiet().await;
        let (lost, mut proxies) = (Lost::default(), Vec::new());
        for _ in 0..voices {
            let proxy = Proxy::start(shop.world.net.rpc_url()).await;
            proxy.loses(&lost);
            proxies.push(proxy);
        }
        let urls = proxies.iter().map(|proxy| EndpointUrls { rpc: proxy.url.clone(), websocket: None });
        shop.world.reboots_with_endpoints(urls.collect()).await;
        Self { shop, voices: proxies, lost, log }
    }

    pub(super) fn world(&self) -> &World {
        &self.shop.world
    }

    /// Pays 200, and does this once the transfer is on its way and lost.
    pub(super) async fn pays_meanwhile(&self, meanwhile: impl Future<Output = ()>) {
        let does = async {
            self.world().until("it is lost", async || self.lost.signature().is_some()).await;
            meanwhile.await;
        };
        tokio::join!(self.shop.pays(200, Some("once")), does);
    }

    /// Whether the transfer is on its way, and lost.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.signature().is_some()
    }

    /// A stranger sends the payer nothing, which gives the balance another handle.
    pub(super) async fn a_stranger_moves_it(&self) -> String {
        let landed = self.world().lands(self.world().transfer_by_stranger(&self.shop.payer.key(), 0));
        self.world().confirmed().await;
        landed.to_string()
    }

    pub(super) async fn held(&self) -> Option<Settlement> {
        let held = self.world().ledger().held_settlements().await.unwrap();
        held.into_iter().next().map(|record| record.settlement)
    }

    /// Waits until it is held for this cause, with its first attempt.
    pub(super) async fn is_held(&self, because: HeldBecause) {
        self.world().until("it is held", async || self.held().await.is_some()).await;
        let held = self.held().await.unwrap();
        assert_eq!((held.held.unwrap().because, &held.state, held.attempts), (because, &State::InFlight, 1));
        assert_eq!(self.log.errors("a settlement is held").len(), 1, "{}", self.log.text());
    }

    /// Ends with the payment made once, after so many transfers were signed, and nobody asked to look.
    pub(super) async fn ends(self, signed: usize, errors: usize) {
        self.world().quiet().await;
        let signatures = self.world().ledger().newest_landings(9).await.unwrap();
        assert!(!signatures.is_empty());
        assert_eq!(self.log.text().matches("the payer's balance was asked").count() > 0, signed > 1);
        assert_eq!(self.world().units(&self.shop.merchant), 200, "once");
        assert_eq!(self.log.errors("").len(), errors, "{}", self.log.text());
        self.shop.closes().await;
    }
}

fn by_plain_transfers(delegation: Delegation) -> Options {
    let options = Options::settings(|settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        settings.transfers.settle_instruction = InstructionChoice::Fixed(SettleInstruction::Transfer);
    });
    Options { delegation, ..options }
}

/// What is honest and loses a transfer is believed: nothing moved, so it is signed anew.
#[tokio::test]
async fn a_balance_that_nobody_moved_lets_a_lost_transfer_be_signed_anew() {
    for voices in [1, 2] {
        let scene = Scene::of(voices).await;
        scene.pays_meanwhile(async {}).await;
        assert!(scene.log.text().contains("testimony=Unmoved"), "{}", scene.log.text());
        scene.ends(2, 0).await;
    }
}

/// Guard: the path of `chain::witness`. Strangers move the account meanwhile, and its history tells how.
#[tokio::test]
async fn a_balance_whose_changes_are_explained_lets_it_be_signed_anew() {
    for voices in [1, 2] {
        let scene = Scene::of(voices).await;
        scene
            .pays_meanwhile(async {
                for _ in 0..3 {
                    scene.a_stranger_moves_it().await;
                }
            })
            .await;
        assert!(scene.log.text().contains("testimony=Explained"), "{}", scene.log.text());
        scene.ends(2, 0).await;
    }
}

/// Guard: a gap in the path. The lone voice shows one of the strangers' transfers in no list: what else does it hide? Nothing is
/// signed until it shows all, and then, without a restart, the payment is made.
#[tokio::test]
async fn one_voice_with_a_gap_in_the_accounts_history_holds_until_it_is_closed() {
    let scene = Scene::of(1).await;
    scene
        .pays_meanwhile(async {
            let hidden = scene.a_stranger_moves_it().await;
            scene.voices[0].leaves_out(&hidden);
            scene.is_held(HeldBecause::Moved).await;
            assert_eq!(scene.world().units(&scene.shop.merchant), 0);
            let (status, ready) = scene.world().get("/ready").await;
            let check = ready["checks"].as_array().unwrap().iter().find(|check| check["name"] == "held_settlements");
            let check = check.unwrap();
            assert_eq!((status, &check["ok"]), (200, &json!(true)), "it is told and stops nothing");
            assert!(check["detail"].as_str().unwrap().contains("1 are held"), "{check}");
            scene.voices[0].is_honest();
        })
        .await;
    scene.ends(2, 1).await;
}

/// Two voices whose lists differ: one of them hides something, so that the balance moved without an explanation is too much.
/// Where they agree on a history that explains nothing, it is not the attempt's doing.
#[tokio::test]
async fn two_voices_with_a_moved_balance_are_believed_where_their_lists_are_equal() {
    for equal in [true, false] {
        let scene = Scene::of(2).await;
        scene
            .pays_meanwhile(async {
                let hidden = scene.a_stranger_moves_it().await;
                scene.a_stranger_moves_it().await;
                if equal {
                    // A gap for both.
                    scene.voices.iter().for_each(|voice| voice.leaves_out(&hidden));
                } else {
                    // What one of them shows and the other hides would explain it, if anybody had its log.
                    scene.voices[0].keeps_no_logs(Some(&hidden));
                    scene.voices[1].keeps_no_logs(None);
                    scene.is_held(HeldBecause::Moved).await;
                    scene.voices.iter().for_each(Proxy::is_honest);
                }
            })
            .await;
        let expected = if equal { "testimony=MovedAndListed" } else { "testimony=Explained" };
        assert!(scene.log.text().contains(expected), "{}", scene.log.text());
        scene.ends(2, usize::from(!equal)).await;
    }
}

/// Guard: `Entry::begins`. The owner closes the account and makes it anew while a transfer is on its way: its handle may be any
/// that it had before. One voice alone proves nothing by it, two that tell the same do.
#[tokio::test]
async fn an_account_that_began_anew_bears_no_witness() {
    for voices in [1, 2] {
        let scene = Scene::of(voices).await;
        let world = scene.world();
        let body = scene.shop.hasty_payment(200, Some("once"));
        let pays = world.post("/settle", &body);
        let (_, ()) = tokio::join!(pays, async {
            world.until("it is lost", async || scene.lost.signature().is_some()).await;
            world.lands(world.close_by_owner(&scene.shop.payer));
            world.lands(world.create_by_anybody(&scene.shop.payer.key()));
            world.confirmed().await;
        });
        if voices == 1 {
            scene.is_held(HeldBecause::Moved).await;
            assert_eq!(world.units(&scene.shop.merchant), 0);
            let Scene { shop, .. } = scene;
            shop.world.finish_leaving(crate::support::Left { settlements: 1, units: 200 }).await;
        } else {
            // It is absent; the delegation is gone with the account, so what is signed anew cannot work and is given back.
            world.quiet().await;
            assert!(scene.held().await.is_none() && scene.log.text().contains("testimony=MovedAndListed"));
            let totals = world.ledger().totals(None).await.unwrap();
            assert_eq!((totals.captured.get(), totals.held.get()), (0, 0));
            scene.shop.world.finish().await;
        }
    }
}

/// Guard: `Facts::is_delegation_explained`. Strangers move the balance, and the lone voice keeps no logs by which that could be
/// explained; what the payer delegates they cannot move.
#[tokio::test]
async fn a_delegated_amount_that_strangers_cannot_move_lets_a_lost_transfer_be_signed_anew() {
    for delegation in [Delegation::Documented, Delegation::Public] {
        let scene = Scene::under(delegation).await;
        scene
            .pays_meanwhile(async {
                scene.voices[0].keeps_no_logs(None);
                for _ in 0..3 {
                    scene.a_stranger_moves_it().await;
                }
                if delegation == Delegation::Public {
                    scene.is_held(HeldBecause::Moved).await;
                    scene.voices[0].is_honest();
                }
            })
            .await;
        let expected = if delegation.is_lowered() { "testimony=DelegationExplained" } else { "testimony=Explained" };
        assert!(scene.log.text().contains(expected), "{}", scene.log.text());
        scene.ends(2, usize::from(!delegation.is_lowered())).await;
    }
}

/// Guard: `spends`. The owner approves anew while the transfer is on its way: what they delegate says nothing any more, because
/// the same ciphertext would bring its handle back.
#[tokio::test]
async fn an_approve_meanwhile_voids_what_is_delegated() {
    let scene = Scene::under(Delegation::Documented).await;
    scene
        .pays_meanwhile(async {
            scene.voices[0].keeps_no_logs(None);
            scene.a_stranger_moves_it().await;
            scene.world().lands(scene.world().approve_by_owner(&scene.shop.payer, 10_000));
            scene.is_held(HeldBecause::Moved).await;
            scene.voices[0].is_honest();
        })
        .await;
    scene.ends(2, 1).await;
}

/// Guard: `Examiner`, of what is delegated. A lone voice with a hole has lost a transfer that landed: it lowered what is delegated.
#[tokio::test]
async fn a_transfer_that_landed_and_was_forgotten_has_lowered_what_is_delegated() {
    let log = Log::listen();
    let mut shop = Shop::open(by_plain_transfers(Delegation::Documented), 10_000).await;
    shop.world.quiet().await;
    let forgetful = Proxy::start(shop.world.net.rpc_url()).await;
    forgetful.hides_transactions();
    let urls = vec![EndpointUrls { rpc: forgetful.url.clone(), websocket: None }];
    shop.world.reboots_with_endpoints(urls).await;
    let (_, told) = shop.world.post("/settle", &shop.hasty_payment(200, Some("once"))).await;
    assert_eq!(told["errorReason"], "settlement_pending", "{told:#}");
    shop.world.until("it is held", async || !log.errors("a settlement is held").is_empty()).await;
    let held = shop.world.ledger().held_settlements().await.unwrap().remove(0);
    assert_eq!((held.settlement.held.unwrap().because, held.settlement.attempts), (HeldBecause::Moved, 1));
    assert!(held.attempts[0].get().moves.witness().unwrap().delegated.is_some());
    assert_eq!(shop.world.units(&shop.merchant), 200, "once");
    forgetful.is_honest();
    shop.moved_what_it_captured().await;
    shop.closes().await;
}

/// Guard: `Core::seen_before`. Where nobody has shown that a handle names what made it, only one of a final state counts: neither
/// the one that the opening saw, which may have been of another fork, nor one of now.
#[tokio::test]
async fn where_handles_may_be_made_of_anything_a_witness_is_read_in_a_final_state() {
    const FINAL_AFTER: u64 = 40;
    let options = Options { finalized_after: FINAL_AFTER, ..by_plain_transfers(Delegation::Public) };
    let shop = Shop::open(options, 10_000).await;
    let (network, facilitator) = (shop.world.net.network(), &shop.world.running().facilitator);
    facilitator.apply_handles(HandleReport { are_derived: false, are_lowered: false });
    let opened_at = network.slot();
    while network.slot() < opened_at + 2 * FINAL_AFTER {
        shop.world.confirmed().await;
    }
    shop.pays(200, Some("once")).await;
    let work = shop.world.ledger().unfinished().await.unwrap().remove(0);
    let seen_at = work.attempt.unwrap().get().moves.witness().unwrap().before.slot;
    assert!(seen_at > opened_at && seen_at + FINAL_AFTER / 2 < network.slot(), "{opened_at} {seen_at}");
    shop.closes().await;
}

/// Guard: the voices are counted as they are configured. The transfer landed; one voice hides it, and whoever uses up our
/// quota at the honest one makes the other the only one that answers. Nothing is signed anew, for as long as that lasts.
#[tokio::test]
async fn a_voice_that_limits_us_is_not_left_out_of_the_count() {
    let log = Log::listen();
    let options = Options::settings(|settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        settings.transfers.absence_patience = std::time::Duration::from_secs(1);
    });
    let mut shop = Shop::open(options, 10_000).await;
    shop.world.quiet().await;
    let (liar, honest) = (Proxy::start(shop.world.net.rpc_url()).await, Proxy::start(shop.world.net.rpc_url()).await);
    liar.hides_transactions();
    let urls = [&liar, &honest].map(|proxy| EndpointUrls { rpc: proxy.url.clone(), websocket: None });
    shop.world.reboots_with_endpoints(urls.to_vec()).await;
    honest.is_limited();
    let (_, told) = shop.world.post("/settle", &shop.hasty_payment(200, Some("once"))).await;
    assert_eq!(told["errorReason"], "settlement_pending", "{told:#}");
    shop.world.until("it is told", async || !log.errors("a dead transaction is not proved absent").is_empty()).await;
    let held = shop.world.ledger().held_settlements().await.unwrap().remove(0).settlement;
    assert_eq!((held.held.unwrap().because, held.attempts), (HeldBecause::Silence, 1));
    assert_eq!(shop.world.units(&shop.merchant), 200, "once");
    honest.is_honest();
    while !shop.world.ledger().held_settlements().await.unwrap().is_empty() {
        look_again().await;
    }
    liar.is_honest();
    shop.moved_what_it_captured().await;
    assert_eq!(PURSE - shop.world.units(&shop.payer), 200);
    shop.closes().await;
}

/// Guard: `witness::told::Asking::balance`. A transfer landed, and the one voice hides it and tells the payer's account as it was
/// before, from a state that is older than was asked for. That proves nothing, and nothing is signed anew.
#[tokio::test]
async fn an_account_that_is_told_as_it_was_long_ago_bears_no_witness() {
    let options = Options::settings(|settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        settings.transfers.absence_patience = std::time::Duration::from_secs(1);
    });
    let mut shop = Shop::open(options, 10_000).await;
    shop.world.quiet().await;
    let account = shop.world.account_of(&shop.payer.key()).to_string();
    let request = json!({
        "jsonrpc": "2.0", "id": 1, "method": "getAccountInfo", "params": [account, { "encoding": "base64" }],
    });
    let told = shop.world.http.post(shop.world.net.rpc_url()).json(&request).send().await.unwrap();
    let before = told.json::<serde_json::Value>().await.unwrap()["result"].clone();
    let liar = Proxy::start(shop.world.net.rpc_url()).await;
    liar.change(move |method, truth| match method {
        "getSignatureStatuses" => {
            let nothing = vec![serde_json::Value::Null; truth["value"].as_array().map_or(0, Vec::len)];
            Some(Reply::Result(json!({ "context": truth["context"], "value": nothing })))
        }
        "getSignaturesForAddress" => Some(Reply::Result(json!([]))),
        "getAccountInfo" => Some(Reply::Result(before.clone())),
        _ => None,
    });
    shop.world.reboots_with_endpoints(vec![EndpointUrls { rpc: liar.url.clone(), websocket: None }]).await;
    let (_, told) = shop.world.post("/settle", &shop.hasty_payment(200, Some("once"))).await;
    assert_eq!(told["errorReason"], "settlement_pending", "{told:#}");
    let held = async || shop.world.ledger().held_settlements().await.unwrap();
    shop.world.until("it is held", async || !held().await.is_empty()).await;
    let settlement = held().await.remove(0).settlement;
    assert_eq!((settlement.held.unwrap().because, settlement.attempts), (HeldBecause::Silence, 1));
    assert_eq!(shop.world.units(&shop.merchant), 200, "once");
    liar.is_honest();
    shop.closes().await;
}
