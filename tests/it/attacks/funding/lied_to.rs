//! A provider that lies about a payer's account, or leaves single entries out of its history, for a payer who moves their
//! balance away: what is told as `proven` of it is bounded as `docs/TRUST.md` says. All else it tells is true, so nothing but a
//! look at the account can notice.

use super::{
    super::{PURSE, Shop, transfers},
    moved::{LOOK, TOKEN, captured, demanding, is_proven, proved_shop, proved_shop_with, settles_at_once},
    source,
};
use crate::{
    chain::proxy::{Proxy, Reply},
    support::hastily,
};
use serde_json::{Value, json};
use sotto::chain::EndpointUrls;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Slots that accounts are told behind; more than pass while the payments of a test are made.
const BEHIND: u64 = 60;

/// The owner moves everything that is left away, in a transaction that no history lists.
async fn moves_away_unlisted(shop: &Shop) {
    let elsewhere = shop.world.wallet(0).await;
    let left = shop.world.units(&shop.payer);
    let away = shop.world.transfer_by_owner(&shop.payer, &elsewhere.key(), left);
    shop.world.net.faults().change(|plan| plan.hidden_history.push(away.signatures[0].to_string()));
    shop.world.lands(away);
    shop.world.confirmed().await;
    assert_eq!(shop.world.units(&shop.payer), 0, "it is gone");
}

fn told_as_proven(answers: &[Value]) -> u64 {
    answers.iter().filter(|answer| is_proven(answer)).count() as u64 * TOKEN
}

fn refused(answers: &[Value], word: &str) -> usize {
    answers.iter().filter(|answer| answer["errorReason"] == word).count()
}

/// Guard: `looks::account_history::UpTo::is_beyond`. The balance has changed and the list names nothing that changed it: that
/// is no look, and nothing is signed on it.
#[tokio::test]
async fn a6_a_debit_that_is_left_out_alone_is_missed_by_nobody() {
    let shop = proved_shop(PURSE).await;
    moves_away_unlisted(&shop).await;
    let bodies: Vec<_> = (0..5).map(|_| hastily(demanding(&shop, TOKEN, None))).collect();
    let answers = settles_at_once(&shop, &bodies).await;
    assert_eq!(refused(&answers, "settlement_pending") + refused(&answers, "settlement_expired"), 5, "{answers:#?}");
    assert_eq!((captured(&shop).await, transfers(&shop.world, &shop.payer).await.len()), (0, 0), "nothing is signed");
    shop.world.net.faults().clear();
    let refused = shop.world.post("/settle", &demanding(&shop, TOKEN, None)).await.1;
    assert_eq!(refused["errorReason"], "funding_unproven", "{refused:#}");
    shop.world.finish().await;
}

/// Guard: `funding::admit` in the hold verb. Beside a transfer of ours that the list names, the changed balance looks
/// explained. A provider that leaves the debit out for good has so much told as proven as was proved, and no unit more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_a_debit_that_is_left_out_for_good_has_no_more_told_as_proven_than_was_proved() {
    let shop = proved_shop_with(PURSE, 4 * PURSE).await;
    assert!(is_proven(&shop.pays(TOKEN, None).await));
    moves_away_unlisted(&shop).await;
    let bodies: Vec<_> = (0..80).map(|_| demanding(&shop, TOKEN, None)).collect();
    let answers = settles_at_once(&shop, &bodies).await;
    assert_eq!(TOKEN + told_as_proven(&answers), PURSE, "what docs/TRUST.md says that it can reach");
    assert_eq!(refused(&answers, "insufficient_funds"), 31, "{answers:#?}");
    assert_eq!(shop.world.units(&shop.merchant), TOKEN, "the first alone has moved");
    // The first whole list ends it: for the merchant, and for whoever is served after it.
    shop.world.net.faults().clear();
    let body = demanding(&shop, TOKEN, None);
    let ended = shop.world.post("/settle", &body).await.1;
    assert_eq!(ended["success"], json!(false), "{ended:#}");
    shop.world.finish().await;
}

/// What a lying endpoint was asked.
#[derive(Default)]
struct Asked {
    /// Accounts that were read: looks.
    accounts: AtomicU64,
    /// Lists that it left the debit out of.
    lied: AtomicU64,
}

/// The owner moves everything that is left away; the only endpoint leaves that out of so many lists that should name it.
async fn forgets_at_first(shop: &mut Shop, lists: u64) -> (Proxy, Arc<Asked>) {
    let proxy = Proxy::start(shop.world.net.rpc_url()).await;
    let elsewhere = shop.world.wallet(0).await;
    let away = shop.world.transfer_by_owner(&shop.payer, &elsewhere.key(), shop.world.units(&shop.payer));
    let endpoint = EndpointUrls { rpc: proxy.url.clone(), websocket: None };
    shop.world.reboots_with_endpoints(vec![endpoint]).await;
    let (name, asked) = (json!(away.signatures[0].to_string()), Arc::new(Asked::default()));
    let counted = Arc::clone(&asked);
    proxy.change(move |method, truth| {
        if method == "getMultipleAccounts" {
            counted.accounts.fetch_add(1, Ordering::SeqCst);
        }
        let listed = (method == "getSignaturesForAddress").then(|| truth.as_array()).flatten()?;
        let is_named = listed.iter().any(|entry| entry["signature"] == name);
        if !is_named || counted.lied.load(Ordering::SeqCst) == lists {
            return None;
        }
        counted.lied.fetch_add(1, Ordering::SeqCst);
        Some(Reply::Result(listed.iter().filter(|entry| entry["signature"] != name).cloned().collect()))
    });
    shop.world.lands(away);
    shop.world.confirmed().await;
    (proxy, asked)
}

/// Guards: `Ledger::ride_on_look` with `funding.look_exposure`, and the look after the landing. A list that is late once, before
/// something is signed, has nothing told as proven; one that is late again has at most so much told as its looks are good for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_a_list_that_is_late_has_no_more_told_as_proven_than_its_looks_are_good_for() {
    for lists in [1, 2] {
        let mut shop = proved_shop_with(PURSE, 4 * PURSE).await;
        assert!(is_proven(&shop.pays(TOKEN, None).await));
        shop.world.quiet().await;
        let (_proxy, asked) = forgets_at_first(&mut shop, lists).await;
        let bodies: Vec<_> = (0..49).map(|_| demanding(&shop, TOKEN, None)).collect();
        let answers = settles_at_once(&shop, &bodies).await;
        let (proven, unmoved) = (told_as_proven(&answers), captured(&shop).await - TOKEN);
        let [looks, lied] = [&asked.accounts, &asked.lied].map(|count| count.load(Ordering::SeqCst));
        assert_eq!(lied, lists, "it lied as often as it was to");
        assert!(
            lists > 1 || proven == 0,
            "{proven} were told as proven although the landing was judged by a whole list"
        );
        assert!(proven.max(unmoved) <= looks * LOOK, "{proven} told as proven, {unmoved} captured after {looks} looks");
        assert_eq!(shop.world.units(&shop.merchant), TOKEN, "the first alone has moved");
        assert!(source(&shop).await.bound.unwrap().lost.is_some(), "the first whole list has ended it");
        shop.world.finish().await;
    }
}

/// Guard: `UpTo::unchanged` judges no landing. Old accounts under the slot of now say that nothing has changed, and the history
/// says what has: nothing is told as proven, whatever looks came between a landing and its own, and what was sent by then stays
/// captured.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_accounts_that_are_told_as_they_were_have_nothing_told_as_proven() {
    let shop = proved_shop(PURSE).await;
    let elsewhere = shop.world.wallet(0).await;
    let away = shop.world.transfer_by_owner(&shop.payer, &elsewhere.key(), PURSE);
    shop.world.lands(away);
    shop.world.net.faults().change(|plan| plan.accounts_behind = BEHIND);
    let bodies: Vec<_> = (0..49).map(|_| demanding(&shop, TOKEN, None)).collect();
    let answers = settles_at_once(&shop, &bodies).await;
    assert_eq!(told_as_proven(&answers), 0, "{answers:#?}");
    assert!(answers.iter().all(|answer| answer["success"] == json!(false)), "{answers:#?}");
    let sent = answers.iter().filter(|answer| answer["transaction"] != "").count() as u64 * TOKEN;
    assert_eq!(captured(&shop).await, sent, "what was sent stays charged, and is told with its transaction");
    assert_eq!(shop.world.units(&shop.merchant), 0);
    shop.world.net.faults().clear();
    assert!(source(&shop).await.bound.unwrap().lost.is_some(), "the history has ended it");
    shop.world.finish().await;
}
