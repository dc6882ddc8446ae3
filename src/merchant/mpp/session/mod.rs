//! Selling by vouchers of a channel: what the published `createSessionServer` does, and more strictly.
//!
//! - [`sale`]: what is sold, and whose word counts. [`gate`]: judging vouchers. [`layer`]: as a tower layer.
//! - [`store`]: what is remembered, in memory or in a store of one's own; [`file`](mod@file): in a file.
//! - `trust`: what the facilitator is asked. `nonces`: those that are issued.

pub mod file;
pub mod gate;
pub mod layer;
mod nonces;
pub mod sale;
pub mod store;
mod trust;

pub use file::FileStore;
pub use gate::{Paid, SessionFault, SessionGate};
pub use layer::SessionWall;
pub use sale::{SaleFault, SessionSale};
pub use store::{ChannelStore, MemoryStore, Remembered, Standing, StoreFault, Swapped};
