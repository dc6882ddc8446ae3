//! `[network]`: which Solana network, and how to reach it.

use super::{reader::Reader, schema::Key, secret::Endpoint, value::Origin};
use crate::domain::network::Network;

/// The name of a network on this machine, whose genesis hash is random.
pub(super) const LOCALNET: &str = "solana:localnet";
const NAME: Key = Key::text("network", "name");
const RPC_URLS: Key = Key::list("network", "rpc_urls").endpoint().of_network();
const WS_URLS: Key = Key::list("network", "ws_urls").endpoint();
const VOICES: Key = Key::list("network", "voices");
const GENESIS_HASH: Key = Key::text("network", "genesis_hash");
const SPELLINGS: Key = Key::list("network", "spellings");

pub(super) const KEYS: &[Key] = &[NAME, RPC_URLS, WS_URLS, VOICES, GENESIS_HASH, SPELLINGS];

/// The longest name of a provider, in characters.
const LONGEST_VOICE: usize = 60;
/// The most endpoints.
const MOST_ENDPOINTS: usize = 8;

/// The network and its endpoints.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Which network.
    pub name: NetworkName,
    /// RPC endpoints, the preferred one first; at least one.
    pub rpc_urls: Vec<Endpoint>,
    /// The websocket of each RPC endpoint, in the same order; by convention derived from it.
    pub ws_urls: Vec<Endpoint>,
    /// What the operator calls the provider of each RPC endpoint, in the same order; those of one name are one voice, as those
    /// of one host are. May be shorter.
    pub voices: Vec<String>,
}

/// A network as far as it is known before the RPC is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkName {
    /// A public one: its genesis hash is known, and an RPC that reports another is refused.
    Public(Network),
    /// A local one.
    Local {
        /// Its whole genesis hash in base58, if the operator pins it.
        genesis_hash: Option<String>,
        /// What it also answers to.
        spellings: Vec<String>,
    },
}

/// The RPC serves another network than the configured one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the RPC reports the genesis hash {found}, which is not that of {expected}: correct network.name or network.rpc_urls"
)]
pub struct WrongNetwork {
    /// What is configured.
    pub expected: String,
    /// What the RPC says.
    pub found: String,
}

impl NetworkName {
    /// The network, as far as it is known before any RPC is asked: what each endpoint is held to.
    pub fn expected(&self) -> Option<Network> {
        match self {
            Self::Public(network) => Some(network.clone()),
            Self::Local { genesis_hash, spellings } => {
                genesis_hash.as_ref().map(|hash| Network::local(hash, spellings))
            }
        }
    }

    /// Its short name, which needs no genesis hash.
    pub fn alias(&self) -> &str {
        match self {
            Self::Public(network) => network.alias(),
            Self::Local { .. } => LOCALNET,
        }
    }

    /// The network, now that the RPC's genesis hash is known; refuses one that does not fit.
    pub fn resolve(&self, genesis_hash: &str) -> Result<Network, WrongNetwork> {
        let wrong = |expected: &str| WrongNetwork { expected: expected.to_owned(), found: genesis_hash.to_owned() };
        match self {
            Self::Public(network) if network.has_genesis(genesis_hash) => Ok(network.clone()),
            Self::Public(network) => Err(wrong(network.alias())),
            Self::Local { genesis_hash: Some(pinned), .. } if pinned != genesis_hash => Err(wrong(pinned)),
            Self::Local { spellings, .. } => Ok(Network::local(genesis_hash, spellings)),
        }
    }
}

impl NetworkConfig {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let name = read_name(reader);
        let rpc_urls = read_rpc_urls(reader);
        let ws_urls = rpc_urls.as_deref().and_then(|rpc_urls| read_ws_urls(reader, rpc_urls));
        let voices = rpc_urls.as_deref().and_then(|rpc_urls| read_voices(reader, rpc_urls));
        Some(Self { name: name?, rpc_urls: rpc_urls?, ws_urls: ws_urls?, voices: voices? })
    }
}

fn read_name(reader: &mut Reader<'_>) -> Option<NetworkName> {
    let spellings = reader.list(&SPELLINGS).map(<[String]>::to_vec).unwrap_or_default();
    let genesis_hash = read_genesis_hash(reader);
    let name = reader.text(&NAME)?;
    if name == LOCALNET {
        return Some(NetworkName::Local { genesis_hash: genesis_hash.map(str::to_owned), spellings });
    }
    let Some(network) = Network::public(name) else {
        let remedy =
            "write solana:devnet, solana:testnet, solana:mainnet, a genesis form of one of them, or solana:localnet";
        reader.fault(&NAME, format!("{name:?} is not a known network"), remedy);
        return None;
    };
    if !spellings.is_empty() {
        let remedy = "leave network.spellings out, or set network.name to solana:localnet";
        reader.fault(&SPELLINGS, "a public network has fixed spellings", remedy);
    }
    if genesis_hash.is_some_and(|hash| !network.has_genesis(hash)) {
        let remedy = "leave network.genesis_hash out: public networks know theirs";
        reader.fault(&GENESIS_HASH, format!("it is not the genesis hash of {name}"), remedy);
    }
    Some(NetworkName::Public(network))
}

fn read_genesis_hash<'a>(reader: &mut Reader<'a>) -> Option<&'a str> {
    let text = reader.optional_text(&GENESIS_HASH)?;
    if crate::domain::signed::parse_key(text).is_none() {
        reader.fault(&GENESIS_HASH, "it is not a hash in base58 (32 bytes)", "copy what `getGenesisHash` answers");
        return None;
    }
    Some(text)
}

fn read_rpc_urls(reader: &mut Reader<'_>) -> Option<Vec<Endpoint>> {
    let texts = reader.list(&RPC_URLS)?;
    let urls: Vec<_> = texts.iter().filter_map(|text| Endpoint::parse(text, &["http", "https"])).collect();
    if urls.len() != texts.len() || urls.is_empty() || urls.len() > MOST_ENDPOINTS {
        // The text may hold an API key, so it is counted and not quoted.
        let problem = format!("{} of its {} entries are http(s) URLs", urls.len(), texts.len());
        let remedy =
            format!("write one to {MOST_ENDPOINTS} URLs that begin with https:// (or http:// on a private network)");
        reader.fault(&RPC_URLS, problem, remedy);
        return None;
    }
    let exposed = urls.iter().find(|url| url.expose().starts_with("http://") && !is_private(url.host()));
    if let (Some(url), false) = (exposed, reader.origin(&RPC_URLS) == Some(Origin::Default)) {
        reader.warn(&RPC_URLS, format!("{url} is reached without TLS over a public network; use https"));
    }
    Some(urls)
}

/// The names of providers that are told, for the first of the RPC endpoints.
fn read_voices(reader: &mut Reader<'_>, rpc_urls: &[Endpoint]) -> Option<Vec<String>> {
    let names = reader.optional_list(&VOICES).unwrap_or_default();
    let is_name = |name: &String| {
        let name = name.trim();
        (1..=LONGEST_VOICE).contains(&name.chars().count()) && !name.chars().any(char::is_control)
    };
    if names.len() > rpc_urls.len() || !names.iter().all(is_name) {
        // What was written into the wrong key may be a URL with an API key.
        let problem = format!("{} names for {} RPC endpoints, or one that is no name", names.len(), rpc_urls.len());
        let remedy = format!(
            "write one name of 1 to {LONGEST_VOICE} characters for each of network.rpc_urls, the same for those of one provider"
        );
        reader.fault(&VOICES, problem, remedy);
        return None;
    }
    Some(names.to_vec())
}

/// The websockets that are named, and for the others what their RPC endpoint's URL suggests.
fn read_ws_urls(reader: &mut Reader<'_>, rpc_urls: &[Endpoint]) -> Option<Vec<Endpoint>> {
    let texts = reader.optional_list(&WS_URLS).unwrap_or_default();
    let named: Vec<_> = texts.iter().filter_map(|text| Endpoint::parse(text, &["ws", "wss"])).collect();
    if named.len() != texts.len() || named.len() > rpc_urls.len() {
        // Counted and not quoted, as above.
        let problem = format!("{} of its {} entries are websocket URLs", named.len(), texts.len());
        let remedy = format!("write at most {} ws:// or wss:// URLs, or leave it out", rpc_urls.len());
        reader.fault(&WS_URLS, problem, remedy);
        return None;
    }
    let derived = rpc_urls.iter().skip(named.len()).map(Endpoint::websocket).collect::<Option<Vec<_>>>();
    if derived.is_none() {
        reader.fault(&WS_URLS, "an RPC endpoint's URL suggests none", "write one ws:// or wss:// URL for each of them");
    }
    Some([named, derived?].concat())
}

/// Whether a host is this machine or a private network.
fn is_private(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(v4)) => v4.is_loopback() || v4.is_private(),
        Ok(std::net::IpAddr::V6(v6)) => v6.is_loopback() || v6.is_unique_local(),
        Err(_) => !host.contains('.'),
    }
}
