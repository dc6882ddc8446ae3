//! The one transfer of a charge: that it is what the terms say, and that whoever pays has signed for it and nobody else.

use crate::{
    chain::inspect::decode,
    domain::{
        mpp::{
            charge::{ChargeRefusal, ChargeTerms},
            reason::ChargeReason,
        },
        signed,
    },
    programs::spl_token::{TransferChecked, associated_account},
};
use solana_instruction::{AccountMeta, Instruction};
use solana_message::{VersionedMessage, v0};
use solana_pubkey::Pubkey;
use solana_transaction::versioned::VersionedTransaction;

/// The only transfer among instructions that keep the policy.
pub(super) fn the_one(instructions: &[Instruction]) -> Result<TransferChecked, ChargeRefusal> {
    let mut transfers = instructions.iter().filter_map(TransferChecked::read);
    let first = transfers.next().ok_or(ChargeReason::NoTransferInstruction)?;
    if transfers.next().is_some() { Err(ChargeReason::MultipleTransfers.into()) } else { Ok(first) }
}

/// Compares a transfer with the terms; the destination comes before the amount.
pub(super) fn check_terms(paid: &TransferChecked, terms: &ChargeTerms) -> Result<(), ChargeRefusal> {
    let refuse = |reason, detail: String| Err(ChargeRefusal::because(reason, detail));
    let asset = &terms.asset;
    if paid.mint != asset.mint {
        let detail = format!("The transfer moves {}, and {} is charged.", paid.mint, asset.mint);
        return refuse(ChargeReason::AssetNotAllowed, detail);
    }
    if paid.program.address() != asset.token_program || paid.decimals != asset.decimals {
        let detail = format!("The mint has {} decimals and belongs to {}.", asset.decimals, asset.token_program);
        return refuse(ChargeReason::MalformedTransfer, detail);
    }
    let expected = associated_account(paid.program, &terms.recipient, &paid.mint);
    if paid.destination != expected {
        let detail = format!("The transfer goes to {}, and the recipient's account is {expected}.", paid.destination);
        return refuse(ChargeReason::RecipientMismatch, detail);
    }
    if paid.amount != terms.amount.get() {
        let detail = format!("The transfer moves {}, and {} is charged.", paid.amount, terms.amount);
        return refuse(ChargeReason::AmountMismatch, detail);
    }
    if paid.source == paid.destination {
        let detail = "The transfer comes from the account that it goes to.".to_owned();
        return refuse(ChargeReason::RecipientMismatch, detail);
    }
    Ok(())
}

/// Fee payer and transfer authority sign and nobody else, the authority over these bytes.
pub(super) fn check_signers(transaction: &VersionedTransaction, paid: &TransferChecked) -> Result<(), ChargeRefusal> {
    let refuse = |detail: &str| Err(ChargeRefusal::because(ChargeReason::InvalidTransaction, detail));
    let [_, signature] = transaction.signatures.as_slice() else {
        return refuse("Exactly the fee payer and whoever pays may sign.");
    };
    if transaction.message.static_account_keys().get(1) != Some(&paid.authority) {
        return refuse("Who signs beside the fee payer is not who pays.");
    }
    let message = decode::message(&transaction.message);
    if signed::verify(&paid.authority, &message, &(*signature).into()) {
        return Ok(());
    }
    refuse("The payer's signature does not verify over this message.")
}

/// No account that does not sign may do more than in our own compilation of these instructions: a message merges rights
/// over all of them.
pub(super) fn check_rights(
    message: &VersionedMessage,
    fee_payer: &Pubkey,
    instructions: &[Instruction],
) -> Result<(), ChargeRefusal> {
    let refuse = |detail: String| ChargeRefusal::because(ChargeReason::InvalidTransaction, detail);
    let ours: Vec<Instruction> = instructions.iter().map(as_ours).collect();
    let ours = v0::Message::try_compile(fee_payer, &ours, &[], *message.recent_blockhash())
        .map_err(|_| refuse("The instructions do not fit into a message.".to_owned()))?;
    let ours = decode::rights(&VersionedMessage::V0(ours));
    let theirs = decode::rights(message);
    let more = theirs.iter().find(|(key, rights)| {
        let most = ours.get(*key);
        !rights.signer && most.is_none_or(|most| rights.writable && !most.writable)
    });
    match more {
        Some((key, _)) => Err(refuse(format!("The account {key} has more rights than the instructions need."))),
        None => Ok(()),
    }
}

/// An instruction with the rights that it needs and no others.
fn as_ours(seen: &Instruction) -> Instruction {
    if let Some(transfer) = TransferChecked::read(seen) {
        return transfer.instruction();
    }
    // Whatever is no transfer only reads; who signs a memo is known to be one of the two who may.
    let meta = |it: &AccountMeta| AccountMeta::new_readonly(it.pubkey, false);
    let accounts = seen.accounts.iter().map(meta).collect();
    Instruction { program_id: seen.program_id, accounts, data: seen.data.clone() }
}
