//! Who pays fees: a pool of keys, shared by balance, kept apart from the spender.
//!
//! The first key is the one that `/supported` announces and that clients compile into their approves; captures and
//! account creations are shared among all of them. A key whose balance is at its floor gets no new work; what it has
//! signed finishes, because recorded bytes need no key. Balances are read in the background in one request and lowered
//! by our own spending in between, so choosing one asks nobody.

use crate::{
    chain::{ChainError, keys::Signer},
    facilitator::{Keys, sponsor::Sponsor, tasks::ticks},
};
use solana_pubkey::Pubkey;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// A balance that nobody has read yet.
const UNKNOWN: u64 = u64::MAX;
/// What a key with an unknown balance is taken for until the first reading, in lamports to spend.
const ASSUMED_LAMPORTS: u64 = 1_000_000_000;

/// How many rounds of the background pass between two readings: our own spending is known without asking.
const ROUNDS_BETWEEN_READINGS: u32 = 5;

/// A key and what it has.
struct PayingKey {
    signer: Arc<dyn Signer>,
    /// Lamports as last read, less what was signed since.
    lamports: AtomicU64,
}

impl PayingKey {
    fn new(signer: &Arc<dyn Signer>) -> Self {
        Self { signer: Arc::clone(signer), lamports: AtomicU64::new(UNKNOWN) }
    }

    /// What it may spend above `floor`.
    fn spendable(&self, floor: u64) -> u64 {
        match self.lamports.load(Ordering::Relaxed) {
            UNKNOWN => ASSUMED_LAMPORTS,
            lamports => lamports.saturating_sub(floor),
        }
    }
}

/// A key's balance, as an operator is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Balance {
    /// The key.
    pub(crate) key: Pubkey,
    /// Whether it gets new work; none before its balance was read.
    pub(crate) is_funded: Option<bool>,
}

/// The keys that pay transaction fees, with what is known of their balances.
pub(crate) struct FeePayers {
    /// The announced key first.
    paying_keys: Vec<PayingKey>,
    /// The spender, where it is not in the pool: it pays for decrypt allowances, and fees where a second signature would
    /// make a settlement too large.
    spender: Option<PayingKey>,
    /// What each key of the pool is owed in turns (smooth weighted round robin).
    turns: Mutex<Vec<i64>>,
    /// No key is spent below this.
    floor: AtomicU64,
}

impl FeePayers {
    /// The pool of these keys; none is spent below `floor` lamports.
    pub(crate) fn new(keys: &Keys, floor: u64) -> Self {
        let mut paying_keys: Vec<PayingKey> = Vec::new();
        for signer in std::iter::once(&keys.fee_payer).chain(&keys.further_fee_payers) {
            if paying_keys.iter().all(|paying_key| paying_key.signer.pubkey() != signer.pubkey()) {
                paying_keys.push(PayingKey::new(signer));
            }
        }
        let spender = keys.spender.pubkey();
        let apart = paying_keys.iter().all(|paying_key| paying_key.signer.pubkey() != spender);
        Self {
            turns: Mutex::new(vec![0; paying_keys.len()]),
            paying_keys,
            spender: apart.then(|| PayingKey::new(&keys.spender)),
            floor: AtomicU64::new(floor),
        }
    }

    /// Who pays for the next transaction, which costs about `fee`: the pool's keys take turns by what they have, and those
    /// that cannot pay are left out. `spender` pays where the transaction does not `fit` with a second signature. None when
    /// nobody can pay.
    pub(crate) fn choose(
        &self,
        fee: u64,
        spender: &Arc<dyn Signer>,
        fits: impl Fn(&Arc<dyn Signer>) -> bool,
    ) -> Option<Arc<dyn Signer>> {
        let chosen = self.next(fee)?;
        if fits(&chosen.signer) {
            return Some(Arc::clone(&chosen.signer));
        }
        self.can_pay(&spender.pubkey(), fee).then(|| Arc::clone(spender))
    }

    /// Who pays for the next transaction that others sign, too, which costs about `fee`: a key of the pool other than the
    /// spender, which pays only where there is no other. None when nobody can pay.
    pub(crate) fn choose_apart(&self, fee: u64, spender: &Pubkey) -> Option<Arc<dyn Signer>> {
        let is_spender = |paying_key: &PayingKey| paying_key.signer.pubkey() == *spender;
        let apart = !self.paying_keys.iter().all(is_spender);
        Some(Arc::clone(&self.next_of(fee, |paying_key| !(apart && is_spender(paying_key)))?.signer))
    }

    /// The keys that pay for what others sign, too: the pool without the spender, which pays only where there is no other.
    pub(crate) fn apart_from(&self, spender: &Pubkey) -> Vec<Pubkey> {
        let all: Vec<Pubkey> = self.paying_keys.iter().map(|paying_key| paying_key.signer.pubkey()).collect();
        let apart: Vec<Pubkey> = all.iter().copied().filter(|key| key != spender).collect();
        if apart.is_empty() { all } else { apart }
    }

    /// The key of this address, where it is one that pays.
    pub(crate) fn signer(&self, key: &Pubkey) -> Option<&Arc<dyn Signer>> {
        self.paying_keys.iter().map(|paying_key| &paying_key.signer).find(|signer| signer.pubkey() == *key)
    }

    fn next(&self, fee: u64) -> Option<&PayingKey> {
        self.next_of(fee, |_| true)
    }

    fn next_of(&self, fee: u64, may_pay: impl Fn(&PayingKey) -> bool) -> Option<&PayingKey> {
        let floor = self.floor.load(Ordering::Relaxed);
        let spendable = |paying_key: &PayingKey| if may_pay(paying_key) { paying_key.spendable(floor) } else { 0 };
        let spendable: Vec<u64> = self.paying_keys.iter().map(spendable).collect();
        let most = spendable.iter().copied().max().filter(|most| *most >= fee)?;
        let weight = |spendable: u64| {
            let share = u128::from(spendable) * 100 / u128::from(most.max(1));
            if spendable < fee { 0 } else { i64::try_from(share).unwrap_or(100).max(1) }
        };
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let all: i64 = spendable.iter().map(|spendable| weight(*spendable)).sum();
        let candidates = turns.iter_mut().zip(&spendable).enumerate().filter(|(_, (_, spendable))| **spendable >= fee);
        let (chosen, turn) = candidates
            .map(|(index, (turn, spendable))| {
                *turn += weight(*spendable);
                (index, turn)
            })
            .max_by_key(|(index, turn)| (**turn, std::cmp::Reverse(*index)))?;
        *turn -= all;
        self.paying_keys.get(chosen)
    }

    /// Whether this key may spend `lamports` and stay above the floor; true of keys that are not watched.
    pub(crate) fn can_pay(&self, key: &Pubkey, lamports: u64) -> bool {
        let floor = self.floor.load(Ordering::Relaxed);
        self.watched()
            .find(|paying_key| paying_key.signer.pubkey() == *key)
            .is_none_or(|paying_key| paying_key.spendable(floor) >= lamports)
    }

    /// Whether any key of the pool may spend so much.
    pub(crate) fn any_can_pay(&self, lamports: u64) -> bool {
        self.paying_keys.iter().any(|paying_key| self.can_pay(&paying_key.signer.pubkey(), lamports))
    }

    /// A transaction that this key pays for was signed.
    pub(crate) fn charge(&self, key: &Pubkey, lamports: u64) {
        for paying_key in self.watched().filter(|paying_key| paying_key.signer.pubkey() == *key) {
            // An unknown balance stays unknown.
            let _ = paying_key.lamports.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |known| {
                (known != UNKNOWN).then(|| known.saturating_sub(lamports))
            });
        }
    }

    /// Every key of ours: none of them is ever a recipient or an account of a transaction we co-sign.
    pub(crate) fn all(&self) -> Vec<Pubkey> {
        self.watched().map(|paying_key| paying_key.signer.pubkey()).collect()
    }

    /// How the pool's keys stand, the announced one first.
    pub(crate) fn balances(&self) -> Vec<Balance> {
        let floor = self.floor.load(Ordering::Relaxed);
        let balance = |paying_key: &PayingKey| Balance {
            key: paying_key.signer.pubkey(),
            is_funded: match paying_key.lamports.load(Ordering::Relaxed) {
                UNKNOWN => None,
                lamports => Some(lamports >= floor),
            },
        };
        self.paying_keys.iter().map(balance).collect()
    }

    fn watched(&self) -> impl Iterator<Item = &PayingKey> {
        self.paying_keys.iter().chain(&self.spender)
    }
}

impl Sponsor {
    /// Reads all balances in one request. What is signed while the answer is on its way is seen at the next reading: the
    /// floor leaves room for that.
    pub(crate) async fn read_balances(&self) -> Result<(), ChainError> {
        let keys = self.fee_payers.all();
        let (rent, accounts) = tokio::try_join!(self.core.chain.rent(0), self.core.chain.accounts(&keys))?;
        let floor = self.core.settings.low_balance.max(rent);
        self.fee_payers.floor.store(floor, Ordering::Relaxed);
        for (paying_key, account) in self.fee_payers.watched().zip(accounts) {
            let lamports = account.map_or(0, |account| account.lamports);
            let before = paying_key.lamports.swap(lamports, Ordering::Relaxed);
            let key = paying_key.signer.pubkey();
            if lamports < floor && (before == UNKNOWN || before >= floor) {
                tracing::warn!(%key, "a key that pays is low and gets no new work; send it SOL");
            } else if lamports >= floor && before < floor {
                tracing::info!(%key, "a key that pays is funded again");
            }
        }
        Ok(())
    }

    /// Reads balances again and again.
    pub(crate) async fn balance_rounds(self: Arc<Self>) {
        let mut ticks = ticks(self.core.settings.background.round * ROUNDS_BETWEEN_READINGS);
        loop {
            ticks.tick().await;
            if let Err(error) = self.read_balances().await {
                tracing::debug!(%error, "the fee payers' balances cannot be read; the next round tries again");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chain::keys::LocalSigner, domain::chance::SeededChance, facilitator::ReceiptKeys};
    use std::collections::HashMap;

    const FLOOR: u64 = 1_000;

    fn pool(balances: &[u64]) -> (FeePayers, Vec<Pubkey>) {
        let chance = SeededChance::new(7);
        let mut signers: Vec<Arc<dyn Signer>> =
            balances.iter().map(|_| Arc::new(LocalSigner::generate(&chance)) as Arc<dyn Signer>).collect();
        let keys: Vec<Pubkey> = signers.iter().map(|signer| signer.pubkey()).collect();
        let fee_payer = signers.remove(0);
        let spender = Arc::new(LocalSigner::generate(&chance));
        let receipts = ReceiptKeys::default();
        let pool = FeePayers::new(&Keys { spender, fee_payer, further_fee_payers: signers, receipts }, FLOOR);
        for (paying_key, balance) in pool.paying_keys.iter().zip(balances) {
            paying_key.lamports.store(*balance, Ordering::Relaxed);
        }
        (pool, keys)
    }

    fn turns(pool: &FeePayers, times: usize) -> HashMap<Pubkey, usize> {
        let mut counted = HashMap::new();
        for _ in 0..times {
            if let Some(paying_key) = pool.next(10) {
                *counted.entry(paying_key.signer.pubkey()).or_default() += 1;
            }
        }
        counted
    }

    #[test]
    fn keys_take_turns_by_what_they_have() {
        let (pool, keys) = pool(&[FLOOR + 30_000, FLOOR + 10_000]);
        let counted = turns(&pool, 400);
        assert!((295..=305).contains(&counted[&keys[0]]), "{counted:?}");
        assert_eq!(counted[&keys[0]] + counted[&keys[1]], 400);
    }

    #[test]
    fn a_key_at_its_floor_gets_no_work_and_an_empty_pool_says_so() {
        let (pool, keys) = pool(&[FLOOR + 9, FLOOR + 10_000]);
        assert_eq!(turns(&pool, 50), HashMap::from([(keys[1], 50)]));
        pool.charge(&keys[1], 10_000);
        assert!(pool.next(10).is_none());
        assert!(pool.can_pay(&keys[0], 9) && !pool.can_pay(&keys[0], 10));
    }

    #[test]
    fn a_balance_that_nobody_read_gets_the_benefit_of_the_doubt() {
        let (pool, keys) = pool(&[UNKNOWN, 0]);
        pool.charge(&keys[0], 5);
        assert_eq!(turns(&pool, 3), HashMap::from([(keys[0], 3)]));
        assert_eq!(pool.balances()[0].is_funded, None);
        assert_eq!(pool.balances()[1].is_funded, Some(false));
    }

    #[test]
    fn the_spender_pays_for_what_others_sign_only_where_there_is_no_other() {
        let (pool, keys) = pool(&[FLOOR + 30_000, FLOOR + 10_000]);
        let chosen = |spender: &Pubkey| pool.choose_apart(10, spender).map(|signer| signer.pubkey());
        assert!((0..5).all(|_| chosen(&keys[0]) == Some(keys[1])));
        assert_eq!(pool.apart_from(&keys[0]), [keys[1]]);
        pool.charge(&keys[1], 10_000);
        assert_eq!(chosen(&keys[0]), None, "not even where the other is low");
        let alone: Arc<dyn Signer> = Arc::new(LocalSigner::generate(&SeededChance::new(8)));
        let (spender, fee_payer) = (Arc::clone(&alone), Arc::clone(&alone));
        let one = Keys { spender, fee_payer, further_fee_payers: Vec::new(), receipts: ReceiptKeys::default() };
        let pool = FeePayers::new(&one, FLOOR);
        let chosen = pool.choose_apart(10, &alone.pubkey());
        assert_eq!(chosen.map(|signer| signer.pubkey()), Some(alone.pubkey()));
        assert_eq!(pool.apart_from(&alone.pubkey()), [alone.pubkey()]);
    }

    #[test]
    fn one_key_in_two_places_is_one_purse() {
        let signer: Arc<dyn Signer> = Arc::new(LocalSigner::generate(&SeededChance::new(7)));
        let further_fee_payers = vec![Arc::clone(&signer)];
        let receipts = ReceiptKeys::default();
        let keys = Keys { spender: Arc::clone(&signer), fee_payer: Arc::clone(&signer), further_fee_payers, receipts };
        assert_eq!(FeePayers::new(&keys, FLOOR).all(), vec![signer.pubkey()]);
    }
}
