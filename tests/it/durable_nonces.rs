//! What a durable nonce would do for settlements, and what it would take (ADR 0037): all attempts of one settlement on one
//! nonce account can land once, whatever anybody says of them; and the largest of ours do not fit into a packet with it.

use crate::transaction::{INTENT_BYTES, Scene};
use litesvm::LiteSVM;
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::{VersionedMessage, legacy};
use solana_pubkey::Pubkey;
use solana_signer::Signer as _;
use solana_system_interface::instruction::{advance_nonce_account, create_nonce_account, transfer};
use solana_transaction::versioned::VersionedTransaction;
use sotto::chain::{
    keys::Signer as _,
    transaction::{MAX_TRANSACTION_BYTES, SettleInstruction, SettlementParts},
};

/// Where an initialised nonce account has its value: after two numbers of 4 bytes and the authority.
const VALUE: std::ops::Range<usize> = 40..72;
/// The bytes of a nonce account.
const SIZE: usize = 80;

struct Chain {
    svm: LiteSVM,
    payer: Keypair,
    nonce: Pubkey,
}

impl Chain {
    fn with_a_nonce() -> Self {
        let mut svm = LiteSVM::new();
        let [payer, nonce] = [1, 2].map(|seed| Keypair::new_from_array([seed; 32]));
        svm.airdrop(&payer.pubkey(), 1_000_000_000).unwrap();
        let rent = svm.minimum_balance_for_rent_exemption(SIZE);
        let creation = create_nonce_account(&payer.pubkey(), &nonce.pubkey(), &payer.pubkey(), rent);
        let message = legacy::Message::new_with_blockhash(&creation, Some(&payer.pubkey()), &svm.latest_blockhash());
        let message = VersionedMessage::Legacy(message);
        svm.send_transaction(VersionedTransaction::try_new(message, &[&payer, &nonce]).unwrap()).unwrap();
        svm.expire_blockhash();
        Self { svm, payer, nonce: nonce.pubkey() }
    }

    fn value(&self) -> Hash {
        let data = self.svm.get_account(&self.nonce).unwrap().data;
        Hash::new_from_array(data[VALUE].try_into().unwrap())
    }

    /// A transaction that can land as long as the account has this value.
    fn signed(&self, value: Hash, rest: &[Instruction]) -> VersionedTransaction {
        let mut instructions = vec![advance_nonce_account(&self.nonce, &self.payer.pubkey())];
        instructions.extend_from_slice(rest);
        let message = legacy::Message::new_with_blockhash(&instructions, Some(&self.payer.pubkey()), &value);
        VersionedTransaction::try_new(VersionedMessage::Legacy(message), &[&self.payer]).unwrap()
    }
}

#[test]
fn of_all_attempts_on_one_nonce_one_lands_and_none_after_it_was_advanced() {
    let mut chain = Chain::with_a_nonce();
    let (value, to) = (chain.value(), Pubkey::new_unique());
    let attempts: Vec<_> = (1..=3)
        .map(|lamports| chain.signed(value, &[transfer(&chain.payer.pubkey(), &to, 1_000_000 + lamports)]))
        .collect();
    for _ in 0..400 {
        chain.svm.expire_blockhash();
    }
    assert!(chain.svm.send_transaction(attempts[1].clone()).is_ok(), "it never gets too old");
    for attempt in attempts {
        chain.svm.expire_blockhash();
        assert!(chain.svm.send_transaction(attempt).is_err(), "and none lands beside it");
    }
    assert_eq!(chain.svm.get_account(&to).unwrap().lamports, 1_000_002);

    let forgotten = chain.signed(chain.value(), &[transfer(&chain.payer.pubkey(), &to, 5)]);
    let before = chain.svm.get_account(&chain.payer.pubkey()).unwrap().lamports;
    chain.svm.send_transaction(chain.signed(chain.value(), &[])).unwrap();
    assert!(chain.svm.send_transaction(forgotten).is_err(), "giving up is a transaction of its own");
    assert_eq!(before - chain.svm.get_account(&chain.payer.pubkey()).unwrap().lamports, 5_000);
}

/// What a transaction takes of the compute budget, and of its payer's lamports.
fn cost(chain: &mut Chain, transaction: VersionedTransaction) -> (u64, u64) {
    let payer = chain.payer.pubkey();
    let before = chain.svm.get_account(&payer).unwrap().lamports;
    let landed = chain.svm.send_transaction(transaction).unwrap();
    (landed.compute_units_consumed, before - chain.svm.get_account(&payer).unwrap().lamports)
}

#[test]
fn a_landing_on_a_nonce_takes_150_units_more_and_no_lamport() {
    const SENT: u64 = 1_000_000;
    let mut chain = Chain::with_a_nonce();
    assert_eq!(chain.svm.minimum_balance_for_rent_exemption(SIZE), 1_447_680, "once for each account of the pool");
    let rest = [transfer(&chain.payer.pubkey(), &Pubkey::new_unique(), SENT)];
    let blockhash = chain.svm.latest_blockhash();
    let message = legacy::Message::new_with_blockhash(&rest, Some(&chain.payer.pubkey()), &blockhash);
    let plain = VersionedTransaction::try_new(VersionedMessage::Legacy(message), &[&chain.payer]).unwrap();
    let on_nonce = chain.signed(chain.value(), &rest);
    assert_eq!(cost(&mut chain, plain), (150, SENT + 5_000));
    assert_eq!(cost(&mut chain, on_nonce), (300, SENT + 5_000));
}

/// How many bytes a settlement has, without and with a nonce that its fee payer advances.
fn sizes(parts: &SettlementParts<'_>) -> (usize, usize) {
    let plain = parts.build(Hash::default()).unwrap();
    let message = &plain.transaction().message;
    let mut instructions = crate::transaction::resolved(message);
    instructions.insert(0, advance_nonce_account(&Pubkey::new_unique(), &parts.fee_payer));
    let message = legacy::Message::new(&instructions, Some(&parts.fee_payer));
    let signatures = usize::from(message.header.num_required_signatures);
    (plain.bytes(), 1 + 64 * signatures + message.serialize().len())
}

/// The text of a short authorisation, in bytes.
const SHORT: usize = 77;

#[test]
fn a_nonce_takes_74_bytes_and_fits_beside_the_user_s_intent_with_a_few_to_spare() {
    // The longest amount that a ledger counts has 19 digits.
    let (long, short) = (Scene::new(113 + 19, INTENT_BYTES), Scene::new(113 + 19, SHORT));
    let size = |scene: &Scene, instruction, payer| sizes(&scene.parts(instruction, payer));
    let authorised = SettleInstruction::TransferWithAuthorization;
    let told = [
        size(&long, authorised, long.spender.pubkey()),
        size(&short, authorised, short.payer.pubkey()),
        size(&short, SettleInstruction::Transfer, short.payer.pubkey()),
    ];
    assert_eq!(told, [(1_152, 1_226), (986, 1_060), (728, 802)]);
    assert_eq!(MAX_TRANSACTION_BYTES - told[0].1, 6);
}
