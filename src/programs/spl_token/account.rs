//! What the token programs store: fixed fields, optional ones behind a tag of four bytes; in Token-2022 extensions may
//! follow, behind a byte that tells the kind of account.

use crate::programs::{
    inco_token::{AccountState, DecodeError},
    spl_token::TokenProgram,
};
use solana_pubkey::Pubkey;

/// Where the kind stands in an account that has extensions: behind the fields of the longer kind.
pub(super) const KIND_AT: usize = TokenAccount::SIZE;
pub(super) const KIND_MINT: u8 = 1;
const KIND_ACCOUNT: u8 = 2;
/// A multi-signature account of either program has this many bytes, and no kind.
const MULTISIG_SIZE: usize = 355;

/// A token account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenAccount {
    /// The token.
    pub mint: Pubkey,
    /// The wallet that owns it.
    pub owner: Pubkey,
    /// The balance, in base units.
    pub amount: u64,
    /// Who may spend `delegated_amount` beside the owner.
    pub delegate: Option<Pubkey>,
    /// Whether it can be used.
    pub state: AccountState,
    /// Of an account of wrapped SOL: the lamports that are its rent and no balance.
    pub native_reserve: Option<u64>,
    /// What the delegate may spend, in base units.
    pub delegated_amount: u64,
    /// Who may close the account beside its owner.
    pub close_authority: Option<Pubkey>,
}

impl TokenAccount {
    /// The fields without extensions, in bytes.
    pub const SIZE: usize = 165;

    /// Reads a token account that `program` owns.
    pub fn decode(program: TokenProgram, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(fields(program, bytes, Self::SIZE, KIND_ACCOUNT)?);
        Ok(Self {
            mint: reader.key()?,
            owner: reader.key()?,
            amount: reader.u64()?,
            delegate: reader.option(Reader::key)?,
            state: match reader.byte()? {
                0 => AccountState::Uninitialised,
                1 => AccountState::Initialised,
                2 => AccountState::Frozen,
                _ => return Err(DecodeError::Value),
            },
            native_reserve: reader.option(Reader::u64)?,
            delegated_amount: reader.u64()?,
            close_authority: reader.option(Reader::key)?,
        })
    }
}

/// A mint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mint {
    /// Who may make more of it.
    pub authority: Option<Pubkey>,
    /// How much there is, in base units.
    pub supply: u64,
    /// Decimals of one token.
    pub decimals: u8,
    /// Whether it can be used.
    pub is_initialised: bool,
    /// Who may freeze its accounts.
    pub freeze_authority: Option<Pubkey>,
}

impl Mint {
    /// The fields without extensions, in bytes.
    pub const SIZE: usize = 82;

    /// Reads a mint that `program` owns.
    pub fn decode(program: TokenProgram, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(fields(program, bytes, Self::SIZE, KIND_MINT)?);
        Ok(Self {
            authority: reader.option(Reader::key)?,
            supply: reader.u64()?,
            decimals: reader.byte()?,
            is_initialised: match reader.byte()? {
                0 => false,
                1 => true,
                _ => return Err(DecodeError::Value),
            },
            freeze_authority: reader.option(Reader::key)?,
        })
    }
}

/// The fixed fields of an account of this kind; refuses one of another kind and, in SPL Token, any other length.
fn fields(program: TokenProgram, bytes: &[u8], size: usize, kind: u8) -> Result<&[u8], DecodeError> {
    let fixed = bytes.get(..size).ok_or(DecodeError::Truncated)?;
    if bytes.len() == size {
        return Ok(fixed);
    }
    let found = bytes.get(KIND_AT).filter(|_| program == TokenProgram::Token2022 && bytes.len() != MULTISIG_SIZE);
    match found {
        Some(found) if *found == kind => Ok(fixed),
        Some(_) => Err(DecodeError::Discriminator),
        None => Err(DecodeError::TooLong),
    }
}

/// Fields in order.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        self.take().map(u64::from_le_bytes)
    }

    fn key(&mut self) -> Result<Pubkey, DecodeError> {
        self.take().map(Pubkey::new_from_array)
    }

    /// An optional field; its bytes are there either way.
    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, DecodeError>) -> Result<Option<T>, DecodeError> {
        let tag = u32::from_le_bytes(self.take()?);
        let value = read(self)?;
        match tag {
            0 => Ok(None),
            1 => Ok(Some(value)),
            _ => Err(DecodeError::Value),
        }
    }
}
