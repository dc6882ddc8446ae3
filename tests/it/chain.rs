//! The chain port against the embedded network and everything that can go wrong on the way.

mod confirm;
mod endpoints;
mod hostile;
mod proxy;
mod reads;
mod scene;
mod sockets;
mod survey;
mod tunnel;
