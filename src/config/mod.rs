//! Configuration: compiled-in defaults, file, environment, flags; parsed once into plain values.
//!
//! It promises that every value is valid and remembers where it came from, that an unknown key is refused wherever it
//! is written, and that one run tells *all* faults, each with its key, its source and a remedy. Nothing else in the
//! crate reads the environment. Only `cli` imports this module: components take plain arguments.
//!
//! The layers, from the weakest to the strongest:
//!
//! 1. `deploy/sotto.default.toml`, compiled in;
//! 2. the file of `--config`, else of `SOTTO_CONFIG`, else `./sotto.toml` if it is there;
//! 3. the environment, `../.env` and `./.env` included: the deployed service's variables, and over them
//!    `SOTTO_<SECTION>__<KEY>` for every key;
//! 4. flags.
//!
//! The defaults are those of `solana:devnet`. For any other network its addresses and endpoints have to be set.

mod asset;
mod budgets;
mod covalidator;
mod deferred;
mod deployed;
mod dispatch;
mod dotenv;
mod environment;
mod fault;
mod funding;
mod keys;
mod layers;
mod ledger;
mod limits;
mod mpp;
mod network;
mod programs;
mod reader;
mod revokes;
mod schema;
mod secret;
mod server;
mod settlement;
mod show;
mod telemetry;
mod text_file;
mod value;

pub use self::{
    asset::AssetConfig,
    budgets::BudgetsConfig,
    covalidator::CovalidatorConfig,
    deferred::DeferredConfig,
    dispatch::{AllowancesConfig, DispatchConfig},
    environment::Environment,
    fault::{Fault, Faults, Warning},
    funding::FundingConfig,
    keys::KeysConfig,
    layers::{DEFAULTS, Flags, Layers},
    ledger::LedgerConfig,
    limits::{ConnectionLimits, LimitsConfig, OpeningLimits},
    mpp::{MppChannelsConfig, MppConfig, MppDelegationsConfig, MppSection},
    network::{NetworkConfig, NetworkName, WrongNetwork},
    programs::ProgramsConfig,
    reader::Reader,
    revokes::RevokesConfig,
    schema::{Key, Kind, Shown, all as keys},
    secret::{Endpoint, SecretError, SecretReference, SecretText},
    server::{CorsOrigins, RefusedSettlements, ServerConfig},
    settlement::{CapCheckPolicy, DecryptAllowance, RecipientsConfig, SettleInstruction, SettlementConfig},
    show::Row,
    telemetry::{LogFormat, TelemetryConfig},
    text_file::read_text,
    value::Origin,
};

/// Everything the facilitator is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which network, and how to reach it.
    pub network: NetworkConfig,
    /// Where Inco's programs live.
    pub programs: ProgramsConfig,
    /// The token.
    pub asset: AssetConfig,
    /// The keys that spend and pay.
    pub keys: KeysConfig,
    /// The decrypt service.
    pub covalidator: CovalidatorConfig,
    /// What is refused before any work.
    pub limits: LimitsConfig,
    /// What may be spent for strangers.
    pub budgets: BudgetsConfig,
    /// How many revokes are paid for.
    pub revokes: RevokesConfig,
    /// How payments reach the chain.
    pub settlement: SettlementConfig,
    /// Payments that are settled later.
    pub deferred: DeferredConfig,
    /// How transfers share the way to the chain.
    pub dispatch: DispatchConfig,
    /// When balances are made readable.
    pub allowances: AllowancesConfig,
    /// What is asked of payers' balances.
    pub funding: FundingConfig,
    /// The Machine Payments Protocol, where it is served.
    pub mpp: Option<MppConfig>,
    /// Where money is remembered.
    pub ledger: LedgerConfig,
    /// Where the API listens.
    pub server: ServerConfig,
    /// How logs are written.
    pub telemetry: TelemetryConfig,
}

impl Config {
    /// Reads every section, and what must hold between them.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let network = NetworkConfig::read(reader);
        let programs = ProgramsConfig::read(reader);
        let asset = AssetConfig::read(reader);
        let keys = KeysConfig::read(reader);
        let covalidator = CovalidatorConfig::read(reader);
        let limits = LimitsConfig::read(reader);
        let budgets = BudgetsConfig::read(reader);
        let revokes = RevokesConfig::read(reader);
        let settlement = SettlementConfig::read(reader);
        let deferred = DeferredConfig::read(reader);
        let dispatch = DispatchConfig::read(reader);
        let allowances = AllowancesConfig::read(reader);
        let funding = FundingConfig::read(reader);
        let mpp = MppSection::read(reader, network.as_ref());
        let ledger = LedgerConfig::read(reader);
        let server = ServerConfig::read(reader);
        let telemetry = TelemetryConfig::read(reader);
        if let (Some(limits), Some(settlement)) = (&limits, &settlement) {
            check_deadlines(reader, limits, settlement);
        }
        if let (Some(keys), Some(MppSection { served: Some(_) })) = (&keys, &mpp) {
            check_fee_payers(reader, keys);
        }
        Some(Self {
            network: network?,
            programs: programs?,
            asset: asset?,
            keys: keys?,
            covalidator: covalidator?,
            limits: limits?,
            budgets: budgets?,
            revokes: revokes?,
            settlement: settlement?,
            deferred: deferred?,
            dispatch: dispatch?,
            allowances: allowances?,
            funding: funding?,
            mpp: mpp?.served,
            ledger: ledger?,
            server: server?,
            telemetry: telemetry?,
        })
    }
}

/// A request that is cut off before the settlement's answer would leave a caller without any.
fn check_deadlines(reader: &mut Reader<'_>, limits: &LimitsConfig, settlement: &SettlementConfig) {
    if settlement.answer_deadline >= limits.request_timeout {
        let problem = format!(
            "{} s is not below limits.request_timeout_seconds ({} s)",
            settlement.answer_deadline.as_secs(),
            limits.request_timeout.as_secs()
        );
        reader.fault(
            &settlement::ANSWER_DEADLINE_SECONDS,
            problem,
            "lower it, or raise limits.request_timeout_seconds",
        );
    }
}

/// The spender is delegate of every session, so it signs nothing that strangers have made up (`spec/security.md` §1).
fn check_fee_payers(reader: &mut Reader<'_>, keys: &KeysConfig) {
    let spender = keys.spender.public();
    if keys.fee_payers.iter().all(|pair| pair.public() == spender) {
        let problem = "charges are paid for by keys other than the spender, and keys.fee_payer names none";
        reader.fault(
            &mpp::ENABLED,
            problem,
            "make one with `sotto keygen .keys/fees.json` and name it in keys.fee_payer",
        );
    }
}

impl Layers {
    /// The whole configuration and what an operator should know about it, or every fault.
    pub fn config(&self) -> Result<(Config, Vec<Warning>), Faults> {
        self.extract(Config::read)
    }

    /// How logs are to be written, where that much can be read: what else is wrong is then told in that form.
    pub fn telemetry(&self) -> Option<TelemetryConfig> {
        TelemetryConfig::read(&mut Reader::new(self))
    }

    /// Only what a command needs: `read` takes the sections it uses, and only their faults (and those of form) count.
    pub fn extract<T>(&self, read: impl FnOnce(&mut Reader<'_>) -> Option<T>) -> Result<(T, Vec<Warning>), Faults> {
        let mut reader = Reader::new(self);
        let value = read(&mut reader);
        reader.finish(value)
    }
}
