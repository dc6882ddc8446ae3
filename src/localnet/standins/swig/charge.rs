//! What calls took from the wallet, charged to the limits of a bounded role.

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::super::host::{Account, Host, Outcome};
use super::{
    CHANGED_UNEXPECTEDLY, CONFIG, DESTINATION_EXHAUSTED, LIMIT_EXHAUSTED, NO_PERMISSION, NO_SUCH_ROLE, load,
    role::{Action, Role},
    sign::WALLET,
    spending::{Stored, transfers_from},
};

/// The wallet and its token accounts that calls may write, as they were before the calls.
pub(super) struct Watch {
    lamports: u64,
    tokens: Vec<(usize, Account)>,
}

impl Watch {
    /// Takes note of everything.
    pub(super) fn begin(host: &dyn Host, wallet: &Pubkey) -> Outcome<Self> {
        let mut tokens: Vec<(usize, Account)> = Vec::new();
        for index in 0..host.account_count()? {
            let account = host.account(index)?;
            // An instruction may name an account twice; what was taken is charged once.
            let is_new = tokens.iter().all(|(_, known)| known.key != account.key);
            if is_new && account.is_writable && Stored::of(&account).is_some_and(|stored| stored.owner == *wallet) {
                tokens.push((index, account));
            }
        }
        Ok(Self { lamports: host.account(WALLET)?.lamports, tokens })
    }

    /// Charges what `calls` took to the limits of the role `id`.
    ///
    /// # Errors
    /// When a token account changed in more than its balance, or something was taken that the role may not take.
    pub(super) fn charge(self, host: &mut dyn Host, id: u32, calls: &[Instruction]) -> Outcome {
        // Read again: the calls may have changed the roles.
        let (_, mut config) = load(host)?;
        let role = config.role_mut(id).ok_or(NO_SUCH_ROLE)?;
        if host.account(WALLET)?.lamports < self.lamports {
            return Err(NO_PERMISSION);
        }
        for (index, before) in &self.tokens {
            let units = taken(before, &host.account(*index)?)?;
            if units > 0 {
                spend(role, before, units, calls)?;
            }
        }
        host.write(CONFIG, &config.encode())
    }
}

/// By how much the balance of a token account fell.
fn taken(before: &Account, after: &Account) -> Outcome<u64> {
    let same_owner = before.owner == after.owner;
    match (Stored::of(before), Stored::of(after)) {
        (Some(was), Some(is)) if same_owner && is.is_initialised() && was.differs_only_in_balance(&is) => {
            Ok(was.balance.saturating_sub(is.balance))
        }
        _ => Err(CHANGED_UNEXPECTEDLY),
    }
}

/// Charges `taken` base units that left a token account. The first limit of a mint is the one that counts.
fn spend(role: &mut Role, account: &Account, taken: u64, calls: &[Instruction]) -> Outcome {
    let mint = Stored::of(account).map(|stored| stored.mint).ok_or(CHANGED_UNEXPECTEDLY)?;
    let limit = role.actions.iter_mut().find_map(|action| match action {
        Action::TokenLimit { mint: of, remaining } if *of == mint => Some(remaining),
        _ => None,
    });
    let is_limited = limit.is_some();
    if let Some(remaining) = limit {
        *remaining = remaining.checked_sub(taken).ok_or(LIMIT_EXHAUSTED)?;
    }
    let is_bound = |action: &Action| matches!(action, Action::DestinationLimit { mint: of, .. } if *of == mint);
    if role.actions.iter().any(is_bound) {
        spend_on_destinations(role, &mint, taken, &transfers_from(&account.key, calls))
    } else if is_limited {
        Ok(())
    } else {
        Err(NO_PERMISSION)
    }
}

/// Charges each transfer to the limit of its destination. Together they have to be all that was taken.
fn spend_on_destinations(role: &mut Role, mint: &Pubkey, taken: u64, transfers: &[(Pubkey, u64)]) -> Outcome {
    let sum: u128 = transfers.iter().map(|(_, amount)| u128::from(*amount)).sum();
    if sum != u128::from(taken) {
        return Err(NO_PERMISSION);
    }
    for (to, amount) in transfers {
        let limit = role.actions.iter_mut().find_map(|action| match action {
            Action::DestinationLimit { mint: of, destination, remaining } if *of == *mint && *destination == *to => {
                Some(remaining)
            }
            _ => None,
        });
        let remaining = limit.ok_or(NO_PERMISSION)?;
        *remaining = remaining.checked_sub(*amount).ok_or(DESTINATION_EXHAUSTED)?;
    }
    Ok(())
}
