//! Delegations of the Machine Payments Protocol by hand, so that tests can bend every byte of them.

use super::{MppScene, Options, Wallet, World, charged, signed_by};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    domain::{
        chance::draw,
        mpp::{
            choices::Backend,
            delegation::{Delegation, OnboardLimits},
            siwx::{Proof, SignIn},
            timestamp,
        },
        network::Network,
    },
    facilitator::MppSettings,
    ledger::DelegationKey,
    programs::{
        delegation::session_account::SessionAccount,
        spl_token::{TokenAccount, TokenProgram},
    },
    wire::mpp::siwx::SignedIn,
};

/// What every buyer starts with, in base units.
pub const PURSE: u64 = 5_000_000;
/// Where buyers call from, and where others do.
pub const HOME: &str = "203.0.113.7";
pub const FOREIGN: &str = "198.51.100.9";

/// A request as it is about to be sent.
#[derive(Clone)]
pub struct Sent {
    pub path: &'static str,
    pub body: Value,
    pub sign_in: Option<String>,
    pub from: &'static str,
    pub origin: Option<&'static str>,
}

/// A world that serves delegations, with somebody who has cash and no SOL.
pub struct DelegationScene {
    pub world: World,
    pub buyer: Wallet,
}

impl DelegationScene {
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn swig() -> Self {
        Self::with(|settings| settings.delegations.backend = Backend::Swig).await
    }

    /// Like [`Self::start`], with settings that are changed by `change`. Strangers may have all that there is.
    pub async fn with(change: impl Fn(&mut MppSettings) + Send + Sync + 'static) -> Self {
        let options = Options::mpp_with(move |settings| {
            let most = OnboardLimits {
                rent_per_day: 100_000_000_000,
                swig_rent_per_day: 100_000_000_000,
                ..settings.delegations.limits
            };
            settings.delegations.limits = most;
            change(settings);
        });
        Self::of(World::with(options).await).await
    }

    pub async fn of(world: World) -> Self {
        let MppScene { world, buyer, .. } = MppScene::of(world).await;
        Self { world, buyer }
    }

    /// A sign-in of a wallet, changed by `change`.
    pub fn sign_in_with(&self, wallet: &Wallet, change: impl FnOnce(&mut SignIn)) -> String {
        self.world.signs_in(wallet, change)
    }

    pub fn sign_in(&self, wallet: &Wallet) -> String {
        self.sign_in_with(wallet, |_| ())
    }

    /// A proof of an act.
    pub fn proof(&self, wallet: &Wallet, act: &Proof) -> String {
        self.sign_in_with(wallet, |sign_in| sign_in.resources = act.resources())
    }

    /// A request of the buyer, signed anew, from home.
    pub fn asked(&self, path: &'static str, mut body: Value) -> Sent {
        body["buyer_wallet"] = json!(self.buyer.key().to_string());
        Sent { path, body, sign_in: Some(self.sign_in(&self.buyer)), from: HOME, origin: None }
    }

    /// Asks to be onboarded.
    pub async fn onboards(&self, body: Value) -> (u16, Value) {
        self.world.sends(&self.asked("/api/sessions/onboard", body)).await
    }

    /// The answer of an onboarding that has this status.
    pub async fn told(&self, body: Value, status: &str) -> Value {
        let (code, answer) = self.onboards(body).await;
        assert_eq!((code, answer["status"].as_str()), (200, Some(status)), "{answer:#}");
        answer
    }

    /// What comes next for the buyer, signed by them; it has this label.
    pub async fn next(&self, body: Value, label: &str) -> Value {
        let answer = self.told(body, "transactions_required").await;
        let listed = answer["transactions"].as_array().unwrap();
        assert_eq!((listed.len(), listed[0]["type"].as_str()), (1, Some(label)), "{answer:#}");
        self.signed(&answer)
    }

    /// The confirmation of what an answer has to be signed.
    pub fn signed(&self, answer: &Value) -> Value {
        confirmation(&signed_by(&self.buyer, offered(answer)))
    }

    pub async fn confirms(&self, body: Value) -> (u16, Value) {
        self.world.sends(&self.asked("/api/sessions/onboard/confirm", body)).await
    }

    /// A confirmation that lands, with this status.
    pub async fn landed(&self, body: Value, status: &str) -> Value {
        let (code, answer) = self.confirms(body).await;
        assert_eq!((code, answer["status"].as_str()), (200, Some(status)), "{answer:#}");
        answer
    }

    /// A confirmation that is refused with this status and word.
    pub async fn refused(&self, body: Value, code: u16, word: &str) -> Value {
        let (status, answer) = self.confirms(body).await;
        assert_eq!((status, answer["error"].as_str()), (code, Some(word)), "{answer:#}");
        assert!(answer["detail"].is_string(), "{answer:#}");
        answer
    }

    /// Onboards by a session account until the delegation is active.
    pub async fn onboarded(&self, body: Value) -> Value {
        let signed = self.next(body, "create_session_account").await;
        self.landed(signed, "ready").await
    }

    /// How the buyer's delegation stands, as they are told.
    pub async fn status(&self) -> Value {
        let sign_in = self.sign_in(&self.buyer);
        let path = format!("/api/sessions/onboard/status?buyer_wallet={}", self.buyer.key());
        let (code, answer) = self.world.get_with(&path, &[("sign-in-with-x", &sign_in)]).await;
        assert_eq!(code, 200, "{answer:#}");
        answer
    }

    /// Asks for a leave by a new proof.
    pub async fn leaves(&self) -> (u16, Value) {
        let proof = self.proof(&self.buyer, &Proof::Leave);
        let sent = Sent { sign_in: Some(proof), ..self.asked("/api/sessions/leave", json!({})) };
        self.world.sends(&sent).await
    }

    /// The delegation as the ledger has it.
    pub async fn delegation(&self) -> Option<Delegation> {
        let key = DelegationKey::Buyer(self.buyer.key(), self.world.net.cash().mint());
        self.world.ledger().delegation(&key).await.unwrap()
    }

    /// The buyer's session account.
    pub fn account(&self) -> SessionAccount {
        let mint = self.world.net.cash().mint();
        SessionAccount { program: TokenProgram::Token, mint, decimals: 6, buyer: self.buyer.key() }
    }

    /// What stands at the address of the buyer's session account.
    pub fn session_account(&self) -> Option<TokenAccount> {
        self.world.spl_account(&self.account().address())
    }

    /// Lands a transaction of somebody who has SOL, signed by these wallets too.
    pub async fn lands(&self, payer: &Wallet, instructions: &[Instruction], signers: &[&Wallet]) {
        self.world.net.network().airdrop(&payer.key(), 1_000_000_000).unwrap();
        self.world.confirmed().await;
        let blockhash = self.world.net.network().latest_blockhash();
        let signers: Vec<&Wallet> = [payer].into_iter().chain(signers.iter().copied()).collect();
        let transaction = charged(&payer.key(), instructions, blockhash, &signers);
        self.world.net.network().send(transaction).unwrap();
        self.world.confirmed().await;
    }
}

impl World {
    /// A sign-in of a wallet as the published client makes it, changed by `change`.
    pub fn signs_in(&self, wallet: &Wallet, change: impl FnOnce(&mut SignIn)) -> String {
        let now = self.now() * 1_000;
        let mut sign_in = SignIn {
            domain: "localhost".to_owned(),
            address: wallet.key().to_string(),
            uri: "https://localhost/api/sessions/onboard".to_owned(),
            version: "1".to_owned(),
            chain_id: Network::devnet().canonical().to_owned(),
            nonce: hex::encode(draw::<16>(&*self.chance)),
            issued_at: timestamp::write(now),
            expiration_time: Some(timestamp::write(now + 300_000)),
            ..SignIn::default()
        };
        change(&mut sign_in);
        let signature = wallet.sign(sign_in.text().as_bytes());
        SignedIn { sign_in, signature }.encode()
    }

    /// Sends a request as it is.
    pub async fn sends(&self, sent: &Sent) -> (u16, Value) {
        let url = format!("{}{}", self.running().url, sent.path);
        let mut request = self.http.post(url).header("x-forwarded-for", sent.from).body(sent.body.to_string());
        if let Some(sign_in) = &sent.sign_in {
            request = request.header("sign-in-with-x", sign_in);
        }
        if let Some(origin) = sent.origin {
            request = request.header("origin", origin);
        }
        self.read("POST", sent.path, request.send().await.unwrap()).await
    }

    /// A plain token account, as it was executed last.
    pub fn spl_account(&self, address: &Pubkey) -> Option<TokenAccount> {
        let account = self.net.network().account(address)?;
        TokenAccount::decode(TokenProgram::Token, &account.data).ok()
    }
}

/// What an answer has its wallet sign.
pub fn offered(answer: &Value) -> VersionedTransaction {
    let text = answer["transactions"][0]["tx"].as_str().unwrap_or_else(|| panic!("{answer:#}"));
    wincode::deserialize(&BASE64_STANDARD.decode(text).unwrap()).unwrap()
}

/// The body that confirms a transaction.
pub fn confirmation(transaction: &VersionedTransaction) -> Value {
    json!({ "signed_transactions": [BASE64_STANDARD.encode(super::wire(transaction))] })
}
