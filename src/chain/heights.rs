//! What block height the chain has, as far as a blockhash's last valid one is to be believed (`spec/settlement.md` §2).
//!
//! A last valid height that is too high can never be proved to be past: what was signed under it would be held for ever.
//! One that is too low is past while the blockhash lives: what was signed under it could land after its absence was proved.
//! So what an endpoint tells with a blockhash is compared with a height that all endpoints were asked for together: at the
//! start, and again whenever the chain has moved on by [`STRIDE`] blocks.

use crate::chain::{ChainError, counts::Reason, endpoint, node::Question, pool::Pool};
use serde_json::json;
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client_api::request::RpcRequest;
use std::{
    sync::{Mutex, PoisonError},
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
/// The pace of the cluster, where two endpoints disagree and it has to be guessed who is right.
const SLOT: Duration = Duration::from_millis(400);

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

/// The last height that was asked for.
#[derive(Default)]
pub(super) struct Heights(Mutex<Option<KnownHeight>>);

impl Heights {
    fn known(&self) -> Option<KnownHeight> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The height last asked for, when a blockhash that lives until `last_valid` can be judged by it.
    pub(super) fn near(&self, last_valid: u64) -> Option<KnownHeight> {
        let near = |anchor: &KnownHeight| {
            let height = last_valid.saturating_sub(LIFE);
            anchor.judge(last_valid) == HeightVerdict::Plausible && height <= anchor.height.saturating_add(STRIDE)
        };
        self.known().filter(near)
    }

    /// Asks every endpoint for the height, and remembers the one that is to be believed.
    pub(super) async fn ask(&self, pool: &Pool) -> Result<KnownHeight, ChainError> {
        let what = "asking for the block height";
        let params = json!([CommitmentConfig::confirmed()]);
        let question = Question { reason: Reason::Check, ..Question::new(what, RpcRequest::GetBlockHeight, params) };
        let told: Vec<u64> = pool.ask_all(&question).await.into_iter().flatten().collect();
        let now = Instant::now();
        let height = believed(&told, self.known(), now).ok_or_else(|| endpoint::behind(what))?;
        let anchor = KnownHeight { height, at: now };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(anchor);
        Ok(anchor)
    }
}

/// Of the heights that were told, in the operator's order of the endpoints, the one to believe: the middle one; of two
/// the higher if they agree, else the one that the chain can be at since the last time, else the first.
fn believed(told: &[u64], before: Option<KnownHeight>, now: Instant) -> Option<u64> {
    match *told {
        [first, second] if first.abs_diff(second) <= SPREAD => Some(first.max(second)),
        [first, second] => {
            let Some(before) = before else { return Some(first) };
            let blocks = now.duration_since(before.at).as_millis() / SLOT.as_millis();
            let expected = before.height.saturating_add(u64::try_from(blocks).unwrap_or(u64::MAX));
            Some(if first.abs_diff(expected) <= second.abs_diff(expected) { first } else { second })
        }
        _ => {
            let mut sorted = told.to_vec();
            sorted.sort_unstable();
            sorted.get(sorted.len().saturating_sub(1) / 2).copied()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: u64 = 1 << 40;

    #[test]
    fn a_height_is_believed_that_the_others_can_confirm() {
        let now = Instant::now();
        let before = Some(KnownHeight { height: 1_000, at: now });
        let later = now + Duration::from_mins(1);
        assert_eq!(believed(&[], before, now), None);
        assert_eq!(believed(&[7], before, now), Some(7), "a lone one is all there is");
        assert_eq!(believed(&[1_100, 1_103], None, now), Some(1_103));
        assert_eq!(believed(&[FAR, 1_150], before, later), Some(1_150));
        assert_eq!(believed(&[1_150, 2], before, later), Some(1_150));
        assert_eq!(believed(&[1_150, FAR], None, now), Some(1_150), "the operator names it first");
        for told in [[FAR, 1_150, 1_151], [1_150, FAR, 1_151], [1_150, 1_151, 3]] {
            assert!(believed(&told, None, now).is_some_and(|height| (1_150..=1_151).contains(&height)));
        }
        assert_eq!(believed(&[1_150, 1_151, 1_152, FAR], None, now), Some(1_151));
    }

    #[test]
    fn a_blockhash_lives_neither_for_ever_nor_shorter_than_it_may() {
        let anchor = KnownHeight { height: 1_000, at: Instant::now() };
        assert_eq!(anchor.judge(1_150), HeightVerdict::Plausible);
        assert_eq!(anchor.judge(1_150 + SPREAD), HeightVerdict::Plausible);
        assert_eq!(anchor.judge(1_150 + SPREAD + 1), HeightVerdict::Absurd);
        assert_eq!(anchor.judge(u64::MAX), HeightVerdict::Absurd);
        assert_eq!(anchor.judge(1_000 - 1), HeightVerdict::Behind);
        assert_eq!(anchor.judge(0), HeightVerdict::Behind);
        assert_eq!((anchor.at_least(1_010), anchor.at_least(1_160)), (1_150, 1_160));
    }

    #[test]
    fn after_a_stride_it_is_asked_for_anew() {
        let heights = Heights(Mutex::new(Some(KnownHeight { height: 1_000, at: Instant::now() })));
        assert!(heights.near(1_150 + STRIDE).is_some() && heights.near(1_150).is_some());
        assert!(heights.near(1_150 + STRIDE + 1).is_none() && heights.near(FAR).is_none());
        assert!(Heights::default().near(1_150).is_none());
    }
}
