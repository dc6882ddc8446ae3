//! A facilitator with everything real behind it (a ledger file, RPC, an embedded network), asked through its router.
//!
//! The cap check and decrypt allowances are off: what they do is tested where they are made; here they would only
//! make every case slower.

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use solana_keypair::{Keypair, Signer as _};
use solana_message::{Message, VersionedMessage};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    api::{self, ApiSettings},
    chain::{
        keys::{LocalSigner, Signer},
        rpc::{ChainSettings, SolanaChain},
        transaction::SettleInstruction,
    },
    covalidator::HttpCovalidator,
    domain::{
        amount::Amount,
        budget::Budgets,
        chance::{Chance, OsChance},
        clock::{Clock, SystemClock},
        intent::Intent,
        network::Network,
        payment::PaymentLimits,
        revocation::RevocationLimits,
        session::Delegation,
    },
    facilitator::{
        AllowancePolicy, AllowanceSettings, BackgroundSettings, CapCheckPolicy, DeferredPolicy, DispatchSettings,
        Facilitator, FundingSettings, HandleReport, InstructionChoice, Keys, OpeningSettings, Ports, PrepareSettings,
        ReadPolicy, ReceiptKeys, RecipientSettings, ServedAsset, Settings, TransferSettings, WaitingSettings,
    },
    ledger::{LedgerOptions, SqliteLedger},
    localnet::{
        Localnet, LocalnetConfig, Slots,
        faucet::{DEMO_DECIMALS, Faucet, FaucetConfig},
    },
    programs::{Programs, ciphertext},
};
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;
use tower::ServiceExt as _;

/// What the user has, and the default cap, in base units.
pub(crate) const UNITS: u64 = 1_000_000;
/// The limit of one call.
pub(crate) const MAX_PER_CALL: u64 = 100_000;

/// Everything, running.
pub(crate) struct ApiBench {
    pub(crate) router: Router,
    pub(crate) facilitator: Arc<Facilitator>,
    pub(crate) localnet: Localnet,
    pub(crate) user: Keypair,
    pub(crate) seller: Pubkey,
    pub(crate) asset: Pubkey,
    pub(crate) spender: Pubkey,
    programs: Programs,
    files: TempDir,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

fn amount(units: u64) -> Amount {
    Amount::new(units).unwrap()
}

/// What the bench's facilitator is told; quotas are small enough to be reached.
fn settings(
    network: Network,
    programs: Programs,
    asset: Pubkey,
    encryption_key: ciphertext::EncryptionKey,
) -> Settings {
    Settings {
        served: ServedAsset { network, programs, asset, decimals: DEMO_DECIMALS, encryption_key, mpp: None },
        openings: OpeningSettings {
            max_session_seconds: 30 * 24 * 3_600,
            max_grant: 3_000_000,
            grants_per_user_per_day: u64::MAX,
            grants_per_user_per_month: u64::MAX,
            unproven_grants_per_hour: u64::MAX,
            sessions_per_user_per_hour: 3,
            sessions_per_merchant_per_hour: 100,
            sessions_per_hour: 100,
            sponsor_account_creation: false,
            cap_check: CapCheckPolicy::Off,
            cap_check_deadline: Duration::from_secs(2),
            drain_deadline: Duration::from_secs(10),
            max_approve_units: 400_000,
            prepares: PrepareSettings { at_once: 4, per_second: None, rest: Duration::ZERO },
            revocations: RevocationLimits::DEFAULT,
        },
        recipients: RecipientSettings::default(),
        transfers: TransferSettings {
            settle_instruction: InstructionChoice::Fixed(SettleInstruction::TransferWithAuthorization),
            compute_unit_margin: 20,
            max_priority_fee: 50_000,
            unproven_exposure: amount(UNITS),
            delegation: Delegation::Public,
            decrypt_allowance: AllowancePolicy::Never,
            finality_after: Duration::from_millis(200),
            absence_patience: Duration::from_mins(10),
            one_voice_exposure: Amount::new(100_000_000).unwrap(),
            held_again: Duration::from_mins(1),
            single_payments: true,
        },
        payments: PaymentLimits {
            max_per_call: amount(MAX_PER_CALL),
            min_per_call: Amount::ZERO,
            unverified_exposure: amount(UNITS),
        },
        waiting: WaitingSettings::default(),
        answer_deadline: Duration::from_secs(30),
        deferred: DeferredPolicy::default(),
        reads: ReadPolicy::default(),
        allowances: AllowanceSettings::default(),
        dispatch: DispatchSettings::default(),
        background: BackgroundSettings { round: Duration::from_secs(1), archive_after: None },
        low_balance: 10_000_000,
        budgets: Budgets::default(),
        funding: FundingSettings::default(),
    }
}

impl ApiBench {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// The ledger's file, as another program sees it.
    pub(crate) fn ledger_file(&self) -> std::path::PathBuf {
        self.files.path().join("ledger.db")
    }

    /// Starts with other settings of the edge.
    pub(crate) async fn with(change: impl FnOnce(&mut ApiSettings)) -> Self {
        Self::with_queue(LedgerOptions::default().queue, change).await
    }

    /// Starts with room for so many verbs in the ledger's queue.
    pub(crate) async fn with_queue(queue: usize, change: impl FnOnce(&mut ApiSettings)) -> Self {
        let slots = Slots::Every(Duration::from_millis(20));
        let localnet = Localnet::start(LocalnetConfig { slots, ..LocalnetConfig::default() }).await.unwrap();
        let programs = Programs::default();
        let chance: Arc<dyn Chance> = Arc::new(OsChance);
        let encryption_key = localnet.network().stand_ins().encryption_key();
        let faucet = Faucet::open(
            Arc::new(localnet.network().clone()),
            FaucetConfig { programs, encryption_key, mint: [40; 32], authority: [41; 32], chance: Arc::clone(&chance) },
        )
        .unwrap();
        let (user, seller) = (Keypair::new_from_array([7; 32]), Keypair::new_from_array([8; 32]).pubkey());
        localnet.network().airdrop(&user.pubkey(), 1_000_000_000).unwrap();
        faucet.fund(&user.pubkey(), UNITS).unwrap();
        faucet.fund(&seller, 1).unwrap();
        let signer: Arc<dyn Signer> = Arc::new(LocalSigner::from_seed(&[9; 32]));
        localnet.network().airdrop(&signer.pubkey(), 10_000_000_000).unwrap();
        // Confirmed from here on, whatever the slots' own pace.
        localnet.tick_slots(2);

        let files = tempfile::tempdir().unwrap();
        let ledger =
            SqliteLedger::open(&files.path().join("ledger.db"), &LedgerOptions { queue, ..LedgerOptions::default() })
                .await
                .unwrap();
        let chain = SolanaChain::start(ChainSettings::new(localnet.rpc_url(), Some(localnet.ws_url()))).unwrap();
        let covalidator =
            HttpCovalidator::new("http://127.0.0.1:9", Pubkey::default(), Duration::from_secs(1)).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ports = Ports {
            ledger: Arc::new(ledger),
            chain: Arc::new(chain),
            covalidator: Arc::new(covalidator),
            clock,
            chance: Arc::clone(&chance),
        };
        let network = Network::local(&localnet.genesis_hash(), &["solana:devnet".to_owned()]);
        let keys = Keys {
            spender: Arc::clone(&signer),
            fee_payer: Arc::clone(&signer),
            further_fee_payers: Vec::new(),
            receipts: ReceiptKeys::default(),
        };
        let settings = settings(network, programs, faucet.mint(), encryption_key);
        let asset = settings.served.asset;
        let spender = signer.pubkey();
        let facilitator = Facilitator::new(ports, keys, settings);
        facilitator.apply_handles(HandleReport { are_derived: true, are_lowered: false });
        facilitator.recover().await.unwrap();
        let mut edge = ApiSettings::new(chance);
        change(&mut edge);
        let router = api::router(Arc::clone(&facilitator), &edge);
        Self { router, facilitator, localnet, user, seller, asset, spender, programs, files }
    }

    /// Sends one request and checks the answer against the API document.
    pub(crate) async fn ask(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: Body) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if let Some(path) = documented_path(uri)
            && method != "OPTIONS"
        {
            let documented =
                if parts.status == StatusCode::METHOD_NOT_ALLOWED { documented_method(path) } else { method };
            crate::openapi::check_answer(path, documented, parts.status.as_u16(), &body);
        }
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.ask("GET", uri, &[], Body::empty()).await
    }

    pub(crate) async fn post(&self, uri: &str, body: &Value) -> Answer {
        self.post_bytes(uri, body.to_string()).await
    }

    pub(crate) async fn post_bytes(&self, uri: &str, body: impl Into<Bytes>) -> Answer {
        self.ask("POST", uri, &[], Body::from(body.into())).await
    }

    /// Lands the user's own approve of `cap` for the spender; gives its signature.
    pub(crate) fn approve(&self, cap: u64) -> Signature {
        let network = self.localnet.network();
        let key = network.stand_ins().encryption_key();
        let ciphertext = ciphertext::encrypt(&key, cap.into(), &OsChance);
        let user = self.user.pubkey();
        let source = self.programs.token_account(&user, &self.asset);
        let approve =
            self.programs.approve_checked(&source, &self.asset, &self.spender, &user, &ciphertext, DEMO_DECIMALS, None);
        let message = Message::new_with_blockhash(&[approve], Some(&user), &network.latest_blockhash());
        let transaction = VersionedTransaction::try_new(VersionedMessage::Legacy(message), &[&self.user]).unwrap();
        let signature = network.send(transaction).unwrap();
        self.localnet.tick_slots(2);
        signature
    }

    /// A body that opens a session of `cap` over an approve on chain.
    pub(crate) fn opening(&self, cap: u64, nonce: &str, session_key: Option<Pubkey>, approve: &Signature) -> Value {
        self.opening_on((cap, None), nonce, session_key, approve)
    }

    /// Like [`ApiBench::opening`], of a cap out of a total that the intent names.
    pub(crate) fn opening_on(
        &self,
        (cap, total): (u64, Option<u64>),
        nonce: &str,
        session_key: Option<Pubkey>,
        approve: &Signature,
    ) -> Value {
        let intent = Intent {
            approved: total.map(amount),
            asset: self.asset,
            cap: amount(cap),
            expires_at: SystemClock.now() + 3_600,
            network: "solana:devnet".to_owned(),
            nonce: nonce.to_owned(),
            recipient: self.seller,
            spender: self.spender,
            user: self.user.pubkey(),
            session_key,
        };
        let bytes = intent.to_bytes();
        json!({
            "user": intent.user.to_string(), "asset": intent.asset.to_string(), "recipient": intent.recipient.to_string(),
            "cap": intent.cap.to_string(), "expirationUnix": intent.expires_at, "network": intent.network,
            "approveTxSignature": approve.to_string(), "authMessage": STANDARD.encode(&bytes),
            "authSignature": STANDARD.encode(self.user.sign_message(&bytes)),
        })
    }

    /// Opens a session over HTTP; gives its id.
    pub(crate) async fn open(&self, cap: u64, nonce: &str, session_key: Option<Pubkey>) -> String {
        let approve = self.approve(cap);
        let answer = self.post("/sessions", &self.opening(cap, nonce, session_key, &approve)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body["sessionId"].as_str().unwrap().to_owned()
    }

    /// A `/verify` or `/settle` body.
    pub(crate) fn payment(&self, session: &str, units: u64, nonce: Option<&str>) -> Value {
        let offer = json!({
            "scheme": "session", "network": "solana:devnet", "amount": units.to_string(), "asset": self.asset.to_string(),
            "payTo": self.seller.to_string(), "maxTimeoutSeconds": 20,
        });
        json!({
            "x402Version": 2,
            "paymentPayload": {
                "x402Version": 2, "accepted": offer, "resource": {},
                "payload": {"sessionId": session, "amount": units.to_string(), "nonce": nonce},
            },
            "paymentRequirements": offer,
        })
    }
}

fn documented_path(uri: &str) -> Option<&'static str> {
    let path = uri.split('?').next().unwrap_or(uri);
    let known = api::served().into_iter().map(|(_, known)| known).find(|known| *known == path);
    known.or_else(|| {
        path.strip_prefix("/sessions/").filter(|id| !id.is_empty() && !id.contains('/')).map(|_| "/sessions/{id}")
    })
}

fn documented_method(path: &str) -> &'static str {
    api::served().into_iter().find(|(_, known)| *known == path).map_or("GET", |(method, _)| method)
}
