//! What becomes of a proof, and of its session, when the account changes.

use super::super::{Shop, becomes, lands_by_itself, view, with_sol};
use super::{amount_of, is_looked_at, is_told, lets_read, moves, proves, sends_proof, source, source_of, watchful};
use crate::support::{Wallet, World, proof_body as proof};
use serde_json::{Value, json};
use solana_instruction::{AccountMeta, Instruction};
use solana_signer::Signer as _;
use sotto::{
    covalidator::AttestedValue,
    domain::{chance::draw, funding::FundingPolicy},
    programs::{discriminator, inco_token::Allowance},
};

fn burn(shop: &Shop, units: u64) -> Instruction {
    let (world, ciphertext) = (&shop.world, amount_of(&shop.world, units));
    let mut bytes = discriminator("burn").to_vec();
    bytes.extend_from_slice(&u32::try_from(ciphertext.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&ciphertext);
    bytes.push(0);
    let accounts = vec![
        AccountMeta::new(source_of(shop), false),
        AccountMeta::new(world.faucet.mint(), false),
        AccountMeta::new(shop.payer.key(), true),
        AccountMeta::new_readonly(world.programs.lightning, false),
        AccountMeta::new_readonly(solana_sdk_ids::system_program::ID, false),
    ];
    Instruction { program_id: world.programs.token, accounts, data: bytes }
}

/// The signer whose key the faucet holds sends this.
fn as_authority(world: &World, instruction: Instruction) {
    let authority = world.faucet.authority();
    let wallet = Wallet::from_seed(*authority.secret_bytes());
    assert_eq!(wallet.key(), authority.pubkey());
    lands_by_itself(world, &wallet, &[instruction]);
}

/// Guard: `Foreign::voids` asks who signed.
#[tokio::test]
async fn a_strangers_transfer_stops_nothing() {
    let shop = Shop::open(watchful(FundingPolicy::Required), 100_000).await;
    let stranger = shop.world.wallet(5_000).await;
    with_sol(&shop.world, &stranger).await;
    proves(&shop).await;
    for gift in [0, 3_000, 9_999_999] {
        moves(&shop.world, &stranger, &shop.payer.key(), gift);
        shop.world.confirmed().await;
        is_looked_at(&shop).await;
        assert_eq!(source(&shop).await.bound.unwrap().lost, None, "{gift}");
        let answer = shop.pays(1_000, None).await;
        assert_eq!(answer["extensions"]["session"]["funding"], "proven", "{gift}");
    }
    assert_eq!(shop.world.units(&shop.merchant), 3_000);
    shop.world.finish().await;
}

/// Guard: the monitor's examination of the history.
#[tokio::test]
async fn a_payer_who_moves_money_away_is_unproven_until_the_next_proof() {
    for burns in [false, true] {
        let shop = Shop::open(watchful(FundingPolicy::Required), 100_000).await;
        with_sol(&shop.world, &shop.payer).await;
        proves(&shop).await;
        shop.pays(1_000, None).await;
        if burns {
            lands_by_itself(&shop.world, &shop.payer, &[burn(&shop, 40_000_000)]);
        } else {
            moves(&shop.world, &shop.payer, &shop.merchant.key(), 40_000_000);
        }
        shop.world.confirmed().await;
        is_told(&shop, "funding", &json!("unproven")).await;
        shop.is_refused(1_000, None, "funding_unproven").await;
        lets_read(&shop.world, &shop.payer).await;
        proves(&shop).await;
        assert_eq!(source(&shop).await.bound.unwrap().amount.get(), shop.world.units(&shop.payer));
        shop.pays(1_000, None).await;
        assert_eq!(view(&shop.world, &shop.session).await["state"], "open", "it stayed open all the while");
        shop.world.finish().await;
    }
}

/// Guard: the monitor reads the delegate; two looks say so.
#[tokio::test]
async fn a_foreign_delegate_or_none_ends_the_session_without_a_payment() {
    for foreign in [false, true] {
        let shop = Shop::open(watchful(FundingPolicy::Advisory), 100_000).await;
        with_sol(&shop.world, &shop.payer).await;
        proves(&shop).await;
        let (source, payer) = (source_of(&shop), shop.payer.key());
        let instruction = if foreign {
            let (other, ciphertext) = (shop.world.stranger().key(), amount_of(&shop.world, 5));
            shop.world.programs.approve(&source, &other, &payer, &ciphertext, None::<Allowance>)
        } else {
            shop.world.programs.revoke(&source, &payer)
        };
        lands_by_itself(&shop.world, &shop.payer, &[instruction]);
        becomes(&shop.world, &shop.session, "revoked").await;
        shop.is_refused(1_000, None, "session_revoked").await;
        shop.world.finish().await;
    }
}

/// Guard: the frozen flag in the hold verb, and that a thaw takes it away.
#[tokio::test]
async fn a_frozen_account_pays_nothing_and_goes_on_when_it_is_thawed() {
    let shop = Shop::open(watchful(FundingPolicy::Advisory), 100_000).await;
    let (account, mint) = (source_of(&shop), shop.world.faucet.mint());
    proves(&shop).await;
    let authority = shop.world.faucet.authority().pubkey();
    as_authority(&shop.world, shop.world.programs.freeze_account(&account, &mint, &authority));
    is_told(&shop, "frozen", &json!(true)).await;
    shop.is_refused(1_000, None, "source_frozen").await;
    assert_eq!(view(&shop.world, &shop.session).await["state"], "open");
    as_authority(&shop.world, shop.world.programs.thaw_account(&account, &mint, &authority));
    is_told(&shop, "frozen", &Value::Null).await;
    shop.pays(1_000, None).await;
    is_told(&shop, "funding", &json!("unproven")).await;
    shop.closes().await;
}

/// Guard: rows, not memory.
#[tokio::test]
async fn a_restart_keeps_what_was_proved_and_what_it_is_claimed_for() {
    let mut shop = Shop::open(watchful(FundingPolicy::Required), 100_000).await;
    with_sol(&shop.world, &shop.payer).await;
    proves(&shop).await;
    shop.pays(1_000, None).await;
    let before = source(&shop).await.bound.unwrap();
    shop.world.kill().await;
    shop.world.boot().await;
    let after = source(&shop).await.bound.unwrap();
    assert_eq!(
        (after.amount, after.claimed, after.slot, after.lost),
        (before.amount, before.claimed, before.slot, None)
    );
    shop.pays(1_000, None).await;
    // What happens while nobody is there is found by the next look.
    shop.world.kill().await;
    moves(&shop.world, &shop.payer, &shop.merchant.key(), 1_000_000);
    shop.world.confirmed().await;
    shop.world.boot().await;
    is_told(&shop, "funding", &json!("unproven")).await;
    shop.world.finish().await;
}

/// What is left of a proved balance is never more than what is really there, whatever happens in whatever order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_a_proof_is_never_more_than_the_real_balance() {
    for _ in 0..2 {
        let shop = Shop::open(watchful(FundingPolicy::Advisory), 40_000_000).await;
        let stranger = shop.world.wallet(10_000_000).await;
        for wallet in [&stranger, &shop.payer] {
            with_sol(&shop.world, wallet).await;
        }
        let mut debited = false;
        for _ in 0..40 {
            let [action, size, ..] = draw::<8>(&*shop.world.chance);
            let amount = u64::from(size) * 1_000 + 1;
            match action % 6 {
                0 => drop(sends_proof(&shop, &proof(&attested_now(&shop).await)).await),
                1 => moves(&shop.world, &stranger, &shop.payer.key(), amount),
                2 if action > 200 => {
                    moves(&shop.world, &shop.payer, &stranger.key(), amount * 10);
                    debited = true;
                }
                3 => {
                    let bodies: Vec<Value> = (0..4).map(|_| shop.payment(amount, None)).collect();
                    let all = bodies.iter().map(|body| shop.world.post("/settle", body));
                    futures_util::future::join_all(all).await;
                }
                _ => drop(shop.settle(amount, None).await),
            }
            if std::mem::take(&mut debited) {
                // Until a look has found the debit the proof counts: that is what the interval is for.
                shop.world.confirmed().await;
                is_looked_at(&shop).await;
            }
            holds_less_than_there_is(&shop).await;
        }
        shop.world.finish().await;
    }
}

/// The payer's own decryption, after somebody let them read it.
async fn attested_now(shop: &Shop) -> AttestedValue {
    lets_read(&shop.world, &shop.payer).await;
    shop.world.attested(&shop.payer).await
}

async fn holds_less_than_there_is(shop: &Shop) {
    let known = shop.world.ledger().source(&shop.payer.key(), &shop.world.faucet.mint()).await.unwrap();
    let Some(bound) = known.and_then(|known| known.bound).filter(|bound| bound.lost.is_none()) else { return };
    let left = bound.amount.checked_sub(bound.claimed).unwrap_or_default().get();
    let real = shop.world.units(&shop.payer);
    assert!(left <= real, "{left} left of a proof, and {real} there");
}
