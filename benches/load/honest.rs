//! Honest payers at a leisurely pace, and what they hear: how long a payment takes, and who was refused with which word.

use crate::{
    Outcome,
    bodies::{Nonces, Terms},
    doors::{self, Door, Told},
    payers::explained,
    stage::{self, Server, Stage},
};
use futures_util::{StreamExt as _, future::join_all, stream};
use sotto::{
    client::{LocalKey, OpenOptions, Prover, SessionClient, SessionKeyChoice},
    domain::{amount::Amount, chance::OsChance, clock::SystemClock},
};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

/// Base units that each payer gets, and may spend.
pub const MEANS: u64 = 1_000_000_000;
/// What a call costs, in base units.
const PRICE: u64 = 1_000;
const AT_ONCE: usize = 8;
const PATIENCE: Duration = Duration::from_mins(1);
/// Before a payment whose outcome is not known is asked for again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long its payer goes on asking.
const LONGEST: Duration = Duration::from_mins(2);

/// What a payer and a merchant have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Per call, with a proof of the balance: what our client sends.
    Proven,
    /// Per call, without: what published clients send.
    Unproven,
    /// Promised, by payers without a proof.
    Deferred,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Proven, Self::Unproven, Self::Deferred];

    pub const fn words(self) -> &'static str {
        match self {
            Self::Proven => "per call, with a proof",
            Self::Unproven => "per call, without a proof",
            Self::Deferred => "deferred, without a proof",
        }
    }
}

pub struct Payer {
    kind: Kind,
    session: String,
    terms: Terms,
    facilitator: SocketAddr,
    /// The merchant's server, which asks the facilitator.
    shop: reqwest::Client,
}

/// What honest payers heard.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Of payments that were paid.
    latencies: BTreeMap<Kind, Vec<Duration>>,
    pub paid: u64,
    /// Answers of payments that were not, by status and word.
    pub refused: BTreeMap<String, u64>,
    /// Refused with 429 and told when to come back.
    pub told_to_wait: u64,
    /// Refused in any other way, or not answered.
    pub turned_away: u64,
}

impl Heard {
    /// What this share of the payments of a kind stays within, in milliseconds.
    pub fn percentile(&self, kind: Kind, share: f64) -> f64 {
        let Some(all) = self.latencies.get(&kind) else { return f64::NAN };
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index into the run's own list"
        )]
        let at = (all.len() as f64 * share) as usize;
        all.get(at.min(all.len().saturating_sub(1))).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
    }

    pub fn asked(&self) -> u64 {
        self.paid + self.told_to_wait + self.turned_away
    }

    fn take(&mut self, other: Self) {
        for (kind, latencies) in other.latencies {
            self.latencies.entry(kind).or_default().extend(latencies);
        }
        for (word, count) in other.refused {
            *self.refused.entry(word).or_default() += count;
        }
        self.paid += other.paid;
        self.told_to_wait += other.told_to_wait;
        self.turned_away += other.turned_away;
    }
}

/// Opens `each` sessions of every kind, each from an address of its own.
pub async fn settle_in(stage: &Stage, server: &Server, merchants: &[LocalKey], each: usize) -> Outcome<Vec<Payer>> {
    let all = Kind::ALL.into_iter().flat_map(|kind| (0..each).map(move |_| kind)).enumerate();
    let opening = all.map(|(number, kind)| async move {
        let shop = number % merchants.len();
        let merchant = merchants.get(shop).ok_or("no merchant")?;
        let session = open(stage, server, merchant, kind, number).await?;
        let terms =
            Terms { asset: stage.mint()?, pay_to: merchant.pubkey(), amount: PRICE, deferred: kind == Kind::Deferred };
        let shop = doors::client(Ipv4Addr::new(127, 0, 2, u8::try_from(shop + 1)?))?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Payer {
            kind,
            session,
            terms,
            facilitator: server.address,
            shop,
        })
    });
    let opened: Vec<_> = stream::iter(opening).buffer_unordered(AT_ONCE).collect().await;
    opened.into_iter().collect()
}

/// Opens a session of a new payer; gives its id.
pub async fn open(stage: &Stage, server: &Server, merchant: &LocalKey, kind: Kind, number: usize) -> Outcome<String> {
    let [high, low] = u16::try_from(number)?.to_be_bytes();
    let door = Door::open(Ipv4Addr::new(127, 1, high, low), server.address).await?;
    let wallet = stage::wallet();
    stage.fund(&wallet.pubkey(), MEANS).await?;
    // The approve is simulated on a confirmed state, which has to know the gift.
    tokio::time::sleep(stage.slot * 3).await;
    let settings = stage.payer_settings(door.address)?;
    let client = SessionClient::new(settings, stage.payer_rpc(), Arc::new(SystemClock), Arc::new(OsChance))?;
    let client = if kind == Kind::Proven { client.proving(Prover::new(stage.reader()?, PATIENCE)) } else { client };
    let options = OpenOptions {
        session_key: SessionKeyChoice::None,
        patience: Duration::from_secs(10),
        ..OpenOptions::new(merchant.pubkey(), Amount::new(MEANS).ok_or("means")?, Duration::from_hours(24))
    };
    let session = client.open(&wallet, &options).await.map_err(|error| explained(&error))?;
    Ok(session.id.to_string())
}

/// All of them pay once in `pause` for so long.
pub async fn pay(payers: &[Payer], lasts: Duration, pause: Duration) -> Heard {
    let (begin, count) = (Instant::now(), u32::try_from(payers.len()).unwrap_or(u32::MAX));
    let each = payers.iter().zip(0..count).map(|(payer, number)| async move {
        let mut heard = Heard::default();
        // One after the other, so that they do not come in volleys.
        let mut due = begin + pause * number / count;
        while due < begin + lasts {
            tokio::time::sleep_until(due.into()).await;
            payer.pay(&mut heard).await;
            due = (due + pause).max(Instant::now());
        }
        heard
    });
    let mut all = Heard::default();
    for heard in join_all(each).await {
        all.take(heard);
    }
    all.latencies.values_mut().for_each(|latencies| latencies.sort_unstable());
    all
}

/// One payer without a pause, until this moment.
pub async fn pay_without_pause(payer: &Payer, until: Instant) -> Heard {
    let mut heard = Heard::default();
    while Instant::now() < until {
        payer.pay(&mut heard).await;
        if heard.told_to_wait + heard.turned_away > 0 {
            tokio::time::sleep(PAUSE * 10).await;
        }
    }
    heard
}

impl Payer {
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Makes one payment, and asks for it under its nonce until it is known what became of it.
    async fn pay(&self, heard: &mut Heard) {
        let (began, body) = (Instant::now(), self.terms.body(&self.session, &Nonces::Scattered.draw(&OsChance)));
        loop {
            let Told { status, retry_after, answer } = doors::settle(&self.shop, self.facilitator, body.clone()).await;
            let word = answer["errorReason"].as_str().unwrap_or("no answer");
            // The second word is that of a payment whose first answer was lost.
            if answer["success"] == true || word == "duplicate_settlement" {
                heard.paid += 1;
                heard.latencies.entry(self.kind).or_default().push(began.elapsed());
                return;
            }
            if word == "settlement_pending" && began.elapsed() < LONGEST {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            *heard.refused.entry(format!("{status} {word}")).or_default() += 1;
            if status == 429 && retry_after.is_some() {
                heard.told_to_wait += 1;
            } else {
                heard.turned_away += 1;
            }
            return;
        }
    }
}
