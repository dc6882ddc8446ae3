//! The probes: what a supervisor asks before it restarts a process, and a balancer before it sends requests to it.

/// A kind of probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Probe {
    /// `/health`: whether the process lives.
    Liveness,
    /// `/ready`: whether it is able to work.
    Readiness,
}

impl Probe {
    /// The probe that a path asks for; `None` for everything else.
    pub(in crate::api) fn of(path: &str) -> Option<Self> {
        match path {
            "/health" => Some(Self::Liveness),
            "/ready" => Some(Self::Readiness),
            _ => None,
        }
    }
}
