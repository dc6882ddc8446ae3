//! Why a command did not do what it was asked for.

#[cfg(feature = "localnet")]
use super::local_network::LocalNetworkError;
use super::wiring::WiringError;
#[cfg(feature = "client")]
use super::{buyer::BuyerError, payer::PayerError};
#[cfg(all(feature = "client", feature = "merchant", feature = "localnet"))]
use super::{demo::DemoError, dev::DevError};
use super::{keygen::KeygenError, settlement::NotWritten};
use crate::{config::Faults, telemetry::TelemetryError};
use std::net::SocketAddr;

/// Why a command failed; its exit code is 1.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The configuration is wrong.
    #[error(transparent)]
    Configuration(#[from] Faults),
    /// The configuration is wrong, and the result has already told how.
    #[error("the configuration is not valid")]
    NotValid,
    /// The doctor found something, and the result has already told what.
    #[error("something is not as it should be")]
    Unwell,
    /// No key was made.
    #[error(transparent)]
    Keygen(#[from] KeygenError),
    /// Logs could not be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The local network did not start.
    #[cfg(feature = "localnet")]
    #[error(transparent)]
    LocalNetwork(#[from] LocalNetworkError),
    /// The demo did not come to its end, or did not add up.
    #[cfg(all(feature = "client", feature = "merchant", feature = "localnet"))]
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// The sandbox's state directory cannot be used.
    #[cfg(all(feature = "client", feature = "merchant", feature = "localnet"))]
    #[error(transparent)]
    Dev(#[from] DevError),
    /// The sandbox's merchant sells nothing.
    #[cfg(all(feature = "client", feature = "merchant", feature = "localnet"))]
    #[error(transparent)]
    Gate(#[from] crate::merchant::GateError),
    /// The sandbox's merchant cannot reach its facilitator.
    #[cfg(all(feature = "client", feature = "merchant", feature = "localnet"))]
    #[error("the merchant cannot be set up")]
    Merchant(#[from] crate::merchant::facilitator::SetupError),
    /// The sandbox's merchant cannot be paid in cash.
    #[cfg(all(feature = "client", feature = "merchant", feature = "localnet"))]
    #[error("the merchant cannot sell by MPP")]
    Cash(#[from] super::sandbox::CashError),
    /// The service did not start.
    #[error(transparent)]
    Wiring(#[from] WiringError),
    /// What an operator said of a settlement was not written.
    #[error(transparent)]
    NotWritten(#[from] NotWritten),
    /// The ledger cannot be read.
    #[error("the ledger cannot be read; check ledger.path")]
    Ledger(#[from] crate::ledger::OpenLedgerError),
    /// The address to listen on is taken or not ours.
    #[error("cannot listen on {address}; check server.bind and server.port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The operating system lets the process have too few files and connections.
    #[error(
        "at most {limit} file descriptors are allowed, and {least} are the least; raise the limit (ulimit -n, LimitNOFILE)"
    )]
    Descriptors {
        /// How many the process may have.
        limit: usize,
        /// How many it needs to serve one caller.
        least: usize,
    },
    /// An amount on the command line.
    #[cfg(feature = "client")]
    #[error("an amount is written in whole tokens, as in 0.25")]
    Amount(#[from] crate::domain::amount::AmountError),
    /// A payer's command: no session, no payment, no balance.
    #[cfg(feature = "client")]
    #[error(transparent)]
    Payer(#[from] PayerError),
    /// A buyer's command: no charge, no channel, no voucher.
    #[cfg(feature = "client")]
    #[error(transparent)]
    Buyer(#[from] BuyerError),
    /// The receipts are not proved.
    #[cfg(all(feature = "client", feature = "merchant"))]
    #[error(transparent)]
    Receipts(#[from] super::receipts::ReceiptsError),
    /// A signed receipt is not verified.
    #[cfg(all(feature = "client", feature = "merchant"))]
    #[error(transparent)]
    VerifyReceipt(#[from] super::verify_receipt::VerifyError),
    /// The operating system refused: standard output, threads, signals.
    #[error("the operating system refused")]
    System(#[from] std::io::Error),
    /// The result could not be put into JSON.
    #[error("the result cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl CliError {
    /// The exit code: 3 where something was sent whose outcome is not known, else 1.
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            #[cfg(feature = "client")]
            Self::Payer(error) if error.is_undecided() => 3,
            #[cfg(feature = "client")]
            Self::Buyer(error) if error.is_undecided() => 3,
            _ => 1,
        }
    }
}
