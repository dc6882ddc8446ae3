//! The demo in words and tables, as it happens: on standard output, or with `--json` on standard error.

use super::{
    figures::{Figures, booked, milliseconds},
    scene::{Call, Scene},
};
use crate::{
    cli::{
        error::CliError,
        output::{Format, note_lines, say_lines},
    },
    client::LocalKey,
    domain::amount::Amount,
    ledger::Totals,
    localnet::faucet::DEMO_DECIMALS,
};
use std::{fmt::Display, time::Duration};

/// What happens in the demo, told to people.
pub(super) struct Story {
    format: Format,
}

impl Story {
    /// With a result in JSON, on standard error: standard output is for programs then.
    pub(super) const fn new(format: Format) -> Self {
        Self { format }
    }

    pub(super) fn tell(&self, text: impl Display) -> Result<(), CliError> {
        if self.format == Format::Json {
            note_lines(&text);
            return Ok(());
        }
        say_lines(text)
    }

    pub(super) fn people(&self, scene: &Scene<'_>, payer: &LocalKey) -> Result<(), CliError> {
        self.tell(format_args!(
            "A Solana network with stand-ins for Inco's programs, a facilitator and a merchant run in this process.\n\n  \
             facilitator  {}  spends for payers, pays all fees\n  \
             merchant     {}  sells {} for {} a call\n  \
             payer        {}  has tokens and no SOL\n",
            scene.spender(),
            scene.merchant.pubkey(),
            scene.route(),
            decimal(scene.price.get()),
            payer.pubkey(),
        ))
    }

    pub(super) fn opened(&self, took: Duration, cap: Amount, balance: u64) -> Result<(), CliError> {
        self.tell(format_args!(
            "The payer opened a session in {:.0} ms: the wallet was asked once, and the facilitator may now move at most\n\
             {} of the payer's tokens, to this merchant only. The balance is encrypted; only its owner can decrypt it: {}.\n",
            milliseconds(took),
            decimal(cap.get()),
            decimal(balance),
        ))
    }

    pub(super) fn calls_begin(&self) -> Result<(), CliError> {
        self.tell("call  amount  signature             latency    payer's balance handle")
    }

    /// Tells the last of `calls`.
    pub(super) fn call(&self, calls: &[Call]) -> Result<(), CliError> {
        let Some(call) = calls.last() else { return Ok(()) };
        self.tell(format_args!(
            "{:>4}  {:<6}  {:.18}…  {:>7.1} ms  {} -> {}",
            calls.len(),
            decimal(call.amount.get()),
            call.signature,
            milliseconds(call.latency),
            short(call.handles[0]),
            short(call.handles[1]),
        ))
    }

    pub(super) fn sums(&self, figures: &Figures) -> Result<(), CliError> {
        let [before, after] = &figures.standings;
        self.tell(format_args!(
            "\n{} of {} transfers landed; the median call took {:.1} ms, settlement on chain included.\n\n\
             decrypted    {:>12} {:>12} {:>12}\n\
             payer        {:>12} {:>12} {:>12}\n\
             merchant     {:>12} {:>12} {:>12}\n\
             paid         {:>38}\n\
             captured     {:>38}\n",
            figures.landed(),
            figures.calls.len(),
            milliseconds(figures.median()),
            "before",
            "after",
            "change",
            decimal(before.payer),
            decimal(after.payer),
            signed(-figures.payer_loss()),
            decimal(before.merchant),
            decimal(after.merchant),
            signed(figures.merchant_growth()),
            decimal(figures.amount_paid()),
            decimal(figures.captured()),
        ))?;
        let row = |what: &str, from: &Totals, to: &Totals| {
            let [fees, rent, grants] = booked(from, to);
            format!("{what:<12} {fees:>12} {rent:>12} {grants:>12} {:>12}", fees + rent + grants)
        };
        self.tell(format_args!(
            "lamports     {:>12} {:>12} {:>12} {:>12}\n{}\n{}\n{}\n{}\n\
             The fee payer's account has {} lamports less; a payment cost {}, the opening {}. Payments leave balances that\n\
             their owners cannot decrypt at once; to have both made readable cost {}, once for all payments.\n",
            "fees",
            "rent",
            "grants",
            "together",
            row("opening", &before.totals, &figures.opened),
            row("payments", &figures.opened, &figures.paid),
            row("reading", &figures.paid, &after.totals),
            row("together", &before.totals, &after.totals),
            figures.lamports_gone(),
            figures.lamports_per_call(),
            figures.lamports_opening(),
            figures.lamports_reading(),
        ))
    }

    pub(super) fn once(&self, figures: &Figures) -> Result<(), CliError> {
        let Some(once) = &figures.once else { return Ok(()) };
        self.tell(format_args!(
            "Once more without the session, as `sotto pay` does: the wallet signed the transfer of {} itself, and the facilitator\n\
             paid its fee. It took {:.1} ms ({:.18}…); the payer has {} and the merchant {}.\n",
            decimal(once.amount),
            milliseconds(once.took),
            once.signature,
            signed(-once.moved[0]),
            signed(once.moved[1]),
        ))
    }

    pub(super) fn deferred(&self, figures: &Figures) -> Result<(), CliError> {
        let Some(deferred) = &figures.deferred else { return Ok(()) };
        self.tell(format_args!(
            "The same {} calls again, deferred: answered when they were durably held, {:.1} ms in the middle. Then the payer\n\
             closed the session: {} transfer(s) carried them all, and after {:.1} ms the totals were final.\n\n\
             cost per call      lamports\n\
             per-call       {:>12}\n\
             deferred       {:>12}\n",
            deferred.calls,
            milliseconds(deferred.median),
            deferred.transfers,
            milliseconds(deferred.closing),
            figures.lamports_per_call(),
            deferred.lamports_per_call(),
        ))
    }

    pub(super) fn standing(&self, figures: &Figures) -> Result<(), CliError> {
        let Some(standing) = &figures.standing else { return Ok(()) };
        self.tell(format_args!(
            "Another payer approved {} once, and opened sessions with two merchants: the first with that approve, the second with\n\
             a signed message alone. {} calls at each were paid in turn; a third session of {} was refused in between\n\
             ({}), and both went on.\n\n\
             decrypted           change\n\
             payer         {:>12}\n\
             merchant      {:>12}\n\
             merchant      {:>12}\n",
            decimal(standing.approved),
            standing.calls,
            decimal(figures.price.get()),
            standing.refused.as_deref().unwrap_or("it opened"),
            signed(-standing.lost),
            signed(standing.gained[0]),
            signed(standing.gained[1]),
        ))
    }

    pub(super) fn empty(&self, figures: &Figures) -> Result<(), CliError> {
        let Some(empty) = &figures.empty else { return Ok(()) };
        self.tell(format_args!(
            "A second payer, whose account is empty, opened a session and paid for one call. The answer said success\n\
             and funding = {}. The transfer landed ({:.18}…) and moved {} of {}.\n\
             That is how a confidential token works: nobody but its owner sees that an account is empty, and a transfer\n\
             that is not covered moves zero instead of failing. So without a proof of funds \"settled\" is not yet \"paid\";\n\
             limits.unproven_exposure bounds what one such transfer can lose. A payer proves a balance with\n\
             `sotto session prove`, then every answer says funding = proven as long as it covers what is spent; a merchant checks\n\
             what was really received with `sotto receipts`.\n",
            empty.funding.as_deref().unwrap_or("unknown"),
            empty.signature,
            signed(empty.moved[1]).trim_start_matches('+'),
            decimal(figures.price.get()),
        ))
    }

    pub(super) fn end(&self, figures: &Figures) -> Result<(), CliError> {
        if figures.check().is_ok() { self.tell("Every figure adds up.") } else { Ok(()) }
    }
}

/// The beginning of a handle, enough to tell two apart.
fn short(handle: u128) -> String {
    if handle == 0 { "none".to_owned() } else { format!("{:.8}…", format!("{handle:032x}")) }
}

pub(super) fn decimal(units: u64) -> String {
    Amount::new(units).map_or_else(|| units.to_string(), |amount| amount.to_decimal(DEMO_DECIMALS))
}

pub(super) fn signed(units: i128) -> String {
    let sign = if units < 0 { "-" } else { "+" };
    u64::try_from(units.unsigned_abs()).map_or_else(|_| units.to_string(), |units| format!("{sign}{}", decimal(units)))
}
