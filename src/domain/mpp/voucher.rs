//! Vouchers: a channel's key says what its seller is owed so far (`spec/mpp.md` §8).
//!
//! A voucher proves nothing by itself, because anybody can make a key and sign: the issuer's certificate says which key speaks
//! for a channel, up to which deposit and until when.

mod verify;

pub use verify::{Accepted, SeenChannel, SellerTerms, Strictness, VoucherFault, verify};

use crate::domain::{amount::Amount, clock::UnixSeconds, mpp::channel_id::PublicId};
use serde::Serialize;
use solana_pubkey::Pubkey;

/// What stands before the JSON in the signed bytes.
pub const SIGNED_PREFIX: &str = "solana-mpp-session-voucher-v1:";
/// The largest sequence: the last whole number that every reader of JSON keeps.
pub const MAX_SEQUENCE: u64 = (1 << 53) - 1;
/// The longest meter, in characters.
pub const MAX_METER: usize = 64;
/// The longest nonce, in characters.
pub const MAX_SERVER_NONCE: usize = 128;
/// The most digits of units.
const MAX_UNITS_DIGITS: usize = 19;

/// The ten members of a voucher. Names are texts here: of a voucher that somebody presents nothing is known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// The channel's public id.
    pub channel_id: String,
    /// The wallet that pays.
    pub payer: String,
    /// The wallet that is paid.
    pub recipient: String,
    /// What is owed in all, settled or not, in base units.
    pub cumulative_amount: Amount,
    /// Rises by one with each voucher of the channel, from 1 to [`MAX_SEQUENCE`].
    pub sequence: u64,
    /// What is counted.
    pub meter: String,
    /// How many of it, by the buyer's word.
    pub units: u64,
    /// Of the seller's or the buyer's choice.
    pub server_nonce: String,
    /// The network, CAIP-2.
    pub chain_id: String,
    /// The program that enforces the delegation.
    pub channel_program: String,
}

/// The members in the order of RFC 8785, in which they are signed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignedJson<'a> {
    chain_id: &'a str,
    channel_id: &'a str,
    channel_program: &'a str,
    cumulative_amount: String,
    meter: &'a str,
    payer: &'a str,
    recipient: &'a str,
    sequence: u64,
    server_nonce: &'a str,
    units: String,
}

impl Voucher {
    /// The bytes that the channel's key signs.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let json = SignedJson {
            chain_id: &self.chain_id,
            channel_id: &self.channel_id,
            channel_program: &self.channel_program,
            cumulative_amount: self.cumulative_amount.to_string(),
            meter: &self.meter,
            payer: &self.payer,
            recipient: &self.recipient,
            sequence: self.sequence,
            server_nonce: &self.server_nonce,
            units: self.units.to_string(),
        };
        // Texts and a whole number: serialising cannot fail, and escapes are those of JSON.stringify.
        [SIGNED_PREFIX.as_bytes(), &serde_json::to_vec(&json).unwrap_or_default()].concat()
    }
}

/// Reads units: one to nineteen decimal digits, the first of them not zero.
pub fn read_units(text: &str) -> Option<u64> {
    let is_plain = text.len() <= MAX_UNITS_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain && !text.starts_with('0') { text.parse().ok() } else { None }
}

/// What an issuer certifies of a channel when it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// The channel.
    pub channel: PublicId,
    /// The key that signs its vouchers.
    pub signer: Pubkey,
    /// The wallet that pays.
    pub payer: Pubkey,
    /// The wallet that is paid.
    pub recipient: Pubkey,
    /// The most that is ever paid, in base units.
    pub deposit: Amount,
    /// The network, CAIP-2.
    pub chain_id: String,
    /// The program that enforces the delegation.
    pub channel_program: Pubkey,
    /// Vouchers are good before this second.
    pub expires: UnixSeconds,
}

impl Certified {
    /// The text that the issuer signs.
    pub fn text(&self) -> String {
        let Self { channel, signer, payer, recipient, deposit, chain_id, channel_program, expires } = self;
        format!(
            "sotto-mpp-channel:1:{channel}:{signer}:{payer}:{recipient}:{deposit}:{chain_id}:{channel_program}:{expires}"
        )
    }
}

/// A certificate as it travels with a voucher; its text is rebuilt from the voucher's members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The issuer's signature.
    pub signature: [u8; 64],
    /// The certified deposit.
    pub deposit: Amount,
    /// The certified end, Unix seconds.
    pub expires: UnixSeconds,
}

/// A voucher as a buyer presents it to a seller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// Its ten members.
    pub voucher: Voucher,
    /// What was signed: those members and whatever else stood in the object.
    pub signed_bytes: Vec<u8>,
    /// Base64 of the signature, as it was sent.
    pub signature: String,
    /// Base58 of the key, as it was sent.
    pub signer: String,
    /// What the signature is said to be.
    pub signature_type: String,
    /// The issuer's word for the key, if any came along.
    pub certificate: Option<Certificate>,
}
