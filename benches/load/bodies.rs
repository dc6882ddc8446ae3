//! Requests as bytes: rendered once, and for each shot only session and nonce are written over.

use crate::generator::Source;
use serde_json::json;
use solana_pubkey::Pubkey;
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
const NONCE: &str = "n-0000000000000000000000000000";

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
    /// A new nonce for each shot.
    pub fresh: bool,
    accepted: &'static [u8],
    /// Distinguishes the nonces of several loads on one ledger.
    run: u32,
    shots: u64,
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
        Self { request, session, nonce, sessions, own_session: false, fresh: true, accepted, run: 0, shots: 0 }
    }

    /// The same with nonces of their own.
    pub fn run(mut self, run: u32) -> Self {
        self.run = run;
        self
    }
}

impl Source for Payments {
    fn write(&mut self, connection: usize, into: &mut Vec<u8>) {
        self.shots += 1;
        let shot = if self.fresh { self.shots } else { 0 };
        // Scattered, as random nonces are: the index they go into must not profit from an order that callers never keep.
        let scattered = (shot ^ (u64::from(self.run) << 40)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let nonce = format!("n-{:0>12x}{scattered:016x}", self.run);
        let at = if self.own_session { connection } else { usize::try_from(self.shots).unwrap_or(0) };
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
