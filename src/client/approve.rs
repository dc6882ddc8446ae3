//! The approve transaction, exactly as `spec/session.md` §2 has it: grant, create, approve; nothing else.
//!
//! The decrypt allowance belongs to a handle that does not exist yet. It is learnt by simulating the transaction
//! without the allowance, and checked by simulating it again with it; or the facilitator tells it ([`prepared`]).

mod prepared;

use crate::{
    client::rpc::{Account, PayerRpc, RpcError},
    domain::grant::Need,
    programs::{
        Programs,
        inco_token::{AccountState, Allowance, DecodeError, IncoAccount, IncoMint},
        wallet::{AccountAtAddress, NotAWallet, check_wallet},
    },
};
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::{VersionedMessage, legacy};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_system_interface::instruction as system;
use solana_transaction::versioned::VersionedTransaction;

/// Whether the facilitator is asked for SOL: the user pays the rent of the approve's decrypt allowance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grant {
    /// Only when the user's own SOL does not suffice, and only for what is missing; a simulation tells both.
    #[default]
    WhenNeeded,
    /// For 2,000,000 lamports whatever the wallet has, as the published client does: once a day and twice in 30
    /// days, by default.
    Always,
    /// Never.
    Never,
}

/// Why no approve transaction could be built.
#[derive(Debug, thiserror::Error)]
pub enum ApproveError {
    /// The chain could not be asked.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The asset's mint is not there, or is no mint of the token program.
    #[error("the asset is not a mint of the token program")]
    Mint,
    /// The recipient is no wallet: what is paid to it is lost.
    #[error("the recipient {0}")]
    Recipient(NotAWallet),
    /// The user's token account is frozen, or another program's, or another wallet's.
    #[error("the user's token account cannot be used: {0}")]
    Source(&'static str),
    /// An account's bytes are not what they should be.
    #[error("the user's token account is unreadable")]
    Unreadable(#[source] DecodeError),
    /// The transaction would fail.
    #[error("the approve transaction would fail: {0}")]
    WouldFail(String),
    /// The chain moved between two simulations, or does not do what the template says.
    #[error("the simulated approve does not leave what it should: {0}")]
    Unexpected(&'static str),
    /// What the facilitator told of the chain cannot be used.
    #[error("the facilitator's answer to POST /sessions/prepare cannot be used: {0}")]
    Prepared(&'static str),
    /// The facilitator serves no `POST /sessions/prepare`, and the payer gave no node to ask instead.
    #[error("the facilitator does not tell what an approve needs, and no Solana RPC was given to ask instead")]
    NoNode,
}

/// What an approve is made for.
pub(super) struct Approve<'a> {
    pub(super) programs: Programs,
    pub(super) fee_payer: Pubkey,
    pub(super) spender: Pubkey,
    pub(super) user: Pubkey,
    pub(super) recipient: Pubkey,
    pub(super) mint: Pubkey,
    /// The encrypted amount.
    pub(super) ciphertext: &'a [u8],
    pub(super) grant: Grant,
    /// The most that the facilitator grants, in lamports, when it is told.
    pub(super) max_grant: Option<u64>,
}

/// The mint's decimals, whether the user's account has to be created, and what the wallet has, in lamports.
struct Ground {
    decimals: u8,
    creates: bool,
    wallet: u64,
}

/// What a simulated transaction leaves.
struct Left {
    /// The handle of the delegated amount.
    handle: u128,
    /// What the wallet has, in lamports.
    wallet: u64,
}

impl Approve<'_> {
    /// The transaction, with all signatures missing.
    pub(super) async fn prepare(&self, rpc: &dyn PayerRpc) -> Result<VersionedTransaction, ApproveError> {
        let ground = self.ground(rpc).await?;
        let blockhash = rpc.latest_blockhash().await?;
        let most = self.most_grant();
        let first = (self.grant == Grant::Always).then_some(most);
        let complete = self.complete(rpc, &ground, first, blockhash).await;
        let prepared = match complete {
            // What fails for want of SOL succeeds with the grant; what fails otherwise fails again.
            Err(ApproveError::WouldFail(why)) if self.grant == Grant::WhenNeeded && most > 0 => {
                match self.complete_with_grant(rpc, &ground, most, blockhash).await {
                    Err(ApproveError::WouldFail(_)) => Err(ApproveError::WouldFail(why)),
                    other => other,
                }
            }
            other => other,
        };
        prepared.map(|(transaction, _)| transaction)
    }

    /// The transaction with a grant of what is missing, learnt by simulating it with the largest one.
    async fn complete_with_grant(
        &self,
        rpc: &dyn PayerRpc,
        ground: &Ground,
        most: u64,
        blockhash: Hash,
    ) -> Result<(VersionedTransaction, Left), ApproveError> {
        let (largest, left) = self.complete(rpc, ground, Some(most), blockhash).await?;
        let need = Need::simulated(ground.wallet, most, left.wallet, rpc.rent(0).await?);
        match need.lacking() {
            lacking if lacking >= most => Ok((largest, left)),
            // Somebody gave it SOL meanwhile.
            0 => self.complete(rpc, ground, None, blockhash).await,
            lacking => self.complete(rpc, ground, Some(lacking), blockhash).await,
        }
    }

    fn source(&self) -> Pubkey {
        self.programs.token_account(&self.user, &self.mint)
    }

    async fn ground(&self, rpc: &dyn PayerRpc) -> Result<Ground, ApproveError> {
        let told = rpc.accounts(&[self.mint, self.source(), self.user, self.recipient]).await?;
        let [mint, source, wallet, recipient] =
            <[_; 4]>::try_from(told).map_err(|_| RpcError::Impossible { what: "accounts" })?;
        self.check_recipient(recipient.as_ref())?;
        let mint = mint.filter(|account| account.owner == self.programs.token).ok_or(ApproveError::Mint)?;
        let mint = IncoMint::decode(&mint.bytes).map_err(|_| ApproveError::Mint)?;
        if let Some(source) = &source {
            self.check_source(source)?;
        }
        Ok(Ground { decimals: mint.decimals, creates: source.is_none(), wallet: lamports(wallet.as_ref()) })
    }

    /// Whether a derived address may be paid is the facilitator's to say: its operator may list it.
    fn check_recipient(&self, account: Option<&Account>) -> Result<(), ApproveError> {
        let seen = account.map(|account| AccountAtAddress { owner: &account.owner, data: &account.bytes });
        match check_wallet(&self.programs, &self.recipient, seen) {
            Ok(()) | Err(NotAWallet::Derived) => Ok(()),
            Err(why) => Err(ApproveError::Recipient(why)),
        }
    }

    /// Creation is never sent for an account that exists: on a frozen one it would reset the balance
    /// (`spec/inco.md` §4).
    fn check_source(&self, account: &Account) -> Result<(), ApproveError> {
        if account.owner != self.programs.token {
            return Err(ApproveError::Source("it belongs to another program"));
        }
        let source = IncoAccount::decode(&account.bytes).map_err(ApproveError::Unreadable)?;
        if source.owner != self.user || source.mint != self.mint {
            return Err(ApproveError::Source("it belongs to another wallet or mint"));
        }
        match source.state {
            AccountState::Initialised => Ok(()),
            AccountState::Uninitialised => Err(ApproveError::Source("it is not initialised")),
            AccountState::Frozen => Err(ApproveError::Source("it is frozen")),
        }
    }

    async fn complete(
        &self,
        rpc: &dyn PayerRpc,
        ground: &Ground,
        grant: Option<u64>,
        blockhash: Hash,
    ) -> Result<(VersionedTransaction, Left), ApproveError> {
        let Left { handle, .. } = self.left_by(rpc, &self.build(ground, grant, None, blockhash)).await?;
        let allowance = self.programs.decrypt_allowance(handle, &self.spender);
        let transaction = self.build(ground, grant, Some(allowance), blockhash);
        let left = self.left_by(rpc, &transaction).await?;
        if left.handle != handle {
            return Err(ApproveError::Unexpected("another handle than before"));
        }
        Ok((transaction, left))
    }

    /// What a transaction leaves, as a simulation tells.
    async fn left_by(&self, rpc: &dyn PayerRpc, transaction: &VersionedTransaction) -> Result<Left, ApproveError> {
        let simulated = rpc.simulate(transaction, &[self.source(), self.user]).await?;
        if let Some(error) = simulated.error {
            return Err(ApproveError::WouldFail(error));
        }
        let [account, wallet] = <[_; 2]>::try_from(simulated.accounts)
            .map_err(|_| RpcError::Impossible { what: "the accounts after a simulation" })?;
        let account = account.ok_or(ApproveError::Unexpected("no token account"))?;
        let source = IncoAccount::decode(&account.bytes).map_err(ApproveError::Unreadable)?;
        if source.delegate != Some(self.spender) {
            return Err(ApproveError::Unexpected("the spender is not the delegate"));
        }
        if source.delegated_amount == 0 {
            return Err(ApproveError::Unexpected("no approved amount"));
        }
        Ok(Left { handle: source.delegated_amount, wallet: lamports(wallet.as_ref()) })
    }

    fn build(
        &self,
        ground: &Ground,
        grant: Option<u64>,
        allowance: Option<Pubkey>,
        blockhash: Hash,
    ) -> VersionedTransaction {
        let instructions = self.instructions(ground, grant, allowance);
        let message = legacy::Message::new_with_blockhash(&instructions, Some(&self.fee_payer), &blockhash);
        let signatures = vec![Signature::default(); usize::from(message.header.num_required_signatures)];
        VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) }
    }

    fn instructions(&self, ground: &Ground, grant: Option<u64>, allowance: Option<Pubkey>) -> Vec<Instruction> {
        let granted = grant.map(|lamports| system::transfer(&self.fee_payer, &self.user, lamports));
        let create = || self.programs.create_idempotent(&self.fee_payer, &self.user, &self.mint);
        let approve = self.programs.approve_checked(
            &self.source(),
            &self.mint,
            &self.spender,
            &self.user,
            self.ciphertext,
            ground.decimals,
            allowance.map(|account| Allowance { account, holder: self.spender }),
        );
        granted.into_iter().chain(ground.creates.then(create)).chain([approve]).collect()
    }
}

/// What an account holds, in lamports; nothing where there is none.
fn lamports(account: Option<&Account>) -> u64 {
    account.map_or(0, |account| account.lamports)
}
