//! Channels: opened, drawn from, closed (`spec/mpp.md` §7, ADR 0064).
//!
//! Owns the keys of channels that were used lately and the last readings of the accounts behind them; everything that counts is in
//! the ledger. A channel's anchor and settlements are planned there and carried by [`crate::facilitator::dispatch`], live and after
//! a restart alike.
//!
//! Promises: a voucher is durable before it is signed; what is asked for again is answered with the same bytes; a channel's secret
//! is kept nowhere and told in no other answer than its opening's.

mod close;
mod error;
mod known;
mod open;
mod payable;
pub(crate) mod readings;
mod second_voice;
mod suspects;
mod voucher;

pub use close::{CloseChannelRequest, ClosedChannel};
pub use error::{ChannelError, RefusedChannel};
pub use open::{OpenChannelRequest, OpenedChannel};
pub use voucher::{SignedVoucher, VoucherRequest};

use crate::{
    domain::{
        clock::UnixSeconds,
        key_pair::KeyPair,
        mpp::{
            channel::{ChannelTerms, Standing, reason::ChannelReason},
            channel_id::PublicId,
            delegation::Delegation,
            money::Reading,
            root::Root,
            siwx::{Proof, SignIn, SiwxTerms},
        },
    },
    facilitator::{
        delegated::{self, SeenDelegation},
        mpp::{MppShared, SentSignIn, delegations::Delegations},
    },
    ledger::{ChannelRecord, DelegationKey},
};
use known::{KnownChannel, KnownChannels};
use readings::Readings;
use solana_pubkey::Pubkey;
use std::sync::Arc;
use suspects::Suspects;

/// Serves channels.
pub(crate) struct Channels {
    shared: Arc<MppShared>,
    delegations: Arc<Delegations>,
    known: KnownChannels,
    pub(crate) readings: Readings,
    /// Accounts that the monitor is to look at before its next round.
    pub(crate) suspects: Suspects,
}

/// A channel as everybody may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownChannel {
    /// With its transactions.
    pub record: ChannelRecord,
    /// Where it stands.
    pub standing: Standing,
    /// The network, CAIP-2.
    pub chain_id: String,
    /// The key that certifies it.
    pub issuer: Pubkey,
}

impl Channels {
    pub(crate) fn new(shared: Arc<MppShared>, delegations: Arc<Delegations>) -> Self {
        let (known, readings, suspects) = (KnownChannels::new(), Readings::default(), Suspects::default());
        Self { shared, delegations, known, readings, suspects }
    }

    /// The channel with this public id.
    pub(crate) async fn show(&self, id: PublicId) -> Result<Option<ShownChannel>, ChannelError> {
        let Some(record) = self.shared.core.ledger.find_channel(id).await? else { return Ok(None) };
        let standing = record.channel.standing(self.now());
        let issuer = self.issuer_of(&record);
        let chain_id = self.shared.network.chain_id().to_owned();
        Ok(Some(ShownChannel { record, standing, chain_id, issuer }))
    }

    fn now(&self) -> UnixSeconds {
        self.shared.core.clock.now()
    }

    /// The proof of exactly this act among what a wallet has signed.
    fn verified<'a>(&self, proofs: &'a [SentSignIn], wallet: &Pubkey, act: &Proof) -> Option<&'a SignIn> {
        let terms = SiwxTerms {
            hosts: &self.shared.settings.delegations.hosts,
            network: &self.shared.network,
            now: self.shared.core.clock.now_millis(),
            wallet: *wallet,
        };
        let found = proofs.iter().find(|sent| sent.sign_in.verify_proof(act, &terms, &sent.signature).is_ok());
        found.map(|sent| &sent.sign_in)
    }

    /// The root that a channel's key is derived from: the one in use, or one from before.
    fn root_of(&self, id: PublicId, signer: &Pubkey) -> Option<(&Root, KeyPair)> {
        let roots = &self.shared.settings.roots;
        let all = std::iter::once(&roots.current).chain(&roots.previous);
        all.map(|root| (root, root.channel_key(&id))).find(|(_, key)| key.public() == *signer)
    }

    /// Whether a channel's key is of another root than the one in use.
    pub(crate) fn is_of_older_root(&self, terms: &ChannelTerms) -> bool {
        let roots = &self.shared.settings.roots;
        // Deriving a key for each channel in each round is for those who have replaced a root.
        !roots.previous.is_empty() && roots.current.channel_key(&terms.id).public() != terms.signer
    }

    /// The key that certified a channel.
    fn issuer_of(&self, record: &ChannelRecord) -> Pubkey {
        let terms = &record.channel.terms;
        let root = self.root_of(terms.id, &terms.signer).map(|(root, _)| root);
        root.map_or(self.shared.issuer, |root| root.issuer(self.shared.network.chain_id()).public())
    }

    /// A channel's terms and key, from memory where they are kept; none where there is no such channel or its key is of a root
    /// that is not configured any more. One of a root from before gives no new vouchers.
    async fn known(&self, id: PublicId) -> Result<Option<Arc<KnownChannel>>, ChannelError> {
        if let Some(known) = self.known.get(id) {
            return Ok(Some(known));
        }
        let Some(record) = self.shared.core.ledger.find_channel(id).await? else { return Ok(None) };
        let terms = record.channel.terms.clone();
        let issuer = self.issuer_of(&record);
        let Some((_, key)) = self.root_of(id, &terms.signer) else { return Ok(None) };
        Ok(Some(self.known.keep(KnownChannel::new(terms, &key, issuer))))
    }

    async fn read_now(&self, account: &Pubkey, buyer: &Pubkey, mint: &Pubkey) -> Result<Reading, ChannelError> {
        let found = self.shared.core.ledger.delegation(&DelegationKey::Buyer(*buyer, *mint)).await?;
        let delegation = found.filter(|found| found.account == *account).ok_or(ChannelReason::RoleNotFound)?;
        Ok(self.see(&delegation).await?.reading)
    }

    /// What an active delegation has now, with its time taken into account and the role of a Swig as it was read.
    async fn see(&self, delegation: &Delegation) -> Result<SeenDelegation, ChannelError> {
        let read = self.shared.core.read_delegations(std::slice::from_ref(delegation), 0).await?;
        let seen = read.into_iter().next().flatten().ok_or(ChannelReason::RoleNotFound)?;
        let reading = delegated::at(delegation, seen.reading, self.now());
        self.readings.saw(&delegation.account, reading, seen.slot);
        Ok(SeenDelegation { reading, ..seen })
    }
}
