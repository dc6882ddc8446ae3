//! The chain's own time, as its clock account has it: the time of the block that an endpoint stands at. Every block has one, which
//! is not so of what nodes remember of the times of blocks.

use crate::chain::{Chain, ChainError, EndpointAccounts};
use solana_sdk_ids::sysvar::clock;

/// Where the account has its Unix seconds.
const UNIX_TIMESTAMP: std::ops::Range<usize> = 32..40;

/// The time of the newest block in Unix seconds, as each endpoint tells it that answers.
pub async fn block_times(chain: &(impl Chain + ?Sized)) -> Result<Vec<u64>, ChainError> {
    Ok(chain.accounts_everywhere(&[clock::ID]).await?.iter().filter_map(block_time).collect())
}

fn block_time(told: &EndpointAccounts) -> Option<u64> {
    let (_, accounts) = told.told.as_ref()?;
    let bytes = accounts.first()?.as_ref()?.data.get(UNIX_TIMESTAMP)?;
    u64::try_from(i64::from_le_bytes(bytes.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::ChainAccount;

    fn told(bytes: Option<Vec<u8>>) -> EndpointAccounts {
        let account = bytes.map(|data| ChainAccount { lamports: 1, owner: solana_sdk_ids::sysvar::ID, data });
        EndpointAccounts { endpoint: 1, voice: 0, told: Some((9, vec![account])) }
    }

    #[test]
    fn the_time_is_the_fifth_figure_of_the_clock_and_nothing_else_is_one() {
        let figures = [9_i64, 1, 2, 3, 1_700_000_000].map(i64::to_le_bytes).concat();
        assert_eq!(block_time(&told(Some(figures.clone()))), Some(1_700_000_000));
        let before_time = [9_i64, 1, 2, 3, -1].map(i64::to_le_bytes).concat();
        for nothing in [None, Some(figures[..39].to_vec()), Some(before_time)] {
            assert_eq!(block_time(&told(nothing)), None);
        }
        assert_eq!(block_time(&EndpointAccounts { told: None, ..told(None) }), None);
    }
}
