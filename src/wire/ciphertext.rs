//! Encrypted amounts as they stand in bodies: lower-case hex.

use std::ops::RangeInclusive;

/// The lengths of an encrypted amount, in bytes: 113, and one for each of its digits (`spec/inco.md` §6).
const LENGTHS: RangeInclusive<usize> = 114..=152;

/// Reads an encrypted amount; none of another length or spelling, and nothing else is known of it.
pub(super) fn read(text: &str) -> Option<Vec<u8>> {
    if text.len() > 2 * LENGTHS.end() || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    hex::decode(text).ok().filter(|bytes| LENGTHS.contains(&bytes.len()))
}
