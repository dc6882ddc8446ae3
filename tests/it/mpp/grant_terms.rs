//! What a grant says of the channels that may stand on it: whom it pays, of which root it is, and that it is used up.

use crate::support::{ChannelScene, ROOT, TTL};
use serde_json::json;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Signer as _;
use sotto::{
    domain::mpp::{delegation::DelegationStanding, money::Role, root::Root},
    programs::spl_token::TokenProgram,
};
use std::time::Duration;

/// Guard: `Channels::check_grant`. A channel to another seller could never be settled where the program enforces the seller.
#[tokio::test]
async fn a_grant_that_names_a_seller_opens_channels_to_nobody_else() {
    let scene = ChannelScene::bare(|_| ()).await;
    let other = scene.world.stranger();
    scene.world.gives_cash(&other, 0).await;
    let asked = json!({
        "spend_limit_atomic": "1000000", "deposit_atomic": "1000000", "ttl_seconds": TTL,
        "seller_wallet": scene.seller.key().to_string(),
    });
    let (_, answer) = scene.asks(&scene.buyer, "/api/sessions/onboard", asked).await;
    scene.signs(&scene.buyer, &answer, "ready").await;
    let to_other = scene.open_body(&scene.buyer, &other, 1_000);
    let told = scene.refused("/mpp/session/open", &to_other, "swig_role_not_found").await;
    assert!(told["detail"].as_str().is_some_and(|detail| detail.contains("another seller")), "{told:#}");
    let opened = scene.opens(1_000).await;
    scene.draws(&opened, 500).await;
    scene.closes(&opened).await;
    scene.ends(500).await;
}

/// Guard: `Core::is_of_current_root` and `ChannelMonitor::end_of_older_roots`.
#[tokio::test]
async fn nothing_new_stands_on_a_root_from_before() {
    let mut scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    let first = scene.draws(&opened, 4_000).await;
    scene.world.kill().await;
    scene.world.configure(|settings| {
        let mpp = settings.served.mpp.as_mut().expect("is served");
        mpp.channels.monitor = Duration::from_millis(200);
        mpp.roots.previous = vec![Root::new(ROOT)];
        mpp.roots.current = Root::new([0x5b; 32]);
    });
    scene.world.boot().await;
    assert_eq!(scene.draws(&opened, 4_000).await, first, "what is on record is given by the key that it was given by");
    scene.is_not_drawn(&opened, 5_000, "session_not_open").await;
    let ended = scene.becomes(&opened, "closed").await;
    assert_eq!((&ended["reason"], &ended["settled"]), (&json!("operator"), &json!("4000")));
    let body = scene.open_body(&scene.buyer, &scene.seller, 2_000_000);
    let told = scene.refused("/mpp/session/open", &body, "swig_role_not_found").await;
    assert!(told["detail"].as_str().is_some_and(|detail| detail.contains("root")), "{told:#}");
    scene.ends(4_000).await;
}

/// Guard: `DelegationGrant::is_over`. To the program, what is used up looks like what was taken back.
#[tokio::test]
async fn a_grant_that_is_used_up_has_expired_and_was_not_taken_back() {
    let scene = ChannelScene::with(|settings| settings.channels.max_owed = Duration::from_secs(100)).await;
    let opened = scene.opens(1_000_000).await;
    scene.draws(&opened, 1_000_000).await;
    scene.world.lets_pass(102);
    let ended = scene.becomes(&opened, "closed").await;
    assert_eq!((&ended["reason"], &ended["settled"]), (&json!("role_expired"), &json!("1000000")));
    let standing = scene.delegation(&scene.buyer).await.standing(scene.world.now());
    assert_eq!(standing, DelegationStanding::Expired);
    scene.ends(1_000_000).await;
}

/// Guard: `ChannelMonitor::breach`. One look that finds an account frozen ends nothing; a second one does.
#[tokio::test]
async fn a_frozen_account_ends_channels_when_it_is_seen_again() {
    let scene = ChannelScene::with(|settings| settings.channels.monitor = Duration::from_secs(2)).await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    let account = scene.session_account(&scene.buyer).address();
    let by_authority = |tag: u8| {
        let (cash, program_id) = (scene.world.net.cash(), TokenProgram::Token.address());
        let authority = cash.authority();
        let accounts = vec![
            AccountMeta::new(account, false),
            AccountMeta::new_readonly(cash.mint(), false),
            AccountMeta::new_readonly(authority.pubkey(), true),
        ];
        let instruction = Instruction { program_id, accounts, data: vec![tag] };
        scene.world.lands(scene.world.signed_by(&[authority], instruction))
    };
    let is_seen_as = async |role| {
        let reading = scene.delegation(&scene.buyer).await.reading;
        reading.is_some_and(|seen| seen.reading.role == role)
    };
    by_authority(10);
    scene.world.until("it is seen to be frozen", async || is_seen_as(Role::Frozen).await).await;
    assert_eq!(scene.shown(&opened).await["state"], json!("open"), "one look");
    by_authority(11);
    scene.world.until("it is seen to be thawed", async || is_seen_as(Role::Live).await).await;
    assert_eq!(scene.shown(&opened).await["state"], json!("open"));
    by_authority(10);
    scene.becomes(&opened, "closing").await;
    by_authority(11);
    let ended = scene.becomes(&opened, "closed").await;
    assert_eq!((&ended["reason"], &ended["settled"]), (&json!("balance"), &json!("30000")), "thawed in time");
    scene.ends(30_000).await;
}

/// Guard: `Channels::draw`, which asks the ledger first. Nothing is left on chain by which the channel could be read.
#[tokio::test]
async fn a_voucher_on_record_is_given_again_after_its_buyer_has_left() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    let first = scene.draws(&opened, 4_000).await;
    scene.closes(&opened).await;
    scene.world.quiet().await;
    let (_, left) = scene.leaves(&scene.buyer).await;
    scene.signs(&scene.buyer, &left, "left").await;
    assert_eq!(scene.draws(&opened, 4_000).await, first);
    scene.is_not_drawn(&opened, 5_000, "session_not_open").await;
    scene.ends(4_000).await;
}
