//! Making balances readable: transfers of zero that buy the decrypt allowances which payments left out.
//!
//! A transfer of zero moves no money; all it does is give both of its accounts new handles and their owners the right to
//! decrypt them. It is built from what a simulation told, so it goes alone: nothing else of ours moves the two accounts
//! meanwhile, and when somebody else does first it lands with an error, costs its fee and is given up. It is journalled
//! with its own purpose like everything we send, and what is missing is read from the chain before rent is spent: payments
//! come first, so accounts that do not come free in a while are left for later.
//!
//! At rest ([`Facilitator::watch_rest`]) one transfer from payer to merchant, signed by us as the payer's delegate, makes
//! both balances readable at the price of two allowances; on request it is the same where both are quiet. Else the source
//! is the spender's own token account: made once, at the first need, and it never holds anything.

use crate::{
    chain::{
        fees::ComputeBudget,
        transaction::{SettleInstruction, create_recipient},
    },
    domain::{
        session::{CapCheck, Session, SessionId},
        settlement::{Attempt, Cost, Purpose, SettlementId, State},
    },
    facilitator::{
        Facilitator,
        accounts::decoded,
        driver::Until,
        gates::AccountsHeld,
        measuring::{Draft, UNMEASURED_UNITS, Unmeasured},
        signing::{SignFailure, attempt},
    },
    ledger::{LedgerError, Signed, Work},
    programs::{
        ciphertext,
        inco_token::{AccountState, IncoAccount, Transfer},
    },
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::sync::Arc;

/// What became of an attempt to make balances readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refreshed {
    /// They were readable already; nothing was spent.
    Readable,
    /// They are now, by this transaction.
    Bought(Signature),
    /// There is no usable account to do it for.
    NotReady,
    /// Payments are on their way for longer than is waited for them; nothing was spent.
    Busy,
    /// A budget is used up.
    OverBudget,
    /// The chain refuses the transfer, or somebody moved an account first; nothing came of it.
    Failed,
}

const fn is_readable(found: Refreshed) -> bool {
    matches!(found, Refreshed::Readable | Refreshed::Bought(_))
}

/// The wallets of a transfer of zero.
#[derive(Clone, Copy)]
struct Pair {
    payer: Pubkey,
    payee: Pubkey,
    /// Whose balance it is about; both when nobody is named.
    reader: Option<Pubkey>,
}

impl Facilitator {
    /// Makes the balance of one of a session's wallets readable, and the other's with it where both are quiet: it costs the
    /// same.
    pub(super) async fn refresh_wallet(
        self: &Arc<Self>,
        session: &Session,
        wallet: Pubkey,
    ) -> Result<Refreshed, SignFailure> {
        if self.may_move_zero(session) && self.unread.are_quiet(&self.accounts_of(session)) {
            let bought = self.refresh_both(session, Some(wallet)).await?;
            if !matches!(bought, Refreshed::Failed | Refreshed::NotReady | Refreshed::Busy) {
                return Ok(bought);
            }
        }
        self.refresh_one(session, wallet).await
    }

    /// The payer's and the merchant's balance with one transfer between them; for `reader` alone it is asked whether
    /// anything is missing, when one is named.
    async fn refresh_both(
        self: &Arc<Self>,
        session: &Session,
        reader: Option<Pubkey>,
    ) -> Result<Refreshed, SignFailure> {
        // An opening reads what was approved: where a transfer lowers that, even one of zero, it has to wait.
        let _open = self.gates.paying(session.user(), &session.intent.asset).await;
        let pair = Pair { payer: *session.user(), payee: session.intent.recipient, reader };
        let accounts = self.accounts_of(session);
        let [source, destination] = accounts;
        let Some(held) = self.gates.alone_in_time(source, destination).await else { return Ok(Refreshed::Busy) };
        let bought = self.buy(session, pair, held).await?;
        if is_readable(bought) && (reader.is_none() || bought != Refreshed::Readable) {
            for account in &accounts {
                self.unread.is_readable(account);
            }
        }
        Ok(bought)
    }

    /// One wallet's balance, from our own account.
    async fn refresh_one(self: &Arc<Self>, session: &Session, wallet: Pubkey) -> Result<Refreshed, SignFailure> {
        let pair = Pair { payer: self.keys.spender.pubkey(), payee: wallet, reader: Some(wallet) };
        if pair.payer == pair.payee {
            return Ok(Refreshed::NotReady);
        }
        self.ensure_own_account().await?;
        let (own, account) = (self.token_account(&pair.payer), self.token_account(&wallet));
        let Some(held) = self.gates.own_first(own, account).await else { return Ok(Refreshed::Busy) };
        let bought = self.buy(session, pair, held).await?;
        if is_readable(bought) {
            self.unread.is_readable(&account);
        }
        Ok(bought)
    }

    /// Whether a wallet can read its balance as it stands, in two reads and behind no gate; `None` without a usable account.
    pub(super) async fn can_read(&self, wallet: &Pubkey) -> Result<Option<bool>, SignFailure> {
        let found = self.account(&self.token_account(wallet)).await?;
        let Some(account) = decoded(found).filter(|account| account.state == AccountState::Initialised) else {
            return Ok(None);
        };
        if account.amount == 0 {
            // What has no handle has never held anything.
            return Ok(Some(true));
        }
        let allowance = self.settings.programs.decrypt_allowance(account.amount, wallet);
        Ok(Some(self.account(&allowance).await?.is_some()))
    }

    async fn buy(
        self: &Arc<Self>,
        session: &Session,
        pair: Pair,
        held: AccountsHeld,
    ) -> Result<Refreshed, SignFailure> {
        match self.missing(&pair, &held).await? {
            None => return Ok(Refreshed::NotReady),
            Some(0) => return Ok(Refreshed::Readable),
            Some(_) => {}
        }
        if !self.may_buy_allowances(session) {
            return Ok(Refreshed::OverBudget);
        }
        let id = SettlementId::from_random_bytes(self.random_id());
        let Some(attempt) = self.sign_refresh(id, session, &pair, &held).await? else {
            return Ok(Refreshed::Failed);
        };
        // From before it exists, so that no background round takes it for one that nobody drives.
        let _claim = self.resuming.claim(id);
        let now = self.clock.now();
        let settlement = self.ledger.plan_other(id, Purpose::Refresh, Some(session.id), now).await?;
        let work = match self.ledger.record_signed(&settlement, attempt, now).await? {
            Signed::Recorded { settlement, attempt } => Work { settlement, attempt: Some(attempt) },
            Signed::OverBudget(over) => {
                self.heed_over_budget(&settlement, true, &over).await?;
                // Nothing was signed, so the driver gives it up.
                self.drive(Work { settlement, attempt: None }, Until::Landed).await;
                return Ok(Refreshed::OverBudget);
            }
        };
        let settlement = self.drive_holding(work, Until::Landed, Some(held)).await;
        Ok(match (settlement.state, settlement.signature) {
            (State::Landed | State::Settled, Some(signature)) => Refreshed::Bought(signature),
            _ => Refreshed::Failed,
        })
    }

    /// How many of the pair's wallets cannot read their balance; `None` when an account is not there or frozen.
    async fn missing(&self, pair: &Pair, held: &AccountsHeld) -> Result<Option<usize>, SignFailure> {
        let accounts = self.chain.accounts(&held.accounts()).await?;
        let usable = accounts.into_iter().filter_map(decoded);
        let usable: Vec<_> = usable.filter(|account| account.state == AccountState::Initialised).collect();
        let [source, destination] = usable.as_slice() else { return Ok(None) };
        let wanted: Vec<Pubkey> = [(pair.payer, source), (pair.payee, destination)]
            .into_iter()
            // What has no handle has never held anything.
            .filter(|(wallet, account)| pair.reader.is_none_or(|reader| reader == *wallet) && account.amount != 0)
            .map(|(wallet, account)| self.settings.programs.decrypt_allowance(account.amount, &wallet))
            .collect();
        let found = self.chain.accounts(&wanted).await?;
        Ok(Some(found.iter().filter(|account| account.is_none()).count()))
    }

    /// `None` when the chain would refuse it.
    async fn sign_refresh(
        &self,
        id: SettlementId,
        session: &Session,
        pair: &Pair,
        held: &AccountsHeld,
    ) -> Result<Option<Attempt>, SignFailure> {
        let payer = self.afford(session, |_| true)?;
        let blockhash = self.chain.latest_blockhash().await?;
        let [source, destination] = held.accounts();
        let mut draft = Draft {
            fee_payer: payer.pubkey(),
            // Needs no word of the payer: the spender is owner or delegate.
            instruction: SettleInstruction::Transfer,
            message: Vec::new(),
            signature: [0; 64],
            owners: [pair.payer, pair.payee],
            transfer: Transfer {
                source,
                destination,
                authority: self.keys.spender.pubkey(),
                ciphertext: ciphertext::encrypt(&self.settings.encryption_key, 0, &*self.chance),
                allowances: None,
            },
        };
        match self.name_allowances(&mut draft, blockhash).await {
            Ok(()) if draft.transfer.allowances.is_some() => {}
            Ok(()) => return Ok(None),
            Err(Unmeasured::WouldFail(error)) => {
                tracing::info!(error, "a balance cannot be made readable");
                return Ok(None);
            }
            Err(Unmeasured::Failed(failure)) => return Err(failure),
        }
        let (unsigned, rent) = self.finish(&draft, blockhash).await?;
        let cost = Cost { fee: unsigned.fee(), rent, grant: 0 };
        let signed = unsigned.sign(&[&*self.keys.spender, &*payer])?;
        self.charge_capture(&payer.pubkey(), cost.fee, cost.rent)?;
        Ok(Some(Attempt { bears_allowances: true, ..attempt(id, 1, signed, blockhash, cost) }))
    }

    /// The spender's own token account; created once, at our cost, when it is first needed.
    async fn ensure_own_account(self: &Arc<Self>) -> Result<(), SignFailure> {
        let spender = self.keys.spender.pubkey();
        let account = self.token_account(&spender);
        // One creation at a time: whoever comes second finds it there.
        let _held = self.gates.account(&account).await;
        // Never created anew when it is there: on a frozen one the instruction would reset it.
        if self.is_made(&account).await? {
            return Ok(());
        }
        let blockhash = self.chain.latest_blockhash().await?;
        let (programs, asset) = (&self.settings.programs, &self.settings.asset);
        let compute = ComputeBudget { units: UNMEASURED_UNITS, price: 0 };
        let fee_payer = self.keys.fee_payer.pubkey();
        let unsigned = create_recipient(programs, &fee_payer, &spender, asset, compute, blockhash.hash)?;
        let cost = Cost { fee: unsigned.fee(), rent: self.chain.rent(IncoAccount::SIZE).await?, grant: 0 };
        let signed = unsigned.sign(&[&*self.keys.fee_payer])?;
        let id = SettlementId::from_random_bytes(self.random_id());
        let _claim = self.resuming.claim(id);
        let now = self.clock.now();
        let settlement = self.ledger.plan_other(id, Purpose::Probe, None, now).await?;
        let made = attempt(id, 1, signed, blockhash, cost);
        let work = match self.ledger.record_signed(&settlement, made, now).await? {
            Signed::Recorded { settlement, attempt } => Work { settlement, attempt: Some(attempt) },
            Signed::OverBudget(_) => Work { settlement, attempt: None },
        };
        let settlement = self.drive(work, Until::Landed).await;
        match settlement.state {
            State::Landed | State::Settled => {
                if let Some(attempt) = self.ledger.load_work(id).await?.attempt {
                    self.check_rent(&attempt).await?;
                }
                Ok(())
            }
            State::Reserved | State::InFlight | State::Released => {
                Err(SignFailure::Unavailable("the spender's token account is not there yet".to_owned()))
            }
        }
    }

    /// Makes balances readable once their accounts are at rest, for as long as the service runs.
    pub(super) async fn watch_rest(self: &Arc<Self>) {
        let Some(every) = self.unread.every() else { return };
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for (account, session) in self.unread.at_rest(tokio::time::Instant::now()) {
                match self.refresh_at_rest(account, session).await {
                    Ok(()) => {}
                    Err(SignFailure::Refused { detail, .. }) => tracing::info!(detail, "a balance stays unreadable"),
                    Err(SignFailure::Unavailable(error)) => tracing::info!(error, "a balance stays unreadable for now"),
                    Err(SignFailure::Ledger(error)) => tracing::warn!(%error, "a balance stays unreadable for now"),
                }
            }
        }
    }

    /// The payer's and the merchant's balance together if both rest, else the one that does.
    async fn refresh_at_rest(self: &Arc<Self>, account: Pubkey, session: SessionId) -> Result<(), SignFailure> {
        let Some(session) = self.ledger.session(session).await? else { return Ok(()) };
        let accounts = self.accounts_of(&session);
        let now = tokio::time::Instant::now();
        if self.may_move_zero(&session)
            && let Some(_buying) = self.unread.claim_at_rest(&accounts, now)
        {
            if !is_readable(self.refresh_both(&session, None).await?) {
                // Somebody moved one of them first, or we are the payer's delegate no more.
                for wallet in [*session.user(), session.intent.recipient] {
                    self.refresh_one(&session, wallet).await?;
                }
            }
            return Ok(());
        }
        let Some(_buying) = self.unread.claim_at_rest(&[account], now) else { return Ok(()) };
        let wallet = if account == accounts[0] { *session.user() } else { session.intent.recipient };
        self.refresh_one(&session, wallet).await?;
        Ok(())
    }

    /// Whether a transfer of zero by the delegate disturbs nothing: where transfers lower the delegated amount, they
    /// change its handle too, and an amount that is still to be checked could not be read any more.
    fn may_move_zero(&self, session: &Session) -> bool {
        !(self.settings.delegation_lowers && session.cap_check == CapCheck::Unverified)
    }

    /// What moved before the start, so that it is made readable as if it had been seen.
    pub(super) async fn remember_rest(&self) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let since = now.saturating_sub(self.settings.allowances.max_age.as_secs());
        for last in self.ledger.transfers_since(since).await? {
            let Some(session) = self.ledger.session(last.session).await? else { continue };
            let ago = |at: u64| std::time::Duration::from_secs(now.saturating_sub(at));
            let (accounts, seen) = (self.accounts_of(&session), tokio::time::Instant::now());
            self.unread.remember(session.id, accounts, ago(last.moved), last.bought.map(ago), seen);
        }
        Ok(())
    }
}
