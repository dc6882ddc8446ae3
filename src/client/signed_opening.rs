//! A signed opening, to be sent until the facilitator says yes or no.

use crate::{
    client::signer::LocalKey,
    domain::intent::{Intent, IntentHash},
    wire::session::OpenSessionBody,
};

/// A signed opening on its way: everything that has to be repeated until the facilitator says yes or no.
#[derive(Clone, Debug)]
pub struct Opening {
    pub(super) body: OpenSessionBody,
    pub(super) sessions_path: String,
    pub(super) intent: Intent,
    pub(super) hash: IntentHash,
    pub(super) session_key: Option<LocalKey>,
    pub(super) origins: Vec<String>,
}
