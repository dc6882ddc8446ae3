//! What a merchant can find out on their own: whether the settlements they were told of moved money.

use super::{Shop, lands_by_itself, with_sol};
use crate::support::{Options, PATIENCE, Wallet, World};
use solana_signature::Signature;
use sotto::{
    covalidator::{HttpCovalidator, WalletSigner},
    domain::amount::Amount,
    merchant::{
        chain::JsonRpc,
        receipts::{Question, ReceiptProof, Span, Verdict, prove_receipts},
    },
    programs::{ciphertext::encrypt, inco_token::Transfer},
};
use std::collections::HashMap;

async fn proof(
    world: &World,
    merchant: &Wallet,
    since: Option<Signature>,
    told: Option<&HashMap<Signature, Amount>>,
) -> ReceiptProof {
    world.confirmed().await;
    let chain = JsonRpc::new(&world.net.rpc_url(), PATIENCE).unwrap();
    let key = world.net.network().stand_ins().attestation_key();
    let covalidator = HttpCovalidator::new(&world.covalidator.url(), key, PATIENCE).unwrap();
    let question = Question {
        wallet: merchant.key(),
        mint: world.faucet.mint(),
        spender: world.spender(),
        since,
        told,
        patience: PATIENCE,
    };
    let reader = WalletSigner::from_secret(&merchant.seed());
    prove_receipts(&chain, &covalidator, &reader, &world.programs, &question).await.unwrap()
}

/// Pays and gives what the merchant was told.
async fn pays(shop: &Shop, amount: u64) -> (Signature, Amount) {
    let answer = shop.pays(amount, None).await;
    (answer["transaction"].as_str().unwrap().parse().unwrap(), Amount::new(amount).unwrap())
}

#[tokio::test]
async fn a_merchant_proves_what_they_received_to_the_unit() {
    let shop = Shop::open(Options::default(), 100_000).await;
    let mut told = HashMap::new();
    for amount in [700, 1, 2_500] {
        told.extend([pays(&shop, amount).await]);
    }
    let all = proof(&shop.world, &shop.merchant, None, Some(&told)).await;
    let settled: usize = all.spans.iter().map(|span| span.settlements.len()).sum();
    assert_eq!(settled, 3, "{all:#?}");
    // The faucet opened the merchant's account with a gift of nothing, which may have been anything.
    let judged: Vec<_> = all.spans.iter().map(Span::verdict).filter(|v| *v != Verdict::Open).collect();
    assert!(judged.len() >= 2 && judged.iter().all(|verdict| *verdict == Verdict::Paid), "{all:#?}");
    let newest = all.newest.unwrap();
    let next = pays(&shop, 40).await;
    let told = HashMap::from([next]);
    let later = proof(&shop.world, &shop.merchant, Some(newest), Some(&told)).await;
    assert_eq!(later.spans.len(), 1, "{later:#?}");
    assert_eq!((later.spans[0].growth, later.spans[0].verdict()), (Some(40), Verdict::Paid));
    assert!(later.holds());
    let lied = HashMap::from([(next.0, Amount::new(41).unwrap()), (Signature::from([7; 64]), Amount::new(5).unwrap())]);
    let short = proof(&shop.world, &shop.merchant, Some(newest), Some(&lied)).await;
    assert_eq!(short.spans[0].verdict(), Verdict::Short { missing: 1 });
    assert_eq!(short.absent, [Signature::from([7; 64])]);
    assert!(!short.holds());
    shop.closes().await;
}

#[tokio::test]
async fn r02_a_merchant_sees_that_an_empty_payers_transfer_moved_nothing() {
    let world = World::start().await;
    let (payer, merchant) = (world.wallet(0).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 10_000).await;
    let shop = Shop { world, payer, merchant, session };
    // The first one lets the merchant read what it leaves, so it is where a proof can begin.
    let before = Some(pays(&shop, 900).await.0);
    let told = HashMap::from([pays(&shop, 900).await]);
    for told in [Some(&told), None] {
        let seen = proof(&shop.world, &shop.merchant, before, told).await;
        assert_eq!(seen.spans.len(), 1, "{seen:#?}");
        assert_eq!((seen.spans[0].growth, seen.spans[0].verdict()), (Some(0), Verdict::Nothing), "{seen:#?}");
        assert!(!seen.holds());
    }
    shop.world.finish().await;
}

#[tokio::test]
async fn a_strangers_gift_neither_hides_a_shortfall_nor_feigns_a_receipt() {
    let shop = Shop::open(Options::default(), 100_000).await;
    let stranger = shop.world.wallet(5_000).await;
    with_sol(&shop.world, &stranger).await;
    let first = pays(&shop, 10).await;
    let mint = shop.world.faucet.mint();
    let gift = Transfer {
        source: shop.world.programs.token_account(&stranger.key(), &mint),
        destination: shop.world.programs.token_account(&shop.merchant.key(), &mint),
        authority: stranger.key(),
        ciphertext: encrypt(&shop.world.net.network().stand_ins().encryption_key(), 600, &*shop.world.chance),
        allowances: None,
    };
    lands_by_itself(&shop.world, &stranger, &[shop.world.programs.transfer(&gift)]);
    shop.world.confirmed().await;
    let second = pays(&shop, 500).await;
    let told = HashMap::from([second]);
    let seen = proof(&shop.world, &shop.merchant, Some(first.0), Some(&told)).await;
    assert_eq!(seen.spans.len(), 1, "the gift is no settlement: {seen:#?}");
    assert_eq!((seen.spans[0].others, seen.spans[0].growth), (1, Some(1_100)));
    assert_eq!(seen.spans[0].verdict(), Verdict::Open);
    shop.world.finish().await;
}
