//! The round of a session account: there is one, and it makes the account where there is none, moves the deposit in, and delegates.

use super::{
    Delegations, OnboardError,
    onboard::OnboardRequest,
    rounds::{Next, ReadyNow, Round},
};
use crate::{
    chain::ChainAccount,
    domain::mpp::delegation::{Delegation, GrantPlan, IssuedKind},
    facilitator::delegated::at_address,
    programs::{
        delegation::{
            session_account::{Grant, NotEligible, Place, RENT, SessionAccount},
            token_account,
        },
        spl_token::TokenAccount,
    },
};
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;

/// The fee of a round: two signatures, in lamports, and what the compute budget adds.
const FEE: u64 = 10_001;
/// The role that a session account has.
pub(super) const ROLE: u32 = 1;

/// What stands at the address of a wallet's session account.
enum Stands {
    /// Nothing that can be granted from yet.
    Nothing(Place),
    /// The account.
    Account(Box<TokenAccount>),
    /// Something that is none.
    Else,
}

impl Delegations {
    pub(super) async fn session_account_round(
        &self,
        request: &OnboardRequest,
        known: Option<&Delegation>,
    ) -> Result<Next, OnboardError> {
        let account = self.session_account(request.wallet);
        let keys = [account.address(), account.buyer_account()];
        let (slot, [session, purse]) = self.shared.core.these_now(keys, 0).await?;
        if let Some(known) = known
            && let Some(granted) = self.shared.core.granted(known)
        {
            let read = self.shared.core.seen(&granted, slot, std::slice::from_ref(&session));
            self.note(known, &read).await?;
            if self.is_ready(request, known, &read) {
                return Ok(Next::Ready(ReadyNow { role: ROLE, remaining: read.reading.remaining }));
            }
        }
        let stands = self.stands(session.as_ref());
        let ours = self.delegates(known).await?;
        let purse = purse.as_ref().and_then(|purse| token_account(self.token.program, at_address(purse)));
        Ok(self
            .judge_session_account(request, known, (&account, stands, &ours), purse.as_ref())
            .unwrap_or_else(|next| next))
    }

    fn stands(&self, seen: Option<&ChainAccount>) -> Stands {
        match seen {
            None => Stands::Nothing(Place::Empty),
            Some(seen) if seen.owner == system_program::ID && seen.data.is_empty() => {
                Stands::Nothing(Place::Funded { lamports: seen.lamports })
            }
            Some(seen) => match token_account(self.token.program, at_address(seen)) {
                Some(account) => Stands::Account(Box::new(account)),
                None => Stands::Else,
            },
        }
    }

    /// Every key of ours that this wallet was ever issued to delegate to.
    async fn delegates(&self, known: Option<&Delegation>) -> Result<Vec<Pubkey>, OnboardError> {
        let Some(known) = known else { return Ok(Vec::new()) };
        let issued = self.shared.core.ledger.grants_issued(known.id).await?;
        Ok(issued.iter().map(|terms| terms.delegate).collect())
    }

    /// What comes next; `Err` where it is no transaction.
    fn judge_session_account(
        &self,
        request: &OnboardRequest,
        known: Option<&Delegation>,
        (account, stands, ours): (&SessionAccount, Stands, &[Pubkey]),
        purse: Option<&TokenAccount>,
    ) -> Result<Next, Next> {
        let purse = self.purse(&request.wallet, purse)?;
        let (place, inside) = match &stands {
            Stands::Nothing(place) => (*place, 0),
            Stands::Account(seen) => {
                self.check_session_account(account, seen, ours).map_err(not_eligible)?;
                (Place::Made, seen.amount)
            }
            Stands::Else => return Err(not_eligible(NotEligible::Unusable)),
        };
        if let Some(poor) = self.too_poor(purse.saturating_add(inside)) {
            return Err(poor);
        }
        if let Some(wait) = Self::renewal_waits(request, known) {
            return Err(wait);
        }
        let (deposit, rent) = match place {
            Place::Made => (request.deposit.map(|deposit| Self::affordable(deposit, purse)).transpose()?, 0),
            Place::Empty => (Self::first_deposit(request, purse)?, RENT),
            Place::Funded { lamports } => (Self::first_deposit(request, purse)?, RENT.saturating_sub(lamports)),
        };
        let fee_payer = self.round_payer(rent.saturating_add(FEE))?;
        let terms = self.next_terms(request, known);
        let grant = Grant {
            fee_payer,
            delegate: terms.delegate,
            rent_authority: self.shared.rent_authority,
            limit: terms.limit,
            deposit,
        };
        let kind = if place == Place::Made { IssuedKind::GrantRole } else { IssuedKind::CreateSessionAccount };
        Ok(Next::Round(Box::new(Round {
            kind,
            account: account.address(),
            is_salted: false,
            grant: Some(GrantPlan::New(terms)),
            begins: true,
            fee_payer,
            rent,
            terms: Some(terms),
            instructions: account.onboard(place, &grant),
            role: Some(ROLE),
        })))
    }

    /// Refuses an account that cannot be granted from; its close authority may be that of any root of ours.
    fn check_session_account(
        &self,
        account: &SessionAccount,
        seen: &TokenAccount,
        ours: &[Pubkey],
    ) -> Result<(), NotEligible> {
        let authority = seen.close_authority.and_then(|authority| self.rent_authority(&authority));
        let authority = authority.map_or(self.shared.rent_authority, |key| key.public());
        account.check(seen, ours, &authority)
    }
}

fn not_eligible(why: NotEligible) -> Next {
    Next::NotEligible(format!("This wallet cannot delegate here: {why}."))
}
