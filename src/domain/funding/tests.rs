//! What a proved balance covers, until when it counts, and what voids it.

use super::*;
use crate::domain::samples::amount;

fn source(claimed: u64) -> Source {
    let bound = Bound {
        amount: amount(100),
        handle: 7,
        slot: 50,
        anchor: None,
        proved_at: 1_000,
        claimed: amount(claimed),
        examined: 50,
        is_final: true,
        looked_at: 1_000,
        seen: Seen { handle: Some(7), slot: 50, ridden: amount(0) },
        ridden: amount(0),
        lost: None,
    };
    Source { bound: Some(bound), ..Source::unknown(Pubkey::default(), Pubkey::default()) }
}

#[test]
fn everything_together_must_fit_to_be_proven() {
    assert_eq!(source(60).funding(amount(40), 1_000, 60), Funding::Proven);
    assert_eq!(source(60).funding(amount(41), 1_000, 60), Funding::Short);
    assert_eq!(source(100).funding(Amount::MAX, 1_000, 60), Funding::Short);
    assert_eq!(Source::unknown(Pubkey::default(), Pubkey::default()).funding(amount(0), 0, 60), Funding::Unproven);
}

#[test]
fn a_proof_counts_while_somebody_looks_and_nothing_voids_it() {
    assert_eq!(source(0).funding(amount(1), 1_060, 60), Funding::Proven);
    assert_eq!(source(0).funding(amount(1), 1_061, 60), Funding::Unproven);
    assert_eq!(Source { frozen: true, ..source(0) }.funding(amount(1), 1_000, 60), Funding::Unproven);
    let bound = source(0).bound.map(|bound| Bound { lost: Some((Lost::OwnerSigned, 51)), ..bound });
    assert_eq!(Source { bound, ..source(0) }.funding(amount(1), 1_000, 60), Funding::Unproven);
}

#[test]
fn a_landing_is_judged_by_a_look_at_its_slot_or_later_a_newer_proof_or_the_proofs_loss() {
    let bound = source(0).bound.expect("a proof");
    assert_eq!([49, 50, 51].map(|slot| bound.has_judged(slot)), [true, true, false]);
    let seen = Bound { seen: Seen { slot: 60, ..bound.seen }, ..bound };
    assert_eq!([60, 61].map(|slot| seen.has_judged(slot)), [true, false]);
    assert!(Bound { lost: Some((Lost::Fork, 55)), ..bound }.has_judged(61));
}

#[test]
fn a_cap_that_binds_and_is_not_known_proves_nothing() {
    for (cap_binds, cap, enough) in [
        (false, CapCheck::Unverified, Funding::Proven),
        (true, CapCheck::Unverified, Funding::Unproven),
        (true, CapCheck::Verified, Funding::Proven),
    ] {
        let demand = FundingDemand { required: false, max_age: 60, cap_binds };
        assert_eq!(source(60).level(cap, amount(40), 1_000, &demand), enough, "{cap_binds} {cap:?}");
        assert_eq!(source(60).level(cap, amount(41), 1_000, &demand), Funding::Short, "what is too little is");
    }
}

#[test]
fn strangers_can_only_add() {
    let key = |n| Pubkey::new_from_array([n; 32]);
    let (owner, spender, stranger) = (key(1), key(2), key(3));
    let by = |signer| Foreign { signers: vec![signer], ..Foreign::default() };
    assert_eq!(by(stranger).voids(&owner, &spender), None);
    assert_eq!(by(owner).voids(&owner, &spender), Some(Lost::OwnerSigned));
    assert_eq!(by(spender).voids(&owner, &spender), Some(Lost::ForeignDelegate));
    let acting = Foreign { acts_on_account: true, ..by(stranger) };
    assert_eq!(acting.voids(&owner, &spender), Some(Lost::ActedOn));
}

#[test]
fn words_lead_back() {
    assert!(Lost::ALL.into_iter().all(|lost| Lost::from_word(lost.word()) == Some(lost)));
    assert_eq!(Funding::from_word("short"), Some(Funding::Short));
    assert_eq!(Funding::from_word("rich"), None);
}
