//! How the sandbox's merchant sells by the Machine Payments Protocol, by the lines that `docs/MPP.md` gives to sellers.

use crate::{
    cli::shop::{CHARGE_PRICE, CHARGE_ROUTE, CashWalls, STREAM_ROUTE, VOUCHER_PRICE},
    domain::amount::AmountError,
    merchant::{
        FacilitatorClient, Gate, GateError, Offer, Price, RouteError,
        facilitator::SetupError,
        mpp::{
            BadRealm, ChargeFault, ChargeSeller, FileStore, MppWall, SecretError, SecretKey, SessionGate, SessionSale,
            SessionWall,
            session::{SaleFault, file::OpenFault, sale::NoKeys},
        },
    },
};
use solana_pubkey::Pubkey;
use std::{path::Path, sync::Arc};

/// What the merchant's challenges name as theirs.
const REALM: &str = "localhost";
/// How many channels the merchant remembers.
const MOST_CHANNELS: usize = 100_000;

/// Why the merchant does not sell by MPP.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum CashError {
    /// The facilitator cannot be asked.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The facilitator does not tell its keys.
    #[error(transparent)]
    Facilitator(#[from] ChargeFault),
    /// What it tells are no keys.
    #[error(transparent)]
    Keys(#[from] NoKeys),
    /// The secret of challenges.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The realm of challenges.
    #[error(transparent)]
    Realm(#[from] BadRealm),
    /// A price.
    #[error("the price is no amount")]
    Price(#[from] AmountError),
    /// The route of charges.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The route of vouchers.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The terms of vouchers.
    #[error(transparent)]
    Sale(#[from] SaleFault),
    /// The file of channels.
    #[error("{path} cannot be used")]
    Channels {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: OpenFault,
    },
}

/// What the merchant sells by: to whom what is paid goes, and what is remembered of it.
pub(super) struct CashTerms<'a> {
    /// The facilitator's URL.
    pub(super) facilitator: &'a str,
    /// The token.
    pub(super) mint: Pubkey,
    /// The merchant's wallet.
    pub(super) recipient: Pubkey,
    /// What challenges are bound with.
    pub(super) secret: &'a str,
    /// The file of the channels that were served, so that a restart does not serve for old vouchers again.
    pub(super) channels: &'a Path,
}

/// Asks the facilitator for its keys, and makes of them what stands before the two routes.
pub(super) async fn walls(terms: CashTerms<'_>) -> Result<CashWalls, CashError> {
    let client = FacilitatorClient::new(terms.facilitator)?;
    let keys = client.mpp_keys().await?;
    let seller = ChargeSeller::new(client.clone(), REALM, SecretKey::new(terms.secret)?)?;
    let price = Price::decimal(CHARGE_PRICE, keys.decimals)?;
    let offer = Offer::new(&keys.network, terms.mint, terms.recipient, price);
    let gate = Gate::new(&format!("GET {CHARGE_ROUTE}"), offer.described("The weather, a call", "application/json"))?;
    let price = Price::decimal(VOUCHER_PRICE, keys.decimals)?;
    let sale = SessionSale::new(terms.recipient, price).keys(&keys)?.facilitator(client);
    let channels = FileStore::open(terms.channels, MOST_CHANNELS);
    let channels =
        channels.map_err(|source| CashError::Channels { path: terms.channels.display().to_string(), source })?;
    let session = SessionGate::new(sale.named_facilitator(terms.facilitator), Arc::new(channels))?;
    let vouchers = SessionWall::new(session, &format!("GET {STREAM_ROUTE}"))?.units(1);
    Ok(CashWalls { charges: MppWall::new(seller, gate), vouchers })
}
