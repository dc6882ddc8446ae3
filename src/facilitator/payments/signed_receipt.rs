//! The signed receipt of a payment that has landed (`spec/session.md` §7, Receipts).
//!
//! Promises: a receipt is made only of what the ledger has as captured, names the transaction and the time that it has there,
//! so that a repeat is told byte for byte what was told first; and only where the payer's session key signed the hash of the
//! URL, because any other URL is the caller's word and would be told under our name.

use super::Payments;
use crate::{
    domain::{
        hold::{HoldId, HoldState},
        payment::SessionPayment,
        session::Session,
        signed_receipt::{MAX_RESOURCE_URL, ReceiptStatement},
    },
    ledger::LedgerError,
};
use solana_signature::Signature;

impl Payments {
    /// The receipt of a payment that `transaction` carried, of terms that were checked; none where no key signs receipts, the
    /// URL is not bound, or the ledger does not have it so (any more). That the ledger cannot be read withholds a receipt and no
    /// success: who deduplicates by themselves may ask again.
    pub(super) async fn signed_receipt(
        &self,
        payment: &SessionPayment,
        session: &Session,
        hold: HoldId,
        transaction: Signature,
    ) -> Option<String> {
        let key = self.core.keys.receipts.current.as_ref()?;
        let resource_url = bound_resource(payment, session)?.to_owned();
        match self.captured_at(hold, transaction).await {
            Ok(at) => {
                let (network, payer, issued_at) = (self.receipt_network(payment), *session.user(), at?);
                let statement = ReceiptStatement { network, resource_url, payer, issued_at, transaction };
                Some(statement.sign(&key.pubkey(), |message| key.sign(message)))
            }
            Err(error) => {
                tracing::warn!(payment = %hold, %error, "a payment is answered without its receipt");
                None
            }
        }
    }

    /// When this transaction captured the payment; none while it has not, or another has.
    async fn captured_at(&self, hold: HoldId, transaction: Signature) -> Result<Option<u64>, LedgerError> {
        let ledger = &self.core.ledger;
        match ledger.find_hold(hold).await?.map(|hold| hold.state) {
            Some(HoldState::Captured { signature, .. }) if signature == transaction => {
                Ok(ledger.payment_times(hold).await?.captured_at)
            }
            _ => Ok(None),
        }
    }

    /// The network as the request spells it, which is how the offer does; a name of x402 version 1 is no CAIP-2.
    fn receipt_network(&self, payment: &SessionPayment) -> String {
        let canonical = self.core.settings.served.network.canonical();
        if payment.network.contains(':') { payment.network.clone() } else { canonical.to_owned() }
    }
}

/// The URL that the payer's session key signed, where it did; not one that is too long for a header.
fn bound_resource<'a>(payment: &'a SessionPayment, session: &Session) -> Option<&'a str> {
    let is_bound = payment.authorization.as_ref().is_some_and(|signed| signed.resource_hash.is_some());
    // Of a session without a key nobody checked what is called an authorisation.
    let resource = payment.resource.as_deref().filter(|_| is_bound && session.intent.session_key.is_some())?;
    (resource.len() <= MAX_RESOURCE_URL).then_some(resource)
}
