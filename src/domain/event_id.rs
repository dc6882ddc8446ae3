//! The ids of a session's events: places in the order of what happened, which tell nobody how much happens to others.
//!
//! A [`Position`] counts what happened to all sessions together, so it is enciphered before it is told: four rounds of a
//! Feistel network over its two numbers, keyed by a secret and the session. The same place always has the same id, also in
//! the next process and in another replica, and an id of another session is none.

use crate::domain::{history::Position, session::SessionId};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;
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

/// The text is not a cursor of this user's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct NotACursor;

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
        self.encipher(&session.to_bytes(), [position.log, position.holds])
    }

    /// The position behind an id: what [`EventIds::tell`] wrote for this session, or `0-0` for the beginning.
    pub fn read(&self, session: SessionId, text: &str) -> Result<Position, NotAnEventId> {
        if text == BEGINNING {
            return Ok(Position::default());
        }
        let [log, holds] = self.decipher(&session.to_bytes(), text).ok_or(NotAnEventId)?;
        Ok(Position { log, holds })
    }

    /// What a user is told to go on with after the session of this number in a list of theirs.
    pub fn tell_place(&self, user: &Pubkey, number: u64) -> String {
        self.encipher(user.as_ref(), [number, 0])
    }

    /// The number behind what [`EventIds::tell_place`] wrote for this user.
    pub fn read_place(&self, user: &Pubkey, text: &str) -> Result<u64, NotACursor> {
        match self.decipher(user.as_ref(), text) {
            Some([number, 0]) => Ok(number),
            Some(_) | None => Err(NotACursor),
        }
    }

    fn encipher(&self, owner: &[u8], [mut left, mut right]: [u64; 2]) -> String {
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.mix(owner, round, right));
        }
        format!("{left:016x}{right:016x}")
    }

    /// Reads what [`Self::encipher`] wrote; none in another spelling, and none that we did not write.
    fn decipher(&self, owner: &[u8], text: &str) -> Option<[u64; 2]> {
        let number = |range: Range<usize>| {
            let digits = text.get(range).filter(|digits| !digits.starts_with('+'))?;
            u64::from_str_radix(digits, 16).ok()
        };
        let (mut left, mut right) = (number(0..16)?, number(16..32)?);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.mix(owner, round, left), left);
        }
        (left < END && right < END && self.encipher(owner, [left, right]) == text).then_some([left, right])
    }

    /// A session's id and a user's key have different lengths, so one's text is never the other's.
    fn mix(&self, owner: &[u8], round: u8, half: u64) -> u64 {
        let digest = Sha256::new()
            .chain_update(self.0)
            .chain_update(owner)
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
    fn a_place_in_a_list_is_its_users_alone() {
        let ids = EventIds::new([7; 32]);
        let (user, other) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
        for number in [0, 1, END - 1] {
            let text = ids.tell_place(&user, number);
            assert_eq!(ids.read_place(&user, &text), Ok(number));
            assert_eq!(ids.read_place(&other, &text), Err(NotACursor));
        }
        let event = ids.tell(session(1), Position { log: 3, holds: 0 });
        assert_eq!(ids.read_place(&user, &event), Err(NotACursor));
        assert_eq!(ids.read_place(&user, "0-0"), Err(NotACursor));
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
