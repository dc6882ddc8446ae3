//! Payer and merchant with the real facilitator on the real local network: open, pay, serve, settle, decrypt.

use super::stand_in::{Answer, StandIn, json};
use crate::support::{Options, PATIENCE, Wallet, World, in_time};
use axum::{Extension, Router, routing::get};
use reqwest::{Method, Request, Url};
use serde_json::json;
use solana_pubkey::Pubkey;
use sotto::{
    client::{
        Authorization, Balance, BalanceReader, FacilitatorPin, Fetched, FollowError, Grant, LocalKey, OpenOptions,
        OpenSession, PayError, Payer, PayerSigner, Prover, SessionClient, SessionClientError, SessionKeyChoice,
        Settings, SolanaRpc, Trust, close, listen, payment,
    },
    covalidator::HttpCovalidator,
    domain::{amount::Amount, clock::SystemClock, funding::FundingPolicy},
    merchant::{FacilitatorClient, Gate, Offer, Paywall, Price, Receipt},
};
use std::{net::Ipv4Addr, ops::ControlFlow, sync::Arc, time::Duration};
use tokio::task::JoinHandle;

pub(super) const PRICE: u64 = 10_000;

pub(super) fn amount(units: u64) -> Amount {
    Amount::new(units).unwrap()
}

pub(super) fn key(wallet: &Wallet) -> LocalKey {
    LocalKey::from_bytes(&wallet.seed()).unwrap()
}

fn rpc(world: &World) -> Arc<SolanaRpc> {
    Arc::new(SolanaRpc::new(world.net.rpc_url(), Duration::from_secs(10)))
}

pub(super) fn settings_at(world: &World, facilitator: &str) -> Settings {
    Settings {
        facilitator: facilitator.to_owned(),
        trust: Trust::Pinned(FacilitatorPin { spender: world.spender(), fee_payer: world.fee_payer() }),
        network: world.network.clone(),
        asset: world.faucet.mint(),
        programs: world.programs,
        encryption_key: world.net.network().stand_ins().encryption_key(),
    }
}

pub(super) fn client_at(world: &World, facilitator: &str) -> SessionClient {
    let settings = settings_at(world, facilitator);
    SessionClient::new(settings, rpc(world), Arc::new(SystemClock), Arc::clone(&world.chance)).unwrap()
}

pub(super) fn client(world: &World) -> SessionClient {
    client_at(world, &world.running().url)
}

pub(super) fn options(recipient: &Pubkey, shop: &Shop) -> OpenOptions {
    let mut options = OpenOptions::new(*recipient, amount(1_000_000), Duration::from_mins(10));
    options.origins = vec![shop.url.clone()];
    options
}

pub(super) fn payer(world: &World, session: &OpenSession) -> Payer {
    let clock = Arc::new(SystemClock);
    Payer::new(session.clone(), amount(PRICE), Duration::from_mins(1), clock, Arc::clone(&world.chance)).unwrap()
}

/// A merchant with one paid route.
pub(super) struct Shop {
    pub(super) url: String,
    server: JoinHandle<()>,
}

impl Shop {
    pub(super) async fn start(world: &World, recipient: &Pubkey) -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let price = Price::base_units(amount(PRICE)).unwrap();
        let offer = Offer::new("solana:devnet", world.faucet.mint(), *recipient, price);
        let gate = Gate::new("GET /weather", offer).unwrap().public_base(&url);
        let facilitator = FacilitatorClient::new(&world.running().url).unwrap();
        let sunny = |Extension(receipt): Extension<Receipt>| async move {
            format!("sunny for {} after {}", receipt.payer.unwrap(), receipt.session.unwrap().spent)
        };
        let router = Router::new().route("/weather", get(sunny).layer(Paywall::new(facilitator, gate)));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, server }
    }

    pub(super) fn weather(&self) -> Url {
        Url::parse(&format!("{}/weather", self.url)).unwrap()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(super) fn reader(world: &World) -> BalanceReader {
    let attestation_key = world.net.network().stand_ins().attestation_key();
    let covalidator = HttpCovalidator::new(&world.covalidator.url(), attestation_key, Duration::from_secs(5)).unwrap();
    BalanceReader::new(rpc(world), Arc::new(covalidator), world.programs)
}

async fn balance(world: &World, wallet: &Wallet) -> Balance {
    reader(world).read(&key(wallet), &world.faucet.mint(), Duration::from_secs(5)).await.unwrap()
}

fn units(balance: &Balance) -> u128 {
    match balance {
        Balance::Value(holding) => holding.attested.plaintext,
        other => panic!("no value: {other:?}"),
    }
}

#[tokio::test]
async fn a_penniless_payer_opens_with_one_wallet_and_pays_call_by_call() {
    let world = World::with(Options { separate_fee_payer: true, ..Options::default() }).await;
    let (payer_wallet, merchant) = (world.wallet(5_000_000).await, world.wallet(0).await);
    let shop = Shop::start(&world, &merchant.key()).await;
    let session = client(&world).open(&key(&payer_wallet), &options(&merchant.key(), &shop)).await.unwrap();
    let payer = payer(&world, &session);
    for call in 1..=3 {
        let Fetched { response, payment, receipt, .. } = payer.get(shop.weather()).await.unwrap();
        assert_eq!(payment.unwrap().amount.get(), PRICE);
        assert!(receipt.unwrap().success);
        let text = response.text().await.unwrap();
        assert_eq!(text, format!("sunny for {} after {}", payer_wallet.key(), call * PRICE));
    }
    assert_eq!(units(&balance(&world, &payer_wallet).await), 5_000_000 - 3 * u128::from(PRICE));
    assert_eq!(units(&balance(&world, &merchant).await), 3 * u128::from(PRICE));
    world.finish().await;
}

#[tokio::test]
async fn a_saved_session_pays_on_after_a_restart_of_payer_and_facilitator() {
    let mut world = World::start().await;
    let (payer_wallet, merchant) = (world.wallet(5_000_000).await, world.wallet(0).await);
    let shop = Shop::start(&world, &merchant.key()).await;
    let session = client(&world).open(&key(&payer_wallet), &options(&merchant.key(), &shop)).await.unwrap();
    payer(&world, &session).get(shop.weather()).await.unwrap();
    let saved = session.to_json().unwrap();
    drop((session, shop));
    world.kill().await;
    world.boot().await;
    let mut session = OpenSession::from_json(&saved).unwrap();
    let shop = Shop::start(&world, &merchant.key()).await;
    session.origins = vec![shop.url.clone()];
    payer(&world, &session).get(shop.weather()).await.unwrap();
    let view = client(&world).show(&session).await.unwrap();
    assert_eq!((view.state.as_deref(), view.spent.as_deref()), (Some("open"), Some("20000")), "{view:?}");
    world.finish().await;
}

#[tokio::test]
async fn r12_a_replayed_header_is_served_once_and_a_bare_session_id_pays_nothing() {
    let world = World::start().await;
    let (payer_wallet, merchant) = (world.wallet(5_000_000).await, world.wallet(0).await);
    let shop = Shop::start(&world, &merchant.key()).await;
    let session = client(&world).open(&key(&payer_wallet), &options(&merchant.key(), &shop)).await.unwrap();
    let paying = payer(&world, &session);
    let paid = paying.get(shop.weather()).await.unwrap().payment.unwrap();
    match paying.repeat(Request::new(Method::GET, shop.weather()), paid).await {
        Err(PayError::NotSettled { answer, .. }) => {
            assert_eq!(answer.error_reason.as_deref(), Some("duplicate_settlement"));
        }
        other => panic!("{other:?}"),
    }
    let stolen = OpenSession { authority: None, ..session.clone() };
    match payer(&world, &stolen).get(shop.weather()).await {
        Err(PayError::NotSettled { answer, .. }) => {
            assert_eq!(answer.error_reason.as_deref(), Some("session_signature_required"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(client(&world).show(&session).await.unwrap().spent.as_deref(), Some("10000"));
    world.finish().await;
}

#[tokio::test]
async fn a_session_without_a_key_is_resumed_by_its_id() {
    let world = World::start().await;
    let (payer_wallet, merchant) = (world.wallet(5_000_000).await, world.wallet(0).await);
    let shop = Shop::start(&world, &merchant.key()).await;
    let mut options = options(&merchant.key(), &shop);
    (options.session_key, options.authorization) = (SessionKeyChoice::None, Authorization::Readable);
    let opened = client(&world).open(&key(&payer_wallet), &options).await.unwrap();
    let resumed = client(&world).resume(opened.id, vec![shop.url.clone()]).await.unwrap();
    assert!(payer(&world, &resumed).get(shop.weather()).await.unwrap().receipt.unwrap().success);
    world.finish().await;
}

/// Gives `first` to the first `POST /sessions`, then lets everything through. It is older than `POST /sessions/prepare`.
async fn hesitating(world: &World, first: Answer) -> StandIn {
    let base = world.running().url.clone();
    let http = world.http.clone();
    let supported = http.get(format!("{base}/supported")).send().await.unwrap().text().await.unwrap();
    let unknown = json(404, &json!({"error": "not_found", "message": "No such route."}));
    StandIn::forwarding(vec![(200, vec![], supported), unknown, first], base, http).await
}

#[tokio::test]
async fn an_opening_that_is_pending_is_repeated_as_it_was() {
    let world = World::start().await;
    let (payer_wallet, merchant) = (world.wallet(5_000_000).await, world.wallet(0).await);
    let shop = Shop::start(&world, &merchant.key()).await;
    let pending = json(503, &json!({"error": "approve_pending", "message": "Soon.", "sessionId": "s"}));
    let facilitator = hesitating(&world, pending).await;
    let client = client_at(&world, &facilitator.url);
    client.open(&key(&payer_wallet), &options(&merchant.key(), &shop)).await.unwrap();
    let asked = facilitator.asked();
    assert_eq!(asked.len(), 4);
    assert_eq!(asked[2].body, asked[3].body);
    assert!(asked[2].body["settleMessage"].as_str().unwrap().starts_with("x402-session:1:"));
    world.finish().await;
}

#[tokio::test]
async fn an_opening_whose_patience_ends_can_be_finished_later() {
    let world = World::start().await;
    let (payer_wallet, merchant) = (world.wallet(5_000_000).await, world.wallet(0).await);
    let shop = Shop::start(&world, &merchant.key()).await;
    let pending = json(503, &json!({"error": "cap_unverified", "message": "Soon."}));
    let facilitator = hesitating(&world, pending).await;
    let client = client_at(&world, &facilitator.url);
    let mut options = options(&merchant.key(), &shop);
    options.patience = Duration::from_millis(1);
    let Err(SessionClientError::Unfinished { opening, .. }) = client.open(&key(&payer_wallet), &options).await else {
        panic!("the patience has ended");
    };
    let session = client.finish(*opening, PATIENCE).await.unwrap();
    assert!(payer(&world, &session).get(shop.weather()).await.unwrap().receipt.unwrap().success);
    world.finish().await;
}

#[tokio::test]
async fn a_payer_with_sol_asks_for_no_grant_and_one_without_may_refuse_one() {
    let world = World::start().await;
    let (rich, poor, merchant) = (world.wallet(5_000_000).await, world.wallet(5_000_000).await, world.wallet(0).await);
    world.net.network().airdrop(&rich.key(), 1_000_000_000).unwrap();
    world.confirmed().await;
    let shop = Shop::start(&world, &merchant.key()).await;
    client(&world).open(&key(&rich), &options(&merchant.key(), &shop)).await.unwrap();
    let left = world.net.network().balance(&rich.key());
    assert!(left < 1_000_000_000, "the user paid the rent of the decrypt allowance: {left}");
    assert_eq!(world.ledger().totals(None).await.unwrap().grants, 0);
    let mut proud = options(&merchant.key(), &shop);
    proud.grant = Grant::Never;
    let refused = client(&world).open(&key(&poor), &proud).await;
    assert!(matches!(refused, Err(SessionClientError::Approve(_))), "{refused:?}");
    world.finish().await;
}

/// Guard: `complete_with_grant`: what is given beyond what is missing would be income.
#[tokio::test]
async fn a_payer_asks_for_what_the_wallet_lacks_and_for_no_lamport_more() {
    let world = World::start().await;
    let (empty, some, merchant) = (world.wallet(5_000_000).await, world.wallet(5_000_000).await, world.wallet(0).await);
    // Enough for the rent of the decrypt allowance, and not enough to stay exempt from rent itself.
    world.net.network().airdrop(&some.key(), 1_000_000).unwrap();
    world.confirmed().await;
    let shop = Shop::start(&world, &merchant.key()).await;
    let (mut granted, mut left) = (Vec::new(), Vec::new());
    for wallet in [&empty, &some] {
        let before = world.ledger().totals(None).await.unwrap().grants;
        client(&world).open(&key(wallet), &options(&merchant.key(), &shop)).await.unwrap();
        granted.push(world.ledger().totals(None).await.unwrap().grants - before);
        left.push(world.net.network().balance(&wallet.key()));
    }
    assert_eq!((&granted[..], &left[..]), (&[960_480, 851_360][..], &[0, 890_880][..]));
    world.finish().await;
}

#[tokio::test]
async fn two_sessions_stay_open_when_the_approve_covers_both() {
    let world = World::start().await;
    let (payer_wallet, merchant) = (world.wallet(5_000_000).await, world.wallet(0).await);
    let shop = Shop::start(&world, &merchant.key()).await;
    let first = client(&world).open(&key(&payer_wallet), &options(&merchant.key(), &shop)).await.unwrap();
    let mut both = options(&merchant.key(), &shop);
    both.approve_total = Some(amount(2_000_000));
    let second = client(&world).open(&key(&payer_wallet), &both).await.unwrap();
    for session in [&first, &second] {
        assert!(payer(&world, session).get(shop.weather()).await.unwrap().receipt.unwrap().success);
    }
    world.finish().await;
}

#[tokio::test]
async fn balances_tell_no_account_no_allowance_and_a_value_apart() {
    let world = World::start().await;
    let owner = world.wallet(290_000).await;
    world.confirmed().await;
    let Balance::Value(holding) = balance(&world, &owner).await else { panic!("a value") };
    assert_eq!((holding.decimal().as_str(), holding.frozen), ("0.29", false));
    let attestation_key = world.net.network().stand_ins().attestation_key();
    let instruction = holding.instruction(&attestation_key);
    assert_eq!(instruction.program_id, solana_sdk_ids::ed25519_program::ID);
    assert_eq!(balance(&world, &world.stranger()).await, Balance::NoAccount);
    // Somebody else's account, asked for with our own key: the handle is known to everybody, the right is not.
    let foreign = world.token_account(&owner.key()).unwrap();
    let mut ours = foreign.clone();
    let stranger = world.stranger();
    ours.owner = stranger.key();
    let address = world.programs.token_account(&stranger.key(), &world.faucet.mint());
    let mut account =
        world.net.network().account(&world.programs.token_account(&owner.key(), &world.faucet.mint())).unwrap();
    account.data = ours.encode();
    world.net.network().put_account(address, account);
    world.confirmed().await;
    assert_eq!(balance(&world, &stranger).await, Balance::NoDecryptAllowance { handle: foreign.amount });
    world.finish().await;
}

#[tokio::test]
async fn a_watched_balance_is_told_again_when_it_changes() {
    let world = World::start().await;
    let owner = world.wallet(100).await;
    world.confirmed().await;
    let mut told = Vec::new();
    let watch = reader(&world);
    let (owner_key, mint) = (key(&owner), world.faucet.mint());
    let watching = watch.watch(&owner_key, &mint, Duration::from_millis(200), |balance| {
        if let Balance::Value(holding) = balance {
            told.push(holding.attested.plaintext);
        }
        if told.len() == 1 {
            world.faucet.fund(&owner.key(), 50).unwrap();
        }
        if told.len() < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    in_time("it is told twice", watching).await.unwrap();
    assert_eq!(told, [100, 150]);
    world.finish().await;
}

/// Guard: the re-proof in `Payer::fetch`. A proof that the payer's own debit made void is replaced by the payer.
#[tokio::test]
async fn a_payer_whose_own_debit_voided_a_proof_proves_again() {
    let world = World::with(Options::settings(|settings| {
        settings.funding.policy = FundingPolicy::Required;
        settings.funding.interval = Duration::from_millis(150);
    }))
    .await;
    let (wallet, merchant, friend) = (world.wallet(5_000_000).await, world.wallet(0).await, world.wallet(0).await);
    let shop = Shop::start(&world, &merchant.key()).await;
    let prover = Prover::new(reader(&world), Duration::from_secs(5));
    let client = client(&world).proving(prover.clone());
    let session = client.open(&key(&wallet), &options(&merchant.key(), &shop)).await.unwrap();
    let signer: Arc<dyn PayerSigner> = Arc::new(key(&wallet));
    let payer = payer(&world, &session).proving(prover, signer);
    payer.get(shop.weather()).await.unwrap();

    let mut news = listen(&session, None, &SystemClock).await.unwrap();
    world.lands(world.transfer_by_owner(&wallet, &friend.key(), 1_000_000));
    let void = async {
        loop {
            let one = news.next().await.unwrap().expect("the session is open");
            if one.event == "funding" {
                return one.body.funding;
            }
        }
    };
    let told = in_time("the debit is noticed", void).await;
    assert_eq!(told.as_deref(), Some("unproven"));
    // Reading one's balance needs a decrypt allowance, which the debit did not buy.
    world.faucet.fund(&wallet.key(), 0).unwrap();
    world.confirmed().await;
    let fetched = payer.get(shop.weather()).await.unwrap();
    let receipt = fetched.receipt.unwrap();
    assert!(receipt.success);
    assert_eq!(receipt.extensions.unwrap().session.unwrap().funding.as_deref(), Some("proven"));
    assert_eq!(units(&balance(&world, &merchant).await), 2 * u128::from(PRICE));

    let id = payment(&session, "no-such-payment", &SystemClock).await.unwrap_err();
    assert!(matches!(id, FollowError::Refused(_)), "{id:?}");
    let closed = close(&session, world.chance.as_ref()).await.unwrap();
    assert_eq!(closed.session.captured.as_deref(), Some("20000"));
    world.finish().await;
}
