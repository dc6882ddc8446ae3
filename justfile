# The chores, each a line of plain cargo, so that nothing but cargo is needed. `just check` is what CI runs.

# Everything CI runs
check:
    .ci/run

# Under a minute when warm: format, lints, unit tests
quick: fmt lint
    cargo test --locked --lib

# All tests
test:
    cargo test --locked

# The figures of docs/BENCHMARKS.md
bench:
    cargo bench --locked --bench micro
    cargo bench --locked --bench load

# Format
fmt:
    cargo fmt

# Lints, warnings refused
lint:
    cargo clippy --locked --all-targets -- -D warnings

# Licences, bans and sources; needs cargo-deny
deny:
    cargo deny check licenses bans sources

# Known vulnerabilities; needs cargo-deny and a network
advisories:
    cargo deny check advisories

# Accept changed --help texts: read the difference before committing it
accept-help:
    TRYCMD=overwrite cargo test --locked --test it cli::
