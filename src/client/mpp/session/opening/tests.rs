//! The opening of the vectors' channel, and each member that may be another one.

use super::*;
use crate::client::mpp::session::drawing::tests::{client, golden, text};

fn opened() -> Value {
    let mut opened = golden("/channel/open").clone();
    opened["network"] = json!("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1");
    opened
}

fn sent() -> SentOpening {
    SentOpening {
        seller: parse_key(text("/keys/seller/pubkey")).unwrap(),
        deposit: Amount::new(1_000_000).unwrap(),
        idle_timeout: None,
        proof: String::new(),
        until: 0,
    }
}

fn judged(opened: Value, sent: &SentOpening) -> Result<(KnownChannel, Pubkey), MppSessionError> {
    client().channel_of(&serde_json::from_value(opened).unwrap(), sent, None)
}

#[test]
fn the_channel_of_an_opening_is_the_one_that_was_asked_for() {
    let (channel, issuer) = judged(opened(), &sent()).unwrap();
    assert_eq!(channel.id().to_string(), text("/channel/vouchers/0/voucher/channelId"));
    assert_eq!((channel.deposit.get(), channel.expires, channel.sequence), (1_000_000, 1_775_862_000, 0));
    assert_eq!(issuer.to_string(), text("/channel/open/issuer"));
}

#[test]
fn an_opening_of_something_else_is_refused() {
    let other = text("/keys/stranger/pubkey");
    for (member, value) in [
        ("channel_id", "ch_00"),
        ("channel_id", "ch_abababababababababababababababababababababababababababababababab"),
        ("session_pubkey", other),
        ("deposit_atomic", "2000000"),
        ("network", "mainnet-beta"),
        ("channel_program", other),
        ("channel_program", "swigypWHEksbC64pWKwah1WTeh9JXwx8H1rJHLdbQMB"),
        ("expires_at", "2026-04-10T23:00:01.000Z"),
        ("expires_at", "later"),
        ("issuer", other),
        ("certificate", "AA=="),
    ] {
        let mut opened = opened();
        opened[member] = json!(value);
        assert!(judged(opened, &sent()).is_err(), "{member} {value}");
    }
    let other_seller = SentOpening { seller: parse_key(other).unwrap(), ..sent() };
    assert!(judged(opened(), &other_seller).is_err(), "it is certified for another seller");
    let answer = serde_json::from_value(opened()).unwrap();
    assert!(client().channel_of(&answer, &sent(), parse_key(other)).is_err(), "another issuer is known");
}
