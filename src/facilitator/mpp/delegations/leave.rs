//! Leaving: the sponsored revoke. A wallet without SOL takes everything back, by its proof, once nothing stands on the delegation.

use super::{Delegations, OnboardError, RefusedOnboarding, SentSignIn, issue::Issue, onboard::ToSign, rounds::Round};
use crate::{
    domain::{
        amount::Amount,
        mpp::{
            choices::Backend,
            delegation::{Delegation, DelegationState, IssuedKind, UsedProof, amount},
            reason::{OnboardReason, SiwxReason},
            siwx::Proof,
        },
    },
    facilitator::delegated::at_address,
    programs::{
        compute_budget,
        delegation::{
            UNIT_PRICE,
            session_account::{Leave, SessionAccount},
            swig::{self, Existing, SwigAddresses},
            token_account,
        },
        spl_token::{TokenAccount, TransferChecked, associated_account},
    },
};
use sha2::{Digest as _, Sha256};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

/// The fee of a leave: three signatures, in lamports, and what the compute budget adds.
const FEE: u64 = 15_001;
/// The role of the buyer in a Swig.
const ROOT: u32 = 0;

impl Delegations {
    /// Tells a wallet what it signs to take everything back; see [`crate::facilitator::Facilitator::leave_mpp`].
    pub(crate) async fn leave(&self, sent: &SentSignIn, wallet: Pubkey) -> Result<ToSign, OnboardError> {
        self.check_proof(sent, wallet, &Proof::Leave)?;
        let Some(known) = self.settled(&wallet, self.deadline()).await? else {
            return Err(pending());
        };
        let known = known.ok_or(OnboardReason::RoleNotFound)?;
        if !known.used.is_free() {
            return Err(OnboardReason::ChannelsOpen.into());
        }
        let round = self.leave_round(&known).await?;
        let act = Sha256::digest(Proof::Leave.resources().join("\n")).into();
        let proof = UsedProof { nonce: sent.sign_in.nonce.clone(), act };
        match self.issue(wallet, Some(&known), round, Some(proof)).await? {
            Issue::Issued(to_sign) | Issue::Repeated(to_sign) => Ok(to_sign),
            Issue::ProofUsed => Err(RefusedOnboarding::from(SiwxReason::NonceExhausted).into()),
            Issue::ChannelsOpen => Err(OnboardReason::ChannelsOpen.into()),
            Issue::OnItsWay | Issue::Raced => Err(pending()),
        }
    }

    async fn leave_round(&self, known: &Delegation) -> Result<Round, OnboardError> {
        let fee_payer = self.shared.choose_fee_payer(FEE).ok_or(OnboardReason::InsufficientSponsorBalance)?.pubkey();
        let instructions = match known.backend {
            Backend::SplDelegate => self.leave_session_account(known, fee_payer).await?,
            Backend::Swig => self.leave_swig(known, &fee_payer).await?,
        };
        Ok(Round {
            kind: IssuedKind::Leave,
            account: known.account,
            is_salted: known.is_salted,
            grant: None,
            begins: false,
            fee_payer,
            rent: 0,
            terms: None,
            instructions,
            role: known.grant.and_then(|grant| grant.role),
        })
    }

    /// Revokes, withdraws everything, and closes where our rent is in it: not after one that failed, because whoever puts dust into
    /// the account in between makes every close fail. Where nothing of ours is granted any more, only our rent is worth a
    /// transaction.
    async fn leave_session_account(
        &self,
        known: &Delegation,
        fee_payer: Pubkey,
    ) -> Result<Vec<Instruction>, OnboardError> {
        let account: SessionAccount = self.session_account(known.buyer);
        let (_, [seen]) = self.shared.core.these_now([account.address()], 0).await?;
        let seen = seen.as_ref().and_then(|seen| token_account(self.token.program, at_address(seen)));
        let seen = seen.filter(|seen| seen.owner == known.buyer).ok_or(OnboardReason::RoleNotFound)?;
        let ours = seen.close_authority.filter(|authority| self.rent_authority(authority).is_some());
        let leave = match ours {
            Some(rent_authority) if !is_active(known) || !self.failed_leaves.contains(&known.buyer) => {
                Leave::Close { fee_payer, rent_authority }
            }
            Some(_) | None if is_active(known) => Leave::Open,
            Some(_) | None => return Err(OnboardReason::RoleNotFound.into()),
        };
        Ok(account.leave(amount(seen.amount), leave))
    }

    /// Takes our roles out and moves everything to the buyer's own account. The rents are the buyer's to take. Tokens alone, which
    /// anybody can send there again and again, are worth no transaction of ours.
    async fn leave_swig(&self, known: &Delegation, fee_payer: &Pubkey) -> Result<Vec<Instruction>, OnboardError> {
        let addresses = self.swig_of(known).ok_or(OnboardReason::RoleNotFound)?;
        let keys = [addresses.config.0, addresses.token_account(self.token.program, &self.token.mint)];
        let (_, [config, inside]) = self.shared.core.these_now(keys, 0).await?;
        let config = config.as_ref().filter(|config| config.owner == swig::PROGRAM);
        let Existing::Ours(account) =
            Existing::judge(config.map(|config| config.data.as_slice()), &addresses, &known.buyer)
        else {
            return Err(OnboardReason::RoleNotFound.into());
        };
        let issued = self.shared.core.ledger.grants_issued(known.id).await?;
        let roles = issued.iter().filter_map(|terms| account.our_role(&known.buyer, &self.role_grant(terms)));
        let mut instructions: Vec<Instruction> =
            roles.map(|role| addresses.remove(fee_payer, &known.buyer, role.id)).collect();
        if instructions.is_empty() && !is_active(known) {
            return Err(OnboardReason::RoleNotFound.into());
        }
        let inside = inside.as_ref().and_then(|inside| token_account(self.token.program, at_address(inside)));
        let withdrawn = inside.map_or(Amount::ZERO, |inside: TokenAccount| amount(inside.amount));
        if withdrawn > Amount::ZERO {
            instructions.extend(self.withdraw_from_swig(&addresses, &known.buyer, withdrawn));
        }
        if instructions.is_empty() {
            return Err(OnboardReason::RoleNotFound.into());
        }
        let compute = [compute_budget::limit(swig::UNITS), compute_budget::price(UNIT_PRICE)];
        Ok(compute.into_iter().chain(instructions).collect())
    }

    /// The buyer, as root, moves tokens to their own account.
    fn withdraw_from_swig(&self, addresses: &SwigAddresses, buyer: &Pubkey, moved: Amount) -> Option<Instruction> {
        let super::ServedToken { program, mint, decimals } = self.token;
        let transfer = TransferChecked {
            program,
            source: addresses.token_account(program, &mint),
            mint,
            destination: associated_account(program, buyer, &mint),
            authority: addresses.wallet.0,
            amount: moved.get(),
            decimals,
        };
        addresses.sign(ROOT, buyer, &[transfer.instruction()])
    }
}

/// Whether what was granted stands, as far as the ledger knows.
fn is_active(known: &Delegation) -> bool {
    known.state == DelegationState::Active
}

fn pending() -> OnboardError {
    let detail = "Another transaction of this wallet is on its way; repeat.";
    RefusedOnboarding::because(OnboardReason::Pending, detail).into()
}
