//! What each endpoint says of one transaction, for an operator who has to judge it.

use crate::{
    chain::{
        no_effect::{EndpointAnswer, Said, answers},
        rpc::SolanaChain,
        signature_statuses::Level,
    },
    domain::settlement::{AbsenceProof, Attempt},
};

/// What one endpoint says of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointWord {
    /// Its place in the operator's list, 1 for the first.
    pub endpoint: usize,
    /// What it says.
    pub word: Word,
}

/// What is said of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It is on the chain without an error.
    Landed {
        /// The slot it landed in.
        slot: u64,
        /// Whether it can no longer be taken back.
        finalised: bool,
    },
    /// It is on the chain, with an error.
    Failed {
        /// The slot it landed in.
        slot: u64,
        /// Whether it can no longer be taken back, and so has no effect and never any.
        finalised: bool,
    },
    /// It never landed and never will.
    Absent(AbsenceProof),
    /// It is not there, and may still land.
    TooEarly,
    /// It is not there and can no longer land, and whether it ever did is not known here.
    Past {
        /// The finalised height, past the transaction's last valid one.
        finalised_height: u64,
    },
    /// There is no answer.
    Silent,
}

impl SolanaChain {
    /// What each endpoint says of an attempt, in the operator's order; one that serves another cluster than the named one has no
    /// word.
    pub async fn told_by_each(&self, attempt: &Attempt) -> Vec<EndpointWord> {
        answers(self.pool(), attempt).await.iter().map(word).collect()
    }
}

fn word(answer: &EndpointAnswer) -> EndpointWord {
    let word = match &answer.said {
        Ok((_, Said::Found(seen))) => {
            let (slot, finalised) = (seen.slot, seen.level == Level::Finalized);
            if seen.error.is_some() { Word::Failed { slot, finalised } } else { Word::Landed { slot, finalised } }
        }
        Ok((_, Said::Absent(proof))) => Word::Absent(*proof),
        Ok((_, Said::TooEarly)) => Word::TooEarly,
        Ok((_, Said::CannotKnow { finalised_height })) => Word::Past { finalised_height: *finalised_height },
        Err(_) => Word::Silent,
    };
    EndpointWord { endpoint: answer.place + 1, word }
}
