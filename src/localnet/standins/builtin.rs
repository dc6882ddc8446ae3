//! The adapter that puts the stand-ins into LiteSVM, and the thread-local that tells them which network they serve.

use std::cell::RefCell;

use litesvm::LiteSVM;

use super::{Rules, Scratch, StandIns};

/// What the programs of the transaction being executed on this thread may reach.
pub(super) struct Execution {
    pub(super) network: StandIns,
    pub(super) rules: Rules,
    pub(super) scratch: Scratch,
}

thread_local! {
    static CURRENT: RefCell<Option<Execution>> = const { RefCell::new(None) };
}

/// Puts the outer execution back, even when the inner one unwinds.
struct Restore(Option<Execution>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

pub(super) fn run<R>(network: &StandIns, f: impl FnOnce() -> R) -> (R, Scratch) {
    let execution =
        Execution { network: network.clone(), rules: network.switches().get(), scratch: Scratch::default() };
    let _restore = Restore(CURRENT.replace(Some(execution)));
    let result = f();
    let scratch = CURRENT.take().map(|execution| execution.scratch).unwrap_or_default();
    (result, scratch)
}

pub(super) fn install(_network: &StandIns, _svm: &mut LiteSVM) {}
