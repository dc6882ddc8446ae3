//! People with wallets: payers whose sessions are opened as anybody's are, and the merchant they pay.

use crate::{
    Outcome,
    bodies::Terms,
    stage::{self, Server, Stage},
};
use futures_util::{StreamExt as _, stream};
use sotto::{
    client::{LocalKey, OpenOptions, Opening, SessionClient, SessionKeyChoice},
    domain::{amount::Amount, chance::OsChance, clock::SystemClock},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Base units that each payer gets, and may spend.
const MEANS: u64 = 1_000_000_000;
/// Openings under way at once.
const AT_ONCE: usize = 16;
const PATIENCE: Duration = Duration::from_mins(1);

/// A merchant and the sessions that pay it.
pub struct Town {
    pub merchant: LocalKey,
    pub sessions: Vec<String>,
}

impl Town {
    /// Opens sessions of `payers` wallets, all for one merchant.
    pub async fn settle_in(stage: &Stage, server: &Server, payers: usize) -> Outcome<Self> {
        let merchant = stage::wallet();
        // With an account of its own from the start: creating it is no part of what is measured later.
        stage.fund(&merchant.pubkey(), 0).await?;
        let client = client(stage, server)?;
        let opening = (0..payers).map(|_| async {
            let (wallet, opening) = prepare(stage, &client, &merchant).await?;
            let session = client.finish(opening, PATIENCE).await.map_err(|error| explained(&error))?;
            drop(wallet);
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(session.id.to_string())
        });
        let opened: Vec<_> = stream::iter(opening).buffer_unordered(AT_ONCE).collect().await;
        Ok(Self { merchant, sessions: opened.into_iter().collect::<Result<_, _>>()? })
    }

    pub fn terms(&self, stage: &Stage, amount: u64, deferred: bool) -> Outcome<Terms> {
        Ok(Terms { asset: stage.mint()?, pay_to: self.merchant.pubkey(), amount, deferred })
    }
}

/// How long `POST /sessions` takes, from the request to the open session, for a payer who has everything prepared.
pub async fn open_once(stage: &Stage, server: &Server, merchant: &LocalKey) -> Outcome<Duration> {
    let client = client(stage, server)?;
    let (_, opening) = prepare(stage, &client, merchant).await?;
    let began = Instant::now();
    client.finish(opening, PATIENCE).await.map_err(|error| explained(&error))?;
    Ok(began.elapsed())
}

fn client(stage: &Stage, server: &Server) -> Outcome<SessionClient> {
    let settings = stage.payer_settings(server.address)?;
    Ok(SessionClient::new(settings, stage.payer_rpc(), Arc::new(SystemClock), Arc::new(OsChance))?)
}

async fn prepare(stage: &Stage, client: &SessionClient, merchant: &LocalKey) -> Outcome<(LocalKey, Opening)> {
    let wallet = stage::wallet();
    stage.fund(&wallet.pubkey(), MEANS).await?;
    // The approve is simulated on a confirmed state, which has to know the gift.
    tokio::time::sleep(stage.slot * 3).await;
    let cap = Amount::new(MEANS).ok_or("means")?;
    let options = OpenOptions {
        session_key: SessionKeyChoice::None,
        ..OpenOptions::new(merchant.pubkey(), cap, Duration::from_hours(24))
    };
    let opening = client.prepare(&wallet, &options).await.map_err(|error| explained(&error))?;
    Ok((wallet, opening))
}

/// An error with its causes, on one line.
pub fn explained(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        line = format!("{line}: {next}");
        cause = next.source();
    }
    line
}
