//! `GET /ready`: whether this instance can do its work right now.

use crate::facilitator::{Facilitator, settlement::disputes::MOST_DISPUTES, sponsor::fee_payers::Balance};

/// How many settlements that are held are named.
const MOST_NAMED: usize = 5;

/// One thing that has to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Whether it holds.
    pub ok: bool,
    /// What was seen, safe to show.
    pub detail: String,
}

/// Everything that has to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// In the order they were looked at.
    pub checks: Vec<Check>,
}

impl Readiness {
    /// Whether everything holds.
    pub fn is_ready(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
    }
}

impl Facilitator {
    /// Asks the ledger, the chain and the fee payer's balance; each by itself, so that one failure hides no other.
    pub async fn readiness(&self) -> Readiness {
        let ledger = match self.core.ledger.ping().await {
            Ok(()) => Check { name: "ledger", ok: true, detail: "answers and can be written".to_owned() },
            Err(error) => {
                let detail =
                    self.core.ledger.write_fault().map_or_else(|| error.to_string(), |fault| fault.to_string());
                Check { name: "ledger", ok: false, detail }
            }
        };
        let (rpc, network) = (self.check_rpc().await, self.check_network().await);
        let mut checks = vec![ledger, rpc, network, self.check_landings(), self.check_held().await];
        checks.extend(self.check_balances().await);
        checks.extend(self.check_clock().await);
        Readiness { checks }
    }

    /// Passes when an RPC endpoint answers; the detail tells the state of each of several, without its URL.
    async fn check_rpc(&self) -> Check {
        let (ok, told) = match self.core.chain.latest_blockhash().await {
            Ok(_) => (true, "answers".to_owned()),
            Err(error) => (false, error.with_cause()),
        };
        let endpoints: Vec<String> = self.core.chain.endpoints().iter().map(ToString::to_string).collect();
        let detail = if endpoints.len() > 1 { format!("{told}; {}", endpoints.join("; ")) } else { told };
        Check { name: "rpc", ok, detail }
    }

    async fn check_network(&self) -> Check {
        let (ok, detail) = match self.core.chain.genesis_hash().await {
            Ok(hash) if self.core.settings.served.network.has_genesis(&hash) => {
                (true, self.core.settings.served.network.alias().to_owned())
            }
            Ok(_) => (false, "the RPC serves another cluster than the configured network".to_owned()),
            Err(error) => (false, error.with_cause()),
        };
        Check { name: "network", ok, detail }
    }

    /// Fails while no new payment is taken because endpoints contradict each other; the detail names them.
    fn check_landings(&self) -> Check {
        let disputes = self.settlements.disputes().tell();
        let ok = disputes.len() < MOST_DISPUTES;
        let detail = if disputes.is_empty() { "no endpoint is contradicted".to_owned() } else { disputes.join("; ") };
        Check { name: "landings", ok, detail }
    }

    /// Passes always: what is held waits for an operator, and everything else goes on. The detail names the oldest.
    async fn check_held(&self) -> Check {
        let detail = match self.core.ledger.held_settlements().await {
            Ok(held) if held.is_empty() => "none".to_owned(),
            Ok(held) => {
                let named = held.iter().take(MOST_NAMED).filter_map(|record| {
                    let held = record.settlement.held?;
                    Some(format!("{} ({}, since {})", record.settlement.id, held.because.word(), held.since))
                });
                let named = named.collect::<Vec<_>>().join("; ");
                format!("{} are held, see `sotto settlement list`: {named}", held.len())
            }
            Err(error) => error.to_string(),
        };
        Check { name: "held_settlements", ok: true, detail }
    }

    /// Fails while our clock is too far from the chain's block time; only where that counts, which is where grants end by it.
    async fn check_clock(&self) -> Option<Check> {
        let (ok, detail) = match self.mpp.as_ref()?.shared.clock_difference().await {
            Ok(difference) => {
                let difference = difference?;
                (!difference.is_too_much(), difference.to_string())
            }
            // That no endpoint answers is told by another check.
            Err(error) => (true, error.with_cause()),
        };
        Some(Check { name: "clock", ok, detail })
    }

    /// The announced fee payer, without which no session opens; and the pool, when there is more than that one key:
    /// payments settle as long as one of them is funded.
    async fn check_balances(&self) -> Vec<Check> {
        if let Err(error) = self.sponsor.read_balances().await {
            return vec![Check { name: "fee_payer", ok: false, detail: error.to_string() }];
        }
        let balances = self.sponsor.fee_payers.balances();
        let is_funded = |balance: &Balance| balance.is_funded != Some(false);
        let told = |balance: &Balance| {
            let key = balance.key;
            if is_funded(balance) { format!("{key} is funded") } else { format!("send SOL to {key}") }
        };
        let mut checks = Vec::new();
        if let Some(announced) = balances.first() {
            let ok = is_funded(announced);
            let detail = if ok { "is funded".to_owned() } else { told(announced) };
            checks.push(Check { name: "fee_payer", ok, detail });
        }
        if balances.len() > 1 {
            let detail = balances.iter().map(told).collect::<Vec<_>>().join("; ");
            checks.push(Check { name: "fee_payers", ok: balances.iter().any(is_funded), detail });
        }
        checks
    }
}
