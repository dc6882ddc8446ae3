//! Reading and simulating.

use super::scene::{SOL, Scene};
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_system_interface::instruction::transfer;
use sotto::chain::{Chain, keys::Signer, transaction::UnsignedTransaction};

#[tokio::test(flavor = "multi_thread")]
async fn accounts_come_in_the_order_asked_for_and_missing_ones_are_told() {
    let scene = Scene::polling().await;
    let payer = scene.payer.pubkey();
    let missing = |number: u8| Pubkey::new_from_array([number; 32]);
    // More than one request may hold.
    let mut keys: Vec<Pubkey> =
        (0..149).map(missing).map(|key| if key == missing(0) { missing(200) } else { key }).collect();
    keys.insert(120, payer);
    let accounts = scene.chain.accounts(&keys).await.unwrap();
    assert_eq!(accounts.len(), 150);
    let found: Vec<usize> = (0..150).filter(|index| accounts[*index].is_some()).collect();
    assert_eq!(found, [120]);
    let account = accounts[120].as_ref().unwrap();
    assert_eq!((account.lamports, account.owner), (100 * SOL, solana_sdk_ids::system_program::ID));
    assert_eq!(scene.requests("getMultipleAccounts"), 2);
    assert!(scene.chain.accounts(&[]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_blockhash_lives_no_longer_than_told() {
    let scene = Scene::polling().await;
    let hash = scene.chain.latest_blockhash().await.unwrap();
    scene.net.tick_slots(10);
    let told = scene.chain.blockhash_life(&hash.hash).await.unwrap().unwrap();
    assert_eq!(told.hash, hash.hash);
    assert!(told.last_valid_block_height >= hash.last_valid_block_height, "never too short: {told:?} {hash:?}");
    assert!(told.last_valid_block_height <= hash.last_valid_block_height + 12);
    assert_eq!(scene.chain.blockhash_life(&Hash::new_from_array([3; 32])).await.unwrap(), None);
    scene.net.tick_slots(200);
    assert_eq!(scene.chain.blockhash_life(&hash.hash).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn blockhashes_are_at_hand_and_follow_the_chain() {
    let scene = Scene::polling().await;
    let first = scene.chain.latest_blockhash().await.unwrap();
    let asked = scene.requests("getLatestBlockhash");
    for _ in 0..1_000 {
        scene.chain.latest_blockhash().await.unwrap();
    }
    assert!(scene.requests("getLatestBlockhash") < asked + 100, "asked in the background, not per use");
    scene.net.tick_slots(5);
    scene.knows_a_blockhash_past(first.last_valid_block_height).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_tells_units_logs_and_watched_accounts_without_signatures() {
    let scene = Scene::polling().await;
    let (payer, to) = (scene.payer.pubkey(), Pubkey::new_from_array([9; 32]));
    let hash = scene.chain.latest_blockhash().await.unwrap().hash;
    let good = UnsignedTransaction::new(&payer, &[transfer(&payer, &to, SOL)], hash).unwrap();
    let told = scene.chain.simulate(good.transaction(), &[to, Pubkey::new_from_array([8; 32])]).await.unwrap();
    assert_eq!(told.error, None);
    assert!(told.units > 0 && !told.logs.is_empty());
    assert_eq!(told.accounts.len(), 2);
    assert_eq!(told.accounts[0].as_ref().unwrap().lamports, SOL);
    assert_eq!(told.accounts[1], None);
    assert!(scene.chain.simulate(good.transaction(), &[]).await.unwrap().accounts.is_empty());

    let bad = UnsignedTransaction::new(&payer, &[transfer(&payer, &to, 1_000 * SOL)], hash).unwrap();
    let told = scene.chain.simulate(bad.transaction(), &[to]).await.unwrap();
    assert!(told.error.is_some() && told.accounts.is_empty());
    let dead = UnsignedTransaction::new(&payer, &[transfer(&payer, &to, SOL)], Hash::default()).unwrap();
    assert!(scene.chain.simulate(dead.transaction(), &[to]).await.unwrap().error.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn rent_and_fees_are_asked_for_once() {
    let scene = Scene::polling().await;
    let rent = scene.chain.rent(10).await.unwrap();
    assert_eq!(rent, 960_480);
    assert_eq!(scene.chain.rent(10).await.unwrap(), rent);
    assert!(scene.chain.rent(221).await.unwrap() > rent);
    assert_eq!(scene.requests("getMinimumBalanceForRentExemption"), 2);
    let accounts = [scene.payer.pubkey()];
    let price = scene.chain.priority_fee(&accounts).await.unwrap();
    assert_eq!(scene.chain.priority_fee(&accounts).await.unwrap(), price);
    assert_eq!(scene.requests("getRecentPrioritizationFees"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_comes_before_anything_is_known_shares_one_question_about_fees() {
    let scene = Scene::polling().await;
    let (one, other) = ([scene.payer.pubkey()], [Pubkey::new_from_array([7; 32])]);
    let crowd = (0..20).map(|_| scene.chain.priority_fee(&one));
    let (told, _) = tokio::join!(futures_util::future::join_all(crowd), scene.chain.priority_fee(&other));
    assert!(told.into_iter().all(|price| price.is_ok()));
    assert_eq!(scene.requests("getRecentPrioritizationFees"), 2, "one for each set of accounts");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_is_told_by_its_genesis_hash() {
    let scene = Scene::polling().await;
    assert_eq!(scene.chain.genesis_hash().await.unwrap(), scene.net.genesis_hash());
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_show_no_url() {
    let settings = super::scene::settings("http://node/?api-key=secret".into(), Some("ws://node/secret".into()));
    assert!(!format!("{settings:?}").contains("secret"));
}
