//! The transfer that a payer asks for, and whether what they are given to sign is it.

use super::SingleError;
use crate::{
    client::{
        rpc::{Account, PayerRpc, RpcError},
        session::unsigned::Unsigned,
    },
    programs::{
        Programs,
        inco_token::{Allowance, IncoAccount, Transfer, ed25519_verify},
        wallet::{AccountAtAddress, NotAWallet, check_wallet},
    },
};
use solana_instruction::Instruction;
use solana_message::legacy;
use solana_pubkey::Pubkey;
use solana_transaction::versioned::VersionedTransaction;

/// A transfer as it was asked for.
pub(super) struct Asked {
    pub(super) programs: Programs,
    pub(super) mint: Pubkey,
    pub(super) payer: Pubkey,
    pub(super) recipient: Pubkey,
    pub(super) ciphertext: Vec<u8>,
    /// What the wallet signed, and its signature.
    pub(super) message: String,
    pub(super) signature: [u8; 64],
}

impl Asked {
    /// The transaction that was told, where it is this transfer and nothing else, and who pays its fee.
    pub(super) async fn held_against(
        &self,
        told: &str,
        rpc: &dyn PayerRpc,
    ) -> Result<(VersionedTransaction, Pubkey), SingleError> {
        let foreign = SingleError::Foreign;
        let Unsigned { transaction, message, fee_payer } = Unsigned::read(told).map_err(foreign)?;
        if fee_payer == self.payer || transaction.signatures.len() != 2 {
            return Err(foreign("others sign its transaction, or the payer pays its fee"));
        }
        let is_it = |allowances| self.is_one_of(&message, &fee_payer, allowances);
        if is_it(None) || is_it(Some(self.allowances(&transaction, rpc).await?)) {
            return Ok((transaction, fee_payer));
        }
        Err(foreign("its transaction is another transfer, or holds more than the transfer"))
    }

    /// Decrypt allowances are for handles that do not exist yet; a simulation tells them.
    async fn allowances(&self, told: &VersionedTransaction, rpc: &dyn PayerRpc) -> Result<[Allowance; 2], SingleError> {
        let simulated = rpc.simulate(told, &self.accounts()).await?;
        if simulated.error.is_some() {
            return Err(SingleError::Foreign("its transaction is another transfer, or would fail"));
        }
        let accounts = <[_; 2]>::try_from(simulated.accounts).map_err(|_| RpcError::Impossible { what: "accounts" })?;
        let handles = accounts.map(|account| Some(IncoAccount::decode(&account?.bytes).ok()?.amount));
        let [Some(left), Some(received)] = handles else {
            return Err(SingleError::Foreign("its transaction leaves no balances"));
        };
        let allowance = |handle, holder| Allowance::of(&self.programs, handle, holder);
        Ok([allowance(left, self.payer), allowance(received, self.recipient)])
    }

    /// The payer's token account and the recipient's.
    fn accounts(&self) -> [Pubkey; 2] {
        [&self.payer, &self.recipient].map(|owner| self.programs.token_account(owner, &self.mint))
    }

    /// Whether a message is this transfer, in either of the two instructions that make one.
    fn is_one_of(&self, told: &legacy::Message, fee_payer: &Pubkey, allowances: Option<[Allowance; 2]>) -> bool {
        let [source, destination] = self.accounts();
        let ciphertext = self.ciphertext.clone();
        let transfer = Transfer { source, destination, authority: self.payer, ciphertext, allowances };
        let verified = ed25519_verify(&self.payer, self.message.as_bytes(), &self.signature);
        let with_authorization = [verified, self.programs.transfer_with_authorization(&transfer)];
        let plain = [self.programs.transfer(&transfer)];
        let is = |instructions: &[Instruction]| {
            *told == legacy::Message::new_with_blockhash(instructions, Some(fee_payer), &told.recent_blockhash)
        };
        is(&with_authorization) || is(&plain)
    }
}

/// Whether a derived address may be paid is the facilitator's to say: its operator may list it.
pub(super) fn check_recipient(
    programs: &Programs,
    recipient: &Pubkey,
    account: Option<&Account>,
) -> Result<(), SingleError> {
    let seen = account.map(|account| AccountAtAddress { owner: &account.owner, data: &account.bytes });
    match check_wallet(programs, recipient, seen) {
        Ok(()) | Err(NotAWallet::Derived) => Ok(()),
        Err(why) => Err(SingleError::Recipient(why)),
    }
}
