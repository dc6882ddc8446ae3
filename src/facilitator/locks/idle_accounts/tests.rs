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

fn resting() -> Arc<Resting> {
    let terms =
        AllowanceSettings { idle_after: IDLE, min_interval: INTERVAL, max_age: AGE, ..AllowanceSettings::default() };
    Arc::new(Resting::new(Some(terms)))
}

fn rests(resting: &Resting, now: Instant) -> Vec<u8> {
    let mut found: Vec<u8> = resting.at_rest(now).iter().map(|(key, _)| key.as_array()[0]).collect();
    found.sort_unstable();
    found
}

#[test]
fn an_account_rests_once_nothing_waits_for_it_and_some_time_has_passed() {
    let (resting, mut now) = (resting(), Instant::now());
    let work = resting.at_work([key(1), key(2)]);
    resting.moved(session(), [key(1), key(2)], false, now);
    now += IDLE;
    assert!(rests(&resting, now).is_empty(), "something waits for it");
    drop(work);
    assert_eq!(rests(&resting, now), [1, 2]);
    resting.moved(session(), [key(3), key(2)], false, now);
    assert_eq!(rests(&resting, now), [1], "it has moved just now");
    now += IDLE;
    assert_eq!(rests(&resting, now), [1, 2, 3]);
    resting.is_readable(&key(3));
    assert_eq!(rests(&resting, now), [1, 2]);
}

#[test]
fn rent_is_spent_at_most_once_in_an_interval_whatever_came_of_it() {
    let (resting, mut now) = (resting(), Instant::now());
    resting.moved(session(), [key(1), key(2)], false, now);
    now += IDLE;
    let buying = resting.claim_at_rest(&[key(1)], now);
    assert!(buying.is_some() && resting.claim_at_rest(&[key(1)], now).is_none(), "one buyer at a time");
    drop(buying);
    assert_eq!(rests(&resting, now), [2]);
    now += INTERVAL;
    assert_eq!(rests(&resting, now), [1, 2]);
}

#[test]
fn accounts_that_never_rest_are_bought_for_by_one_transfer_when_they_are_overdue() {
    let (resting, mut now) = (resting(), Instant::now());
    let _work = resting.at_work([key(1), key(2)]);
    let _other = resting.at_work([key(3), key(2)]);
    resting.moved(session(), [key(1), key(2)], false, now);
    resting.moved(session(), [key(3), key(2)], false, now);
    now += AGE.saturating_sub(IDLE);
    assert!(resting.overdue([key(1), key(2)], now).is_none());
    now += IDLE;
    if let Some(unused) = resting.overdue([key(1), key(2)], now) {
        unused.forgo();
    }
    let buying = resting.overdue([key(1), key(2)], now);
    assert!(buying.is_some());
    assert!(resting.overdue([key(3), key(2)], now).is_none(), "somebody buys for the merchant already");
    resting.moved(session(), [key(1), key(2)], true, now);
    drop(buying);
    resting.moved(session(), [key(1), key(2)], false, now);
    assert!(resting.overdue([key(1), key(2)], now).is_none());
    now += AGE;
    assert!(resting.overdue([key(1), key(2)], now).is_some());
}

#[test]
fn what_the_ledger_remembers_counts_as_if_it_had_been_seen() {
    let (resting, mut now) = (resting(), Instant::now());
    now += AGE;
    resting.remember(session(), [key(1), key(2)], IDLE * 2, None, now);
    resting.remember(session(), [key(3), key(2)], IDLE * 3, Some(IDLE * 4), now);
    assert_eq!(rests(&resting, now), [1], "the merchant was bought for lately");
    now += INTERVAL;
    assert_eq!(rests(&resting, now), [1, 2, 3]);
}

#[test]
fn accounts_that_are_readable_and_at_rest_are_forgotten() {
    let (resting, mut now) = (resting(), Instant::now());
    drop(resting.at_work([key(1), key(2)]));
    resting.moved(session(), [key(1), key(2)], true, now);
    assert!(rests(&resting, now).is_empty() && resting.lock().len() == 2, "the purchase is remembered");
    now += INTERVAL;
    assert!(rests(&resting, now).is_empty() && resting.lock().is_empty());
}

#[test]
fn nothing_is_kept_where_allowances_are_not_bought_on_idle() {
    let (resting, now) = (Arc::new(Resting::new(None)), Instant::now());
    drop(resting.at_work([key(1), key(2)]));
    resting.moved(session(), [key(1), key(2)], false, now);
    assert!(
        resting.lock().is_empty()
            && resting.at_rest(now).is_empty()
            && resting.overdue([key(1), key(2)], now).is_none()
    );
}
