//! Whether what a payer accepted is what a merchant requires: one rule for the facilitator, which sees both, and for
//! the merchant, who holds the payer's copy against their own offer (`spec/session.md` §3, R-09).

use crate::domain::network::Network;
use serde_json::{Map, Value};

/// Where an amount may stand; version 1 has its own word, and the published client wants both.
pub const AMOUNT_MEMBERS: [&str; 2] = ["amount", "maxAmountRequired"];

/// The first member that both carry with different values; `None` when they agree.
///
/// Networks agree when they are the same text or spellings of one network; amounts agree across both of their words;
/// `extra` is compared member by member, everything else as whole JSON. `null` counts as not carried.
pub fn difference(
    accepted: &Map<String, Value>,
    required: &Map<String, Value>,
    served: Option<&Network>,
) -> Option<String> {
    if let Some(member) = amount_difference(accepted, required) {
        return Some(member.to_owned());
    }
    carried(required).find_map(|(name, wanted)| {
        let given = accepted.get(name).filter(|value| !value.is_null())?;
        let agree = match (name.as_str(), given, wanted) {
            // Compared above, across both words.
            ("amount" | "maxAmountRequired", _, _) => true,
            ("network", Value::String(given), Value::String(wanted)) => same_network(given, wanted, served),
            ("extra", Value::Object(given), Value::Object(wanted)) => {
                return extra_difference(given, wanted).map(|member| format!("extra.{member}"));
            }
            _ => given == wanted,
        };
        (!agree).then(|| name.clone())
    })
}

fn carried(object: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    object.iter().filter(|(_, value)| !value.is_null())
}

fn amount_difference(accepted: &Map<String, Value>, required: &Map<String, Value>) -> Option<&'static str> {
    let amounts = |object| AMOUNT_MEMBERS.into_iter().filter_map(move |name| carried_member(object, name));
    amounts(accepted).any(|given| amounts(required).any(|wanted| given != wanted)).then_some("amount")
}

fn carried_member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

fn extra_difference(accepted: &Map<String, Value>, required: &Map<String, Value>) -> Option<String> {
    carried(required).find_map(|(name, wanted)| {
        let given = carried_member(accepted, name)?;
        (given != wanted).then(|| name.clone())
    })
}

/// Whether two spellings mean one network: the served one (whose aliases only its operator knows) or a public one.
pub fn same_network(one: &str, other: &str, served: Option<&Network>) -> bool {
    one == other
        || served.is_some_and(|network| network.is(one) && network.is(other))
        || Network::public(one).is_some_and(|network| network.is(other))
}
