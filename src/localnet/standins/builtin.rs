//! The adapter that puts the stand-ins into `LiteSVM`, and the thread-local that tells them which network they serve.
//!
//! Nothing unwinds through the virtual machine: a panic in a stand-in becomes `ProgramFailedToComplete`.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use litesvm::LiteSVM;
use solana_instruction::Instruction;
use solana_instruction_error::InstructionError;
use solana_program_runtime::declare_process_instruction;
use solana_program_runtime::invoke_context::InvokeContext;
use solana_program_runtime::solana_sbpf::program::BuiltinFunctionDefinition;
use solana_pubkey::Pubkey;
use solana_svm_log_collector::ic_msg;
use solana_transaction_context::instruction::InstructionContext;

use super::host::{Account, Host, Outcome};
use super::{Rules, Scratch, StandIns, lightning, swig, token};
use crate::programs::Programs;

/// The flat price of a stand-in's instruction in compute units; the real programs' prices are not published.
const UNITS: u64 = 1_000;

declare_process_instruction!(LightningEntry, UNITS, |context| { enter(context, lightning::run) });
declare_process_instruction!(TokenEntry, UNITS, |context| { enter(context, token::run) });
declare_process_instruction!(SwigEntry, UNITS, |context| { enter(context, swig::run) });

/// Registers the programs.
pub(super) fn install(network: &StandIns, svm: &mut LiteSVM) {
    let programs = network.config().programs;
    svm.add_builtin(programs.lightning, LightningEntry::register);
    svm.add_builtin(programs.token, TokenEntry::register);
    svm.add_builtin(swig::SWIG, SwigEntry::register);
}

/// What the programs of the transaction being executed on this thread may reach.
struct Execution {
    network: StandIns,
    rules: Rules,
    scratch: Scratch,
}

thread_local! {
    static CURRENT: RefCell<Option<Execution>> = const { RefCell::new(None) };
}

/// Puts the outer execution back, even when the inner one unwinds.
struct Restore(Option<Execution>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Runs `f` with `network` within reach of the programs on this thread.
pub(super) fn run<R>(network: &StandIns, f: impl FnOnce() -> R) -> (R, Scratch) {
    let execution =
        Execution { network: network.clone(), rules: network.switches().get(), scratch: Scratch::default() };
    let _restore = Restore(CURRENT.replace(Some(execution)));
    let result = f();
    let scratch = CURRENT.take().map(|execution| execution.scratch).unwrap_or_default();
    (result, scratch)
}

fn enter(context: &mut InvokeContext<'_, '_>, program: fn(&mut dyn Host) -> Outcome) -> Outcome {
    let Some((network, rules)) =
        CURRENT.with_borrow(|current| current.as_ref().map(|it| (it.network.clone(), it.rules)))
    else {
        ic_msg!(context, "Program log: a stand-in was run outside of StandIns::run");
        return Err(InstructionError::ProgramEnvironmentSetupFailure);
    };
    let mut runtime = Runtime { context, network, rules };
    // The context is not used after a panic except to fail the transaction, which discards every account change.
    catch_unwind(AssertUnwindSafe(|| program(&mut runtime))).unwrap_or(Err(InstructionError::ProgramFailedToComplete))
}

struct Runtime<'c, 'a, 'i> {
    context: &'c mut InvokeContext<'a, 'i>,
    network: StandIns,
    rules: Rules,
}

impl Runtime<'_, '_, '_> {
    fn instruction(&self) -> Outcome<InstructionContext<'_, '_>> {
        self.context.transaction_context.get_current_instruction_context()
    }
}

fn position(index: usize) -> Outcome<u16> {
    u16::try_from(index).map_err(|_| InstructionError::MissingAccount)
}

impl Host for Runtime<'_, '_, '_> {
    fn programs(&self) -> Programs {
        self.network.config().programs
    }

    fn rules(&self) -> Rules {
        self.rules
    }

    fn attestation_key(&self) -> Pubkey {
        self.network.attestation_key()
    }

    fn depth(&self) -> usize {
        self.context.get_stack_height()
    }

    fn slot(&self) -> Outcome<u64> {
        Ok(self.context.environment_config.sysvar_cache().get_clock()?.slot)
    }

    fn input(&self) -> Outcome<Vec<u8>> {
        Ok(self.instruction()?.get_instruction_data().to_vec())
    }

    fn account_count(&self) -> Outcome<usize> {
        Ok(usize::from(self.instruction()?.get_number_of_instruction_accounts()))
    }

    fn account(&self, index: usize) -> Outcome<Account> {
        let instruction = self.instruction()?;
        let account = instruction.try_borrow_instruction_account(position(index)?)?;
        Ok(Account {
            key: *account.get_key(),
            owner: *account.get_owner(),
            lamports: account.get_lamports(),
            bytes: account.get_data().to_vec(),
            is_signer: account.is_signer(),
            is_writable: account.is_writable(),
        })
    }

    fn write(&mut self, index: usize, bytes: &[u8]) -> Outcome {
        let instruction = self.instruction()?;
        let mut account = instruction.try_borrow_instruction_account(position(index)?)?;
        let front = account.get_data_mut()?.get_mut(..bytes.len()).ok_or(InstructionError::AccountDataTooSmall)?;
        front.copy_from_slice(bytes);
        Ok(())
    }

    fn replace(&mut self, index: usize, bytes: &[u8]) -> Outcome {
        let instruction = self.instruction()?;
        instruction.try_borrow_instruction_account(position(index)?)?.set_data_from_slice(bytes)
    }

    fn give(&mut self, from: usize, to: usize, lamports: u64) -> Outcome {
        let instruction = self.instruction()?;
        instruction.try_borrow_instruction_account(position(to)?)?.checked_add_lamports(lamports)?;
        instruction.try_borrow_instruction_account(position(from)?)?.checked_sub_lamports(lamports)
    }

    fn empty_into(&mut self, from: usize, to: usize) -> Outcome {
        let instruction = self.instruction()?;
        let lamports = instruction.try_borrow_instruction_account(position(from)?)?.get_lamports();
        self.give(from, to, lamports)
    }

    fn call(&mut self, instruction: Instruction, seeds: &[&[u8]]) -> Outcome {
        if seeds.is_empty() {
            self.context.native_invoke_signed(instruction, &[])
        } else {
            self.context.native_invoke_signed(instruction, &[seeds])
        }
    }

    fn returned(&self) -> (Pubkey, Vec<u8>) {
        let (program, bytes) = self.context.transaction_context.get_return_data();
        (*program, bytes.to_vec())
    }

    fn give_back(&mut self, bytes: Vec<u8>) -> Outcome {
        let program = *self.instruction()?.get_program_key()?;
        // The runtime writes this line for programs of bytecode only.
        ic_msg!(self.context, "Program return: {program} {}", BASE64_STANDARD.encode(&bytes));
        self.context.transaction_context.set_return_data(program, bytes)
    }

    fn rent(&self, bytes: usize) -> Outcome<u64> {
        Ok(self.context.environment_config.sysvar_cache().get_rent()?.minimum_balance(bytes))
    }

    fn log(&self, line: &str) {
        ic_msg!(self.context, line);
    }

    fn decrypt(&self, ciphertext: &[u8]) -> Option<u128> {
        self.network.decrypt(ciphertext)
    }

    fn plaintext(&self, handle: u128) -> Option<u128> {
        CURRENT.with_borrow(|current| current.as_ref()?.scratch.plaintext(handle, self.network.vault()))
    }

    fn is_made(&self, handle: u128) -> bool {
        CURRENT
            .with_borrow(|current| current.as_ref().is_some_and(|it| it.scratch.is_made(handle, self.network.vault())))
    }

    fn make(&mut self, handle: u128, plaintext: Option<u128>) {
        CURRENT.with_borrow_mut(|current| {
            if let Some(execution) = current {
                execution.scratch.make(handle, plaintext);
            }
        });
    }

    fn draw(&mut self) -> (u64, u128) {
        let in_this = CURRENT.with_borrow_mut(|current| current.as_mut().map_or(0, |it| it.scratch.draw()));
        let number = self.network.vault().draws() + in_this;
        (number, self.network.random(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::localnet::standins::StandInConfig;
    use solana_keypair::Keypair;
    use solana_signer::Signer as _;
    use solana_transaction::Transaction;
    use solana_transaction_error::TransactionError;

    declare_process_instruction!(Panicking, UNITS, |context| { enter(context, |_| panic!("a stand-in with a bug")) });

    #[test]
    fn a_panic_fails_the_transaction_and_nothing_else() {
        let network = StandIns::new(StandInConfig::default()).unwrap();
        let program = Pubkey::new_from_array([7; 32]);
        let mut svm = LiteSVM::new();
        svm.add_builtin(program, Panicking::register);
        let payer = Keypair::new_from_array([1; 32]);
        svm.airdrop(&payer.pubkey(), 1_000_000_000).unwrap();
        let instruction = Instruction { program_id: program, accounts: vec![], data: vec![] };
        let transaction = Transaction::new_signed_with_payer(
            &[instruction],
            Some(&payer.pubkey()),
            &[&payer],
            svm.latest_blockhash(),
        );
        let (result, _scratch) = network.run(|| svm.send_transaction(transaction).map_err(|failed| failed.err));
        let expected = InstructionError::ProgramFailedToComplete;
        assert_eq!(result.unwrap_err(), TransactionError::InstructionError(0, expected));
        svm.airdrop(&payer.pubkey(), 1_000_000_001).unwrap();
    }
}
