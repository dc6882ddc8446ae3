//! A single payment: one transfer outside any session, which the wallet signs for itself (`spec/session.md` §5).
//!
//! Promises: the wallet signs a transaction only where it is the transfer that was asked for, byte for byte, rebuilt here from
//! the payer's own settings; what it signed is one payment, however often it is sent. One thing is believed of the
//! facilitator, because nobody but the Covalidator can tell: that the encrypted amount it makes is of the amount asked for.
//! Its length is checked, and tells the number of digits.

mod transfer;

use super::{SessionClient, repeats::Repeats};
use crate::{
    client::{
        facilitator::{FacilitatorError, PayRefused},
        opening::wallet_signed,
        rpc::RpcError,
        signer::{PayerSigner, SigningError},
        terms::{self, FacilitatorPin, Terms, TermsError},
    },
    domain::{
        amount::Amount,
        chance,
        reason::PayReason,
        single_payment::{MAX_SINGLE_NONCE, short_message},
    },
    programs::{inco_token::IncoMint, wallet::NotAWallet},
    wire::{
        facilitator::SettleAnswer,
        pay::{AmountAnswer, PayMessage, PayRefusalBody, UnsignedAnswer},
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::time::Duration;
use transfer::Asked;

/// The bytes of an encrypted amount beside its digits (`spec/inco.md` §6).
const BESIDE_DIGITS: usize = 113;

/// What is paid.
#[derive(Clone, Debug)]
pub struct SingleOptions {
    /// The wallet to be paid.
    pub recipient: Pubkey,
    /// In base units; positive.
    pub amount: Amount,
    /// The payment's nonce; a random one unless given.
    pub nonce: Option<String>,
    /// Has the facilitator take the payment only where a proved balance covers it, and answer only with that known.
    pub proof_required: bool,
    /// How long to wait for the facilitator to take it, and again for its outcome.
    pub patience: Duration,
}

impl SingleOptions {
    /// A payment with a random nonce, whether or not a proved balance covers it.
    pub fn new(recipient: Pubkey, amount: Amount) -> Self {
        Self { recipient, amount, nonce: None, proof_required: false, patience: Duration::from_mins(1) }
    }
}

/// A single payment that its wallet has signed. Whoever has it can have it carried out, once, while its blockhash lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedSingle {
    /// The facilitator that issued it.
    pub facilitator: String,
    /// The network in its spelling.
    pub network: String,
    /// The mint, base58.
    pub asset: String,
    /// The wallet that pays, base58.
    pub payer: String,
    /// The wallet that is paid, base58.
    pub recipient: String,
    /// In base units.
    pub amount: String,
    /// Once for ever among the payer's single payments.
    pub nonce: String,
    /// The transaction with the payer's signature, base64.
    transaction: String,
    /// What the wallet signed first. It stands on no chain, so that a repeat proves by it whose payment it is; null in a payment
    /// that was kept before it was.
    #[serde(default)]
    authorization: Value,
}

/// A single payment that has landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleReceipt {
    /// The transaction that paid.
    pub transaction: Signature,
    /// Whether a proved balance covered it; none where its success was told before.
    pub funding: Option<String>,
}

/// Why a single payment was not made, or is not known to be.
#[derive(Debug, thiserror::Error)]
pub enum SingleError {
    /// The options contradict each other, or the payment is another client's.
    #[error("a single payment cannot be made like this: {0}")]
    Options(&'static str),
    /// The facilitator gave no usable answer; nothing was signed that moves anything.
    #[error(transparent)]
    Facilitator(#[from] FacilitatorError),
    /// The facilitator's terms are not the payer's.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// The chain could not be asked.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The asset's mint is not there, or is no mint of the token program.
    #[error("the asset is not a mint of the token program")]
    Mint,
    /// The recipient is no wallet: what is paid to it is lost.
    #[error("the recipient {0}")]
    Recipient(NotAWallet),
    /// Not signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The wallet returned something else than the transaction with its signature.
    #[error("the wallet did not sign the transaction as it was built")]
    Wallet(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What the facilitator gave to be signed is not what was asked for; it was not signed.
    #[error("the facilitator's answer is not the payment that was asked for: {0}")]
    Foreign(&'static str),
    /// The facilitator said no. Where a transaction is named, it has failed, and nothing moved.
    #[error("the facilitator refused: {} ({})", .0.message, .0.reason)]
    Refused(PayRefusalBody),
    /// It was sent, and its outcome is not known: [`SessionClient::finish_single`] goes on with the same payment.
    #[error("the single payment was sent, and its outcome is not known: {last}")]
    Undecided {
        /// To go on with.
        payment: Box<SignedSingle>,
        /// What was heard last.
        last: String,
    },
}

impl SessionClient {
    /// Everything before a single payment can be carried out: has the amount encrypted, has the wallet sign the message and,
    /// where the transaction that comes back is the one that was asked for, the transaction. Nothing has moved then.
    pub async fn prepare_single(
        &self,
        wallet: &dyn PayerSigner,
        options: &SingleOptions,
    ) -> Result<SignedSingle, SingleError> {
        let payer = wallet.pubkey();
        let terms = terms::agree(&self.http.supported().await?, &self.settings)?;
        check_options(&payer, options, &terms)?;
        let decimals = self.ground(&options.recipient).await?;
        let ciphertext = self.encrypted(options, decimals).await?;
        let nonce = options.nonce.clone().unwrap_or_else(|| hex::encode(chance::draw::<16>(self.chance.as_ref())));
        let message = PayMessage {
            ciphertext: PayMessage::named(&ciphertext),
            amount: options.amount.to_decimal(decimals),
            decimals,
            recipient: options.recipient.to_string(),
            network: terms.network.clone(),
            nonce: nonce.clone(),
        };
        let (asked, mut body) = self.authorization(wallet, options, ciphertext, &message).await?;
        let told: UnsignedAnswer = self.ask("/pay/settle", &body, options.patience).await?;
        let (unsigned, fee_payer) = asked.held_against(&told.unsigned_transaction, self.rpc()).await?;
        let signed = wallet.sign_transaction(unsigned).await?;
        let signed = wallet_signed(&signed, &payer, &FacilitatorPin::one_key(fee_payer));
        Ok(SignedSingle {
            facilitator: self.settings.facilitator.clone(),
            network: terms.network,
            asset: self.settings.asset.to_string(),
            payer: payer.to_string(),
            recipient: options.recipient.to_string(),
            amount: options.amount.to_string(),
            nonce,
            authorization: without_proof(body["paymentPayload"]["payload"]["authorization"].take()),
            transaction: STANDARD.encode(signed.map_err(|error| SingleError::Wallet(Box::new(error)))?),
        })
    }

    /// Has a signed payment carried out, and waits for its outcome. Repeating it is safe: it is one transaction.
    pub async fn finish_single(
        &self,
        payment: &SignedSingle,
        patience: Duration,
    ) -> Result<SingleReceipt, SingleError> {
        if payment.facilitator != self.settings.facilitator || payment.asset != self.settings.asset.to_string() {
            return Err(SingleError::Options("it was signed for another facilitator or asset"));
        }
        let mut payload = json!({ "transaction": payment.transaction });
        if !payment.authorization.is_null() {
            payload["authorization"] = payment.authorization.clone();
        }
        let body = json!({
            "paymentPayload": { "payload": payload },
            "paymentRequirements": {
                "network": payment.network,
                "asset": payment.asset,
                "payTo": payment.recipient,
                "amount": payment.amount,
            },
        });
        let mut repeats = Repeats::within(patience);
        loop {
            let (last, asked) = match self.http.pay::<SettleAnswer>("/pay/settle", &body).await {
                Ok(Ok(answer)) => match payment.receipt(&answer) {
                    Some(receipt) => return Ok(receipt),
                    None => ("the answer is of something else".to_owned(), None),
                },
                Ok(Err(refused)) => match outcome(refused) {
                    Outcome::Over(ended) => return ended,
                    Outcome::Open { last, again_in } => (last, again_in),
                },
                Err(error) => (error.to_string(), None),
            };
            if !repeats.wait(asked).await {
                return Err(SingleError::Undecided { payment: Box::new(payment.clone()), last });
            }
        }
    }

    /// Pays: [`SessionClient::prepare_single`] and [`SessionClient::finish_single`].
    pub async fn pay_single(
        &self,
        wallet: &dyn PayerSigner,
        options: &SingleOptions,
    ) -> Result<SingleReceipt, SingleError> {
        let payment = self.prepare_single(wallet, options).await?;
        self.finish_single(&payment, options.patience).await
    }

    /// The mint's decimals; refuses a recipient that is no wallet.
    async fn ground(&self, recipient: &Pubkey) -> Result<u8, SingleError> {
        let told = self.rpc().accounts(&[self.settings.asset, *recipient]).await?;
        let [mint, recipient_account] =
            <[_; 2]>::try_from(told).map_err(|_| RpcError::Impossible { what: "accounts" })?;
        transfer::check_recipient(&self.settings.programs, recipient, recipient_account.as_ref())?;
        let mint = mint.filter(|account| account.owner == self.settings.programs.token).ok_or(SingleError::Mint)?;
        Ok(IncoMint::decode(&mint.bytes).map_err(|_| SingleError::Mint)?.decimals)
    }

    /// The encrypted amount, in hex.
    async fn encrypted(&self, options: &SingleOptions, decimals: u8) -> Result<String, SingleError> {
        let body = json!({ "amount": options.amount.to_decimal(decimals), "decimals": decimals });
        let answer: AmountAnswer = self.ask("/pay/getAmount", &body, options.patience).await?;
        let expected = 2 * (BESIDE_DIGITS + options.amount.to_string().len());
        let is_hex = answer.ciphertext.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if answer.decimals != decimals || answer.ciphertext.len() != expected || !is_hex {
            return Err(SingleError::Foreign("the encrypted amount is of another length than the amount"));
        }
        Ok(answer.ciphertext)
    }

    /// What is asked for, and the body that asks for it, with the wallet's signature over the message.
    async fn authorization(
        &self,
        wallet: &dyn PayerSigner,
        options: &SingleOptions,
        ciphertext: String,
        message: &PayMessage,
    ) -> Result<(Asked, Value), SingleError> {
        let unwritable = |_| SingleError::Options("the message cannot be written");
        let details = serde_json::to_string(message).map_err(unwritable)?;
        let short = short_message(details.as_bytes());
        let signature = wallet.sign_message(short.as_bytes()).await?;
        let mut authorization = json!({
            "message": short,
            "details": details,
            "signature": STANDARD.encode(signature),
            "payer": wallet.pubkey().to_string(),
            "ciphertext": ciphertext,
            "mint": self.settings.asset.to_string(),
            "paymentReceiver": options.recipient.to_string(),
        });
        if let Some(proof) = self.funding_proof(wallet).await {
            authorization["fundingProof"] = serde_json::to_value(proof).map_err(unwritable)?;
        }
        let mut required = json!({
            "network": message.network,
            "asset": self.settings.asset.to_string(),
            "payTo": options.recipient.to_string(),
            "amount": options.amount.to_string(),
        });
        if options.proof_required {
            required["extra"] = json!({ "funding": "required" });
        }
        let asked = Asked {
            programs: self.settings.programs,
            mint: self.settings.asset,
            payer: wallet.pubkey(),
            recipient: options.recipient,
            ciphertext: hex::decode(ciphertext).unwrap_or_default(),
            message: short,
            signature,
        };
        let body = json!({
            "paymentPayload": { "payload": { "authorization": authorization } },
            "paymentRequirements": required,
        });
        Ok((asked, body))
    }

    /// Asks until the facilitator has said yes or no, or `patience` ends: as long as nothing is signed that moves anything.
    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        patience: Duration,
    ) -> Result<T, SingleError> {
        let mut repeats = Repeats::within(patience);
        loop {
            let refused = match self.http.pay(path, body).await? {
                Ok(answer) => return Ok(answer),
                Err(refused) => refused,
            };
            if !refused.may_pass || !repeats.wait(refused.retry_after).await {
                return Err(SingleError::Refused(refused.body));
            }
        }
    }
}

/// What a refusal says of a payment that was sent.
enum Outcome {
    Over(Result<SingleReceipt, SingleError>),
    Open { last: String, again_in: Option<Duration> },
}

impl SignedSingle {
    /// The receipt in an answer, where it is of this payment.
    fn receipt(&self, answer: &SettleAnswer) -> Option<SingleReceipt> {
        let pay = answer.extensions.as_ref().and_then(|extensions| extensions.others.get("pay"));
        let told = |member: &str| pay.and_then(|pay| Some(pay.get(member)?.as_str()?.to_owned()));
        let is_ours = answer.payer.as_ref().is_none_or(|payer| *payer == self.payer)
            && answer.amount.as_ref().is_none_or(|amount| *amount == self.amount)
            && told("payTo").is_none_or(|recipient| recipient == self.recipient);
        let transaction = answer.transaction.parse().ok().filter(|_| is_ours && answer.success)?;
        Some(SingleReceipt { transaction, funding: told("funding") })
    }
}

/// An authorisation without what it proved of the balance, which counts in the first step only.
fn without_proof(mut authorization: Value) -> Value {
    if let Some(members) = authorization.as_object_mut() {
        members.remove("fundingProof");
    }
    authorization
}

/// What a refusal of the second step says.
fn outcome(refused: PayRefused) -> Outcome {
    let PayRefused { body, may_pass, retry_after } = refused;
    let told_before = body.transaction.parse().ok().filter(|_| body.reason == PayReason::DuplicateSettlement.word());
    if let Some(transaction) = told_before {
        return Outcome::Over(Ok(SingleReceipt { transaction, funding: None }));
    }
    if may_pass || body.reason == PayReason::SettlementPending.word() {
        return Outcome::Open { last: format!("{} ({})", body.message, body.reason), again_in: retry_after };
    }
    Outcome::Over(Err(SingleError::Refused(body)))
}

fn check_options(payer: &Pubkey, options: &SingleOptions, terms: &Terms) -> Result<(), SingleError> {
    let unless = |fine: bool, why| if fine { Ok(()) } else { Err(SingleError::Options(why)) };
    let FacilitatorPin { spender, fee_payer } = terms.facilitator;
    unless(options.recipient != *payer, "the recipient is the payer")?;
    // With the payer as fee payer the transaction would be complete without the facilitator, at the payer's expense.
    unless(![spender, fee_payer].contains(payer), "the facilitator's address is the payer's")?;
    unless(options.amount > Amount::ZERO, "the amount is zero")?;
    let is_nonce = |nonce: &String| {
        (1..=MAX_SINGLE_NONCE).contains(&nonce.len()) && nonce.bytes().all(|byte| byte.is_ascii_graphic())
    };
    unless(options.nonce.as_ref().is_none_or(is_nonce), "the nonce is not 1 to 64 printable ASCII characters")
}
