//! Onboarding: up to three rounds, each of which gives a transaction to be signed; each is compared before.

use super::{MppSessionClient, MppSessionError};
use crate::{
    client::mpp::{
        http::{Tells, foreign},
        state::{BuyerState, SwigMemory},
        template::{Step, TemplateFault, Wanted},
        transaction::Unsigned,
    },
    domain::{
        amount::Amount,
        mpp::delegation::Renewal,
        printable::{brief, printable},
        signed::parse_key,
    },
    wire::mpp::onboard::{
        ConfirmAnswer, DEFAULT_SPEND_LIMIT, DEFAULT_TTL, OnboardAnswer, STATUS_NOT_ELIGIBLE, STATUS_PENDING,
        STATUS_READY, STATUS_SIGN, STATUS_UNAVAILABLE,
    },
};
use serde_json::{Map, Value, json};
use solana_pubkey::Pubkey;

/// As many rounds as there can be.
const ROUNDS: usize = 3;
/// The most of a facilitator's sentence that is told, in characters.
const MAX_SENTENCE: usize = 300;

/// What a wallet grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnboardOptions {
    /// The most that may ever move by the grant, in base units.
    pub spend_limit: Amount,
    /// For how many seconds.
    pub ttl: u64,
    /// The most that moves into the account that is granted from, in base units; without it as much as the limit.
    pub deposit: Option<Amount>,
    /// The only wallet that is ever paid, where the facilitator's program can see to it.
    pub seller: Option<Pubkey>,
    /// Whether a new grant is wanted where one is active.
    pub renewal: Renewal,
}

impl Default for OnboardOptions {
    fn default() -> Self {
        let spend_limit = Amount::new(DEFAULT_SPEND_LIMIT).unwrap_or(Amount::MAX);
        Self { spend_limit, ttl: DEFAULT_TTL, deposit: None, seller: None, renewal: Renewal::WhenNeeded }
    }
}

/// A delegation that channels can be opened on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onboarded {
    /// The session account, or the config account of the Swig, by the facilitator's word.
    pub account: String,
    /// The role.
    pub role_id: u32,
    /// The transactions of this onboarding that landed; none where it was ready before.
    pub transactions: Vec<String>,
    /// What may still move, in base units, by the facilitator's word.
    pub remaining: Option<String>,
}

impl MppSessionClient {
    /// Grants what `options` say, where no grant is active. Signs a transaction only where it is exactly that, and nothing else.
    pub async fn onboard(&self, options: &OnboardOptions) -> Result<Onboarded, MppSessionError> {
        let mut state = self.state.lock().await;
        let sign_in = self.sign_in(None).await?;
        let mut transactions = Vec::new();
        for _ in 0..ROUNDS {
            let body = self.onboard_body(options);
            let told =
                self.ask(|| self.http.post("/api/sessions/onboard", &body, Some(&sign_in)), Tells::ByStatus).await?;
            let answer: OnboardAnswer = serde_json::from_value(told).map_err(foreign)?;
            if answer.status == STATUS_READY {
                let (account, role_id) = (answer.swig_address.unwrap_or_default(), answer.role_id.unwrap_or_default());
                self.note_ready(&mut state, role_id)?;
                return Ok(Onboarded {
                    account: brief(&account),
                    role_id,
                    transactions,
                    remaining: answer.spend_limit_remaining,
                });
            }
            check_status(&answer)?;
            let signed = self.sign_round(&mut state, &answer, options).await?;
            let confirmed = self.confirm(&sign_in, &signed).await?;
            transactions
                .extend(confirmed.onboard_tx_signatures.iter().map(|signature| printable(signature).to_string()));
            match confirmed.status.as_str() {
                STATUS_READY => {
                    self.note_ready(&mut state, confirmed.role_id)?;
                    let (account, role_id) = (brief(&confirmed.swig_address), confirmed.role_id);
                    return Ok(Onboarded {
                        account,
                        role_id,
                        transactions,
                        remaining: confirmed.spend_limit_remaining,
                    });
                }
                STATUS_PENDING => {}
                other => return Err(MppSessionError::OnboardUnexpected(brief(other))),
            }
        }
        Err(MppSessionError::OnboardIncomplete)
    }

    fn onboard_body(&self, options: &OnboardOptions) -> Value {
        let mut body = Map::new();
        body.insert("buyer_wallet".to_owned(), json!(self.wallet.pubkey().to_string()));
        body.insert("spend_limit_atomic".to_owned(), json!(options.spend_limit.to_string()));
        body.insert("ttl_seconds".to_owned(), json!(options.ttl));
        if let Some(deposit) = options.deposit {
            body.insert("deposit_atomic".to_owned(), json!(deposit.to_string()));
        }
        if let Some(seller) = options.seller {
            body.insert("seller_wallet".to_owned(), json!(seller.to_string()));
        }
        if options.renewal == Renewal::Asked {
            body.insert("renew".to_owned(), json!(true));
        }
        Value::Object(body)
    }

    /// Sends what was signed. The same bytes are answered from the record, however often they are sent.
    pub(super) async fn confirm(&self, sign_in: &str, signed: &str) -> Result<ConfirmAnswer, MppSessionError> {
        let body = json!({ "buyer_wallet": self.wallet.pubkey().to_string(), "signed_transactions": [signed] });
        let told =
            self.ask(|| self.http.post("/api/sessions/onboard/confirm", &body, Some(sign_in)), Tells::ByStatus).await?;
        Ok(serde_json::from_value(told).map_err(foreign)?)
    }

    /// What is known of what was signed, for comparing what is to be signed.
    pub(super) fn wanted<'a>(&'a self, swig: Option<&'a SwigMemory>) -> Wanted<'a> {
        Wanted { wallet: self.wallet.pubkey(), token: self.token, chain_id: self.network.chain_id(), swig }
    }

    /// Compares the transaction of a round, keeps what it is, and has the wallet sign it.
    async fn sign_round(
        &self,
        state: &mut BuyerState,
        answer: &OnboardAnswer,
        options: &OnboardOptions,
    ) -> Result<String, MppSessionError> {
        let Some([transaction]) = answer.transactions.as_deref() else {
            return Err(TemplateFault("there is not one transaction in a round").into());
        };
        let delegate = check_details(answer, options)?;
        let unsigned = Unsigned::read(&transaction.tx).map_err(TemplateFault)?;
        let (step, address) =
            self.wanted(state.swig.as_ref()).onboards((&transaction.kind, &unsigned), options, delegate)?;
        if answer.swig_address.as_deref() != Some(address.to_string().as_str()) {
            return Err(TemplateFault("its account is not the one that is told").into());
        }
        self.note(state, step)?;
        unsigned.signed_by(self.wallet.as_ref()).await.map_err(MppSessionError::NoSigner)
    }

    /// Keeps what is about to be signed of a Swig.
    fn note(&self, state: &mut BuyerState, step: Step) -> Result<(), MppSessionError> {
        let plain = crate::domain::mpp::root::swig_id(self.network.chain_id(), &self.wallet.pubkey());
        let swig = state.swig.clone();
        let known = swig.unwrap_or(SwigMemory { id: plain, last_role: 0, granted: None });
        let changed = match step {
            Step::SessionAccount | Step::KeyActivated(_) => return Ok(()),
            // What was granted on another Swig is granted on this one no more.
            Step::SwigMade(id) if id != known.id => SwigMemory { id, last_role: 0, granted: None },
            Step::SwigMade(_) => known,
            Step::RoleGranted(granted) => SwigMemory { granted: Some(granted), ..known },
        };
        state.swig = Some(changed);
        self.keep(state)
    }

    /// Notes that a grant is active, and where: the key of no older role is let act any more.
    fn note_ready(&self, state: &mut BuyerState, role: u32) -> Result<(), MppSessionError> {
        if let Some(swig) = &mut state.swig {
            swig.last_role = swig.last_role.max(role);
            swig.granted = None;
        }
        self.keep(state)
    }
}

/// Refuses every status but that something is to be signed.
fn check_status(answer: &OnboardAnswer) -> Result<(), MppSessionError> {
    match answer.status.as_str() {
        STATUS_SIGN => Ok(()),
        STATUS_NOT_ELIGIBLE | STATUS_UNAVAILABLE => {
            let next_step = answer.next_step.as_deref().unwrap_or("no reason given");
            let next_step = printable(next_step.chars().take(MAX_SENTENCE).collect::<String>()).to_string();
            Err(MppSessionError::OnboardRejected { status: answer.status.clone(), next_step })
        }
        other => Err(MppSessionError::OnboardUnexpected(brief(other))),
    }
}

/// The key that is granted to, where limit and time are what was asked for.
fn check_details(answer: &OnboardAnswer, options: &OnboardOptions) -> Result<Option<Pubkey>, TemplateFault> {
    let Some(details) = &answer.role_details else { return Ok(None) };
    if details.spend_limit_atomic != options.spend_limit.to_string() || details.ttl_seconds != options.ttl {
        return Err(TemplateFault("it is told to be of another limit or time"));
    }
    let delegate = parse_key(&details.dexter_session_pubkey);
    delegate.map(Some).ok_or(TemplateFault("it is not told to whom it delegates"))
}
