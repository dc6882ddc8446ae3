//! What only the chain can tell of a charge before it is recorded; leaves no trace.

use super::Charges;
use crate::{
    chain::{ChainAccount, LiveBlockhash, inspect::charge::InspectedCharge},
    domain::{
        amount::Amount,
        mpp::{
            charge::{ChargeAsset, ChargeRefusal},
            reason::ChargeReason,
        },
    },
    facilitator::mpp::{ChargeError, RefusedCharge},
    ledger::DelegationKey,
    programs::{
        inco_token::AccountState,
        spl_token::{TokenAccount, TokenProgram, explain_failure},
    },
};
use solana_hash::Hash;
use solana_pubkey::Pubkey;

/// How many blocks a transaction has to have before it that is recorded: with fewer it would only hang.
const LEAST_LIFE: u64 = 10;

/// What a token account held, in base units, in this slot.
pub(super) type SeenBalance = (Amount, u64);

impl Charges {
    /// How long a transaction on this blockhash can land: as long as was told with it where that is known, else as long as one of
    /// now could.
    pub(super) async fn check_blockhash(&self, hash: &Hash) -> Result<LiveBlockhash, ChargeError> {
        let chain = &self.shared.core.chain;
        let expired = || RefusedCharge::new(ChargeReason::BlockhashExpired);
        let Some(told) = chain.told_blockhash(hash) else {
            return chain.blockhash_life(hash).await?.ok_or_else(|| expired().into());
        };
        let newest = chain.latest_blockhash().await?;
        let is_alive = newest.blocks_until(told.last_valid_block_height) >= LEAST_LIFE;
        if is_alive { Ok(told) } else { Err(expired().into()) }
    }

    /// Reads both token accounts once: the recipient's has to be there and usable, and the payer's to hold the amount beside what
    /// is in flight from it, because one balance could else buy many transactions that fail at our cost. Gives what it held.
    pub(super) async fn check_accounts(&self, inspected: &InspectedCharge) -> Result<SeenBalance, ChargeError> {
        let (terms, source) = (inspected.terms(), *inspected.source());
        let keys = [*inspected.destination(), source];
        let (slot, [destination, paying]) = self.shared.core.these_now(keys, 0).await?;
        let recipients = usable(&terms.asset, destination.as_ref(), "recipient")?;
        if recipients.owner != terms.recipient {
            return Err(refuse("The token account of the recipient belongs to another wallet.").into());
        }
        let payers = usable(&terms.asset, paying.as_ref(), "payer")?;
        self.check_source(&source, &payers).await?;
        let held = Amount::new(payers.amount).unwrap_or(Amount::MAX);
        let taken = self.shared.core.ledger.taken_from(&source, slot).await?;
        if held.checked_sub(taken).is_none_or(|left| left < terms.amount) {
            return Err(refuse(SHORT).into());
        }
        Ok((held, slot))
    }

    /// Refuses an account that backs channels, which a charge would drain at our cost; the verb that records it looks again. What a
    /// program's address owns is no wallet's to charge: a Swig's account, from which channels are settled too, is such a one.
    async fn check_source(&self, source: &Pubkey, account: &TokenAccount) -> Result<(), ChargeError> {
        if !account.owner.is_on_curve() {
            return Err(refuse(OF_A_PROGRAM).into());
        }
        let found = self.shared.core.ledger.delegation(&DelegationKey::Account(*source)).await?;
        if found.is_some_and(|delegation| !delegation.used.is_free()) {
            return Err(refuse(SET_ASIDE).into());
        }
        Ok(())
    }

    /// Runs a charge before anything is written: what fails on chain costs us its fee.
    pub(super) async fn simulate(&self, inspected: &InspectedCharge) -> Result<(), ChargeError> {
        let simulated = self.shared.core.chain.simulate(inspected.transaction(), &[]).await?;
        match simulated.error {
            None => Ok(()),
            Some(error) => Err(refuse(&explain_failure(&error)).into()),
        }
    }
}

/// What is told where a payer has too little.
pub(super) const SHORT: &str =
    "The payer's token account holds less than the amount, beside what is in flight from it.";

/// What is told where channels are settled from the payer's account.
pub(super) const SET_ASIDE: &str =
    "The payer's token account backs channels, and what it holds is set aside for their sellers.";
/// What is told where a smart wallet's account would pay.
const OF_A_PROGRAM: &str =
    "The payer's token account belongs to a program's address, and no charge is taken from such a one.";

pub(super) fn refuse(detail: &str) -> ChargeRefusal {
    ChargeRefusal::because(ChargeReason::SimulationFailed, detail)
}

/// A token account of this asset that can be used; `whose` is for the sentence.
fn usable(asset: &ChargeAsset, account: Option<&ChainAccount>, whose: &str) -> Result<TokenAccount, ChargeRefusal> {
    let missing = || refuse(&format!("The {whose} has no token account for this asset."));
    let account = account.filter(|account| !account.data.is_empty()).ok_or_else(missing)?;
    let foreign = || refuse(&format!("The {whose}'s token account is none of this asset."));
    if account.owner != asset.token_program {
        return Err(foreign());
    }
    let program = TokenProgram::at(&account.owner).ok_or_else(foreign)?;
    let read = TokenAccount::decode(program, &account.data).map_err(|_| foreign())?;
    match read.state {
        _ if read.mint != asset.mint => Err(foreign()),
        AccountState::Uninitialised => Err(missing()),
        AccountState::Frozen => Err(refuse(&format!("The {whose}'s token account is frozen."))),
        AccountState::Initialised => Ok(read),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINT: Pubkey = Pubkey::new_from_array([1; 32]);

    fn account(mint: Pubkey, state: u8) -> ChainAccount {
        let mut bytes = vec![0; TokenAccount::SIZE];
        bytes[..32].copy_from_slice(mint.as_ref());
        bytes[108] = state;
        ChainAccount { lamports: 1, owner: TokenProgram::Token.address(), data: bytes }
    }

    fn judge(account: Option<&ChainAccount>) -> Result<TokenAccount, String> {
        let asset = ChargeAsset { mint: MINT, token_program: TokenProgram::Token.address(), decimals: 6 };
        usable(&asset, account, "recipient").map_err(|refusal| refusal.detail)
    }

    #[test]
    fn an_account_that_cannot_be_used_is_told_by_its_own_sentence() {
        assert!(judge(Some(&account(MINT, 1))).is_ok());
        let of_program = ChainAccount { owner: Pubkey::new_from_array([9; 32]), ..account(MINT, 1) };
        let empty = ChainAccount { data: Vec::new(), ..account(MINT, 1) };
        let missing = "The recipient has no token account for this asset.";
        let foreign = "The recipient's token account is none of this asset.";
        for (account, detail) in [
            (None, missing),
            (Some(empty), missing),
            (Some(account(MINT, 0)), missing),
            (Some(account(MINT, 2)), "The recipient's token account is frozen."),
            (Some(account(Pubkey::new_from_array([2; 32]), 1)), foreign),
            (Some(of_program), foreign),
        ] {
            assert_eq!(judge(account.as_ref()).expect_err("refused"), detail);
        }
    }
}
