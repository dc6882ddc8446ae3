//! The ids of a session's events: places in the order of what happened, which tell nobody how much happens to others.
//!
//! A [`Position`] counts what happened to all sessions together, so it is enciphered before it is told: four rounds of a
//! Feistel network over its two numbers, keyed by a secret and the session. The same place always has the same id, also in
//! the next process and in another replica, and an id of another session is none.

use crate::domain::{history::Position, session::SessionId};
use sha2::{Digest as _, Sha256};
use std::ops::Range;

/// The id of the position before a session's first event; clients ask for everything with it.
const BEGINNING: &str = "0-0";
/// Luby and Rackoff: four rounds of a good function cannot be told from chance.
const ROUNDS: u8 = 4;
/// No counter gets as far in a century, so what deciphers to more was not enciphered by us.
const END: u64 = 1 << 48;

/// The text is not the id of an event of this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of an event")]
pub struct NotAnEventId;

/// What turns positions into ids and back.
#[derive(Clone)]
pub struct EventIds([u8; 32]);

impl EventIds {
    /// Ids under this secret.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The id of the event at `position` of a session.
    pub fn tell(&self, session: SessionId, position: Position) -> String {
        let (mut left, mut right) = (position.log, position.holds);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.mix(session, round, right));
        }
        format!("{left:016x}{right:016x}")
    }

    /// The position behind an id: what [`EventIds::tell`] wrote for this session, or `0-0` for the beginning.
    pub fn read(&self, session: SessionId, text: &str) -> Result<Position, NotAnEventId> {
        if text == BEGINNING {
            return Ok(Position::default());
        }
        let number = |range: Range<usize>| {
            let digits = text.get(range).filter(|digits| !digits.starts_with('+')).ok_or(NotAnEventId)?;
            u64::from_str_radix(digits, 16).map_err(|_| NotAnEventId)
        };
        let (mut left, mut right) = (number(0..16)?, number(16..32)?);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.mix(session, round, left), left);
        }
        let position = Position { log: left, holds: right };
        // One spelling, and nothing that we did not write.
        let ours = left < END && right < END && self.tell(session, position) == text;
        if ours { Ok(position) } else { Err(NotAnEventId) }
    }

    fn mix(&self, session: SessionId, round: u8, half: u64) -> u64 {
        let digest = Sha256::new()
            .chain_update(self.0)
            .chain_update(session.to_bytes())
            .chain_update([round])
            .chain_update(half.to_le_bytes())
            .finalize();
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest[..8]);
        u64::from_le_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(n: u8) -> SessionId {
        SessionId::from_random_bytes([n; 16])
    }

    #[test]
    fn an_id_leads_back_to_its_place_in_its_session_and_nowhere_else() {
        let ids = EventIds::new([7; 32]);
        for position in [Position::default(), Position { log: 3, holds: 17 }, Position { log: END - 1, holds: 0 }] {
            let id = ids.tell(session(1), position);
            assert_eq!(ids.read(session(1), &id), Ok(position));
            assert_eq!(ids.read(session(2), &id), Err(NotAnEventId), "another session");
            assert_eq!(EventIds::new([8; 32]).read(session(1), &id), Err(NotAnEventId), "another secret");
        }
        assert_eq!(ids.read(session(1), "0-0"), Ok(Position::default()));
    }

    #[test]
    fn neighbours_look_nothing_alike() {
        let ids = EventIds::new([7; 32]);
        let [one, next] = [17, 18].map(|holds| ids.tell(session(1), Position { log: 3, holds }));
        let same = one.bytes().zip(next.bytes()).filter(|(a, b)| a == b).count();
        assert!(one.len() == 32 && same < 12, "{one} {next}");
    }

    #[test]
    fn an_id_has_one_spelling() {
        let ids = EventIds::new([7; 32]);
        let id = ids.tell(session(1), Position { log: 3, holds: 17 });
        let other = [id.to_uppercase(), format!("{id}0"), format!("+{}", &id[1..]), id[1..].to_owned()];
        for text in other.iter().map(String::as_str).chain(["", "3", "3-17", "0-1", "00-0", "é".repeat(16).as_str()]) {
            assert_eq!(ids.read(session(1), text), Err(NotAnEventId), "{text}");
        }
    }
}
