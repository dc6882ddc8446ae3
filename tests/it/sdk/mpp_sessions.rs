//! A seller's session gate: the published verifier's words, ours on top, and what the facilitator is asked.

use super::stand_in::{Answer, StandIn, json};
use crate::mpp::{cases, golden, known, pubkey, root, text};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json as value};
use sotto::{
    domain::{
        amount::Amount,
        clock::ManualClock,
        mpp::voucher::{Certificate, Voucher},
    },
    merchant::{
        FacilitatorClient, Price,
        mpp::{
            MemoryStore, SellerReason, SessionGate, SessionSale,
            session::{ChannelStore, SaleFault, SessionFault, Standing},
        },
    },
    wire::mpp::voucher::{VoucherAnswer, read},
};
use std::sync::Arc;

/// When the certificates of the vectors are judged.
pub(super) const NOW: u64 = 1_775_861_400;

pub(super) fn sale() -> SessionSale {
    let price = Price::base_units(Amount::new(10_000).unwrap()).unwrap();
    SessionSale::new(known("seller"), price).network("devnet").clock(Arc::new(ManualClock::at(NOW)))
}

pub(super) fn pinned() -> SessionSale {
    sale().issuer(pubkey(text(golden("/vouchers/strict"), "issuer")))
}

pub(super) fn selling(sale: SessionSale) -> SessionGate {
    SessionGate::new(sale, Arc::new(MemoryStore::new(1_000))).unwrap()
}

pub(super) async fn word(gate: &SessionGate, header: &str) -> Option<String> {
    gate.verify(header).await.err().map(|fault| fault.to_string())
}

/// A voucher of the vectors' channel, certified.
pub(super) fn voucher(cumulative: u64, sequence: u64, nonce: &str) -> String {
    let open = golden("/channel/open");
    let first = read(&golden("/channel/vouchers/0").to_string()).unwrap().voucher;
    let voucher = Voucher {
        cumulative_amount: Amount::new(cumulative).unwrap(),
        sequence,
        server_nonce: nonce.to_owned(),
        units: 1,
        ..first
    };
    let key = SigningKey::from_bytes(&root().channel_key(&voucher.channel_id.parse().unwrap()).secret());
    let signature = key.sign(&voucher.signed_bytes()).to_bytes();
    let certificate = Certificate {
        signature: STANDARD.decode(text(open, "certificate")).unwrap().try_into().unwrap(),
        deposit: Amount::parse(text(open, "deposit_atomic")).unwrap(),
        expires: 1_775_862_000,
    };
    let (signer, issuer) = (pubkey(text(open, "session_pubkey")), pubkey(text(open, "issuer")));
    value!(VoucherAnswer::new(&voucher, &signature, &signer, &issuer, &certificate)).to_string()
}

/// A voucher as a buyer presents it who dropped what the published client does not know.
fn bare(header: &str) -> String {
    let mut header: Value = serde_json::from_str(header).unwrap();
    for member in ["issuer", "certificate", "terms"] {
        header.as_object_mut().unwrap().remove(member);
    }
    header.to_string()
}

/// What the look-up tells of the vectors' channel.
fn shown(state: &str) -> Value {
    let (open, voucher) = (golden("/channel/open"), golden("/channel/vouchers/0/voucher"));
    let mut view = open.clone();
    for (member, told) in
        [("channel_id", "channelId"), ("buyer", "payer"), ("seller", "recipient"), ("chain_id", "chainId")]
    {
        view[member] = voucher[told].clone();
    }
    view["opened_at"] = value!("2026-04-10T22:00:00.000Z");
    view["settled"] = value!("0");
    view["state"] = value!(state);
    view
}

fn view(state: &str) -> Answer {
    json(200, &shown(state))
}

fn unknown() -> Answer {
    json(
        404,
        &value!({ "success": false, "ok": false, "error": "session_not_found", "errorCode": "session_not_found" }),
    )
}

fn asking(facilitator: &StandIn) -> FacilitatorClient {
    FacilitatorClient::new(&facilitator.url).unwrap()
}

#[tokio::test]
async fn stock_rules_are_the_published_verifiers() {
    for sequence in cases("/vouchers/verifier/sequences") {
        let (name, gate) = (text(sequence, "name"), selling(sale().stock_rules()));
        for step in sequence["steps"].as_array().unwrap() {
            let verdict = gate.verify(&step[0].to_string()).await;
            let word = verdict.as_ref().err().map(ToString::to_string);
            match (word, step[1].as_str()) {
                (Some(word), Some(expected)) if expected.ends_with('*') => {
                    assert!(word.starts_with(expected.trim_end_matches('*')), "{name}: {word}");
                }
                (word, expected) => assert_eq!(word.as_deref(), expected, "{name}"),
            }
            if let Ok(paid) = verdict {
                assert_eq!(value!(paid.amount.to_string()), step[2], "{name}");
            }
        }
    }
}

/// Its look-up knows no channel: no case is served by the facilitator's word.
#[tokio::test]
async fn strict_rules_are_those_of_the_vectors() {
    for case in cases("/vouchers/strict/cases") {
        let facilitator = StandIn::answering(vec![unknown()]).await;
        let gate = selling(pinned().facilitator(asking(&facilitator)));
        assert_eq!(
            word(&gate, text(case, "x_mpp_voucher")).await.as_deref(),
            case["expect"].as_str(),
            "{}",
            case["name"]
        );
    }
    for case in cases("/vouchers/malformed/cases") {
        for sale in [pinned(), sale().stock_rules()] {
            let found = word(&selling(sale), text(case, "x_mpp_voucher")).await;
            assert_eq!(found.as_deref(), case["expect"].as_str(), "{}", case["name"]);
        }
    }
}

#[tokio::test]
async fn a_whole_channel_is_served_and_remembered() {
    let gate = selling(pinned());
    let [first, second] = [0, 1].map(|at| golden(&format!("/channel/vouchers/{at}")).to_string());
    assert_eq!(gate.verify(&first).await.unwrap().amount.get(), 10_000);
    assert_eq!(word(&gate, &first).await.as_deref(), Some("amount_not_monotonic"));
    let paid = gate.verify_for(&second, 2).await.unwrap();
    assert_eq!(paid.amount.get(), 25_000);
    let channel = paid.voucher.channel_id;
    let known = gate.context(&channel).await.unwrap().unwrap();
    assert_eq!((known.seen.cumulative.get(), known.seen.sequence, known.standing), (35_000, 2, Standing::Live));
    assert_eq!((known.deposit.get(), known.expires), (1_000_000, 1_775_862_000));
    assert_eq!(word(&gate, &voucher(1_000_001, 3, "n")).await.as_deref(), Some("deposit_exceeded"));
    let refused = gate.verify_for(&voucher(45_000, 3, "n"), 2).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "underpaid: expected 20000, got 10000",
        "the buyer's word of units counts for nothing"
    );
    gate.remove(&channel).await.unwrap();
    assert_eq!(gate.context(&channel).await.unwrap(), None);
}

#[tokio::test]
async fn a_channel_ends_with_its_certificate() {
    let clock = Arc::new(ManualClock::at(NOW));
    let gate = selling(pinned().clock(Arc::clone(&clock) as Arc<_>));
    assert_eq!(word(&gate, &voucher(10_000, 1, "n")).await, None);
    clock.advance(599);
    assert_eq!(word(&gate, &voucher(20_000, 2, "n")).await, None);
    clock.advance(1);
    assert_eq!(word(&gate, &voucher(30_000, 3, "n")).await.as_deref(), Some("channel_expired"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_equal_vouchers_pay_once() {
    let gate = selling(pinned());
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let gate = gate.clone();
        requests.spawn(async move { word(&gate, &voucher(10_000, 1, "n")).await });
    }
    let words = requests.join_all().await;
    assert_eq!(words.iter().filter(|word| word.is_none()).count(), 1, "{words:?}");
    assert!(words.iter().flatten().all(|word| word == "amount_not_monotonic"), "{words:?}");
}

/// Guards: `Trust::ask_of_new`, `first`. Whoever signs themselves vouchers is not served, and the facilitator is asked once for them.
#[tokio::test]
async fn a_channel_without_a_certificate_is_looked_up_once() {
    let facilitator = StandIn::answering(vec![view("open")]).await;
    for sale in [sale(), pinned()] {
        let before = facilitator.asked().len();
        let gate = selling(sale.facilitator(asking(&facilitator)));
        for sequence in 1..=3 {
            assert_eq!(word(&gate, &bare(&voucher(sequence * 10_000, sequence, "n"))).await, None);
        }
        let asked = facilitator.asked();
        assert_eq!(asked.len() - before, 1, "{asked:?}");
        let path = format!("/mpp/session/{}", text(golden("/channel/vouchers/0/voucher"), "channelId"));
        assert_eq!(asked.last().unwrap().path, path);
    }

    let nobody = StandIn::answering(vec![unknown()]).await;
    let gate_of_nobody = selling(sale().facilitator(asking(&nobody)));
    for _ in 0..3 {
        let found = word(&gate_of_nobody, &voucher(10_000, 1, "n")).await;
        assert_eq!(found.as_deref(), Some("unknown_signer"), "a certificate is believed under a pinned issuer alone");
    }
    assert_eq!(nobody.asked().len(), 1, "what is not known is not asked for again");
    assert_eq!(
        word(&gate_of_nobody, &voucher(9_999, 1, "n")).await.unwrap(),
        "underpaid: expected at least 10000, got 9999"
    );
    assert_eq!(nobody.asked().len(), 1, "nor what would not be served anyway");
}

#[tokio::test]
async fn what_the_facilitator_says_wrongly_is_not_believed() {
    let other_issuer = {
        let mut view = shown("open");
        view["issuer"] = value!(known("buyer").to_string());
        json(200, &view)
    };
    for (answer, expected) in [(other_issuer, Some("unknown_signer")), (view("closed"), Some("channel_closed"))] {
        let facilitator = StandIn::answering(vec![answer]).await;
        let gate = selling(sale().facilitator(asking(&facilitator)));
        assert_eq!(word(&gate, &bare(&voucher(10_000, 1, "n"))).await.as_deref(), expected);
    }
    let other_channel = {
        let mut view = shown("open");
        view["channel_id"] = value!("ch_00112233445566778899aabbccddeeff");
        json(200, &view)
    };
    for answer in [other_channel, json(404, &value!({ "error": "not_found" })), json(200, &value!({}))] {
        let facilitator = StandIn::answering(vec![answer]).await;
        let gate = selling(sale().facilitator(asking(&facilitator)));
        let fault = gate.verify(&bare(&voucher(10_000, 1, "n"))).await.unwrap_err();
        assert!(matches!(fault, SessionFault::Facilitator(_)), "{fault:?}");
        assert_eq!(fault.reason(), None);
    }
}

/// Guard: `look_at`. A seller learns that a channel has ended, however good its vouchers are.
#[tokio::test]
async fn a_channel_that_has_ended_is_served_no_more() {
    for ended in [view("closing"), view("closed"), view("failed"), unknown()] {
        let facilitator = StandIn::answering(vec![view("open"), view("grace"), json(500, &value!({})), ended]).await;
        let gate = selling(pinned().facilitator(asking(&facilitator)));
        gate.look().await;
        assert!(facilitator.asked().is_empty(), "nothing is in use");
        assert_eq!(word(&gate, &voucher(10_000, 1, "n")).await, None);
        for sequence in 2..=4 {
            gate.look().await;
            assert_eq!(word(&gate, &voucher(sequence * 10_000, sequence, "n")).await, None, "live, or not known");
        }
        gate.look().await;
        let fault = gate.verify(&voucher(50_000, 5, "n")).await.unwrap_err();
        assert_eq!((fault.to_string().as_str(), fault.reason()), ("channel_closed", Some(SellerReason::ChannelClosed)));
        let asked = facilitator.asked().len();
        gate.look().await;
        assert_eq!(facilitator.asked().len(), asked, "what has ended is not asked for again");
    }
}

#[tokio::test]
async fn a_required_nonce_is_one_of_the_challenge_and_pays_once() {
    let gate = selling(pinned().require_nonce());
    assert_eq!(word(&gate, &voucher(10_000, 1, "nonce-1")).await.as_deref(), Some("nonce_mismatch"));
    let nonce = gate.challenge().server_nonce.unwrap();
    assert_eq!(word(&gate, &voucher(9_999, 1, &nonce)).await.unwrap(), "underpaid: expected at least 10000, got 9999");
    assert_eq!(word(&gate, &voucher(10_000, 1, &nonce)).await, None, "what was refused otherwise took no nonce");
    assert_eq!(word(&gate, &voucher(20_000, 2, &nonce)).await.as_deref(), Some("nonce_mismatch"));
}

#[test]
fn the_challenge_is_the_published_one_with_two_members_more() {
    let told = value!(selling(pinned().named_facilitator("https://facilitator.example")).challenge());
    assert_eq!(told["type"], "mpp-session");
    assert_eq!((&told["pricePerUnit"], &told["suggestedDeposit"]), (&value!("10000"), &value!("1000000")));
    assert_eq!((&told["meter"], &told["network"]), (&value!("request"), &value!("devnet")));
    assert_eq!(told["recipient"], value!(known("seller").to_string()));
    assert_eq!(told["channelProgram"], golden("/constants/swig_program").clone());
    assert_eq!(told["facilitator"], "https://facilitator.example");
    assert!(told["serverNonce"].as_str().unwrap().len() <= 128);
}

#[test]
fn a_sale_that_nobody_vouches_for_does_not_start() {
    let fault = |sale| SessionGate::new(sale, Arc::new(MemoryStore::new(1)) as Arc<dyn ChannelStore>).err();
    assert_eq!(fault(sale()), Some(SaleFault::NobodyTrusted));
    assert_eq!(fault(pinned().network("solana:localnet")), Some(SaleFault::UnknownNetwork));
    assert_eq!(fault(sale().stock_rules()), None);
    let derived = SessionSale::new(
        sotto::programs::spl_token::associated_account(
            sotto::programs::spl_token::TokenProgram::Token,
            &known("seller"),
            &known("buyer"),
        ),
        Price::decimal("1", 6).unwrap(),
    );
    assert_eq!(fault(derived), Some(SaleFault::NotAWallet));
}
