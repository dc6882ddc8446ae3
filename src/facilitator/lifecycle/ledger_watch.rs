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
