//! An address that stays the same while the process behind it changes: a new process is given a new port, because the one
//! of its predecessor may be anybody's by then.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

pub(super) struct Relay {
    pub(super) url: String,
    target: Arc<Mutex<String>>,
}

impl Relay {
    /// To `address`, for now.
    pub(super) async fn to(address: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let target = Arc::new(Mutex::new(address.to_owned()));
        let current = Arc::clone(&target);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let address = current.lock().unwrap().clone();
                tokio::spawn(async move {
                    // Where nobody listens any more the caller is hung up on.
                    if let Ok(mut server) = TcpStream::connect(address).await {
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self { url, target }
    }

    /// From now on new connections lead there.
    pub(super) fn leads_to(&self, address: &str) {
        address.clone_into(&mut self.target.lock().unwrap());
    }
}
