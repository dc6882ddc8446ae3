//! The demo's calls again, deferred: answered when they are held, carried together when the payer closes the session.

use super::scene::{DemoError, Scene};
use crate::{
    cli::error::CliError,
    client::{self, LocalKey, Payer},
    domain::chance::OsChance,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// What they took and cost.
pub(super) struct DeferredCalls {
    pub(super) calls: u64,
    /// Base units that the payer's client paid.
    pub(super) paid: u64,
    /// Transfers that carried them.
    pub(super) transfers: u64,
    /// What the ledger captured, in base units.
    pub(super) captured: u64,
    /// What left the payer's account and what reached the merchant's, in base units.
    pub(super) moved: [i128; 2],
    /// What the ledger booked for all of them, in lamports.
    pub(super) lamports: u64,
    /// From the first request, answered 402, to the end of the paid answer.
    pub(super) median: Duration,
    /// From the request to close the session to its final totals.
    pub(super) closing: Duration,
    /// How the session stood then.
    pub(super) state: String,
}

/// Pays for `calls` calls at the deferred route, and closes the session.
pub(super) async fn play(
    scene: &Scene<'_>,
    wallet: &LocalKey,
    payer: &Payer,
    calls: u32,
) -> Result<DeferredCalls, CliError> {
    let before = scene.standing(wallet).await?;
    // Reading balances has its own price; these calls' own begins here and ends with the close.
    let opened = scene.totals().await?;
    let mut latencies = Vec::new();
    let mut paid = 0;
    for _ in 0..calls {
        let call = scene.deferred_call(payer).await?;
        paid += call.amount.get();
        latencies.push(call.latency);
    }
    latencies.sort_unstable();
    let started = Instant::now();
    let closed = client::close(payer.session(), &OsChance).await.map_err(DemoError::from)?;
    let closing = started.elapsed();
    let paid_for = scene.totals().await?;
    let after = scene.standing(wallet).await?;
    let booked: u64 = super::figures::booked(&opened, &paid_for).iter().sum();
    Ok(DeferredCalls {
        calls: calls.into(),
        paid,
        transfers: after.totals.transfers - before.totals.transfers,
        captured: after.totals.captured.get() - before.totals.captured.get(),
        moved: [
            i128::from(before.payer) - i128::from(after.payer),
            i128::from(after.merchant) - i128::from(before.merchant),
        ],
        lamports: booked,
        median: latencies.get(latencies.len() / 2).copied().unwrap_or_default(),
        closing,
        state: closed.session.state.unwrap_or_default(),
    })
}

impl DeferredCalls {
    pub(super) fn lamports_per_call(&self) -> u64 {
        self.lamports / self.calls.max(1)
    }

    /// What has to hold of them: each a figure, what was found and what is due.
    pub(super) fn checks(&self) -> [(&'static str, i128, i128); 4] {
        let paid = i128::from(self.paid);
        [
            ("base units captured of the deferred calls, of those paid", i128::from(self.captured), paid),
            ("base units that the payer lost by the deferred calls", self.moved[0], paid),
            ("base units that the merchant gained by the deferred calls", self.moved[1], paid),
            ("sessions closed after the deferred calls", i128::from(self.state == "closed"), 1),
        ]
    }

    /// The figures for programs: base units, lamports and milliseconds.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "payments": self.calls,
            "landed": self.transfers,
            "amount_paid": self.paid,
            "captured": self.captured,
            "payer_loss": self.moved[0],
            "merchant_growth": self.moved[1],
            "lamports_total": self.lamports,
            "lamports_per_call": self.lamports_per_call(),
            "latency_ms_median": super::figures::milliseconds(self.median),
            "closing_ms": super::figures::milliseconds(self.closing),
            "state": self.state,
        })
    }
}
