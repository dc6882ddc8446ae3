//! How MPP's callers spell the network that is served: a caller's spelling is echoed, and inside it is the CAIP-2 form.

use crate::domain::network::Network;

/// What makes a public network.
type Public = fn() -> Network;

/// The public networks by the names that MPP gives them.
const CLUSTERS: [(&str, Public); 3] =
    [("mainnet-beta", Network::mainnet), ("devnet", Network::devnet), ("testnet", Network::testnet)];

/// The network of an MPP name.
fn cluster(name: &str) -> Option<Network> {
    CLUSTERS.into_iter().find(|(known, _)| *known == name).map(|(_, network)| network())
}

/// The CAIP-2 form of a public network by any of its spellings; `None` for a local or unknown one.
pub fn chain_id(spelling: &str) -> Option<String> {
    let network = cluster(spelling).or_else(|| Network::public(spelling))?;
    Some(network.canonical().to_owned())
}

/// The spellings of one served network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spellings {
    chain_id: String,
    accepted: Vec<String>,
    chain_ids: Vec<String>,
}

/// The network that a caller names is not the one that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the network is not the one that is served here")]
pub struct UnsupportedNetwork;

impl Spellings {
    /// A public network answers to its MPP name and its CAIP-2 form, a local one to whatever its operator configured.
    pub fn of(network: &Network) -> Self {
        let name = CLUSTERS.into_iter().find(|(_, public)| public().canonical() == network.canonical());
        let accepted: Vec<String> = if let Some((name, _)) = name {
            vec![name.to_owned(), network.canonical().to_owned()]
        } else {
            let (names, others): (Vec<_>, Vec<_>) =
                network.all().map(str::to_owned).partition(|spelling| cluster(spelling).is_some());
            names.into_iter().chain(others).collect()
        };
        let public = |spelling: &String| Network::public(spelling).or_else(|| cluster(spelling));
        let of_others = accepted.iter().filter_map(public).map(|network| network.canonical().to_owned());
        let chain_ids = std::iter::once(network.canonical().to_owned()).chain(of_others).collect();
        Self { chain_id: network.canonical().to_owned(), accepted, chain_ids }
    }

    /// The CAIP-2 form, which vouchers and ledgers name.
    pub fn chain_id(&self) -> &str {
        &self.chain_id
    }

    /// Every spelling that is understood, the one for callers who name none first.
    pub fn accepted(&self) -> &[String] {
        &self.accepted
    }

    /// The spelling to answer with: the caller's own, or the first where they name no network.
    pub fn echo<'a>(&'a self, asked: Option<&str>) -> Result<&'a str, UnsupportedNetwork> {
        let spelled = match asked {
            Some(asked) => self.accepted.iter().find(|spelling| *spelling == asked),
            None => self.accepted.first(),
        };
        spelled.map(String::as_str).ok_or(UnsupportedNetwork)
    }

    /// Whether a sign-in for this CAIP-2 chain is one for us: a local network takes those of the public networks that it
    /// answers for, because the published client knows no others.
    pub fn takes_chain(&self, chain_id: &str) -> bool {
        self.chain_ids.iter().any(|known| known == chain_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_network_has_two_spellings_and_each_is_echoed() {
        let devnet = Spellings::of(&Network::devnet());
        for spelling in ["devnet", "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"] {
            assert_eq!(devnet.echo(Some(spelling)), Ok(spelling));
        }
        assert_eq!(devnet.echo(None), Ok("devnet"));
        for other in ["", "Devnet", "solana:devnet", "solana-devnet", "mainnet-beta", "testnet"] {
            assert_eq!(devnet.echo(Some(other)), Err(UnsupportedNetwork), "{other}");
        }
        assert!(devnet.takes_chain(devnet.chain_id()) && !devnet.takes_chain(Network::mainnet().canonical()));
        assert_eq!(Spellings::of(&Network::mainnet()).echo(None), Ok("mainnet-beta"));
    }

    #[test]
    fn a_local_network_answers_to_what_its_operator_configures() {
        let also = ["solana:devnet", "solana-devnet", "mainnet-beta"].map(str::to_owned);
        let local = Spellings::of(&Network::local("9sHcv6xwn9YkB8nxTUGKDwPwNnmqVp5oAXxU8Fdkm4J6", &also));
        assert_eq!(local.echo(None), Ok("mainnet-beta"), "the published client's name comes first");
        assert!(also.iter().all(|spelling| local.echo(Some(spelling)).is_ok()));
        assert!(local.echo(Some(local.chain_id())).is_ok() && local.echo(Some("testnet")).is_err());
        for network in [Network::devnet(), Network::mainnet()] {
            assert!(local.takes_chain(network.canonical()));
        }
        assert!(local.takes_chain(local.chain_id()) && !local.takes_chain(Network::testnet().canonical()));
    }
}
