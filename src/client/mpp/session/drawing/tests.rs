//! The vouchers of the vectors' channel as answers, and each member that may be another one.

use super::*;
use crate::{
    client::{
        LocalKey,
        mpp::{BuyerToken, MppRefusal, SessionTerms},
    },
    domain::{
        chance::SeededChance, clock::ManualClock, mpp::channel_id::ChannelSecret, network::Network, samples::amount,
        signed::parse_key,
    },
};
use std::sync::{Arc, LazyLock};

static GOLDEN: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../../../tests/vectors/mpp.json")).unwrap());
/// Within the life of the vectors' channel, Unix seconds.
const NOW: u64 = 1_775_858_460;

pub(in crate::client::mpp::session) fn golden(pointer: &str) -> &'static Value {
    GOLDEN.pointer(pointer).unwrap()
}

pub(in crate::client::mpp::session) fn text(pointer: &str) -> &'static str {
    golden(pointer).as_str().unwrap()
}

/// The vectors' buyer, at a facilitator that is never asked.
pub(in crate::client::mpp::session) fn client() -> MppSessionClient {
    let seed = golden("/keys/buyer/seed_byte").as_u64().unwrap();
    let wallet = LocalKey::from_bytes(&[u8::try_from(seed).unwrap(); 32]).unwrap();
    let network = Network::devnet();
    let token = BuyerToken::usdc(&network).unwrap();
    let terms = SessionTerms { api_url: "http://127.0.0.1:9/".to_owned(), network, token, issuer: None };
    let (clock, chance) = (Arc::new(ManualClock::at(NOW)), Arc::new(SeededChance::new(1)));
    MppSessionClient::new(Arc::new(wallet), &terms, None, clock, chance).unwrap()
}

fn issuer() -> Option<Pubkey> {
    parse_key(text("/channel/open/issuer"))
}

fn channel() -> KnownChannel {
    let secret: ChannelSecret = text("/channel/open/channel_id").parse().unwrap();
    KnownChannel {
        secret,
        seller: parse_key(text("/keys/seller/pubkey")).unwrap(),
        deposit: amount(1_000_000),
        signer: parse_key(text("/channel/open/session_pubkey")).unwrap(),
        program: parse_key(text("/channel/open/channel_program")).unwrap(),
        expires: 1_775_862_000,
        cumulative: Amount::ZERO,
        sequence: 0,
        pending: None,
    }
}

fn first() -> Draw {
    let (nonce, meter) = ("nonce-1".to_owned(), METER.to_owned());
    Draw { cumulative: amount(10_000), delta: amount(10_000), nonce, meter, units: 1 }
}

#[test]
fn the_vouchers_of_a_channel_are_taken_in_their_order() {
    let (client, mut known) = (client(), channel());
    let drawn = client.verify(&known, &first(), golden("/channel/vouchers/0"), issuer()).unwrap();
    assert_eq!((drawn.paid.get(), drawn.voucher.sequence), (10_000, 1));
    let handed_on: Value = serde_json::from_str(&drawn.header).unwrap();
    assert_eq!(handed_on, *golden("/channel/vouchers/0"), "whole, as a seller takes it");
    assert!(!drawn.header.contains('\n'));
    (known.cumulative, known.sequence) = (drawn.voucher.cumulative_amount, 1);
    let second =
        Draw { cumulative: amount(35_000), delta: amount(25_000), nonce: "nonce-2".to_owned(), units: 2, ..first() };
    let drawn = client.verify(&known, &second, golden("/channel/vouchers/1"), issuer()).unwrap();
    assert_eq!((drawn.paid.get(), drawn.voucher.sequence), (25_000, 2));
    assert!(client.verify(&known, &first(), golden("/channel/vouchers/0"), issuer()).is_err(), "the one before");
}

#[test]
fn a_voucher_of_something_else_is_refused() {
    let client = client();
    let refused = |told: &Value, why: &str| {
        assert!(client.verify(&channel(), &first(), told, issuer()).is_err(), "{why}");
    };
    for (member, value) in [
        ("channelId", json!("ch_00112233445566778899aabbccddeeff")),
        ("payer", json!(text("/keys/stranger/pubkey"))),
        ("recipient", json!(text("/keys/stranger/pubkey"))),
        ("cumulativeAmount", json!("10001")),
        ("sequence", json!(2)),
        ("meter", json!("token")),
        ("units", json!("2")),
        ("serverNonce", json!("nonce-2")),
        ("chainId", json!("solana:x")),
        ("channelProgram", json!("swigypWHEksbC64pWKwah1WTeh9JXwx8H1rJHLdbQMB")),
        ("extra", json!(1)),
    ] {
        let mut told = golden("/channel/vouchers/0").clone();
        told["voucher"][member] = value;
        refused(&told, member);
    }
    for (member, value) in [
        ("signature", golden("/channel/vouchers/1/signature").clone()),
        ("signer", json!(text("/keys/stranger/pubkey"))),
        ("signatureType", json!("secp256k1")),
        ("certificate", Value::Null),
        ("terms", json!({ "deposit": "2000000", "expires": 1_775_862_000_u64 })),
    ] {
        let mut told = golden("/channel/vouchers/0").clone();
        told[member] = value;
        refused(&told, member);
    }
    refused(golden("/channel/vouchers/1"), "another voucher");
    let stranger = parse_key(text("/keys/stranger/pubkey"));
    assert!(client.verify(&channel(), &first(), golden("/channel/vouchers/0"), stranger).is_err(), "another issuer");
    assert!(client.verify(&channel(), &first(), golden("/channel/vouchers/0"), None).is_err(), "no issuer");
}

#[test]
fn no_more_is_asked_for_than_the_deposit_and_never_less_than_before() {
    let known = KnownChannel { cumulative: amount(400_000), ..channel() };
    let asks = |asked| draw(&known, asked, "n", (METER, 1)).map(|draw| (draw.cumulative.get(), draw.delta.get()));
    assert_eq!(asks(Asked::Delta(amount(600_000))).ok(), Some((1_000_000, 600_000)));
    assert_eq!(asks(Asked::Cumulative(amount(400_001))).ok(), Some((400_001, 1)));
    for asked in [Asked::Delta(amount(600_001)), Asked::Cumulative(amount(1_000_001)), Asked::Delta(Amount::MAX)] {
        assert!(matches!(asks(asked), Err(MppSessionError::DepositExceeded)), "{asked:?}");
    }
    for asked in [Asked::Delta(Amount::ZERO), Asked::Cumulative(amount(400_000)), Asked::Cumulative(amount(1))] {
        assert!(matches!(asks(asked), Err(MppSessionError::AmountNotMonotonic)), "{asked:?}");
    }
}

#[test]
fn a_voucher_whose_channel_is_gone_may_be_owed_all_the_same() {
    let refused = |word: &str| {
        MppSessionError::Refused(MppRefusal {
            word: word.to_owned(),
            detail: String::new(),
            may_pass: false,
            retry_after: None,
        })
    };
    for word in ["insufficient_balance", "voucher_conflict", "deposit_exceeded", "payer_verify_cap_exceeded"] {
        assert!(is_never_owed(&refused(word)), "{word}");
    }
    for word in ["session_not_open", "swig_role_not_found", "unavailable", "internal_error", "word_to_come"] {
        assert!(!is_never_owed(&refused(word)), "{word}");
    }
    assert!(!is_never_owed(&MppSessionError::SessionNotFound));
}
