//! Channels and the delegation that they stand on: who leaves, and who renews, while something is owed.

use crate::support::{ChannelScene, MppScene, confirmation, in_time, offered, signed_by, until};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    domain::amount::Amount,
    programs::{charge::ChargeDraft, spl_token::TransferChecked},
};

#[tokio::test]
async fn nobody_leaves_while_a_channel_holds_something() {
    let scene = ChannelScene::start().await;
    let purse = scene.world.cash(&scene.buyer) + scene.deposited(&scene.buyer);
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    let (status, answer) = scene.leaves(&scene.buyer).await;
    assert_eq!((status, &answer["error"]), (409, &json!("channels_open")), "{answer:#}");
    scene.closes(&opened).await;
    in_time("its settlement is final", scene.world.quiet()).await;
    let (status, offered) = scene.leaves(&scene.buyer).await;
    assert_eq!((status, &offered["status"]), (200, &json!("transactions_required")), "{offered:#}");
    scene.signs(&scene.buyer, &offered, "left").await;
    assert_eq!(scene.world.cash(&scene.buyer), purse - 30_000);
    scene.refused("/mpp/session/open", &scene.open_body(&scene.buyer, &scene.seller, 1), "swig_role_not_found").await;
    assert_eq!(
        scene.closes(&opened).await["settlement"]["amount_settled"],
        json!("30000"),
        "what was closed stays told"
    );
    scene.ends(30_000).await;
}

#[tokio::test]
async fn a_channel_outlives_the_renewal_of_its_grant() {
    let scene = ChannelScene::bare(|_| ()).await;
    scene.grants(&scene.buyer, 2_000_000, 2_000_000).await;
    let opened = scene.opens(1_500_000).await;
    scene.draws(&opened, 30_000).await;
    let renewal = |limit: &str| json!({ "renew": true, "spend_limit_atomic": limit });
    let (_, small) = scene.asks(&scene.buyer, "/api/sessions/onboard", renewal("1000000")).await;
    assert_eq!(small["status"], json!("temporarily_unavailable"), "it would not cover what is reserved: {small:#}");
    let (_, offered) = scene.asks(&scene.buyer, "/api/sessions/onboard", renewal("3000000")).await;
    scene.signs(&scene.buyer, &offered, "ready").await;
    scene.draws(&opened, 50_000).await;
    let closed = scene.closes(&opened).await;
    assert_eq!(closed["settlement"]["amount_settled"], json!("50000"), "{closed:#}");
    scene.ends(50_000).await;
}

/// A charge of so many units from this account of the buyer's.
async fn charge_from(shop: &MppScene, account: Pubkey, units: u64) -> Value {
    let transfer = TransferChecked { source: account, ..shop.transfer(units) };
    let transaction = shop.signed(&ChargeDraft::new(transfer, None).instructions()).await;
    shop.body(&transaction, units)
}

/// Guard: `Charges::check_source`. What channels are settled from is no purse that we pay a buyer to empty.
#[tokio::test]
async fn no_charge_is_taken_from_an_account_that_backs_channels() {
    let scene = ChannelScene::start().await;
    let account = scene.session_account(&scene.buyer).address();
    let opened = scene.opens(100_000).await;
    let ChannelScene { world, buyer, seller } = scene;
    let shop = MppScene { world, buyer, seller };
    let told = shop.refused(&charge_from(&shop, account, 20_000).await, "simulation_failed").await;
    assert!(told["detail"].as_str().expect("a text").contains("backs channels"), "{told:#}");
    let scene = ChannelScene { world: shop.world, buyer: shop.buyer, seller: shop.seller };
    scene.closes(&opened).await;
    let ChannelScene { world, buyer, seller } = scene;
    let shop = MppScene { world, buyer, seller };
    in_time("its close is final", shop.world.quiet()).await;
    shop.paid(&charge_from(&shop, account, 30_000).await).await;
    let scene = ChannelScene { world: shop.world, buyer: shop.buyer, seller: shop.seller };
    scene.ends(30_000).await;
}

/// Guard: `look_at_channels`, which `sotto doctor` tells of; read beside the running service.
#[tokio::test]
async fn an_operator_is_told_what_stands_and_what_was_lost() {
    let scene = ChannelScene::start().await;
    let path = scene.world.directory().join("sotto.db");
    let chain_id = scene.world.network.canonical().to_owned();
    let look = |soon| sotto::ledger::look_at_channels(&path, &chain_id, soon).expect("answers");
    let nothing = look(scene.world.now());
    assert_eq!((nothing.live, nothing.owed, nothing.most_owed, nothing.short), (0, 0, 0, 0));
    let (_, keys) = scene.world.get("/mpp/keys").await;
    assert_eq!(json!(nothing.issuer.expect("a start has noted it").to_string()), keys["issuer"]);
    let first = scene.opens(100_000).await;
    let second = scene.opens(50_000).await;
    scene.draws(&first, 30_000).await;
    scene.draws(&second, 5_000).await;
    let standing = look(scene.world.now());
    assert_eq!((standing.live, standing.ending, standing.owed, standing.most_owed), (2, 0, 35_000, 35_000));
    assert_eq!(look(scene.world.now() + crate::support::TTL).ending, 1);
    scene.revokes(&scene.buyer).await;
    for channel in [&first, &second] {
        scene.becomes(channel, "closed").await;
    }
    let lost = look(scene.world.now());
    assert_eq!((lost.live, lost.owed, lost.short, lost.shortfall), (0, 0, 2, 35_000));
    assert_eq!(scene.delegation(&scene.buyer).await.used.owed, Amount::ZERO);
    scene.ends(0).await;
}

/// Guard: `NotOpened::Renewing`. The renewal covers what was reserved when it was recorded; once it has landed the new limit counts.
#[tokio::test]
async fn nothing_opens_while_a_renewal_is_on_its_way() {
    let scene = ChannelScene::bare(|_| ()).await;
    scene.grants(&scene.buyer, 2_000_000, 2_000_000).await;
    let renewal = json!({ "renew": true, "spend_limit_atomic": "1000000" });
    let (_, offer) = scene.asks(&scene.buyer, "/api/sessions/onboard", renewal).await;
    let signed = confirmation(&signed_by(&scene.buyer, offered(&offer)));
    let id = scene.delegation(&scene.buyer).await.id;
    scene.world.stands_still();
    let opens = async {
        let ledger = scene.world.ledger();
        until("it is recorded", async || ledger.issued_on_its_way(id).await.unwrap().is_some()).await;
        let body = scene.open_body(&scene.buyer, &scene.seller, 1_500_000);
        let refused = scene.refused("/mpp/session/open", &body, "unavailable").await;
        scene.world.moves_on();
        refused
    };
    let confirms = scene.asks(&scene.buyer, "/api/sessions/onboard/confirm", signed);
    let (refused, (_, renewed)) = tokio::join!(opens, confirms);
    assert_eq!(renewed["status"], json!("ready"), "{renewed:#}");
    assert!(refused["detail"].as_str().unwrap().contains("renewal"), "{refused:#}");
    scene.world.confirmed().await;
    let body = scene.open_body(&scene.buyer, &scene.seller, 1_500_000);
    scene.refused("/mpp/session/open", &body, "insufficient_balance").await;
    let opened = scene.opens(1_000_000).await;
    scene.draws(&opened, 1_000_000).await;
    assert_eq!(scene.closes(&opened).await["shortfall"], json!("0"));
    scene.ends(1_000_000).await;
}
