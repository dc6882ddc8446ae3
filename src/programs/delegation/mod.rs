//! A buyer's delegation: the standing grant from which channels are settled, by one of two programs (`spec/mpp.md` §6).
//!
//! - [`session_account`]: a token account of the buyer's whose delegate we are.
//! - [`swig`]: a Swig wallet with a role for us.
//! - [`Granted`]: either of them, to read and to settle by.
//!
//! Every template is the whole of a transaction's instructions, so that a buyer's client can compare it before it signs.

mod granted;
pub mod session_account;
pub mod swig;

pub use granted::{Granted, GrantedReading, token_account};

use crate::{
    domain::{amount::Amount, mpp::channel_id::PublicId},
    programs::{
        compute_budget,
        memo::{self, Anchor},
    },
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

/// The compute units of an anchor.
const ANCHOR_UNITS: u32 = 60_000;
/// What each of our transactions pays for compute, in micro-lamports a unit.
pub const UNIT_PRICE: u64 = 1;

/// What a settlement of a channel moves, and for which vouchers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The channel.
    pub channel: PublicId,
    /// The wallet whose associated account is paid.
    pub seller: Pubkey,
    /// How much, in base units.
    pub amount: Amount,
    /// The sequence of the last voucher that it covers.
    pub sequence: u64,
}

impl Settled {
    fn memo(&self) -> Instruction {
        memo::memo(&memo::close_text(&self.channel, self.amount, self.sequence))
    }
}

/// The transaction that anchors a channel: nothing but the memo, so that nothing else can pass for one.
pub fn anchor(anchor: &Anchor) -> Vec<Instruction> {
    template(ANCHOR_UNITS, [memo::memo(&anchor.text())])
}

/// A template: the compute budget and what follows it.
fn template(units: u32, instructions: impl IntoIterator<Item = Instruction>) -> Vec<Instruction> {
    let compute = [compute_budget::limit(units), compute_budget::price(UNIT_PRICE)];
    compute.into_iter().chain(instructions).collect()
}
