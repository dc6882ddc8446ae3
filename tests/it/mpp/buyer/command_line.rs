//! `sotto mpp` from another process, against a whole world.

use super::{cash, facilitator, sellers};
use crate::{sdk::command_line::Desk, support::MppScene};
use serde_json::Value;

/// A buyer at a desk.
struct AtDesk {
    scene: MppScene,
    desk: Desk,
}

impl AtDesk {
    async fn begin() -> Self {
        let scene = MppScene::start().await;
        let desk = Desk::of(&scene.world, &scene.buyer);
        Self { scene, desk }
    }

    /// A command with the token of this world.
    fn command(&self, args: &[&str]) -> Vec<String> {
        let mint = cash(&self.scene).mint.to_string();
        [&["mpp"], args, &["--mint", &mint]].concat().into_iter().map(str::to_owned).collect()
    }

    async fn json(&self, args: &[&str]) -> Value {
        self.desk.json(&self.command(&[args, &["--json"]].concat())).await
    }

    async fn failing(&self, args: &[&str]) -> String {
        self.desk.failing(&self.command(args)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_pays_charges_and_vouchers_from_the_command_line() {
    let at = AtDesk::begin().await;
    let (charging, selling) =
        (sellers::by_charge(&at.scene, 10_000).await, sellers::by_voucher(&at.scene, 20_000).await);
    let bought = at.json(&["charge", &charging.url, "--max-price", "0.01"]).await;
    assert_eq!(
        (&bought["status"], &bought["paid"], &bought["receipt"]["status"]),
        (&200.into(), &"0.01".into(), &"success".into())
    );
    let told = at.failing(&["charge", &charging.url, "--max-price", "0.009"]).await;
    assert!(told.contains("over the limit"), "{told}");

    let told = at.failing(&["status"]).await;
    assert!(told.contains("--facilitator"), "{told}");
    let url = facilitator(&at.scene);
    let onboarded = at.json(&["onboard", "--facilitator", &url, "--limit", "2", "--deposit", "1"]).await;
    assert_eq!((onboarded["transactions"].as_array().unwrap().len(), &onboarded["remaining"]), (1, &"2".into()));
    let seller = at.scene.seller.key().to_string();
    let opened = at.json(&["open", &seller, "0.1"]).await;
    let channel = opened["channel"].as_str().unwrap();
    for so_far in ["0.02", "0.04"] {
        let paid = at.json(&["pay", &selling.url, "--max-price", "0.02"]).await;
        assert_eq!(
            (&paid["paid"], &paid["cumulative"], &paid["channel"]),
            (&"0.02".into(), &so_far.into(), &channel.into())
        );
    }
    let listed = at.json(&["sessions"]).await;
    assert_eq!((&listed["open"][0]["drawn"], &listed["open"][0]["vouchers"]), (&"0.04".into(), &2.into()));
    let file = std::fs::read_to_string(at.desk.path().join(".keys/mpp.json")).unwrap();
    let secret = file.split('"').find(|text| text.starts_with("ch_")).unwrap();
    assert!(secret.len() == 67 && !listed.to_string().contains(secret), "no command tells the secret");
    assert_eq!(at.json(&["status"]).await["status"], "active");
    let closed = at.json(&["close", channel]).await;
    assert_eq!(
        (&closed["settled"], &closed["refunded"], &closed["vouchers"]),
        (&"0.04".into(), &"0.06".into(), &2.into())
    );
    at.scene.world.quiet().await;
    let left = at.json(&["leave"]).await;
    assert_eq!(left["transactions"].as_array().unwrap().len(), 1);
    at.scene.closes(50_000).await;
}
