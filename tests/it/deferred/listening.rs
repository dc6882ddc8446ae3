//! Server-sent events: told in order, told again to who comes back, and over when the session is.

use super::{PRICE, Tab, patient};
use crate::support::{Options, in_time};
use serde_json::{Value, json};

/// One event as it came over the wire.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    id: Option<String>,
    name: String,
    body: Value,
}

/// A stream that is being listened to.
struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Tab {
    async fn listens(&self, last: Option<&str>) -> Stream {
        let url = format!("{}/sessions/{}/events", self.world.running().url, self.session);
        let mut request = self.world.http.get(url);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no", "FR-12");
        Stream { response, text: String::new() }
    }
}

impl Stream {
    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
                };
                // Heartbeats are comments.
                let Some(name) = field("event:") else { continue };
                let body = serde_json::from_str(&field("data:").unwrap()).unwrap();
                return Some(Told { id: field("id:"), name, body });
            }
            match in_time("something is told", self.response.chunk()).await.unwrap() {
                Some(bytes) => self.text.push_str(std::str::from_utf8(&bytes).unwrap()),
                None => return None,
            }
        }
    }

    /// Everything up to the event of this name.
    async fn until(&mut self, name: &str) -> Vec<Told> {
        let mut all = Vec::new();
        loop {
            let told = self.next().await.unwrap_or_else(|| panic!("no {name} in {all:#?}"));
            let last = told.name == name;
            all.push(told);
            if last {
                return all;
            }
        }
    }
}

fn names(events: &[Told]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

#[tokio::test]
async fn a_listener_is_told_what_happens_as_it_happens() {
    let tab = Tab::open(patient(|policy| policy.count = 2)).await;
    let mut stream = tab.listens(None).await;
    let first = tab.holds(PRICE, "one").await;
    let told = stream.until("accepted").await;
    let payment = &first["extensions"]["session"]["payment"];
    assert_eq!((&told[0].body["payment"], &told[0].body["amount"]), (payment, &json!("700")), "{told:#?}");
    assert_eq!(told[0].body["deferred"], true);
    tab.holds(PRICE, "two").await;
    let told = stream.until("settled").await;
    assert_eq!(names(&told), ["accepted", "signed", "captured", "settled"]);
    assert_eq!(told[2].body["payments"].as_array().map(Vec::len), Some(2), "{told:#?}");
    assert_eq!(told[2].body["transaction"], told[1].body["transaction"]);
    drop(stream);
    tab.closes().await;
}

#[tokio::test]
async fn a_listener_who_comes_back_goes_on_where_they_were_even_after_a_restart() {
    let mut tab = Tab::open(patient(|policy| policy.count = 1)).await;
    tab.holds(PRICE, "one").await;
    tab.settles_down_to(0).await;
    let mut stream = tab.listens(Some("0-0")).await;
    let whole = stream.until("captured").await;
    assert_eq!(names(&whole), ["state", "accepted", "signed", "captured"], "from the very beginning");
    drop(stream);
    for event in &whole {
        let id = event.id.as_deref().unwrap();
        assert!(id.len() == 32 && !id.contains("0000"), "{id} tells nothing of how much happens to others");
    }
    tab.world.kill().await;
    tab.world.boot().await;
    for (index, event) in whole.iter().enumerate().take(3) {
        let mut again = tab.listens(event.id.as_deref()).await;
        assert_eq!(again.until("captured").await, whole[index + 1..], "after {event:?}");
    }
    for nonsense in ["", "7", "x-y", "00-1"] {
        let url = format!("{}/sessions/{}/events", tab.world.running().url, tab.session);
        let response = tab.world.http.get(url).header("last-event-id", nonsense).send().await.unwrap();
        assert_eq!(response.status(), 400, "{nonsense}");
    }
    tab.closes().await;
}

#[tokio::test]
async fn a_loss_is_told() {
    let tab = Tab::open(patient(|policy| {
        policy.count = 1;
        policy.give_up_returns = 1;
    }))
    .await;
    tab.freezes(true).await;
    let mut stream = tab.listens(None).await;
    let held = tab.holds(PRICE, "one").await;
    let told = stream.until("lost").await;
    let payment = &held["extensions"]["session"]["payment"];
    let failed = told.iter().find(|event| event.name == "released").unwrap();
    assert_eq!((&failed.body["payments"], &failed.body["kept"]), (&json!([]), &json!([payment])), "{told:#?}");
    let lost = told.last().unwrap();
    assert_eq!((&lost.body["payments"], &lost.body["reason"]), (&json!([payment]), &json!("simulation_failed")));
    drop(stream);
    tab.world.finish().await;
}

#[tokio::test]
async fn a_stream_ends_with_its_session_or_with_the_process() {
    let tab = Tab::open(patient(|_| ())).await;
    let mut stream = tab.listens(None).await;
    let ledger = &tab.world.running().ledger;
    let id = tab.session.parse().unwrap();
    tab.holds(PRICE, "one").await;
    let mut leaving = tab.listens(None).await;
    tab.world.running().facilitator.end_streams();
    assert_eq!(leaving.next().await, None);
    assert_eq!(names(&stream.until("accepted").await), ["accepted"]);
    assert_eq!(stream.next().await, None);
    // Ended, settled and read from the start: told to the end, and then over.
    sotto::ledger::Ledger::close_session(ledger.as_ref(), id).await.unwrap();
    let mut tab = tab;
    tab.world.kill().await;
    tab.world.boot().await;
    tab.settles_down_to(0).await;
    let mut whole = tab.listens(Some("0-0")).await;
    let mut last = None;
    while let Some(told) = whole.next().await {
        last = Some(told);
    }
    assert_eq!(last.map(|told| told.body["state"].clone()), Some(json!("closed")));
    assert_eq!(tab.listens(None).await.next().await, None, "nothing will happen any more");
    tab.closes().await;
}

#[tokio::test]
async fn too_many_listeners_are_told_so() {
    let tab = Tab::open(Options::settings(|settings| settings.reads.streams = 2)).await;
    is_turned_away_until_somebody_leaves(tab).await;
}

#[tokio::test]
async fn too_many_listeners_of_one_user_are_told_so_while_others_may_listen() {
    let tab = Tab::open(Options::settings(|settings| settings.reads.streams_per_user = 2)).await;
    is_turned_away_until_somebody_leaves(tab).await;
}

#[tokio::test]
async fn too_many_listeners_from_one_address_are_told_so_while_others_may_listen() {
    let tab = Tab::open(Options::settings(|settings| settings.reads.streams_per_ip = 2)).await;
    is_turned_away_until_somebody_leaves(tab).await;
}

async fn is_turned_away_until_somebody_leaves(tab: Tab) {
    let (one, _two) = (tab.listens(None).await, tab.listens(None).await);
    let path = format!("/sessions/{}/events", tab.session);
    let (status, refused) = tab.world.get(&path).await;
    assert_eq!((status, &refused["error"]), (429, &json!("quota_exceeded")), "{refused:#}");
    drop(one);
    let url = format!("{}{path}", tab.world.running().url);
    let comes_in = async || tab.world.http.get(&url).send().await.unwrap().status() == 200;
    // A connection that is cut off is noticed with the next heartbeat at the latest.
    tab.world.until("room again", comes_in).await;
    tab.closes().await;
}
