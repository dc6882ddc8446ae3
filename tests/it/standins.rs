//! The stand-in programs inside `LiteSVM`, driven with the builders that everybody else uses.

mod accounts;
mod allowance;
mod authorization;
mod bench;
mod chain;
mod covalidator;
mod faucet;
mod lightning;
mod network;
mod padding;
mod transfer;
mod vault;
