//! Integration tests: one binary, one module per part.

mod idl;
mod programs;
mod wire;
