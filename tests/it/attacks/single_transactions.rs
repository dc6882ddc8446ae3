//! The second step of `/pay/settle` is no co-signer: only what was issued is signed, to whom it was issued, once.

use super::{Trace, with_sol};
use crate::support::{SingleScene, Wallet, authorized, legacy, signed_by, transacted};
use serde_json::json;
use solana_instruction::Instruction;
use solana_message::{VersionedMessage, legacy::Message};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_system_interface::instruction as system;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    facilitator::ProbeVerdict,
    programs::{ciphertext::encrypt, inco_token::Transfer},
};

/// A transaction of these instructions that the payer signs and we would pay for.
async fn paid_by_us(scene: &SingleScene, payer: &Wallet, instructions: &[Instruction]) -> VersionedTransaction {
    scene.world.sign_as_user(payer, instructions).await
}

async fn is_not_signed(scene: &SingleScene, transaction: &VersionedTransaction, reasons: &[&str]) {
    let (status, answer) = scene.settles(transaction).await;
    let reason = answer["errorReason"].as_str().unwrap_or_default();
    assert!(status == 400 && reasons.contains(&reason), "{status} {answer:#}");
    assert_eq!(answer["transaction"], "");
}

/// Whatever it holds: our SOL, another payer's tokens under our delegation, or a transfer of the payer's own.
#[tokio::test]
async fn r01_what_was_not_issued_is_not_co_signed() {
    let scene = SingleScene::plain().await;
    let victim = scene.world.wallet(1_000_000).await;
    scene.world.open(&victim, &scene.merchant.key(), 1_000_000).await;
    scene.world.quiet().await;
    let before = Trace::of(&scene.world).await;
    let (fee_payer, payer, mint) = (scene.world.fee_payer(), scene.payer.key(), scene.world.faucet.mint());
    let account = |wallet: Pubkey| scene.world.programs.token_account(&wallet, &mint);
    let key = scene.world.net.network().stand_ins().encryption_key();
    let transfer = |source, authority| Transfer {
        source,
        destination: account(payer),
        authority,
        ciphertext: encrypt(&key, 1_000_000, &*scene.world.chance),
        allowances: None,
    };
    let theft = scene.world.programs.transfer(&transfer(account(victim.key()), scene.world.spender()));
    let own = Transfer { destination: account(scene.merchant.key()), ..transfer(account(payer), payer) };
    let ping = system::transfer(&payer, &payer, 0);
    for instructions in [
        vec![system::transfer(&fee_payer, &payer, 1_000_000), ping.clone()],
        vec![theft, ping.clone()],
        vec![scene.world.programs.transfer(&own)],
        vec![scene.world.programs.create_idempotent(&fee_payer, &payer, &mint), ping],
    ] {
        // With nothing issued, and beside something that was.
        let transaction = paid_by_us(&scene, &scene.payer, &instructions).await;
        is_not_signed(&scene, &transaction, &["transaction_not_issued", "transaction_not_allowed"]).await;
        assert_eq!(Trace::of(&scene.world).await, before);
    }
    let payload = scene.payload_of("1", "n-1").await;
    let issued = legacy(&scene.issued(&payload).await);
    let beside = |more: Instruction| {
        let mut bent = issued.clone();
        let program = bent.account_keys.len();
        bent.account_keys.push(more.program_id);
        bent.header.num_readonly_unsigned_accounts += 1;
        let mut compiled = bent.instructions[0].clone();
        compiled.program_id_index = u8::try_from(program).unwrap();
        compiled.accounts = vec![0, 1];
        compiled.data = more.data;
        bent.instructions.push(compiled);
        bent
    };
    let drained = beside(system::transfer(&fee_payer, &payer, 1_000_000));
    is_not_signed(&scene, &with(&scene, drained), &["transaction_not_allowed"]).await;
    assert_eq!(Trace::of(&scene.world).await, before);
    scene.world.finish().await;
}

/// A message of the honest form, signed by the payer.
fn with(scene: &SingleScene, message: Message) -> VersionedTransaction {
    let signatures = vec![Signature::default(); usize::from(message.header.num_required_signatures)];
    signed_by(&scene.payer, VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) })
}

/// What somebody changes in a message that came back.
type Bend = Box<dyn Fn(&mut Message)>;

/// Guards: `SingleTemplate::inspect`, and the rules of every co-signed transaction (`inspect::decode`).
#[tokio::test]
async fn r25_every_part_of_what_comes_back_is_what_was_issued() {
    let scene = SingleScene::probed().await;
    let before = Trace::of(&scene.world).await;
    let issued = scene.issued(&scene.payload_of("1", "n-1").await).await;
    let stranger = scene.world.stranger();
    let bends: [(&str, Bend); 9] = [
        ("the blockhash", Box::new(|message| message.recent_blockhash = solana_hash::Hash::new_from_array([9; 32]))),
        ("the amount", Box::new(|message| message.instructions[1].data[20] ^= 1)),
        ("the signed message", Box::new(|message| *message.instructions[0].data.last_mut().unwrap() ^= 1)),
        ("an instruction less", Box::new(|message| drop(message.instructions.remove(0)))),
        ("an instruction twice", Box::new(|message| message.instructions.push(message.instructions[1].clone()))),
        ("their order", Box::new(|message| message.instructions.swap(0, 1))),
        ("an account", Box::new(|message| message.instructions[1].accounts.swap(0, 1))),
        ("a right", Box::new(|message| message.header.num_readonly_unsigned_accounts -= 1)),
        ("the fee payer", {
            let key = stranger.key();
            Box::new(move |message| message.account_keys[0] = key)
        }),
    ];
    for (what, bend) in bends {
        let mut message = legacy(&issued);
        bend(&mut message);
        let (status, answer) = scene.settles(&with(&scene, message)).await;
        let reason = answer["errorReason"].as_str().unwrap_or_default();
        assert!(status == 400 && reason == "transaction_not_allowed", "{what}: {status} {answer:#}");
    }
    // Nobody else signs it, and nobody's signature stands for ours.
    let unsigned = issued.clone();
    is_not_signed(&scene, &unsigned, &["transaction_not_allowed"]).await;
    let mut forged = issued.clone();
    forged.signatures[1] = Signature::from(stranger.sign(&issued.message.serialize()));
    is_not_signed(&scene, &forged, &["transaction_not_allowed"]).await;
    let mut filled = signed_by(&scene.payer, issued.clone());
    filled.signatures[0] = filled.signatures[1];
    is_not_signed(&scene, &filled, &["transaction_not_allowed"]).await;
    for odd in ["", "AA==", "not base64", &"A".repeat(4_000)] {
        let body = crate::support::verified(&json!({ "transaction": odd }));
        let (status, answer) = scene.world.post("/pay/settle", &body).await;
        assert_eq!((status, answer["errorReason"].as_str()), (400, Some("transaction_not_allowed")), "{odd}");
    }
    assert_eq!(Trace::of(&scene.world).await, before);
    let (status, paid) = scene.settles(&signed_by(&scene.payer, issued)).await;
    assert_eq!((status, &paid["success"]), (200, &json!(true)), "the honest one still is: {paid:#}");
    scene.closes().await;
}

/// A merchant may relay what a payer sends. Guard: `check_required`: success is told of no payment but the one that is
/// required, and of another nothing is recorded.
#[tokio::test]
async fn r25_the_second_step_is_the_payment_that_whoever_relays_it_requires() {
    let scene = SingleScene::plain().await;
    let payload = scene.payload_of("0.5", "n-1").await;
    let signed = signed_by(&scene.payer, scene.issued(&payload).await);
    let before = Trace::of(&scene.world).await;
    let other = scene.world.stranger().key().to_string();
    for (member, value, reason) in [
        ("payTo", json!(other), "recipient_mismatch"),
        ("asset", json!(other), "asset_mismatch"),
        ("amount", json!("500001"), "amount_mismatch"),
        ("maxAmountRequired", json!("499999"), "amount_mismatch"),
        ("price", json!("$5"), "amount_mismatch"),
        ("extra", json!({ "funding": "required" }), "funding_unproven"),
    ] {
        let mut body = transacted(&signed);
        body["paymentRequirements"][member] = value;
        let (status, answer) = scene.world.post("/pay/settle", &body).await;
        assert_eq!((status, answer["errorReason"].as_str()), (400, Some(reason)), "{member}: {answer:#}");
        assert_eq!(answer["transaction"], "", "{member}");
        assert_eq!(Trace::of(&scene.world).await, before, "{member}");
    }
    let (merchant, mint) = (scene.merchant.key().to_string(), scene.world.faucet.mint().to_string());
    let mut body = transacted(&signed);
    body["paymentRequirements"] = json!({
        "network": "solana:devnet", "asset": mint, "payTo": merchant, "amount": "500000", "price": "$0.50",
    });
    let (status, paid) = scene.world.post("/pay/settle", &body).await;
    assert_eq!((status, &paid["success"]), (200, &json!(true)), "{paid:#}");
    let told = &paid["extensions"]["pay"];
    assert_eq!((&told["payTo"], &told["asset"]), (&json!(merchant), &json!(mint)), "what to compare is named");
    scene.closes().await;
}

/// Guard: `name_allowances`. Where the token program demands decrypt allowances, the payer buys those of the balances that both
/// wallets will have, whatever handles they state.
#[tokio::test]
async fn r25_decrypt_allowances_are_those_of_the_balances_that_the_payment_makes() {
    let scene = SingleScene::plain().await;
    scene.world.running().facilitator.apply_probe(ProbeVerdict::NeedsAllowances);
    let mut payload = scene.payload_of("1", "n-1").await;
    payload["sourceHandle"] = json!(u128::MAX.to_string());
    let (status, answer) = scene.world.post("/pay/settle", &authorized(&payload)).await;
    assert_eq!(
        (status, answer["errorReason"].as_str()),
        (400, Some("source_not_ready")),
        "nobody else pays: {answer:#}"
    );
    with_sol(&scene.world, &scene.payer).await;
    let allowance = |handle, wallet: &Wallet| scene.world.programs.decrypt_allowance(handle, &wallet.key());
    let issued = scene.issued(&payload).await;
    let stated = [1, 2, u128::MAX].map(|handle| allowance(handle, &scene.payer));
    assert!(issued.message.static_account_keys().iter().all(|account| !stated.contains(account)));
    let (status, paid) = scene.settles(&signed_by(&scene.payer, issued)).await;
    assert_eq!((status, &paid["success"]), (200, &json!(true)), "{paid:#}");
    for wallet in [&scene.payer, &scene.merchant] {
        let handle = scene.world.token_account(&wallet.key()).unwrap().amount;
        assert!(scene.world.net.network().account(&allowance(handle, wallet)).is_some(), "it can be read");
    }
    scene.closes().await;
}

/// The state that the reference lacks: without the first step there is no second, and what was issued has an end.
#[tokio::test]
async fn r25_what_was_issued_has_an_end_and_survives_a_restart() {
    let mut scene = SingleScene::plain().await;
    let payload = scene.payload_of("1", "n-1").await;
    let late = signed_by(&scene.payer, scene.issued(&payload).await);
    scene.world.lets_pass(120);
    is_not_signed(&scene, &late, &["transaction_not_issued"]).await;
    let again = signed_by(&scene.payer, scene.issued(&payload).await);
    scene.world.kill().await;
    scene.world.boot().await;
    let (status, paid) = scene.settles(&again).await;
    assert_eq!((status, &paid["success"]), (200, &json!(true)), "{paid:#}");
    scene.closes().await;
}

/// What fails on chain costs us its fee, so it is run before it is signed, and leaves the offer to be signed again.
#[tokio::test]
async fn r27_what_would_fail_is_not_signed() {
    let scene = SingleScene::plain().await;
    let payload = scene.payload_of("1", "n-1").await;
    let signed = signed_by(&scene.payer, scene.issued(&payload).await);
    let before = Trace::of(&scene.world).await;
    scene.world.lands(scene.world.freeze(&scene.payer.key()));
    scene.world.confirmed().await;
    is_not_signed(&scene, &signed, &["simulation_failed"]).await;
    scene.is_refused(&payload, "source_frozen").await;
    let after = Trace::of(&scene.world).await;
    assert_eq!((after.fee_payer, after.totals), (before.fee_payer, before.totals));
    scene.world.finish().await;
}

/// The caller's handles are hints: they decide nothing, and no allowance account of theirs is named.
#[tokio::test]
async fn r25_handles_are_never_the_callers() {
    let scene = SingleScene::plain().await;
    let mut payload = scene.payload_of("1", "n-1").await;
    let mine = scene.issued(&payload).await;
    payload["sourceHandle"] = json!("340282366920938463463374607431768211455");
    payload["destHandle"] = json!({ "any": "thing" });
    let theirs = scene.issued(&payload).await;
    assert_eq!(mine.message.static_account_keys(), theirs.message.static_account_keys());
    let handles = [1, 2, u128::MAX].map(|handle| scene.world.programs.decrypt_allowance(handle, &scene.payer.key()));
    assert!(handles.iter().all(|account| !theirs.message.static_account_keys().contains(account)));
    scene.closes().await;
}
