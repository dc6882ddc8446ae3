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
    /// Lamports of the fee that it is booked with.
    fee: u64,
    /// Lamports that it costs when it lands.
    worst: u64,
    /// What is on record of its settlement, in order.
    log: String,
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
            // No voice told of it while it was proved absent; it moved nothing, and its fee is in no book.
            if report.hiding && failed && !signed.live && signed.fee == 0 {
                report.hidden_fees += signed.worst;
                continue;
            }
            // What landed costs its fee, with an error too.
            if landed != signed.took_effect() || (landed || failed) != (signed.fee > 0) {
                report.broken.push(contradiction(signed, status));
            }
        }
    }
    Ok(())
}

fn contradiction(signed: &Signed, status: &Value) -> String {
    let Signed { signature, purpose, state, live, fee, log, .. } = signed;
    let live = if *live { "live" } else { "buried" };
    format!(
        "{signature}: {live} attempt of a {purpose} that is {state}, booked with a fee of {fee}, and the chain says {status}; {log}"
    )
}

fn since(stage: &Stage, first: i64) -> Outcome<Vec<Signed>> {
    let reader = Connection::open_with_flags(stage.file(LEDGER), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = reader.prepare(
        "SELECT a.signature, s.purpose, s.state, a.live, b.fee, \
         (SELECT group_concat(e.event || coalesce(' ' || e.slot, '') || ' at ' || e.at, ', ') FROM settlement_events e \
         WHERE e.settlement = s.id), a.fee \
         FROM attempts a JOIN settlements s ON s.id = a.settlement JOIN sponsored_lamports b ON b.signature = a.signature \
         WHERE a.signed_at_slot >= ?1",
    )?;
    let rows = statement.query_map([first], |row| {
        let bytes: Vec<u8> = row.get(0)?;
        Ok((bytes, row.get(1)?, row.get(2)?, row.get(3)?, row.get::<_, i64>(4)?, row.get(5)?, row.get::<_, i64>(6)?))
    })?;
    rows.map(|row| {
        let (bytes, purpose, state, live, fee, log, worst) = row?;
        let signature = Signature::try_from(bytes).map_err(|_| "no signature")?;
        let [fee, worst] = [fee, worst].map(i64::unsigned_abs);
        Ok(Signed { signature, purpose, state, live, fee, worst, log })
    })
    .collect()
}
