//! The nonces that this crate's clients give their payments.

use crate::domain::{
    chance::{self, Chance},
    clock::Clock,
};

/// A new nonce for a payment: a version 7 UUID as 32 hexadecimal digits. Later ones sort after earlier ones, to the
/// millisecond, so that the facilitator's index of nonces grows at its end and a batch of payments writes few of its pages.
///
/// A facilitator takes nonces in any order; of other clients many are random, and cost it more.
pub fn payment_nonce(clock: &dyn Clock, chance: &dyn Chance) -> String {
    let random = chance::draw::<10>(chance);
    uuid::Builder::from_unix_timestamp_millis(clock.now_millis(), &random).into_uuid().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::payment_nonce;
    use crate::domain::{
        chance::SeededChance,
        clock::{Clock, ManualClock, UnixMillis, UnixSeconds},
    };

    /// A clock that knows milliseconds.
    struct At(UnixMillis);

    impl Clock for At {
        fn now(&self) -> UnixSeconds {
            self.0 / 1_000
        }

        fn now_millis(&self) -> UnixMillis {
            self.0
        }
    }

    #[test]
    fn nonces_sort_by_the_millisecond_and_differ_within_it() {
        let chance = SeededChance::new(3);
        let at = |now| payment_nonce(&At(now), &chance);
        let made: Vec<_> = (1_800_000_000_000..1_800_000_000_100).map(at).collect();
        assert!(made.is_sorted());
        assert_ne!(at(7), at(7));
    }

    #[test]
    fn a_nonce_is_a_version_7_uuid() {
        let nonce = payment_nonce(&ManualClock::at(1_800_000_000), &SeededChance::new(3));
        let id = uuid::Uuid::try_parse(&nonce).expect("a UUID");
        assert_eq!((nonce.len(), id.get_version_num()), (32, 7));
        assert_eq!(id.get_timestamp().expect("a time").to_unix(), (1_800_000_000, 0));
    }
}
