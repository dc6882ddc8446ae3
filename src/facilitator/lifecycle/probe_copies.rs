//! The probe of copied ciphertexts: does Lightning take a ciphertext that another wallet has used? (`spec/session.md` §7)
//!
//! A ciphertext names nobody. Where it is taken from anybody, whoever copies one from the chain approves it to a key of their own,
//! and has the right to decrypt the amount that it hides (`docs/TRUST.md`). Asked by simulation alone, on the probe's own accounts:
//! nothing lands. Nothing here depends on the answer; it is for whoever has to know what the chain hides.

use crate::{
    chain::{history::Page, keys::Signer as _, transaction::UnsignedTransaction},
    facilitator::{
        Facilitator,
        lifecycle::probe::{ProbeAccounts, ProbeError},
        token_accounts::decoded,
    },
    programs::discriminator,
};
use solana_instruction::Instruction;
use std::sync::Arc;

/// So many of the newest transactions of the probe's account are looked at for its approve. Nothing of ours comes after it, but
/// strangers may name the account.
const MOST_READ: usize = 16;

/// What became of a copied ciphertext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyOutcome {
    /// It is taken and makes the handle that it made before, so whoever may decrypt the one may decrypt the other.
    SameHandle,
    /// It is taken and makes another handle; whether the amount is behind it, no simulation tells.
    AnotherHandle,
    /// It is refused, with the chain's error.
    Refused(String),
}

/// Where the first wallet had used the ciphertext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsedIn {
    /// In a transaction that has landed.
    LandedTransaction,
    /// In an earlier instruction of the same transaction: no endpoint told of one that has landed.
    SameTransaction,
}

/// What the probe found out about copied ciphertexts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyReport {
    /// Where the copied one had been used.
    pub used_in: UsedIn,
    /// What became of it.
    pub outcome: CopyOutcome,
}

/// The handles of what the probe's two accounts would delegate, or the chain's error.
type Approved = Result<[u128; 2], String>;

/// What follows from two approves of one ciphertext. Pure.
fn outcome(approved: Approved) -> CopyOutcome {
    match approved {
        Ok([first, second]) if first == second => CopyOutcome::SameHandle,
        Ok(_) => CopyOutcome::AnotherHandle,
        Err(error) => CopyOutcome::Refused(error),
    }
}

impl Facilitator {
    /// Asks whether a second wallet may approve the ciphertext of a first one, preparing the probe's accounts first if they are
    /// missing.
    pub async fn probe_copies(self: &Arc<Self>) -> Result<CopyReport, ProbeError> {
        let accounts = self.probe_accounts();
        self.prepare_probe(&accounts).await?;
        let first = self.first_approve(&accounts);
        // Of these accounts, with another ciphertext.
        let other = self.second_approve(&self.probe_accounts());
        // A refusal says something of the copy only where the same two approves are taken with a ciphertext each.
        match self.try_approves(&accounts, &[first.clone(), other.clone()]).await? {
            Ok([one, another]) if one != another => {}
            Ok(_) => {
                return Err(ProbeError::NotPrepared("approves of two ciphertexts make one handle".to_owned()));
            }
            Err(error) => {
                return Err(ProbeError::NotPrepared(format!("approves of two ciphertexts fail too: {error}")));
            }
        }
        let (used_in, approves) = match self.landed_approve(&accounts).await {
            Some(data) => (UsedIn::LandedTransaction, vec![Instruction { data, ..other }]),
            None => (UsedIn::SameTransaction, vec![first, self.second_approve(&accounts)]),
        };
        let approved = self.try_approves(&accounts, &approves).await?;
        Ok(CopyReport { used_in, outcome: outcome(approved) })
    }

    fn first_approve(&self, accounts: &ProbeAccounts) -> Instruction {
        let (programs, spender) = (&self.core.settings.served.programs, self.core.keys.spender.pubkey());
        programs.approve(&accounts.source, &spender, &accounts.owner.pubkey(), &accounts.ciphertext, None)
    }

    fn second_approve(&self, accounts: &ProbeAccounts) -> Instruction {
        let (programs, spender) = (&self.core.settings.served.programs, self.core.keys.spender.pubkey());
        programs.approve(&accounts.destination, &spender, &accounts.receiver.pubkey(), &accounts.ciphertext, None)
    }

    /// The bytes of the approve with which the probe's first account was made, ciphertext included. None where nobody tells of it:
    /// then the question is asked without.
    async fn landed_approve(&self, accounts: &ProbeAccounts) -> Option<Vec<u8>> {
        let page = Page { before: None, limit: MOST_READ, at_least: 0 };
        let token = self.core.settings.served.programs.token;
        for listed in self.core.chain.history(&accounts.source, page).await.ok()? {
            let seen = self.core.chain.transaction(&listed.signature).await.ok().flatten();
            let own = seen.filter(|seen| !seen.failed).into_iter().flat_map(|seen| seen.instructions);
            let mut approves = own.filter(|call| {
                call.program == token
                    && call.accounts.first() == Some(&accounts.source)
                    && call.bytes.starts_with(&discriminator("approve"))
            });
            if let Some(approve) = approves.next() {
                return Some(approve.bytes);
            }
        }
        None
    }

    /// What both accounts would delegate after these approves.
    async fn try_approves(&self, accounts: &ProbeAccounts, approves: &[Instruction]) -> Result<Approved, ProbeError> {
        let blockhash = self.core.chain.latest_blockhash().await?.hash;
        let unsigned = UnsignedTransaction::new(&self.core.keys.fee_payer.pubkey(), approves, blockhash)?;
        let keys = [accounts.source, accounts.destination];
        let simulation = self.core.chain.simulate(unsigned.transaction(), &keys).await?;
        if let Some(error) = simulation.error {
            return Ok(Err(error));
        }
        let mut delegated =
            simulation.accounts.into_iter().map(|account| decoded(account).map(|it| it.delegated_amount));
        match (delegated.next().flatten(), delegated.next().flatten()) {
            (Some(first), Some(second)) => Ok(Ok([first, second])),
            _ => Err(ProbeError::NotPrepared("what an approve would leave behind cannot be read".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ciphertext_that_makes_another_handle_was_taken_too() {
        assert_eq!(outcome(Ok([7, 7])), CopyOutcome::SameHandle);
        assert_eq!(outcome(Ok([7, 8])), CopyOutcome::AnotherHandle);
        assert_eq!(outcome(Err("no".to_owned())), CopyOutcome::Refused("no".to_owned()));
    }
}
