//! Swig: our encoders are the published coder's byte for byte, and the decoder reads what they write.

use super::{address, cases, devnet, golden, instruction, known, message_hex, mint, root, text, wire_bytes};
use serde_json::Value;
use solana_instruction::Instruction;
use sotto::{
    domain::{
        amount::Amount,
        mpp::{
            money::{Role, slots},
            root::swig_id,
        },
    },
    programs::{
        delegation::{
            Settled,
            swig::{Action, Authority, Existing, RoleGrant, SwigAccount, SwigAddresses, SwigError},
        },
        inco_token::DecodeError,
        spl_token::TokenProgram,
    },
};

fn addresses() -> SwigAddresses {
    SwigAddresses::of(swig_id(devnet().chain_id(), &known("buyer")))
}

fn grant() -> RoleGrant {
    RoleGrant {
        delegate: known("delegate"),
        slots: slots(86_400),
        program: TokenProgram::Token,
        mint: mint(),
        decimals: 6,
        limit: 100_000_000,
        seller: None,
    }
}

fn bound() -> RoleGrant {
    RoleGrant { seller: Some(known("seller")), ..grant() }
}

fn units(units: u64) -> Amount {
    Amount::new(units).expect("fits")
}

fn settled() -> Settled {
    let channel = "ch_00112233445566778899aabbccddeeff".parse().expect("a public id");
    Settled { channel, seller: known("seller"), amount: units(35_000), sequence: 2 }
}

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    hex::decode(text(value, name)).expect("hex")
}

#[test]
fn addresses_follow_from_the_id() {
    let swig = golden("/swig");
    let ours = addresses();
    assert_eq!(hex::encode(ours.id), text(swig, "id_hex"));
    assert_eq!((ours.config.0, ours.wallet.0), (address("/swig/config"), address("/swig/wallet")));
    let bumps = ["config_bump", "wallet_bump"].map(|name| swig[name].as_u64().expect("a byte"));
    assert_eq!([ours.config.1, ours.wallet.1].map(u64::from), bumps);
    assert_eq!(ours.token_account(TokenProgram::Token, &mint()), address("/swig/wallet_token_account"));
    assert_eq!(grant().slots.to_string(), text(swig, "max_session_slots"));

    let salted = SwigAddresses::of(root().salted_swig_id(devnet().chain_id(), &known("buyer")));
    let golden = golden("/swig/salted");
    assert_eq!(hex::encode(salted.id), text(golden, "id_hex"));
    assert_eq!((salted.config.0, salted.wallet.0), (address("/swig/salted/config"), address("/swig/salted/wallet")));
    let token_account = salted.token_account(TokenProgram::Token, &mint());
    assert_eq!(token_account, address("/swig/salted/wallet_token_account"));
    assert_eq!(salted.create(&known("fee_payer"), &known("buyer")), instruction(&golden["create_v1"]));
}

#[test]
fn actions_are_written_as_they_are_read() {
    let golden = golden("/swig/actions");
    for (name, actions) in [
        ("all_hex", vec![Action::All]),
        ("program_and_token_limit_hex", grant().actions()),
        ("program_token_limit_and_destination_hex", bound().actions()),
    ] {
        let encoded = Action::encode_all(&actions);
        assert_eq!(hex::encode(&encoded), text(golden, name));
        let count = u16::try_from(actions.len()).expect("few");
        assert_eq!(Action::decode_all(&encoded, count).as_ref(), Ok(&actions), "{name}");
        assert!(Action::decode_all(&encoded, count + 1).is_err() && Action::decode_all(&encoded, count - 1).is_err());
    }
    let other = vec![Action::Other { permission: 1, bytes: vec![1, 2, 3] }, Action::All];
    assert_eq!(Action::decode_all(&Action::encode_all(&other), 2), Ok(other));
    let mut bent = Action::encode_all(&[Action::All]);
    bent[4] = 9;
    assert_eq!(Action::decode_all(&bent, 1), Err(DecodeError::Value), "the boundary is elsewhere");
}

#[test]
fn every_instruction_is_the_published_coders() {
    let (ours, payer, buyer) = (addresses(), known("fee_payer"), known("buyer"));
    let built = |name: &str| match name {
        "create_v1" => ours.create(&payer, &buyer),
        "add_authority_v1" => ours.grant(&payer, &buyer, &grant()),
        "add_authority_v1_with_destination" => ours.grant(&payer, &buyer, &bound()),
        "create_session_v1" => ours.activate(&payer, &buyer, 1, grant().slots, &grant().delegate),
        "sign_v2_transfer_checked" => ours.settle(1, &grant(), &settled()).expect("one transfer").remove(2),
        "remove_authority_v1" => ours.remove(&payer, &buyer, 1),
        unknown => panic!("the vectors have an instruction that we do not build: {unknown}"),
    };
    let golden = golden("/swig/instructions").as_object().expect("an object");
    assert_eq!(golden.len(), 6);
    for (name, golden) in golden {
        assert_eq!(built(name), instruction(golden), "{name}");
    }
}

#[test]
fn every_transaction_is_that_of_the_vectors() {
    let (ours, payer, buyer) = (addresses(), known("fee_payer"), known("buyer"));
    let built = |name: &str| -> Vec<Instruction> {
        match name {
            "create_swig" => ours.create_round(&payer, &buyer, &grant(), units(5_000_000)),
            "grant_role" => ours.grant_round(&payer, &buyer, &grant()),
            "grant_role_with_destination" => ours.grant_round(&payer, &buyer, &bound()),
            "activate_session_key" => ours.activate_round(&payer, &buyer, 1, &grant()),
            "renew" => ours.renew_round(&payer, &buyer, 1, &grant()),
            "revoke" => ours.revoke(&payer, &buyer, 1),
            "settle" => ours.settle(1, &grant(), &settled()).expect("one transfer"),
            unknown => panic!("the vectors have a transaction that we do not build: {unknown}"),
        }
    };
    let golden = golden("/swig/transactions").as_object().expect("an object");
    assert_eq!(golden.len(), 7);
    for (name, golden) in golden {
        let message = message_hex(&built(name));
        assert_eq!(message, text(golden, "message_hex"), "{name}");
        assert_eq!(wire_bytes(&message), golden["wire_bytes"].as_u64().expect("a number"), "{name}");
    }
}

#[test]
fn accounts_are_read_role_by_role() {
    for (name, golden) in golden("/swig/accounts").as_object().expect("an object") {
        let account = SwigAccount::decode(&bytes(golden, "data_hex")).expect("an account");
        assert_eq!((account.id, account.bump, account.wallet_bump), (addresses().id, 255, 253), "{name}");
        let expected = golden["decoded_roles"].as_array().expect("a list");
        assert_eq!((account.roles.len(), account.role_counter as usize), (expected.len(), expected.len()), "{name}");
        for (role, expected) in account.roles.iter().zip(expected) {
            assert_eq!(u64::from(role.id), expected["id"].as_u64().expect("an id"), "{name}");
            assert_authority(&role.authority, expected);
            let limit = role.actions.iter().find_map(|action| match action {
                Action::TokenLimit { remaining, .. } => Some(remaining.to_string()),
                _ => None,
            });
            assert_eq!(limit.as_deref(), expected["token_limit"].as_str(), "{name}");
        }
    }
}

fn assert_authority(authority: &Authority, expected: &Value) {
    match authority {
        Authority::Ed25519(key) => assert_eq!(hex::encode(key), text(expected, "signer")),
        Authority::Ed25519Session { session_key, max_length, expiry, root } => {
            assert_eq!(hex::encode(session_key), text(expected, "signer"));
            assert_eq!(session_key.to_string(), text(expected, "session_key"));
            assert_eq!(max_length.to_string(), text(expected, "max_length"));
            assert_eq!(expiry.to_string(), text(expected, "expiry_slot"));
            assert_eq!(*root, known("buyer"));
        }
        Authority::Other { kind, .. } => panic!("the vectors have no authority {kind}"),
    }
}

#[test]
fn no_bytes_make_the_decoder_panic_and_no_end_is_too_early() {
    let whole = bytes(&golden("/swig/accounts")["with_destination_limit"], "data_hex");
    for end in 0..whole.len() {
        assert!(SwigAccount::decode(&whole[..end]).is_err(), "{end}");
    }
    for at in 0..whole.len() {
        for bent in [0, 1, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = bent;
            let _ = SwigAccount::decode(&bytes);
        }
    }
}

#[test]
fn only_a_swig_whose_root_is_the_buyer_alone_serves() {
    for case in cases("/swig/existing/cases") {
        let found = case["data_hex"].as_str().map(|digits| hex::decode(digits).expect("hex"));
        let existing = Existing::judge(found.as_deref(), &addresses(), &known("buyer"));
        let name = text(case, "name");
        assert_eq!(existing == Existing::Foreign, text(case, "use") == "salted", "{name}");
        let left = existing.rounds_left(&known("buyer"), &grant(), 1_000_000);
        let labels: Vec<_> = left.into_iter().map(|round| Value::from(round.label())).collect();
        assert_eq!(&labels, case["rounds_left"].as_array().expect("a list"), "{name}");
    }
    let whole = bytes(&golden("/swig/accounts")["after_create"], "data_hex");
    let other = SwigAddresses::of([7; 32]);
    assert_eq!(Existing::judge(Some(&whole), &other, &known("buyer")), Existing::Foreign, "of another id");
    assert_eq!(Existing::judge(Some(&[]), &addresses(), &known("buyer")), Existing::Foreign);
}

#[test]
fn our_role_is_exactly_what_was_granted() {
    let of = |name: &str| SwigAccount::decode(&bytes(&golden("/swig/accounts")[name], "data_hex")).expect("an account");
    let buyer = known("buyer");
    let live = of("after_activate_and_one_settlement");
    let role = live.our_role(&buyer, &grant()).expect("our role");
    assert_eq!((role.id, role.remaining, role.expiry), (1, 99_965_000, 1_216_000));
    assert_eq!(role.reading(5_000_000, 1_216_000).available().get(), 5_000_000);
    assert_eq!(role.reading(5_000_000, 1_216_001).role, Role::Expired);
    assert!(of("with_destination_limit").our_role(&buyer, &bound()).is_some());
    for (account, wrong) in [
        (&live, bound()),
        (&live, RoleGrant { delegate: known("stranger"), ..grant() }),
        (&live, RoleGrant { mint: known("stranger"), ..grant() }),
        (&live, RoleGrant { limit: 99_964_999, ..grant() }),
        (&live, RoleGrant { program: TokenProgram::Token2022, ..grant() }),
        (&of("with_destination_limit"), grant()),
    ] {
        assert_eq!(account.our_role(&buyer, &wrong), None, "{wrong:?}");
    }
    assert_eq!(live.our_role(&known("stranger"), &grant()), None);
    let done = Existing::judge(
        Some(&bytes(&golden("/swig/accounts")["after_activate_and_one_settlement"], "data_hex")),
        &addresses(),
        &buyer,
    );
    assert!(done.rounds_left(&buyer, &grant(), 1_216_000).is_empty());
    assert_eq!(done.rounds_left(&buyer, &grant(), 1_216_001).len(), 1);
}

#[test]
fn refusals_are_known_by_their_codes() {
    assert_eq!(SwigError::from_code(3_014), Some(SwigError::SessionExpired));
    assert_eq!(SwigError::from_code(3_015), None);
    assert!(SwigError::ALL.iter().all(|(code, error)| SwigError::from_code(*code) == Some(*error)));
}
