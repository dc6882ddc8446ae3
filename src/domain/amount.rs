//! Money as whole base units that fit a signed 64-bit database column; checked arithmetic only, never a float.

use std::fmt;

/// An amount in base units of an asset, `0 ..= 2^63 - 1` (`spec/settlement.md` §1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u64);

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Something other than ASCII digits: a sign, a point, an exponent, white space, a hex prefix, nothing at all.
    #[error("an amount is plain decimal digits in base units, without sign, point, exponent or spaces")]
    NotDecimal,
    /// No decimal number of whole tokens.
    #[error("write digits, and digits on both sides of a point where there is one, as in 0.5")]
    NotTokens,
    /// A second spelling of the same number.
    #[error("an amount has no leading zeros")]
    LeadingZero,
    /// Zero, where money has to move.
    #[error("the amount must be greater than zero")]
    Zero,
    /// Above `2^63 - 1`.
    #[error("the amount is larger than 9223372036854775807 base units")]
    TooLarge,
    /// More digits after the point than the asset has.
    #[error("the amount has more decimal places than the asset")]
    TooPrecise,
}

impl Amount {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// One base unit: the least money there is.
    pub const ONE: Self = Self(1);
    /// The largest amount the ledger can hold.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// An amount from whole base units; `None` above [`Amount::MAX`].
    pub const fn new(base_units: u64) -> Option<Self> {
        if base_units <= Self::MAX.0 { Some(Self(base_units)) } else { None }
    }

    /// The whole base units.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Parses plain decimal digits in base units, zero included.
    ///
    /// Refuses anything that has two spellings (leading zeros) or is not ASCII digits, so that equal amounts are
    /// equal texts and a signature over the text covers exactly one number.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(AmountError::NotDecimal);
        }
        if text.len() > 1 && text.starts_with('0') {
            return Err(AmountError::LeadingZero);
        }
        // Only digits are left, so the one thing that can fail is the size.
        text.parse().ok().and_then(Self::new).ok_or(AmountError::TooLarge)
    }

    /// [`Amount::parse`], and zero is refused.
    pub fn parse_positive(text: &str) -> Result<Self, AmountError> {
        match Self::parse(text)? {
            Self::ZERO => Err(AmountError::Zero),
            amount => Ok(amount),
        }
    }

    /// Parses a price as people write it (`0.29`) into base units of an asset with `decimals` places.
    ///
    /// Decimal arithmetic on the digits: `0.29` with two decimals is 29, never 28.
    pub fn parse_decimal(text: &str, decimals: u8) -> Result<Self, AmountError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || (text.contains('.') && !is_number(fraction)) {
            return Err(AmountError::NotTokens);
        }
        let places = usize::from(decimals);
        if fraction.len() > places {
            return Err(AmountError::TooPrecise);
        }
        Self::parse(whole)?;
        let digits = format!("{whole}{fraction:0<places$}");
        let significant = digits.trim_start_matches('0');
        Self::parse(if significant.is_empty() { "0" } else { significant })
    }

    /// The amount as people write it: `290000` with six decimals is `0.29`.
    pub fn to_decimal(self, decimals: u8) -> String {
        let places = usize::from(decimals);
        let digits = format!("{:0>width$}", self.0, width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        match fraction.trim_end_matches('0') {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        }
    }

    /// `self + other`, or `None` when the sum does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::new)
    }

    /// `self - other`, or `None` when it would be negative.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Amount> for i64 {
    fn from(amount: Amount) -> Self {
        // Lossless: every `Amount` is at most `i64::MAX` by construction.
        Self::try_from(amount.0).unwrap_or(Self::MAX)
    }
}

impl TryFrom<i64> for Amount {
    type Error = AmountError;

    fn try_from(column: i64) -> Result<Self, AmountError> {
        u64::try_from(column).map(Self).map_err(|_| AmountError::NotDecimal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_digits_are_amounts() {
        assert_eq!(Amount::parse("0"), Ok(Amount::ZERO));
        assert_eq!(Amount::parse_positive("1000000").map(Amount::get), Ok(1_000_000));
        assert_eq!(Amount::parse("9223372036854775807"), Ok(Amount::MAX));
    }

    #[test]
    fn every_other_spelling_is_refused() {
        for text in ["", " ", "-1", "+1", "1.0", "1e3", "0x10", " 1", "1 ", "١", "１", "1_000", "NaN", "1\0"] {
            assert_eq!(Amount::parse(text), Err(AmountError::NotDecimal), "{text:?}");
        }
        assert_eq!(Amount::parse("007"), Err(AmountError::LeadingZero));
        assert_eq!(Amount::parse("00"), Err(AmountError::LeadingZero));
        assert_eq!(Amount::parse("9223372036854775808"), Err(AmountError::TooLarge));
        assert_eq!(Amount::parse(&"9".repeat(4_000)), Err(AmountError::TooLarge));
        assert_eq!(Amount::parse_positive("0"), Err(AmountError::Zero));
    }

    #[test]
    fn prices_are_decimal_arithmetic_never_floats() {
        assert_eq!(Amount::parse_decimal("0.29", 2).map(Amount::get), Ok(29));
        assert_eq!(Amount::parse_decimal("1", 6).map(Amount::get), Ok(1_000_000));
        assert_eq!(Amount::parse_decimal("0", 6), Ok(Amount::ZERO));
        assert_eq!(Amount::parse_decimal("0.001", 2), Err(AmountError::TooPrecise));
        for text in [".5", "1.", "1.2.3", "-1", "1.-5", "", "+1", "1e3", "1,5"] {
            assert_eq!(Amount::parse_decimal(text, 6), Err(AmountError::NotTokens), "{text:?}");
        }
        assert_eq!(Amount::parse_decimal("01.5", 6), Err(AmountError::LeadingZero));
    }

    #[test]
    fn decimal_text_goes_both_ways() {
        for (units, text) in [(0, "0"), (1, "0.000001"), (290_000, "0.29"), (1_000_000, "1"), (12_345_678, "12.345678")]
        {
            let amount = Amount(units);
            assert_eq!(amount.to_decimal(6), text);
            assert_eq!(Amount::parse_decimal(text, 6), Ok(amount));
        }
        assert_eq!(Amount(7).to_decimal(0), "7");
    }

    #[test]
    fn sums_never_leave_the_column() {
        assert_eq!(Amount::MAX.checked_add(Amount(1)), None);
        assert_eq!(Amount(1).checked_sub(Amount(2)), None);
        assert_eq!(Amount::try_from(i64::from(Amount::MAX)), Ok(Amount::MAX));
        assert!(Amount::try_from(-1_i64).is_err());
    }
}
