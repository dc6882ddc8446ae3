//! A receipt held against the payment that it came with.
//!
//! A receipt is the merchant's copy of what a facilitator said, so it proves nothing; but one that is of another payment
//! must not be taken for this one's. What it leaves out is not compared: the deployed service tells less.

use crate::{
    client::{pay::Payment, saved::OpenSession},
    domain::signed,
    wire::facilitator::SettleAnswer,
};
use std::fmt;

/// A receipt that is not of the payment it came with.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceiptMisfit {
    /// The receipt.
    pub answer: SettleAnswer,
    /// In what it differs; never empty.
    pub differences: Vec<Difference>,
}

/// In what a receipt differs from the payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It says that the payment was not made, of a request that was answered as paid.
    Failure,
    /// It is of another amount.
    Amount,
    /// It is of another network.
    Network,
    /// It is of another payer.
    Payer,
    /// It is of another session.
    Session,
    /// What it calls a transaction is no signature (64 bytes in base58), or there is none and the payment was not deferred.
    Transaction,
}

impl Difference {
    /// The word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Amount => "amount",
            Self::Network => "network",
            Self::Payer => "payer",
            Self::Session => "session",
            Self::Transaction => "transaction",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failure => "it says that nothing was paid",
            Self::Amount => "another amount",
            Self::Network => "another network",
            Self::Payer => "another payer",
            Self::Session => "another session",
            Self::Transaction => "no signature of a transaction",
        })
    }
}

impl fmt::Display for ReceiptMisfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<_> = self.differences.iter().map(ToString::to_string).collect();
        f.write_str(&told.join(", "))
    }
}

/// The receipt if it is of this payment, or in what it differs.
pub(super) fn compare(
    session: &OpenSession,
    payment: &Payment,
    answer: SettleAnswer,
) -> Result<SettleAnswer, Box<ReceiptMisfit>> {
    let other = |told: Option<&String>, ours: &str| told.is_some_and(|told| told != ours);
    let told_session = answer.extensions.as_ref().and_then(|extensions| extensions.session.as_ref());
    let checks = [
        (Difference::Failure, !answer.success),
        (Difference::Amount, other(answer.amount.as_ref(), &payment.amount.to_string())),
        (Difference::Network, !session.is_on(&answer.network)),
        (Difference::Payer, other(answer.payer.as_ref(), &session.user.to_string())),
        (Difference::Session, other(told_session.map(|told| &told.id), &session.id.to_string())),
        (Difference::Transaction, answer.success && !names_its_transaction(payment, &answer.transaction)),
    ];
    let differences: Vec<_> = checks.into_iter().filter_map(|(what, differs)| differs.then_some(what)).collect();
    if differences.is_empty() { Ok(answer) } else { Err(Box::new(ReceiptMisfit { answer, differences })) }
}

/// A payment that was made is in a transaction; only one that may be settled later can be without.
fn names_its_transaction(payment: &Payment, transaction: &str) -> bool {
    if transaction.is_empty() { payment.deferred } else { signed::parse_signature(transaction).is_some() }
}
