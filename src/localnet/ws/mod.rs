//! The websocket: subscriptions and their pushes.
//!
//! One task reads requests and events, one writes, so that latency delays a push without reordering it. A client that
//! cannot keep up with the events is cut: it would otherwise miss a confirmation silently.

mod subscriptions;

use std::{collections::VecDeque, time::Duration};

use axum::{
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures_util::{SinkExt as _, StreamExt as _, stream::SplitSink};
use serde_json::Value;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    network::{Network, Told},
    rpc::{Params, Request, RpcError, response},
};
use subscriptions::{Push, Subscriptions};

/// What the websocket routes need.
#[derive(Clone)]
pub(super) struct Socketry {
    pub(super) network: Network,
    pub(super) stop: CancellationToken,
}

/// Serves `GET /`: the upgrade to a websocket.
pub(super) async fn serve(State(endpoint): State<Socketry>, upgrade: WebSocketUpgrade) -> Response {
    if endpoint.network.faults().websockets_are_down() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    upgrade.on_upgrade(move |socket| converse(socket, endpoint)).into_response()
}

/// A message and when it may go out.
type Outgoing = (Option<Instant>, String);

async fn converse(socket: WebSocket, Socketry { network, stop }: Socketry) {
    let (sink, mut incoming) = socket.split();
    let mut cuts = network.faults().cuts();
    let mut events = network.events();
    let (outgoing, queue) = mpsc::unbounded_channel();
    let writer = tokio::spawn(write(sink, queue));
    let mut session = Session { subscriptions: Subscriptions::default(), unheard: VecDeque::new(), network, outgoing };
    loop {
        tokio::select! {
            message = incoming.next() => match message {
                Some(Ok(Message::Text(text))) => session.receive(&text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
            },
            event = events.recv() => match event {
                Ok(told) => session.pass_on(told),
                Err(_) => break,
            },
            _ = cuts.changed() => break,
            () = stop.cancelled() => break,
        }
    }
    writer.abort();
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut queue: mpsc::UnboundedReceiver<Outgoing>) {
    while let Some((not_before, text)) = queue.recv().await {
        if let Some(instant) = not_before {
            tokio::time::sleep_until(instant).await;
        }
        if sink.send(Message::text(text)).await.is_err() {
            return;
        }
    }
}

struct Session {
    subscriptions: Subscriptions,
    /// Events that an endpoint which lags has not come to yet.
    unheard: VecDeque<Told>,
    network: Network,
    outgoing: mpsc::UnboundedSender<Outgoing>,
}

impl Session {
    fn receive(&mut self, text: &str) {
        let Ok(request) = serde_json::from_str::<Value>(text) else {
            return self.write("", &response(Value::Null, Err(RpcError::invalid_request())));
        };
        let Request { id, method, params } = match Request::read(request) {
            Ok(request) => request,
            Err(id) => return self.write("", &response(id, Err(RpcError::invalid_request()))),
        };
        // Without an id it is a notification, such as the `ping` of published clients: there is nothing to answer.
        let Some(id) = id else { return };
        self.network.count_request(&method);
        let result = Params::new(params).and_then(|params| self.subscriptions.call(&self.network, &method, params));
        let (result, push) = match result {
            Ok((result, push)) => (Ok(result), push),
            Err(error) => (Err(error), None),
        };
        self.write(&method, &response(id, result));
        if let Some(push) = push {
            self.push(&push);
        }
    }

    /// Pushes what the endpoint has come to by the slot of this event.
    fn pass_on(&mut self, told: Told) {
        let lag = self.network.faults().lag();
        let seen = told.slot.saturating_sub(lag);
        self.unheard.push_back(told);
        let missed = if lag > 0 { self.subscriptions.catch_up(&self.network) } else { Vec::new() };
        for push in missed {
            self.push(&push);
        }
        while let Some(told) = self.unheard.pop_front_if(|told| told.slot <= seen) {
            for push in self.subscriptions.hear(&self.network, &told.event) {
                self.push(&push);
            }
        }
    }

    fn push(&self, push: &Push) {
        self.write(push.method, &push.to_json());
    }

    fn write(&self, method: &str, message: &Value) {
        let latency = self.network.faults().latency(method).map(|latency: Duration| Instant::now() + latency);
        // An error means that the writer is gone; the reader will notice in its own time.
        let _ = self.outgoing.send((latency, message.to_string()));
    }
}
