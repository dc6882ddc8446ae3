//! T1: a hundred wallets without a token from twenty addresses, against payers who have some; with the limits and budgets that
//! the service is shipped with. First the honest ones alone, then beside the thieves, in one run on one ledger.

use super::Bench;
use crate::{
    Outcome,
    honest::{self, Heard, Kind},
    penniless::{self, ADDRESSES, Gang, Loot, WALLETS},
    report::Goal,
    stage::{self, Server, Stage},
};
use solana_pubkey::Pubkey;
use sotto::client::LocalKey;
use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

/// What the sponsor may lose in ten minutes.
const MOST_LOST: f64 = 50_000_000.0;
/// Of a hundred honest payments, so many may be asked to come back.
const MOST_TOLD_TO_WAIT: f64 = 1.0;
/// The pace of an honest payer. One without a proof has 200 transfers an hour (`budgets.unproven_user_hour_lamports`), and
/// keeps within them.
const PAUSE: Duration = Duration::from_secs(4);
const TRANSFERS: u32 = 180;
/// Between two openings by newcomers.
const NEWCOMERS: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_mins(2);

/// What honest people had of it.
struct Came {
    alone: Heard,
    beside: Heard,
    /// The payer without a proof and without a pause.
    hasty: Heard,
    /// Openings by newcomers, by the word of their refusal, empty for none.
    newcomers: BTreeMap<String, u64>,
    loot: Loot,
    /// Of one processor, what the facilitator took beside the thieves, in per cent.
    processor: f64,
}

pub async fn t1(bench: &mut Bench) -> Outcome<()> {
    let stage = Stage::raise(bench.latency).await?;
    let server = stage.serve_as_shipped("t1.db")?;
    let merchants = [stage::wallet(), stage::wallet()];
    for merchant in &merchants {
        stage.fund(&merchant.pubkey(), 0).await?;
    }
    let wallets = penniless::wallets(&stage, WALLETS).await?;
    let came = both(bench, &stage, &server, &merchants, &wallets).await?;
    let began = Instant::now();
    while in_flight(&server.ledger)? > 0 && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.process.stop()?;
    let totals = bench.audited(&server.ledger).await?;
    let thieves: Vec<_> = wallets.iter().map(LocalKey::pubkey).collect();
    let lost = lost_to(&server.ledger, &thieves)?;
    agree(bench, &stage, &merchants, &server.ledger, totals.fees + totals.rent + totals.grants).await?;
    figures(bench, &came);
    let whole = lost.iter().sum::<u64>();
    bench.figure("T1", "lost to the thieves", "lamports", Goal::AtMost(MOST_LOST), vec![lamports(whole)]);
    for (what, part) in ["of it fees", "of it rent", "of it grants"].into_iter().zip(lost) {
        bench.figure("T1", what, "lamports", Goal::Beside, vec![lamports(part)]);
    }
    Ok(())
}

/// Both phases, one after the other.
async fn both(
    bench: &Bench,
    stage: &Stage,
    server: &Server,
    merchants: &[LocalKey],
    wallets: &[LocalKey],
) -> Outcome<Came> {
    // A fifth of the time beside the thieves, for the 99th percentile at least so long.
    let alone =
        (bench.thieves / 5).clamp(Duration::from_secs(if bench.quick { 5 } else { 30 }), Duration::from_mins(2));
    let pause = PAUSE.max((alone + bench.thieves) / TRANSFERS);
    let payers = honest::settle_in(stage, server, merchants, bench.sized(4, 20)).await?;
    let (hasty, payers): (Vec<_>, Vec<_>) = {
        let hasty = payers.iter().position(|payer| payer.kind() == Kind::Unproven).ok_or("no such payer")?;
        payers.into_iter().enumerate().partition(|(number, _)| *number == hasty)
    };
    let hasty = hasty.into_iter().next().ok_or("no such payer")?.1;
    let payers: Vec<_> = payers.into_iter().map(|(_, payer)| payer).collect();
    eprintln!("  {} honest payers alone, one payment in {pause:?} each, for {alone:?} ...", payers.len());
    let alone = honest::pay(&payers, alone, pause).await;
    eprintln!("  {WALLETS} wallets from {ADDRESSES} addresses beside them, for {:?} ...", bench.thieves);
    let victim = merchants.first().ok_or("no merchant")?;
    let gang = Gang::gather(stage, server, wallets, victim.pubkey(), bench.thieves)?;
    let (until, before) = (Instant::now() + bench.thieves, server.process.processor_seconds()?);
    let (beside, hasty, newcomers) = tokio::join!(
        honest::pay(&payers, bench.thieves, pause),
        honest::pay_without_pause(&hasty, until),
        newcomers(stage, server, victim, until),
    );
    let processor = 100.0 * (server.process.processor_seconds()? - before) / bench.thieves.as_secs_f64();
    let loot = gang.disperse()?;
    Ok(Came { alone, beside, hasty, newcomers, loot, processor })
}

/// Somebody new opens a session now and then.
async fn newcomers(stage: &Stage, server: &Server, merchant: &LocalKey, until: Instant) -> BTreeMap<String, u64> {
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    for number in 1_000.. {
        let next = Instant::now() + NEWCOMERS;
        let opened = honest::open(stage, server, merchant, Kind::Unproven, number).await;
        let word = opened.map_or_else(|error| error.to_string(), |_| String::new());
        *told.entry(word).or_default() += 1;
        if next >= until {
            break;
        }
        tokio::time::sleep_until(next.into()).await;
    }
    told
}

fn figures(bench: &mut Bench, came: &Came) {
    for kind in Kind::ALL {
        let words = kind.words();
        for share in [0.5, 0.99] {
            let (alone, beside) = (came.alone.percentile(kind, share), came.beside.percentile(kind, share));
            let name = format!("{words}, p{:.0}", share * 100.0);
            bench.figure("T1", &format!("{name} alone"), "ms", Goal::Beside, vec![alone]);
            let goal = if share > 0.9 { Goal::AtMost(2.0 * alone) } else { Goal::Beside };
            bench.figure("T1", &format!("{name} beside thieves"), "ms", goal, vec![beside]);
        }
    }
    for (phase, heard) in [("alone", &came.alone), ("beside thieves", &came.beside)] {
        let share = |count: u64| vec![100.0 * lamports(count) / lamports(heard.asked().max(1))];
        let of = |goal: f64| if phase == "alone" { Goal::Beside } else { Goal::AtMost(goal) };
        bench.figure(
            "T1",
            &format!("honest payments {phase}"),
            "payments",
            Goal::Beside,
            vec![lamports(heard.asked())],
        );
        let name = format!("of them 429 with Retry-After, {phase}");
        bench.figure("T1", &name, "%", of(MOST_TOLD_TO_WAIT), share(heard.told_to_wait));
        let name = format!("of them refused otherwise, {phase}");
        bench.figure("T1", &name, "%", of(0.0), share(heard.turned_away));
        eprintln!("  refused {phase}: {:?}", heard.refused);
    }
    let Heard { paid, refused, .. } = &came.hasty;
    bench.figure("T1", "paid without a proof and without a pause", "payments", Goal::Beside, vec![lamports(*paid)]);
    eprintln!("  refused to that payer: {refused:?}");
    let opened = came.newcomers.get("").copied().unwrap_or(0);
    let asked: u64 = came.newcomers.values().sum();
    let share = 100.0 * lamports(asked - opened) / lamports(asked.max(1));
    bench.figure("T1", &format!("openings of {asked} newcomers refused"), "%", Goal::Beside, vec![share]);
    eprintln!("  newcomers were told: {:?}", came.newcomers);
    bench.figure("T1", "sessions that thieves opened", "sessions", Goal::Beside, vec![lamports(came.loot.opened)]);
    bench.figure("T1", "payments told to thieves as paid", "payments", Goal::Beside, vec![lamports(came.loot.paid)]);
    let processor = "the facilitator's share of one processor, beside thieves";
    bench.figure("T1", processor, "%", Goal::Beside, vec![came.processor]);
    eprintln!("  thieves were told: {:?}", came.loot.refused);
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run")]
const fn lamports(count: u64) -> f64 {
    count as f64
}

/// What moved is what was captured from those who have something, and what the sponsor spent is booked.
async fn agree(bench: &mut Bench, stage: &Stage, merchants: &[LocalKey], ledger: &Path, booked: u64) -> Outcome<()> {
    let keys: Vec<_> = merchants.iter().map(LocalKey::pubkey).collect();
    let received: u64 = stage.holdings(&keys).await?.iter().map(|holding| holding.units).sum();
    let captured = captured_of_others(ledger)?;
    bench.check(received == captured, || {
        format!("merchants have {received}, and {captured} is captured of honest ones")
    });
    let spent = stage.purse - stage.lamports().await?;
    bench.check(spent == booked, || format!("{spent} lamports are gone and {booked} are booked"));
    Ok(())
}

fn read(ledger: &Path) -> Outcome<rusqlite::Connection> {
    let reader = rusqlite::Connection::open_with_flags(ledger, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    reader.busy_timeout(Duration::from_secs(5))?;
    Ok(reader)
}

/// Transactions whose fate is open, as another process sees the ledger's file.
fn in_flight(ledger: &Path) -> Outcome<u64> {
    let sql = "SELECT count(*) FROM settlements WHERE state IN ('in_flight', 'landed')";
    Ok(read(ledger)?.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// Base units captured in sessions with the cap of an honest payer.
fn captured_of_others(ledger: &Path) -> Outcome<u64> {
    let sql = "SELECT coalesce(sum(captured), 0) FROM session_sums WHERE cap = ?1";
    let means = i64::try_from(honest::MEANS)?;
    Ok(read(ledger)?.query_row(sql, [means], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// Fees, rent and grants that were spent for these wallets, in lamports.
fn lost_to(ledger: &Path, wallets: &[Pubkey]) -> Outcome<[u64; 3]> {
    let reader = read(ledger)?;
    let mut statement = reader.prepare(
        "SELECT coalesce(sum(fee), 0), coalesce(sum(rent), 0), coalesce(sum(lamports_granted), 0) \
         FROM sponsored_lamports WHERE user = ?1",
    )?;
    let mut lost = [0; 3];
    for wallet in wallets {
        let parts = statement.query_row([wallet.to_bytes()], |row| {
            Ok([row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?])
        })?;
        for (sum, part) in lost.iter_mut().zip(parts) {
            *sum += part.unsigned_abs();
        }
    }
    Ok(lost)
}
