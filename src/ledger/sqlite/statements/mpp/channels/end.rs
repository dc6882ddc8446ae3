//! How channels end, and what is forgotten of those that have.

use super::{LIVE, NOT_SETTLING, channel, channels, delegation, numbered, record, settle};
use crate::ledger::sqlite::statements::{Outcome, missing};
use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        mpp::{
            channel::{Channel, ChannelState, EndReason, IDLE_BEFORE_FIRST_VOUCHER},
            channel_id::PublicId,
        },
        settlement::{Settlement, SettlementId},
    },
    ledger::{ChannelRecord, ChannelTimes, rows::column},
};
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;

/// Its anchor has not landed in time.
pub(in crate::ledger) fn fail(conn: &Connection, id: PublicId) -> Outcome<Option<ChannelRecord>> {
    let Some((row, _)) = channel(conn, id)? else { return Ok(None) };
    conn.prepare_cached("UPDATE channel_sums SET state = 'failed' WHERE channel = ?1 AND state = 'opening'")?
        .execute([row])?;
    super::find(conn, id)
}

/// Nobody waits for what an earlier process was opening.
pub(in crate::ledger) fn fail_openings(conn: &Connection) -> Outcome<u64> {
    let failed = conn
        .prepare_cached(
            "UPDATE channel_sums SET state = 'failed' WHERE state = 'opening' AND channel IN (SELECT channel FROM live_channels)",
        )?
        .execute([])?;
    Ok(failed as u64)
}

/// Ends an open channel and plans the settlement of what it owes, where none is on its way.
pub(in crate::ledger) fn end(
    conn: &Connection,
    id: PublicId,
    reason: EndReason,
    settlement: SettlementId,
    now: UnixSeconds,
) -> Outcome<Option<(ChannelRecord, Option<Settlement>)>> {
    let Some((row, found)) = channel(conn, id)? else { return Ok(None) };
    stop(conn, row, &found, reason, now)?;
    let (_, ended) = channel(conn, id)?.ok_or_else(|| missing("channel"))?;
    let planned = if ended.state == ChannelState::Closing {
        settle::plan_owed(conn, row, &ended, settlement, now)?
    } else {
        None
    };
    Ok(Some((record(conn, row, ended)?, planned)))
}

/// From now on it gives no vouchers; what owes nothing is closed.
fn stop(conn: &Connection, row: i64, channel: &Channel, reason: EndReason, now: UnixSeconds) -> Outcome<()> {
    if channel.state != ChannelState::Open {
        return Ok(());
    }
    let state = if channel.money.owed() == Amount::ZERO { ChannelState::Closed } else { ChannelState::Closing };
    conn.prepare_cached(
        "UPDATE channel_sums SET state = ?2, reason = ?3, ended_at = ?4 WHERE channel = ?1 AND state = 'open'",
    )?
    .execute(params![row, state.word(), reason.word(), column("ended_at", now)?])?;
    Ok(())
}

/// Ends every open channel of an account.
pub(in crate::ledger) fn end_all_of(
    conn: &Connection,
    account: &Pubkey,
    reason: EndReason,
    now: UnixSeconds,
) -> Outcome<u64> {
    let Some(delegation) = delegation(conn, account)? else { return Ok(0) };
    let open = numbered(conn, &format!("{LIVE} WHERE l.delegation = ?1 AND s.state = 'open'"), [delegation])?;
    for (row, channel) in &open {
        stop(conn, *row, channel, reason, now)?;
    }
    Ok(open.len() as u64)
}

/// Open channels whose time is over, or that have owed for too long.
pub(in crate::ledger) fn due(conn: &Connection, times: ChannelTimes, now: UnixSeconds) -> Outcome<Vec<Channel>> {
    let rest = format!(
        "{LIVE} WHERE s.state = 'open' AND (c.expires_at <= ?1 \
         OR s.active_at + iif(s.sequence = 0, min(c.idle_timeout, ?4), c.idle_timeout) + ?2 <= ?1 \
         OR (s.owed_since + ?3 < ?1 AND {NOT_SETTLING}))"
    );
    channels(
        conn,
        &rest,
        params![
            column("now", now)?,
            column("grace", times.grace)?,
            column("most_owed", times.most_owed)?,
            column("idle_timeout", IDLE_BEFORE_FIRST_VOUCHER)?
        ],
    )
}

/// Forgets the oldest vouchers of channels that were closed before `before`, but the last of each.
pub(in crate::ledger) fn prune(conn: &Connection, before: UnixSeconds, most: u64) -> Outcome<u64> {
    let found: Option<(i64, i64, i64)> = {
        let mut statement = conn.prepare_cached(
            "SELECT channel, pruned, sequence FROM channel_sums WHERE state = 'closed' AND pruned < sequence - 1 \
             AND ended_at < ?1 LIMIT 1",
        )?;
        let mut rows = statement.query([column("ended_at", before)?])?;
        match rows.next()? {
            Some(row) => Some((row.get(0)?, row.get(1)?, row.get(2)?)),
            None => None,
        }
    };
    let Some((channel, pruned, sequence)) = found else { return Ok(0) };
    let last = (sequence - 1).min(pruned.saturating_add(column("most", most)?));
    for number in pruned + 1..=last {
        conn.prepare_cached("DELETE FROM vouchers WHERE sequence = ?1 AND channel = ?2")?.execute([number, channel])?;
        conn.prepare_cached("UPDATE channel_sums SET pruned = ?2 WHERE channel = ?1")?.execute([channel, number])?;
    }
    Ok(u64::try_from(last - pruned).unwrap_or(0))
}
