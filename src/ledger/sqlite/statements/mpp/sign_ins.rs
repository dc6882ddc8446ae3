//! What a sign-in allows: proofs, each for one act once, and windows, in which channels may be opened from where it came.

use crate::{
    domain::{
        clock::{DAY, UnixSeconds},
        mpp::delegation::{CallerOrigin, OnboardWindow, UsedProof},
    },
    ledger::{
        rows::column,
        sqlite::statements::{Outcome, select},
    },
};
use rusqlite::{Connection, OptionalExtension as _, params};
use solana_pubkey::Pubkey;

/// What a wallet's proof with this nonce was used for: the hash of the act, and what it made.
pub(super) fn find_proof(conn: &Connection, wallet: &Pubkey, nonce: &str) -> Outcome<Option<([u8; 32], [u8; 16])>> {
    let sql = "SELECT act, subject FROM mpp_proofs WHERE wallet = ?1 AND nonce = ?2";
    let found =
        conn.prepare_cached(sql)?.query_row(params![wallet.to_bytes(), nonce], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?)
}

/// For how long a proof is remembered that was used, in seconds: it proves nothing after ten minutes. The schema forgets none earlier.
const PROOFS_KEPT: u64 = DAY;

/// Uses a proof, and forgets some that prove nothing any more; the schema refuses a second use.
pub(super) fn use_proof(
    conn: &Connection,
    wallet: &Pubkey,
    proof: &UsedProof,
    subject: [u8; 16],
    now: UnixSeconds,
) -> Outcome<()> {
    conn.prepare_cached("INSERT INTO mpp_proofs (wallet, nonce, act, subject, used_at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![wallet.to_bytes(), proof.nonce, proof.act, subject, column("used_at", now)?])?;
    conn.prepare_cached(
        "DELETE FROM mpp_proofs WHERE (wallet, nonce) IN \
         (SELECT wallet, nonce FROM mpp_proofs WHERE used_at < ?1 ORDER BY used_at LIMIT 8)",
    )?
    .execute([column("used_at", now.saturating_sub(PROOFS_KEPT))?])?;
    Ok(())
}

/// Opens a window, in place of the oldest where its wallet and place have as many as are kept; forgets those that have closed.
pub(in crate::ledger) fn open_window(conn: &Connection, window: &OnboardWindow, now: UnixSeconds) -> Outcome<()> {
    conn.prepare_cached("DELETE FROM onboard_windows WHERE until <= ?1")?.execute([column("until", now)?])?;
    let of = [window.wallet.to_bytes(), window.from.origin];
    conn.prepare_cached(
        "DELETE FROM onboard_windows WHERE seq IN (SELECT seq FROM onboard_windows \
         WHERE wallet = ?1 AND origin = ?2 AND caller = ?3 ORDER BY seq DESC LIMIT -1 OFFSET ?4)",
    )?
    .execute(params![of[0], of[1], window.from.caller, OnboardWindow::KEPT - 1])?;
    conn.prepare_cached(
        "INSERT INTO onboard_windows (wallet, caller, origin, until, opens_left) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![of[0], window.from.caller, of[1], column("until", window.until)?, OnboardWindow::OPENS])?;
    Ok(())
}

/// Takes one opening from the window that closes first.
pub(in crate::ledger) fn take_window(
    conn: &Connection,
    wallet: &Pubkey,
    from: CallerOrigin,
    now: UnixSeconds,
) -> Outcome<bool> {
    let sql = "SELECT seq FROM onboard_windows WHERE wallet = ?1 AND caller = ?2 AND origin = ?3 AND until > ?4 \
        AND opens_left > 0 ORDER BY until, seq LIMIT 1";
    let found = params![wallet.to_bytes(), from.caller, from.origin, column("until", now)?];
    let Some(seq) = select::value::<i64>(conn, sql, found)? else { return Ok(false) };
    conn.prepare_cached("UPDATE onboard_windows SET opens_left = opens_left - 1 WHERE seq = ?1")?.execute([seq])?;
    Ok(true)
}
