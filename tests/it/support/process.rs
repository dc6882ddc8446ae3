//! A facilitator process of a world: started, killed, configured anew.

use super::{PATIENCE, World, slots::SLOT};
use sotto::{
    api::{self, ApiSettings, ServerSettings},
    chain::{
        Chain, EndpointUrls,
        keys::{LocalSigner, Signer},
        rpc::{ChainSettings, SolanaChain},
    },
    covalidator::HttpCovalidator,
    facilitator::{Facilitator, HandleReport, Keys, Ports, ReceiptKeys, Settings},
    ledger::Ledger,
};
use std::{net::Ipv4Addr, path::Path, sync::Arc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A facilitator process, as far as a test needs one.
pub struct Running {
    pub facilitator: Arc<Facilitator>,
    pub ledger: Arc<dyn Ledger>,
    pub chain: Arc<SolanaChain>,
    pub url: String,
    server: JoinHandle<()>,
}

impl World {
    /// Where the ledgers of this world are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The ledger of this name in the world's directory.
    pub async fn open_ledger(&self, name: &str) -> Arc<dyn Ledger> {
        self.options.engine.open(self.directory.path(), name).await
    }

    pub fn connect(&self) -> Arc<SolanaChain> {
        let own = || vec![EndpointUrls { rpc: self.net.rpc_url(), websocket: Some(self.net.ws_url()) }];
        let mut settings = ChainSettings::of(self.endpoints.clone().unwrap_or_else(own));
        if self.endpoints.is_some() {
            // What several endpoints tell of heights is compared at the pace of this network.
            settings.refresh.slot = SLOT;
        }
        Arc::new(SolanaChain::start(settings).unwrap())
    }

    /// A facilitator over any ledger and chain; nothing is recovered yet.
    pub fn facilitator_over(&self, ledger: Arc<dyn Ledger>, chain: Arc<dyn Chain>) -> Arc<Facilitator> {
        let attestation_key = self.net.network().stand_ins().attestation_key();
        let covalidator = HttpCovalidator::new(&self.covalidator.url(), attestation_key, PATIENCE).unwrap();
        let ports = Ports {
            ledger,
            chain,
            covalidator: Arc::new(covalidator),
            clock: self.clock.clone(),
            chance: Arc::clone(&self.chance),
        };
        let keys = Keys {
            spender: Arc::new(LocalSigner::from_seed(&self.spender)),
            fee_payer: Arc::new(LocalSigner::from_seed(&self.fee_payer)),
            further_fee_payers: self.options.further_fee_payers.iter().map(|seed| signer(seed)).collect(),
            receipts: ReceiptKeys { current: self.options.receipt_key.as_ref().map(signer), retired: Vec::new() },
        };
        let facilitator = Facilitator::new(ports, keys, self.settings());
        // What a service asks of programs that others have deployed is known of the stand-ins.
        facilitator
            .apply_handles(HandleReport { are_derived: true, are_lowered: self.options.delegation.is_lowered() });
        facilitator
    }

    /// Starts the facilitator on the world's ledger, as a process would.
    pub async fn boot(&mut self) {
        let ledger = self.open_ledger("sotto.db").await;
        self.boot_over(ledger).await;
    }

    /// Starts the facilitator over any ledger.
    pub async fn boot_over(&mut self, ledger: Arc<dyn Ledger>) {
        let chain = self.connect();
        let facilitator = self.facilitator_over(ledger.clone(), chain.clone());
        facilitator.recover().await.unwrap();
        // Crowds of callers are what some tests are about.
        let mut edge = ApiSettings { max_concurrent: 1_024, ..ApiSettings::new(Arc::clone(&self.chance)) };
        // Whoever is forwarded for by this machine is who asks.
        edge.rates.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        let router = api::router(facilitator.clone(), &edge);
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let server = tokio::spawn(async move {
            // Cut off with the task: connections end after what they carry.
            let _guard = stop.clone().drop_guard();
            api::serve(listener, router, ServerSettings::default(), stop).await;
        });
        self.running = Some(Running { facilitator, ledger, chain, url, server });
    }

    /// The next process is configured anew: its settings are changed by `change`, and by nothing else.
    pub fn configure(&mut self, change: impl Fn(&mut Settings) + Send + Sync + 'static) {
        self.options.settings = Box::new(change);
    }

    /// The next process is configured without them.
    pub fn forget_further_fee_payers(&mut self) {
        self.options.further_fee_payers.clear();
    }

    /// Another process takes over, which reaches the chain by these endpoints.
    pub async fn reboots_with_endpoints(&mut self, endpoints: Vec<EndpointUrls>) {
        self.kill().await;
        self.endpoints = Some(endpoints);
        self.boot().await;
    }

    /// Ends the facilitator wherever it stands: requests are cut off, tasks are dropped at whatever they await.
    pub async fn kill(&mut self) {
        let Running { facilitator, ledger, chain, server, .. } = self.running.take().unwrap();
        server.abort();
        let _ = server.await;
        facilitator.stop().await;
        chain.shutdown().await;
        drop((facilitator, chain));
        // Connections that were cut off let go of the ledger as they end.
        while Arc::strong_count(&ledger) > 1 {
            tokio::task::yield_now().await;
        }
        drop(ledger);
    }
}

fn signer(seed: &[u8; 32]) -> Arc<dyn Signer> {
    Arc::new(LocalSigner::from_seed(seed))
}
