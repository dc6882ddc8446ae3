//! Methods that no validator has: they steer the network and tell what was asked of it. Faults do not touch them.

use serde_json::{Value, json};

use super::{
    error::RpcError,
    params::{self, Params},
};
use crate::localnet::{faults::FaultPlan, network::Network};

/// What all of them begin with.
pub(super) const PREFIX: &str = "localnet_";
/// Slots that one request may ask for.
const MAX_TICKS: u64 = 10_000;

/// Answers an admin method.
///
/// | method | parameters | answer |
/// |---|---|---|
/// | `localnet_tick` | number of slots (default 1) | the slot then |
/// | `localnet_setFaults` | a [`FaultPlan`]; none clears | the plan in force |
/// | `localnet_faults` | | the plan in force, with what is left of its counts |
/// | `localnet_disconnectWebsockets` | | null |
/// | `localnet_requestCounts` | | requests by method |
/// | `localnet_resetRequestCounts` | | null |
pub(super) fn call(network: &Network, method: &str, mut params: Params) -> Result<Value, RpcError> {
    match method.strip_prefix(PREFIX) {
        Some("tick") => {
            let slots = params.optional::<Option<u64>>(0)?.unwrap_or(1);
            if slots > MAX_TICKS {
                return Err(RpcError::params(format!("Invalid params: at most {MAX_TICKS} slots.")));
            }
            network.tick_slots(slots);
            Ok(json!(network.slot()))
        }
        Some("setFaults") => {
            network.faults().set(params.optional::<FaultPlan>(0)?);
            params::json(network.faults().plan())
        }
        Some("faults") => params::json(network.faults().plan()),
        Some("disconnectWebsockets") => {
            network.faults().disconnect_websockets();
            Ok(Value::Null)
        }
        Some("requestCounts") => params::json(network.request_counts()),
        Some("resetRequestCounts") => {
            network.reset_request_counts();
            Ok(Value::Null)
        }
        _ => Err(RpcError::unknown_method()),
    }
}
