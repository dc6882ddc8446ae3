//! What a settlement serves.

use crate::domain::session::SessionId;
use uuid::Uuid;

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);
    )+ };
}

ids! {
    /// The id of a payment that is settled by itself, outside any session.
    SingleId,
    /// The id of a charge: a payment whose transaction its payer has signed.
    ChargeId,
    /// The id of a payment channel.
    ChannelId,
    /// The id of a revoke that we pay for.
    RevocationId,
    /// The id of a message that was issued for a wallet to sign.
    IssuedId,
}

/// What a settlement serves: whose payments it carries, or for whom it prepares something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A session.
    Session(SessionId),
    /// One payment outside any session.
    Single(SingleId),
    /// A charge.
    Charge(ChargeId),
    /// A payment channel.
    Channel(ChannelId),
    /// The end of our delegation over one wallet's account of an asset.
    Revocation(RevocationId),
    /// A message that was issued for a wallet: a step of its onboarding, or of its leave.
    Issued(IssuedId),
    /// Ourselves.
    Own,
}

impl Subject {
    /// The words of all kinds, in the order of the variants.
    pub const KINDS: [&'static str; 7] = ["session", "single", "charge", "channel", "revocation", "issued", "own"];

    /// The word of its kind in the ledger.
    pub const fn kind(self) -> &'static str {
        let [session, single, charge, channel, revocation, issued, own] = Self::KINDS;
        match self {
            Self::Session(_) => session,
            Self::Single(_) => single,
            Self::Charge(_) => charge,
            Self::Channel(_) => channel,
            Self::Revocation(_) => revocation,
            Self::Issued(_) => issued,
            Self::Own => own,
        }
    }

    /// Its id; none for ourselves.
    pub fn id(self) -> Option<Uuid> {
        match self {
            Self::Session(id) => Some(Uuid::from_bytes(id.to_bytes())),
            Self::Single(SingleId(id))
            | Self::Charge(ChargeId(id))
            | Self::Channel(ChannelId(id))
            | Self::Revocation(RevocationId(id))
            | Self::Issued(IssuedId(id)) => Some(id),
            Self::Own => None,
        }
    }

    /// The subject of this kind with this id; none for a kind that does not exist, and where an id is missing or too many.
    pub fn of(kind: &str, id: Option<Uuid>) -> Option<Self> {
        match (kind, id) {
            ("session", Some(id)) => Some(Self::Session(SessionId::from_bytes(id.into_bytes()))),
            ("single", Some(id)) => Some(Self::Single(SingleId(id))),
            ("charge", Some(id)) => Some(Self::Charge(ChargeId(id))),
            ("channel", Some(id)) => Some(Self::Channel(ChannelId(id))),
            ("revocation", Some(id)) => Some(Self::Revocation(RevocationId(id))),
            ("issued", Some(id)) => Some(Self::Issued(IssuedId(id))),
            ("own", None) => Some(Self::Own),
            _ => None,
        }
    }

    /// The session, if it is one.
    pub const fn session(self) -> Option<SessionId> {
        match self {
            Self::Session(id) => Some(id),
            Self::Single(_)
            | Self::Charge(_)
            | Self::Channel(_)
            | Self::Revocation(_)
            | Self::Issued(_)
            | Self::Own => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_is_read_as_it_was_written() {
        let id = Uuid::from_bytes([7; 16]);
        let all = [
            Subject::Session(SessionId::from_bytes([7; 16])),
            Subject::Single(SingleId(id)),
            Subject::Charge(ChargeId(id)),
            Subject::Channel(ChannelId(id)),
            Subject::Revocation(RevocationId(id)),
            Subject::Issued(IssuedId(id)),
            Subject::Own,
        ];
        assert_eq!(all.map(Subject::kind), Subject::KINDS);
        for subject in all {
            assert_eq!(Subject::of(subject.kind(), subject.id()), Some(subject));
            let other = if subject.id().is_some() { None } else { Some(id) };
            assert_eq!(Subject::of(subject.kind(), other), None, "{subject:?}");
            assert_eq!(subject.session().is_some(), matches!(subject, Subject::Session(_)));
        }
        assert_eq!(Subject::of("nobody", Some(id)), None);
    }
}
