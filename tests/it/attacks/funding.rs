//! Payers who have not what they pay with, and what a proof of their balance stays worth.

mod caps;
mod demanded;
mod lied_to;
mod moved;
mod read;
mod searched;
mod watched;

use super::{Shop, lands_by_itself, view};
use crate::support::{Options, Wallet, World, proof_body as proof};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    domain::funding::{FundingPolicy, Source},
    programs::{ciphertext::encrypt, inco_token::Transfer},
};
use std::time::Duration;

/// A world that looks at accounts often.
pub(super) fn watchful(policy: FundingPolicy) -> Options {
    Options::settings(move |settings| {
        settings.funding.policy = policy;
        settings.funding.interval = Duration::from_millis(150);
    })
}

/// Sends a proof, again when it was read a moment ago.
pub(super) async fn sends_proof(shop: &Shop, body: &Value) -> (u16, Value) {
    loop {
        let answer = shop.world.post(&format!("/sessions/{}/funding", shop.session), body).await;
        crate::openapi::check_answer("/sessions/{id}/funding", "POST", answer.0, &answer.1);
        if answer.1["error"] != "session_busy" {
            return answer;
        }
        shop.world.confirmed().await;
    }
}

pub(super) async fn proves(shop: &Shop) {
    let (status, answer) = sends_proof(shop, &proof(&shop.world.attested(&shop.payer).await)).await;
    assert_eq!((status, &answer["funding"]), (200, &json!("proven")), "{answer:#}");
}

/// Waits until the session's view says so.
pub(super) async fn is_told(shop: &Shop, member: &str, value: &Value) {
    shop.world.until(member, async || view(&shop.world, &shop.session).await[member] == *value).await;
}

/// Waits until a proof counts by a look that was made later than now, or counts no more.
pub(super) async fn is_looked_at(shop: &Shop) {
    // Looks are told apart by the second.
    shop.world.lets_pass(1);
    let now = shop.world.now();
    let is_looked_at = async || {
        let known = shop.world.ledger().source(&shop.payer.key(), &shop.world.faucet.mint()).await.unwrap();
        let bound = known.and_then(|known| known.bound);
        bound.is_none_or(|bound| bound.lost.is_some() || bound.looked_at >= now)
    };
    shop.world.until("the account is looked at", is_looked_at).await;
}

fn source_of(shop: &Shop) -> Pubkey {
    shop.world.programs.token_account(&shop.payer.key(), &shop.world.faucet.mint())
}

fn amount_of(world: &World, units: u64) -> Vec<u8> {
    encrypt(&world.net.network().stand_ins().encryption_key(), units.into(), &*world.chance)
}

/// `from` moves `units` to `to` by itself.
pub(super) fn moves(world: &World, from: &Wallet, to: &Pubkey, units: u64) {
    let mint = world.faucet.mint();
    let transfer = Transfer {
        source: world.programs.token_account(&from.key(), &mint),
        destination: world.programs.token_account(to, &mint),
        authority: from.key(),
        ciphertext: amount_of(world, units),
        allowances: None,
    };
    lands_by_itself(world, from, &[world.programs.transfer(&transfer)]);
}

/// Whoever may decrypt a balance afterwards: the wallet, at the authority's cost.
pub(super) async fn lets_read(world: &World, wallet: &Wallet) {
    world.faucet.fund(&wallet.key(), 0).unwrap();
    world.confirmed().await;
}

pub(super) async fn source(shop: &Shop) -> Source {
    let mint = shop.world.faucet.mint();
    shop.world.ledger().source(&shop.payer.key(), &mint).await.unwrap().unwrap()
}
