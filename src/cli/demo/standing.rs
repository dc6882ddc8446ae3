//! One approve and two merchants: two sessions of one payer open and paid side by side, and a third that does not fit.

use super::scene::{Buyer, Scene, Seller};
use crate::{
    cli::error::CliError,
    client::{ApprovalChoice, LocalKey, SessionClientError},
    domain::{amount::Amount, chance::OsChance},
};
use serde_json::{Value, json};

/// The most calls at each merchant before the third opening, and after it.
const MOST_CALLS: u32 = 3;

/// What became of them.
pub(super) struct StandingApproval {
    /// What the payer approved in all, in base units.
    pub(super) approved: u64,
    /// Calls at each merchant.
    pub(super) calls: u64,
    /// Base units that the payer's client paid at each merchant.
    pub(super) paid: [u64; 2],
    /// What the ledger captured, in base units.
    pub(super) captured: u64,
    /// What left the payer's account, in base units.
    pub(super) lost: i128,
    /// What reached each merchant's, in base units.
    pub(super) gained: [i128; 2],
    /// The facilitator's word for why the third session did not open; none where it did.
    pub(super) refused: Option<String>,
    /// How both sessions stood at the end.
    pub(super) states: [String; 2],
}

/// Opens two sessions on one approve, pays from both, has a third refused, and pays from both again.
pub(super) async fn play(scene: &Scene<'_>, other: &Seller, calls: u32) -> Result<StandingApproval, CliError> {
    let (wallet, sellers) = (LocalKey::generate(&OsChance), [&scene.seller(), other]);
    let calls = calls.clamp(1, MOST_CALLS);
    let cap = Amount::new(2 * u64::from(calls) * scene.price.get()).unwrap_or(Amount::MAX);
    let total = cap.checked_add(cap).unwrap_or(Amount::MAX);
    scene.give(&wallet, total.checked_add(scene.price).unwrap_or(total)).await?;
    scene.give(&other.wallet, Amount::ZERO).await?;
    let first = scene.open_at(&wallet, sellers[0], cap, ApprovalChoice::Total(total)).await?;
    let signature = scene.standing_approve(&wallet).await?;
    let standing = ApprovalChoice::Standing { signature, total };
    let second = scene.open_at(&wallet, sellers[1], cap, standing).await?;
    let buyers = [&first, &second];
    let before = balances(scene, &wallet, sellers, buyers).await?;
    let captured = scene.totals().await?.captured;
    let mut paid = pays(scene, sellers, buyers, calls).await?;
    let refused = match scene.open_at(&wallet, sellers[0], scene.price, standing).await {
        Err(super::DemoError::Open(error)) => match *error {
            SessionClientError::Refused(body) => Some(body.error),
            error => return Err(super::DemoError::Open(Box::new(error)).into()),
        },
        Err(error) => return Err(error.into()),
        Ok(_) => None,
    };
    for (sum, more) in paid.iter_mut().zip(pays(scene, sellers, buyers, calls).await?) {
        *sum += more;
    }
    let captured = scene.totals().await?.captured.get() - captured.get();
    let after = balances(scene, &wallet, sellers, buyers).await?;
    let change = |place: usize| i128::from(after[place]) - i128::from(before[place]);
    Ok(StandingApproval {
        approved: total.get(),
        calls: 2 * u64::from(calls),
        paid,
        captured,
        lost: -change(0),
        gained: [change(1), change(2)],
        refused,
        states: [scene.state(&first).await?, scene.state(&second).await?],
    })
}

/// Pays for so many calls at each merchant, in turn; gives what each was paid.
async fn pays(scene: &Scene<'_>, sellers: [&Seller; 2], buyers: [&Buyer; 2], calls: u32) -> Result<[u64; 2], CliError> {
    let mut paid = [0, 0];
    for _ in 0..calls {
        for (place, sum) in paid.iter_mut().enumerate() {
            *sum += scene.call_at(buyers[place], sellers[place]).await?.amount.get();
        }
    }
    Ok(paid)
}

/// The decrypted balances of the payer and of both merchants, in base units.
async fn balances(
    scene: &Scene<'_>,
    wallet: &LocalKey,
    sellers: [&Seller; 2],
    buyers: [&Buyer; 2],
) -> Result<[u64; 3], CliError> {
    Ok([
        scene.balance_of(wallet, buyers[0], "payer's balance").await?,
        scene.balance_of(&sellers[0].wallet, buyers[0], "first merchant's balance").await?,
        scene.balance_of(&sellers[1].wallet, buyers[1], "second merchant's balance").await?,
    ])
}

impl StandingApproval {
    /// What has to hold of it: each a figure, what was found and what is due.
    pub(super) fn checks(&self) -> [(&'static str, i128, i128); 7] {
        let paid = self.paid.map(i128::from);
        let open = self.states.iter().filter(|state| *state == "open").count();
        [
            ("base units paid under one approve, of those approved", paid[0] + paid[1], i128::from(self.approved)),
            ("base units captured under one approve", i128::from(self.captured), paid[0] + paid[1]),
            ("base units that the payer lost under one approve", self.lost, paid[0] + paid[1]),
            ("base units that the first merchant gained under one approve", self.gained[0], paid[0]),
            ("base units that the second merchant gained under one approve", self.gained[1], paid[1]),
            ("sessions open at the end under one approve", i128::try_from(open).unwrap_or_default(), 2),
            ("third sessions refused", i128::from(self.refused.as_deref() == Some("approval_exhausted")), 1),
        ]
    }

    /// The figures for programs, in base units.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "approved": self.approved,
            "payments": 2 * self.calls,
            "amount_paid": self.paid,
            "captured": self.captured,
            "payer_loss": self.lost,
            "merchant_growth": self.gained,
            "third_session": self.refused,
            "states": self.states,
        })
    }
}
