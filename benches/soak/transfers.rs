//! Each transfer by itself: what the chain moved in its transaction, against the ledger's word of it.

use crate::{
    Outcome,
    payment::{Answer, Payment},
    stage::Stage,
};
use rusqlite::{Connection, OpenFlags};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use sotto::domain::session::SessionId;
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

/// Transactions that are asked for at once.
const BATCH: usize = 256;

type Id = [u8; 16];

/// A settlement of a session's payments.
struct Transfer {
    session: Id,
    /// Base units that it should move.
    amount: u64,
    /// Base units that each of its attempts moved, of those that are on chain.
    moved: Vec<u64>,
    /// How often it landed, by the ledger: more than once where a fork took it back.
    landed: u64,
}

/// What sessions may move, by the ledger, in base units.
struct Limits {
    user: Pubkey,
    cap: u64,
    /// Captured or held.
    claimed: u64,
}

/// A payment by the ledger.
struct Hold {
    is_proven: bool,
    settlement: Option<Id>,
}

/// All transfers of a ledger.
pub struct Transfers {
    by_settlement: BTreeMap<Id, Transfer>,
    sessions: BTreeMap<Id, Limits>,
    holds: HashMap<(Id, String), Hold>,
}

/// What became of a payment that was told as covered by a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proven {
    /// Its transfer moved what it carried.
    Moved,
    /// It did not, and landed once.
    Unmoved,
    /// It did not move when it landed again, after a fork that undid what was told.
    Undone,
}

/// An attempt on record: its settlement and its signature.
type Signed = (Id, Signature);

impl Transfers {
    /// Reads a ledger that nobody writes to, and asks the chain about each transaction that was ever signed for it.
    pub async fn read(stage: &Stage, ledger: &Path) -> Outcome<Self> {
        let (mut found, signed) = tokio::task::block_in_place(|| Self::of(ledger))?;
        for batch in signed.chunks(BATCH) {
            let signatures: Vec<_> = batch.iter().map(|(_, signature)| *signature).collect();
            for ((settlement, _), moved) in batch.iter().zip(stage.moved(&signatures).await?) {
                let transfer = found.by_settlement.get_mut(settlement).ok_or("no such transfer")?;
                let user = found.sessions.get(&transfer.session).ok_or("no such session")?.user;
                transfer.moved.extend(moved.map(|of_wallet| {
                    let change = of_wallet.get(&user).copied().unwrap_or(0);
                    u64::try_from(-change).unwrap_or(0)
                }));
            }
        }
        Ok(found)
    }

    fn of(ledger: &Path) -> Outcome<(Self, Vec<Signed>)> {
        let reader = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let sql =
            "SELECT x.id, x.user, x.cap, m.captured + m.held FROM sessions x JOIN session_sums m ON m.session = x.seq";
        let mut statement = reader.prepare(sql)?;
        let sessions = statement.query_map([], |row| {
            let limits = Limits {
                user: Pubkey::new_from_array(row.get(1)?),
                cap: row.get::<_, i64>(2)?.unsigned_abs(),
                claimed: row.get::<_, i64>(3)?.unsigned_abs(),
            };
            Ok((row.get(0)?, limits))
        })?;
        let sessions = sessions.collect::<Result<_, _>>()?;
        let mut statement = reader.prepare(
            "SELECT s.id, s.session, s.amount, (SELECT count(*) FROM settlement_events e WHERE e.settlement = s.id \
             AND e.event = 'landed') FROM settlements s WHERE s.session IS NOT NULL AND s.moves_money = 1",
        )?;
        let transfers = statement.query_map([], |row| {
            let (amount, landed) = (row.get::<_, i64>(2)?.unsigned_abs(), row.get::<_, i64>(3)?.unsigned_abs());
            Ok((row.get(0)?, Transfer { session: row.get(1)?, amount, moved: Vec::new(), landed }))
        })?;
        let transfers = transfers.collect::<Result<BTreeMap<Id, Transfer>, _>>()?;
        let mut statement =
            reader.prepare("SELECT session, nonce, funding, settlement FROM holds WHERE nonce IS NOT NULL")?;
        let holds = statement.query_map([], |row| {
            let hold = Hold { is_proven: row.get::<_, String>(2)? == "proven", settlement: row.get(3)? };
            Ok(((row.get(0)?, row.get(1)?), hold))
        })?;
        let holds = holds.collect::<Result<_, _>>()?;
        let mut statement = reader.prepare("SELECT settlement, signature FROM attempts")?;
        let signed = statement.query_map([], |row| Ok((row.get::<_, Id>(0)?, row.get::<_, [u8; 64]>(1)?)))?;
        let signed = signed.collect::<Result<Vec<_>, _>>()?.into_iter();
        let signed = signed.map(|(settlement, signature)| (settlement, Signature::from(signature)));
        let signed = signed.filter(|(settlement, _)| transfers.contains_key(settlement)).collect();
        Ok((Self { by_settlement: transfers, sessions, holds }, signed))
    }

    /// What must not be, at any moment: a transfer that moved twice or another amount than its own, and a session out of which
    /// more went than it may pay, or than is captured or held of it.
    pub fn contradictions(&self) -> Vec<String> {
        let (mut broken, mut of_session) = (Vec::new(), BTreeMap::<Id, u64>::new());
        for (id, transfer) in &self.by_settlement {
            let moved: u64 = transfer.moved.iter().sum();
            *of_session.entry(transfer.session).or_default() += moved;
            if moved != 0 && moved != transfer.amount {
                let id = hex::encode(id);
                broken.push(format!("settlement {id} of {}: its attempts moved {:?}", transfer.amount, transfer.moved));
            }
        }
        for (session, moved) in of_session {
            let Some(Limits { user, cap, claimed }) = self.sessions.get(&session) else { continue };
            if moved > *cap || moved > *claimed {
                let session = hex::encode(session);
                broken.push(format!(
                    "session {session} of {user} moved {moved}: its cap is {cap}, {claimed} is captured or held"
                ));
            }
        }
        broken
    }

    /// What became of a payment that was told as proven; none of others.
    pub fn proven(&self, payment: &Payment) -> Option<Proven> {
        if !(payment.proven && payment.answer == Answer::Yes) {
            return None;
        }
        let Some(transfer) = self.transfer_of(payment.session, &payment.nonce) else { return Some(Proven::Unmoved) };
        Some(if transfer.moved.contains(&transfer.amount) {
            Proven::Moved
        } else if transfer.landed > 1 {
            Proven::Undone
        } else {
            Proven::Unmoved
        })
    }

    /// Whether the ledger's last word of a payment is that a proof covers it.
    pub fn is_proven(&self, payment: &Payment) -> bool {
        self.hold(payment.session, &payment.nonce).is_some_and(|hold| hold.is_proven)
    }

    fn hold(&self, session: SessionId, nonce: &str) -> Option<&Hold> {
        self.holds.get(&(session.to_bytes(), nonce.to_owned()))
    }

    fn transfer_of(&self, session: SessionId, nonce: &str) -> Option<&Transfer> {
        self.by_settlement.get(&self.hold(session, nonce)?.settlement?)
    }
}
