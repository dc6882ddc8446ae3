//! When a command that runs until it is told otherwise is told so.

use std::io;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The wish to stop. Made before a command announces itself: whoever reads the announcement may ask at once, and a
/// signal without a listener would end the process where it stands.
pub(super) struct Stop {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
    /// None where whoever started the process wants it to outlive its terminal.
    #[cfg(unix)]
    hangup: Option<Signal>,
}

impl Stop {
    /// Listens from now on for ctrl-c (SIGINT), SIGTERM, which is how service managers and containers ask, and the end of the terminal
    /// (SIGHUP).
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt())?,
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
            #[cfg(unix)]
            hangup: (!hangups_are_ignored()).then(|| signal(SignalKind::hangup())).transpose()?,
        })
    }

    /// Returns once somebody asks, or has asked.
    pub(super) async fn asked(&mut self) -> io::Result<()> {
        #[cfg(unix)]
        {
            tokio::select! {
                _ = self.interrupt.recv() => Ok(()),
                _ = self.terminate.recv() => Ok(()),
                () = hung_up(self.hangup.as_mut()) => Ok(()),
            }
        }
        #[cfg(not(unix))]
        tokio::signal::ctrl_c().await
    }
}

#[cfg(unix)]
async fn hung_up(hangup: Option<&mut Signal>) {
    match hangup {
        Some(hangup) => drop(hangup.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether the process was started to go on without its terminal, as by `nohup`: listening would end that.
#[cfg(target_os = "linux")]
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is the first signal. What cannot be read is left as it is.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask & 1 == 1)
}

/// Nobody tells, so it is left as it is.
#[cfg(all(unix, not(target_os = "linux")))]
const fn hangups_are_ignored() -> bool {
    true
}
