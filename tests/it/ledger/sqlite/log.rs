//! The log beside the ledger, which grows while another process reads.

use super::File;
use crate::ledger::{
    build::{NOW, held, in_flight, landed, opened, payment, recorded},
    cases::single_payments::offer,
};
use sotto::{
    domain::single_payment::OfferLimits,
    ledger::{
        Held, Ledger as _, LedgerError, LedgerOptions, LogLimits, Offered, SinglePaymentLedger as _, SqliteLedger,
        Upkeep as _,
    },
};

/// FR-9. Guards: `is_full` in `Parts::hold` and in `offer_single`. What was taken before is still decided.
#[tokio::test]
async fn while_somebody_keeps_the_log_from_being_written_back_no_new_payment_is_taken() {
    let file = File::new();
    let log = LogLimits { long: 100_000, full: 300_000 };
    let ledger = SqliteLedger::open(&file.path, &LedgerOptions { log, ..LedgerOptions::default() }).await;
    let ledger = ledger.expect("opens");
    let session = opened(&ledger, 1).await.id;
    assert!(ledger.shorten_log().await.expect("is looked at") <= log.full);
    let reader = file.raw();
    reader.execute_batch("BEGIN; SELECT count(*) FROM sessions").expect("reads");
    let mut number = 0;
    while ledger.shorten_log().await.expect("is looked at") <= log.full {
        number += 1;
        assert!(number < 200, "the log does not grow");
        held(&ledger, &payment(session, number, 1)).await;
    }
    let (next, single) = (payment(session, number + 1, 1), offer(1));
    for _ in 0..2 {
        assert!(matches!(ledger.hold(&next).await, Err(LedgerError::Busy)));
        let offered = ledger.offer_single(&single, OfferLimits::DEFAULT, NOW).await;
        assert!(matches!(offered, Err(LedgerError::Busy)));
        assert!(ledger.shorten_log().await.expect("is looked at") > log.full, "the reader is still there");
    }
    recorded(&ledger, &in_flight(&ledger, session, 1).await, landed()).await;
    reader.execute_batch("COMMIT").expect("ends");
    assert_eq!(ledger.shorten_log().await.ok(), Some(0));
    assert!(matches!(ledger.hold(&next).await, Ok(Held::New(_))));
    assert!(matches!(ledger.offer_single(&single, OfferLimits::DEFAULT, NOW).await, Ok(Offered::Issued)));
    ledger.audit().await.expect("consistent");
}
