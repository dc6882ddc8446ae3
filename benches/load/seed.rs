//! Ledgers with a past: sessions and settled payments written through the ledger's own verbs before a server starts,
//! because a million payments over a chain of 400 ms slots would take longer than anybody waits.

use crate::{Outcome, bodies::Nonces, stage::Stage};
use futures_util::{StreamExt as _, stream};
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use sotto::{
    domain::{
        amount::Amount,
        approval::LandedApprove,
        chance::{OsChance, draw},
        clock::{Clock as _, SystemClock},
        funding::FundingDemand,
        hold::{ContentHash, HoldId, NewHold},
        intent::Intent,
        session::{CapCheck, Delegation, Session, SessionId, SessionState, SignedIntent},
        settlement::{Allowances, Attempt, Cost, Event, Moves, SettlementId},
    },
    ledger::{Carry, Ledger, LedgerError, LedgerOptions, SqliteLedger},
};
use std::{ops::Range, path::Path};

/// Verbs under way at once: enough to fill every commit.
const AT_ONCE: usize = 512;
/// The cap of a seeded session, in base units.
const CAP: u64 = 1_000_000_000_000;

/// Opens a ledger whose verbs are not measured.
pub async fn open(path: &Path) -> Outcome<SqliteLedger> {
    Ok(SqliteLedger::open(path, &LedgerOptions::default()).await?)
}

/// Writes `count` open sessions of as many users that pay `recipient`, and the users' accounts into the network, because a
/// facilitator looks at the account behind every open session. Gives the sessions' ids.
pub async fn sessions(ledger: &dyn Ledger, stage: &Stage, recipient: Pubkey, count: usize) -> Outcome<Vec<SessionId>> {
    let (mint, network) = (stage.mint()?, stage.network()?);
    let now = SystemClock.now();
    let users: Vec<Pubkey> = (0..count).map(|_| Pubkey::new_from_array(draw(&OsChance))).collect();
    stage.delegate(&users).await?;
    let writing = users.into_iter().map(|user| {
        let intent = Intent {
            approved: None,
            asset: mint,
            cap: Amount::new(CAP).unwrap_or_default(),
            expires_at: now + 86_400,
            network: "solana:devnet".to_owned(),
            nonce: hex::encode(draw::<16>(&OsChance)),
            recipient,
            spender: stage.spender,
            user,
            session_key: None,
        };
        let session = Session {
            id: SessionId::from_random_bytes(draw(&OsChance)),
            signed: SignedIntent { bytes: intent.to_bytes(), signature: Some(draw(&OsChance)), settle_signature: None },
            intent,
            network: network.canonical().to_owned(),
            state: SessionState::Opening,
            cap_check: CapCheck::Unverified,
            captured: Amount::ZERO,
            held: Amount::ZERO,
            approve: None,
            created_at: now,
        };
        async move {
            ledger.open_session(&session).await?;
            let (signature, amount) = (Signature::from(draw::<64>(&OsChance)), Amount::new(CAP));
            let approve = LandedApprove {
                signature,
                amount,
                handle: 0,
                seen: 0,
                seen_slot: 0,
                slot: 0,
                delegation: Delegation::default(),
            };
            ledger.mark_open(session.id, CapCheck::Verified, &approve, &[]).await?;
            Ok::<_, LedgerError>(session.id)
        }
    });
    let written: Vec<_> = stream::iter(writing).buffer_unordered(AT_ONCE).collect().await;
    Ok(written.into_iter().collect::<Result<_, _>>()?)
}

/// Gives every session `each` payments of one base unit that were captured and settled at `now`.
pub async fn past_payments(
    ledger: &dyn Ledger,
    sessions: &[SessionId],
    each: usize,
    nonces: Nonces,
    now: u64,
) -> Outcome<()> {
    let writing = sessions.iter().flat_map(|session| std::iter::repeat_n(*session, each)).map(|session| async move {
        let new = NewHold {
            id: HoldId::from_random_bytes(draw(&OsChance)),
            session,
            nonce: Some(nonces.draw(&OsChance)),
            content: ContentHash(draw(&OsChance)),
            amount: Amount::new(1).unwrap_or_default(),
            unverified_exposure: Amount::ZERO,
            deferred: None,
            funding: FundingDemand { required: false, max_age: 60, cap_binds: false },
            answer: None,
            now,
        };
        ledger.hold(&new).await.map(drop)
    });
    all(stream::iter(writing).buffer_unordered(AT_ONCE)).await?;
    let settling = sessions.iter().map(|session| settle(ledger, *session, now));
    all(stream::iter(settling).buffer_unordered(AT_ONCE)).await
}

/// Like [`past_payments`], for millions: payments are written as the verb writes them, but thousands to a commit, and then
/// settled by the ledger's own verbs. Whether the rows are the verb's is what an audit tells.
pub async fn many_past_payments(path: &Path, sessions: &[SessionId], each: usize, now: u64) -> Outcome<()> {
    /// Sessions that wait together: few enough that looking for what waits costs little.
    const TOGETHER: usize = 50;
    let (each, mut written) = (u32::try_from(each)?, 0);
    for sessions in sessions.chunks(TOGETHER) {
        let mut conn = Connection::open(path)?;
        // A crash of this program spoils a file that nobody keeps.
        conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON; PRAGMA cache_size = -262144;")?;
        for session in sessions {
            write_waiting(&mut conn, *session, written..written + each, now)?;
            written += each;
        }
        drop(conn);
        let ledger = open(path).await?;
        let settling = sessions.iter().map(|session| settle(&ledger, *session, now));
        all(stream::iter(settling).buffer_unordered(AT_ONCE)).await?;
    }
    Ok(())
}

/// Writes payments of one base unit with these numbers, which wait in a session that has none.
fn write_waiting(conn: &mut Connection, session: SessionId, numbers: Range<u32>, now: u64) -> Outcome<()> {
    let (each, cap, at) = (i64::try_from(numbers.len())?, i64::try_from(CAP)?, i64::try_from(now)?);
    let transaction = conn.transaction()?;
    let mut insert = transaction.prepare(
        "INSERT INTO holds (id, session, nonce, content, amount, spent_after, remaining_after, state, told, \
         pending_answered, taken_over, accepted_at, deferred, funding) \
         VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, 'waiting', 0, 0, 0, ?7, 0, 'unproven')",
    )?;
    for (spent, number) in (1..).zip(numbers) {
        insert.execute(params![
            HoldId::in_order(now, number, draw(&OsChance)).0.into_bytes(),
            session.to_bytes(),
            Nonces::Ordered.draw(&OsChance),
            draw::<32>(&OsChance),
            spent,
            cap - spent,
            at,
        ])?;
    }
    drop(insert);
    let newest = transaction.last_insert_rowid();
    let held = "UPDATE session_sums SET held = held + ?2, newest_hold = ?3 \
                WHERE session = (SELECT seq FROM sessions WHERE id = ?1)";
    transaction.execute(held, params![session.to_bytes(), each, newest])?;
    Ok(transaction.commit()?)
}

async fn all(mut writing: impl futures_util::Stream<Item = Result<(), LedgerError>> + Unpin) -> Outcome<()> {
    while let Some(written) = writing.next().await {
        written?;
    }
    Ok(())
}

/// Everything that waits in a session, carried by transfers that are final.
async fn settle(ledger: &dyn Ledger, session: SessionId, now: u64) -> Result<(), LedgerError> {
    while carry(ledger, session, now).await? {}
    Ok(())
}

/// One transfer that is final; gives whether there was anything to carry.
async fn carry(ledger: &dyn Ledger, session: SessionId, now: u64) -> Result<bool, LedgerError> {
    let id = SettlementId::from_random_bytes(draw(&OsChance));
    let Some(planned) = ledger.plan_settlement(id, session, Carry::up_to(Amount::MAX), now).await? else {
        return Ok(false);
    };
    let attempt = Attempt {
        settlement: id,
        number: 1,
        signature: Signature::from(draw::<64>(&OsChance)),
        wire: vec![0; 700],
        last_valid_block_height: 1,
        signed_at_slot: 1,
        cost: Cost { fee: 10_000, rent: 0, grant: 0 },
        allowances: Allowances::NotBought,
        moves: Moves::Balance(None),
        seen_by: Vec::new(),
        past_at: None,
    };
    let Some((signed, _)) = ledger.record_signed(&planned, attempt, now).await?.recorded() else { return Ok(false) };
    let landed = ledger.record(&signed, Event::Landed { slot: 1 }, &[], now).await?;
    ledger.record(&landed, Event::Finalised, &[], now).await.map(|_| true)
}
