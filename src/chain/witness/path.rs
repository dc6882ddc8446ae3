//! Whether an account's history explains how its balance came from one handle to another.

use crate::chain::witness::entries::Edge;
use std::collections::{HashMap, HashSet};

/// What each of one transaction's instructions may have done to a handle; none where that cannot be read.
pub(super) type Steps<'a> = Option<&'a [Vec<Edge>]>;

/// Every handle from `before` on, in the order in which the entries made them: each entry's first operand is the handle
/// that was there, its result the next one. None where an entry is left over, cannot be read, or has no place.
pub(super) fn path<'a>(before: u128, entries: impl IntoIterator<Item = Steps<'a>>) -> Option<Vec<u128>> {
    let steps: Vec<&[Vec<Edge>]> = entries.into_iter().collect::<Option<_>>()?;
    let mut starts: HashMap<u128, Vec<usize>> = HashMap::new();
    for (place, steps) in steps.iter().enumerate() {
        for (first, _) in steps.first().into_iter().flatten() {
            starts.entry(*first).or_default().push(place);
        }
    }
    let mut left: HashSet<usize> = (0..steps.len()).filter(|place| !steps[*place].is_empty()).collect();
    let mut handles = vec![before];
    while !left.is_empty() {
        let current = *handles.last()?;
        // A handle names everything that made it, so at most one entry follows it: whichever order a slot's entries are in.
        let follows = |place: &&usize| left.contains(*place) && through(current, steps[**place]).is_some();
        let next = *starts.get(&current)?.iter().find(follows)?;
        left.remove(&next);
        handles.extend(through(current, steps[next])?);
    }
    Some(handles)
}

/// The handles that one entry makes of `current`, if it follows it.
pub(super) fn through(current: u128, steps: &[Vec<Edge>]) -> Option<Vec<u128>> {
    let mut handles = Vec::with_capacity(steps.len());
    for edges in steps {
        let from = handles.last().copied().unwrap_or(current);
        let (_, to) = edges.iter().find(|(first, _)| *first == from)?;
        handles.push(*to);
    }
    Some(handles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(steps: Option<&[&[Edge]]>) -> Option<Vec<Vec<Edge>>> {
        steps.map(|steps| steps.iter().map(|edges| edges.to_vec()).collect())
    }

    fn of(before: u128, entries: &[Option<Vec<Vec<Edge>>>]) -> Option<Vec<u128>> {
        path(before, entries.iter().map(Option::as_deref))
    }

    #[test]
    fn entries_are_joined_in_whatever_order_they_are_told() {
        let all = [entry(Some(&[&[(3, 4)]])), entry(Some(&[])), entry(Some(&[&[(9, 8), (1, 2)], &[(2, 3)]]))];
        assert_eq!(
            of(1, &all),
            Some(vec![1, 2, 3, 4]),
            "two instructions of one transaction, and one that moves nothing"
        );
        assert_eq!(of(1, &[]), Some(vec![1]));
    }

    #[test]
    fn a_gap_an_entry_too_many_and_one_that_cannot_be_read_explain_nothing() {
        let first = || entry(Some(&[&[(1, 2)]]));
        assert_eq!(of(1, &[first(), entry(Some(&[&[(3, 4)]]))]), None, "one in between is hidden");
        assert_eq!(of(1, &[first(), first()]), None, "each is used once");
        assert_eq!(of(1, &[first(), entry(None)]), None);
        assert_eq!(of(5, &[first()]), None, "it begins elsewhere");
    }
}
