//! Which approvals are asked about in a round.

use super::*;
use crate::domain::approval::ApprovalState;

fn approval(number: u8, amount: Option<Amount>) -> Approval {
    let user = Pubkey::new_from_array([number; 32]);
    Approval {
        user,
        asset: Pubkey::default(),
        signature: Signature::from([number; 64]),
        amount,
        claimed: None,
        handle: Some(number.into()),
        seen: None,
        seen_slot: None,
        state: ApprovalState::Current,
        is_complete: true,
        taken: Amount::ZERO,
        live: 1,
        sessions: 1,
    }
}

/// The approvals of sessions in their order, of which several are on one.
fn of_sessions() -> Vec<Approval> {
    [1, 2, 2, 2, 1, 3].map(|number| approval(number, None)).to_vec()
}

fn asked(approvals: Vec<Approval>, unknown: &mut Unknown, now: Instant) -> Vec<u128> {
    due(approvals, unknown, now).into_iter().map(|(_, handle)| handle).collect()
}

/// Guard: `due`. Sixteen sessions on one approve whose amount nobody can read were asked about sixteen times in each round, one after
/// the other and before whatever came later.
#[test]
fn an_approval_is_asked_about_once_for_all_its_sessions_and_the_newest_first() {
    let round = Duration::from_secs(5);
    let (mut unknown, now) = (Unknown::new(round, LONGEST_PAUSE), Instant::now());
    assert_eq!(asked(of_sessions(), &mut unknown, now), [3, 1, 2]);
    let unreadable = approval(2, None);
    for _ in 0..2 {
        unknown.lengthen(key(&unreadable), now);
    }
    assert_eq!(asked(of_sessions(), &mut unknown, now + round), [3, 1], "left alone for two rounds");
    assert_eq!(asked(of_sessions(), &mut unknown, now + 2 * round), [3, 1, 2]);
    let told = vec![approval(2, Amount::new(5)), approval(4, None)];
    assert_eq!(
        asked(told, &mut unknown, now + round),
        [4, 2],
        "what is known by now is not asked for, and waits for nothing"
    );
    assert_eq!(asked(vec![], &mut unknown, now), Vec::<u128>::new());
    assert_eq!(asked(of_sessions(), &mut unknown, now), [3, 1, 2], "what has ended is forgotten");
}
