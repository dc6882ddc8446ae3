//! The figures of a demo and whether they add up. Pure.

use super::{
    channel::StreamedCalls, charge::ChargedCall, deferred::DeferredCalls, empty::EmptyPayer, scene::Call,
    single::OncePaid, standing::StandingApproval,
};
use crate::{cli::localnet::DelegationArg, domain::amount::Amount, ledger::Totals};
use serde_json::{Value, json};
use std::time::Duration;

/// Where everything stands at one moment.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    /// The payer's decrypted balance, in base units.
    pub(super) payer: u64,
    /// The merchant's decrypted balance, in base units.
    pub(super) merchant: u64,
    /// What the fee payer has, in lamports.
    pub(super) lamports: u64,
    /// The ledger's sums.
    pub(super) totals: Totals,
}

/// The lamports that the ledger booked between two moments.
pub(super) fn booked(earlier: &Totals, later: &Totals) -> [u64; 3] {
    [later.fees - earlier.fees, later.rent - earlier.rent, later.grants - earlier.grants]
}

/// Everything a demo measured.
pub(super) struct Figures {
    pub(super) delegation: DelegationArg,
    pub(super) price: Amount,
    pub(super) calls: Vec<Call>,
    /// Before the session and after the last call.
    pub(super) standings: [Standing; 2],
    /// The ledger's sums when the session was open, and after the last call.
    pub(super) opened: Totals,
    pub(super) paid: Totals,
    /// One payment more, without the session.
    pub(super) once: Option<OncePaid>,
    /// Those calls again, settled later.
    pub(super) deferred: Option<DeferredCalls>,
    /// Two merchants under one approve.
    pub(super) standing: Option<StandingApproval>,
    pub(super) empty: Option<EmptyPayer>,
    /// By the Machine Payments Protocol: a charge, and a channel.
    pub(super) charge: Option<ChargedCall>,
    pub(super) channel: Option<StreamedCalls>,
    /// What the ledger's audit found.
    pub(super) audit: Option<String>,
}

impl Figures {
    pub(super) fn new(
        delegation: DelegationArg,
        price: Amount,
        calls: Vec<Call>,
        standings: [Standing; 2],
        [opened, paid]: [Totals; 2],
    ) -> Self {
        Self {
            delegation,
            price,
            calls,
            standings,
            opened,
            paid,
            once: None,
            deferred: None,
            standing: None,
            empty: None,
            charge: None,
            channel: None,
            audit: None,
        }
    }

    /// The sum of what the payer's client paid, in base units.
    pub(super) fn amount_paid(&self) -> u64 {
        self.calls.iter().map(|call| call.amount.get()).sum()
    }

    /// Transfers that landed.
    pub(super) fn landed(&self) -> u64 {
        let [before, after] = &self.standings;
        after.totals.transfers - before.totals.transfers
    }

    /// What the ledger captured, in base units.
    pub(super) fn captured(&self) -> u64 {
        let [before, after] = &self.standings;
        after.totals.captured.get() - before.totals.captured.get()
    }

    /// What the payer has less, as they decrypt it, in base units.
    pub(super) fn payer_loss(&self) -> i128 {
        let [before, after] = &self.standings;
        i128::from(before.payer) - i128::from(after.payer)
    }

    /// What the merchant has more, as they decrypt it, in base units.
    pub(super) fn merchant_growth(&self) -> i128 {
        let [before, after] = &self.standings;
        i128::from(after.merchant) - i128::from(before.merchant)
    }

    /// What the ledger booked for everything: opening and payments, in lamports.
    pub(super) fn lamports_total(&self) -> u64 {
        let [before, after] = &self.standings;
        booked(&before.totals, &after.totals).iter().sum()
    }

    /// What the fee payer's account really has less, in lamports.
    pub(super) fn lamports_gone(&self) -> i128 {
        let [before, after] = &self.standings;
        i128::from(before.lamports) - i128::from(after.lamports)
    }

    /// What opening the session cost, the merchant's new account included, in lamports.
    pub(super) fn lamports_opening(&self) -> u64 {
        booked(&self.standings[0].totals, &self.opened).iter().sum()
    }

    /// What a payment costs beside the opening, in lamports.
    pub(super) fn lamports_per_call(&self) -> u64 {
        let sum: u64 = booked(&self.opened, &self.paid).iter().sum();
        sum / u64::try_from(self.calls.len()).unwrap_or(u64::MAX).max(1)
    }

    /// What it cost to make both balances readable afterwards, in lamports.
    pub(super) fn lamports_reading(&self) -> u64 {
        booked(&self.paid, &self.standings[1].totals).iter().sum()
    }

    /// The middle latency, of two the mean.
    pub(super) fn median(&self) -> Duration {
        let mut sorted: Vec<_> = self.calls.iter().map(|call| call.latency).collect();
        sorted.sort_unstable();
        match sorted.len() {
            0 => Duration::ZERO,
            n if n % 2 == 1 => sorted[n / 2],
            n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2,
        }
    }

    /// Every contradiction, in words.
    pub(super) fn check(&self) -> Result<(), Vec<String>> {
        let paid = i128::from(self.amount_paid());
        let payments = i128::try_from(self.calls.len()).unwrap_or(i128::MAX);
        let mut checks = vec![
            ("transfers landed, of the payments made", i128::from(self.landed()), payments),
            ("base units paid, of the price times the calls", paid, i128::from(self.price.get()) * payments),
            ("base units captured in the ledger, of those paid", i128::from(self.captured()), paid),
            ("base units that the payer lost, of those paid", self.payer_loss(), paid),
            ("base units that the merchant gained, of those paid", self.merchant_growth(), paid),
            ("base units still held", i128::from(self.standings[1].totals.held.get()), 0),
            ("lamports gone, of those booked", self.lamports_gone(), i128::from(self.lamports_total())),
        ];
        checks.extend(self.once.iter().flat_map(OncePaid::checks));
        checks.extend(self.deferred.iter().flat_map(DeferredCalls::checks));
        checks.extend(self.standing.iter().flat_map(StandingApproval::checks));
        checks.extend(self.charge.iter().flat_map(ChargedCall::checks));
        checks.extend(self.channel.iter().flat_map(StreamedCalls::checks));
        if let Some(empty) = &self.empty {
            let price = i128::from(self.price.get());
            checks.extend([
                ("transfers landed for the empty payer", i128::from(empty.landed), 1),
                ("base units captured from the empty payer, of the price", i128::from(empty.captured), price),
                ("base units that left the empty account", empty.moved[0], 0),
                ("base units that the merchant got from the empty account", empty.moved[1], 0),
            ]);
        }
        let wrong = checks.into_iter().filter(|(_, found, expected)| found != expected);
        let mut wrong: Vec<_> = wrong.map(|(what, found, due)| format!("{what}: {found}, not {due}")).collect();
        if let Some(funding) = self.empty.as_ref().map(|empty| empty.funding.as_deref())
            && funding != Some("unproven")
        {
            wrong.push(format!("funding of the empty payer: {funding:?}, not unproven"));
        }
        wrong.extend(self.audit.iter().map(|found| format!("the ledger's audit: {found}")));
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// The figures for programs: base units, lamports and milliseconds.
    pub(super) fn to_json(&self) -> Value {
        let [before, after] = &self.standings;
        let [fees, rent, grants] = booked(&before.totals, &after.totals);
        let empty = self.empty.as_ref().map(|empty| {
            json!({
                "funding": empty.funding,
                "signature": empty.signature,
                "landed": empty.landed,
                "amount_asked": self.price.get(),
                "payer_loss": empty.moved[0],
                "merchant_growth": empty.moved[1],
            })
        });
        json!({
            "delegation": self.delegation.word(),
            "payments": self.calls.len(),
            "landed": self.landed(),
            "amount_paid": self.amount_paid(),
            "captured": self.captured(),
            "payer_loss": self.payer_loss(),
            "merchant_growth": self.merchant_growth(),
            "payer_balance": [before.payer, after.payer],
            "merchant_balance": [before.merchant, after.merchant],
            "lamports_total": self.lamports_total(),
            "lamports_opening": self.lamports_opening(),
            "lamports_per_call": self.lamports_per_call(),
            "lamports_reading": self.lamports_reading(),
            "lamports_fees": fees,
            "lamports_rent": rent,
            "lamports_grants": grants,
            "fee_payer_balance_change": self.lamports_gone(),
            "latency_ms_median": milliseconds(self.median()),
            "calls": self.calls.iter().map(|call| json!({
                "amount": call.amount.get(),
                "signature": call.signature,
                "latency_ms": milliseconds(call.latency),
                "payer_handle": call.handles.map(|handle| handle.to_string()),
            })).collect::<Vec<_>>(),
            "once": self.once.as_ref().map(OncePaid::to_json),
            "deferred": self.deferred.as_ref().map(DeferredCalls::to_json),
            "standing": self.standing.as_ref().map(StandingApproval::to_json),
            "empty_payer": empty,
            "charge": self.charge.as_ref().map(ChargedCall::to_json),
            "channel": self.channel.as_ref().map(StreamedCalls::to_json),
        })
    }
}

/// With one decimal place.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(payer: u64, merchant: u64, lamports: u64, transfers: u64) -> Standing {
        let captured = Amount::new(transfers * 10).unwrap();
        let totals = Totals { captured, transfers, fees: 1_000 - lamports, ..Totals::default() };
        Standing { payer, merchant, lamports, totals }
    }

    fn figures() -> Figures {
        let call = |ms| Call {
            amount: Amount::new(10).unwrap(),
            signature: "signature".to_owned(),
            latency: Duration::from_millis(ms),
            handles: [1, 2],
            funding: None,
        };
        let standings = [standing(100, 0, 1_000, 0), standing(70, 30, 600, 3)];
        let sums = [100, 340].map(|fees| Totals { fees, ..Totals::default() });
        let price = Amount::new(10).unwrap();
        Figures::new(DelegationArg::Public, price, vec![call(5), call(9), call(1)], standings, sums)
    }

    #[test]
    fn honest_figures_add_up() {
        let figures = figures();
        assert_eq!(figures.check(), Ok(()));
        assert_eq!((figures.lamports_total(), figures.lamports_per_call(), figures.lamports_reading()), (400, 80, 60));
        assert_eq!(figures.median(), Duration::from_millis(5));
    }

    type Bend = fn(&mut Figures);

    #[test]
    fn every_figure_that_is_off_is_named() {
        let off: [(&str, Bend); 7] = [
            ("landed", |f| f.standings[1].totals.transfers += 1),
            ("captured", |f| f.standings[1].totals.captured = Amount::new(29).unwrap()),
            ("payer lost", |f| f.standings[1].payer += 1),
            ("merchant gained", |f| f.standings[1].merchant -= 30),
            ("held", |f| f.standings[1].totals.held = Amount::new(1).unwrap()),
            ("lamports gone", |f| f.standings[1].lamports -= 1),
            ("audit", |f| f.audit = Some("row 1".to_owned())),
        ];
        for (named, bend) in off {
            let mut bent = figures();
            bend(&mut bent);
            let found = bent.check().unwrap_err();
            assert!(found.len() == 1 && found[0].contains(named), "{named}: {found:?}");
        }
    }

    #[test]
    fn an_empty_account_that_moved_something_or_claims_to_be_proven_is_named() {
        let mut figures = figures();
        let empty = || EmptyPayer {
            funding: Some("unproven".to_owned()),
            signature: "signature".to_owned(),
            landed: 1,
            captured: 10,
            moved: [0, 0],
        };
        figures.empty = Some(empty());
        assert_eq!(figures.check(), Ok(()));
        figures.empty = Some(EmptyPayer { moved: [0, 10], ..empty() });
        assert_eq!(figures.check().unwrap_err().len(), 1);
        figures.empty = Some(EmptyPayer { funding: Some("proven".to_owned()), ..empty() });
        assert_eq!(figures.check().unwrap_err().len(), 1);
    }

    #[test]
    fn a_third_session_that_opens_or_a_sum_past_the_approve_is_named() {
        let mut figures = figures();
        let standing = || StandingApproval {
            approved: 80,
            calls: 4,
            paid: [40, 40],
            captured: 80,
            lost: 80,
            gained: [40, 40],
            refused: Some("approval_exhausted".to_owned()),
            states: ["open".to_owned(), "open".to_owned()],
        };
        figures.standing = Some(standing());
        assert_eq!(figures.check(), Ok(()));
        for bent in [
            StandingApproval { refused: None, ..standing() },
            StandingApproval { captured: 90, ..standing() },
            StandingApproval { states: ["open".to_owned(), "superseded".to_owned()], ..standing() },
            StandingApproval { gained: [40, 30], ..standing() },
        ] {
            figures.standing = Some(bent);
            assert_eq!(figures.check().unwrap_err().len(), 1);
        }
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        let mut figures = figures();
        figures.calls.pop();
        assert_eq!(figures.median(), Duration::from_millis(7));
    }
}
