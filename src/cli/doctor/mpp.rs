//! What of the Machine Payments Protocol has to be as it should be before it is served; nothing where it is not.

use super::examine::Finding;
use crate::{
    chain::Chain,
    cli::mpp::assets,
    config::{Config, MppConfig},
    domain::mpp::choices::{Backend, OpenAuth},
};

/// Asks about the mints, and says what an operator should know of what they chose.
pub(super) async fn examine(chain: &impl Chain, config: &Config) -> Vec<Finding> {
    let Some(mpp) = &config.mpp else { return Vec::new() };
    let mut findings = mints(chain, mpp).await;
    findings
        .extend(warnings(config, mpp).into_iter().map(|warning| Finding::well("MPP", format!("warning: {warning}"))));
    findings
}

async fn mints(chain: &impl Chain, mpp: &MppConfig) -> Vec<Finding> {
    let subject = "MPP mint";
    match assets(mpp, chain).await {
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
