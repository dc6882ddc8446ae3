//! What has to outlive the process of a buyer with channels: which there are, what was drawn from them, and what was sent and not
//! answered.
//!
//! The JSON holds the channels' secrets: whoever reads it can draw up to each deposit. It belongs into a file that only its owner
//! reads.

use super::written::{as_amount, as_hex, as_optional_text, as_secret, as_text};
use crate::domain::{
    amount::Amount,
    clock::UnixSeconds,
    mpp::channel_id::{ChannelSecret, PublicId},
};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use zeroize::Zeroizing;

/// The form's number; another one is refused.
const FORM: u64 = 1;
/// How many ended channels are remembered.
const MOST_ENDED: usize = 100;

/// Why a text is not a saved state. Repeats nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not the JSON that [`BuyerState::to_json`] writes.
    #[error("this is not what was saved")]
    NotJson(#[source] serde_json::Error),
    /// Written by another version.
    #[error("this was saved in form {0}, and form {FORM} is read")]
    Form(u64),
}

/// A buyer's channels at one facilitator, from one wallet, in one token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuyerState {
    form: u64,
    /// The facilitator's URL, without a slash at its end.
    pub facilitator: String,
    /// The wallet.
    #[serde(with = "as_text")]
    pub wallet: Pubkey,
    /// The network, CAIP-2.
    pub chain_id: String,
    /// The token.
    #[serde(with = "as_text")]
    pub mint: Pubkey,
    /// Who certifies the channels: the pinned key, or the one that certified the first of them.
    #[serde(default, with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Pubkey>,
    /// The Swig that was made by this wallet, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) swig: Option<SwigMemory>,
    /// An opening that was sent and not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) opening: Option<SentOpening>,
    /// The channels that can be drawn from, oldest first.
    pub channels: Vec<KnownChannel>,
    /// Those that were closed, oldest first.
    pub ended: Vec<EndedChannel>,
}

/// What was signed of a Swig: what a facilitator may have the wallet sign next follows from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SwigMemory {
    /// Its id, hex.
    #[serde(with = "as_hex")]
    pub(super) id: [u8; 32],
    /// The newest role whose key was let act; ids only rise.
    pub(super) last_role: u32,
    /// What was granted and not let act yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) granted: Option<GrantMemory>,
}

/// The terms of a signed grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GrantMemory {
    #[serde(with = "as_text")]
    pub(super) delegate: Pubkey,
    #[serde(with = "as_amount")]
    pub(super) limit: Amount,
    pub(super) ttl: u64,
    #[serde(default, with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub(super) seller: Option<Pubkey>,
}

/// An opening as it was sent: the proof makes it one opening, however often it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SentOpening {
    #[serde(with = "as_text")]
    pub(super) seller: Pubkey,
    #[serde(with = "as_amount")]
    pub(super) deposit: Amount,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) idle_timeout: Option<u64>,
    /// The header value of the wallet's proof.
    pub(super) proof: String,
    /// When it is good no more, Unix seconds.
    pub(super) until: UnixSeconds,
}

/// A channel that can be drawn from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KnownChannel {
    /// Its bearer secret.
    #[serde(with = "as_secret")]
    pub(super) secret: ChannelSecret,
    /// The wallet that is paid.
    #[serde(with = "as_text")]
    pub seller: Pubkey,
    /// The most that is ever paid, in base units.
    #[serde(with = "as_amount")]
    pub deposit: Amount,
    /// The key that signs its vouchers.
    #[serde(with = "as_text")]
    pub signer: Pubkey,
    /// The program that enforces the grant.
    #[serde(with = "as_text")]
    pub program: Pubkey,
    /// From when on it gives no vouchers, Unix seconds.
    pub expires: UnixSeconds,
    /// What was drawn in all, by the last voucher that came, in base units.
    #[serde(with = "as_amount")]
    pub cumulative: Amount,
    /// The sequence of that voucher; 0 before the first.
    pub sequence: u64,
    /// A voucher that was asked for and did not come: it may be owed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Draw>,
}

/// A request for a voucher; repeated as it is, it is answered with the same voucher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Draw {
    /// What is owed in all from then on, in base units.
    #[serde(with = "as_amount")]
    pub cumulative: Amount,
    /// What it pays on top of the voucher before, in base units.
    #[serde(with = "as_amount")]
    pub delta: Amount,
    /// The seller's nonce, or the buyer's own.
    pub nonce: String,
    /// What is counted.
    pub meter: String,
    /// How many of it.
    pub units: u64,
}

/// A channel that was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndedChannel {
    /// Its public id.
    #[serde(with = "as_text")]
    pub id: PublicId,
    /// The wallet that was paid.
    #[serde(with = "as_text")]
    pub seller: Pubkey,
    /// The deposit, in base units: the sum of the three that follow.
    #[serde(with = "as_amount")]
    pub deposit: Amount,
    /// What was paid.
    #[serde(with = "as_amount")]
    pub settled: Amount,
    /// What was never drawn.
    #[serde(with = "as_amount")]
    pub refunded: Amount,
    /// What was drawn and could not be paid.
    #[serde(with = "as_amount")]
    pub shortfall: Amount,
    /// How many vouchers there were.
    pub vouchers: u64,
    /// The last settlement, where something was paid.
    pub transaction: Option<String>,
    /// Why it ended, by the facilitator's word.
    pub reason: String,
}

impl KnownChannel {
    /// The public id.
    pub fn id(&self) -> PublicId {
        self.secret.public_id()
    }

    /// The most that may be owed: what was drawn, and what was asked for and may have been.
    pub fn owed_at_most(&self) -> Amount {
        self.pending.as_ref().map_or(self.cumulative, |pending| pending.cumulative.max(self.cumulative))
    }
}

impl BuyerState {
    /// Nothing yet.
    pub fn new(facilitator: &str, wallet: Pubkey, chain_id: &str, mint: Pubkey) -> Self {
        Self {
            form: FORM,
            facilitator: facilitator.to_owned(),
            wallet,
            chain_id: chain_id.to_owned(),
            mint,
            issuer: None,
            swig: None,
            opening: None,
            channels: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// The text to keep. Holds the channels' secrets.
    pub fn to_json(&self) -> Result<Zeroizing<String>, StateError> {
        serde_json::to_string_pretty(self).map(Zeroizing::new).map_err(StateError::NotJson)
    }

    /// Reads what [`BuyerState::to_json`] wrote.
    pub fn from_json(text: &str) -> Result<Self, StateError> {
        let state: Self = serde_json::from_str(text).map_err(StateError::NotJson)?;
        if state.form == FORM { Ok(state) } else { Err(StateError::Form(state.form)) }
    }

    /// The channel of a public id.
    pub fn channel(&self, id: &PublicId) -> Option<&KnownChannel> {
        self.channels.iter().find(|channel| channel.id() == *id)
    }

    pub(super) fn channel_mut(&mut self, id: &PublicId) -> Option<&mut KnownChannel> {
        self.channels.iter_mut().find(|channel| channel.id() == *id)
    }

    /// Takes a channel out, and remembers how it ended.
    pub(super) fn end(&mut self, ended: EndedChannel) {
        self.channels.retain(|channel| channel.id() != ended.id);
        self.ended.retain(|known| known.id != ended.id);
        self.ended.push(ended);
        let too_many = self.ended.len().saturating_sub(MOST_ENDED);
        self.ended.drain(..too_many);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::samples::amount;

    pub(in crate::client::mpp) fn channel() -> KnownChannel {
        KnownChannel {
            secret: ChannelSecret::from_bytes([0xab; 32]),
            seller: Pubkey::new_from_array([2; 32]),
            deposit: amount(1_000_000),
            signer: Pubkey::new_from_array([3; 32]),
            program: Pubkey::new_from_array([4; 32]),
            expires: 2_000_000_000,
            cumulative: amount(10_000),
            sequence: 1,
            pending: Some(Draw {
                cumulative: amount(20_000),
                delta: amount(10_000),
                nonce: "n".to_owned(),
                meter: "request".to_owned(),
                units: 1,
            }),
        }
    }

    fn ended(number: u8) -> EndedChannel {
        EndedChannel {
            id: PublicId::from_bytes([number; 16]),
            seller: Pubkey::new_from_array([2; 32]),
            deposit: amount(10),
            settled: amount(4),
            refunded: amount(5),
            shortfall: amount(1),
            vouchers: 2,
            transaction: None,
            reason: "buyer".to_owned(),
        }
    }

    fn state() -> BuyerState {
        let key = |byte| Pubkey::new_from_array([byte; 32]);
        let mut state = BuyerState::new("http://127.0.0.1:4021", key(1), "solana:x", key(9));
        state.issuer = Some(key(5));
        let granted = GrantMemory { delegate: key(6), limit: amount(7), ttl: 300, seller: None };
        state.swig = Some(SwigMemory { id: [8; 32], last_role: 1, granted: Some(granted) });
        state.opening = Some(SentOpening {
            seller: key(2),
            deposit: amount(5),
            idle_timeout: None,
            proof: "proof".to_owned(),
            until: 9,
        });
        state.channels.push(channel());
        state.end(ended(1));
        state
    }

    #[test]
    fn a_saved_state_comes_back_whole() {
        let state = state();
        let text = state.to_json().unwrap();
        assert_eq!(BuyerState::from_json(&text).unwrap(), state);
        let bare = BuyerState { issuer: None, swig: None, opening: None, ..state };
        assert_eq!(BuyerState::from_json(&bare.to_json().unwrap()).unwrap(), bare);
    }

    #[test]
    fn damaged_states_are_refused_and_no_secret_is_repeated() {
        let text = state().to_json().unwrap();
        let secret = "ab".repeat(32);
        assert!(text.contains(&secret) && !format!("{:?}", state()).contains(&secret));
        for (from, to) in
            [("\"form\": 1", "\"form\": 2"), ("\"10000\"", "\"-1\""), ("\"ended\"", "\"x\""), ("ch_ab", "ch_xb")]
        {
            let bent = text.replacen(from, to, 1);
            assert_ne!(bent, *text, "{from}");
            let error = BuyerState::from_json(&bent).expect_err(from);
            assert!(!format!("{error:?}{error}").contains(&secret[2..]), "{from}");
        }
    }

    #[test]
    fn an_ended_channel_is_drawn_from_no_more_and_old_ones_are_forgotten() {
        let mut state = state();
        let id = channel().id();
        assert_eq!(state.channel(&id).unwrap().owed_at_most(), amount(20_000));
        state.end(EndedChannel { id, ..ended(1) });
        assert!(state.channel(&id).is_none());
        (0..=u8::MAX).for_each(|number| state.end(ended(number)));
        assert_eq!(state.ended.len(), MOST_ENDED);
        assert_eq!(state.ended.last().unwrap().id, PublicId::from_bytes([u8::MAX; 16]));
    }
}
