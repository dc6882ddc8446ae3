//! Channels over real HTTP on a real chain, from the opening to the last settlement (`spec/mpp.md` §7).

use crate::support::{ChannelScene, HOME, Sent, public_id};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sotto::{
    domain::{
        amount::Amount,
        mpp::{channel::draw::Draw, channel_id::ChannelSecret, siwx::Proof, voucher::Certified},
        signed::{self, parse_key},
    },
    facilitator::VoucherRequest,
    wire::mpp::voucher,
};
use std::sync::Arc;

const OPEN: &str = "/mpp/session/open";
const VOUCHER: &str = "/mpp/session/voucher";
const CLOSE: &str = "/mpp/session/close";

fn key(answer: &Value, member: &str) -> solana_pubkey::Pubkey {
    parse_key(answer[member].as_str().expect("a text")).expect("a key")
}

#[tokio::test]
async fn a_channel_lives_from_its_opening_to_its_close_by_two_transactions() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    assert_eq!((&opened["state"], &opened["deposit_atomic"]), (&json!("open"), &json!("100000")));
    assert_eq!(opened["network"], json!("solana:devnet"), "the first spelling where none is named");
    let shown = scene.shown(&opened).await;
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("open"), &Value::Null));
    assert_eq!(shown["channel_id"], json!(public_id(&opened).to_string()));
    for (sum, sequence) in [(10_000, 1), (35_000, 2)] {
        let drawn = scene.draws(&opened, sum).await;
        assert_eq!(drawn["voucher"]["sequence"], json!(sequence), "{drawn:#}");
        assert_eq!(drawn["voucher"]["cumulativeAmount"], json!(sum.to_string()));
        assert_eq!(drawn["signer"], opened["session_pubkey"]);
        assert_eq!(drawn["voucher"]["channelId"], shown["channel_id"], "sellers never see the secret");
    }
    let closed = scene.closes(&opened).await;
    let expected = json!({
        "seller": scene.seller.key().to_string(), "amount_settled": "35000", "buyer_refund": "65000", "voucher_count": 2,
        "session_duration_seconds": closed["settlement"]["session_duration_seconds"],
    });
    assert_eq!(closed["settlement"], expected, "{closed:#}");
    assert_eq!((&closed["reason"], &closed["shortfall"]), (&json!("buyer"), &json!("0")));
    assert_eq!(closed["channel_id"], opened["channel_id"]);
    assert!(closed["close_tx_signature"].is_string());
    assert_eq!(scene.closes(&opened).await, closed, "idempotent for ever");
    scene.is_not_drawn(&opened, 40_000, "session_not_open").await;
    assert_eq!(scene.draws(&opened, 35_000).await["voucher"]["sequence"], json!(2), "what is paid is told again");
    assert_eq!(scene.deposited(&scene.buyer), 965_000, "the rest never left the buyer's account");
    let spent = scene.world.ledger().totals(None).await.expect("reads").fees;
    assert_eq!(spent - 10_001, 5_001 + 10_001, "besides the onboarding: anchor and settlement");
    scene.ends(35_000).await;
}

#[tokio::test]
async fn a_voucher_convinces_a_strict_seller_and_is_certified() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    let drawn = scene.draws(&opened, 10_000).await;
    let presented = voucher::read(&drawn.to_string()).expect("a seller reads it");
    let issuer = key(&drawn, "issuer");
    assert_eq!(opened["issuer"], drawn["issuer"]);
    let (_, keys) = scene.world.get("/mpp/keys").await;
    assert_eq!(keys["issuer"], drawn["issuer"]);
    let certified = Certified {
        channel: public_id(&opened),
        signer: key(&opened, "session_pubkey"),
        payer: scene.buyer.key(),
        recipient: scene.seller.key(),
        deposit: Amount::new(100_000).expect("fits"),
        chain_id: scene.world.network.canonical().to_owned(),
        channel_program: key(&opened, "channel_program"),
        expires: drawn["terms"]["expires"].as_u64().expect("a number"),
    };
    let certificate: [u8; 64] =
        BASE64_STANDARD.decode(drawn["certificate"].as_str().expect("a text")).expect("base64").try_into().expect("64");
    assert!(signed::verify(&issuer, certified.text().as_bytes(), &certificate));
    assert_eq!(presented.certificate.map(|found| found.signature), Some(certificate));
    scene.closes(&opened).await;
    scene.ends(10_000).await;
}

#[tokio::test]
async fn a_channel_without_vouchers_closes_without_a_transaction() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    let closed = scene.closes(&opened).await;
    assert_eq!((&closed["close_tx_signature"], &closed["settlement"]["amount_settled"]), (&Value::Null, &json!("0")));
    assert_eq!(closed["settlement"]["buyer_refund"], json!("100000"));
    scene.ends(0).await;
}

#[tokio::test]
async fn the_same_proof_opens_the_same_channel_and_nothing_else() {
    let scene = ChannelScene::start().await;
    let body = scene.open_body(&scene.buyer, &scene.seller, 100_000);
    let opened = scene.opens_by(&body).await;
    assert_eq!(scene.opens_by(&body).await, opened);
    let mut other = body.clone();
    other["deposit_atomic"] = json!("100001");
    scene.refused(OPEN, &other, "open_not_authorized").await;
    other = body.clone();
    other["idle_timeout_seconds"] = json!(60);
    scene.refused(OPEN, &other, "open_not_authorized").await;
    other = body.clone();
    other["metadata"] = json!({});
    scene.refused(OPEN, &other, "open_not_authorized").await;
    let stranger = scene.world.stranger();
    let act = Proof::Open { seller: scene.seller.key(), deposit: Amount::new(100_000).expect("fits") };
    other["metadata"] = json!({ "siwx": scene.proof(&stranger, &act) });
    scene.refused(OPEN, &other, "open_not_authorized").await;
    let leave = scene.proof(&scene.buyer, &Proof::Leave);
    other["metadata"] = json!({ "siwx": leave });
    scene.refused(OPEN, &other, "open_not_authorized").await;
    scene.closes(&opened).await;
    scene.ends(0).await;
}

#[tokio::test]
async fn whoever_onboarded_the_wallet_opens_channels_from_there_for_a_while() {
    let scene = ChannelScene::start().await;
    let mut body = scene.open_body(&scene.buyer, &scene.seller, 100_000);
    body["metadata"] = json!({ "note": "no proof" });
    let from = |from, origin| Sent { path: OPEN, body: body.clone(), sign_in: None, from, origin };
    for elsewhere in [from("198.51.100.9", None), from(HOME, Some("https://elsewhere.example"))] {
        let (_, refused) = scene.world.sends(&elsewhere).await;
        assert_eq!(refused["error"], json!("open_not_authorized"), "{refused:#}");
    }
    let (_, first) = scene.world.sends(&from(HOME, None)).await;
    let (_, second) = scene.world.sends(&from(HOME, None)).await;
    assert_eq!((&first["success"], &second["success"]), (&json!(true), &json!(true)), "{first:#} {second:#}");
    assert_ne!(first["channel_id"], second["channel_id"], "each opening is a channel of its own");
    scene.world.lets_pass(901);
    let (_, late) = scene.world.sends(&from(HOME, None)).await;
    assert_eq!(late["error"], json!("open_not_authorized"), "{late:#}");
    for channel in [&first, &second] {
        scene.closes(channel).await;
    }
    scene.ends(0).await;
}

#[tokio::test]
async fn an_opening_is_refused_by_the_first_rule_that_it_breaks() {
    let scene = ChannelScene::with(|settings| {
        settings.channels.min_deposit = Amount::new(1_000).expect("fits");
        settings.channels.max_deposit = Amount::new(2_000_000).expect("fits");
    })
    .await;
    let body = |seller: &crate::support::Wallet, deposit| scene.open_body(&scene.buyer, seller, deposit);
    for (member, value) in [
        ("buyer_wallet", json!("x")),
        ("seller_wallet", json!(7)),
        ("deposit_atomic", json!(1_000)),
        ("deposit_atomic", json!("0")),
        ("deposit_atomic", json!("01000")),
        ("deposit_atomic", Value::Null),
        ("idle_timeout_seconds", json!(59)),
        ("idle_timeout_seconds", json!(2_592_001)),
        ("metadata", json!({ "note": "x".repeat(4_096) })),
    ] {
        let mut wrong = body(&scene.seller, 1_000);
        wrong[member] = value;
        scene.refused(OPEN, &wrong, "invalid_request").await;
    }
    scene.refused(OPEN, &body(&scene.seller, 999), "insufficient_deposit").await;
    scene.refused(OPEN, &body(&scene.seller, 2_000_001), "invalid_request").await;
    scene.refused(OPEN, &body(&scene.buyer, 1_000), "invalid_request").await;
    let poor = scene.world.stranger();
    scene.refused(OPEN, &scene.open_body(&poor, &scene.seller, 1_000), "swig_role_not_found").await;
    scene.refused(OPEN, &body(&poor, 1_000), "seller_token_account_missing").await;
    scene.refused(OPEN, &body(&scene.seller, 1_000_001), "insufficient_balance").await;
    let mut elsewhere = body(&scene.seller, 1_000);
    elsewhere["network"] = json!("testnet");
    let answer = scene.refused(OPEN, &elsewhere, "unsupported_network").await;
    assert!(answer["supported"].is_array(), "{answer:#}");
    let (status, _) = scene.world.post_text(OPEN, "{").await;
    assert_eq!(status, 400);
    scene.ends(0).await;
}

#[tokio::test]
async fn a_voucher_is_given_again_byte_for_byte_and_never_another_of_its_sum() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    let first = scene.draws(&opened, 10_000).await;
    assert_eq!(scene.draws(&opened, 10_000).await, first);
    let mut other = ChannelScene::voucher_body(&opened, 10_000);
    for (member, value) in [("serverNonce", json!("other")), ("meter", json!("token")), ("units", json!("2"))] {
        let before = other[member].clone();
        other[member] = value;
        scene.refused(VOUCHER, &other, "voucher_conflict").await;
        other[member] = before;
    }
    scene.is_not_drawn(&opened, 9_999, "amount_not_monotonic").await;
    scene.is_not_drawn(&opened, 100_001, "deposit_exceeded").await;
    let spelled = json!({
        "channel_id": opened["channel_id"], "cumulative_amount": "20000", "server_nonce": "n", "meter": " ~", "units": "3",
    });
    let second = scene.succeeds(VOUCHER, &spelled).await;
    assert_eq!((&second["voucher"]["units"], &second["voucher"]["sequence"]), (&json!("3"), &json!(2)));
    for (member, value) in [
        ("serverNonce", json!("")),
        ("serverNonce", json!("n\u{e9}")),
        ("meter", json!("")),
        ("meter", json!("x".repeat(65))),
        ("units", json!("0")),
        ("units", json!("0x10")),
        ("units", json!(1)),
        ("amount", json!("1e3")),
        ("amount", json!(30_000)),
    ] {
        let mut wrong = ChannelScene::voucher_body(&opened, 30_000);
        wrong[member] = value;
        scene.refused(VOUCHER, &wrong, "invalid_request").await;
    }
    let mut unknown = ChannelScene::voucher_body(&opened, 30_000);
    for name in [format!("ch_{}", "0".repeat(64)), public_id(&opened).to_string(), "x".to_owned()] {
        unknown["channel_id"] = json!(name);
        scene.refused(VOUCHER, &unknown, "session_not_found").await;
    }
    scene.closes(&opened).await;
    scene.ends(20_000).await;
}

#[tokio::test]
async fn sixteen_equal_vouchers_are_one_and_sixteen_others_are_ordered() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    let equal = join_all((0..16).map(|_| scene.draws(&opened, 1_000))).await;
    assert!(equal.windows(2).all(|pair| pair[0] == pair[1]), "{equal:#?}");
    let bodies: Vec<Value> = (2..18).map(|number| ChannelScene::voucher_body(&opened, number * 1_000)).collect();
    let others = join_all(bodies.iter().map(|body| scene_post(&scene, body))).await;
    let mut given: Vec<(u64, u64)> = others
        .iter()
        .filter(|answer| answer["success"] == json!(true))
        .map(|answer| {
            let sum = answer["voucher"]["cumulativeAmount"].as_str().expect("a text").parse().expect("a number");
            (answer["voucher"]["sequence"].as_u64().expect("a number"), sum)
        })
        .collect();
    given.sort_unstable();
    assert!(!given.is_empty() && given.iter().zip(2..).all(|((sequence, _), expected)| *sequence == expected));
    assert!(given.windows(2).all(|pair| pair[0].1 < pair[1].1), "sums rise with their numbers: {given:?}");
    let closed = scene.closes(&opened).await;
    assert_eq!(closed["settlement"]["voucher_count"], json!(given.len() + 1));
    let paid = given.last().expect("some").1;
    scene.ends(paid).await;
}

#[tokio::test]
async fn eight_closes_settle_once_and_no_voucher_slips_in_between() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 10_000).await;
    let close = json!({ "channel_id": opened["channel_id"] });
    let closes = join_all((0..8).map(|_| scene.world.post(CLOSE, &close)));
    let bodies: Vec<Value> = (2..10).map(|number| ChannelScene::voucher_body(&opened, 10_000 * number)).collect();
    let draws = join_all(bodies.iter().map(|body| scene_post(&scene, body)));
    let (closed, drawn) = tokio::join!(closes, draws);
    assert!(closed.windows(2).all(|pair| pair[0] == pair[1]), "{closed:#?}");
    let paid: u64 = closed[0].1["settlement"]["amount_settled"].as_str().expect("a text").parse().expect("a number");
    let given = drawn.iter().filter(|answer| answer["success"] == json!(true));
    let highest =
        given.map(|answer| answer["voucher"]["cumulativeAmount"].as_str().expect("a text").parse().expect("a number"));
    assert_eq!(highest.max().unwrap_or(10_000), paid, "what was given is paid, and nothing more");
    scene.ends(paid).await;
}

async fn scene_post(scene: &ChannelScene, body: &Value) -> Value {
    scene.world.post(VOUCHER, body).await.1
}

#[tokio::test]
async fn a_buyer_closes_by_a_proof_and_nobody_else_by_the_public_id() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 5_000).await;
    let id = public_id(&opened);
    let close = |siwx: Option<String>| json!({ "channel_id": id.to_string(), "metadata": { "siwx": siwx } });
    scene.refused(CLOSE, &close(None), "session_not_found").await;
    let stolen = scene.proof(&scene.seller, &Proof::Close(id));
    scene.refused(CLOSE, &close(Some(stolen)), "session_not_found").await;
    let other = scene.proof(&scene.buyer, &Proof::Leave);
    scene.refused(CLOSE, &close(Some(other)), "session_not_found").await;
    let closed = scene.succeeds(CLOSE, &close(Some(scene.proof(&scene.buyer, &Proof::Close(id))))).await;
    assert_eq!((&closed["channel_id"], &closed["reason"]), (&json!(id.to_string()), &json!("buyer")));
    scene.ends(5_000).await;
}

#[tokio::test]
async fn a_secret_stands_in_no_url_and_an_unknown_channel_is_nobodys() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    for name in [opened["channel_id"].as_str().expect("a text"), "ch_00", &format!("ch_{}", "0".repeat(32))] {
        let (status, answer) = scene.world.get(&format!("/mpp/session/{name}")).await;
        assert_eq!((status, &answer["error"]), (404, &json!("session_not_found")), "{answer:#}");
    }
    scene.closes(&opened).await;
    scene.ends(0).await;
}

#[tokio::test]
async fn ten_thousand_vouchers_are_two_transactions() {
    let scene = ChannelScene::with(|settings| settings.channels.vouchers_per_second = 0).await;
    let opened = scene.opens(100_000).await;
    let secret: ChannelSecret = opened["channel_id"].as_str().expect("a text").parse().expect("a secret");
    let facilitator = Arc::clone(&scene.world.running().facilitator);
    for sum in 1..=10_000 {
        // Past HTTP, which is not what is counted here.
        let draw = Draw {
            channel: secret.public_id(),
            cumulative: Amount::new(sum).expect("fits"),
            meter: "request".to_owned(),
            units: 1,
            server_nonce: sum.to_string(),
        };
        let drawn = facilitator.draw_voucher(VoucherRequest { channel: Some(secret.clone()), draw }).await;
        assert_eq!(drawn.expect("is given").voucher.sequence, sum);
    }
    drop(facilitator);
    let closed = scene.closes(&opened).await;
    assert_eq!(
        (&closed["settlement"]["voucher_count"], &closed["settlement"]["amount_settled"]),
        (&json!(10_000), &json!("10000"))
    );
    let fees = scene.world.ledger().totals(None).await.expect("reads").fees;
    assert_eq!(fees - 10_001, 15_002, "besides the onboarding: one anchor, one settlement");
    scene.ends(10_000).await;
}
