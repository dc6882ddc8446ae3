use super::*;
use crate::programs::Programs;
use solana_pubkey::Pubkey;

fn key(byte: u8) -> Pubkey {
    Pubkey::new_from_array([byte; 32])
}

fn approve(grant: Grant) -> Approve<'static> {
    Approve {
        programs: Programs::default(),
        fee_payer: key(1),
        spender: key(2),
        user: key(3),
        recipient: key(4),
        mint: key(5),
        ciphertext: &[7; 114],
        grant,
        max_grant: Some(1_000_000),
    }
}

fn told(grant_lamports: u64) -> PrepareAnswer {
    PrepareAnswer {
        recent_blockhash: key(9).to_string(),
        last_valid_block_height: 10,
        handle: "77".to_owned(),
        grant_lamports,
        standing: None,
    }
}

#[test]
fn an_answer_makes_an_approve_for_the_pinned_facilitator_and_creates_nothing() {
    let built = approve(Grant::WhenNeeded).by_answer(&told(5), Some(6)).expect("builds");
    let keys = built.message.static_account_keys();
    assert_eq!((keys[0], keys[1]), (key(1), key(3)), "the fee payer, and the user signs");
    assert!(keys.contains(&Programs::default().decrypt_allowance(77, &key(2))));
    assert_eq!(built.message.instructions().len(), 2, "a grant and an approve");
    let without = approve(Grant::WhenNeeded).by_answer(&told(0), Some(6)).expect("builds");
    assert_eq!(without.message.instructions().len(), 1, "an approve alone");
}

#[test]
fn no_answer_makes_a_payer_ask_for_more_than_the_terms_allow() {
    let lamports = |grant, answer| {
        let built = approve(grant).by_answer(&answer, Some(6)).expect("builds");
        let data = &built.message.instructions()[0].data;
        data.strip_prefix(&[2, 0, 0, 0]).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("a u64")))
    };
    assert_eq!(lamports(Grant::WhenNeeded, told(960_480)), Some(960_480));
    assert_eq!(lamports(Grant::WhenNeeded, told(u64::MAX)), Some(1_000_000));
    assert_eq!(lamports(Grant::Always, told(0)), Some(1_000_000));
    assert_eq!(lamports(Grant::Never, told(0)), None);
    assert!(matches!(approve(Grant::Never).by_answer(&told(1), Some(6)), Err(ApproveError::WouldFail(_))));
}

#[test]
fn an_answer_that_cannot_be_true_makes_nothing() {
    let refused = |change: fn(&mut PrepareAnswer), decimals| {
        let mut answer = told(0);
        change(&mut answer);
        let built = approve(Grant::WhenNeeded).by_answer(&answer, decimals);
        assert!(matches!(built, Err(ApproveError::Prepared(_))), "{answer:?}: {built:?}");
    };
    refused(|_| (), None);
    refused(|told| told.handle = "0".to_owned(), Some(6));
    refused(|told| told.handle = "-1".to_owned(), Some(6));
    refused(|told| told.handle = "9".repeat(40), Some(6));
    refused(|told| told.handle = "007".to_owned(), Some(6));
    refused(|told| told.recent_blockhash = "0OIl".to_owned(), Some(6));
    refused(|told| told.recent_blockhash = String::new(), Some(6));
}
