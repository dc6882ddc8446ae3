//! Channels on a Swig, from the first round of its onboarding to the last settlement, by the local network's stand-in
//! (`spec/mpp.md` §6.2, §9). What holds of every delegation is in [`super::channels`] and [`super::channel_monitor`].

use crate::support::{ChannelScene, Wallet, in_time};
use serde_json::{Value, json};
use solana_instruction::Instruction;
use solana_signer::Signer as _;
use sotto::{
    domain::mpp::{choices::Backend, root::swig_id},
    programs::{
        delegation::swig::{self, Authority, OurRole, SwigAccount, SwigAddresses},
        spl_token::{TokenProgram, TransferChecked},
    },
};

/// What the buyer grants and moves in, in base units.
const GRANTED: u64 = 1_000_000;
const TOKEN: TokenProgram = TokenProgram::Token;

/// A world whose buyer has a Swig.
struct SwigScene {
    scene: ChannelScene,
    swig: SwigAddresses,
}

impl SwigScene {
    /// With a grant of a day to anybody.
    async fn start() -> Self {
        Self::granting(json!({})).await
    }

    /// With a grant on these terms.
    async fn granting(terms: Value) -> Self {
        let scene = ChannelScene::bare(|settings| settings.delegations.backend = Backend::Swig).await;
        let swig = SwigAddresses::of(swig_id(scene.world.network.canonical(), &scene.buyer.key()));
        let scene = Self { scene, swig };
        scene.rounds(terms, &["pending", "pending", "ready"]).await;
        scene
    }

    /// Goes through rounds that end so.
    async fn rounds(&self, terms: Value, statuses: &[&str]) {
        let granted = GRANTED.to_string();
        let mut body = json!({ "spend_limit_atomic": granted, "deposit_atomic": granted });
        body.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
        for status in statuses {
            let (_, answer) = self.scene.asks(&self.scene.buyer, "/api/sessions/onboard", body.clone()).await;
            self.scene.signs(&self.scene.buyer, &answer, status).await;
            // Only the first round asks to replace what there is.
            body["renew"] = json!(false);
        }
    }

    /// What the Swig's wallet holds.
    fn inside(&self) -> u64 {
        let account = self.swig.token_account(TOKEN, &self.scene.world.net.cash().mint());
        self.scene.world.spl_account(&account).expect("is there").amount
    }

    /// The role that was granted last.
    fn role(&self) -> OurRole {
        let account = self.scene.world.net.network().account(&self.swig.config.0).expect("is there");
        let role = SwigAccount::decode(&account.data).expect("a Swig").roles.pop().expect("a role");
        let Authority::Ed25519Session { expiry, .. } = role.authority else { panic!("{role:?}") };
        let swig::Action::TokenLimit { remaining, .. } = role.actions[1] else { panic!("{role:?}") };
        OurRole { id: role.id, remaining, expiry }
    }

    /// The buyer, as root, moves so much out.
    async fn drains(&self, units: u64) {
        let (mint, buyer) = (self.scene.world.net.cash().mint(), &self.scene.buyer);
        let transfer = TransferChecked {
            program: TOKEN,
            source: self.swig.token_account(TOKEN, &mint),
            mint,
            destination: self.scene.world.net.cash().account_of(&buyer.key()),
            authority: self.swig.wallet.0,
            amount: units,
            decimals: 6,
        };
        self.past_us(self.swig.sign(0, &buyer.key(), &[transfer.instruction()]).expect("fits")).await;
    }

    /// The buyer, as root, takes our role out.
    async fn removes_our_role(&self) {
        let payer = self.scene.world.faucet.authority().pubkey();
        self.past_us(self.swig.remove(&payer, &self.scene.buyer.key(), self.role().id)).await;
    }

    async fn past_us(&self, instruction: Instruction) {
        self.scene.past_us(&self.scene.buyer, instruction).await;
    }

    /// How a channel ended: why, what was settled and what is short.
    async fn ended(&self, channel: &Value) -> [Value; 3] {
        let shown = self.scene.becomes(channel, "closed").await;
        let closed = self.scene.closes(channel).await;
        assert_eq!(closed["reason"], shown["reason"], "{closed:#}");
        [shown["reason"].clone(), shown["settled"].clone(), closed["shortfall"].clone()]
    }

    /// An opening to another seller, which is refused.
    async fn opens_nothing_to(&self, seller: &Wallet) {
        let body = self.scene.open_body(&self.scene.buyer, seller, 100_000);
        self.scene.refused("/mpp/session/open", &body, "swig_role_not_found").await;
    }
}

fn told(reason: &str, settled: u64, shortfall: u64) -> [Value; 3] {
    [json!(reason), json!(settled.to_string()), json!(shortfall.to_string())]
}

#[tokio::test]
async fn a_channel_on_a_swig_lives_by_two_transactions() {
    let swig = SwigScene::start().await;
    let scene = &swig.scene;
    let fees = async || scene.world.ledger().totals(None).await.expect("reads").fees;
    let before = fees().await;
    let opened = scene.opens(100_000).await;
    assert_eq!(opened["channel_program"], json!(swig::PROGRAM.to_string()), "{opened:#}");
    for (sum, sequence) in [(10_000, 1), (35_000, 2)] {
        let drawn = scene.draws(&opened, sum).await;
        assert_eq!(drawn["voucher"]["sequence"], json!(sequence), "{drawn:#}");
        assert_eq!(drawn["voucher"]["channelProgram"], opened["channel_program"]);
    }
    let closed = scene.closes(&opened).await;
    let settlement = &closed["settlement"];
    assert_eq!((&settlement["amount_settled"], &settlement["buyer_refund"]), (&json!("35000"), &json!("65000")));
    assert_eq!((&closed["reason"], &closed["shortfall"]), (&json!("buyer"), &json!("0")), "{closed:#}");
    assert_eq!(scene.closes(&opened).await, closed, "idempotent for ever");
    assert_eq!((swig.inside(), swig.role().remaining), (GRANTED - 35_000, GRANTED - 35_000), "what the program counts");
    assert_eq!(fees().await - before, 5_001 + 10_001, "anchor and settlement");
    swig.scene.ends(35_000).await;
}

#[tokio::test]
async fn a_fork_after_the_close_is_settled_anew_by_the_same_role() {
    let swig = SwigScene::start().await;
    let opened = swig.scene.opens(100_000).await;
    swig.scene.draws(&opened, 4_000).await;
    swig.scene.world.quiet().await;
    let closed = swig.scene.closes(&opened).await;
    let landed = closed["close_tx_signature"].as_str().expect("a text").parse().expect("a signature");
    let world = &swig.scene.world;
    world.net.network().fork_away(&landed).expect("it is not final");
    world.until("it lands again", async || world.cash(&swig.scene.seller) == 4_000).await;
    swig.scene.becomes(&opened, "closed").await;
    assert_eq!(swig.scene.closes(&opened).await["settlement"]["amount_settled"], json!("4000"));
    assert_eq!(swig.role().remaining, GRANTED - 4_000, "once");
    swig.scene.ends(4_000).await;
}

#[tokio::test]
async fn a_drain_by_the_root_settles_at_once_what_is_left() {
    let swig = SwigScene::start().await;
    let (first, scene) = (swig.scene.opens(100_000).await, &swig.scene);
    scene.draws(&first, 30_000).await;
    swig.drains(GRANTED - 99_999).await;
    assert_eq!(swig.ended(&first).await, told("balance", 30_000, 0));
    in_time("its settlement is final", scene.world.quiet()).await;
    let second = scene.opens(60_000).await;
    scene.draws(&second, 50_000).await;
    swig.drains(69_999 - 40_000).await;
    assert_eq!(swig.ended(&second).await, told("balance", 40_000, 10_000));
    assert_eq!(swig.inside(), 0);
    swig.scene.ends(70_000).await;
}

#[tokio::test]
async fn a_role_that_the_root_removes_settles_nothing_and_the_next_one_does() {
    let swig = SwigScene::start().await;
    let opened = swig.scene.opens(100_000).await;
    swig.scene.draws(&opened, 30_000).await;
    swig.removes_our_role().await;
    assert_eq!(swig.ended(&opened).await, told("role_removed", 0, 30_000));
    swig.scene.is_not_drawn(&opened, 30_001, "session_not_open").await;
    swig.opens_nothing_to(&swig.scene.seller).await;
    in_time("nothing is on its way", swig.scene.world.quiet()).await;
    swig.rounds(json!({}), &["pending", "ready"]).await;
    let next = swig.scene.opens(100_000).await;
    swig.scene.draws(&next, 5_000).await;
    assert_eq!(swig.scene.closes(&next).await["settlement"]["amount_settled"], json!("5000"));
    swig.scene.ends(5_000).await;
}

/// Guard: `ChannelMonitor::end_before_role`. The role ends in a slot: where slots are shorter than was estimated when the channel
/// was opened, its own time is not over by then, and everything that is owed would be lost.
#[tokio::test]
async fn a_role_whose_slots_pass_faster_is_settled_before_its_end() {
    let swig = SwigScene::granting(json!({ "ttl_seconds": 600 })).await;
    let mut body = swig.scene.open_body(&swig.scene.buyer, &swig.scene.seller, 100_000);
    body["idle_timeout_seconds"] = json!(60);
    let opened = swig.scene.opens_by(&body).await;
    swig.scene.draws(&opened, 7_000).await;
    in_time("the onboarding is final", swig.scene.world.quiet()).await;
    let left = swig.role().expiry - swig.scene.world.net.network().slot();
    // 280 slots are 112 seconds by the estimate; the channel was certified for more than six minutes longer.
    swig.scene.world.passes(left - 280);
    assert_eq!(swig.ended(&opened).await, told("role_expired", 7_000, 0));
    swig.scene.is_not_drawn(&opened, 8_000, "session_not_open").await;
    assert!(swig.scene.world.net.network().slot() <= swig.role().expiry, "while it could still be settled");
    // Guard: `Channels::look` goes by the end as it is estimated now.
    let mut late = swig.scene.open_body(&swig.scene.buyer, &swig.scene.seller, 100_000);
    late["idle_timeout_seconds"] = json!(60);
    swig.scene.refused("/mpp/session/open", &late, "swig_role_not_found").await;
    swig.scene.ends(7_000).await;
}

#[tokio::test]
async fn a_renewal_waits_for_channels_and_the_next_role_settles_the_next() {
    let swig = SwigScene::start().await;
    let scene = &swig.scene;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    let renewal = json!({ "renew": true, "spend_limit_atomic": "2000000" });
    let (_, answer) = scene.asks(&scene.buyer, "/api/sessions/onboard", renewal.clone()).await;
    assert_eq!(
        answer["status"],
        json!("temporarily_unavailable"),
        "its role is what the channel stands on: {answer:#}"
    );
    scene.closes(&opened).await;
    in_time("its settlement is final", scene.world.quiet()).await;
    swig.rounds(renewal.clone(), &["pending"]).await;
    swig.opens_nothing_to(&scene.seller).await;
    swig.rounds(json!({ "spend_limit_atomic": "2000000" }), &["ready"]).await;
    assert_eq!((swig.role().id, swig.role().remaining), (2, 2_000_000));
    let next = scene.opens(100_000).await;
    scene.draws(&next, 50_000).await;
    assert_eq!(scene.closes(&next).await["settlement"]["amount_settled"], json!("50000"));
    assert_eq!(swig.role().remaining, 1_950_000);
    assert_eq!(
        scene.closes(&opened).await["settlement"]["amount_settled"],
        json!("30000"),
        "what was closed stays told"
    );
    swig.scene.ends(80_000).await;
}

/// Guards: `check_grant`, `is_ready`. The program would refuse every settlement, and all that was drawn would be lost.
#[tokio::test]
async fn a_role_that_is_bound_to_a_seller_opens_channels_to_no_other() {
    let scene = ChannelScene::bare(|settings| settings.delegations.backend = Backend::Swig).await;
    let swig = SwigAddresses::of(swig_id(scene.world.network.canonical(), &scene.buyer.key()));
    let (bound, swig) = (scene.seller.key().to_string(), SwigScene { scene, swig });
    swig.rounds(json!({ "seller_wallet": bound }), &["pending", "pending", "ready"]).await;
    let other = swig.scene.world.stranger();
    swig.scene.world.gives_cash(&other, 0).await;
    swig.opens_nothing_to(&other).await;
    let for_other = json!({ "seller_wallet": other.key().to_string() });
    let (_, offer) = swig.scene.asks(&swig.scene.buyer, "/api/sessions/onboard", for_other).await;
    assert_eq!(offer["transactions"][0]["type"], json!("grant_role"), "another role is for another seller: {offer:#}");
    let opened = swig.scene.opens(100_000).await;
    swig.scene.draws(&opened, 6_000).await;
    let closed = swig.scene.closes(&opened).await;
    assert_eq!(closed["settlement"]["amount_settled"], json!("6000"), "{closed:#}");
    swig.scene.ends(6_000).await;
}

#[tokio::test]
async fn a_process_that_dies_settles_by_the_role_that_its_ledger_knows() {
    let mut swig = SwigScene::start().await;
    let opened = swig.scene.opens(100_000).await;
    let first = swig.scene.draws(&opened, 4_000).await;
    swig.scene.world.kill().await;
    swig.scene.world.boot().await;
    assert_eq!(swig.scene.draws(&opened, 4_000).await, first, "the same bytes after a restart");
    swig.scene.draws(&opened, 5_000).await;
    assert_eq!(swig.scene.closes(&opened).await["settlement"]["amount_settled"], json!("5000"));
    swig.scene.ends(5_000).await;
}
