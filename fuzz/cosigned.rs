//! Transactions that others sign and we co-sign, and those that we read as our own. Whoever bends one signs it anew: only then is
//! anything behind its signatures looked at.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_message::{VersionedMessage, v0};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    chain::{
        fees::ComputeBudget,
        inspect::{
            ApproveTemplate, anchor,
            charge::{ChargePolicy, ChargeRequest, MAX_COMPUTE},
            payers_transaction::PayersTransaction,
            revoke::RevokeTemplate,
            single_payment::SingleTemplate,
        },
        keys::{LocalSigner, Signer as _},
        transaction::{SignedTransaction, TransactionError},
    },
    domain::{
        amount::Amount,
        mpp::charge::{ChargeAsset, ChargeOffer},
    },
    programs::{
        Programs,
        inco_token::{Transfer, ed25519_verify},
        spl_token::TokenProgram,
    },
};
use std::sync::LazyLock;

/// The most that is granted, in lamports, and the most compute that is paid for: those of `tests/it/inspect.rs`.
const MAX_GRANT: u64 = 2_000_000;
const COMPUTE: ComputeBudget = ComputeBudget { units: 400_000, price: 50_000 };

/// Those who take part, with the keys of `tests/it/inspect.rs` where the fee payer is not the spender, and what was issued to
/// the user.
struct Parties {
    programs: Programs,
    user: LocalSigner,
    fee_payer: LocalSigner,
    spender: Pubkey,
    mint: Pubkey,
    seller: Pubkey,
    issued: Vec<u8>,
}

static PARTIES: LazyLock<Parties> = LazyLock::new(|| {
    let [user, fee_payer] = [1, 6].map(|byte| LocalSigner::from_seed(&[byte; 32]));
    let [spender, mint, seller] = [2, 3, 4].map(|byte| LocalSigner::from_seed(&[byte; 32]).pubkey());
    let mut parties =
        Parties { programs: Programs::default(), user, fee_payer, spender, mint, seller, issued: Vec::new() };
    parties.issued = parties.issue();
    parties
});

/// The message of the single payment that was issued to the user, as it is kept.
pub(crate) fn issued() -> &'static [u8] {
    &PARTIES.issued
}

/// What bytes pass as when those have signed their message who sign such a transaction.
pub(crate) fn passes_as(bytes: &[u8]) -> Vec<&'static str> {
    let Ok(VersionedTransaction { message, .. }) = wincode::deserialize_exact(bytes) else { return Vec::new() };
    let parties = &*PARTIES;
    let text = STANDARD.encode(signed(&message, &parties.user));
    let answers = [
        ("approve", parties.is_approve(&text, &message)),
        ("revoke", parties.is_revoke(&text, &message)),
        ("single payment", parties.is_single_payment(&text, &message)),
        ("charge", parties.is_charge(&text, &message)),
        ("anchor", parties.is_anchor(&signed(&message, &parties.fee_payer))),
    ];
    answers.into_iter().filter(|(_, passes)| *passes).map(|(kind, _)| kind).collect()
}

/// A transaction of this message with one signature, wherever it belongs.
fn signed(message: &VersionedMessage, signer: &LocalSigner) -> Vec<u8> {
    let mut signatures = vec![Signature::default(); usize::from(message.header().num_required_signatures)];
    let place = message.static_account_keys().iter().position(|key| *key == signer.pubkey());
    if let (Some(slot), Ok(bytes)) = (place.and_then(|place| signatures.get_mut(place)), wincode::serialize(message)) {
        *slot = Signature::from(signer.sign(&bytes));
    }
    // What cannot be written is nothing that anybody could send.
    wincode::serialize(&VersionedTransaction { signatures, message: message.clone() }).unwrap_or_default()
}

impl Parties {
    fn issue(&self) -> Vec<u8> {
        let user = self.user.pubkey();
        let account = |owner| self.programs.token_account(owner, &self.mint);
        let transfer = Transfer {
            source: account(&user),
            destination: account(&self.seller),
            authority: user,
            ciphertext: (0..120).collect(),
            allowances: None,
        };
        let verified = ed25519_verify(&user, b"a message", &self.user.sign(b"a message"));
        let instructions = [verified, self.programs.transfer_with_authorization(&transfer)];
        let message = v0::Message::try_compile(&self.fee_payer.pubkey(), &instructions, &[], [5; 32].into());
        wincode::serialize(&VersionedMessage::V0(message.expect("it compiles"))).expect("it is written")
    }

    fn our_keys(&self) -> [Pubkey; 2] {
        [self.fee_payer.pubkey(), self.spender]
    }

    fn is_approve(&self, text: &str, message: &VersionedMessage) -> bool {
        let template = ApproveTemplate {
            programs: self.programs,
            fee_payer: self.fee_payer.pubkey(),
            our_keys: &self.our_keys(),
            spender: self.spender,
            user: self.user.pubkey(),
            mint: self.mint,
            decimals: 6,
            max_grant: MAX_GRANT,
            may_create: true,
            compute: COMPUTE,
        };
        let Ok(approve) = template.inspect(text) else { return false };
        assert!(approve.grant() <= MAX_GRANT);
        is_sent(message, approve.countersign(&self.fee_payer))
    }

    fn is_revoke(&self, text: &str, message: &VersionedMessage) -> bool {
        let template = RevokeTemplate {
            programs: &self.programs,
            user: self.user.pubkey(),
            mint: self.mint,
            fee_payers: &[self.fee_payer.pubkey()],
            our_keys: &self.our_keys(),
            compute: COMPUTE,
        };
        let revoke = PayersTransaction::read(text).and_then(|received| template.inspect(&received));
        revoke.is_ok_and(|revoke| is_sent(message, revoke.countersign(&self.fee_payer)))
    }

    fn is_single_payment(&self, text: &str, message: &VersionedMessage) -> bool {
        let payer = self.user.pubkey();
        let template = SingleTemplate { issued: issued(), payer, our_keys: &self.our_keys(), compute: COMPUTE };
        let single = PayersTransaction::read(text).and_then(|received| template.inspect(&received));
        single.is_ok_and(|single| is_sent(message, single.countersign(&self.fee_payer)))
    }

    fn is_charge(&self, text: &str, message: &VersionedMessage) -> bool {
        let token_program = TokenProgram::Token.address();
        let offer = ChargeOffer {
            asset: ChargeAsset { mint: self.mint, token_program, decimals: 6 },
            others: Vec::new(),
            min_amount: Amount::ONE,
        };
        let fee_payers = [self.fee_payer.pubkey()];
        let our_keys = self.our_keys();
        let policy = ChargePolicy { offer: &offer, fee_payers: &fee_payers, our_keys: &our_keys, compute: MAX_COMPUTE };
        let request = ChargeRequest { transaction: text, recipient: self.seller, amount: "10000", asset: None };
        policy.inspect(&request).is_ok_and(|charge| is_sent(message, charge.countersign(&self.fee_payer)))
    }

    fn is_anchor(&self, wire: &[u8]) -> bool {
        assert_eq!(anchor::read(wire, &[self.spender]), None, "nobody else's is ours");
        anchor::read(wire, &[self.fee_payer.pubkey()]).is_some()
    }
}

/// What passes is sent with the message that was signed, byte for byte.
fn is_sent(message: &VersionedMessage, sent: Result<SignedTransaction, TransactionError>) -> bool {
    let sent = sent.expect("what passes can be signed");
    let sent: VersionedTransaction = wincode::deserialize_exact(&sent.wire).expect("what is sent is a transaction");
    assert_eq!(sent.message, *message);
    true
}
