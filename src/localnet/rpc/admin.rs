//! Methods that no validator has: they steer the network and tell what was asked of it. Faults do not touch them. Every
//! endpoint answers them; faults and request counts are those of the endpoint that is asked. Pages of origins that are
//! not on this machine are refused all of them (`caller.rs`).

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use solana_account::Account;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use tokio::time::timeout;

use super::{
    Front,
    error::RpcError,
    params::{self, Params},
};
use crate::{
    localnet::{
        Slots,
        cluster::{ForkError, TakenBack},
        covalidator::{CovalidatorFaults, CovalidatorPlan, LocalCovalidator},
        faucet::{FaucetError, Faucets},
        faults::FaultPlan,
        network::Network,
        standins::SWIG,
    },
    programs::{
        inco_token::IncoAccount,
        spl_token::{TokenAccount, TokenProgram},
    },
};

/// What all of them begin with.
pub(super) const PREFIX: &str = "localnet_";
/// An account as it is put into the network.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Placed {
    /// Base58.
    pubkey: String,
    lamports: u64,
    /// The program that owns it, in base58.
    owner: String,
    /// Base64.
    data: String,
}

/// The methods that give something: the demo token, and cash.
const GIFTS: [&str; 2] = ["localnet_fund", "localnet_fundToken"];
/// Within how many slots what was given is confirmed, unless the network stands still.
const PATIENT_SLOTS: u32 = 16;
/// Slots that one request may ask for.
const MAX_TICKS: u64 = 10_000;

/// What admin methods reach besides the network.
pub(in crate::localnet) struct Desk {
    faucets: Arc<Faucets>,
    covalidator_faults: Arc<CovalidatorFaults>,
    description: Value,
    /// How long an answer waits until what was given is confirmed; none where nobody knows when slots begin.
    patience: Option<Duration>,
}

impl Desk {
    /// The desk of a network with its faucets and Covalidator stand-in.
    pub(in crate::localnet) fn new(
        network: &Network,
        faucets: Arc<Faucets>,
        covalidator: &LocalCovalidator,
        slots: Slots,
    ) -> Self {
        let stand_ins = network.stand_ins();
        let programs = stand_ins.config().programs;
        let description = json!({
            "standIns": true,
            "genesisHash": network.genesis_hash().to_string(),
            "tokenProgram": programs.token.to_string(),
            "lightningProgram": programs.lightning.to_string(),
            "mint": faucets.demo.mint().to_string(),
            "mppMint": faucets.cash.mint().to_string(),
            "swigProgram": SWIG.to_string(),
            "covalidatorUrl": covalidator.url(),
            "attestationKey": stand_ins.attestation_key().to_string(),
            "encryptionKey": stand_ins.encryption_key().to_hex(),
        });
        let patience = match slots {
            Slots::Every(period) => Some(period.saturating_mul(PATIENT_SLOTS)),
            Slots::ByHand => None,
        };
        Self { faucets, covalidator_faults: covalidator.faults().clone(), description, patience }
    }

    /// Waits until what was given is confirmed, which is what clients read. Not for long: a network that is frozen meanwhile
    /// confirms nothing.
    pub(super) async fn until_confirmed(&self, network: &Network) {
        if let Some(patience) = self.patience {
            let _ = timeout(patience, network.until_confirmed()).await;
        }
    }
}

/// Answers an admin method.
///
/// | method | parameters | answer |
/// |---|---|---|
/// | `localnet_describe` | | addresses, keys and URLs of the stand-ins, and the mints |
/// | `localnet_fund` | wallet, base units of the demo token | the signature that minted them, once it is confirmed where slots pass by themselves |
/// | `localnet_fundToken` | wallet, base units of cash, for its canonical token account | as above |
/// | `localnet_holdings` | list of wallets | `lamports`, `units` (of the demo token) and `delegated` (what is left of what its owner approved; both null without an account) of each |
/// | `localnet_tokenAccounts` | list of addresses | `lamports`, `units` and `delegated` of each plain token account; null for others |
/// | `localnet_moved` | list of signatures | by each transaction that is on chain, the base units of the demo token that each wallet got (less than 0: lost); null for others |
/// | `localnet_putAccounts` | list of `pubkey`, `lamports`, `owner`, `data` (base64): put there as no transaction could | null |
/// | `localnet_tick` | number of slots (default 1) | the slot then |
/// | `localnet_fork` | number of slots; after how many more they are replayed, null for never | `from`, `to`, `signatures` |
/// | `localnet_forkAway` | a signature, whose slot is taken back with all later ones | the same |
/// | `localnet_setFaults` | a [`FaultPlan`]; none clears | the plan in force |
/// | `localnet_faults` | | the plan in force, with what is left of its counts |
/// | `localnet_setCovalidatorFaults` | a [`CovalidatorPlan`]; none clears | the plan in force |
/// | `localnet_disconnectWebsockets` | | null |
/// | `localnet_requestCounts` | | requests by method |
/// | `localnet_resetRequestCounts` | | null |
pub(super) fn call(front: &Front, method: &str, mut params: Params) -> Result<Value, RpcError> {
    let Front { network, desk } = front;
    match method.strip_prefix(PREFIX) {
        Some("describe") => Ok(desk.description.clone()),
        Some("fund") => given(desk.faucets.demo.fund(&params.pubkey(0)?, params.required(1)?)),
        Some("fundToken") => given(desk.faucets.cash.fund(&params.pubkey(0)?, params.required(1)?)),
        Some("holdings") => {
            let wallets = keys(&mut params)?;
            Ok(holdings(network, &desk.faucets.demo.mint(), &wallets))
        }
        Some("tokenAccounts") => Ok(token_accounts(network, &keys(&mut params)?)),
        Some("moved") => {
            let signatures = params.required::<Vec<String>>(0)?;
            let signatures = signatures.iter().map(|text| params::signature(text)).collect::<Result<Vec<_>, _>>()?;
            Ok(moved(network, &desk.faucets.demo.mint(), &signatures))
        }
        Some("putAccounts") => put_accounts(network, params.required(0)?),
        Some("tick") => {
            let slots = params.optional::<Option<u64>>(0)?.unwrap_or(1);
            if slots > MAX_TICKS {
                return Err(RpcError::params(format!("Invalid params: at most {MAX_TICKS} slots.")));
            }
            network.tick_slots(slots);
            Ok(json!(network.slot()))
        }
        Some("fork") => {
            let (slots, replayed_after) = (params.required(0)?, params.optional::<Option<u64>>(1)?);
            forked(match replayed_after {
                Some(later) => network.fork_and_replay(slots, later),
                None => network.fork(slots),
            })
        }
        Some("forkAway") => forked(network.fork_away(&params::signature(&params.required::<String>(0)?)?)),
        Some("setFaults") => {
            let plan = params.optional::<FaultPlan>(0)?;
            check(network, &plan)?;
            network.faults().set(plan);
            params::json(network.faults().plan())
        }
        Some("faults") => params::json(network.faults().plan()),
        Some("setCovalidatorFaults") => {
            desk.covalidator_faults.set(params.optional::<CovalidatorPlan>(0)?);
            params::json(desk.covalidator_faults.get())
        }
        Some("disconnectWebsockets") => {
            network.faults().disconnect_websockets();
            Ok(Value::Null)
        }
        Some("requestCounts") => params::json(network.request_counts()),
        Some("resetRequestCounts") => {
            network.reset_request_counts();
            Ok(Value::Null)
        }
        _ => Err(RpcError::unknown_method()),
    }
}

/// The signature of what a faucet gave.
fn given(gift: Result<Signature, FaucetError>) -> Result<Value, RpcError> {
    gift.map(|signature| json!(signature.to_string())).map_err(|fault| RpcError::params(fault.to_string()))
}

/// Whether a method gives something, so that its answer waits until the gift is confirmed.
pub(super) fn is_gift(method: &str) -> bool {
    GIFTS.contains(&method)
}

/// Puts accounts there as no transaction could.
fn put_accounts(network: &Network, accounts: Vec<Placed>) -> Result<Value, RpcError> {
    for Placed { pubkey, lamports, owner, data } in accounts {
        let (key, owner) = (params::pubkey(&pubkey)?, params::pubkey(&owner)?);
        let data = STANDARD.decode(data).map_err(|fault| RpcError::params(format!("Invalid params: {fault}.")))?;
        network.put_account(key, Account { lamports, data, owner, ..Account::default() });
    }
    Ok(Value::Null)
}

/// The addresses that a method is asked about.
fn keys(params: &mut Params) -> Result<Vec<Pubkey>, RpcError> {
    params.required::<Vec<String>>(0)?.iter().map(|key| params::pubkey(key)).collect()
}

/// What plain token accounts have, all in one state.
fn token_accounts(network: &Network, keys: &[Pubkey]) -> Value {
    let cluster = network.cluster();
    let told = keys.iter().map(|key| {
        let account = cluster.bank.account(key, cluster.slot()).map(Account::from)?;
        let held = TokenAccount::decode(TokenProgram::at(&account.owner)?, &account.data).ok()?;
        Some(json!({ "lamports": account.lamports, "units": held.amount, "delegated": held.delegated_amount }))
    });
    json!(told.collect::<Vec<_>>())
}

/// What wallets have, all in one state: under one lock, so that nothing lands in between.
fn holdings(network: &Network, mint: &Pubkey, wallets: &[Pubkey]) -> Value {
    let cluster = network.cluster();
    let find = |key: &Pubkey| cluster.bank.account(key, cluster.slot()).map(Account::from);
    let (programs, vault) = (network.stand_ins().config().programs, network.stand_ins().vault());
    let told = wallets.iter().map(|wallet| {
        let account = find(&programs.token_account(wallet, mint));
        let account = account.and_then(|account| IncoAccount::decode(&account.data).ok());
        let plaintext = |handle| vault.look_up(handle).and_then(|landed| landed.plaintext).unwrap_or(0);
        let units = |handle| u64::try_from(plaintext(handle)).unwrap_or(u64::MAX);
        json!({
            "lamports": find(wallet).map_or(0, |account| account.lamports),
            "units": account.as_ref().map(|account| units(account.amount)),
            "delegated": account.as_ref().map(|account| units(account.delegated_amount)),
        })
    });
    told.collect()
}

/// What transactions that are on chain moved, all in one state.
fn moved(network: &Network, mint: &Pubkey, signatures: &[Signature]) -> Value {
    let (cluster, vault) = (network.cluster(), network.stand_ins().vault());
    let units = |handle| vault.look_up(handle).and_then(|landed| landed.plaintext).unwrap_or(0);
    let told = signatures.iter().map(|signature| {
        let changes = cluster.history.find(signature).and_then(|_| cluster.balance_changes.of(signature))?;
        let of_mint = changes.iter().filter(|change| change.mint == *mint);
        let each = of_mint.map(|change| {
            let [after, before] =
                [change.after, change.before].map(|handle| i64::try_from(units(handle)).unwrap_or(i64::MAX));
            (change.owner.to_string(), json!(after - before))
        });
        Some(Value::Object(each.collect()))
    });
    json!(told.collect::<Vec<_>>())
}

fn forked(outcome: Result<TakenBack, ForkError>) -> Result<Value, RpcError> {
    let taken = outcome.map_err(|fault| RpcError::params(format!("Invalid params: {fault}.")))?;
    let signatures = taken.transactions.iter().filter_map(|tx| tx.signatures.first());
    let signatures: Vec<_> = signatures.map(ToString::to_string).collect();
    Ok(json!({ "from": taken.from, "to": taken.to, "signatures": signatures }))
}

/// Refuses a plan that would not do what it says.
fn check(network: &Network, plan: &FaultPlan) -> Result<(), RpcError> {
    let most = network.most_lag();
    if plan.lag > most {
        return Err(RpcError::params(format!("Invalid params: an endpoint lags at most {most} slots.")));
    }
    if !network.is_first() && (plan.frozen || !plan.late_confirmation.is_empty()) {
        let words =
            "Invalid params: `frozen` and `lateConfirmation` belong to the network: set them at its first endpoint.";
        return Err(RpcError::params(words));
    }
    Ok(())
}
