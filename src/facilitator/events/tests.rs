use super::*;

fn session(n: u8) -> SessionId {
    SessionId::from_random_bytes([n; 16])
}

#[tokio::test]
async fn listeners_hear_of_their_session_only() {
    let events = Arc::new(Events::default());
    let (mut one, mut other) = (events.subscribe(session(1)), events.subscribe(session(2)));
    events.publish(session(1), SessionEvent::Recorded);
    events.publish(session(2), SessionEvent::Funding(Funding::Unproven));
    assert_eq!(one.next().await, Some(SessionEvent::Recorded));
    assert_eq!(other.next().await, Some(SessionEvent::Funding(Funding::Unproven)));
}

#[tokio::test]
async fn who_lags_is_told_so_and_goes_on() {
    let events = Arc::new(Events::default());
    let mut slow = events.subscribe(session(1));
    for _ in 0..=WAITING_NEWS {
        events.publish(session(1), SessionEvent::Recorded);
    }
    assert_eq!(slow.next().await, Some(SessionEvent::Recorded), "read the log");
    events.end();
    while slow.next().await.is_some() {}
}

fn outsider(user: u8, address: Option<u128>) -> Listener {
    Listener { user: Pubkey::new_from_array([user; 32]), address, rank: Rank::Stranger }
}

#[test]
fn a_crowd_is_kept_out() {
    let events = Arc::new(Events::default());
    let limits = ReadPolicy { streams: 100, ..ReadPolicy::default() };
    let listen = |n: u8, limits| events.listen(session(n), outsider(n, None), limits);
    let inside: Vec<_> = (0..MOST_PER_SESSION).map(|_| listen(1, &limits)).collect();
    assert!(inside.iter().all(Option::is_some));
    assert!(listen(1, &limits).is_none(), "too many to one session");
    assert!(listen(2, &limits).is_some());
    let few = ReadPolicy { streams: MOST_PER_SESSION, ..limits };
    assert!(events.listen(session(2), outsider(1, None), &few).is_none(), "too many to all");
    drop(inside);
    assert!(listen(1, &limits).is_some());
}

#[test]
fn one_user_or_one_address_leaves_places_to_the_others() {
    let events = Arc::new(Events::default());
    let limits = ReadPolicy { streams_per_user: 2, streams_per_ip: 3, ..ReadPolicy::default() };
    let listen = |n: u8, user, address| events.listen(session(n), outsider(user, Some(address)), &limits);
    let one = (listen(1, 1, 10), listen(2, 1, 10));
    assert!(one.0.is_some() && one.1.is_some());
    assert!(listen(3, 1, 20).is_none(), "too many of one user, wherever from");
    let two = listen(3, 2, 10);
    assert!(two.is_some() && listen(4, 3, 10).is_none(), "too many from one address");
    assert!(listen(4, 3, 20).is_some(), "others are let in");
    drop(one);
    assert!(listen(4, 1, 10).is_some(), "room again");
    drop(two);
    let inside = events.lock();
    assert!(inside.counts.is_empty() && inside.streams.is_empty());
}

#[tokio::test]
async fn who_holds_most_makes_place_with_the_longest_stream() {
    let events = Arc::new(Events::default());
    let limits = ReadPolicy { streams: 8, ..ReadPolicy::default() };
    let listen = |n: u8, user, address| events.listen(session(n), outsider(user, Some(address)), &limits);
    // One user, and one address of two others: three each, which are the six places of strangers.
    let mut crowd: Vec<_> = (1..=3).map(|n| listen(n, 1, n.into()).unwrap()).collect();
    crowd.extend([listen(4, 2, 9), listen(5, 3, 9), listen(6, 4, 9)].map(Option::unwrap));
    let honest = listen(7, 5, 10);
    assert!(honest.is_some(), "they hold less");
    assert_eq!(crowd.remove(0).next().await, None, "the longest of those who hold most");
    let other = listen(8, 6, 11);
    assert!(other.is_some());
    assert_eq!(crowd.remove(2).next().await, None, "then the address holds most");
    assert_eq!(events.lock().streams.len(), 6);
    // Everybody has two at most.
    assert!(listen(9, 1, 12).is_none(), "who would have as much sends nobody away");
}

#[test]
fn places_are_kept_for_who_has_paid() {
    let events = Arc::new(Events::default());
    let limits = ReadPolicy { streams: 8, ..ReadPolicy::default() };
    let listen = |n: u8, rank| {
        let alone = Listener { rank, ..outsider(n, Some(n.into())) };
        events.listen(session(n), alone, &limits)
    };
    let strangers: Vec<_> = (1..=8).filter_map(|n| listen(n, Rank::Stranger)).collect();
    assert_eq!(strangers.len(), 6);
    let payers: Vec<_> = (11..=13).filter_map(|n| listen(n, Rank::Payer)).collect();
    assert_eq!(payers.len(), 2, "a quarter, and whatever strangers leave");
    drop(strangers);
    assert!(listen(14, Rank::Payer).is_some());
}

#[test]
fn who_leaves_leaves_nothing_behind() {
    let events = Arc::new(Events::default());
    let (one, other) = (events.subscribe(session(1)), events.subscribe(session(1)));
    drop(one);
    assert_eq!(events.lock().channels.len(), 1);
    drop(other);
    assert!(events.lock().channels.is_empty());
    events.publish(session(1), SessionEvent::Recorded);
}
