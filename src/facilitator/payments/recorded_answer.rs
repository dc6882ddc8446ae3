//! To which repeats of a request its success is told again (ADR 0065).

use super::Payments;
use crate::{
    domain::{
        hold::{Hold, RecordedAnswer},
        payment::SessionPayment,
    },
    ledger::LedgerError,
};

impl Payments {
    /// What is recorded with a success that this request is told now.
    pub(super) fn answer_of_now(&self, payment: &SessionPayment) -> Option<RecordedAnswer> {
        payment.recorded_answer(self.core.clock.now(), self.core.settings.answer_deadline.as_secs())
    }

    /// The recorded answer, where it is told to this request again; none where the success was told to another request, even one
    /// of the same payment, or too long ago.
    pub(super) async fn recorded_answer(
        &self,
        payment: &SessionPayment,
        hold: &Hold,
    ) -> Result<Option<RecordedAnswer>, LedgerError> {
        let Some(request) = payment.idempotent else { return Ok(None) };
        let recorded = self.core.ledger.recorded_answer(hold.id).await?;
        let now = self.core.clock.now();
        Ok(recorded.filter(|answer| answer.is_for(request, now)))
    }
}
