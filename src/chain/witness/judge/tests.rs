//! Every cell of the table of `spec/settlement.md` §2, as far as one account decides it.

use super::*;

const BEFORE: SeenHandle = SeenHandle { handle: 10, slot: 100 };
const ATTEMPT: u8 = 99;

fn signature(number: u8) -> Signature {
    Signature::from([number; 64])
}

fn listed(number: u8, slot: u64) -> Listed {
    Listed { signature: signature(number), slot, failed: false, finalised: true }
}

fn told(after: u128, entries: &[u8]) -> Told {
    let listed = entries.iter().map(|number| listed(*number, 100 + u64::from(*number))).collect();
    Told { after: Some(after), at: 200, listed, is_whole: true }
}

/// Entry 1 makes 11 of 10, entry 2 makes 12 of 11, and so on; 50 begins the account anew, and 60 cannot be read.
fn entries() -> HashMap<Signature, Entry> {
    let entry = |number: u8| {
        let from = 9 + u128::from(number);
        let steps = (number < 60).then(|| if number < 50 { vec![vec![(from, from + 1)]] } else { Vec::new() });
        let zeros = if number == 3 { vec![77] } else { Vec::new() };
        (signature(number), Entry { steps, begins: number == 50, zeros })
    };
    [1, 2, 3, 50, 60].into_iter().map(entry).collect()
}

fn of(before: SeenHandle, told: &[Told]) -> Testimony {
    let attempt = signature(ATTEMPT);
    Facts { attempt: &attempt, before, told, final_at: 190, entries: &entries() }.testimony()
}

#[test]
fn a_balance_that_is_what_it_was_is_unmoved() {
    assert_eq!(of(BEFORE, &[told(10, &[])]), Testimony::Unmoved);
    assert_eq!(of(BEFORE, &[told(10, &[]), told(10, &[])]), Testimony::Unmoved);
    assert_ne!(of(BEFORE, &[told(10, &[]), told(11, &[])]), Testimony::Unmoved, "on all that are asked");
    assert_eq!(of(BEFORE, &[]), Testimony::Moved, "nobody was asked");
}

#[test]
fn an_unbroken_path_explains_and_a_gap_does_not() {
    assert_eq!(of(BEFORE, &[told(12, &[2, 1])]), Testimony::Explained);
    assert_eq!(of(BEFORE, &[told(12, &[2]), told(12, &[1])]), Testimony::Explained, "the union of the lists counts");
    assert_eq!(of(BEFORE, &[told(12, &[2])]), Testimony::MovedAndListed, "an entry is hidden");
    assert_eq!(of(BEFORE, &[told(13, &[2, 1])]), Testimony::MovedAndListed, "the newest is hidden");
    let behind = Told { at: 195, ..told(11, &[1]) };
    assert_eq!(of(BEFORE, &[told(12, &[2, 1]), behind]), Testimony::Explained, "one is read a moment earlier");
}

#[test]
fn a_list_that_differs_ends_early_or_holds_the_attempt_proves_nothing() {
    assert_eq!(of(BEFORE, &[told(13, &[1]), told(13, &[])]), Testimony::Moved);
    let early = Told { is_whole: false, ..told(13, &[1]) };
    assert_eq!(of(BEFORE, &[early]), Testimony::Moved);
    assert_eq!(of(BEFORE, &[told(13, &[1, 70])]), Testimony::Moved, "one that was not read");
    assert_eq!(of(BEFORE, &[told(10, &[ATTEMPT])]), Testimony::Moved, "it is in the list");
    let failed = Listed { failed: true, ..listed(ATTEMPT, 150) };
    assert_eq!(of(BEFORE, &[Told { listed: vec![failed], ..told(10, &[]) }]), Testimony::Unmoved);
    let late = Told { listed: vec![listed(70, 195)], ..told(13, &[]) };
    assert_eq!(of(BEFORE, &[late, told(13, &[])]), Testimony::MovedAndListed, "lists are cut where all was final");
    let old = Told { listed: vec![listed(70, 100)], ..told(10, &[]) };
    assert_eq!(of(BEFORE, &[old]), Testimony::Unmoved, "what was seen before includes it");
}

/// Closed and made anew, every account has the handle of zero, and may come to any handle that it had.
#[test]
fn a_new_beginning_voids_the_witness() {
    assert_eq!(of(BEFORE, &[told(10, &[50])]), Testimony::MovedAndListed);
    assert_eq!(of(BEFORE, &[told(11, &[1, 50])]), Testimony::MovedAndListed);
    assert_eq!(of(BEFORE, &[told(10, &[50]), told(10, &[])]), Testimony::Moved, "only one of them shows it");
    let gone = Told { after: None, ..told(0, &[]) };
    assert_eq!(of(BEFORE, &[gone]), Testimony::MovedAndListed, "there is no account any more");
}

#[test]
fn the_handle_of_zero_counts_only_where_nobody_can_hide_anything() {
    let zero = |handle| SeenHandle { handle, slot: 100 };
    let unmoved = |handle: u128, one: &[u8], other: &[u8]| of(zero(handle), &[told(handle, one), told(handle, other)]);
    assert_eq!(unmoved(77, &[3], &[3]), Testimony::Unmoved);
    assert_eq!(unmoved(77, &[3], &[]), Testimony::Moved, "it is the handle of zero, and the lists differ");
    assert_eq!(unmoved(0, &[3], &[]), Testimony::Moved);
    assert_eq!(unmoved(78, &[3], &[]), Testimony::Unmoved, "it is not");
    assert_eq!(unmoved(78, &[1], &[]), Testimony::Moved, "nobody knows what it is");
}

#[test]
fn an_entry_that_cannot_be_read_explains_nothing_and_hides_nothing() {
    assert_eq!(of(BEFORE, &[told(10, &[60])]), Testimony::Unmoved);
    assert_eq!(of(BEFORE, &[told(11, &[1, 60])]), Testimony::MovedAndListed);
}
