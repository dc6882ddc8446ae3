//! Which endpoints are one voice: those of one host, and those that the operator gave one name.
//!
//! Two URLs of one provider share its nodes, the holes in their history and whatever it wants to tell, so what both of them
//! say is said once. Where two voices are needed it is providers that are counted, never URLs. A provider with several hosts
//! is known as one only where the operator says so.

use crate::{
    chain::{
        node::{EndpointUrls, Node},
        pool::Pool,
        rpc::SolanaChain,
    },
    domain::settlement::AbsenceVoices,
};
use reqwest::Url;
use std::{collections::BTreeSet, net::IpAddr};
use tokio::time::Instant;

/// The voice of each endpoint: the place in the operator's list, 0 for the first, of the first endpoint that is the same voice;
/// and by which names each voice is known.
pub(super) struct Voices {
    of_each: Vec<usize>,
    /// By endpoint, its own: the configured name first where it has one, then its host.
    names: Vec<Vec<String>>,
}

/// Who may answer a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// Whoever does.
    Anybody,
    /// Another voice than this one.
    AnotherThan(usize),
}

impl Voices {
    /// The voices of these endpoints. `named` holds what the operator calls the provider of each, in their order; it may be
    /// shorter than their list.
    pub(super) fn new(endpoints: &[EndpointUrls], named: &[String]) -> Self {
        let names = endpoints.iter().enumerate().map(|(place, endpoint)| {
            let name = named.get(place).map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty());
            name.into_iter().chain([host(&endpoint.rpc)]).collect()
        });
        let names: Vec<Vec<String>> = names.collect();
        Self { of_each: joined(&names), names }
    }

    /// The name of a voice, which tells nothing secret of its URL: the first that the operator gave it, else its host.
    pub(super) fn name(&self, voice: usize) -> &str {
        let is_named = |(place, names): (usize, &Vec<String>)| self.of(place) == voice && names.len() > 1;
        let named = self.names.iter().enumerate().position(is_named).unwrap_or(voice);
        self.names.get(named).and_then(|names| names.first()).map_or("", String::as_str)
    }

    /// Whether a voice is known by this name: one that the operator gave any of its endpoints, or the host of any of them. What
    /// was written under its host is its word also after it was given a name.
    pub(super) fn is_called(&self, voice: usize, name: &str) -> bool {
        let own = self.names.iter().enumerate().filter(|(place, _)| self.of(*place) == voice);
        own.flat_map(|(_, names)| names).any(|own| own == name)
    }

    /// How many voices there are.
    pub(super) fn count(&self) -> usize {
        self.of_each.iter().collect::<BTreeSet<_>>().len()
    }

    /// The voice of the endpoint at `place`, 0 for the first.
    pub(super) fn of(&self, place: usize) -> usize {
        self.of_each.get(place).copied().unwrap_or(place)
    }

    /// The voice of each endpoint, in the operator's order.
    pub(super) fn of_each(&self) -> &[usize] {
        &self.of_each
    }

    /// Whether the endpoint at `place` is meant.
    pub(super) fn includes(&self, whom: Whom, place: usize) -> bool {
        match whom {
            Whom::Anybody => true,
            Whom::AnotherThan(voice) => self.of(place) != voice,
        }
    }
}

impl Pool {
    /// Whether what one voice tells has to be told by another: false where one is configured, or only one that serves the
    /// cluster the operator named.
    pub(super) fn has_several_voices(&self) -> bool {
        self.absence_voices() > 1
    }

    /// How many voices have to say that a transaction has no effect: two, or one where no more are configured that serve the
    /// cluster the operator named.
    pub(super) fn absence_voices(&self) -> usize {
        let with_a_word = self.configured().iter().filter(|node| !self.serves_another_cluster(node));
        let mut voices = with_a_word.map(|node| self.voices().of(node.place));
        let first = voices.next();
        if voices.any(|voice| Some(voice) != first) { 2 } else { 1 }
    }

    /// Whether one of the endpoints serves another cluster than the rest, and the operator has not said which cluster is meant.
    pub(super) fn disagrees_on_the_cluster(&self) -> bool {
        let is_other = |node: &Node| node.health.is_right(Instant::now()) == Some(false);
        self.configured().iter().any(|node| is_other(node) && !self.serves_another_cluster(node))
    }
}

impl SolanaChain {
    /// Which voice each endpoint is: the place, 1 for the first, of the first endpoint of the same host or configured name. What
    /// one voice tells of finality another has to tell, and one that is alone is believed everything.
    pub fn voices(&self) -> Vec<usize> {
        self.pool().voices().of_each().iter().map(|place| place + 1).collect()
    }

    /// The name of the voice of each endpoint: what the operator calls its provider, or a host; nothing secret.
    pub fn voice_names(&self) -> Vec<String> {
        let voices = self.pool().voices();
        voices.of_each().iter().map(|voice| voices.name(*voice).to_owned()).collect()
    }

    /// How many voices have to say that a transaction has no effect, by the configuration alone: two, or one where it names no
    /// more.
    pub fn absence_voices(&self) -> AbsenceVoices {
        AbsenceVoices::of(self.pool().voices().count())
    }
}

/// For each endpoint the place of the first that shares a name with it, or with one that does, and so on.
fn joined(names: &[Vec<String>]) -> Vec<usize> {
    let mut of_each: Vec<usize> = (0..names.len()).collect();
    for place in 0..names.len() {
        for before in 0..place {
            let (older, newer) = (of_each[before].min(of_each[place]), of_each[before].max(of_each[place]));
            if names[before].iter().any(|name| names[place].contains(name)) {
                of_each.iter_mut().filter(|voice| **voice == newer).for_each(|voice| *voice = older);
            }
        }
    }
    of_each
}

/// Whose word it is. On this machine each port is a node or a tunnel that the operator has started, so there the port counts
/// too.
fn host(url: &str) -> String {
    let Ok(parsed) = Url::parse(url) else { return url.to_owned() };
    let name = parsed.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    if is_this_machine(&name) {
        return format!("this machine:{}", parsed.port_or_known_default().unwrap_or_default());
    }
    name
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voices(urls: &[&str], named: &[&str]) -> Voices {
        let endpoint = |url: &&str| EndpointUrls { rpc: (*url).to_owned(), websocket: None };
        let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
        Voices::new(&urls.iter().map(endpoint).collect::<Vec<_>>(), &named)
    }

    fn of(urls: &[&str]) -> Vec<usize> {
        voices(urls, &[]).of_each().to_vec()
    }

    #[test]
    fn two_urls_of_one_host_are_one_voice() {
        assert_eq!(of(&["https://a.example/?key=1", "https://b.example", "https://A.example.:8443/2"]), [0, 1, 0]);
        assert_eq!(of(&["http://10.0.0.7:8899", "http://10.0.0.7:8900"]), [0, 0]);
        assert_eq!(of(&["https://eu.a.example", "https://us.a.example"]), [0, 1], "names are compared, not owners");
    }

    #[test]
    fn on_this_machine_each_port_is_a_voice() {
        let urls = ["http://127.0.0.1:1", "http://127.0.0.1:2", "http://localhost:1", "http://[::1]:2"];
        assert_eq!(of(&urls), [0, 1, 0, 1]);
    }

    #[test]
    fn another_voice_is_one_of_another_host() {
        let two = [["http://a.example", "http://b.example"], ["http://a.example/1", "http://a.example/2"]];
        let asked = two.map(|urls| {
            let voices = voices(&urls, &[]);
            [0, 1].map(|place| voices.includes(Whom::AnotherThan(0), place))
        });
        assert_eq!(asked, [[false, true], [false, false]]);
    }

    #[test]
    fn endpoints_with_one_configured_name_are_one_voice() {
        let urls = ["https://eu.a.example", "https://b.example", "https://us.a.example", "https://eu.a.example/2"];
        let of_each = |named: &[&str]| voices(&urls, named).of_each().to_vec();
        assert_eq!(of_each(&[]), [0, 1, 2, 0]);
        assert_eq!(of_each(&["a", "b", "A "]), [0, 1, 0, 0], "the last one has the host of the first");
        assert_eq!(of_each(&["a", "b"]), [0, 1, 2, 0]);
        assert_eq!(of_each(&["a", "b", "c", "b"]), [0, 0, 2, 0], "another name makes no other voice of one host");
        assert_eq!(of_each(&["b.example"]), [0, 0, 2, 0], "a name that is another's host is that voice");
        assert_eq!((voices(&urls, &[]).count(), voices(&urls, &["a", "a", "a"]).count()), (3, 1));
    }

    #[test]
    fn a_voice_is_known_by_each_of_its_names() {
        let urls = ["https://eu.a.example", "https://b.example", "https://us.a.example"];
        let voices = voices(&urls, &["", "b", "b.example"]);
        assert_eq!(voices.of_each(), [0, 1, 1]);
        assert_eq!((voices.name(0), voices.name(1)), ("eu.a.example", "b"));
        for name in ["b", "b.example", "us.a.example"] {
            assert!(voices.is_called(1, name) && !voices.is_called(0, name), "{name}");
        }
    }
}
