//! `GET /mpp/stats`: how much was prepared and settled.

use crate::{
    api::{App, mpp::failure::MppFailure},
    domain::mpp::{recorded_charge::RecordedCharge, timestamp},
    facilitator::ToldStats,
    wire::mpp::stats::{ChannelsCounted, Counted, RecentSettlement, SettleCounted, StatsAnswer},
};
use axum::{Json, extract::State};

/// The milliseconds of a second.
const SECOND: u64 = 1_000;

/// Tells counts and, where the operator lets everybody know them, the newest charges.
pub(in crate::api) async fn stats(State(app): State<App>) -> Result<Json<StatsAnswer>, MppFailure> {
    Ok(Json(answer(&app.facilitator.mpp_stats().await.map_err(MppFailure::of_use_case)?)))
}

fn answer(told: &ToldStats) -> StatsAnswer {
    let stats = &told.stats;
    let (landed, failed) = (stats.landed, stats.failed);
    let last = stats.newest.first().and_then(|charge| charge.landed_at);
    let listed = if told.is_public { stats.newest.as_slice() } else { &[] };
    StatsAnswer {
        prepare: Counted { total: stats.prepared.total, today: stats.prepared.today },
        settle: SettleCounted::new(landed.today.saturating_add(failed.today), landed.total, failed.total),
        recent_settlements: listed.iter().map(|charge| recent(charge, &told.chain_id)).collect(),
        last_settlement: last.map(|seconds| timestamp::write(seconds.saturating_mul(SECOND))),
        sessions: ChannelsCounted {
            open: told.channels.open,
            vouchers: told.channels.vouchers,
            settled: told.channels.settled.to_string(),
        },
    }
}

fn recent(charge: &RecordedCharge, chain_id: &str) -> RecentSettlement {
    RecentSettlement {
        signature: charge.signature.to_string(),
        recipient: charge.recipient.to_string(),
        amount: charge.amount.to_string(),
        network: chain_id.to_owned(),
        payer: charge.payer.to_string(),
        at: timestamp::write(charge.landed_at.unwrap_or_default().saturating_mul(SECOND)),
    }
}
