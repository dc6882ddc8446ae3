//! What stands around every route: connections, limits, bodies, deadlines, spans, and the refusals of these.
//!
//! Nothing here knows a route or a use case. A handler gets a request that was counted, read and bounded.

pub(super) mod body;
pub(super) mod concurrency;
mod connections;
pub(super) mod guard;
pub(super) mod probe;
pub(super) mod rate_limit;
pub(super) mod request_span;
pub(super) mod server;
pub(super) mod surface;
#[cfg(test)]
mod tests;
mod write_timeout;
