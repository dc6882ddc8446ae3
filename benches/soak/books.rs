//! The proofs: what the payers were told, what the ledger says, and what the chain says, against each other.

use crate::{
    Outcome,
    crowd::{MEANS, Town},
    fates, mpp,
    payment::{Answer, Payment},
    report::Report,
    stage::{Server, Stage},
    swag::{self, Robbery},
    transfers::{Proven, Transfers},
};
use rusqlite::{Connection, OpenFlags};
use sotto::{
    domain::hold::HoldState,
    ledger::{Ledger as _, LedgerOptions, SqliteLedger, Upkeep as _},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// What honest payers may be refused for: a deadline that passed before anything was sent, a demanded proof that is not there.
const HONEST_REFUSALS: [&str; 2] = ["settlement_expired", "funding_unproven"];
/// How long the last life may take to settle everything.
const PATIENCE: Duration = Duration::from_mins(4);
const PAUSE: Duration = Duration::from_millis(200);
/// Refusals that are told one by one; more of them say nothing new.
const TOLD: usize = 20;

/// Copies a ledger that no process has open, with its log of unmerged writes.
pub fn copy_ledger(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(Path::new(".")))?;
    for suffix in ["", "-wal"] {
        let beside = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        drop(fs::remove_file(beside(to)));
        match fs::copy(beside(from), beside(to)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    drop(fs::remove_file(format!("{}-shm", to.display())));
    Ok(())
}

/// The ledger's own audit: every event log replayed against its projection, every sum against its parts.
pub async fn audit(ledger: &Path) -> Outcome<()> {
    Ok(SqliteLedger::open(ledger, &LedgerOptions::default()).await?.audit().await?)
}

/// Everything that has to agree in the end.
pub struct Books<'a> {
    stage: &'a Stage,
    town: &'a Town,
    payments: &'a [Payment],
    robbery: Option<Robbery<'a>>,
}

impl<'a> Books<'a> {
    pub fn new(stage: &'a Stage, town: &'a Town, payments: &'a [Payment], robbery: Option<Robbery<'a>>) -> Self {
        Self { stage, town, payments, robbery }
    }

    /// Waits until no hold and no channel is open and no transaction unfinished, but for what an operator has to look at. What was
    /// promised to thieves may stay open: who took their money away cannot be made to bring it back.
    pub async fn until_settled(&self, server: &Server) -> Outcome<()> {
        let began = Instant::now();
        loop {
            let open = tokio::task::block_in_place(|| {
                let waiting = held_for_an_operator(&server.ledger)?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(
                    self.unfinished(&server.ledger)?.saturating_sub(waiting),
                )
            })?;
            if open == 0 {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                // Not an error of the program: the books will say what is held.
                eprintln!("soak: {open} things are still unfinished");
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Compares everything with everything; what contradicts goes into the report.
    pub async fn close(&self, report: &mut Report) -> Outcome<()> {
        let ledger = SqliteLedger::open(&self.stage.file(crate::LEDGER), &LedgerOptions::default()).await?;
        if let Err(error) = ledger.audit().await {
            report.broken.push(format!("the audit: {error}"));
        }
        let totals = ledger.totals(None).await?;
        report.captured = totals.captured.get();
        let unfinished = self.unfinished(&self.stage.file(crate::LEDGER))?;
        if unfinished > 0 {
            report.broken.push(format!("{unfinished} holds, channels and settlements are open for ever"));
        }
        let transfers = Transfers::read(self.stage, &self.stage.file(crate::LEDGER)).await?;
        report.broken.extend(transfers.contradictions());
        let (mut told, mut sum) = (Vec::new(), 0);
        for payment in self.payments {
            report.count(payment);
            let hold = ledger.find_payment(payment.session, &payment.nonce).await?;
            let captured = hold.as_ref().is_some_and(|hold| matches!(hold.state, HoldState::Captured { .. }));
            sum += if captured { payment.amount } else { 0 };
            told.extend(payment.contradiction(captured));
            // Their money is there, so what a fork undoes moves when it lands again.
            if transfers.proven(payment).is_some_and(|proven| proven != Proven::Moved) {
                told.push(format!("{} was told as proven, and did not move", payment.nonce));
            }
            if let Answer::No(word) = &payment.answer
                && !HONEST_REFUSALS.contains(&word.as_str())
            {
                told.push(format!("{}: an honest payment was refused for {word}", payment.nonce));
            }
        }
        report.broken.extend(told.iter().take(TOLD).cloned());
        if told.len() > TOLD {
            report.broken.push(format!("and {} more payments", told.len() - TOLD));
        }
        if let Some(robbery) = &self.robbery {
            let swag = swag::count(self.stage, &ledger, &transfers, robbery).await?;
            sum += swag.captured;
            report.broken.extend(swag.broken.iter().cloned());
            report.swag = Some(swag);
        }
        if sum != totals.captured.get() {
            report
                .broken
                .push(format!("{} is captured, {sum} of it for payments that were asked for", totals.captured));
        }
        fates::compare(self.stage, report).await?;
        self.against_chain(&ledger, report).await
    }

    /// What every wallet really has, decrypted, and what the sponsor really spent.
    async fn against_chain(&self, ledger: &SqliteLedger, report: &mut Report) -> Outcome<()> {
        let mut earned = vec![0; self.town.merchants.len()];
        for (number, payer) in self.town.payers.iter().enumerate() {
            let session = ledger.session(payer.session.id).await?.ok_or("a session is gone")?;
            let captured = session.captured.get();
            *earned.get_mut(payer.merchant).ok_or("no merchant")? += captured;
            let lost = MEANS.checked_sub(self.stage.balance(&payer.wallet).await?).ok_or("a payer got richer")?;
            if lost != captured {
                report.broken.push(format!("payer {number} lost {lost}, and {captured} is captured from it"));
            }
        }
        for (number, (merchant, earned)) in self.town.merchants.iter().zip(earned).enumerate() {
            let got = self.stage.balance(merchant).await?;
            // What thieves really paid is none of the captures above.
            let stolen = report.swag.as_ref().and_then(|swag| swag.paid.get(&merchant.pubkey()).copied()).unwrap_or(0);
            if got != earned + stolen {
                report.broken.push(format!("merchant {number} got {got}, {earned} is captured, thieves paid {stolen}"));
            }
        }
        let spent = self.stage.purse.checked_sub(self.stage.lamports().await?).ok_or("the sponsor got richer")?;
        let booked = booked(&self.stage.file(crate::LEDGER))?;
        // The rent of session accounts whose buyers left came back.
        let (hidden, returned) = (report.hidden_fees, report.mpp.returned());
        if spent + returned != booked + hidden {
            report.broken.push(format!(
                "the sponsor spent {spent} lamports, {booked} are booked, {hidden} were hidden, {returned} came back"
            ));
        }
        report.lamports = spent;
        Ok(())
    }

    /// Read beside the process that writes.
    fn unfinished(&self, ledger: &Path) -> Outcome<u64> {
        let reader = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        reader.busy_timeout(PAUSE)?;
        let wallets = self.robbery.map(|robbery| robbery.haul.wallets.as_slice()).unwrap_or_default();
        let thieves: Vec<_> = wallets.iter().map(|wallet| format!("x'{}'", hex::encode(wallet))).collect();
        let thieves = format!("(SELECT id FROM sessions WHERE user IN ({}))", thieves.join(","));
        // A transaction of theirs that was signed has to end like any other: its fee is booked.
        let sql = format!(
            "SELECT (SELECT count(*) FROM settlements WHERE state IN ('in_flight', 'landed') \
             OR (state = 'reserved' AND (session IS NULL OR session NOT IN {thieves}))) \
             + (SELECT count(*) FROM live_channels) \
             + (SELECT count(*) FROM holds WHERE state IN ('waiting', 'planned') AND session NOT IN {thieves})"
        );
        Ok(u64::try_from(reader.query_row(&sql, [], |row| row.get::<_, i64>(0))?)?)
    }
}

/// Settlements of channels that are held, and the live channels that wait for them.
fn held_for_an_operator(ledger: &Path) -> Outcome<u64> {
    let reader = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    reader.busy_timeout(PAUSE)?;
    let sql = format!(
        "WITH held (id, buyer, signature, delegation) AS ({}) SELECT (SELECT count(DISTINCT id) FROM held) \
         + (SELECT count(*) FROM live_channels WHERE delegation IN (SELECT delegation FROM held))",
        mpp::HELD
    );
    Ok(u64::try_from(reader.query_row(&sql, [], |row| row.get::<_, i64>(0))?)?)
}

/// Lamports that the ledger says were spent.
pub fn booked(ledger: &Path) -> Outcome<u64> {
    let reader = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sql = "SELECT coalesce(sum(fee + rent + lamports_granted), 0) FROM sponsored_lamports";
    Ok(u64::try_from(reader.query_row(sql, [], |row| row.get::<_, i64>(0))?)?)
}
