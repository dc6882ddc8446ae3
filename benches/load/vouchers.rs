//! Channels that are drawn from: how they come to be, and requests for their vouchers as bytes.

use crate::{
    Outcome,
    generator::Source,
    mpp_wallet, seed,
    stage::{self, Server, Stage},
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use sotto::{
    client::LocalKey,
    domain::{
        amount::Amount,
        chance::{OsChance, draw},
        clock::{Clock as _, SystemClock},
        mpp::{
            caps::{CapRow, Caps, Sponsored},
            channel::{
                ChannelTerms, expiry,
                plan::{ChannelLimits, ChannelPlan, Permission},
            },
            channel_id::ChannelSecret,
            delegation::Delegation,
            money::{Reading, Role},
            root::Root,
        },
        settlement::{Allowances, Attempt, Cost, Event, Moves, SettlementId},
    },
    ledger::{ChannelLedger as _, ChannelOpened, DelegationKey, DelegationLedger as _, Ledger, SqliteLedger},
    programs::spl_token::TokenProgram,
    wire::mpp::siwx::SIGN_IN_WITH_X,
};
use std::{
    fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// What each channel may draw, in base units, and what its first voucher says: sums of one width.
const DEPOSIT: u64 = 4_000_000;
const FIRST: u64 = 1_000_000;
/// What each buyer grants and has: the most that may be granted. All deposits together fit, or channels were settled at once.
const MEANS: u64 = 10_000_000_000;
/// Requests under way at once while everything is prepared.
const AT_ONCE: usize = 32;
/// Verbs under way at once.
const VERBS: usize = 512;
const PATIENCE: Duration = Duration::from_mins(1);
const TTL: u64 = 86_400;

/// Onboards so many wallets.
pub async fn buyers(stage: &Stage, server: &Server, count: usize) -> Outcome<Vec<LocalKey>> {
    let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let onboarding = (0..count).map(|_| async {
        let wallet = stage::wallet();
        stage.ask("localnet_fundToken", json!([wallet.pubkey().to_string(), MEANS])).await?;
        let ask = async |path: &str, mut body: Value| -> Outcome<Value> {
            body["buyer_wallet"] = json!(wallet.pubkey().to_string());
            let url = format!("http://{}{path}", server.address);
            let proof = mpp_wallet::sign_in(&wallet, Vec::new());
            Ok(http.post(url).header(SIGN_IN_WITH_X, proof).json(&body).send().await?.json().await?)
        };
        let asked =
            json!({ "spend_limit_atomic": MEANS.to_string(), "deposit_atomic": MEANS.to_string(), "ttl_seconds": TTL });
        let told = ask("/api/sessions/onboard", asked).await?;
        let offered = told["transactions"][0]["tx"].as_str().ok_or_else(|| format!("nothing to sign: {told}"))?;
        let signed = mpp_wallet::signed_offer(&wallet, offered).ok_or("it cannot be signed")?;
        let told = ask("/api/sessions/onboard/confirm", json!({ "signed_transactions": [signed] })).await?;
        if told["status"] == "ready" { Ok(wallet) } else { Err(format!("a wallet did not onboard: {told}").into()) }
    });
    let onboarded: Vec<Outcome<_>> = stream::iter(onboarding).buffer_unordered(AT_ONCE).collect().await;
    onboarded.into_iter().collect()
}

/// Writes `each` open channels of every buyer to `seller` through the ledger's verbs, as openings leave them. The stage's root derives
/// their keys, so a facilitator of this stage draws from them.
pub async fn channels(
    stage: &Stage,
    file: &str,
    buyers: &[LocalKey],
    seller: Pubkey,
    each: usize,
) -> Outcome<Vec<String>> {
    let ledger = seed::open(&stage.file(file)).await?;
    let root = Root::from_hex(&fs::read_to_string(stage.file(mpp_wallet::ROOT))?).ok_or("no root")?;
    let mint = mpp_wallet::mint(stage).await?;
    let mut secrets = Vec::with_capacity(buyers.len() * each);
    for buyer in buyers {
        let found = ledger.delegation(&DelegationKey::Buyer(buyer.pubkey(), mint)).await?.ok_or("no delegation")?;
        let opening = (0..each).map(|_| open(&ledger, &root, &found, seller));
        let opened: Vec<Outcome<_>> = stream::iter(opening).buffer_unordered(VERBS).collect().await;
        for secret in opened {
            secrets.push(secret?);
        }
    }
    Ok(secrets)
}

async fn open(ledger: &SqliteLedger, root: &Root, of: &Delegation, seller: Pubkey) -> Outcome<String> {
    let (secret, now) = (ChannelSecret::from_bytes(draw(&OsChance)), SystemClock.now());
    let plan = plan(root, of, (&secret, seller), now)?;
    let ChannelOpened::New(_, anchor) = ledger.open_channel(&plan, now).await? else {
        return Err("a channel was not opened".into());
    };
    let attempt = Attempt {
        settlement: plan.anchor,
        number: 1,
        signature: Signature::from(draw::<64>(&OsChance)),
        wire: vec![0; 400],
        last_valid_block_height: 1,
        signed_at_slot: 1,
        cost: Cost { fee: 5_001, rent: 0, grant: 0 },
        allowances: Allowances::NotBought,
        moves: Moves::Nothing,
        seen_by: Vec::new(),
        past_at: None,
    };
    let (signed, _) = ledger.record_signed(&anchor, attempt, now).await?.recorded().ok_or("it was not signed")?;
    let landed = ledger.record(&signed, Event::Landed { slot: 1 }, &[], now).await?;
    ledger.record(&landed, Event::Finalised, &[], now).await?;
    Ok(secret.expose().to_string())
}

fn plan(root: &Root, of: &Delegation, (secret, seller): (&ChannelSecret, Pubkey), now: u64) -> Outcome<ChannelPlan> {
    let grant = of.grant.as_ref().ok_or("no grant")?;
    let (id, no_cap) = (secret.public_id(), CapRow { global: 0, seller: 0, payer: 0 });
    let terms = ChannelTerms {
        id,
        buyer: of.buyer,
        seller,
        mint: of.mint,
        account: of.account,
        generation: grant.terms.generation,
        signer: root.channel_key(&id).public(),
        program: TokenProgram::Token.address(),
        deposit: Amount::new(DEPOSIT).ok_or("deposit")?,
        idle_timeout: TTL / 2,
        opened_at: now,
        expires_at: expiry(now, grant.expires_at),
        certificate: draw(&OsChance),
        authorised: Permission::Off.way(),
    };
    let caps = Caps { verify: no_cap, settle: no_cap, concurrency: no_cap, stranger_day_lamports: 0 };
    Ok(ChannelPlan {
        terms,
        anchor: SettlementId::from_random_bytes(draw(&OsChance)),
        permission: Permission::Off,
        reading: Reading { role: Role::Live, balance: u64::MAX, remaining: u64::MAX },
        read_at: 0,
        limits: ChannelLimits { of_buyer: 0, of_seller: 0, in_all: 0, ..ChannelLimits::DEFAULT },
        sponsored: Sponsored {
            payer: of.buyer,
            seller: None,
            payer_is_listed: false,
            seller_is_listed: false,
            lamports: 5_001,
            caps,
        },
    })
}

/// Requests for vouchers over many channels. A channel is one connection's, because its sums come in order.
pub struct Vouchers {
    address: SocketAddr,
    channels: Arc<Vec<(String, AtomicU64)>>,
    connections: usize,
    shots: Vec<usize>,
}

/// Channels with what was asked of each last.
pub fn drawn(secrets: Vec<String>) -> Arc<Vec<(String, AtomicU64)>> {
    Arc::new(secrets.into_iter().map(|secret| (secret, AtomicU64::new(FIRST))).collect())
}

/// The body of a request.
pub fn body(secret: &str, amount: u64) -> String {
    format!("{{\"channel_id\":\"{secret}\",\"amount\":\"{amount}\",\"serverNonce\":\"n-{amount}\"}}")
}

impl Vouchers {
    /// Requests over as many connections, of which there are no more than channels.
    pub fn new(address: SocketAddr, channels: &Arc<Vec<(String, AtomicU64)>>, connections: usize) -> Self {
        Self { address, channels: Arc::clone(channels), connections, shots: vec![0; connections] }
    }
}

impl Source for Vouchers {
    fn write(&mut self, connection: usize, into: &mut Vec<u8>) {
        let own = self.channels.len().div_ceil(self.connections);
        let shot = self.shots[connection];
        self.shots[connection] += 1;
        let at = connection + (shot % own) * self.connections;
        // The last connections have one channel less.
        let (secret, sum) = self.channels.get(at).unwrap_or(&self.channels[connection]);
        let body = body(secret, sum.fetch_add(1, Ordering::Relaxed) + 1);
        let head = format!(
            "POST /mpp/session/voucher HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        into.extend_from_slice(head.as_bytes());
        into.extend_from_slice(body.as_bytes());
    }

    fn accepted(&self) -> &'static [u8] {
        b"{\"success\":true"
    }
}

/// Requests for what a challenge is made of.
pub struct Preparations(pub SocketAddr);

impl Source for Preparations {
    fn write(&mut self, _: usize, into: &mut Vec<u8>) {
        let head = format!(
            "POST /mpp/prepare HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}",
            self.0
        );
        into.extend_from_slice(head.as_bytes());
    }

    fn accepted(&self) -> &'static [u8] {
        b"{\"feePayer\":"
    }
}

/// One charge of a new challenge, from the request to the answer that it has landed.
pub async fn charge_once(
    http: &reqwest::Client,
    server: &Server,
    wallet: &LocalKey,
    seller: &Pubkey,
) -> Outcome<Duration> {
    let url = |path: &str| format!("http://{}{path}", server.address);
    let prepared: Value = http.post(url("/mpp/prepare")).json(&json!({})).send().await?.json().await?;
    let (_, wire) =
        mpp_wallet::charge(wallet, seller, 1_000, &prepared).ok_or_else(|| format!("no challenge: {prepared}"))?;
    let body = json!({ "transaction": wire, "recipient": seller.to_string(), "amount": "1000" });
    let began = Instant::now();
    let told: Value = http.post(url("/mpp/settle")).json(&body).send().await?.json().await?;
    if told["success"] == true { Ok(began.elapsed()) } else { Err(format!("a charge was refused: {told}").into()) }
}
