//! What every part of the facilitator shares: ports, keys, settings, background tasks and news for listeners.
//!
//! Owns no rule and no lock. Every folder's struct holds one; it knows none of them.

use crate::domain::reason::SessionReason;
use crate::{
    chain::{Chain, transaction::SettleInstruction},
    covalidator::Covalidator,
    domain::{
        chance::{Chance, draw},
        clock::Clock,
        hold::{GiveUp, HoldId},
        session::{Session, SessionId},
        settlement::{Allowances, SettlementId},
    },
    facilitator::{
        InstructionChoice, Keys, Ports, SessionError, SessionRefusal, Settings,
        doubted_delegations::DoubtedDelegations, events::Events, known_handles::KnownHandles,
        recipients::KnownRecipients, tasks::Tasks,
    },
    ledger::Ledger,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

/// What the probe has found of the token program.
#[derive(Default)]
struct Probed {
    /// Settlements work only with decrypt allowances.
    needs_allowances: AtomicBool,
    /// The instruction which carries the user's signature can be used.
    carries_signatures: AtomicBool,
}

/// What every part shares.
pub(crate) struct Core {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) covalidator: Arc<dyn Covalidator>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) keys: Keys,
    pub(crate) settings: Settings,
    pub(crate) events: Arc<Events>,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) newest_slot: NewestSlot,
    pub(crate) recipients: KnownRecipients,
    pub(crate) handles: KnownHandles,
    /// Payers of whom nothing counts as proven until it is known which approve stands for them.
    pub(crate) doubted: DoubtedDelegations,
    probed: Probed,
    /// Holds that this process made or tried to make.
    holds_made: AtomicU32,
}

impl Core {
    pub(crate) fn new(ports: Ports, keys: Keys, settings: Settings) -> Self {
        Self {
            ledger: ports.ledger,
            chain: ports.chain,
            covalidator: ports.covalidator,
            clock: ports.clock,
            chance: ports.chance,
            keys,
            settings,
            events: Arc::default(),
            tasks: Arc::default(),
            newest_slot: NewestSlot::default(),
            recipients: KnownRecipients::default(),
            handles: KnownHandles::default(),
            doubted: DoubtedDelegations::default(),
            probed: Probed::default(),
            holds_made: AtomicU32::new(0),
        }
    }

    /// Sixteen random bytes, for identifiers.
    pub(crate) fn random_id(&self) -> [u8; 16] {
        draw(&*self.chance)
    }

    /// Which instruction settles, as far as the probe has told.
    pub(crate) fn settle_instruction(&self) -> SettleInstruction {
        match self.settings.transfers.settle_instruction {
            InstructionChoice::Fixed(instruction) => instruction,
            InstructionChoice::AsProbed if self.probed.carries_signatures.load(Ordering::Relaxed) => {
                SettleInstruction::TransferWithAuthorization
            }
            InstructionChoice::AsProbed => SettleInstruction::Transfer,
        }
    }

    /// Which instruction carries single payments; none where they are not served. The one that publishes the payer's message
    /// and signature is used only after the probe has seen that no stranger can spend them.
    pub(crate) fn single_payment_instruction(&self) -> Option<SettleInstruction> {
        match self.settle_instruction() {
            _ if !self.settings.transfers.single_payments => None,
            SettleInstruction::Transfer => Some(SettleInstruction::Transfer),
            SettleInstruction::TransferWithAuthorization => self
                .probed
                .carries_signatures
                .load(Ordering::Relaxed)
                .then_some(SettleInstruction::TransferWithAuthorization),
        }
    }

    /// Remembers that the instruction which carries the user's signature can be used.
    pub(crate) fn trust_signed_instruction(&self) {
        self.probed.carries_signatures.store(true, Ordering::Relaxed);
    }

    /// Whether the token program settles only with decrypt allowances.
    pub(crate) fn needs_allowances(&self) -> bool {
        self.probed.needs_allowances.load(Ordering::Relaxed)
    }

    /// Remembers what the token program's transfers have to buy.
    pub(crate) fn remember_need(&self, needed: Allowances) {
        self.probed.needs_allowances.store(needed.are_bought(), Ordering::Relaxed);
    }

    /// When a promise is given up.
    pub(crate) fn give_up(&self) -> GiveUp {
        self.settings.deferred.give_up(self.settings.transfers.delegation)
    }

    /// The id of a settlement that is about to be made.
    pub(crate) fn next_settlement_id(&self) -> SettlementId {
        SettlementId::from_random_bytes(self.random_id())
    }

    /// The id of a hold that is about to be made.
    pub(crate) fn next_hold_id(&self) -> HoldId {
        // The order is of use and promises nothing, so it may wrap and need not be seen alike by everybody.
        let count = self.holds_made.fetch_add(1, Ordering::Relaxed);
        HoldId::in_order(self.clock.now(), count, draw(&*self.chance))
    }

    /// The session with this id; refuses with `session_not_found`.
    pub(crate) async fn existing(&self, id: SessionId) -> Result<Session, SessionError> {
        let session = self.ledger.session(id).await?;
        session.ok_or_else(|| SessionRefusal::new(SessionReason::SessionNotFound).into())
    }
}

/// The newest slot in which accounts were read: no older state of them is believed. Only slots that the chain port believes
/// come here, and what landed is that port's to remember.
#[derive(Default)]
pub(crate) struct NewestSlot(AtomicU64);

impl NewestSlot {
    /// Raises the newest slot to `slot`, in which accounts were just read; never lowers it.
    pub(crate) fn saw(&self, slot: u64) {
        self.0.fetch_max(slot, Ordering::Relaxed);
    }

    /// The newest slot so far.
    pub(crate) fn newest(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
