//! What a service, and the doctor, find out about the deployed token program, on a network whose rules the test changes.

use super::{directory, json, service::Starting, setting, sotto};
use serde_json::json;
use sotto::localnet::{FaultPlan, Localnet, LocalnetConfig, Slots, TooManyRequests, standins::PayerRule};
use std::{path::Path, time::Duration};

/// A network in this process, whose rules can be changed, and the `.env` that leads to it.
async fn own_network(here: &Path) -> Localnet {
    let slots = Slots::Every(Duration::from_millis(20));
    let net = Localnet::start(LocalnetConfig { slots, ..LocalnetConfig::default() }).await.expect("a network");
    let spender = json(&sotto(here, &["keygen", "--json"]))["publicKey"].as_str().expect("a key").to_owned();
    net.network().airdrop(&spender.parse().expect("a key"), 10_000_000_000).expect("SOL");
    let stand_ins = net.network().stand_ins();
    let programs = stand_ins.config().programs;
    let settings = [
        ("network.name", "solana:localnet".to_owned()),
        ("network.rpc_urls", net.rpc_url()),
        ("network.ws_urls", net.ws_url()),
        ("programs.inco_token", programs.token.to_string()),
        ("programs.inco_lightning", programs.lightning.to_string()),
        ("asset.mint", net.mint().to_string()),
        ("covalidator.endpoint", net.covalidator_url()),
        ("covalidator.attestation_key", stand_ins.attestation_key().to_string()),
        ("covalidator.encryption_key", stand_ins.encryption_key().to_hex()),
    ];
    let lines: Vec<_> = settings.iter().map(|(key, value)| setting((&(*key).to_owned(), &json!(value)))).collect();
    std::fs::write(here.join(".env"), lines.join("\n")).expect("a file");
    net
}

/// The node refuses to simulate, so that nothing can be probed.
fn refuse_simulations(net: &Localnet) {
    let too_many =
        TooManyRequests { next: u32::MAX, retry_after: None, method: Some("simulateTransaction".to_owned()) };
    net.faults().set(FaultPlan { too_many_requests: Some(too_many), ..FaultPlan::default() });
}

/// `spec/session.md` §7. Who relies on amounts being secret is told what becomes of a copied ciphertext, whatever it is; none of the
/// answers is a fault of the deployment.
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_whether_a_copied_ciphertext_is_taken() {
    let (_outer, here) = directory();
    let net = own_network(&here).await;
    let rules = net.network().stand_ins().switches();
    let told = || {
        let seen = sotto(&here, &["doctor", "--probe", "--json"]);
        let findings = json(&seen)["findings"].as_array().expect("a list").clone();
        let finding = findings.iter().find(|f| f["subject"] == "copied ciphertexts").expect("it is told").clone();
        assert_eq!(finding["ok"], true, "{finding:#}");
        finding["detail"].as_str().expect("a text").to_owned()
    };
    let taken = told();
    assert!(taken.contains("taken from another wallet, with the same handle"), "{taken}");
    assert!(taken.contains("asked of one that has landed"), "{taken}");
    rules.change(|rules| rules.single_use_ciphertexts = true);
    let refused = told();
    assert!(refused.contains("refused from another wallet") && refused.contains("0x2329"), "{refused}");
    rules.change(|rules| rules.require_remaining_accounts = true);
    let unknown = told();
    assert!(unknown.contains("could not be asked"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_program_that_cannot_be_probed_at_the_start_is_probed_once_it_can() {
    let (_outer, here) = directory();
    let net = own_network(&here).await;
    refuse_simulations(&net);
    let mut service = Starting::begin(&here, &[]);
    assert!(service.announcement()["address"].is_string());
    service.until_it_logs("it is asked again");
    net.faults().clear();
    service.until_it_logs("the token program has been probed");
    assert_eq!(service.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_program_that_proves_unsafe_after_the_start_ends_the_service() {
    let (_outer, here) = directory();
    let net = own_network(&here).await;
    net.network().stand_ins().switches().change(|rules| rules.payer_rule = PayerRule::Anyone);
    refuse_simulations(&net);
    let mut service = Starting::begin(&here, &["--set", "settlement.settle_instruction=transfer_with_authorization"]);
    assert!(service.announcement()["address"].is_string());
    net.faults().clear();
    service.until_it_logs("lets a stranger spend a published signature");
    assert_eq!(service.child.wait().expect("it ends").code(), Some(1));
}

/// CR-5. Nobody has to know beforehand which instruction a network's program does right.
#[tokio::test(flavor = "multi_thread")]
async fn by_itself_a_service_settles_with_plain_transfers_where_the_signed_ones_are_unsafe() {
    let (_outer, here) = directory();
    let net = own_network(&here).await;
    net.network().stand_ins().switches().change(|rules| rules.payer_rule = PayerRule::Anyone);
    let mut service = Starting::begin(&here, &[]);
    let why = service.until_it_logs("settling with plain transfers");
    assert!(why.contains("lets a stranger spend a published signature"), "{why}");
    assert!(service.announcement()["address"].is_string());
    assert_eq!(service.stop(), Some(0));
}
