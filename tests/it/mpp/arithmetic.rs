//! Every row of the vectors' arithmetic, by the functions that book.

use super::{amount, cases, golden, number, text};
use proptest::prelude::*;
use serde_json::Value;
use sotto::{
    chain::fees::{ComputeBudget, LAMPORTS_PER_SIGNATURE},
    domain::{
        amount::Amount,
        mpp::{
            channel_id::PublicId,
            money::{
                ChannelMoney, Claimant, EmergencyRule, Reading, Role, Verdict, may_open, owed, reserved, shares, slots,
                witness, worthwhile_shares,
            },
        },
    },
    programs::delegation::swig,
};

fn reading(account: &Value) -> Reading {
    let role = match text(account, "role") {
        "live" => Role::Live,
        "gone" => Role::Gone,
        "frozen" => Role::Frozen,
        "expired" => Role::Expired,
        other => panic!("no role: {other}"),
    };
    Reading { role, balance: number(account, "balance"), remaining: number(account, "remaining") }
}

fn amounts(case: &Value, name: &str) -> Vec<Amount> {
    let listed = case[name].as_array().expect("a list");
    listed.iter().map(|one| Amount::parse(one.as_str().expect("a text")).expect("an amount")).collect()
}

/// Holds a channel's end against a row, and the row's parts against its deposit.
fn assert_closing(money: &ChannelMoney, row: &Value, name: &str) {
    let closing = money.closing();
    let parts = [closing.amount_settled, closing.buyer_refund, closing.shortfall];
    assert_eq!(parts, ["amount_settled", "buyer_refund", "shortfall"].map(|part| amount(row, part)), "{name}");
    let sum: u128 = parts.iter().map(|part| u128::from(part.get())).sum();
    assert_eq!(sum, u128::from(money.deposit.get()), "{name}");
}

#[test]
fn a_close_accounts_for_the_whole_deposit() {
    for case in cases("/arithmetic/closes") {
        let (name, deposit, cumulative) =
            (text(case, "name"), amount(case, "deposit_atomic"), amount(case, "cumulative"));
        let opened = ChannelMoney::new(deposit, cumulative, Amount::ZERO).expect("a channel");
        let landed = amounts(case, "landed_settlements");
        let money = landed.iter().fold(opened, |money, moved| money.settle(*moved).expect("owed"));
        assert_closing(&money, case, name);
        assert_eq!(money.owed(), amount(case, "shortfall"));
    }
}

#[test]
fn nothing_is_settled_that_is_not_owed_and_nothing_owed_above_the_deposit() {
    let units = |units| Amount::new(units).expect("fits");
    let money = ChannelMoney::new(units(10), units(7), units(5)).expect("a channel");
    assert!(money.settle(units(2)).is_ok() && money.settle(units(3)).is_err());
    assert!(ChannelMoney::new(units(10), units(11), units(5)).is_err());
    assert!(ChannelMoney::new(units(10), units(7), units(8)).is_err());
    assert!(money.settle(Amount::MAX).is_err());
}

#[test]
fn a_channel_opens_only_beside_what_is_reserved() {
    let least = Amount::new(100_000).expect("fits");
    for case in cases("/arithmetic/opens") {
        let live = case["live_channels"].as_array().expect("a list").iter().map(|channel| {
            let (deposit, settled) = (amount(channel, "deposit"), amount(channel, "settled"));
            ChannelMoney::new(deposit, settled, settled).expect("a channel")
        });
        let (live, deposit) = (live.collect::<Vec<_>>(), amount(case, "deposit_atomic"));
        let reserved = reserved(&live);
        assert_eq!(reserved, number::<u128>(case, "reserved"), "{case}");
        let refusal = if deposit < least {
            Some("insufficient_deposit")
        } else {
            (!may_open(&reading(&case["account"]), reserved, deposit)).then_some("insufficient_balance")
        };
        assert_eq!(refusal, case["expect"].as_str(), "{}", text(case, "name"));
    }
}

#[test]
fn an_emergency_shares_what_is_left() {
    for case in cases("/arithmetic/emergencies") {
        let name = text(case, "name");
        let claimants: Vec<Claimant> = case["channels"].as_array().expect("a list").iter().map(claimant).collect();
        let money: Vec<ChannelMoney> = claimants.iter().map(|claimant| claimant.money).collect();
        let account = reading(&case["account"]);
        assert_eq!(account.available(), amount(case, "available"), "{name}");
        assert_eq!(owed(&money), number::<u128>(case, "owed"), "{name}");
        assert_eq!(reserved(&money), number::<u128>(case, "reserved"), "{name}");
        let rule = if text(case, "rule") == "owed" { EmergencyRule::Owed } else { EmergencyRule::Reserve };
        let is_broken = rule.is_broken(&account, number(case, "in_flight"), &money);
        assert_eq!(is_broken, case["emergency"].as_bool().expect("a flag"), "{name}");
        if let Some(after) = case["after"].as_array() {
            assert_shares(&claimants, account.available(), after, name);
            let sent = shares(account.available(), &claimants).iter().filter(|share| **share != Amount::ZERO).count();
            assert_eq!(sent as u64, case["transactions"].as_u64().expect("a number"), "{name}");
        }
    }
}

fn claimant(channel: &Value) -> Claimant {
    let money =
        ChannelMoney::new(amount(channel, "deposit"), amount(channel, "cumulative"), amount(channel, "settled"));
    Claimant {
        channel: text(channel, "public_id").parse().expect("a public id"),
        opened_at: channel["opened_at"].as_u64().expect("a time"),
        money: money.expect("a channel"),
        parts: 0,
    }
}

fn assert_shares(claimants: &[Claimant], available: Amount, after: &[Value], name: &str) {
    let shares = shares(available, claimants);
    assert_eq!(shares.len(), after.len(), "{name}");
    for ((claimant, share), row) in claimants.iter().zip(&shares).zip(after) {
        assert_eq!(claimant.channel.to_string(), text(row, "public_id"), "{name}");
        assert_eq!(*share, amount(row, "share"), "{name}");
        assert_closing(&claimant.money.settle(*share).expect("never more than is owed"), row, name);
    }
    let sum: u128 = shares.iter().map(|share| u128::from(share.get())).sum();
    let money: Vec<_> = claimants.iter().map(|claimant| claimant.money).collect();
    assert_eq!(sum, owed(&money).min(available.get().into()), "{name}: nothing is left over");
}

#[test]
fn what_is_left_of_a_grant_tells_whether_a_settlement_landed() {
    for case in cases("/arithmetic/witnesses") {
        let landed = amounts(case, "landed_settlements");
        let verdict = witness(amount(case, "granted"), &landed, amount(case, "attempt"), number(case, "reading"));
        let expected = match text(case, "verdict") {
            "absent" => Verdict::Absent,
            "landed" => Verdict::Landed,
            _ => Verdict::Hold,
        };
        assert_eq!(verdict, expected, "{}", text(case, "name"));
    }
}

#[test]
fn fees_slots_and_rents_are_those_of_the_vectors() {
    for case in cases("/arithmetic/fees") {
        let units = u32::try_from(case["compute_unit_limit"].as_u64().expect("a number")).expect("small");
        let compute = ComputeBudget { units, price: number(case, "micro_lamports") };
        let signatures = case["signatures"].as_u64().expect("a number");
        let fee = signatures * LAMPORTS_PER_SIGNATURE + compute.priority_fee();
        assert_eq!(fee, number::<u64>(case, "lamports"), "{}", text(case, "name"));
    }
    for case in cases("/arithmetic/ttl_slots") {
        let ttl = case["ttl_seconds"].as_u64().expect("a number");
        assert_eq!(slots(ttl), case["slots"].as_u64().expect("a number"), "{ttl}");
    }
    let rent = golden("/arithmetic/swig_rent");
    let parts = ["config", "wallet", "token_account"].map(|part| number::<u64>(rent, part));
    assert_eq!(swig::RENTS, parts);
    assert_eq!(swig::RENTS.iter().sum::<u64>(), number::<u64>(rent, "total"));
    assert_eq!(swig::BOUND_SELLER_RENT, number::<u64>(rent, "bound_seller_adds"));
}

/// One that owes so much and has had so many parts.
fn owing(name: u8, owed: u64, parts: u32) -> Claimant {
    let owed = Amount::new(owed).expect("fits");
    let money = ChannelMoney::new(owed, owed, Amount::ZERO).expect("in order");
    Claimant { channel: PublicId::from_bytes([name; 16]), opened_at: u64::from(name), money, parts }
}

#[test]
fn a_part_is_worth_its_fee_or_everything_that_is_owed() {
    let paid = |available, claimants: &[Claimant]| {
        let amounts =
            worthwhile_shares(Amount::new(available).expect("fits"), Amount::new(100).expect("fits"), claimants);
        amounts.into_iter().map(Amount::get).collect::<Vec<_>>()
    };
    let equal = [owing(1, 1_000, 0), owing(2, 1_000, 0)];
    assert_eq!(paid(99, &equal), [0, 0], "dust");
    assert_eq!(paid(150, &equal), [150, 0], "the older gets what would be dust for two");
    assert_eq!(paid(200, &equal), [100, 100]);
    assert_eq!(paid(2_000, &equal), [1_000, 1_000]);
    // Whoever owes a unit to a wallet of their own takes nothing from the others.
    let unequal = [owing(1, 1_000_000, 0), owing(2, 1, 0), owing(3, 99, 0)];
    assert_eq!(paid(500_000, &unequal), [500_000, 0, 0]);
    assert_eq!(paid(1_000_100, &unequal), [1_000_000, 1, 99], "everything that is owed is always paid");
    let spent = [owing(1, 1_000, 3), owing(2, 5_000, 3)];
    assert_eq!(paid(1_200, &spent), [1_000, 0], "after three parts one is paid in full or not");
    assert_eq!(paid(999, &spent), [0, 0]);
    assert_eq!(paid(3_000, &[owing(1, 1_000, 0), owing(2, 5_000, 3)]), [1_000, 0]);
}

/// Channels of one buyer, each with settled <= cumulative <= deposit.
fn any_claimants() -> impl Strategy<Value = Vec<Claimant>> {
    let most = i64::MAX.unsigned_abs();
    let row = (0..=most, 0..=most, 0..=most, any::<u16>(), 0..4_u64);
    proptest::collection::vec(row, 0..12).prop_map(|rows| {
        let claimant = |(a, b, c, name, opened_at): (u64, u64, u64, u16, u64)| {
            let mut sums = [a, b, c].map(|units| Amount::new(units).expect("fits"));
            sums.sort_unstable();
            let [settled, cumulative, deposit] = sums;
            let money = ChannelMoney::new(deposit, cumulative, settled).expect("in order");
            Claimant {
                channel: PublicId::from_bytes([name.to_le_bytes(); 8].concat().try_into().expect("16")),
                opened_at,
                money,
                parts: 0,
            }
        };
        rows.into_iter().map(claimant).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn shares_are_never_more_than_is_owed_and_leave_nothing_over(
        claimants in any_claimants(),
        available in 0..=i64::MAX.unsigned_abs(),
    ) {
        let available = Amount::new(available).expect("fits");
        let shares = shares(available, &claimants);
        let money: Vec<_> = claimants.iter().map(|claimant| claimant.money).collect();
        for (money, share) in money.iter().zip(&shares) {
            prop_assert!(money.settle(*share).is_ok());
        }
        let sum: u128 = shares.iter().map(|share| u128::from(share.get())).sum();
        prop_assert_eq!(sum, owed(&money).min(available.get().into()));
    }

    #[test]
    fn what_is_worth_its_fee_is_never_more_than_is_there_or_owed(
        claimants in any_claimants(),
        available in 0..=i64::MAX.unsigned_abs(),
        least in 0..=i64::MAX.unsigned_abs(),
    ) {
        let [available, least] = [available, least].map(|units| Amount::new(units).expect("fits"));
        let shares = worthwhile_shares(available, least, &claimants);
        prop_assert_eq!(shares.len(), claimants.len());
        for (claimant, share) in claimants.iter().zip(&shares) {
            let owed = claimant.money.owed();
            prop_assert!(*share <= owed && (*share == Amount::ZERO || *share >= least.min(owed)));
        }
        let sum: u128 = shares.iter().map(|share| u128::from(share.get())).sum();
        prop_assert!(sum <= u128::from(available.get()));
    }
}
