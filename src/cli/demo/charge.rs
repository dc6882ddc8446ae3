//! A call that is paid by a charge of the Machine Payments Protocol: one plain transfer, which the buyer signs and we send.

use super::{
    cash::CashMoved,
    scene::{DemoError, PATIENCE, Scene},
    tokens,
};
use crate::{
    cli::{error::CliError, shop},
    client::{
        LocalKey,
        mpp::{BuyerTerms, MppClient},
    },
    domain::{amount::Amount, chance::OsChance, clock::SystemClock},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// What the buyer starts with, in base units of cash.
const PURSE: u64 = 1_000_000;

/// What became of it.
pub(super) struct ChargedCall {
    /// What was asked for, in base units.
    pub(super) amount: u64,
    /// The transaction that the merchant's receipt names.
    pub(super) signature: String,
    pub(super) moved: CashMoved,
    /// From the first request, answered 402, to the paid answer.
    pub(super) took: Duration,
}

/// Pays for one call.
pub(super) async fn play(scene: &Scene<'_>) -> Result<ChargedCall, CliError> {
    let wallet = LocalKey::generate(&OsChance);
    scene.give_cash(&wallet.pubkey(), PURSE).await?;
    scene.give_cash(&scene.merchant.pubkey(), 0).await?;
    let before = scene.cash_standing(&wallet).await?;
    let amount = tokens(shop::CHARGE_PRICE)?;
    let (signature, took) = buy(scene, &wallet, amount).await?;
    let moved = CashMoved::between(&before, &scene.cash_standing(&wallet).await?);
    Ok(ChargedCall { amount: amount.get(), signature, moved, took })
}

/// Asks, pays, and is served; gives the transaction, and how long it took.
async fn buy(scene: &Scene<'_>, wallet: &LocalKey, limit: Amount) -> Result<(String, Duration), DemoError> {
    let terms = BuyerTerms::new(&scene.sandbox().service.network, limit).token(scene.cash());
    let client = MppClient::new(Arc::new(wallet.clone()), terms, PATIENCE, Arc::new(SystemClock)).map_err(Box::new)?;
    let started = Instant::now();
    let bought = client.get(scene.charge_route()?).await.map_err(Box::new)?;
    let (took, status) = (started.elapsed(), bought.response.status());
    let unserved = |what| DemoError::Unserved { status, what };
    if !status.is_success() {
        return Err(unserved("and served nothing"));
    }
    let receipt = bought.receipt.ok_or_else(|| unserved("without a receipt"))?;
    Ok((receipt.reference, took))
}

impl ChargedCall {
    /// What has to hold of it: each a figure, what was found and what is due.
    pub(super) fn checks(&self) -> [(&'static str, i128, i128); 5] {
        let (amount, moved) = (i128::from(self.amount), &self.moved);
        [
            ("base units that the buyer lost by the charge", moved.buyer_loss(), amount),
            ("base units that the merchant gained by the charge", moved.merchant_growth(), amount),
            ("transactions of the charge on chain", i128::from(moved.transactions), 1),
            ("transactions of the charge in the ledger", i128::from(moved.landed), 1),
            ("lamports gone by the charge, of the fees booked", moved.lamports_gone, i128::from(moved.fees)),
        ]
    }

    /// The figures for programs: base units, lamports and milliseconds.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "amount": self.amount,
            "signature": self.signature,
            "moved": self.moved.to_json(),
            "latency_ms": super::figures::milliseconds(self.took),
        })
    }
}
