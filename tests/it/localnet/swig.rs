//! The stand-in for Swig: the golden transactions run on it, and every rule of `spec/mpp.md` §6.3 is refused and allowed.

mod destinations;
mod golden;
mod limits;
mod roles;
mod scene;
mod sessions;
mod signing;
pub mod wire;
