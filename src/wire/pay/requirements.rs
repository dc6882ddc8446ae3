//! What `paymentRequirements` say of a single payment beside its network.

use super::{Served, key, message::tokens};
use crate::{
    domain::{amount::Amount, reason::PayReason, single_payment::SingleRequirements},
    wire::{agreement::AMOUNT_MEMBERS, json::Object, payment::Refused},
};
use serde_json::Value;

/// Reads them. An amount that stands in several places is the same in all of them, or none can be paid: `amount_mismatch`.
pub(super) fn read(required: &Object<'_>, served: Served<'_>) -> Result<SingleRequirements, Refused> {
    let mut amounts = Vec::new();
    for member in AMOUNT_MEMBERS {
        if let Some(text) = required.text(member)? {
            let amount = Amount::parse_positive(text);
            let refuse = |error| Refused::because(PayReason::InvalidAmount, format!("`{member}`: {error}"));
            amounts.push(amount.map_err(refuse)?);
        }
    }
    amounts.extend(price(required, served)?);
    let amount = amounts.first().copied();
    if amounts.into_iter().any(|other| Some(other) != amount) {
        return Err(Refused::new(PayReason::AmountMismatch));
    }
    let extra = required.object("extra")?;
    let funding = extra.map_or(Ok(None), |extra| extra.text("funding"))?;
    Ok(SingleRequirements {
        asset: key(required, "asset")?,
        pay_to: key(required, "payTo")?,
        amount,
        funding_required: funding == Some("required"),
    })
}

/// The published client's requirements name a price in whole tokens, as in "$1". One that is none is no amount that was signed.
fn price(required: &Object<'_>, served: Served<'_>) -> Result<Option<Amount>, Refused> {
    let Some(price) = required.get("price") else { return Ok(None) };
    let price = match price {
        Value::String(text) => Value::from(text.trim_start_matches('$')),
        other => other.clone(),
    };
    tokens(&price, served.decimals).map(Some).map_err(|_| Refused::new(PayReason::AmountMismatch))
}
