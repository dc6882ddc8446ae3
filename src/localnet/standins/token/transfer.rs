//! Confidential transfers by the owner or the delegate.

use solana_pubkey::Pubkey;

use super::super::Delegation;
use super::super::anchor::Arguments;
use super::super::host::{Host, Outcome, signer};
use super::accounts::{self, Loaded, must_be_lightning, must_be_system, must_be_writable};
use super::encrypted::{EncryptedAmount, Lightning, must_have_remaining};
use crate::programs::inco_token::IncoAccount;

/// Accounts: source w, destination w, authority ws, Lightning, System; remaining: source's decrypt allowance w,
/// source's owner, destination's decrypt allowance w, destination's owner.
pub(super) fn transfer(host: &mut dyn Host, arguments: &mut Arguments<'_>) -> Outcome {
    let amount = EncryptedAmount::read(arguments)?;
    let source = accounts::token_account(host, 0)?;
    let destination = accounts::token_account(host, 1)?;
    let authority = signer(host, 2)?;
    must_be_lightning(host, 3)?;
    must_be_system(host, 4)?;
    let parties = Parties { source, destination, spender: authority, fixed: 5 };
    parties.must_move()?;
    must_be_writable(host, 2)?;
    parties.settle(host, &amount)
}

/// As [`transfer`], with the mint after the source and its decimals as an argument.
pub(super) fn transfer_checked(host: &mut dyn Host, arguments: &mut Arguments<'_>) -> Outcome {
    let amount = EncryptedAmount::read(arguments)?;
    let decimals = arguments.byte()?;
    let source = accounts::token_account(host, 0)?;
    let mint = accounts::mint(host, 1)?;
    let destination = accounts::token_account(host, 2)?;
    let authority = signer(host, 3)?;
    must_be_lightning(host, 4)?;
    must_be_system(host, 5)?;
    mint.must_be_initialised()?;
    let parties = Parties { source, destination, spender: authority, fixed: 6 };
    parties.must_move()?;
    must_be_writable(host, 3)?;
    parties.source.must_be_of(&mint.key)?;
    mint.must_have_decimals(decimals)?;
    parties.settle(host, &amount)
}

/// The accounts of a transfer and its authority.
pub(super) struct Parties {
    pub(super) source: Loaded<IncoAccount>,
    pub(super) destination: Loaded<IncoAccount>,
    /// Signs; pays for decrypt allowances.
    pub(super) spender: Pubkey,
    /// How many accounts come before the remaining ones.
    pub(super) fixed: usize,
}

impl Parties {
    /// Refuses accounts that were not sent writable, that cannot move, or that are of two mints.
    pub(super) fn must_move(&self) -> Outcome {
        self.source.must_be_writable()?;
        self.source.must_move()?;
        self.destination.must_be_writable()?;
        self.destination.must_move()?;
        self.destination.must_be_of(&self.source.state.mint)
    }

    /// Whether source and destination are one account: then nothing happens, successfully.
    pub(super) fn is_circular(&self) -> bool {
        self.source.key == self.destination.key
    }

    fn settle(self, host: &mut dyn Host, amount: &EncryptedAmount) -> Outcome {
        if self.is_circular() {
            return Ok(());
        }
        let by_delegate = self.source.is_delegated_to(&self.spender)?;
        must_have_remaining(host, self.fixed, 4)?;
        let delegate = by_delegate.then_some(host.rules().delegation);
        self.move_amount(host, amount, delegate)
    }

    /// Moves the amount, or zero when the balance (or, under documented delegation, the delegate's cap) is short.
    /// `delegate` is how a delegate's amount is bounded, where a delegate moves it.
    pub(super) fn move_amount(
        mut self,
        host: &mut dyn Host,
        amount: &EncryptedAmount,
        delegate: Option<Delegation>,
    ) -> Outcome {
        let mut lightning = Lightning { host, signer: self.spender };
        let (source, destination) = (&mut self.source.state, &mut self.destination.state);
        let moved = spendable(&mut lightning, source, amount, delegate)?;
        source.amount = lightning.sub(source.amount, moved)?;
        destination.amount = lightning.add(destination.amount, moved)?;
        lightning.allow(source.amount, &source.owner, self.fixed)?;
        lightning.allow(destination.amount, &destination.owner, self.fixed + 2)?;
        self.source.store(host)?;
        self.destination.store(host)
    }
}

/// The handle of what may leave `account`: the amount, or zero where it is more than the balance. A delegate under
/// documented delegation may also spend no more than the delegated amount, which is lowered here.
pub(super) fn spendable(
    lightning: &mut Lightning<'_>,
    account: &mut IncoAccount,
    amount: &EncryptedAmount,
    delegate: Option<Delegation>,
) -> Outcome<u128> {
    let amount = lightning.new_euint128(amount)?;
    let mut enough = lightning.at_least(account.amount, amount)?;
    let documented = delegate == Some(Delegation::Documented);
    if documented {
        let within_cap = lightning.at_least(account.delegated_amount, amount)?;
        enough = lightning.both(enough, within_cap)?;
    }
    let zero = lightning.zero()?;
    let spent = lightning.select(enough, amount, zero)?;
    if documented {
        account.delegated_amount = lightning.sub(account.delegated_amount, spent)?;
    }
    Ok(spent)
}
