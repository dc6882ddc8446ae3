//! N1: what the local network itself takes, so that no case measures the network where it says facilitator.

use super::{Bench, accepted};
use crate::{Outcome, generator, generator::Source, report::Goal, stage::Stage};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use solana_hash::Hash;
use solana_system_interface::instruction::transfer;
use sotto::{
    chain::{
        keys::{LocalSigner, Signer as _},
        transaction::UnsignedTransaction,
    },
    domain::chance::OsChance,
};
use std::net::SocketAddr;

/// Lamports to send away and pay fees from.
const PURSE: u64 = 1_000_000_000_000;
/// What each transfer moves is this and its number, so that no two are alike and each leaves an account that may exist.
const LEAST: u64 = 1_000_000;
const CONNECTIONS: usize = 32;
/// How an answer begins that is no error.
const ACCEPTED: &[u8] = b"{\"id\":1,\"jsonrpc\":\"2.0\",\"result\"";

/// `sendTransaction` with preflight of transfers that nobody sent before. Signed by the generator, on the same cores.
struct Transfers {
    payer: LocalSigner,
    blockhash: Hash,
    address: SocketAddr,
    sent: u64,
}

impl Transfers {
    fn body(&mut self) -> String {
        self.sent += 1;
        let (payer, to) = (self.payer.pubkey(), solana_pubkey::Pubkey::new_from_array([7; 32]));
        let unsigned = UnsignedTransaction::new(&payer, &[transfer(&payer, &to, LEAST + self.sent)], self.blockhash);
        let signed = unsigned.and_then(|unsigned| unsigned.sign(&[&self.payer]));
        // What cannot be signed is refused by the network, and that breaks the run.
        let wire = signed.map(|signed| STANDARD.encode(signed.wire)).unwrap_or_default();
        let params = json!([wire, { "encoding": "base64", "preflightCommitment": "processed" }]);
        json!({ "jsonrpc": "2.0", "id": 1, "method": "sendTransaction", "params": params }).to_string()
    }
}

impl Source for Transfers {
    fn write(&mut self, _: usize, into: &mut Vec<u8>) {
        let body = self.body();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        into.extend_from_slice(head.as_bytes());
        into.extend_from_slice(body.as_bytes());
    }

    fn accepted(&self) -> &'static [u8] {
        ACCEPTED
    }
}

pub async fn n1(bench: &mut Bench) -> Outcome<()> {
    let stage = Stage::raise(0).await?;
    let payer = LocalSigner::generate(&OsChance);
    stage.ask("requestAirdrop", json!([payer.pubkey().to_string(), PURSE])).await?;
    tokio::time::sleep(stage.slot * 3).await;
    let address: SocketAddr = stage.rpc.trim_start_matches("http://").trim_end_matches('/').parse()?;
    let mut transfers = Transfers { payer, blockhash: Hash::default(), address, sent: 0 };
    let mut rates = Vec::new();
    for _ in 0..bench.runs {
        transfers.blockhash = blockhash(&stage).await?;
        let (shots, source) = generator::fire(bench.plan(address, CONNECTIONS), transfers)?;
        accepted("the network", &shots)?;
        rates.push(shots.rate());
        transfers = source;
    }
    bench.figure("N1", "the local network, sends with preflight", "1/s", Goal::AtLeast(500.0), rates);
    Ok(())
}

async fn blockhash(stage: &Stage) -> Outcome<Hash> {
    let latest = stage.ask("getLatestBlockhash", json!([{ "commitment": "confirmed" }])).await?;
    Ok(latest["value"]["blockhash"].as_str().ok_or("no blockhash")?.parse()?)
}
