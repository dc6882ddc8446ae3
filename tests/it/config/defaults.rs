//! The compiled-in defaults and what is documented of them.

use super::{directory, load, spender};
use sotto::{
    api::ApiSettings,
    domain::{chance::SeededChance, hold::Exposure, revocation::RevocationLimits},
    facilitator::{
        AllowanceSettings, DeferredPolicy, DispatchSettings, FundingSettings, PrepareSettings, ReadPolicy,
        RecipientSettings,
    },
};
use sotto::{
    config::{self, CapCheckPolicy, CorsOrigins, DEFAULTS, DecryptAllowance, NetworkName, SettleInstruction},
    domain::network::Network,
};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

#[test]
fn the_compiled_in_defaults_are_a_whole_devnet_configuration() {
    let (config, _) = load(&directory(), &[]);
    assert_eq!(config.network.name, NetworkName::Public(Network::devnet()));
    assert_eq!(config.network.rpc_urls[0].expose(), "https://api.devnet.solana.com/");
    assert_eq!(config.network.ws_urls[0].expose(), "wss://api.devnet.solana.com/");
    assert_eq!(config.programs.inco_token.to_string(), "9Cir3JKBcQ1mzasrQNKWMiGVZvYu3dxvfkGeQ6mohWWi");
    assert_eq!(config.programs.inco_lightning.to_string(), "5sjEbPiqgZrYwR31ahR6Uk9wf5awoX61YGg7jExQSwaj");
    assert_eq!(config.asset.mint.to_string(), "7crFMbJN7hxVhUPNcRRxTGr9nD3TnvpZ8pNZepA19wuB");
    assert_eq!(config.asset.decimals, 6);
    assert_eq!(config.covalidator.attestation_key.to_string(), "81owXEbskUpiLv3oNJN4cZxGr93U9MGH7Tt9AvYH2U4r");
    assert!(config.covalidator.encryption_key.starts_with("0486ca2bbf34"));
    assert_eq!(config.keys.spender.public(), spender(1));
    assert!(config.keys.fee_payers.is_empty());
    assert_eq!(config.budgets.limits.0.len(), 11, "every budget but the session's is set");
    assert_eq!((config.limits.max_per_call.get(), config.limits.min_per_call.get()), (1_000_000, 100));
    assert_eq!(config.limits.openings.max_grant_lamports, 2_000_000);
    let openings = &config.limits.openings;
    assert_eq!((openings.prepares_per_ip_per_second, openings.prepares_per_second), (1, 4));
    assert_eq!(openings.concurrent_prepares, 2);
    assert_eq!(config.settlement.settle_instruction, SettleInstruction::Auto);
    assert_eq!(config.settlement.decrypt_allowance, DecryptAllowance::Idle);
    assert_eq!(config.settlement.cap_check, CapCheckPolicy::BestEffort);
    assert!(config.settlement.single_payments, "where the probe has seen that they are safe");
    assert_eq!(config.server.address.to_string(), "0.0.0.0:4021");
    assert_eq!(config.server.cors_origins, CorsOrigins::Any);
}

/// Guard: `read_least`. A default that a token with fewer decimals cannot spell must not keep its operator from starting.
#[test]
fn the_smallest_payment_is_rounded_up_to_a_base_unit() {
    for (decimals, least) in [("6", 100), ("9", 100_000), ("4", 1), ("2", 1), ("0", 1)] {
        let (config, _) = load(&directory(), &[("SOTTO_ASSET__DECIMALS", decimals)]);
        assert_eq!(config.limits.min_per_call.get(), least, "{decimals} decimals");
    }
    let variables = [("SOTTO_ASSET__DECIMALS", "2"), ("SOTTO_LIMITS__MIN_PER_CALL", "0.011")];
    assert_eq!(load(&directory(), &variables).0.limits.min_per_call.get(), 2);
    let none = load(&directory(), &[("SOTTO_LIMITS__MIN_PER_CALL", "0")]);
    assert_eq!(none.0.limits.min_per_call.get(), 0);
}

/// What an embedder gets without a configuration is what an operator gets: no default has two values.
#[test]
fn the_compiled_in_defaults_are_those_of_the_code() {
    let (config, _) = load(&directory(), &[]);
    let (dispatch, allowances, funding) = (&config.dispatch, &config.allowances, &config.funding);
    let configured = DispatchSettings {
        in_flight: dispatch.in_flight,
        per_payer: dispatch.in_flight_per_payer,
        per_merchant: dispatch.in_flight_per_merchant,
        gather: dispatch.gather,
        overtake_after: dispatch.overtake_after,
        ..DispatchSettings::default()
    };
    assert_eq!(configured, DispatchSettings::default());
    let configured = AllowanceSettings {
        min_moved: allowances.min_moved,
        idle_after: allowances.idle_after,
        min_interval: allowances.min_interval,
        max_age: allowances.max_age,
        request_interval: allowances.request_interval,
    };
    assert_eq!(configured, AllowanceSettings::default());
    let configured = FundingSettings {
        policy: funding.policy,
        max_age: funding.max_age_seconds,
        interval: funding.monitor,
        requests_per_round: funding.monitor_requests,
        look_exposure: funding.look_exposure,
    };
    assert_eq!(configured, FundingSettings::default());
    let deferred = &config.deferred;
    let configured = DeferredPolicy {
        amount: deferred.amount,
        count: deferred.count,
        age_seconds: deferred.age_seconds,
        exposure: Exposure::shared(deferred.session_exposure, deferred.merchant_exposure),
        promises_per_user_per_hour: deferred.promises_per_user_per_hour.into(),
        give_up_returns: deferred.give_up_attempts,
        give_up_seconds: deferred.give_up_seconds,
        leave_within: deferred.leave_within,
        look_after: deferred.look_after,
    };
    assert_eq!(configured, DeferredPolicy::default());
    let server = &config.server;
    let configured = ReadPolicy {
        signed: server.signed_reads,
        streams: server.event_streams,
        streams_per_user: server.event_streams_per_user,
        streams_per_ip: server.event_streams_per_ip,
    };
    assert_eq!(configured, ReadPolicy::default());

    let (limits, edge) = (&config.limits, ApiSettings::new(Arc::new(SeededChance::new(1))));
    assert_eq!(
        (limits.body_bytes, limits.body_timeout, limits.concurrent_requests, limits.request_timeout),
        (edge.max_body, edge.body_deadline, edge.max_concurrent, edge.deadline)
    );
    assert!(edge.origins.is_none() && server.cors_origins == CorsOrigins::Any);
    // Limits per address are the operator's: what embeds the router may stand behind something that has its own.
    assert_eq!((edge.rates.requests, edge.rates.openings), (None, None));
}

#[test]
fn the_compiled_in_limits_of_prepares_and_revokes_are_those_of_the_code() {
    let (config, _) = load(&directory(), &[]);
    let (openings, code) = (&config.limits.openings, PrepareSettings::default());
    assert_eq!(openings.concurrent_prepares, code.at_once);
    assert_eq!(openings.prepares_per_second, code.per_second.map_or(0, NonZeroU32::get));
    assert_eq!(config.revokes.limits, RevocationLimits::DEFAULT);
}

#[test]
fn the_compiled_in_limits_of_recipients_are_those_of_the_code() {
    let (config, _) = load(&directory(), &[]);
    let recipients = &config.settlement.recipients;
    let configured = RecipientSettings {
        create: recipients.create,
        listed: recipients.listed.clone(),
        creations_per_day: recipients.creations_per_day.into(),
        least: recipients.creation_min,
    };
    assert_eq!(configured, RecipientSettings::default());
}

#[test]
fn every_key_is_documented_in_the_default_file_and_nothing_else_is() {
    let mut section = String::new();
    let mut documented = Vec::new();
    let mut commented = false;
    for line in DEFAULTS.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((name, _)) = bare.split_once(" = ").filter(|(name, _)| !name.contains([' ', '(', '"'])) {
            assert!(commented, "{section}.{name} has no comment above it");
            documented.push(format!("{section}.{name}"));
        }
        commented = line.starts_with("# ");
    }
    let keys: Vec<_> = config::keys().map(config::Key::path).collect();
    assert_eq!(documented, keys);
}

#[test]
fn what_is_shipped_beside_the_binary_names_real_keys() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = |name: &str| config::keys().any(|key| key.path() == name || key.variable() == name);
    let sections: Vec<_> = config::keys().map(|key| key.section).collect();
    let mut named = 0;
    for file in ["deploy/Dockerfile", "deploy/compose.yaml", "deploy/sotto.service", "deploy/RUNBOOK.md"] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')) {
            let word = word.trim_matches('.');
            let is_key = word.split_once('.').is_some_and(|(section, _)| sections.contains(&section));
            if is_key || (word.starts_with("SOTTO_") && word.contains("__")) {
                assert!(known(word), "{file} names {word}");
                named += 1;
            }
        }
    }
    assert!(named > 10, "only {named} names found");
}

#[test]
fn every_decision_is_in_the_index() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/adr");
    let index = std::fs::read_to_string(directory.join("README.md")).unwrap();
    for entry in std::fs::read_dir(&directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || index.contains(&format!("({name})")), "{name} is not in the index");
    }
}
