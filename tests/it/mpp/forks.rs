//! Charges whose landing is taken back, or is not seen in time.

use crate::support::{MppScene, Options, World};
use serde_json::{Value, json};
use sotto::localnet::ALL;

fn signature(answer: &Value) -> solana_signature::Signature {
    answer["signature"].as_str().unwrap().parse().unwrap()
}

/// Its bytes are sent again: nothing is signed anew, and the success that was told comes true again.
#[tokio::test]
async fn a_told_charge_that_a_fork_took_back_lands_again_once() {
    let scene = MppScene::of(World::with(Options { finalized_after: 200, ..Options::mpp() }).await).await;
    let body = scene.body(&scene.charge(10_000).await, 10_000);
    let paid = scene.paid(&body).await;
    scene.world.net.network().fork_away(&signature(&paid)).unwrap();
    assert_eq!(scene.world.cash(&scene.seller), 0, "it is gone");
    scene.world.until("it lands again", async || scene.world.cash(&scene.seller) == 10_000).await;
    let repeated = scene.refused(&body, "duplicate_settlement").await;
    assert_eq!(repeated["signature"], paid["signature"]);
    scene.world.passes(200);
    scene.closes(10_000).await;
}

/// Guard: `Charges::look_again`. Providers that hid a landing until its blockhash was over owe the seller a success.
#[tokio::test]
async fn a_landing_that_was_hidden_until_it_was_given_up_is_told_once_it_is_seen() {
    let scene = MppScene::start().await;
    let body = scene.body(&scene.charge(10_000).await, 10_000);
    scene.world.net.faults().change(|plan| {
        plan.missing_confirmation = vec![ALL.to_owned()];
        plan.hidden_history = vec![ALL.to_owned()];
    });
    let hidden = scene.settles(&body).await;
    assert_eq!(hidden["success"], json!(false), "{hidden:#}");
    scene.world.quiet().await;
    assert_eq!(scene.world.cash(&scene.seller), 10_000, "it has landed all the same");
    scene.refused(&body, "blockhash_expired").await;
    scene.world.net.faults().clear();
    let paid = scene.paid(&body).await;
    assert_eq!(paid["signature"], hidden["signature"]);
    scene.refused(&body, "duplicate_settlement").await;
    scene.closes(10_000).await;
}
