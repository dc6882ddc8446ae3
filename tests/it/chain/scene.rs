//! A local network, a ledger that records, and the chain port between them.

use crate::support::{in_time, until};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_system_interface::instruction::transfer;
use sotto::{
    chain::{
        Chain, Commitment, EndpointUrls, LiveBlockhash,
        keys::{LocalSigner, Signer},
        refresher::RefreshPolicy,
        rpc::{ChainSettings, SolanaChain},
        signature_statuses::PollPolicy,
        transaction::UnsignedTransaction,
    },
    domain::settlement::{Allowances, Attempt, Cost, Moves, Observation, Purpose, SettlementId, Subject},
    ledger::{Ledger, LedgerOptions, Recorded, SqliteLedger},
    localnet::{Endpoint, Localnet, LocalnetConfig, Slots},
};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// Short enough to be waited for; at least one answer is waited for anyway.
pub(super) const SHORT: Duration = Duration::from_millis(150);
/// How many blocks a blockhash lives.
pub(super) const LIFE: u64 = 150;
/// One SOL.
pub(super) const SOL: u64 = 1_000_000_000;

pub(super) struct Scene {
    pub(super) net: Localnet,
    pub(super) chain: SolanaChain,
    pub(super) payer: LocalSigner,
    ledger: SqliteLedger,
    _folder: tempfile::TempDir,
    attempts: AtomicU32,
}

/// A network whose slots move by hand.
pub(super) fn by_hand() -> LocalnetConfig {
    LocalnetConfig { slots: Slots::ByHand, seed: Some(7), ..LocalnetConfig::default() }
}

/// Settings as tests want them: quick polling, and a blockhash as old as half a second.
pub(super) fn settings(rpc_url: String, ws_url: Option<String>) -> ChainSettings {
    let millis = Duration::from_millis;
    ChainSettings {
        timeout: Duration::from_secs(20),
        poll: PollPolicy { first: millis(20), most: millis(40), after_push: Duration::from_secs(20) },
        refresh: RefreshPolicy { every: millis(30), stale_after: millis(500), ..RefreshPolicy::default() },
        ..ChainSettings::new(rpc_url, ws_url)
    }
}

/// Settings for several endpoints, polling only.
pub(super) fn several(rpc_urls: &[&str]) -> ChainSettings {
    let endpoints = rpc_urls.iter().map(|url| EndpointUrls { rpc: (*url).to_owned(), websocket: None });
    ChainSettings { endpoints: endpoints.collect(), ..settings(String::new(), None) }
}

fn receiver(number: u32) -> Pubkey {
    let mut bytes = [100; 32];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    Pubkey::new_from_array(bytes)
}

impl Scene {
    /// A scene with the network behind a second endpoint, with faults of its own; slots move by hand, both push.
    pub(super) async fn with_second() -> (Self, Endpoint) {
        let (sender, opened) = std::sync::mpsc::channel();
        let scene = Self::start(by_hand(), |net| {
            let second = net.open_endpoint(None);
            let second = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(second)).unwrap();
            let endpoints = vec![
                EndpointUrls { rpc: net.rpc_url(), websocket: Some(net.ws_url()) },
                EndpointUrls { rpc: second.rpc_url(), websocket: Some(second.ws_url()) },
            ];
            sender.send(second).unwrap();
            ChainSettings { endpoints, ..settings(String::new(), None) }
        })
        .await;
        (scene, opened.recv().unwrap())
    }

    /// Slots move by hand; notices are pushed.
    pub(super) async fn new() -> Self {
        Self::start(by_hand(), |net| settings(net.rpc_url(), Some(net.ws_url()))).await
    }

    /// Slots move by hand; there is no websocket.
    pub(super) async fn polling() -> Self {
        Self::start(by_hand(), |net| settings(net.rpc_url(), None)).await
    }

    pub(super) async fn start(config: LocalnetConfig, settings: impl FnOnce(&Localnet) -> ChainSettings) -> Self {
        let net = Localnet::start(config).await.unwrap();
        let chain = SolanaChain::start(settings(&net)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(&folder.path().join("ledger.db"), &LedgerOptions::default()).await.unwrap();
        let payer = LocalSigner::from_seed(&[6; 32]);
        net.network().airdrop(&payer.pubkey(), 100 * SOL).unwrap();
        net.tick_slots(2);
        Self { net, chain, payer, ledger, _folder: folder, attempts: AtomicU32::new(0) }
    }

    /// A recorded transfer of `lamports`, never the same twice; nothing is sent.
    pub(super) async fn attempt_of(&self, lamports: u64) -> Recorded<Attempt> {
        let number = self.attempts.fetch_add(1, Ordering::SeqCst);
        self.attempt(&[transfer(&self.payer.pubkey(), &receiver(number), lamports)]).await
    }

    /// Whom the first of them pays.
    #[expect(clippy::unused_self, reason = "the receiver of this scene")]
    pub(super) fn paid(&self) -> Pubkey {
        receiver(0)
    }

    pub(super) async fn attempt(&self, instructions: &[Instruction]) -> Recorded<Attempt> {
        let blockhash = self.chain.latest_blockhash().await.unwrap();
        let payer = self.payer.pubkey();
        let unsigned = UnsignedTransaction::new(&payer, instructions, blockhash.hash).unwrap();
        let cost = Cost { fee: unsigned.fee(), ..Cost::default() };
        let signed = unsigned.sign(&[&self.payer]).unwrap();
        let id = SettlementId::from_random_bytes(signed.wire[1..17].try_into().unwrap());
        let settlement = self.ledger.plan_other(id, Purpose::Probe, Subject::Own, 1_000).await.unwrap();
        let attempt = Attempt {
            settlement: id,
            number: 1,
            signature: signed.signature,
            wire: signed.wire,
            last_valid_block_height: blockhash.last_valid_block_height,
            signed_at_slot: blockhash.slot,
            cost,
            allowances: Allowances::NotBought,
            moves: Moves::Nothing,
            seen_by: Vec::new(),
            past_at: None,
        };
        self.ledger.record_signed(&settlement, attempt, 1_000).await.unwrap().recorded().unwrap().1
    }

    /// An attempt that is sent and whose send was answered well.
    pub(super) async fn sent(&self) -> Recorded<Attempt> {
        let attempt = self.attempt_of(SOL).await;
        self.chain.send(&attempt).await.unwrap();
        attempt
    }

    /// An attempt that landed with an error, which is final by now.
    pub(super) async fn fails_for_good(&self) -> Recorded<Attempt> {
        let attempt = self.attempt_of(10_000 * SOL).await;
        self.chain.send(&attempt).await.unwrap();
        self.net.tick_slots(40);
        attempt
    }

    pub(super) async fn observe(&self, attempt: &Recorded<Attempt>, want: Commitment, wait: Duration) -> Observation {
        self.chain.observe(attempt, want, wait).await.unwrap()
    }

    /// Waits until the refresher has a blockhash that lives longer than this.
    pub(super) async fn knows_a_blockhash_past(&self, height: u64) -> LiveBlockhash {
        let newer = async {
            loop {
                let hash = self.chain.latest_blockhash().await.unwrap();
                if hash.last_valid_block_height > height {
                    return hash;
                }
                tokio::task::yield_now().await;
            }
        };
        in_time("blockhashes follow the chain", newer).await
    }

    /// Waits until so many requests of a method were made.
    pub(super) async fn is_asked(&self, method: &str, times: u64) {
        until("it is asked", async || self.requests(method) >= times).await;
    }

    /// Moves slots on until nothing signed so far can land any more, and that is final; the refresher knows of it.
    pub(super) async fn expire(&self) {
        let newest = self.chain.latest_blockhash().await.unwrap().last_valid_block_height;
        // A blockhash may have been told a stride before it was signed under (`chain::heights`).
        self.net.tick_slots(151 + 31 + 40);
        // The newest one by now was signed by nobody yet, and its height is past what was: with a second voice it is recorded as
        // living for a stride longer.
        self.knows_a_blockhash_past(newest + 31 + LIFE).await;
    }

    pub(super) fn requests(&self, method: &str) -> u64 {
        self.net.network().request_counts().get(method).copied().unwrap_or(0)
    }
}

pub(super) fn landed(observation: &Observation, finally: bool) -> bool {
    matches!(observation, Observation::Landed { finalised, .. } if *finalised == finally)
}
