//! Making a wallet; adding and removing roles.

use super::{
    scene::{GRANTED, Scene, failed, refused},
    wire::{self, Action, Authority, Wallet},
};
use solana_instruction_error::InstructionError;
use solana_pubkey::Pubkey;
use solana_signer::Signer as _;
use sotto::programs::spl_token::TokenProgram;

#[tokio::test]
async fn a_wallet_begins_with_a_role_that_can_manage_roles() {
    let scene = Scene::empty().await;
    let (payer, buyer) = (scene.payer.pubkey(), Authority::Key(scene.buyer.pubkey()));
    let with = |may: &[Action]| wire::create(&scene.wallet, &payer, buyer, may);
    let create = async |may: &[Action]| scene.world.land(&[with(may)], &[&scene.payer]).await;
    assert_eq!(create(&scene.may_spend(5)).await, refused(7));
    assert_eq!(create(&[]).await, refused(7));
    assert_eq!(create(&[Action::ManageAuthority]).await, Ok(()));
    assert_eq!(create(&[Action::All]).await, failed(InstructionError::AccountAlreadyInitialized));
}

#[tokio::test]
async fn a_wallet_is_made_at_the_addresses_of_its_id_alone() {
    let scene = Scene::empty().await;
    let (payer, root) = (scene.payer.pubkey(), Authority::Key(scene.buyer.pubkey()));
    let other = Wallet::new([10; 32]);
    let create = async |wallet: &Wallet| {
        let create = wire::create(wallet, &payer, root, &[Action::All]);
        scene.world.land(&[create], &[&scene.payer]).await
    };
    let foreign = failed(InstructionError::InvalidSeeds);
    assert_eq!(create(&Wallet { config: other.config, ..scene.wallet }).await, foreign);
    assert_eq!(create(&Wallet { address: other.address, ..scene.wallet }).await, foreign);
    // Lamports that somebody sent ahead are in nobody's way.
    for gift in [scene.wallet.config, scene.wallet.address] {
        scene.world.net.network().airdrop(&gift, 1_000_000).expect("the faucet gives");
    }
    assert_eq!(create(&scene.wallet).await, Ok(()));
    assert_eq!(scene.world.net.network().balance(&scene.wallet.address), 1_000_000, "enough rent already");
}

#[tokio::test]
async fn only_a_role_that_manages_roles_adds_one() {
    let scene = Scene::spending(100).await;
    let (payer, buyer, delegate) = (scene.payer.pubkey(), scene.buyer.pubkey(), scene.delegate.pubkey());
    let added = Authority::Key(Pubkey::new_from_array([77; 32]));
    let by = |acting, signer| wire::add(&scene.wallet, &payer, (acting, signer), added, &[Action::All]);
    let bounded = by(GRANTED, &delegate);
    assert_eq!(scene.world.land(&[bounded], &[&scene.payer, &scene.delegate]).await, refused(3010));
    let forged = by(0, &delegate);
    assert_eq!(scene.world.land(&[forged], &[&scene.payer, &scene.delegate]).await, refused(3005));
    assert_eq!(scene.by_buyer(&[by(9, &buyer)]).await, refused(12));
    assert_eq!(scene.by_buyer(&[by(0, &buyer)]).await, Ok(()));

    assert_eq!(scene.add(Authority::Key(delegate), &[Action::ManageAuthority]).await, Ok(()));
    let managed = by(3, &delegate);
    assert_eq!(scene.world.land(&[managed], &[&scene.payer, &scene.delegate]).await, Ok(()));
}

#[tokio::test]
async fn only_a_role_that_manages_roles_removes_another() {
    let scene = Scene::spending(100).await;
    let (payer, buyer, delegate) = (scene.payer.pubkey(), scene.buyer.pubkey(), scene.delegate.pubkey());
    assert_eq!(scene.grant(&scene.may_spend(7)).await, Ok(()));
    let by = |acting, signer, target| wire::remove(&scene.wallet, &payer, (acting, signer), target);
    let by_delegate = async |acting, target| {
        scene.world.land(&[by(acting, &delegate, target)], &[&scene.payer, &scene.delegate]).await
    };
    assert_eq!(by_delegate(GRANTED, 2).await, refused(3010));
    assert_eq!(by_delegate(GRANTED, 0).await, refused(3010));
    assert_eq!(by_delegate(0, GRANTED).await, refused(3005));
    assert_eq!(by_delegate(2, 2).await, refused(3014), "its session has not begun");
    assert_eq!(scene.by_buyer(&[by(0, &buyer, 0)]).await, refused(3012), "the first role stays");
    assert_eq!(scene.by_buyer(&[by(0, &buyer, 9)]).await, refused(12));
    assert_eq!(scene.by_buyer(&[by(9, &buyer, GRANTED)]).await, refused(12));
    assert_eq!(by_delegate(GRANTED, GRANTED).await, Ok(()), "a role may remove itself");
    assert_eq!(scene.by_buyer(&[by(0, &buyer, 2)]).await, Ok(()));
}

#[tokio::test]
async fn ids_are_used_once_and_rent_follows_the_size() {
    let scene = Scene::new().await;
    let (payer, buyer) = (scene.payer.pubkey(), scene.buyer.pubkey());
    let sponsor = || scene.world.net.network().balance(&payer);
    let rent = |bytes: usize| (128 + u64::try_from(bytes).unwrap()) * 6_960;
    for id in 1..=2 {
        let (before, size) = (sponsor(), scene.config().len());
        assert_eq!(scene.grant(&scene.may_spend(5)).await, Ok(()));
        let grown = scene.config().len();
        assert_eq!(before - sponsor(), rent(grown) - rent(size) + 10_000);
        assert_eq!(scene.world.net.network().balance(&scene.wallet.config), rent(grown));
        let before = sponsor();
        let remove = wire::remove(&scene.wallet, &payer, (0, &buyer), id);
        assert_eq!(scene.by_buyer(&[remove]).await, Ok(()));
        assert_eq!(sponsor() + 10_000 - before, rent(grown) - rent(size));
        assert_eq!(scene.config().len(), size);
    }
    let remove = wire::remove(&scene.wallet, &payer, (0, &buyer), 1);
    assert_eq!(scene.by_buyer(&[remove]).await, refused(12), "the id is gone for ever");
}

#[tokio::test]
async fn what_somebody_sent_to_the_config_stays_in_it() {
    let scene = Scene::spending(100).await;
    scene.world.net.network().airdrop(&scene.wallet.config, 7).expect("the faucet gives");
    let remove = wire::remove(&scene.wallet, &scene.payer.pubkey(), (0, &scene.buyer.pubkey()), GRANTED);
    assert_eq!(scene.by_buyer(&[remove]).await, Ok(()));
    let size = u64::try_from(scene.config().len()).unwrap();
    assert_eq!(scene.world.net.network().balance(&scene.wallet.config), (128 + size) * 6_960 + 7);
}

#[tokio::test]
async fn bytes_that_do_not_decode_change_nothing() {
    let scene = Scene::new().await;
    let before = scene.config();
    let (payer, buyer) = (scene.payer.pubkey(), scene.buyer.pubkey());
    let whole = wire::add(
        &scene.wallet,
        &payer,
        (0, &buyer),
        Authority::Key(payer),
        &[Action::Program(TokenProgram::Token.address())],
    );
    let malformed = failed(InstructionError::InvalidInstructionData);
    for broken in [
        |data: &mut Vec<u8>| data.truncate(1),
        |data: &mut Vec<u8>| data.truncate(data.len() - 1),
        |data: &mut Vec<u8>| data.push(0),
        // Another instruction, another kind of authority, another number of actions, another end of the action.
        |data: &mut Vec<u8>| data[0] = 3,
        |data: &mut Vec<u8>| data[6] = 5,
        |data: &mut Vec<u8>| data[8] = 2,
        |data: &mut Vec<u8>| data[16 + 32 + 4] = 39,
    ] {
        let mut instruction = whole.clone();
        broken(&mut instruction.data);
        assert_eq!(scene.by_buyer(&[instruction]).await, malformed);
    }
    assert_eq!(scene.config(), before);
    assert_eq!(scene.by_buyer(&[whole]).await, Ok(()));
}

/// A config that the vectors have, with bytes behind its last role.
#[tokio::test]
async fn bytes_behind_the_last_role_are_legal_and_go_when_roles_change() {
    let scene = Scene::new().await;
    let network = scene.world.net.network();
    let mut stored = network.account(&scene.wallet.config).unwrap();
    let size = stored.data.len();
    stored.data.extend([7; 24]);
    stored.lamports += 24 * 6_960;
    network.put_account(scene.wallet.config, stored);
    assert_eq!(scene.grant(&scene.may_spend(5)).await, Ok(()));
    assert_eq!(scene.config().len(), size + 16 + 80 + 40 + 48);
}
