//! What follows from an event of a settlement.

use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        hold::Hold,
        reason::PayReason,
        session::SessionId,
        settlement::{Attempt, Cost, Event, Purpose, Settlement},
    },
    ledger::{
        LedgerError,
        rules::{
            SumsChange,
            promise::{self, Returned},
        },
    },
};
use solana_signature::Signature;

#[cfg(test)]
mod tests;

/// What the booking of an attempt says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum Booking {
    /// The outcome is open: it counts with its full cost.
    Reserved,
    /// It landed and spent this.
    Spent,
    /// It never landed and never will.
    Void,
}

impl Booking {
    /// The word in the ledger.
    pub(in crate::ledger) const fn word(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Spent => "spent",
            Self::Void => "void",
        }
    }
}

/// What an engine has read for an event. What [`Asks`] does not ask for may be left out.
#[derive(Clone, Debug)]
pub(in crate::ledger) struct Rows<'a> {
    /// The settlement as the event leaves it.
    pub(in crate::ledger) after: &'a Settlement,
    /// Its live attempt.
    pub(in crate::ledger) live: Option<&'a Attempt>,
    /// What of its holds is deferred, in base units.
    pub(in crate::ledger) deferred: Amount,
    /// Its holds in state `planned`.
    pub(in crate::ledger) planned: &'a [Hold],
}

/// What has to be read before it is known what follows from an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) struct Asks {
    /// The live attempt.
    pub(in crate::ledger) live: bool,
    /// The sum of deferred holds.
    pub(in crate::ledger) deferred: bool,
    /// The planned holds.
    pub(in crate::ledger) planned: bool,
}

/// What an event asks an engine to read of its settlement.
pub(in crate::ledger) fn asks(after: &Settlement, event: &Event) -> Asks {
    let pays = after.pays_from().is_some();
    let moves = matches!(event, Event::Landed { .. } | Event::Found { .. } | Event::TakenBack);
    let came_to_nothing = matches!(event, Event::Refused { .. } | Event::Abandoned { .. });
    let of_attempt = matches!(event, Event::Refused { .. } | Event::Failed { .. } | Event::Absent(_));
    Asks { live: moves || of_attempt, deferred: moves && pays, planned: came_to_nothing && pays }
}

/// What becomes of the holds that a settlement carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum HoldsBecome {
    /// They stay as they are.
    Unchanged,
    /// `captured`, and those that callers wait for are told.
    Captured,
    /// `planned` again: what was told stays told.
    Planned,
    /// Given back: these wait again, each with a trace, the others are released.
    GivenBack {
        /// Why.
        reason: PayReason,
        /// The transaction that landed with an error.
        failed: Option<Signature>,
        /// Those that were promised.
        waiting: Vec<Returned>,
    },
}

/// How an event changes the claim on the payer's proved balance, beyond the change of the session's sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum ClaimedBalance {
    /// Nothing.
    Unchanged,
    /// What landed up to the proof's slot is in the proved balance already: it is claimed no more.
    Captured {
        /// The slot of the landing.
        slot: u64,
    },
    /// What the proof may have seen is gone again.
    TakenBack,
}

/// What an attempt's booking becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) struct Entry {
    /// The attempt.
    pub(in crate::ledger) signature: Signature,
    /// What it is now.
    pub(in crate::ledger) booking: Booking,
    /// What it counts with.
    pub(in crate::ledger) cost: Cost,
    /// Whether the attempt ends: proof says that it has no effect and never will.
    pub(in crate::ledger) ends: bool,
}

/// Everything that follows from one event, besides the event itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ledger) struct Effects {
    /// The booking of the live attempt.
    pub(in crate::ledger) entry: Option<Entry>,
    /// The session whose payments are carried; without one the next three say nothing.
    pub(in crate::ledger) session: Option<SessionId>,
    /// Its holds.
    pub(in crate::ledger) holds: HoldsBecome,
    /// Its sums.
    pub(in crate::ledger) sums: SumsChange,
    /// Its payer's proved balance.
    pub(in crate::ledger) claimed: ClaimedBalance,
    /// Whether the session may have settled the last it had, and closes if it was closing.
    pub(in crate::ledger) may_close: bool,
    /// Why a payment that stands for itself came to nothing.
    pub(in crate::ledger) ended: Option<PayReason>,
}

/// Decides what follows from an event that [`crate::domain::settlement::apply`] allowed.
pub(in crate::ledger) fn effects(rows: &Rows<'_>, event: &Event, now: UnixSeconds) -> Result<Effects, LedgerError> {
    let Rows { after, .. } = rows;
    let session = after.pays_from();
    let mut effects = Effects {
        entry: entry(rows, event)?,
        session,
        holds: HoldsBecome::Unchanged,
        sums: SumsChange::default(),
        claimed: ClaimedBalance::Unchanged,
        may_close: session.is_some() && after.state.is_terminal(),
        ended: None,
    };
    if matches!(after.purpose, Purpose::SinglePayment | Purpose::MppCharge) {
        return Ok(of_lone_payment(effects, event));
    }
    if session.is_none() {
        return Ok(effects);
    }
    let (moved, deferred) = (i64::from(after.amount), i64::from(rows.deferred));
    match event {
        Event::Landed { slot } | Event::Found { slot, .. } => {
            effects.holds = HoldsBecome::Captured;
            effects.sums = SumsChange { captured: moved, held: -moved, deferred_held: -deferred, lost: 0 };
            effects.claimed = ClaimedBalance::Captured { slot: *slot };
        }
        Event::TakenBack => {
            effects.holds = HoldsBecome::Planned;
            effects.sums = SumsChange { captured: -moved, held: moved, deferred_held: deferred, lost: 0 };
            effects.claimed = ClaimedBalance::TakenBack;
        }
        Event::Refused { reason, .. } | Event::Abandoned { reason } => {
            let (waiting, promised) = promise::take_back(rows.planned, now)?;
            let released = after.amount.checked_sub(promised).ok_or_else(|| {
                LedgerError::Inconsistent("a settlement's promised holds are more than it carries".to_owned())
            })?;
            let failed = effects.entry.map(|entry| entry.signature);
            effects.holds = HoldsBecome::GivenBack { reason: *reason, failed, waiting };
            effects.sums = SumsChange::give_back(released);
        }
        Event::Reserved | Event::Signed { .. } | Event::Finalised | Event::Failed { .. } | Event::Absent(_) => {}
    }
    Ok(effects)
}

/// What follows for a payment that stands for itself: that what it moved counts by its slot, and why it came to nothing.
fn of_lone_payment(effects: Effects, event: &Event) -> Effects {
    match event {
        Event::Landed { slot } | Event::Found { slot, .. } => {
            Effects { claimed: ClaimedBalance::Captured { slot: *slot }, ..effects }
        }
        Event::TakenBack => Effects { claimed: ClaimedBalance::TakenBack, ..effects },
        Event::Refused { reason, .. } | Event::Abandoned { reason } => Effects { ended: Some(*reason), ..effects },
        Event::Reserved | Event::Signed { .. } | Event::Finalised | Event::Failed { .. } | Event::Absent(_) => effects,
    }
}

/// What the event says of the live attempt's cost; none when it says nothing of an attempt.
fn entry(rows: &Rows<'_>, event: &Event) -> Result<Option<Entry>, LedgerError> {
    let live = || rows.live.ok_or_else(|| LedgerError::Inconsistent("there is no such live attempt".to_owned()));
    let entry = |attempt: &Attempt, booking, cost, ends| Entry { signature: attempt.signature, booking, cost, ends };
    Ok(match event {
        Event::Landed { .. } | Event::Found { .. } => {
            let attempt = live()?;
            Some(entry(attempt, Booking::Spent, attempt.cost, false))
        }
        Event::TakenBack => {
            let attempt = live()?;
            Some(entry(attempt, Booking::Reserved, attempt.cost, false))
        }
        // It landed with an error: its fee is spent, and it has no other effect.
        Event::Refused { .. } | Event::Failed { .. } => {
            let attempt = live()?;
            let fee_only = Cost { fee: attempt.cost.fee, ..Cost::default() };
            Some(entry(attempt, Booking::Spent, fee_only, true))
        }
        Event::Absent(_) => Some(entry(live()?, Booking::Void, Cost::default(), true)),
        Event::Reserved | Event::Signed { .. } | Event::Finalised | Event::Abandoned { .. } => None,
    })
}
