//! Standing approvals: what a message alone could take, end or learn (`spec/session.md` §7, "Who can take what").

mod behind;
mod strangers;
mod told;
mod wrapped;

use super::{approves, becomes, is_not_opened, landed, lands_by_itself, on_total, over, view, with_sol};
use crate::support::{Opening, Options, Wallet, World, hastily};

use futures_util::future::join_all;
use serde_json::{Value, json};
use solana_signature::Signature;
use sotto::{
    domain::{amount::Amount, approval::Approval},
    facilitator::Settings,
    localnet::standins::Delegation,
};
use std::time::Duration;

const BOTH: [Delegation; 2] = [Delegation::Public, Delegation::Documented];
const PURSE: u64 = 1_000_000;

/// A payer with SOL of their own, and two merchants.
struct Scene {
    world: World,
    payer: Wallet,
    merchants: [Wallet; 2],
}

impl Scene {
    async fn begin(delegation: Delegation) -> Self {
        let often = |settings: &mut Settings| settings.funding.interval = Duration::from_millis(200);
        Self::of(Options { delegation, ..Options::settings(often) }).await
    }

    async fn of(options: Options) -> Self {
        let world = World::with(options).await;
        let payer = world.wallet(PURSE).await;
        with_sol(&world, &payer).await;
        let merchants = [world.wallet(0).await, world.wallet(0).await];
        Self { world, payer, merchants }
    }

    /// Approves so many units on chain, past the facilitator.
    async fn approves(&self, units: u64) -> Signature {
        approves(&self.world, &self.payer, units).await
    }

    fn body(&self, merchant: usize, cap: u64, total: u64, approve: &Signature) -> Value {
        on_total(&self.world, &self.payer, &self.merchants[merchant].key(), (cap, total), approve)
    }

    async fn opens(&self, merchant: usize, cap: u64, total: u64, approve: &Signature) -> Value {
        let (status, opened) = self.world.post("/sessions", &self.body(merchant, cap, total, approve)).await;
        assert_eq!(status, 201, "{opened:#}");
        opened
    }

    async fn is_refused(&self, body: &Value, status: u16, word: &str) -> Value {
        let refused = is_not_opened(&self.world, body, status, word).await;
        assert_eq!(refused.get("sessionId"), None, "no row was written: {refused:#}");
        refused
    }

    async fn pays(&self, session: &Value, merchant: usize, units: u64) {
        let merchant = self.merchants[merchant].key();
        let payment = self.world.payment(session["sessionId"].as_str().unwrap(), &merchant, units, None);
        let (_, paid) = self.world.post("/settle", &payment).await;
        assert_eq!(paid["success"], json!(true), "{paid:#}");
    }

    /// The wallet closes all its sessions.
    async fn closes_all(&self) -> Value {
        let body = self.world.close_all_body(&self.payer, &self.payer, &self.world.spender(), self.world.now());
        let (status, closed) = self.world.post("/sessions/close", &body).await;
        assert_eq!(status, 200, "{closed:#}");
        closed
    }

    async fn current(&self) -> Option<Approval> {
        let asset = self.world.faucet.mint();
        self.world.ledger().current_approval(&self.payer.key(), &asset).await.unwrap()
    }

    async fn state(&self, session: &Value) -> Value {
        view(&self.world, session["sessionId"].as_str().unwrap()).await["state"].clone()
    }

    fn received(&self) -> [u64; 2] {
        [0, 1].map(|merchant| self.world.units(&self.merchants[merchant]))
    }
}

/// Guard: ended sessions in `approval_use`. The attack that moved 4.00 out of one approve of 1.00: sessions opened, spent and closed in
/// turn, by the approve's own name or that of a settlement.
#[tokio::test]
async fn ten_sessions_one_after_the_other_take_what_was_approved_once() {
    for delegation in BOTH {
        let scene = Scene::begin(delegation).await;
        let approve = scene.approves(100).await;
        let mut moved = 0;
        for _ in 0..10 {
            if moved + 25 > 100 {
                scene.is_refused(&scene.body(0, 25, 100, &approve), 409, "approval_exhausted").await;
                continue;
            }
            let session = scene.opens(0, 25, 100, &approve).await;
            scene.pays(&session, 0, 25).await;
            scene.closes_all().await;
            moved += 25;
        }
        assert_eq!(scene.received(), [100, 0], "{delegation:?}");
        let account = scene.world.account_of(&scene.payer.key());
        let settlement: Signature = landed(&scene.world, &account).await[0].0.parse().unwrap();
        assert_ne!(settlement, approve);
        scene.is_refused(&scene.body(0, 25, 100, &settlement), 400, "approve_not_allowed").await;
        scene.world.finish().await;
    }
}

/// Guard: the sum in the transaction of `open_on_approval`; two instances on one ledger are `ledger::races`.
#[tokio::test]
async fn openings_that_come_at_once_take_no_more_than_was_approved() {
    let scene = Scene::begin(Delegation::Public).await;
    let approve = scene.approves(100).await;
    let bodies: Vec<_> = (0..6).map(|number| scene.body(number % 2, 30, 100, &approve)).collect();
    let answers = join_all(bodies.iter().map(|body| scene.world.post("/sessions", body))).await;
    let opened = answers.iter().filter(|(status, _)| *status == 201).count();
    let exhausted = answers.iter().filter(|(_, answer)| answer["error"] == "approval_exhausted").count();
    assert_eq!((opened, exhausted), (3, 3), "{answers:#?}");
    let standing = scene.current().await.unwrap();
    assert_eq!(
        (standing.live, standing.taken, standing.free()),
        (3, Amount::new(90).unwrap(), Amount::new(10).unwrap())
    );
    scene.world.finish().await;
}

/// Several merchants at once on one delegate slot, and neither ends the other.
#[tokio::test]
async fn two_merchants_are_paid_from_one_approve_and_nothing_ends_the_other() {
    for delegation in BOTH {
        let scene = Scene::begin(delegation).await;
        let world = &scene.world;
        // The first brings the approve of the total, the second is a message.
        let mut opening = world.opening(&scene.payer, &scene.merchants[0].key(), 40);
        (opening.approved, opening.intent.approved) = (100, Amount::new(100));
        let (status, first) = world.post("/sessions", &world.opening_body(&opening).await).await;
        assert_eq!(status, 201, "{first:#}");
        assert_eq!(scene.current().await.unwrap().free(), Amount::new(60).unwrap());
        let approve: Signature = first["approveTxSignature"].as_str().unwrap().parse().unwrap();
        let second = scene.opens(1, 60, 100, &approve).await;
        assert_eq!(second["capVerified"], json!(true));
        scene.is_refused(&scene.body(1, 1, 100, &approve), 409, "approval_exhausted").await;
        for _ in 0..2 {
            scene.pays(&first, 0, 20).await;
            scene.pays(&second, 1, 30).await;
        }
        assert_eq!(scene.received(), [40, 60], "{delegation:?}: every unit moved");
        assert_eq!((scene.state(&first).await, scene.state(&second).await), (json!("open"), json!("open")));
        scene.world.finish().await;
    }
}

/// Guard: `admits`: the total is named exactly. An answer that told whether it is too much or too little would be a search for what
/// somebody else approved, whose ciphertext anybody can copy.
#[tokio::test]
async fn a_copied_ciphertext_tells_nothing_of_its_amount_and_is_another_approve() {
    let scene = Scene::begin(Delegation::Public).await;
    let world = &scene.world;
    let victim = scene.approves(70).await;
    scene.opens(0, 70, 70, &victim).await;
    let thief = world.wallet(1).await;
    with_sol(world, &thief).await;
    let copied = copies(world, &scene.payer, &thief, &victim).await;
    let body = |total| on_total(world, &thief, &scene.merchants[0].key(), (1, total), &copied);
    let answers = [
        scene.is_refused(&body(69), 400, "approved_mismatch").await,
        scene.is_refused(&body(71), 400, "approved_mismatch").await,
    ];
    assert_eq!(answers[0], answers[1], "the answer does not tell which");
    // The payer's own ciphertext, approved again, is a new approve: what was taken from the old one is not taken from it.
    let again = copies(world, &scene.payer, &scene.payer, &victim).await;
    scene.is_refused(&scene.body(1, 1, 70, &again), 409, "approval_exhausted").await;
    scene.closes_all().await;
    scene.opens(1, 70, 70, &again).await;
    scene.world.finish().await;
}

/// Lands an approve by `by` with the ciphertext of `of`'s approve.
async fn copies(world: &World, of: &Wallet, by: &Wallet, approve: &Signature) -> Signature {
    let history = landed(world, &world.account_of(&of.key())).await;
    let (_, copied) = history.iter().find(|(signature, _)| *signature == approve.to_string()).unwrap();
    let bytes = copied.message.instructions().last().unwrap().data.clone();
    let opening = Opening { grant: 0, ..world.opening(by, &world.spender(), 1) };
    let mut instruction = world.approve_instructions(&opening).await.pop().unwrap();
    instruction.data = bytes;
    // The right to decrypt belongs to the handle that the copied ciphertext makes, which is the first one's.
    let shown = world.token_account(&of.key()).unwrap().delegated_amount;
    let allowance = world.programs.decrypt_allowance(shown, &world.spender());
    let place = instruction.accounts.len() - 2;
    instruction.accounts[place].pubkey = allowance;
    let landed = lands_by_itself(world, by, &[instruction]);
    world.confirmed().await;
    landed
}

/// Guards: `single_approve` and `read_approve`. What names an approve has to be one, of this account, to us, alone.
#[tokio::test]
async fn another_transactions_name_or_two_approves_in_one_open_nothing() {
    let scene = Scene::begin(Delegation::Public).await;
    let world = &scene.world;
    let opening = |units| Opening { grant: 0, ..world.opening(&scene.payer, &world.spender(), units) };
    let approve = async |units| world.approve_instructions(&opening(units)).await.pop().unwrap();
    let (large, small) = (approve(1_000).await, approve(10).await);
    let twice = lands_by_itself(world, &scene.payer, &[large, small]);
    let airdrop = world.net.network().airdrop(&scene.payer.key(), 1_000_000).unwrap();
    let other = world.wallet(10).await;
    with_sol(world, &other).await;
    let theirs = approves(world, &other, 1_000).await;
    for name in [twice, airdrop, theirs, Signature::from([7; 64])] {
        for total in [10, 1_000] {
            scene.is_refused(&scene.body(0, 10, total, &name), 400, "approve_not_allowed").await;
        }
        scene
            .is_refused(&over(world, &scene.payer, &scene.merchants[0].key(), 10, &name), 400, "approve_not_allowed")
            .await;
    }
    assert_eq!(scene.current().await, None);
    scene.world.finish().await;
}

/// Guards: `changes_since` and `judge_delegation`. Lowered behind our back: the sessions that it no longer backs end, and the old name
/// opens nothing any more, before or after the monitor has looked.
#[tokio::test]
async fn an_approve_that_was_lowered_behind_our_back_backs_what_fits() {
    for delegation in BOTH {
        let scene = Scene::begin(delegation).await;
        let approve = scene.approves(100).await;
        let (older, newer) = (scene.opens(0, 50, 100, &approve).await, scene.opens(1, 30, 100, &approve).await);
        scene.pays(&newer, 1, 10).await;
        let lowered = scene.approves(60).await;
        let stale = |word: &Value| word == "approve_stale";
        let (_, refused) = scene.world.post("/sessions", &scene.body(1, 5, 100, &approve)).await;
        assert!(stale(&refused["error"]), "{delegation:?}: {refused:#}");
        // 20 for what is left of the newer one; 50 do not fit.
        becomes(&scene.world, older["sessionId"].as_str().unwrap(), "superseded").await;
        assert_eq!(scene.state(&newer).await, json!("open"));
        let standing = scene.current().await.unwrap();
        assert_eq!(
            (standing.signature, standing.amount, standing.free()),
            (lowered, Amount::new(60), Amount::new(40).unwrap())
        );
        scene.pays(&newer, 1, 20).await;
        scene.opens(0, 40, 60, &lowered).await;
        scene.world.finish().await;
    }
}

#[tokio::test]
async fn an_approve_that_was_raised_behind_our_back_takes_everything_over() {
    for delegation in BOTH {
        let scene = Scene::begin(delegation).await;
        let approve = scene.approves(50).await;
        let session = scene.opens(0, 50, 50, &approve).await;
        let raised = scene.approves(90).await;
        scene.world.until("it stands", async || scene.current().await.is_some_and(|a| a.signature == raised)).await;
        assert_eq!(scene.state(&session).await, json!("open"), "{delegation:?}");
        scene.opens(1, 40, 90, &raised).await;
        scene.is_refused(&scene.body(1, 1, 90, &raised), 409, "approval_exhausted").await;
        scene.pays(&session, 0, 50).await;
        scene.world.finish().await;
    }
}

/// Guard: the look before an opening, and the revoked row.
#[tokio::test]
async fn a_revoked_approve_opens_nothing_and_never_comes_back() {
    for delegation in BOTH {
        let scene = Scene::begin(delegation).await;
        let approve = scene.approves(100).await;
        let session = scene.opens(0, 50, 100, &approve).await;
        scene.world.lands(scene.world.revoke_by_owner(&scene.payer));
        scene.world.confirmed().await;
        scene.is_refused(&scene.body(1, 10, 100, &approve), 400, "delegate_mismatch").await;
        becomes(&scene.world, session["sessionId"].as_str().unwrap(), "revoked").await;
        let next = scene.approves(30).await;
        scene.is_refused(&scene.body(1, 10, 100, &approve), 409, "approve_stale").await;
        scene.opens(1, 30, 30, &next).await;
        scene.world.finish().await;
    }
}

/// Guard: `closing` in `approval_use`. A session that closes keeps its cap until what it holds is decided.
#[tokio::test]
async fn a_closing_session_that_still_holds_gives_nothing_back() {
    let scene = Scene::begin(Delegation::Public).await;
    let approve = scene.approves(100).await;
    let session = scene.opens(0, 90, 100, &approve).await;
    scene.world.stands_still();
    let payment = scene.world.payment(session["sessionId"].as_str().unwrap(), &scene.merchants[0].key(), 40, None);
    let (_, pending) = scene.world.post("/settle", &hastily(payment)).await;
    assert_eq!(pending["errorReason"], "settlement_pending", "{pending:#}");
    scene.world.ledger().close_session(session["sessionId"].as_str().unwrap().parse().unwrap()).await.unwrap();
    assert_eq!(scene.state(&session).await, json!("closing"));
    scene.is_refused(&scene.body(1, 20, 100, &approve), 409, "approval_exhausted").await;
    scene.world.moves_on();
    becomes(&scene.world, session["sessionId"].as_str().unwrap(), "closed").await;
    scene.opens(1, 60, 100, &approve).await;
    scene.is_refused(&scene.body(1, 1, 100, &approve), 409, "approval_exhausted").await;
    scene.world.finish().await;
}
