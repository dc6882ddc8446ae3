use super::*;
use base64::{Engine as _, engine::general_purpose::STANDARD};

const A: u8 = 1;
const B: u8 = 2;

fn key(byte: u8) -> Pubkey {
    Pubkey::new_from_array([byte; 32])
}

fn programs() -> Programs {
    Programs { token: key(90), lightning: key(91) }
}

/// A call into Lightning: the operation, its first operand, and the handle it gives back.
#[derive(Clone, Copy)]
struct Made(&'static str, u128, u128);

/// A transaction of token instructions, each with its accounts and what it calls.
fn transaction(instructions: &[(&str, &[u8], &[Made])]) -> (SeenTransaction, Vec<String>) {
    let (mut own, mut called, mut logs) = (Vec::new(), Vec::new(), Vec::new());
    let (token, lightning) = (programs().token, programs().lightning);
    for (place, (name, accounts, made)) in instructions.iter().enumerate() {
        let accounts: Vec<Pubkey> = accounts.iter().copied().map(key).collect();
        own.push(SeenInstruction { program: token, accounts, bytes: discriminator(name).to_vec(), called_by: None });
        logs.push(format!("Program {token} invoke [1]"));
        for Made(operation, first, result) in *made {
            let bytes = [&discriminator(operation)[..], &first.to_le_bytes(), &[9; 17]].concat();
            called.push(SeenInstruction { program: lightning, accounts: vec![], bytes, called_by: Some(place) });
            logs.push(format!("Program {lightning} invoke [2]"));
            logs.push(format!("Program return: {lightning} {}", STANDARD.encode(result.to_le_bytes())));
            logs.push(format!("Program {lightning} success"));
        }
        logs.push(format!("Program {token} success"));
    }
    own.extend(called);
    let seen = SeenTransaction { slot: 1, block_time: None, failed: false, signers: vec![], instructions: own };
    (seen, logs)
}

fn of(instructions: &[(&str, &[u8], &[Made])]) -> Entry {
    let (seen, logs) = transaction(instructions);
    read(&seen, Some(&logs), &key(A), &programs())
}

/// What a transfer calls that lowers a delegated amount, too.
const TRANSFER: &[Made] = &[
    Made("new_euint128", 5, 30),
    Made("as_euint128", 0, 31),
    Made("e_sub", 40, 41),
    Made("e_sub", 10, 11),
    Made("e_add", 20, 21),
];

#[test]
fn a_transfer_takes_from_one_and_adds_to_the_other() {
    let gives = of(&[("transfer", &[A, B], TRANSFER)]);
    assert_eq!(gives.steps, Some(vec![vec![(40, 41), (10, 11)]]), "one of the two is the balance");
    assert_eq!((gives.begins, gives.zeros), (false, vec![31]));
    let receives = of(&[("transfer_checked", &[B, 7, A], TRANSFER)]);
    assert_eq!(receives.steps, Some(vec![vec![(20, 21)]]));
    for (name, accounts, expected) in [
        ("transfer_with_authorization", [A, B], vec![vec![(40, 41), (10, 11)]]),
        ("mint_to", [B, A], vec![vec![(20, 21)]]),
        ("burn", [A, B], vec![vec![(40, 41), (10, 11)]]),
        ("approve", [A, B], vec![]),
        ("transfer", [A, A], vec![]),
        ("transfer", [B, 7], vec![]),
    ] {
        assert_eq!(of(&[(name, &accounts, TRANSFER)]).steps, Some(expected), "{name}");
    }
}

#[test]
fn what_cannot_be_read_to_the_end_is_unreadable() {
    assert_eq!(of(&[("something_new", &[A, B], TRANSFER)]).steps, None);
    let (seen, logs) = transaction(&[("transfer", &[A, B], TRANSFER)]);
    let steps = |seen: &SeenTransaction, logs: Option<&[String]>| read(seen, logs, &key(A), &programs()).steps;
    assert_eq!(steps(&seen, None), None, "the node keeps no logs");
    assert_eq!(steps(&seen, Some(&logs[..4])), None, "cut");
    let silent: Vec<String> = logs.iter().filter(|line| !line.contains("return:")).cloned().collect();
    assert_eq!(steps(&seen, Some(&silent)), None, "what it gave back is not told");
    let longer =
        [&logs[..], &[format!("Program {} invoke [1]", key(9)), format!("Program {} success", key(9))]].concat();
    assert_eq!(steps(&seen, Some(&longer)), None, "the log tells of more");
    let mut called = seen.clone();
    called.instructions[0].called_by = Some(0);
    assert_eq!(steps(&called, Some(&logs)), None, "another program called it");
    let mut more = seen;
    more.instructions.push(more.instructions[1].clone());
    assert_eq!(steps(&more, Some(&logs)), None, "record and log differ");
}

#[test]
fn an_account_that_is_closed_or_made_begins_anew() {
    for (name, own, beside) in [
        ("close_account", [A, B], [B, A]),
        ("create", [B, A], [A, B]),
        ("initialize_account", [A, B], [B, A]),
        ("create_idempotent", [B, A], [A, B]),
    ] {
        let made: &[Made] = &[Made("as_euint128", 0, 31)];
        assert!(of(&[(name, &own, made)]).begins, "{name}");
        assert!(!of(&[(name, &beside, made)]).begins, "{name} of another account that names this one");
        assert!(!of(&[(name, &[B, 7], made)]).begins, "{name} of another");
    }
    assert!(!of(&[("revoke", &[A, B], &[])]).begins);
    assert_eq!(of(&[("initialize_mint", &[B, 7, A], TRANSFER)]).steps, Some(vec![]), "it is nobody's balance");
    assert!(!of(&[("create_idempotent", &[B, A], &[])]).begins, "it was there, so nothing was made");
    assert!(of(&[("create_idempotent", &[B, A], &[Made("as_euint128", 0, 31)])]).begins);
}

#[test]
fn only_what_an_account_gives_lowers_what_it_delegates_and_only_an_approve_replaces_it() {
    let gives = Some(vec![vec![(40, 41), (10, 11)]]);
    for (name, accounts, expected) in [
        ("transfer", [A, B], gives.clone()),
        ("transfer_with_authorization", [A, B], gives.clone()),
        ("burn", [A, B], gives),
        ("transfer", [B, A], Some(vec![])),
        ("transfer", [A, A], Some(vec![])),
        ("mint_to", [B, A], Some(vec![])),
        ("freeze_account", [A, B], Some(vec![])),
        ("create_idempotent", [A, B], Some(vec![])),
        ("approve", [A, B], None),
        ("approve_checked", [A, B], None),
        ("something_new", [A, B], None),
        ("approve", [B, 7], Some(vec![])),
    ] {
        assert_eq!(of(&[(name, &accounts, TRANSFER)]).spends, expected, "{name}");
    }
}

/// What strangers give needs neither a log nor to be an instruction of the transaction itself.
#[test]
fn what_an_account_is_given_is_read_without_a_log_and_through_another_program() {
    let of = |name: &str, accounts: &[u8], called_by: Option<usize>| {
        let (mut seen, _) = transaction(&[(name, accounts, TRANSFER)]);
        seen.instructions[0].called_by = called_by;
        read(&seen, None, &key(A), &programs())
    };
    for called_by in [None, Some(0)] {
        let given = of("transfer", &[B, A], called_by);
        assert_eq!((given.steps, given.spends), (None, Some(vec![])), "{called_by:?}");
        assert_eq!(of("transfer", &[A, B], called_by).spends, None, "what it gives has to be read");
        assert_eq!(of("approve", &[A, B], called_by).spends, None);
    }
}

/// A program that calls the token program moves the account, and which call of Lightning was that transfer's is not told.
#[test]
fn what_another_program_had_done_is_unreadable_and_not_nothing() {
    let (mut seen, own) = transaction(&[("transfer", &[A, B], TRANSFER)]);
    for instruction in &mut seen.instructions {
        instruction.called_by = Some(0);
    }
    let caller = SeenInstruction { program: key(92), accounts: vec![], bytes: vec![1], called_by: None };
    seen.instructions.insert(0, caller);
    let deeper = own.iter().map(|line| line.replace("invoke [2]", "invoke [3]").replace("invoke [1]", "invoke [2]"));
    let mut logs = vec![format!("Program {} invoke [1]", key(92))];
    logs.extend(deeper);
    logs.push(format!("Program {} success", key(92)));
    assert!(calls(&seen, &invocations(&logs).unwrap(), &programs()).is_some(), "its record and its log agree");
    let entry = read(&seen, Some(&logs), &key(A), &programs());
    assert_eq!((entry.steps, entry.spends), (None, None));
}
