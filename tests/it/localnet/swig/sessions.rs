//! Sessions: who begins one, how long it lasts, and whose signature counts in it.

use super::{
    scene::{GRANTED, LONGEST, Scene, failed, refused},
    wire::{self, Action, Authority},
};
use solana_instruction_error::InstructionError;
use solana_keypair::Keypair;
use solana_signer::Signer as _;

#[tokio::test]
async fn a_role_is_useless_until_its_session_begins() {
    let scene = Scene::new().await;
    assert_eq!(scene.grant(&scene.may_spend(100)).await, Ok(()));
    let pay = [scene.pay(&scene.sellers, 1)];
    assert_eq!(scene.calls(&pay).await, refused(3014));
    assert_eq!(scene.begin_session(LONGEST).await, Ok(()));
    assert_eq!(scene.calls(&pay).await, Ok(()));
}

#[tokio::test]
async fn a_session_lasts_until_its_last_slot_has_passed() {
    let scene = Scene::new().await;
    assert_eq!(scene.grant(&scene.may_spend(100)).await, Ok(()));
    let began = scene.world.net.network().slot();
    assert_eq!(scene.begin_session(LONGEST).await, Ok(()));
    let last = began + LONGEST;
    scene.world.net.tick_slots(last - scene.world.net.network().slot());
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 1)]).await, Ok(()), "in slot {last}");
    assert_eq!(scene.world.net.network().slot(), last + 1);
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 1)]).await, refused(3014));
    assert_eq!(scene.begin_session(LONGEST).await, Ok(()), "the root begins another one");
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 1)]).await, Ok(()));
}

#[tokio::test]
async fn a_session_is_not_longer_than_its_role_says() {
    let scene = Scene::new().await;
    assert_eq!(scene.grant(&scene.may_spend(100)).await, Ok(()));
    assert_eq!(scene.begin_session(LONGEST + 1).await, refused(3022));
    assert_eq!(scene.begin_session(u64::MAX).await, refused(3022));
    assert_eq!(scene.begin_session(LONGEST).await, Ok(()));
}

#[tokio::test]
async fn only_the_root_begins_a_session() {
    let scene = Scene::spending(100).await;
    let (payer, delegate) = (scene.payer.pubkey(), scene.delegate.pubkey());
    let by_delegate = wire::session(&scene.wallet, &payer, (GRANTED, &delegate), &delegate, 1);
    let renewed = scene.world.land(&[by_delegate], &[&scene.payer, &scene.delegate]).await;
    assert_eq!(renewed, refused(3005), "the session key does not renew itself");
    let buyer = scene.buyer.pubkey();
    let of = |role| wire::session(&scene.wallet, &payer, (role, &buyer), &delegate, 1);
    assert_eq!(scene.by_buyer(&[of(9)]).await, refused(12));
    assert_eq!(scene.by_buyer(&[of(0)]).await, failed(InstructionError::InvalidArgument), "a role without sessions");
}

#[tokio::test]
async fn in_a_session_the_session_key_signs_and_no_other() {
    let scene = Scene::spending(100).await;
    let pay = || [scene.pay(&scene.sellers, 1)];
    let by = |role, signer: &Keypair| wire::sign(&scene.wallet, (role, &signer.pubkey()), &pay());
    assert_eq!(scene.by_buyer(&[by(GRANTED, &scene.buyer)]).await, refused(3005), "the root is not the session key");
    let other = Keypair::new_from_array([78; 32]);
    let stolen = scene.world.land(&[by(GRANTED, &other)], &[&scene.payer, &other]).await;
    assert_eq!(stolen, refused(3005));
    let mut unsigned = by(GRANTED, &scene.delegate);
    unsigned.accounts[2].is_signer = false;
    assert_eq!(scene.world.land(&[unsigned], &[&scene.payer]).await, refused(3005), "named, and has not signed");
    let mut elsewhere = by(GRANTED, &scene.delegate);
    *elsewhere.data.last_mut().unwrap() = 200;
    assert_eq!(scene.world.land(&[elsewhere], &[&scene.payer, &scene.delegate]).await, refused(3005));
    let roots = scene.world.land(&[by(0, &scene.delegate)], &[&scene.payer, &scene.delegate]).await;
    assert_eq!(roots, refused(3005));
    assert_eq!(scene.calls(&pay()).await, Ok(()));

    let another =
        wire::session(&scene.wallet, &scene.payer.pubkey(), (GRANTED, &scene.buyer.pubkey()), &other.pubkey(), 5);
    assert_eq!(scene.by_buyer(&[another]).await, Ok(()));
    assert_eq!(scene.calls(&pay()).await, refused(3005), "the session is another key's now");
}

#[tokio::test]
async fn a_role_without_sessions_signs_for_ever() {
    let scene = Scene::new().await;
    let may = [Action::ManageAuthority, scene.may_spend(9)[0], scene.may_spend(9)[1]];
    assert_eq!(scene.add(Authority::Key(scene.delegate.pubkey()), &may).await, Ok(()));
    scene.world.net.tick_slots(50);
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 9)]).await, Ok(()));
}
