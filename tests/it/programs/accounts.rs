//! Token accounts and mints: what is refused, what is padding, and that no bytes make the decoders panic.

use super::{FACILITATOR, MERCHANT, MINT, USER, public_key};
use proptest::prelude::*;
use solana_pubkey::Pubkey;
use sotto::programs::{
    account_discriminator,
    inco_token::{AccountState, DecodeError, IncoAccount, IncoMint},
};

fn full_account() -> IncoAccount {
    IncoAccount {
        mint: public_key(MINT),
        owner: public_key(USER),
        amount: 1,
        delegate: Some(public_key(FACILITATOR)),
        state: AccountState::Initialised,
        is_native: Some(2),
        delegated_amount: 3,
        close_authority: Some(public_key(MERCHANT)),
    }
}

#[test]
fn accounts_that_end_early_are_too_long_or_of_another_kind_are_refused() {
    let bytes = full_account().encode();
    // 8 + 32 + 32 + 16 + 33 + 1 + 9 + 16 + 33: the most that the fields take; the rest is padding.
    for length in 0..180 {
        assert_eq!(IncoAccount::decode(&bytes[..length]), Err(DecodeError::Truncated), "{length}");
    }
    assert_eq!(IncoAccount::decode(&bytes[..180]), Ok(full_account()));
    assert_eq!(IncoAccount::decode(&[bytes.clone(), vec![0]].concat()), Err(DecodeError::TooLong));
    assert_eq!(IncoMint::decode(&bytes[..IncoMint::SIZE]), Err(DecodeError::Discriminator));
    // The delegate's tag, the state, and the tag of is_native.
    for at in [88, 121, 122] {
        let mut bent = bytes.clone();
        bent[at] = 3;
        assert_eq!(IncoAccount::decode(&bent), Err(DecodeError::Value), "{at}");
    }
}

#[test]
fn the_tail_that_a_revoked_approval_leaves_behind_is_padding() {
    let revoked = IncoAccount { delegate: None, delegated_amount: 0, ..full_account() };
    let mut bytes = full_account().encode();
    bytes[..148].copy_from_slice(&revoked.encode()[..148]);
    assert_ne!(bytes, revoked.encode(), "the old tail is still there");
    assert_eq!(IncoAccount::decode(&bytes), Ok(revoked));
}

prop_compose! {
    fn any_account()(
        keys in any::<[[u8; 32]; 4]>(),
        amounts in any::<[u128; 2]>(),
        has in any::<[bool; 2]>(),
        is_native in any::<Option<u64>>(),
        state in 0_usize..3,
    ) -> IncoAccount {
        let [mint, owner, delegate, close_authority] = keys.map(Pubkey::new_from_array);
        IncoAccount {
            mint,
            owner,
            amount: amounts[0],
            delegate: has[0].then_some(delegate),
            state: [AccountState::Uninitialised, AccountState::Initialised, AccountState::Frozen][state],
            is_native,
            delegated_amount: amounts[1],
            close_authority: has[1].then_some(close_authority),
        }
    }
}

prop_compose! {
    fn any_mint()(
        keys in any::<[[u8; 32]; 2]>(),
        has in any::<[bool; 2]>(),
        supply in any::<u128>(),
        decimals in any::<u8>(),
        is_initialized in any::<bool>(),
    ) -> IncoMint {
        let [mint_authority, freeze_authority] = keys.map(Pubkey::new_from_array);
        IncoMint {
            mint_authority: has[0].then_some(mint_authority),
            supply,
            decimals,
            is_initialized,
            freeze_authority: has[1].then_some(freeze_authority),
        }
    }
}

/// Bytes that get past the first check: a discriminator, then anything.
fn hostile(type_name: &'static str) -> impl Strategy<Value = Vec<u8>> {
    // Small bytes are frequent, so that tags and states are often legal and every branch is reached.
    let byte = prop_oneof![0_u8..4, any::<u8>()];
    (any::<bool>(), proptest::collection::vec(byte, 0..260)).prop_map(move |(honest, rest)| {
        if honest { [&account_discriminator(type_name)[..], &rest].concat() } else { rest }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn every_account_survives_the_round_trip(account in any_account(), mint in any_mint()) {
        prop_assert_eq!(account.encode().len(), IncoAccount::SIZE);
        prop_assert_eq!(IncoAccount::decode(&account.encode()), Ok(account));
        prop_assert_eq!(mint.encode().len(), IncoMint::SIZE);
        prop_assert_eq!(IncoMint::decode(&mint.encode()), Ok(mint));
    }

    #[test]
    fn what_decodes_encodes_to_the_bytes_that_were_read(
        account in hostile("IncoAccount"),
        mint in hostile("IncoMint"),
    ) {
        // Also: no bytes make the decoders panic. Behind the fields there is padding, whatever it holds.
        if let Ok(read) = IncoAccount::decode(&account) {
            prop_assert_eq!(IncoAccount::decode(&read.encode()), Ok(read));
        }
        if let Ok(read) = IncoMint::decode(&mint) {
            prop_assert_eq!(IncoMint::decode(&read.encode()), Ok(read));
        }
    }
}
