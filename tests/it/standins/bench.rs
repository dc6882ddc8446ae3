//! A virtual machine with both stand-ins, a mint, and a funded payer and merchant.

use std::sync::atomic::{AtomicU64, Ordering};

use litesvm::LiteSVM;
use litesvm::types::{SimulatedTransactionInfo, TransactionMetadata};
use solana_instruction::Instruction;
use solana_keypair::{Keypair, Signer};
use solana_message::{Message, VersionedMessage};
use solana_pubkey::Pubkey;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use sotto::domain::chance::SeededChance;
use sotto::localnet::standins::{Rules, Scratch, StandInConfig, StandIns};
use sotto::programs::Programs;
use sotto::programs::ciphertext::encrypt;
use sotto::programs::inco_token::{Allowance, IncoAccount, Transfer};

pub(super) const DECIMALS: u8 = 6;

pub(super) fn key(seed: u8) -> Keypair {
    Keypair::new_from_array([seed; 32])
}

pub(super) struct Bench {
    pub(super) svm: LiteSVM,
    pub(super) stand_ins: StandIns,
    pub(super) programs: Programs,
    pub(super) user: Keypair,
    pub(super) facilitator: Keypair,
    pub(super) merchant: Keypair,
    pub(super) authority: Keypair,
    pub(super) mint: Keypair,
    chance: SeededChance,
    slot: AtomicU64,
}

impl Bench {
    /// A mint and empty token accounts of the user and the merchant.
    pub(super) fn new(rules: Rules) -> Self {
        let stand_ins = StandIns::new(StandInConfig::default()).unwrap();
        stand_ins.switches().set(rules);
        let mut svm = LiteSVM::new();
        stand_ins.install(&mut svm);
        let mut bench = Self {
            svm,
            stand_ins,
            programs: Programs::default(),
            user: key(1),
            facilitator: key(2),
            merchant: key(4),
            authority: key(6),
            mint: key(3),
            chance: SeededChance::new(7),
            slot: AtomicU64::new(1),
        };
        for wallet in [&bench.user, &bench.facilitator, &bench.authority] {
            bench.svm.airdrop(&wallet.pubkey(), 10_000_000_000).unwrap();
        }
        let authority = bench.authority.insecure_clone();
        let (mint, freezer) = (bench.mint.insecure_clone(), authority.pubkey());
        let create = bench.programs.initialize_mint(&mint.pubkey(), &freezer, DECIMALS, &freezer, Some(freezer));
        bench.land(&[create], &[&authority, &mint]).unwrap();
        for wallet in [bench.user.pubkey(), bench.merchant.pubkey()] {
            let create = bench.programs.create_idempotent(&freezer, &wallet, &mint.pubkey());
            bench.land(&[create], &[&authority]).unwrap();
        }
        bench
    }

    /// As [`Bench::new`], with `units` in the user's account.
    pub(super) fn funded(rules: Rules, units: u128) -> Self {
        let mut bench = Self::new(rules);
        bench.mint_to(bench.user.pubkey(), units);
        bench
    }

    pub(super) fn mint_to(&mut self, wallet: Pubkey, units: u128) {
        let (mint, authority) = (self.mint.pubkey(), self.authority.insecure_clone());
        let account = self.programs.token_account(&wallet, &mint);
        let ciphertext = self.encrypt(units);
        let mint_to = self.programs.mint_to(&mint, &account, &authority.pubkey(), &ciphertext, None);
        self.land(&[mint_to], &[&authority]).unwrap();
    }

    pub(super) fn encrypt(&self, units: u128) -> Vec<u8> {
        encrypt(&self.stand_ins.encryption_key(), units, &self.chance)
    }

    pub(super) fn transaction(&mut self, instructions: &[Instruction], signers: &[&Keypair]) -> VersionedTransaction {
        self.svm.expire_blockhash();
        let payer = signers[0].pubkey();
        let message = Message::new_with_blockhash(instructions, Some(&payer), &self.svm.latest_blockhash());
        VersionedTransaction::try_new(VersionedMessage::Legacy(message), signers).unwrap()
    }

    /// Lands a transaction the way the network does: plaintexts are committed only when it succeeded.
    pub(super) fn land(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<TransactionMetadata, TransactionError> {
        let transaction = self.transaction(instructions, signers);
        self.land_transaction(transaction)
    }

    /// [`Bench::land`] for a transaction that is signed already.
    pub(super) fn land_transaction(
        &mut self,
        transaction: VersionedTransaction,
    ) -> Result<TransactionMetadata, TransactionError> {
        let (result, scratch) =
            self.stand_ins.run(|| self.svm.send_transaction(transaction).map_err(|failed| failed.err));
        if result.is_ok() {
            self.stand_ins.commit(scratch, self.slot.fetch_add(1, Ordering::SeqCst));
        }
        result
    }

    /// What a simulation tells, and what it would have made known.
    pub(super) fn simulate(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> (SimulatedTransactionInfo, Scratch) {
        let transaction = self.transaction(instructions, signers);
        let (simulated, scratch) =
            self.stand_ins.run(|| self.svm.simulate_transaction(transaction).map_err(|failed| failed.err));
        (simulated.unwrap(), scratch)
    }

    /// The program error of a transaction that must fail.
    pub(super) fn refusal(&mut self, instructions: &[Instruction], signers: &[&Keypair]) -> TransactionError {
        self.land(instructions, signers).expect_err("the transaction is refused")
    }

    pub(super) fn token_account(&self, wallet: &Keypair) -> Pubkey {
        self.programs.token_account(&wallet.pubkey(), &self.mint.pubkey())
    }

    pub(super) fn account(&self, wallet: &Keypair) -> IncoAccount {
        let account = self.svm.get_account(&self.token_account(wallet)).unwrap();
        IncoAccount::decode(&account.data).unwrap()
    }

    pub(super) fn plaintext(&self, handle: u128) -> Option<u128> {
        self.stand_ins.vault().look_up(handle).and_then(|landed| landed.plaintext)
    }

    pub(super) fn balance(&self, wallet: &Keypair) -> u128 {
        self.plaintext(self.account(wallet).amount).expect("the balance is known")
    }

    /// What is left of the user's spend approval.
    pub(super) fn approved(&self) -> u128 {
        self.plaintext(self.account(&self.user).delegated_amount).expect("the approved amount is known")
    }

    /// The user lets the facilitator spend up to `units`.
    pub(super) fn approve(&mut self, units: u128) {
        let (source, user) = (self.token_account(&self.user), self.user.insecure_clone());
        let ciphertext = self.encrypt(units);
        let approve = self.programs.approve_checked(
            &source,
            &self.mint.pubkey(),
            &self.facilitator.pubkey(),
            &user.pubkey(),
            &ciphertext,
            DECIMALS,
            None,
        );
        self.land(&[approve], &[&user]).unwrap();
    }

    /// A transfer from the user to the merchant, without decrypt allowances.
    pub(super) fn payment(&self, authority: &Keypair, ciphertext: Vec<u8>) -> Transfer {
        Transfer {
            source: self.token_account(&self.user),
            destination: self.token_account(&self.merchant),
            authority: authority.pubkey(),
            ciphertext,
            allowances: None,
        }
    }

    pub(super) fn allowance(&self, handle: u128, holder: &Keypair) -> Allowance {
        Allowance { account: self.programs.decrypt_allowance(handle, &holder.pubkey()), holder: holder.pubkey() }
    }

    pub(super) fn set_frozen(&mut self, wallet: &Keypair, frozen: bool) {
        let (account, authority) = (self.token_account(wallet), self.authority.insecure_clone());
        let (mint, freezer) = (self.mint.pubkey(), authority.pubkey());
        let instruction = if frozen {
            self.programs.freeze_account(&account, &mint, &freezer)
        } else {
            self.programs.thaw_account(&account, &mint, &freezer)
        };
        self.land(&[instruction], &[&authority]).unwrap();
    }
}

/// What a failed instruction gives when a program refuses with `code`.
pub(super) fn custom(instruction: u8, code: u32) -> TransactionError {
    TransactionError::InstructionError(instruction, solana_instruction_error::InstructionError::Custom(code))
}
