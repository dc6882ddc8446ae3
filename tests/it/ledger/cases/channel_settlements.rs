//! What is settled of channels, what of it a fork takes back, and what nobody can pay any more.

use super::{
    channels::{channel, channel_id, close_id, drawn, ends, in_flight, lands, opened, opens, plan, standing},
    delegations::grants,
};
use crate::ledger::build::{NOW, abandoned, absent, amount, key, landed, recorded};
use sotto::{
    domain::{
        amount::Amount,
        mpp::channel::{ChannelState, EndReason, draw::NotDrawn},
        reason::PayReason,
        settlement::{Event, SettlementId},
    },
    ledger::{ChannelOpened, ChannelTimes, Ledger},
};

const TIMES: ChannelTimes = ChannelTimes { grace: 10, most_owed: 500 };

pub(crate) async fn a_fork_reopens_what_its_settlement_closed(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    opened(ledger, 1, 1, 1_000).await;
    drawn(ledger, 1, 40).await.expect("drawn");
    let (_, planned) = ends(ledger, 1, 1).await;
    let settlement = lands(ledger, &planned.expect("planned"), 3_100).await;
    assert_eq!(standing(ledger, 1).await, (0, 0, 0, 1, 40));
    let taken = recorded(ledger, &settlement, Event::TakenBack).await;
    let reopened = channel(ledger, 1).await;
    assert_eq!((reopened.state, reopened.money.settled), (ChannelState::Closing, Amount::ZERO));
    assert_eq!(standing(ledger, 1).await, (1, 1_000, 40, 1, 0));
    let reserved = recorded(ledger, &taken, absent()).await;
    let again = lands(ledger, &reserved, 3_101).await;
    recorded(ledger, &again, Event::Finalised).await;
    assert_eq!(channel(ledger, 1).await.state, ChannelState::Closed);
    assert_eq!(standing(ledger, 1).await, (0, 0, 0, 0, 40));
}

pub(crate) async fn a_channel_is_settled_in_between_and_once_at_a_time(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    opened(ledger, 1, 1, 1_000).await;
    assert_eq!(ledger.settle_channel(channel_id(1), close_id(1), NOW).await.expect("answers"), None, "nothing is owed");
    drawn(ledger, 1, 40).await.expect("drawn");
    let first = ledger.settle_channel(channel_id(1), close_id(1), NOW).await.expect("answers").expect("planned");
    drawn(ledger, 1, 70).await.expect("goes on");
    assert_eq!(ledger.settle_channel(channel_id(1), close_id(2), NOW).await.expect("answers"), None, "one at a time");
    let (closing, none) = ends(ledger, 1, 3).await;
    assert_eq!((closing.channel.state, none), (ChannelState::Closing, None));
    let first = lands(ledger, &first, 3_100).await;
    assert_eq!(
        (channel(ledger, 1).await.money.owed(), channel(ledger, 1).await.state),
        (amount(30), ChannelState::Closing)
    );
    assert_eq!(ends(ledger, 1, 4).await.1, None, "the first is not final");
    recorded(ledger, &first, Event::Finalised).await;
    let (_, second) = ends(ledger, 1, 5).await;
    lands(ledger, &second.expect("planned"), 3_101).await;
    assert_eq!(channel(ledger, 1).await.money.closing().amount_settled, amount(70));
    let counts = ledger.channel_counts().await.expect("reads");
    assert_eq!((counts.open, counts.vouchers, counts.settled), (0, 2, amount(70)));
}

pub(crate) async fn what_is_available_is_divided_and_the_rest_written_off(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    let account = key(43, 1);
    for (number, owed) in [(1, 300), (2, 100), (3, 0)] {
        opened(ledger, 1, number, 1_000).await;
        if owed > 0 {
            drawn(ledger, number, owed).await.expect("drawn");
        }
    }
    let counts = ledger.channel_counts().await.expect("reads");
    assert_eq!((counts.open, counts.vouchers, counts.settled), (3, 2, amount(0)));
    let ended = ledger.end_channels_of(&account, EndReason::Balance, NOW + 5).await;
    assert_eq!(ended.expect("answers"), 3);
    assert_eq!(channel(ledger, 3).await.state, ChannelState::Closed, "it owes nothing");
    let ids: Vec<SettlementId> = (1..=3).map(close_id).collect();
    let planned = ledger.plan_shares(&account, amount(201), ids.clone(), Amount::ONE, NOW).await.expect("answers");
    let shares: Vec<u64> = planned.iter().map(|settlement| settlement.amount.get()).collect();
    assert_eq!(shares, [151, 50], "in proportion, the odd unit to the oldest");
    assert!(
        ledger.plan_shares(&account, amount(201), ids, Amount::ONE, NOW).await.expect("answers").is_empty(),
        "they are on their way"
    );
    assert_eq!(ledger.write_off_account(&account).await.expect("answers"), [], "what is on its way is not lost");
    let flying = in_flight(ledger, &planned[0], 3_100).await;
    assert_eq!(ledger.account_standing(&account).await.expect("reads").in_flight, 151);
    let first = recorded(ledger, &flying, landed()).await;
    let second = lands(ledger, &planned[1], 3_101).await;
    assert_eq!(ledger.account_standing(&account).await.expect("reads").in_flight, 0);
    let stands = ledger.account_standing(&account).await.expect("reads");
    assert_eq!((stands.landed_slot, stands.channels.len()), (210, 2), "a reading from before is no judge");
    recorded(ledger, &first, Event::Finalised).await;
    recorded(ledger, &second, Event::Finalised).await;
    let lost = ledger.write_off_account(&account).await.expect("answers");
    assert_eq!(lost, [(channel_id(1), amount(149)), (channel_id(2), amount(50))]);
    let closed = channel(ledger, 1).await;
    assert_eq!(
        (closed.state, closed.shortfall, closed.reason),
        (ChannelState::Closed, amount(149), Some(EndReason::Balance))
    );
    assert_eq!(drawn(ledger, 1, 300).await, Err(NotDrawn::NotOpen), "what was not paid is not shown again");
    assert_eq!(standing(ledger, 1).await, (0, 0, 0, 0, 201));
}

pub(crate) async fn a_settlement_that_fails_is_planned_anew_and_then_written_off(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    opened(ledger, 1, 1, 1_000).await;
    drawn(ledger, 1, 40).await.expect("drawn");
    let mut planned = ends(ledger, 1, 1).await.1.expect("planned");
    for number in 1..=3 {
        let flying = in_flight(ledger, &planned, 3_100 + number).await;
        recorded(ledger, &flying, Event::Refused { slot: 5, reason: PayReason::OnchainTransferFailed }).await;
        assert_eq!(channel(ledger, 1).await.refusals, number);
        planned = ends(ledger, 1, 1 + number).await.1.expect("planned anew");
    }
    recorded(ledger, &planned, abandoned()).await;
    assert_eq!(channel(ledger, 1).await.refusals, 3, "what was never sent failed by nobody");
    let lost = ledger.write_off_channel(channel_id(1), EndReason::SellerAccount).await.expect("answers");
    let closed = channel(ledger, 1).await;
    assert_eq!((lost, closed.shortfall, closed.reason), (amount(40), amount(40), Some(EndReason::SellerAccount)));
    assert_eq!(ledger.write_off_channel(channel_id(1), EndReason::Buyer).await.expect("answers"), Amount::ZERO);
    assert_eq!(standing(ledger, 1).await, (0, 0, 0, 0, 0));
    // What its seller's account refused is no failure of the buyer's, whom we go on to sponsor.
    opened(ledger, 1, 2, 1_000).await;
}

pub(crate) async fn channels_are_due_by_idleness_by_their_end_and_by_what_they_owe(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    opened(ledger, 1, 1, 1_000).await;
    let due = async |now| {
        let found = ledger.due_channels(TIMES, now).await.expect("reads");
        found.iter().map(|channel| channel.terms.id).collect::<Vec<_>>()
    };
    assert_eq!(due(NOW + 109).await, []);
    assert_eq!(due(NOW + 110).await, [channel_id(1)], "idle and grace are over");
    let mut busy = plan(1, 2, 1_000);
    busy.terms.idle_timeout = 5_000;
    let ChannelOpened::New(_, planned) = opens(ledger, &busy).await else { panic!("not opened") };
    lands(ledger, &planned, 3_002).await;
    ends(ledger, 1, 1).await;
    assert_eq!(due(NOW + 501).await, []);
    drawn(ledger, 2, 5).await.expect("drawn");
    assert_eq!(due(NOW + 500).await, []);
    assert_eq!(due(NOW + 501).await, [channel_id(2)], "it owes for too long");
    let between = ledger.settle_channel(channel_id(2), close_id(9), NOW).await.expect("answers").expect("planned");
    assert_eq!(due(NOW + 501).await, [], "and is being settled");
    lands(ledger, &between, 3_050).await;
    assert_eq!(due(NOW + 999).await, []);
    assert_eq!(due(NOW + 1_000).await, [channel_id(2)], "its time is over");
}

pub(crate) async fn vouchers_are_forgotten_when_nothing_needs_them_but_the_last(ledger: &dyn Ledger) {
    grants(ledger, 1, 5_000).await;
    opened(ledger, 1, 1, 1_000).await;
    for sum in 1..=5 {
        assert_eq!(drawn(ledger, 1, sum).await, Ok(sum));
    }
    assert_eq!(ledger.prune_vouchers(NOW + 99, 10).await.expect("answers"), 0, "it is open");
    let (_, planned) = ends(ledger, 1, 1).await;
    lands(ledger, &planned.expect("planned"), 3_100).await;
    assert_eq!(ledger.prune_vouchers(NOW + 60, 10).await.expect("answers"), 0, "not old enough");
    assert_eq!(ledger.prune_vouchers(NOW + 61, 3).await.expect("answers"), 3);
    assert_eq!(ledger.prune_vouchers(NOW + 61, 3).await.expect("answers"), 1);
    assert_eq!(ledger.prune_vouchers(NOW + 61, 3).await.expect("answers"), 0);
    assert_eq!(drawn(ledger, 1, 5).await, Ok(5), "the last one stays");
    assert_eq!(drawn(ledger, 1, 4).await, Err(NotDrawn::NotOpen));
    assert_eq!(channel(ledger, 1).await.sequence, 5, "and so does their number");
}
