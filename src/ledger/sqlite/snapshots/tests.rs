//! What is kept, what is forgotten, and which reader may put in what it read.

use crate::ledger::sqlite::snapshots::{Change, Snapshots};
use crate::{
    domain::{
        samples::{self, amount as units},
        session::Session,
    },
    ledger::sqlite::statements::VerbError,
};
use std::num::NonZeroUsize;

fn session(n: u8, held: u64) -> Session {
    Session { captured: units(100), held: units(held), ..samples::session(n) }
}

fn read(snapshots: &Snapshots, row: i64, session: &Session) {
    let found = snapshots.read(|| Ok(Some((row, session.clone())))).expect("reads").expect("is there");
    assert_eq!(*found, *session);
}

#[test]
fn what_was_read_is_kept_and_counted_up() {
    let (snapshots, one) = (Snapshots::default(), session(1, 0));
    assert_eq!(snapshots.find(one.id), None);
    read(&snapshots, 7, &one);
    snapshots.apply([Change::Spent(7, units(130)), Change::Spent(7, units(150))]);
    assert_eq!(snapshots.find(one.id).map(|kept| kept.held), Some(units(50)), "150 spent, of which 100 are captured");
}

#[test]
fn whatever_else_changes_a_row_has_it_read_again() {
    let (snapshots, one) = (Snapshots::default(), session(1, 0));
    for last in [Change::Anything(7), Change::Spent(7, units(99))] {
        read(&snapshots, 7, &one);
        snapshots.apply([Change::Spent(7, units(130)), last]);
        assert_eq!(snapshots.find(one.id), None, "{last:?}");
    }
    read(&snapshots, 7, &one);
    snapshots.apply([Change::Anything(8)]);
    assert!(snapshots.find(one.id).is_some(), "other rows are other rows");
}

#[test]
fn a_row_that_changed_while_it_was_read_is_not_kept() {
    let (snapshots, old) = (Snapshots::default(), session(1, 0));
    for change in [Change::Spent(7, units(130)), Change::Anything(7)] {
        let read = snapshots.read(|| {
            // Committed after the reader's view of the database began.
            snapshots.apply([change]);
            Ok(Some((7, old.clone())))
        });
        assert!(read.is_ok());
        assert_eq!(snapshots.find(old.id), None, "{change:?}");
    }
}

#[test]
fn a_reader_that_comes_late_is_corrected_by_the_commit_it_missed() {
    let (snapshots, old) = (Snapshots::default(), session(1, 0));
    read(&snapshots, 7, &old);
    // Both readers began before the commit; the second puts its row in while the writer is about to tell.
    let second = snapshots.read(|| Ok(Some((7, old.clone()))));
    assert!(second.is_ok());
    snapshots.apply([Change::Spent(7, units(130))]);
    assert_eq!(snapshots.find(old.id).map(|kept| kept.held), Some(units(30)));
}

#[test]
fn a_slow_reader_puts_nothing_over_what_has_been_counted_up_since() {
    let (snapshots, old) = (Snapshots::default(), session(1, 0));
    let slow = snapshots.read(|| {
        // A faster reader of the same row, and a commit that finds it kept.
        read(&snapshots, 7, &old);
        snapshots.apply([Change::Spent(7, units(130))]);
        Ok(Some((7, old.clone())))
    });
    assert_eq!(slow.expect("reads").map(|found| found.held), Some(units(30)), "it is told what is kept");
    assert_eq!(snapshots.find(old.id).map(|kept| kept.held), Some(units(30)));
}

#[test]
fn a_slow_reader_does_not_bring_back_what_was_counted_up_and_evicted() {
    let (snapshots, old) = (Snapshots::keeping(NonZeroUsize::MIN), session(1, 0));
    let slow = snapshots.read(|| {
        read(&snapshots, 7, &old);
        snapshots.apply([Change::Spent(7, units(130))]);
        read(&snapshots, 8, &session(2, 0));
        Ok(Some((7, old.clone())))
    });
    assert!(slow.is_ok());
    assert_eq!(snapshots.find(old.id), None);
}

#[test]
fn only_so_many_are_kept_and_rows_go_with_them() {
    let snapshots = Snapshots::keeping(NonZeroUsize::MIN);
    read(&snapshots, 1, &session(1, 0));
    read(&snapshots, 2, &session(2, 0));
    assert_eq!(snapshots.find(session(1, 0).id), None);
    assert!(snapshots.find(session(2, 0).id).is_some());
    assert_eq!(snapshots.lock().ids.len(), 1);
}

#[test]
fn nothing_is_kept_of_what_is_not_there_or_not_readable() {
    let snapshots = Snapshots::default();
    assert!(matches!(snapshots.read(|| Ok(None)), Ok(None)));
    let failed = snapshots.read(|| Err(VerbError::Database(rusqlite::Error::InvalidQuery)));
    assert!(failed.is_err());
    assert!(snapshots.lock().sessions.is_empty());
}

#[test]
fn a_verb_that_touched_more_than_it_tells_of_is_not_believed() {
    let spent = Some(units(5));
    let all = |touched: &[i64], spent| Change::all(touched, spent).collect::<Vec<_>>();
    assert_eq!(all(&[3], spent), [Change::Spent(3, units(5))]);
    assert_eq!(all(&[3, 3], spent), [Change::Spent(3, units(5))]);
    assert_eq!(all(&[3, 4], spent), [Change::Anything(3), Change::Anything(4)]);
    assert_eq!(all(&[3], None), [Change::Anything(3)]);
    assert_eq!(all(&[], spent), []);
}
