//! Integration tests: one binary, one module per part.

mod config;
mod idl;
mod programs;
mod wire;
