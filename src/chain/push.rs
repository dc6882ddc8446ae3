//! Pushed notices: one websocket for all waiters, reconnected when it breaks. Polling covers whatever is missed here.

use crate::chain::{
    Commitment,
    sightings::{Sightings, Wanted},
};
use futures_util::StreamExt as _;
use solana_commitment_config::CommitmentConfig;
use solana_pubsub_client::nonblocking::pubsub_client::{PubsubClient, PubsubClientError};
use solana_rpc_client_api::{
    config::RpcSignatureSubscribeConfig,
    response::{ProcessedSignatureResult, RpcSignatureResult},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Connects once somebody waits, and again when the connection broke and somebody still does; ends when `requests` is
/// closed.
pub(super) async fn push(
    url: &str,
    patience: Duration,
    sightings: &Arc<Sightings>,
    mut requests: mpsc::Receiver<Wanted>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        if sightings.wanted().is_empty() && requests.recv().await.is_none() {
            return;
        }
        // The error is not told: it would show the URL, which may hold a key.
        if let Ok(Ok(client)) = timeout(patience, PubsubClient::new(url)).await {
            pause = FIRST_PAUSE;
            sightings.set_pushed(true);
            serve(Arc::new(client), sightings, &mut requests).await;
            sightings.set_pushed(false);
            tracing::debug!("the websocket for signature notices is gone");
        } else {
            tracing::warn!("no websocket for signature notices; polling goes on");
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// How one subscription ended.
enum End {
    /// Its notice came, nobody waits any more, or the endpoint refuses this subscription.
    Over,
    /// The connection is gone.
    Lost,
}

/// Subscribes for everybody who waits, until the connection breaks or `requests` is closed.
async fn serve(client: Arc<PubsubClient>, sightings: &Arc<Sightings>, requests: &mut mpsc::Receiver<Wanted>) {
    // Dropped with this function, which also ends the connection.
    let mut subscriptions = JoinSet::new();
    let spawn = |subscriptions: &mut JoinSet<End>, wanted| {
        subscriptions.spawn(subscribe(Arc::clone(&client), Arc::clone(sightings), wanted));
    };
    // What is queued is among those who wait.
    while requests.try_recv().is_ok() {}
    for wanted in sightings.wanted() {
        spawn(&mut subscriptions, wanted);
    }
    loop {
        tokio::select! {
            request = requests.recv() => match request {
                Some(wanted) => spawn(&mut subscriptions, wanted),
                None => return,
            },
            Some(end) = subscriptions.join_next() => match end {
                Ok(End::Over) => {}
                Ok(End::Lost) | Err(_) => return,
            },
        }
    }
}

async fn subscribe(client: Arc<PubsubClient>, sightings: Arc<Sightings>, wanted: Wanted) -> End {
    let commitment = match wanted.1 {
        Commitment::Confirmed => CommitmentConfig::confirmed(),
        Commitment::Finalized => CommitmentConfig::finalized(),
    };
    let config =
        RpcSignatureSubscribeConfig { commitment: Some(commitment), enable_received_notification: Some(false) };
    let (mut notices, unsubscribe) = match client.signature_subscribe(&wanted.0, Some(config)).await {
        Ok(subscription) => subscription,
        Err(PubsubClientError::SubscribeFailed { .. } | PubsubClientError::RequestFailed { .. }) => return End::Over,
        Err(_) => return End::Lost,
    };
    loop {
        let notice = tokio::select! {
            notice = notices.next() => notice,
            () = sightings.abandoned(&wanted) => break,
        };
        match notice {
            Some(notice) => {
                if let RpcSignatureResult::ProcessedSignature(ProcessedSignatureResult { err }) = notice.value {
                    sightings.noticed(&wanted, notice.context.slot, err.map(|error| error.to_string()).as_deref());
                    break;
                }
            }
            None => return End::Lost,
        }
    }
    // The endpoint ends a signature's subscription with its notice; the client has to be told to forget it too.
    drop(notices);
    unsubscribe().await;
    End::Over
}
