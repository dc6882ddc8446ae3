//! A local network and facilitators on it, each in a process of its own, and what one asks of them.

use crate::{Outcome, process::Process};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use sotto::{
    client::{Balance, BalanceReader, FacilitatorPin, LocalKey, Settings, SolanaRpc, Trust},
    covalidator::HttpCovalidator,
    domain::{chance::OsChance, network::Network, signed},
    programs::{
        Programs,
        ciphertext::EncryptionKey,
        inco_token::{AccountState, IncoAccount},
    },
};
use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

/// How long a question to the network or a facilitator may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// Accounts that are put into the network with one request.
const PLACED_TOGETHER: usize = 100;
/// Lamports of a token account.
const TOKEN_ACCOUNT_RENT: u64 = 2_429_040;
/// SOL of the facilitator, so that it never runs dry, in lamports.
const PURSE: u64 = 1_000_000_000_000;

/// Limits that would throttle a benchmark instead of being measured by it. Durability, checks and signatures stay.
const UNTHROTTLED: [(&str, &str); 33] = [
    ("limits.concurrent_requests", "4096"),
    ("limits.concurrent_requests_per_ip", "0"),
    ("limits.waiting_per_user", "4096"),
    ("limits.waiting_per_unproven_user", "4096"),
    ("limits.max_per_call", "1000000"),
    ("limits.min_per_call", "0"),
    ("deferred.promises_per_user_per_hour", "0"),
    ("limits.sessions_per_user_per_hour", "1000000"),
    ("limits.sessions_per_hour", "10000000"),
    ("limits.unverified_exposure", "1000000"),
    ("limits.unproven_exposure", "1000000"),
    ("limits.low_balance_lamports", "0"),
    ("limits.sessions_per_merchant_per_hour", "0"),
    ("limits.grants_per_user_per_day", "0"),
    ("limits.grants_per_user_per_month", "0"),
    ("limits.unproven_grants_per_hour", "0"),
    ("limits.sessions_per_ip_per_hour", "0"),
    ("limits.requests_per_ip_per_second", "0"),
    ("limits.verify_per_session_per_second", "0"),
    ("limits.connections", "0"),
    ("limits.connections_per_ip", "0"),
    ("budgets.settlement_lamports", "0"),
    ("budgets.unproven_user_hour_lamports", "0"),
    ("budgets.user_hour_lamports", "0"),
    ("budgets.user_day_grant_lamports", "0"),
    ("budgets.merchant_hour_lamports", "0"),
    ("budgets.newcomers_hour_lamports", "0"),
    ("budgets.newcomers_day_lamports", "0"),
    ("budgets.hour_lamports", "0"),
    ("budgets.hour_rent_lamports", "0"),
    ("budgets.hour_grant_lamports", "0"),
    ("budgets.day_lamports", "0"),
    ("limits.max_session_seconds", "31536000"),
];

/// The network, the facilitator's key and a directory on a real disk.
pub struct Stage {
    directory: tempfile::TempDir,
    network: Process,
    http: reqwest::Client,
    pub rpc: String,
    pub spender: Pubkey,
    /// A key that pays fees beside the spender, where one was added.
    further: Option<Pubkey>,
    /// Lamports that the facilitator was given.
    pub purse: u64,
    /// One round to the network, in milliseconds.
    pub latency: u64,
    pub slot: Duration,
}

/// What a wallet has; nothing where there is no account.
#[derive(Clone, Copy, Debug)]
pub struct Holding {
    pub lamports: u64,
    /// Base units of the demo token.
    pub units: u64,
    /// Base units that are left of what its owner approved.
    pub delegated: u64,
}

/// A running facilitator.
pub struct Server {
    pub process: Process,
    pub address: SocketAddr,
    pub ledger: PathBuf,
}

impl Stage {
    /// Starts a network of 400 ms slots whose answers take `latency` milliseconds.
    pub async fn raise(latency: u64) -> Outcome<Self> {
        Self::raise_with(latency, Duration::from_millis(400), "public").await
    }

    /// Starts a network with slots of any length, where a delegate may move what `delegation` says (`sotto localnet --help`).
    pub async fn raise_with(latency: u64, slot: Duration, delegation: &str) -> Outcome<Self> {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let desk = directory.path().join("desk");
        fs::create_dir(&desk)?;
        let spender = keygen(&desk, ".keys/facilitator.json")?;
        let mut command = sotto(&desk);
        command.args(["localnet", "--port", "0", "--covalidator-port", "0", "--json", "--write", "net.toml"]);
        command.args([
            "--delegation",
            delegation,
            "--slot-ms",
            &slot.as_millis().to_string(),
            "--set",
            "telemetry.log_filter=warn",
        ]);
        let network = Process::start(command, fs::File::create(desk.join("network.log"))?)?;
        let rpc = network.text("network.rpc_urls")?;
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let stage = Self { directory, network, http, rpc, spender, further: None, purse: PURSE, latency, slot };
        stage.ask("requestAirdrop", json!([spender.to_string(), PURSE])).await?;
        stage.ask("localnet_setFaults", json!([{ "latency": { "*": latency } }])).await?;
        Ok(stage)
    }

    /// Makes a key that pays fees beside the spender, with SOL of its own, in this file of the facilitator's directory.
    pub async fn add_fee_payer(&mut self, file: &str) -> Outcome<()> {
        let key = keygen(&self.desk(), file)?;
        self.ask("requestAirdrop", json!([key.to_string(), PURSE])).await?;
        (self.further, self.purse) = (Some(key), self.purse + PURSE);
        Ok(())
    }

    /// The keys that pay fees.
    pub fn sponsors(&self) -> Vec<Pubkey> {
        [self.spender].into_iter().chain(self.further).collect()
    }

    fn desk(&self) -> PathBuf {
        self.directory.path().join("desk")
    }

    /// A path for a file of this benchmark.
    pub fn file(&self, name: &str) -> PathBuf {
        self.desk().join(name)
    }

    /// Leaves the directory where it is; gives its path.
    pub fn keep(&mut self) -> &Path {
        self.directory.disable_cleanup(true);
        self.directory.path()
    }

    /// Where files may be put.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts a facilitator on a ledger of this name, with these settings above the unthrottled ones.
    pub fn serve(&self, ledger: &str, settings: &[(&str, &str)]) -> Outcome<Server> {
        self.start(ledger, self.serve_command(ledger, settings))
    }

    /// Starts a facilitator on a ledger of this name with the limits and budgets that it is shipped with.
    pub fn serve_as_shipped(&self, ledger: &str) -> Outcome<Server> {
        self.start(ledger, self.command(ledger, &[]))
    }

    fn start(&self, ledger: &str, command: Command) -> Outcome<Server> {
        // A file, as under a service manager: what a line of the log costs belongs to the server's price.
        let log = self.file(&format!("{ledger}.log"));
        let file = fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let process = Process::start(command, file)
            .map_err(|error| format!("{error}; its log:\n{}", fs::read_to_string(&log).unwrap_or_default()))?;
        let address = process.text("address")?.parse()?;
        Ok(Server { process, address, ledger: self.file(ledger) })
    }

    /// The command that starts such a facilitator.
    pub fn serve_command(&self, ledger: &str, settings: &[(&str, &str)]) -> Command {
        self.command(ledger, &[UNTHROTTLED.as_slice(), settings].concat())
    }

    fn command(&self, ledger: &str, settings: &[(&str, &str)]) -> Command {
        let mut command = self.configured(settings);
        command.args(["serve", "--bind", "127.0.0.1", "--port", "0", "--json", "--ledger", ledger]);
        command
    }

    fn configured(&self, settings: &[(&str, &str)]) -> Command {
        let mut command = sotto(&self.desk());
        command.args(["--config", "net.toml"]);
        for (key, value) in settings {
            command.args(["--set", &format!("{key}={value}")]);
        }
        command
    }

    /// Runs an operator's command with these settings.
    pub fn run(&self, settings: &[(&str, &str)], words: &[&str]) -> Outcome<Output> {
        Ok(self.configured(settings).args(words).output()?)
    }

    /// Asks the network; its own methods are answered at once.
    pub async fn ask(&self, method: &str, params: Value) -> Outcome<Value> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer: Value = self.http.post(&self.rpc).json(&body).send().await?.json().await?;
        match answer.get("error") {
            Some(error) => Err(format!("{method}: {error}").into()),
            None => Ok(answer["result"].clone()),
        }
    }

    pub async fn slot_now(&self) -> Outcome<u64> {
        let slot = self.ask("getSlot", json!([{ "commitment": "processed" }])).await?;
        Ok(slot.as_u64().ok_or("no slot")?)
    }

    /// Lamports of the facilitator, finalised or not.
    pub async fn lamports(&self) -> Outcome<u64> {
        let mut lamports = 0;
        for sponsor in self.sponsors() {
            let params = json!([sponsor.to_string(), { "commitment": "confirmed" }]);
            lamports += self.ask("getBalance", params).await?["value"].as_u64().ok_or("no balance")?;
        }
        Ok(lamports)
    }

    /// What wallets have in one and the same state, as only this network can tell it, with no fault in the way.
    pub async fn holdings(&self, wallets: &[Pubkey]) -> Outcome<Vec<Holding>> {
        let wallets: Vec<_> = wallets.iter().map(ToString::to_string).collect();
        let told = self.ask("localnet_holdings", json!([wallets])).await?;
        let each = told.as_array().ok_or("no holdings")?.iter();
        let holding = |told: &Value| Holding {
            lamports: told["lamports"].as_u64().unwrap_or(0),
            units: told["units"].as_u64().unwrap_or(0),
            delegated: told["delegated"].as_u64().unwrap_or(0),
        };
        Ok(each.map(holding).collect())
    }

    /// By how many base units each transaction changed the balance of each wallet, as only this network can tell it; none for
    /// transactions that are not on chain.
    pub async fn moved(&self, signatures: &[Signature]) -> Outcome<Vec<Option<HashMap<Pubkey, i64>>>> {
        let signatures: Vec<_> = signatures.iter().map(ToString::to_string).collect();
        let told = self.ask("localnet_moved", json!([signatures])).await?;
        let by_wallet = |told: &Value| {
            let changes = told.as_object()?.iter();
            Some(changes.filter_map(|(wallet, change)| Some((signed::parse_key(wallet)?, change.as_i64()?))).collect())
        };
        Ok(told.as_array().ok_or("no changes")?.iter().map(by_wallet).collect())
    }

    /// Requests of validators' methods that the network answered since they were last forgotten.
    pub async fn requests(&self) -> Outcome<Vec<(String, u64)>> {
        let counts = self.ask("localnet_requestCounts", json!([])).await?;
        let counts = counts.as_object().ok_or("no counts")?;
        let own = counts.iter().filter_map(|(method, count)| Some((method.clone(), count.as_u64()?)));
        Ok(own.filter(|(_, count)| *count > 0).collect())
    }

    pub async fn forget_requests(&self) -> Outcome<()> {
        self.ask("localnet_resetRequestCounts", json!([])).await.map(drop)
    }

    /// Gives a wallet SOL for fees and base units of the demo token.
    pub async fn fund(&self, wallet: &Pubkey, units: u64) -> Outcome<()> {
        self.ask("requestAirdrop", json!([wallet.to_string(), 1_000_000_000_u64])).await?;
        self.ask("localnet_fund", json!([wallet.to_string(), units])).await.map(drop)
    }

    /// Gives each wallet a token account that has approved the facilitator, as an opening leaves it, without the openings.
    pub async fn delegate(&self, wallets: &[Pubkey]) -> Outcome<()> {
        let (mint, programs) = (self.mint()?, self.programs()?);
        for some in wallets.chunks(PLACED_TOGETHER) {
            let accounts = some.iter().map(|wallet| {
                let account = IncoAccount {
                    mint,
                    owner: *wallet,
                    amount: 0,
                    delegate: Some(self.spender),
                    state: AccountState::Initialised,
                    is_native: None,
                    delegated_amount: 0,
                    close_authority: None,
                };
                json!({
                    "pubkey": programs.token_account(wallet, &mint).to_string(),
                    "lamports": TOKEN_ACCOUNT_RENT,
                    "owner": programs.token.to_string(),
                    "data": STANDARD.encode(account.encode()),
                })
            });
            self.ask("localnet_putAccounts", json!([accounts.collect::<Vec<_>>()])).await?;
        }
        Ok(())
    }

    pub fn mint(&self) -> Outcome<Pubkey> {
        self.key("asset.mint")
    }

    pub fn network(&self) -> Outcome<Network> {
        Ok(Network::local(&self.network.text("network.genesis_hash")?, &["solana:devnet".to_owned()]))
    }

    fn key(&self, name: &str) -> Outcome<Pubkey> {
        Ok(signed::parse_key(&self.network.text(name)?).ok_or_else(|| format!("{name} is no key"))?)
    }

    /// Where the network pushes notices.
    pub fn websocket(&self) -> Outcome<String> {
        self.network.text("network.ws_urls")
    }

    fn programs(&self) -> Outcome<Programs> {
        Ok(Programs { token: self.key("programs.inco_token")?, lightning: self.key("programs.inco_lightning")? })
    }

    /// What a payer has to know of a facilitator at this address.
    pub fn payer_settings(&self, address: SocketAddr) -> Outcome<Settings> {
        Ok(Settings {
            facilitator: format!("http://{address}"),
            trust: Trust::Pinned(FacilitatorPin::one_key(self.spender)),
            network: self.network()?,
            asset: self.mint()?,
            programs: self.programs()?,
            encryption_key: EncryptionKey::from_hex(&self.network.text("covalidator.encryption_key")?)?,
        })
    }

    /// The network as a payer reads it.
    pub fn payer_rpc(&self) -> Arc<SolanaRpc> {
        Arc::new(SolanaRpc::new(self.rpc.clone(), PATIENCE))
    }

    /// Reads balances as their owners do.
    pub fn reader(&self) -> Outcome<BalanceReader> {
        let key = self.key("covalidator.attestation_key")?;
        let covalidator = HttpCovalidator::new(&self.network.text("covalidator.endpoint")?, key, PATIENCE)?;
        Ok(BalanceReader::new(self.payer_rpc(), Arc::new(covalidator), self.programs()?))
    }

    /// What a wallet really has, decrypted: the chain's word against the books. A gift of zero lets the wallet decrypt
    /// whatever balance it was left with.
    pub async fn balance(&self, wallet: &LocalKey) -> Outcome<u64> {
        self.ask("localnet_fund", json!([wallet.pubkey().to_string(), 0])).await?;
        // Balances are read as of a confirmed slot.
        tokio::time::sleep(self.slot * 3).await;
        match self.reader()?.read(wallet, &self.mint()?, PATIENCE).await? {
            Balance::Value(holding) => Ok(u64::try_from(holding.attested.plaintext)?),
            Balance::NoAccount | Balance::Empty => Ok(0),
            other => Err(format!("the merchant's balance cannot be read: {other:?}").into()),
        }
    }
}

/// A new wallet.
pub fn wallet() -> LocalKey {
    LocalKey::generate(&OsChance)
}

/// A new key in this file; gives its public half.
fn keygen(desk: &Path, file: &str) -> Outcome<Pubkey> {
    let key = sotto(desk).args(["keygen", file, "--json"]).output()?;
    let key: Value = serde_json::from_slice(&key.stdout)?;
    Ok(key["publicKey"].as_str().and_then(signed::parse_key).ok_or("no key was made")?)
}

fn sotto(desk: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sotto"));
    command.current_dir(desk).env_clear();
    command
}
