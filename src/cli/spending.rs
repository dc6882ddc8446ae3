//! `sotto spending`: what was spent for strangers, by purpose, by merchant and by hour.

use super::{
    Global,
    error::CliError,
    output::{json, say, table},
    warn,
};
use crate::{
    config::LedgerConfig,
    domain::{
        budget::Spending as Row,
        clock::{Clock as _, HOUR, SystemClock, UnixSeconds},
        settlement::Cost,
    },
    ledger,
};
use clap::Args;
use serde::Serialize;
use std::{collections::BTreeMap, path::PathBuf};

/// Tell what was spent on fees, rent and grants, by purpose, by merchant, and by hour
///
/// Reads the ledger beside a running service. `reserved` is what transactions with an open outcome may yet cost; it counts
/// against the budgets of [budgets] like what is spent.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sotto spending             the last 24 hours\n  sotto spending --hours 1\n  \
                        sotto spending --json      lamports, for programs")]
pub(super) struct Spending {
    /// How many hours to look back, the current one included
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=87_600))]
    hours: u64,
    /// The ledger's file (ledger.path)
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Lamports of one line.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Sum {
    transactions: u64,
    fee: u64,
    rent: u64,
    grant: u64,
    reserved: u64,
}

impl Sum {
    fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut sum = Self::default();
        rows.into_iter().for_each(|row| sum.add(row));
        sum
    }

    fn add(&mut self, row: &Row) {
        let Cost { fee, rent, grant } = row.spent;
        self.transactions = self.transactions.saturating_add(row.landed);
        self.fee = self.fee.saturating_add(fee);
        self.rent = self.rent.saturating_add(rent);
        self.grant = self.grant.saturating_add(grant);
        self.reserved = self.reserved.saturating_add(row.reserved.total());
    }

    fn total(self) -> u64 {
        self.fee.saturating_add(self.rent).saturating_add(self.grant)
    }

    fn cells(self, name: String) -> [String; 7] {
        let [fee, rent, grant, total, reserved] =
            [self.fee, self.rent, self.grant, self.total(), self.reserved].map(|lamports| lamports.to_string());
        [name, self.transactions.to_string(), fee, rent, grant, total, reserved]
    }
}

impl Spending {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let path = if let Some(path) = &self.ledger {
            path.clone()
        } else {
            let (config, warnings) = global.layers(Vec::new()).extract(LedgerConfig::read)?;
            warn(&warnings);
            config.path
        };
        let now = SystemClock.now();
        let since = (now / HOUR).saturating_sub(self.hours - 1) * HOUR;
        let rows = ledger::look_at_spending(&path, since)?;
        if self.json { tell_programs(&rows, since) } else { tell_people(&rows, now) }
    }
}

fn by<K: Ord>(rows: &[Row], key: impl Fn(&Row) -> K) -> BTreeMap<K, Sum> {
    let mut sums = BTreeMap::new();
    for row in rows {
        let sum: &mut Sum = sums.entry(key(row)).or_default();
        sum.add(row);
    }
    sums
}

/// A merchant's wallet; the operator's own transactions serve none.
fn merchant(row: &Row) -> String {
    row.recipient.map_or_else(|| "(none)".to_owned(), |key| key.to_string())
}

fn tell_programs(rows: &[Row], since: UnixSeconds) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Line<'a, K> {
        #[serde(flatten)]
        key: BTreeMap<&'a str, K>,
        #[serde(flatten)]
        sum: Sum,
    }
    fn lines<K: Ord + Serialize>(name: &str, sums: BTreeMap<K, Sum>) -> Vec<Line<'_, K>> {
        sums.into_iter().map(|(key, sum)| Line { key: BTreeMap::from([(name, key)]), sum }).collect()
    }
    json(&serde_json::json!({
        "since": since,
        "all": Sum::of(rows),
        "byPurpose": lines("purpose", by(rows, |row| row.purpose.word())),
        "byMerchant": lines("merchant", by(rows, merchant)),
        "byHour": lines("hour", by(rows, |row| row.hour)),
    }))
}

fn tell_people(rows: &[Row], now: UnixSeconds) -> Result<(), CliError> {
    let header = |first| [first, "transactions", "fees", "rent", "grants", "total", "reserved"];
    let named = |sums: BTreeMap<String, Sum>| sums.into_iter().map(|(name, sum)| sum.cells(name));
    let all = std::iter::once(Sum::of(rows).cells("all, in lamports".to_owned()));
    table(header("purpose"), named(by(rows, |row| row.purpose.word().to_owned())).chain(all))?;
    say("")?;
    table(header("merchant"), named(by(rows, merchant)))?;
    say("")?;
    let ago = |hour: u64| match (now / HOUR).saturating_sub(hour / HOUR) {
        0 => "this hour".to_owned(),
        hours => format!("{hours} h ago"),
    };
    table(header("hour"), by(rows, |row| row.hour).into_iter().map(|(hour, sum)| sum.cells(ago(hour))))
}
