//! What came of it, for people and for programs.

use crate::{
    Args, mpp,
    payment::{Answer, Payment},
    swag::Swag,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

#[derive(Default)]
pub struct Report {
    seed: u64,
    faults: bool,
    allowances: String,
    delegation: String,
    /// Whether the weather hides transactions beside a liar.
    pub hiding: bool,
    /// Lamports of transfers that failed on chain after every voice had denied them: in no book.
    pub hidden_fees: u64,
    pub kills: u64,
    pub stillborn: u64,
    pub audits: u64,
    pub storms: u64,
    /// Answers that the liar changed or made up, by what they were.
    pub lies: BTreeMap<&'static str, u64>,
    pub swag: Option<Swag>,
    /// Of charges and channels.
    pub mpp: mpp::Totals,
    pub ready_after: Vec<Duration>,
    payments: u64,
    paid: u64,
    /// Of those paid, told as covered by a proof.
    proven: u64,
    /// Payments from which a proof was demanded.
    demanded: u64,
    refused: BTreeMap<String, u64>,
    /// In base units.
    pub captured: u64,
    /// What the sponsor spent.
    pub lamports: u64,
    /// Transactions that were signed, and of those the ones that landed without an error and with one.
    pub signed: u64,
    pub landed: u64,
    pub failed: u64,
    pub took: Duration,
    /// What must not be; nothing, if all is well.
    pub broken: Vec<String>,
}

impl Report {
    pub fn new(seed: u64, args: &Args) -> Self {
        let Args { faults, hiding, .. } = *args;
        let (allowances, delegation) = (args.allowances.clone(), args.delegation.clone());
        Self { seed, faults, allowances, delegation, hiding, ..Self::default() }
    }

    /// Counts a payment by its answer.
    pub fn count(&mut self, payment: &Payment) {
        self.payments += 1;
        self.demanded += u64::from(payment.terms.demands_proof());
        match &payment.answer {
            Answer::Yes => {
                self.paid += 1;
                self.proven += u64::from(payment.proven);
            }
            Answer::No(reason) => *self.refused.entry(reason.clone()).or_default() += 1,
            Answer::Never => {}
        }
    }

    fn ready(&self) -> [u128; 2] {
        let mut sorted = self.ready_after.clone();
        sorted.sort_unstable();
        [sorted.get(sorted.len() / 2), sorted.last()].map(|it| it.map_or(0, Duration::as_millis))
    }

    pub fn object(&self) -> Value {
        let [median, longest] = self.ready();
        json!({
            "passed": self.broken.is_empty(),
            "broken": self.broken,
            "seed": self.seed,
            "faults": self.faults,
            "allowances": self.allowances,
            "delegation": self.delegation,
            "hiddenFees": self.hidden_fees,
            "proofDemanded": self.demanded,
            "kills": self.kills,
            "stillborn": self.stillborn,
            "audits": self.audits,
            "chainMoods": self.storms,
            "lies": self.lies,
            "mpp": self.mpp.object(),
            "thieves": self.swag.as_ref().map(Swag::object),
            "payments": self.payments,
            "paid": self.paid,
            "toldAsProven": self.proven,
            "refused": self.refused,
            "capturedBaseUnits": self.captured,
            "sponsoredLamports": self.lamports,
            "transactions": { "signed": self.signed, "landed": self.landed, "failed": self.failed },
            "readyAfterMilliseconds": { "median": median, "longest": longest },
            "seconds": self.took.as_secs(),
        })
    }

    pub fn table(&self) -> String {
        let [median, longest] = self.ready();
        let refused: u64 = self.refused.values().sum();
        let rows = [
            ("kills, and lives that ended before they were ready", format!("{}, {}", self.kills, self.stillborn)),
            ("moods of the chain", if self.faults { self.storms.to_string() } else { "fair weather".to_owned() }),
            ("lies of the first endpoint", if self.lies.is_empty() { "none".to_owned() } else { told(&self.lies) }),
            ("ledgers audited and compared right after a kill", self.audits.to_string()),
            (
                "payments, of them paid, told as proven, refused",
                format!("{}, {}, {}, {refused}", self.payments, self.paid, self.proven),
            ),
            ("of them with a proof demanded", self.demanded.to_string()),
            ("refused for", told(&self.refused)),
            ("captured, in base units", self.captured.to_string()),
            ("spent by the sponsor, in lamports", self.lamports.to_string()),
            ("of that in no book: fees that every voice denied", self.hidden_fees.to_string()),
            ("allowances, delegation", format!("{}, {}", self.allowances, self.delegation)),
            (
                "transactions signed, landed, landed with an error",
                format!("{}, {}, {}", self.signed, self.landed, self.failed),
            ),
            ("accepting again after, median and longest", format!("{median} ms, {longest} ms")),
            ("seed", self.seed.to_string()),
            ("took", format!("{} s", self.took.as_secs())),
        ];
        let mut text = String::new();
        let swag = self.swag.iter().flat_map(Swag::rows);
        for (what, value) in rows.into_iter().chain(self.mpp.rows()).chain(swag) {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{what:<52} {value}");
        }
        if self.broken.is_empty() {
            text.push_str("\nNothing lost, nothing twice, nothing held: payers, ledger and chain agree.");
        }
        for broken in &self.broken {
            let _ = writeln!(text, "BROKEN  {broken}");
        }
        text
    }
}

/// Counts by their names.
pub fn told<T: AsRef<str>>(counts: &BTreeMap<T, u64>) -> String {
    let each: Vec<_> = counts.iter().map(|(what, count)| format!("{}: {count}", what.as_ref())).collect();
    each.join(", ")
}
