//! What all endpoints together say of something that would be given up for lost (`spec/mpp.md` §9, ADR 0066).
//!
//! Whatever is written off is the seller's loss for good, so that one endpoint's word is not enough for it: as many voices say so
//! as it takes to say that a transaction is absent (ADR 0058), counted as they are configured and not as they answer, and one that
//! says otherwise ends the question.

use crate::{chain::EndpointAccounts, facilitator::core::Core};
use std::collections::BTreeSet;

/// What one endpoint says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::facilitator::mpp) enum Word<T> {
    /// No answer that counts.
    Silent,
    /// There is nothing to be had.
    Nothing,
    /// There is this.
    Something(T),
}

/// What they say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::facilitator::mpp) enum Consensus<T> {
    /// As many voices as it takes say that there is nothing, and nobody says otherwise.
    Nothing,
    /// One of them, by its place in the operator's list, says that there is something.
    Contradicted {
        /// 1 for the first of the list.
        endpoint: usize,
        /// What it says there is.
        by: T,
    },
    /// Too few have answered.
    Undecided,
}

impl<T> Consensus<T> {
    /// Takes each endpoint's word, as `read` finds it in its accounts, where `needed` voices have to agree.
    fn of(told: &[EndpointAccounts], needed: usize, read: impl Fn(&EndpointAccounts) -> Word<T>) -> Self {
        let mut agreeing = BTreeSet::new();
        for endpoint in told {
            match read(endpoint) {
                Word::Silent => {}
                Word::Nothing => {
                    agreeing.insert(endpoint.voice);
                }
                Word::Something(by) => return Self::Contradicted { endpoint: endpoint.endpoint, by },
            }
        }
        if agreeing.len() >= needed { Self::Nothing } else { Self::Undecided }
    }
}

impl Core {
    /// What all endpoints say together of accounts that each of them has told.
    pub(in crate::facilitator::mpp) fn consensus<T>(
        &self,
        told: &[EndpointAccounts],
        read: impl Fn(&EndpointAccounts) -> Word<T>,
    ) -> Consensus<T> {
        Consensus::of(told, if self.chain.has_several_voices() { 2 } else { 1 }, read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The word of endpoints by the voices that they are.
    fn judge(words: &[(usize, Word<u64>)], needed: usize) -> Consensus<u64> {
        let endpoint = |(place, (voice, _)): (usize, &(usize, _))| EndpointAccounts {
            endpoint: place + 1,
            voice: *voice,
            told: None,
        };
        let told: Vec<_> = words.iter().enumerate().map(endpoint).collect();
        Consensus::of(&told, needed, |endpoint| words[endpoint.endpoint - 1].1)
    }

    #[test]
    fn one_that_says_otherwise_ends_the_question_whatever_the_others_say() {
        let something = Consensus::Contradicted { endpoint: 3, by: 7 };
        assert_eq!(judge(&[(0, Word::Nothing), (1, Word::Nothing), (2, Word::Something(7))], 2), something);
        assert_eq!(judge(&[(0, Word::Something(5))], 1), Consensus::Contradicted { endpoint: 1, by: 5 });
    }

    #[test]
    fn voices_are_counted_and_neither_endpoints_nor_silence() {
        use Word::{Nothing, Silent};
        assert_eq!(judge(&[(0, Nothing), (1, Nothing)], 2), Consensus::Nothing);
        assert_eq!(judge(&[(0, Nothing), (0, Nothing)], 2), Consensus::Undecided, "two endpoints of one voice");
        assert_eq!(judge(&[(0, Nothing), (1, Silent)], 2), Consensus::Undecided, "silence is no word");
        assert_eq!(judge(&[(0, Nothing), (1, Silent), (2, Nothing)], 2), Consensus::Nothing);
        assert_eq!(judge(&[(0, Nothing)], 1), Consensus::Nothing, "where one is configured");
        assert_eq!(judge(&[(0, Silent)], 1), Consensus::Undecided);
    }
}
