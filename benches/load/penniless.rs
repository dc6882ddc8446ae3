//! Wallets without a token: their transfers land, move nothing and cost the sponsor what any others do. They open sessions as
//! often as they may, for recipients whose accounts are missing and for the merchant of the others, ask for every grant, and
//! have as many payments wait as they can. On a thread of its own of the lowest priority, so that they ask as often as they can
//! and take no time from the facilitator and from those who are measured: elsewhere they would have machines of their own.

use crate::{
    Outcome,
    bodies::{Nonces, Terms},
    doors::{self, Door},
    stage::{self, Server, Stage},
};
use futures_util::future::join_all;
use solana_pubkey::Pubkey;
use sotto::{
    client::{Grant, LocalKey, OpenOptions, SessionClient, SessionClientError, SessionKeyChoice, Settings, SolanaRpc},
    domain::{amount::Amount, chance::OsChance, clock::SystemClock},
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::task::LocalSet;

pub const WALLETS: usize = 100;
pub const ADDRESSES: usize = 20;
/// Payments of each that are under way at once; all of them together are more than the facilitator lets wait.
const AT_ONCE: usize = 16;
/// Base units of a payment: the most that one call may cost by default.
const PRICE: u64 = 1_000_000;
const CAP: u64 = 100_000_000_000;
/// How long a session is used before another is opened in its place.
const LASTS: Duration = Duration::from_secs(20);
/// After a refusal; nobody of them minds `Retry-After`.
const PAUSE: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_secs(5);

/// What they came to.
#[derive(Default)]
pub struct Loot {
    pub opened: u64,
    /// Payments that were told as paid, and what else was told, by status and word.
    pub paid: u64,
    pub refused: BTreeMap<String, u64>,
}

pub struct Gang {
    working: JoinHandle<Outcome<Loot>>,
}

struct Thief {
    wallet: LocalKey,
    recipient: Option<Pubkey>,
    facilitator: SocketAddr,
    asset: Pubkey,
    source: Ipv4Addr,
    http: reqwest::Client,
    settings: Settings,
    rpc: Arc<SolanaRpc>,
    until: Instant,
}

/// Wallets with an empty token account, so that an approve is possible.
pub async fn wallets(stage: &Stage, count: usize) -> Outcome<Vec<LocalKey>> {
    let wallets: Vec<_> = (0..count).map(|_| stage::wallet()).collect();
    for wallet in &wallets {
        stage.ask("localnet_fund", serde_json::json!([wallet.pubkey().to_string(), 0])).await?;
    }
    Ok(wallets)
}

impl Gang {
    /// Sets them to work for so long; every other one of them has its sessions pay `victim`.
    pub fn gather(
        stage: &Stage,
        server: &Server,
        wallets: &[LocalKey],
        victim: Pubkey,
        lasts: Duration,
    ) -> Outcome<Self> {
        let mut thieves = Vec::new();
        for (number, wallet) in wallets.iter().enumerate() {
            let source = Ipv4Addr::new(127, 3, 0, u8::try_from(number % ADDRESSES + 1)?);
            thieves.push(Thief {
                wallet: wallet.clone(),
                recipient: (number % 2 == 1).then_some(victim),
                facilitator: server.address,
                asset: stage.mint()?,
                source,
                http: doors::client(source)?,
                settings: stage.payer_settings(server.address)?,
                rpc: stage.payer_rpc(),
                until: Instant::now() + lasts,
            });
        }
        let working = std::thread::Builder::new().name("thieves".to_owned()).spawn(move || all(thieves))?;
        Ok(Self { working })
    }

    /// Waits until the last of them has an answer.
    pub fn disperse(self) -> Outcome<Loot> {
        self.working.join().map_err(|_| "the thieves panicked")?
    }
}

fn all(thieves: Vec<Thief>) -> Outcome<Loot> {
    // Of this thread alone, where threads have priorities.
    rustix::process::nice(19)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let loot = Rc::<RefCell<Loot>>::default();
    let together = LocalSet::new();
    for thief in thieves {
        let loot = loot.clone();
        together.spawn_local(async move { thief.work(&loot).await });
    }
    runtime.block_on(together);
    Ok(loot.take())
}

impl Thief {
    async fn work(self, loot: &RefCell<Loot>) {
        let mut session = None;
        while Instant::now() < self.until {
            match self.opens().await {
                Ok(opened) => {
                    loot.borrow_mut().opened += 1;
                    session = Some(opened);
                }
                Err(word) => *loot.borrow_mut().refused.entry(format!("opening: {word}")).or_default() += 1,
            }
            let Some((session, recipient)) = session.clone() else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let until = self.until.min(Instant::now() + LASTS);
            join_all((0..AT_ONCE).map(|caller| self.pays(&session, recipient, caller, until, loot))).await;
        }
    }

    /// Opens a session with all that can be asked for; gives its id and whom it pays, or the word of its refusal.
    async fn opens(&self) -> Result<(String, Pubkey), String> {
        let said = |error: &dyn std::error::Error| error.to_string();
        let door = Door::open(self.source, self.facilitator).await.map_err(|error| error.to_string())?;
        let settings = Settings { facilitator: format!("http://{}", door.address), ..self.settings.clone() };
        let client = SessionClient::new(settings, self.rpc.clone(), Arc::new(SystemClock), Arc::new(OsChance));
        let client = client.map_err(|error| said(&error))?;
        let recipient = self.recipient.unwrap_or_else(|| stage::wallet().pubkey());
        let cap = Amount::new(CAP).ok_or("no amount")?;
        let options = OpenOptions {
            session_key: SessionKeyChoice::None,
            grant: Grant::Always,
            patience: PATIENCE,
            ..OpenOptions::new(recipient, cap, Duration::from_hours(24))
        };
        match client.open(&self.wallet, &options).await {
            Ok(session) => Ok((session.id.to_string(), recipient)),
            Err(SessionClientError::Refused(refusal)) => Err(refusal.error),
            Err(SessionClientError::Unfinished { last, .. }) => Err(match *last {
                SessionClientError::Refused(refusal) => refusal.error,
                other => said(&other),
            }),
            Err(other) => Err(said(&other)),
        }
    }

    /// One payment after the other.
    async fn pays(&self, session: &str, recipient: Pubkey, caller: usize, until: Instant, loot: &RefCell<Loot>) {
        let terms = Terms { asset: self.asset, pay_to: recipient, amount: PRICE, deferred: caller % 4 == 3 };
        while Instant::now() < until {
            let body = terms.body(session, &Nonces::Scattered.draw(&OsChance));
            let told = doors::settle(&self.http, self.facilitator, body).await;
            if told.answer["success"] == true {
                loot.borrow_mut().paid += 1;
                // Promises are answered at once, and no more of them than one every so often are of use.
                let pause = if terms.deferred { PAUSE } else { Duration::ZERO };
                tokio::time::sleep(pause).await;
                continue;
            }
            let word = told.answer["errorReason"].as_str().unwrap_or("no answer");
            *loot.borrow_mut().refused.entry(format!("{} {word}", told.status)).or_default() += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
}
