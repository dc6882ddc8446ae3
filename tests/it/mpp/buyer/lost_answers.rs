//! Answers that get lost on their way: whatever was asked for is asked for again as it was, and owed once.

use super::{
    Disk, facilitator, grant,
    sellers::{self, Served},
    units,
};
use crate::support::MppScene;
use axum::{Router, body::Body, extract::Request, http::Response};
use sotto::client::mpp::{MppSessionClient, MppSessionError};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// A proxy before the facilitator that loses the answer of the next request to a path.
struct Losing {
    served: Served,
    lost: Arc<Mutex<Option<&'static str>>>,
}

impl Losing {
    async fn before(scene: &MppScene) -> Self {
        let lost: Arc<Mutex<Option<&'static str>>> = Arc::default();
        let (path_lost, base, http) = (Arc::clone(&lost), facilitator(scene), scene.world.http.clone());
        let served = sellers::serve(Router::new().fallback(move |request: Request| {
            let (lost, base, http) = (Arc::clone(&path_lost), base.clone(), http.clone());
            async move {
                let (parts, body) = request.into_parts();
                let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let url = format!("{base}{}", parts.uri.path_and_query().unwrap());
                let mut passed = http.request(parts.method, url).body(bytes).header("content-type", "application/json");
                if let Some(sign_in) = parts.headers.get("sign-in-with-x") {
                    passed = passed.header("sign-in-with-x", sign_in);
                }
                let told = passed.send().await.unwrap();
                let status = told.status();
                let text = told.text().await.unwrap();
                let is_lost = lost.lock().unwrap().take_if(|path| *path == parts.uri.path()).is_some();
                let (status, text) =
                    if is_lost { (502, "<html>bad gateway".to_owned()) } else { (status.as_u16(), text) };
                Response::builder().status(status).body(Body::from(text)).unwrap()
            }
        }))
        .await;
        Self { served, lost }
    }

    fn loses(&self, path: &'static str) {
        *self.lost.lock().unwrap() = Some(path);
    }
}

/// A client that asks once: what is lost stays lost until somebody calls again.
fn hasty(disk: &Disk, scene: &MppScene, proxy: &Losing) -> MppSessionClient {
    disk.client(scene, &proxy.served.url).patient_for(Duration::ZERO)
}

#[tokio::test]
async fn whatever_answer_is_lost_nothing_is_opened_or_owed_twice() {
    let scene = MppScene::start().await;
    let (proxy, disk) = (Losing::before(&scene).await, Disk::default());
    let client = || hasty(&disk, &scene, &proxy);
    let is_lost = |error: Option<MppSessionError>| assert!(error.is_some_and(|error| error.is_undecided()));

    proxy.loses("/api/sessions/onboard/confirm");
    is_lost(client().onboard(&grant()).await.err());
    assert!(client().onboard(&grant()).await.unwrap().transactions.is_empty(), "it has landed");

    let (seller, deposit) = (scene.seller.key(), units(100_000));
    proxy.loses("/mpp/session/open");
    is_lost(client().open(seller, deposit, None).await.err());
    let opened = client().open(seller, deposit, None).await.unwrap();
    let kept = disk.state().unwrap();
    assert_eq!(kept.channels.len(), 1, "one channel");

    proxy.loses("/mpp/session/voucher");
    is_lost(client().pay_delta(&opened.id, units(10_000), "n-1").await.err());
    let pending = disk.state().unwrap().channels[0].pending.clone().unwrap();
    assert_eq!((pending.cumulative, pending.nonce.as_str()), (units(10_000), "n-1"));
    let drawn = client().pay_delta(&opened.id, units(10_000), "n-1").await.unwrap();
    assert_eq!((drawn.voucher.sequence, drawn.voucher.cumulative_amount), (1, units(10_000)), "the one that was lost");

    proxy.loses("/mpp/session/voucher");
    is_lost(client().pay_delta(&opened.id, units(5_000), "n-2").await.err());
    let next = client().pay_delta(&opened.id, units(5_000), "n-3").await.unwrap();
    assert_eq!((next.voucher.sequence, next.voucher.cumulative_amount), (3, units(20_000)), "what is durable is owed");

    proxy.loses("/mpp/session/close");
    is_lost(client().close(&opened.id).await.err());
    let closed = client().close(&opened.id).await.unwrap();
    assert_eq!((closed.settled, closed.refunded, closed.vouchers), (units(20_000), units(80_000), 3));

    scene.world.quiet().await;
    proxy.loses("/api/sessions/leave");
    is_lost(client().leave().await.err());
    assert_eq!(client().leave().await.unwrap().len(), 1);
    scene.closes(20_000).await;
}
