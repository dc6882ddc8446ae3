//! The operator: a buyer who takes the grant back while a settlement is on its way takes its witness away, too, and leaves it held
//! (ADR 0064). What the runbook says is done here: the signatures are looked up, and what became of them is told.

use super::{Market, Nature};
use crate::{
    LEDGER, Outcome, Setting,
    stage::{Server, Stage},
};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use tokio::task::block_in_place;
use uuid::Uuid;

/// Settlements of channels that are held, with the buyer and each attempt.
pub const HELD: &str = "SELECT s.id, c.buyer, a.signature, c.delegation \
     FROM held_settlements h JOIN settlements s ON s.id = h.settlement AND s.sequence = h.sequence \
     JOIN channel_settlements p ON p.settlement = s.id JOIN channels c ON c.seq = p.channel \
     JOIN attempts a ON a.settlement = s.id WHERE s.state = 'in_flight'";

impl Market {
    /// Stops the facilitator, tells what became of each settlement of a channel that is held, and starts it again.
    pub async fn resolve(&self, stage: &Stage, server: Server, settings: &[Setting<'_>]) -> Outcome<Server> {
        let mut held = held(&server)?;
        if held.is_empty() {
            return Ok(server);
        }
        block_in_place(|| server.process.stop())?;
        let with_ledger = [settings, &[("ledger.path", LEDGER)]].concat();
        // Its newest attempt is the one that may have landed; the others are proved absent.
        while let Some((id, buyer, signature)) = held.pop() {
            held.retain(|(other, ..)| *other != id);
            let nature = self.desk.kept().buyers.iter().find(|(wallet, _)| *wallet == buyer).map(|(_, nature)| *nature);
            if nature != Some(Nature::Revoking) {
                self.desk.broken(format!("the settlement {id} of a buyer who is {nature:?} is held"));
            }
            let search = json!([[signature.to_string()], { "searchTransactionHistory": true }]);
            let status = stage.ask("getSignatureStatuses", search).await?["value"][0].clone();
            let (id, signature) = (id.to_string(), signature.to_string());
            let landed = ["settlement", "resolve", &id, "--landed", &signature];
            let absent = ["settlement", "resolve", &id, "--absent", "--i-looked-at", "the network"];
            let has_landed = !status.is_null() && status["err"].is_null();
            let words: &[&str] = if has_landed { &landed } else { &absent };
            let told = block_in_place(|| stage.run(&with_ledger, words))?;
            self.desk.did(if has_landed {
                "held settlements that had landed"
            } else {
                "held settlements that had not"
            });
            if !told.status.success() {
                let why = String::from_utf8_lossy(&told.stderr).into_owned();
                self.desk.broken(format!("what became of the settlement {id} is not taken: {why}"));
            }
        }
        block_in_place(|| stage.serve(LEDGER, settings))
    }
}

fn held(server: &Server) -> Outcome<Vec<(Uuid, Pubkey, Signature)>> {
    let reader = Connection::open_with_flags(&server.ledger, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = reader.prepare(&format!("{HELD} ORDER BY a.number"))?;
    let rows = statement.query_map([], |row| {
        let signature = Signature::from(row.get::<_, [u8; 64]>(2)?);
        Ok((Uuid::from_bytes(row.get(0)?), Pubkey::new_from_array(row.get(1)?), signature))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
