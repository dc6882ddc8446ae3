//! The crash loop for channels: a process dies at every call it makes while one is opened, drawn on and closed, before and after the
//! call's effect. A voucher that anybody was told is paid, nothing is paid beyond the last one, and nothing is paid twice.

use super::{
    fate::{Fate, Last},
    lives, process, wait_until_settled,
};
use crate::support::{
    Engine, Options, Wallet, World,
    engine::{cases, each_engine},
    in_time, look_again, quiet, signed_by, wire,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use solana_pubkey::Pubkey;
use sotto::{
    domain::{
        amount::Amount,
        mpp::{
            channel::draw::Draw,
            channel_id::ChannelSecret,
            delegation::Renewal,
            siwx::{Proof, SignIn},
        },
    },
    facilitator::{
        CallerPlace, CloseChannelRequest, ConfirmRequest, Facilitator, OnboardAnswer, OnboardRequest,
        OpenChannelRequest, SentSignIn, VoucherRequest,
    },
    ledger::{DelegationKey, Ledger},
    wire::mpp::siwx::SignedIn,
};
use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// What a buyer starts with and grants, in base units.
const CASH: u64 = 1_000_000;
/// The most that a channel may come to.
const DEPOSIT: u64 = 100_000;
/// What is asked for, one after the other.
const SUMS: [u64; 3] = [10_000, 25_000, 60_000];

fn options(engine: Engine) -> Options {
    Options { settings: Box::new(super::bound), ..Options::mpp() }.on(engine)
}

/// What one life works with.
struct Tab {
    buyer: Wallet,
    seller: Wallet,
    account: Pubkey,
    proof: SentSignIn,
    /// The largest sum of which anybody was given a voucher.
    told: AtomicU64,
}

fn signs_in(world: &World, buyer: &Wallet, change: impl FnOnce(&mut SignIn)) -> SentSignIn {
    let SignedIn { sign_in, signature } = SignedIn::decode(Some(&world.signs_in(buyer, change))).unwrap();
    SentSignIn { sign_in, signature }
}

fn place() -> CallerPlace {
    CallerPlace { address: Some(Ipv4Addr::LOCALHOST.into()), prefix: Some(1), ..CallerPlace::default() }
}

impl Tab {
    /// A buyer who has granted, and who has signed that a channel be opened.
    async fn set(world: &World, facilitator: &Arc<Facilitator>, ledger: &dyn Ledger) -> Self {
        let (buyer, seller) = (world.stranger(), world.stranger());
        world.gives_cash(&buyer, CASH).await;
        world.gives_cash(&seller, 0).await;
        let request = OnboardRequest {
            wallet: buyer.key(),
            limit: Amount::new(CASH).unwrap(),
            ttl: 86_400,
            deposit: Some(Amount::new(CASH).unwrap()),
            seller: None,
            renewal: Renewal::WhenNeeded,
        };
        let sign_in = signs_in(world, &buyer, |_| ());
        let OnboardAnswer::Sign(to_sign) = facilitator.onboard(&sign_in, &request, &place()).await.unwrap() else {
            panic!("nothing is offered to be signed")
        };
        let signed = signed_by(&buyer, wincode::deserialize(&to_sign.wire).unwrap());
        let request = ConfirmRequest { wallet: buyer.key(), transactions: vec![BASE64_STANDARD.encode(wire(&signed))] };
        facilitator.confirm_onboarding(&signs_in(world, &buyer, |_| ()), &request, &place()).await.unwrap();
        world.confirmed().await;
        let key = DelegationKey::Buyer(buyer.key(), world.net.cash().mint());
        let account = ledger.delegation(&key).await.unwrap().expect("it has granted").account;
        let act = Proof::Open { seller: seller.key(), deposit: Amount::new(DEPOSIT).unwrap() };
        let proof = signs_in(world, &buyer, |sign_in| sign_in.resources = act.resources());
        Self { buyer, seller, account, proof, told: AtomicU64::new(0) }
    }

    fn opening(&self) -> OpenChannelRequest {
        OpenChannelRequest {
            buyer: self.buyer.key(),
            account: "pending".to_owned(),
            seller: self.seller.key(),
            deposit: Amount::new(DEPOSIT).unwrap(),
            idle_timeout: 3_600,
            network: None,
            from: place(),
            proofs: vec![self.proof.clone()],
        }
    }

    /// Draws a sum twice, as a seller does who is impatient: the same voucher.
    async fn draws(&self, facilitator: &Arc<Facilitator>, secret: &ChannelSecret, sum: u64) {
        let request = || VoucherRequest {
            channel: Some(secret.clone()),
            draw: Draw {
                channel: secret.public_id(),
                cumulative: Amount::new(sum).unwrap(),
                meter: "request".to_owned(),
                units: 1,
                server_nonce: format!("nonce-{sum}"),
            },
        };
        let mut given = None;
        for _ in 0..2 {
            let Ok(voucher) = facilitator.draw_voucher(request()).await else { continue };
            self.told.fetch_max(sum, Ordering::SeqCst);
            let earlier = given.replace(voucher.signature);
            assert!(earlier.is_none_or(|earlier| earlier == voucher.signature), "one voucher of a sum");
        }
    }
}

/// Opens a channel, draws on it and closes it, all of it twice.
async fn live(facilitator: &Arc<Facilitator>, tab: &Tab) {
    let _ = facilitator.open_channel(tab.opening()).await;
    let Ok(opened) = facilitator.open_channel(tab.opening()).await else { return };
    let secret = &opened.secret;
    for sum in SUMS {
        tab.draws(facilitator, secret, sum).await;
    }
    for _ in 0..2 {
        let _ = facilitator.close_channel(CloseChannelRequest::BySecret(secret.public_id())).await;
    }
    let _ = facilitator.channel(secret.public_id()).await;
}

async fn die_and_recover(world: Arc<World>, last: Last, after_effect: bool) -> Arc<Fate> {
    let world = &*world;
    let name = format!("channel-{last:?}-{after_effect}");
    let ledger = world.open_ledger(&name).await;
    // Whoever onboards is another process: that it may die is the business of another loop.
    let before = process(world, &ledger, &Fate::immortal());
    let tab = Tab::set(world, &before, &*ledger).await;
    before.stop().await;
    drop(before);
    let fate = Fate::at(last, after_effect);
    let first = process(world, &ledger, &fate);
    tokio::select! {
        () = live(&first, &tab) => {}
        () = fate.dead.cancelled() => {}
    }
    first.stop().await;
    drop(first);

    let second = process(world, &ledger, &Fate::immortal());
    second.recover().await.unwrap();
    wait_until_settled(&*ledger, &name).await;
    live(&second, &tab).await;
    let ended = async {
        while !ledger.channels_of(&tab.account).await.unwrap().is_empty() {
            look_again().await;
        }
    };
    in_time(&format!("{name}: no channel lives"), ended).await;
    quiet(&*ledger).await;
    second.stop().await;
    check(world, &*ledger, &tab, &name).await;
    fate
}

async fn check(world: &World, ledger: &dyn Ledger, tab: &Tab, name: &str) {
    ledger.audit().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let inside = world.spl_account(&tab.account).expect("it is there").amount;
    let received = world.cash(&tab.seller);
    assert_eq!(world.cash(&tab.buyer) + inside, CASH - received, "{name}: nothing is lost");
    let counts = ledger.channel_counts().await.unwrap();
    assert_eq!((counts.open, counts.settled.get()), (0, received), "{name}: the books agree with the chain");
    let told = tab.told.load(Ordering::SeqCst);
    assert_eq!(received, told, "{name}: what vouchers say is paid, and no more");
    let bookings = ledger.spending(0).await.unwrap();
    assert!(bookings.iter().all(|row| row.reserved.total() == 0), "{name}: {bookings:?}");
}

each_engine! { cases
    a_process_that_dies_at_any_call_settles_what_its_vouchers_say,
}

/// A life that nobody ends.
pub(super) async fn undisturbed(engine: Engine) -> Arc<Fate> {
    lives::undisturbed(options(engine), die_and_recover).await
}

async fn a_process_that_dies_at_any_call_settles_what_its_vouchers_say(engine: Engine) {
    lives::end_at_every_call(|| options(engine), die_and_recover).await;
}
