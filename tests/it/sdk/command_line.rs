//! The payer's commands from another process, against a whole world.

use super::journey::Shop;
use crate::support::{Wallet, World};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use std::{
    ffi::OsStr,
    fmt::Debug,
    path::Path,
    process::{Command, Output},
};

/// A directory with a payer's wallet in it, and the environment that points at a world.
pub(crate) struct Desk {
    directory: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Desk {
    pub(crate) fn of(world: &World, wallet: &Wallet) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join(".keys");
        std::fs::create_dir(&keys).unwrap();
        let pair = SigningKey::from_bytes(&wallet.seed()).to_keypair_bytes();
        std::fs::write(keys.join("payer.json"), serde_json::to_string(&pair[..]).unwrap()).unwrap();
        let stand_ins = world.net.network().stand_ins();
        let variables = vec![
            ("SOTTO_NETWORK__NAME", "solana:localnet".to_owned()),
            ("SOTTO_NETWORK__RPC_URLS", world.net.rpc_url()),
            ("SOTTO_NETWORK__SPELLINGS", "solana:devnet".to_owned()),
            ("SOTTO_PROGRAMS__INCO_TOKEN", world.programs.token.to_string()),
            ("SOTTO_PROGRAMS__INCO_LIGHTNING", world.programs.lightning.to_string()),
            ("SOTTO_ASSET__MINT", world.faucet.mint().to_string()),
            ("SOTTO_COVALIDATOR__ENDPOINT", world.covalidator.url()),
            ("SOTTO_COVALIDATOR__ATTESTATION_KEY", stand_ins.attestation_key().to_string()),
            ("SOTTO_COVALIDATOR__ENCRYPTION_KEY", stand_ins.encryption_key().to_hex()),
        ];
        Self { directory, variables }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) async fn sotto<A: AsRef<OsStr>>(&self, args: &[A]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sotto"));
        command.args(args).current_dir(self.path()).env_clear().envs(self.variables.iter().cloned());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    pub(crate) async fn json<A: AsRef<OsStr> + Debug>(&self, args: &[A]) -> Value {
        let output = self.sotto(args).await;
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) async fn failing<A: AsRef<OsStr> + Debug>(&self, args: &[A]) -> String {
        let output = self.sotto(args).await;
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
        assert!(output.stdout.is_empty(), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

/// A payer at a desk, and a merchant with a shop.
struct Scene {
    world: World,
    payer: Wallet,
    merchant: Wallet,
    shop: Shop,
    desk: Desk,
}

/// Who believes whatever address the facilitator answers with.
const UNPINNED: &[&str] = &["--trust-on-first-use", "--json"];

impl Scene {
    async fn begin() -> Self {
        let world = World::start().await;
        let (payer, merchant) = (world.wallet(5_000_000).await, world.wallet(0).await);
        let shop = Shop::start(&world, &merchant.key()).await;
        let desk = Desk::of(&world, &payer);
        Self { world, payer, merchant, shop, desk }
    }

    /// The command that opens a session with the merchant, to be used nowhere.
    fn opening(&self, more: &[&str]) -> Vec<String> {
        let recipient = self.merchant.key().to_string();
        let whom = ["session", "open", "--facilitator", &self.world.running().url, "--recipient", &recipient];
        [&whom[..], &["--cap", "0.5"], more].concat().into_iter().map(str::to_owned).collect()
    }

    /// The command that opens a session with the merchant for their shop.
    fn opening_for_shop(&self, more: &[&str]) -> Vec<String> {
        self.opening(&[&["--origin", &self.shop.url][..], more].concat())
    }

    fn weather(&self) -> String {
        self.shop.weather().to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payer_without_an_rpc_opens_from_the_command_line() {
    let mut scene = Scene::begin().await;
    let command = scene.opening_for_shop(&[UNPINNED, &["--no-rpc"]].concat());
    let told = scene.desk.failing(&command).await;
    assert!(told.contains("network.genesis_hash is not set"), "{told}");
    let nobody = "http://127.0.0.1:9".to_owned();
    scene.desk.variables.retain(|(name, _)| *name != "SOTTO_NETWORK__RPC_URLS");
    scene.desk.variables.push(("SOTTO_NETWORK__RPC_URLS", nobody));
    scene.desk.variables.push(("SOTTO_NETWORK__GENESIS_HASH", scene.world.net.genesis_hash()));
    let opened = scene.desk.json(&command).await;
    assert_eq!((&opened["cap"], &opened["funding"]), (&Value::from("0.5"), &Value::from("unproven")));
    let paid = scene.desk.json(&["session", "pay", &scene.weather(), "--max-price", "0.01", "--json"]).await;
    assert_eq!(paid["receipt"]["success"], true);
    scene.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payer_opens_pays_and_reads_a_balance_from_the_command_line() {
    let scene = Scene::begin().await;
    let (desk, spender) = (&scene.desk, scene.world.spender().to_string());
    let pinned = scene.opening_for_shop(&["--facilitator-address", &spender, "--json"]);
    // A process that was killed while it opened a session left this (A20).
    std::fs::write(desk.path().join(".keys/session.json.new"), "").unwrap();
    let opened = desk.json(&pinned).await;
    assert_eq!((&opened["cap"], &opened["spender"]), (&Value::from("0.5"), &Value::from(spender.as_str())));
    only_its_owner_reads(&desk.path().join(".keys/session.json"));
    assert!(desk.failing(&pinned).await.contains("is there already"), "a session is not overwritten");

    let weather = scene.weather();
    let paid = desk.json(&["session", "pay", &weather, "--max-price", "0.01", "--json"]).await;
    assert_eq!((&paid["status"], &paid["paid"]), (&Value::from(200), &Value::from("0.01")));
    assert_eq!(paid["receipt"]["success"], true);
    let plain = desk.sotto(&["session", "pay", &weather, "--max-price", "0.01"]).await;
    assert!(String::from_utf8_lossy(&plain.stdout).starts_with("sunny for "));
    assert!(String::from_utf8_lossy(&plain.stderr).contains("paid 0.01, transaction "));

    let shown = desk.json(&["session", "show", "--json"]).await;
    assert_eq!((&shown["state"], &shown["spent"]), (&Value::from("open"), &Value::from("20000")));
    let table = desk.sotto(&["session", "show"]).await;
    assert!(String::from_utf8_lossy(&table.stdout).contains("0.48"), "what remains, in whole tokens");
    let balance = desk.json(&["balance", "--json", "--instruction"]).await;
    assert_eq!(balance["balances"][0]["amount"], "4.98");
    assert!(balance["balances"][0]["instruction"]["bytes"].is_string());
    scene.world.finish().await;
}

/// FR-2. A payment whose outcome is not known is told so, with what asks for it, and can be sent again: it is charged once.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_whose_outcome_is_not_known_can_be_sent_again_and_is_charged_once() {
    let scene = Scene::begin().await;
    let Scene { world, shop, desk, .. } = &scene;
    desk.json(&scene.opening_for_shop(UNPINNED)).await;

    let weather = scene.weather();
    let pay = ["session", "pay", &weather, "--max-price", "0.01", "--json"];
    // Taken, and never executed: nobody can know.
    world.net.faults().change(|plan| plan.frozen = true);
    let asked = desk.sotto(&[&pay[..], &["--deadline", "5"]].concat()).await;
    let errors = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert_eq!(asked.status.code(), Some(3), "{errors}");
    let told: Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!(
        (&told["state"], &told["paid"], &told["sent"]),
        (&json!("pending"), &json!(null), &json!("0.01")),
        "{told:#}"
    );
    let nonce = told["nonce"].as_str().unwrap();
    assert!(told["payment"].is_string() && told["transaction"].is_string(), "what asks for it: {told:#}");
    assert!(errors.contains(&format!("--again {nonce}")) && errors.contains("session payments"), "{errors}");
    let kept = desk.path().join(format!(".keys/session.json.pay-{nonce}"));
    only_its_owner_reads(&kept);
    let elsewhere = ["session", "pay", &shop.url, "--max-price", "0.01", "--again", nonce];
    assert!(desk.failing(&elsewhere).await.contains("another URL"), "a payment goes where it was made for");

    world.net.faults().clear();
    let again = [&pay[..], &["--again", nonce]].concat();
    let asked = desk.sotto(&again).await;
    let told: Value = serde_json::from_slice(&asked.stdout).unwrap();
    // The first request may have been told already that it succeeded, though nobody was there to hear it.
    assert_eq!((&told["state"], &told["paid"]), (&json!("captured"), &json!("0.01")), "{told:#}");
    assert_eq!(world.ledger().totals(None).await.unwrap().captured.get(), 10_000, "charged once");
    assert!(!kept.exists(), "what is known is forgotten");
    assert!(desk.failing(&[&pay[..5], &["--again", nonce]].concat()).await.contains("no payment with the nonce"));
    let next = desk.json(&pay).await;
    assert_eq!(next["state"], "captured", "{next:#}");
    scene.world.finish().await;
}

/// FR-29. The session key is on disk before the opening is sent, so that no delegation is left whose key nobody has.
#[tokio::test(flavor = "multi_thread")]
async fn an_opening_whose_outcome_is_not_known_is_gone_on_with() {
    let scene = Scene::begin().await;
    let Scene { world, payer, desk, .. } = &scene;
    let opens = |more: &[&str]| scene.opening_for_shop(&[UNPINNED, more].concat());
    world.net.faults().change(|plan| plan.frozen = true);
    let asked = desk.sotto(&opens(&["--patience", "1"])).await;
    assert_eq!(asked.status.code(), Some(3), "{}", String::from_utf8_lossy(&asked.stderr));
    let (place, session) = (desk.path().join(".keys/session.json.new"), desk.path().join(".keys/session.json"));
    only_its_owner_reads(&place);
    assert!(!session.exists() && std::fs::read_to_string(&place).unwrap().contains("sessionKey"));
    let other = opens(&["--no-session-key"]);
    assert!(desk.failing(&other).await.contains("was sent and not ended"), "another opening waits its turn");
    assert!(place.exists());

    world.net.faults().clear();
    let opened = desk.json(&opens(&[])).await;
    assert!(session.exists() && !place.exists());
    let known = world.ledger().live_sessions(&payer.key(), &world.faucet.mint()).await.unwrap();
    assert_eq!(known.len(), 1, "the same opening, and no second one");
    assert_eq!(opened["sessionId"], known[0].id.to_string());
    let paid = desk.json(&["session", "pay", &scene.weather(), "--max-price", "0.01", "--json"]).await;
    assert_eq!(paid["state"], "captured", "the key is the one that was approved: {paid:#}");
    scene.world.finish().await;
}

/// FR-29. Where the key cannot be kept nothing is sent.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_cannot_be_kept_is_not_sent() {
    let scene = Scene::begin().await;
    let Scene { world, payer, desk, .. } = &scene;
    // No file may grow, as on a disk that is full.
    let limited = "ulimit -f 0; trap '' XFSZ; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", limited, env!("CARGO_BIN_EXE_sotto")]).args(scene.opening(UNPINNED));
    command.current_dir(desk.path()).env_clear().envs(desk.variables.iter().cloned());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("session.json cannot be written"), "{told}");
    assert_eq!(world.ledger().live_sessions(&payer.key(), &world.faucet.mint()).await.unwrap(), [], "nothing was sent");
    assert_eq!(std::fs::read_dir(desk.path().join(".keys")).unwrap().count(), 1, "nothing is left but the wallet");
    scene.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_pays_no_stranger_and_trusts_none() {
    let scene = Scene::begin().await;
    let desk = &scene.desk;
    let unsaid = desk.sotto(&scene.opening(&[])).await;
    assert_eq!(unsaid.status.code(), Some(2), "whom to trust has to be said");
    let other = scene.world.stranger().key().to_string();
    let refused = desk.failing(&scene.opening(&["--facilitator-address", &other])).await;
    assert!(refused.contains("is pinned"), "{refused}");
    assert!(!desk.path().join(".keys/session.json").exists() && !desk.path().join(".keys/session.json.new").exists());

    desk.json(&scene.opening(UNPINNED)).await;
    let weather = scene.weather();
    let pay = ["session", "pay", &weather, "--max-price"];
    let refused = desk.failing(&[&pay[..], &["0.01"]].concat()).await;
    assert!(refused.contains("may not be used at"), "{refused}");
    let refused = desk.failing(&[&pay[..], &["0.009", "--allow-origin"]].concat()).await;
    assert!(refused.contains("above the payer's maximum"), "{refused}");
    let paid = desk.json(&[&pay[..], &["0.01", "--allow-origin", "--json"]].concat()).await;
    assert_eq!(paid["paid"], "0.01");
    scene.world.finish().await;
}

/// Everything that a payer does after opening, and what the merchant can find out on their own.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_proved_followed_and_closed_from_the_command_line() {
    let scene = Scene::begin().await;
    let Scene { world, payer, merchant, desk, .. } = &scene;
    let spender = world.spender().to_string();
    let opened = desk.json(&scene.opening_for_shop(&["--facilitator-address", &spender, "--json"])).await;
    assert_eq!(opened["funding"], "proven", "the opening carries a proof: {opened:#}");
    let session = opened["sessionId"].as_str().unwrap();

    let paid = desk.json(&["session", "pay", &scene.weather(), "--max-price", "0.01", "--json"]).await;
    let receipt = &paid["receipt"];
    assert_eq!(receipt["success"], true, "{paid:#}");
    let payment = receipt["extensions"]["session"]["payment"].as_str().unwrap();
    let told = desk.json(&["session", "payments", payment, "--json"]).await;
    assert_eq!(told["payments"][0]["transaction"], receipt["transaction"], "{told:#}");
    assert_eq!(told["payments"][0]["amount"], "10000", "{told:#}");
    let table = desk.sotto(&["session", "payments", payment]).await;
    assert!(String::from_utf8_lossy(&table.stdout).contains("0.01"), "in whole tokens");
    assert!(desk.failing(&["session", "payments", "never-made-payment"]).await.contains("payment_not_found"));

    // The payer spends past the facilitator, who notices or not: a proof of what is there now is taken.
    world.lands(world.transfer_by_owner(payer, &merchant.key(), 1_000));
    world.faucet.fund(&payer.key(), 0).unwrap();
    world.confirmed().await;
    let proved = desk.json(&["session", "prove", "--json"]).await;
    assert_eq!((&proved["sessionId"], &proved["funding"]), (&Value::from(session), &Value::from("proven")));
    assert_eq!(String::from_utf8_lossy(&desk.sotto(&["session", "prove"]).await.stdout).trim(), "funding  proven");

    let closed = desk.json(&["session", "close", "--json"]).await;
    assert_eq!((&closed["state"], &closed["lost"]), (&Value::from("closed"), &Value::from("0")));
    assert_eq!(closed["captured"], "10000", "{closed:#}");
    assert!(String::from_utf8_lossy(&desk.sotto(&["session", "close"]).await.stdout).contains("closed"));
    // The stream of a closed session ends by itself.
    let events = desk.sotto(&["session", "events", "--after", "0-0", "--json"]).await;
    assert!(events.status.success(), "{}", String::from_utf8_lossy(&events.stderr));
    let events: Vec<Value> =
        serde_json::Deserializer::from_slice(&events.stdout).into_iter().map(Result::unwrap).collect();
    let position = |name: &str| events.iter().position(|event| event["event"] == name);
    assert!(position("accepted") < position("captured") && position("captured") < position("settled"), "{events:#?}");
    assert_eq!(events[position("captured").unwrap()]["transaction"], receipt["transaction"], "{events:#?}");
    assert_eq!(events.last().unwrap()["state"], "closed", "{events:#?}");
    scene.world.finish().await;
}

/// A receipt that moved money, and one that only said so.
#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_proves_receipts_from_the_command_line() {
    let world = World::start().await;
    let (payer, pauper, merchant) = (world.wallet(5_000).await, world.wallet(0).await, world.wallet(0).await);
    // The payer's wallet is the one on this desk.
    let desk = Desk::of(&world, &merchant);
    let spender = world.spender().to_string();
    let receipts = ["receipts", "--key", ".keys/payer.json", "--facilitator-address", &spender, "--told", "told.jsonl"];
    let pays = async |wallet: &Wallet| {
        let session = world.open(wallet, &merchant.key(), 1_000).await;
        let (_, answer) = world.post("/settle", &world.payment(&session, &merchant.key(), 700, None)).await;
        assert_eq!(answer["success"], true, "{answer:#}");
        answer["transaction"].as_str().unwrap().to_owned()
    };
    let tell = |transactions: &[&str]| {
        let lines: Vec<_> =
            transactions.iter().map(|it| json!({ "transaction": it, "amount": "700" }).to_string()).collect();
        std::fs::write(desk.path().join("told.jsonl"), lines.join("\n")).unwrap();
    };
    let opening = pays(&payer).await;
    world.confirmed().await;
    let since = [&receipts[..], &["--since", &opening, "--json"]].concat();
    let good = pays(&payer).await;
    world.confirmed().await;
    tell(&[&good]);
    let proved = desk.json(&since).await;
    assert_eq!(
        (&proved["holds"], &proved["spans"][0]["verdict"]),
        (&Value::from(true), &Value::from("paid")),
        "{proved:#}"
    );

    let empty = pays(&pauper).await;
    world.confirmed().await;
    tell(&[&good, &empty]);
    let output = desk.sotto(&since).await;
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["holds"], false, "{told:#}");
    let spans = told["spans"].as_array().unwrap();
    let span = spans.iter().find(|span| span["settlements"].to_string().contains(&empty)).unwrap();
    assert_eq!((&span["verdict"], &span["missing"]), (&Value::from("nothing"), &Value::from("700")), "{told:#}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("not everything that was told was received"));
    let table = desk.sotto(&receipts).await;
    assert!(String::from_utf8_lossy(&table.stdout).contains("moved nothing"));

    std::fs::write(desk.path().join("told.jsonl"), "{}").unwrap();
    assert!(desk.failing(&receipts).await.contains("line 1 of --told"));
    world.finish().await;
}

#[cfg(unix)]
pub(super) fn only_its_owner_reads(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(not(unix))]
pub(super) fn only_its_owner_reads(_path: &Path) {}
