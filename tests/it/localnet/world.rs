//! One network with hand-ticked slots, its real client, and transactions for it.

use std::sync::Arc;

pub(crate) use crate::support::PATIENCE;
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::{Message, VersionedMessage, v0};
use solana_pubkey::Pubkey;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::config::RpcSendTransactionConfig;
use solana_signer::Signer as _;
use solana_system_interface::instruction::transfer;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use sotto::{
    domain::clock::ManualClock,
    localnet::{Localnet, LocalnetConfig, Slots},
};

/// One SOL.
pub(crate) const SOL: u64 = 1_000_000_000;

pub(crate) struct World {
    pub(crate) net: Localnet,
    pub(crate) rpc: RpcClient,
    pub(crate) clock: Arc<ManualClock>,
    http: reqwest::Client,
}

impl World {
    /// A network that stands still until told; its client reads at `confirmed`.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut LocalnetConfig)) -> Self {
        let clock = Arc::new(ManualClock::at(1_800_000_000));
        let mut config =
            LocalnetConfig { slots: Slots::ByHand, seed: Some(7), clock: clock.clone(), ..LocalnetConfig::default() };
        change(&mut config);
        let net = Localnet::start(config).await.expect("the network starts");
        let rpc = client(&net.rpc_url(), CommitmentConfig::confirmed());
        let http = reqwest::Client::builder().timeout(PATIENCE).build().expect("an HTTP client");
        Self { net, rpc, clock, http }
    }

    /// A wallet with confirmed lamports.
    pub(crate) fn wallet(&self, n: u8, lamports: u64) -> Keypair {
        let wallet = Keypair::new_from_array([n; 32]);
        self.net.network().airdrop(&wallet.pubkey(), lamports).expect("the faucet gives");
        self.net.tick();
        wallet
    }

    /// A transfer on the newest blockhash that `confirmed` knows.
    pub(crate) async fn transfer(&self, from: &Keypair, to: &Pubkey, lamports: u64) -> VersionedTransaction {
        let hash = self.rpc.get_latest_blockhash().await.expect("a blockhash");
        signed(from, &[transfer(&from.pubkey(), to, lamports)], hash)
    }

    /// How instructions end that the first of `signers` pays for. The slot passes.
    pub(crate) async fn land(
        &self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<(), TransactionError> {
        let hash = self.net.network().latest_blockhash();
        let message = v0::Message::try_compile(&signers[0].pubkey(), instructions, &[], hash).expect("it compiles");
        let tx = VersionedTransaction::try_new(VersionedMessage::V0(message), signers).expect("it is signed");
        self.outcome(&tx).await
    }

    /// How a transaction ends that is sent without preflight. The slot passes.
    pub(crate) async fn outcome(&self, tx: &VersionedTransaction) -> Result<(), TransactionError> {
        let config = RpcSendTransactionConfig { skip_preflight: true, ..RpcSendTransactionConfig::default() };
        self.rpc.send_transaction_with_config(tx, config).await.expect("it is taken");
        let status = self.rpc.get_signature_statuses(&tx.signatures[..1]).await.expect("an answer").value.remove(0);
        self.net.tick();
        status.expect("it has landed").status
    }

    /// A confirmed transaction as `getTransaction` tells it when it is asked to parse.
    pub(crate) async fn parsed(&self, tx: &VersionedTransaction) -> Value {
        let config =
            json!({ "encoding": "jsonParsed", "commitment": "confirmed", "maxSupportedTransactionVersion": 0 });
        self.call("getTransaction", json!([tx.signatures[0].to_string(), config])).await["result"].clone()
    }

    /// A raw JSON-RPC call; the whole response object.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Value {
        self.post(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()).await
    }

    pub(crate) async fn post(&self, body: &str) -> Value {
        let response = self.request(body).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        response.json().await.expect("a JSON answer")
    }

    pub(crate) fn request(&self, body: &str) -> reqwest::RequestBuilder {
        self.http.post(self.net.rpc_url()).header("content-type", "application/json").body(body.to_owned())
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }
}

pub(crate) fn client(url: &str, commitment: CommitmentConfig) -> RpcClient {
    RpcClient::new_with_timeout_and_commitment(url.to_owned(), PATIENCE, commitment)
}

/// A version 0 transaction.
pub(crate) fn signed(payer: &Keypair, instructions: &[Instruction], hash: Hash) -> VersionedTransaction {
    let message = v0::Message::try_compile(&payer.pubkey(), instructions, &[], hash).expect("it compiles");
    VersionedTransaction::try_new(VersionedMessage::V0(message), &[payer]).expect("it is signed")
}

/// A legacy transaction.
pub(crate) fn signed_legacy(payer: &Keypair, instructions: &[Instruction], hash: Hash) -> VersionedTransaction {
    let message = Message::new_with_blockhash(instructions, Some(&payer.pubkey()), &hash);
    VersionedTransaction::try_new(VersionedMessage::Legacy(message), &[payer]).expect("it is signed")
}
