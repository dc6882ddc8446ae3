//! Opening a channel: what the ledger alone knows first, then one look at the chain, then the row, then its anchor.

use super::{ChannelError, Channels, RefusedChannel, error::not_opened};
use crate::{
    chain::keys::{LocalSigner, Signer as _},
    domain::{
        amount::Amount,
        chance::draw,
        clock::DAY,
        mpp::{
            caps::Sponsored,
            channel::{
                ChannelState, ChannelTerms, LIFETIME, Standing, expiry,
                plan::{ChannelLimits, ChannelPlan, NotOpened, Permission},
                reason::ChannelReason,
            },
            channel_id::{ChannelSecret, PublicId},
            choices::{Backend, OpenAuth},
            delegation::{Delegation, DelegationGrant, UsedProof},
            money::{Reading, Role},
            siwx::Proof,
            voucher::Certified,
        },
        signed::parse_key,
    },
    facilitator::{
        delegated::SeenDelegation,
        mpp::{
            CallerPlace, SentSignIn,
            clock::{AFTER_CLOCK, APART},
        },
    },
    ledger::{ChannelOpened, ChannelRecord, DelegationKey},
    programs::delegation::swig,
};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;
use std::sync::Arc;
use tokio::time::Instant;

/// What an anchor costs, in lamports: one signature and its compute.
const ANCHOR_FEE: u64 = 5_001;

/// What a buyer asks to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenChannelRequest {
    /// The wallet that pays.
    pub buyer: Pubkey,
    /// What the caller takes for the account of the delegation; anything that is no known account is ignored.
    pub account: String,
    /// The wallet that is paid.
    pub seller: Pubkey,
    /// The ceiling, in base units.
    pub deposit: Amount,
    /// How long it may lie still, in seconds.
    pub idle_timeout: u64,
    /// The caller's spelling of the network.
    pub network: Option<String>,
    /// Where the request comes from.
    pub from: CallerPlace,
    /// What the wallet has signed, as far as it was sent along; nothing is verified.
    pub proofs: Vec<SentSignIn>,
}

/// A channel that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedChannel {
    /// Its secret; shows nothing of itself.
    pub secret: ChannelSecret,
    /// As it stands.
    pub record: ChannelRecord,
    /// Where it stands.
    pub standing: Standing,
    /// The key that certifies it.
    pub issuer: Pubkey,
    /// The network as the caller spells it.
    pub network: String,
}

impl Channels {
    /// Opens a channel; see [`crate::facilitator::Facilitator::open_channel`].
    pub(crate) async fn open(self: &Arc<Self>, request: OpenChannelRequest) -> Result<OpenedChannel, ChannelError> {
        let deadline = Instant::now() + self.shared.core.settings.answer_deadline;
        let network = self.shared.echo(request.network.as_deref());
        let network = network.map_err(|_| RefusedChannel::unsupported_network(&self.shared.network))?;
        if self.shared.are_clocks_apart() {
            return Err(RefusedChannel::because(ChannelReason::Unavailable, APART).again_in(AFTER_CLOCK).into());
        }
        self.check_terms(&request)?;
        let mint = self.shared.settings.offer.asset.mint;
        let found = self.shared.core.ledger.delegation(&DelegationKey::Buyer(request.buyer, mint)).await?;
        let delegation = found.ok_or(ChannelReason::RoleNotFound)?;
        let grant = delegation.grant.ok_or(ChannelReason::RoleNotFound)?;
        self.check_account(&request, &delegation).await?;
        self.check_grant(&request, &delegation, &grant)?;
        let (secret, permission) = self.permission(&request)?;
        let (seen, grant) = self.look(&request, &delegation, grant).await?;
        let plan = self.plan(&request, (&delegation, &grant), (&secret, permission), (seen.reading, seen.slot));
        let record = match self.shared.core.ledger.open_channel(&plan, self.now()).await? {
            ChannelOpened::New(channel, anchor) => {
                let id = channel.terms.id;
                self.carry(*anchor);
                self.opened(id, deadline).await?
            }
            ChannelOpened::Known(record) => self.opened(record.channel.terms.id, deadline).await?,
            ChannelOpened::Refused(why) => {
                let now = self.now();
                return Err(not_opened(why, DAY - now % DAY).into());
            }
        };
        let (issuer, standing) = (self.issuer_of(&record), record.channel.standing(self.now()));
        Ok(OpenedChannel { secret, record, standing, issuer, network })
    }

    /// What can be told without asking anybody.
    fn check_terms(&self, request: &OpenChannelRequest) -> Result<(), RefusedChannel> {
        let settings = &self.shared.settings.channels;
        if request.deposit < settings.min_deposit {
            let detail = format!("The deposit must be at least {}.", settings.min_deposit);
            return Err(RefusedChannel::because(ChannelReason::InsufficientDeposit, detail));
        }
        if request.deposit > settings.max_deposit {
            let detail = format!("The deposit must be at most {}.", settings.max_deposit);
            return Err(RefusedChannel::because(ChannelReason::InvalidRequest, detail));
        }
        let is_listed = settings.sellers.is_empty() || settings.sellers.contains(&request.seller);
        if !is_listed {
            return Err(RefusedChannel::new(ChannelReason::SellerNotRegistered));
        }
        if request.seller == request.buyer || self.shared.our_keys().contains(&request.seller) {
            let detail = "`seller_wallet` must be another wallet than the buyer's and none of this facilitator's keys";
            return Err(RefusedChannel::because(ChannelReason::InvalidRequest, detail));
        }
        Ok(())
    }

    /// Refuses the account of another buyer's delegation; what is no known account is ignored.
    async fn check_account(&self, request: &OpenChannelRequest, own: &Delegation) -> Result<(), ChannelError> {
        let Some(named) = parse_key(&request.account) else { return Ok(()) };
        if named == own.account {
            return Ok(());
        }
        let of_others = self.shared.core.ledger.delegation(&DelegationKey::Account(named)).await?;
        if of_others.is_some_and(|other| other.buyer != request.buyer) {
            return Err(RefusedChannel::because(ChannelReason::RoleNotFound, "The account is another buyer's.").into());
        }
        Ok(())
    }

    /// Refuses a grant that pays nobody but another seller, and one of a root that was replaced.
    fn check_grant(
        &self,
        request: &OpenChannelRequest,
        delegation: &Delegation,
        grant: &DelegationGrant,
    ) -> Result<(), RefusedChannel> {
        if grant.terms.seller.is_some_and(|seller| seller != request.seller) {
            return Err(not_opened(NotOpened::OtherSeller, 0));
        }
        if self.shared.core.is_of_current_root(delegation) {
            return Ok(());
        }
        let detail = "The delegation is of a root that the operator has replaced: onboard again, which renews it.";
        Err(RefusedChannel::because(ChannelReason::RoleNotFound, detail))
    }

    /// By what it is allowed, and the secret that goes with it: the same proof has the same.
    fn permission(&self, request: &OpenChannelRequest) -> Result<(ChannelSecret, Permission), RefusedChannel> {
        let drawn = || ChannelSecret::from_bytes(draw(&*self.shared.core.chance));
        let act = Proof::Open { seller: request.seller, deposit: request.deposit };
        if let Some(proof) = self.verified(&request.proofs, &request.buyer, &act) {
            let root = &self.shared.settings.roots.current;
            let secret = root.channel_secret(self.shared.network.chain_id(), &request.buyer, &proof.nonce);
            return Ok((secret, Permission::Proof(used_proof(request, &proof.nonce))));
        }
        if self.shared.settings.channels.open_auth == OpenAuth::Off {
            return Ok((drawn(), Permission::Off));
        }
        let may_be_a_window = self.shared.settings.channels.open_auth == OpenAuth::Window;
        if may_be_a_window && self.delegations.is_told_apart(&request.from) {
            return Ok((drawn(), Permission::Window(self.delegations.caller_origin(&request.from))));
        }
        Err(RefusedChannel::new(ChannelReason::OpenNotAuthorized))
    }

    /// Looks at the chain: the delegation is live and lasts, and the seller can be paid. Gives its reading, and the grant with its
    /// end as it is estimated now: what is known of a Swig's is as old as the last look.
    async fn look(
        &self,
        request: &OpenChannelRequest,
        delegation: &Delegation,
        grant: DelegationGrant,
    ) -> Result<(SeenDelegation, DelegationGrant), ChannelError> {
        let (seen, can_be_paid) = tokio::try_join!(self.see(delegation), self.can_be_paid(&request.seller))?;
        let (reading, slot) = self.by_two_voices(request.deposit, delegation, (seen.reading, seen.slot)).await?;
        let expires_at = seen.role.map_or(grant.expires_at, |role| role.expires_at);
        if reading.role != Role::Live {
            return Err(ChannelReason::RoleNotFound.into());
        }
        let last = expiry(self.now(), expires_at);
        if last < self.now().saturating_add(request.idle_timeout.min(LIFETIME)) {
            let detail = "The delegation ends before the channel's idle timeout; renew it.";
            return Err(RefusedChannel::because(ChannelReason::RoleNotFound, detail).into());
        }
        if !can_be_paid {
            return Err(ChannelReason::SellerTokenAccountMissing.into());
        }
        Ok((SeenDelegation { reading, slot, ..seen }, DelegationGrant { expires_at, ..grant }))
    }

    fn plan(
        &self,
        request: &OpenChannelRequest,
        (delegation, grant): (&Delegation, &DelegationGrant),
        (secret, permission): (&ChannelSecret, Permission),
        (reading, read_at): (Reading, u64),
    ) -> ChannelPlan {
        let (root, chain_id) = (&self.shared.settings.roots.current, self.shared.network.chain_id());
        let (id, now) = (secret.public_id(), self.now());
        let certified = Certified {
            channel: id,
            signer: root.channel_key(&id).public(),
            payer: request.buyer,
            recipient: request.seller,
            deposit: request.deposit,
            chain_id: chain_id.to_owned(),
            channel_program: self.program(delegation.backend),
            expires: expiry(now, grant.expires_at),
        };
        let certificate = LocalSigner::from(&root.issuer(chain_id)).sign(certified.text().as_bytes());
        let terms = ChannelTerms {
            id,
            buyer: request.buyer,
            seller: request.seller,
            mint: delegation.mint,
            account: delegation.account,
            generation: grant.terms.generation,
            signer: certified.signer,
            program: certified.channel_program,
            deposit: request.deposit,
            idle_timeout: request.idle_timeout,
            opened_at: now,
            expires_at: certified.expires,
            certificate,
            authorised: permission.way(),
        };
        let anchor = self.shared.core.next_settlement_id();
        let sponsored = self.sponsored(request.buyer);
        ChannelPlan { terms, anchor, permission, reading, read_at, limits: self.limits_of_channels(), sponsored }
    }

    /// The program that enforces a delegation.
    fn program(&self, backend: Backend) -> Pubkey {
        match backend {
            Backend::SplDelegate => self.shared.settings.offer.asset.token_program,
            Backend::Swig => swig::PROGRAM,
        }
    }

    /// Who is sponsored by an anchor: the buyer alone, because it pays nobody.
    fn sponsored(&self, buyer: Pubkey) -> Sponsored {
        let settings = &self.shared.settings;
        Sponsored {
            payer: buyer,
            seller: None,
            payer_is_listed: settings.known_wallets.contains(&buyer),
            seller_is_listed: false,
            lamports: ANCHOR_FEE,
            caps: settings.caps,
        }
    }

    fn limits_of_channels(&self) -> ChannelLimits {
        let settings = &self.shared.settings.channels;
        ChannelLimits {
            of_buyer: settings.of_buyer,
            of_seller: settings.of_seller,
            in_all: settings.in_all,
            window_deposits: settings.window_deposit_max,
            unsettled_per_day: ChannelLimits::DEFAULT.unsettled_per_day,
        }
    }

    /// Waits until a channel's anchor has landed. Not in time: its deposit is free again, and a late anchor is harmless.
    async fn opened(&self, id: PublicId, deadline: Instant) -> Result<ChannelRecord, ChannelError> {
        self.until(id, deadline, |record| record.channel.state != ChannelState::Opening).await?;
        let record = self.shared.core.ledger.fail_channel(id).await?.ok_or(ChannelReason::SessionNotFound)?;
        match record.channel.state {
            ChannelState::Opening | ChannelState::Failed => Err(ChannelReason::SessionOpenFailed.into()),
            ChannelState::Open | ChannelState::Closing | ChannelState::Closed => Ok(record),
        }
    }
}

/// The proof of an opening, with the hash of everything that is asked with it.
fn used_proof(request: &OpenChannelRequest, nonce: &str) -> UsedProof {
    let OpenChannelRequest { buyer, seller, deposit, idle_timeout, .. } = request;
    let act = Sha256::digest(format!("sotto-mpp-act:1:open:{buyer}:{seller}:{deposit}:{idle_timeout}"));
    UsedProof { nonce: nonce.to_owned(), act: act.into() }
}
