//! The transactions of the vectors, which the real programs have run, as a facilitator would give them; and what may be wrong.

use super::*;
use crate::{
    domain::{
        mpp::{delegation::Renewal, money::slots, root::swig_id},
        samples::amount,
        signed::parse_key,
    },
    programs::{
        delegation::swig::{RoleGrant, SwigAddresses},
        spl_token::TokenProgram,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use solana_hash::Hash;
use solana_instruction::AccountMeta;
use solana_message::v0;
use std::sync::LazyLock;

static GOLDEN: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../../tests/vectors/mpp.json")).unwrap());
const DEVNET: &str = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1";

fn known(name: &str) -> Pubkey {
    parse_key(GOLDEN.pointer(&format!("/keys/{name}/pubkey")).and_then(Value::as_str).unwrap()).unwrap()
}

fn token() -> BuyerToken {
    BuyerToken::usdc(&crate::domain::network::Network::devnet()).unwrap()
}

fn wanted(swig: Option<&SwigMemory>) -> Wanted<'_> {
    Wanted { wallet: known("buyer"), token: token(), chain_id: DEVNET, swig }
}

fn options() -> OnboardOptions {
    OnboardOptions {
        spend_limit: amount(100_000_000),
        ttl: 86_400,
        deposit: Some(amount(5_000_000)),
        seller: None,
        renewal: Renewal::WhenNeeded,
    }
}

/// A transaction of the vectors without its signatures.
fn unsigned(pointer: &str) -> Unsigned {
    let text = GOLDEN.pointer(&format!("{pointer}/message_hex")).and_then(Value::as_str).unwrap();
    let message = hex::decode(text).unwrap();
    let signers = message[1];
    let wire = [vec![signers], vec![0; 64 * usize::from(signers)], message].concat();
    let mut signed = wire.clone();
    signed[1] = 1;
    assert!(Unsigned::read(&STANDARD.encode(signed)).is_err(), "it is signed already");
    Unsigned::read(&STANDARD.encode(wire)).unwrap()
}

/// These instructions, as our compiler puts them.
fn built(fee_payer: Pubkey, instructions: &[Instruction]) -> Unsigned {
    Unsigned::of(v0::Message::try_compile(&fee_payer, instructions, &[], Hash::default()).unwrap()).unwrap()
}

fn judged(unsigned: &Unsigned, label: &str, options: &OnboardOptions) -> Result<Step, TemplateFault> {
    wanted(None).onboards((label, unsigned), options, Some(known("delegate"))).map(|(step, _)| step)
}

#[test]
fn each_transaction_of_a_session_account_is_signed_as_it_was_asked_for() {
    let account = parse_key(GOLDEN.pointer("/spl_delegate/session_account").and_then(Value::as_str).unwrap());
    for (name, label, deposit) in [
        ("onboard_transaction", "create_session_account", Some(5_000_000)),
        ("onboard_prefunded_transaction", "create_session_account", Some(5_000_000)),
        ("onboard_overfunded_transaction", "create_session_account", None),
        ("onboard_without_deposit_transaction", "create_session_account", None),
        ("regrant_transaction", "grant_role", None),
        ("top_up_and_regrant_transaction", "grant_role", Some(1_000_000)),
    ] {
        let options = OnboardOptions { deposit: deposit.map(amount), ..options() };
        let told = unsigned(&format!("/spl_delegate/{name}"));
        let (step, address) = wanted(None).onboards((label, &told), &options, Some(known("delegate"))).expect(name);
        assert_eq!((step, Some(address)), (Step::SessionAccount, account), "{name}");
        assert!(judged(&told, "activate_session_key", &options).is_err(), "{name}: another label");
        let less = OnboardOptions { spend_limit: amount(99_999_999), ..options };
        assert!(judged(&told, label, &less).is_err(), "{name}: a larger limit than was asked for");
        let other = wanted(None).onboards((label, &told), &options, Some(known("stranger")));
        assert!(other.is_err(), "{name}: another delegate than is told");
        assert!(wanted(None).onboards((label, &told), &options, None).is_err(), "{name}: nobody is told");
        let bound = OnboardOptions { seller: Some(known("seller")), ..options };
        assert!(judged(&told, label, &bound).is_err(), "{name}: the token program binds to no seller");
        assert!(wanted(None).leaves(&told).is_err(), "{name}: no leave");
    }
}

#[test]
fn no_more_moves_than_was_asked_for() {
    let told = unsigned("/spl_delegate/onboard_transaction");
    let asked = |deposit| judged(&told, "create_session_account", &OnboardOptions { deposit, ..options() });
    assert!(asked(Some(amount(5_000_000))).is_ok() && asked(Some(amount(4_999_999))).is_err());
    assert!(asked(None).is_ok(), "as much as the limit");
    let top_up = unsigned("/spl_delegate/top_up_and_regrant_transaction");
    let silent = OnboardOptions { deposit: None, ..options() };
    assert!(judged(&top_up, "grant_role", &silent).is_err(), "nothing was said of more money");
}

#[test]
fn whatever_stands_beside_the_template_is_not_signed() {
    let told = unsigned("/spl_delegate/onboard_transaction");
    let (payer, wallet) = (told.fee_payer(), known("buyer"));
    let is_signed = |payer, instructions: &[Instruction]| {
        judged(&built(payer, instructions), "create_session_account", &options()).is_ok()
    };
    let whole = told.instructions().to_vec();
    assert!(is_signed(payer, &whole), "in our order of accounts too");
    assert!(!is_signed(wallet, &whole), "the wallet pays no fee");
    for at in 0..whole.len() {
        let mut less = whole.clone();
        less.remove(at);
        // A deposit may be left out.
        assert!(!is_signed(payer, &less) || TransferChecked::read(&whole[at]).is_some(), "without {at}");
        let mut twice = whole.clone();
        twice.push(whole[at].clone());
        assert!(!is_signed(payer, &twice), "{at} twice");
    }
    let mut taken = whole.clone();
    let theft = TransferChecked {
        program: TokenProgram::Token,
        source: wanted(None).session_account().buyer_account(),
        mint: token().mint,
        destination: known("stranger"),
        authority: wallet,
        amount: 1,
        decimals: 6,
    };
    taken.push(theft.instruction());
    assert!(!is_signed(payer, &taken));
    let mut elsewhere = whole.clone();
    for instruction in &mut elsewhere {
        if TransferChecked::read(instruction).is_some() {
            instruction.accounts[2].pubkey = known("stranger");
        }
    }
    assert!(!is_signed(payer, &elsewhere), "the deposit goes elsewhere");
    let mut raised = whole;
    raised[0].accounts.push(AccountMeta::new(known("stranger"), true));
    assert!(!is_signed(payer, &raised), "somebody else signs");
}

#[test]
fn a_leave_gives_everything_back_to_the_wallet_and_nothing_else() {
    for name in ["leave_transaction", "leave_without_close_transaction"] {
        let told = unsigned(&format!("/spl_delegate/{name}"));
        assert_eq!(wanted(None).leaves(&told), Ok(()), "{name}");
        let mut bent = told.instructions().to_vec();
        for instruction in &mut bent {
            if TransferChecked::read(instruction).is_some() {
                instruction.accounts[2].pubkey = known("stranger");
            }
        }
        assert!(wanted(None).leaves(&built(told.fee_payer(), &bent)).is_err(), "{name}");
        assert!(judged(&told, "leave", &options()).is_err(), "{name}: no onboarding");
        let other = Wanted { wallet: known("seller"), ..wanted(None) };
        assert!(other.leaves(&told).is_err(), "{name}: another wallet's");
    }
    assert!(wanted(None).leaves(&unsigned("/spl_delegate/regrant_transaction")).is_err());
}

fn grant(options: &OnboardOptions) -> GrantMemory {
    let OnboardOptions { spend_limit, ttl, seller, .. } = *options;
    GrantMemory { delegate: known("delegate"), limit: spend_limit, ttl, seller }
}

#[test]
fn the_rounds_of_a_swig_are_signed_each_after_the_one_before() {
    let create = unsigned("/swig/transactions/create_swig");
    let asked = OnboardOptions { deposit: None, ..options() };
    let id = swig_id(DEVNET, &known("buyer"));
    assert_eq!(judged(&create, "create_swig", &asked), Ok(Step::SwigMade(id)));
    let little = OnboardOptions { deposit: Some(Amount::ONE), ..asked };
    assert!(judged(&create, "create_swig", &little).is_err(), "more than was asked for");
    for (name, seller) in [("grant_role", None), ("grant_role_with_destination", Some(known("seller")))] {
        let told = unsigned(&format!("/swig/transactions/{name}"));
        let asked = OnboardOptions { seller, ..asked };
        assert_eq!(judged(&told, "grant_role", &asked), Ok(Step::RoleGranted(grant(&asked))), "{name}");
        for other in [
            OnboardOptions { ttl: 86_000, ..asked },
            OnboardOptions { spend_limit: amount(1_000_000), ..asked },
            OnboardOptions { seller: Some(known("stranger")), ..asked },
        ] {
            assert!(judged(&told, "grant_role", &other).is_err(), "{name}");
        }
    }
    let activate = unsigned("/swig/transactions/activate_session_key");
    let judge = |memory: &SwigMemory, options: &OnboardOptions| {
        let judged =
            wanted(Some(memory)).onboards(("activate_session_key", &activate), options, Some(known("delegate")));
        judged.map(|(step, _)| step)
    };
    let memory = |last_role, granted| SwigMemory { id, last_role, granted };
    assert_eq!(judge(&memory(0, Some(grant(&asked))), &asked), Ok(Step::KeyActivated(1)));
    assert!(judge(&memory(1, Some(grant(&asked))), &asked).is_err(), "a role from before");
    assert!(judge(&memory(0, None), &asked).is_err(), "nothing was granted");
    let larger = GrantMemory { limit: amount(1), ..grant(&asked) };
    assert!(judge(&memory(0, Some(larger)), &asked).is_err(), "something else was granted");
    assert!(judge(&SwigMemory { id: [7; 32], ..memory(0, Some(grant(&asked))) }, &asked).is_err(), "another Swig");
    assert!(judged(&activate, "activate_session_key", &asked).is_err(), "nothing is known of a grant");
}

#[test]
fn a_swig_that_this_wallet_did_not_make_is_granted_nothing_on() {
    let asked = OnboardOptions { deposit: None, ..options() };
    let (payer, wallet) = (known("fee_payer"), known("buyer"));
    let role = RoleGrant {
        delegate: known("delegate"),
        slots: slots(asked.ttl),
        program: TokenProgram::Token,
        mint: token().mint,
        decimals: 6,
        limit: asked.spend_limit.get(),
        seller: None,
    };
    let salted = SwigAddresses::of([9; 32]);
    let told = built(payer, &salted.grant_round(&payer, &wallet, &role));
    assert!(judged(&told, "grant_role", &asked).is_err());
    let made = SwigMemory { id: [9; 32], last_role: 0, granted: None };
    let judge = |told: &Unsigned| wanted(Some(&made)).onboards(("grant_role", told), &asked, Some(known("delegate")));
    assert!(judge(&told).is_ok(), "the wallet made it");
    let renewed = |old| built(payer, &salted.renew_round(&payer, &wallet, old, &role));
    assert!(judge(&renewed(3)).is_ok() && judge(&renewed(0)).is_err(), "never the wallet's own role");
    // A Swig whose root is somebody else.
    let mut foreign = SwigAddresses::of([9; 32]).create_round(&payer, &wallet, &role, amount(5));
    foreign[2] = salted.create(&payer, &known("stranger"));
    assert!(judged(&built(payer, &foreign), "create_swig", &asked).is_err());
}

#[test]
fn a_swigs_leave_takes_roles_out_and_moves_tokens_to_the_wallet() {
    use crate::programs::{compute_budget, delegation::UNIT_PRICE, delegation::swig::UNITS};
    let (payer, wallet) = (known("fee_payer"), known("buyer"));
    let swig = SwigAddresses::of(swig_id(DEVNET, &wallet));
    let withdrawal = |destination: Pubkey| {
        let transfer = TransferChecked {
            program: TokenProgram::Token,
            source: swig.token_account(TokenProgram::Token, &token().mint),
            mint: token().mint,
            destination,
            authority: swig.wallet.0,
            amount: 77,
            decimals: 6,
        };
        swig.sign(0, &wallet, &[transfer.instruction()]).unwrap()
    };
    let whole = |destination| {
        let compute = [compute_budget::limit(UNITS), compute_budget::price(UNIT_PRICE)];
        let left = [swig.remove(&payer, &wallet, 1), withdrawal(destination)];
        compute.into_iter().chain(left).collect::<Vec<_>>()
    };
    let own = wanted(None).session_account().buyer_account();
    assert_eq!(wanted(None).leaves(&built(payer, &whole(own))), Ok(()));
    assert!(wanted(None).leaves(&built(payer, &whole(known("stranger")))).is_err());
    let mut root = whole(own);
    root[2] = swig.remove(&payer, &wallet, 0);
    assert!(wanted(None).leaves(&built(payer, &root)).is_err(), "the wallet stays its root");
}
