//! What the demo tells of charge and channel, in words and tables.

use super::{
    cash::CashMoved,
    figures::{Figures, milliseconds},
    story::{Story, decimal, signed},
};
use crate::cli::error::CliError;

impl Story {
    pub(super) fn charge(&self, figures: &Figures) -> Result<(), CliError> {
        let Some(charge) = &figures.charge else { return Ok(()) };
        self.tell(format_args!(
            "By the Machine Payments Protocol the merchant is paid in plain tokens, which everybody sees. A buyer without SOL signed a\n\
             transfer of {} for one call, and the facilitator sent it and paid its fee. It took {:.1} ms ({:.18}…).\n\n{}\n\
             {} transaction, {} lamports of fees.\n",
            decimal(charge.amount),
            milliseconds(charge.took),
            charge.signature,
            balances(&charge.moved),
            charge.moved.transactions,
            charge.moved.fees,
        ))
    }

    pub(super) fn channel(&self, figures: &Figures) -> Result<(), CliError> {
        let Some(channel) = &figures.channel else { return Ok(()) };
        let (took, closed) = (milliseconds(channel.streaming), &channel.closed);
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let each = took / channel.asked.max(1) as f64;
        self.tell(format_args!(
            "Another buyer let the facilitator move {} at most, opened a channel to the merchant, and drew {} vouchers of {}, for each\n\
             of which the merchant served: {each:.2} ms each, signed and remembered on disk on both sides. The close settled what the\n\
             last one says, {}, after {:.1} ms; {} of the deposit never left the buyer's account.\n\n{}",
            decimal(channel.deposit),
            closed.vouchers,
            decimal(channel.price),
            decimal(closed.settled.get()),
            milliseconds(channel.closing),
            decimal(closed.refunded.get()),
            balances(&channel.all),
        ))?;
        let row = |what: &str, moved: &CashMoved| {
            let CashMoved { transactions, fees, rent, lamports_gone, .. } = moved;
            format!("{what:<12} {transactions:>12} {fees:>12} {rent:>12} {lamports_gone:>12}")
        };
        self.tell(format_args!(
            "owed         {:>38}\nsettled      {:>38}\n\nlamports     {:>12} {:>12} {:>12} {:>12}\n{}\n{}\n{}\n\n\
             {} vouchers are {} transactions: the channel's anchor, by which anybody can audit it, and its settlement.\n",
            decimal(channel.owed),
            decimal(closed.settled.get()),
            "transactions",
            "fees",
            "rent lent",
            "gone",
            row("grant", &channel.grant),
            row("channel", &channel.channel),
            row("together", &channel.all),
            closed.vouchers,
            channel.channel.transactions,
        ))
    }
}

/// The balances of buyer and merchant, before and after.
fn balances(moved: &CashMoved) -> String {
    let row = |who: &str, [before, after]: [u64; 2]| {
        let change = signed(i128::from(after) - i128::from(before));
        format!("{who:<12} {:>12} {:>12} {change:>12}\n", decimal(before), decimal(after))
    };
    let head = format!("cash         {:>12} {:>12} {:>12}\n", "before", "after", "change");
    head + &row("buyer", moved.buyer) + &row("merchant", moved.merchant)
}
