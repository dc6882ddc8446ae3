use super::*;

#[test]
fn credit_takes_three_days_and_three_days_time() {
    let day = |day: u64| day * DAY + 5;
    assert!(Credit::is_earned(3, 100, day(103)));
    assert!(!Credit::is_earned(2, 100, day(110)), "on too few days");
    assert!(!Credit::is_earned(3, 100, day(102)), "all of them lately");
}

#[test]
fn a_payer_with_credit_meets_no_limit_of_newcomers() {
    let all = Scope::ALL.into_iter().fold(Budgets::default(), |all, scope| all.with(scope, Part::Total, 1));
    let count = |credit| all.clone().of(credit).0.len();
    assert_eq!([Credit::Start, Credit::Newcomer, Credit::Earned].map(count), [10, 9, 7]);
}

const COST: Cost = Cost { fee: 10, rent: 100, grant: 0 };

fn used(total: u64) -> impl Fn(Scope) -> Used {
    move |_| Used { cost: Cost { fee: total, ..Cost::default() }, since: Some(600) }
}

#[test]
fn a_limit_is_kept_to_the_lamport() {
    let budgets = Budgets::default().with(Scope::Hour, Part::Total, 150);
    assert_eq!(judge(&budgets, COST, used(40), 900), None);
    let over = judge(&budgets, COST, used(41), 900).expect("is passed");
    assert_eq!((over.scope, over.part, over.fee_fits), (Scope::Hour, Part::Total, true));
    assert!(!judge(&budgets, COST, used(141), 900).expect("is passed").fee_fits);
}

#[test]
fn the_narrowest_limit_is_named_and_a_part_that_costs_nothing_is_not_stopped() {
    let limits = [(Scope::Day, Part::Total), (Scope::MerchantHour, Part::Total), (Scope::Settlement, Part::Grant)];
    let budgets = limits.into_iter().fold(Budgets::default(), |budgets, (scope, part)| budgets.with(scope, part, 0));
    let over = judge(&budgets, COST, used(0), 900).expect("is passed");
    assert_eq!(over.scope, Scope::MerchantHour);
}

#[test]
fn waiting_is_promised_only_where_it_helps() {
    let hour = |limit| Budgets::default().with(Scope::Hour, Part::Total, limit);
    let wait = |limit| judge(&hour(limit), COST, used(90), 1_000).expect("is passed").retry_after;
    assert_eq!(wait(150), Some(600 + 300 + 3_600 - 1_000));
    assert_eq!(wait(109), None, "it is above the limit by itself");
    let ever = Budgets::default().with(Scope::Session, Part::Total, 150);
    assert_eq!(judge(&ever, COST, used(90), 1_000).expect("is passed").retry_after, None);
}

#[test]
fn no_sixty_minutes_escape_the_window() {
    let window = Scope::Hour.window().expect("an hour");
    for now in 7_200..7_600 {
        let oldest = window.oldest(now);
        assert!(oldest <= now - 3_600, "what is an hour old still counts at {now}");
        assert!(window.leaves_in(oldest, now) >= 1 && window.leaves_in(oldest, now) <= 301);
    }
}

#[test]
fn words_lead_back() {
    assert!(Scope::ALL.into_iter().all(|scope| Scope::from_word(scope.word()) == Some(scope)));
    assert!(Part::ALL.into_iter().all(|part| Part::from_word(part.word()) == Some(part)));
}
