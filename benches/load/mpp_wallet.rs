//! The Machine Payments Protocol for benchmarks: how a facilitator is told to serve it, and what wallets sign for it.

use crate::{Outcome, stage::Stage};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_message::{VersionedMessage, v0};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    client::LocalKey,
    domain::{
        chance::{OsChance, draw},
        clock::{Clock as _, SystemClock},
        mpp::{siwx::SignIn, timestamp},
        network::Network,
        signed,
    },
    programs::{
        charge::ChargeDraft,
        spl_token::{TokenProgram, TransferChecked, associated_account},
    },
    wire::mpp::siwx::SignedIn,
};
use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _};

/// Decimals of cash.
pub const DECIMALS: u8 = 6;
/// Where the root is, from the facilitator's directory.
pub const ROOT: &str = ".keys/mpp.root";
/// Where the key is that pays the protocol's fees.
const FEES: &str = ".keys/fees.json";
/// For how long a sign-in is good, in milliseconds.
const SIGN_IN_LIFE: u64 = 5 * 60 * 1_000;

/// Limits that would throttle a benchmark instead of being measured by it.
const UNTHROTTLED: [(&str, &str); 19] = [
    ("mpp.min_amount", "1"),
    ("mpp.stranger_day_lamports", "0"),
    ("mpp.payer_verify_per_day", "0"),
    ("mpp.global_settle_per_day", "0"),
    ("mpp.seller_settle_per_day", "0"),
    ("mpp.payer_settle_per_day", "0"),
    ("mpp.global_concurrency", "0"),
    ("mpp.seller_concurrency", "0"),
    ("mpp.payer_concurrency", "0"),
    ("mpp.min_onboarding_balance", "0"),
    ("mpp.onboardings_per_wallet_per_day", "0"),
    ("mpp.onboardings_per_ip_per_day", "0"),
    ("mpp.onboardings_per_hour", "0"),
    ("mpp.rent_day_lamports", "1000000000000"),
    ("mpp.min_deposit", "1"),
    ("mpp.channels_per_buyer", "0"),
    ("mpp.channels_per_seller", "0"),
    ("mpp.channels", "0"),
    ("mpp.vouchers_per_channel_per_second", "0"),
];

/// Settings by which a facilitator on this stage serves the protocol without limits, with a root and a fee payer that are made here.
pub async fn settings(stage: &mut Stage) -> Outcome<Vec<(&'static str, String)>> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(stage.file(ROOT))?;
    file.write_all(hex::encode(draw::<32>(&OsChance)).as_bytes())?;
    stage.add_fee_payer(FEES).await?;
    let own = [
        ("mpp.enabled", "true".to_owned()),
        ("mpp.mint", mint(stage).await?.to_string()),
        ("mpp.root", format!("file:{ROOT}")),
        // The spender pays for what sessions ask for, and for nothing that strangers sign.
        ("keys.fee_payer", format!("file:.keys/facilitator.json,file:{FEES}")),
    ];
    Ok(own.into_iter().chain(UNTHROTTLED.map(|(key, value)| (key, value.to_owned()))).collect())
}

/// The mint of cash.
pub async fn mint(stage: &Stage) -> Outcome<Pubkey> {
    let told = stage.ask("localnet_describe", json!([])).await?;
    Ok(told["mppMint"].as_str().and_then(signed::parse_key).ok_or("no mint of cash")?)
}

/// A wallet's own account of cash.
pub fn cash_account(wallet: &Pubkey, mint: &Pubkey) -> Pubkey {
    associated_account(TokenProgram::Token, wallet, mint)
}

/// The header of a new sign-in; with resources, a proof of one act.
pub fn sign_in(wallet: &LocalKey, resources: Vec<String>) -> String {
    let now = SystemClock.now_millis();
    let sign_in = SignIn {
        domain: "localhost".to_owned(),
        address: wallet.pubkey().to_string(),
        uri: "https://localhost/api/sessions/onboard".to_owned(),
        version: "1".to_owned(),
        chain_id: Network::devnet().canonical().to_owned(),
        nonce: hex::encode(draw::<16>(&OsChance)),
        issued_at: timestamp::write(now),
        expiration_time: Some(timestamp::write(now.saturating_add(SIGN_IN_LIFE))),
        resources,
        ..SignIn::default()
    };
    let signature = wallet.sign(sign_in.text().as_bytes());
    SignedIn { sign_in, signature }.encode()
}

/// What a wallet was offered, signed by it as it is.
pub fn signed_offer(wallet: &LocalKey, offered: &str) -> Option<String> {
    let transaction: VersionedTransaction = wincode::deserialize(&BASE64_STANDARD.decode(offered).ok()?).ok()?;
    signed_by(wallet, transaction.message)
}

/// A charge as the published client builds it: so many units of a wallet for a seller, by what `/mpp/prepare` told.
pub fn charge(wallet: &LocalKey, seller: &Pubkey, units: u64, prepared: &Value) -> Option<(VersionedMessage, String)> {
    let mint = signed::parse_key(prepared["splToken"].as_str()?)?;
    let transfer = TransferChecked {
        program: TokenProgram::Token,
        source: cash_account(&wallet.pubkey(), &mint),
        mint,
        destination: cash_account(seller, &mint),
        authority: wallet.pubkey(),
        amount: units,
        decimals: DECIMALS,
    };
    let reference = hex::encode(draw::<16>(&OsChance));
    let instructions = ChargeDraft::new(transfer, Some(reference)).instructions();
    let fee_payer = signed::parse_key(prepared["feePayer"].as_str()?)?;
    let blockhash = prepared["recentBlockhash"].as_str()?.parse().ok()?;
    let message = VersionedMessage::V0(v0::Message::try_compile(&fee_payer, &instructions, &[], blockhash).ok()?);
    let wire = signed_by(wallet, message.clone())?;
    Some((message, wire))
}

/// The wire bytes in base64, with this wallet's signature and no other.
fn signed_by(wallet: &LocalKey, message: VersionedMessage) -> Option<String> {
    let signers = usize::from(message.header().num_required_signatures);
    let own = message.static_account_keys().iter().take(signers).position(|key| *key == wallet.pubkey())?;
    let mut signatures = vec![Signature::default(); signers];
    *signatures.get_mut(own)? = Signature::from(wallet.sign(&message.serialize()));
    let transaction = VersionedTransaction { signatures, message };
    Some(BASE64_STANDARD.encode(wincode::serialize(&transaction).ok()?))
}
