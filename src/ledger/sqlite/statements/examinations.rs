//! What accounts showed while their approvals stood, and how far what happened to them since was examined.

use crate::{
    domain::approval::{Examination, SETTLED_SLOTS, SeenDelegation},
    ledger::{
        rows::{column, count},
        sqlite::statements::{Outcome, select},
    },
};
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// For each user the signature of what stands for their account, and the handle it was last seen with.
pub(in crate::ledger) fn seen(
    conn: &Connection,
    users: &[Pubkey],
    asset: &Pubkey,
) -> Outcome<Vec<Option<SeenDelegation>>> {
    let sql = "SELECT a.signature, a.seen_handle, a.complete = 0 OR a.seen_handle IS a.handle OR coalesce(e.read_at, 0) \
         >= coalesce(a.seen_slot, 0) + ?3, a.seen_slot FROM approvals a LEFT JOIN approve_examinations e \
         ON e.user = a.user AND e.asset = a.asset AND e.signature = a.signature \
         WHERE a.user = ?1 AND a.asset = ?2 AND a.state = 'current'";
    let late = column("settled slots", SETTLED_SLOTS)?;
    users
        .iter()
        .map(|user| {
            let found = select::list(conn, sql, params![user.to_bytes(), asset.to_bytes(), late], |row| {
                let (signature, handle): ([u8; 64], Option<[u8; 16]>) = (row.get(0)?, row.get(1)?);
                let (signature, handle) = (Signature::from(signature), handle.map(u128::from_le_bytes));
                let slot = row.get::<_, Option<i64>>(3)?.map(|slot| count("seen_slot", slot)).transpose()?;
                Ok(SeenDelegation { signature, handle, slot, is_settled: row.get(2)? })
            })?;
            Ok(found.into_iter().next())
        })
        .collect()
}

/// Notes the handle that the account shows in the state of a slot in which this approval is known to stand.
pub(in crate::ledger) fn note(
    conn: &Connection,
    user: &Pubkey,
    asset: &Pubkey,
    signature: &Signature,
    (seen, slot): (u128, u64),
) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE approvals SET seen_handle = ?4, seen_slot = ?5 WHERE user = ?1 AND asset = ?2 AND signature = ?3 \
         AND state = 'current' AND coalesce(seen_slot, 0) <= ?5",
    )?
    .execute(params![
        user.to_bytes(),
        asset.to_bytes(),
        signature.as_ref(),
        seen.to_le_bytes(),
        column("seen_slot", slot)?
    ])?;
    Ok(())
}

/// How far the history of an account since this approve was examined.
pub(in crate::ledger) fn find(
    conn: &Connection,
    user: &Pubkey,
    asset: &Pubkey,
    approve: &Signature,
) -> Outcome<Option<Examination>> {
    let sql = "SELECT entry, slot, change, own_slot, read_at FROM approve_examinations \
         WHERE user = ?1 AND asset = ?2 AND signature = ?3";
    let found = select::list(conn, sql, params![user.to_bytes(), asset.to_bytes(), approve.as_ref()], |row| {
        let (entry, change): ([u8; 64], Option<[u8; 64]>) = (row.get(0)?, row.get(2)?);
        let (own_slot, read_at): (Option<i64>, Option<i64>) = (row.get(3)?, row.get(4)?);
        Ok(Examination {
            entry: Signature::from(entry),
            slot: count("slot", row.get(1)?)?,
            change: change.map(Signature::from),
            own_slot: own_slot.map(|slot| count("own_slot", slot)).transpose()?,
            read_at: read_at.map(|slot| count("read_at", slot)).transpose()?,
        })
    })?;
    Ok(found.into_iter().next())
}

/// Notes how far the history of an account since this approve was examined; what was examined further stays so.
pub(in crate::ledger) fn record(
    conn: &Connection,
    user: &Pubkey,
    asset: &Pubkey,
    approve: &Signature,
    examined: &Examination,
) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO approve_examinations (user, asset, signature, entry, slot, change, own_slot, read_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (user, asset, signature) DO UPDATE SET \
         entry = excluded.entry, slot = excluded.slot, change = coalesce(excluded.change, change), \
         own_slot = nullif(max(coalesce(excluded.own_slot, 0), coalesce(own_slot, 0)), 0), \
         read_at = nullif(max(coalesce(excluded.read_at, 0), coalesce(read_at, 0)), 0) WHERE excluded.slot >= slot",
    )?
    .execute(params![
        user.to_bytes(),
        asset.to_bytes(),
        approve.as_ref(),
        examined.entry.as_ref(),
        column("slot", examined.slot)?,
        examined.change.as_ref().map(AsRef::<[u8]>::as_ref),
        examined.own_slot.map(|slot| column("own_slot", slot)).transpose()?,
        examined.read_at.map(|slot| column("read_at", slot)).transpose()?,
    ])?;
    Ok(())
}
