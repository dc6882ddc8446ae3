//! A payment on disk until nothing can change it any more, so that it can be sent again: the same one, charged once.

use super::{
    keygen::{beside, create_private_file},
    payer::PayerError,
};
use crate::{
    client::{OpenSession, Payment, SignedSingle},
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
    let kept = KeptPayment { url: url.as_str().to_owned(), header: payment.header().to_owned() };
    write(&file_of(session, &payment.nonce), &serde_json::to_vec(&kept)?)
}

/// Writes a file that is not there yet, to disk and for its owner only.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = match create_private_file(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        created => created?,
    };
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        drop(fs::remove_file(path));
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
    let text = read(&path, nonce)?;
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

fn read(path: &Path, nonce: &str) -> Result<Zeroizing<String>, PayerError> {
    match read_text(path) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(PayerError::NoKeptPayment(nonce.to_owned())),
        Err(source) => Err(PayerError::File { path: path.to_owned(), what: "read", source }),
    }
}

/// Forgets a payment that nothing can change any more.
pub(super) fn forget(session: &Path, payment: &Payment) {
    // One that stays does no harm: sent again, it is the same payment.
    drop(fs::remove_file(file_of(session, &payment.nonce)));
}

/// The file of a wallet's single payment: `<key file>.single-<nonce>`.
fn single_file(wallet: &Path, nonce: &str) -> PathBuf {
    beside(wallet, &format!(".single-{nonce}"))
}

/// Writes a signed single payment before it is sent, as [`keep`] does; one that is there already stays.
pub(super) fn keep_single(wallet: &Path, payment: &SignedSingle) -> Result<(), PayerError> {
    let path = single_file(wallet, &payment.nonce);
    let written = serde_json::to_vec(payment).map_err(io::Error::from).and_then(|bytes| write(&path, &bytes));
    written.map_err(|source| PayerError::File { path, what: "written", source })
}

/// The wallet's single payment with this nonce.
pub(super) fn kept_single(wallet: &Path, nonce: &str) -> Result<SignedSingle, PayerError> {
    let path = single_file(wallet, nonce);
    let text = read(&path, nonce)?;
    serde_json::from_str(&text).map_err(|_| PayerError::InTheWay { path, why: "it holds no payment" })
}

/// Forgets a single payment that nothing can change any more.
pub(super) fn forget_single(wallet: &Path, payment: &SignedSingle) {
    // One that stays does no harm: sent again, it is the same payment.
    drop(fs::remove_file(single_file(wallet, &payment.nonce)));
}
