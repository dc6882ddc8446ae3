//! A network that outlives its process: everything it is, in one file.
//!
//! The file is JSON, replaced as a whole (written beside it, synced, renamed), readable by its owner only, because the
//! faucet's and the Covalidator's keys are in it. It is written when the network stops, every few seconds while
//! transactions land, and now and then while slots pass. So a network that was killed comes back a few seconds younger,
//! to everybody who spoke with it as if a fork had taken its newest slots back: that is less than what is finalised as
//! long as finality takes longer than [`PERIOD`].
//!
//! Not kept: faults, ambushes, request counts, transactions that waited for a frozen node.

mod image;
mod shapes;

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use solana_hash::Hash;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer as _;

use self::shapes::{Address, SavedAccount, SavedBlock, SavedLanded};
use super::{network::Network, standins::VaultSnapshot};
use crate::domain::chance::{Chance, draw};

pub(super) use image::Image;

/// The form of the file; another one is refused.
const FORMAT: u32 = 1;
/// How often what landed is written.
pub(super) const PERIOD: Duration = Duration::from_secs(2);
/// How often the slot is written when nothing landed, in periods.
const IDLE_PERIODS: u32 = 15;
/// A write that takes long is followed by a pause so many times as long.
const EASE: u32 = 10;

/// Why a state file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file or its directory.
    #[error("the network's state cannot be kept in {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It is something else.
    #[error("{} holds no network state; remove it to begin a new network", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// It was written by another version.
    #[error("{} holds network state of form {found}; this version reads form {FORMAT}", path.display())]
    Format {
        /// Which.
        path: PathBuf,
        /// Its form.
        found: u32,
    },
    /// A transaction in it is none.
    #[error("a transaction of the network's state does not decode")]
    Transaction,
}

/// What names a network and signs for it. Worth nothing anywhere else, but whoever has it is its faucet.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Identity {
    genesis: [u8; 32],
    pub(super) faucet: [u8; 32],
    /// Where the endpoints' faults draw their chances from.
    pub(super) faults_seed: u64,
    pub(super) mint: [u8; 32],
    pub(super) authority: [u8; 32],
    pub(super) decryption_key: [u8; 32],
    pub(super) attestation_key: [u8; 32],
    pub(super) randomness: u64,
}

impl Identity {
    /// A new network's identity, around the stand-ins' keys and a genesis hash where one is given.
    pub(super) fn new(
        chance: &dyn Chance,
        stand_ins: &super::standins::StandInConfig,
        genesis: Option<[u8; 32]>,
    ) -> Self {
        // Drawn in either case, so that a seed makes the other keys what they are without it.
        let drawn = draw(chance);
        Self {
            genesis: genesis.unwrap_or(drawn),
            faucet: draw(chance),
            faults_seed: u64::from_le_bytes(draw(chance)),
            mint: draw(chance),
            authority: draw(chance),
            decryption_key: stand_ins.decryption_key,
            attestation_key: stand_ins.attestation_key,
            randomness: stand_ins.seed,
        }
    }

    /// The genesis hash.
    pub(super) fn genesis(&self) -> Hash {
        Hash::new_from_array(self.genesis)
    }

    /// The address of the cash mint. It follows from a key that each file has, so that one from before there was cash
    /// has it too.
    pub(super) fn cash_mint(&self) -> Pubkey {
        let key = Sha256::new().chain_update("cash mint").chain_update(self.mint).finalize();
        Keypair::new_from_array(key.into()).pubkey()
    }
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Saved {
    format: u32,
    identity: Identity,
    airdrops: u64,
    slot: u64,
    blocks: Vec<SavedBlock>,
    accounts: Vec<(Address, SavedAccount)>,
    notes: Vec<(u64, Vec<SavedNote>)>,
    first_slot: u64,
    pruned: usize,
    landed: Vec<SavedLanded>,
    plaintexts: VaultSnapshot,
}

/// What an account was before a slot; none when it did not exist.
type SavedNote = (Address, Option<SavedAccount>);

/// The form alone, so that another one is told as such.
#[derive(Deserialize)]
struct Form {
    format: u32,
}

/// A network that was read from a file.
pub(super) struct Restored {
    pub(super) identity: Identity,
    pub(super) airdrops: u64,
    pub(super) image: Image,
}

/// Reads a state file; none if there is no file.
pub(super) fn read(path: &Path) -> Result<Option<Restored>, StateError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StateError::File { path: path.to_owned(), source }),
    };
    let unreadable = |source| StateError::Unreadable { path: path.to_owned(), source };
    let form: Form = serde_json::from_slice(&text).map_err(unreadable)?;
    if form.format != FORMAT {
        return Err(StateError::Format { path: path.to_owned(), found: form.format });
    }
    let saved: Saved = serde_json::from_slice(&text).map_err(unreadable)?;
    let image = Image {
        slot: saved.slot,
        blocks: saved.blocks.into_iter().map(Into::into).collect(),
        accounts: saved.accounts.into_iter().map(|(key, account)| (key.0, account.into())).collect(),
        notes: saved.notes.into_iter().map(|(slot, notes)| (slot, unsaved(notes))).collect(),
        landed: saved.landed.into_iter().map(SavedLanded::landed).collect::<Result<_, _>>()?,
        first_slot: saved.first_slot,
        pruned: saved.pruned,
        plaintexts: saved.plaintexts,
    };
    Ok(Some(Restored { identity: saved.identity, airdrops: saved.airdrops, image }))
}

fn unsaved(notes: Vec<(Address, Option<SavedAccount>)>) -> super::journal::Before {
    notes.into_iter().map(|(key, account)| (key.0, account.map(Into::into))).collect()
}

/// Keeps a network's state in a file.
#[derive(Clone)]
pub(super) struct Keeper {
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    pub(super) network: Network,
    /// One write at a time, so that the last one is the newest.
    pub(super) turn: Arc<Mutex<()>>,
}

impl Keeper {
    /// Writes the state as it is now. The network stands still only while it is copied.
    pub(super) fn save(&self) -> Result<(), StateError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (image, airdrops) = self.network.image();
        let file = |source| StateError::File { path: self.path.clone(), source };
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let mut beside = tempfile::NamedTempFile::new_in(directory).map_err(file)?;
        let saved = self.saved(image, airdrops)?;
        let mut writer = io::BufWriter::new(beside.as_file_mut());
        serde_json::to_writer(&mut writer, &saved).map_err(|source| file(source.into()))?;
        writer.flush().map_err(file)?;
        drop(writer);
        beside.as_file().sync_all().map_err(file)?;
        beside.persist(&self.path).map_err(|fault| file(fault.error))?;
        Ok(())
    }

    fn saved(&self, image: Image, airdrops: u64) -> Result<Saved, StateError> {
        let notes = |notes: super::journal::Before| {
            notes.iter().map(|(key, account)| (Address(*key), account.as_ref().map(Into::into))).collect()
        };
        Ok(Saved {
            format: FORMAT,
            identity: self.identity.clone(),
            airdrops,
            slot: image.slot,
            blocks: image.blocks.into_iter().map(Into::into).collect(),
            accounts: image.accounts.iter().map(|(key, account)| (Address(*key), account.into())).collect(),
            notes: image.notes.into_iter().map(|(slot, of)| (slot, notes(of))).collect(),
            first_slot: image.first_slot,
            pruned: image.pruned,
            landed: image.landed.iter().map(|landed| SavedLanded::of(landed)).collect::<Result<_, _>>()?,
            plaintexts: image.plaintexts,
        })
    }

    /// Writes the state again and again, until dropped. What cannot be written is told in the log and tried again.
    pub(super) async fn keep(self) {
        let mut written = None;
        let mut idle = 0;
        let mut pause = PERIOD;
        loop {
            tokio::time::sleep(pause).await;
            let landed = self.network.landed();
            idle += 1;
            if written == Some(landed) && idle < IDLE_PERIODS {
                continue;
            }
            let (keeper, started) = (self.clone(), Instant::now());
            match tokio::task::spawn_blocking(move || keeper.save()).await {
                Ok(Ok(())) => (written, idle) = (Some(landed), 0),
                Ok(Err(fault)) => tracing::error!(%fault, "the network's state is not kept"),
                Err(fault) => tracing::error!(%fault, "the network's state is not kept"),
            }
            pause = PERIOD.max(started.elapsed() * EASE);
        }
    }
}
