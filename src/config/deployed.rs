//! The variables of the facilitator that is deployed today. They keep their meaning, so that an operator swaps the
//! binary and nothing else; `SOTTO_<SECTION>__<KEY>` wins over them where both are set.

/// How a variable's value becomes a key's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The value is the key's value.
    Same,
    /// The value is a secret; the key refers to the variable.
    Inline,
    /// The value is the path of a secret's file.
    Path,
}

/// One variable: its name, the key it sets, and how. Of two that set the same key the first wins.
pub(super) const VARIABLES: [(&str, &str, Shape); 12] = [
    ("FACILITATOR_KEYPAIR", "keys.spender", Shape::Inline),
    ("FACILITATOR_KEYPAIR_PATH", "keys.spender", Shape::Path),
    ("TOKEN_MINT", "asset.mint", Shape::Same),
    ("SOLANA_RPC_URL", "network.rpc_urls", Shape::Same),
    ("PORT", "server.port", Shape::Same),
    ("FACILITATOR_PORT", "server.port", Shape::Same),
    ("NETWORK", "network.name", Shape::Same),
    ("INCO_TOKEN_PROGRAM_ID", "programs.inco_token", Shape::Same),
    ("INCO_LIGHTNING_PROGRAM_ID", "programs.inco_lightning", Shape::Same),
    ("ASSET_DECIMALS", "asset.decimals", Shape::Same),
    ("MAX_PER_CALL", "limits.max_per_call", Shape::Same),
    ("DB_PATH", "ledger.path", Shape::Same),
];

/// Where the deployed service keeps its ledger when `DB_PATH` is not set.
pub(super) const LEDGER: &str = "./sessions.db";

/// Whether `name` is one of them.
pub(super) fn is_variable(name: &str) -> bool {
    VARIABLES.iter().any(|(variable, _, _)| *variable == name)
}

/// Whether `name` configured the paymaster that we do not have.
pub(super) fn is_paymaster_variable(name: &str) -> bool {
    name.starts_with("KORA_")
}

/// The variables that set the key called `path`.
pub(super) fn variables_of(path: &str) -> impl Iterator<Item = &'static str> {
    VARIABLES.iter().filter(move |(_, key, _)| *key == path).map(|(variable, _, _)| *variable)
}
