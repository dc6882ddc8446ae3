//! Sums that hold at every moment, so also right after a kill: what moved on chain is in the ledger, whatever the process was
//! at, and so is what was told.

use crate::{Outcome, books::booked, stage::Stage};
use rusqlite::{Connection, OpenFlags};
use solana_pubkey::Pubkey;
use std::{collections::BTreeMap, path::Path};

/// What somebody who pays had in the beginning.
#[derive(Clone, Debug)]
pub struct Purse {
    pub name: String,
    pub wallet: Pubkey,
    /// Where the owner puts money aside; what is there is not spent.
    pub stash: Option<Pubkey>,
    /// Whom sessions of this purse pay.
    pub merchant: Pubkey,
    /// Base units.
    pub means: u64,
    /// What the owner approved, in base units, where they approve once and for all.
    pub cap: Option<u64>,
}

/// Whose money is watched.
#[derive(Clone, Debug)]
pub struct Accounts {
    pub purses: Vec<Purse>,
    pub merchants: Vec<Pubkey>,
    /// Who pays fees.
    pub sponsors: Vec<Pubkey>,
    /// Lamports that they were given.
    pub given: u64,
    /// Whether a transfer lowers what is left of an approve.
    pub lowers: bool,
}

/// What the chain and the payers know at one moment.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Lamports.
    pub spent: u64,
    /// Base units that left each purse.
    pub moved: Vec<u64>,
    /// Base units that are left of what each of them approved.
    pub delegated: Vec<u64>,
    /// Base units that each merchant has.
    pub grown: Vec<u64>,
    /// Base units that were told as paid to each merchant.
    pub told: Vec<u64>,
}

impl Accounts {
    /// Looks at the chain, in one state of it.
    pub async fn look(&self, stage: &Stage, told: Vec<u64>) -> Outcome<Seen> {
        let stashes = self.purses.iter().map(|purse| purse.stash.unwrap_or(purse.wallet));
        let keys: Vec<_> = (self.sponsors.iter().copied())
            .chain(self.purses.iter().map(|purse| purse.wallet))
            .chain(stashes)
            .chain(self.merchants.iter().copied())
            .collect();
        let found = stage.holdings(&keys).await?;
        let (sponsors, found) = found.split_at_checked(self.sponsors.len()).ok_or("no holdings")?;
        let left = sponsors.iter().map(|sponsor| sponsor.lamports).sum();
        let (wallets, found) = found.split_at(self.purses.len());
        let (stashes, merchants) = found.split_at(self.purses.len());
        let mut moved = Vec::new();
        for (purse, (wallet, stash)) in self.purses.iter().zip(wallets.iter().zip(stashes)) {
            let left = wallet.units + if purse.stash.is_some() { stash.units } else { 0 };
            moved.push(purse.means.checked_sub(left).ok_or_else(|| format!("{} got richer", purse.name))?);
        }
        Ok(Seen {
            spent: self.given.checked_sub(left).ok_or("the sponsor got richer")?,
            moved,
            delegated: wallets.iter().map(|wallet| wallet.delegated).collect(),
            grown: merchants.iter().map(|merchant| merchant.units).collect(),
            told,
        })
    }

    /// What of it is not in this ledger, which is one that was written to until that moment.
    pub fn compare(&self, ledger: &Path, seen: &Seen) -> Outcome<Vec<String>> {
        let mut broken = Vec::new();
        let booked = booked(ledger)?;
        if seen.spent > booked {
            broken.push(format!("the sponsor spent {} lamports, and {booked} are booked", seen.spent));
        }
        let (by_user, to) = (claimed(ledger, "user")?, claimed(ledger, "recipient")?);
        for (purse, moved) in self.purses.iter().zip(&seen.moved) {
            let (_, claimed) = by_user.get(&purse.wallet).copied().unwrap_or_default();
            if *moved > claimed {
                broken.push(format!("{} lost {moved}, and {claimed} is captured or held", purse.name));
            }
        }
        broken.extend(self.approved(seen));
        for (number, ((merchant, grown), told)) in self.merchants.iter().zip(&seen.grown).zip(&seen.told).enumerate() {
            let (_, claimed) = to.get(merchant).copied().unwrap_or_default();
            if *grown > claimed {
                broken.push(format!("merchant {number} got {grown}, and {claimed} is captured or held for it"));
            }
            if *told > claimed {
                broken.push(format!("merchant {number} was told of {told}, and {claimed} is captured or held for it"));
            }
        }
        Ok(broken)
    }

    /// What contradicts in the approves themselves: where transfers lower them, they are lower by what moved, and untouched
    /// where not.
    fn approved(&self, seen: &Seen) -> Vec<String> {
        let each = self.purses.iter().zip(seen.moved.iter().zip(&seen.delegated));
        let contradiction = |(purse, (moved, left)): (&Purse, (&u64, &u64))| {
            let used = purse.cap?.checked_sub(*left);
            let due = if self.lowers { *moved } else { 0 };
            let Purse { name, .. } = purse;
            (used != Some(due))
                .then(|| format!("{name} lost {moved}, and {left} is left of the approve of {:?}", purse.cap))
        };
        each.filter_map(contradiction).collect()
    }
}

/// What is captured, and captured or held, of the sessions of each user or recipient; the ledger lets no session's pass its cap.
pub fn claimed(ledger: &Path, of: &str) -> Outcome<BTreeMap<Pubkey, (u64, u64)>> {
    let reader = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = reader.prepare(&format!(
        "SELECT s.{of}, sum(m.captured), sum(m.captured + m.held) FROM sessions s JOIN session_sums m ON m.session = s.seq \
         GROUP BY s.{of}"
    ))?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
    rows.map(|row| {
        let (key, captured, claimed) = row?;
        Ok((Pubkey::new_from_array(key), (captured.unsigned_abs(), claimed.unsigned_abs())))
    })
    .collect()
}
