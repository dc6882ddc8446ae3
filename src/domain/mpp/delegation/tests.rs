use super::*;
use crate::domain::samples::amount as units;

fn grant() -> DelegationGrant {
    DelegationGrant {
        terms: GrantTerms {
            generation: 3,
            delegate: Pubkey::new_from_array([4; 32]),
            limit: units(1_000),
            ttl: 3_600,
            seller: None,
        },
        granted_at: 10_000,
        expires_at: 13_600,
        expiry_slot: None,
        role: None,
        moved: Amount::ZERO,
    }
}

fn active() -> Delegation {
    Delegation {
        id: DelegationId(Uuid::nil()),
        buyer: Pubkey::new_from_array([1; 32]),
        mint: Pubkey::new_from_array([2; 32]),
        backend: Backend::SplDelegate,
        account: Pubkey::new_from_array([3; 32]),
        is_salted: false,
        state: DelegationState::Active,
        grant: Some(grant()),
        next_generation: 4,
        reading: None,
        used: DelegationUse::default(),
    }
}

fn read(role: Role, remaining: u64) -> DelegationReading {
    let reading = Reading { role, balance: 5, remaining };
    DelegationReading { generation: 3, reading, slot: 9, at: 11_000 }
}

#[test]
fn words_lead_back() {
    assert!(IssuedKind::ALL.into_iter().all(|kind| IssuedKind::from_word(kind.word()) == Some(kind)));
    assert!(Backend::ALL.into_iter().all(|backend| Backend::from_word(backend.word()) == Some(backend)));
    assert!(DelegationState::ALL.into_iter().all(|state| DelegationState::from_word(state.word()) == Some(state)));
    assert_eq!(
        (IssuedKind::from_word("x"), Backend::from_word("x"), DelegationState::from_word("x")),
        (None, None, None)
    );
}

#[test]
fn a_delegation_stands_as_its_messages_and_its_last_reading_say() {
    assert_eq!(active().standing(13_599), DelegationStanding::Active);
    assert_eq!(active().standing(13_600), DelegationStanding::Expired, "its key signs nothing from then on");
    for (role, standing) in [
        (Role::Live, DelegationStanding::Active),
        (Role::Frozen, DelegationStanding::Active),
        (Role::Gone, DelegationStanding::Revoked),
        (Role::Expired, DelegationStanding::Expired),
    ] {
        assert_eq!(Delegation { reading: Some(read(role, 7)), ..active() }.standing(11_000), standing);
    }
    let used_up = DelegationGrant { moved: units(1_000), ..grant() };
    let used_up = Delegation { grant: Some(used_up), reading: Some(read(Role::Gone, 0)), ..active() };
    assert_eq!(
        used_up.standing(11_000),
        DelegationStanding::Expired,
        "the program itself empties the slot of what is used up"
    );
    let pending = Delegation { state: DelegationState::Pending, grant: None, ..active() };
    assert_eq!((pending.standing(11_000), pending.remaining()), (DelegationStanding::Pending, None));
    let left = Delegation { state: DelegationState::Left, grant: None, ..active() };
    assert_eq!(left.standing(11_000), DelegationStanding::Revoked);
}

#[test]
fn what_remains_is_what_was_read_last_or_granted_and_not_moved() {
    let moved = DelegationGrant { moved: units(400), ..grant() };
    assert_eq!(Delegation { grant: Some(moved), ..active() }.remaining(), Some(units(600)));
    assert_eq!(Delegation { reading: Some(read(Role::Live, 7)), ..active() }.remaining(), Some(units(7)));
    // What the buyer approves beyond the grant is not ours.
    let beyond = Delegation { grant: Some(moved), reading: Some(read(Role::Live, u64::MAX)), ..active() };
    assert_eq!(beyond.remaining(), Some(units(600)));
}

#[test]
fn a_grant_counts_while_ten_minutes_or_a_third_of_it_are_left() {
    assert!(grant().has_time(12_999) && !grant().has_time(13_000));
    let short = DelegationGrant { terms: GrantTerms { ttl: 300, ..grant().terms }, expires_at: 10_300, ..grant() };
    assert!(short.has_time(10_199) && !short.has_time(10_200));
}

#[test]
fn a_renewal_covers_what_is_reserved_and_hides_no_settlement() {
    let used = DelegationUse { live: 2, reserved: units(500), owed: units(20), in_flight: 0 };
    let spl = Backend::SplDelegate;
    assert!(used.allows_renewal(spl, units(500)) && !used.allows_renewal(spl, units(499)));
    assert!(!DelegationUse { in_flight: 1, ..used }.allows_renewal(spl, units(500)));
    assert!(!used.allows_renewal(Backend::Swig, units(500)), "its old role is gone before the new one acts");
    assert!(DelegationUse::default().allows_renewal(Backend::Swig, units(1)));
    assert!(DelegationUse::default().is_free() && !used.is_free());
}

#[test]
fn a_swig_is_active_when_our_key_may_act_and_not_before() {
    use DelegationState::{Active, Left, Pending};
    for (message, spl, swig) in [
        (IssuedKind::CreateSwig, None, None),
        (IssuedKind::GrantRole, Some(Active), Some(Pending)),
        (IssuedKind::ActivateSessionKey, Some(Active), Some(Active)),
        (IssuedKind::CreateSessionAccount, Some(Active), Some(Active)),
        (IssuedKind::Leave, Some(Left), Some(Left)),
    ] {
        assert_eq!(message.leads_to(Backend::SplDelegate), spl);
        assert_eq!(message.leads_to(Backend::Swig), swig);
    }
}

#[test]
fn strangers_take_half_of_what_all_share() {
    let limits = OnboardLimits::DEFAULT;
    assert_eq!(OnboardLimits::of_strangers(limits.per_hour), 250);
    assert_eq!(OnboardLimits::of_strangers(1), 1, "they may have the only one while nobody else asks");
}
