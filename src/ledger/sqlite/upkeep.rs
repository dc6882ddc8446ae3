//! The verbs that look after the file.

use super::{handle::SqliteLedger, statements::queries};
use crate::ledger::{LedgerError, Upkeep, WriteFault, WriterCounts};
use async_trait::async_trait;

#[async_trait]
impl Upkeep for SqliteLedger {
    fn counts(&self) -> WriterCounts {
        self.0.writer.counts()
    }

    async fn shorten_log(&self) -> Result<u64, LedgerError> {
        self.0.log.shorten().await
    }

    fn write_fault(&self) -> Option<WriteFault> {
        self.0.writer.fault()
    }

    async fn ping(&self) -> Result<(), LedgerError> {
        self.0.writer.prove().await?;
        self.0.readers.run(queries::ping).await
    }

    async fn audit(&self) -> Result<(), LedgerError> {
        self.0.audit().await
    }
}
