//! A charge: one transfer to a seller that its buyer signs, and what of it is settled before any byte is read (`spec/mpp.md`
//! §2, §3).

use crate::domain::{
    amount::{Amount, AmountError},
    mpp::reason::ChargeReason,
};
use solana_pubkey::Pubkey;

/// The least amount of a charge where the operator names none, in base units.
pub const DEFAULT_MIN_AMOUNT: u64 = 10_000;

/// A token that charges may be paid in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChargeAsset {
    /// Its mint.
    pub mint: Pubkey,
    /// The program that the mint belongs to.
    pub token_program: Pubkey,
    /// The mint's decimals.
    pub decimals: u8,
}

/// What a facilitator settles charges of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeOffer {
    /// The token of a request that names none.
    pub asset: ChargeAsset,
    /// Further tokens.
    pub others: Vec<ChargeAsset>,
    /// The least amount of one charge.
    pub min_amount: Amount,
}

/// What a seller asks for, known to be something that is settled here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChargeTerms {
    /// In which token.
    pub asset: ChargeAsset,
    /// The seller's wallet; its associated token account is paid.
    pub recipient: Pubkey,
    /// How much, in base units.
    pub amount: Amount,
}

/// Why a charge is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct ChargeRefusal {
    /// The stable word.
    pub reason: ChargeReason,
    /// A sentence for people; it quotes addresses and numbers, never a transaction.
    pub detail: String,
}

impl ChargeRefusal {
    /// A refusal that says more than its word means in general.
    pub fn because(reason: ChargeReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<ChargeReason> for ChargeRefusal {
    fn from(reason: ChargeReason) -> Self {
        Self::because(reason, reason.meaning())
    }
}

impl ChargeOffer {
    /// The terms of a request; refuses, in this order, another asset, what is no amount, and less than the least.
    pub fn terms(&self, asset: Option<&Pubkey>, recipient: Pubkey, amount: &str) -> Result<ChargeTerms, ChargeRefusal> {
        let asset = match asset {
            None => self.asset,
            Some(mint) => *std::iter::once(&self.asset)
                .chain(&self.others)
                .find(|served| served.mint == *mint)
                .ok_or(ChargeReason::AssetNotAllowed)?,
        };
        let no_amount =
            |error: AmountError| ChargeRefusal::because(ChargeReason::InvalidAmount, format!("`amount`: {error}."));
        let amount = Amount::parse_positive(amount).map_err(no_amount)?;
        if amount < self.min_amount {
            let detail = format!("The least amount of a charge is {} base units.", self.min_amount);
            return Err(ChargeRefusal::because(ChargeReason::AmountBelowMin, detail));
        }
        Ok(ChargeTerms { asset, recipient, amount })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [Pubkey; 4] = [
        Pubkey::new_from_array([1; 32]),
        Pubkey::new_from_array([2; 32]),
        Pubkey::new_from_array([3; 32]),
        Pubkey::new_from_array([4; 32]),
    ];

    fn asset(mint: Pubkey) -> ChargeAsset {
        ChargeAsset { mint, token_program: KEYS[3], decimals: 6 }
    }

    fn offer() -> ChargeOffer {
        let min_amount = Amount::new(DEFAULT_MIN_AMOUNT).expect("fits");
        ChargeOffer { asset: asset(KEYS[0]), others: vec![asset(KEYS[1])], min_amount }
    }

    fn reason(asset: Option<&Pubkey>, amount: &str) -> ChargeReason {
        offer().terms(asset, KEYS[2], amount).expect_err("refused").reason
    }

    #[test]
    fn the_least_amount_of_any_served_asset_is_settled() {
        let terms = offer().terms(None, KEYS[2], "10000").expect("terms");
        assert_eq!((terms.asset, terms.recipient, terms.amount.get()), (asset(KEYS[0]), KEYS[2], 10_000));
        assert_eq!(offer().terms(Some(&KEYS[1]), KEYS[2], "10001").map(|terms| terms.asset), Ok(asset(KEYS[1])));
    }

    #[test]
    fn the_asset_comes_before_the_amount_and_its_form_before_the_least() {
        assert_eq!(reason(Some(&KEYS[2]), "x"), ChargeReason::AssetNotAllowed);
        for text in ["", "0", "-1", "010000", "1e9", "10000.0", "9223372036854775808"] {
            assert_eq!(reason(None, text), ChargeReason::InvalidAmount, "{text:?}");
        }
        assert_eq!(reason(None, "9999"), ChargeReason::AmountBelowMin);
    }
}
