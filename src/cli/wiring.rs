//! The wiring: what each part is told by the validated configuration. [`super::start`] puts the parts together.

use super::mpp::MintError;
use crate::{
    api::{ApiSettings, Rate, RateSettings, ServerSettings},
    chain::{
        ChainError, EndpointUrls,
        keys::{LocalSigner, Signer},
        policy::FeePolicy,
        rpc::{ChainSettings, SolanaChain},
        transaction::SettleInstruction,
    },
    config::{self, Config, CorsOrigins, DecryptAllowance},
    covalidator::SetupError,
    domain::{chance::Chance, hold::Exposure, key_pair::KeyPair, network::Network, payment::PaymentLimits},
    facilitator::{
        AllowancePolicy, AllowanceSettings, BackgroundSettings, CapCheckPolicy, DeferredPolicy, DispatchSettings,
        FundingSettings, InstructionChoice, Keys, MppSettings, OpeningSettings, PrepareSettings, ReadPolicy,
        ReceiptKeys, RecipientSettings, ServedAsset, Settings, StartError, TransferSettings, WaitingSettings,
    },
    ledger::{LedgerError, OpenLedgerError},
    programs::{
        Programs,
        ciphertext::{CiphertextError, EncryptionKey},
    },
};
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// The largest compute-unit limit a user's approve may ask us to pay for.
const MAX_APPROVE_UNITS: u32 = 400_000;
/// How often the background looks for what was left behind.
const ROUND: Duration = Duration::from_secs(5);
/// How long an answer of `/ready` is told again.
const READY_FOR: Duration = Duration::from_secs(1);
/// 32 slots of 400 ms, and a little more.
const FINALITY_AFTER: Duration = Duration::from_secs(13);
/// How often it is asked again about settlements that are held.
const HELD_AGAIN: Duration = Duration::from_mins(1);
/// Drain deadline of an opening (`spec/session.md` §2).
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);

/// Why the service does not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum WiringError {
    /// The RPC did not answer or serves another cluster.
    #[error("the Solana RPC cannot be used; check network.rpc_urls")]
    Chain(#[from] ChainError),
    /// The RPC serves another network than the configured one.
    #[error(transparent)]
    Network(#[from] config::WrongNetwork),
    /// The ledger cannot be opened.
    #[error("the ledger cannot be opened; check ledger.path")]
    Ledger(#[from] OpenLedgerError),
    /// The ledger is worked on with another number of voices.
    #[error(
        "{configured} of the configured RPC providers would have to say that a transaction had no effect, and whoever works on this \
         ledger asks {agreed}: correct network.rpc_urls or network.voices, or stop every service on it and run \
         `sotto settlement voices {configured}`"
    )]
    OtherVoices {
        /// What the configuration allows.
        configured: u8,
        /// What the ledger says.
        agreed: u8,
    },
    /// The ledger failed while unfinished work was looked up.
    #[error("the ledger failed")]
    Recovery(#[from] LedgerError),
    /// Work does not start on this ledger.
    #[error(
        "the service cannot take up its work; with another root for MPP, name the one from before in mpp.previous_roots"
    )]
    Start(#[from] StartError),
    /// A mint of MPP cannot be used.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The Covalidator's client cannot be set up.
    #[error("the Covalidator cannot be used; check covalidator.endpoint")]
    Covalidator(#[from] SetupError),
    /// The encryption key is no secp256k1 point.
    #[error("covalidator.encryption_key is not an uncompressed secp256k1 public key in hex")]
    EncryptionKey(#[from] CiphertextError),
    /// The deployed program does not do what a settlement relies on.
    #[error("{0}; set settlement.settle_instruction = \"transfer\"")]
    Unusable(&'static str),
    /// The deployed program wants decrypt allowances, and the configuration never buys them.
    #[error("the token program settles only with decrypt allowances; set settlement.decrypt_allowance = \"every\"")]
    NeedsAllowances,
}

/// The chain's client alone, for commands that need no ledger.
pub(super) fn connect(config: &Config) -> Result<SolanaChain, ChainError> {
    let network = &config.network;
    let pairs = network.rpc_urls.iter().zip(&network.ws_urls);
    let endpoints = pairs.map(|(rpc, websocket)| EndpointUrls {
        rpc: rpc.expose().to_owned(),
        websocket: Some(websocket.expose().to_owned()),
    });
    let fees = FeePolicy { most: config.settlement.priority_fee_cap_micro_lamports, ..FeePolicy::default() };
    let expected = network.name.expected();
    let programs = Programs { token: config.programs.inco_token, lightning: config.programs.inco_lightning };
    let voices = network.voices.clone();
    SolanaChain::start(ChainSettings { voices, expected, programs, fees, ..ChainSettings::of(endpoints.collect()) })
}

/// The keys that sign.
pub(super) fn keys(config: &Config) -> Keys {
    let spender = signer(&config.keys.spender);
    let mut payers = config.keys.fee_payers.iter().map(signer);
    let fee_payer = payers.next().unwrap_or_else(|| Arc::clone(&spender));
    let further_fee_payers = payers.collect();
    let receipts = ReceiptKeys {
        current: config.keys.receipt.as_ref().map(signer),
        retired: config.keys.retired_receipts.clone(),
    };
    Keys { spender, fee_payer, further_fee_payers, receipts }
}

fn signer(pair: &KeyPair) -> Arc<dyn Signer> {
    Arc::new(LocalSigner::from(pair))
}

/// What the facilitator is told.
pub(super) fn settings(
    config: &Config,
    network: Network,
    mpp: Option<MppSettings>,
) -> Result<Settings, CiphertextError> {
    let (limits, settlement) = (&config.limits, &config.settlement);
    Ok(Settings {
        served: served(config, network, mpp)?,
        openings: opening_settings(config),
        recipients: recipient_settings(&settlement.recipients),
        transfers: TransferSettings {
            settle_instruction: match settlement.settle_instruction {
                config::SettleInstruction::TransferWithAuthorization => {
                    InstructionChoice::Fixed(SettleInstruction::TransferWithAuthorization)
                }
                config::SettleInstruction::Transfer => InstructionChoice::Fixed(SettleInstruction::Transfer),
                config::SettleInstruction::Auto => InstructionChoice::AsProbed,
            },
            compute_unit_margin: settlement.compute_unit_margin_percent,
            max_priority_fee: settlement.priority_fee_cap_micro_lamports,
            unproven_exposure: limits.unproven_exposure,
            delegation: config.programs.delegation,
            decrypt_allowance: match settlement.decrypt_allowance {
                DecryptAllowance::Idle => AllowancePolicy::Idle,
                DecryptAllowance::Every => AllowancePolicy::Every,
                DecryptAllowance::Never => AllowancePolicy::Never,
            },
            finality_after: FINALITY_AFTER,
            one_voice_exposure: settlement.one_voice_exposure,
            absence_patience: settlement.absence_patience,
            held_again: HELD_AGAIN,
            single_payments: settlement.single_payments,
        },
        payments: PaymentLimits {
            max_per_call: limits.max_per_call,
            min_per_call: limits.min_per_call,
            unverified_exposure: limits.unverified_exposure,
        },
        answer_deadline: settlement.answer_deadline,
        waiting: waiting_settings(limits),
        deferred: deferred_policy(&config.deferred),
        reads: read_policy(&config.server),
        allowances: allowance_settings(&config.allowances),
        dispatch: dispatch_settings(&config.dispatch),
        background: BackgroundSettings { round: ROUND, archive_after: config.ledger.archive_after },
        low_balance: limits.low_balance_lamports,
        budgets: config.budgets.limits.clone(),
        funding: FundingSettings {
            policy: config.funding.policy,
            max_age: config.funding.max_age_seconds,
            interval: config.funding.monitor,
            requests_per_round: config.funding.monitor_requests,
            look_exposure: config.funding.look_exposure,
        },
    })
}

fn served(config: &Config, network: Network, mpp: Option<MppSettings>) -> Result<ServedAsset, CiphertextError> {
    Ok(ServedAsset {
        network,
        programs: Programs { token: config.programs.inco_token, lightning: config.programs.inco_lightning },
        asset: config.asset.mint,
        decimals: config.asset.decimals,
        encryption_key: EncryptionKey::from_hex(&config.covalidator.encryption_key)?,
        mpp,
    })
}

/// What a session may be opened with.
fn opening_settings(config: &Config) -> OpeningSettings {
    let (limits, settlement) = (&config.limits, &config.settlement);
    OpeningSettings {
        max_session_seconds: limits.openings.max_session_seconds,
        max_grant: limits.openings.max_grant_lamports,
        grants_per_user_per_day: quota(limits.openings.grants_per_user_per_day),
        grants_per_user_per_month: quota(limits.openings.grants_per_user_per_month),
        unproven_grants_per_hour: quota(limits.openings.unproven_grants_per_hour),
        sessions_per_user_per_hour: quota(limits.openings.per_user_per_hour),
        sessions_per_merchant_per_hour: quota(limits.openings.per_merchant_per_hour),
        sessions_per_hour: quota(limits.openings.per_hour),
        sponsor_account_creation: settlement.sponsor_account_creation,
        cap_check: match settlement.cap_check {
            config::CapCheckPolicy::Required => CapCheckPolicy::Required,
            config::CapCheckPolicy::BestEffort => CapCheckPolicy::BestEffort,
            config::CapCheckPolicy::Off => CapCheckPolicy::Off,
        },
        cap_check_deadline: settlement.cap_check_deadline,
        drain_deadline: DRAIN_DEADLINE,
        max_approve_units: MAX_APPROVE_UNITS,
        prepares: PrepareSettings {
            at_once: limits.openings.concurrent_prepares,
            per_second: NonZeroU32::new(limits.openings.prepares_per_second),
            rest: PrepareSettings::default().rest,
        },
        revocations: config.revokes.limits,
    }
}

fn recipient_settings(config: &config::RecipientsConfig) -> RecipientSettings {
    RecipientSettings {
        create: config.create,
        listed: config.listed.clone(),
        creations_per_day: config.creations_per_day.into(),
        least: config.creation_min,
    }
}

fn read_policy(config: &config::ServerConfig) -> ReadPolicy {
    ReadPolicy {
        signed: config.signed_reads,
        streams: config.event_streams,
        streams_per_user: config.event_streams_per_user,
        streams_per_ip: config.event_streams_per_ip,
    }
}

fn waiting_settings(limits: &config::LimitsConfig) -> WaitingSettings {
    // A quarter of all requests is left to those that are answered at once.
    let in_all = (limits.concurrent_requests - limits.concurrent_requests / 4).max(1);
    WaitingSettings {
        per_user: limits.waiting_per_user,
        per_unproven_user: limits.waiting_per_unproven_user,
        in_all,
        newcomers_in_all: (in_all - in_all / 4).max(1),
        unproven_in_all: in_all.div_ceil(2),
    }
}

const fn allowance_settings(config: &config::AllowancesConfig) -> AllowanceSettings {
    AllowanceSettings {
        min_moved: config.min_moved,
        idle_after: config.idle_after,
        min_interval: config.min_interval,
        max_age: config.max_age,
        request_interval: config.request_interval,
    }
}

fn dispatch_settings(config: &config::DispatchConfig) -> DispatchSettings {
    DispatchSettings {
        in_flight: config.in_flight,
        per_payer: config.in_flight_per_payer,
        per_merchant: config.in_flight_per_merchant,
        gather: config.gather,
        overtake_after: config.overtake_after,
        ..DispatchSettings::default()
    }
}

fn deferred_policy(config: &config::DeferredConfig) -> DeferredPolicy {
    DeferredPolicy {
        amount: config.amount,
        count: config.count,
        age_seconds: config.age_seconds,
        exposure: Exposure::shared(config.session_exposure, config.merchant_exposure),
        promises_per_user_per_hour: quota(config.promises_per_user_per_hour),
        give_up_returns: config.give_up_attempts,
        give_up_seconds: config.give_up_seconds,
        leave_within: config.leave_within,
        look_after: config.look_after,
    }
}

/// A quota, of which 0 means none.
fn quota(count: u32) -> u64 {
    if count == 0 { u64::MAX } else { count.into() }
}

/// A limit, of which 0 means none.
fn unless_zero(most: usize) -> Option<usize> {
    (most > 0).then_some(most)
}

/// How connections are treated.
pub(super) fn server_settings(config: &Config) -> ServerSettings {
    let limits = &config.limits.connections;
    ServerSettings {
        connections: unless_zero(limits.most),
        connections_per_ip: unless_zero(limits.per_ip),
        first_header_timeout: limits.first_header_timeout,
        header_timeout: limits.header_timeout,
        write_timeout: limits.write_timeout,
        trusted_proxies: config.server.trusted_proxies.clone(),
        probe_addresses: config.server.probe_addresses.clone(),
    }
}

/// What the HTTP API is told.
pub(super) fn api_settings(config: &Config, chance: Arc<dyn Chance>) -> ApiSettings {
    let origins = match &config.server.cors_origins {
        CorsOrigins::Any => None,
        CorsOrigins::Only(origins) => Some(origins.iter().filter_map(|origin| origin.parse().ok()).collect()),
    };
    ApiSettings {
        max_body: config.limits.body_bytes,
        body_deadline: config.limits.body_timeout,
        max_concurrent: config.limits.concurrent_requests,
        max_concurrent_per_ip: unless_zero(config.limits.concurrent_requests_per_ip),
        deadline: config.limits.request_timeout,
        rates: RateSettings {
            requests: Rate::per(config.limits.requests_per_ip_per_second, Duration::from_secs(1))
                .map(|rate| rate.bursting(config.limits.request_burst_per_ip)),
            openings: Rate::per(config.limits.openings.per_ip_per_hour, Duration::from_hours(1)),
            single_payments: Rate::per(config.limits.single_payments_per_ip_per_minute, Duration::from_mins(1)),
            prepares: Rate::per(config.limits.openings.prepares_per_ip_per_second, Duration::from_secs(1)),
            verifications: Rate::per(config.limits.verify_per_session_per_second, Duration::from_secs(1)),
            trusted_proxies: config.server.trusted_proxies.clone(),
        },
        ready_for: READY_FOR,
        origins,
        ..ApiSettings::new(chance)
    }
}
