//! What a seller remembers of channels: bounded, and over a restart.

use super::mpp_sessions::{pinned, voucher, word};
use sotto::merchant::mpp::{
    FileStore, MemoryStore, SellerReason, SessionGate,
    session::{Standing, file::OpenFault},
};
use std::{fs, path::Path, sync::Arc};

fn over(path: &Path) -> SessionGate {
    SessionGate::new(pinned(), Arc::new(FileStore::open(path, 100).unwrap())).unwrap()
}

/// Guard: `FileStore::swap`. In memory alone a restart would serve for old vouchers again.
#[tokio::test]
async fn a_restart_remembers_what_was_paid() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("channels");
    let gate = over(&path);
    assert_eq!(word(&gate, &voucher(10_000, 1, "n")).await, None);
    assert_eq!(word(&gate, &voucher(20_000, 2, "n")).await, None);
    assert!(matches!(FileStore::open(&path, 100), Err(OpenFault::InUse)));
    drop(gate);

    // A power cut in the middle of a line that was never answered for, and of a character in it.
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, [whole.as_bytes(), b"{\"channel\":\"ch_\xc3"].concat()).unwrap();
    let gate = over(&path);
    assert_eq!(word(&gate, &voucher(20_000, 2, "n")).await.as_deref(), Some("amount_not_monotonic"));
    assert_eq!(word(&gate, &voucher(30_000, 3, "n")).await, None);
    let channel = gate.verify(&voucher(40_000, 4, "n")).await.unwrap().voucher.channel_id;
    let known = gate.context(&channel).await.unwrap().unwrap();
    assert_eq!((known.seen.cumulative.get(), known.standing), (40_000, Standing::Live));
    gate.remove(&channel).await.unwrap();
    drop(gate);
    let gate = over(&path);
    assert_eq!(gate.context(&channel).await.unwrap(), None, "what was forgotten stays so");
    drop(gate);

    for damaged in [&b"not a line"[..], &b"\xc3"[..]] {
        fs::write(&path, [damaged, b"\n", whole.as_bytes()].concat()).unwrap();
        assert!(matches!(FileStore::open(&path, 100), Err(OpenFault::Damaged(1))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vouchers_that_come_at_once_pay_once_and_share_writes() {
    let folder = tempfile::tempdir().unwrap();
    let gate = over(&folder.path().join("channels"));
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..64 {
        let gate = gate.clone();
        let sequence = number / 16 + 1;
        requests.spawn(async move { gate.verify(&voucher(sequence * 10_000, sequence, "n")).await.is_ok() });
    }
    let served = requests.join_all().await.into_iter().filter(|served| *served).count();
    assert!((1..=4).contains(&served), "each of four vouchers pays once at most: {served}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_users_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("channels");
    let _store = FileStore::open(&path, 1).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Guard: `Channels::swap`. An evicted channel would pay again with its old vouchers, so a new one is not served.
#[tokio::test]
async fn a_full_store_takes_no_new_channel() {
    let gate = SessionGate::new(pinned(), Arc::new(MemoryStore::new(0))).unwrap();
    let fault = gate.verify(&voucher(10_000, 1, "n")).await.unwrap_err();
    assert_eq!(
        (fault.to_string().as_str(), fault.reason()),
        ("too_many_channels", Some(SellerReason::TooManyChannels))
    );
}
