//! `GET /ready`: whether this instance can do its work right now.

use crate::facilitator::Facilitator;

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
        let ledger = match self.ledger.ping().await {
            Ok(()) => Check { name: "ledger", ok: true, detail: "answers".to_owned() },
            Err(error) => Check { name: "ledger", ok: false, detail: error.to_string() },
        };
        let rpc = match self.chain.latest_blockhash().await {
            Ok(_) => Check { name: "rpc", ok: true, detail: "answers".to_owned() },
            Err(error) => Check { name: "rpc", ok: false, detail: error.to_string() },
        };
        Readiness { checks: vec![ledger, rpc, self.check_network().await, self.check_balance().await] }
    }

    async fn check_network(&self) -> Check {
        let (ok, detail) = match self.chain.genesis_hash().await {
            Ok(hash) if self.settings.network.has_genesis(&hash) => (true, self.settings.network.alias().to_owned()),
            Ok(_) => (false, "the RPC serves another cluster than the configured network".to_owned()),
            Err(error) => (false, error.to_string()),
        };
        Check { name: "network", ok, detail }
    }

    async fn check_balance(&self) -> Check {
        let fee_payer = self.keys.fee_payer.pubkey();
        let (ok, detail) = match self.chain.accounts(&[fee_payer]).await {
            Ok(accounts) => {
                let lamports = accounts.into_iter().flatten().next().map_or(0, |account| account.lamports);
                let enough = lamports >= self.settings.low_balance;
                (enough, if enough { "is funded".to_owned() } else { format!("send SOL to {fee_payer}") })
            }
            Err(error) => (false, error.to_string()),
        };
        Check { name: "fee_payer", ok, detail }
    }
}
