//! Whether a seller's own node shows that a charge was paid.
//!
//! The transaction's raw instructions are read, inner ones too, and no parser of the node's is believed. An old transfer of the
//! same amount proves nothing: what landed must carry the signature by which this credential's buyer signed.

use crate::{
    domain::base64_text,
    merchant::{
        chain::{Call, Deed, ReceiptChain},
        mpp::{client::SettlementError, reason::SellerReason},
        price::Offer,
    },
    programs::spl_token::{TransferChecked, associated_account},
    wire::mpp::{charge::SettleAnswer, credential::Credential},
};
use solana_instruction::{AccountMeta, Instruction};
use solana_signature::Signature;
use std::time::Duration;

/// How often the node is asked, and after which pause again: nodes are behind one another.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// The bytes of a signature.
const SIGNATURE: usize = 64;

/// Whether the node shows, confirmed, that this credential's own transaction moved the offer's amount of its token to the canonical
/// account of its recipient.
pub(super) async fn check(
    node: &dyn ReceiptChain,
    settled: &SettleAnswer,
    credential: &Credential,
    offer: &Offer,
) -> Result<(), SettlementError> {
    let not_found = || SettlementError::because(SellerReason::OnchainNotFound);
    let signature: Signature = settled.signature.parse().map_err(|_| not_found())?;
    for attempt in 1..=TRIES {
        match node.deed(&signature).await {
            Ok(Some(deed)) => return judge(&deed, credential, offer).map_err(SettlementError::because),
            Ok(None) => {}
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "a charge could not be looked up"),
        }
        if attempt < TRIES {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Err(not_found())
}

/// Whether what a transaction did is the payment.
fn judge(deed: &Deed, credential: &Credential, offer: &Offer) -> Result<(), SellerReason> {
    if deed.failed {
        return Err(SellerReason::OnchainFailed);
    }
    let signed = buyers_signatures(&credential.transaction);
    if signed.is_empty() || !signed.iter().all(|signature| deed.signatures.contains(signature)) {
        return Err(SellerReason::OnchainOtherPayment);
    }
    let mut transfers: Vec<TransferChecked> = deed.calls.iter().filter_map(transfer).collect();
    let mut keep = |reason, is: &dyn Fn(&TransferChecked) -> bool| {
        transfers.retain(is);
        if transfers.is_empty() { Err(reason) } else { Ok(()) }
    };
    let to = |transfer: &TransferChecked| associated_account(transfer.program, &offer.recipient(), &offer.asset());
    keep(SellerReason::OnchainNoTransfer, &|_| true)?;
    keep(SellerReason::OnchainAsset, &|transfer| transfer.mint == offer.asset())?;
    keep(SellerReason::OnchainRecipient, &|transfer| transfer.destination == to(transfer))?;
    keep(SellerReason::OnchainAmount, &|transfer| transfer.amount == offer.amount().get())
}

fn transfer(call: &Call) -> Option<TransferChecked> {
    let accounts = call.accounts.iter().map(|key| AccountMeta::new_readonly(*key, false)).collect();
    TransferChecked::read(&Instruction { program_id: call.program, accounts, data: call.bytes.clone() })
}

/// The signatures that a credential's transaction brings along: all but the empty slot of the fee payer.
fn buyers_signatures(transaction: &str) -> Vec<Signature> {
    let Ok(wire) = base64_text::decode(transaction) else { return Vec::new() };
    // A transaction fits 1,232 bytes, so its count of signatures fits the one byte that is read.
    let Some((count, rest)) = wire.split_first() else { return Vec::new() };
    let slots = rest.chunks_exact(SIGNATURE).take(usize::from(*count));
    let signatures = slots.filter_map(|slot| Signature::try_from(slot).ok());
    signatures.filter(|signature| *signature != Signature::default()).collect()
}

#[cfg(test)]
mod tests;
