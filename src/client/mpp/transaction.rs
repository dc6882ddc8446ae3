//! Transactions of version 0 whose fee somebody else pays: read, compared with what was asked for, signed by the wallet alone.

use crate::{
    client::signer::{PayerSigner, SigningError},
    domain::signed,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_hash::Hash;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::{VersionedMessage, v0};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use std::collections::BTreeMap;

/// The largest transaction, in bytes.
const MAX_BYTES: usize = 1_232;

/// Why a wallet's signature is not there.
#[derive(Debug, thiserror::Error)]
pub enum WalletFault {
    /// It did not sign.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// It returned something else than the transaction with its signature.
    #[error("the wallet did not sign the transaction as it was given: {0}")]
    Changed(&'static str),
}

/// What a message says, whatever the order in which it lists its accounts.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    fee_payer: Pubkey,
    blockhash: Hash,
    /// With the rights of the whole message.
    instructions: Vec<Instruction>,
    /// Of every account: whether it signs, and whether it may be written.
    rights: BTreeMap<Pubkey, (bool, bool)>,
}

/// A transaction that nobody has signed.
#[derive(Debug)]
pub(super) struct Unsigned {
    transaction: VersionedTransaction,
    said: Said,
}

impl Unsigned {
    /// Reads base64; says what is wrong with what is told.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        let text = Some(text).filter(|text| text.len() <= MAX_BYTES.div_ceil(3) * 4);
        let bytes = text.and_then(|text| STANDARD.decode(text).ok()).filter(|bytes| bytes.len() <= MAX_BYTES);
        let transaction: Option<VersionedTransaction> = bytes.and_then(|bytes| wincode::deserialize_exact(&bytes).ok());
        let transaction = transaction.ok_or("it holds no transaction")?;
        transaction.sanitize().map_err(|_| "its transaction is malformed")?;
        let VersionedMessage::V0(message) = &transaction.message else {
            return Err("its transaction is not of version 0");
        };
        if !message.address_table_lookups.is_empty() {
            return Err("its transaction takes accounts from a lookup table");
        }
        if transaction.signatures.iter().any(|signature| *signature != Signature::default()) {
            return Err("its transaction is signed already");
        }
        let said = Said::of(message).ok_or("its transaction is malformed")?;
        Ok(Self { transaction, said })
    }

    /// The transaction of these instructions.
    pub(super) fn of(message: v0::Message) -> Option<Self> {
        let said = Said::of(&message)?;
        let signatures = vec![Signature::default(); usize::from(message.header.num_required_signatures)];
        Some(Self { transaction: VersionedTransaction { signatures, message: VersionedMessage::V0(message) }, said })
    }

    /// Who is to pay its fee.
    pub(super) fn fee_payer(&self) -> Pubkey {
        self.said.fee_payer
    }

    /// What it does.
    pub(super) fn instructions(&self) -> &[Instruction] {
        &self.said.instructions
    }

    /// Whether it does this and nothing else, with no more rights than this needs.
    pub(super) fn is(&self, instructions: &[Instruction]) -> bool {
        let Said { fee_payer, blockhash, .. } = &self.said;
        let ours = v0::Message::try_compile(fee_payer, instructions, &[], *blockhash).ok();
        ours.and_then(|message| Said::of(&message)).is_some_and(|ours| ours == self.said)
    }

    /// Has the wallet sign it; gives the base64 of its wire bytes. The other places stay empty.
    pub(super) async fn signed_by(self, wallet: &dyn PayerSigner) -> Result<String, WalletFault> {
        let message = self.transaction.message.serialize();
        let (key, places) = (wallet.pubkey(), self.transaction.signatures.len());
        let signed = wallet.sign_transaction(self.transaction).await?;
        if signed.message.serialize() != message || signed.signatures.len() != places {
            return Err(WalletFault::Changed("its message is another one"));
        }
        for (signer, signature) in signed.message.static_account_keys().iter().zip(&signed.signatures) {
            let is_good = if *signer == key {
                signed::verify(&key, &message, &(*signature).into())
            } else {
                *signature == Signature::default()
            };
            if !is_good {
                return Err(WalletFault::Changed("a signature is not the wallet's, or stands in another's place"));
            }
        }
        let bytes = wincode::serialize(&signed).map_err(|_| WalletFault::Changed("it cannot be written"))?;
        Ok(STANDARD.encode(bytes))
    }
}

impl Said {
    /// `None` where an index points nowhere.
    fn of(message: &v0::Message) -> Option<Self> {
        let rights = |at: usize| {
            let signers = usize::from(message.header.num_required_signatures);
            let read_only_signers = usize::from(message.header.num_readonly_signed_accounts);
            let read_only_others = usize::from(message.header.num_readonly_unsigned_accounts);
            let is_signer = at < signers;
            let written = if is_signer {
                signers.saturating_sub(read_only_signers)
            } else {
                message.account_keys.len().saturating_sub(read_only_others)
            };
            (is_signer, at < written)
        };
        let account = |index: &u8| {
            let (is_signer, is_writable) = rights(usize::from(*index));
            let pubkey = *message.account_keys.get(usize::from(*index))?;
            Some(AccountMeta { pubkey, is_signer, is_writable })
        };
        let instructions = message.instructions.iter().map(|compiled| {
            let program_id = *message.account_keys.get(usize::from(compiled.program_id_index))?;
            let accounts = compiled.accounts.iter().map(account).collect::<Option<_>>()?;
            Some(Instruction { program_id, accounts, data: compiled.data.clone() })
        });
        Some(Self {
            fee_payer: *message.account_keys.first()?,
            blockhash: message.recent_blockhash,
            instructions: instructions.collect::<Option<_>>()?,
            rights: message.account_keys.iter().enumerate().map(|(at, key)| (*key, rights(at))).collect(),
        })
    }
}

/// Lists accounts of one kind as the published client's library does: base58 by locale, small letters first. Rust's compiler sorts
/// by bytes; programs see no difference.
pub(super) fn published_order(message: &mut v0::Message) {
    let before = message.account_keys.clone();
    let header = message.header;
    let signers = usize::from(header.num_required_signatures);
    let writable_signers = signers.saturating_sub(usize::from(header.num_readonly_signed_accounts));
    let writable = before.len().saturating_sub(usize::from(header.num_readonly_unsigned_accounts));
    // The fee payer stays first.
    for kind in [1..writable_signers, writable_signers..signers, signers..writable, writable..before.len()] {
        if let Some(keys) = message.account_keys.get_mut(kind) {
            keys.sort_by_cached_key(by_locale);
        }
    }
    let places: BTreeMap<Pubkey, u8> =
        message.account_keys.iter().zip(0..=u8::MAX).map(|(key, place)| (*key, place)).collect();
    let moved = |index: &mut u8| {
        if let Some(place) = before.get(usize::from(*index)).and_then(|key| places.get(key)) {
            *index = *place;
        }
    };
    for instruction in &mut message.instructions {
        moved(&mut instruction.program_id_index);
        instruction.accounts.iter_mut().for_each(moved);
    }
}

/// Letters without their case, and where that leaves two alike, the small one first.
fn by_locale(key: &Pubkey) -> (String, Vec<bool>) {
    let text = key.to_string();
    let capitals = text.bytes().map(|byte| byte.is_ascii_uppercase()).collect();
    (text.to_ascii_lowercase(), capitals)
}
