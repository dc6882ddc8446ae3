//! Approves that another program makes in a payer's name, beside one that stands: the stand-in for Swig calls what its wallet's key asks
//! for, and hands on the signatures of the transaction.

use super::{
    super::{becomes, lands_by_itself},
    BOTH, Scene,
    behind::unwatched,
};
use crate::{
    localnet::swig::wire::{self, Action, Authority},
    support::Opening,
};
use serde_json::json;
use solana_signature::Signature;
use sotto::domain::amount::Amount;

impl Scene {
    /// Approves so many units in a call of another program.
    async fn approves_through_a_program(&self, units: u64) -> Signature {
        let (world, payer) = (&self.world, &self.payer);
        let (wallet, key) = (wire::Wallet::new([9; 32]), payer.key());
        lands_by_itself(world, payer, &[wire::create(&wallet, &key, Authority::Key(key), &[Action::All])]);
        let opening = Opening { grant: 0, ..world.opening(payer, &world.spender(), units) };
        let approve = world.approve_instructions(&opening).await.pop().unwrap();
        let wrapped = lands_by_itself(world, payer, &[wire::sign(&wallet, (0, &key), &[approve])]);
        world.confirmed().await;
        wrapped
    }
}

/// Guards: `called_by` in `single_approve`, and the calls among what `is_harmless` looks at. By its name it opens nothing, and by the
/// name of the one that it replaced nobody opens more.
#[tokio::test]
async fn an_approve_from_another_program_opens_nothing_and_makes_the_old_one_stale() {
    for delegation in BOTH {
        let scene = unwatched(delegation).await;
        let approve = scene.approves(100).await;
        let session = scene.opens(0, 50, 100, &approve).await;
        let wrapped = scene.approves_through_a_program(100).await;
        scene.is_refused(&scene.body(1, 10, 100, &wrapped), 400, "approve_not_allowed").await;
        assert_eq!(
            scene.state(&session).await,
            json!("open"),
            "{delegation:?}: a name that opens nothing ends nothing"
        );
        scene.is_refused(&scene.body(1, 10, 100, &approve), 409, "approve_stale").await;
        scene.world.finish().await;
    }
}

/// Guard: `judge_delegation`. What stands on chain is what backs sessions, whoever's program made it stand.
#[tokio::test]
async fn sessions_that_an_approve_from_another_program_does_not_back_end() {
    for delegation in BOTH {
        let scene = Scene::begin(delegation).await;
        let approve = scene.approves(100).await;
        let session = scene.opens(0, 50, 100, &approve).await;
        let wrapped = scene.approves_through_a_program(20).await;
        becomes(&scene.world, session["sessionId"].as_str().unwrap(), "superseded").await;
        let standing = scene.current().await.unwrap();
        assert_eq!((standing.signature, standing.amount), (wrapped, Amount::new(20)), "{delegation:?}");
        scene.world.finish().await;
    }
}
