//! Calls with the wallet's signature: which programs, at which depth, for which wallet.

use super::{
    scene::{GRANTED, PURSE, Scene, failed, refused},
    wire::{self, Action, Wallet},
};
use solana_instruction::{AccountMeta, Instruction};
use solana_instruction_error::InstructionError;
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;
use solana_signer::Signer as _;
use solana_system_interface::instruction::transfer;

const MEMO: Pubkey = Pubkey::from_str_const("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

#[tokio::test]
async fn a_bounded_role_calls_programs_with_the_wallet_only_where_it_may() {
    let scene = Scene::spending(100).await;
    let memo = |accounts| Instruction { program_id: MEMO, accounts, data: b"hello".to_vec() };
    let signed = memo(vec![AccountMeta::new_readonly(scene.wallet.address, true)]);
    assert_eq!(scene.calls(std::slice::from_ref(&signed)).await, refused(3006));
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 1), signed.clone()]).await, refused(3006));
    assert_eq!(scene.calls(&[memo(vec![])]).await, Ok(()), "anybody may write this one");

    let permitted = Scene::granted(&[Action::Program(MEMO)]).await;
    assert_eq!(permitted.calls(&[signed]).await, Ok(()));
    assert_eq!(permitted.calls(&[permitted.pay(&permitted.sellers, 1)]).await, refused(3006), "not this program");
}

#[tokio::test]
async fn an_unbounded_role_moves_everything() {
    let scene = Scene::new().await;
    scene.world.net.network().airdrop(&scene.wallet.address, 1_000_000).expect("the faucet gives");
    let buyer = scene.buyer.pubkey();
    let take = [scene.pay(&scene.sellers, PURSE), transfer(&scene.wallet.address, &buyer, 900_000)];
    assert_eq!(scene.by_buyer(&[wire::sign(&scene.wallet, (0, &buyer), &take)]).await, Ok(()));
    assert_eq!((scene.balance(&scene.sellers), scene.balance(&scene.source())), (PURSE, 0));
    assert_eq!(scene.world.net.network().balance(&buyer), 900_000);
}

#[tokio::test]
async fn a_bounded_role_moves_no_lamports_of_the_wallet() {
    let scene = Scene::new().await;
    let may = [Action::Program(system_program::ID), scene.may_spend(1)[0], scene.may_spend(1)[1]];
    assert_eq!(scene.grant(&may).await, Ok(()));
    assert_eq!(scene.begin_session(5).await, Ok(()));
    scene.world.net.network().airdrop(&scene.wallet.address, 1_000_000).expect("the faucet gives");
    let take = transfer(&scene.wallet.address, &scene.payer.pubkey(), 1_000_000);
    assert_eq!(scene.calls(&[take]).await, refused(3006));
}

#[tokio::test]
async fn it_is_no_use_to_call_it_from_a_program() {
    let scene = Scene::new().await;
    let buyer = scene.buyer.pubkey();
    let inner = wire::sign(&scene.wallet, (0, &buyer), &[scene.pay(&scene.sellers, 1)]);
    let outer = wire::sign(&scene.wallet, (0, &buyer), std::slice::from_ref(&inner));
    assert_eq!(scene.by_buyer(&[outer]).await, failed(InstructionError::CallDepth));
    assert_eq!(scene.by_buyer(&[inner]).await, Ok(()));
}

#[tokio::test]
async fn a_config_signs_for_its_own_wallet_alone() {
    let scene = Scene::spending(100).await;
    let signing = |wallet: &Wallet| wire::sign(wallet, (GRANTED, &scene.delegate.pubkey()), &[]);
    let by_delegate = async |sign| scene.world.land(&[sign], &[&scene.payer, &scene.delegate]).await;
    let foreign = Wallet { address: Wallet::new([10; 32]).address, ..scene.wallet };
    assert_eq!(by_delegate(signing(&foreign)).await, failed(InstructionError::InvalidSeeds));
    let missing = Wallet { config: scene.payer.pubkey(), ..scene.wallet };
    assert_eq!(by_delegate(signing(&missing)).await, failed(InstructionError::InvalidAccountOwner));
    assert_eq!(by_delegate(signing(&scene.wallet)).await, Ok(()), "no calls at all");
}

#[tokio::test]
async fn a_removed_role_signs_nothing() {
    let scene = Scene::spending(100).await;
    let remove = wire::remove(&scene.wallet, &scene.payer.pubkey(), (0, &scene.buyer.pubkey()), GRANTED);
    assert_eq!(scene.by_buyer(&[remove]).await, Ok(()));
    assert_eq!(scene.calls(&[scene.pay(&scene.sellers, 1)]).await, refused(12));
    assert_eq!(scene.balance(&scene.source()), PURSE);
}

#[tokio::test]
async fn calls_that_do_not_decode_are_refused() {
    let scene = Scene::spending(100).await;
    let whole = wire::sign(&scene.wallet, (GRANTED, &scene.delegate.pubkey()), &[scene.pay(&scene.sellers, 1)]);
    for broken in [
        |data: &mut Vec<u8>| data.truncate(data.len() - 1),
        |data: &mut Vec<u8>| data.push(0),
        // Another length of the calls, another number of them, another length of the input.
        |data: &mut Vec<u8>| data[2] -= 1,
        |data: &mut Vec<u8>| data[8] = 2,
        |data: &mut Vec<u8>| data[15] = 11,
    ] {
        let mut instruction = whole.clone();
        broken(&mut instruction.data);
        let outcome = scene.world.land(&[instruction], &[&scene.payer, &scene.delegate]).await;
        assert_eq!(outcome, failed(InstructionError::InvalidInstructionData));
    }
    let mut nowhere = whole;
    nowhere.data[9] = 99;
    let outcome = scene.world.land(&[nowhere], &[&scene.payer, &scene.delegate]).await;
    assert_eq!(outcome, failed(InstructionError::MissingAccount), "a program that is not among the accounts");
}
