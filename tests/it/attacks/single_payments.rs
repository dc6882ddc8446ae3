//! What could be done wrong with a single payment's signed message, on purpose.

use super::{Trace, lands_by_itself, with_sol};
use crate::support::{Options, SingleScene, World, authorized, signed_by, verified};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;
use sotto::{
    chain::transaction::SettleInstruction,
    domain::{
        amount::Amount,
        budget::{Budgets, Part, Scope},
        hold::ContentHash,
        settlement::{SingleId, State},
        single_payment::{CallerHash, OfferLimits, SingleOffer},
    },
    facilitator::{InstructionChoice, ProbeVerdict},
    ledger::Offered,
    programs::{
        ciphertext::encrypt,
        inco_token::{Transfer, ed25519_verify},
    },
};
use uuid::Uuid;

/// Floats lose money: 0.29 with two decimals was 28. Guards: `wire::pay::message::tokens`, `decimals_of`.
#[tokio::test]
async fn r23_amounts_are_decimal_and_bounded_and_decimals_are_the_assets() {
    let scene = SingleScene::plain().await;
    for (amount, decimals, reason) in [
        (json!("0.0000001"), json!(6), "invalid_amount"),
        (json!(0), json!(6), "invalid_amount"),
        (json!(-1), json!(6), "invalid_amount"),
        (json!("1e300"), json!(6), "invalid_amount"),
        (json!("9223372036854.775808"), json!(6), "invalid_amount"),
        (json!({}), json!(6), "invalid_amount"),
        (json!("1"), json!(9), "invalid_decimals"),
        (json!("1"), json!(1_000_000), "invalid_decimals"),
        (json!("1"), json!(-6), "invalid_decimals"),
    ] {
        let (status, answer) =
            scene.world.post("/pay/getAmount", &json!({ "amount": amount, "decimals": decimals })).await;
        assert_eq!((status, answer["error"].as_str()), (400, Some(reason)), "{amount} {decimals}: {answer:#}");
    }
    let paid = scene.pays(&scene.payload_of("0.29", "n-1").await).await;
    assert_eq!(paid["amount"], "290000");
    scene.closes().await;
}

/// Guard: `IssuedCiphertexts::issued`: a ciphertext that anybody else made may hold zero.
#[tokio::test]
async fn r24_only_ciphertexts_that_we_made_for_this_amount_pay() {
    let scene = SingleScene::plain().await;
    let before = Trace::of(&scene.world).await;
    let key = scene.world.net.network().stand_ins().encryption_key();
    let zero = hex::encode(encrypt(&key, 0, &*scene.world.chance));
    scene.is_refused(&scene.payload(&scene.message(&zero, "1", "n-1"), &zero), "ciphertext_not_ours").await;
    // Ours, of less.
    let little = scene.encrypted("0.000001").await;
    scene.is_refused(&scene.payload(&scene.message(&little, "1", "n-1"), &little), "ciphertext_not_ours").await;
    // Ours up to the digits that the message names.
    let ours = scene.encrypted("1").await;
    let forged = format!("{}{}", &ours[..32], &zero[32..]);
    scene.is_refused(&scene.payload(&scene.message(&ours, "1", "n-1"), &forged), "ciphertext_not_ours").await;
    let mut without = scene.payload(&scene.message(&ours, "1", "n-1"), &ours);
    without.as_object_mut().unwrap().remove("ciphertext");
    scene.is_refused(&without, "missing_ciphertext").await;
    assert_eq!(Trace::of(&scene.world).await, before);
    scene.closes().await;
}

/// Guards: `wire::pay::single`, `SinglePayments::check_message`: every member that anybody states is what was signed.
#[tokio::test]
async fn r24_every_field_of_the_signed_message_is_bound() {
    let scene = SingleScene::plain().await;
    let before = Trace::of(&scene.world).await;
    let ciphertext = scene.encrypted("1").await;
    let message = scene.message(&ciphertext, "1", "n-1");
    let honest = scene.payload(&message, &ciphertext);
    let stranger = scene.world.stranger();
    // What is sent is not what was signed.
    for (member, value) in [
        ("amount", json!("2")),
        ("recipient", json!(stranger.key().to_string())),
        ("nonce", json!("n-2")),
        ("network", json!("solana:localnet")),
    ] {
        let mut bent = message.clone();
        bent[member] = value;
        let mut payload = honest.clone();
        payload["message"] = json!(bent.to_string());
        scene.is_refused(&payload, "invalid_signature").await;
    }
    let mut payload = honest.clone();
    payload["payer"] = json!(stranger.key().to_string());
    scene.is_refused(&payload, "invalid_signature").await;
    // A signature of more bytes is not cut.
    let mut long = BASE64_STANDARD.decode(honest["signature"].as_str().unwrap()).unwrap();
    long.push(0);
    payload = honest.clone();
    payload["signature"] = json!(BASE64_STANDARD.encode(long));
    scene.is_refused(&payload, "invalid_signature").await;
    // What is signed is not what is asked for.
    for (member, value, reason) in [
        ("amount", json!("1000001"), "amount_mismatch"),
        ("price", json!("$2"), "amount_mismatch"),
        ("payTo", json!(stranger.key().to_string()), "recipient_mismatch"),
        ("asset", json!(stranger.key().to_string()), "asset_mismatch"),
        ("network", json!("solana:mainnet"), "network_mismatch"),
    ] {
        let bend = |mut body: Value| {
            body["paymentRequirements"][member] = value.clone();
            body
        };
        scene.are_refused(&bend(verified(&honest)), &bend(authorized(&honest)), reason).await;
    }
    // What moves is what was signed, also where it is as much, and ours.
    let other = scene.encrypted("1").await;
    scene.is_refused(&scene.payload(&message, &other), "message_mismatch").await;
    for (member, reason) in [("paymentReceiver", "recipient_mismatch"), ("sourceAccount", "message_mismatch")] {
        let mut payload = honest.clone();
        payload[member] = json!(stranger.key().to_string());
        scene.is_refused(&payload, reason).await;
    }
    assert_eq!(Trace::of(&scene.world).await, before);
    scene.closes().await;
}

/// Guards: `check_message`, `check_accounts`: nobody is paid whose tokens are lost or ours.
#[tokio::test]
async fn fr1_a_recipient_is_a_wallet_that_is_neither_the_payer_nor_ours() {
    let scene = SingleScene::plain().await;
    let account = scene.world.programs.token_account(&scene.merchant.key(), &scene.world.faucet.mint());
    let ciphertext = scene.encrypted("1").await;
    let without_account = scene.world.stranger();
    for (recipient, reason) in [
        (scene.payer.key(), "invalid_recipient"),
        (scene.world.spender(), "invalid_recipient"),
        (account, "invalid_recipient"),
        (without_account.key(), "recipient_not_ready"),
    ] {
        let mut message = scene.message(&ciphertext, "1", "n-1");
        message["recipient"] = json!(recipient.to_string());
        let mut payload = scene.payload(&message, &ciphertext);
        payload.as_object_mut().unwrap().remove("paymentReceiver");
        scene.is_refused(&payload, reason).await;
    }
    scene.closes().await;
}

/// Guards: the nonce and the ciphertext are unique for ever, and consumed by the record and not by the first step.
#[tokio::test]
async fn r26_a_signed_message_pays_once_whatever_is_asked_for_it() {
    let scene = SingleScene::plain().await;
    let payload = scene.payload_of("1", "n-1").await;
    let (first, second) = (scene.issued(&payload).await, scene.issued(&payload).await);
    let (status, paid) = scene.settles(&signed_by(&scene.payer, second)).await;
    assert_eq!((status, &paid["success"]), (200, &json!(true)), "{paid:#}");
    // What was issued for the same message before; it may be the same one, where the blockhash has not changed.
    let (status, again) = scene.settles(&signed_by(&scene.payer, first)).await;
    assert!(status >= 400 && again["success"] == false, "{again:#}");
    let (status, again) = scene.world.post("/pay/settle", &authorized(&payload)).await;
    assert_eq!((status, again["errorReason"].as_str()), (400, Some("duplicate_settlement")), "{again:#}");
    assert_eq!(again["transaction"], paid["transaction"]);
    // Another message under its nonce, and another message with its ciphertext.
    let other = scene.payload_of("2", "n-1").await;
    let (status, answer) = scene.world.post("/pay/settle", &authorized(&other)).await;
    assert_eq!((status, answer["errorReason"].as_str()), (409, Some("nonce_conflict")), "{answer:#}");
    let ciphertext = payload["ciphertext"].as_str().unwrap();
    let reused = scene.payload(&scene.message(ciphertext, "1", "n-2"), ciphertext);
    scene.is_refused(&reused, "ciphertext_used").await;
    scene.closes().await;
}

/// The order of `check`: a guess of the amount behind a ciphertext that is on chain is never confirmed, right or wrong, to the
/// payer of it or to anybody else, by a verification or by a first step.
#[tokio::test]
async fn r23_nobody_has_a_guess_of_a_published_amount_confirmed() {
    let scene = SingleScene::plain().await;
    let payload = scene.payload_of("0.7", "n-1").await;
    scene.pays(&payload).await;
    let ciphertext = payload["ciphertext"].as_str().unwrap();
    let stranger = scene.world.wallet(1_000_000).await;
    for (number, guess) in ["0.7", "0.8", "0.700001"].into_iter().enumerate() {
        let nonce = format!("guess-{number}");
        let guess = scene.message(ciphertext, guess, &nonce);
        for payer in [&scene.payer, &stranger] {
            scene.is_refused(&scene.signed_payload(payer, &guess, ciphertext), "ciphertext_used").await;
        }
    }
    scene.closes().await;
}

/// What the chain publishes of a payment is worth nothing to anybody else: the program refuses a stranger as payer, and where
/// the probe has not seen that it does, nothing is published.
#[tokio::test]
async fn r26_a_published_message_is_nobodys_to_spend() {
    let scene = SingleScene::probed().await;
    let payload = scene.payload_of("1", "n-1").await;
    scene.pays(&payload).await;
    scene.world.confirmed().await;
    let thief = scene.world.wallet(0).await;
    with_sol(&scene.world, &thief).await;
    let mint = scene.world.faucet.mint();
    let message = payload["message"].as_str().unwrap().as_bytes();
    let signature = BASE64_STANDARD.decode(payload["signature"].as_str().unwrap()).unwrap().try_into().unwrap();
    let transfer = Transfer {
        source: scene.world.programs.token_account(&scene.payer.key(), &mint),
        destination: scene.world.programs.token_account(&thief.key(), &mint),
        authority: thief.key(),
        ciphertext: hex::decode(payload["ciphertext"].as_str().unwrap()).unwrap(),
        allowances: None,
    };
    let stolen = [
        ed25519_verify(&scene.payer.key(), message, &signature),
        scene.world.programs.transfer_with_authorization(&transfer),
    ];
    lands_by_itself(&scene.world, &thief, &stolen);
    scene.world.confirmed().await;
    assert_eq!(scene.world.units(&thief), 0);
    scene.closes().await;
}

#[tokio::test]
async fn r26_without_a_probe_that_passes_nothing_is_served() {
    let fixed = |choice| Options::settings(move |settings| settings.transfers.settle_instruction = choice);
    let unprobed = InstructionChoice::Fixed(SettleInstruction::TransferWithAuthorization);
    let world = World::with(fixed(unprobed)).await;
    let refused = async |world: &World| {
        let (status, answer) = world.post("/pay/getAmount", &json!({ "amount": "1" })).await;
        assert_eq!((status, answer["error"].as_str()), (400, Some("pay_not_served")), "{answer:#}");
    };
    refused(&world).await;
    world.running().facilitator.apply_probe(ProbeVerdict::Unusable("it moves nothing"));
    refused(&world).await;
    world.running().facilitator.apply_probe(ProbeVerdict::Usable);
    let (status, _) = world.post("/pay/getAmount", &json!({ "amount": "1" })).await;
    assert_eq!(status, 200);
    world.finish().await;
    let off = World::with(Options::settings(|settings| {
        settings.transfers.settle_instruction = InstructionChoice::Fixed(SettleInstruction::Transfer);
        settings.transfers.single_payments = false;
    }))
    .await;
    refused(&off).await;
    off.finish().await;
}

/// Guards: `make_place`, and the signature that is verified before anything is kept. A stranger who fills the places of newcomers
/// with what nobody signs, as often as they like, closes nothing for others.
#[tokio::test]
async fn r27_a_stranger_who_fills_all_places_keeps_nobody_out() {
    let scene = SingleScene::plain().await;
    let now = scene.world.now();
    // All at once: they have to be written while the offer below is good.
    let offers = async |number: u32| {
        let id = Uuid::from_u128(number.into());
        let [payer, random] = [1, 2].map(|kind| Sha256::digest([kind, number].map(u32::to_le_bytes).concat()));
        let offer = SingleOffer {
            id: SingleId(id),
            payer: Pubkey::new_from_array(payer.into()),
            recipient: scene.merchant.key(),
            asset: scene.world.faucet.mint(),
            nonce: "n".to_owned(),
            content: ContentHash([1; 32]),
            amount: Amount::ONE,
            ciphertext: random.repeat(4),
            message: vec![1],
            last_valid_block_height: 1,
            proof_demanded: false,
            caller: CallerHash([9; 16]),
            issued_at: now,
            until: now + 120,
        };
        let offered = scene.world.ledger().offer_single(&offer, OfferLimits::DEFAULT, now).await.unwrap();
        assert_eq!(offered, Offered::Issued);
    };
    let fill = async |from: u32| drop(join_all((from..from + 600).map(&offers)).await);
    fill(0).await;
    let payload = scene.payload_of("1", "n-1").await;
    let mut forged = payload.clone();
    forged["signature"] = json!(hex::encode([7; 64]));
    scene.is_refused(&forged, "invalid_signature").await;
    let own_offers = async || scene.world.ledger().single_offers(&scene.payer.key(), now).await.unwrap();
    assert_eq!(own_offers().await, [], "without the payer's signature no place is taken");
    let issued = scene.issued(&payload).await;
    let own = own_offers().await;
    assert!(matches!(own.as_slice(), [own] if own.caller != CallerHash::default()), "by its address: {own:?}");
    fill(1_000).await;
    assert_eq!(own_offers().await, own);
    let (status, paid) = scene.settles(&signed_by(&scene.payer, issued)).await;
    assert_eq!((status, &paid["success"]), (200, &json!(true)), "{paid:#}");
    scene.closes().await;
}

/// Guards: the order of `check`, `PayerRate::take`. Whoever was shown a signed message may send it as often as they like.
#[tokio::test]
async fn r27_a_message_that_somebody_was_shown_keeps_its_payer_out_of_nothing() {
    let scene = SingleScene::plain().await;
    let (paid, shown) = (scene.payload_of("1", "n-1").await, scene.payload_of("1", "n-2").await);
    scene.pays(&paid).await;
    for _ in 0..65 {
        let (status, answer) = scene.world.post("/pay/verify", &verified(&paid)).await;
        assert_eq!((status, answer["invalidReason"].as_str()), (400, Some("duplicate_settlement")), "{answer:#}");
    }
    for number in 0..65 {
        let (status, answer) = scene.world.post("/pay/verify", &verified(&shown)).await;
        assert_eq!(status, if number < 5 { 200 } else { 429 }, "{answer:#}");
    }
    scene.pays(&scene.payload_of("1", "n-3").await).await;
    scene.closes().await;
}

/// A stranger has so many offers, and so much of our lamports.
#[tokio::test]
async fn r27_a_payer_has_few_offers_and_a_share_of_the_budget() {
    let scene = SingleScene::with(|settings| {
        settings.budgets = Budgets::default().with(Scope::UnprovenUserHour, Part::Total, 15_000);
    })
    .await;
    let mut payloads = Vec::new();
    for number in 0..5 {
        payloads.push(scene.payload_of("0.1", &format!("n-{number}")).await);
    }
    let mut issued = Vec::new();
    for payload in &payloads[..4] {
        issued.push(scene.issued(payload).await);
    }
    let (status, answer) = scene.world.post("/pay/settle", &authorized(&payloads[4])).await;
    assert_eq!((status, answer["errorReason"].as_str()), (429, Some("too_many_requests")), "{answer:#}");
    let (status, paid) = scene.settles(&signed_by(&scene.payer, issued.remove(0))).await;
    assert_eq!((status, &paid["success"]), (200, &json!(true)), "{paid:#}");
    // What nothing proves counts against the payer's share when it is about to be signed.
    let (status, answer) = scene.settles(&signed_by(&scene.payer, issued.remove(0))).await;
    assert_eq!((status, answer["errorReason"].as_str()), (429, Some("payer_settle_cap_exceeded")), "{answer:#}");
    scene.closes().await;
}

/// Guards: `PaymentLimits::check` in `check_message`; `least_demand` in `check_demand`, `take_proof` and `plan`: the limits of one
/// call, and of what one transfer carries that nothing proves, are those of payments of sessions.
#[tokio::test]
async fn r27_a_single_payment_meets_the_limits_of_one_call_and_of_one_unproven_transfer() {
    let scene = SingleScene::with(|settings| {
        settings.payments.min_per_call = Amount::new(1_000).unwrap();
        settings.payments.max_per_call = Amount::new(2_000_000).unwrap();
        settings.transfers.unproven_exposure = Amount::new(1_000_000).unwrap();
    })
    .await;
    for (tokens, reason) in
        [("0.000999", "invalid_amount"), ("2.000001", "per_call_limit_exceeded"), ("1.000001", "funding_unproven")]
    {
        scene.is_refused(&scene.payload_of(tokens, "n-1").await, reason).await;
    }
    for tokens in ["0.001", "1"] {
        let (status, verdict) =
            scene.world.post("/pay/verify", &verified(&scene.payload_of(tokens, "n-1").await)).await;
        assert_eq!((status, &verdict["isValid"]), (200, &json!(true)), "{tokens}: {verdict:#}");
    }
    // From a balance that is proved to cover it, and only as far as it does, also of what was issued while it did.
    let mut proved = scene.payload_of("2", "n-1").await;
    proved["fundingProof"] = scene.world.funding_proof(&scene.payer).await["fundingProof"].take();
    let mut forged = proved.clone();
    forged["fundingProof"]["plaintext"] = json!("9000000");
    let (status, answer) = scene.world.post("/pay/settle", &authorized(&forged)).await;
    assert_eq!((status, answer["errorReason"].as_str()), (400, Some("funding_unproven")), "{answer:#}");
    let pays = async |payload| {
        let paid = scene.pays(&payload).await;
        assert_eq!(paid["extensions"]["pay"]["funding"], "proven", "{paid:#}");
    };
    pays(proved).await;
    let early = scene.issued(&scene.payload_of("2", "n-2").await).await;
    pays(scene.payload_of("2", "n-3").await).await;
    let (status, answer) = scene.settles(&signed_by(&scene.payer, early)).await;
    assert_eq!((status, answer["errorReason"].as_str()), (400, Some("insufficient_funds")), "{answer:#}");
    scene.is_refused(&scene.payload_of("2", "n-4").await, "insufficient_funds").await;
    scene.closes().await;
}

/// R-02 for single payments: a transfer from a short balance lands and moves nothing, and nobody is told that it was paid.
#[tokio::test]
async fn r02_landed_is_not_paid() {
    let scene =
        SingleScene::with(|settings| settings.transfers.unproven_exposure = Amount::new(6_000_000).unwrap()).await;
    let payload = scene.payload_of("6", "n-1").await;
    let paid = scene.pays(&payload).await;
    assert_eq!(paid["extensions"]["pay"]["funding"], "unproven", "{paid:#}");
    scene.world.quiet().await;
    assert_eq!((scene.world.units(&scene.merchant), scene.world.units(&scene.payer)), (0, 5_000_000));
    let unfinished = scene.world.ledger().unfinished().await.unwrap();
    assert!(unfinished.iter().all(|work| work.settlement.state == State::Landed));
    scene.world.finish().await;
}
