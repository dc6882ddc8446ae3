//! What is co-signed, and everything that is not (`spec/security.md`: and the additional attacks).

mod additions;
mod attacks;
mod mutations;
mod revokes;
mod single_payments;
mod wallets;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::{VersionedMessage, legacy, v0};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    chain::{
        fees::ComputeBudget,
        inspect::{ApproveTemplate, InspectedApprove, TransactionRefusal},
        keys::{LocalSigner, Signer},
    },
    programs::{Programs, inco_token::Allowance},
};

pub(crate) const GRANT: u64 = 2_000_000;
pub(crate) const LIGHTHOUSE: Pubkey = Pubkey::from_str_const("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95");
const CAPS: ComputeBudget = ComputeBudget { units: 400_000, price: 50_000 };

/// A user, a facilitator, and the transaction that the published client would make of them.
pub(crate) struct Scene {
    pub(crate) programs: Programs,
    pub(crate) user: LocalSigner,
    pub(crate) spender: LocalSigner,
    pub(crate) payer: LocalSigner,
    pub(crate) mint: Pubkey,
    pub(crate) ours: Vec<Pubkey>,
    pub(crate) allowance: Pubkey,
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) instructions: Vec<Instruction>,
}

impl Scene {
    /// The facilitator's one key is spender and fee payer, as with the deployed service.
    pub(crate) fn new() -> Self {
        Self::with_payer(2)
    }

    /// With a fee payer of its own.
    pub(crate) fn with_payer(payer: u8) -> Self {
        let programs = Programs::default();
        let [user, spender, payer] = [1, 2, payer].map(|byte| LocalSigner::from_seed(&[byte; 32]));
        let mint = LocalSigner::from_seed(&[3; 32]).pubkey();
        let pool = LocalSigner::from_seed(&[9; 32]).pubkey();
        let allowance = programs.decrypt_allowance(77, &spender.pubkey());
        let ciphertext: Vec<u8> = (0..120).collect();
        let mut scene = Self {
            ours: vec![spender.pubkey(), payer.pubkey(), pool],
            programs,
            user,
            spender,
            payer,
            mint,
            allowance,
            ciphertext,
            instructions: Vec::new(),
        };
        scene.instructions = vec![scene.grant(GRANT), scene.create(), scene.approve_checked()];
        scene
    }

    pub(crate) fn template(&self) -> ApproveTemplate<'_> {
        ApproveTemplate {
            programs: self.programs,
            fee_payer: self.payer.pubkey(),
            our_keys: &self.ours,
            spender: self.spender.pubkey(),
            user: self.user.pubkey(),
            mint: self.mint,
            decimals: 6,
            max_grant: GRANT,
            may_create: true,
            compute: CAPS,
        }
    }

    pub(crate) fn source(&self) -> Pubkey {
        self.programs.token_account(&self.user.pubkey(), &self.mint)
    }

    pub(crate) fn grant(&self, lamports: u64) -> Instruction {
        solana_system_interface::instruction::transfer(&self.payer.pubkey(), &self.user.pubkey(), lamports)
    }

    pub(crate) fn create(&self) -> Instruction {
        self.programs.create_idempotent(&self.payer.pubkey(), &self.user.pubkey(), &self.mint)
    }

    pub(crate) fn pair(&self) -> Allowance {
        Allowance { account: self.allowance, holder: self.spender.pubkey() }
    }

    pub(crate) fn approve_checked(&self) -> Instruction {
        self.programs.approve_checked(
            &self.source(),
            &self.mint,
            &self.spender.pubkey(),
            &self.user.pubkey(),
            &self.ciphertext,
            6,
            Some(self.pair()),
        )
    }

    pub(crate) fn approve(&self) -> Instruction {
        let (spender, user) = (self.spender.pubkey(), self.user.pubkey());
        self.programs.approve(&self.source(), &spender, &user, &self.ciphertext, Some(self.pair()))
    }

    /// The legacy message of `instructions`.
    pub(crate) fn compile(&self, instructions: &[Instruction]) -> VersionedMessage {
        let payer = self.payer.pubkey();
        let hash = Hash::new_from_array([5; 32]);
        VersionedMessage::Legacy(legacy::Message::new_with_blockhash(instructions, Some(&payer), &hash))
    }

    /// The version 0 message of `instructions`.
    pub(crate) fn compile_v0(&self, instructions: &[Instruction]) -> v0::Message {
        v0::Message::try_compile(&self.payer.pubkey(), instructions, &[], Hash::new_from_array([5; 32])).unwrap()
    }

    /// Signed by the user and nobody else.
    pub(crate) fn sign(&self, message: VersionedMessage) -> VersionedTransaction {
        let mut signatures = vec![Signature::default(); usize::from(message.header().num_required_signatures)];
        let place = message.static_account_keys().iter().position(|key| *key == self.user.pubkey());
        if let Some(slot) = place.and_then(|place| signatures.get_mut(place)) {
            *slot = Signature::from(self.user.sign(&message.serialize()));
        }
        VersionedTransaction { signatures, message }
    }

    pub(crate) fn inspect_message(&self, message: VersionedMessage) -> Result<InspectedApprove, TransactionRefusal> {
        self.inspect_wire(&encode(&self.sign(message)))
    }

    pub(crate) fn inspect_wire(&self, wire: &[u8]) -> Result<InspectedApprove, TransactionRefusal> {
        self.template().inspect(&STANDARD.encode(wire))
    }

    /// Inspects these instructions, compiled and signed as a wallet would.
    pub(crate) fn inspect(&self, instructions: &[Instruction]) -> Result<InspectedApprove, TransactionRefusal> {
        self.inspect_message(self.compile(instructions))
    }

    /// Inspects the client's transaction with one more instruction at `place`.
    pub(crate) fn inspect_with(&self, place: usize, more: Instruction) -> Result<InspectedApprove, TransactionRefusal> {
        let mut instructions = self.instructions.clone();
        instructions.insert(place, more);
        self.inspect(&instructions)
    }

    /// Refused wherever in the transaction it stands, for a reason that satisfies `expected`.
    pub(crate) fn refuses_anywhere(&self, more: &Instruction, expected: impl Fn(&TransactionRefusal) -> bool) {
        for place in 0..=self.instructions.len() {
            let refusal = self.inspect_with(place, more.clone()).expect_err("a foreign instruction was accepted");
            assert!(expected(&refusal), "at {place}: {refusal}");
        }
    }
}

pub(crate) fn encode(transaction: &VersionedTransaction) -> Vec<u8> {
    wincode::serialize(transaction).unwrap()
}
