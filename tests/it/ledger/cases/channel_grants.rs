//! Channels and the grant that they stand on: what replaces it, what a fork takes back of it, how far it goes, and what is held.

use super::{
    channels::{channel_id, close_id, drawn, ends, in_flight, lands, opened, opens, plan, record, refused, standing},
    delegations::{self, confirmed, grants, issued, issues, renewal},
};
use crate::ledger::build::{NOW, abandoned, absent, amount, key, landed, recorded};
use sotto::{
    domain::{
        amount::Amount,
        mpp::{
            channel::{ChannelState, plan::NotOpened},
            delegation::{DelegationState, IssuePlan, IssuedKind},
        },
        settlement::{Event, HeldBecause, Settlement},
    },
    ledger::{ChannelOpened, Ledger, WasIssued},
};

/// The settlement of what the first channel owes, where it may be planned.
async fn settles(ledger: &dyn Ledger, close: u32) -> Option<Settlement> {
    ledger.settle_channel(channel_id(1), close_id(close), NOW).await.expect("answers")
}

async fn written_off(ledger: &dyn Ledger) -> Vec<u64> {
    let lost = ledger.write_off_account(&key(43, 1)).await.expect("answers");
    lost.into_iter().map(|(_, lost)| lost.get()).collect()
}

pub(crate) async fn nothing_new_stands_on_a_grant_that_is_being_replaced(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    opened(ledger, 1, 1, 1_000).await;
    drawn(ledger, 1, 40).await.expect("drawn");
    issued(ledger, &renewal(1, 200, 1, 6_000)).await;
    let renewed = confirmed(ledger, 200).await.settlement;
    assert_eq!(refused(ledger, &plan(1, 2, 10)).await, NotOpened::Renewing);
    let (closing, none) = ends(ledger, 1, 1).await;
    assert_eq!((closing.channel.state, none), (ChannelState::Closing, None), "it waits");
    let shares =
        ledger.plan_shares(&key(43, 1), amount(40), vec![close_id(2)], Amount::ONE, NOW).await.expect("answers");
    assert_eq!((shares, settles(ledger, 3).await, written_off(ledger).await), (Vec::new(), None, Vec::new()));
    recorded(ledger, &renewed, landed()).await;
    let planned = settles(ledger, 4).await.expect("planned");
    assert_eq!(record(ledger, 1).await.settling.map(|settling| settling.generation), Some(1), "by the new one");
    lands(ledger, &planned, 3_100).await;
    assert_eq!(standing(ledger, 1).await, (0, 0, 0, 1, 40));
    // And the other way round: while it is on its way no grant is replaced, whichever message would.
    for kind in [IssuedKind::GrantRole, IssuedKind::CreateSessionAccount] {
        let next = IssuePlan { kind, ..renewal(1, 201, 2, 6_000) };
        assert_eq!(issues(ledger, &next).await, WasIssued::NotCovered, "{kind:?}");
    }
    let mut next = plan(1, 2, 10);
    next.terms.generation = 1;
    assert!(matches!(opens(ledger, &next).await, ChannelOpened::New(..)));
}

pub(crate) async fn a_grant_that_a_fork_took_back_pays_nothing_and_keeps_no_channel_from_ending(ledger: &dyn Ledger) {
    let onboarded = delegations::lands(ledger, &delegations::plan(1, 101), 101).await;
    opened(ledger, 1, 1, 500).await;
    drawn(ledger, 1, 40).await.expect("drawn");
    let taken = recorded(ledger, &onboarded, Event::TakenBack).await;
    let (closing, none) = ends(ledger, 1, 1).await;
    assert_eq!((closing.channel.state, none, settles(ledger, 2).await), (ChannelState::Closing, None, None));
    assert!(written_off(ledger).await.is_empty(), "it may land again");
    let gone = recorded(ledger, &taken, absent()).await;
    recorded(ledger, &gone, abandoned()).await;
    assert_eq!((settles(ledger, 3).await, written_off(ledger).await), (None, vec![40]));
    assert_eq!(record(ledger, 1).await.channel.state, ChannelState::Closed);
}

pub(crate) async fn no_more_moves_than_was_granted_whatever_the_account_has(ledger: &dyn Ledger) {
    // Its account has ten thousand, and so much is approved.
    grants(ledger, 1, 1_000).await;
    assert_eq!(refused(ledger, &plan(1, 1, 1_001)).await, NotOpened::InsufficientBalance);
    opened(ledger, 1, 1, 900).await;
    drawn(ledger, 1, 900).await.expect("drawn");
    let planned = settles(ledger, 1).await.expect("planned");
    lands(ledger, &planned, 3_100).await;
    assert_eq!(standing(ledger, 1).await, (1, 0, 0, 1, 900));
    assert_eq!(refused(ledger, &plan(1, 2, 101)).await, NotOpened::InsufficientBalance);
    opened(ledger, 1, 2, 100).await;
}

pub(crate) async fn what_is_held_takes_no_place_of_what_may_be_in_flight(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    opened(ledger, 1, 1, 1_000).await;
    drawn(ledger, 1, 40).await.expect("drawn");
    let (_, planned) = ends(ledger, 1, 1).await;
    let flying = in_flight(ledger, &planned.expect("planned"), 3_100).await;
    let one_at_once = |number| {
        let mut next = plan(1, number, 10);
        next.sponsored.caps.concurrency.payer = 1;
        next
    };
    assert!(matches!(refused(ledger, &one_at_once(2)).await, NotOpened::Barred(_)));
    let held = ledger.note_held(&flying, HeldBecause::Moved, NOW).await.expect("notes");
    let ChannelOpened::New(_, anchor) = opens(ledger, &one_at_once(2)).await else { panic!("not opened") };
    lands(ledger, &anchor, 3_002).await;
    // What is sent again counts again.
    let again = in_flight(ledger, &recorded(ledger, &held, absent()).await, 3_101).await;
    assert!(matches!(refused(ledger, &one_at_once(3)).await, NotOpened::Barred(_)));
    recorded(ledger, &again, landed()).await;
    let owed = record(ledger, 1).await.channel.money.owed();
    assert_eq!((owed, standing(ledger, 1).await.4), (Amount::ZERO, 40));
}

pub(crate) async fn a_fork_may_take_a_grant_back_while_the_next_is_on_its_way(ledger: &dyn Ledger) {
    let first = delegations::lands(ledger, &delegations::plan(1, 101), 101).await;
    issued(ledger, &renewal(1, 200, 1, 500)).await;
    confirmed(ledger, 200).await;
    recorded(ledger, &first, Event::TakenBack).await;
    // Both are on their way, which no look for damage takes for any.
    assert_eq!(delegations::delegation(ledger, 1).await.state, DelegationState::Pending);
}
