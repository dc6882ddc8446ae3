//! What block height the chain has, as far as a blockhash's last valid one is to be believed (`spec/settlement.md` §2).
//!
//! A last valid height that is too high can never be proved to be past: what was signed under it would be held for ever.
//! One that is too low is past while the blockhash lives: what was signed under it could land after its absence was proved.
//! So what an endpoint tells with a blockhash is compared with a height that all endpoints were asked for together: at the
//! start, and again whenever the chain has moved on by [`STRIDE`] blocks or had the time to.
//!
//! Where several voices are configured a blockhash lives at least as long as another voice than its teller's says it can
//! ([`Heights::least_life`]): honest voices would say of a living transaction that it is dead, if a liar had chosen when it
//! dies. What was signed before a voice has told any height is dead by that voice's word only when a blockhash of the moment of
//! its first one is ([`Heights::dead_after`]), because that moment came later than the signing. So one voice is enough to sign
//! by, and nobody has to remember which attempts were signed so.

use crate::chain::{ChainError, counts::Reason, endpoint, node::Question, pool::Pool};
use serde_json::json;
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client_api::request::RpcRequest;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How many blocks a blockhash lives.
pub(super) const LIFE: u64 = 150;
/// After so many blocks the height is asked for anew. Fewer than a block needs to become final: told a height that was
/// passed so many blocks ago, an attempt is proved absent no sooner than when its blockhash is dead.
const STRIDE: u64 = 31;
/// How far apart two nodes may be, and two answers.
const SPREAD: u64 = LIFE;
/// A height that was asked for, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownHeight {
    height: u64,
    at: Instant,
}

/// How a last valid height relates to what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeightVerdict {
    /// It can be that of a blockhash of now.
    Plausible,
    /// The node that told it is behind.
    Behind,
    /// No blockhash lives so long.
    Absurd,
}

/// What other voices than its teller's say of how long a blockhash lives at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeastLife {
    /// Until this height; 0 where no other voice is configured.
    Until(u64),
    /// None has told a height since the start: what is signed now is dead no sooner than [`Heights::dead_after`] of each says.
    Untold,
    /// Two are so far apart that nobody knows which is right.
    InDoubt,
}

impl KnownHeight {
    /// Judges whether a blockhash can be valid until block height `last_valid`, as an endpoint says.
    pub(super) const fn judge(self, last_valid: u64) -> HeightVerdict {
        let height = last_valid.saturating_sub(LIFE);
        if height > self.height.saturating_add(SPREAD) {
            HeightVerdict::Absurd
        } else if height.saturating_add(SPREAD) < self.height {
            HeightVerdict::Behind
        } else {
            HeightVerdict::Plausible
        }
    }

    /// Until when a blockhash may live that was told to live until `last_valid`: never shorter than is known to be possible.
    pub(super) fn at_least(self, last_valid: u64) -> u64 {
        last_valid.max(self.height.saturating_add(LIFE))
    }
}

/// A moment, and the pace of the chain: how long a block takes at least. It tells how high the chain can be by then, and where
/// two voices disagree which of them can be right.
#[derive(Clone, Copy, Debug)]
struct Now {
    at: Instant,
    slot: Duration,
}

impl Now {
    /// How many blocks the chain can have made since `before`.
    fn blocks_since(self, before: Instant) -> u64 {
        let blocks = self.at.duration_since(before).as_micros() / self.slot.as_micros().max(1);
        u64::try_from(blocks).unwrap_or(u64::MAX)
    }

    /// Whether the chain cannot have moved on by more than a stride since this was told.
    fn is_soon_after(self, told: KnownHeight) -> bool {
        self.blocks_since(told.at) <= STRIDE
    }

    /// The height that the chain can have at most, and never less than a stride more than was told.
    fn at_most(self, told: KnownHeight) -> u64 {
        told.height.saturating_add(self.blocks_since(told.at).max(STRIDE))
    }
}

/// What is known of the chain's height.
#[derive(Default)]
struct Known {
    /// The height last asked for.
    anchor: Option<KnownHeight>,
    /// The last one that more than one voice decided.
    decided: Option<KnownHeight>,
    /// What each voice told last.
    told: BTreeMap<usize, KnownHeight>,
    /// What each voice told first.
    first: BTreeMap<usize, u64>,
}

/// The heights that were asked for.
pub(super) struct Heights {
    /// How long a block takes at least.
    slot: Duration,
    known: Mutex<Known>,
}

impl Heights {
    pub(super) fn new(slot: Duration) -> Self {
        Self { slot, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Now {
        Now { at: Instant::now(), slot: self.slot }
    }

    /// The height last asked for, when a blockhash that lives until `last_valid` can be judged by it: the chain has not moved on
    /// by a stride, neither as its teller says nor by the time that has passed.
    pub(super) fn near(&self, last_valid: u64) -> Option<KnownHeight> {
        self.known().near(last_valid, self.now())
    }

    /// Asks every endpoint for the height, and remembers the one that is to be believed.
    pub(super) async fn ask(&self, pool: &Pool) -> Result<KnownHeight, ChainError> {
        let what = "asking for the block height";
        let params = json!([CommitmentConfig::confirmed()]);
        let question = Question { reason: Reason::Check, ..Question::new(what, RpcRequest::GetBlockHeight, params) };
        let answers = pool.ask_all::<u64>(&question).await;
        let told = by_voice(answers.into_iter().enumerate().map(|(place, told)| (pool.voices().of(place), told)));
        self.known().learn(&told, self.now()).ok_or_else(|| endpoint::behind(what))
    }

    /// Until which height a blockhash that `teller` told may live at least, by the word of other voices: what the highest of them
    /// told last, as far as the chain can have moved on since (a stride at least), and a blockhash's life.
    pub(super) fn least_life(&self, teller: usize) -> LeastLife {
        self.known().least_life(teller, self.now())
    }

    /// The finalised height past which what was signed before this voice first told a height is dead by its word: that height,
    /// a stride and a blockhash's life. None where it has told none yet.
    pub(super) fn dead_after(&self, voice: usize) -> Option<u64> {
        self.known().dead_after(voice)
    }
}

impl Known {
    fn near(&self, last_valid: u64, now: Now) -> Option<KnownHeight> {
        let near = |anchor: &KnownHeight| {
            let height = last_valid.saturating_sub(LIFE);
            anchor.judge(last_valid) == HeightVerdict::Plausible
                && height <= anchor.height.saturating_add(STRIDE)
                && now.is_soon_after(*anchor)
        };
        self.anchor.filter(near)
    }

    /// Takes what each voice told now.
    fn learn(&mut self, told: &BTreeMap<usize, u64>, now: Now) -> Option<KnownHeight> {
        let heights: Vec<u64> = told.values().copied().collect();
        let belief = believed(&heights, self.decided, now)?;
        let anchor = KnownHeight { height: belief.height, at: now.at };
        self.anchor = Some(anchor);
        if belief.is_decided {
            self.decided = Some(anchor);
        }
        self.told.extend(told.iter().map(|(voice, height)| (*voice, KnownHeight { height: *height, at: now.at })));
        for (voice, height) in told {
            self.first.entry(*voice).or_insert(*height);
        }
        Some(anchor)
    }

    fn dead_after(&self, voice: usize) -> Option<u64> {
        self.first.get(&voice).map(|first| life_ends(*first))
    }

    fn least_life(&self, teller: usize, now: Now) -> LeastLife {
        let others = self.told.iter().filter(|(voice, _)| **voice != teller).map(|(_, told)| *told);
        let can_be = |told: &KnownHeight| {
            self.decided
                .is_none_or(|decided| told.height <= Now { at: told.at, ..now }.at_most(decided).saturating_add(SPREAD))
        };
        // What several decided counts as well: of two the other one may tell of a time to come.
        let heights: Vec<KnownHeight> = others.filter(can_be).chain(self.decided).collect();
        // Whoever has been silent for long is not reckoned with while another voice speaks: the chain is slower than its pace.
        let recent = heights.iter().any(|told| now.is_soon_after(*told));
        let counted = heights.iter().filter(|told| !recent || now.is_soon_after(**told));
        let Some(highest) = counted.map(|told| now.at_most(*told)).max() else { return LeastLife::Untold };
        let is_far = |anchor: KnownHeight| highest > now.at_most(anchor).saturating_add(SPREAD);
        if self.decided.is_none() && self.anchor.is_some_and(is_far) {
            return LeastLife::InDoubt;
        }
        LeastLife::Until(highest.saturating_add(LIFE))
    }
}

/// Until when a blockhash may live of the time at which this height was told: its teller may be behind by a stride.
const fn life_ends(told: u64) -> u64 {
    told.saturating_add(STRIDE).saturating_add(LIFE)
}

/// The highest height that each voice told, in the operator's order of their first endpoints.
fn by_voice(told: impl Iterator<Item = (usize, Option<u64>)>) -> BTreeMap<usize, u64> {
    let mut highest = BTreeMap::new();
    for (voice, height) in told.filter_map(|(voice, height)| Some((voice, height?))) {
        let known = highest.entry(voice).or_insert(height);
        *known = height.max(*known);
    }
    highest
}

/// A height that is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Belief {
    height: u64,
    /// Whether more than one voice's word, or the pace of the chain since the last such time, led to it.
    is_decided: bool,
}

/// Of the heights that the voices told, in the operator's order, the one to believe: the middle one; of two the higher if they
/// agree, else the one that the chain can be at since the last time that was decided, else the first.
fn believed(told: &[u64], before: Option<KnownHeight>, now: Now) -> Option<Belief> {
    let decided = |height| Some(Belief { height, is_decided: true });
    match *told {
        [first, second] if first.abs_diff(second) <= SPREAD => decided(first.max(second)),
        [first, second] => {
            let Some(before) = before else { return Some(Belief { height: first, is_decided: false }) };
            let expected = before.height.saturating_add(now.blocks_since(before.at));
            decided(if first.abs_diff(expected) <= second.abs_diff(expected) { first } else { second })
        }
        _ => {
            let mut sorted = told.to_vec();
            sorted.sort_unstable();
            let height = sorted.get(sorted.len().saturating_sub(1) / 2).copied()?;
            Some(Belief { height, is_decided: sorted.len() > 2 })
        }
    }
}

#[cfg(test)]
mod tests;
