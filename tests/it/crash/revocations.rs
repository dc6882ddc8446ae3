//! The crash loop for revokes that we pay for: a process dies at every call it makes while it offers one and carries it out,
//! before and after the call's effect. The delegation ends, once, and it is paid for once.

use super::{
    PURSE, Scene,
    fate::{Fate, Last},
    lives, process, wait_until_settled,
};
use crate::support::{
    Engine, Options, Wallet, World,
    engine::{cases, each_engine},
    quiet, signed_by,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    domain::{
        clock::{Clock as _, SystemClock},
        session::{Session, SessionState},
        settlement::Purpose,
        signed,
    },
    facilitator::{AllowancePolicy, CloseRequest, Facilitator, RevokeOfferRequest, Revoked, Settings},
    ledger::Ledger,
};
use std::sync::Arc;

/// Two signatures.
const FEE: u64 = 10_000;

fn settings(settings: &mut Settings) {
    settings.transfers.decrypt_allowance = AllowancePolicy::Never;
    super::bound(settings);
}

/// A payer whose one session is over, and who still delegates to us.
struct Over {
    payer: Wallet,
    session: Session,
}

impl Over {
    async fn set(world: &World, ledger: &Arc<dyn Ledger>, name: &str) -> Self {
        let opener = process(world, ledger, &Fate::immortal());
        let scene = Scene::set(world, name, false).await;
        let session = opener.open_session(scene.request.clone()).await.unwrap();
        let nonce = "it-is-over".to_owned();
        let message = signed::close_message(&session.signed.hash(), session.id, &nonce);
        let close = CloseRequest { signature: scene.payer.sign(message.as_bytes()), nonce };
        let closed = opener.close_session(session.id, &close).await.unwrap();
        assert_eq!(closed.session.state, SessionState::Closed);
        quiet(&**ledger).await;
        opener.stop().await;
        Self { payer: scene.payer, session }
    }

    fn asks(&self, world: &World) -> RevokeOfferRequest {
        let (user, asset, at) = (self.payer.key(), self.session.intent.asset, SystemClock.now());
        let message = signed::close_all_message(&world.spender(), &user, &asset, at);
        RevokeOfferRequest { user, asset, at, signature: self.payer.sign(message.as_bytes()) }
    }
}

/// Asks for the revoke, signs it and sends it, twice, as a payer does who is impatient. What was told of it.
async fn live(facilitator: &Arc<Facilitator>, world: &World, over: &Over) -> Vec<Revoked> {
    let Ok(offer) = facilitator.offer_revoke(&over.asks(world)).await else { return Vec::new() };
    let unsigned: VersionedTransaction = wincode::deserialize(&offer.wire).unwrap();
    let text = BASE64_STANDARD.encode(wincode::serialize(&signed_by(&over.payer, unsigned)).unwrap());
    let by_session = facilitator.revoke(Some(over.session.id), &text).await;
    let again = facilitator.revoke(None, &text).await;
    by_session.into_iter().chain(again).collect()
}

async fn die_and_recover(world: Arc<World>, last: Last, after_effect: bool) -> Arc<Fate> {
    let world = &*world;
    let name = format!("revoke-{last:?}-{after_effect}");
    let ledger = world.open_ledger(&name).await;
    let over = Over::set(world, &ledger, &name).await;
    let fate = Fate::at(last, after_effect);
    let first = process(world, &ledger, &fate);
    let mut told = tokio::select! {
        told = live(&first, world, &over) => told,
        () = fate.dead.cancelled() => Vec::new(),
    };
    first.stop().await;
    drop(first);

    let second = process(world, &ledger, &Fate::immortal());
    second.recover().await.unwrap();
    wait_until_settled(&*ledger, &name).await;
    // The payer comes again, as a client does that never got its answers; and once more where a machine was busy for the life of a
    // blockhash.
    loop {
        told.extend(live(&second, world, &over).await);
        quiet(&*ledger).await;
        if world.token_account(&over.payer.key()).unwrap().delegate.is_none() {
            break;
        }
    }
    second.stop().await;
    check(world, &*ledger, &over, &name, &told).await;
    fate
}

async fn check(world: &World, ledger: &dyn Ledger, over: &Over, name: &str, told: &[Revoked]) {
    ledger.audit().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let account = world.token_account(&over.payer.key()).unwrap();
    assert_eq!(account.delegate, None, "{name}: the delegation has ended");
    assert_eq!(world.units(&over.payer), PURSE, "{name}: nothing moved");
    let spent = ledger.spending(0).await.unwrap();
    let revokes: Vec<_> = spent.iter().filter(|row| row.purpose == Purpose::Revoke).collect();
    let landed: u64 = revokes.iter().map(|row| row.landed).sum();
    let fees: u64 = revokes.iter().map(|row| row.spent.total()).sum();
    assert_eq!((landed, fees), (1, FEE), "{name}: one revoke landed and was paid for");
    assert!(spent.iter().all(|row| row.reserved.total() == 0), "{name}: {spent:?}");
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{name}: one transaction is told: {told:?}");
    let session = ledger.session(over.session.id).await.unwrap().unwrap();
    assert_eq!(session.state, SessionState::Closed, "{name}: what was over stays as it was");
}

each_engine! { cases
    a_process_that_dies_at_any_call_revokes_once,
}

/// A life that nobody ends.
pub(super) async fn undisturbed(engine: Engine) -> Arc<Fate> {
    lives::undisturbed(Options::settings(settings).on(engine), die_and_recover).await
}

async fn a_process_that_dies_at_any_call_revokes_once(engine: Engine) {
    lives::end_at_every_call(|| Options::settings(settings).on(engine), die_and_recover).await;
}
