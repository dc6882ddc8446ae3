//! What the program stores of a wallet: a header, and roles back to back (`spec/mpp.md` §6.2).

use super::{
    fields::Fields,
    role::{Role, short},
};

/// The kind of account, its first byte.
const KIND: u8 = 1;

/// One wallet's config account.
pub(super) struct Config {
    pub(super) bump: u8,
    pub(super) id: [u8; 32],
    /// The id of the next role. It only grows, so that no id is used twice.
    pub(super) next_role: u32,
    pub(super) wallet_bump: u8,
    pub(super) sub_accounts: u32,
    pub(super) roles: Vec<Role>,
    /// Bytes behind the last role; they mean nothing and go when the roles change.
    pub(super) tail: Vec<u8>,
}

impl Config {
    /// Reads an account's bytes.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let kind = fields.u8()?;
        let (bump, id, count) = (fields.u8()?, fields.array()?, fields.u16()?);
        let (next_role, wallet_bump) = (fields.u32()?, fields.u8()?);
        fields.bytes(3)?;
        let sub_accounts = fields.u32()?;
        let (mut roles, mut begin) = (Vec::new(), 0);
        for _ in 0..count {
            let (role, end) = Role::decode(&mut fields, begin)?;
            roles.push(role);
            begin = end;
        }
        let tail = fields.0.to_vec();
        (kind == KIND).then_some(Self { bump, id, next_role, wallet_bump, sub_accounts, roles, tail })
    }

    /// The account's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![KIND, self.bump];
        bytes.extend(self.id);
        bytes.extend(short(self.roles.len()).to_le_bytes());
        bytes.extend(self.next_role.to_le_bytes());
        bytes.extend([self.wallet_bump, 0, 0, 0]);
        bytes.extend(self.sub_accounts.to_le_bytes());
        let mut roles = Vec::new();
        for role in &self.roles {
            role.append_to(&mut roles);
        }
        bytes.extend(roles);
        bytes.extend(&self.tail);
        bytes
    }

    /// The role of this id.
    pub(super) fn role(&self, id: u32) -> Option<&Role> {
        self.roles.iter().find(|role| role.id == id)
    }

    /// The role of this id, to be changed.
    pub(super) fn role_mut(&mut self, id: u32) -> Option<&mut Role> {
        self.roles.iter_mut().find(|role| role.id == id)
    }
}
