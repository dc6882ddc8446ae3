//! The proofs: what buyers and sellers were told, what the ledger says and what the chain says, against each other.

use super::{
    MEANS, Market, Totals,
    channels::{Channel, parts},
    charges::Answer,
    desk::Desk,
    ledger::{self, ChannelRow, Rows},
};
use crate::Outcome;
use solana_pubkey::Pubkey;
use sotto::domain::mpp::channel_id::PublicId;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

/// Contradictions that are told one by one; more of them say nothing new.
const TOLD: usize = 20;

/// Looks at the chain and at what was told.
pub struct Watch {
    pub(super) desk: Arc<Desk>,
}

/// What was told, and what the chain has, at one moment.
pub struct Claims {
    /// The last voucher of each channel: its sum and its number.
    vouchers: Vec<(PublicId, u64, u64)>,
    /// Charges that were told as paid.
    paid: Vec<[u8; 32]>,
    /// Base units that each seller has.
    sellers: Vec<(Pubkey, u64)>,
    /// Base units that each honest buyer has lost.
    lost: Vec<(Pubkey, u64)>,
}

impl Watch {
    /// What stands now. What was told is taken first, so that it cannot be more than the ledger knows afterwards.
    pub async fn look(&self) -> Outcome<Claims> {
        let (vouchers, paid, honest) = {
            let kept = self.desk.kept();
            let last = |channel: &Channel| Some((channel.id, channel.shown(), channel.vouchers.last()?.sequence));
            let paid = kept.charges.iter().filter(|charge| charge.answer == Answer::Paid);
            let honest = kept.buyers.iter().filter(|(_, nature)| nature.is_honest()).map(|(wallet, _)| *wallet);
            (
                kept.channels.iter().filter_map(last).collect(),
                paid.map(|charge| charge.message).collect(),
                honest.collect::<Vec<_>>(),
            )
        };
        let own = |seller: &Pubkey| self.desk.accounts(*seller)[0];
        let sellers: Vec<_> = self.desk.sellers.iter().map(own).collect();
        let sellers = self.desk.cash(&sellers).await?.into_iter().map(|cash| cash.units);
        let sellers = self.desk.sellers.iter().copied().zip(sellers).collect();
        let mut lost = Vec::new();
        for (wallet, left) in honest.iter().zip(self.desk.purses(&honest).await?) {
            lost.push((*wallet, MEANS.checked_sub(left).ok_or("a buyer got richer")?));
        }
        Ok(Claims { vouchers, paid, sellers, lost })
    }
}

impl Claims {
    /// What of it is not in this ledger, which is one that was written to until that moment.
    pub fn compare(&self, ledger: &Path) -> Outcome<Vec<String>> {
        let rows = Rows::read(ledger)?;
        let mut broken = Vec::new();
        for (id, shown, sequence) in &self.vouchers {
            match rows.channel(*id) {
                Some(row) if row.cumulative >= *shown && row.sequence >= *sequence => {}
                row => {
                    broken.push(format!("{id}: voucher {sequence} of {shown} was shown, and the ledger has {row:?}"));
                }
            }
        }
        let untold = |message: &&[u8; 32]| rows.charges.get(*message).is_none_or(|charge| !charge.is_told);
        let untold = self.paid.iter().filter(untold).map(hex::encode);
        broken.extend(
            untold.map(|message| format!("charge {message} was told as paid, and the ledger does not know it")),
        );
        let (by_buyer, by_seller) = rows.claims();
        for (what, seen, claims) in [("lost", &self.lost, &by_buyer), ("got", &self.sellers, &by_seller)] {
            for (wallet, units) in seen {
                let claimed = claims.get(wallet).copied().unwrap_or(0);
                if *units > claimed {
                    broken.push(format!("{wallet} {what} {units}, and {claimed} is charged or drawn"));
                }
            }
        }
        Ok(broken)
    }
}

impl Market {
    /// Compares everything with everything, after the last answer and with no process at work; what contradicts goes into `broken`.
    pub async fn close(&self, path: &Path, broken: &mut Vec<String>) -> Outcome<Totals> {
        let (rows, vouchers) = (Rows::read(path)?, ledger::vouchers(path)?);
        let claims = self.watch().look().await?;
        let (mut totals, mut found) = {
            let mut kept = self.desk.kept();
            (kept.totals.clone(), std::mem::take(&mut kept.broken))
        };
        found.extend(claims.compare(path)?);
        self.compare_charges(&rows, &mut totals, &mut found);
        self.compare_channels(&rows, &mut totals, &mut found);
        for channel in &self.desk.kept().channels {
            for given in &channel.vouchers {
                let stored = vouchers.get(&(channel.id.to_bytes(), given.sequence));
                if stored.is_none_or(|(sum, nonce)| (*sum, nonce) != (given.amount, &given.nonce)) {
                    found.push(format!("{}: {given:?} was given, and the ledger has {stored:?}", channel.id));
                }
            }
        }
        let (by_buyer, by_seller) = rows.moved();
        found.extend(differences("lost", &claims.lost, &by_buyer));
        found.extend(differences("got", &claims.sellers, &by_seller));
        let (lent, accounts) = ledger::rent(path)?;
        let locked: u64 = self.desk.cash(&accounts).await?.iter().map(|cash| cash.lamports).sum();
        totals.returned = lent.checked_sub(locked).ok_or("session accounts have more than was lent")?;
        broken.extend(found.iter().take(TOLD).cloned());
        if found.len() > TOLD {
            broken.push(format!("and {} more of charges and channels", found.len() - TOLD));
        }
        Ok(totals)
    }

    /// A charge is told as paid exactly when it is on chain.
    fn compare_charges(&self, rows: &Rows, totals: &mut Totals, found: &mut Vec<String>) {
        let kept = self.desk.kept();
        for charge in &kept.charges {
            let row = rows.charges.get(&charge.message);
            let (is_paid, has_landed) = (charge.answer == Answer::Paid, row.is_some_and(|row| row.has_landed));
            totals.charges += 1;
            if is_paid {
                totals.paid += 1;
                totals.charged += charge.amount;
            }
            if let Answer::Refused(word) = &charge.answer {
                *totals.refused.entry(format!("charge {word}")).or_default() += 1;
            }
            if is_paid != has_landed {
                let message = hex::encode(charge.message);
                found.push(format!("charge {message} was told {:?}, and the ledger has {row:?}", charge.answer));
            }
            if row
                .is_some_and(|row| (row.payer, row.seller, row.amount) != (charge.payer, charge.seller, charge.amount))
            {
                found.push(format!("a charge of {} is recorded otherwise: {row:?}", charge.amount));
            }
        }
        if rows.charges.len() > kept.charges.len() {
            found.push(format!("{} charges are recorded, {} were made", rows.charges.len(), kept.charges.len()));
        }
    }

    /// Each channel has ended with what its seller was shown, and its end was told as it is.
    fn compare_channels(&self, rows: &Rows, totals: &mut Totals, found: &mut Vec<String>) {
        let kept = self.desk.kept();
        let mut heard = BTreeSet::new();
        for channel in &kept.channels {
            totals.channels += 1;
            totals.vouchers += channel.vouchers.len() as u64;
            totals.shown += channel.shown();
            heard.insert(channel.id.to_bytes());
            match rows.channel(channel.id) {
                Some(row) => {
                    totals.settled += row.settled;
                    totals.shortfall += row.shortfall;
                    if channel.nature.is_honest() {
                        *totals.reasons.entry(row.reason.clone().unwrap_or_default()).or_default() += 1;
                    }
                    found.extend(contradiction(channel, row));
                }
                None => found.push(format!("{}: it was opened, and the ledger does not know it", channel.id)),
            }
        }
        // Whose opening was never answered, nobody could draw from.
        for (id, row) in rows.channels.iter().filter(|(id, _)| !heard.contains(*id)) {
            totals.unheard += 1;
            if row.cumulative > 0 || !matches!(row.state.as_str(), "closed" | "failed") {
                found.push(format!("channel {} that nobody heard of: {row:?}", hex::encode(id)));
            }
        }
    }
}

/// What of a channel does not add up.
fn contradiction(channel: &Channel, row: &ChannelRow) -> Option<String> {
    let [settled, _, shortfall] = channel.closed.as_ref().map_or([u64::MAX, 0, 0], parts);
    let told = (settled, shortfall) == (row.settled, row.shortfall);
    let whole = row.state == "closed" && row.settled + row.shortfall == row.cumulative;
    let drawn = [channel.shown(), channel.asked].contains(&row.cumulative) && row.cumulative <= channel.deposit;
    let between = (row.buyer, row.seller) == (channel.buyer, channel.seller);
    let owed = row.shortfall == 0 || !channel.nature.is_honest();
    let Channel { id, nature, .. } = channel;
    (!(told && whole && drawn && between && owed)).then(|| {
        let (shown, asked) = (channel.shown(), channel.asked);
        format!("{id} ({nature:?}): {shown} was shown, {asked} asked for, {settled} and {shortfall} told; {row:?}")
    })
}

/// Wallets with another sum on chain than in the ledger.
fn differences(what: &str, seen: &[(Pubkey, u64)], booked: &BTreeMap<Pubkey, u64>) -> Vec<String> {
    let booked = |wallet: &Pubkey| booked.get(wallet).copied().unwrap_or(0);
    let differs = seen.iter().filter(|(wallet, units)| *units != booked(wallet));
    differs.map(|(wallet, units)| format!("{wallet} {what} {units}, and {} is booked", booked(wallet))).collect()
}
