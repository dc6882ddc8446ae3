//! Where a channel stands by time, and whether it gives a voucher.

use super::{
    Authorisation, Channel, ChannelState, ChannelTerms, EndReason, LIFETIME, Standing,
    draw::{
        BuyerSums, CreditLine, Draw, DrawContext, DrawnVoucher, NotDrawn, VoucherLimits, VoucherUse, is_meter,
        is_server_nonce, judge, judge_known,
    },
    expiry,
};
use crate::domain::{
    amount::Amount,
    mpp::{
        channel_id::PublicId,
        money::{ChannelMoney, Reading, Role},
        voucher::MAX_SEQUENCE,
    },
    samples::amount,
};
use solana_pubkey::Pubkey;

const OPENED: u64 = 1_000;
const GRACE: u64 = 300;

fn channel() -> Channel {
    let key = |number| Pubkey::new_from_array([number; 32]);
    Channel {
        terms: ChannelTerms {
            id: PublicId::from_bytes([1; 16]),
            buyer: key(1),
            seller: key(2),
            mint: key(3),
            account: key(4),
            generation: 0,
            signer: key(5),
            program: key(6),
            deposit: amount(1_000),
            idle_timeout: 7_200,
            opened_at: OPENED,
            expires_at: OPENED + 100_000,
            certificate: [7; 64],
            authorised: Authorisation::Proof,
        },
        state: ChannelState::Open,
        reason: None,
        money: ChannelMoney { deposit: amount(1_000), cumulative: amount(100), settled: Amount::ZERO },
        shortfall: Amount::ZERO,
        sequence: 3,
        active_at: OPENED + 50,
        owed_since: Some(OPENED),
        ended_at: None,
        refusals: 0,
        parts: 0,
    }
}

fn draw(cumulative: u64) -> Draw {
    Draw {
        channel: PublicId::from_bytes([1; 16]),
        cumulative: amount(cumulative),
        meter: "request".to_owned(),
        units: 1,
        server_nonce: "n".to_owned(),
    }
}

fn context() -> DrawContext {
    DrawContext {
        reading: Reading { role: Role::Live, balance: 500, remaining: 400 },
        sums: BuyerSums { owed: 100, owed_to_seller: 100, drawn_today: 3 },
        used: VoucherUse { second: OPENED + 60, in_second: 2, in_day: 3 },
        limits: VoucherLimits { of_channel_per_second: 3, of_payer_per_day: 4, credit_line: None },
        now: OPENED + 60,
    }
}

#[test]
fn words_lead_back() {
    for state in ChannelState::ALL {
        assert_eq!(ChannelState::from_word(state.word()), Some(state));
    }
    for reason in EndReason::ALL {
        assert_eq!(EndReason::from_word(reason.word()), Some(reason));
    }
    for way in Authorisation::ALL {
        assert_eq!(Authorisation::from_word(way.word()), Some(way));
    }
}

#[test]
fn a_channel_goes_back_only_where_a_fork_takes_its_settlement_back() {
    use ChannelState::{Closed, Closing, Failed, Open, Opening};
    let arrows =
        [(Opening, Open), (Opening, Failed), (Open, Closing), (Open, Closed), (Closing, Closed), (Closed, Closing)];
    for from in ChannelState::ALL {
        for to in ChannelState::ALL {
            assert_eq!(from.may_become(to), arrows.contains(&(from, to)), "{from:?} {to:?}");
        }
        assert_eq!(from.is_live(), [Opening, Open, Closing].contains(&from));
    }
}

#[test]
fn idle_leads_to_grace_and_grace_to_the_end() {
    let channel = channel();
    let idle = channel.active_at + 7_200;
    assert_eq!(channel.standing(idle - 1), Standing::Written(ChannelState::Open));
    assert_eq!((channel.standing(idle), channel.standing(idle).word()), (Standing::Grace, "grace"));
    assert_eq!(channel.is_over(idle + GRACE - 1, GRACE), None);
    assert_eq!(channel.is_over(idle + GRACE, GRACE), Some(EndReason::Idle));
    let revived = Channel { active_at: idle + 10, ..channel.clone() };
    assert_eq!(revived.is_over(idle + GRACE, GRACE), None, "a voucher revives it");
    let closing = Channel { state: ChannelState::Closing, ..channel };
    assert_eq!(closing.is_over(u64::MAX, GRACE), None, "it has ended already");
    assert_eq!(closing.standing(u64::MAX), Standing::Written(ChannelState::Closing));
}

#[test]
fn before_the_first_voucher_it_waits_an_hour_at_most() {
    let fresh = Channel { sequence: 0, ..channel() };
    assert_eq!((fresh.idle_timeout(), channel().idle_timeout()), (3_600, 7_200));
    let mut short = fresh;
    short.terms.idle_timeout = 60;
    assert_eq!(short.idle_timeout(), 60);
}

#[test]
fn it_ends_before_its_grant_or_of_age() {
    assert_eq!(expiry(0, 1_000), 880);
    assert_eq!(expiry(0, u64::MAX), LIFETIME);
    let mut channel = channel();
    channel.terms.expires_at = OPENED + 60;
    assert_eq!(channel.is_over(OPENED + 59, GRACE), None);
    assert_eq!(channel.is_over(OPENED + 60, GRACE), Some(EndReason::RoleExpired));
    channel.terms.expires_at = OPENED + LIFETIME;
    assert_eq!(channel.is_over(OPENED + LIFETIME, GRACE), Some(EndReason::Lifetime));
}

#[test]
fn what_is_owed_too_long_is_told() {
    let channel = channel();
    assert!(!channel.owes_too_long(OPENED + 10, 10) && channel.owes_too_long(OPENED + 11, 10));
    let paid = Channel { owed_since: None, ..channel };
    assert!(!paid.owes_too_long(u64::MAX, 0));
}

#[test]
fn a_voucher_is_refused_by_the_first_rule_that_it_breaks() {
    let now = context();
    let with = |change: fn(&mut DrawContext)| {
        let mut changed = context();
        change(&mut changed);
        changed
    };
    let closing = Channel { state: ChannelState::Closing, ..channel() };
    let late = DrawContext { now: OPENED + 100_000, ..now };
    let gone = with(|context| context.reading.role = Role::Gone);
    let busy = with(|context| context.used.in_second = 3);
    let full = with(|context| context.sums.drawn_today = 4);
    let line = with(|context| context.limits.credit_line = Some(CreditLine::new(amount(199), amount(100))));
    let trifle = with(|context| context.limits.credit_line = Some(CreditLine::new(amount(199), amount(101))));
    let rows = [
        (&closing, 200, &gone, Err(NotDrawn::NotOpen)),
        (&channel(), 200, &late, Err(NotDrawn::NotOpen)),
        (&channel(), 50, &gone, Err(NotDrawn::RoleGone)),
        (&channel(), 100, &now, Err(NotDrawn::NotMonotonic)),
        (&channel(), 99, &now, Err(NotDrawn::NotMonotonic)),
        (&channel(), 1_001, &now, Err(NotDrawn::DepositExceeded)),
        (&channel(), 401, &now, Err(NotDrawn::InsufficientBalance)),
        (&channel(), 200, &line, Err(NotDrawn::CreditLine)),
        (&channel(), 199, &line, Ok(4)),
        (&channel(), 299, &trifle, Ok(4)),
        (&channel(), 300, &trifle, Err(NotDrawn::CreditLine)),
        (&channel(), 400, &busy, Err(NotDrawn::ChannelRate)),
        (&channel(), 400, &full, Err(NotDrawn::PayerCap)),
        (&channel(), 400, &now, Ok(4)),
        (&Channel { sequence: MAX_SEQUENCE, ..channel() }, 400, &now, Err(NotDrawn::Exhausted)),
    ];
    for (at, (channel, cumulative, context, expected)) in rows.into_iter().enumerate() {
        assert_eq!(judge(channel, &draw(cumulative), context), expected, "row {at}");
    }
}

#[test]
fn a_voucher_on_record_is_given_again_to_the_last_member_or_not_at_all() {
    let asked = draw(100);
    let known = DrawnVoucher {
        sequence: 3,
        cumulative: asked.cumulative,
        meter: asked.meter.clone(),
        units: asked.units,
        server_nonce: asked.server_nonce.clone(),
    };
    assert_eq!(judge_known(&channel(), None, &asked), None);
    assert_eq!(judge_known(&channel(), Some(&known), &asked), Some(Ok(())));
    for other in [
        DrawnVoucher { units: 2, ..known.clone() },
        DrawnVoucher { meter: "token".to_owned(), ..known.clone() },
        DrawnVoucher { server_nonce: "m".to_owned(), ..known.clone() },
    ] {
        assert_eq!(judge_known(&channel(), Some(&other), &asked), Some(Err(NotDrawn::Conflict)));
    }
    let closed = Channel { state: ChannelState::Closed, ..channel() };
    assert_eq!(judge_known(&closed, Some(&known), &asked), Some(Ok(())), "paid in full");
    let short = Channel { shortfall: Amount::ONE, ..closed };
    assert_eq!(judge_known(&short, Some(&known), &asked), Some(Err(NotDrawn::NotOpen)));
}

#[test]
fn use_is_counted_by_second_and_by_day() {
    let day = 86_400;
    let first = VoucherUse::default().and_one(day - 1);
    assert_eq!((first.in_second_at(day - 1), first.in_day_at(day - 1)), (1, 1));
    let second = first.and_one(day - 1);
    assert_eq!((second.in_second, second.in_day), (2, 2));
    let tomorrow = second.and_one(day);
    assert_eq!((tomorrow.second, tomorrow.in_second, tomorrow.in_day), (day, 1, 1));
    let back = tomorrow.and_one(day - 5);
    assert_eq!((back.second, back.in_second, back.in_day), (day, 2, 2), "a clock that goes back opens no new second");
}

#[test]
fn meters_and_nonces_are_printable_and_bounded() {
    for (text, meter, nonce) in [
        ("", false, false),
        ("request", true, true),
        (" ~", true, true),
        ("a\u{7f}", false, false),
        ("a\n", false, false),
        ("\u{e9}", false, false),
        (&"x".repeat(64), true, true),
        (&"x".repeat(65), false, true),
        (&"x".repeat(128), false, true),
        (&"x".repeat(129), false, false),
    ] {
        assert_eq!((is_meter(text), is_server_nonce(text)), (meter, nonce), "{text:?}");
    }
}
