//! The operations on encrypted values, evaluated on plaintexts.
//!
//! A value without a plaintext (a ciphertext for another key, or a handle that nobody made) stays unknown through
//! arithmetic; a comparison with it is false, so that a transfer of it moves zero.

use solana_instruction_error::InstructionError;

use super::super::anchor::Arguments;
use super::super::host::Outcome;

/// The published crate's code for an operand that is handle 0, "not initialised". That the program gives it is
/// unproven.
const HANDLE_NOT_INITIALIZED: InstructionError = InstructionError::Custom(404);

/// An operation on two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Sub,
    Mul,
    Rem,
    And,
    Or,
    Shl,
    Shr,
    Ge,
    Gt,
    Le,
    Lt,
    Eq,
}

/// Which operation, before its arguments are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    NewNumber,
    NewBoolean,
    AsNumber,
    AsBoolean,
    Binary(Binary),
    Not,
    Select,
    Rand,
}

impl Kind {
    /// Every operation by its instruction's name.
    pub(super) const ALL: &[(&'static str, Self)] = &[
        ("new_euint128", Self::NewNumber),
        ("new_ebool", Self::NewBoolean),
        ("as_euint128", Self::AsNumber),
        ("as_ebool", Self::AsBoolean),
        ("e_add", Self::Binary(Binary::Add)),
        ("e_sub", Self::Binary(Binary::Sub)),
        ("e_mul", Self::Binary(Binary::Mul)),
        ("e_rem", Self::Binary(Binary::Rem)),
        ("e_and", Self::Binary(Binary::And)),
        ("e_or", Self::Binary(Binary::Or)),
        ("e_shl", Self::Binary(Binary::Shl)),
        ("e_shr", Self::Binary(Binary::Shr)),
        ("e_ge", Self::Binary(Binary::Ge)),
        ("e_gt", Self::Binary(Binary::Gt)),
        ("e_le", Self::Binary(Binary::Le)),
        ("e_lt", Self::Binary(Binary::Lt)),
        ("e_eq", Self::Binary(Binary::Eq)),
        ("e_not", Self::Not),
        ("e_select", Self::Select),
        ("e_rand", Self::Rand),
    ];
}

/// An operand: a handle, or a number in the clear where the instruction's last byte is 1 (the left operand only).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Handle(u128),
    Clear(u128),
}

/// An operation with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    NewNumber(Vec<u8>),
    NewBoolean(Vec<u8>),
    Clear(u128),
    Binary(Binary, Operand, Operand),
    Not(Operand),
    Select { condition: Operand, yes: Operand, no: Operand },
    Rand,
}

impl Operation {
    /// Reads the arguments of `kind`.
    pub(super) fn read(kind: Kind, arguments: &mut Arguments<'_>) -> Outcome<Self> {
        Ok(match kind {
            Kind::NewNumber | Kind::NewBoolean => {
                let ciphertext = arguments.bytes()?.to_vec();
                arguments.byte()?;
                if kind == Kind::NewNumber { Self::NewNumber(ciphertext) } else { Self::NewBoolean(ciphertext) }
            }
            Kind::AsNumber => Self::Clear(arguments.number()?),
            Kind::AsBoolean => Self::Clear(u128::from(arguments.boolean()?)),
            Kind::Binary(binary) => {
                let (left, right) = (arguments.number()?, arguments.number()?);
                Self::Binary(binary, operand(left, arguments.byte()?), Operand::Handle(right))
            }
            Kind::Not => {
                let value = arguments.number()?;
                Self::Not(operand(value, arguments.byte()?))
            }
            Kind::Select => {
                let (condition, yes, no) = (arguments.number()?, arguments.number()?, arguments.number()?);
                arguments.byte()?;
                let [condition, yes, no] = [condition, yes, no].map(Operand::Handle);
                Self::Select { condition, yes, no }
            }
            Kind::Rand => {
                arguments.byte()?;
                Self::Rand
            }
        })
    }

    /// Whether it makes the handle of a value that somebody encrypted.
    pub(super) const fn is_of_ciphertext(&self) -> bool {
        matches!(self, Self::NewNumber(_) | Self::NewBoolean(_))
    }

    /// The result, or `None` when nobody can know it. Refuses handle 0 as an operand.
    pub(super) fn evaluate(
        &self,
        plaintext: impl Fn(u128) -> Option<u128>,
        decrypt: impl Fn(&[u8]) -> Option<u128>,
    ) -> Outcome<Option<u128>> {
        let value = |operand: &Operand| match *operand {
            Operand::Clear(value) => Ok(Some(value)),
            Operand::Handle(0) => Err(HANDLE_NOT_INITIALIZED),
            Operand::Handle(handle) => Ok(plaintext(handle)),
        };
        Ok(match self {
            Self::NewNumber(ciphertext) => decrypt(ciphertext),
            Self::NewBoolean(ciphertext) => decrypt(ciphertext).filter(|value| *value <= 1),
            Self::Clear(number) => Some(*number),
            Self::Binary(binary, left, right) => binary.apply(value(left)?, value(right)?),
            Self::Not(operand) => value(operand)?.map(|value| !value),
            Self::Select { condition, yes, no } => {
                let (condition, yes, no) = (value(condition)?, value(yes)?, value(no)?);
                if condition.unwrap_or(0) == 0 { no } else { yes }
            }
            // The draw is the caller's: this module has no chance of its own.
            Self::Rand => None,
        })
    }
}

impl Binary {
    fn apply(self, left: Option<u128>, right: Option<u128>) -> Option<u128> {
        let (Some(left), Some(right)) = (left, right) else {
            return self.is_comparison().then_some(0);
        };
        // A shift by the width or more takes the remainder, as wrapping arithmetic does everywhere here.
        let places = u32::try_from(right % 128).unwrap_or(0);
        Some(match self {
            Self::Add => left.wrapping_add(right),
            Self::Sub => left.wrapping_sub(right),
            Self::Mul => left.wrapping_mul(right),
            Self::Rem => left.checked_rem(right).unwrap_or(0),
            Self::And => left & right,
            Self::Or => left | right,
            Self::Shl => left.wrapping_shl(places),
            Self::Shr => left.wrapping_shr(places),
            Self::Ge => u128::from(left >= right),
            Self::Gt => u128::from(left > right),
            Self::Le => u128::from(left <= right),
            Self::Lt => u128::from(left < right),
            Self::Eq => u128::from(left == right),
        })
    }

    fn is_comparison(self) -> bool {
        matches!(self, Self::Ge | Self::Gt | Self::Le | Self::Lt | Self::Eq)
    }
}

fn operand(value: u128, scalar: u8) -> Operand {
    if scalar == 0 { Operand::Handle(value) } else { Operand::Clear(value) }
}

#[cfg(test)]
mod tests;
