//! Buyers who take away behind the facilitator's back what channels count on: their money, or the grant.

use super::{DEPOSIT, MEANS, Nature, Wallet, channels::Streamer, desk::Desk, grants::Grants};
use crate::{Outcome, dice::Dice, stage};
use serde_json::json;
use sotto::domain::amount::Amount;
use std::{sync::Arc, time::Duration};

/// Channels of one wallet: whoever has many that moved nothing is refused for the rest of the day.
const CHANNELS: u64 = 12;
/// How long such a wallet tries to onboard.
const PATIENCE: Duration = Duration::from_secs(30);
/// SOL of a wallet that sends transactions of its own, in lamports.
const SOL: u64 = 1_000_000_000;
/// The longest until the next blow, in milliseconds.
const LONGEST: u64 = 4_000;

pub(super) struct Hostile {
    desk: Arc<Desk>,
    nature: Nature,
    dice: Dice,
}

impl Hostile {
    pub(super) fn new(desk: Arc<Desk>, nature: Nature, dice: Dice) -> Self {
        Self { desk, nature, dice }
    }

    /// One wallet after the other.
    pub(super) async fn work(mut self) {
        while !self.desk.enough() {
            // A fork, a bad mood: then with the next wallet.
            if self.life().await.is_err() {
                self.desk.pause().await;
            }
        }
    }

    async fn life(&mut self) -> Outcome<()> {
        let wallet: Wallet = Arc::new(stage::wallet());
        let name = wallet.pubkey().to_string();
        self.desk.chain("requestAirdrop", json!([name, SOL])).await?;
        self.desk.chain("localnet_fundToken", json!([name, MEANS])).await?;
        self.desk.kept().buyers.push((wallet.pubkey(), self.nature));
        let grants = Grants::new(Arc::clone(&self.desk), Arc::clone(&wallet), self.nature);
        if !grants.onboards(PATIENCE).await {
            return Ok(());
        }
        let mut streams: Vec<_> = (0..2)
            .map(|_| Streamer::new(Arc::clone(&self.desk), Arc::clone(&wallet), self.nature, self.dice.child()))
            .collect();
        let desk = Arc::clone(&self.desk);
        let drawing = futures_util::future::join_all(streams.iter_mut().map(|stream| async {
            for _ in 0..CHANNELS {
                if desk.enough() {
                    return;
                }
                stream.round().await;
            }
        }));
        tokio::pin!(drawing);
        loop {
            let calm = Duration::from_millis(self.dice.below(LONGEST));
            tokio::select! {
                _ = &mut drawing => return Ok(()),
                () = tokio::time::sleep(calm) => {}
            }
            let blow = async {
                let Ok(()) = strike(&self.desk, &wallet, self.nature).await else { return };
                match self.nature {
                    Nature::Revoking => drop(grants.onboards(PATIENCE).await),
                    _ => drop(put_back(&self.desk, &wallet).await),
                }
            };
            tokio::select! {
                _ = &mut drawing => return Ok(()),
                () = blow => {}
            }
        }
    }
}

/// Takes away what channels count on.
async fn strike(desk: &Desk, wallet: &Wallet, nature: Nature) -> Outcome<()> {
    let account = desk.session_account(wallet.pubkey());
    if nature == Nature::Revoking {
        desk.lands(wallet, account.revoke()).await?;
        desk.did("grants revoked");
        return Ok(());
    }
    let inside = desk.cash(&[account.address()]).await?.first().map_or(0, |cash| cash.units);
    let taken = Amount::new(inside).ok_or("an amount")?;
    desk.lands(wallet, account.withdraw(taken)).await?;
    desk.did("accounts drained");
    // Long enough to be seen, and for somebody to draw.
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(())
}

/// Brings the money back.
async fn put_back(desk: &Desk, wallet: &Wallet) -> Outcome<()> {
    let account = desk.session_account(wallet.pubkey());
    desk.lands(wallet, account.deposit(Amount::new(DEPOSIT / 2).ok_or("an amount")?)).await
}
