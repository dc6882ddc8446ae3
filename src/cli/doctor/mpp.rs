//! What of the Machine Payments Protocol has to be as it should be before it is served; nothing where it is not.

use super::examine::Finding;
use crate::{
    chain::{Chain, block_times},
    cli::{
        mpp::{assets, clock_check},
        reach::Trouble,
    },
    config::{Config, MppConfig},
    domain::{
        amount::Amount,
        clock::{Clock as _, SystemClock},
        mpp::{
            choices::{Backend, OpenAuth},
            clock_difference::ClockDifference,
        },
    },
    facilitator::ClockCheck,
    ledger::{self, ChannelRisks},
    programs::delegation::swig,
};
use solana_pubkey::Pubkey;
use tokio::task::spawn_blocking;

/// Grants that end within so many seconds are told.
const SOON: u64 = 3_600;
/// What no test of ours can show, on a local network least of all.
const UNPROVEN: &str = "only a real network shows what its Swig program does, what fees buy there, and what wallets with a user \
                        interface add to what they sign: onboard, draw and close with a small sum before opening to others";

/// Asks about the mints, the program that enforces delegations and the clock, and says what an operator should know of what they
/// chose.
pub(super) async fn examine(chain: &impl Chain, config: &Config) -> Vec<Finding> {
    let Some(mpp) = &config.mpp else { return Vec::new() };
    let mut findings = mints(chain, mpp).await;
    findings.push(back_end(chain, mpp).await);
    findings.push(clock(chain, config).await);
    findings
        .extend(warnings(config, mpp).into_iter().map(|warning| Finding::well("MPP", format!("warning: {warning}"))));
    findings.push(Finding::well("MPP unproven", UNPROVEN));
    findings
}

async fn mints(chain: &impl Chain, mpp: &MppConfig) -> Vec<Finding> {
    let subject = "MPP mint";
    match assets(mpp, chain, Trouble::IsTold).await {
        Ok(assets) => {
            let told = assets.iter().map(|asset| {
                Finding::well(
                    subject,
                    format!("{} of {} has {} decimals", asset.mint, asset.token_program, asset.decimals),
                )
            });
            told.collect()
        }
        Err(error) => vec![Finding::failed(subject, &error)],
    }
}

/// What enforces new delegations: the program of the mint, which the finding about that names, or Swig.
async fn back_end(chain: &impl Chain, mpp: &MppConfig) -> Finding {
    let (subject, backend) = ("MPP back end", mpp.delegations.backend);
    if backend == Backend::SplDelegate {
        return Finding::well(
            subject,
            "spl-delegate: the mint's own program enforces limit and revocation, we the end",
        );
    }
    match chain.accounts(&[swig::PROGRAM]).await {
        Err(error) => Finding::failed(subject, &error),
        Ok(found) => judge_swig(found.first().is_some_and(Option::is_some)),
    }
}

fn judge_swig(is_there: bool) -> Finding {
    let (subject, program) = ("MPP back end", swig::PROGRAM);
    if is_there {
        return Finding::well(subject, format!("swig: {program} is there"));
    }
    Finding::wrong(subject, format!("swig: there is no program {program} here; set mpp.backend = \"spl-delegate\""))
}

async fn clock(chain: &impl Chain, config: &Config) -> Finding {
    let subject = "MPP clock";
    if clock_check(config) == ClockCheck::Skipped {
        return Finding::well(subject, "not compared with the block time of a local network");
    }
    match block_times(chain).await {
        Err(error) => Finding::failed(subject, &error),
        Ok(times) => judge_clock(ClockDifference::of(SystemClock.now(), &times)),
    }
}

fn judge_clock(difference: Option<ClockDifference>) -> Finding {
    let subject = "MPP clock";
    match difference {
        None => Finding::wrong(subject, "no RPC endpoint tells its block time; correct network.rpc_urls"),
        Some(difference) if difference.is_too_much() => Finding::wrong(subject, difference.to_string()),
        Some(difference) => Finding::well(subject, difference.to_string()),
    }
}

/// What the ledger says of channels, read beside a running service too; `chain_id` is the network where that is known.
pub(super) async fn channels(config: &Config, chain_id: Option<&str>) -> Vec<Finding> {
    let (Some(mpp), Some(chain_id)) = (&config.mpp, chain_id) else { return Vec::new() };
    let own = mpp.roots.current.issuer(chain_id).public();
    let path = config.ledger.path.clone();
    if !path.exists() {
        return vec![judge_root(own, &[], None)];
    }
    let (chain, soon) = (chain_id.to_owned(), SystemClock.now().saturating_add(SOON));
    match spawn_blocking(move || ledger::look_at_channels(path, &chain, soon)).await {
        Ok(Ok(risks)) => {
            let previous: Vec<_> = mpp.roots.previous.iter().map(|root| root.issuer(chain_id).public()).collect();
            let mut findings = vec![judge_root(own, &previous, risks.issuer)];
            findings.extend(tell(&risks, mpp.channels.credit_line));
            findings
        }
        Ok(Err(error)) => vec![Finding::failed("MPP channels", &error)],
        Err(error) => vec![Finding::failed("MPP channels", &error)],
    }
}

/// Whether the root is the one that this ledger's channels are certified by, or comes after it.
fn judge_root(own: Pubkey, previous: &[Pubkey], in_use: Option<Pubkey>) -> Finding {
    let subject = "MPP root";
    match in_use {
        Some(other) if other != own && !previous.contains(&other) => Finding::wrong(
            subject,
            format!(
                "mpp.root certifies by {own}, and the ledger's channels are certified by {other}: put that root back, or name it in \
                 mpp.previous_roots"
            ),
        ),
        Some(other) if other != own => {
            Finding::well(subject, format!("{own} certifies channels from the next start on"))
        }
        _ => {
            Finding::well(subject, format!("{own} certifies channels; lose the root and no delegation can be settled"))
        }
    }
}

/// What stands and what was lost. Nothing of it is wrong with the deployment.
fn tell(risks: &ChannelRisks, credit_line: Amount) -> Vec<Finding> {
    let ChannelRisks { live, ending, owed, most_owed, short, shortfall, .. } = risks;
    let lost = if *short == 0 {
        "nothing was ever written off".to_owned()
    } else {
        format!("warning: {short} ended short of {shortfall}, which their sellers have lost")
    };
    let credit = if credit_line == Amount::ZERO {
        format!("off: a seller risks the whole deposit; the most that one buyer owes one seller is {most_owed}")
    } else {
        format!("the most that one buyer owes one seller is {most_owed} of {credit_line}")
    };
    let grants = if *ending == 0 {
        "none of a buyer with channels ends within the hour".to_owned()
    } else {
        format!(
            "warning: those of {ending} buyers with channels end within the hour, and their channels are settled before"
        )
    };
    vec![
        Finding::well("MPP channels", format!("{live} live, which owe {owed} base units; {lost}")),
        Finding::well("MPP grants", grants),
        Finding::well("MPP credit line", credit),
    ]
}

/// What is wrong with nothing, and can go wrong.
fn warnings(config: &Config, mpp: &MppConfig) -> Vec<&'static str> {
    let is_public = !config.server.address.ip().is_loopback();
    let is_direct = is_public && config.server.trusted_proxies.is_empty();
    let all = [
        (is_public, "this server speaks plain HTTP: put TLS in front of it, but on a network that is trusted"),
        (
            is_direct,
            "no proxy is named in server.trusted_proxies: behind one all callers would have one address, and a success that was \
             not told would be kept for all of them",
        ),
        (
            mpp.delegations.backend == Backend::Swig,
            "delegation by Swig is not proved on any network until its probe has passed there",
        ),
        (
            mpp.channels.open_auth == OpenAuth::Off && is_public,
            "mpp.open_auth = \"off\" lets anybody open channels for any wallet that has delegated",
        ),
        (
            is_public && mpp.delegations.public_hosts.is_empty(),
            "mpp.public_hosts is empty, so no sign-in is taken; name the host of this service's URL",
        ),
    ];
    all.into_iter().filter_map(|(is_so, warning)| is_so.then_some(warning)).collect()
}

#[cfg(test)]
mod tests;
