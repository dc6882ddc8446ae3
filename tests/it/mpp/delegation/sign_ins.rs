//! Sign-ins through the routes: every check in its order, nonces, proofs, and the windows that they give.

use crate::{
    mpp::{cases, golden, text},
    support::{DelegationScene, FOREIGN, HOME, Sent},
};
use serde_json::json;
use sotto::{
    domain::mpp::{
        delegation::{CallerOrigin, OnboardWindow},
        siwx::{Proof, SignIn},
        timestamp,
    },
    facilitator::WindowTrust,
};

async fn word(scene: &DelegationScene, sent: &Sent) -> (u16, String) {
    let (code, answer) = scene.world.sends(sent).await;
    (code, answer["error"].as_str().unwrap_or("granted").to_owned())
}

/// Each check fails alone, and in the protocol's order.
#[tokio::test]
async fn every_check_has_its_word() {
    let scene = DelegationScene::start().await;
    let now = scene.world.now() * 1_000;
    let asked = |sign_in: Option<String>| Sent { sign_in, ..scene.asked("/api/sessions/onboard", json!({})) };
    let bent = |change: Box<dyn FnOnce(&mut SignIn)>| asked(Some(scene.sign_in_with(&scene.buyer, change)));
    let other = scene.world.stranger();
    for (name, sent, expected) in [
        ("none", asked(None), (401, "siwx_required")),
        ("no base64", asked(Some("%%%".to_owned())), (401, "siwx_malformed")),
        ("another host", bent(Box::new(|it| it.domain = "evil.test".to_owned())), (401, "siwx_domain_mismatch")),
        ("another uri", bent(Box::new(|it| it.uri = "https://evil.test/".to_owned())), (401, "siwx_domain_mismatch")),
        ("another chain", bent(Box::new(|it| it.chain_id = "solana:x".to_owned())), (401, "siwx_chain_mismatch")),
        ("old", bent(Box::new(move |it| it.issued_at = timestamp::write(now - 301_000))), (401, "siwx_expired")),
        ("early", bent(Box::new(move |it| it.issued_at = timestamp::write(now + 60_000))), (401, "siwx_expired")),
        ("over", bent(Box::new(move |it| it.expiration_time = Some(timestamp::write(now)))), (401, "siwx_expired")),
        ("short nonce", bent(Box::new(|it| it.nonce = "1234567".to_owned())), (401, "siwx_malformed")),
        ("two lines", bent(Box::new(|it| it.statement = Some("a\nb".to_owned()))), (401, "siwx_malformed")),
        ("a proof", asked(Some(scene.proof(&scene.buyer, &Proof::Leave))), (401, "siwx_malformed")),
        ("another wallet", asked(Some(scene.sign_in(&other))), (403, "siwx_wallet_mismatch")),
    ] {
        let told = word(&scene, &sent).await;
        assert_eq!((told.0, told.1.as_str()), expected, "{name}");
    }
    scene.world.finish().await;
}

/// The golden sign-ins through the route, at their own time.
#[tokio::test]
async fn the_golden_checks_have_their_words_and_statuses() {
    let scene = DelegationScene::start().await;
    let now = timestamp::read(golden("/siwx_checks/now").as_str().unwrap()).unwrap();
    scene.world.is_set_to(now / 1_000).await;
    for case in cases("/siwx_checks/cases") {
        let path = format!("/api/sessions/onboard/status?buyer_wallet={}", text(case, "wallet"));
        let header = case["header_sign_in_with_x"].as_str().map(|header| ("sign-in-with-x", header));
        let (status, answer) = scene.world.get_with(&path, header.as_slice()).await;
        let told = (json!(status), &answer["error"]);
        assert_eq!(told, (case["status"].clone(), &case["expect"]), "{}: {answer:#}", text(case, "name"));
    }
    for act in ["open", "close", "leave"] {
        let proof = golden("/proofs")[act]["header_sign_in_with_x"].as_str().unwrap();
        let path = format!("/api/sessions/onboard/status?wallet={}", golden("/keys/buyer/pubkey").as_str().unwrap());
        let (status, answer) = scene.world.get_with(&path, &[("sign-in-with-x", proof)]).await;
        assert_eq!((status, answer["error"].as_str()), (401, Some("siwx_malformed")), "{act}: {answer:#}");
    }
    let leave = golden("/proofs")["leave"]["header_sign_in_with_x"].as_str().unwrap();
    let body = json!({ "buyer_wallet": golden("/keys/buyer/pubkey") });
    let sent = Sent { sign_in: Some(leave.to_owned()), body, ..scene.asked("/api/sessions/leave", json!({})) };
    assert_eq!(word(&scene, &sent).await, (404, "swig_role_not_found".to_owned()), "it proves, and nothing is granted");
    scene.world.finish().await;
}

/// Guard: `USES`. The published client sends one header up to six times.
#[tokio::test]
async fn one_header_is_good_for_three_rounds_and_not_for_ever() {
    let scene = DelegationScene::start().await;
    let sent = scene.asked("/api/sessions/onboard", json!({}));
    for _ in 0..8 {
        assert_eq!(scene.world.sends(&sent).await.0, 200);
    }
    assert_eq!(word(&scene, &sent).await, (401, "siwx_nonce_exhausted".to_owned()));
    scene.world.finish().await;
}

/// Guard: `used.wallet != wallet`.
#[tokio::test]
async fn a_nonce_is_its_first_wallets() {
    let scene = DelegationScene::start().await;
    let nonce = "ab".repeat(16);
    let with_nonce = |it: &mut SignIn| it.nonce.clone_from(&nonce);
    let first = Sent {
        sign_in: Some(scene.sign_in_with(&scene.buyer, with_nonce)),
        ..scene.asked("/api/sessions/onboard", json!({}))
    };
    assert_eq!(scene.world.sends(&first).await.0, 200);
    let other = scene.world.stranger();
    let mut second = Sent { sign_in: Some(scene.sign_in_with(&other, with_nonce)), ..first };
    second.body["buyer_wallet"] = json!(other.key().to_string());
    assert_eq!(word(&scene, &second).await, (401, "siwx_nonce_exhausted".to_owned()));
    scene.world.finish().await;
}

/// How many channels may be opened to a place.
async fn opens(scene: &DelegationScene, from: CallerOrigin) -> u32 {
    let ledger = scene.world.ledger();
    let mut opens = 0;
    while ledger.take_window(&scene.buyer.key(), from, scene.world.now()).await.unwrap() {
        opens += 1;
    }
    opens
}

fn place(scene: &DelegationScene, address: &str, origin: Option<&str>) -> CallerOrigin {
    use sha2::{Digest as _, Sha256};
    use sotto::domain::{addresses::caller_prefix, mpp::root::Root};
    let key = Root::new(crate::support::ROOT).caller_key(scene.world.network.canonical());
    let prefix = caller_prefix(address.parse().unwrap());
    let hash = Sha256::new().chain_update(*key).chain_update(prefix.to_be_bytes()).finalize();
    let origin = origin.map_or([0; 32], |origin| Sha256::digest(origin).into());
    CallerOrigin { caller: std::array::from_fn(|at| hash[at]), origin }
}

/// Guards: `Grants::Nothing`, the window's caller and origin. A header that was stolen and sent from elsewhere opens nothing there.
#[tokio::test]
async fn a_window_is_opened_to_whoever_signed_in_first_and_to_nobody_else() {
    let scene = DelegationScene::start().await;
    let offered = scene.told(json!({}), "transactions_required").await;
    assert_eq!(opens(&scene, place(&scene, HOME, None)).await, 0, "nothing is granted yet");
    let sent = scene.asked("/api/sessions/onboard/confirm", scene.signed(&offered));
    assert_eq!(scene.world.sends(&sent).await.0, 200);
    // The thief sends the same header from elsewhere, and from a page at home.
    let stolen = Sent { path: "/api/sessions/onboard", from: FOREIGN, ..sent.clone() };
    assert_eq!(scene.world.sends(&stolen).await.0, 200);
    let page = Sent { path: "/api/sessions/onboard", origin: Some("https://evil.test"), ..sent.clone() };
    assert_eq!(scene.world.sends(&page).await.0, 200);
    assert_eq!(opens(&scene, place(&scene, FOREIGN, None)).await, 0);
    assert_eq!(opens(&scene, place(&scene, HOME, Some("https://evil.test"))).await, 0);
    assert_eq!(opens(&scene, place(&scene, HOME, None)).await, OnboardWindow::OPENS);
    // Asked again at home it is opened anew.
    let ready = Sent { path: "/api/sessions/onboard", ..sent };
    assert_eq!(scene.world.sends(&ready).await.0, 200);
    assert_eq!(opens(&scene, place(&scene, HOME, None)).await, OnboardWindow::OPENS);
    scene.world.finish().await;
}

/// Guard: `is_told_apart`. Behind a proxy that nobody trusts all callers look alike.
#[tokio::test]
async fn addresses_that_many_share_get_no_window() {
    let scene = DelegationScene::with(|settings| settings.delegations.windows = WindowTrust::Public).await;
    let signed = scene.next(json!({}), "create_session_account").await;
    let sent = Sent { from: "10.1.2.3", ..scene.asked("/api/sessions/onboard/confirm", signed) };
    assert_eq!(scene.world.sends(&sent).await.0, 200);
    assert_eq!(opens(&scene, place(&scene, "10.1.2.3", None)).await, 0);
    let public = scene.asked("/api/sessions/onboard", json!({}));
    assert_eq!(scene.world.sends(&public).await.0, 200);
    assert_eq!(opens(&scene, place(&scene, HOME, None)).await, OnboardWindow::OPENS);
    scene.world.finish().await;
}

#[tokio::test]
async fn faults_are_told_in_json_by_every_route() {
    let scene = DelegationScene::start().await;
    for path in ["/api/sessions/onboard", "/api/sessions/onboard/confirm", "/api/sessions/leave"] {
        let (status, answer) = scene.world.get(path).await;
        assert_eq!((status, answer["ok"].as_bool()), (405, Some(false)), "{path}: {answer:#}");
        for body in ["", "[]", "{", r#"{"buyer_wallet":1}"#] {
            let (status, answer) = scene.world.post_text(path, body).await;
            assert_eq!((status, answer["error"].as_str()), (400, Some("invalid_request")), "{path} {body}: {answer:#}");
        }
        let (status, answer) = scene.world.post(path, &json!({ "buyer_wallet": "x", "signed_transactions": [] })).await;
        assert_eq!((status, answer["error"].as_str()), (400, Some("invalid_wallet")), "{path}: {answer:#}");
        let (status, answer) = scene.world.post_text(path, "x".repeat(100_000)).await;
        assert_eq!((status, answer["error"].as_str()), (413, Some("body_too_large")), "{path}: {answer:#}");
    }
    let (status, answer) = scene.world.get("/api/sessions/onboard/status").await;
    assert_eq!((status, answer["error"].as_str()), (400, Some("invalid_wallet")), "{answer:#}");
    let (status, answer) = scene.world.get(&format!("/api/sessions/onboard/status?wallet={}", scene.buyer.key())).await;
    assert_eq!((status, answer["error"].as_str()), (401, Some("siwx_required")), "{answer:#}");
    scene.world.finish().await;
}
