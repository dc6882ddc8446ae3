//! `transfer_with_authorization`: a transfer that the source's owner authorised by a signature in the transaction.
//!
//! Its source is not public. As `spec/inco.md` §4 describes it: the instruction directly before is the Ed25519
//! program's over one message signed by the source's owner. What that message says is not looked at, so whoever the
//! payer rule admits can use it for any amount and destination, any number of times.

use solana_pubkey::Pubkey;
use solana_sdk_ids::sysvar;

use super::super::PayerRule;
use super::super::anchor::{self, Arguments, refuse, require};
use super::super::host::{Host, Outcome, expect_key, signer};
use super::super::introspection::Instructions;
use super::accounts::{self, must_be_lightning, must_be_system};
use super::encrypted::{EncryptedAmount, must_have_remaining};
use super::transfer::Parties;
use crate::programs::inco_token::{IncoAccount, IncoTokenError};

const FIXED: usize = 6;

/// Accounts: source w, destination w, payer s, instructions sysvar, Lightning, System; remaining as for a transfer.
///
/// The payer has to be sent writable although the interface says signer only: Lightning's calls take it writable.
pub(super) fn transfer_with_authorization(host: &mut dyn Host, arguments: &mut Arguments<'_>) -> Outcome {
    let amount = EncryptedAmount::read(arguments)?;
    let source = accounts::token_account(host, 0)?;
    let destination = accounts::token_account(host, 1)?;
    let payer = signer(host, 2)?;
    expect_key(host, 3, &sysvar::instructions::ID, anchor::WRONG_ADDRESS)?;
    must_be_lightning(host, 4)?;
    must_be_system(host, 5)?;
    let parties = Parties { source, destination, spender: payer, fixed: FIXED };
    parties.must_move()?;

    let authorised_by = authorising_key(host)?;
    parties.source.must_be_owned_by(&authorised_by)?;
    let by_delegate = admit(host, &parties.source.state, &payer)?;
    must_have_remaining(host, FIXED, 4)?;
    if host.rules().authorization_stub {
        host.log("Program log: IncoToken stand-in: authorisation checked, moving nothing as configured");
        return Ok(());
    }
    let delegate = by_delegate.then_some(host.rules().delegation);
    if parties.is_circular() { Ok(()) } else { parties.move_amount(host, &amount, delegate) }
}

fn authorising_key(host: &dyn Host) -> Outcome<Pubkey> {
    let sysvar = host.account(3)?;
    let instructions = Instructions(&sysvar.bytes);
    let before = instructions.current().and_then(|current| current.checked_sub(1));
    match before.and_then(|before| instructions.verified_by(before)) {
        Some(verified) => Ok(verified.signer),
        None => refuse(IncoTokenError::InvalidInstruction),
    }
}

/// Applies the payer rule; says whether the payer acts as the delegate.
fn admit(host: &dyn Host, source: &IncoAccount, payer: &Pubkey) -> Outcome<bool> {
    let owns = source.owner == *payer;
    let by_delegate = !owns && source.delegate == Some(*payer);
    let admitted = match host.rules().payer_rule {
        PayerRule::Owner => owns,
        PayerRule::OwnerOrDelegate => owns || by_delegate,
        PayerRule::Anyone => true,
    };
    require(admitted, IncoTokenError::OwnerMismatch)?;
    Ok(by_delegate)
}
