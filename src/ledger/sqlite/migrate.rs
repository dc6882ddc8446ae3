//! The schema: embedded migrations, only ever added (`migrations/sqlite`), run by sqlx.
//!
//! Promises: a database with a schema this program does not know, or that is not a ledger, is left as it is.

use crate::ledger::OpenLedgerError;
use rusqlite::Connection;
use sqlx::{
    Connection as _, SqlSafeStr as _,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
};
use std::path::Path;

/// The files of `migrations/sqlite` by their versions: name and contents. Not `sqlx::migrate!`, whose macro compiles sqlx and
/// SQLite for the host once more (ADR 0030).
const SCHEMAS: &[(i64, &str, &str)] = &[
    (1, "ledger", include_str!("../../../migrations/sqlite/0001_ledger.sql")),
    (2, "refresh and failed", include_str!("../../../migrations/sqlite/0002_refresh_and_failed.sql")),
    (3, "deferred", include_str!("../../../migrations/sqlite/0003_deferred.sql")),
    (4, "budgets", include_str!("../../../migrations/sqlite/0004_budgets.sql")),
    (5, "funding", include_str!("../../../migrations/sqlite/0005_funding.sql")),
    (6, "hot rows", include_str!("../../../migrations/sqlite/0006_hot_rows.sql")),
    (7, "once only", include_str!("../../../migrations/sqlite/0007_once_only.sql")),
    (8, "nonce first", include_str!("../../../migrations/sqlite/0008_nonce_first.sql")),
    (9, "subjects", include_str!("../../../migrations/sqlite/0009_subjects.sql")),
    (10, "credit", include_str!("../../../migrations/sqlite/0010_credit.sql")),
    (11, "creations", include_str!("../../../migrations/sqlite/0011_creations.sql")),
    (12, "looks", include_str!("../../../migrations/sqlite/0012_looks.sql")),
    (13, "archive", include_str!("../../../migrations/sqlite/0013_archive.sql")),
    (14, "single payments", include_str!("../../../migrations/sqlite/0014_single_payments.sql")),
    (16, "sessions of user", include_str!("../../../migrations/sqlite/0016_sessions_of_user.sql")),
    (17, "approvals", include_str!("../../../migrations/sqlite/0017_approvals.sql")),
    (18, "revocations", include_str!("../../../migrations/sqlite/0018_revocations.sql")),
    (19, "single payment sums", include_str!("../../../migrations/sqlite/0019_single_payment_sums.sql")),
    (20, "witness", include_str!("../../../migrations/sqlite/0020_witness.sql")),
    (21, "short openings", include_str!("../../../migrations/sqlite/0021_short_openings.sql")),
    (22, "past lives", include_str!("../../../migrations/sqlite/0022_past_lives.sql")),
    (23, "voices", include_str!("../../../migrations/sqlite/0023_voices.sql")),
    (24, "bindings", include_str!("../../../migrations/sqlite/0024_bindings.sql")),
    (25, "mpp charges", include_str!("../../../migrations/sqlite/0025_mpp_charges.sql")),
    (26, "delegations", include_str!("../../../migrations/sqlite/0026_delegations.sql")),
    (27, "channels", include_str!("../../../migrations/sqlite/0027_channels.sql")),
    (28, "recorded answers", include_str!("../../../migrations/sqlite/0028_recorded_answers.sql")),
    (29, "facts and plans", include_str!("../../../migrations/sqlite/0029_facts_and_plans.sql")),
    (30, "delegation landings", include_str!("../../../migrations/sqlite/0030_delegation_landings.sql")),
    (31, "what caps count", include_str!("../../../migrations/sqlite/0031_what_caps_count.sql")),
];

fn migrations() -> Migrator {
    let migration = |(version, name, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(SCHEMAS.iter().copied().map(migration).collect())
}

/// What a database file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No tables.
    Nothing,
    /// A ledger of some version.
    Ledger,
    /// The deployed service's `sessions`, untouched.
    Deployed,
    /// The deployed service's table, set aside by an import that did not get further.
    SetAside,
    /// Somebody else's tables.
    Foreign,
}

/// Looks without changing anything.
pub(super) fn inspect(conn: &Connection) -> rusqlite::Result<Found> {
    let tables: Vec<String> = conn
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let has = |name: &str| tables.iter().any(|table| table == name);
    Ok(if tables.is_empty() {
        Found::Nothing
    } else if has("_sqlx_migrations") {
        Found::Ledger
    } else if has("sessions") && super::import::is_deployed(conn)? {
        Found::Deployed
    } else if has(super::import::SET_ASIDE) {
        Found::SetAside
    } else {
        Found::Foreign
    })
}

/// Brings the schema up to this program's. Refuses one that is newer or was changed.
pub(super) async fn migrate(path: &Path) -> Result<(), OpenLedgerError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true);
    let mut conn =
        SqliteConnection::connect_with(&options).await.map_err(|error| OpenLedgerError::Migration(Box::new(error)))?;
    let migrated = migrations().run_direct(None, &mut conn, false).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => OpenLedgerError::SchemaFromTheFuture { version },
        MigrateError::VersionMismatch(version) => OpenLedgerError::SchemaChanged { version },
        error => OpenLedgerError::Migration(Box::new(error)),
    });
    let closed = conn.close().await.map_err(|error| OpenLedgerError::Migration(Box::new(error)));
    migrated.and(closed)
}

#[cfg(test)]
mod tests;
