use super::*;
use serde_json::{Value, json};

fn key(byte: u8) -> Pubkey {
    Pubkey::new_from_array([byte; 32])
}

fn settings() -> Settings {
    Settings::devnet("http://127.0.0.1:4021", FacilitatorPin { spender: key(1), fee_payer: key(2) }, key(3)).unwrap()
}

fn supported(change: impl FnOnce(&mut Value)) -> SupportedAnswer {
    let programs = Programs::default();
    let mut kind = json!({
        "x402Version": 2, "scheme": "session", "network": "solana:devnet", "asset": key(3).to_string(),
        "extra": {
            "facilitatorAddress": key(1).to_string(), "spender": key(1).to_string(), "feePayer": key(2).to_string(),
            "sessionsEndpoint": "/sessions", "decimals": 6, "asset": key(3).to_string(),
            "programs": {"token": programs.token.to_string(), "lightning": programs.lightning.to_string()},
            "encryptionKey": DEVNET_ENCRYPTION_KEY,
            "limits": {"maxPerCall": "5", "maxSessionSeconds": 100, "maxGrantLamports": 2_000_000},
        },
    });
    change(&mut kind);
    let exact = json!({"x402Version": 2, "scheme": "exact", "network": "solana:devnet"});
    serde_json::from_value(json!({"kinds": [exact, kind]})).unwrap()
}

#[test]
fn agreeing_terms_are_taken_with_the_facilitators_spelling() {
    let terms = agree(&supported(|_| ()), &settings()).expect("they agree");
    assert_eq!(terms.network, "solana:devnet");
    assert_eq!(terms.facilitator, FacilitatorPin { spender: key(1), fee_payer: key(2) });
    assert_eq!((terms.max_session_seconds, terms.max_grant_lamports), (Some(100), Some(2_000_000)));
}

#[test]
fn r34_nobody_but_the_pinned_facilitator_is_delegated_to() {
    let other = |member: &'static str| supported(move |kind| kind["extra"][member] = json!(key(9).to_string()));
    let both = supported(|kind| {
        kind["extra"]["facilitatorAddress"] = json!(key(9).to_string());
        kind["extra"]["spender"] = json!(key(9).to_string());
    });
    let pin = |what, pinned| Err(TermsError::Pin { what, told: key(9), pinned });
    assert_eq!(agree(&both, &settings()), pin("spender", key(1)));
    assert_eq!(agree(&other("feePayer"), &settings()), pin("fee payer", key(2)));
    assert_eq!(agree(&other("spender"), &settings()), Err(TermsError::Malformed("spender")));
    assert_eq!(agree(&other("facilitatorAddress"), &settings()), Err(TermsError::Malformed("spender")));
}

#[test]
fn r34_first_use_trusts_only_when_asked_to() {
    let stranger = supported(|kind| {
        kind["extra"] = json!({"facilitatorAddress": key(9).to_string()});
    });
    assert!(agree(&stranger, &settings()).is_err());
    let trusting = Settings { trust: Trust::OnFirstUse, ..settings() };
    assert_eq!(agree(&stranger, &trusting).unwrap().facilitator, FacilitatorPin::one_key(key(9)));
}

#[test]
fn r34_a_wallet_signs_for_no_program_that_an_answer_names() {
    for trust in [settings().trust, Trust::OnFirstUse] {
        let settings = Settings { trust, ..settings() };
        for program in ["token", "lightning"] {
            let answer = supported(|kind| kind["extra"]["programs"][program] = json!(key(9).to_string()));
            assert_eq!(agree(&answer, &settings), Err(TermsError::Differs("token or Lightning program")), "{program}");
        }
        let answer = supported(|kind| kind["extra"]["encryptionKey"] = json!("04"));
        assert_eq!(agree(&answer, &settings), Err(TermsError::Differs("encryption key")));
    }
}

#[test]
fn sessions_are_opened_nowhere_but_at_the_facilitator() {
    for elsewhere in ["http://evil/sessions", "//evil/sessions", "sessions", ""] {
        let answer = supported(|kind| kind["extra"]["sessionsEndpoint"] = json!(elsewhere));
        assert_eq!(agree(&answer, &settings()), Err(TermsError::Malformed("sessions endpoint")), "{elsewhere}");
    }
}

#[test]
fn another_network_or_asset_is_not_served() {
    let other = supported(|kind| kind["network"] = json!("solana:mainnet"));
    assert_eq!(agree(&other, &settings()), Err(TermsError::NotServed));
    let other = supported(|kind| kind["asset"] = json!(key(9).to_string()));
    assert_eq!(agree(&other, &settings()), Err(TermsError::NotServed));
    let spelled = supported(|kind| kind["network"] = json!("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"));
    assert!(agree(&spelled, &settings()).is_ok());
    let unreadable = supported(|kind| kind["extra"] = json!({"facilitatorAddress": 7}));
    assert_eq!(agree(&unreadable, &settings()), Err(TermsError::NotServed));
}

#[test]
fn the_deployed_services_bare_terms_are_enough() {
    let bare = supported(|kind| kind["extra"] = json!({"facilitatorAddress": key(1).to_string()}));
    let settings = Settings { trust: Trust::Pinned(FacilitatorPin::one_key(key(1))), ..settings() };
    assert_eq!(agree(&bare, &settings).unwrap().sessions_path, "/sessions");
}
