//! What is told to whom.

use super::{Shop, is_not_opened, transfers, view};
use crate::support::{Options, Wallet, World};
use serde_json::{Value, json};
use sotto::{domain::signed::read_message, localnet::TooManyRequests};
use std::net::{Ipv4Addr, TcpListener};

async fn signed_read(world: &World, session: &str, subject: &str, at: u64, by: &Wallet) -> (u16, Value) {
    let signature = bs58::encode(by.sign(read_message(subject, at).as_bytes())).into_string();
    world.get(&format!("/sessions/{session}?at={at}&signature={signature}")).await
}

/// Guard: `api::sessions::view` has no member for them, and tells amounts where `Facilitator::session` allows it.
#[tokio::test]
async fn r11_a_session_shows_neither_its_intent_nor_its_signatures() {
    let world = World::start().await;
    let (payer, merchant, key) = (world.wallet(100).await, world.wallet(0).await, world.stranger());
    let mut opening = world.opening(&payer, &merchant.key(), 100);
    opening.intent.session_key = Some(key.key());
    opening.settle_message = true;
    let body = world.opening_body(&opening).await;
    let (_, answer) = world.post("/sessions", &body).await;
    let session = answer["sessionId"].as_str().unwrap();
    let seen = view(&world, session).await;
    for secret in ["authMessage", "authSignature", "settleSignature", "approveTxBase64"] {
        let secret = body[secret].as_str().unwrap();
        assert!(!seen.to_string().contains(secret) && !answer.to_string().contains(secret));
    }
    assert!(!seen.to_string().contains(&opening.intent.nonce));
    for amount in ["cap", "spent", "captured", "held", "remaining"] {
        assert!(seen.get(amount).is_none(), "{seen:#}");
    }
    let now = world.now();
    // Who may know the amounts: the session key and the user, for five minutes, of this session.
    for reader in [&key, &payer] {
        let (status, seen) = signed_read(&world, session, session, now, reader).await;
        assert_eq!((status, &seen["cap"]), (200, &json!("100")), "{seen:#}");
    }
    let other = "00000000-0000-4000-8000-000000000000";
    for (subject, at, by) in [
        (session, now, &merchant),
        (session, now - 301, &key),
        (session, now + 400, &key),
        (session, 0, &key),
        (other, now, &key),
        (&payer.key().to_string(), now, &payer),
    ] {
        let (status, seen) = signed_read(&world, session, subject, at, by).await;
        assert_eq!((status, &seen["error"]), (403, &json!("signature_required")), "{seen:#}");
        assert!(seen.get("cap").is_none());
    }
    world.finish().await;
}

/// Guard: `find_session` and every read answer alike for what does not exist.
#[tokio::test]
async fn r11_unknown_and_malformed_ids_are_told_alike() {
    let world = World::start().await;
    let upper = "00000000-0000-4000-8000-00000000000A";
    for id in ["00000000-0000-4000-8000-000000000000", upper, "x", "%00", "%FF", "..%2fhealth", &"a".repeat(3_000)] {
        let (status, answer) = world.get(&format!("/sessions/{id}")).await;
        assert_eq!((status, &answer["error"]), (404, &json!("session_not_found")), "{id}: {answer:#}");
    }
    world.finish().await;
}

/// Guard: the checks of `Facilitator::readiness`; `/health` must not depend on them.
#[tokio::test]
async fn r28_health_is_about_the_process_and_ready_about_its_work() {
    let world = World::start().await;
    let (status, ready) = world.get("/ready").await;
    assert_eq!((status, &ready["ok"]), (200, &json!(true)), "{ready:#}");
    let refused = TooManyRequests { next: 1_000, retry_after: None, method: None };
    world.net.faults().change(|plan| plan.too_many_requests = Some(refused));
    let (status, ready) = world.get("/ready").await;
    assert_eq!((status, &ready["ok"]), (503, &json!(false)), "{ready:#}");
    assert!(!ready.to_string().contains("127.0.0.1"), "no URL is shown: {ready:#}");
    let (status, health) = world.get("/health").await;
    assert_eq!((status, &health["ok"], &health["address"]), (200, &json!(true), &json!(world.spender().to_string())));
    world.net.faults().clear();
    world.finish().await;

    let world = World::with(Options::settings(|settings| settings.low_balance = u64::MAX)).await;
    let (status, ready) = world.get("/ready").await;
    let failing: Vec<_> = ready["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false).collect();
    assert_eq!((status, failing.len(), &failing[0]["name"]), (503, 1, &json!("fee_payer")), "{ready:#}");
    assert_eq!(world.get("/health").await.0, 200);
    world.finish().await;
}

/// Guard: `api::supported::answer`.
#[tokio::test]
async fn r31_supported_names_kinds_signers_and_extensions() {
    let world = World::start().await;
    let (status, answer) = world.get("/supported").await;
    assert_eq!(status, 200);
    let kinds = answer["kinds"].as_array().unwrap();
    let versions: Vec<u64> = kinds.iter().map(|kind| kind["x402Version"].as_u64().unwrap()).collect();
    assert!(versions.is_sorted_by(|a, b| a >= b) && versions.contains(&2) && versions.contains(&1), "{versions:?}");
    for kind in kinds {
        assert_eq!((&kind["scheme"], &kind["asset"]), (&json!("session"), &json!(world.faucet.mint().to_string())));
        let extra = &kind["extra"];
        assert_eq!(extra["facilitatorAddress"], world.spender().to_string());
        assert_eq!((&extra["sessionsEndpoint"], &extra["decimals"]), (&json!("/sessions"), &json!(6)));
    }
    let networks: Vec<&str> = kinds.iter().map(|kind| kind["network"].as_str().unwrap()).collect();
    assert!(networks.contains(&"solana:devnet") && networks.contains(&world.network.canonical()), "{networks:?}");
    assert_eq!(answer["signers"]["solana:*"], json!([world.spender().to_string()]));
    assert_eq!(answer["extensions"], json!(["payment-identifier"]));
    world.finish().await;
}

/// Guard: `chain::transaction`. What lands is what the documents say.
#[tokio::test]
async fn r33_a_settlement_is_an_ed25519_check_and_a_transfer_with_authorization() {
    let shop = Shop::open(Options::default(), 10_000).await;
    let answer = shop.pays(1_000, None).await;
    let found = transfers(&shop.world, &shop.payer).await;
    let [(signature, transaction)] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!(answer["transaction"], signature.as_str());
    let (keys, instructions) = (transaction.message.static_account_keys(), transaction.message.instructions());
    let programs: Vec<_> = instructions.iter().map(|i| keys[usize::from(i.program_id_index)]).collect();
    assert_eq!(programs[..2], [solana_sdk_ids::ed25519_program::ID, shop.world.programs.token]);
    assert!(programs[2..].iter().all(|program| *program == solana_sdk_ids::compute_budget::ID), "{programs:?}");
    let twa = sotto::programs::discriminator("transfer_with_authorization");
    assert!(instructions[1].data.starts_with(&twa));
    shop.closes().await;
}

/// Guard: the wrong method and path, like everything else, are typed.
#[tokio::test]
async fn nothing_but_the_served_routes_is_served_and_every_refusal_is_json() {
    let world = World::start().await;
    for path in ["/", "/verify", "/settle", "/session/x", "/sessions/x/y", "/health/", "//health", "/pay/settle"] {
        let (status, answer) = world.get(path).await;
        assert!(matches!(status, 404 | 405), "{path}: {status} {answer:#}");
        assert!(
            answer["error"].is_string() || answer["errorReason"].is_string() || answer["invalidReason"].is_string()
        );
    }
    is_not_opened(&world, &json!({}), 400, "missing_user").await;
    world.finish().await;
}

/// Guard: there is no code that would; what callers name is compared and hashed, never fetched.
#[tokio::test]
async fn no_url_that_a_caller_names_is_ever_asked() {
    let shop = Shop::open(Options::default(), 1_000).await;
    let inside = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    inside.set_nonblocking(true).unwrap();
    let url = format!("http://{}/latest/meta-data", inside.local_addr().unwrap());
    let mut payment = shop.payment(10, Some("a-payment-with-urls-01"));
    payment["paymentPayload"]["resource"] = json!({ "url": url, "callback": url });
    payment["paymentPayload"]["extensions"] = json!({ "bazaar": { "info": { "url": url } }, "outputSchema": url });
    for member in ["resource", "outputSchema", "webhook", "callbackUrl"] {
        payment["paymentRequirements"][member] = json!(url);
    }
    for route in ["/verify", "/settle"] {
        let (status, told) = shop.world.post(route, &payment).await;
        assert_eq!(status, 200, "{told:#}");
        assert!(told["isValid"] == json!(true) || told["success"] == json!(true), "{told:#}");
    }
    shop.world.quiet().await;
    let came = inside.accept().map_err(|error| error.kind());
    assert!(matches!(came, Err(std::io::ErrorKind::WouldBlock)), "{came:?}");
    shop.world.finish().await;
}
