//! What thieves got: what they were told, what the ledger took for paid, and what really left their purses.

use crate::{
    Outcome,
    payment::{Answer, Terms},
    report,
    stage::Stage,
    sums::{Accounts, claimed},
    thieves::{Gang, Haul},
};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    domain::hold::HoldState,
    ledger::{Ledger as _, SqliteLedger},
};
use std::collections::BTreeMap;

/// Contradictions that are told one by one; more of them say nothing new.
const TOLD: usize = 10;

#[derive(Default)]
pub struct Swag {
    payments: u64,
    /// Told as paid, in base units.
    yes: u64,
    /// Of that, told as covered by a proof.
    proven: u64,
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
    /// What must not be.
    pub broken: Vec<String>,
}

/// Holds what each thief was told against the ledger and against the chain.
pub async fn count(stage: &Stage, ledger: &SqliteLedger, gang: &Gang, haul: &Haul) -> Outcome<Swag> {
    let mut swag = Swag { refused: haul.refused.clone(), done: haul.done.clone(), ..Swag::default() };
    swag.broken.clone_from(&haul.broken);
    let accounts =
        Accounts { purses: gang.purses.clone(), merchants: Vec::new(), sponsor: stage.spender, given: stage.purse };
    let moved = accounts.look(stage, Vec::new()).await?.moved;
    let booked = claimed(&stage.file(crate::LEDGER), "user")?;
    let mut proven = vec![0; gang.purses.len()];
    for (thief, payment) in &haul.payments {
        let hold = ledger.find_payment(payment.session, &payment.nonce).await?;
        let captured = hold.as_ref().is_some_and(|hold| matches!(hold.state, HoldState::Captured { .. }));
        // A fork took it back after it was told, and by then the delegation was gone: a promise like others.
        let lost = hold.is_some_and(|hold| hold.told && matches!(hold.state, HoldState::Released { .. }));
        swag.payments += 1;
        swag.captured += if captured { payment.amount } else { 0 };
        let deferred = matches!(payment.terms, Terms::Deferred | Terms::DeferredProven);
        match &payment.answer {
            Answer::Yes => {
                swag.yes += payment.amount;
                if payment.proven {
                    *proven.get_mut(*thief).ok_or("no such thief")? += payment.amount;
                }
                // A promise of theirs may come to nothing: that is what the limits of exposure are for.
                if (deferred || lost) && !captured && payment.successes <= 1 {
                    swag.unkept += payment.amount;
                    continue;
                }
            }
            Answer::No(word) => *swag.refused.entry(word.clone()).or_default() += 1,
            Answer::Never => continue,
        }
        swag.broken.extend(payment.contradiction(captured));
    }
    for ((purse, moved), proven) in gang.purses.iter().zip(moved).zip(proven) {
        let (captured, _) = booked.get(&purse.wallet).copied().unwrap_or_default();
        if moved > captured {
            swag.broken.push(format!("{} lost {moved}, and {captured} is captured from it", purse.name));
        }
        if proven > moved {
            swag.broken.push(format!("{}: {proven} was told as proven, and {moved} moved", purse.name));
        }
        swag.moved += moved;
        swag.proven += proven;
        *swag.paid.entry(purse.merchant).or_default() += moved;
    }
    let more = swag.broken.len().saturating_sub(TOLD);
    if more > 0 {
        // The last ones are the sums.
        swag.broken.drain(..more);
        swag.broken.push(format!("and {more} more things about thieves"));
    }
    Ok(swag)
}

impl Swag {
    pub fn object(&self) -> Value {
        json!({
            "payments": self.payments,
            "toldAsPaid": self.yes,
            "toldAsProven": self.proven,
            "captured": self.captured,
            "moved": self.moved,
            "promisedAndNotCaptured": self.unkept,
            "refused": self.refused,
            "did": self.done,
        })
    }

    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let sums = [self.yes, self.proven, self.captured, self.moved].map(|sum| sum.to_string()).join(", ");
        vec![
            ("thieves: what they did", report::told(&self.done)),
            ("thieves: payments", self.payments.to_string()),
            ("thieves: told as paid, as proven, captured, moved", sums),
            ("thieves: promised and not captured", self.unkept.to_string()),
            ("thieves: refused for", report::told(&self.refused)),
        ]
    }
}
