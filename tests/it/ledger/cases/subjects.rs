//! What settlements serve, and whose bytes they send.

use crate::ledger::build::{NOW, absent, attempt, opened, recorded, settlement_id, signed};
use sotto::{
    domain::settlement::{ChannelId, ChargeId, IssuedId, Purpose, RevocationId, SingleId, Subject},
    ledger::{Ledger, LedgerError},
};
use uuid::Uuid;

/// Which subjects a purpose has is a row of the ledger; what has none there is refused.
pub(crate) async fn a_purpose_serves_what_it_may_and_nothing_else(ledger: &dyn Ledger) {
    let session = opened(ledger, 1).await;
    let (session, id) = (Subject::Session(session.id), Uuid::from_bytes([5; 16]));
    let subjects = [
        session,
        Subject::Single(SingleId(id)),
        Subject::Charge(ChargeId(id)),
        Subject::Channel(ChannelId(id)),
        Subject::Revocation(RevocationId(id)),
        Subject::Issued(IssuedId(id)),
        Subject::Own,
    ];
    let mut number = 0;
    for purpose in Purpose::ALL {
        for subject in subjects {
            number += 1;
            let planned = ledger.plan_other(settlement_id(number), purpose, subject, NOW).await;
            let expected = match purpose {
                // They are planned with what they carry.
                Purpose::Capture
                | Purpose::SinglePayment
                | Purpose::Revoke
                | Purpose::MppCharge
                | Purpose::MppOnboard
                | Purpose::MppLeave
                | Purpose::MppOpen
                | Purpose::MppClose => None,
                Purpose::Approve | Purpose::CreateRecipient | Purpose::Refresh => Some(session),
                Purpose::Probe => Some(Subject::Own),
            };
            if expected == Some(subject) {
                let planned = planned.expect("plans");
                assert_eq!((planned.purpose, planned.subject), (purpose, subject));
                let read = ledger.load_work(planned.id).await.expect("reads");
                assert_eq!(read.settlement, planned, "it comes back as it was written");
            } else {
                assert!(matches!(planned, Err(LedgerError::Inconsistent(_))), "{purpose:?} {subject:?}: {planned:?}");
            }
        }
    }
}

/// A client's bytes cannot be made again: after proof that they never landed nothing more is signed for them.
pub(crate) async fn a_clients_bytes_are_co_signed_once(ledger: &dyn Ledger) {
    let session = Subject::Session(opened(ledger, 1).await.id);
    for (number, purpose) in (1..).zip([Purpose::Approve, Purpose::CreateRecipient]) {
        let planned = ledger.plan_other(settlement_id(number), purpose, session, NOW).await.expect("plans");
        let settlement = recorded(ledger, &signed(ledger, &planned, number).await.0, absent()).await;
        let again = ledger.record_signed(&settlement, attempt(&settlement, number + 10), NOW).await;
        assert_eq!(again.is_err(), purpose.is_co_signed(), "{purpose:?}");
    }
}
