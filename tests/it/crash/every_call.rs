//! No verb of a port and no event is left out of the crash loops.

use super::{Engine, channels, charges, endings, onboardings, promises, revocations, single_payments, storms};
use crate::support::engine::{cases, each_engine};
use std::collections::BTreeSet;

each_engine! { cases
    every_call_that_a_process_makes_is_one_at_which_it_dies,
}

/// The traits, as they are written, and what the names of their verbs begin with.
const PORTS: [(&str, &str, &str); 11] = [
    (include_str!("../../../src/ledger/mod.rs"), "pub trait Ledger:", ""),
    (include_str!("../../../src/ledger/upkeep.rs"), "pub trait Upkeep:", ""),
    (include_str!("../../../src/ledger/single_payments.rs"), "pub trait SinglePaymentLedger:", ""),
    (include_str!("../../../src/ledger/revocations.rs"), "pub trait RevocationLedger:", ""),
    (include_str!("../../../src/ledger/approvals.rs"), "pub trait ApprovalLedger:", ""),
    (include_str!("../../../src/ledger/mpp/mod.rs"), "pub trait MppLedger:", ""),
    (include_str!("../../../src/ledger/mpp/charges.rs"), "pub trait ChargeLedger:", ""),
    (include_str!("../../../src/ledger/mpp/delegations.rs"), "pub trait DelegationLedger:", ""),
    (include_str!("../../../src/ledger/mpp/channels.rs"), "pub trait ChannelLedger:", ""),
    (include_str!("../../../src/ledger/operator.rs"), "pub trait OperatorLedger:", ""),
    (include_str!("../../../src/chain/mod.rs"), "pub trait Chain:", "chain "),
];

/// The events that a verb of their own does not write.
const EVENTS: [&str; 7] = ["landed", "finalised", "taken_back", "refused", "failed", "absent", "abandoned"];

/// What no process of the scenarios asks, and why that is enough.
const LEFT_OUT: [(&str, &str); 61] = [
    ("find_payment", "read for who verifies, asks, or meets a budget that rests; nothing follows from it"),
    ("sessions_of", "read for a wallet that lists its sessions; nothing follows from it"),
    ("was_settled_from", "read for an opening that repeats a bare session; nothing follows from it"),
    (
        "taken_beside",
        "read for a session of the deployed service; nothing follows from it but that its cap is verified",
    ),
    ("verify_cap", "written for a session of the deployed service; a life later it is asked about again"),
    ("standing_approvals", "read for a wallet that lists its sessions; nothing follows from it"),
    ("note_delegation", "tells only where the next look may stop; without it the history is read again"),
    (
        "wake_promises",
        "only where transfers lower what is delegated; it tells when promises may be tried, which a round does too",
    ),
    (
        "may_have_moved_since",
        "read by the monitor of an account that shows another amount; nothing is written by what it tells",
    ),
    ("tried_since", "read by an opening that waits for what is on its way; nothing is written by what it tells"),
    ("approvals_of", "read for a wallet, and before `learn_approved`"),
    ("unverified_beside", "read to tell what is left of a session; the hold itself decides"),
    ("learn_approved", "written when an amount is told late; a life that died before asks for it again"),
    ("newest_landings", "read by the start of a sandbox, never by a service"),
    ("shorten_log", "writes back what is committed already, as the database does by itself at any moment"),
    ("was_taken_over", "read by a start, for the status of refusals; nothing follows from it"),
    ("archive_one", "moves what ended long ago; `ledger::sqlite::archive` interrupts it"),
    ("audit", "read by commands and by tests, never by a service"),
    ("totals", "read by commands and by tests, never by a service"),
    ("spending", "read by commands, never by a service"),
    ("ping", "asked by `GET /ready`; nothing follows from it"),
    ("chain genesis_hash", "asked at the start and by `GET /ready`; nothing follows from it"),
    ("chain is_seen_by_another", "asked where two providers are configured; nothing follows from it but an answer"),
    ("chain accounts_everywhere", "asked before a channel's loss is written off; the next round asks again"),
    ("note_held", "a row beside an event; a look that finds it held again writes it again"),
    ("recorded_answer", "read to tell a success once more; nothing follows from it"),
    ("held_settlements", "read by `GET /ready` and by commands; nothing follows from it"),
    ("settlement_record", "read by commands, and where a look only tells an operator what it finds"),
    ("resolve", "an operator's word, written by a command that ends"),
    ("note_seen", "rows of what is asked about again; the next look writes them"),
    ("note_past", "a row that spares reading; the next look writes it"),
    (
        "agree_on_voices",
        "asked by the command that starts a service, before it does anything; the next start asks again",
    ),
    (
        "give_up",
        "asked after the rest of a promise that came back, which a life may not last to see; the next one asks again",
    ),
    ("agreed_voices", "read by commands, never by a service"),
    ("change_voices", "an operator's word, written by a command that ends"),
    (
        "chain final_accounts",
        "read where handles may not be derived; it tells only which handle is noted with an attempt",
    ),
    ("history", "read for who listens to a session; nothing follows from it"),
    ("newest_position", "read for who listens to a session; nothing follows from it"),
    ("payment_times", "read for who asks what became of a payment; nothing follows from it"),
    ("has_credit", "read where places are scarce and by who listens; nothing follows from it but who is served first"),
    ("claim_issuer", "written by a start before anything else; a start that died before writes it again"),
    ("count_prepared", "a count that a crash may lose"),
    ("find_expired_charge", "written where absence was proved wrongly; a look that finds it again writes it again"),
    ("unverified_charges", "read by a round that reads landed charges again; the next round reads it again"),
    ("delegations_in_use", "read by the watch over channels; nothing follows from it but when accounts are read"),
    ("is_leaving", "read before a channel opens; the verb that opens it looks again"),
    ("take_window", "the verb that opens a channel does it with the channel"),
    ("fail_channel", "written where an anchor does not land in time; a start writes it of every opening"),
    ("fail_openings", "written by a start before it resumes anything; a start that died before writes it again"),
    ("due_channels", "read by the monitor; the next round reads it again"),
    ("channels_of", "read by the monitor; the next round reads it again"),
    ("account_standing", "read by the monitor; the next round reads it again"),
    ("end_channels_of", "written by the monitor with nothing before it; the next round judges the account again"),
    (
        "plan_shares",
        "plans by the monitor, which the driver resumes like any other; the next round plans what is missing",
    ),
    ("settle_channel", "a plan by the monitor, which the driver resumes like any other; the next round plans it anew"),
    ("write_off_account", "written by the monitor with nothing before it; the next round judges the account again"),
    ("write_off_channel", "written by the monitor with nothing before it; the next round judges the channel again"),
    ("prune_vouchers", "forgets what was closed long ago, one by one; the next round goes on"),
    ("channel_counts", "read by `GET /mpp/stats`; nothing follows from it"),
    ("charge_stats", "read by `GET /mpp/stats`; nothing follows from it"),
    ("transfers_since", "read once at the start where allowances are bought on idle; it only tells when to look"),
];

fn verbs((source, start, prefix): (&str, &str, &str)) -> Vec<String> {
    let (_, rest) = source.split_once(start).unwrap();
    let (body, _) = rest.split_once("\n}\n").unwrap();
    let names = body.lines().filter_map(|line| line.trim().strip_prefix("async fn "));
    names.map(|name| format!("{prefix}{}", name.split('(').next().unwrap())).collect()
}

async fn every_call_that_a_process_makes_is_one_at_which_it_dies(engine: Engine) {
    let alone = async |reads: bool| {
        let world = if reads { super::buying_world(engine).await } else { super::world(engine).await };
        let (fate, _) = super::undisturbed(&world, reads).await;
        world.finish().await;
        fate
    };
    let (pays, reads) = (alone(false), alone(true));
    let others = (promises::undisturbed(engine), endings::undisturbed(engine), storms::undisturbed(engine));
    let (pays, reads, promises, endings, storms) = tokio::join!(pays, reads, others.0, others.1, others.2);
    let (single, revokes) = (single_payments::undisturbed(engine).await, revocations::undisturbed(engine).await);
    let of_mpp = (charges::undisturbed(engine).await, onboardings::undisturbed(engine).await);
    let lives = [
        pays,
        reads,
        promises,
        endings,
        storms,
        single,
        revokes,
        of_mpp.0,
        of_mpp.1,
        channels::undisturbed(engine).await,
    ];
    let met: BTreeSet<String> = lives.iter().flat_map(|fate| fate.met()).map(ToOwned::to_owned).collect();
    let mut all: BTreeSet<String> = PORTS.into_iter().flat_map(verbs).collect();
    assert!(all.len() > 50, "the traits are read: {all:?}");
    all.extend(EVENTS.map(ToOwned::to_owned));
    let left_out: BTreeSet<String> = LEFT_OUT.iter().map(|(name, _)| (*name).to_owned()).collect();
    let expected: BTreeSet<String> = all.difference(&left_out).cloned().collect();
    let missing: Vec<_> = expected.difference(&met).collect();
    // What is left out may be met all the same, when the machine is slow and somebody asks again.
    assert!(missing.is_empty(), "never met: {missing:?}");
}
