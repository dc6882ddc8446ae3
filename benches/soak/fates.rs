//! What became of every transaction that was ever signed, as far as the chain still knows: its word against the journal's.

use crate::{LEDGER, Outcome, report::Report, stage::Stage};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use solana_signature::Signature;

/// Statuses that are asked for at once.
const BATCH: usize = 256;

/// A signed transaction, as the journal has it.
struct Signed {
    signature: Signature,
    purpose: String,
    /// Of its settlement.
    state: String,
    live: bool,
}

impl Signed {
    /// Whether the journal says that it moved something.
    fn took_effect(&self) -> bool {
        self.live && self.state == "settled"
    }
}

/// Compares all of them; what contradicts goes into the report.
pub async fn compare(stage: &Stage, report: &mut Report) -> Outcome<()> {
    // What was signed before that may have landed and be forgotten.
    let first = stage.ask("getFirstAvailableBlock", json!([])).await?.as_i64().ok_or("no first block")?;
    let signed = tokio::task::block_in_place(|| since(stage, first))?;
    for batch in signed.chunks(BATCH) {
        let names: Vec<_> = batch.iter().map(|signed| signed.signature.to_string()).collect();
        let search = json!({ "searchTransactionHistory": true });
        let answer = stage.ask("getSignatureStatuses", json!([names, search])).await?;
        let statuses = answer["value"].as_array().ok_or("no statuses")?;
        for (signed, status) in batch.iter().zip(statuses) {
            report.signed += 1;
            let (landed, failed) = (!status.is_null() && status["err"].is_null(), !status["err"].is_null());
            report.landed += u64::from(landed);
            report.failed += u64::from(failed);
            if landed != signed.took_effect() {
                report.broken.push(contradiction(signed, status));
            }
        }
    }
    Ok(())
}

fn contradiction(signed: &Signed, status: &Value) -> String {
    let Signed { signature, purpose, state, live } = signed;
    let live = if *live { "live" } else { "buried" };
    format!("{signature}: {live} attempt of a {purpose} that is {state}, and the chain says {status}")
}

fn since(stage: &Stage, first: i64) -> Outcome<Vec<Signed>> {
    let reader = Connection::open_with_flags(stage.file(LEDGER), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = reader.prepare(
        "SELECT a.signature, s.purpose, s.state, a.live FROM attempts a JOIN settlements s ON s.id = a.settlement \
         WHERE a.signed_at_slot >= ?1",
    )?;
    let rows = statement.query_map([first], |row| {
        let bytes: Vec<u8> = row.get(0)?;
        Ok((bytes, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    rows.map(|row| {
        let (bytes, purpose, state, live) = row?;
        Ok(Signed { signature: Signature::try_from(bytes).map_err(|_| "no signature")?, purpose, state, live })
    })
    .collect()
}
