//! Making balances readable: transfers of zero that buy the decrypt allowances which payments left out.
//!
//! A transfer of zero moves no money; all it does is give both of its accounts new handles and their owners the right to
//! decrypt them. It is built from what a simulation told, so it goes alone: nothing else of ours moves the two accounts
//! meanwhile, and when somebody else does first it lands with an error, costs its fee and is given up. It is journalled
//! with its own purpose like everything we send, and what is missing is read from the chain before rent is spent: payments
//! come first, so accounts that do not come free in a while are left for later.
//!
//! At rest ([`DecryptAllowances::idle_rounds`]) one transfer from payer to merchant, signed by us as the payer's delegate, makes
//! both balances readable at the price of two allowances; on request it is the same where both are quiet. Else the source
//! is the spender's own token account: made once, at the first need, and it never holds anything.

use crate::{
    chain::transaction::SettleInstruction,
    domain::{
        session::{CapCheck, Session},
        settlement::{Attempt, Purpose, Subject},
    },
    facilitator::{
        decrypt_allowances::DecryptAllowances,
        error::SignFailure,
        locks::account_locks::LockedAccounts,
        settlement::simulate::{NotSimulated, TransferDraft},
        token_accounts::decoded,
    },
    programs::{
        ciphertext,
        inco_token::{AccountState, Transfer},
    },
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::sync::Arc;

/// What became of an attempt to make balances readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refreshed {
    /// They were readable already; nothing was spent.
    Readable,
    /// They are now, by this transaction.
    Bought(Signature),
    /// There is no usable account to do it for.
    NotReady,
    /// Payments are on their way for longer than is waited for them, or the payer opens a session; nothing was spent.
    Busy,
    /// A budget is used up.
    OverBudget,
    /// The chain refuses the transfer, or somebody moved an account first; nothing came of it.
    Failed,
}

impl Refreshed {
    /// Whether the balance can be read now.
    pub(crate) const fn is_readable(self) -> bool {
        matches!(self, Self::Readable | Self::Bought(_))
    }
}

/// The wallets of a transfer of zero.
#[derive(Clone, Copy)]
struct Pair {
    payer: Pubkey,
    payee: Pubkey,
    /// Whose balance it is about; both when nobody is named.
    reader: Option<Pubkey>,
}

impl DecryptAllowances {
    /// Makes the balance of one of a session's wallets readable, and the other's with it where both are quiet: it costs the
    /// same.
    pub(crate) async fn refresh_wallet(
        self: &Arc<Self>,
        session: &Session,
        wallet: Pubkey,
    ) -> Result<Refreshed, SignFailure> {
        if self.may_move_zero(session) && self.locks.idle.are_quiet(&self.core.accounts_of(session)) {
            let bought = self.refresh_both(session, Some(wallet)).await?;
            if !matches!(bought, Refreshed::Failed | Refreshed::NotReady | Refreshed::Busy) {
                return Ok(bought);
            }
        }
        self.refresh_one(session, wallet).await
    }

    /// Makes the payer's and the merchant's balance readable with one transfer of zero between their accounts.
    /// With `reader`, sends nothing if that wallet can decrypt its balance already.
    pub(crate) async fn refresh_both(
        self: &Arc<Self>,
        session: &Session,
        reader: Option<Pubkey>,
    ) -> Result<Refreshed, SignFailure> {
        // An opening reads what was approved: where a transfer lowers that, even one of zero, it has to wait; and nobody
        // waits here for an opening, which may take its time.
        let Some(_open) = self.locks.openings.try_payment(session.user(), &session.intent.asset) else {
            return Ok(Refreshed::Busy);
        };
        let pair = Pair { payer: *session.user(), payee: session.intent.recipient, reader };
        let accounts = self.core.accounts_of(session);
        let [source, destination] = accounts;
        let Some(held) = self.locks.accounts.exclusive_in_time(source, destination).await else {
            return Ok(Refreshed::Busy);
        };
        let bought = self.buy(session, pair, held).await?;
        if bought.is_readable() && (reader.is_none() || bought != Refreshed::Readable) {
            for account in &accounts {
                self.locks.idle.mark_readable(account);
            }
        }
        Ok(bought)
    }

    /// Makes one wallet's balance readable with a transfer of zero from the spender's own token account.
    pub(crate) async fn refresh_one(
        self: &Arc<Self>,
        session: &Session,
        wallet: Pubkey,
    ) -> Result<Refreshed, SignFailure> {
        let pair = Pair { payer: self.core.keys.spender.pubkey(), payee: wallet, reader: Some(wallet) };
        if pair.payer == pair.payee {
            return Ok(Refreshed::NotReady);
        }
        self.dispatch.ensure_own_account().await?;
        let (own, account) = (self.core.token_account(&pair.payer), self.core.token_account(&wallet));
        let Some(held) = self.locks.accounts.own_then(own, account).await else { return Ok(Refreshed::Busy) };
        let bought = self.buy(session, pair, held).await?;
        if bought.is_readable() {
            self.locks.idle.mark_readable(&account);
        }
        Ok(bought)
    }

    /// Whether a wallet can decrypt its balance now: two reads, no lock; `None` without a usable token account.
    pub(crate) async fn can_read(&self, wallet: &Pubkey) -> Result<Option<bool>, SignFailure> {
        let found = self.core.account(&self.core.token_account(wallet)).await?;
        let Some(account) = decoded(found).filter(|account| account.state == AccountState::Initialised) else {
            return Ok(None);
        };
        if account.amount == 0 {
            // What has no handle has never held anything.
            return Ok(Some(true));
        }
        let allowance = self.core.settings.served.programs.decrypt_allowance(account.amount, wallet);
        Ok(Some(self.core.account(&allowance).await?.is_some()))
    }

    async fn buy(
        self: &Arc<Self>,
        session: &Session,
        pair: Pair,
        held: LockedAccounts,
    ) -> Result<Refreshed, SignFailure> {
        match self.missing(&pair, &held).await? {
            None => return Ok(Refreshed::NotReady),
            Some(0) => return Ok(Refreshed::Readable),
            Some(_) => {}
        }
        if !self.sponsor.may_buy_allowances(session) {
            return Ok(Refreshed::OverBudget);
        }
        let Some(attempt) = self.sign_refresh(session, &pair, &held).await? else {
            return Ok(Refreshed::Failed);
        };
        let own = self.dispatch.send_own(attempt, Purpose::Refresh, Subject::Session(session.id), Some(held)).await?;
        Ok(match own.settlement.signature {
            _ if own.over.is_some() => Refreshed::OverBudget,
            Some(signature) if own.is_done() => Refreshed::Bought(signature),
            Some(_) | None => Refreshed::Failed,
        })
    }

    /// How many of the pair's wallets cannot read their balance; `None` when an account is not there or frozen.
    async fn missing(&self, pair: &Pair, held: &LockedAccounts) -> Result<Option<usize>, SignFailure> {
        let accounts = self.core.chain.accounts(&held.accounts()).await?;
        let usable = accounts.into_iter().filter_map(decoded);
        let usable: Vec<_> = usable.filter(|account| account.state == AccountState::Initialised).collect();
        let [source, destination] = usable.as_slice() else { return Ok(None) };
        let wanted: Vec<Pubkey> = [(pair.payer, source), (pair.payee, destination)]
            .into_iter()
            // What has no handle has never held anything.
            .filter(|(wallet, account)| pair.reader.is_none_or(|reader| reader == *wallet) && account.amount != 0)
            .map(|(wallet, account)| self.core.settings.served.programs.decrypt_allowance(account.amount, &wallet))
            .collect();
        let found = self.core.chain.accounts(&wanted).await?;
        Ok(Some(found.iter().filter(|account| account.is_none()).count()))
    }

    /// Builds and signs the transfer of zero; `None` when its simulation fails or the program grants no allowance.
    async fn sign_refresh(
        &self,
        session: &Session,
        pair: &Pair,
        held: &LockedAccounts,
    ) -> Result<Option<Attempt>, SignFailure> {
        let payer = self.sponsor.choose_fee_payer(session, |_| true)?;
        let blockhash = self.core.chain.latest_blockhash().await?;
        let [source, destination] = held.accounts();
        let mut draft = TransferDraft {
            fee_payer: payer.pubkey(),
            // Needs no word of the payer: the spender is owner or delegate.
            instruction: SettleInstruction::Transfer,
            message: Vec::new(),
            signature: [0; 64],
            owners: [pair.payer, pair.payee],
            transfer: Transfer {
                source,
                destination,
                authority: self.core.keys.spender.pubkey(),
                ciphertext: ciphertext::encrypt(&self.core.settings.served.encryption_key, 0, &*self.core.chance),
                allowances: None,
            },
        };
        match self.settlements.name_allowances(&mut draft, blockhash).await {
            Ok(()) if draft.transfer.allowances.is_some() => {}
            Ok(()) => return Ok(None),
            Err(NotSimulated::WouldFail(error)) => {
                tracing::info!(error, "a balance cannot be made readable");
                return Ok(None);
            }
            Err(NotSimulated::Failed(failure)) => return Err(failure),
        }
        self.settlements.sign_draft((self.core.next_settlement_id(), 1), &draft, &*payer, blockhash).await.map(Some)
    }

    /// Whether a transfer of zero by the delegate disturbs nothing: where transfers lower the delegated amount, they
    /// change its handle too, and an amount that is still to be checked could not be read any more.
    pub(crate) fn may_move_zero(&self, session: &Session) -> bool {
        !(self.core.settings.transfers.delegation.is_lowered() && session.cap_check == CapCheck::Unverified)
    }
}
