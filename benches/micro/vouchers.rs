//! What a seller computes for one header `x-mpp-voucher`: reading it, its canonical text, and Ed25519; once of a channel that is
//! known, and once of a new one, with its certificate.

use criterion::Criterion;
use serde_json::Value;
use sotto::{
    domain::{
        amount::Amount,
        mpp::voucher::{SeenChannel, SellerTerms, Strictness, verify},
    },
    wire::mpp::voucher::read,
};
use std::hint::black_box;

/// When the certificate of the vectors is judged.
const NOW: u64 = 1_775_861_400;

pub(crate) fn headers(c: &mut Criterion) {
    let golden: Value =
        serde_json::from_str(include_str!("../../tests/vectors/mpp.json")).expect("the vectors are JSON");
    let strict = &golden["vouchers"]["strict"];
    let header = strict["cases"][0]["x_mpp_voucher"].as_str().expect("a text");
    let presented = read(header).expect("a voucher");
    let key = |text: &str| text.parse().expect("a key");
    let terms = |strictness| SellerTerms {
        recipient: key(&presented.voucher.recipient),
        price_per_unit: Amount::new(10_000).expect("fits"),
        meter: "request".to_owned(),
        strictness,
    };
    let (issuer, chain_id) = (key(strict["issuer"].as_str().expect("a text")), presented.voucher.chain_id.clone());
    let (known, new) = (terms(Strictness::Stock), terms(Strictness::Certified { issuer, chain_id }));
    let seen = SeenChannel { signer: presented.signer.clone(), cumulative: Amount::ZERO, sequence: 0 };
    let next = |header: &str| read(header).and_then(|it| verify(&it, &known, Some(&seen), None, NOW));
    let first = |header: &str| read(header).and_then(|it| verify(&it, &new, None, None, NOW));
    assert!(next(header).is_ok() && first(header).is_ok(), "the benchmark verifies what is served");
    c.bench_function("voucher: verify the header of a known channel", |b| b.iter(|| next(black_box(header))));
    c.bench_function("voucher: verify the header of a new channel", |b| b.iter(|| first(black_box(header))));
}
