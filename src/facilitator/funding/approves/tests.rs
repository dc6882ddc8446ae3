use super::*;
use crate::programs::inco_token::Allowance;
use solana_instruction::Instruction;

const HANDLE: u128 = 77;

fn key(number: u8) -> Pubkey {
    Pubkey::new_from_array([number; 32])
}

/// The payer's account, the spender, the payer.
fn who() -> (Pubkey, Pubkey, Pubkey) {
    (key(1), key(2), key(3))
}

fn seen(instruction: &Instruction, called_by: Option<usize>) -> SeenInstruction {
    SeenInstruction {
        program: instruction.program_id,
        accounts: instruction.accounts.iter().map(|account| account.pubkey).collect(),
        bytes: instruction.data.clone(),
        called_by,
    }
}

fn approve(source: &Pubkey) -> SeenInstruction {
    let (_, spender, user) = who();
    let pair = Allowance::of(&Programs::default(), HANDLE, spender);
    seen(&Programs::default().approve_checked(source, &key(4), &spender, &user, &[9; 114], 6, Some(pair)), None)
}

/// Lightning's call that lets `reader` decrypt `handle`.
fn allow(handle: u128, reader: &Pubkey, called_by: Option<usize>) -> SeenInstruction {
    let mut bytes = discriminator("allow").to_vec();
    bytes.extend(handle.to_le_bytes());
    bytes.push(1);
    bytes.extend(reader.as_ref());
    SeenInstruction { program: Programs::default().lightning, accounts: vec![key(8)], bytes, called_by }
}

fn call(name: &str, accounts: &[Pubkey], called_by: Option<usize>) -> SeenInstruction {
    let program = Programs::default().token;
    SeenInstruction { program, accounts: accounts.to_vec(), bytes: discriminator(name).to_vec(), called_by }
}

fn transaction(instructions: Vec<SeenInstruction>) -> SeenTransaction {
    SeenTransaction { slot: 1, block_time: Some(1), failed: false, signers: vec![key(3)], instructions }
}

fn handle_of(instructions: Vec<SeenInstruction>) -> Option<u128> {
    let (source, spender, _) = who();
    single_approve(&transaction(instructions), &Programs::default(), &source, &spender)?.handle
}

#[test]
fn the_handle_is_what_the_approve_itself_lets_us_decrypt() {
    let (source, spender, user) = who();
    let plain = Programs::default().approve(&source, &spender, &user, &[9; 114], None);
    for form in [approve(&source), seen(&plain, None)] {
        assert_eq!(handle_of(vec![form.clone(), allow(HANDLE, &spender, Some(0))]), Some(HANDLE));
        // Rights of others, and what stands before it, change nothing.
        let (create, other) = (call("create_idempotent", &[key(3), source], None), allow(5, &user, Some(1)));
        let calls = vec![create, form, other, allow(HANDLE, &spender, Some(1))];
        assert_eq!(handle_of(calls), Some(HANDLE));
    }
}

/// Guard: the place of the approve in `single_approve`. A payer may give us the right to any handle beside their approve.
#[test]
fn a_right_that_was_given_beside_the_approve_names_nothing() {
    let (source, spender, _) = who();
    let (rich, poor) = (allow(1_000, &spender, None), allow(HANDLE, &spender, Some(0)));
    assert_eq!(handle_of(vec![approve(&source), rich.clone(), poor.clone()]), Some(HANDLE), "as an instruction");
    let foreign = SeenInstruction { program: key(50), accounts: vec![], bytes: vec![], called_by: None };
    let called = allow(1_000, &spender, Some(1));
    assert_eq!(handle_of(vec![approve(&source), foreign, poor.clone(), called]), Some(HANDLE), "by another program");
    assert_eq!(handle_of(vec![approve(&source), rich]), None, "an approve that gave us no right");
    let two = vec![approve(&source), poor, allow(1_000, &spender, Some(0))];
    assert_eq!(handle_of(two), None, "two rights in one approve are not the program that we know");
    let stranger = SeenInstruction { program: key(50), accounts: vec![], bytes: vec![], called_by: Some(0) };
    assert_eq!(handle_of(vec![approve(&source), allow(HANDLE, &spender, Some(0)), stranger]), None);
    let withdrawn = {
        let mut call = allow(HANDLE, &spender, Some(0));
        call.bytes[24] = 0;
        call
    };
    assert_eq!(handle_of(vec![approve(&source), withdrawn]), None, "a right that is taken away");
}

#[test]
fn only_one_approve_of_this_account_to_us_names_a_handle() {
    let (source, spender, user) = who();
    let right = allow(HANDLE, &spender, Some(0));
    assert_eq!(handle_of(vec![approve(&key(9)), right.clone()]), None, "of another account");
    let to_another = Programs::default().approve(&source, &key(7), &user, &[9; 114], None);
    assert_eq!(handle_of(vec![seen(&to_another, None), right.clone()]), None, "to another");
    let twice = vec![approve(&source), approve(&source), right.clone(), allow(5, &spender, Some(1))];
    assert_eq!(handle_of(twice), None, "the second replaces the first");
    for name in ["revoke", "close_account", "set_authority"] {
        let then = vec![approve(&source), call(name, &[source, user], None), right.clone()];
        assert_eq!(handle_of(then), None, "{name}");
    }
    let inner = SeenInstruction { called_by: Some(0), ..approve(&source) };
    let wrapper = SeenInstruction { program: key(50), accounts: vec![], bytes: vec![], called_by: None };
    assert_eq!(
        handle_of(vec![wrapper, inner, right.clone()]),
        None,
        "called by another program, beside whatever it calls"
    );
    let failed = SeenTransaction { failed: true, ..transaction(vec![approve(&source), right]) };
    assert_eq!(single_approve(&failed, &Programs::default(), &source, &spender), None);
}

#[test]
fn what_leaves_an_approve_in_its_place_is_known_by_name() {
    let (source, _, user) = who();
    let harmless = |calls| is_harmless(&transaction(calls), &Programs::default(), &source);
    for name in HARMLESS {
        assert!(harmless(vec![call(name, &[source, user], None)]), "{name}");
    }
    for name in CHANGE_THE_FIRST.into_iter().chain(["set_authority"]) {
        assert!(!harmless(vec![call(name, &[source, user], None)]), "{name}");
        assert!(!harmless(vec![call(name, &[source, user], Some(0))]), "{name}, in whatever depth");
        assert!(harmless(vec![call(name, &[key(4), user], None)]), "{name} of another account");
    }
}

/// Guard: `CHANGE_THE_FIRST`. Anybody may name an account beside their own; what the program does not know yet may do anything.
#[test]
fn what_is_done_to_another_account_that_names_this_one_beside_it_leaves_it_alone() {
    let (source, spender, user) = who();
    let (theirs, stranger) = (key(4), key(5));
    let approve = Programs::default().approve(&theirs, &source, &stranger, &[9; 114], None);
    let checked = Programs::default().approve_checked(&theirs, &key(6), &source, &stranger, &[9; 114], 6, None);
    let revoke = call("revoke", &[theirs, stranger, key(6), source], None);
    let close = call("close_account", &[theirs, source, stranger], None);
    for foreign in [seen(&approve, None), seen(&checked, None), revoke, close] {
        let is_harmless = |calls: Vec<SeenInstruction>| is_harmless(&transaction(calls), &Programs::default(), &source);
        assert!(is_harmless(vec![foreign.clone()]), "{foreign:?}");
        let called = SeenInstruction { called_by: Some(0), ..foreign.clone() };
        assert!(is_harmless(vec![called]), "in whatever depth: {foreign:?}");
        let beside = vec![self::approve(&source), foreign, allow(HANDLE, &spender, Some(0))];
        assert_eq!(handle_of(beside), Some(HANDLE), "and beside an approve of ours");
    }
    let unknown = call("set_authority", &[theirs, user, source], None);
    assert!(!is_harmless(&transaction(vec![unknown]), &Programs::default(), &source));
}
