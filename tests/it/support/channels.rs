//! Channels of the Machine Payments Protocol by hand: a buyer with a delegation, a seller, and every request over HTTP.

use super::{HOME, MppScene, Options, Sent, Wallet, World, confirmation, in_time, offered, signed_by};
use serde_json::{Value, json};
use solana_instruction::Instruction;
use solana_signature::Signature;
use sotto::{
    domain::{
        amount::Amount,
        mpp::{
            channel_id::{ChannelSecret, PublicId},
            delegation::Delegation,
            siwx::Proof,
        },
    },
    facilitator::MppSettings,
    ledger::DelegationKey,
    programs::{
        delegation::session_account::SessionAccount,
        spl_token::{TokenAccount, TokenProgram, TransferChecked},
    },
};
use std::time::Duration;

/// For how long a grant stands, in seconds.
pub const TTL: u64 = 86_400;
/// How often accounts are looked at.
const MONITOR: Duration = Duration::from_millis(200);

/// A world that serves channels, with a buyer who has granted and a seller.
pub struct ChannelScene {
    pub world: World,
    pub buyer: Wallet,
    pub seller: Wallet,
}

impl ChannelScene {
    /// A scene whose buyer has granted a million units, all of which are in the session account.
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// A scene whose settings are changed.
    pub async fn with(change: impl Fn(&mut MppSettings) + Send + Sync + 'static) -> Self {
        let scene = Self::bare(change).await;
        scene.grants(&scene.buyer, 1_000_000, 1_000_000).await;
        scene
    }

    /// A scene whose buyer has granted nothing.
    pub async fn bare(change: impl Fn(&mut MppSettings) + Send + Sync + 'static) -> Self {
        Self::of(Self::options(change)).await
    }

    /// What its world is made of.
    pub fn options(change: impl Fn(&mut MppSettings) + Send + Sync + 'static) -> Options {
        Options::mpp_with(move |settings| {
            settings.channels.monitor = MONITOR;
            settings.channels.min_deposit = Amount::ONE;
            settings.channels.of_buyer = 0;
            settings.caps.concurrency.payer = 0;
            change(settings);
        })
    }

    /// A scene of such a world, whose buyer has granted nothing.
    pub async fn of(options: Options) -> Self {
        let MppScene { world, buyer, seller } = MppScene::of(World::with(options).await).await;
        Self { world, buyer, seller }
    }

    /// A wallet's session account for cash.
    pub fn session_account(&self, wallet: &Wallet) -> SessionAccount {
        let mint = self.world.net.cash().mint();
        SessionAccount { program: TokenProgram::Token, mint, decimals: 6, buyer: wallet.key() }
    }

    /// What a wallet's session account has.
    pub fn deposited(&self, wallet: &Wallet) -> u64 {
        let account = self.world.net.network().account(&self.session_account(wallet).address()).expect("is there");
        TokenAccount::decode(TokenProgram::Token, &account.data).expect("a token account").amount
    }

    /// Onboards a wallet: a session account that is made for it, with this limit and deposit.
    pub async fn grants(&self, wallet: &Wallet, limit: u64, deposit: u64) {
        let asked = json!({
            "spend_limit_atomic": limit.to_string(), "deposit_atomic": deposit.to_string(), "ttl_seconds": TTL,
        });
        let (_, answer) = self.asks(wallet, "/api/sessions/onboard", asked).await;
        self.signs(wallet, &answer, "ready").await;
    }

    /// A request of a wallet that signs in.
    pub async fn asks(&self, wallet: &Wallet, path: &'static str, body: Value) -> (u16, Value) {
        self.asks_by(wallet, path, body, self.world.signs_in(wallet, |_| ())).await
    }

    /// A wallet asks to leave.
    pub async fn leaves(&self, wallet: &Wallet) -> (u16, Value) {
        self.asks_by(wallet, "/api/sessions/leave", json!({}), self.proof(wallet, &Proof::Leave)).await
    }

    async fn asks_by(&self, wallet: &Wallet, path: &'static str, mut body: Value, proof: String) -> (u16, Value) {
        body["buyer_wallet"] = json!(wallet.key().to_string());
        self.world.sends(&Sent { path, body, sign_in: Some(proof), from: HOME, origin: None }).await
    }

    /// Signs what a wallet was offered, and confirms it.
    pub async fn signs(&self, wallet: &Wallet, answer: &Value, status: &str) {
        let signed = confirmation(&signed_by(wallet, offered(answer)));
        let (_, granted) = self.asks(wallet, "/api/sessions/onboard/confirm", signed).await;
        assert_eq!(granted["status"], json!(status), "{granted:#}");
        self.world.confirmed().await;
    }

    /// A wallet's delegation as the ledger has it.
    pub async fn delegation(&self, wallet: &Wallet) -> Delegation {
        let key = DelegationKey::Buyer(wallet.key(), self.world.net.cash().mint());
        self.world.ledger().delegation(&key).await.expect("reads").expect("is there")
    }

    /// The header of a wallet's signature over exactly this act.
    pub fn proof(&self, wallet: &Wallet, act: &Proof) -> String {
        self.world.signs_in(wallet, |sign_in| sign_in.resources = act.resources())
    }

    /// The body of an opening by a proof of the buyer's.
    pub fn open_body(&self, buyer: &Wallet, seller: &Wallet, deposit: u64) -> Value {
        let act = Proof::Open { seller: seller.key(), deposit: Amount::new(deposit).expect("fits") };
        json!({
            "buyer_wallet": buyer.key().to_string(),
            "buyer_swig_address": "pending",
            "seller_wallet": seller.key().to_string(),
            "deposit_atomic": deposit.to_string(),
            "metadata": { "siwx": self.proof(buyer, &act) },
        })
    }

    /// Opens a channel from the buyer to the seller.
    pub async fn opens(&self, deposit: u64) -> Value {
        self.opens_by(&self.open_body(&self.buyer, &self.seller, deposit)).await
    }

    /// An opening that succeeds.
    pub async fn opens_by(&self, body: &Value) -> Value {
        self.succeeds("/mpp/session/open", body).await
    }

    /// A request that succeeds.
    pub async fn succeeds(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.world.post(path, body).await;
        let told = (status, &answer["success"], &answer["ok"]);
        assert_eq!(told, (200, &json!(true), &json!(true)), "{path} {body:#} {answer:#}");
        answer
    }

    /// A request that is refused with this word, in every member that may carry it.
    pub async fn refused(&self, path: &str, body: &Value, word: &str) -> Value {
        let (_, answer) = self.world.post(path, body).await;
        assert_eq!((&answer["success"], &answer["ok"]), (&json!(false), &json!(false)), "{answer:#}");
        assert_eq!(
            (&answer["error"], &answer["errorCode"]),
            (&json!(word), &json!(word)),
            "{path} {body:#} {answer:#}"
        );
        assert!(answer["detail"].is_string() && answer["detail"] == answer["details"], "{answer:#}");
        answer
    }

    /// The body of a voucher.
    pub fn voucher_body(channel: &Value, amount: u64) -> Value {
        json!({ "channel_id": channel["channel_id"], "amount": amount.to_string(), "serverNonce": format!("n-{amount}") })
    }

    /// Draws a voucher.
    pub async fn draws(&self, channel: &Value, amount: u64) -> Value {
        self.succeeds("/mpp/session/voucher", &Self::voucher_body(channel, amount)).await
    }

    /// A voucher that is refused.
    pub async fn is_not_drawn(&self, channel: &Value, amount: u64, word: &str) -> Value {
        self.refused("/mpp/session/voucher", &Self::voucher_body(channel, amount), word).await
    }

    /// Closes a channel.
    pub async fn closes(&self, channel: &Value) -> Value {
        self.succeeds("/mpp/session/close", &json!({ "channel_id": channel["channel_id"] })).await
    }

    /// What everybody may see of a channel.
    pub async fn shown(&self, channel: &Value) -> Value {
        let (status, answer) = self.world.get(&format!("/mpp/session/{}", public_id(channel))).await;
        assert_eq!(status, 200, "{answer:#}");
        answer
    }

    /// Waits until a channel stands so.
    pub async fn becomes(&self, channel: &Value, state: &str) -> Value {
        self.world.until(state, async || self.shown(channel).await["state"] == json!(state)).await;
        self.shown(channel).await
    }

    /// Lands something that a wallet sends past the facilitator, from its session account or about it.
    pub async fn past_us(&self, wallet: &Wallet, instruction: Instruction) -> Signature {
        let landed = self.world.lands(self.world.by_owner(wallet, instruction));
        self.world.confirmed().await;
        landed
    }

    /// The owner moves so much out of the session account.
    pub async fn drains(&self, wallet: &Wallet, units: u64) {
        let account = self.session_account(wallet);
        let transfer = TransferChecked {
            program: account.program,
            source: account.address(),
            mint: account.mint,
            destination: account.buyer_account(),
            authority: wallet.key(),
            amount: units,
            decimals: account.decimals,
        };
        self.past_us(wallet, transfer.instruction()).await;
    }

    /// Waits until the facilitator has seen that so much is in the session account.
    pub async fn sees(&self, wallet: &Wallet, units: u64) {
        let seen = async || {
            let reading = self.delegation(wallet).await.reading.map(|seen| seen.reading);
            reading.is_some_and(|reading| reading.balance == units)
        };
        self.world.until("the balance is seen", seen).await;
    }

    /// The owner takes the delegation back.
    pub async fn revokes(&self, wallet: &Wallet) {
        self.past_us(wallet, self.session_account(wallet).revoke()).await;
    }

    /// Ends the scenario: everything is final, the books add up, and the seller has so much.
    pub async fn ends(self, paid: u64) {
        in_time("it is quiet", self.world.quiet()).await;
        assert_eq!(self.world.cash(&self.seller), paid, "the seller has what was settled");
        self.world.finish().await;
    }
}

/// The public id of an opened channel.
pub fn public_id(opened: &Value) -> PublicId {
    let secret: ChannelSecret = opened["channel_id"].as_str().expect("a text").parse().expect("a secret");
    secret.public_id()
}
