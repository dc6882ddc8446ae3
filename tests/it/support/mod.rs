//! A whole world in one process: local network, Covalidator stand-in, ledger, facilitator and its HTTP API on loopback.
//!
//! A test ends with [`World::finish`], which asserts what must hold after every scenario: the ledger's audit, nothing
//! unfinished or held, and every session's captures equal to what moved on chain. A world that is dropped without it fails.
//!
//! What goes wrong with the chain is the local network's to play, and `src/localnet/mod.rs` has the table: faults of the
//! endpoint that the facilitator speaks to (`world.net.faults().change(..)`), forks (`world.net.network().fork(3)`,
//! `.fork_away(&signature)`, `.fork_and_replay(3, 2)`), a second endpoint that lags or forgets
//! (`world.net.open_endpoint(None)`, then `.faults().lag_behind(10)` or `.forget_before(slot)`), and somebody else's
//! transaction that lands between our simulation and our landing (`world.net.network().ambush(account, tx)`). Strangers'
//! transfers, an owner's debits, burns and revokes, and freezes are one-liners of `strangers`. What must come before
//! something is final, or before a blockhash is dead, comes while slots stand still (`slots`).

mod actors;
mod channels;
mod delegations;
pub mod engine;
mod http;
mod log;
mod mpp;
mod opening;
pub mod packages;
mod process;
mod proofs;
mod requests;
mod revocations;
mod single_payments;
mod slots;
mod strangers;
mod time;
mod waiting;

pub use actors::Wallet;
pub use channels::{ChannelScene, TTL, public_id};
pub use delegations::{DelegationScene, FOREIGN, HOME, PURSE, Sent, confirmation, offered};
pub use engine::Engine;
pub use log::Log;
pub use mpp::{MppScene, ROOT, charged};
pub use opening::{HASTE, Opening, hastily, wire};
pub use process::Running;
pub use proofs::proof_body;
pub use requests::{changed, payment_in};
pub use revocations::{RevokeScene, revoke_body};
pub use single_payments::{SingleScene, authorized, legacy, signed_by, transacted, verified};
pub use waiting::{Left, PATIENCE, in_time, look_again, quiet, quiet_but_for, until};

use solana_pubkey::Pubkey;
use sotto::{
    chain::{EndpointUrls, transaction::SettleInstruction},
    domain::{
        amount::Amount,
        budget::Budgets,
        chance::{Chance, SeededChance, draw},
        network::Network,
        payment::PaymentLimits,
        revocation::RevocationLimits,
    },
    facilitator::{
        AllowancePolicy, AllowanceSettings, BackgroundSettings, CapCheckPolicy, DeferredPolicy, DispatchSettings,
        FundingSettings, InstructionChoice, OpeningSettings, PrepareSettings, ReadPolicy, RecipientSettings,
        ServedAsset, Settings, TransferSettings, WaitingSettings,
    },
    ledger::Ledger,
    localnet::{
        self, Localnet, LocalnetConfig,
        covalidator::LocalCovalidator,
        faucet::{DEMO_DECIMALS, Faucet, FaucetConfig},
        standins::{Delegation, Rules, StandInConfig, Switches},
    },
    programs::{Programs, inco_token::IncoAccount},
};
use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Finality comes soon, but after confirmation.
const FINALIZED_AFTER: u64 = 6;
/// What the facilitator's key starts with, in lamports.
const SPONSOR: u64 = 100_000_000_000;

/// Every world draws other keys, and the same ones in every run.
static WORLDS: AtomicU64 = AtomicU64::new(1);

/// What differs between worlds.
pub struct Options {
    pub engine: Engine,
    pub delegation: Delegation,
    pub settings: Box<dyn Fn(&mut Settings) + Send + Sync>,
    pub separate_fee_payer: bool,
    /// Slots until a transaction is final; a fork can come until then.
    pub finalized_after: u64,
    /// Seeds of further fee payers; the test funds them.
    pub further_fee_payers: Vec<[u8; 32]>,
    /// The seed of what signs receipts; none are signed without it.
    pub receipt_key: Option<[u8; 32]>,
    /// Whether the Machine Payments Protocol is served, in cash.
    pub serves_mpp: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            delegation: Delegation::Public,
            settings: Box::new(|_| {}),
            separate_fee_payer: false,
            further_fee_payers: Vec::new(),
            receipt_key: None,
            serves_mpp: false,
            finalized_after: FINALIZED_AFTER,
        }
    }
}

impl Options {
    /// A world whose ledger is of this engine.
    pub fn on(self, engine: Engine) -> Self {
        Self { engine, ..self }
    }

    /// A world in which no background round reads or resumes anything, so that what is counted was asked for by payments.
    pub fn without_rounds(self) -> Self {
        let change = self.settings;
        let settings = Box::new(move |settings: &mut Settings| {
            change(settings);
            settings.background.round = Duration::from_hours(1);
        });
        Self { settings, ..self }
    }

    /// A world whose settings are changed by `change`.
    pub fn settings(change: impl Fn(&mut Settings) + Send + Sync + 'static) -> Self {
        Self { settings: Box::new(change), ..Self::default() }
    }
}

pub struct World {
    pub net: Localnet,
    pub covalidator: LocalCovalidator,
    pub faucet: Faucet,
    pub network: Network,
    pub programs: Programs,
    pub chance: Arc<dyn Chance>,
    pub http: reqwest::Client,
    clock: Arc<time::AheadClock>,
    slots: slots::Slots,
    options: Options,
    spender: [u8; 32],
    fee_payer: [u8; 32],
    /// The way to the chain, where it is not the network's own endpoint.
    endpoints: Option<Vec<EndpointUrls>>,
    directory: tempfile::TempDir,
    running: Option<Running>,
    finished: bool,
}

impl World {
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let chance: Arc<dyn Chance> = Arc::new(SeededChance::new(WORLDS.fetch_add(1, Ordering::SeqCst)));
        let rules = Rules { delegation: options.delegation, ..Rules::default() };
        let net = Localnet::start(LocalnetConfig {
            slots: localnet::Slots::ByHand,
            finalized_after: options.finalized_after,
            stand_ins: StandInConfig { switches: Arc::new(Switches::new(rules)), ..StandInConfig::default() },
            ..LocalnetConfig::default()
        })
        .await
        .unwrap();
        let stand_ins = net.network().stand_ins().clone();
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let chain = Arc::new(net.network().clone());
        let covalidator = LocalCovalidator::start(address, stand_ins.clone(), chain.clone()).await.unwrap();
        let faucet = FaucetConfig {
            programs: Programs::default(),
            encryption_key: stand_ins.encryption_key(),
            mint: draw(&*chance),
            authority: draw(&*chance),
            chance: Arc::clone(&chance),
        };
        let faucet = Faucet::open(chain, faucet).unwrap();
        let (spender, fee_payer) = (draw(&*chance), draw(&*chance));
        let network = Network::local(&net.genesis_hash(), &["solana:devnet".to_owned()]);
        let slots = slots::Slots::of(net.network().clone());
        let mut world = Self {
            net,
            covalidator,
            faucet,
            network,
            programs: Programs::default(),
            chance,
            http: reqwest::Client::builder().timeout(2 * PATIENCE).build().unwrap(),
            clock: Arc::default(),
            slots,
            spender,
            fee_payer: if options.separate_fee_payer { fee_payer } else { spender },
            options,
            endpoints: None,
            directory: tempfile::tempdir().unwrap(),
            running: None,
            finished: false,
        };
        for key in [world.spender(), world.fee_payer()] {
            world.net.network().airdrop(&key, SPONSOR).unwrap();
        }
        world.confirmed().await;
        world.boot().await;
        world
    }

    /// Waits until everything that has been executed is confirmed: reads and simulations see confirmed state.
    pub async fn confirmed(&self) {
        let end = self.net.network().slot() + 2;
        let slots_begin = async {
            while self.net.network().slot() < end {
                look_again().await;
            }
        };
        in_time("slots begin", slots_begin).await;
    }

    pub fn spender(&self) -> Pubkey {
        Wallet::from_seed(self.spender).key()
    }

    pub fn fee_payer(&self) -> Pubkey {
        Wallet::from_seed(self.fee_payer).key()
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub fn ledger(&self) -> &dyn Ledger {
        &*self.running().ledger
    }

    pub fn settings(&self) -> Settings {
        let mut settings = Settings {
            served: self.served(),
            openings: OpeningSettings {
                max_session_seconds: 86_400,
                max_grant: 2_000_000,
                grants_per_user_per_day: u64::MAX,
                grants_per_user_per_month: u64::MAX,
                unproven_grants_per_hour: u64::MAX,
                sessions_per_user_per_hour: 20,
                sessions_per_merchant_per_hour: 200,
                sessions_per_hour: 500,
                sponsor_account_creation: false,
                cap_check: CapCheckPolicy::BestEffort,
                cap_check_deadline: Duration::from_secs(20),
                drain_deadline: PATIENCE,
                max_approve_units: 400_000,
                prepares: PrepareSettings { at_once: 4, per_second: None, rest: Duration::ZERO },
                revocations: RevocationLimits::PUBLISHED,
            },
            recipients: RecipientSettings { least: Amount::new(1).unwrap(), ..RecipientSettings::default() },
            transfers: TransferSettings {
                settle_instruction: InstructionChoice::Fixed(SettleInstruction::TransferWithAuthorization),
                compute_unit_margin: 20,
                max_priority_fee: 0,
                unproven_exposure: Amount::new(5_000_000).unwrap(),
                delegation: self.options.delegation,
                decrypt_allowance: AllowancePolicy::Every,
                finality_after: Duration::from_millis(200),
                absence_patience: Duration::from_mins(10),
                one_voice_exposure: Amount::new(100_000_000).unwrap(),
                held_again: Duration::from_millis(500),
                single_payments: true,
            },
            payments: PaymentLimits {
                max_per_call: Amount::new(1_000_000).unwrap(),
                min_per_call: Amount::ZERO,
                unverified_exposure: Amount::new(1_000_000).unwrap(),
            },
            answer_deadline: PATIENCE,
            waiting: crowds_welcome(),
            deferred: DeferredPolicy::default(),
            reads: ReadPolicy::default(),
            allowances: AllowanceSettings::default(),
            dispatch: DispatchSettings::default(),
            background: BackgroundSettings { round: Duration::from_millis(200), archive_after: None },
            low_balance: 10_000_000,
            budgets: Budgets::default(),
            funding: FundingSettings::default(),
        };
        (self.options.settings)(&mut settings);
        settings
    }

    fn served(&self) -> ServedAsset {
        ServedAsset {
            network: self.network.clone(),
            programs: self.programs,
            asset: self.faucet.mint(),
            decimals: DEMO_DECIMALS,
            encryption_key: self.net.network().stand_ins().encryption_key(),
            mpp: self.options.serves_mpp.then(|| mpp::settings(self)),
        }
    }

    /// What the wallet's balance decrypts to, as its owner.
    pub async fn balance(&self, wallet: &Wallet) -> u64 {
        u64::try_from(self.attested(wallet).await.plaintext).unwrap()
    }

    pub fn token_account(&self, wallet: &Pubkey) -> Option<IncoAccount> {
        let address = self.programs.token_account(wallet, &self.faucet.mint());
        let account = self.net.network().account(&address)?;
        IncoAccount::decode(&account.data).ok()
    }

    /// Waits until nothing is unfinished or held, and asserts what must hold after every scenario.
    pub async fn finish(self) {
        self.finish_holding(0).await;
    }

    /// Like [`World::finish`], where so many units were promised, and stay held because nothing settles them.
    pub async fn finish_holding(self, units: u64) {
        self.finish_leaving(Left { settlements: 0, units }).await;
    }

    /// Like [`World::finish`], where something stays because only an operator can decide on it.
    pub async fn finish_leaving(mut self, left: Left) {
        self.finished = true;
        self.moves_on();
        let ledger = self.running().ledger.clone();
        quiet_but_for(&*ledger, left).await;
        ledger.audit().await.unwrap();
        drop(ledger);
        self.kill().await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        assert!(self.finished || std::thread::panicking(), "a test ends with World::finish");
    }
}

/// Places for as many as come: crowds of payers of whom nothing is proved are what many tests are about.
fn crowds_welcome() -> WaitingSettings {
    let everybody = WaitingSettings::default();
    WaitingSettings {
        per_unproven_user: everybody.per_user,
        newcomers_in_all: everybody.in_all,
        unproven_in_all: everybody.in_all,
        ..everybody
    }
}
