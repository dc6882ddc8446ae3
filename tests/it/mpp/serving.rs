//! What the routes of charges answer, over real HTTP, on a real chain (`spec/mpp.md` §1, §2).

use crate::support::{MppScene, Options, ROOT, World, until};
use serde_json::{Value, json};
use solana_instruction::AccountMeta;
use sotto::{
    domain::{
        mpp::{
            choices::StatsShown,
            root::{Root, Roots},
        },
        signed::parse_signature,
    },
    facilitator::StartError,
    programs::{memo::memo, spl_token::TransferChecked},
};

#[tokio::test]
async fn a_prepared_charge_is_settled_with_its_proof() {
    let scene = MppScene::start().await;
    let prepared = scene.prepared().await;
    let cash = scene.world.net.cash();
    assert_eq!(prepared["feePayer"], json!(scene.world.fee_payer().to_string()), "never the spender");
    assert_eq!(prepared["splToken"], json!(cash.mint().to_string()));
    assert_eq!((&prepared["decimals"], &prepared["recentBlockhash"]), (&json!(6), &prepared["blockhash"]));
    assert!(prepared["lastValidBlockHeight"].is_u64() && prepared["tokenProgram"].is_string(), "{prepared:#}");

    let body = scene.body(&scene.charge(10_000).await, 10_000);
    let paid = scene.paid(&body).await;
    for member in ["recipient", "amount", "asset"] {
        assert_eq!((&paid["settlement"][member], &paid[member]), (&body[member], &body[member]), "{paid:#}");
    }
    assert_eq!(paid["settlement"]["feePayer"], prepared["feePayer"]);
    assert_eq!(paid["payer"], json!(scene.buyer.key().to_string()));
    assert_eq!(paid["network"], json!(scene.world.network.canonical()));
    assert!(paid["confirmedSlot"].is_u64());
    let signature = parse_signature(paid["signature"].as_str().unwrap()).unwrap();
    assert!(scene.world.net.network().outcome(&signature.into()).unwrap().is_ok());
    scene.closes(10_000).await;
}

#[tokio::test]
async fn the_network_is_echoed_as_it_is_spelled_and_another_one_is_refused() {
    let scene = MppScene::start().await;
    let spellings = ["solana:devnet".to_owned(), scene.world.network.canonical().to_owned()];
    for spelling in &spellings {
        let (status, answer) = scene.world.post("/mpp/prepare", &json!({ "network": spelling })).await;
        assert_eq!((status, &answer["network"]), (200, &json!(spelling)), "{answer:#}");
    }
    let settle =
        json!({ "transaction": "%", "recipient": scene.seller.key().to_string(), "amount": "1", "network": "testnet" });
    for (path, body) in [("/mpp/prepare", json!({ "network": "testnet" })), ("/mpp/settle", settle)] {
        let (status, answer) = scene.world.post(path, &body).await;
        assert_eq!((status, answer["error"].as_str()), (400, Some("unsupported_network")), "{answer:#}");
        let supported = answer["supported"].as_array().unwrap();
        assert!(spellings.iter().all(|spelling| supported.contains(&json!(spelling))), "{answer:#}");
    }
    scene.closes(0).await;
}

#[tokio::test]
async fn bodies_and_methods_that_are_none_are_told_in_json() {
    let scene = MppScene::start().await;
    for body in ["", "[]", "{", r#"{"amount":"1","amount":"1"}"#] {
        let (status, answer) = scene.world.post_text("/mpp/settle", body).await;
        assert_eq!((status, answer["errorCode"].as_str()), (400, Some("bad_request")), "{body}: {answer:#}");
        assert_eq!((&answer["success"], &answer["ok"]), (&json!(false), &json!(false)));
    }
    let (status, answer) = scene.world.post_text("/mpp/settle", "x".repeat(100_000)).await;
    assert_eq!((status, answer["errorCode"].as_str()), (413, Some("body_too_large")), "{answer:#}");
    let (status, answer) = scene.world.get("/mpp/settle").await;
    assert_eq!((status, answer["errorCode"].as_str()), (405, Some("bad_request")), "{answer:#}");
    let (status, _) = scene.world.get("/mpp/nothing").await;
    assert_eq!(status, 404);
    scene.closes(0).await;
}

#[tokio::test]
async fn without_the_protocol_its_routes_say_so() {
    let world = World::start().await;
    for (path, posts) in [("/mpp/prepare", true), ("/mpp/settle", true), ("/mpp/keys", false), ("/mpp/stats", false)] {
        let (status, answer) = if posts { world.post(path, &json!({})).await } else { world.get(path).await };
        assert_eq!((status, answer["error"].as_str()), (404, Some("mpp_disabled")), "{path}: {answer:#}");
    }
    world.finish().await;
}

#[tokio::test]
async fn the_keys_are_those_of_the_root() {
    let scene = MppScene::start().await;
    let (status, keys) = scene.world.get("/mpp/keys").await;
    let chain_id = scene.world.network.canonical();
    assert_eq!(status, 200);
    assert_eq!(keys["issuer"], json!(Root::new(ROOT).issuer(chain_id).public().to_string()));
    assert_eq!((&keys["chain_id"], &keys["min_amount"]), (&json!(chain_id), &json!("10000")));
    assert_eq!(keys["fee_payers"], json!([scene.world.fee_payer().to_string()]));
    assert_eq!(keys["mint"], json!(scene.world.net.cash().mint().to_string()));
    scene.closes(0).await;
}

/// Guard: `issuers::claim`. Another root would sign for open channels with other keys.
#[tokio::test]
async fn another_root_does_not_start_unless_it_knows_the_one_from_before() {
    let mut scene = MppScene::start().await;
    let (old, new) = (Root::new(ROOT), Root::new([0x5b; 32]));
    let with = |previous: Vec<Root>| {
        let current = new.clone();
        move |settings: &mut sotto::facilitator::Settings| {
            settings.served.mpp.as_mut().unwrap().roots =
                Roots { current: current.clone(), previous: previous.clone() };
        }
    };
    scene.world.kill().await;
    scene.world.configure(with(Vec::new()));
    let ledger = scene.world.open_ledger("sotto.db").await;
    let facilitator = scene.world.facilitator_over(ledger.clone(), scene.world.connect());
    let refused = facilitator.recover().await.expect_err("another root");
    let in_use = old.issuer(scene.world.network.canonical()).public();
    assert!(matches!(refused, StartError::OtherRoot { in_use: told } if told == in_use), "{refused}");
    facilitator.stop().await;
    drop((facilitator, ledger));

    scene.world.configure(with(vec![old]));
    scene.world.boot().await;
    scene.closes(0).await;
}

/// Guards: `check::usable`, `check_accounts`. Each has its sentence, and nothing is sent.
#[tokio::test]
async fn what_the_chain_would_refuse_is_refused_with_a_sentence() {
    let scene = MppScene::start().await;
    let poor = MppScene { world: scene.world, buyer: scene.buyer, seller: scene.seller };
    let nobody = poor.world.stranger();
    let to_nobody = poor.world.cash_transfer(&poor.buyer, &nobody.key(), 10_000);
    let mut body = poor.body(&poor.signed(&[to_nobody.instruction()]).await, 10_000);
    body["recipient"] = json!(nobody.key().to_string());
    let told = poor.refused(&body, "simulation_failed").await;
    assert_eq!(told["detail"], "The recipient has no token account for this asset.");

    let body = poor.body(&poor.charge(5_000_001).await, 5_000_001);
    let told = poor.refused(&body, "simulation_failed").await;
    assert!(told["detail"].as_str().unwrap().contains("holds less"), "{told:#}");
    assert!(told.get("signature").is_none(), "nothing was recorded");
    poor.closes(0).await;
}

/// Guard: `check_blockhash`. What is about to die would only hang.
#[tokio::test]
async fn what_is_about_to_die_is_refused() {
    let scene = MppScene::start().await;
    scene.world.stands_still();
    let (prepared, body) = (scene.prepared().await, scene.body(&scene.charge(10_000).await, 10_000));
    scene.world.passes(145);
    // Heights are told from memory, and are some two seconds old at most.
    let told = &prepared["recentBlockhash"];
    until("another blockhash is told", async || scene.prepared().await["recentBlockhash"] != *told).await;
    scene.refused(&body, "blockhash_expired").await;
    scene.world.moves_on();
    scene.closes(0).await;
}

/// A token account that is no associated one may pay, and instructions may stand in any order.
#[tokio::test]
async fn order_means_nothing_and_extra_memos_are_taken() {
    let scene = MppScene::start().await;
    let mut signed_memo = memo("signed");
    signed_memo.accounts.push(AccountMeta::new_readonly(scene.buyer.key(), true));
    let transfer: TransferChecked = scene.transfer(12_345);
    let instructions = [memo("first"), transfer.instruction(), signed_memo];
    let body = scene.body(&scene.signed(&instructions).await, 12_345);
    scene.paid(&body).await;
    scene.closes(12_345).await;
}

fn counted(stats: &Value) -> (u64, u64, u64) {
    let number = |pointer: &str| stats.pointer(pointer).and_then(Value::as_u64).unwrap();
    (number("/prepare/total"), number("/settle/success"), number("/settle/fail"))
}

#[tokio::test]
async fn statistics_count_and_tell_what_the_operator_lets_them() {
    let mut scene = MppScene::start().await;
    let body = scene.body(&scene.charge(10_000).await, 10_000);
    let paid = scene.paid(&body).await;
    let (status, stats) = scene.world.get("/mpp/stats").await;
    assert_eq!((status, counted(&stats)), (200, (1, 1, 0)), "{stats:#}");
    assert_eq!(stats["settle"]["successRate"], "100.0%");
    let listed = &stats["recentSettlements"][0];
    assert_eq!((&listed["signature"], &listed["amount"]), (&paid["signature"], &json!("10000")), "{stats:#}");
    assert_eq!(stats["lastSettlement"], listed["at"]);

    scene.world.quiet().await;
    scene.world.kill().await;
    scene.world.configure(|settings| settings.served.mpp.as_mut().unwrap().stats = StatsShown::Totals);
    scene.world.boot().await;
    let (_, stats) = scene.world.get("/mpp/stats").await;
    assert_eq!((&stats["recentSettlements"], &stats["settle"]["success"]), (&json!([]), &json!(1)), "{stats:#}");
    assert!(stats["lastSettlement"].is_string());

    scene.world.kill().await;
    scene.world.configure(|settings| settings.served.mpp.as_mut().unwrap().stats = StatsShown::Off);
    scene.world.boot().await;
    assert_eq!(scene.world.get("/mpp/stats").await.0, 404);
    scene.closes(10_000).await;
}

/// Guard: `MppShared::fee_payers`. A key that spends for sessions pays for nobody's charge (`spec/security.md` §1).
#[tokio::test]
async fn the_spender_pays_for_no_charge() {
    let alone = Options { separate_fee_payer: false, ..Options::mpp() };
    let scene = MppScene::of(World::with(alone).await).await;
    let (status, answer) = scene.world.post("/mpp/prepare", &json!({})).await;
    assert_eq!((status, answer["error"].as_str()), (503, Some("insufficient_sponsor_balance")), "{answer:#}");
    scene.closes(0).await;
}
