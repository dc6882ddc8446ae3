//! The memo programs, and the memos by which anybody can audit our channels on chain (`spec/mpp.md` §6, §7).

use crate::domain::{amount::Amount, mpp::channel_id::PublicId, signed::parse_key};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

/// The memo program, which we write with.
pub const MEMO: Pubkey = Pubkey::from_str_const("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");
/// Its first version, which clients may still use.
pub const MEMO_V1: Pubkey = Pubkey::from_str_const("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo");
/// What each memo of ours begins with; nobody else's may, in a transaction that we sign.
pub const OURS: &str = "sotto-";

/// What the memo of an anchor begins with.
const OPEN: &str = "sotto-mpp-open:1:";

/// Whether this is a memo program.
pub fn is_memo(program: &Pubkey) -> bool {
    [MEMO, MEMO_V1].contains(program)
}

/// A memo without signers.
pub fn memo(text: &str) -> Instruction {
    Instruction { program_id: MEMO, accounts: Vec::new(), data: text.as_bytes().to_vec() }
}

/// What the anchor of a channel says: who signs its vouchers, who pays whom, and the most that is ever paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The channel.
    pub channel: PublicId,
    /// The key that signs its vouchers.
    pub signer: Pubkey,
    /// The wallet that pays.
    pub buyer: Pubkey,
    /// The wallet that is paid.
    pub seller: Pubkey,
    /// The ceiling, in base units.
    pub deposit: Amount,
}

impl Anchor {
    /// The memo's text.
    pub fn text(&self) -> String {
        let Self { channel, signer, buyer, seller, deposit } = self;
        format!("{OPEN}{}:{signer}:{buyer}:{seller}:{deposit}", channel.hex())
    }

    /// Reads a memo's text in its one spelling. That it stands in a transaction proves nothing yet.
    pub fn read(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.strip_prefix(OPEN)?.split(':').collect();
        let [channel, signer, buyer, seller, deposit] = parts.as_slice() else { return None };
        let channel = format!("ch_{channel}").parse().ok()?;
        let [signer, buyer, seller] = [parse_key(signer)?, parse_key(buyer)?, parse_key(seller)?];
        Some(Self { channel, signer, buyer, seller, deposit: Amount::parse_positive(deposit).ok()? })
    }
}

/// The memo's text of a settlement of a channel: how much it moves, and the sequence of the last voucher that it covers.
pub fn close_text(channel: &PublicId, amount: Amount, sequence: u64) -> String {
    format!("{OURS}mpp-close:1:{}:{amount}:{sequence}", channel.hex())
}
