//! The stand-ins on a running local network, with the Covalidator's real client.

use std::sync::Arc;
use std::time::Duration;

use crate::support::PATIENCE;
use solana_signer::Signer as _;
use sotto::covalidator::{Covalidator as _, CovalidatorError, HttpCovalidator, RequestSigner as _, WalletSigner};
use sotto::domain::chance::SeededChance;
use sotto::localnet::covalidator::{CovalidatorPlan, Lie, LocalCovalidator};
use sotto::localnet::faucet::{Faucet, FaucetConfig, FaucetError};
use sotto::localnet::{FaultPlan, Localnet, LocalnetConfig, Slots};
use sotto::programs::Programs;
use sotto::programs::ciphertext::encrypt;
use sotto::programs::inco_token::IncoAccount;

/// Long enough for one try where none succeeds, on a busy machine too.
const IMPATIENCE: Duration = Duration::from_secs(2);
const UNITS: u64 = 2_500_000;

struct Scene {
    net: Localnet,
    faucet: Faucet,
    covalidator: LocalCovalidator,
    client: HttpCovalidator,
    wallet: WalletSigner,
}

impl Scene {
    async fn open() -> Self {
        let config = LocalnetConfig { slots: Slots::ByHand, seed: Some(7), ..LocalnetConfig::default() };
        let net = Localnet::start(config).await.unwrap();
        let network = net.network().clone();
        let stand_ins = network.stand_ins().clone();
        let faucet = FaucetConfig {
            programs: Programs::default(),
            encryption_key: stand_ins.encryption_key(),
            mint: [40; 32],
            authority: [41; 32],
            chance: Arc::new(SeededChance::new(1)),
        };
        let faucet = Faucet::open(Arc::new(network.clone()), faucet).unwrap();
        let attestation_key = stand_ins.attestation_key();
        let at = ([127, 0, 0, 1], 0).into();
        let covalidator = LocalCovalidator::start(at, stand_ins, Arc::new(network)).await.unwrap();
        let client = HttpCovalidator::new(&covalidator.url(), attestation_key, PATIENCE).unwrap();
        Self { net, faucet, covalidator, client, wallet: WalletSigner::from_secret(&[50; 32]) }
    }

    /// The handle of the wallet's balance.
    fn balance(&self) -> u128 {
        let address = Programs::default().token_account(&self.wallet.address(), &self.faucet.mint());
        let stored = self.net.network().account(&address).expect("the wallet has a token account");
        IncoAccount::decode(&stored.data).unwrap().amount
    }
}

#[tokio::test]
async fn what_the_faucet_gives_can_be_decrypted_by_its_owner_alone() {
    let scene = Scene::open().await;
    scene.faucet.fund(&scene.wallet.address(), UNITS).unwrap();
    let value = scene.client.decrypt(scene.balance(), &scene.wallet, PATIENCE).await.unwrap();
    assert_eq!(value.plaintext, u128::from(UNITS));
    let stranger = WalletSigner::from_secret(&[51; 32]);
    let refused = scene.client.decrypt(scene.balance(), &stranger, PATIENCE).await.unwrap_err();
    assert!(matches!(refused, CovalidatorError::NotAllowed { address } if address == stranger.address()));
}

#[tokio::test]
async fn a_lag_ends_with_the_slots_and_failures_with_their_count() {
    let scene = Scene::open().await;
    scene.faucet.fund(&scene.wallet.address(), UNITS).unwrap();
    scene.covalidator.faults().set(CovalidatorPlan { lag_slots: 3, ..CovalidatorPlan::default() });
    let behind = scene.client.decrypt(scene.balance(), &scene.wallet, IMPATIENCE).await.unwrap_err();
    assert!(matches!(behind, CovalidatorError::Behind), "{behind}");
    scene.net.tick_slots(3);
    scene.covalidator.faults().change(|plan| plan.fail_next = 2);
    let value = scene.client.decrypt(scene.balance(), &scene.wallet, PATIENCE).await.unwrap();
    assert_eq!(value.plaintext, u128::from(UNITS));
}

#[tokio::test]
async fn the_client_believes_no_lie() {
    let scene = Scene::open().await;
    scene.faucet.fund(&scene.wallet.address(), UNITS).unwrap();
    for lie in [Lie::Signature, Lie::Handle, Lie::Plaintext] {
        scene.covalidator.faults().change(|plan| plan.lie = Some(lie));
        let refused = scene.client.decrypt(scene.balance(), &scene.wallet, PATIENCE).await.unwrap_err();
        assert!(matches!(refused, CovalidatorError::Untrustworthy(_)), "{lie:?}: {refused}");
    }
    scene.covalidator.faults().change(|plan| plan.lie = Some(Lie::Empty));
    assert!(scene.client.decrypt(scene.balance(), &scene.wallet, IMPATIENCE).await.is_err());
}

#[tokio::test]
async fn a_frozen_node_gives_nothing_until_it_thaws() {
    let scene = Scene::open().await;
    scene.net.faults().set(FaultPlan { frozen: true, ..FaultPlan::default() });
    let refused = scene.faucet.fund(&scene.wallet.address(), UNITS);
    assert!(matches!(refused, Err(FaucetError::NotLanded)), "{refused:?}");
    scene.net.faults().set(FaultPlan::default());
    scene.net.tick();
    assert!(scene.net.network().stand_ins().vault().look_up(scene.balance()).is_some());
}

#[tokio::test]
async fn a_simulation_over_the_network_leaves_no_plaintext() {
    let scene = Scene::open().await;
    scene.faucet.fund(&scene.wallet.address(), UNITS).unwrap();
    let before = scene.net.network().stand_ins().vault().snapshot();
    let (programs, mint, authority) = (Programs::default(), scene.faucet.mint(), scene.faucet.authority().pubkey());
    let account = programs.token_account(&scene.wallet.address(), &mint);
    let ciphertext = encrypt(&scene.net.network().stand_ins().encryption_key(), 1, &SeededChance::new(2));
    let mint_to = programs.mint_to(&mint, &account, &authority, &ciphertext, None);
    let message = solana_message::Message::new(&[mint_to], Some(&authority));
    let transaction = solana_transaction::Transaction::new_unsigned(message);
    let url = scene.net.rpc_url();
    let rpc = solana_rpc_client::nonblocking::rpc_client::RpcClient::new_with_timeout(url, PATIENCE);
    let config = solana_rpc_client_api::config::RpcSimulateTransactionConfig {
        replace_recent_blockhash: true,
        commitment: Some(solana_commitment_config::CommitmentConfig::processed()),
        ..Default::default()
    };
    let simulated = rpc.simulate_transaction_with_config(&transaction, config).await.unwrap();
    assert!(simulated.value.err.is_none(), "{simulated:?}");
    assert_eq!(scene.net.network().stand_ins().vault().snapshot(), before);
}
