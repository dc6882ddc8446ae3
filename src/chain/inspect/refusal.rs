//! Why a transaction is not co-signed.

use crate::chain::transaction::MAX_TRANSACTION_BYTES;
use solana_pubkey::Pubkey;

/// What differs from the template of what is co-signed. Names the place, never quotes a message or ciphertext.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionRefusal {
    /// Not base64 that has one meaning.
    #[error("the transaction is not base64")]
    NotBase64,
    /// Longer than a packet.
    #[error("the transaction is longer than {MAX_TRANSACTION_BYTES} bytes")]
    TooLarge,
    /// Truncated, followed by further bytes, or no transaction at all.
    #[error("the bytes are not exactly one transaction")]
    NotATransaction,
    /// A second spelling of the same transaction: sent on, it would be other bytes than those we looked at.
    #[error("the transaction is not in its one canonical encoding")]
    NotCanonical,
    /// Neither a legacy nor a version 0 message.
    #[error("only legacy and version 0 transactions are accepted")]
    UnknownVersion,
    /// Accounts hidden in a lookup table.
    #[error("address lookup tables are not accepted")]
    LookupTable,
    /// Header counts or account or program indexes point outside the account list.
    #[error("the transaction's header or indexes point outside its accounts")]
    OutOfRange,
    /// An account is listed twice.
    #[error("account {0} is listed twice")]
    DuplicateAccount(Pubkey),
    /// The first account is none of our fee payers.
    #[error("the fee payer {0} is not the facilitator's")]
    FeePayer(Pubkey),
    /// The user is one of our own keys.
    #[error("the user is one of the facilitator's own keys")]
    OurselvesAsUser,
    /// Not exactly the fee payer and the user sign.
    #[error("exactly the fee payer and the user may sign")]
    Signers,
    /// Something is where our signature will be.
    #[error("the fee payer's signature is not empty")]
    FilledSlot,
    /// The user's signature is absent or not over this message.
    #[error("the user's signature does not verify over this message")]
    UserSignature,
    /// An instruction that has no place in the template.
    #[error("instruction {index} (program {program}) has no place in this transaction")]
    ForeignInstruction {
        /// Its position.
        index: usize,
        /// Its program.
        program: Pubkey,
    },
    /// An instruction of the template has another form, other accounts or other arguments than ours would have.
    #[error("instruction {index} differs from the template: {what}")]
    Differs {
        /// Its position.
        index: usize,
        /// What differs.
        what: &'static str,
    },
    /// More of a kind than there may be.
    #[error("there may be no further {what} instruction at {index}")]
    TooMany {
        /// Its position.
        index: usize,
        /// Of what.
        what: &'static str,
    },
    /// Not grant, create, approve in this order.
    #[error("instruction {index} is out of order")]
    OutOfOrder {
        /// Its position.
        index: usize,
    },
    /// The SOL granted to the user is more than we grant.
    #[error("the grant of {lamports} lamports is more than the {most} allowed")]
    Grant {
        /// What is asked for.
        lamports: u64,
        /// The most we grant.
        most: u64,
    },
    /// Account creation is not sponsored.
    #[error("creating the user's token account is not sponsored")]
    CreateNotSponsored,
    /// More compute or a higher price than we pay for.
    #[error("the compute budget asks for more than is sponsored")]
    ComputeBudget,
    /// No approve at all.
    #[error("the transaction approves nothing")]
    NoApprove,
    /// No revoke at all.
    #[error("the transaction revokes nothing")]
    NoRevoke,
    /// Another blockhash than the one that was issued.
    #[error("the blockhash is not the one that was issued")]
    Blockhash,
    /// An instruction that was issued is not there.
    #[error("an instruction of the issued transaction is missing")]
    Missing,
    /// A Lighthouse instruction names a key of ours.
    #[error("the Lighthouse instruction {index} names one of the facilitator's keys")]
    LighthouseNamesUs {
        /// Its position.
        index: usize,
    },
    /// A Lighthouse instruction that is not an assertion.
    #[error("the Lighthouse instruction {index} does more than assert")]
    LighthouseWrites {
        /// Its position.
        index: usize,
    },
    /// The merged set of accounts is not that of our own compilation: an extra account, or one with other rights.
    #[error("account {0} is not one of the template's, or has other rights than there")]
    AccountRights(Pubkey),
}
