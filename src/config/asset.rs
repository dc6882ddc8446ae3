//! `[asset]`: the token that sessions pay with.

use super::{reader::Reader, schema::Key};
use crate::domain::amount::{Amount, AmountError};
use solana_pubkey::Pubkey;

const MINT: Key = Key::text("asset", "mint").of_network();
const DECIMALS: Key = Key::integer("asset", "decimals");

pub(super) const KEYS: &[Key] = &[MINT, DECIMALS];

/// The most decimal places with which one whole token still fits the ledger.
const MOST_DECIMALS: u8 = 18;

/// The asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssetConfig {
    /// Its mint.
    pub mint: Pubkey,
    /// Its decimal places.
    pub decimals: u8,
}

impl AssetConfig {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mint = reader.address(&MINT);
        let decimals = read_decimals(reader);
        Some(Self { mint: mint?, decimals: decimals? })
    }
}

pub(super) fn read_decimals(reader: &mut Reader<'_>) -> Option<u8> {
    reader.whole(&DECIMALS, 0..=MOST_DECIMALS)
}

/// Reads an amount in whole units of the asset, as people write it; `1.00` is `1` also for fewer decimals.
pub(super) fn read_amount(reader: &mut Reader<'_>, key: &Key, decimals: Option<u8>) -> Option<Amount> {
    read_with(reader, key, decimals, exactly)
}

/// Reads the least that an amount may be: like [`read_amount`], and what lies between two base units is the upper one.
pub(super) fn read_least(reader: &mut Reader<'_>, key: &Key, decimals: Option<u8>) -> Option<Amount> {
    read_with(reader, key, decimals, |text, decimals| match exactly(text, decimals) {
        Err(AmountError::TooPrecise) => {
            let base_unit = 10_u64.pow(u32::from(MOST_DECIMALS.saturating_sub(decimals)));
            let least = exactly(text, MOST_DECIMALS)?.get().div_ceil(base_unit);
            Amount::new(least).ok_or(AmountError::TooLarge)
        }
        exact => exact,
    })
}

fn read_with(
    reader: &mut Reader<'_>,
    key: &Key,
    decimals: Option<u8>,
    parse: impl FnOnce(&str, u8) -> Result<Amount, AmountError>,
) -> Option<Amount> {
    let remedy = "write a decimal number of whole tokens, such as \"1.00\", with at most asset.decimals places";
    let amount = reader.parsed(key, remedy, |text| {
        // Unknown decimals have their own fault; the form of the text is still worth checking.
        parse(text, decimals.unwrap_or(MOST_DECIMALS)).map_err(|error| match error {
            AmountError::NotDecimal | AmountError::NotTokens => format!("{text:?} is not a decimal number"),
            other => format!("{text:?}: {other}"),
        })
    })?;
    decimals.map(|_| amount)
}

fn exactly(text: &str, decimals: u8) -> Result<Amount, AmountError> {
    let plain = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    Amount::parse_decimal(plain, decimals)
}
