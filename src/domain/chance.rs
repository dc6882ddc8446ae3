//! Chance as an argument: identifiers and ephemeral keys are drawn from a [`Chance`] that the caller hands in.

/// A source of random bytes.
pub trait Chance: Send + Sync + 'static {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// Draws `N` random bytes.
pub fn draw<const N: usize>(chance: &dyn Chance) -> [u8; N] {
    let mut bytes = [0; N];
    chance.fill(&mut bytes);
    bytes
}

/// The operating system's generator. The only place that asks it.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsChance;

impl Chance for OsChance {
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness no key and no identifier is safe, so there is nothing to fall back to.
        #[expect(clippy::expect_used, reason = "a machine without entropy cannot run a payment service")]
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// A repeatable generator for tests and the local network: SHA-256 of a seed and a counter. Never for real keys.
#[derive(Debug, Default)]
pub struct SeededChance {
    seed: u64,
    counter: std::sync::atomic::AtomicU64,
}

impl SeededChance {
    /// A generator that repeats itself for equal seeds.
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: std::sync::atomic::AtomicU64::new(0) }
    }
}

impl Chance for SeededChance {
    fn fill(&self, bytes: &mut [u8]) {
        use sha2::Digest as _;
        for chunk in bytes.chunks_mut(32) {
            let count = self.counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let block = sha2::Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(count.to_le_bytes());
            chunk.copy_from_slice(&block.finalize()[..chunk.len()]);
        }
    }
}
