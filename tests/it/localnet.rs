//! The embedded local network, asked by the clients that everybody uses: `solana-rpc-client` and
//! `solana-pubsub-client`; `@solana/web3.js` in `node`.

mod accounts;
mod endpoints;
mod faults;
mod forks;
mod history;
mod node;
mod precompile;
mod protocol;
mod pushes;
mod state;
mod transactions;
mod world;
