//! Addresses of their own: everything on one machine comes from 127.0.0.1 unless it says otherwise, and the service counts by
//! address.

use crate::Outcome;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::Value;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};

/// Longer than the facilitator keeps anybody waiting.
const PATIENCE: Duration = Duration::from_mins(2);

/// A client whose requests come from `source`.
pub fn client(source: Ipv4Addr) -> Outcome<reqwest::Client> {
    Ok(reqwest::Client::builder().timeout(PATIENCE).local_address(IpAddr::V4(source)).build()?)
}

/// An answer of `/settle`; 0 and null where there was none.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub status: u16,
    /// The header, as it came.
    pub retry_after: Option<String>,
    pub answer: Value,
}

/// Asks for a payment once.
pub async fn settle(client: &reqwest::Client, facilitator: SocketAddr, body: Vec<u8>) -> Told {
    let url = format!("http://{facilitator}/settle");
    let Ok(told) = client.post(url).header(CONTENT_TYPE, "application/json").body(body).send().await else {
        return Told::default();
    };
    let retry_after = told.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Told { status: told.status().as_u16(), retry_after, answer: told.json().await.unwrap_or_default() }
}

/// Where whoever connects comes out at the facilitator as another address: for clients that cannot choose their own.
pub struct Door {
    pub address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Door {
    pub async fn open(source: Ipv4Addr, to: SocketAddr) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            while let Ok((inside, _)) = listener.accept().await {
                tokio::spawn(async move { drop(pass(inside, source, to).await) });
            }
        });
        Ok(Self { address, serving })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(mut inside: TcpStream, source: Ipv4Addr, to: SocketAddr) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    let mut outside = socket.connect(to).await?;
    copy_bidirectional(&mut inside, &mut outside).await.map(drop)
}
