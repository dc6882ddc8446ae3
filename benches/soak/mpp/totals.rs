//! What came of it, for people and for programs.

use crate::report::told;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Counts and sums; amounts in base units.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub(super) charges: u64,
    pub(super) paid: u64,
    pub(super) charged: u64,
    pub(super) channels: u64,
    pub(super) vouchers: u64,
    /// What sellers were shown, what of it was settled, and what nobody can pay any more.
    pub(super) shown: u64,
    pub(super) settled: u64,
    pub(super) shortfall: u64,
    /// Channels in the ledger that no buyer heard of.
    pub(super) unheard: u64,
    /// Channels by why they ended; those of honest buyers alone.
    pub(super) reasons: BTreeMap<String, u64>,
    /// Refusals for good, by what was asked for and the word.
    pub(super) refused: BTreeMap<String, u64>,
    /// How often something was done.
    pub(super) done: BTreeMap<&'static str, u64>,
    /// Lamports of rent that came back.
    pub(super) returned: u64,
}

impl Totals {
    /// Lamports of rent that were lent for session accounts and came back.
    pub const fn returned(&self) -> u64 {
        self.returned
    }

    pub fn object(&self) -> Value {
        json!({
            "charges": self.charges,
            "chargesPaid": self.paid,
            "charged": self.charged,
            "channels": self.channels,
            "vouchers": self.vouchers,
            "shown": self.shown,
            "settled": self.settled,
            "shortfall": self.shortfall,
            "channelsUnheardOf": self.unheard,
            "reasonsOfHonestChannels": self.reasons,
            "refused": self.refused,
            "done": self.done,
            "rentReturned": self.returned,
        })
    }

    /// Lines of the table.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        vec![
            ("charges, of them paid, base units", format!("{}, {}, {}", self.charges, self.paid, self.charged)),
            ("channels, vouchers", format!("{}, {}", self.channels, self.vouchers)),
            (
                "of vouchers: shown, settled, told as shortfall",
                format!("{}, {}, {}", self.shown, self.settled, self.shortfall),
            ),
            ("channels that no buyer heard of", self.unheard.to_string()),
            ("honest buyers' channels by their end", told(&self.reasons)),
            ("of buyers", told(&self.done)),
            ("refused of buyers", told(&self.refused)),
            ("rent that came back, in lamports", self.returned.to_string()),
        ]
    }
}
