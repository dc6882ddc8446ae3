//! Buyers' delegations as their programs see them: the keys and addresses that they stand on, and what the chain says of them.
//!
//! Whoever signs a settlement and whoever watches over channels asks here, so that both mean the same accounts.

use crate::{
    chain::{ChainAccount, ChainError},
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        key_pair::KeyPair,
        mpp::{
            choices::Backend,
            delegation::{Delegation, DelegationReading, GrantTerms},
            money::{Reading, Role, slots},
            root::{Root, swig_id},
        },
    },
    facilitator::{MppSettings, core::Core},
    ledger::SeenRole,
    programs::{
        delegation::{
            Granted, GrantedReading,
            session_account::SessionAccount,
            swig::{RoleGrant, SwigAddresses},
        },
        spl_token::TokenProgram,
        wallet::AccountAtAddress,
    },
};
use solana_pubkey::Pubkey;
use std::iter::once;

/// How many accounts one request reads.
const MOST_ACCOUNTS: usize = 100;
/// The length of a slot, for when a Swig's role ends, in milliseconds; the truth is the slot.
const SLOT_MILLIS: u64 = 400;

/// What was read of a delegation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenDelegation {
    /// What can be settled by it.
    pub(crate) reading: Reading,
    /// In which slot.
    pub(crate) slot: u64,
    /// Of a Swig, our role.
    pub(crate) role: Option<SeenRole>,
}

impl SeenDelegation {
    /// As the ledger keeps it.
    pub(crate) const fn to_note(self, generation: u32, at: UnixSeconds) -> DelegationReading {
        DelegationReading { generation, reading: self.reading, slot: self.slot, at }
    }
}

/// The token that delegations are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServedToken {
    pub(crate) program: TokenProgram,
    pub(crate) mint: Pubkey,
    pub(crate) decimals: u8,
}

impl ServedToken {
    /// The session account of a wallet.
    pub(crate) const fn session_account(self, buyer: Pubkey) -> SessionAccount {
        let Self { program, mint, decimals } = self;
        SessionAccount { program, mint, decimals, buyer }
    }

    /// A role that is granted on these terms.
    pub(crate) fn role_grant(self, terms: &GrantTerms) -> RoleGrant {
        RoleGrant {
            delegate: terms.delegate,
            slots: slots(terms.ttl),
            program: self.program,
            mint: self.mint,
            decimals: self.decimals,
            limit: terms.limit.get(),
            seller: terms.seller,
        }
    }
}

impl Core {
    /// An active delegation as its program sees it; none of one that nothing was granted by, or of another token.
    pub(crate) fn granted(&self, delegation: &Delegation) -> Option<Granted> {
        let (settings, grant) = (self.settings.served.mpp.as_ref()?, delegation.grant.as_ref()?);
        let asset = &settings.offer.asset;
        let program = TokenProgram::at(&asset.token_program).filter(|_| asset.mint == delegation.mint)?;
        let token = ServedToken { program, mint: asset.mint, decimals: asset.decimals };
        let buyer = delegation.buyer;
        Some(match delegation.backend {
            Backend::SplDelegate => {
                Granted::SessionAccount { account: token.session_account(buyer), delegate: grant.terms.delegate }
            }
            Backend::Swig => Granted::Swig {
                addresses: self.swig_of(settings, delegation)?,
                buyer,
                grant: token.role_grant(&grant.terms),
            },
        })
    }

    /// The key that an active delegation names, whichever root it is of; none where that root is not configured any more.
    pub(crate) fn delegate_key(&self, delegation: &Delegation) -> Option<KeyPair> {
        let (settings, terms) = (self.settings.served.mpp.as_ref()?, delegation.grant.as_ref()?.terms);
        let chain_id = self.settings.served.network.canonical();
        let key = |root: &Root| root.delegate_key(chain_id, &delegation.buyer, terms.generation);
        roots(settings).map(key).find(|key| key.public() == terms.delegate)
    }

    /// Reads these delegations, in states that are not older than `at_least`; nothing of one that nothing was granted by.
    pub(crate) async fn read_delegations(
        &self,
        delegations: &[Delegation],
        at_least: u64,
    ) -> Result<Vec<Option<SeenDelegation>>, ChainError> {
        self.read_delegations_in_turn(delegations, at_least, 0).await
    }

    /// Like [`Core::read_delegations`], asked of the endpoints in turn, so that what is looked at in rounds is not told by one alone.
    pub(crate) async fn read_delegations_in_turn(
        &self,
        delegations: &[Delegation],
        at_least: u64,
        turn: usize,
    ) -> Result<Vec<Option<SeenDelegation>>, ChainError> {
        let mut seen = Vec::with_capacity(delegations.len());
        // A Swig has two accounts.
        for some in delegations.chunks(MOST_ACCOUNTS / 2) {
            let granted: Vec<Option<Granted>> = some.iter().map(|delegation| self.granted(delegation)).collect();
            let keys: Vec<_> = granted.iter().flatten().flat_map(Granted::accounts).collect();
            let (slot, accounts) =
                if keys.is_empty() { (0, Vec::new()) } else { self.accounts_in_turn(&keys, at_least, turn).await? };
            let mut rest = accounts.as_slice();
            for granted in &granted {
                seen.push(granted.as_ref().map(|granted| self.seen(granted, slot, take(&mut rest, granted))));
            }
        }
        Ok(seen)
    }

    /// Whether a delegation can pay this now, as some endpoint says: one is asked, and all of them where it says that it cannot. An
    /// endpoint that lies of an empty account keeps no seller from being paid.
    pub(crate) async fn can_pay(&self, delegation: &Delegation, amount: Amount) -> Result<bool, ChainError> {
        let can = |seen: SeenDelegation| at(delegation, seen.reading, self.clock.now()).available() >= amount;
        let read = self.read_delegations(std::slice::from_ref(delegation), 0).await?;
        if read.into_iter().flatten().any(can) {
            return Ok(true);
        }
        let Some(granted) = self.granted(delegation) else { return Ok(false) };
        let told = self.chain.accounts_everywhere(&granted.accounts()).await?;
        let mut told = told.iter().filter_map(|endpoint| endpoint.told.as_ref());
        Ok(told.any(|(slot, accounts)| can(self.seen(&granted, *slot, accounts))))
    }

    /// What these accounts, which were read in this slot, say of a delegation.
    pub(crate) fn seen(&self, granted: &Granted, slot: u64, accounts: &[Option<ChainAccount>]) -> SeenDelegation {
        let accounts: Vec<_> = accounts.iter().map(|account| account.as_ref().map(at_address)).collect();
        let GrantedReading { reading, role } = granted.read(slot, &accounts);
        let left = |expiry: u64| expiry.saturating_sub(slot).saturating_mul(SLOT_MILLIS) / 1_000;
        let role = role.map(|role| SeenRole {
            role: role.id,
            expiry_slot: role.expiry,
            expires_at: self.clock.now().saturating_add(left(role.expiry)),
        });
        SeenDelegation { reading, slot, role }
    }

    /// Whether a delegation's grant is of the root in use: nothing new stands on one of a root from before.
    pub(crate) fn is_of_current_root(&self, delegation: &Delegation) -> bool {
        let (Some(settings), Some(grant)) = (self.settings.served.mpp.as_ref(), &delegation.grant) else {
            return false;
        };
        let (root, terms) = (&settings.roots.current, grant.terms);
        let chain_id = self.settings.served.network.canonical();
        root.delegate_key(chain_id, &delegation.buyer, terms.generation).public() == terms.delegate
    }

    /// The addresses of the Swig that a delegation stands on.
    pub(crate) fn swig_of(&self, settings: &MppSettings, delegation: &Delegation) -> Option<SwigAddresses> {
        let chain_id = self.settings.served.network.canonical();
        let plain = SwigAddresses::of(swig_id(chain_id, &delegation.buyer));
        let salted = roots(settings).map(|root| SwigAddresses::of(root.salted_swig_id(chain_id, &delegation.buyer)));
        once(plain).chain(salted).find(|swig| swig.config.0 == delegation.account)
    }
}

/// The root in use, and those before it.
pub(crate) fn roots(settings: &MppSettings) -> impl Iterator<Item = &Root> {
    once(&settings.roots.current).chain(&settings.roots.previous)
}

/// The next accounts, as many as this delegation has.
fn take<'a>(rest: &mut &'a [Option<ChainAccount>], granted: &Granted) -> &'a [Option<ChainAccount>] {
    let (own, others) = rest.split_at(granted.accounts().len().min(rest.len()));
    *rest = others;
    own
}

/// An account as programs look at it.
pub(crate) fn at_address(account: &ChainAccount) -> AccountAtAddress<'_> {
    AccountAtAddress { owner: &account.owner, data: &account.data }
}

/// What a reading means at this time: the program of a session account knows no end, and one that is used up looks like one that
/// was taken back. What the buyer approves by themselves is no grant to us: no more is left than was granted and has not moved.
pub(crate) fn at(delegation: &Delegation, reading: Reading, now: UnixSeconds) -> Reading {
    let Some(grant) = &delegation.grant else { return reading };
    let reading = Reading { remaining: reading.remaining.min(grant.left().get()), ..reading };
    if grant.is_over(now) { Reading { role: Role::Expired, ..reading } } else { reading }
}
