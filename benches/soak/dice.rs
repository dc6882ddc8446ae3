//! Choices that repeat themselves for equal seeds.

use sotto::domain::chance::{SeededChance, draw};

pub struct Dice(SeededChance);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(SeededChance::new(seed))
    }

    /// Dice of one's own.
    pub fn child(&mut self) -> Self {
        Self::new(u64::from_le_bytes(draw(&self.0)))
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        u64::from_le_bytes(draw(&self.0)) % end
    }

    /// Whether something happens that happens in so many of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
