//! Charges of the Machine Payments Protocol by hand, so that tests can bend every byte of them.

use super::{Options, Wallet, World, wire};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::{VersionedMessage, v0};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    domain::{
        amount::Amount,
        mpp::{
            caps::Caps,
            charge::{ChargeAsset, ChargeOffer, DEFAULT_MIN_AMOUNT},
            choices::{Backend, Emergency, OpenAuth, StatsShown},
            delegation::OnboardLimits,
            root::{Root, Roots},
        },
    },
    facilitator::{ChannelSettings, ClockCheck, DelegationSettings, MppSettings, Settings, WindowTrust},
    programs::{
        charge::ChargeDraft,
        spl_token::{TokenAccount, TokenProgram, TransferChecked},
    },
};
use std::time::Duration;

/// What every buyer starts with, in base units.
const PURSE: u64 = 5_000_000;
/// The root of these worlds.
pub const ROOT: [u8; 32] = [0x5a; 32];
/// Decimals of cash.
const DECIMALS: u8 = 6;

/// The published settings, but that strangers may have what they like.
pub(super) fn settings(world: &World) -> MppSettings {
    let asset =
        ChargeAsset { mint: world.net.cash().mint(), token_program: TokenProgram::Token.address(), decimals: DECIMALS };
    MppSettings {
        offer: ChargeOffer { asset, others: Vec::new(), min_amount: Amount::new(DEFAULT_MIN_AMOUNT).unwrap() },
        roots: Roots { current: Root::new(ROOT), previous: Vec::new() },
        stats: StatsShown::Public,
        caps: Caps { stranger_day_lamports: 0, ..Caps::DEFAULT },
        known_wallets: Vec::new(),
        delegations: DelegationSettings {
            backend: Backend::SplDelegate,
            hosts: vec!["localhost".to_owned()],
            buyers: Vec::new(),
            min_balance: Amount::new(1_000_000).unwrap(),
            min_deposit: Amount::new(100_000).unwrap(),
            limits: OnboardLimits { of_caller_per_day: 0, ..OnboardLimits::DEFAULT },
            windows: WindowTrust::Every,
        },
        channels: channels(),
        // Worlds let time pass for us and not for the chain.
        clock: ClockCheck::Skipped,
    }
}

/// What the default configuration says of channels.
fn channels() -> ChannelSettings {
    ChannelSettings {
        open_auth: OpenAuth::Window,
        window_deposit_max: Amount::new(10_000_000).unwrap(),
        sellers: Vec::new(),
        min_deposit: Amount::new(100_000).unwrap(),
        max_deposit: Amount::new(10_000_000_000).unwrap(),
        emergency: Emergency::Reserve,
        monitor: Duration::from_secs(15),
        grace: Duration::from_mins(5),
        max_owed: Duration::from_hours(24),
        credit_line: None,
        of_buyer: 16,
        of_seller: 10_000,
        in_all: 100_000,
        vouchers_per_second: 1_000,
        voucher_retention: 7 * 86_400,
    }
}

impl Options {
    /// A world that serves the protocol, with a key of its own for fees.
    pub fn mpp() -> Self {
        Self { serves_mpp: true, separate_fee_payer: true, ..Self::default() }
    }

    /// Like [`Options::mpp`], with settings that are changed by `change`.
    pub fn mpp_with(change: impl Fn(&mut MppSettings) + Send + Sync + 'static) -> Self {
        let settings = Box::new(move |settings: &mut Settings| change(settings.served.mpp.as_mut().unwrap()));
        Self { settings, ..Self::mpp() }
    }
}

/// A world that serves charges, with somebody who buys and somebody who sells.
pub struct MppScene {
    pub world: World,
    pub buyer: Wallet,
    pub seller: Wallet,
}

impl MppScene {
    pub async fn start() -> Self {
        Self::of(World::with(Options::mpp()).await).await
    }

    pub async fn with(change: impl Fn(&mut MppSettings) + Send + Sync + 'static) -> Self {
        Self::of(World::with(Options::mpp_with(change)).await).await
    }

    pub async fn of(world: World) -> Self {
        let (buyer, seller) = (world.stranger(), world.stranger());
        world.gives_cash(&buyer, PURSE).await;
        world.gives_cash(&seller, 0).await;
        Self { world, buyer, seller }
    }

    /// What a challenge is made of.
    pub async fn prepared(&self) -> Value {
        let (status, answer) = self.world.post("/mpp/prepare", &json!({})).await;
        assert_eq!(status, 200, "{answer:#}");
        answer
    }

    /// The transfer of so many units from buyer to seller.
    pub fn transfer(&self, units: u64) -> TransferChecked {
        self.world.cash_transfer(&self.buyer, &self.seller.key(), units)
    }

    /// A charge as the published client builds it, signed by the buyer.
    pub async fn charge(&self, units: u64) -> VersionedTransaction {
        let reference = format!("{units}-{}", self.world.stranger().key());
        let instructions = ChargeDraft::new(self.transfer(units), Some(reference)).instructions();
        self.signed(&instructions).await
    }

    /// These instructions, signed by the buyer.
    pub async fn signed(&self, instructions: &[Instruction]) -> VersionedTransaction {
        let blockhash = self.prepared().await["recentBlockhash"].as_str().unwrap().parse().unwrap();
        charged(&self.world.fee_payer(), instructions, blockhash, &[&self.buyer])
    }

    /// The body of a settlement of so many units by this transaction.
    pub fn body(&self, transaction: &VersionedTransaction, units: u64) -> Value {
        json!({
            "transaction": BASE64_STANDARD.encode(wire(transaction)),
            "recipient": self.seller.key().to_string(),
            "amount": units.to_string(),
            "asset": self.world.net.cash().mint().to_string(),
            "network": "solana:devnet",
        })
    }

    pub async fn settles(&self, body: &Value) -> Value {
        let (status, answer) = self.world.post("/mpp/settle", body).await;
        assert_eq!(status, 200, "{answer:#}");
        answer
    }

    /// A settlement that succeeds.
    pub async fn paid(&self, body: &Value) -> Value {
        let answer = self.settles(body).await;
        assert_eq!((&answer["success"], &answer["ok"]), (&json!(true), &json!(true)), "{answer:#}");
        answer
    }

    /// A settlement that is refused with this word.
    pub async fn refused(&self, body: &Value, word: &str) -> Value {
        let answer = self.settles(body).await;
        assert_eq!((&answer["success"], &answer["ok"]), (&json!(false), &json!(false)), "{answer:#}");
        assert_eq!((&answer["errorCode"], &answer["error"]), (&json!(word), &json!(word)), "{answer:#}");
        assert!(answer["detail"].is_string(), "{answer:#}");
        answer
    }

    /// Ends the scenario: so much was moved, and nothing else.
    pub async fn closes(self, moved: u64) {
        self.world.quiet().await;
        assert_eq!(self.world.cash(&self.seller), moved, "the seller has what was paid");
        assert_eq!(self.world.cash(&self.buyer), PURSE - moved, "the buyer lost what was paid");
        self.world.finish().await;
    }
}

impl World {
    /// Gives a wallet an account of cash with so many units more.
    pub async fn gives_cash(&self, wallet: &Wallet, units: u64) {
        self.net.cash().fund(&wallet.key(), units).unwrap();
        self.confirmed().await;
    }

    /// What a wallet has of cash.
    pub fn cash(&self, wallet: &Wallet) -> u64 {
        let account = self.net.network().account(&self.net.cash().account_of(&wallet.key())).unwrap();
        TokenAccount::decode(TokenProgram::Token, &account.data).unwrap().amount
    }

    /// A transfer of cash that its owner sends past the facilitator; the faucet pays the fee.
    pub fn cash_taken(&self, from: &Wallet, to: &Wallet, units: u64) -> VersionedTransaction {
        let transfer = self.cash_transfer(from, &to.key(), units).instruction();
        self.by_owner(from, transfer)
    }

    /// The transfer of so many units between canonical accounts of cash.
    pub fn cash_transfer(&self, from: &Wallet, to: &Pubkey, units: u64) -> TransferChecked {
        let cash = self.net.cash();
        TransferChecked {
            program: TokenProgram::Token,
            source: cash.account_of(&from.key()),
            mint: cash.mint(),
            destination: cash.account_of(to),
            authority: from.key(),
            amount: units,
            decimals: DECIMALS,
        }
    }
}

/// These instructions in a version 0 message, signed by these wallets; other signers' slots stay empty.
pub fn charged(
    fee_payer: &Pubkey,
    instructions: &[Instruction],
    blockhash: Hash,
    signers: &[&Wallet],
) -> VersionedTransaction {
    let message = v0::Message::try_compile(fee_payer, instructions, &[], blockhash).unwrap();
    let message = VersionedMessage::V0(message);
    let bytes = message.serialize();
    let required = usize::from(message.header().num_required_signatures);
    let signed = |key: &Pubkey| {
        let signer = signers.iter().find(|signer| signer.key() == *key);
        signer.map_or_else(Signature::default, |signer| Signature::from(signer.sign(&bytes)))
    };
    let signatures = message.static_account_keys().iter().take(required).map(signed).collect();
    VersionedTransaction { signatures, message }
}
