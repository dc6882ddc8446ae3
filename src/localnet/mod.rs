//! The embedded local network: a real SVM in this process with stand-ins for Inco's programs, for development and
//! tests. Evidence for our client code, never for Inco's programs.

pub mod standins;
