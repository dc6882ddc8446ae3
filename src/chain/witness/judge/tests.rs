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
    Told { after: Some(after), delegated: Some(500), at: 200, listed, whole_after: 0 }
}

/// Entry 1 makes 11 of 10, entry 2 makes 12 of 11, and so on; 4 makes 78 of 77, the handle of zero; 50 begins the account anew, 60
/// cannot be read, and 61 to 69 do nothing. Nobody tells of any other.
fn entry(number: u8) -> Option<Entry> {
    let from = 9 + u128::from(number);
    let steps = match number {
        60 => None,
        1..=3 => Some(vec![vec![(from, from + 1)]]),
        4 => Some(vec![vec![(77, 78)]]),
        _ => Some(Vec::new()),
    };
    let zeros = if matches!(number, 3 | 4) { vec![77] } else { Vec::new() };
    matches!(number, 1..=4 | 50 | 60..=69).then(|| Entry {
        steps,
        spends: Some(Vec::new()),
        begins: number == 50,
        zeros,
    })
}

fn facts<'a>(attempt: &'a Signature, before: SeenHandle, told: &'a [Told], read: &'a Readings) -> Facts<'a> {
    let is_listed_enough = told.len() > 1;
    Facts { attempt, before, delegated: None, since: before.slot, told, final_at: 190, read, is_listed_enough }
}

/// What is said in the end, and what had to be read for it, in its order.
fn all(before: SeenHandle, told: &[Told]) -> (Testimony, Vec<u8>) {
    let (attempt, mut read, mut order) = (signature(ATTEMPT), Readings::new(), Vec::new());
    loop {
        match facts(&attempt, before, told, &read).judge() {
            Judged::Says(testimony) => return (testimony, order),
            Judged::Wants(unread) => {
                assert!(!unread.is_empty() && unread.iter().all(|one| !read.contains_key(one)));
                for one in unread {
                    let number = one.as_ref()[0];
                    order.push(number);
                    read.insert(one, entry(number));
                }
            }
        }
    }
}

fn of(before: SeenHandle, told: &[Told]) -> Testimony {
    all(before, told).0
}

/// What an entry did to the amount that the account delegates; none where that cannot be read.
type Spends = Option<Vec<Vec<(u128, u128)>>>;

/// Of an account whose balance has moved beyond explanation and that delegated `before`, with what each entry did to that.
fn of_delegated(before: u128, told: &[Told], spends: &[(u8, Spends)]) -> Testimony {
    let (attempt, mut read) = (signature(ATTEMPT), Readings::new());
    for (number, spends) in spends {
        let entry = Entry { steps: None, spends: spends.clone(), begins: false, zeros: vec![77] };
        read.insert(signature(*number), Some(entry));
    }
    loop {
        let facts = Facts { delegated: Some(before), ..facts(&attempt, BEFORE, told, &read) };
        match facts.judge() {
            Judged::Says(testimony) => return testimony,
            Judged::Wants(unread) => read.extend(unread.into_iter().map(|one| (one, None))),
        }
    }
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
    let newer = Told { listed: vec![listed(2, 197), listed(1, 101)], ..told(12, &[]) };
    let hides = Told { at: 195, ..told(11, &[]) };
    assert_eq!(of(BEFORE, &[newer, hides]), Testimony::Explained, "one is read a moment earlier, and hides one");
}

#[test]
fn a_list_that_differs_ends_early_or_holds_the_attempt_proves_nothing() {
    assert_eq!(of(BEFORE, &[told(13, &[1]), told(13, &[])]), Testimony::Moved);
    let early = Told { whole_after: 101, ..told(13, &[1]) };
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
    let later = Told { listed: vec![listed(3, 195), listed(61, 150)], ..told(77, &[]) };
    assert_eq!(of(zero(77), &[later, told(77, &[])]), Testimony::Moved, "it is told by an entry of later");
    let explained = |one: &[u8], other: &[u8]| of(zero(77), &[told(78, one), told(78, other)]);
    assert_eq!(explained(&[4], &[4]), Testimony::Explained);
    assert_eq!(explained(&[4], &[4, 61]), Testimony::Moved, "a path that starts from it proves nothing either");
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

/// What the payer does later makes the window no longer, and the first step of it shows that nothing is hidden at its end.
#[test]
fn what_comes_after_the_window_is_read_as_far_as_it_takes() {
    let later = |slots: [u64; 3], after| {
        let [second, third, nothing] = slots;
        vec![Told {
            listed: vec![listed(3, third), listed(2, second), listed(61, nothing), listed(1, 101)],
            ..told(after, &[])
        }]
    };
    assert_eq!(all(BEFORE, &later([195, 196, 192], 13)), (Testimony::Explained, vec![1, 61, 2]));
    assert_eq!(all(BEFORE, &later([195, 196, 197], 13)), (Testimony::Explained, vec![1, 2]));
    // An attempt hidden at the end of the window made 11 of 10.
    let hidden = vec![Told { listed: vec![listed(3, 196), listed(2, 195)], ..told(13, &[]) }];
    assert_eq!(
        all(BEFORE, &hidden),
        (Testimony::MovedAndListed, vec![2]),
        "the step does not begin where the window ends"
    );
    let now = vec![Told { listed: vec![listed(61, 195), listed(1, 101)], ..told(11, &[]) }];
    assert_eq!(all(BEFORE, &now), (Testimony::Explained, vec![1, 61]), "nothing has moved since, and it is what it is");
    let hidden = vec![Told { listed: vec![listed(61, 195), listed(1, 101)], ..told(12, &[]) }];
    assert_eq!(of(BEFORE, &hidden), Testimony::MovedAndListed, "what made 12 is hidden");
    for bad in [50, 60, 70] {
        let bad = vec![Told { listed: vec![listed(2, 196), listed(bad, 195), listed(1, 101)], ..told(12, &[]) }];
        assert_eq!(of(BEFORE, &bad), Testimony::MovedAndListed, "what cannot be read, or begins anew, is no step");
    }
}

#[test]
fn a_step_after_the_window_is_one_that_all_list_who_could() {
    let of = |other: Told| of(BEFORE, &[Told { listed: vec![listed(2, 195), listed(1, 101)], ..told(12, &[]) }, other]);
    let lists = Told { listed: vec![listed(2, 195)], ..told(12, &[]) };
    assert_eq!(of(lists), Testimony::Explained);
    assert_eq!(of(told(12, &[])), Testimony::Moved, "one of them hides it, or the other has made it up");
}

/// Where several voices tell the same, what comes later is not read at all.
#[test]
fn equal_lists_need_nothing_of_what_comes_later() {
    let told = || Told { listed: vec![listed(3, 196), listed(2, 195), listed(1, 101)], ..told(13, &[]) };
    assert_eq!(all(BEFORE, &[told(), told()]), (Testimony::MovedAndListed, vec![1]));
}

#[test]
fn an_unmoved_balance_needs_everything_since() {
    let told = Told { listed: vec![listed(61, 195), listed(62, 150)], ..told(10, &[]) };
    assert_eq!(all(BEFORE, &[told]), (Testimony::Unmoved, vec![62, 61]));
    let anew = Told { listed: vec![listed(50, 195)], ..self::told(10, &[]) };
    assert_eq!(of(BEFORE, &[anew]), Testimony::MovedAndListed, "it began anew after the window");
}

/// The handle before may be newer than the attempt, or told with a slot of a liar's choice: the lists reach back to the signing.
#[test]
fn lists_are_compared_from_where_the_attempt_was_signed() {
    let before = SeenHandle { handle: 10, slot: 150 };
    let (attempt, mut read) = (signature(ATTEMPT), Readings::new());
    read.insert(signature(1), entry(1));
    let lists = [told(13, &[1]), told(13, &[])];
    let facts = Facts { since: 100, ..facts(&attempt, before, &lists, &read) };
    assert_eq!(facts.judge(), Judged::Says(Testimony::Moved));
}

#[test]
fn a_window_that_is_too_long_is_not_read() {
    let many = |count: usize| {
        let listed = (0..count).map(|number| {
            let mut bytes = [7; 64];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            Listed { signature: Signature::from(bytes), ..listed(1, 150) }
        });
        vec![Told { listed: listed.collect(), ..told(10, &[]) }]
    };
    let (attempt, read) = (signature(ATTEMPT), Readings::new());
    let judged = |told: &[Told]| facts(&attempt, BEFORE, told, &read).judge();
    assert!(matches!(judged(&many(MOST_ENTRIES)), Judged::Wants(unread) if unread.len() == MOST_ENTRIES));
    assert_eq!(judged(&many(MOST_ENTRIES + 1)), Judged::Says(Testimony::Moved));
}
