//! The Ed25519 precompile's answers, case by case: what a validator accepts, and the code with which it refuses the rest.

use super::world::{SOL, World, signed};
use solana_instruction::{Instruction, error::InstructionError};
use solana_keypair::Keypair;
use solana_signer::Signer as _;
use solana_transaction_error::TransactionError;

const INVALID_PUBLIC_KEY: u32 = 0;
const INVALID_SIGNATURE: u32 = 2;
const INVALID_DATA_OFFSETS: u32 = 3;
const INVALID_INSTRUCTION_DATA_SIZE: u32 = 4;

const MESSAGE: &[u8] = b"a message that is signed";
/// Where the parts stand when one signature is checked: after the header and one entry.
const KEY: usize = 16;
const SIGNATURE: usize = KEY + 32;
const TEXT: usize = SIGNATURE + 64;
/// The instruction index that means the instruction itself.
const HERE: u16 = u16::MAX;

/// One entry: where the signature, the key and the message are.
fn entry(signature: (usize, u16), key: (usize, u16), message: (usize, usize, u16)) -> Vec<u8> {
    let short = |number: usize| u16::try_from(number).expect("two bytes");
    let (text, length, text_in) = message;
    [short(signature.0), signature.1, short(key.0), key.1, short(text), short(length), text_in]
        .into_iter()
        .flat_map(u16::to_le_bytes)
        .collect()
}

fn precompile(data: Vec<u8>) -> Instruction {
    Instruction { program_id: solana_sdk_ids::ed25519_program::ID, accounts: vec![], data }
}

/// A signature of [`MESSAGE`] with everything it needs in its own instruction.
fn whole(signer: &Keypair) -> Vec<u8> {
    let mut data = vec![1, 0];
    data.extend(entry((SIGNATURE, HERE), (KEY, HERE), (TEXT, MESSAGE.len(), HERE)));
    data.extend(signer.pubkey().to_bytes());
    data.extend(<[u8; 64]>::from(signer.sign_message(MESSAGE)));
    data.extend(MESSAGE);
    data
}

/// [`whole`] with one change.
fn changed(signer: &Keypair, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut data = whole(signer);
    change(&mut data);
    data
}

/// How a transaction of these instructions ends, and what it consumed and logged.
async fn run(world: &World, payer: &Keypair, data: &[Vec<u8>]) -> (Option<TransactionError>, u64, Vec<String>) {
    let hash = world.rpc.get_latest_blockhash().await.expect("a blockhash");
    let instructions: Vec<Instruction> = data.iter().cloned().map(precompile).collect();
    let ran = world.rpc.simulate_transaction(&signed(payer, &instructions, hash)).await.expect("simulates").value;
    (ran.err.map(Into::into), ran.units_consumed.expect("units"), ran.logs.expect("logs"))
}

#[tokio::test]
async fn a_good_signature_costs_no_units_and_leaves_no_log() {
    let world = World::new().await;
    let payer = world.wallet(1, SOL);
    assert_eq!(run(&world, &payer, &[whole(&payer)]).await, (None, 0, vec![]));
    let unread = changed(&payer, |data| data[1] = 255);
    assert_eq!(run(&world, &payer, &[unread]).await, (None, 0, vec![]), "nobody reads the second byte");
    assert_eq!(run(&world, &payer, &[vec![0, 0]]).await, (None, 0, vec![]), "nothing to check is well");
}

#[tokio::test]
async fn parts_may_stand_in_other_instructions_and_every_one_is_checked() {
    let world = World::new().await;
    let payer = world.wallet(1, SOL);
    let elsewhere = |index: u16| {
        let mut data = vec![1, 0];
        data.extend(entry((SIGNATURE, index), (KEY, index), (TEXT, MESSAGE.len(), index)));
        data
    };
    assert_eq!(run(&world, &payer, &[whole(&payer), elsewhere(0)]).await.0, None);
    assert_eq!(run(&world, &payer, &[elsewhere(1), whole(&payer)]).await.0, None, "also in a later one");
    let beyond = TransactionError::InstructionError(1, InstructionError::Custom(INVALID_DATA_OFFSETS));
    assert_eq!(run(&world, &payer, &[whole(&payer), elsewhere(2)]).await.0, Some(beyond));

    let two = |second_message: usize| {
        let mut data = vec![2, 0];
        data.extend(entry((SIGNATURE, 1), (KEY, 1), (TEXT, MESSAGE.len(), 1)));
        data.extend(entry((SIGNATURE, 1), (KEY, 1), (second_message, MESSAGE.len(), 1)));
        data
    };
    assert_eq!(run(&world, &payer, &[two(TEXT), whole(&payer)]).await.0, None);
    let second = TransactionError::InstructionError(0, InstructionError::Custom(INVALID_SIGNATURE));
    assert_eq!(run(&world, &payer, &[two(TEXT - 1), whole(&payer)]).await.0, Some(second));
}

/// A case: what is wrong, the data, and the code it is refused with.
type Case = (&'static str, Vec<u8>, u32);

/// Data whose lengths and offsets are wrong.
fn malformed(payer: &Keypair) -> Vec<Case> {
    let length = whole(payer).len();
    vec![
        ("no data", vec![], INVALID_INSTRUCTION_DATA_SIZE),
        ("half a header", vec![1], INVALID_INSTRUCTION_DATA_SIZE),
        ("none to check, yet data", vec![0, 0, 0], INVALID_INSTRUCTION_DATA_SIZE),
        ("an entry cut short", whole(payer)[..15].to_vec(), INVALID_INSTRUCTION_DATA_SIZE),
        ("fewer entries than counted", changed(payer, |data| data[0] = 255), INVALID_INSTRUCTION_DATA_SIZE),
        ("a message cut short", whole(payer)[..length - 1].to_vec(), INVALID_DATA_OFFSETS),
        ("a signature beyond the end", changed(payer, |data| data[3] = 255), INVALID_DATA_OFFSETS),
        ("a key beyond the end", changed(payer, |data| data[7] = 255), INVALID_DATA_OFFSETS),
        ("a message beyond the end", changed(payer, |data| data[11] = 255), INVALID_DATA_OFFSETS),
    ]
}

/// Data whose key, signature or message is wrong.
fn unverifiable(payer: &Keypair) -> Vec<Case> {
    // The y coordinate 2 belongs to no point of the curve.
    let no_point = [&[2][..], &[0; 31]].concat();
    // The neutral element: of order one, and with it any message would verify.
    let neutral = [&[1][..], &[0; 31]].concat();
    // The order of the group, as the scalar of a signature.
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").expect("hex");
    vec![
        ("another message", changed(payer, |data| data[TEXT] ^= 1), INVALID_SIGNATURE),
        ("another signature", changed(payer, |data| data[SIGNATURE + 32] ^= 1), INVALID_SIGNATURE),
        ("a scalar of too many bits", changed(payer, |data| data[SIGNATURE + 63] |= 0x80), INVALID_SIGNATURE),
        (
            "a scalar as large as the order",
            changed(payer, |data| data[SIGNATURE + 32..TEXT].copy_from_slice(&order)),
            INVALID_SIGNATURE,
        ),
        ("no point as the key", changed(payer, |d| d[KEY..SIGNATURE].copy_from_slice(&no_point)), INVALID_PUBLIC_KEY),
        (
            "a key and a commitment of small order",
            changed(payer, |data| {
                data[KEY..SIGNATURE].copy_from_slice(&neutral);
                data[SIGNATURE..TEXT].fill(0);
                data[SIGNATURE] = 1;
            }),
            INVALID_SIGNATURE,
        ),
        (
            "too many bits before a key that is none",
            changed(payer, |data| {
                data[SIGNATURE + 63] |= 0x20;
                data[KEY..SIGNATURE].copy_from_slice(&no_point);
            }),
            INVALID_SIGNATURE,
        ),
        (
            "a key that is none before a message beyond the end",
            changed(payer, |data| {
                data[11] = 255;
                data[KEY..SIGNATURE].copy_from_slice(&no_point);
            }),
            INVALID_PUBLIC_KEY,
        ),
        (
            "a message beyond the end before a signature that is none",
            changed(payer, |data| {
                data[11] = 255;
                data[SIGNATURE] ^= 1;
            }),
            INVALID_DATA_OFFSETS,
        ),
    ]
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_the_code_of_what_comes_first() {
    let world = World::new().await;
    let payer = world.wallet(1, SOL);
    let cases = malformed(&payer).into_iter().chain(unverifiable(&payer));
    for (what, data, code) in cases {
        let refused = TransactionError::InstructionError(0, InstructionError::Custom(code));
        assert_eq!(run(&world, &payer, &[data]).await, (Some(refused), 0, vec![]), "{what}");
    }
}
