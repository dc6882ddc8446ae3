//! What is wrong with a configuration, told all at once: which key, where it came from, and what to do about it.

use super::value::Origin;
use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `section.name`, or what stands in its place (a file, a variable).
    pub key: String,
    /// Where the value came from; none when there is no value.
    pub origin: Option<Origin>,
    /// What is wrong; never contains a secret.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => writeln!(f, "{} (from {origin})", self.key)?,
            None => writeln!(f, "{}", self.key)?,
        }
        write!(f, "    {}\n    remedy: {}", self.problem, self.remedy)
    }
}

/// Everything that is wrong, in the order of the keys. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0.len() == 1 { "fault" } else { "faults" };
        write!(f, "the configuration has {} {noun}", self.0.len())?;
        self.0.iter().try_for_each(|fault| write!(f, "\n\n{fault}"))
    }
}

impl std::error::Error for Faults {}

/// Something an operator should know although it stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The key or variable it is about.
    pub key: String,
    /// What is odd, and what to do about it; never contains a secret.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.text)
    }
}
