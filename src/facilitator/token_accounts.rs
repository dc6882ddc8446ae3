//! Token accounts: where they are, how the chain says they stand, and which of them may be used.

use crate::{
    chain::{ChainAccount, ChainError},
    domain::{reason::SessionReason, session::Session, settlement::Witness},
    facilitator::{SessionRefusal, core::Core, known_handles::Seen, recipients::RecipientAccount},
    programs::{
        inco_token::{AccountState, IncoAccount},
        wallet::{self, AccountAtAddress, NotAWallet},
    },
};
use solana_pubkey::Pubkey;

/// For how many slots what a final state showed is used again: about a minute. An older one only makes longer what has to be
/// explained.
const FINAL_STATE_FOR: u64 = 150;

impl Core {
    /// The wallet's token account of the served asset.
    pub(crate) fn token_account(&self, wallet: &Pubkey) -> Pubkey {
        self.settings.served.programs.token_account(wallet, &self.settings.served.asset)
    }

    /// Both token accounts of a session: the payer's and the merchant's.
    pub(crate) fn accounts_of(&self, session: &Session) -> [Pubkey; 2] {
        [self.token_account(session.user()), self.token_account(&session.intent.recipient)]
    }

    /// An account as it stands; `None` when there is none.
    pub(crate) async fn account(&self, key: &Pubkey) -> Result<Option<ChainAccount>, ChainError> {
        Ok(self.chain.accounts(&[*key]).await?.into_iter().next().flatten())
    }

    /// Accounts in a state that is not older than `at_least`, nor than any that was read before, and the slot of that state:
    /// no older one is believed from then on.
    pub(crate) async fn accounts_now(
        &self,
        keys: &[Pubkey],
        at_least: u64,
    ) -> Result<(u64, Vec<Option<ChainAccount>>), ChainError> {
        self.accounts_in_turn(keys, at_least, 0).await
    }

    /// Like [`Core::accounts_now`], asked of the endpoints in turn ([`Chain::accounts_in_turn`](crate::chain::Chain)).
    pub(crate) async fn accounts_in_turn(
        &self,
        keys: &[Pubkey],
        at_least: u64,
        turn: usize,
    ) -> Result<(u64, Vec<Option<ChainAccount>>), ChainError> {
        let at_least = at_least.max(self.newest_slot.newest());
        let (slot, accounts) = self.chain.accounts_in_turn(keys, at_least, turn).await?;
        self.newest_slot.saw(slot);
        self.handles.saw(slot, &self.settings.served.programs.token, keys, &accounts);
        Ok((slot, accounts))
    }

    /// Reads so many accounts like [`Core::accounts_now`].
    pub(crate) async fn these_now<const N: usize>(
        &self,
        keys: [Pubkey; N],
        at_least: u64,
    ) -> Result<(u64, [Option<ChainAccount>; N]), ChainError> {
        let (slot, accounts) = self.accounts_now(&keys, at_least).await?;
        let accounts = accounts
            .try_into()
            .map_err(|_| ChainError::Inconsistent("another number of accounts than asked for".to_owned()))?;
        Ok((slot, accounts))
    }

    /// What is known of an account's balance before something is moved out of it, for an attempt whose ciphertext does not exist
    /// yet; none where nothing is known and the chain does not answer, because a payment does not wait for it.
    pub(crate) async fn witness(&self, account: Pubkey) -> Option<Witness> {
        let before = self.seen_before(&account).await?.balance;
        Some(Witness { account, before, delegated: None })
    }

    /// Like [`Core::witness`], for what we move as the account's delegate: with what it delegates, where that was seen to be lowered
    /// by each transfer.
    pub(crate) async fn witness_as_delegate(&self, account: Pubkey) -> Option<Witness> {
        let Seen { balance: before, delegated } = self.seen_before(&account).await?;
        let is_lowered = self.settings.transfers.delegation.is_lowered() && self.handles.are_lowered();
        let ours = delegated.filter(|(delegate, _)| is_lowered && *delegate == self.keys.spender.pubkey());
        Some(Witness { account, before, delegated: ours.map(|(_, handle)| handle) })
    }

    /// What was last seen of an account. Read only where nothing is known, as after a start; where it was not shown that handles
    /// name what made them, in a final state, and anew once that is [`FINAL_STATE_FOR`] old.
    async fn seen_before(&self, account: &Pubkey) -> Option<Seen> {
        let read = if self.handles.are_derived() {
            match self.handles.newest(account) {
                Some(seen) => return Some(seen),
                None => self.these_now([*account], 0).await.map(drop),
            }
        } else {
            let newest = self.newest_slot.newest();
            match self.handles.newest_final(account) {
                Some(seen) if seen.balance.slot + FINAL_STATE_FOR >= newest => return Some(seen),
                Some(_) | None => self.read_final(account).await,
            }
        };
        if let Err(error) = read {
            tracing::debug!(%error, "a payer's account cannot be read before a transfer");
        }
        if self.handles.are_derived() { self.handles.newest(account) } else { self.handles.newest_final(account) }
    }

    async fn read_final(&self, account: &Pubkey) -> Result<(), ChainError> {
        let (slot, accounts) = self.chain.final_accounts(&[*account]).await?;
        self.handles.saw_final(slot, &self.settings.served.programs.token, &[*account], &accounts);
        Ok(())
    }

    /// Whether somebody has made an account here; lamports alone do not make one.
    pub(crate) async fn is_made(&self, key: &Pubkey) -> Result<bool, ChainError> {
        Ok(self.account(key).await?.is_some_and(|account| !account.data.is_empty()))
    }

    /// Whether a recipient has a token account; read from the chain where this process does not know.
    pub(crate) async fn recipient_account(&self, recipient: &Pubkey) -> Result<RecipientAccount, ChainError> {
        match self.recipients.known(recipient) {
            Some(known) => Ok(known),
            None => self.look_at_recipient(recipient).await,
        }
    }

    /// Reads from the chain whether a recipient can be paid, and has a token account.
    pub(crate) async fn look_at_recipient(&self, recipient: &Pubkey) -> Result<RecipientAccount, ChainError> {
        let (_, [account, wallet]) = self.these_now([self.token_account(recipient), *recipient], 0).await?;
        // Lamports sent to the address do not make an account.
        let is_made = account.is_some_and(|account| !account.data.is_empty());
        let seen = match self.check_wallet(recipient, wallet.as_ref()) {
            Err(refusal) => RecipientAccount::NotAWallet(refusal),
            Ok(()) if is_made => RecipientAccount::There,
            Ok(()) => RecipientAccount::Missing,
        };
        self.recipients.saw(recipient, seen);
        Ok(seen)
    }

    /// Refuses a recipient that is no wallet. A program may pay out of its own or a derived address where the operator lists it, but
    /// never out of a token account that is named in place of its owner.
    pub(crate) fn check_wallet(&self, recipient: &Pubkey, account: Option<&ChainAccount>) -> Result<(), NotAWallet> {
        let seen = account.map(|account| AccountAtAddress { owner: &account.owner, data: &account.data });
        match wallet::check_wallet(&self.settings.served.programs, recipient, seen) {
            Err(NotAWallet::Derived | NotAWallet::OfProgram(_)) if self.settings.recipients.is_listed(recipient) => {
                Ok(())
            }
            checked => checked,
        }
    }

    /// The token account of `owner`, decoded; `None` when it does not exist; refused when frozen, foreign or odd.
    pub(crate) fn usable(
        &self,
        account: Option<&ChainAccount>,
        owner: &Pubkey,
        reason: SessionReason,
    ) -> Result<Option<IncoAccount>, SessionRefusal> {
        let Some(account) = account else { return Ok(None) };
        // Lamports sent to an address that holds no account yet do not make it one.
        if account.data.is_empty() && account.owner == solana_sdk_ids::system_program::ID {
            return Ok(None);
        }
        if account.owner != self.settings.served.programs.token {
            return Err(SessionRefusal::because(reason, "the token account belongs to another program"));
        }
        let decoded = IncoAccount::decode(&account.data)
            .map_err(|_| SessionRefusal::because(reason, "the token account cannot be read"))?;
        if decoded.owner != *owner || decoded.mint != self.settings.served.asset {
            return Err(SessionRefusal::because(reason, "the token account belongs to another owner or asset"));
        }
        match decoded.state {
            AccountState::Initialised => Ok(Some(decoded)),
            AccountState::Frozen => Err(SessionRefusal::because(reason, "the token account is frozen")),
            AccountState::Uninitialised => Err(SessionRefusal::because(reason, "the token account is not initialised")),
        }
    }

    /// Like [`Core::usable`], for an account of which we have to be the delegate: refused with `delegate_mismatch` when we are not.
    pub(crate) fn delegated(
        &self,
        account: Option<&ChainAccount>,
        owner: &Pubkey,
        reason: SessionReason,
    ) -> Result<IncoAccount, SessionRefusal> {
        let account = self.usable(account, owner, reason)?.filter(|account| self.is_delegate(account));
        account.ok_or_else(|| SessionRefusal::new(SessionReason::DelegateMismatch))
    }

    /// Whether we may spend from this account.
    pub(crate) fn is_delegate(&self, account: &IncoAccount) -> bool {
        account.delegate == Some(self.keys.spender.pubkey())
    }
}

/// What the account's bytes say, when they are a token account's.
pub(crate) fn decoded(account: Option<ChainAccount>) -> Option<IncoAccount> {
    account.and_then(|account| IncoAccount::decode(&account.data).ok())
}
