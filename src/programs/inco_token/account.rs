//! What `IncoToken` stores: Borsh behind an 8-byte discriminator, in accounts of a fixed size.
//!
//! Options are a tag byte and then the value, so every field after `delegate` moves with it: these decoders read in
//! order and never index. Bytes after the last field are padding, and **not** always zero: the program overwrites the
//! front only, so a revoked spend approval leaves the tail of the longer account behind.

use crate::programs::account_discriminator;
use solana_pubkey::Pubkey;

/// Why bytes are not the account they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end inside a field.
    #[error("the account's bytes end too early")]
    Truncated,
    /// More than the program allocates: another program version, or not this account.
    #[error("the account is longer than the program allocates")]
    TooLong,
    /// Another kind of account.
    #[error("the account is of another kind")]
    Discriminator,
    /// An option or boolean that is neither 0 nor 1, or a state that does not exist.
    #[error("the account holds a value that its field cannot have")]
    Value,
}

/// Whether a token account can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// Allocated and empty.
    Uninitialised,
    /// Usable.
    Initialised,
    /// Refuses every movement until the freeze authority thaws it.
    Frozen,
}

/// A token account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncoAccount {
    /// The token.
    pub mint: Pubkey,
    /// The wallet that owns it.
    pub owner: Pubkey,
    /// The balance's handle; 0 is "none yet".
    pub amount: u128,
    /// The holder of a spend approval.
    pub delegate: Option<Pubkey>,
    /// Whether it can be used.
    pub state: AccountState,
    /// Always none on this program; kept because it is stored.
    pub is_native: Option<u64>,
    /// The approved amount's handle. The program neither compares nor lowers it (`spec/inco.md` §4).
    pub delegated_amount: u128,
    /// The key that may close the account beside its owner.
    pub close_authority: Option<Pubkey>,
}

impl IncoAccount {
    /// What the program allocates, in bytes.
    pub const SIZE: usize = 8 + 213;

    /// Reads a token account.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::open(bytes, "IncoAccount", Self::SIZE)?;
        Ok(Self {
            mint: reader.key()?,
            owner: reader.key()?,
            amount: reader.u128()?,
            delegate: reader.option(Reader::key)?,
            state: match reader.byte()? {
                0 => AccountState::Uninitialised,
                1 => AccountState::Initialised,
                2 => AccountState::Frozen,
                _ => return Err(DecodeError::Value),
            },
            is_native: reader.option(|reader| reader.take().map(u64::from_le_bytes))?,
            delegated_amount: reader.u128()?,
            close_authority: reader.option(Reader::key)?,
        })
    }

    /// The account as the program stores it, padded with zeros to [`IncoAccount::SIZE`].
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = account_discriminator("IncoAccount").to_vec();
        bytes.extend_from_slice(self.mint.as_ref());
        bytes.extend_from_slice(self.owner.as_ref());
        bytes.extend_from_slice(&self.amount.to_le_bytes());
        push_option(&mut bytes, self.delegate.as_ref().map(Pubkey::as_ref));
        bytes.push(match self.state {
            AccountState::Uninitialised => 0,
            AccountState::Initialised => 1,
            AccountState::Frozen => 2,
        });
        push_option(&mut bytes, self.is_native.map(u64::to_le_bytes).as_ref().map(<[u8; 8]>::as_slice));
        bytes.extend_from_slice(&self.delegated_amount.to_le_bytes());
        push_option(&mut bytes, self.close_authority.as_ref().map(Pubkey::as_ref));
        bytes.resize(Self::SIZE, 0);
        bytes
    }
}

/// A mint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncoMint {
    /// The key that may mint; none means the supply is fixed.
    pub mint_authority: Option<Pubkey>,
    /// The supply's handle.
    pub supply: u128,
    /// Decimal places of the token.
    pub decimals: u8,
    /// Whether it was initialised.
    pub is_initialized: bool,
    /// The key that may freeze and thaw token accounts.
    pub freeze_authority: Option<Pubkey>,
}

impl IncoMint {
    /// What the program allocates, in bytes.
    pub const SIZE: usize = 8 + 106;

    /// Reads a mint.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::open(bytes, "IncoMint", Self::SIZE)?;
        Ok(Self {
            mint_authority: reader.option(Reader::key)?,
            supply: reader.u128()?,
            decimals: reader.byte()?,
            is_initialized: reader.bool()?,
            freeze_authority: reader.option(Reader::key)?,
        })
    }

    /// The mint as the program stores it, padded with zeros to [`IncoMint::SIZE`].
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = account_discriminator("IncoMint").to_vec();
        push_option(&mut bytes, self.mint_authority.as_ref().map(Pubkey::as_ref));
        bytes.extend_from_slice(&self.supply.to_le_bytes());
        bytes.push(self.decimals);
        bytes.push(u8::from(self.is_initialized));
        push_option(&mut bytes, self.freeze_authority.as_ref().map(Pubkey::as_ref));
        bytes.resize(Self::SIZE, 0);
        bytes
    }
}

fn push_option(bytes: &mut Vec<u8>, value: Option<&[u8]>) {
    bytes.push(u8::from(value.is_some()));
    bytes.extend_from_slice(value.unwrap_or_default());
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn open(bytes: &'a [u8], type_name: &str, size: usize) -> Result<Self, DecodeError> {
        if bytes.len() > size {
            return Err(DecodeError::TooLong);
        }
        let mut reader = Self(bytes);
        if reader.take()? == account_discriminator(type_name) { Ok(reader) } else { Err(DecodeError::Discriminator) }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (front, rest) = self.0.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*front)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Value),
        }
    }

    fn u128(&mut self) -> Result<u128, DecodeError> {
        self.take().map(u128::from_le_bytes)
    }

    fn key(&mut self) -> Result<Pubkey, DecodeError> {
        self.take().map(Pubkey::new_from_array)
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, DecodeError>) -> Result<Option<T>, DecodeError> {
        if self.bool()? { read(self).map(Some) } else { Ok(None) }
    }
}
