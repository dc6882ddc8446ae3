//! What thieves got: what they were told, what the ledger took for paid, and what really left their purses.

use crate::{
    Outcome,
    liar::Spans,
    payment::{Answer, Payment},
    report,
    stage::Stage,
    sums::{Accounts, claimed},
    thieves::{self, Gang, Haul},
    transfers::{Proven, Transfers},
};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    domain::hold::HoldState,
    ledger::{Ledger as _, SqliteLedger},
};
use std::{collections::BTreeMap, path::Path};

/// The most of one grant, in lamports.
const MOST_GRANTED: u64 = 2_000_000;
/// Contradictions that are told one by one; more of them say nothing new.
const TOLD: usize = 10;

/// What thieves did, and when it was hidden.
#[derive(Clone, Copy)]
pub struct Robbery<'a> {
    pub gang: &'a Gang,
    pub haul: &'a Haul,
    /// When the first endpoint left out of histories what they took from their own accounts.
    pub hid_debits: &'a Spans,
}

#[derive(Default)]
pub struct Swag {
    payments: u64,
    /// Told as paid, in base units.
    yes: u64,
    /// Of that, told as covered by a proof.
    proven: u64,
    /// Of that, undone by a fork after it was told.
    undone: u64,
    /// Of that, told while the first endpoint hid what the thief had taken, and never moved.
    hidden: u64,
    /// Of that, moved, and by the ledger's last word not proven.
    doubted: u64,
    /// Told as proven, by thief and proof.
    on_proof: BTreeMap<(usize, u32), u64>,
    /// Captured, by the ledger.
    pub captured: u64,
    /// What left their purses.
    moved: u64,
    /// Promised to their merchants and not captured: lost, or open.
    unkept: u64,
    /// What merchants really have of them.
    pub paid: BTreeMap<Pubkey, u64>,
    refused: BTreeMap<String, u64>,
    done: BTreeMap<&'static str, u64>,
    /// Recipients' accounts that were created.
    created: u64,
    /// Lamports.
    granted: u64,
    /// What must not be.
    pub broken: Vec<String>,
}

/// Holds what each thief was told against the ledger and against the chain.
pub async fn count(
    stage: &Stage,
    ledger: &SqliteLedger,
    transfers: &Transfers,
    robbery: &Robbery<'_>,
) -> Outcome<Swag> {
    let Robbery { gang, haul, .. } = *robbery;
    let mut swag = Swag { refused: haul.refused.clone(), done: haul.done.clone(), ..Swag::default() };
    swag.broken.clone_from(&haul.broken);
    for (thief, payment) in &haul.payments {
        let hold = ledger.find_payment(payment.session, &payment.nonce).await?;
        let captured = hold.as_ref().is_some_and(|hold| matches!(hold.state, HoldState::Captured { .. }));
        // A fork took it back after it was told, and by then the delegation was gone: a promise like others.
        let lost = hold.is_some_and(|hold| hold.told && matches!(hold.state, HoldState::Released { .. }));
        swag.payments += 1;
        swag.captured += if captured { payment.amount } else { 0 };
        match &payment.answer {
            Answer::Yes => {
                swag.yes += payment.amount;
                swag.judge_proven(*thief, payment, transfers, robbery);
                // A promise of theirs may come to nothing: that is what the limits of exposure are for.
                if (payment.terms.is_deferred() || lost) && !captured && payment.successes <= 1 {
                    swag.unkept += payment.amount;
                    continue;
                }
            }
            Answer::No(word) => *swag.refused.entry(word.clone()).or_default() += 1,
            Answer::Never => continue,
        }
        swag.broken.extend(payment.contradiction(captured));
    }
    swag.judge_purses(stage, gang).await?;
    swag.judge_sponsor(&stage.file(crate::LEDGER), gang)?;
    let more = swag.broken.len().saturating_sub(TOLD);
    if more > 0 {
        // The last ones are the sums.
        swag.broken.drain(..more);
        swag.broken.push(format!("and {more} more things about thieves"));
    }
    Ok(swag)
}

impl Swag {
    /// What was told as proven has moved, payment by payment; unless a fork undid it, or a debit was hidden while it was paid: then
    /// no more is told on a proof than was proved.
    fn judge_proven(&mut self, thief: usize, payment: &Payment, transfers: &Transfers, robbery: &Robbery<'_>) {
        let Some(proven) = transfers.proven(payment) else { return };
        let Payment { amount, nonce, since, told, proof, .. } = payment;
        self.proven += amount;
        let on_proof = self.on_proof.entry((thief, *proof)).or_default();
        *on_proof += amount;
        if *proof > 0 && *on_proof > thieves::PROVED {
            self.broken.push(format!("thief {thief}: {on_proof} was told as proven on one proof, the last as {nonce}"));
        }
        let was_hidden = || robbery.hid_debits.iter().any(|(from, to)| from < told && since < to);
        match proven {
            Proven::Moved => {}
            Proven::Undone => self.undone += amount,
            Proven::Unmoved if was_hidden() => self.hidden += amount,
            Proven::Unmoved => self.broken.push(format!("thief {thief}: {nonce} was told as proven, and did not move")),
        }
        if proven == Proven::Moved && !transfers.is_proven(payment) {
            self.doubted += amount;
        }
    }

    /// What they had of the sponsor: one recipient's account each who asks for them, and so many grants.
    fn judge_sponsor(&mut self, ledger: &Path, gang: &Gang) -> Outcome<()> {
        let reader = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let ask = |sql| reader.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
        self.created =
            ask("SELECT count(*) FROM settlements WHERE purpose = 'create_recipient' AND state = 'settled'")?;
        self.granted = ask("SELECT coalesce(sum(lamports_granted), 0) FROM sponsored_lamports")?;
        if self.created > gang.farmers {
            self.broken.push(format!("{} accounts were created for {} farmers", self.created, gang.farmers));
        }
        if self.granted > thieves::GRANTS * MOST_GRANTED {
            self.broken.push(format!("{} lamports were granted", self.granted));
        }
        Ok(())
    }

    async fn judge_purses(&mut self, stage: &Stage, gang: &Gang) -> Outcome<()> {
        let purses = gang.purses.clone();
        let accounts =
            Accounts { purses, merchants: Vec::new(), sponsors: stage.sponsors(), given: stage.purse, lowers: false };
        let moved = accounts.look(stage, Vec::new()).await?.moved;
        let booked = claimed(&stage.file(crate::LEDGER), "user")?;
        for (purse, moved) in gang.purses.iter().zip(moved) {
            let (captured, _) = booked.get(&purse.wallet).copied().unwrap_or_default();
            if moved > captured {
                self.broken.push(format!("{} lost {moved}, and {captured} is captured from it", purse.name));
            }
            self.moved += moved;
            *self.paid.entry(purse.merchant).or_default() += moved;
        }
        Ok(())
    }
}

impl Swag {
    pub fn object(&self) -> Value {
        json!({
            "payments": self.payments,
            "toldAsPaid": self.yes,
            "toldAsProven": self.proven,
            "provenAndUndone": self.undone,
            "provenWhileDebitsWereHidden": self.hidden,
            "provenMovedAndDoubted": self.doubted,
            "mostOnOneProof": self.most_on_one_proof(),
            "captured": self.captured,
            "moved": self.moved,
            "promisedAndNotCaptured": self.unkept,
            "recipientsCreated": self.created,
            "lamportsGranted": self.granted,
            "refused": self.refused,
            "did": self.done,
        })
    }

    fn most_on_one_proof(&self) -> u64 {
        self.on_proof.iter().filter(|((_, proof), _)| *proof > 0).map(|(_, sum)| *sum).max().unwrap_or(0)
    }

    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let sums = [self.yes, self.proven, self.captured, self.moved].map(|sum| sum.to_string()).join(", ");
        let excused = [self.undone, self.hidden, self.most_on_one_proof()].map(|sum| sum.to_string()).join(", ");
        vec![
            ("thieves: proven and undone, proven of hidden debits, most on a proof", excused),
            ("thieves: what they did", report::told(&self.done)),
            ("thieves: payments", self.payments.to_string()),
            ("thieves: told as paid, as proven, captured, moved", sums),
            ("thieves: promised and not captured", self.unkept.to_string()),
            ("thieves: accounts created, lamports granted", format!("{}, {}", self.created, self.granted)),
            ("thieves: refused for", report::told(&self.refused)),
        ]
    }
}
