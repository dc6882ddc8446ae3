//! Requests as bytes: rendered once, and for each shot only session and nonce are written over.

use crate::generator::Source;
use serde_json::json;
use solana_pubkey::Pubkey;
use sotto::domain::{
    chance::{Chance, OsChance, SeededChance, draw},
    clock::SystemClock,
    nonce::payment_nonce,
};
use std::net::SocketAddr;

/// What a payment asks for.
#[derive(Clone, Debug)]
pub struct Terms {
    pub asset: Pubkey,
    pub pay_to: Pubkey,
    pub amount: u64,
    pub deferred: bool,
}

const SESSION: &str = "00000000-0000-0000-0000-000000000000";
const NONCE: &str = "00000000000000000000000000000000";

/// How the nonces of a load follow each other, which decides how many pages of their index a batch of payments touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonces {
    /// By time, as this crate's clients make them.
    Ordered,
    /// At random, as other clients do.
    Scattered,
}

impl Nonces {
    /// A nonce that nobody used before.
    pub fn draw(self, chance: &dyn Chance) -> String {
        match self {
            Self::Ordered => payment_nonce(&SystemClock, chance),
            Self::Scattered => hex::encode(draw::<16>(chance)),
        }
    }
}

impl Terms {
    /// The body of `/verify` and `/settle`, in the published client's form.
    pub fn body(&self, session: &str, nonce: &str) -> Vec<u8> {
        let mut extra = json!({});
        if self.deferred {
            extra["settlement"] = json!("deferred");
        }
        let requirements = json!({
            "scheme": "session",
            "network": "solana:devnet",
            "amount": self.amount.to_string(),
            "asset": self.asset.to_string(),
            "payTo": self.pay_to.to_string(),
            "maxTimeoutSeconds": 60,
            "extra": extra,
        });
        let body = json!({
            "x402Version": 2,
            "paymentPayload": {
                "x402Version": 2,
                "accepted": requirements,
                "payload": { "sessionId": session, "amount": self.amount.to_string(), "nonce": nonce },
                "resource": { "url": "https://api.example/weather" },
            },
            "paymentRequirements": requirements,
        });
        body.to_string().into_bytes()
    }
}

/// Payments over many sessions.
pub struct Payments {
    request: Vec<u8>,
    session: usize,
    nonce: usize,
    sessions: Vec<String>,
    /// A session of its own for each connection, instead of the next one for each shot.
    pub own_session: bool,
    accepted: &'static [u8],
    nonces: Nonces,
    /// Of this load alone, so that several on one ledger never share a nonce. No system call for each shot: the generator
    /// shares the server's cores.
    chance: SeededChance,
    shots: usize,
}

impl Payments {
    /// Payments at `path` of `address`.
    pub fn new(address: SocketAddr, path: &str, terms: &Terms, sessions: Vec<String>) -> Self {
        let body = terms.body(SESSION, NONCE);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let request = [head.into_bytes(), body].concat();
        let find = |text: &str| request.windows(text.len()).position(|part| part == text.as_bytes()).unwrap_or(0);
        let (session, nonce) = (find(SESSION), find(NONCE));
        let accepted = if path == "/verify" { &b"{\"isValid\":true"[..] } else { &b"{\"success\":true"[..] };
        let chance = SeededChance::new(u64::from_le_bytes(draw(&OsChance)));
        Self {
            request,
            session,
            nonce,
            sessions,
            own_session: false,
            accepted,
            nonces: Nonces::Ordered,
            chance,
            shots: 0,
        }
    }

    /// These payments with nonces of this kind; ordered ones unless told.
    pub fn with(mut self, nonces: Nonces) -> Self {
        self.nonces = nonces;
        self
    }
}

impl Source for Payments {
    fn write(&mut self, connection: usize, into: &mut Vec<u8>) {
        self.shots += 1;
        let nonce = self.nonces.draw(&self.chance);
        let at = if self.own_session { connection } else { self.shots };
        let session = &self.sessions[at % self.sessions.len()];
        let start = into.len();
        into.extend_from_slice(&self.request);
        into[start + self.session..][..SESSION.len()].copy_from_slice(session.as_bytes());
        into[start + self.nonce..][..NONCE.len()].copy_from_slice(nonce.as_bytes());
    }

    fn accepted(&self) -> &'static [u8] {
        self.accepted
    }
}
