//! The Machine Payments Protocol beside the sessions: buyers who charge and buyers with channels, all of whom repeat what they
//! asked for until they are told, through the same kills and the same weather.
//!
//! Steady buyers charge, draw, close their channels or leave them lying; leaving ones take everything back from time to time and come
//! again; draining ones move their money away behind the facilitator's back, and revoking ones take the grant back. Every answer is
//! kept, so that the books (`books.rs`) can compare it with the ledger and the chain.

mod books;
mod channels;
mod charges;
mod desk;
mod grants;
mod hostile;
mod ledger;
mod operator;
mod totals;

pub use books::Watch;
pub use operator::HELD;
pub use totals::Totals;

use crate::{
    Outcome,
    dice::Dice,
    mpp_wallet,
    payment::Counter,
    stage::{self, Stage},
};
use charges::Charge;
use desk::Desk;
use serde_json::json;
use solana_pubkey::Pubkey;
use sotto::client::LocalKey;
use std::sync::Arc;
use tokio::{sync::RwLock, task::JoinHandle};

/// Base units of cash that each buyer has.
pub const MEANS: u64 = 4_000_000_000;
/// Of them, how many are in the session account, and what the grant is for.
const DEPOSIT: u64 = 2_000_000_000;
/// Sellers, each of whom takes charges and channels.
const SELLERS: usize = 2;
/// How many channels a buyer has under way at once.
const STREAMS: usize = 2;

/// What a buyer is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Pays what is owed.
    Steady,
    /// And takes everything back now and then, and comes again.
    Leaving,
    /// Moves the money away while channels are open.
    Draining,
    /// Takes the grant back while channels are open.
    Revoking,
}

impl Nature {
    const ALL: [Self; 4] = [Self::Steady, Self::Leaving, Self::Draining, Self::Revoking];

    /// Whether nothing may ever be missing of what such a buyer owes.
    pub const fn is_honest(self) -> bool {
        matches!(self, Self::Steady | Self::Leaving)
    }
}

/// Buyers and sellers at work.
pub struct Market {
    desk: Arc<Desk>,
    tasks: Vec<JoinHandle<()>>,
}

impl Market {
    /// Gives so many buyers their money and sets them to work.
    pub async fn gather(stage: &Stage, counter: Counter, buyers: usize, dice: &mut Dice) -> Outcome<Self> {
        let mint = mpp_wallet::mint(stage).await?;
        let sellers: Vec<Pubkey> = (0..SELLERS).map(|_| stage::wallet().pubkey()).collect();
        for seller in &sellers {
            stage.ask("localnet_fundToken", json!([seller.to_string(), 0])).await?;
        }
        let desk = Arc::new(Desk::new(stage, counter, mint, sellers)?);
        let mut market = Self { desk, tasks: Vec::new() };
        for (_, nature) in (0..buyers).zip(Nature::ALL.into_iter().cycle()) {
            if nature.is_honest() {
                market.joins(stage, nature, dice).await?;
            } else {
                let work = hostile::Hostile::new(Arc::clone(&market.desk), nature, dice.child()).work();
                market.tasks.push(tokio::spawn(work));
            }
        }
        Ok(market)
    }

    /// An honest buyer, who has no SOL.
    async fn joins(&mut self, stage: &Stage, nature: Nature, dice: &mut Dice) -> Outcome<()> {
        let wallet = Arc::new(stage::wallet());
        stage.ask("localnet_fundToken", json!([wallet.pubkey().to_string(), MEANS])).await?;
        self.desk.kept().buyers.push((wallet.pubkey(), nature));
        let quiet = Arc::<RwLock<()>>::default();
        let charger = charges::Charger::new(Arc::clone(&self.desk), Arc::clone(&wallet), dice.child());
        self.tasks.push(tokio::spawn(charger.work()));
        let grants = grants::Grants::new(Arc::clone(&self.desk), Arc::clone(&wallet), nature);
        // Held until the grant stands, so that no channel is asked for before.
        let first = Arc::clone(&quiet).write_owned().await;
        self.tasks.push(tokio::spawn(grants.work(first, Arc::clone(&quiet), dice.child())));
        for _ in 0..STREAMS {
            let streamer = channels::Streamer::new(Arc::clone(&self.desk), Arc::clone(&wallet), nature, dice.child());
            self.tasks.push(tokio::spawn(streamer.work(Arc::clone(&quiet))));
        }
        Ok(())
    }

    /// What is watched after each kill.
    pub fn watch(&self) -> Watch {
        Watch { desk: Arc::clone(&self.desk) }
    }

    /// Waits until everybody has finished what they are at.
    pub async fn go_home(&mut self) {
        self.desk.stop();
        for task in self.tasks.drain(..) {
            if task.await.is_err() {
                self.desk.kept().broken.push("a buyer's work panicked".to_owned());
            }
        }
    }

    /// Asks once more for everything that was asked for, now that all is settled: the last answers are the ones that count.
    pub async fn ask_again(&self) {
        charges::ask_again(&self.desk).await;
        channels::ask_again(&self.desk).await;
    }
}

/// What was told, in order.
#[derive(Default)]
struct Kept {
    buyers: Vec<(Pubkey, Nature)>,
    charges: Vec<Charge>,
    channels: Vec<channels::Channel>,
    totals: Totals,
    /// What must not be.
    broken: Vec<String>,
}

/// A wallet that several tasks sign with.
type Wallet = Arc<LocalKey>;
