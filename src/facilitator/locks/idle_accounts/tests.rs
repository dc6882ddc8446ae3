//! Time is an argument: nothing here waits.

use super::*;

const IDLE: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_secs(100);
const AGE: Duration = Duration::from_secs(1_000);

fn key(number: u8) -> Pubkey {
    Pubkey::new_from_array([number; 32])
}

fn session() -> SessionId {
    SessionId::from_random_bytes([1; 16])
}

fn accounts() -> Arc<IdleAccounts> {
    accounts_worth(Amount::ZERO)
}

fn accounts_worth(min_moved: Amount) -> Arc<IdleAccounts> {
    let terms = AllowanceSettings {
        min_moved,
        idle_after: IDLE,
        min_interval: INTERVAL,
        max_age: AGE,
        ..AllowanceSettings::default()
    };
    Arc::new(IdleAccounts::new(Some(terms)))
}

fn idle(accounts: &IdleAccounts, now: Instant) -> Vec<u8> {
    let mut found: Vec<u8> = accounts.idle(now).iter().map(|(key, _)| key.as_array()[0]).collect();
    found.sort_unstable();
    found
}

#[test]
fn an_account_rests_once_nothing_waits_for_it_and_some_time_has_passed() {
    let (accounts, mut now) = (accounts(), Instant::now());
    let work = accounts.mark_busy([key(1), key(2)]);
    accounts.moved(session(), [key(1), key(2)], Amount::ONE, Allowances::NotBought, now);
    now += IDLE;
    assert!(idle(&accounts, now).is_empty(), "something waits for it");
    drop(work);
    assert_eq!(idle(&accounts, now), [1, 2]);
    accounts.moved(session(), [key(3), key(2)], Amount::ONE, Allowances::NotBought, now);
    assert_eq!(idle(&accounts, now), [1], "it has moved just now");
    now += IDLE;
    assert_eq!(idle(&accounts, now), [1, 2, 3]);
    accounts.mark_readable(&key(3));
    assert_eq!(idle(&accounts, now), [1, 2]);
}

#[test]
fn rent_is_spent_at_most_once_in_an_interval_whatever_came_of_it() {
    let (accounts, mut now) = (accounts(), Instant::now());
    accounts.moved(session(), [key(1), key(2)], Amount::ONE, Allowances::NotBought, now);
    now += IDLE;
    let buying = accounts.purchase_for_idle(&[key(1)], now);
    assert!(buying.is_some() && accounts.purchase_for_idle(&[key(1)], now).is_none(), "one buyer at a time");
    drop(buying);
    assert_eq!(idle(&accounts, now), [2]);
    now += INTERVAL;
    assert_eq!(idle(&accounts, now), [1, 2]);
}

#[test]
fn accounts_that_never_rest_are_bought_for_by_one_transfer_when_they_are_overdue() {
    let (accounts, mut now) = (accounts(), Instant::now());
    let _work = accounts.mark_busy([key(1), key(2)]);
    let _other = accounts.mark_busy([key(3), key(2)]);
    accounts.moved(session(), [key(1), key(2)], Amount::ONE, Allowances::NotBought, now);
    accounts.moved(session(), [key(3), key(2)], Amount::ONE, Allowances::NotBought, now);
    now += AGE.saturating_sub(IDLE);
    assert!(accounts.overdue([key(1), key(2)], now).is_none());
    now += IDLE;
    if let Some(unused) = accounts.overdue([key(1), key(2)], now) {
        unused.cancel();
    }
    let buying = accounts.overdue([key(1), key(2)], now);
    assert!(buying.is_some());
    assert!(accounts.overdue([key(3), key(2)], now).is_none(), "somebody buys for the merchant already");
    accounts.moved(session(), [key(1), key(2)], Amount::ONE, Allowances::Bought, now);
    drop(buying);
    accounts.moved(session(), [key(1), key(2)], Amount::ONE, Allowances::NotBought, now);
    assert!(accounts.overdue([key(1), key(2)], now).is_none());
    now += AGE;
    assert!(accounts.overdue([key(1), key(2)], now).is_some());
}

#[test]
fn what_the_ledger_remembers_counts_as_if_it_had_been_seen() {
    let (accounts, mut now) = (accounts(), Instant::now());
    now += AGE;
    accounts.restore(session(), [key(1), key(2)], Amount::ONE, IDLE * 2, None, now);
    accounts.restore(session(), [key(3), key(2)], Amount::ONE, IDLE * 3, Some(IDLE * 4), now);
    assert_eq!(idle(&accounts, now), [1], "the merchant was bought for lately");
    now += INTERVAL;
    assert_eq!(idle(&accounts, now), [1, 2, 3]);
}

#[test]
fn accounts_that_are_readable_and_at_rest_are_forgotten() {
    let (accounts, mut now) = (accounts(), Instant::now());
    drop(accounts.mark_busy([key(1), key(2)]));
    accounts.moved(session(), [key(1), key(2)], Amount::ONE, Allowances::Bought, now);
    assert!(idle(&accounts, now).is_empty() && accounts.lock().len() == 2, "the purchase is remembered");
    now += INTERVAL;
    assert!(idle(&accounts, now).is_empty() && accounts.lock().is_empty());
}

#[test]
fn nothing_is_kept_where_allowances_are_not_bought_on_idle() {
    let (accounts, now) = (Arc::new(IdleAccounts::new(None)), Instant::now());
    drop(accounts.mark_busy([key(1), key(2)]));
    accounts.moved(session(), [key(1), key(2)], Amount::ONE, Allowances::NotBought, now);
    assert!(
        accounts.lock().is_empty()
            && accounts.idle(now).is_empty()
            && accounts.overdue([key(1), key(2)], now).is_none()
    );
}

#[test]
fn rent_is_spent_once_enough_has_moved_since_it_last_was() {
    let units = |units| Amount::new(units).unwrap_or_default();
    let (accounts, mut now) = (accounts_worth(units(100)), Instant::now());
    let moves = |[from, to]: [u8; 2], amount, allowances, now| {
        accounts.moved(session(), [key(from), key(to)], units(amount), allowances, now);
    };
    moves([1, 9], 60, Allowances::NotBought, now);
    moves([2, 9], 40, Allowances::NotBought, now);
    now += IDLE;
    assert_eq!(idle(&accounts, now), [9], "the merchant had a hundred, and neither payer moved as much");
    moves([1, 9], 40, Allowances::Bought, now);
    now += INTERVAL + IDLE;
    moves([1, 9], 99, Allowances::NotBought, now);
    now += IDLE;
    assert!(idle(&accounts, now).is_empty(), "what was bought counts from zero");
    assert!(accounts.overdue([key(1), key(9)], now + AGE).is_none(), "neither at rest nor in between");
    moves([1, 9], 1, Allowances::NotBought, now);
    assert!(accounts.overdue([key(1), key(9)], now + AGE).is_some_and(|buying| {
        buying.cancel();
        true
    }));
    now += IDLE;
    assert_eq!(idle(&accounts, now), [1, 9]);
    accounts.mark_readable(&key(1));
    moves([1, 9], 99, Allowances::NotBought, now);
    assert_eq!(idle(&accounts, now + IDLE), [9], "its owner asked, and it counts from zero");
    assert_eq!(idle(&accounts, now + AGE), [9], "what moved little is forgotten");
    assert_eq!(accounts.lock().len(), 1);
}

#[test]
fn what_moved_before_the_start_counts() {
    let (accounts, now) = (accounts_worth(Amount::ONE), Instant::now() + AGE);
    accounts.restore(session(), [key(1), key(2)], Amount::ONE, IDLE * 2, None, now);
    accounts.restore(session(), [key(3), key(4)], Amount::ZERO, IDLE * 2, None, now);
    assert_eq!(idle(&accounts, now), [1, 2]);
}

/// How often a payer who calls one merchant for eight hours, once in `apart` seconds, makes us buy, two idle hours after that included.
fn purchases_of_a_day(idle_after: u64, apart: u64) -> usize {
    let terms = AllowanceSettings {
        min_moved: Amount::ZERO,
        idle_after: Duration::from_secs(idle_after),
        ..AllowanceSettings::default()
    };
    let (accounts, both) = (Arc::new(IdleAccounts::new(Some(terms))), [key(1), key(2)]);
    let (mut now, mut bought) = (Instant::now(), 0);
    for second in 0..10 * 3_600 {
        if second <= 8 * 3_600 && second % apart == 0 {
            accounts.moved(session(), both, Amount::ONE, Allowances::NotBought, now);
        }
        // As `idle_rounds` does, every five seconds.
        if second % 5 == 0
            && !accounts.idle(now).is_empty()
            && let Some(purchase) = accounts.purchase_for_idle(&both, now)
        {
            bought += 1;
            drop(purchase);
            for account in &both {
                accounts.mark_readable(account);
            }
        }
        now += Duration::from_secs(1);
    }
    bought
}

/// CR-6, the figures of `docs/BENCHMARKS.md`: a rest that is shorter than the time between two calls costs a purchase an hour, and one
/// that is longer costs one a day.
#[test]
fn a_shorter_rest_buys_once_an_hour_where_calls_come_further_apart() {
    for (idle_after, purchases) in
        [(30, [1, 9, 9, 9, 9]), (60, [1, 1, 9, 9, 9]), (300, [1, 1, 1, 9, 9]), (900, [1, 1, 1, 1, 9])]
    {
        let measured = [10, 45, 120, 600, 1_800].map(|apart| purchases_of_a_day(idle_after, apart));
        assert_eq!(measured, purchases, "a rest of {idle_after} seconds");
    }
}
