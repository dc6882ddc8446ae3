//! Table tests: every state and event pair.
