//! Taking over the deployed reference service's file.
//!
//! That service keeps one table, `sessions` (better-sqlite3: text keys, `cap` and `spent` as decimal text, the signed
//! message and its signature in base64). An operator who swaps the binary points `DB_PATH` at the same file: the table
//! is set aside under another name, the schema is made, and the sessions that still run are written into it.
//!
//! Promises: only a session whose intent its user signed, for this network and this spender, becomes one of ours, with
//! what was spent as captured and its cap unverified; every other is counted with its reason. The import is one
//! transaction that also renames the old table, so it happens once; nothing of the old table is lost.
//!
//! Must be true: the deployed service no longer runs on the file.

use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        intent::Intent,
        network::Network,
        session::{CapCheck, Session, SessionId, SessionState, SignedIntent},
        signed,
    },
    ledger::{
        LedgerError,
        sqlite::statements::{Outcome, sessions},
    },
};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use rusqlite::{Connection, Row, types::ValueRef};
use solana_pubkey::Pubkey;
use std::collections::{BTreeMap, HashMap};

/// The deployed table while its import is not finished.
pub(super) const SET_ASIDE: &str = "deployed_sessions";
/// The deployed table once its import is finished.
const IMPORTED: &str = "deployed_sessions_imported";
/// Its columns, compared without case and underscores; `created_at` may be missing.
const COLUMNS: [&str; 12] = [
    "id",
    "user",
    "spender",
    "asset",
    "recipient",
    "cap",
    "spent",
    "expirationunix",
    "network",
    "approvetxsignature",
    "authmessage",
    "authsignature",
];
/// The deployed service decodes with Node, which does not insist on padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a session must fit to be taken over.
#[derive(Clone, Debug)]
pub struct ImportTerms {
    /// Sessions that end at or before this time are skipped.
    pub now: UnixSeconds,
    /// The network this facilitator serves, in all its spellings.
    pub network: Network,
    /// The facilitator's delegate key.
    pub spender: Pubkey,
}

/// Why a session was not taken over. It stays in the table `deployed_sessions_imported`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Skipped {
    /// Its expiration has passed.
    Expired,
    /// It belongs to another network.
    OtherNetwork,
    /// Its delegate is not us.
    OtherSpender,
    /// A column does not hold what the deployed service writes.
    Malformed,
    /// The signed message is not an intent (the deployed service checks less).
    NotAnIntent,
    /// The signature is not the user's over the message.
    BadSignature,
    /// The row differs from what the user signed.
    NotWhatWasSigned,
    /// More was spent than the cap, or a negative amount (a defect of the deployed service).
    Overspent,
    /// One signed message opened several sessions, which multiplied its cap (another defect).
    Replayed,
}

impl Skipped {
    /// The word in the log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::OtherNetwork => "other_network",
            Self::OtherSpender => "other_spender",
            Self::Malformed => "malformed",
            Self::NotAnIntent => "not_an_intent",
            Self::BadSignature => "bad_signature",
            Self::NotWhatWasSigned => "not_what_was_signed",
            Self::Overspent => "overspent",
            Self::Replayed => "replayed",
        }
    }
}

/// What became of the deployed service's sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Sessions that are open here now.
    pub imported: u64,
    /// Which were skipped for which reason: their ids, hashed, because an id without a session key is what pays from it.
    pub skipped: BTreeMap<Skipped, Vec<String>>,
}

/// Whether the table `sessions` is the deployed service's.
pub(super) fn is_deployed(conn: &Connection) -> rusqlite::Result<bool> {
    let found = columns(conn, "sessions")?;
    Ok(COLUMNS.iter().all(|column| found.contains_key(*column)))
}

/// Whether an import has been begun and not finished.
pub(super) fn is_set_aside(conn: &Connection) -> rusqlite::Result<bool> {
    Ok(!columns(conn, SET_ASIDE)?.is_empty())
}

/// Frees the table's name for our own.
pub(super) fn set_aside(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("ALTER TABLE sessions RENAME TO deployed_sessions")
}

/// Imports the table that was set aside; none when there is none.
pub(super) fn import_deployed(conn: &mut Connection, terms: &ImportTerms) -> Result<Option<ImportReport>, LedgerError> {
    import(conn, terms).map_err(LedgerError::from)
}

fn import(conn: &mut Connection, terms: &ImportTerms) -> Outcome<Option<ImportReport>> {
    if !is_set_aside(conn)? {
        return Ok(None);
    }
    let transaction = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let judge = |row: Result<Deployed, Skipped>| match row {
        Ok(row) => (log_hash(&row.id), row.judge(terms)),
        Err(reason) => ("unreadable".to_owned(), Err(reason)),
    };
    let judged: Vec<_> = rows(&transaction, SET_ASIDE)?.into_iter().map(judge).collect();
    let mut uses: HashMap<(Pubkey, String), u64> = HashMap::new();
    for session in judged.iter().filter_map(|(_, judgement)| judgement.as_ref().ok()) {
        *uses.entry(nonce_of(session)).or_default() += 1;
    }
    let mut report = ImportReport::default();
    for (id, judgement) in judged {
        match judgement {
            Ok(session) if uses.get(&nonce_of(&session)) == Some(&1) => {
                sessions::insert(&transaction, &session, session.captured)?;
                report.imported += 1;
            }
            Ok(_) => report.skipped.entry(Skipped::Replayed).or_default().push(id),
            Err(reason) => report.skipped.entry(reason).or_default().push(id),
        }
    }
    transaction.execute_batch(&format!("ALTER TABLE {SET_ASIDE} RENAME TO {IMPORTED}"))?;
    transaction.commit()?;
    Ok(Some(report))
}

/// What a session is called where its id must not stand.
fn log_hash(id: &str) -> String {
    id.parse::<SessionId>().map_or_else(|_| "no session id".to_owned(), SessionId::log_hash)
}

fn nonce_of(session: &Session) -> (Pubkey, String) {
    (session.intent.user, session.intent.nonce.clone())
}

/// A table's columns: the comparable name and the real one.
fn columns(conn: &Connection, table: &str) -> rusqlite::Result<HashMap<String, String>> {
    let mut statement = conn.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let names = statement.query_map([table], |row| row.get::<_, String>(0))?;
    names.map(|name| name.map(|name| (name.replace('_', "").to_ascii_lowercase(), name))).collect()
}

/// A row of the deployed table.
struct Deployed {
    id: String,
    user: String,
    spender: String,
    asset: String,
    recipient: String,
    cap: String,
    spent: String,
    expires_at: i64,
    network: String,
    approve: String,
    message: String,
    signature: String,
    created_at: i64,
}

/// What the deployed service's other sessions of the account of `session` can have taken, at most, from the approve that it
/// names: the caps of those that name this approve too or end after `since`. None where that cannot be told: the session was
/// not imported, or a row cannot be read.
pub(super) fn taken_beside(conn: &Connection, session: SessionId, since: UnixSeconds) -> Outcome<Option<Amount>> {
    if columns(conn, IMPORTED)?.is_empty() {
        return Ok(None);
    }
    let Ok(rows) = rows(conn, IMPORTED)?.into_iter().collect::<Result<Vec<_>, Skipped>>() else { return Ok(None) };
    let is_own = |row: &Deployed| row.id.parse::<SessionId>().is_ok_and(|id| id == session);
    let Some(own) = rows.iter().find(|row| is_own(row)) else { return Ok(None) };
    let ends_later = |row: &Deployed| u64::try_from(row.expires_at).is_ok_and(|end| end > since);
    let mut others = rows
        .iter()
        .filter(|row| !is_own(row) && row.user == own.user && row.asset == own.asset)
        .filter(|row| row.approve == own.approve || ends_later(row));
    Ok(others.try_fold(Amount::ZERO, |sum, row| sum.checked_add(Amount::parse(&row.cap).ok()?)))
}

fn rows(conn: &Connection, table: &str) -> rusqlite::Result<Vec<Result<Deployed, Skipped>>> {
    let found = columns(conn, table)?;
    let quoted = |column: &str| match found.get(column) {
        Some(name) => format!("\"{}\"", name.replace('"', "\"\"")),
        None => "0".to_owned(),
    };
    let list: Vec<String> = COLUMNS.iter().copied().chain(["createdat"]).map(quoted).collect();
    let mut statement = conn.prepare(&format!("SELECT {} FROM {table} ORDER BY rowid", list.join(", ")))?;
    let read = statement.query_map([], |row| Ok(Deployed::read(row).ok_or(Skipped::Malformed)))?;
    read.collect()
}

impl Deployed {
    fn read(row: &Row<'_>) -> Option<Self> {
        let text = |index: usize| match row.get_ref(index) {
            Ok(ValueRef::Text(bytes)) => String::from_utf8(bytes.to_vec()).ok(),
            _ => None,
        };
        let number = |index: usize| row.get::<_, i64>(index).ok();
        Some(Self {
            id: text(0)?,
            user: text(1)?,
            spender: text(2)?,
            asset: text(3)?,
            recipient: text(4)?,
            cap: text(5)?,
            spent: text(6)?,
            expires_at: number(7)?,
            network: text(8)?,
            approve: text(9)?,
            message: text(10)?,
            signature: text(11)?,
            created_at: number(12)?,
        })
    }

    /// The session this becomes, or why none.
    fn judge(self, terms: &ImportTerms) -> Result<Session, Skipped> {
        let expires_at = u64::try_from(self.expires_at).map_err(|_| Skipped::Malformed)?;
        if expires_at <= terms.now {
            return Err(Skipped::Expired);
        }
        if !terms.network.is(&self.network) {
            return Err(Skipped::OtherNetwork);
        }
        let key = |text: &str| signed::parse_key(text).ok_or(Skipped::Malformed);
        if key(&self.spender)? != terms.spender {
            return Err(Skipped::OtherSpender);
        }
        let message = BASE64.decode(&self.message).map_err(|_| Skipped::Malformed)?;
        let signature = BASE64.decode(&self.signature).ok().and_then(|bytes| bytes.try_into().ok());
        let signature: [u8; 64] = signature.ok_or(Skipped::Malformed)?;
        let intent = Intent::parse(&message).map_err(|_| Skipped::NotAnIntent)?;
        if !signed::verify(&intent.user, &message, &signature) {
            return Err(Skipped::BadSignature);
        }
        let says_the_same = intent.user == key(&self.user)?
            && intent.spender == terms.spender
            && intent.asset == key(&self.asset)?
            && intent.recipient == key(&self.recipient)?
            && Amount::parse(&self.cap).is_ok_and(|cap| cap == intent.cap)
            && intent.expires_at == expires_at
            && intent.network == self.network;
        if !says_the_same {
            return Err(Skipped::NotWhatWasSigned);
        }
        let captured = Amount::parse(&self.spent).ok().filter(|spent| *spent <= intent.cap);
        Ok(Session {
            id: self.id.parse::<SessionId>().map_err(|_| Skipped::Malformed)?,
            intent,
            signed: SignedIntent { bytes: message, signature: Some(signature), settle_signature: None },
            network: terms.network.canonical().to_owned(),
            state: SessionState::Open,
            cap_check: CapCheck::Unverified,
            captured: captured.ok_or(Skipped::Overspent)?,
            held: Amount::ZERO,
            // A signature we cannot read is no reason to end a session: the delegate on chain is what counts.
            approve: self.approve.parse().ok(),
            created_at: u64::try_from(self.created_at).unwrap_or_default(),
        })
    }
}
