//! What could be done wrong with a revoke at our cost, on purpose: have us sign something else, take back what is needed, and
//! have us pay again and again.

use super::{Trace, with_sol};
use crate::support::{Options, RevokeScene, legacy, revoke_body, signed_by};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_instruction::{AccountMeta, Instruction};
use solana_message::VersionedMessage;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    chain::Chain as _,
    domain::budget::{Budgets, Part, Scope},
};
use std::time::Duration;

/// Guard: `RevokeTemplate::inspect`: one revoke of the signing wallet's own account, and nothing else.
#[tokio::test]
async fn r01_nothing_but_a_wallets_own_revoke_is_co_signed() {
    let scene = RevokeScene::over().await;
    let (world, payer) = (&scene.world, scene.payer.key());
    let before = Trace::of(world).await;
    let grant = |lamports| solana_system_interface::instruction::transfer(&world.fee_payer(), &payer, lamports);
    let of_another = world.programs.revoke(&world.account_of(&scene.merchant.key()), &payer);
    let second = Instruction {
        accounts: [scene.revoke().accounts, vec![AccountMeta::new_readonly(scene.merchant.key(), true)]].concat(),
        ..scene.revoke()
    };
    for bent in [
        vec![grant(1), scene.revoke()],
        vec![scene.revoke(), grant(2_000_000)],
        vec![scene.revoke(), world.programs.create_idempotent(&world.fee_payer(), &payer, &world.faucet.mint())],
        vec![of_another],
        vec![second],
        vec![scene.revoke(), scene.revoke()],
        vec![scene.revoke(), world.programs.close_account(&world.account_of(&payer), &payer, &payer)],
    ] {
        scene.is_refused(&scene.built(&bent).await, 400, "revoke_not_allowed").await;
    }
    // Another's signature, nobody's, and ours already there.
    let honest = scene.signed().await;
    for (place, signature) in [
        (1, Signature::from(scene.merchant.sign(&honest.message.serialize()))),
        (1, Signature::default()),
        (0, Signature::from([7; 64])),
    ] {
        let mut forged = honest.clone();
        forged.signatures[place] = signature;
        scene.is_refused(&forged, 400, "revoke_not_allowed").await;
    }
    // A payer who names themselves, or a stranger, as who pays the fee.
    for other in [payer, scene.merchant.key()] {
        let mut message = legacy(&honest);
        message.account_keys[0] = other;
        let forged = VersionedTransaction {
            signatures: vec![Signature::default(); 2],
            message: VersionedMessage::Legacy(message),
        };
        scene.is_refused(&signed_by(&scene.payer, forged), 400, "revoke_not_allowed").await;
    }
    // For a session of somebody else.
    let other = world.wallet(1_000).await;
    let theirs = world.open(&other, &scene.merchant.key(), 1_000).await;
    let (status, refused) = world.post(&format!("/sessions/{theirs}/revoke"), &revoke_body(&honest)).await;
    assert_eq!((status, &refused["error"]), (400, &json!("revoke_not_allowed")), "{refused:#}");
    assert!(scene.is_delegated(), "nothing was taken back");
    let after = Trace::of(world).await;
    assert_eq!((after.totals.captured, before.sessions + 1), (before.totals.captured, after.sessions));
    assert!(world.ledger().unfinished().await.unwrap().iter().all(|work| work.settlement.session().is_some()));
    scene.world.finish().await;
}

/// Guard: `choose_apart`, `apart_from`: what others sign is never paid by the key that spends from every session.
#[tokio::test]
async fn the_spender_pays_for_no_revoke_where_another_key_does() {
    let scene = RevokeScene::with(Options { separate_fee_payer: true, ..Options::default() }).await;
    let world = &scene.world;
    let offered = scene.signed().await;
    assert_eq!(offered.message.static_account_keys()[0], world.fee_payer());
    let mut message = legacy(&offered);
    message.account_keys[0] = world.spender();
    let forged =
        VersionedTransaction { signatures: vec![Signature::default(); 2], message: VersionedMessage::Legacy(message) };
    scene.is_refused(&signed_by(&scene.payer, forged), 400, "revoke_not_allowed").await;
    assert_eq!(scene.sends(&offered).await.0, 200);
    scene.world.finish().await;
}

/// Guards: `Revocations::check_bar` and the verb that records: nothing that merchants rely on is taken back at our cost.
#[tokio::test]
async fn nothing_is_revoked_while_a_session_opens_or_is_open() {
    let scene = RevokeScene::open(Options::default()).await;
    let world = &scene.world;
    let before = Trace::of(world).await;
    let built = scene.built(&[scene.revoke()]).await;
    scene.is_refused(&built, 409, "session_busy").await;
    assert_eq!(Trace::of(world).await, before, "and it costs nothing");
    scene.closes_all().await;
    // While an approve is on its way.
    let merchant = world.wallet(0).await;
    let opening = world.opening(&scene.payer, &merchant.key(), 10_000);
    let (body, revoke) = (world.opening_body(&opening).await, scene.signed().await);
    world.net.faults().change(|plan| plan.frozen = true);
    let tries = async {
        let opens = async || !world.ledger().opening_sessions().await.unwrap().is_empty();
        world.until("an opening is under way", opens).await;
        scene.is_refused(&revoke, 409, "session_busy").await;
        world.net.faults().clear();
    };
    let ((status, opened), ()) = tokio::join!(world.post("/sessions", &body), tries);
    assert!(status == 201 || opened["error"].is_string(), "{opened:#}");
    world.until("it is open", async || world.ledger().opening_sessions().await.unwrap().is_empty()).await;
    assert!(scene.is_delegated(), "what was opened stays backed");
    scene.is_refused(&revoke, 409, "session_busy").await;
    scene.world.finish().await;
}

/// Guards: the opening lock in `Revocations::revoke`, and that it is kept until a fork can take nothing back. An approve that lands
/// while a revoke may land again would be lost.
#[tokio::test]
async fn nothing_opens_before_a_revoke_can_land_no_more() {
    let slow = Options {
        finalized_after: 200,
        ..Options::settings(|settings| settings.openings.drain_deadline = Duration::from_millis(500))
    };
    let scene = RevokeScene::with(slow).await;
    let world = &scene.world;
    let merchant = world.wallet(0).await;
    let revoked = scene.signed().await;
    assert_eq!(scene.sends(&revoked).await.0, 200, "it is told when it has landed");
    let opening = world.opening(&scene.payer, &merchant.key(), 10_000);
    let body = world.opening_body(&opening).await;
    world.confirmed().await;
    // It does not become final while this is asked.
    world.stands_still();
    let (status, refused) = world.post("/sessions", &body).await;
    assert_eq!((status, &refused["error"]), (503, &json!("session_busy")), "{refused:#}");
    world.moves_on();
    world.quiet().await;
    let opening = world.opening(&scene.payer, &merchant.key(), 10_000);
    let body = world.opening_body(&opening).await;
    world.until("it opens again", async || world.post("/sessions", &body).await.0 == 201).await;
    assert!(scene.is_delegated());
    scene.world.finish().await;
}

/// Guards: the opening lock, and `revocations_come_one_at_a_time`. However often it is sent, it is paid for once.
#[tokio::test]
async fn two_at_once_are_paid_for_once() {
    let scene = RevokeScene::over().await;
    let world = &scene.world;
    let (offered, built) = (scene.signed().await, scene.built(&[scene.revoke(), unit_limit()]).await);
    let before = world.net.network().balance(&world.fee_payer());
    let (first, same, other) = tokio::join!(scene.sends(&offered), scene.sends(&offered), scene.sends(&built));
    let answers = [&first, &same, &other];
    let told: Vec<&Value> = answers.iter().filter(|(status, _)| *status == 200).map(|(_, answer)| answer).collect();
    assert!(!told.is_empty(), "{answers:?}");
    assert!(told.iter().all(|answer| answer["transaction"] == told[0]["transaction"]), "{answers:?}");
    for (_, refused) in answers.iter().filter(|(status, _)| *status != 200) {
        let word = refused["error"].as_str().unwrap();
        assert!(["session_busy", "quota_exceeded", "delegate_mismatch"].contains(&word), "{refused:#}");
    }
    assert_eq!(before - world.net.network().balance(&world.fee_payer()), 10_000, "once: {answers:?}");
    assert!(!scene.is_delegated());
    scene.world.finish().await;
}

/// What a wallet may add, so that two revokes differ.
fn unit_limit() -> Instruction {
    solana_compute_budget_interface::ComputeBudgetInstruction::set_compute_unit_limit(300_000)
}

/// Guards: `RevocationLimits::of_user_per_day`, `check_account`. Approving and revoking in turn costs us one fee a day.
#[tokio::test]
async fn a_wallet_that_approves_and_revokes_in_turn_pays_the_second_time() {
    let scene = RevokeScene::over().await;
    let world = &scene.world;
    let first = scene.signed().await;
    let (status, revoked) = scene.sends(&first).await;
    assert_eq!(status, 200, "{revoked:#}");
    world.quiet().await;
    world.lands(world.approve_by_owner(&scene.payer, 1_000));
    world.confirmed().await;
    let before = world.net.network().balance(&world.fee_payer());
    let (status, refused) = scene.asks().await;
    assert_eq!((status, &refused["error"]), (429, &json!("quota_exceeded")), "{refused:#}");
    scene.is_refused(&scene.built(&[scene.revoke(), unit_limit()]).await, 429, "quota_exceeded").await;
    // The old bytes are answered from what was recorded, and take nothing back again.
    assert_eq!(scene.sends(&first).await, (200, revoked));
    assert!(scene.is_delegated());
    assert_eq!(world.net.network().balance(&world.fee_payer()), before);
    // By themselves they may at any time.
    with_sol(world, &scene.payer).await;
    super::lands_by_itself(world, &scene.payer, &[scene.revoke()]);
    assert!(!scene.is_delegated());
    scene.world.finish().await;
}

/// Guard: `RevocationBar::NoSession`. A wallet that delegated to us without us is nobody whose fees we pay.
#[tokio::test]
async fn a_stranger_who_never_had_a_session_is_not_paid_for() {
    let scene = RevokeScene::over().await;
    let world = &scene.world;
    let stranger = world.wallet(1_000).await;
    world.lands(world.approve_by_owner(&stranger, 1_000));
    world.confirmed().await;
    let before = Trace::of(world).await;
    let revoke = world.programs.revoke(&world.account_of(&stranger.key()), &stranger.key());
    let transaction = world.sign_as_user(&stranger, &[revoke]).await;
    let (status, refused) = world.post("/sessions/revoke", &revoke_body(&transaction)).await;
    assert_eq!((status, &refused["error"]), (404, &json!("session_not_found")), "{refused:#}");
    assert_eq!(Trace::of(world).await, before);
    scene.world.finish().await;
}

/// Guards: `budgets` in the verb that records, and in the offer. What strangers share is used up, and no trace is left.
#[tokio::test]
async fn a_used_up_budget_refuses_a_revoke_before_it_leaves_a_trace() {
    let mut scene = RevokeScene::over().await;
    scene.world.kill().await;
    scene.world.configure(|settings| {
        settings.budgets = Budgets::default().with(Scope::NewcomersHour, Part::Total, 0);
    });
    scene.world.boot().await;
    let before = Trace::of(&scene.world).await;
    let (status, refused) = scene.asks().await;
    assert_eq!((status, &refused["error"]), (429, &json!("quota_exceeded")), "{refused:#}");
    scene.is_refused(&scene.built(&[scene.revoke()]).await, 429, "quota_exceeded").await;
    assert_eq!(Trace::of(&scene.world).await, before);
    assert!(scene.is_delegated());
    scene.world.finish().await;
}

/// Guard: `Revocations::offer`. Nobody but the wallet is offered its revoke, though anybody could build it.
#[tokio::test]
async fn an_offer_is_signed_for_by_the_wallet_lately() {
    let scene = RevokeScene::over().await;
    let (world, now, ours) = (&scene.world, scene.world.now(), scene.world.spender());
    let bodies = [
        world.close_all_body(&scene.payer, &scene.merchant, &ours, now),
        world.close_all_body(&scene.payer, &scene.payer, &scene.merchant.key(), now),
        world.close_all_body(&scene.payer, &scene.payer, &ours, now - 301),
        world.close_all_body(&scene.payer, &scene.payer, &ours, now + 400),
    ];
    for body in bodies {
        let (status, refused) = world.post("/sessions/revoke-offer", &body).await;
        assert_eq!((status, &refused["error"]), (403, &json!("invalid_close_signature")), "{body}");
    }
    scene.world.finish().await;
}

/// Bodies that are no transaction have their words, and a dead blockhash is told.
#[tokio::test]
async fn what_is_no_live_transaction_is_refused() {
    let scene = RevokeScene::over().await;
    let signed = scene.signed().await;
    let bytes = wincode::serialize(&signed).unwrap();
    for bent in [&bytes[1..], &bytes[..bytes.len() - 1], &[&bytes[..], &[0]].concat(), &[7; 1_300][..]] {
        let (status, refused) =
            scene.world.post("/sessions/revoke", &json!({ "transaction": BASE64_STANDARD.encode(bent) })).await;
        assert_eq!((status, &refused["error"]), (400, &json!("revoke_not_allowed")), "{refused:#}");
    }
    let mut message = legacy(&signed);
    message.recent_blockhash = solana_hash::Hash::new_from_array([6; 32]);
    let dead =
        VersionedTransaction { signatures: vec![Signature::default(); 2], message: VersionedMessage::Legacy(message) };
    let refused = scene.is_refused(&signed_by(&scene.payer, dead), 400, "revoke_not_allowed").await;
    assert!(refused["message"].as_str().unwrap().contains("blockhash is dead"), "{refused:#}");
    scene.world.finish().await;
}

/// Guards: `Revocations::life`, `Chain::told_blockhash`. What can hardly land any more, or of which nobody knows how long it can,
/// takes no place: it would cost nothing and keep the place until its blockhash is proved to be dead.
#[tokio::test]
async fn a_revoke_that_may_never_land_takes_no_place() {
    let scene = RevokeScene::over().await;
    let world = &scene.world;
    let offered = scene.signed().await;
    world.stands_still();
    let old = *offered.message.recent_blockhash();
    let (chain, network, before) = (&world.running().chain, world.net.network(), Trace::of(world).await);
    // It is alive, and nobody has told it here: newer ones are told by then.
    world.passes(1);
    let mut message = legacy(&offered);
    message.recent_blockhash = network.latest_blockhash();
    world.passes(10);
    let untold =
        VersionedTransaction { signatures: vec![Signature::default(); 2], message: VersionedMessage::Legacy(message) };
    let refused = scene.is_refused(&signed_by(&scene.payer, untold), 400, "revoke_not_allowed").await;
    assert!(refused["message"].as_str().unwrap().contains("none that this facilitator told"), "{refused:#}");
    // It was told here, and has a few blocks left.
    let told = chain.told_blockhash(&old).unwrap();
    world.passes((told.slot + 140).saturating_sub(network.slot()));
    let newest = async || chain.latest_blockhash().await.unwrap().last_valid_block_height;
    let is_old = async || newest().await > told.last_valid_block_height + 125;
    world.until("a new blockhash is told", is_old).await;
    assert!(chain.blockhash_life(&old).await.unwrap().is_some(), "it is alive");
    scene.is_refused(&offered, 400, "revoke_not_allowed").await;
    assert_eq!(Trace::of(world).await, before);
    assert!(world.ledger().unfinished().await.unwrap().is_empty());
    world.moves_on();
    assert_eq!(scene.sends(&scene.signed().await).await.0, 200, "a new one is taken");
    scene.world.finish().await;
}

/// Guards: `RevocationBar::NotFinal`, `busy_is_a_conflict`. What has landed and may be taken back needs the delegation to land again;
/// it is soon over, so whoever repeats is served.
#[tokio::test]
async fn a_revoke_waits_for_what_a_fork_could_take_back() {
    let scene = RevokeScene::open(Options { finalized_after: 200, ..Options::default() }).await;
    let world = &scene.world;
    scene.closes_all().await;
    let mut opening = world.opening(&scene.payer, &scene.merchant.key(), 10_000);
    opening.intent.expires_at = world.now() + 5;
    let (status, session) = world.post("/sessions", &world.opening_body(&opening).await).await;
    assert_eq!(status, 201, "{session:#}");
    let id = session["sessionId"].as_str().unwrap();
    let paid = world.post("/settle", &world.payment(id, &scene.merchant.key(), 700, Some("last"))).await.1;
    assert_eq!(paid["success"], true, "{paid:#}");
    world.stands_still();
    let state = async || world.get(&format!("/sessions/{id}")).await.1["state"].clone();
    world.until("it expires", async || state().await == "expired").await;
    let signed = scene.signed().await;
    let refused = scene.is_refused(&signed, 503, "session_busy").await;
    assert!(refused["message"].as_str().unwrap().contains("not final"), "{refused:#}");
    assert!(scene.is_delegated());
    world.passes(100);
    world.moves_on();
    world.until("it is final", async || scene.sends(&scene.signed().await).await.0 == 200).await;
    assert!(!scene.is_delegated());
    scene.world.finish().await;
}

/// Guard: `Payments::known`. Whoever has paid is told so, also while a revoke keeps payments waiting.
#[tokio::test]
async fn a_payment_of_before_is_answered_for_while_a_revoke_is_under_way() {
    let slow = Options {
        finalized_after: 40,
        ..Options::settings(|settings| settings.answer_deadline = Duration::from_secs(5))
    };
    let scene = RevokeScene::open(slow).await;
    let world = &scene.world;
    let payment = world.payment(&scene.session, &scene.merchant.key(), 700, Some("before"));
    let paid = world.post("/settle", &payment).await.1;
    assert_eq!(paid["success"], true, "{paid:#}");
    world.quiet().await;
    scene.closes_all().await;
    let signed = scene.signed().await;
    let before = world.net.network().slot();
    assert_eq!(scene.sends(&signed).await.0, 200);
    world.stands_still();
    assert!(world.net.network().slot() < before + 40, "it is not final");
    let repeated = world.post("/settle", &payment).await.1;
    assert_eq!(repeated["errorReason"], "duplicate_settlement", "{repeated:#}");
    assert_eq!(repeated["transaction"], paid["transaction"]);
    let other = world.payment(&scene.session, &scene.merchant.key(), 701, Some("before"));
    let conflict = world.post("/settle", &other).await.1;
    assert_eq!(conflict["errorReason"], "nonce_conflict", "{conflict:#}");
    world.moves_on();
    scene.world.finish().await;
}
