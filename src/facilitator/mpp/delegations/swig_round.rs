//! The rounds of a Swig: make it, grant a role, let our key act. What is there already is skipped; an old role is replaced.

use super::{
    Delegations, OnboardError,
    onboard::OnboardRequest,
    rounds::{Next, ReadyNow, Round},
};
use crate::{
    chain::ChainAccount,
    domain::{
        amount::Amount,
        mpp::delegation::{Delegation, GrantPlan, GrantTerms, IssuedKind},
    },
    facilitator::delegated::at_address,
    programs::{
        delegation::{
            swig::{self, BOUND_SELLER_RENT, Existing, OurRole, RENTS, SwigAccount, SwigAddresses},
            token_account,
        },
        spl_token::{TokenAccount, associated_account},
    },
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

/// The fee of a round: two signatures, in lamports, and what the compute budget adds.
const FEE: u64 = 10_001;
/// What of the config account's rent is its role's, in lamports: the second round adds it.
const ROLE_RENT: u64 = 1_280_640;

/// A wallet's Swig as the chain has it.
struct Seen {
    addresses: SwigAddresses,
    is_salted: bool,
    existing: Existing,
    /// What its wallet holds of the token.
    inside: u64,
    /// What the buyer's ordinary account is.
    purse: Option<TokenAccount>,
}

impl Delegations {
    pub(super) async fn swig_round(
        &self,
        request: &OnboardRequest,
        known: Option<&Delegation>,
    ) -> Result<Next, OnboardError> {
        if let Some(ready) = self.ready_swig(request, known).await? {
            return Ok(ready);
        }
        let Some(seen) = self.look_at_swig(request, known).await? else {
            let text = "Both addresses of this wallet's Swig were taken by somebody else.";
            return Ok(Next::NotEligible(text.to_owned()));
        };
        let issued = match known {
            Some(known) => self.shared.core.ledger.grants_issued(known.id).await?,
            None => Vec::new(),
        };
        Ok(self.judge_swig(request, known, &seen, &issued).unwrap_or_else(|next| next))
    }

    /// What an active role says of itself, where it is of use as it is.
    async fn ready_swig(
        &self,
        request: &OnboardRequest,
        known: Option<&Delegation>,
    ) -> Result<Option<Next>, OnboardError> {
        let Some(known) = known else { return Ok(None) };
        let Some(read) = self.read_now(known, 0).await? else { return Ok(None) };
        let Some(role) = read.role.filter(|_| self.is_ready(request, known, &read)) else { return Ok(None) };
        Ok(Some(Next::Ready(ReadyNow { role: role.role, remaining: read.reading.remaining })))
    }

    /// Reads the Swig that is the buyer's or may become it; `None` where others have taken every address.
    async fn look_at_swig(
        &self,
        request: &OnboardRequest,
        known: Option<&Delegation>,
    ) -> Result<Option<Seen>, OnboardError> {
        let buyer = &request.wallet;
        let plain = self.plain_swig(buyer);
        let salted = match known.filter(|known| known.is_salted).and_then(|known| self.swig_of(known)) {
            Some(salted) => salted,
            None => self.salted_swig(&self.shared.settings.roots.current, buyer),
        };
        let (program, mint) = (self.token.program, &self.token.mint);
        let purses = [&plain, &salted].map(|swig| swig.token_account(program, mint));
        let purse = associated_account(program, buyer, mint);
        let keys = [plain.config.0, salted.config.0, purses[0], purses[1], purse];
        let (_, [of_plain, of_salted, in_plain, in_salted, purse]) = self.shared.core.these_now(keys, 0).await?;
        let purse = purse.as_ref().and_then(|purse| token_account(program, at_address(purse)));
        let mut places = [(plain, false, of_plain, in_plain), (salted, true, of_salted, in_salted)];
        if known.is_some_and(|known| known.is_salted) {
            // What was begun there goes on there, also where whoever took the first address has left it.
            places.reverse();
        }
        for (addresses, is_salted, config, inside) in places {
            let existing = judge(config.as_ref(), &addresses, buyer);
            let inside = inside.as_ref().and_then(|inside| token_account(program, at_address(inside)));
            let inside = inside.filter(|inside| inside.owner == addresses.wallet.0);
            if existing != Existing::Foreign {
                let inside = inside.map_or(0, |inside| inside.amount);
                return Ok(Some(Seen { addresses, is_salted, existing, inside, purse }));
            }
        }
        Ok(None)
    }

    /// What comes next; `Err` where it is no transaction.
    fn judge_swig(
        &self,
        request: &OnboardRequest,
        known: Option<&Delegation>,
        seen: &Seen,
        issued: &[GrantTerms],
    ) -> Result<Next, Next> {
        let purse = self.purse(&request.wallet, seen.purse.as_ref())?;
        if let Some(poor) = self.too_poor(purse.saturating_add(seen.inside)) {
            return Err(poor);
        }
        let account = match &seen.existing {
            Existing::Nothing | Existing::Foreign => return self.create_swig(request, known, seen, purse),
            Existing::Ours(account) => account,
        };
        let newest = self.role_of(request, account, issued.first());
        if let Some((terms, role)) = newest
            && role.expiry == 0
            && (terms.limit, terms.ttl, terms.seller) == (request.limit, request.ttl, request.seller)
        {
            return self.activate(request, seen, terms, &role);
        }
        if let Some(wait) = Self::renewal_waits(request, known) {
            return Err(wait);
        }
        let old = issued.iter().find_map(|terms| self.role_of(request, account, Some(terms)));
        self.grant_role(request, known, seen, old.map(|(_, role)| role.id))
    }

    /// Our role of a generation in a Swig.
    fn role_of<'a>(
        &self,
        request: &OnboardRequest,
        account: &SwigAccount,
        terms: Option<&'a GrantTerms>,
    ) -> Option<(&'a GrantTerms, OurRole)> {
        let terms = terms?;
        Some((terms, account.our_role(&request.wallet, &self.role_grant(terms))?))
    }

    fn create_swig(
        &self,
        request: &OnboardRequest,
        known: Option<&Delegation>,
        seen: &Seen,
        purse: u64,
    ) -> Result<Next, Next> {
        if let Some(wait) = Self::renewal_waits(request, known) {
            return Err(wait);
        }
        // A bound seller's part comes with the role.
        let rent = RENTS.iter().sum::<u64>().saturating_sub(ROLE_RENT);
        let fee_payer = self.round_payer(rent.saturating_add(FEE))?;
        let deposit = Self::first_deposit(request, purse)?.unwrap_or(Amount::ZERO);
        let grant = self.role_grant(&self.next_terms(request, known));
        let instructions = seen.addresses.create_round(&fee_payer, &request.wallet, &grant, deposit);
        Ok(Next::Round(Box::new(Round {
            begins: true,
            rent,
            ..round(seen, IssuedKind::CreateSwig, fee_payer, instructions)
        })))
    }

    fn grant_role(
        &self,
        request: &OnboardRequest,
        known: Option<&Delegation>,
        seen: &Seen,
        old: Option<u32>,
    ) -> Result<Next, Next> {
        let bound = if request.seller.is_some() { BOUND_SELLER_RENT } else { 0 };
        let rent = ROLE_RENT.saturating_add(bound);
        let fee_payer = self.round_payer(rent.saturating_add(FEE))?;
        let terms = self.next_terms(request, known);
        let (grant, buyer) = (self.role_grant(&terms), &request.wallet);
        let instructions = match old {
            Some(old) => seen.addresses.renew_round(&fee_payer, buyer, old, &grant),
            None => seen.addresses.grant_round(&fee_payer, buyer, &grant),
        };
        // The first grant goes on with what making the Swig has begun.
        let begins = known.is_none_or(|known| known.grant.is_some() || known.next_generation > 0);
        Ok(Next::Round(Box::new(Round {
            grant: Some(GrantPlan::New(terms)),
            begins,
            rent,
            terms: Some(terms),
            ..round(seen, IssuedKind::GrantRole, fee_payer, instructions)
        })))
    }

    fn activate(
        &self,
        request: &OnboardRequest,
        seen: &Seen,
        terms: &GrantTerms,
        role: &OurRole,
    ) -> Result<Next, Next> {
        let fee_payer = self.round_payer(FEE)?;
        let grant = self.role_grant(terms);
        let instructions = seen.addresses.activate_round(&fee_payer, &request.wallet, role.id, &grant);
        Ok(Next::Round(Box::new(Round {
            grant: Some(GrantPlan::Earlier(terms.generation)),
            terms: Some(*terms),
            role: Some(role.id),
            ..round(seen, IssuedKind::ActivateSessionKey, fee_payer, instructions)
        })))
    }
}

/// What stands at the address of a Swig.
fn judge(config: Option<&ChainAccount>, addresses: &SwigAddresses, buyer: &Pubkey) -> Existing {
    // Lamports alone make no account.
    let Some(config) = config.filter(|config| !config.data.is_empty()) else { return Existing::Nothing };
    if config.owner != swig::PROGRAM {
        return Existing::Foreign;
    }
    Existing::judge(Some(&config.data), addresses, buyer)
}

/// A round that grants nothing yet and lends nothing.
fn round(seen: &Seen, kind: IssuedKind, fee_payer: Pubkey, instructions: Vec<Instruction>) -> Round {
    Round::bare(kind, (seen.addresses.config.0, seen.is_salted), fee_payer, instructions)
}
