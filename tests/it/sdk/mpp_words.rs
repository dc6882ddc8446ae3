//! Every word of a seller's gate, said to vouchers that a facilitator gave: as they are, bent by whoever carries them, or signed
//! by a key that signs what it should not.

use super::mpp_channels::PRICE;
use crate::support::{ChannelScene, ROOT, public_id};
use async_trait::async_trait;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    domain::{
        amount::Amount,
        clock::ManualClock,
        mpp::{
            root::Root,
            voucher::{Certificate, Voucher},
        },
        signed::parse_key,
    },
    merchant::{
        FacilitatorClient, Price,
        mpp::{
            MemoryStore, SellerReason, SessionGate, SessionSale,
            session::{ChannelStore, Remembered, StoreFault, Swapped},
        },
    },
    wire::mpp::{
        keys::KeysAnswer,
        voucher::{VoucherAnswer, read},
    },
};
use std::{collections::BTreeSet, sync::Arc};

/// Two vouchers of a live channel, and who may sell for them.
struct Till {
    scene: ChannelScene,
    channel: Value,
    vouchers: [Value; 2],
    keys: KeysAnswer,
}

impl Till {
    async fn open() -> Self {
        let scene = ChannelScene::start().await;
        let channel = scene.opens(100_000).await;
        let vouchers = [scene.draws(&channel, PRICE).await, scene.draws(&channel, 2 * PRICE).await];
        let keys = FacilitatorClient::new(&scene.world.running().url).unwrap().mpp_keys().await.unwrap();
        Self { scene, channel, vouchers, keys }
    }

    fn sale(&self, recipient: Pubkey, price: u64) -> SessionSale {
        let price = Price::base_units(Amount::new(price).unwrap()).unwrap();
        SessionSale::new(recipient, price).keys(&self.keys).unwrap()
    }

    /// What is sold for these vouchers.
    fn own(&self) -> SessionSale {
        self.sale(self.scene.seller.key(), PRICE)
    }

    /// The channel's own key, which nobody but the facilitator has.
    fn channel_key(&self) -> SigningKey {
        SigningKey::from_bytes(&Root::new(ROOT).channel_key(&public_id(&self.channel)).secret())
    }

    fn certificate(&self) -> Certificate {
        read(&self.vouchers[0].to_string()).unwrap().certificate.unwrap()
    }

    /// The first voucher with other members, signed by this key, beside the channel's certificate.
    fn signed(&self, key: &SigningKey, change: impl FnOnce(&mut Voucher)) -> String {
        let mut voucher = read(&self.vouchers[0].to_string()).unwrap().voucher;
        change(&mut voucher);
        let signature = key.sign(&voucher.signed_bytes()).to_bytes();
        let signer = Pubkey::new_from_array(key.verifying_key().to_bytes());
        let issuer = parse_key(&self.keys.issuer).unwrap();
        json!(VoucherAnswer::new(&voucher, &signature, &signer, &issuer, &self.certificate())).to_string()
    }

    /// The first voucher as somebody else hands it on.
    fn bent(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut voucher = self.vouchers[0].clone();
        change(&mut voucher);
        voucher.to_string()
    }
}

fn selling(sale: SessionSale) -> SessionGate {
    SessionGate::new(sale, Arc::new(MemoryStore::new(10))).unwrap()
}

/// A gate that has served for a voucher.
async fn after(gate: SessionGate, voucher: &Value) -> SessionGate {
    gate.verify(&voucher.to_string()).await.unwrap();
    gate
}

/// A store of the seller's own that does not answer.
struct Unreachable;

#[async_trait]
impl ChannelStore for Unreachable {
    async fn get(&self, _: &str) -> Result<Option<Remembered>, StoreFault> {
        Ok(None)
    }

    async fn swap(&self, _: &str, _: Option<&Remembered>, _: &Remembered, _: u64) -> Result<Swapped, StoreFault> {
        Err(StoreFault::Unavailable("unreachable".into()))
    }

    async fn remove(&self, _: &str) -> Result<(), StoreFault> {
        Ok(())
    }
}

/// What the published verifier refuses too, in its order.
async fn published(till: &Till) -> Vec<(SellerReason, SessionGate, String)> {
    let [first, second] = &till.vouchers;
    let (own, stranger) = (|| selling(till.own()), SigningKey::from_bytes(&[7; 32]));
    let more = |voucher: &mut Voucher| voucher.cumulative_amount = Amount::new(3 * PRICE).unwrap();
    let missing = till.bent(|it| drop(it.as_object_mut().unwrap().remove("signature")));
    let bent = |member: &str, value: &str| till.bent(|it| it[member] = json!(value));
    let raised = till.bent(|it| it["voucher"]["cumulativeAmount"] = json!("50000"));
    let to_another = selling(till.sale(till.scene.buyer.key(), PRICE));
    vec![
        (SellerReason::MissingVoucherFields, own(), missing),
        (SellerReason::UnsupportedSignatureType, own(), bent("signatureType", "secp256k1")),
        (SellerReason::InvalidSignature, own(), raised),
        (SellerReason::SignatureVerificationFailed, own(), bent("signature", "!")),
        (SellerReason::RecipientMismatch, to_another, first.to_string()),
        (SellerReason::SignerChanged, after(own(), first).await, till.signed(&stranger, more)),
        (SellerReason::AmountNotMonotonic, after(own(), second).await, first.to_string()),
        (SellerReason::SequenceNotMonotonic, after(own(), second).await, till.signed(&till.channel_key(), more)),
        (SellerReason::Underpaid, selling(till.sale(till.scene.seller.key(), 2 * PRICE)), first.to_string()),
    ]
}

/// What it would serve for.
fn strict(till: &Till) -> Vec<(SellerReason, SessionGate, String)> {
    let first = till.vouchers[0].to_string();
    let (key, stranger) = (till.channel_key(), SigningKey::from_bytes(&[7; 32]));
    let over = |voucher: &mut Voucher| voucher.cumulative_amount = Amount::new(100_001).unwrap();
    let late = Arc::new(ManualClock::at(till.certificate().expires));
    let store = |store: Arc<dyn ChannelStore>| SessionGate::new(till.own(), store).unwrap();
    vec![
        (SellerReason::MalformedVoucher, selling(till.own()), first.replacen('{', "{\"voucher\":{},", 1)),
        (SellerReason::UnknownSigner, selling(till.own()), till.signed(&stranger, |_| ())),
        (SellerReason::DepositExceeded, selling(till.own()), till.signed(&key, over)),
        (SellerReason::ChannelExpired, selling(till.own().clock(late)), first.clone()),
        (SellerReason::MeterMismatch, selling(till.own().meter("token")), first.clone()),
        (SellerReason::NonceMismatch, selling(till.own().require_nonce()), first.clone()),
        (SellerReason::TooManyChannels, store(Arc::new(MemoryStore::new(0))), first.clone()),
        (SellerReason::StoreUnavailable, store(Arc::new(Unreachable)), first),
    ]
}

#[tokio::test]
async fn every_word_of_a_seller_is_said_to_vouchers_of_a_live_channel() {
    let till = Till::open().await;
    let asking = FacilitatorClient::new(&till.scene.world.running().url).unwrap();
    let open = after(selling(till.own().facilitator(asking)), &till.vouchers[0]).await;
    let mut cases = published(&till).await;
    cases.extend(strict(&till));
    till.scene.closes(&till.channel).await;
    open.look().await;
    cases.push((SellerReason::ChannelClosed, open, till.vouchers[1].to_string()));
    let mut met = BTreeSet::new();
    for (reason, gate, header) in cases {
        let fault = gate.verify(&header).await.expect_err(reason.word());
        assert_eq!(fault.reason(), Some(reason), "{fault}");
        assert!(fault.to_string().starts_with(reason.word()), "{fault}");
        met.insert(reason.word());
    }
    let of_charges = |word: &str| word.starts_with("settlement_") || word.starts_with("onchain_");
    let all: BTreeSet<_> =
        SellerReason::ALL.iter().map(|reason| reason.word()).filter(|word| !of_charges(word)).collect();
    assert_eq!(met, all, "each word has its case");
    till.scene.ends(2 * PRICE).await;
}
