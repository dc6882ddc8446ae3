//! Which root this ledger's keys are derived from, by the issuer that it derives.

use crate::{
    domain::clock::UnixSeconds,
    ledger::{
        IssuerClaim,
        rows::{column, key},
        sqlite::statements::{Outcome, select},
    },
};
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;

/// Notes the issuer of a chain, unless one is in use that is none of `previous`.
pub(in crate::ledger) fn claim(
    conn: &Connection,
    chain_id: &str,
    issuer: &Pubkey,
    previous: &[Pubkey],
    now: UnixSeconds,
) -> Outcome<IssuerClaim> {
    let newest = "SELECT issuer FROM mpp_issuers WHERE chain_id = ?1 ORDER BY seq DESC LIMIT 1";
    let in_use = select::value::<Vec<u8>>(conn, newest, [chain_id])?;
    if let Some(in_use) = in_use.map(|bytes| key("issuer", &bytes)).transpose()? {
        if in_use == *issuer {
            return Ok(IssuerClaim::Accepted);
        }
        if !previous.contains(&in_use) {
            return Ok(IssuerClaim::Another(in_use));
        }
    }
    conn.prepare_cached("INSERT INTO mpp_issuers (chain_id, issuer, since) VALUES (?1, ?2, ?3)")?.execute(params![
        chain_id,
        issuer.to_bytes(),
        column("since", now)?
    ])?;
    Ok(IssuerClaim::Accepted)
}
