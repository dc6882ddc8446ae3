//! Sessions in memory as of the last commit, so that payments do not ask the database for terms that never change.
//!
//! Promises: what is read here is committed, and whoever was told that a verb is done reads its effect. Bounded: the
//! sessions used last are kept, the others are read again.
//!
//! How: SQLite tells the writing connection which rows of `sessions` and of their sums its transaction touched
//! ([`Touched`]). After the commit and before any caller is answered the writer has these forgotten, or, where a verb
//! says that all it did was to hold more, counted up. A reader puts a row in only if nothing it may have missed was
//! committed since it began to read, and never over one that is kept: that one is as of the last commit. So no verb has
//! to know of this, and a column that is added later cannot be forgotten here.

use crate::{
    domain::{
        amount::Amount,
        session::{Session, SessionId},
    },
    ledger::{
        LedgerError,
        sqlite::{
            readers::{InlineReaders, Readers},
            statements::{Outcome, VerbError, select},
        },
    },
};
use lru::LruCache;
use rusqlite::Connection;
use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

#[cfg(test)]
mod tests;

/// Sessions kept; about 1.3 KiB each.
const CAPACITY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(65_535);

/// What a committed verb did to one row of `sessions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It held more and did nothing else; captured and held together are now this much.
    Spent(i64, Amount),
    /// It did something else: the row has to be read again.
    Anything(i64),
}

impl Change {
    /// What a verb did to the rows it touched; `spent` is what it says of the one row it touched by holding.
    pub(super) fn all(touched: &[i64], spent: Option<Amount>) -> impl Iterator<Item = Self> {
        let only = touched.first().filter(|first| touched.iter().all(|other| other == *first));
        let spent = only.copied().zip(spent).map(|(row, spent)| Self::Spent(row, spent));
        let others = if spent.is_some() { &[] } else { touched };
        spent.into_iter().chain(others.iter().copied().map(Self::Anything))
    }

    /// What has to be read again when nobody knows whether the change was committed.
    pub(super) const fn unknown(self) -> Self {
        match self {
            Self::Spent(row, _) | Self::Anything(row) => Self::Anything(row),
        }
    }
}

/// The rows of `sessions` that the writing connection touched since somebody last asked, undone ones too.
#[derive(Clone, Default)]
pub(super) struct Touched(Arc<Mutex<Vec<i64>>>);

impl Touched {
    /// Listens to a connection.
    pub(super) fn listen(conn: &Connection) -> rusqlite::Result<Self> {
        let touched = Self::default();
        let rows = touched.clone();
        conn.update_hook(Some(move |_, _: &str, table: &str, row| {
            // A row of sums has the number of its session.
            if table == "sessions" || table == "session_sums" {
                rows.lock().push(row);
            }
        }))?;
        Ok(touched)
    }

    /// Gives the rows to `look`, and forgets them.
    pub(super) fn take<T>(&self, look: impl FnOnce(&[i64]) -> T) -> T {
        let mut rows = self.lock();
        let seen = look(&rows);
        rows.clear();
        seen
    }

    fn lock(&self) -> MutexGuard<'_, Vec<i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sessions that were read last.
pub(super) struct Snapshots(Mutex<Kept>);

struct Kept {
    sessions: LruCache<SessionId, (i64, Arc<Session>)>,
    ids: HashMap<i64, SessionId>,
    /// Grows with every committed change of a row that is not kept, and with every row that is no longer kept: somebody
    /// may be reading it as it was before.
    missed: u64,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self::keeping(CAPACITY)
    }
}

impl Snapshots {
    fn keeping(most: NonZeroUsize) -> Self {
        Self(Mutex::new(Kept { sessions: LruCache::new(most), ids: HashMap::new(), missed: 0 }))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session as of the last commit, if it is kept.
    pub(super) fn find(&self, id: SessionId) -> Option<Arc<Session>> {
        self.lock().sessions.get(&id).map(|(_, session)| Arc::clone(session))
    }

    /// Everything that is kept, for the audit.
    fn all(&self) -> Vec<Arc<Session>> {
        self.lock().sessions.iter().map(|(_, (_, session))| Arc::clone(session)).collect()
    }

    /// A session as of the last commit, from memory where it is kept.
    pub(super) async fn session(
        &self,
        inline_readers: &InlineReaders,
        readers: &Readers,
        id: SessionId,
    ) -> Result<Option<Arc<Session>>, LedgerError> {
        if let Some(kept) = self.find(id) {
            return Ok(Some(kept));
        }
        match inline_readers.ask(|conn| self.read(|| select::numbered_session(conn, id))) {
            Some(found) => Ok(found?),
            // More callers than connections; the next one keeps it.
            None => Ok(readers.run(move |conn| select::session(conn, id)).await?.map(Arc::new)),
        }
    }

    /// Compares everything that is kept with its rows.
    pub(super) async fn audit(&self, readers: &Readers) -> Result<(), LedgerError> {
        for kept in self.all() {
            let id = kept.id;
            let row = readers.run(move |conn| select::session(conn, id)).await?;
            // What is no longer kept as it was has been changed by a verb since.
            if row.as_ref() != Some(&*kept) && self.is_kept(&kept) {
                let what = format!("the session {} in memory is not its row", id.log_hash());
                return Err(LedgerError::Inconsistent(what));
            }
        }
        Ok(())
    }

    /// Whether exactly this is still kept.
    fn is_kept(&self, session: &Session) -> bool {
        self.lock().sessions.peek(&session.id).is_some_and(|(_, kept)| **kept == *session)
    }

    /// Reads a session with its row number from the database and keeps it.
    pub(super) fn read(
        &self,
        read: impl FnOnce() -> Outcome<Option<(i64, Session)>>,
    ) -> Result<Option<Arc<Session>>, VerbError> {
        let missed = self.lock().missed;
        let Some((row, session)) = read()? else { return Ok(None) };
        let mut kept = self.lock();
        if kept.missed == missed {
            return Ok(Some(kept.keep(row, session)));
        }
        Ok(Some(Arc::new(session)))
    }

    /// Applies what was committed. Called by the writer before it answers anybody.
    pub(super) fn apply(&self, changes: impl IntoIterator<Item = Change>) {
        let mut kept = self.lock();
        for change in changes {
            kept.apply(change);
        }
    }
}

impl Kept {
    /// Keeps what was read, unless another reader was faster: what is kept has been told of every commit since, and what
    /// was read here has not.
    fn keep(&mut self, row: i64, session: Session) -> Arc<Session> {
        let id = session.id;
        if let Some((_, kept)) = self.sessions.get(&id) {
            return Arc::clone(kept);
        }
        let session = Arc::new(session);
        self.ids.insert(row, id);
        if let Some((_, (evicted, _))) = self.sessions.push(id, (row, Arc::clone(&session))) {
            self.ids.remove(&evicted);
            self.missed += 1;
        }
        session
    }

    fn apply(&mut self, change: Change) {
        let row = match change {
            Change::Spent(row, spent) => {
                let session = self.ids.get(&row).and_then(|id| self.sessions.peek_mut(id)).map(|(_, session)| session);
                if let Some(session) = session
                    && let Some(held) = spent.checked_sub(session.captured)
                {
                    // Copied only while somebody still looks at the last one.
                    Arc::make_mut(session).held = held;
                    return;
                }
                row
            }
            Change::Anything(row) => row,
        };
        if let Some(id) = self.ids.remove(&row) {
            self.sessions.pop(&id);
        }
        self.missed += 1;
    }
}
