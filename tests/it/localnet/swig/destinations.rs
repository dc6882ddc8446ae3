//! Roles that may pay one token account and no other.

use super::{
    scene::{PURSE, Scene, refused},
    wire::Action,
};
use solana_instruction::AccountMeta;
use solana_pubkey::Pubkey;

/// A role that may spend `units`, and at most `bound` of them to the seller.
async fn bound(units: u64, bound: u64) -> Scene {
    let scene = Scene::new().await;
    let [program, limit] = scene.may_spend(units);
    assert_eq!(scene.grant(&[program, limit, Action::Destination(scene.mint, scene.sellers, bound)]).await, Ok(()));
    assert_eq!(scene.begin_session(10).await, Ok(()));
    scene
}

/// Somebody else's token account.
fn others(scene: &Scene) -> Pubkey {
    let other = Pubkey::new_from_array([35; 32]);
    let cash = scene.world.net.cash();
    cash.fund(&other, 0).expect("the faucet gives");
    cash.account_of(&other)
}

#[tokio::test]
async fn a_bound_role_pays_its_seller_and_nobody_else() {
    let scene = bound(100, 100).await;
    let others = others(&scene);
    assert_eq!(scene.calls(&[scene.pay(&others, 1)]).await, refused(3006));
    let both = [scene.pay(&scene.sellers, 1), scene.pay(&others, 1)];
    assert_eq!(scene.calls(&both).await, refused(3006));
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 30)]).await, Ok(()));
    assert_eq!((scene.left(80), scene.left(0)), (70, 70), "both limits are charged");
    assert_eq!((scene.balance(&scene.sellers), scene.balance(&others)), (30, 0));
}

#[tokio::test]
async fn a_destinations_limit_is_exhausted_by_itself() {
    let scene = bound(100, 40).await;
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 41)]).await, refused(3031));
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 40)]).await, Ok(()));
    assert_eq!((scene.left(80), scene.left(0)), (60, 0));
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 1)]).await, refused(3031));

    let scene = bound(40, 100).await;
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 41)]).await, refused(3011), "nor may it exceed the token's");
    assert_eq!((scene.left(80), scene.left(0)), (40, 100));
}

#[tokio::test]
async fn a_destination_is_a_limit_by_itself() {
    let scene = Scene::new().await;
    let program = scene.may_spend(0)[0];
    assert_eq!(scene.grant(&[program, Action::Destination(scene.mint, scene.sellers, 50)]).await, Ok(()));
    assert_eq!(scene.begin_session(5).await, Ok(()));
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 20)]).await, Ok(()));
    assert_eq!(scene.left(0), 30);
}

#[tokio::test]
async fn each_of_several_destinations_has_its_own_limit() {
    let scene = Scene::new().await;
    let others = others(&scene);
    let [program, limit] = scene.may_spend(100);
    let to = |account, units| Action::Destination(scene.mint, account, units);
    assert_eq!(scene.grant(&[program, limit, to(scene.sellers, 10), to(others, 20)]).await, Ok(()));
    assert_eq!(scene.begin_session(9).await, Ok(()));
    let both = |one, other| [scene.pay(&scene.sellers, one), scene.pay(&others, other)];
    assert_eq!(scene.calls(&both(11, 1)).await, refused(3031));
    assert_eq!(scene.calls(&both(10, 20)).await, Ok(()));
    assert_eq!((scene.left(80), scene.left(0)), (0, 0));
}

#[tokio::test]
async fn what_leaves_a_bound_role_without_a_transfer_is_refused() {
    let scene = bound(100, 100).await;
    let burn = |units: u64| {
        scene.token(&[&[8], units.to_le_bytes().as_slice()].concat(), &[AccountMeta::new(scene.mint, false)])
    };
    assert_eq!(scene.calls(&[burn(1)]).await, refused(3006));
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 1), burn(1)]).await, refused(3006));
    assert_eq!(scene.balance(&scene.source()), PURSE);
    // An unchecked transfer is one too.
    let plain =
        scene.token(&[&[3], 5_u64.to_le_bytes().as_slice()].concat(), &[AccountMeta::new(scene.sellers, false)]);
    assert_eq!(scene.calls(&[plain]).await, Ok(()));
    assert_eq!(scene.left(0), 95);
}
