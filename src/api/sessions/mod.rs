//! The routes below `/sessions`, one file each.

pub(super) mod allowances;
pub(super) mod close;
pub(super) mod close_all;
pub(super) mod events;
pub(super) mod funding;
pub(super) mod list;
pub(super) mod open;
mod path;
pub(super) mod payment;
pub(super) mod prepare;
pub(super) mod revoke;
pub(super) mod revoke_offer;
pub(super) mod show;
pub(super) mod signed_read;
mod view;

use path::{PaymentPath, SessionPath};
use signed_read::{SignedHeaders, SignedRead};
use view::{Amounts, approval as approval_view, view};
