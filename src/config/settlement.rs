//! `[settlement]`: how payments reach the chain, and what a session needs before it opens.

use super::{asset, reader::Reader, schema::Key};
use crate::domain::{amount::Amount, signed};
use solana_pubkey::Pubkey;
use std::time::Duration;

const SETTLE_INSTRUCTION: Key = Key::text("settlement", "settle_instruction");
const DECRYPT_ALLOWANCE: Key = Key::text("settlement", "decrypt_allowance");
const PROBE: Key = Key::switch("settlement", "probe");
pub(super) const ANSWER_DEADLINE_SECONDS: Key = Key::integer("settlement", "answer_deadline_seconds");
const COMPUTE_UNIT_MARGIN_PERCENT: Key = Key::integer("settlement", "compute_unit_margin_percent");
const PRIORITY_FEE_CAP: Key = Key::integer("settlement", "priority_fee_cap_micro_lamports");
const CREATE_RECIPIENT: Key = Key::switch("settlement", "create_recipient");
const RECIPIENTS: Key = Key::list("settlement", "recipients");
const RECIPIENT_CREATIONS_PER_DAY: Key = Key::integer("settlement", "recipient_creations_per_day");
const RECIPIENT_CREATION_MIN: Key = Key::text("settlement", "recipient_creation_min");
const SPONSOR_ACCOUNT_CREATION: Key = Key::switch("settlement", "sponsor_account_creation");
const CAP_CHECK: Key = Key::text("settlement", "cap_check");
const CAP_CHECK_DEADLINE_SECONDS: Key = Key::integer("settlement", "cap_check_deadline_seconds");
const ABSENCE_PATIENCE_SECONDS: Key = Key::integer("settlement", "absence_patience_seconds");
const ONE_VOICE_EXPOSURE: Key = Key::text("settlement", "one_voice_exposure");
const SINGLE_PAYMENTS: Key = Key::switch("settlement", "single_payments");

pub(super) const KEYS: &[Key] = &[
    SETTLE_INSTRUCTION,
    PROBE,
    DECRYPT_ALLOWANCE,
    ANSWER_DEADLINE_SECONDS,
    COMPUTE_UNIT_MARGIN_PERCENT,
    PRIORITY_FEE_CAP,
    CREATE_RECIPIENT,
    RECIPIENTS,
    RECIPIENT_CREATIONS_PER_DAY,
    RECIPIENT_CREATION_MIN,
    SPONSOR_ACCOUNT_CREATION,
    CAP_CHECK,
    CAP_CHECK_DEADLINE_SECONDS,
    ONE_VOICE_EXPOSURE,
    ABSENCE_PATIENCE_SECONDS,
    SINGLE_PAYMENTS,
];

/// Which instruction moves the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettleInstruction {
    /// Carries the user's signed message (what the scheme says).
    TransferWithAuthorization,
    /// The delegate's plain transfer.
    Transfer,
    /// The first where the probe finds that it does what is relied on, else the second.
    Auto,
}

/// When a settlement grants both sides the right to decrypt their new balances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecryptAllowance {
    /// For accounts at rest, and once in a while for those that never are.
    Idle,
    /// In every settlement.
    Every,
    /// In none.
    Never,
}

/// What is asked of the approved amount before a session opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapCheckPolicy {
    /// It must be attested.
    Required,
    /// It is attested when the Covalidator answers in time; else a small exposure limit applies.
    BestEffort,
    /// It is never asked.
    Off,
}

/// For whom a missing recipient account is created at our cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientsConfig {
    /// Whether any is created.
    pub create: bool,
    /// Recipients whose account is created when a session with them opens.
    pub listed: Vec<Pubkey>,
    /// Accounts of others that are created in a day.
    pub creations_per_day: u32,
    /// The smallest payment for which another's account is created, in base units.
    pub creation_min: Amount,
}

/// How settlements are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettlementConfig {
    /// Which instruction moves the money.
    pub settle_instruction: SettleInstruction,
    /// Whether the program is asked at start if that instruction does what is relied on.
    pub probe: bool,
    /// When decrypt allowances are granted.
    pub decrypt_allowance: DecryptAllowance,
    /// How long a caller waits for a payment to land, at most.
    pub answer_deadline: Duration,
    /// What is added to the measured compute units, in per cent.
    pub compute_unit_margin_percent: u32,
    /// The highest priority fee, in micro-lamports per compute unit.
    pub priority_fee_cap_micro_lamports: u64,
    /// For whom a missing recipient account is created at our cost.
    pub recipients: RecipientsConfig,
    /// Whether a user's missing account may be created at our cost (the user can close it and keep the rent).
    pub sponsor_account_creation: bool,
    /// What is asked of the approved amount.
    pub cap_check: CapCheckPolicy,
    /// How long the Covalidator may take for it.
    pub cap_check_deadline: Duration,
    /// The most that is told as landed on one RPC provider's word, in base units.
    pub one_voice_exposure: Amount,
    /// How long it is waited for proof that a dead transaction has no effect, before its settlement is held.
    pub absence_patience: Duration,
    /// Whether single payments are served, where the instruction that carries them is safe.
    pub single_payments: bool,
}

impl SettlementConfig {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let settle_instruction = reader.word(
            &SETTLE_INSTRUCTION,
            &[
                ("transfer_with_authorization", SettleInstruction::TransferWithAuthorization),
                ("transfer", SettleInstruction::Transfer),
                ("auto", SettleInstruction::Auto),
            ],
        );
        let probe = reader.switch(&PROBE);
        let decrypt_allowance = reader.word(
            &DECRYPT_ALLOWANCE,
            &[("idle", DecryptAllowance::Idle), ("every", DecryptAllowance::Every), ("never", DecryptAllowance::Never)],
        );
        let answer_deadline = reader.whole(&ANSWER_DEADLINE_SECONDS, 1..=300_u64).map(Duration::from_secs);
        let compute_unit_margin_percent = reader.whole(&COMPUTE_UNIT_MARGIN_PERCENT, 0..=300_u32);
        let priority_fee_cap_micro_lamports = reader.whole(&PRIORITY_FEE_CAP, 0..=100_000_000_u64);
        let recipients = RecipientsConfig::read(reader);
        let sponsor_account_creation = reader.switch(&SPONSOR_ACCOUNT_CREATION);
        let cap_check = reader.word(
            &CAP_CHECK,
            &[
                ("required", CapCheckPolicy::Required),
                ("best-effort", CapCheckPolicy::BestEffort),
                ("off", CapCheckPolicy::Off),
            ],
        );
        let cap_check_deadline = reader.whole(&CAP_CHECK_DEADLINE_SECONDS, 1..=60_u64).map(Duration::from_secs);
        let decimals = asset::read_decimals(reader);
        let one_voice_exposure = asset::read_amount(reader, &ONE_VOICE_EXPOSURE, decimals);
        let absence_patience = reader.whole(&ABSENCE_PATIENCE_SECONDS, 1..=86_400_u64).map(Duration::from_secs);
        let single_payments = reader.switch(&SINGLE_PAYMENTS);
        Some(Self {
            settle_instruction: settle_instruction?,
            probe: probe?,
            decrypt_allowance: decrypt_allowance?,
            answer_deadline: answer_deadline?,
            compute_unit_margin_percent: compute_unit_margin_percent?,
            priority_fee_cap_micro_lamports: priority_fee_cap_micro_lamports?,
            recipients: recipients?,
            sponsor_account_creation: sponsor_account_creation?,
            cap_check: cap_check?,
            cap_check_deadline: cap_check_deadline?,
            one_voice_exposure: one_voice_exposure?,
            absence_patience: absence_patience?,
            single_payments: single_payments?,
        })
    }
}

impl RecipientsConfig {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let create = reader.switch(&CREATE_RECIPIENT);
        let listed = read_listed(reader);
        let creations_per_day = reader.whole(&RECIPIENT_CREATIONS_PER_DAY, 0..=1_000_000_u32);
        let decimals = asset::read_decimals(reader);
        let creation_min = asset::read_least(reader, &RECIPIENT_CREATION_MIN, decimals);
        Some(Self {
            create: create?,
            listed: listed?,
            creations_per_day: creations_per_day?,
            creation_min: creation_min?,
        })
    }
}

fn read_listed(reader: &mut Reader<'_>) -> Option<Vec<Pubkey>> {
    let (mut listed, mut is_sound) = (Vec::new(), true);
    for text in reader.list(&RECIPIENTS)? {
        if let Some(recipient) = signed::parse_key(text) {
            listed.push(recipient);
        } else {
            is_sound = false;
            reader.fault(
                &RECIPIENTS,
                format!("{text:?} is not a public key"),
                "write public keys, each in base58 (32 bytes)",
            );
        }
    }
    is_sound.then_some(listed)
}
