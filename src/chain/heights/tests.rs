use super::*;

const FAR: u64 = 1 << 40;
const SLOT: Duration = Duration::from_millis(400);
/// How long a stride takes at the pace of the cluster.
const STRIDE_TIME: Duration = Duration::from_millis(400 * STRIDE);

fn known(height: u64, now: Now) -> KnownHeight {
    KnownHeight { height, at: now.at }
}

fn now() -> Now {
    Now { at: Instant::now(), slot: SLOT }
}

fn after(now: Now, time: Duration) -> Now {
    Now { at: now.at + time, ..now }
}

#[test]
fn a_height_is_believed_that_the_others_can_confirm() {
    let now = now();
    let before = Some(known(1_000, now));
    let later = after(now, Duration::from_mins(1));
    let height = |told: &[u64], before, now| believed(told, before, now).map(|belief| belief.height);
    assert_eq!(height(&[], before, now), None);
    assert_eq!(height(&[7], before, now), Some(7), "a lone one is all there is");
    assert_eq!(height(&[1_100, 1_103], None, now), Some(1_103));
    assert_eq!(height(&[FAR, 1_150], before, later), Some(1_150));
    assert_eq!(height(&[1_150, 2], before, later), Some(1_150));
    assert_eq!(height(&[1_150, FAR], None, now), Some(1_150), "the operator names it first");
    for told in [[FAR, 1_150, 1_151], [1_150, FAR, 1_151], [1_150, 1_151, 3]] {
        assert!(height(&told, None, now).is_some_and(|height| (1_150..=1_151).contains(&height)));
    }
    assert_eq!(height(&[1_150, 1_151, 1_152, FAR], None, now), Some(1_151));
}

#[test]
fn one_voice_and_two_that_differ_at_the_start_decide_nothing() {
    let now = now();
    let decides = |told: &[u64], before| believed(told, before, now).is_some_and(|belief| belief.is_decided);
    assert!(!decides(&[1_000], None) && !decides(&[1_000], Some(known(1_000, now))));
    assert!(!decides(&[1_000, 5_000], None) && !decides(&[5_000, 1_000], None));
    assert!(decides(&[1_000, 1_100], None) && decides(&[1_000, 5_000], Some(known(1_000, now))));
    assert!(decides(&[1_000, 5_000, 5_001], None));
}

#[test]
fn endpoints_of_one_voice_tell_one_height() {
    let told = [(0, Some(10)), (1, None), (0, Some(12)), (3, Some(5)), (0, Some(11))];
    assert_eq!(by_voice(told.into_iter()), BTreeMap::from([(0, 12), (3, 5)]));
}

#[test]
fn a_blockhash_lives_neither_for_ever_nor_shorter_than_it_may() {
    let anchor = known(1_000, now());
    assert_eq!(anchor.judge(1_150), HeightVerdict::Plausible);
    assert_eq!(anchor.judge(1_150 + SPREAD), HeightVerdict::Plausible);
    assert_eq!(anchor.judge(1_150 + SPREAD + 1), HeightVerdict::Absurd);
    assert_eq!(anchor.judge(u64::MAX), HeightVerdict::Absurd);
    assert_eq!(anchor.judge(1_000 - 1), HeightVerdict::Behind);
    assert_eq!(anchor.judge(0), HeightVerdict::Behind);
    assert_eq!((anchor.at_least(1_010), anchor.at_least(1_160)), (1_150, 1_160));
}

/// A liar can tell one height for ever, so the time counts as well.
#[test]
fn after_a_stride_it_is_asked_for_anew() {
    let now = now();
    let heights = Known { anchor: Some(known(1_000, now)), ..Known::default() };
    assert!(heights.near(1_150 + STRIDE, now).is_some() && heights.near(1_150, now).is_some());
    assert!(heights.near(1_150 + STRIDE + 1, now).is_none() && heights.near(FAR, now).is_none());
    assert!(heights.near(1_150, after(now, STRIDE_TIME)).is_some());
    assert!(heights.near(1_150, after(now, STRIDE_TIME + SLOT)).is_none());
    assert!(Known::default().near(1_150, now).is_none());
}

/// What voice 0 and voice 1 told, one after the other.
fn learnt(told: &[&[(usize, u64)]], now: Now) -> Known {
    let mut known = Known::default();
    for told in told {
        known.learn(&told.iter().copied().collect(), now);
    }
    known
}

#[test]
fn a_blockhash_lives_as_long_as_another_voice_says_it_can() {
    let now = now();
    let heights = learnt(&[&[(0, 990), (1, 1_000)]], now);
    assert_eq!(heights.least_life(0, now), LeastLife::Until(1_000 + STRIDE + LIFE));
    // A liar that tells a low one with its blockhash, and with its height.
    let heights = learnt(&[&[(0, 860), (1, 1_000)]], now);
    assert_eq!(heights.least_life(0, now), LeastLife::Until(1_000 + STRIDE + LIFE));
    let heights = learnt(&[&[(0, 1_000), (1, 1_000)], &[(0, 10), (1, 1_000)]], now);
    assert_eq!(heights.least_life(0, now), LeastLife::Until(1_000 + STRIDE + LIFE), "the pace tells who lies");
    let heights = learnt(&[&[(0, 10), (1, 1_000), (2, 1_001)]], now);
    assert_eq!(heights.least_life(0, now), LeastLife::Until(1_001 + STRIDE + LIFE), "the highest of them");
}

#[test]
fn no_voice_alone_says_how_long_a_blockhash_lives() {
    let now = now();
    assert_eq!(Known::default().least_life(0, now), LeastLife::Untold);
    assert_eq!(learnt(&[&[(0, 1_000)]], now).least_life(0, now), LeastLife::Untold, "its teller alone has spoken");
    let far_apart = learnt(&[&[(0, 10), (1, 1_000)]], now);
    assert_eq!(far_apart.least_life(0, now), LeastLife::InDoubt, "one of them lies, and nobody knows which");
    assert_eq!(far_apart.anchor.map(|anchor| anchor.height), Some(10));
    let stuck = learnt(&[&[(0, 1_000), (1, 10)]], now);
    assert_eq!(stuck.least_life(0, now), LeastLife::Until(10 + STRIDE + LIFE), "the one named first can be right");
}

#[test]
fn a_voice_that_tells_of_a_time_to_come_lets_no_blockhash_live_for_ever() {
    let now = now();
    let heights = learnt(&[&[(0, 1_000), (1, 1_000)], &[(0, 1_000), (1, FAR)]], now);
    assert_eq!(heights.least_life(0, now), LeastLife::Until(1_000 + STRIDE + LIFE));
    assert_eq!(heights.least_life(1, now), LeastLife::Until(1_000 + STRIDE + LIFE));
    let majority = learnt(&[&[(0, FAR), (1, 1_000), (2, 1_001)]], now);
    assert_eq!(majority.least_life(1, now), LeastLife::Until(1_001 + STRIDE + LIFE));
}

#[test]
fn a_voice_that_has_fallen_silent_is_followed_by_the_pace_of_the_chain() {
    let now = now();
    let later = after(now, Duration::from_hours(1));
    let mut heights = learnt(&[&[(0, 1_000), (1, 1_000)]], now);
    assert_eq!(heights.least_life(0, later), LeastLife::Until(1_000 + 9_000 + LIFE));
    heights.learn(&BTreeMap::from([(0, 9_700)]), later);
    assert_eq!(heights.least_life(0, later), LeastLife::Until(1_000 + 9_000 + LIFE), "its teller alone has spoken");
    heights.learn(&BTreeMap::from([(0, 9_700), (2, 9_700)]), later);
    assert_eq!(
        heights.least_life(0, later),
        LeastLife::Until(9_700 + STRIDE + LIFE),
        "another speaks, so it may be silent"
    );
}

/// What was told later than a voice's first height takes nothing of the time back, and a voice speaks for itself only.
#[test]
fn what_was_signed_before_a_voice_spoke_is_dead_a_life_after_its_first_height() {
    let now = now();
    assert_eq!(Known::default().dead_after(1), None);
    let heights = learnt(&[&[(0, 1_000)], &[(0, 1_300), (1, 1_310)], &[(0, 1_400), (1, 10)]], now);
    assert_eq!(heights.dead_after(0), Some(1_000 + STRIDE + LIFE));
    assert_eq!(heights.dead_after(1), Some(1_310 + STRIDE + LIFE));
    assert_eq!(heights.dead_after(2), None);
}
