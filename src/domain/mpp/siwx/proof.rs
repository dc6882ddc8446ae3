//! A sign-in whose resources name one act: it proves that the wallet wants this act, once.

use crate::domain::{amount::Amount, mpp::channel_id::PublicId, signed::parse_key};
use solana_pubkey::Pubkey;

/// The act that a wallet has signed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Opening a channel.
    Open {
        /// To this wallet.
        seller: Pubkey,
        /// With this ceiling, in base units.
        deposit: Amount,
    },
    /// Closing a channel.
    Close(PublicId),
    /// Taking the whole delegation back.
    Leave,
}

impl Proof {
    /// The resources that name the act.
    pub fn resources(&self) -> Vec<String> {
        match self {
            Self::Open { seller, deposit } => vec![format!("mpp:seller:{seller}"), format!("mpp:deposit:{deposit}")],
            Self::Close(channel) => vec![format!("mpp:close:{channel}")],
            Self::Leave => vec!["mpp:leave".to_owned()],
        }
    }

    /// The act that resources name, if they name one and nothing else.
    pub fn read(resources: &[String]) -> Option<Self> {
        match resources {
            [seller, deposit] => {
                let seller = parse_key(seller.strip_prefix("mpp:seller:")?)?;
                let deposit = Amount::parse_positive(deposit.strip_prefix("mpp:deposit:")?).ok()?;
                Some(Self::Open { seller, deposit })
            }
            [leave] if leave == "mpp:leave" => Some(Self::Leave),
            [close] => close.strip_prefix("mpp:close:")?.parse().ok().map(Self::Close),
            _ => None,
        }
    }
}
