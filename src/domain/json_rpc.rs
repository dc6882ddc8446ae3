//! How much of a Solana node's answer is read, by services and by sellers alike (ADR 0067).

/// The longest answer of a JSON-RPC node that is read, in bytes: 8 MiB.
///
/// Less would be a stranger's switch. A page of an account's history has 1,000 entries, each of which may show a memo of some 1,100
/// bytes that JSON writes with six characters a byte; and a transaction may show 64 inner instructions of 10 KiB each, in base58.
/// Whoever sends such transactions to an account would have nobody read its history any more. More is nothing that a node of
/// Solana's tells of what is asked here.
pub const MOST_ANSWER_BYTES: usize = 8 << 20;
