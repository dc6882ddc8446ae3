//! The payer whose account is empty: what is known of the payer, and what the payment moves.

use super::scene::Scene;
use crate::{
    cli::error::CliError,
    client::LocalKey,
    domain::{amount::Amount, chance::OsChance},
};

/// What became of the payer with the empty account.
pub(super) struct EmptyPayer {
    /// What the answer says of the balance.
    pub(super) funding: Option<String>,
    /// The transaction that settled the call.
    pub(super) signature: String,
    /// Transfers that landed for the payer.
    pub(super) landed: u64,
    /// What the ledger captured, in base units.
    pub(super) captured: u64,
    /// What left the payer's account and what reached the merchant, in base units.
    pub(super) moved: [i128; 2],
}

/// Opens a session for the payer and pays for one call.
pub(super) async fn play(scene: &Scene<'_>) -> Result<EmptyPayer, CliError> {
    let wallet = LocalKey::generate(&OsChance);
    scene.give(&wallet, Amount::ZERO).await?;
    let before = scene.standing(&wallet).await?;
    let payer = scene.open(&wallet, scene.price).await?;
    let call = scene.call(&wallet, &payer).await?;
    let after = scene.standing(&wallet).await?;
    Ok(EmptyPayer {
        funding: call.funding,
        signature: call.signature,
        landed: after.totals.transfers - before.totals.transfers,
        captured: after.totals.captured.get() - before.totals.captured.get(),
        moved: [
            i128::from(before.payer) - i128::from(after.payer),
            i128::from(after.merchant) - i128::from(before.merchant),
        ],
    })
}
