//! `sotto pay`: one payment outside any session.

use super::{
    Global,
    error::CliError,
    kept_payment::{forget_single, keep_single, kept_single},
    output::{json, note, say},
    payer::{self, FacilitatorChoice, PayerConfig, PayerError, WALLET_FILE, address},
    runtime,
};
use crate::{
    client::{LocalKey, SessionClient, SignedSingle, SingleError, SingleOptions, SingleReceipt},
    domain::amount::Amount,
};
use clap::Args;
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use std::{path::PathBuf, time::Duration};

/// Pay one wallet once, without a session
///
/// The wallet signs a message and the one transfer that it says; the facilitator pays the fee. Nothing is delegated to
/// anybody. The transaction is signed only where it is that transfer and nothing else. That the encrypted amount is of
/// the amount asked for is believed of the facilitator, so name one that you trust.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sotto pay RECIPIENT 0.25 --facilitator http://127.0.0.1:4021 --facilitator-address ADDRESS"
)]
pub(super) struct Pay {
    /// The wallet to be paid
    #[arg(value_name = "ADDRESS", value_parser = address)]
    recipient: Pubkey,
    /// How much, in whole tokens
    #[arg(value_name = "TOKENS")]
    amount: String,
    #[command(flatten)]
    facilitator: FacilitatorChoice,
    /// The payer's key pair
    #[arg(long, value_name = "FILE", default_value = WALLET_FILE)]
    key: PathBuf,
    /// Do not prove the wallet's balance; the facilitator learns it otherwise, and the payment counts as proven
    #[arg(long)]
    no_funding_proof: bool,
    /// Pay only if a proved balance covers it
    #[arg(long, conflicts_with = "no_funding_proof")]
    require_proof: bool,
    /// How long to wait for the facilitator, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
    /// Send the payment with this nonce again, whose outcome was not known: the same one, which is carried out once
    #[arg(long, value_name = "NONCE", value_parser = nonce)]
    again: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Pay {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = PayerConfig::read(global)?;
        let amount = payer::tokens_of(&self.amount, config.asset.decimals)?;
        let wallet = payer::read_wallet(&self.key)?;
        let again = self.again.as_ref().map(|nonce| kept_single(&self.key, nonce)).transpose()?;
        if let Some(payment) = &again {
            self.check(payment, &wallet, amount)?;
        }
        runtime()?.block_on(async {
            let client = self.client(&config).await?;
            let payment = match again {
                Some(payment) => payment,
                None => client.prepare_single(&wallet, &self.options(amount)).await.map_err(PayerError::from)?,
            };
            // On disk before it is sent: whoever has it can have it carried out, and this process may end.
            keep_single(&self.key, &payment)?;
            let paid = client.finish_single(&payment, Duration::from_secs(self.patience)).await;
            self.tell(&payment, paid, &amount.to_decimal(config.asset.decimals))
        })
    }

    async fn client(&self, config: &PayerConfig) -> Result<SessionClient, PayerError> {
        let (client, rpc) = config.session_client(&self.facilitator).await?;
        Ok(if self.no_funding_proof { client } else { client.proving(config.prover(rpc)?) })
    }

    fn options(&self, amount: Amount) -> SingleOptions {
        SingleOptions {
            proof_required: self.require_proof,
            patience: Duration::from_secs(self.patience),
            ..SingleOptions::new(self.recipient, amount)
        }
    }

    /// A payment that is sent again pays what the command says.
    fn check(&self, payment: &SignedSingle, wallet: &LocalKey, amount: Amount) -> Result<(), PayerError> {
        let differences = [
            (payment.payer != wallet.pubkey().to_string(), "its payment is another wallet's"),
            (payment.recipient != self.recipient.to_string(), "its payment pays another wallet"),
            (payment.amount != amount.to_string(), "its payment is of another amount"),
        ];
        match differences.into_iter().find_map(|(differs, why)| differs.then_some(why)) {
            Some(why) => Err(PayerError::InTheWay { path: self.key.clone(), why }),
            None => Ok(()),
        }
    }

    fn tell(
        &self,
        payment: &SignedSingle,
        paid: Result<SingleReceipt, SingleError>,
        amount: &str,
    ) -> Result<(), CliError> {
        let told = |state: &str, receipt: Option<&SingleReceipt>| -> Value {
            json!({
                "state": state,
                "amount": amount,
                "payer": payment.payer,
                "recipient": payment.recipient,
                "nonce": payment.nonce,
                "transaction": receipt.map(|receipt| receipt.transaction.to_string()),
                "funding": receipt.and_then(|receipt| receipt.funding.as_ref()),
            })
        };
        match paid {
            Ok(receipt) => {
                forget_single(&self.key, payment);
                if self.json {
                    return json(&told("paid", Some(&receipt)));
                }
                say(format_args!("paid {amount} to {}, transaction {}", payment.recipient, receipt.transaction))?;
                if receipt.funding.as_deref() != Some("proven") {
                    note(
                        &"no proved balance covered it: a transfer that is not covered moves nothing (`sotto balance` tells)",
                    );
                }
                Ok(())
            }
            Err(SingleError::Undecided { last, .. }) => {
                if self.json {
                    json(&told("unknown", None))?;
                }
                note(&last);
                Err(PayerError::Undecided { state: "unknown", nonce: payment.nonce.clone() }.into())
            }
            Err(error) => {
                if matches!(error, SingleError::Refused(_)) {
                    forget_single(&self.key, payment);
                }
                Err(PayerError::from(error).into())
            }
        }
    }
}

/// A nonce as this command makes them: it names a file.
fn nonce(text: &str) -> Result<String, String> {
    let is_ours = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_ours.then(|| text.to_owned()).ok_or_else(|| "write the 32 hex digits that the command told".to_owned())
}
