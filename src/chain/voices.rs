//! Which endpoints are one voice: those of one host.
//!
//! Two URLs of one provider share its nodes, the holes in their history and whatever it wants to tell, so what both of them
//! say is said once. Where two voices are needed it is hosts that are counted, never URLs.

use crate::chain::{node::EndpointUrls, pool::Pool};
use reqwest::Url;
use std::net::IpAddr;

/// The voice of each endpoint: the place in the operator's list, 0 for the first, of the first endpoint with the same host; and
/// the name of each, that host.
pub(super) struct Voices {
    of_each: Vec<usize>,
    hosts: Vec<String>,
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
    pub(super) fn new(endpoints: &[EndpointUrls]) -> Self {
        let hosts: Vec<String> = endpoints.iter().map(|endpoint| host(&endpoint.rpc)).collect();
        let first = |own: &String| hosts.iter().position(|other| other == own).unwrap_or_default();
        Self { of_each: hosts.iter().map(first).collect(), hosts }
    }

    /// The name of a voice: its host, which tells nothing secret of its URL.
    pub(super) fn name(&self, voice: usize) -> &str {
        self.hosts.get(voice).map_or("", String::as_str)
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

    fn of(urls: &[&str]) -> Vec<usize> {
        let endpoint = |url: &&str| EndpointUrls { rpc: (*url).to_owned(), websocket: None };
        Voices::new(&urls.iter().map(endpoint).collect::<Vec<_>>()).of_each().to_vec()
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
            let endpoint = |url: &str| EndpointUrls { rpc: url.to_owned(), websocket: None };
            let voices = Voices::new(&urls.map(endpoint));
            [0, 1].map(|place| voices.includes(Whom::AnotherThan(0), place))
        });
        assert_eq!(asked, [[false, true], [false, false]]);
    }
}
