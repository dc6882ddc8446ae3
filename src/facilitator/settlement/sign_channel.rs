//! Signs what serves a channel: its anchor, and the transfer that pays its seller by its buyer's delegation.
//!
//! Nothing else is ever signed with a delegate's key but these transfers, each of which the ledger has planned: to the seller's
//! canonical account, for what vouchers say.

use super::{Settlements, sign::attempt};
use crate::{
    chain::{
        keys::{LocalSigner, Signer},
        transaction::UnsignedTransaction,
    },
    domain::{
        mpp::{
            channel::{Channel, ChannelState},
            delegation::{Delegation, DelegationGrant},
            money::Role,
        },
        reason::PayReason,
        settlement::{Attempt, Cost, Purpose, Settlement, Subject},
    },
    facilitator::error::SignFailure,
    ledger::{ChannelRecord, DelegationKey},
    programs::{
        delegation::{self, Settled},
        memo::Anchor,
    },
};
use solana_instruction::Instruction;
use std::sync::Arc;

/// What one of these costs at most before it is measured: two signatures and the price of its compute, in lamports.
const USUAL_FEE: u64 = 10_001;

impl Settlements {
    /// Builds and signs the next attempt of an anchor or of a channel's settlement.
    pub(super) async fn sign_for_channel(&self, settlement: &Settlement) -> Result<Attempt, SignFailure> {
        let gone = || SignFailure::refused(PayReason::InternalError, "the settlement's channel is gone");
        let Subject::Channel(id) = settlement.subject else { return Err(gone()) };
        let record = self.core.ledger.find_channel(id.into()).await?.ok_or_else(gone)?;
        if settlement.purpose == Purpose::MppOpen {
            return self.sign_anchor(settlement, &record.channel).await;
        }
        self.sign_channel_settlement(settlement, &record).await
    }

    /// Signs an anchor, unless nobody waits for the channel any more.
    async fn sign_anchor(&self, settlement: &Settlement, channel: &Channel) -> Result<Attempt, SignFailure> {
        if channel.state == ChannelState::Failed {
            return Err(SignFailure::refused(PayReason::SettlementExpired, "nobody waits for the channel"));
        }
        let terms = &channel.terms;
        let memo = Anchor {
            channel: terms.id,
            signer: terms.signer,
            buyer: terms.buyer,
            seller: terms.seller,
            deposit: terms.deposit,
        };
        self.sign_ours(settlement, &delegation::anchor(&memo), None).await
    }

    /// Signs the transfer to a channel's seller, by the grant that was current when it was planned and only before its end.
    async fn sign_channel_settlement(
        &self,
        settlement: &Settlement,
        record: &ChannelRecord,
    ) -> Result<Attempt, SignFailure> {
        let refused = |detail: &str| SignFailure::refused(PayReason::InternalError, detail);
        let terms = &record.channel.terms;
        let settling = record.settling.as_ref().filter(|settling| settling.settlement == settlement.id);
        let settling = settling.ok_or_else(|| refused("the channel has another settlement"))?;
        let key = DelegationKey::Buyer(terms.buyer, terms.mint);
        let found = self.core.ledger.delegation(&key).await?.filter(|found| found.account == terms.account);
        let (found, grant) = found
            .and_then(|found| found.grant.map(|grant| (found, grant)))
            .filter(|(_, grant)| grant.terms.generation == settling.generation)
            .ok_or_else(|| refused("the grant is another by now"))?;
        if self.core.clock.now() >= grant.expires_at {
            return Err(SignFailure::refused(
                PayReason::SessionExpired,
                "the grant has ended: its key signs nothing more",
            ));
        }
        if settlement.attempts > 0 {
            self.check_still_granted(&found).await?;
        }
        let settled =
            Settled { channel: terms.id, seller: terms.seller, amount: settlement.amount, sequence: settling.sequence };
        let (signer, instructions) = self.settle_instructions(&found, &grant, &settled)?;
        self.sign_ours(settlement, &instructions, Some(&signer)).await
    }
}

impl Settlements {
    /// Refuses to sign anew by a grant that its buyer has taken back: such an attempt cannot land, and would be held as the one
    /// before was, because nothing is left on chain that tells of it. What is owed is judged by what stands there now.
    async fn check_still_granted(&self, found: &Delegation) -> Result<(), SignFailure> {
        let seen = self.core.read_delegations(std::slice::from_ref(found), 0).await?;
        let is_live = seen.first().copied().flatten().is_some_and(|seen| seen.reading.role == Role::Live);
        is_live.then_some(()).ok_or_else(|| SignFailure::refused(PayReason::SessionExpired, "the grant is gone"))
    }

    /// The instructions that pay a seller by a grant, and the key that it delegates to.
    fn settle_instructions(
        &self,
        found: &Delegation,
        grant: &DelegationGrant,
        settled: &Settled,
    ) -> Result<(LocalSigner, Vec<Instruction>), SignFailure> {
        let refused = |detail: &str| SignFailure::refused(PayReason::InternalError, detail);
        let key = self.core.delegate_key(found);
        let key = key.ok_or_else(|| refused("the root that the grant stands on is not at hand"))?;
        let instructions = self.core.granted(found).and_then(|granted| granted.settle(grant.role, settled));
        Ok((LocalSigner::from(&key), instructions.ok_or_else(|| refused("the delegation cannot be settled by"))?))
    }

    /// Signs a transaction of ours with a fee payer of ours, and `further` where it needs one more signature.
    async fn sign_ours(
        &self,
        settlement: &Settlement,
        instructions: &[Instruction],
        further: Option<&LocalSigner>,
    ) -> Result<Attempt, SignFailure> {
        let blockhash = self.core.chain.latest_blockhash().await?;
        let payer = self.channel_fee_payer()?;
        let unsigned = UnsignedTransaction::version_0(&payer.pubkey(), instructions, blockhash.hash)?;
        let cost = Cost { fee: unsigned.fee(), ..Cost::default() };
        let signers: Vec<&dyn Signer> = std::iter::once(&*payer).chain(further.map(|key| key as &dyn Signer)).collect();
        let signed = unsigned.sign(&signers)?;
        self.sponsor.charge(&payer.pubkey(), cost.fee)?;
        Ok(attempt(settlement.id, settlement.attempts + 1, signed, blockhash, cost))
    }

    /// Who pays: never the spender, which is delegate of all sessions, unless it is the only key.
    fn channel_fee_payer(&self) -> Result<Arc<dyn Signer>, SignFailure> {
        let spender = self.core.keys.spender.pubkey();
        let chosen = self.sponsor.fee_payers.choose_apart(USUAL_FEE, &spender);
        chosen.ok_or_else(|| SignFailure::refused(PayReason::InsufficientSponsorBalance, "no key can pay the fee"))
    }
}
