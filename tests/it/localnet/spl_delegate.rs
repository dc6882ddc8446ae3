//! The delegation that MPP channels have by default, with the real SPL Token program: the golden transactions run, and
//! cost what they cost where they were made.

use super::{
    golden::{PURSE, VECTORS, address, key, text, token_account, transaction, world},
    world::World,
};
use serde_json::Value;
use solana_instruction::{AccountMeta, Instruction};
use solana_instruction_error::InstructionError;
use solana_pubkey::Pubkey;
use solana_signer::Signer as _;
use solana_transaction_error::TransactionError;
use sotto::programs::spl_token::TokenProgram;

/// What the onboarding moves into the session account, and how much of it the delegate may spend.
const DEPOSIT: u64 = 5_000_000;
const LIMIT: u64 = 100_000_000;
/// What the golden settlement pays.
const SETTLED: u64 = 35_000;

fn session_account() -> Pubkey {
    address(&VECTORS["spl_delegate"]["session_account"])
}

async fn lands(world: &World, name: &str) {
    let tx = transaction(world, &VECTORS["spl_delegate"][name]);
    assert_eq!(world.outcome(&tx).await, Ok(()), "{name}");
}

/// Runs golden transactions one after the other on a network where somebody has sent lamports to the session account's
/// address, and compares what each costs its fee payer.
async fn runs(gift: u64, runs: &[Value]) {
    let world = world().await;
    if gift > 0 {
        world.net.network().airdrop(&session_account(), gift).unwrap();
        world.net.tick();
    }
    let sponsor = key("fee_payer").pubkey();
    for run in runs {
        let name = text(&run["transaction"]);
        let golden = &VECTORS["spl_delegate"][name.split(' ').next().unwrap()];
        let before = i128::from(world.net.network().balance(&sponsor));
        let outcome = world.outcome(&transaction(&world, golden)).await;
        assert_eq!(outcome.is_ok(), run["landed"], "{name}: {outcome:?}");
        let paid = before - i128::from(world.net.network().balance(&sponsor));
        assert_eq!(paid.to_string(), text(&run["sponsor_pays_lamports"]), "{name}");
    }
}

#[tokio::test]
async fn the_golden_transactions_cost_their_sponsor_what_they_cost_where_they_were_made() {
    let executed = VECTORS["spl_delegate"]["executed"]["runs"].as_array().unwrap();
    assert_eq!(executed.len(), 10);
    let (plain, gifted) = executed.split_at(4);
    let (prefunded, overfunded) = gifted.split_at(4);
    runs(0, plain).await;
    runs(890_880, prefunded).await;
    runs(2_039_280, overfunded).await;
}

#[tokio::test]
async fn onboarding_a_settlement_a_renewal_and_leaving_move_what_they_say() {
    let world = world().await;
    let constants = &VECTORS["constants"];
    let (buyers, sellers) = (address(&constants["buyer_token_account"]), address(&constants["seller_token_account"]));
    let delegate = key("delegate").pubkey();
    let has = |account: &Pubkey| token_account(&world, account).amount;

    lands(&world, "onboard_transaction").await;
    let opened = token_account(&world, &session_account());
    assert_eq!((opened.amount, opened.delegate, opened.delegated_amount), (DEPOSIT, Some(delegate), LIMIT));
    assert_eq!(opened.owner, key("buyer").pubkey());
    assert_eq!(opened.close_authority, Some(key("rent_authority").pubkey()));
    assert_eq!(has(&buyers), PURSE - DEPOSIT);

    lands(&world, "settle_transaction").await;
    let settled = token_account(&world, &session_account());
    assert_eq!((settled.amount, settled.delegated_amount), (DEPOSIT - SETTLED, LIMIT - SETTLED));
    assert_eq!(has(&sellers), SETTLED);

    lands(&world, "regrant_transaction").await;
    let renewed = token_account(&world, &session_account());
    assert_eq!(renewed.delegated_amount, LIMIT, "an approval replaces what was left");

    lands(&world, "leave_transaction").await;
    assert!(world.net.network().account(&session_account()).is_none());
    assert_eq!(has(&buyers), PURSE - SETTLED);
}

#[tokio::test]
async fn the_buyer_cannot_take_the_rent_that_the_sponsor_lent() {
    let world = world().await;
    lands(&world, "onboard_transaction").await;
    let (payer, buyer) = (key("fee_payer"), key("buyer"));
    let token = |data: Vec<u8>, accounts| Instruction { program_id: TokenProgram::Token.address(), accounts, data };
    let owner = AccountMeta::new_readonly(buyer.pubkey(), true);
    let close = || {
        let accounts =
            vec![AccountMeta::new(session_account(), false), AccountMeta::new(buyer.pubkey(), false), owner.clone()];
        token(vec![9], accounts)
    };
    let refused = |code| Err(TransactionError::InstructionError(0, InstructionError::Custom(code)));
    assert_eq!(world.land(&[close()], &[&payer, &buyer]).await, refused(11), "there is money in it");
    let take = [&[6, 3, 1], buyer.pubkey().as_ref()].concat();
    let take = token(take, vec![AccountMeta::new(session_account(), false), owner.clone()]);
    assert_eq!(world.land(&[take], &[&payer, &buyer]).await, refused(4));
    lands(&world, "settle_transaction").await;
    lands(&world, "leave_without_close_transaction").await;
    assert_eq!(token_account(&world, &session_account()).amount, 0);
    assert_eq!(world.land(&[close()], &[&payer, &buyer]).await, refused(4), "empty, and still not the buyer's");
}
