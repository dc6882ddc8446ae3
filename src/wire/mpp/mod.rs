//! What goes over HTTP for the Machine Payments Protocol (`spec/mpp.md`): bodies of charges, sign-ins, vouchers, and the headers
//! of the published standard.
//!
//! Charge bodies are camelCase. Members that are not known are ignored, `null` is absent, and a member given twice is refused.

pub mod canonical;
pub mod challenge;
pub mod charge;
pub mod credential;
pub mod keys;
pub mod mcp;
pub mod onboard;
pub mod problem;
pub mod receipt;
pub mod session;
pub mod session_challenge;
pub mod siwx;
pub mod stats;
pub mod voucher;

/// The method's name in challenges, credentials and receipts.
pub const METHOD: &str = "dexter";
/// The intent of a charge.
pub const INTENT_CHARGE: &str = "charge";
/// The authentication scheme of challenges and credentials.
pub const SCHEME: &str = "Payment";
/// USDC on mainnet, which sellers who name no token are paid in.
pub const USDC_MAINNET: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
/// USDC on devnet.
pub const USDC_DEVNET: &str = "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU";
/// The decimals of USDC.
pub const USDC_DECIMALS: u8 = 6;

/// The longest credential, challenge or receipt that is read, in characters.
pub const MAX_HEADER_LENGTH: usize = 64 * 1024;
