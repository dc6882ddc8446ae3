//! The chain port against the embedded network and everything that can go wrong on the way.

mod absence;
mod confirm;
mod endpoints;
mod heights;
mod hostile;
pub mod proxy;
mod reads;
mod scene;
mod sockets;
mod survey;
mod tunnel;
mod unreachable;
