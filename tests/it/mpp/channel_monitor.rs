//! What ends channels without their buyer's word, and what their sellers then get (`spec/mpp.md` §9).

use crate::support::{ChannelScene, TTL};
use serde_json::{Value, json};
use solana_instruction::{AccountMeta, Instruction};
use sotto::{
    domain::{
        amount::Amount,
        mpp::choices::Emergency,
        settlement::{AbsenceProof, Purpose, Resolution, Verdict},
    },
    ledger::{LedgerOptions, OperatorLedger as _, Resolved, SqliteLedger},
    localnet::Odds,
};
use std::time::Duration;

#[tokio::test]
async fn a_drain_below_what_is_reserved_settles_everything_at_once() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    scene.drains(&scene.buyer, 1_000_000 - 99_999).await;
    let ended = scene.becomes(&opened, "closed").await;
    assert_eq!((&ended["reason"], &ended["settled"]), (&json!("balance"), &json!("30000")));
    let closed = scene.closes(&opened).await;
    assert_eq!((&closed["reason"], &closed["shortfall"]), (&json!("balance"), &json!("0")));
    scene.ends(30_000).await;
}

#[tokio::test]
async fn where_only_debts_count_a_drain_of_the_rest_is_none() {
    let scene = ChannelScene::with(|settings| settings.channels.emergency = Emergency::Owed).await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    scene.drains(&scene.buyer, 1_000_000 - 30_000).await;
    scene.sees(&scene.buyer, 30_000).await;
    scene.is_not_drawn(&opened, 30_001, "insufficient_balance").await;
    assert_eq!(scene.shown(&opened).await["state"], json!("open"));
    scene.drains(&scene.buyer, 1).await;
    let ended = scene.becomes(&opened, "closed").await;
    assert_eq!((&ended["reason"], &ended["settled"]), (&json!("balance"), &json!("29999")));
    assert_eq!(scene.closes(&opened).await["shortfall"], json!("1"));
    scene.ends(29_999).await;
}

#[tokio::test]
async fn channels_of_one_account_share_what_is_left_in_proportion() {
    let scene = ChannelScene::start().await;
    let other = scene.world.stranger();
    scene.world.gives_cash(&other, 0).await;
    let first = scene.opens(100_000).await;
    scene.world.lets_pass(1);
    let second = scene.opens_by(&scene.open_body(&scene.buyer, &other, 100_000)).await;
    let third = scene.opens(50_000).await;
    scene.draws(&first, 60_000).await;
    scene.draws(&second, 20_000).await;
    scene.drains(&scene.buyer, 1_000_000 - 40_001).await;
    for (channel, settled, shortfall) in [(&first, "30001", "29999"), (&second, "10000", "10000"), (&third, "0", "0")] {
        let ended = scene.becomes(channel, "closed").await;
        assert_eq!((&ended["settled"], &ended["reason"]), (&json!(settled), &json!("balance")));
        let closed = scene.closes(channel).await;
        assert_eq!(
            (&closed["settlement"]["amount_settled"], &closed["shortfall"]),
            (&json!(settled), &json!(shortfall))
        );
        let parts = ["amount_settled", "buyer_refund"].map(|part| number(&closed["settlement"][part]));
        let deposit = parts.iter().sum::<u64>() + number(&closed["shortfall"]);
        assert_eq!(deposit, if settled == "0" { 50_000 } else { 100_000 }, "the three parts are the deposit");
    }
    assert_eq!(scene.world.cash(&other), 10_000);
    scene.ends(30_001).await;
}

fn number(value: &Value) -> u64 {
    value.as_str().expect("a text").parse().expect("a number")
}

#[tokio::test]
async fn a_revoked_delegation_settles_nothing_and_says_so() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    scene.revokes(&scene.buyer).await;
    let ended = scene.becomes(&opened, "closed").await;
    assert_eq!((&ended["reason"], &ended["settled"]), (&json!("role_removed"), &json!("0")));
    assert_eq!(scene.closes(&opened).await["shortfall"], json!("30000"));
    scene.is_not_drawn(&opened, 30_000, "session_not_open").await;
    scene.refused("/mpp/session/open", &scene.open_body(&scene.buyer, &scene.seller, 1), "swig_role_not_found").await;
    scene.ends(0).await;
}

/// Guard: `check_still_granted`. A revoke takes the witness of a lost settlement away, so that an operator has to look; without the
/// guard it is signed by the grant that is gone, and held again.
#[tokio::test]
async fn what_a_revoke_left_held_is_a_shortfall_once_an_operator_has_looked() {
    let mut scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    scene.world.net.faults().change(|plan| plan.drop_sends = Odds { next: 0, per_mille: 1_000 });
    let is_signed = async || {
        let unfinished = scene.world.ledger().unfinished().await.expect("reads");
        unfinished.iter().any(|work| work.settlement.purpose == Purpose::MppClose && work.attempt.is_some())
    };
    let body = json!({ "channel_id": opened["channel_id"] });
    // Nobody waits for it: what was accepted goes on.
    tokio::select! {
        answer = scene.world.post("/mpp/session/close", &body) => panic!("it cannot be closed yet: {answer:?}"),
        () = scene.world.until("it is signed", is_signed) => {}
    }
    scene.revokes(&scene.buyer).await;
    let held = async || scene.world.ledger().held_settlements().await.expect("reads").pop();
    scene.world.until("it is held", async || held().await.is_some()).await;
    let settlement = held().await.expect("is held").settlement.id;
    scene.world.net.faults().clear();
    scene.world.kill().await;
    let ledger = SqliteLedger::open(&scene.world.directory().join("sotto.db"), &LedgerOptions::default()).await;
    let ledger = ledger.expect("opens");
    let verdict = Verdict::Absent(AbsenceProof { finalised_height: 1, first_available_block: 0 });
    let resolution = Resolution { settlement, verdict, words: "an archive node".to_owned() };
    let resolved = ledger.resolve(&resolution, scene.world.now()).await.expect("writes");
    assert!(matches!(resolved, Resolved::Written(_)), "{resolved:?}");
    drop(ledger);
    scene.world.boot().await;
    scene.becomes(&opened, "closed").await;
    assert_eq!(scene.closes(&opened).await["shortfall"], json!("30000"));
    scene.ends(0).await;
}

#[tokio::test]
async fn two_buyers_are_nothing_to_each_other() {
    let scene = ChannelScene::start().await;
    let other = scene.world.stranger();
    scene.world.gives_cash(&other, 1_000_000).await;
    scene.grants(&other, 1_000_000, 500_000).await;
    let first = scene.opens(100_000).await;
    let second = scene.opens_by(&scene.open_body(&other, &scene.seller, 100_000)).await;
    scene.draws(&first, 10_000).await;
    scene.draws(&second, 20_000).await;
    scene.revokes(&scene.buyer).await;
    scene.becomes(&first, "closed").await;
    assert_eq!(scene.shown(&second).await["state"], json!("open"));
    scene.draws(&second, 25_000).await;
    let closed = scene.closes(&second).await;
    assert_eq!((&closed["reason"], &closed["shortfall"]), (&json!("buyer"), &json!("0")));
    scene.ends(25_000).await;
}

#[tokio::test]
async fn idleness_leads_to_grace_a_voucher_revives_and_then_the_channel_ends() {
    let scene = ChannelScene::start().await;
    let mut body = scene.open_body(&scene.buyer, &scene.seller, 100_000);
    body["idle_timeout_seconds"] = json!(60);
    let opened = scene.opens_by(&body).await;
    scene.draws(&opened, 1_000).await;
    scene.world.lets_pass(61);
    assert_eq!(scene.shown(&opened).await["state"], json!("grace"));
    scene.draws(&opened, 2_000).await;
    assert_eq!(scene.shown(&opened).await["state"], json!("open"));
    scene.world.lets_pass(60 + 300);
    let ended = scene.becomes(&opened, "closed").await;
    assert_eq!((&ended["reason"], &ended["settled"]), (&json!("idle"), &json!("2000")));
    assert_eq!(scene.closes(&opened).await["reason"], json!("idle"), "whoever closed it");
    scene.ends(2_000).await;
}

#[tokio::test]
async fn a_grant_that_ends_is_settled_before_its_end() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 7_000).await;
    scene.world.lets_pass(3_500);
    scene.draws(&opened, 8_000).await;
    let mut passed = 3_500;
    while passed + 3_500 < TTL - 200 {
        scene.world.lets_pass(3_500);
        passed += 3_500;
        scene.draws(&opened, 8_000 + passed).await;
    }
    let drawn = 8_000 + passed;
    scene.world.lets_pass(TTL - 120 - passed);
    scene.is_not_drawn(&opened, drawn + 1, "session_not_open").await;
    let ended = scene.becomes(&opened, "closed").await;
    assert_eq!((&ended["reason"], &ended["settled"]), (&json!("role_expired"), &json!(drawn.to_string())));
    scene.ends(drawn).await;
}

#[tokio::test]
async fn what_is_owed_for_too_long_is_settled_in_between() {
    let scene = ChannelScene::with(|settings| settings.channels.max_owed = Duration::from_secs(100)).await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 1_000).await;
    scene.world.lets_pass(102);
    scene.world.until("it is settled", async || scene.shown(&opened).await["settled"] == json!("1000")).await;
    assert_eq!(scene.shown(&opened).await["state"], json!("open"));
    scene.draws(&opened, 3_000).await;
    scene.world.quiet().await;
    let closed = scene.closes(&opened).await;
    assert_eq!(closed["settlement"]["amount_settled"], json!("3000"), "the rest by the close");
    scene.ends(3_000).await;
}

#[tokio::test]
async fn a_credit_line_has_debts_settled_before_more_is_given() {
    let scene = ChannelScene::with(|settings| {
        settings.channels.credit_line = Some(Amount::new(5_000).expect("fits"));
    })
    .await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 5_000).await;
    scene.draws(&opened, 6_000).await;
    assert_eq!(scene.shown(&opened).await["settled"], json!("5000"));
    scene.world.quiet().await;
    scene.closes(&opened).await;
    scene.ends(6_000).await;
}

#[tokio::test]
async fn a_seller_whose_account_is_gone_gets_nothing_and_the_deposit_is_free() {
    let scene = ChannelScene::start().await;
    let gone = scene.world.stranger();
    scene.world.gives_cash(&gone, 0).await;
    let opened = scene.opens_by(&scene.open_body(&scene.buyer, &gone, 100_000)).await;
    scene.draws(&opened, 9_000).await;
    let account = scene.world.net.cash().account_of(&gone.key());
    let close = Instruction {
        program_id: sotto::programs::spl_token::TokenProgram::Token.address(),
        accounts: vec![
            AccountMeta::new(account, false),
            AccountMeta::new(gone.key(), false),
            AccountMeta::new_readonly(gone.key(), true),
        ],
        data: vec![9],
    };
    scene.past_us(&gone, close).await;
    let body = json!({ "channel_id": opened["channel_id"] });
    let (_, answer) = scene.world.post("/mpp/session/close", &body).await;
    assert_eq!((&answer["reason"], &answer["shortfall"]), (&json!("seller_account"), &json!("9000")), "{answer:#}");
    assert_eq!(scene.delegation(&scene.buyer).await.used.reserved, Amount::ZERO);
    scene.ends(0).await;
}

#[tokio::test]
async fn a_fork_after_the_close_is_settled_anew() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 4_000).await;
    scene.world.quiet().await;
    let closed = scene.closes(&opened).await;
    let landed = closed["close_tx_signature"].as_str().expect("a text").parse().expect("a signature");
    scene.world.net.network().fork_away(&landed).expect("it is not final");
    scene.world.until("it lands again", async || scene.world.cash(&scene.seller) == 4_000).await;
    scene.becomes(&opened, "closed").await;
    let again = scene.closes(&opened).await;
    assert_eq!(again["settlement"]["amount_settled"], json!("4000"));
    scene.ends(4_000).await;
}

/// What the fork gave back is the buyer's to take before it lands again: the close that was told is told anew, with the loss.
#[tokio::test]
async fn a_fork_after_the_close_and_a_drain_make_a_shortfall() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 4_000).await;
    scene.world.quiet().await;
    let closed = scene.closes(&opened).await;
    assert_eq!((&closed["settlement"]["amount_settled"], &closed["shortfall"]), (&json!("4000"), &json!("0")));
    let landed = closed["close_tx_signature"].as_str().expect("a text").parse().expect("a signature");
    // What we send again is lost on its way until the buyer has been faster.
    scene.world.net.faults().change(|plan| plan.drop_sends = Odds { next: 0, per_mille: 1_000 });
    scene.world.net.network().fork_away(&landed).expect("it is not final");
    scene.drains(&scene.buyer, 1_000_000).await;
    scene.world.net.faults().clear();
    let is_lost = async || {
        let shown = scene.shown(&opened).await;
        (&shown["state"], &shown["settled"]) == (&json!("closed"), &json!("0"))
    };
    scene.world.until("it is written off", is_lost).await;
    let again = scene.closes(&opened).await;
    assert_eq!((&again["settlement"]["amount_settled"], &again["shortfall"]), (&json!("0"), &json!("4000")));
    assert_eq!(scene.delegation(&scene.buyer).await.used.reserved, Amount::ZERO);
    scene.ends(0).await;
}

#[tokio::test]
async fn a_process_that_dies_leaves_channels_as_they_are() {
    let mut scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    let first = scene.draws(&opened, 4_000).await;
    scene.world.kill().await;
    scene.world.boot().await;
    assert_eq!(scene.draws(&opened, 4_000).await, first, "the same bytes after a restart");
    scene.draws(&opened, 5_000).await;
    scene.closes(&opened).await;
    scene.ends(5_000).await;
}
