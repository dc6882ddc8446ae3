//! The Machine Payments Protocol: one-shot charges, delegations, channels (`spec/mpp.md`, ADR 0062).
//!
//! Owns what its rooms share: the settings, the spellings of the network, and the keys that the root derives for us. Everything
//! that was signed is in the ledger's one journal, and is carried by [`super::dispatch`].
//!
//! | room | what for |
//! |---|---|
//! | `channels` | open channels, draw vouchers, close |
//! | `monitor` | watch over the accounts behind channels |
//! | `charges` | take a charge that its buyer has signed, answer its seller |
//! | `delegations` | have buyers grant and take back what channels are settled from |
//!
//! Promise: nothing is signed with a key of the root but messages that we issued and our own settlements; and none of our keys
//! is named by what strangers have us sign.

pub(crate) mod channels;
pub(crate) mod charges;
mod clock;
mod consensus;
pub(crate) mod delegations;
pub(crate) mod error;
pub(crate) mod monitor;

use crate::{
    chain::keys::Signer,
    domain::mpp::spellings::{Spellings, UnsupportedNetwork},
    facilitator::{MppSettings, core::Core, dispatch::Dispatch, settlement::Settlements, sponsor::Sponsor},
};
use channels::Channels;
pub use channels::{
    ChannelError, CloseChannelRequest, ClosedChannel, OpenChannelRequest, OpenedChannel, RefusedChannel, ShownChannel,
    SignedVoucher, VoucherRequest,
};
use charges::Charges;
pub use charges::{answer::SettledCharge, prepare::PreparedCharge, settle::ChargeOrder};
use clock::LastCompared;
use delegations::Delegations;
pub use delegations::{
    CallerPlace, ConfirmRequest, Confirmed, DelegationStatus, Forwarded, GrantOffer, OnboardAnswer, OnboardError,
    OnboardRequest, OnboardWord, ReadyDelegation, RefusedOnboarding, SentSignIn, ToSign,
};
pub use error::{ChargeError, RefusedCharge};
use monitor::ChannelMonitor;
use solana_pubkey::Pubkey;
use std::sync::Arc;

/// What every room of the protocol works with.
pub(crate) struct MppShared {
    pub(crate) core: Arc<Core>,
    pub(crate) sponsor: Arc<Sponsor>,
    pub(crate) settlements: Arc<Settlements>,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) settings: MppSettings,
    /// How callers spell the network.
    pub(crate) network: Spellings,
    /// The key that certifies channels.
    pub(crate) issuer: Pubkey,
    /// The key that closes session accounts.
    pub(crate) rent_authority: Pubkey,
    /// Our clock beside the chain's.
    clocks: LastCompared,
}

impl MppShared {
    /// The keys that pay fees of what strangers sign: never the spender, which is delegate of all sessions
    /// (`spec/security.md` §1).
    pub(crate) fn fee_payers(&self) -> Vec<Pubkey> {
        let spender = self.core.keys.spender.pubkey();
        self.sponsor.fee_payers.all().into_iter().filter(|key| *key != spender).collect()
    }

    /// Who pays for the next transaction that strangers sign, which costs about `fee`; none when no such key can.
    pub(crate) fn choose_fee_payer(&self, fee: u64) -> Option<Arc<dyn Signer>> {
        let spender = self.core.keys.spender.pubkey();
        let chosen = self.sponsor.fee_payers.choose_apart(fee, &spender);
        chosen.filter(|signer| signer.pubkey() != spender)
    }

    /// Every key of ours that is known without asking the ledger: no instruction of a stranger's may name one.
    pub(crate) fn our_keys(&self) -> Vec<Pubkey> {
        let mut keys = self.sponsor.fee_payers.all();
        keys.extend([self.core.keys.spender.pubkey(), self.issuer, self.rent_authority]);
        keys
    }

    /// How an answer spells the network: as the caller does.
    pub(crate) fn echo(&self, asked: Option<&str>) -> Result<String, UnsupportedNetwork> {
        self.network.echo(asked).map(str::to_owned)
    }
}

/// Serves the protocol.
pub(crate) struct Mpp {
    pub(crate) shared: Arc<MppShared>,
    pub(crate) charges: Arc<Charges>,
    pub(crate) delegations: Arc<Delegations>,
    pub(crate) channels: Arc<Channels>,
    pub(crate) monitor: Arc<ChannelMonitor>,
}

impl Mpp {
    /// The protocol's rooms; none where it is not served.
    pub(crate) fn new(
        core: &Arc<Core>,
        sponsor: &Arc<Sponsor>,
        settlements: &Arc<Settlements>,
        dispatch: &Arc<Dispatch>,
    ) -> Option<Self> {
        let settings = core.settings.served.mpp.clone()?;
        let network = Spellings::of(&core.settings.served.network);
        let root = &settings.roots.current;
        let issuer = root.issuer(network.chain_id()).public();
        let rent_authority = root.rent_authority(network.chain_id()).public();
        let shared = Arc::new(MppShared {
            core: Arc::clone(core),
            sponsor: Arc::clone(sponsor),
            settlements: Arc::clone(settlements),
            dispatch: Arc::clone(dispatch),
            settings,
            network,
            issuer,
            rent_authority,
            clocks: LastCompared::default(),
        });
        let charges = Arc::new(Charges::new(Arc::clone(&shared)));
        let delegations = Arc::new(Delegations::new(Arc::clone(&shared)));
        let channels = Arc::new(Channels::new(Arc::clone(&shared), Arc::clone(&delegations)));
        let monitor = Arc::new(ChannelMonitor::new(Arc::clone(&shared), Arc::clone(&channels)));
        Some(Self { shared, charges, delegations, channels, monitor })
    }
}
