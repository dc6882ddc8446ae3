//! Grants: a buyer onboards, and some take everything back from time to time and come again.

use super::{DEPOSIT, Nature, Wallet, desk::Desk};
use crate::{dice::Dice, mpp_wallet};
use serde_json::{Value, json};
use sotto::domain::mpp::siwx::Proof;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

const ONBOARD: &str = "/api/sessions/onboard";
const CONFIRM: &str = "/api/sessions/onboard/confirm";
/// How long a wallet goes on asking; far longer than any trouble lasts.
const PATIENCE: Duration = Duration::from_mins(4);
/// The longest that a leaving buyer stays, in milliseconds.
const LONGEST_STAY: u64 = 20_000;
/// For how long a grant stands, in seconds.
const TTL: u64 = 86_400;

pub(super) struct Grants {
    desk: Arc<Desk>,
    wallet: Wallet,
    nature: Nature,
}

/// What an answer of these routes asks for.
enum Step {
    Done,
    /// A transaction to sign.
    Sign(String),
    Again,
}

impl Grants {
    pub(super) fn new(desk: Arc<Desk>, wallet: Wallet, nature: Nature) -> Self {
        Self { desk, wallet, nature }
    }

    /// Onboards while `first` is held; leaves and comes again while `quiet` says that no channel is asked for.
    pub(super) async fn work(self, first: OwnedRwLockWriteGuard<()>, quiet: Arc<RwLock<()>>, mut dice: Dice) {
        self.must_onboard().await;
        drop(first);
        while self.nature == Nature::Leaving && !self.desk.enough() {
            let until = Instant::now() + Duration::from_millis(2_000 + dice.below(LONGEST_STAY));
            while Instant::now() < until && !self.desk.enough() {
                self.desk.pause().await;
            }
            let _alone = quiet.write().await;
            if self.desk.enough() {
                return;
            }
            if self.leaves().await {
                self.desk.did("buyers left");
            } else {
                self.desk.broken(format!("{} could not leave", self.wallet.pubkey()));
            }
            self.must_onboard().await;
        }
    }

    async fn must_onboard(&self) {
        if !self.onboards(PATIENCE).await {
            self.desk.broken(format!("{} could not onboard", self.wallet.pubkey()));
        }
    }

    /// Grants until the grant stands; says whether it does.
    pub(super) async fn onboards(&self, patience: Duration) -> bool {
        let body = json!({
            "buyer_wallet": self.wallet.pubkey().to_string(),
            "spend_limit_atomic": DEPOSIT.to_string(),
            "deposit_atomic": DEPOSIT.to_string(),
            "ttl_seconds": TTL,
        });
        self.until(ONBOARD, &body, "ready", patience, Vec::new).await
    }

    /// Takes everything back; says whether it is. It waits for finality, which no life sees that is killed within seconds, so the
    /// patience begins anew until there are kills no more.
    async fn leaves(&self) -> bool {
        let body = json!({ "buyer_wallet": self.wallet.pubkey().to_string() });
        loop {
            let kills_go_on = !self.desk.enough();
            if self.until("/api/sessions/leave", &body, "left", PATIENCE, || Proof::Leave.resources()).await {
                return true;
            }
            if !kills_go_on {
                return false;
            }
        }
    }

    /// Asks for a transaction, signs and confirms it, until what was asked for is so.
    async fn until(
        &self,
        path: &str,
        body: &Value,
        goal: &str,
        patience: Duration,
        act: impl Fn() -> Vec<String>,
    ) -> bool {
        let began = Instant::now();
        while began.elapsed() < patience {
            let proof = mpp_wallet::sign_in(&self.wallet, act());
            let told = self.desk.ask(path, body, Some(&proof)).await;
            match told.map(|(answer, _)| self.step(&answer, goal)) {
                Some(Step::Done) => return true,
                Some(Step::Sign(offered)) => {
                    if self.confirms(&offered, goal).await {
                        return true;
                    }
                }
                Some(Step::Again) | None => {}
            }
            self.desk.pause().await;
        }
        false
    }

    fn step(&self, answer: &Value, goal: &str) -> Step {
        // Who has nothing here has left.
        if answer["status"] == goal || (goal == "left" && answer["error"] == "swig_role_not_found") {
            return Step::Done;
        }
        if let Some(offered) = answer["transactions"][0]["tx"].as_str() {
            return Step::Sign(offered.to_owned());
        }
        let word = answer["error"].as_str().or(answer["status"].as_str()).unwrap_or("no word");
        self.desk.refused("grant", word);
        Step::Again
    }

    /// Sends what was signed; says whether it is what it was for.
    async fn confirms(&self, offered: &str, goal: &str) -> bool {
        let Some(signed) = mpp_wallet::signed_offer(&self.wallet, offered) else { return false };
        let body = json!({ "buyer_wallet": self.wallet.pubkey().to_string(), "signed_transactions": [signed] });
        let proof = mpp_wallet::sign_in(&self.wallet, Vec::new());
        let Some((answer, _)) = self.desk.ask(CONFIRM, &body, Some(&proof)).await else { return false };
        matches!(self.step(&answer, goal), Step::Done)
    }
}
