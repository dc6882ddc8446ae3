//! Issuing: a message is compiled and written before its wallet sees it, so that nothing else is ever co-signed.

use super::{Delegations, OnboardError, onboard::ToSign, rounds::Round};
use crate::{
    chain::inspect::issued::IssuedTransaction,
    domain::{
        clock::UnixSeconds,
        mpp::delegation::{Delegation, DelegationId, IssuePlan, IssuedMessage, UsedProof},
    },
    ledger::WasIssued,
};
use solana_pubkey::Pubkey;

/// How long an issued message is good for, in seconds: about as long as its blockhash.
const LIFE: u64 = 60;

/// What became of a message that was about to be issued.
pub(super) enum Issue {
    /// It waits for its wallet.
    Issued(ToSign),
    /// The proof asked for this one before.
    Repeated(ToSign),
    /// The proof was used for something else.
    ProofUsed,
    /// A message of the wallet is on its way.
    OnItsWay,
    /// Channels of the wallet count on what it would take away.
    ChannelsOpen,
    /// Another request was faster.
    Raced,
}

impl Delegations {
    /// Compiles a round and writes it as issued to its wallet.
    pub(super) async fn issue(
        &self,
        wallet: Pubkey,
        known: Option<&Delegation>,
        round: Round,
        proof: Option<UsedProof>,
    ) -> Result<Issue, OnboardError> {
        let core = &self.shared.core;
        let blockhash = core.chain.latest_blockhash().await?;
        let transaction = IssuedTransaction::new(&round.fee_payer, &round.instructions, blockhash.hash);
        let transaction = transaction.map_err(|error| OnboardError::Broken(Box::new(error)))?;
        let now = core.clock.now();
        let until = now.saturating_add(LIFE);
        let new_id = DelegationId(uuid::Builder::from_random_bytes(core.random_id()).into_uuid());
        let plan = IssuePlan {
            id: self.next_issued_id(),
            delegation: known.map_or(new_id, |known| known.id),
            buyer: wallet,
            mint: self.token.mint,
            backend: known.map_or(self.shared.settings.delegations.backend, |known| known.backend),
            account: round.account,
            is_salted: round.is_salted,
            kind: round.kind,
            grant: round.grant,
            begins: round.begins,
            message: transaction.message,
            last_valid_block_height: blockhash.last_valid_block_height,
            rent: round.rent,
            until,
            proof,
        };
        Ok(match core.ledger.issue(&plan, now).await? {
            WasIssued::Issued => Issue::Issued(self.to_sign(&round, transaction.wire, until)),
            WasIssued::Repeated(message) => Issue::Repeated(self.repeated(&round, &message)),
            WasIssued::ProofUsed => Issue::ProofUsed,
            WasIssued::OnItsWay => Issue::OnItsWay,
            WasIssued::ChannelsOpen | WasIssued::NotCovered => Issue::ChannelsOpen,
            WasIssued::Raced => Issue::Raced,
        })
    }

    fn to_sign(&self, round: &Round, wire: Vec<u8>, until: UnixSeconds) -> ToSign {
        ToSign {
            account: round.account,
            kind: round.kind,
            wire,
            until,
            role: round.role,
            terms: round.terms.map(|terms| self.offer(&terms)),
        }
    }

    /// What was issued before, once more.
    fn repeated(&self, round: &Round, message: &IssuedMessage) -> ToSign {
        self.to_sign(round, IssuedTransaction::wire_of(&message.message), message.until)
    }
}
