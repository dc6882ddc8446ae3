use super::migrations;
use sqlx::migrate::{Migration, Migrator};
use std::path::Path;

#[tokio::test]
async fn the_embedded_migrations_are_the_files_of_the_directory() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let told = |migration: &Migration| {
        let Migration { version, description, checksum, migration_type, no_tx, .. } = migration;
        (*version, description.to_string(), checksum.to_vec(), *migration_type, *no_tx)
    };
    let files: Vec<_> = Migrator::new(directory).await.expect("reads").iter().map(told).collect();
    assert_eq!(migrations().iter().map(told).collect::<Vec<_>>(), files, "a file is missing in `SCHEMAS`");
}
