//! A payment on disk until nothing can change it any more, so that it can be sent again: the same one, charged once.

use super::{
    keygen::{beside, create_private_file},
    payer::PayerError,
};
use crate::{
    client::{OpenSession, Payment},
    config::read_text,
    domain::amount::Amount,
};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// What stands in the file.
#[derive(Serialize, Deserialize)]
struct KeptPayment {
    url: String,
    header: String,
}

/// The file of a payment of a session: `<session file>.pay-<nonce>`.
fn file_of(session: &Path, nonce: &str) -> PathBuf {
    beside(session, &format!(".pay-{nonce}"))
}

/// Writes a payment before it is sent to `url`: to disk, and for its owner only, because whoever has it can have it settled. One
/// that is there already stays.
pub(super) fn keep(session: &Path, url: &Url, payment: &Payment) -> io::Result<()> {
    let path = file_of(session, &payment.nonce);
    let mut file = match create_private_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        created => created?,
    };
    let kept = KeptPayment { url: url.as_str().to_owned(), header: payment.header().to_owned() };
    let written = file.write_all(&serde_json::to_vec(&kept)?).and_then(|()| file.sync_all());
    if written.is_err() {
        drop(fs::remove_file(&path));
    }
    written
}

/// The payment of a session with this nonce that was sent to `url` and pays no more than `most` base units.
pub(super) fn kept(
    file: &Path,
    session: &OpenSession,
    url: &Url,
    nonce: &str,
    most: Amount,
) -> Result<Payment, PayerError> {
    let path = file_of(file, nonce);
    let unusable = |why| PayerError::InTheWay { path: path.clone(), why };
    let text = match read_text(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(PayerError::NoKeptPayment(nonce.to_owned()));
        }
        Err(source) => return Err(PayerError::File { path, what: "read", source }),
    };
    let kept: KeptPayment = serde_json::from_str(&text).map_err(|_| unusable("it holds no payment"))?;
    if kept.url != url.as_str() {
        return Err(unusable("its payment was made for another URL, and is sent to no other"));
    }
    let payment = Payment::from_header(&kept.header).ok_or_else(|| unusable("it holds no payment"))?;
    if payment.session != session.id.to_string() {
        return Err(unusable("its payment was made from another session"));
    }
    if payment.amount > most {
        return Err(unusable("its payment is above --max-price"));
    }
    Ok(payment)
}

/// Forgets a payment that nothing can change any more.
pub(super) fn forget(session: &Path, payment: &Payment) {
    // One that stays does no harm: sent again, it is the same payment.
    drop(fs::remove_file(file_of(session, &payment.nonce)));
}
