//! What the facilitator says of channels: once for a new one without a certificate, and again and again for those in use.
//!
//! It is always the configured facilitator that is asked. Questions are bounded: eight at once, and what it does not know is not
//! asked for again for a minute.

use crate::{
    domain::{
        amount::Amount,
        mpp::{channel_id::PublicId, timestamp, voucher::Certificate},
        signed::parse_key,
    },
    merchant::facilitator::{FacilitatorClient, FacilitatorFault},
    wire::mpp::session::ChannelAnswer,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_pubkey::Pubkey;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// How many questions are asked at once.
pub(super) const AT_ONCE: usize = 8;
/// How long a channel that is not known is not asked for again, and how many such are remembered.
const UNKNOWN_FOR: Duration = Duration::from_mins(1);
const MOST_UNKNOWN: usize = 10_000;
/// The states in which a channel's vouchers are paid.
const PAID_IN: [&str; 2] = ["open", "grace"];

/// What is asked of a facilitator.
pub(super) struct Trust {
    facilitator: FacilitatorClient,
    places: Semaphore,
    unknown: Mutex<HashMap<PublicId, Instant>>,
}

/// What a facilitator says of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It knows no such channel.
    Unknown,
    /// Its vouchers are paid no more.
    Ended,
    /// Its vouchers are paid: this certifies it.
    Live(Certificate, Pubkey),
}

impl Trust {
    pub(super) fn new(facilitator: FacilitatorClient) -> Self {
        Self { facilitator, places: Semaphore::new(AT_ONCE), unknown: Mutex::default() }
    }

    /// What the facilitator says of a channel that a voucher names for the first time.
    pub(super) async fn ask_of_new(&self, channel: &PublicId) -> Result<Word, FacilitatorFault> {
        if self.is_unknown(channel) {
            return Ok(Word::Unknown);
        }
        // Whoever waits here could make everybody wait by inventing channels.
        let Ok(_place) = self.places.try_acquire() else { return Err(FacilitatorFault::Busy { retry_after: Some(1) }) };
        let word = self.ask(channel).await?;
        if word == Word::Unknown {
            self.note_unknown(*channel);
        }
        Ok(word)
    }

    /// What the facilitator says of a channel.
    pub(super) async fn ask(&self, channel: &PublicId) -> Result<Word, FacilitatorFault> {
        match self.facilitator.channel(channel).await? {
            None => Ok(Word::Unknown),
            Some(view) if !PAID_IN.contains(&view.state.as_str()) => Ok(Word::Ended),
            Some(view) => {
                let unusable = FacilitatorFault::Contradiction("its certificate is none");
                certificate(&view).map(|(certificate, issuer)| Word::Live(certificate, issuer)).ok_or(unusable)
            }
        }
    }

    fn is_unknown(&self, channel: &PublicId) -> bool {
        let unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        unknown.get(channel).is_some_and(|asked| asked.elapsed() < UNKNOWN_FOR)
    }

    fn note_unknown(&self, channel: PublicId) {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() >= MOST_UNKNOWN {
            unknown.retain(|_, asked| asked.elapsed() < UNKNOWN_FOR);
        }
        // Eight questions at once fill this in a minute only where each takes milliseconds; then they are cheap to repeat.
        if unknown.len() < MOST_UNKNOWN {
            unknown.insert(channel, Instant::now());
        }
    }
}

/// The certificate that a look-up tells, and whose it is.
fn certificate(view: &ChannelAnswer) -> Option<(Certificate, Pubkey)> {
    let signature = STANDARD.decode(&view.certificate).ok()?.try_into().ok()?;
    let deposit = Amount::parse_positive(&view.deposit_atomic).ok()?;
    let expires = timestamp::read(&view.expires_at)? / 1_000;
    Some((Certificate { signature, deposit, expires }, parse_key(&view.issuer)?))
}
