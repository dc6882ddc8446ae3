//! The embedded local network, asked by the clients that everybody uses: `solana-rpc-client` and
//! `solana-pubsub-client`; `@solana/web3.js` in `node`.

mod accounts;
mod cash;
mod endpoints;
mod faults;
mod forks;
mod golden;
mod history;
mod node;
mod parsed;
mod precompile;
mod protocol;
mod pushes;
mod spl_delegate;
mod state;
pub mod swig;
mod transactions;
mod world;
