//! A stream that is paid by vouchers of a channel: a grant, once, and as many vouchers as are asked for by two transactions.

use super::{
    cash::CashMoved,
    scene::{DemoError, PATIENCE, Scene},
    tokens,
};
use crate::{
    cli::{error::CliError, shop},
    client::{
        BoundedBody, LocalKey,
        mpp::{Closed, MppSessionClient, OnboardOptions, SessionTerms},
    },
    domain::{amount::Amount, chance::OsChance, clock::SystemClock, mpp::channel_id::PublicId},
    wire::mpp::voucher::X_MPP_VOUCHER,
};
use reqwest::Url;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// The least that is granted, which is the least that the facilitator takes, in base units.
const LEAST_GRANT: u64 = 1_000_000;
/// What stays in the wallet, in base units.
const SPARE: u64 = 1_000_000;
/// The longest answer that is read of the merchant, in bytes.
const MOST_SERVED_BYTES: u64 = 64 * 1024;

/// What became of it.
pub(super) struct StreamedCalls {
    /// What a voucher adds, in base units.
    pub(super) price: u64,
    /// The most that the channel could pay, in base units.
    pub(super) deposit: u64,
    /// Vouchers that were asked for, and requests that were served for one.
    pub(super) asked: u64,
    pub(super) served: u64,
    /// What the last voucher says is owed in all, in base units.
    pub(super) owed: u64,
    /// How the facilitator says that the channel ended.
    pub(super) closed: Closed,
    /// By the grant, by the channel, and by both.
    pub(super) grant: CashMoved,
    pub(super) channel: CashMoved,
    pub(super) all: CashMoved,
    /// From the first voucher to the last answer of the merchant.
    pub(super) streaming: Duration,
    /// From the request to close the channel to its sums.
    pub(super) closing: Duration,
}

/// Grants, opens, draws so many vouchers and is served for each, and closes.
pub(super) async fn play(scene: &Scene<'_>, vouchers: u32) -> Result<StreamedCalls, CliError> {
    let (wallet, price) = (LocalKey::generate(&OsChance), tokens(shop::VOUCHER_PRICE)?);
    let owed = price.get() * u64::from(vouchers);
    // A quarter more than is owed in the end, so that something is free again.
    let deposit = (owed + owed / 4).max(LEAST_GRANT);
    scene.give_cash(&wallet.pubkey(), deposit + SPARE).await?;
    let deposit = Amount::new(deposit).unwrap_or(Amount::MAX);
    let client = client(scene, &wallet)?;
    let begun = scene.cash_standing(&wallet).await?;
    let options = OnboardOptions { spend_limit: deposit, deposit: Some(deposit), ..OnboardOptions::default() };
    client.onboard(&options).await.map_err(refused)?;
    let granted = scene.cash_standing(&wallet).await?;
    let opened = client.open(scene.merchant.pubkey(), deposit, None).await.map_err(refused)?;
    let started = Instant::now();
    let (served, owed) = stream(scene, &client, &opened.id, vouchers).await?;
    let streaming = started.elapsed();
    let started = Instant::now();
    let closed = client.close(&opened.id).await.map_err(refused)?;
    let closing = started.elapsed();
    let settled = scene.cash_standing(&wallet).await?;
    Ok(StreamedCalls {
        price: price.get(),
        deposit: deposit.get(),
        asked: vouchers.into(),
        served,
        owed,
        closed,
        grant: CashMoved::between(&begun, &granted),
        channel: CashMoved::between(&granted, &settled),
        all: CashMoved::between(&begun, &settled),
        streaming,
        closing,
    })
}

fn refused(error: crate::client::mpp::MppSessionError) -> DemoError {
    DemoError::Channel(Box::new(error))
}

fn client(scene: &Scene<'_>, wallet: &LocalKey) -> Result<MppSessionClient, DemoError> {
    let sandbox = scene.sandbox();
    let (api_url, network) = (sandbox.facilitator.clone(), sandbox.service.network.clone());
    let terms = SessionTerms { api_url, network, token: scene.cash(), issuer: None };
    let (clock, chance) = (Arc::new(SystemClock), Arc::new(OsChance));
    MppSessionClient::new(Arc::new(wallet.clone()), &terms, None, clock, chance).map_err(refused)
}

/// Draws a voucher for each request, and the next one while the merchant serves; gives how many were served, and what the last one
/// says.
async fn stream(
    scene: &Scene<'_>,
    client: &MppSessionClient,
    channel: &PublicId,
    vouchers: u32,
) -> Result<(u64, u64), DemoError> {
    let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let (route, price) = (scene.stream_route()?, tokens(shop::VOUCHER_PRICE)?);
    let draw = async || client.pay_delta(channel, price, &client.nonce()).await.map_err(refused);
    let mut drawn = draw().await?;
    let mut served = 0;
    for _ in 1..vouchers {
        let (was_served, next) = tokio::join!(is_served(&http, &route, &drawn.header), draw());
        served += u64::from(was_served?);
        drawn = next?;
    }
    served += u64::from(is_served(&http, &route, &drawn.header).await?);
    Ok((served, drawn.voucher.cumulative_amount.get()))
}

async fn is_served(http: &reqwest::Client, route: &Url, voucher: &str) -> Result<bool, DemoError> {
    let response = http.get(route.clone()).header(X_MPP_VOUCHER, voucher).send().await?;
    let status = response.status();
    let body = BoundedBody::of(response, MOST_SERVED_BYTES).bytes().await;
    Ok(status.is_success() && body.is_ok_and(|body| !body.is_empty()))
}

impl StreamedCalls {
    /// What has to hold of them: each a figure, what was found and what is due.
    pub(super) fn checks(&self) -> [(&'static str, i128, i128); 13] {
        let (owed, closed) = (i128::from(self.owed), &self.closed);
        let of = |amount: Amount| i128::from(amount.get());
        let booked = |moved: &CashMoved| i128::from(moved.fees) + i128::from(moved.rent);
        [
            ("requests served for vouchers, of those asked for", self.served.into(), self.asked.into()),
            ("vouchers of the channel, of those asked for", closed.vouchers.into(), self.asked.into()),
            ("base units owed, of the price times the vouchers", owed, i128::from(self.price) * i128::from(self.asked)),
            ("base units settled of the channel, of those owed", of(closed.settled), owed),
            ("base units of the deposit that are free again", of(closed.refunded), i128::from(self.deposit) - owed),
            ("base units that were not paid", of(closed.shortfall), 0),
            ("base units that the buyer lost by the channel", self.all.buyer_loss(), owed),
            ("base units that the merchant gained by the channel", self.all.merchant_growth(), owed),
            ("transactions of the grant on chain", self.grant.transactions.into(), 1),
            ("transactions of the channel on chain", self.channel.transactions.into(), 2),
            ("transactions of grant and channel in the ledger", self.all.landed.into(), 3),
            ("lamports gone by the grant, of those booked", self.grant.lamports_gone, booked(&self.grant)),
            ("lamports gone by the channel, of those booked", self.channel.lamports_gone, booked(&self.channel)),
        ]
    }

    /// The figures for programs: base units, lamports and milliseconds.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "deposit": self.deposit,
            "vouchers": self.closed.vouchers,
            "served": self.served,
            "owed": self.owed,
            "settled": self.closed.settled.get(),
            "refunded": self.closed.refunded.get(),
            "shortfall": self.closed.shortfall.get(),
            "settlement": self.closed.transaction,
            "grant": self.grant.to_json(),
            "channel": self.channel.to_json(),
            "all": self.all.to_json(),
            "streaming_ms": super::figures::milliseconds(self.streaming),
            "closing_ms": super::figures::milliseconds(self.closing),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use solana_pubkey::Pubkey;

    fn moved(buyer: [u64; 2], merchant: [u64; 2], transactions: u64, [fees, rent]: [u64; 2], gone: i128) -> CashMoved {
        CashMoved { buyer, merchant, lamports_gone: gone, transactions, landed: transactions, fees, rent }
    }

    fn amount(units: u64) -> Amount {
        Amount::new(units).unwrap()
    }

    /// Three vouchers of ten base units, from a deposit of forty.
    fn calls() -> StreamedCalls {
        let closed = Closed {
            id: PublicId::from_bytes([1; 16]),
            seller: Pubkey::new_from_array([2; 32]),
            deposit: amount(40),
            settled: amount(30),
            refunded: amount(10),
            shortfall: Amount::ZERO,
            vouchers: 3,
            transaction: None,
            reason: "buyer".to_owned(),
        };
        StreamedCalls {
            price: 10,
            deposit: 40,
            asked: 3,
            served: 3,
            owed: 30,
            closed,
            grant: moved([100, 100], [0, 0], 1, [5, 200], 205),
            channel: moved([100, 70], [0, 30], 2, [10, 0], 10),
            all: moved([100, 70], [0, 30], 3, [15, 200], 215),
            streaming: Duration::ZERO,
            closing: Duration::ZERO,
        }
    }

    fn wrong(calls: &StreamedCalls) -> Vec<&'static str> {
        let checks = calls.checks().into_iter();
        checks.filter(|(_, found, due)| found != due).map(|(what, _, _)| what).collect()
    }

    type Bend = fn(&mut StreamedCalls);

    #[test]
    fn every_figure_of_the_channel_that_is_off_is_named() {
        assert!(wrong(&calls()).is_empty(), "{:?}", wrong(&calls()));
        let off: [(&str, Bend); 11] = [
            ("served", |calls| calls.served = 2),
            ("vouchers of the channel", |calls| calls.closed.vouchers = 2),
            ("settled", |calls| calls.closed.settled = amount(29)),
            ("free again", |calls| calls.closed.refunded = amount(9)),
            ("not paid", |calls| calls.closed.shortfall = amount(1)),
            ("buyer lost", |calls| calls.all.buyer[1] = 71),
            ("merchant gained", |calls| calls.all.merchant[1] = 29),
            ("the channel on chain", |calls| calls.channel.transactions = 3),
            ("in the ledger", |calls| calls.all.landed = 4),
            ("gone by the grant", |calls| calls.grant.lamports_gone = 204),
            ("gone by the channel", |calls| calls.channel.lamports_gone = 11),
        ];
        for (named, bend) in off {
            let mut bent = calls();
            bend(&mut bent);
            let found = wrong(&bent);
            assert!(found.len() == 1 && found[0].contains(named), "{named}: {found:?}");
        }
    }
}
