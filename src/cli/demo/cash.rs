//! Where everything stands that is paid in cash: what everybody sees on the chain, and what the ledger booked.

use super::scene::{DemoError, Scene};
use crate::{
    chain::{
        Chain as _,
        history::{MAX_PAGE, Page},
    },
    cli::error::CliError,
    client::{LocalKey, mpp::BuyerToken},
    domain::settlement::Purpose,
    localnet::faucet::DEMO_DECIMALS,
    programs::{
        delegation::session_account::SessionAccount,
        spl_token::{TokenAccount, TokenProgram, associated_account},
    },
};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::collections::HashSet;

/// What a buyer's transactions are settled for.
const PURPOSES: [Purpose; 4] = [Purpose::MppCharge, Purpose::MppOnboard, Purpose::MppOpen, Purpose::MppClose];

/// Balances, and what was sent so far.
pub(super) struct CashStanding {
    /// What the buyer has, in the wallet and in the account that is granted from, in base units.
    buyer: u64,
    /// What the merchant has, in base units.
    merchant: u64,
    /// What the facilitator's keys have that pay fees, in lamports.
    lamports: u64,
    /// The newest transactions that those keys paid for.
    paid_for: HashSet<Signature>,
    booked: Booked,
}

/// What the ledger booked for MPP.
#[derive(Clone, Copy, Default)]
struct Booked {
    landed: u64,
    fees: u64,
    rent: u64,
}

/// What became of it all between two moments.
pub(super) struct CashMoved {
    /// The buyer's balance before and after, in base units.
    pub(super) buyer: [u64; 2],
    /// The merchant's balance before and after, in base units.
    pub(super) merchant: [u64; 2],
    /// What the facilitator's keys have less, in lamports.
    pub(super) lamports_gone: i128,
    /// Transactions that those keys paid for, as the chain lists them.
    pub(super) transactions: u64,
    /// Transactions that the ledger says landed.
    pub(super) landed: u64,
    /// Fees and rent that the ledger booked, in lamports.
    pub(super) fees: u64,
    pub(super) rent: u64,
}

impl CashMoved {
    /// Between these two moments.
    pub(super) fn between(earlier: &CashStanding, later: &CashStanding) -> Self {
        let new = later.paid_for.difference(&earlier.paid_for).count();
        Self {
            buyer: [earlier.buyer, later.buyer],
            merchant: [earlier.merchant, later.merchant],
            lamports_gone: i128::from(earlier.lamports) - i128::from(later.lamports),
            transactions: u64::try_from(new).unwrap_or(u64::MAX),
            landed: later.booked.landed - earlier.booked.landed,
            fees: later.booked.fees - earlier.booked.fees,
            rent: later.booked.rent - earlier.booked.rent,
        }
    }

    /// What the buyer has less, in base units.
    pub(super) fn buyer_loss(&self) -> i128 {
        i128::from(self.buyer[0]) - i128::from(self.buyer[1])
    }

    /// What the merchant has more, in base units.
    pub(super) fn merchant_growth(&self) -> i128 {
        i128::from(self.merchant[1]) - i128::from(self.merchant[0])
    }

    /// The figures for programs: base units and lamports.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "buyer_balance": self.buyer,
            "merchant_balance": self.merchant,
            "buyer_loss": self.buyer_loss(),
            "merchant_growth": self.merchant_growth(),
            "transactions": self.transactions,
            "landed": self.landed,
            "lamports_fees": self.fees,
            "lamports_rent": self.rent,
            "fee_payer_balance_change": self.lamports_gone,
        })
    }
}

impl Scene<'_> {
    /// The token, by the buyers' own word.
    pub(super) fn cash(&self) -> BuyerToken {
        let mint = self.sandbox().network.cash_mint();
        BuyerToken { mint, program: TokenProgram::Token, decimals: DEMO_DECIMALS }
    }

    /// Gives `wallet` cash and no SOL.
    pub(super) async fn give_cash(&self, wallet: &Pubkey, units: u64) -> Result<(), CliError> {
        self.sandbox().network.give_cash(wallet, units)?;
        self.sandbox().network.until_confirmed().await;
        Ok(())
    }

    /// Where everything stands.
    pub(super) async fn cash_standing(&self, buyer: &LocalKey) -> Result<CashStanding, DemoError> {
        let BuyerToken { mint, program, decimals } = self.cash();
        let session = SessionAccount { program, mint, decimals, buyer: buyer.pubkey() };
        let merchant = associated_account(program, &self.merchant.pubkey(), &mint);
        let (payers, service) = (self.fee_payers(), &self.sandbox().service);
        let keys = [&[session.buyer_account(), session.address(), merchant], payers.as_slice()].concat();
        let accounts = self.rpc().accounts(&keys).await?;
        let has = |place: usize| match accounts.get(place) {
            Some(Some(account)) => TokenAccount::decode(program, &account.bytes).map(|account| account.amount),
            _ => Ok(0),
        };
        let (buyer, merchant) = (has(0)? + has(1)?, has(2)?);
        let lamports = accounts.iter().skip(3).flatten().map(|account| account.lamports).sum();
        let mut paid_for = HashSet::new();
        for payer in payers {
            let page = Page { before: None, limit: MAX_PAGE, at_least: 0 };
            paid_for.extend(service.chain.history(&payer, page).await?.into_iter().map(|listed| listed.signature));
        }
        let mut booked = Booked::default();
        for row in service.ledger.spending(0).await?.iter().filter(|row| PURPOSES.contains(&row.purpose)) {
            booked.landed += row.landed;
            booked.fees += row.spent.fee;
            booked.rent += row.spent.rent;
        }
        Ok(CashStanding { buyer, merchant, lamports, paid_for, booked })
    }
}
