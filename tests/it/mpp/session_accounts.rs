//! The session account: each instruction and each whole transaction is that of the vectors, which the real programs have run.

use super::{address, amount, cases, golden, instruction, key, known, message_hex, mint, number, text, wire_bytes};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::Signer as _;
use solana_instruction::Instruction;
use sotto::{
    chain::inspect,
    domain::{amount::Amount, mpp::money::Role},
    programs::{
        delegation::{
            self, Settled,
            session_account::{Grant, Leave, NotEligible, Place, RENT, SessionAccount},
        },
        inco_token::AccountState,
        memo::Anchor,
        spl_token::{TokenAccount, TokenProgram},
    },
};

fn account() -> SessionAccount {
    SessionAccount { program: TokenProgram::Token, mint: mint(), decimals: 6, buyer: known("buyer") }
}

fn units(units: u64) -> Amount {
    Amount::new(units).expect("fits")
}

fn grant(deposit: Option<u64>) -> Grant {
    Grant {
        fee_payer: known("fee_payer"),
        delegate: known("delegate"),
        rent_authority: known("rent_authority"),
        limit: units(100_000_000),
        deposit: deposit.map(units),
    }
}

fn settled() -> Settled {
    let channel = "ch_00112233445566778899aabbccddeeff".parse().expect("a public id");
    Settled { channel, seller: known("seller"), amount: units(35_000), sequence: 2 }
}

#[test]
fn the_address_follows_from_buyer_and_mint() {
    assert_eq!(account().seed(), text(golden("/spl_delegate"), "seed_text"));
    assert_eq!(account().address(), address("/spl_delegate/session_account"));
    assert_eq!(account().buyer_account(), address("/constants/buyer_token_account"));
}

#[test]
fn every_instruction_is_the_published_clients() {
    let (account, grant) = (account(), grant(None));
    let lamports = number::<u64>(golden("/spl_delegate/onboard_prefunded_transaction"), "gift_lamports");
    let ours = |name: &str| match name {
        "create_account_with_seed" => account.create(&grant.fee_payer),
        "transfer_missing_rent" => account.onboard(Place::Funded { lamports }, &grant).remove(2),
        "allocate_with_seed" => account.allocate(),
        "initialize_account3" => account.initialize(),
        "set_close_authority" => account.set_close_authority(&grant.rent_authority),
        "deposit" => account.deposit(units(5_000_000)),
        "approve_checked" => account.approve(&grant.delegate, grant.limit),
        "settle_transfer_checked" => account.settle(grant.delegate, &settled()).remove(2),
        "revoke" => account.revoke(),
        "withdraw" => account.withdraw(units(4_965_000)),
        "close_account" => account.close(&grant.fee_payer, &grant.rent_authority),
        unknown => panic!("the vectors have an instruction that we do not build: {unknown}"),
    };
    let golden = golden("/spl_delegate/instructions").as_object().expect("an object");
    assert_eq!(golden.len(), 11);
    for (name, golden) in golden {
        assert_eq!(ours(name), instruction(golden), "{name}");
    }
}

/// What we build where the vectors have `name`.
fn transaction(name: &str) -> Vec<Instruction> {
    let account = account();
    let (fee_payer, rent_authority) = (known("fee_payer"), known("rent_authority"));
    let gift = |name: &str| number::<u64>(golden(&format!("/spl_delegate/{name}")), "gift_lamports");
    match name {
        "onboard_transaction" => account.onboard(Place::Empty, &grant(Some(5_000_000))),
        "onboard_prefunded_transaction" | "onboard_overfunded_transaction" => {
            account.onboard(Place::Funded { lamports: gift(name) }, &grant(Some(5_000_000)))
        }
        "onboard_without_deposit_transaction" => account.onboard(Place::Empty, &grant(None)),
        "regrant_transaction" => account.onboard(Place::Made, &grant(None)),
        "top_up_and_regrant_transaction" => account.onboard(Place::Made, &grant(Some(1_000_000))),
        "settle_transaction" => account.settle(known("delegate"), &settled()),
        "leave_transaction" => account.leave(units(4_965_000), Leave::Close { fee_payer, rent_authority }),
        "leave_without_close_transaction" => account.leave(units(4_965_000), Leave::Open),
        "open_anchor_transaction" => delegation::anchor(&anchor()),
        unknown => panic!("the vectors have a transaction that we do not build: {unknown}"),
    }
}

#[test]
fn every_transaction_is_the_one_that_the_programs_have_run() {
    let all = golden("/spl_delegate").as_object().expect("an object");
    let transactions: Vec<_> = all.iter().filter(|(name, _)| name.ends_with("_transaction")).collect();
    assert_eq!(transactions.len(), 10);
    for (name, golden) in transactions {
        let message = message_hex(&transaction(name));
        assert_eq!(message, text(golden, "message_hex"), "{name}");
        assert_eq!(wire_bytes(&message), golden["wire_bytes"].as_u64().expect("a number"), "{name}");
        let signatures = golden["signatures"].as_object().expect("an object");
        for signer in ["buyer", "delegate"] {
            let expected = signatures.get(&known(signer).to_string()).and_then(|signature| signature.as_str());
            let ours = key(signer).sign(&hex::decode(&message).expect("hex")).to_bytes();
            assert!(expected.is_none_or(|expected| bs58::encode(ours).into_string() == expected), "{name}: {signer}");
        }
    }
}

#[test]
fn a_gift_of_lamports_changes_how_the_account_is_made_and_nothing_else() {
    let made = |lamports| account().onboard(Place::Funded { lamports }, &grant(None)).len();
    assert_eq!((made(0), made(RENT - 1), made(RENT), made(u64::MAX)), (7, 7, 6, 6));
}

fn anchor() -> Anchor {
    Anchor {
        channel: settled().channel,
        signer: known("channel_signer"),
        buyer: known("buyer"),
        seller: known("seller"),
        deposit: units(1_000_000),
    }
}

#[test]
fn an_anchor_says_what_it_says_in_one_way() {
    let text = text(golden("/spl_delegate/open_anchor_transaction"), "memo");
    assert_eq!(anchor().text(), text);
    assert_eq!(Anchor::read(text), Some(anchor()));
    for bent in [
        text.replace(":1000000", ":01000000"),
        text.replace(":1000000", ":0"),
        text.replace("00112233", "0011223"),
        text.replace("aabb", "AABB"),
        format!("{text}:"),
        format!(" {text}"),
        text.replace("open:1", "open:2"),
    ] {
        assert_eq!(Anchor::read(&bent), None, "{bent}");
    }
}

#[test]
fn only_a_transaction_of_ours_alone_is_an_anchor() {
    for case in cases("/anchor_cases/cases") {
        let wire = STANDARD.decode(text(case, "wire_base64")).expect("base64");
        let read = inspect::anchor::read(&wire, &[known("fee_payer")]);
        let expected = case["anchor"].as_bool().expect("a flag").then(anchor);
        assert_eq!(read, expected, "{}", text(case, "name"));
        assert_eq!(inspect::anchor::read(&wire, &[]), None);
    }
}

#[test]
fn the_memos_of_a_whole_channel_are_those_of_the_vectors() {
    let channel = golden("/channel");
    let open = &channel["open"];
    let anchored = Anchor::read(text(&channel["anchor"], "memo")).expect("an anchor");
    assert_eq!(anchored.signer.to_string(), text(open, "session_pubkey"));
    assert_eq!(anchored.deposit, amount(open, "deposit_atomic"));
    let wire = STANDARD.decode(text(&channel["anchor"], "wire_base64")).expect("base64");
    assert_eq!(inspect::anchor::read(&wire, &[known("fee_payer")]), Some(anchored));
    let settled = Settled { channel: anchored.channel, ..settled() };
    let memo = account().settle(known("delegate"), &settled).pop().expect("a memo");
    assert_eq!(memo.data, text(&channel["settlement"], "memo").as_bytes());
}

/// An account that was granted from, as the chain has it.
fn granted() -> TokenAccount {
    TokenAccount {
        mint: mint(),
        owner: known("buyer"),
        amount: 5_000_000,
        delegate: Some(known("delegate")),
        state: AccountState::Initialised,
        native_reserve: None,
        delegated_amount: 100_000_000,
        close_authority: Some(known("rent_authority")),
    }
}

#[test]
fn an_account_of_somebody_else_is_not_granted_from() {
    let check = |account_at: &TokenAccount| account().check(account_at, &[known("delegate")], &known("rent_authority"));
    let stranger = Some(known("stranger"));
    for good in [granted(), TokenAccount { delegate: None, close_authority: None, ..granted() }] {
        assert_eq!(check(&good), Ok(()));
    }
    for (bad, why) in [
        (TokenAccount { owner: known("stranger"), ..granted() }, NotEligible::Unusable),
        (TokenAccount { mint: known("stranger"), ..granted() }, NotEligible::Unusable),
        (TokenAccount { state: AccountState::Frozen, ..granted() }, NotEligible::Unusable),
        (TokenAccount { close_authority: stranger, ..granted() }, NotEligible::CloseAuthority),
        (TokenAccount { delegate: stranger, ..granted() }, NotEligible::Delegate),
    ] {
        assert_eq!(check(&bad), Err(why));
    }
}

#[test]
fn a_reading_tells_what_the_delegate_can_move() {
    let read = |account_at: &TokenAccount| {
        let reading = account().reading(account_at, &known("delegate"));
        (reading.role, reading.available().get())
    };
    assert_eq!(read(&granted()), (Role::Live, 5_000_000));
    assert_eq!(read(&TokenAccount { delegated_amount: 7, ..granted() }), (Role::Live, 7));
    for (role, other) in [
        (Role::Gone, TokenAccount { delegate: None, ..granted() }),
        (Role::Gone, TokenAccount { delegate: Some(known("stranger")), ..granted() }),
        (Role::Gone, TokenAccount { owner: known("stranger"), ..granted() }),
        (Role::Frozen, TokenAccount { state: AccountState::Frozen, ..granted() }),
    ] {
        assert_eq!(read(&other), (role, 0));
    }
}
