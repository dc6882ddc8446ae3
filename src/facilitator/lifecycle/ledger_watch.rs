//! What is told of the ledger itself: one line when something is wrong with it and one when it is right again, however many
//! requests meet it.

use crate::ledger::Ledger;

/// From what length of the ledger's log it is told that somebody keeps it from being written back, in bytes.
const LOG_IS_LONG: u64 = 256 * 1024 * 1024;

/// What was told last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LedgerWatch {
    told_of_writes: bool,
    told_of_log: bool,
}

impl LedgerWatch {
    /// Looks at the ledger, and asks one that cannot be written whether it can again.
    pub(super) async fn look(&mut self, ledger: &dyn Ledger) {
        if ledger.write_fault().is_some() {
            // Its answer is in what is asked next.
            drop(ledger.ping().await);
        }
        let fault = ledger.write_fault();
        match &fault {
            Some(fault) if !self.told_of_writes => {
                let cause = &fault.cause;
                tracing::error!(cause, "the ledger cannot be written: nothing is opened, paid or settled until it can");
            }
            None if self.told_of_writes => tracing::info!("the ledger can be written again"),
            Some(_) | None => {}
        }
        self.told_of_writes = fault.is_some();
        // What keeps it from being looked at is told by everything else.
        if let Ok(length) = ledger.shorten_log().await {
            self.tell_of_log(length);
        }
    }

    /// Whether the ledger is known not to be written.
    pub(super) const fn is_unwritable(self) -> bool {
        self.told_of_writes
    }

    fn tell_of_log(&mut self, length: u64) {
        let is_long = length > LOG_IS_LONG;
        match (is_long, self.told_of_log) {
            (true, false) => {
                let detail = format!("{} MiB", length / 1024 / 1024);
                tracing::warn!(detail, "another process reads the ledger, so its log grows with every payment");
            }
            (false, true) => tracing::info!("the ledger's log is short again"),
            (true, true) | (false, false) => {}
        }
        self.told_of_log = is_long;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };
    use tracing::{Dispatch, subscriber::NoSubscriber};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// FR-9.
    #[test]
    fn a_log_that_grows_is_told_once_and_once_when_it_is_short_again() {
        let written = Written::default();
        let kept = written.clone();
        // With a single subscriber alive, another test's thread may have decided that these lines interest nobody.
        let _second = Dispatch::new(NoSubscriber::default());
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || kept.clone()).finish();
        let mut watch = LedgerWatch::default();
        tracing::subscriber::with_default(subscriber, || {
            for length in [0, LOG_IS_LONG, LOG_IS_LONG + 1, 2 * LOG_IS_LONG, LOG_IS_LONG, 0] {
                watch.tell_of_log(length);
            }
        });
        let text = String::from_utf8(written.0.lock().expect("no panic").clone()).expect("UTF-8");
        let told: Vec<_> = text.lines().collect();
        let [grows, is_short] = told.as_slice() else { panic!("{text}") };
        assert!(grows.contains("WARN") && grows.contains("another process reads the ledger"), "{grows}");
        assert!(grows.contains("256 MiB"), "{grows}");
        assert!(is_short.contains("INFO") && is_short.contains("short again"), "{is_short}");
    }
}
