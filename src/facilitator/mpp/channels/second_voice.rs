//! Large openings are not believed by one voice: whoever says of an empty account that it is full has its seller serve for nothing
//! until the settlement fails (ADR 0064).

use super::{ChannelError, Channels, RefusedChannel};
use crate::{
    domain::{
        amount::Amount,
        mpp::{channel::reason::ChannelReason, delegation::Delegation, money::Reading},
    },
    facilitator::delegated,
};
use std::{cmp::Reverse, collections::BTreeMap};

impl Channels {
    /// The reading by which a channel of this deposit is opened: as it was read, or for one above what a landing may be on one
    /// voice's word what two voices say that there is at least.
    pub(super) async fn by_two_voices(
        &self,
        deposit: Amount,
        delegation: &Delegation,
        read: (Reading, u64),
    ) -> Result<(Reading, u64), ChannelError> {
        let core = &self.shared.core;
        let needs_two = core.chain.has_several_voices() && deposit > core.settings.transfers.one_voice_exposure;
        let Some(granted) = core.granted(delegation).filter(|_| needs_two) else { return Ok(read) };
        let told = core.chain.accounts_everywhere(&granted.accounts()).await?;
        let mut poorest: BTreeMap<usize, (Reading, u64)> = BTreeMap::new();
        for endpoint in &told {
            let Some((slot, accounts)) = &endpoint.told else { continue };
            let seen = core.seen(&granted, *slot, accounts);
            let reading = delegated::at(delegation, seen.reading, self.now());
            let of_voice = poorest.entry(endpoint.voice).or_insert((reading, *slot));
            if reading.available() < of_voice.0.available() {
                *of_voice = (reading, *slot);
            }
        }
        let mut voices: Vec<(Reading, u64)> = poorest.into_values().collect();
        voices.sort_by_key(|(reading, _)| Reverse(reading.available()));
        let second = voices.get(1).copied().ok_or_else(unheard)?;
        Ok(if second.0.available() < read.0.available() { second } else { read })
    }
}

fn unheard() -> RefusedChannel {
    let detail = "Too few RPC providers tell what the account has, for a deposit of this size; repeat.";
    RefusedChannel::because(ChannelReason::Unavailable, detail).again_in(2)
}
