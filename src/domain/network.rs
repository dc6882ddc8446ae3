//! Networks and the ways people spell them.
//!
//! Inside, a network is its genesis form (CAIP-2: `solana:` and the first 32 characters of the genesis hash); a caller
//! may use any spelling of the same network and gets their own back (`spec/session.md`, Networks).

/// Devnet's whole genesis hash, in base58.
pub const DEVNET_GENESIS: &str = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG";
/// How many characters of the base58 genesis hash name a network (CAIP-2 reference length).
const REFERENCE_LENGTH: usize = 32;

/// One Solana network, with every spelling that means it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    canonical: String,
    alias: String,
    v1: Option<String>,
    /// Spellings that are offered before the alias.
    offered: Vec<String>,
    /// Spellings that are understood and not offered.
    understood: Vec<String>,
}

impl Network {
    /// Solana mainnet-beta.
    pub fn mainnet() -> Self {
        Self::known("5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "solana:mainnet", "solana", &["solana:pubnet"])
    }

    /// Solana devnet, where Inco runs today.
    pub fn devnet() -> Self {
        Self::known("EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "solana:devnet", "solana-devnet", &[])
    }

    /// Solana testnet.
    pub fn testnet() -> Self {
        Self::known("4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z", "solana:testnet", "solana-testnet", &[])
    }

    /// A local network, known by its (random) genesis hash in base58.
    ///
    /// It answers to `solana:localnet` and, so that published clients run against it unchanged, to `also`: the
    /// spellings its operator configures. The first of them without a colon is its x402 v1 name.
    pub fn local(genesis_hash: &str, also: &[String]) -> Self {
        let (offered, mut understood): (Vec<_>, Vec<_>) = also.iter().cloned().partition(|text| text.contains(':'));
        Self {
            canonical: format!("solana:{}", reference(genesis_hash)),
            alias: "solana:localnet".to_owned(),
            v1: (!understood.is_empty()).then(|| understood.remove(0)),
            offered,
            understood,
        }
    }

    /// The public network that `spelling` names; `None` for a local or unknown one.
    pub fn public(spelling: &str) -> Option<Self> {
        [Self::mainnet(), Self::devnet(), Self::testnet()].into_iter().find(|n| n.is(spelling))
    }

    fn known(reference: &str, alias: &str, v1: &str, others: &[&str]) -> Self {
        Self {
            canonical: format!("solana:{reference}"),
            alias: alias.to_owned(),
            v1: Some(v1.to_owned()),
            offered: Vec::new(),
            understood: others.iter().map(|&s| s.to_owned()).collect(),
        }
    }

    /// The genesis form, `solana:` and 32 characters.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The short alias, such as `solana:devnet`.
    pub fn alias(&self) -> &str {
        &self.alias
    }

    /// The x402 v1 name, such as `solana-devnet`.
    pub fn v1(&self) -> Option<&str> {
        self.v1.as_deref()
    }

    /// All spellings in the order they are offered: operator's and alias first, genesis form last, v1 name left out.
    pub fn spellings(&self) -> impl Iterator<Item = &str> {
        self.offered.iter().map(String::as_str).chain([self.alias.as_str(), self.canonical.as_str()])
    }

    /// Every spelling that is understood, the offered ones first.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.spellings().chain(self.v1.as_deref()).chain(self.understood.iter().map(String::as_str))
    }

    /// Whether `spelling` means this network.
    pub fn is(&self, spelling: &str) -> bool {
        spelling == self.canonical
            || spelling == self.alias
            || self.v1.as_deref() == Some(spelling)
            || self.offered.iter().chain(&self.understood).any(|s| s == spelling)
    }

    /// Whether an RPC that reports this base58 genesis hash serves this network.
    pub fn has_genesis(&self, genesis_hash: &str) -> bool {
        self.canonical.strip_prefix("solana:") == Some(reference(genesis_hash))
    }
}

/// The first 32 characters of a genesis hash; the whole text when it is shorter or not ASCII.
fn reference(genesis_hash: &str) -> &str {
    genesis_hash.get(..REFERENCE_LENGTH).unwrap_or(genesis_hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_network_are_one_network() {
        let devnet = Network::devnet();
        for spelling in ["solana:devnet", "solana-devnet", "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"] {
            assert!(devnet.is(spelling), "{spelling}");
            assert_eq!(Network::public(spelling), Some(devnet.clone()));
        }
        assert!(!devnet.is("solana:mainnet") && !devnet.is("solana") && !devnet.is("Solana:devnet"));
        assert_eq!(Network::public("solana:pubnet"), Some(Network::mainnet()));
    }

    #[test]
    fn a_local_network_answers_to_its_operators_spelling_first() {
        let local = Network::local("9sHcv6xwn9YkB8nxTUGKDwPwNnmqVp5oAXxU8Fdkm4J6", &["solana:devnet".to_owned()]);
        assert!(local.is("solana:devnet") && local.is("solana:localnet"));
        assert!(local.has_genesis("9sHcv6xwn9YkB8nxTUGKDwPwNnmqVp5oAXxU8Fdkm4J6"));
        assert!(!local.has_genesis("EtWTRABZaYq6iMfeYKouRu166VU2xqa1ydVybYeDadBQ"));
        assert_eq!(local.spellings().next(), Some("solana:devnet"));
        assert_eq!(local.v1(), None);
    }

    /// CR-15. A client of version 1 names devnet without a colon.
    #[test]
    fn a_local_network_answers_to_a_name_of_version_one() {
        let also = ["solana:devnet", "solana-devnet", "devnet"].map(str::to_owned);
        let local = Network::local("9sHcv6xwn9YkB8nxTUGKDwPwNnmqVp5oAXxU8Fdkm4J6", &also);
        assert_eq!(local.v1(), Some("solana-devnet"));
        assert!(also.iter().all(|spelling| local.is(spelling)) && !local.is("solana"));
        let offered: Vec<_> = local.spellings().collect();
        assert_eq!(offered, ["solana:devnet", "solana:localnet", local.canonical()]);
        assert!(Network::devnet().has_genesis(DEVNET_GENESIS));
        assert_eq!(Network::mainnet().spellings().count(), 2, "what is only understood is not offered");
    }

    #[test]
    fn odd_genesis_hashes_do_not_panic() {
        assert!(!Network::devnet().has_genesis(""));
        assert!(!Network::devnet().has_genesis(&"é".repeat(40)));
    }
}
