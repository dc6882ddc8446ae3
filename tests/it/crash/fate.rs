//! When a process dies, and what it did until then.

use solana_pubkey::Pubkey;
use sotto::{chain::ChainAccount, domain::settlement::Event};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The call that is a process's last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    Never,
    /// Calls count from zero over both ports.
    Call(u64),
    /// The first call of this name: a verb of a port, or the word of an event that is recorded.
    First(&'static str),
}

/// When a process dies.
pub struct Fate {
    last: Last,
    /// Whether that call still has its effect.
    after_effect: bool,
    doomed: AtomicBool,
    calls: AtomicU64,
    /// How often each name was met.
    met: Mutex<BTreeMap<&'static str, u64>>,
    /// Events of which kind are still to be recorded without anybody being told so, and how many.
    untold: Mutex<(&'static str, u64)>,
    /// Whether holds and new sessions are written and nobody is told.
    withheld: watch::Sender<bool>,
    /// Whether reads of holds are answered only later.
    reads_late: watch::Sender<bool>,
    /// What accounts were when they were first read, while the node that is read stands still.
    stuck: Mutex<Option<HashMap<Pubkey, Option<ChainAccount>>>>,
    pub dead: CancellationToken,
}

impl Fate {
    pub fn at(last: Last, after_effect: bool) -> Arc<Self> {
        Arc::new(Self {
            last,
            after_effect,
            doomed: AtomicBool::default(),
            calls: AtomicU64::default(),
            met: Mutex::default(),
            untold: Mutex::new(("", 0)),
            withheld: watch::Sender::new(false),
            reads_late: watch::Sender::new(false),
            stuck: Mutex::default(),
            dead: CancellationToken::new(),
        })
    }

    pub fn immortal() -> Arc<Self> {
        Self::at(Last::Never, false)
    }

    /// The next `landings` are recorded, and the answers lost.
    pub fn lose_answers(&self, landings: u64) {
        self.lose_answers_of("landed", landings);
    }

    /// The next `events` of this kind are recorded, and the answers lost.
    pub fn lose_answers_of(&self, word: &'static str, events: u64) {
        *self.untold.lock().unwrap() = (word, events);
    }

    /// From now on holds and new sessions are written and the ledger does not say so, until it is let again.
    pub fn withhold(&self, withholds: bool) {
        self.withheld.send_replace(withholds);
    }

    /// How often this verb was called.
    pub fn times(&self, name: &str) -> u64 {
        self.met.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    /// Waits until nothing is withheld.
    pub async fn tells(&self) {
        let _ = self.withheld.subscribe().wait_for(|withheld| !withheld).await;
    }

    /// From now on a hold is read when this is ended, with what it is by then.
    pub fn read_late(&self, late: bool) {
        self.reads_late.send_replace(late);
    }

    /// Reads once nothing is read late any more.
    pub async fn late<T>(&self, read: impl Future<Output = T>) -> T {
        let _ = self.reads_late.subscribe().wait_for(|late| !late).await;
        read.await
    }

    /// From now on accounts stay as they are when they are first read, or move again: one address that hides several
    /// nodes, of which the one that is read stands still while everything else is true.
    pub fn lag(&self, lags: bool) {
        *self.stuck.lock().unwrap() = lags.then(HashMap::new);
    }

    pub fn as_they_were(&self, keys: &[Pubkey], mut accounts: Vec<Option<ChainAccount>>) -> Vec<Option<ChainAccount>> {
        if let Some(stuck) = &mut *self.stuck.lock().unwrap() {
            for (key, account) in keys.iter().zip(&mut accounts) {
                *account = stuck.entry(*key).or_insert_with(|| account.clone()).clone();
            }
        }
        accounts
    }

    pub fn loses_answer(&self, event: &Event) -> bool {
        let mut untold = self.untold.lock().unwrap();
        let loses = event.word() == untold.0 && untold.1 > 0;
        untold.1 -= u64::from(loses);
        loses
    }

    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Every name that was met.
    pub fn met(&self) -> Vec<&'static str> {
        self.met.lock().unwrap().keys().copied().collect()
    }

    /// How often a name was met.
    pub fn times_met(&self, name: &str) -> u64 {
        self.met.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    pub fn has_met(&self, name: &str) -> bool {
        self.met.lock().unwrap().contains_key(name)
    }

    /// Counts a call, and tells whether it is the last one.
    fn count(&self, names: &[&'static str]) -> bool {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let mut met = self.met.lock().unwrap();
        names.iter().any(|name| {
            let times = met.entry(*name).or_default();
            *times += 1;
            match self.last {
                Last::Never => false,
                Last::Call(last) => number == last,
                Last::First(last) => last == *name && *times == 1,
            }
        })
    }

    /// Runs one call of the process, or stops it there.
    pub async fn step<T>(&self, name: &'static str, call: impl Future<Output = T>) -> T {
        self.step_named(&[name], call).await
    }

    /// Like [`Self::step`], for a call with more than one name.
    pub async fn step_named<T>(&self, names: &[&'static str], call: impl Future<Output = T>) -> T {
        let is_last = self.count(names);
        let dies = self.doomed.fetch_or(is_last, Ordering::SeqCst) || is_last;
        // Its caller may give up waiting for the last call (a look at an account has two seconds): the process dies all the same,
        // or everybody would wait for it.
        let _death = is_last.then(|| self.dead.clone().drop_guard());
        if !dies || (is_last && self.after_effect) {
            let result = call.await;
            if !dies {
                return result;
            }
        }
        if is_last {
            tracing::debug!(?names, "the process dies");
            self.dead.cancel();
        }
        // A dead process answers nobody.
        std::future::pending().await
    }
}
