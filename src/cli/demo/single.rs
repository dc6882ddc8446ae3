//! One payment more, without the session: the payer's wallet signs the transfer itself.

use super::scene::Scene;
use crate::{cli::error::CliError, client::LocalKey};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// What became of it.
pub(super) struct OncePaid {
    /// What was asked for, in base units.
    pub(super) amount: u64,
    /// The transaction that paid.
    pub(super) signature: String,
    /// What the answer says of the balance.
    pub(super) funding: Option<String>,
    /// What the ledger has as paid once, in base units.
    pub(super) recorded: u64,
    /// What left the payer's account and what reached the merchant's, in base units.
    pub(super) moved: [i128; 2],
    /// From the first request to the answer.
    pub(super) took: Duration,
}

/// Pays the merchant the price of a call.
pub(super) async fn play(scene: &Scene<'_>, wallet: &LocalKey) -> Result<OncePaid, CliError> {
    let before = scene.standing(wallet).await?;
    let started = Instant::now();
    let receipt = scene.pay_once(wallet).await?;
    let took = started.elapsed();
    let after = scene.standing(wallet).await?;
    Ok(OncePaid {
        amount: scene.price.get(),
        signature: receipt.transaction.to_string(),
        funding: receipt.funding,
        recorded: after.totals.single.get() - before.totals.single.get(),
        moved: [
            i128::from(before.payer) - i128::from(after.payer),
            i128::from(after.merchant) - i128::from(before.merchant),
        ],
        took,
    })
}

impl OncePaid {
    /// What has to hold of it: each a figure, what was found and what is due.
    pub(super) fn checks(&self) -> [(&'static str, i128, i128); 3] {
        let amount = i128::from(self.amount);
        [
            ("base units recorded of the single payment", i128::from(self.recorded), amount),
            ("base units that the payer lost by the single payment", self.moved[0], amount),
            ("base units that the merchant gained by the single payment", self.moved[1], amount),
        ]
    }

    /// The figures for programs: base units and milliseconds.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "amount": self.amount,
            "signature": self.signature,
            "funding": self.funding,
            "recorded": self.recorded,
            "payer_loss": self.moved[0],
            "merchant_growth": self.moved[1],
            "latency_ms": super::figures::milliseconds(self.took),
        })
    }
}
