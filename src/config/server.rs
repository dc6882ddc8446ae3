//! `[server]`: where the API listens and which browsers may call it.

use super::{reader::Reader, schema::Key};
use crate::domain::addresses::Addresses;
use std::net::{IpAddr, SocketAddr};

const BIND: Key = Key::text("server", "bind");
const PORT: Key = Key::integer("server", "port");
const TRUSTED_PROXIES: Key = Key::list("server", "trusted_proxies");
const PROBE_ADDRESSES: Key = Key::list("server", "probe_addresses");
const CORS_ORIGINS: Key = Key::list("server", "cors_origins");
const REFUSED_SETTLEMENTS: Key = Key::text("server", "refused_settlements");
const SIGNED_READS: Key = Key::switch("server", "signed_reads");
const EVENT_STREAMS: Key = Key::integer("server", "event_streams");
const EVENT_STREAMS_PER_USER: Key = Key::integer("server", "event_streams_per_user");
const EVENT_STREAMS_PER_IP: Key = Key::integer("server", "event_streams_per_ip");

pub(super) const KEYS: &[Key] = &[
    BIND,
    PORT,
    TRUSTED_PROXIES,
    PROBE_ADDRESSES,
    CORS_ORIGINS,
    REFUSED_SETTLEMENTS,
    SIGNED_READS,
    EVENT_STREAMS,
    EVENT_STREAMS_PER_USER,
    EVENT_STREAMS_PER_IP,
];

/// The server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Addresses>,
    /// From where probes come, beside this machine.
    pub probe_addresses: Vec<Addresses>,
    /// Which browsers may call.
    pub cors_origins: CorsOrigins,
    /// By which status of `/settle` merchants are told that a payment is refused.
    pub refused_settlements: RefusedSettlements,
    /// Whether what is not public is told only to signed requests, also where there is no session key.
    pub signed_reads: bool,
    /// How many streams of events are open at once.
    pub event_streams: usize,
    /// Of those, how many to sessions of one user.
    pub event_streams_per_user: usize,
    /// Of those, how many from one address.
    pub event_streams_per_ip: usize,
}

/// The origins whose browsers may call the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Any, never with credentials.
    Any,
    /// These, spelt as browsers send them.
    Only(Vec<String>),
}

/// The status of an answer of `/settle` that says `success: false` for a reason that has no status of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedSettlements {
    /// 400 where the ledger was taken over from the deployed service, whose merchants may test the status alone; else 200.
    Auto,
    /// 200, which the x402 packages want.
    Ok,
    /// 400, as the deployed service answers.
    BadRequest,
}

impl ServerConfig {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let remedy = "write an IP address: 0.0.0.0 for all interfaces, 127.0.0.1 for this machine only";
        let bind = reader
            .parsed(&BIND, remedy, |text| text.parse::<IpAddr>().map_err(|_| format!("{text:?} is not an IP address")));
        let port = reader.whole(&PORT, 0..=u16::MAX);
        let trusted_proxies = read_addresses(reader, &TRUSTED_PROXIES);
        let probe_addresses = read_addresses(reader, &PROBE_ADDRESSES);
        let cors_origins = read_cors_origins(reader);
        let refused_settlements = reader.word(
            &REFUSED_SETTLEMENTS,
            &[
                ("auto", RefusedSettlements::Auto),
                ("200", RefusedSettlements::Ok),
                ("400", RefusedSettlements::BadRequest),
            ],
        );
        let signed_reads = reader.switch(&SIGNED_READS);
        let event_streams = reader.whole(&EVENT_STREAMS, 0..=100_000_usize);
        let event_streams_per_user = reader.whole(&EVENT_STREAMS_PER_USER, 0..=100_000_usize);
        let event_streams_per_ip = reader.whole(&EVENT_STREAMS_PER_IP, 0..=100_000_usize);
        Some(Self {
            address: SocketAddr::new(bind?, port?),
            trusted_proxies: trusted_proxies?,
            probe_addresses: probe_addresses?,
            cors_origins: cors_origins?,
            refused_settlements: refused_settlements?,
            signed_reads: signed_reads?,
            event_streams: event_streams?,
            event_streams_per_user: event_streams_per_user?,
            event_streams_per_ip: event_streams_per_ip?,
        })
    }
}

fn read_addresses(reader: &mut Reader<'_>, key: &Key) -> Option<Vec<Addresses>> {
    let texts = reader.list(key)?;
    let mut found = Vec::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let Ok(addresses) = text.parse() else {
            let remedy = "write IP addresses or networks, such as \"127.0.0.1\" or \"10.0.0.0/8\"";
            reader.fault(key, format!("{text:?} is neither an address nor a network"), remedy);
            return None;
        };
        found.push(addresses);
    }
    Some(found)
}

fn read_cors_origins(reader: &mut Reader<'_>) -> Option<CorsOrigins> {
    let origins = reader.list(&CORS_ORIGINS)?;
    if origins == ["*"] {
        return Some(CorsOrigins::Any);
    }
    let wrong = origins.iter().find(|origin| !is_origin(origin));
    if let Some(wrong) = wrong {
        let remedy = "write \"*\" alone, or origins such as \"https://shop.example\" without a path";
        reader.fault(&CORS_ORIGINS, format!("{wrong:?} is not an origin"), remedy);
        return None;
    }
    Some(CorsOrigins::Only(origins.to_vec()))
}

/// Whether a text is exactly what a browser sends as `Origin`.
fn is_origin(text: &str) -> bool {
    reqwest::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text)
}
