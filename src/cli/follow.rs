//! `sotto session payments|events|close`: what becomes of a session after paying from it.

use super::{
    Global,
    error::CliError,
    output::{json, note, say, table},
    payer::{self, PayerConfig, PayerError, SESSION_FILE, SessionChoice},
    runtime,
};
use crate::{
    client::{FollowError, News, OpenSession, close, listen, payment},
    domain::{amount::Amount, chance::OsChance, clock::SystemClock},
    wire::{payments::PaymentView, revoke::RevokeOffer},
};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Ask what became of payments, by their ids or nonces
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sotto session payments 5a1f3a52-9b1e-4bb0-8f2e-0d3c1b7a9e11")]
pub(super) struct Payments {
    /// Ids (`extensions.session.payment` of a receipt) or nonces
    #[arg(required = true, value_name = "PAYMENTS")]
    names: Vec<String>,
    /// The session's file
    #[arg(long, value_name = "FILE", default_value = SESSION_FILE)]
    session: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Tell what happens to a session as it happens, until it is closed or ctrl-c
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sotto session events --after 0-0    everything from the beginning")]
pub(super) struct Events {
    #[command(flatten)]
    session: SessionChoice,
    /// Begin after this event; 0-0 is the very beginning
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Close a session: nothing more is accepted, what is held is settled, the final totals are told
#[derive(Debug, Args)]
pub(super) struct Close {
    #[command(flatten)]
    session: SessionChoice,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Payments {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        global.start_logs()?;
        let session = payer::read_session(&self.session)?;
        let decimals = decimals(global, &session)?;
        let views = runtime()?.block_on(async {
            let mut views = Vec::with_capacity(self.names.len());
            for name in &self.names {
                views.push(payment(&session, name, &SystemClock).await?);
            }
            Ok::<_, FollowError>(views)
        });
        let views = views.map_err(PayerError::from)?;
        if self.json {
            return json(&json!({ "payments": views }));
        }
        table(
            ["payment", "state", "amount", "accepted", "settled", "transaction"],
            views.iter().map(|view| row(view, decimals)),
        )
    }
}

fn row(view: &PaymentView, decimals: Option<u8>) -> [String; 6] {
    let seconds = |at: Option<u64>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let state = match &view.reason {
        Some(reason) => format!("{}: {reason}", view.state),
        None => view.state.clone(),
    };
    let transaction = if view.transaction.is_empty() { "-".to_owned() } else { view.transaction.clone() };
    [
        view.payment.clone(),
        state,
        amount(view.amount.as_deref(), decimals),
        seconds(Some(view.accepted_at)),
        seconds(view.settled_at),
        transaction,
    ]
}

impl Events {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        global.start_logs()?;
        let session = payer::read_session(self.session.path())?;
        let decimals = decimals(global, &session)?;
        runtime()?.block_on(async {
            let listener = listen(&session, self.after.as_deref(), &SystemClock).await;
            let mut listener = listener.map_err(PayerError::from)?;
            while let Some(news) = listener.next().await.map_err(|error| PayerError::from(FollowError::from(error)))? {
                if self.json {
                    say(serde_json::to_string(&news)?)?;
                } else {
                    say(line(&news, decimals))?;
                }
            }
            note(&"nothing more is told here");
            Ok(())
        })
    }
}

/// Event, id, and what it is about, on one line.
fn line(news: &News, decimals: Option<u8>) -> String {
    let body = &news.body;
    let payments = body.payments.as_ref().map(|payments| match payments.as_slice() {
        [one] => one.clone(),
        many => format!("{} payments", many.len()),
    });
    let about = [
        body.payment.clone().or(payments),
        body.amount.as_deref().map(|units| amount(Some(units), decimals)),
        body.deferred.filter(|deferred| *deferred).map(|_| "deferred".to_owned()),
        body.kept.as_ref().map(|kept| format!("{} kept", kept.len())),
        body.reason.clone(),
        body.state.clone(),
        body.funding.clone(),
        body.transaction.clone(),
    ];
    let about: Vec<String> = about.into_iter().flatten().collect();
    format!("{:<10} {:<10} {}", news.event, news.id.as_deref().unwrap_or("-"), about.join("  "))
}

impl Close {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        global.start_logs()?;
        let session = payer::read_session(self.session.path())?;
        let decimals = decimals(global, &session)?;
        let closed = runtime()?.block_on(close(&session, &OsChance)).map_err(PayerError::from)?;
        if self.json {
            return json(&closed);
        }
        let view = &closed.session;
        let rows = [
            ("state", view.state.clone().unwrap_or_else(|| "not told".to_owned())),
            ("captured", amount(view.captured.as_deref(), decimals)),
            ("held", amount(view.held.as_deref(), decimals)),
            ("lost", amount(Some(&closed.lost), decimals)),
        ];
        table(["what", "value"], rows.map(|(what, value)| [what.to_owned(), value]))?;
        tell_what_stands(closed.revoke.as_ref());
        Ok(())
    }
}

/// Tells, after a close, that what the wallet approved on chain still stands, where nothing needs it any more.
pub(super) fn tell_what_stands(offer: Option<&RevokeOffer>) {
    if offer.is_some() {
        let stands =
            "what the wallet approved on chain stands: `sotto session revoke` takes it back, and the facilitator pays";
        note(&stands);
    }
}

/// The decimals of the session's asset, where the configuration knows it.
pub(super) fn decimals(global: &Global, session: &OpenSession) -> Result<Option<u8>, CliError> {
    let asset = PayerConfig::read_asset(global)?.filter(|asset| asset.mint == session.asset);
    Ok(asset.map(|asset| asset.decimals))
}

/// In whole tokens where the decimals are known, else in base units.
pub(super) fn amount(units: Option<&str>, decimals: Option<u8>) -> String {
    match (units, decimals) {
        (None, _) => "not told".to_owned(),
        (Some(text), Some(decimals)) => {
            Amount::parse(text).map_or_else(|_| text.to_owned(), |units| units.to_decimal(decimals))
        }
        (Some(text), None) => format!("{text} base units"),
    }
}
