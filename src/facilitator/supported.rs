//! `GET /supported`: what this facilitator serves, and the policy it publishes.

use crate::{
    domain::{funding::FundingPolicy, network::Network, payment::PaymentLimits, signed_receipt::ReceiptKey},
    facilitator::Facilitator,
};
use solana_pubkey::Pubkey;

/// What this facilitator serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supported {
    /// The network, with every spelling it answers to.
    pub network: Network,
    /// The mint.
    pub asset: Pubkey,
    /// The mint's decimals.
    pub decimals: u8,
    /// The key that is delegate of every session.
    pub spender: Pubkey,
    /// The key that pays fees; approve transactions name it first.
    pub fee_payer: Pubkey,
    /// Every key that signs: the spender, the announced fee payer, and those that share its work.
    pub signers: Vec<Pubkey>,
    /// The token program.
    pub token_program: Pubkey,
    /// The Lightning program.
    pub lightning_program: Pubkey,
    /// The key that amounts are encrypted to, uncompressed lower-case hex.
    pub encryption_key: String,
    /// The limits of every payment.
    pub payments: PaymentLimits,
    /// The furthest expiration, in seconds from now.
    pub max_session_seconds: u64,
    /// The largest grant inside an approve, in lamports.
    pub max_grant: u64,
    /// What proofs of the payer's balance count for.
    pub funding: FundingPolicy,
    /// The keys of signed receipts, the one in use first; empty where none are signed.
    pub receipt_keys: Vec<ReceiptKey>,
}

impl Facilitator {
    /// What this facilitator serves.
    pub fn supported(&self) -> Supported {
        let settings = &self.core.settings;
        Supported {
            network: settings.served.network.clone(),
            asset: settings.served.asset,
            decimals: settings.served.decimals,
            spender: self.core.keys.spender.pubkey(),
            fee_payer: self.core.keys.fee_payer.pubkey(),
            signers: self.signers(),
            token_program: settings.served.programs.token,
            lightning_program: settings.served.programs.lightning,
            encryption_key: settings.served.encryption_key.to_hex(),
            payments: settings.payments,
            max_session_seconds: settings.openings.max_session_seconds,
            max_grant: settings.openings.max_grant,
            funding: settings.funding.policy,
            receipt_keys: self.core.keys.receipts.all(),
        }
    }

    fn signers(&self) -> Vec<Pubkey> {
        let mut signers = vec![self.core.keys.spender.pubkey()];
        for key in self.sponsor.fee_payers.all() {
            if !signers.contains(&key) {
                signers.push(key);
            }
        }
        signers
    }
}
