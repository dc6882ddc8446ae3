//! Single payments over HTTP, as the published client makes them.

use crate::support::{SingleScene, authorized, legacy, signed_by, transacted, verified};
use serde_json::{Value, json};
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_message::{VersionedMessage, compiled_instruction::CompiledInstruction};
use solana_transaction::versioned::VersionedTransaction;

/// One payment in the published client's steps, its answers included.
async fn pays_in_two_steps(scene: SingleScene) {
    let payload = scene.payload_of("0.29", "1700000000000").await;
    let (status, verdict) = scene.world.post("/pay/verify", &verified(&payload)).await;
    assert_eq!((status, &verdict["isValid"]), (200, &json!(true)), "{verdict:#}");
    let (status, first) = scene.world.post("/pay/settle", &authorized(&payload)).await;
    assert_eq!(
        (status, &first["success"], &first["network"]),
        (200, &json!(false), &json!("solana:devnet")),
        "{first:#}"
    );
    let issued = scene.issued(&payload).await;
    assert_eq!(issued.message.static_account_keys()[..2], [scene.world.fee_payer(), scene.payer.key()]);
    let (status, paid) = scene.settles(&signed_by(&scene.payer, issued)).await;
    assert_eq!((status, &paid["success"]), (200, &json!(true)), "{paid:#}");
    assert_eq!(paid["extensions"]["pay"]["funding"], "unproven", "landed is not paid");
    assert_eq!((&paid["payer"], &paid["amount"]), (&json!(scene.payer.key().to_string()), &json!("290000")));
    scene.world.confirmed().await;
    assert_eq!(scene.world.units(&scene.merchant), 290_000);
    scene.closes().await;
}

#[tokio::test]
async fn a_single_payment_is_made_in_two_steps_by_a_plain_transfer() {
    pays_in_two_steps(SingleScene::plain().await).await;
}

#[tokio::test]
async fn a_single_payment_is_made_in_two_steps_by_the_instruction_that_carries_its_signature() {
    pays_in_two_steps(SingleScene::probed().await).await;
}

#[tokio::test]
async fn a_repeat_is_answered_from_what_was_recorded() {
    let scene = SingleScene::plain().await;
    let payload = scene.payload_of("1", "n-1").await;
    let signed = signed_by(&scene.payer, scene.issued(&payload).await);
    let (first, second) = tokio::join!(scene.settles(&signed), scene.settles(&signed));
    let successes = [&first, &second].into_iter().filter(|(_, answer)| answer["success"] == true).count();
    assert_eq!(successes, 1, "{first:#?} {second:#?}");
    let (status, again) = scene.settles(&signed).await;
    assert_eq!((status, again["errorReason"].as_str()), (400, Some("duplicate_settlement")), "{again:#}");
    assert_eq!(again["transaction"], first.1["transaction"], "it names the transaction");
    scene.closes().await;
}

#[tokio::test]
async fn the_short_message_keeps_the_amount_off_the_chain() {
    let scene = SingleScene::probed().await;
    let payload = scene.short(&scene.payload_of("0.5", "n-1").await);
    let message = payload["message"].as_str().unwrap();
    let issued = scene.issued(&payload).await;
    let carried = |text: &str| {
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        issued.message.instructions().iter().any(|instruction| holds(&instruction.data))
    };
    assert!(carried(message) && !carried("nonce") && !carried("0.5"));
    let (status, paid) = scene.settles(&signed_by(&scene.payer, issued.clone())).await;
    assert_eq!((status, &paid["success"]), (200, &json!(true)), "{paid:#}");
    scene.closes().await;
}

#[tokio::test]
async fn an_amount_is_asked_for_in_the_body_or_in_the_query() {
    let scene = SingleScene::plain().await;
    let (status, answer) = scene.world.post_text("/pay/getAmount?amount=0.29&decimals=6", "").await;
    assert_eq!((status, &answer["amount"], &answer["decimals"]), (200, &json!("0.29"), &json!(6)), "{answer:#}");
    let (status, answer) = scene.world.post("/pay/getAmount", &json!({ "amount": 1 })).await;
    assert_eq!((status, &answer["amount"]), (200, &json!(1)), "echoed as it was written: {answer:#}");
    let (status, answer) = scene.world.get("/pay/getAmount").await;
    assert_eq!((status, &answer["use"]), (200, &json!("POST /pay/getAmount")));
    scene.closes().await;
}

/// A payer whose balance is proved is told `proven` after the landing, and may demand it; one who proves nothing may not.
#[tokio::test]
async fn a_proved_balance_makes_a_single_payment_proven() {
    let scene = SingleScene::plain().await;
    let demand = |mut body: Value| {
        body["paymentRequirements"]["extra"] = json!({ "funding": "required" });
        body
    };
    let mut payload = scene.payload_of("1", "n-1").await;
    scene.are_refused(&demand(verified(&payload)), &demand(authorized(&payload)), "funding_unproven").await;
    payload["fundingProof"] = scene.world.funding_proof(&scene.payer).await["fundingProof"].take();
    let (status, first) = scene.world.post("/pay/settle", &demand(authorized(&payload))).await;
    assert_eq!(status, 200, "{first:#}");
    let paid = scene.pays(&payload).await;
    assert_eq!(paid["extensions"]["pay"]["funding"], "proven", "{paid:#}");
    let source = scene.world.ledger().source(&scene.payer.key(), &scene.world.faucet.mint()).await.unwrap().unwrap();
    let bound = source.bound.unwrap();
    assert_eq!(
        (bound.claimed.get(), bound.lost),
        (1_000_000, None),
        "its debit is claimed, and is no debit of the owner's"
    );
    // What is left of it covers no five tokens.
    let payload = scene.payload_of("5", "n-2").await;
    let body = demand(authorized(&payload));
    scene.are_refused(&demand(verified(&payload)), &body, "insufficient_funds").await;
    scene.closes().await;
}

#[tokio::test]
async fn a_wallet_may_add_its_compute_budget() {
    let scene = SingleScene::plain().await;
    let payload = scene.payload_of("1", "n-1").await;
    let issued = scene.issued(&payload).await;
    let limit = ComputeBudgetInstruction::set_compute_unit_limit(300_000);
    let mut message = legacy(&issued);
    let program_id_index = u8::try_from(message.account_keys.len()).unwrap();
    message.account_keys.push(limit.program_id);
    message.header.num_readonly_unsigned_accounts += 1;
    message.instructions.insert(0, CompiledInstruction { program_id_index, accounts: Vec::new(), data: limit.data });
    let with = VersionedTransaction { message: VersionedMessage::Legacy(message), ..issued };
    let signed = signed_by(&scene.payer, with);
    let (status, paid) = scene.world.post("/pay/settle", &transacted(&signed)).await;
    assert_eq!((status, &paid["success"]), (200, &json!(true)), "{paid:#}");
    scene.closes().await;
}
