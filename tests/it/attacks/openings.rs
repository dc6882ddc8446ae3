//! Opening what was not agreed to.

use super::{Shop, Trace, is_not_opened, lands_by_itself, view, with_sol};
use crate::support::{Options, World};
use serde_json::json;
use solana_pubkey::Pubkey;
use sotto::{
    facilitator::CapCheckPolicy,
    localnet::{
        covalidator::{CovalidatorPlan, Lie},
        standins::Delegation,
    },
    programs::ciphertext::encrypt,
};

/// Guard: `ApproveTemplate::inspect`.
#[tokio::test]
async fn r01_an_approve_that_also_moves_our_money_is_not_signed() {
    let world = World::start().await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let before = Trace::of(&world).await;
    let opening = world.opening(&payer, &merchant.key(), 100);
    let honest = world.approve_instructions(&opening).await;
    for (place, theft) in [
        (0, solana_system_interface::instruction::transfer(&world.fee_payer(), &payer.key(), 3_000_000)),
        (3, solana_system_interface::instruction::transfer(&world.fee_payer(), &merchant.key(), 1)),
        (1, solana_system_interface::instruction::assign(&world.fee_payer(), &merchant.key())),
    ] {
        let mut instructions = honest.clone();
        instructions.insert(place, theft);
        let body = world.opening_body_with(&opening, &world.sign_as_user(&payer, &instructions).await);
        is_not_opened(&world, &body, 400, "approve_not_allowed").await;
    }
    assert_eq!(Trace::of(&world).await, before);
    world.finish().await;
}

/// Guard: `Session::may_hold`, the only thing that keeps the cap where the program compares the delegate only.
#[tokio::test]
async fn r03_the_cap_holds_whatever_the_program_compares() {
    for delegation in [Delegation::Public, Delegation::Documented] {
        let shop = Shop::open(Options { delegation, ..Options::default() }, 100_000).await;
        shop.pays(60_000, None).await;
        shop.is_refused(60_000, None, "cap_exceeded").await;
        shop.pays(40_000, None).await;
        shop.is_refused(1, None, "cap_exceeded").await;
        assert_eq!(shop.world.units(&shop.merchant), 100_000);
        shop.closes().await;
    }
}

/// Guard: the expiry in `Session::may_hold`; the chain knows none.
#[tokio::test]
async fn r03_an_expired_session_pays_nothing() {
    let world = World::start().await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let mut opening = world.opening(&payer, &merchant.key(), 100);
    opening.intent.expires_at = world.now() + 600;
    let (status, answer) = world.post("/sessions", &world.opening_body(&opening).await).await;
    assert_eq!(status, 201, "{answer:#}");
    world.lets_pass(600);
    let body = world.payment(answer["sessionId"].as_str().unwrap(), &merchant.key(), 1, None);
    super::is_refused_everywhere(&world, &body, "session_expired").await;
    world.finish().await;
}

/// Guard: `fit.matches` in `prove_opening`: the amount is decrypted, not believed.
#[tokio::test]
async fn r05_an_approve_for_another_amount_than_the_cap_opens_nothing() {
    let world = World::start().await;
    let (payer, merchant) = (world.wallet(1_000).await, world.wallet(0).await);
    for approved in [0, 1, 999, 1_001] {
        let mut opening = world.opening(&payer, &merchant.key(), 1_000);
        opening.approved = approved;
        let body = world.opening_body(&opening).await;
        let answer = is_not_opened(&world, &body, 400, "cap_mismatch").await;
        let session = answer["sessionId"].as_str().unwrap();
        let seen = view(&world, session).await;
        assert_eq!((&seen["state"], &seen["rejectedReason"]), (&json!("rejected"), &json!("cap_mismatch")));
        let payment = world.payment(session, &merchant.key(), 1, None);
        super::is_refused_everywhere(&world, &payment, "session_not_open").await;
        // Asking again changes nothing.
        is_not_opened(&world, &body, 400, "cap_mismatch").await;
    }
    world.finish().await;
}

/// Guards: `simulate_approve` and the read-back in `prove_opening`.
#[tokio::test]
async fn r05_what_is_on_chain_already_is_proved_by_its_effect() {
    let world = World::start().await;
    let (payer, merchant) = (world.wallet(1_000).await, world.wallet(0).await);
    with_sol(&world, &payer).await;
    let opening = world.opening(&payer, &merchant.key(), 1_000);
    let before = Trace::of(&world).await;
    let body = |signature, opening| world.opening_body_landed(opening, signature);
    // Any transaction of anybody is no approve.
    let stray = world.net.network().airdrop(&merchant.key(), 1_000_000).unwrap();
    is_not_opened(&world, &body(&stray, &opening), 400, "delegate_mismatch").await;
    // A real approve, of somebody else.
    let approve = |delegate: &Pubkey| {
        let source = world.programs.token_account(&payer.key(), &world.faucet.mint());
        let key = world.net.network().stand_ins().encryption_key();
        world.programs.approve(&source, delegate, &payer.key(), &encrypt(&key, 1_000, &*world.chance), None)
    };
    let foreign = lands_by_itself(&world, &payer, &[approve(&merchant.key())]);
    world.confirmed().await;
    let second = world.opening(&payer, &merchant.key(), 1_000);
    is_not_opened(&world, &body(&foreign, &second), 400, "delegate_mismatch").await;
    // Ours, of the right amount, but without the right to decrypt it: opens unverified only.
    let ours = lands_by_itself(&world, &payer, &[approve(&world.spender())]);
    world.confirmed().await;
    let third = world.opening(&payer, &merchant.key(), 1_000);
    let (status, answer) = world.post("/sessions", &body(&ours, &third)).await;
    assert_eq!((status, &answer["capVerified"]), (201, &json!(false)), "{answer:#}");
    assert_eq!(Trace::of(&world).await.fee_payer, before.fee_payer, "nothing of this was at our cost");
    world.finish().await;
}

/// Guards: the checks of `covalidator::http::verified`. A lie never opens a verified session.
#[tokio::test]
async fn r05_a_lying_covalidator_verifies_no_cap() {
    let small = |settings: &mut sotto::facilitator::Settings| {
        settings.payments.unverified_exposure = sotto::domain::amount::Amount::new(10).unwrap();
        // An empty answer is asked for again for so long.
        settings.openings.cap_check_deadline = std::time::Duration::from_secs(2);
    };
    let world = World::with(Options::settings(small)).await;
    let (payer, merchant) = (world.wallet(1_000).await, world.wallet(0).await);
    for lie in [Lie::Plaintext, Lie::Handle, Lie::Signature, Lie::Empty] {
        world.covalidator.faults().set(CovalidatorPlan { lie: Some(lie), ..CovalidatorPlan::default() });
        let mut opening = world.opening(&payer, &merchant.key(), 1_000);
        // One less than the cap: what the lying plaintext turns into the cap.
        opening.approved = 999;
        let (status, answer) = world.post("/sessions", &world.opening_body(&opening).await).await;
        assert_eq!((status, &answer["capVerified"]), (201, &json!(false)), "{lie:?}: {answer:#}");
        let session = answer["sessionId"].as_str().unwrap();
        super::is_refused_everywhere(&world, &world.payment(session, &merchant.key(), 11, None), "cap_unverified")
            .await;
        assert_eq!(answer["remaining"], "10", "CR-4: what can be paid now, and not what is left of the cap");
    }
    world.covalidator.faults().set(CovalidatorPlan::default());
    world.finish().await;
}

/// Guards: `CapCheckPolicy::Required` in `approved_amount`; the background round that asks again.
#[tokio::test]
async fn r05_where_the_cap_must_be_known_a_session_waits_for_it_and_then_opens_by_itself() {
    let required = |settings: &mut sotto::facilitator::Settings| {
        settings.openings.cap_check = CapCheckPolicy::Required;
        settings.openings.cap_check_deadline = std::time::Duration::from_millis(200);
    };
    let world = World::with(Options::settings(required)).await;
    let (payer, merchant) = (world.wallet(1_000).await, world.wallet(0).await);
    world.covalidator.faults().set(CovalidatorPlan { fail_next: 1_000, ..CovalidatorPlan::default() });
    let opening = world.opening(&payer, &merchant.key(), 1_000);
    let body = world.opening_body(&opening).await;
    let answer = is_not_opened(&world, &body, 503, "cap_unverified").await;
    let session = answer["sessionId"].as_str().unwrap();
    let payment = world.payment(session, &merchant.key(), 1, None);
    super::is_refused_everywhere(&world, &payment, "session_not_open").await;
    world.covalidator.faults().set(CovalidatorPlan::default());
    super::becomes(&world, session, "open").await;
    let (status, answer) = world.post("/sessions", &body).await;
    assert_eq!((status, &answer["capVerified"]), (201, &json!(true)), "{answer:#}");
    world.finish().await;
}

/// Guards: `check_terms` and the decoders, before anything is simulated or signed.
#[tokio::test]
async fn r20_r21_odd_caps_and_expirations_are_refused_before_anything_is_spent() {
    let world = World::start().await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let body = world.opening_body(&world.opening(&payer, &merchant.key(), 100)).await;
    let before = Trace::of(&world).await;
    for cap in
        ["0", "-1", "+1", "1.5", "1e3", "0x10", "", " 1", "١", "007", "9223372036854775808", "99999999999999999999999"]
    {
        let mut bent = body.clone();
        bent["cap"] = json!(cap);
        let word = if cap.is_empty() { "missing_cap" } else { "invalid_cap" };
        let (status, answer) = world.post("/sessions", &bent).await;
        assert_eq!(status, 400, "{cap}: {answer:#}");
        assert!(answer["error"] == word || cap.is_empty(), "{cap}: {answer:#}");
    }
    for (expiration, word) in [
        (json!("1893456000"), "bad_request"),
        (json!(1_893_456_000.5), "bad_request"),
        (json!(-1), "bad_request"),
        (json!(1.8e30), "bad_request"),
        (json!(null), "missing_expirationUnix"),
    ] {
        let mut bent = body.clone();
        bent["expirationUnix"] = expiration;
        is_not_opened(&world, &bent, 400, word).await;
    }
    for (expires_at, word) in [
        (0, "expiration_in_past"),
        (world.now() - 1, "expiration_in_past"),
        (world.now() + 90_000, "expiration_too_far"),
        (u64::MAX, "expiration_too_far"),
    ] {
        let mut opening = world.opening(&payer, &merchant.key(), 100);
        opening.intent.expires_at = expires_at;
        is_not_opened(&world, &world.opening_body(&opening).await, 400, word).await;
    }
    assert_eq!(Trace::of(&world).await, before);
    world.finish().await;
}

/// Guard: every comparison of `check_intent`. The body says one thing, the user signed another.
#[tokio::test]
async fn r05_what_the_user_signed_is_what_is_opened() {
    let world = World::start().await;
    let (payer, merchant, thief) = (world.wallet(100).await, world.wallet(0).await, world.wallet(0).await);
    let opening = world.opening(&payer, &merchant.key(), 100);
    let body = world.opening_body(&opening).await;
    let before = Trace::of(&world).await;
    for (member, value, word) in [
        ("recipient", json!(thief.key().to_string()), "auth_message_field_mismatch_recipient"),
        ("cap", json!("101"), "auth_message_field_mismatch_cap"),
        ("expirationUnix", json!(opening.intent.expires_at + 1), "auth_message_field_mismatch_expirationUnix"),
        ("asset", json!(thief.key().to_string()), "auth_message_field_mismatch_asset"),
        ("network", json!("solana:localnet"), "auth_message_field_mismatch_network"),
        ("network", json!("solana:mainnet"), "network_mismatch"),
        ("user", json!(thief.key().to_string()), "invalid_auth_signature"),
    ] {
        let mut bent = body.clone();
        bent[member] = value;
        is_not_opened(&world, &bent, 400, word).await;
    }
    // An intent for another facilitator, signed well.
    let mut elsewhere = world.opening(&payer, &merchant.key(), 100);
    elsewhere.intent.spender = thief.key();
    is_not_opened(&world, &world.opening_body(&elsewhere).await, 400, "auth_message_field_mismatch_spender").await;
    assert_eq!(Trace::of(&world).await, before);
    world.finish().await;
}
