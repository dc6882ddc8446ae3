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
    Told { after: Some(after), delegated: Some(500), at: 200, listed, is_whole: true }
}

/// Entry 1 makes 11 of 10, entry 2 makes 12 of 11, and so on; 50 begins the account anew, and 60 cannot be read.
fn entries() -> HashMap<Signature, Entry> {
    let entry = |number: u8| {
        let from = 9 + u128::from(number);
        let steps = (number < 60).then(|| if number < 50 { vec![vec![(from, from + 1)]] } else { Vec::new() });
        let zeros = if number == 3 { vec![77] } else { Vec::new() };
        (signature(number), Entry { steps, spends: Some(Vec::new()), begins: number == 50, zeros })
    };
    [1, 2, 3, 50, 60].into_iter().map(entry).collect()
}

fn of(before: SeenHandle, told: &[Told]) -> Testimony {
    let attempt = signature(ATTEMPT);
    Facts { attempt: &attempt, before, delegated: None, told, final_at: 190, entries: &entries() }.testimony()
}

/// Of an account whose balance has moved beyond explanation and that delegated `before`, with what each entry did to that.
fn of_delegated(before: u128, told: &[Told], spends: &[(u8, Option<Vec<Vec<(u128, u128)>>>)]) -> Testimony {
    let attempt = signature(ATTEMPT);
    let entry = |(number, spends): &(u8, Option<_>)| {
        (signature(*number), Entry { steps: None, spends: spends.clone(), begins: false, zeros: vec![77] })
    };
    let entries = spends.iter().map(entry).collect();
    let facts =
        Facts { attempt: &attempt, before: BEFORE, delegated: Some(before), told, final_at: 190, entries: &entries };
    facts.testimony()
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

#[test]
fn a_delegated_amount_that_is_what_it_was_proves_what_a_moved_balance_does_not() {
    let untouched = [(1, Some(Vec::new()))];
    assert_eq!(of_delegated(500, &[told(13, &[1])], &untouched), Testimony::DelegationExplained);
    assert_eq!(of_delegated(501, &[told(13, &[1])], &untouched), Testimony::MovedAndListed, "it was lowered");
    let two = |delegated| [told(13, &[1]), Told { delegated, ..told(13, &[]) }];
    assert_eq!(of_delegated(500, &two(Some(500)), &untouched), Testimony::DelegationExplained);
    assert_eq!(of_delegated(500, &two(Some(501)), &untouched), Testimony::Moved, "on all that are asked");
    assert_eq!(of_delegated(500, &two(None), &untouched), Testimony::Moved, "there is no account any more");
    let listed = told(13, &[1, ATTEMPT]);
    assert_eq!(of_delegated(500, &[listed], &untouched), Testimony::Moved, "the attempt is in the list");
}

#[test]
fn what_others_of_ours_took_from_the_delegated_amount_is_explained() {
    let taken = |to| [(1, Some(vec![vec![(40, 41), (498, to)]])), (2, Some(vec![vec![(41, 42), (499, 500)]]))];
    assert_eq!(of_delegated(498, &[told(42, &[2, 1])], &taken(499)), Testimony::DelegationExplained);
    assert_eq!(of_delegated(498, &[told(42, &[2, 1])], &taken(497)), Testimony::MovedAndListed, "a gap");
}

/// A ciphertext that is approved again brings its handle back, so what is delegated says nothing any more.
#[test]
fn an_approve_voids_the_delegated_amount_and_so_does_an_entry_that_nobody_read() {
    assert_eq!(of_delegated(500, &[told(13, &[1])], &[(1, None)]), Testimony::MovedAndListed);
    assert_eq!(of_delegated(500, &[told(13, &[1, 2])], &[(1, Some(Vec::new()))]), Testimony::Moved, "one was not read");
    assert_eq!(of_delegated(0, &[Told { delegated: Some(0), ..told(13, &[]) }], &[]), Testimony::MovedAndListed);
    let zero = Told { delegated: Some(77), ..told(13, &[1]) };
    assert_eq!(of_delegated(77, &[zero], &[(1, Some(Vec::new()))]), Testimony::MovedAndListed, "it is everybody's");
}
