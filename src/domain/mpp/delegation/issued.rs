//! Messages that we issue for a wallet to sign: each is good once, for a while, and until another is issued to that wallet.

use super::{DelegationId, DelegationState, GrantTerms, OnboardLimits};
use crate::domain::{
    clock::UnixSeconds,
    hold::ContentHash,
    mpp::{caps::Caps, choices::Backend},
    settlement::{IssuedId, SettlementId, State},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// What an issued message does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssuedKind {
    /// Makes a Swig, its wallet and the wallet's token account.
    CreateSwig,
    /// Grants: a role in a Swig, or the delegate slot of a session account that exists.
    GrantRole,
    /// Lets our key act in a Swig.
    ActivateSessionKey,
    /// Makes a session account and grants from it.
    CreateSessionAccount,
    /// Takes everything back.
    Leave,
}

impl IssuedKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::CreateSwig, Self::GrantRole, Self::ActivateSessionKey, Self::CreateSessionAccount, Self::Leave];

    /// The word in the ledger, and the label on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::CreateSwig => "create_swig",
            Self::GrantRole => "grant_role",
            Self::ActivateSessionKey => "activate_session_key",
            Self::CreateSessionAccount => "create_session_account",
            Self::Leave => "leave",
        }
    }

    /// The kind that is written as this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Where a delegation of this kind stands once such a message has landed; `None` where it changes nothing.
    pub fn leads_to(self, backend: Backend) -> Option<DelegationState> {
        match (self, backend) {
            (Self::CreateSwig, _) => None,
            // A renewed role is of no use until our key may act by it, and the old one is gone.
            (Self::GrantRole, Backend::Swig) => Some(DelegationState::Pending),
            (Self::GrantRole, Backend::SplDelegate) | (Self::ActivateSessionKey | Self::CreateSessionAccount, _) => {
                Some(DelegationState::Active)
            }
            (Self::Leave, _) => Some(DelegationState::Left),
        }
    }
}

/// A message that was issued for a wallet to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedMessage {
    /// Its id.
    pub id: IssuedId,
    /// The wallet.
    pub buyer: Pubkey,
    /// The delegation that it serves.
    pub delegation: DelegationId,
    /// What it does.
    pub kind: IssuedKind,
    /// The generation that it grants, or helps to.
    pub generation: Option<u32>,
    /// Its bytes.
    pub message: Vec<u8>,
    /// Their SHA-256.
    pub hash: ContentHash,
    /// The block height after which its blockhash is dead.
    pub last_valid_block_height: u64,
    /// What it lends in rent at most, in lamports.
    pub rent: u64,
    /// From when on it is refused, Unix seconds.
    pub until: UnixSeconds,
    /// Where it stands.
    pub state: IssuedState,
}

/// Where an issued message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuedState {
    /// It waits for its wallet's signature.
    Waiting,
    /// Another was issued after it.
    Voided,
    /// It was signed and recorded, and may or may not have landed.
    OnItsWay(IssuedTransaction),
    /// It has landed.
    Landed(IssuedTransaction),
    /// It had no effect and will have none.
    Released(IssuedTransaction),
}

/// The transaction of an issued message that was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuedTransaction {
    /// The settlement that carries it.
    pub settlement: SettlementId,
    /// Its signature.
    pub signature: Signature,
}

impl IssuedState {
    /// Where a message stands whose settlement is in this state.
    pub const fn of(settlement: &State, transaction: IssuedTransaction) -> Self {
        match settlement {
            State::Reserved | State::InFlight => Self::OnItsWay(transaction),
            State::Landed | State::Settled => Self::Landed(transaction),
            State::Released => Self::Released(transaction),
        }
    }

    /// Its transaction, once it was recorded.
    pub const fn transaction(&self) -> Option<IssuedTransaction> {
        match self {
            Self::Waiting | Self::Voided => None,
            Self::OnItsWay(transaction) | Self::Landed(transaction) | Self::Released(transaction) => Some(*transaction),
        }
    }
}

/// A message about to be issued, with what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuePlan {
    /// The message's id.
    pub id: IssuedId,
    /// The id of the delegation, where this is the first of it.
    pub delegation: DelegationId,
    /// The wallet.
    pub buyer: Pubkey,
    /// The token.
    pub mint: Pubkey,
    /// What enforces it.
    pub backend: Backend,
    /// The session account, or the config account of the Swig.
    pub account: Pubkey,
    /// Whether the Swig stands at the id that nobody else can know.
    pub is_salted: bool,
    /// What it does.
    pub kind: IssuedKind,
    /// The grant that it makes, or helps to.
    pub grant: Option<GrantPlan>,
    /// Whether it is the first of an onboarding.
    pub begins: bool,
    /// Its bytes.
    pub message: Vec<u8>,
    /// The block height after which its blockhash is dead.
    pub last_valid_block_height: u64,
    /// What it lends in rent at most, in lamports.
    pub rent: u64,
    /// From when on it is refused, Unix seconds.
    pub until: UnixSeconds,
    /// The proof that asks for it, for a leave.
    pub proof: Option<UsedProof>,
}

/// The grant of a message that is issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantPlan {
    /// A new generation.
    New(GrantTerms),
    /// The generation of an earlier round.
    Earlier(u32),
}

/// A proof that is used, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedProof {
    /// Its nonce; once for ever for a wallet.
    pub nonce: String,
    /// The hash of the act and of everything that is asked with it.
    pub act: [u8; 32],
}

/// An issued message that its wallet has signed, about to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfirmPlan {
    /// The message.
    pub message: IssuedId,
    /// The settlement that carries it.
    pub settlement: SettlementId,
    /// Who brings it, by a keyed hash.
    pub caller: [u8; 16],
    /// Whether its wallet is known by the operator's word.
    pub is_listed: bool,
    /// How many there may be.
    pub limits: OnboardLimits,
    /// How much is sponsored.
    pub caps: Caps,
}
