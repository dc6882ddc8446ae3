//! A TCP connection in between, which can stop carrying anything without closing: a dead peer behind a live address.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    task::JoinHandle,
};

pub(super) struct Tunnel {
    pub(super) url: String,
    /// Connections older than this number carry nothing any more.
    swallowed: Arc<AtomicU64>,
    opened: Arc<AtomicU64>,
    serving: JoinHandle<()>,
}

impl Tunnel {
    /// To a `ws://` address.
    pub(super) async fn to(url: &str) -> Self {
        let upstream = url.trim_start_matches("ws://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let (swallowed, opened) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (limit, count) = (Arc::clone(&swallowed), Arc::clone(&opened));
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                let server = TcpStream::connect(&upstream).await.unwrap();
                let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
                tokio::spawn(carry(client_in, server_out, number, Arc::clone(&limit)));
                tokio::spawn(carry(server_in, client_out, number, Arc::clone(&limit)));
            }
        });
        Self { url, swallowed, opened, serving }
    }

    /// From now on the connections that are open carry nothing; new ones do.
    pub(super) fn swallow(&self) {
        self.swallowed.store(self.opened.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, number: u64, swallowed: Arc<AtomicU64>) {
    let mut bytes = [0; 4_096];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if number > swallowed.load(Ordering::SeqCst) && to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
