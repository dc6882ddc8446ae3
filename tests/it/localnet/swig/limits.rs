//! What a bounded role takes is charged to its limits, and it changes nothing else.

use super::{
    scene::{PURSE, Scene, refused},
    wire::{self, Action},
};
use solana_instruction::AccountMeta;
use solana_signer::Signer as _;
use sotto::{
    localnet::faucet::CASH_DECIMALS,
    programs::spl_token::{TokenProgram, TransferChecked},
};

#[tokio::test]
async fn every_transfer_lowers_the_limit_until_nothing_is_left() {
    let scene = Scene::spending(100).await;
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 101)]).await, refused(3011));
    assert_eq!(scene.left(0), 100, "a refusal costs nothing");
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 30)]).await, Ok(()));
    assert_eq!(scene.left(0), 70);
    let twice = [scene.pay(&scene.sellers, 40), scene.pay(&scene.sellers, 31)];
    assert_eq!(scene.calls(&twice).await, refused(3011), "together they are too much");
    let twice = [scene.pay(&scene.sellers, 40), scene.pay(&scene.sellers, 30)];
    assert_eq!(scene.calls(&twice).await, Ok(()));
    assert_eq!(scene.left(0), 0);
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 1)]).await, refused(3011));
    assert_eq!((scene.balance(&scene.sellers), scene.balance(&scene.source())), (100, PURSE - 100));
}

#[tokio::test]
async fn a_token_without_a_limit_is_not_spent() {
    let scene = Scene::new().await;
    let program = scene.may_spend(0)[0];
    let other = Action::TokenLimit(scene.sellers, 1_000);
    assert_eq!(scene.grant(&[program, other]).await, Ok(()));
    assert_eq!(scene.begin_session(5).await, Ok(()));
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 1)]).await, refused(3006));
    assert_eq!(scene.calls(&[scene.pay(&scene.source(), 1)]).await, Ok(()), "nothing left the wallet");
}

#[tokio::test]
async fn the_first_limit_of_a_token_is_the_one_that_counts() {
    let scene = Scene::new().await;
    let [program, small] = scene.may_spend(10);
    assert_eq!(scene.grant(&[program, small, Action::TokenLimit(scene.mint, 500)]).await, Ok(()));
    assert_eq!(scene.begin_session(5).await, Ok(()));
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 11)]).await, refused(3011));
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 10)]).await, Ok(()));
    assert_eq!((scene.left(48), scene.left(0)), (0, 500));
}

#[tokio::test]
async fn a_token_account_changes_in_its_balance_alone() {
    let scene = Scene::spending(PURSE).await;
    let thief = scene.delegate.pubkey();
    let key = thief.to_bytes();
    let units = 5_u64.to_le_bytes();
    // Approve; SetAuthority of the owner, and of who may close.
    let approve = scene.token(&[&[4], units.as_slice()].concat(), &[AccountMeta::new_readonly(thief, false)]);
    let owner = scene.token(&[&[6, 2, 1], key.as_slice()].concat(), &[]);
    let closer = scene.token(&[&[6, 3, 1], key.as_slice()].concat(), &[]);
    for change in [approve, owner, closer] {
        assert_eq!(scene.calls(&[change]).await, refused(43));
    }
    // CloseAccount, once it is empty.
    let close = scene.token(&[9], &[AccountMeta::new(scene.payer.pubkey(), false)]);
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, PURSE), close.clone()]).await, refused(43));
    let buyer = scene.buyer.pubkey();
    let all = [scene.pay(&scene.sellers, PURSE), close];
    assert_eq!(scene.by_buyer(&[wire::sign(&scene.wallet, (0, &buyer), &all)]).await, Ok(()), "the owner may");
}

#[tokio::test]
async fn what_is_burnt_is_taken_too() {
    let scene = Scene::spending(100).await;
    let burn = |units: u64| {
        scene.token(&[&[8], units.to_le_bytes().as_slice()].concat(), &[AccountMeta::new(scene.mint, false)])
    };
    assert_eq!(scene.calls(&[burn(101)]).await, refused(3011));
    assert_eq!(scene.calls(&[burn(100)]).await, Ok(()));
    assert_eq!((scene.left(0), scene.balance(&scene.source())), (0, PURSE - 100));
}

#[tokio::test]
async fn what_comes_in_and_goes_out_again_is_not_charged() {
    let scene = Scene::spending(100).await;
    let delegate = scene.delegate.pubkey();
    let cash = scene.world.net.cash();
    cash.fund(&delegate, 50).expect("the faucet gives");
    let incoming = TransferChecked {
        program: TokenProgram::Token,
        source: cash.account_of(&delegate),
        mint: scene.mint,
        destination: scene.source(),
        authority: delegate,
        amount: 50,
        decimals: CASH_DECIMALS,
    };
    let calls = [incoming.instruction(), scene.pay(&scene.sellers, 60)];
    assert_eq!(scene.calls(&calls).await, Ok(()));
    assert_eq!((scene.left(0), scene.balance(&scene.source())), (90, PURSE - 10));
}
