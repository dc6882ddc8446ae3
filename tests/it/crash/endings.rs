//! The crash loop over what a session can come to: opened with a proof of the balance or on an approve that is on chain,
//! superseded by another opening, left behind by one that is rejected, closed with a promise, revoked with a promise that
//! is then lost; and all the while the background rounds and the monitor of a process that has recovered.
//!
//! The process dies at the first call of each name, before and after the call's effect. (Rounds make the number of calls
//! differ from run to run, so that they cannot be counted here.)

use super::{
    PRICE, PURSE,
    fate::{Fate, Last},
    lives, process, wait_until_settled,
};
use crate::support::{
    Engine, Opening, Options, Wallet, World, changed,
    engine::{cases, each_engine},
    payment_in, quiet,
};
use solana_signature::Signature;
use sotto::{
    domain::{
        amount::Amount,
        funding::FundingProof,
        session::{Session, SessionState},
        signed,
    },
    facilitator::{AllowancePolicy, ApproveSource, CloseRequest, DeferredPolicy, Facilitator, OpenRequest, Settings},
    ledger::Ledger,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

each_engine! { cases
    a_process_that_dies_while_sessions_end_loses_and_repeats_nothing,
}

/// Nothing but its end settles what is promised in a session, and one settlement that fails is the last.
fn settings(settings: &mut Settings) {
    settings.transfers.decrypt_allowance = AllowancePolicy::Never;
    settings.transfers.max_priority_fee = 5;
    settings.funding.interval = Duration::from_millis(150);
    settings.deferred = DeferredPolicy {
        amount: Amount::MAX,
        count: u64::MAX,
        age_seconds: 100_000,
        give_up_returns: 1,
        ..DeferredPolicy::default()
    };
    super::bound(settings);
}

fn options(engine: Engine) -> Options {
    Options::settings(settings).on(engine)
}

/// What one life works with. The second merchant has no token account yet.
struct Story {
    payer: Wallet,
    merchants: [Wallet; 2],
    expires_at: u64,
    proof: FundingProof,
    ledger: Arc<dyn Ledger>,
}

impl Story {
    async fn set(world: &World, name: &str) -> Self {
        let (payer, merchants) = (world.wallet(PURSE).await, [world.wallet(0).await, world.stranger()]);
        let value = world.attested(&payer).await;
        let proof = FundingProof { handle: value.handle, plaintext: value.plaintext, signature: value.signature };
        let (expires_at, ledger) = (world.now() + 3_600, world.open_ledger(name).await);
        Self { payer, merchants, expires_at, proof, ledger }
    }

    /// The intent of every life.
    fn opening(&self, world: &World, number: usize, approved: u64) -> Opening {
        let merchant = &self.merchants[usize::from(number > 1)];
        let mut opening = world.opening(&self.payer, &merchant.key(), 10_000);
        opening.intent.nonce = request_nonce(number);
        opening.intent.expires_at = self.expires_at;
        opening.approved = approved;
        opening
    }

    async fn opens(&self, world: &World, process: &Arc<Facilitator>, number: usize, approved: u64) -> Option<Session> {
        let mut request = world.open_request(&self.opening(world, number, approved)).await;
        if number == 1 {
            request.funding = Some(self.proof);
        }
        match process.open_session(request).await {
            Ok(session) => Some(session),
            // One that has ended in an earlier life is refused, and the story goes on.
            Err(_) => self
                .known(number)
                .await
                .filter(|session| !matches!(session.state, SessionState::Opening | SessionState::Rejected(_))),
        }
    }

    async fn known(&self, number: usize) -> Option<Session> {
        self.ledger.find_session(&self.payer.key(), &request_nonce(number)).await.unwrap()
    }

    /// Opens on an approve that the payer has landed; lands another where no life has got to the session.
    async fn opens_on_landed(&self, world: &World, process: &Arc<Facilitator>, number: usize) -> Option<()> {
        let request = world.open_request(&self.opening(world, number, 10_000)).await;
        let mut named = Signature::from([6; 64]);
        if self.known(number).await.is_none() {
            named = world.lands(world.approve_by_owner(&self.payer, 10_000));
            world.confirmed().await;
        }
        let approve = ApproveSource::Landed(named);
        let opened = process.open_session(OpenRequest { approve, ..request }).await.is_ok();
        opened.then_some(())
    }

    /// How many units both merchants have.
    fn received(&self, world: &World) -> u64 {
        let has = |wallet: &Wallet| world.token_account(&wallet.key()).map_or(0, |_| world.units(wallet));
        self.merchants.iter().map(has).sum()
    }
}

fn request_nonce(number: usize) -> String {
    format!("opening-{number:0>16}")
}

/// Waits for what the background does, for a while: a killed predecessor may have done it already.
async fn expect(mut is: impl AsyncFnMut() -> bool) {
    let waits = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), waits).await;
}

/// Lives the whole story; counts in `told` how many payments were said to be made or promised.
async fn live(world: &World, process: &Arc<Facilitator>, story: &Story, fate: &Fate, told: &AtomicU64) -> Option<()> {
    let pays = async |session: &Session, nonce: &str, deferred: bool| {
        let payment = payment_in(session.id, &session.intent, PRICE, nonce);
        let payment = changed(payment, |payment| payment.deferred = deferred);
        told.fetch_add(u64::from(process.settle(&payment).await.is_ok()), Ordering::SeqCst);
    };
    let proven = story.opens(world, process, 1, 10_000).await?;
    pays(&proven, "per-call", false).await;
    // Somebody else's transaction on the account: its history is read.
    world.lands(world.transfer_by_stranger(&story.payer.key(), 0));
    expect(async || fate.has_met("chain transaction")).await;
    pays(&proven, "superseded", true).await;

    // The approve of exactly its cap leaves the first behind; one that is rejected for less leaves the second.
    story.opens(world, process, 2, 10_000).await?;
    assert!(story.opens(world, process, 3, 20).await.is_none(), "20 approved of 10,000");

    // The second merchant's account is created for the first payment, and then there is one to promise to.
    let closing = story.opens(world, process, 4, 10_000).await?;
    pays(&closing, "creates", false).await;
    pays(&closing, "closed", true).await;
    let nonce = "the-end-of-session-4".to_owned();
    let message = signed::close_message(&closing.signed.hash(), closing.id, &nonce);
    let signature = story.payer.sign(message.as_bytes());
    process.close_session(closing.id, &CloseRequest { nonce, signature }).await.ok()?;

    story.opens_on_landed(world, process, 6).await?;
    let revoked = story.opens(world, process, 5, 10_000).await?;
    pays(&revoked, "lost", true).await;
    // The revoke comes before a transfer that has been signed: it lands with an error, and what it carried by promise is lost.
    if world.token_account(&story.payer.key()).is_some_and(|account| account.delegate.is_some()) {
        world.net.network().ambush(world.account_of(&story.payer.key()), world.revoke_by_owner(&story.payer));
    }
    pays(&revoked, "refused", false).await;
    let state = async || story.ledger.session(revoked.id).await.unwrap().unwrap().state;
    expect(async || state().await == SessionState::Revoked).await;
    expect(async || story.ledger.totals(None).await.unwrap().held == Amount::ZERO).await;
    Some(())
}

/// One process lives where it is told to die, another takes over and the payer comes again.
async fn die_and_recover(world: Arc<World>, last: Last, after_effect: bool) -> Arc<Fate> {
    let world = &*world;
    let name = format!("endings-{last:?}-{after_effect}").replace(['"', '(', ')'], "-");
    let story = Story::set(world, &name).await;
    let (fate, told) = (Fate::at(last, after_effect), AtomicU64::new(0));
    let first = process(world, &story.ledger, &fate);
    let whole = async {
        first.recover().await.unwrap();
        live(world, &first, &story, &fate, &told).await.expect("nothing is refused in an undisturbed life");
    };
    tokio::select! {
        () = whole => {}
        () = fate.dead.cancelled() => {}
    }
    first.stop().await;
    drop(first);

    let immortal = Fate::immortal();
    let second = process(world, &story.ledger, &immortal);
    second.recover().await.unwrap();
    wait_until_settled(&*story.ledger, &name).await;
    let _ = live(world, &second, &story, &immortal, &told).await;
    wait_until_settled(&*story.ledger, &name).await;
    quiet(&*story.ledger).await;
    second.stop().await;
    check_books(world, &story, &name, told.into_inner()).await;
    fate
}

async fn check_books(world: &World, story: &Story, name: &str, told: u64) {
    let ledger = &*story.ledger;
    ledger.audit().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let (totals, received) = (ledger.totals(None).await.unwrap(), story.received(world));
    assert_eq!(totals.captured.get(), received, "{name}: the books agree with the chain");
    assert_eq!(world.units(&story.payer), PURSE - received, "{name}: nothing is lost");
    assert!(totals.lost.get() <= PRICE, "{name}: only the last promise cannot be kept: {totals:?}");
    let decided = received + totals.lost.get();
    assert!(received.is_multiple_of(PRICE) && decided <= 5 * PRICE, "{name}: no payment is made twice: {totals:?}");
    assert!(told * PRICE <= decided, "{name}: {told} were told, {totals:?}");
    for number in 1..=6 {
        let session = ledger.find_session(&story.payer.key(), &request_nonce(number)).await.unwrap();
        let state = session.map(|session| session.state);
        assert!(!matches!(state, Some(SessionState::Opening | SessionState::Closing)), "{name}: {number} is {state:?}");
    }
    let bookings = ledger.spending(0).await.unwrap();
    assert!(
        bookings.iter().all(|row| row.reserved.total() == 0),
        "{name}: nothing counts that is decided: {bookings:?}"
    );
}

/// A life that nobody ends.
pub(super) async fn undisturbed(engine: Engine) -> Arc<Fate> {
    lives::undisturbed(options(engine), die_and_recover).await
}

async fn a_process_that_dies_while_sessions_end_loses_and_repeats_nothing(engine: Engine) {
    lives::end_at_each_name(|| options(engine), die_and_recover).await;
}
