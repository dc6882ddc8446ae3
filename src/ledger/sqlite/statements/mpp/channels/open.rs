//! Opening a channel: its permission is used up, its limits are counted and its row is written in one transaction.

use super::{LIVE, channels, counted, find};
use crate::ledger::sqlite::statements::{
    Outcome, budgets, missing,
    mpp::{charges, issued, sign_ins, sponsoring},
    select, settlements,
};
use crate::{
    domain::{
        amount::Amount,
        budget::{BudgetSubject, Credit, OverBudget},
        clock::{DAY, UnixSeconds},
        mpp::{
            channel::plan::{ChannelPlan, NotOpened, Permission},
            channel_id::PublicId,
            delegation::{CallerOrigin, UsedProof},
            money::{Reading, may_open},
        },
        settlement::{Cost, Purpose, Subject},
    },
    ledger::{ChannelOpened, rows::column},
};
use rusqlite::{Connection, OptionalExtension as _, params};

/// Writes a channel and the plan of its anchor, where it may be.
pub(in crate::ledger) fn open(conn: &Connection, plan: &ChannelPlan, now: UnixSeconds) -> Outcome<ChannelOpened> {
    let refused = |why| Ok(ChannelOpened::Refused(why));
    if let Permission::Proof(proof) = &plan.permission {
        match used_for(conn, plan, proof)? {
            None => {}
            Some(Some(id)) => {
                let known = find(conn, id)?.ok_or_else(|| missing("channel"))?;
                return Ok(ChannelOpened::Known(Box::new(known)));
            }
            Some(None) => return refused(NotOpened::ProofUsed),
        }
    }
    let Some((delegation, reserved, granted)) = delegation(conn, plan)? else {
        return refused(NotOpened::NoDelegation);
    };
    if names_another_seller(conn, plan, delegation)? {
        return refused(NotOpened::OtherSeller);
    }
    if let Some(why) = not_allowed(conn, plan, delegation, now)? {
        return refused(why);
    }
    if let Some(bar) = sponsoring::bar(conn, &plan.sponsored, now)? {
        return refused(NotOpened::Barred(bar));
    }
    if let Some(why) = full(conn, plan, delegation, now)? {
        return refused(why);
    }
    // What charges take from the account is not there any more, whether or not the reading shows it.
    let taken = charges::taken_from(conn, &plan.terms.account, plan.read_at)?;
    let balance = plan.reading.balance.saturating_sub(taken.get());
    let left = Reading { balance, remaining: plan.reading.remaining.min(granted), ..plan.reading };
    if !may_open(&left, reserved, plan.terms.deposit) {
        return refused(NotOpened::InsufficientBalance);
    }
    if let Some(over) = over_budget(conn, plan, now)? {
        return refused(NotOpened::OverBudget(over));
    }
    use_up(conn, plan, now)?;
    write(conn, plan, delegation)?;
    sponsoring::sponsor(conn, plan.anchor, &plan.sponsored, now)?;
    let id = plan.terms.id;
    let anchor =
        settlements::insert(conn, plan.anchor, Purpose::MppOpen, Subject::Channel(id.into()), Amount::ZERO, now)?;
    let (_, channel) = super::channel(conn, id)?.ok_or_else(|| missing("channel"))?;
    Ok(ChannelOpened::New(Box::new(channel), Box::new(anchor)))
}

/// The budget that its anchor would pass: it pays nobody, and what a seller may cost is no stranger's to use up.
fn over_budget(conn: &Connection, plan: &ChannelPlan, now: UnixSeconds) -> Outcome<Option<OverBudget>> {
    let subject = BudgetSubject { session: None, user: plan.terms.buyer, recipient: plan.terms.buyer };
    let credit = sponsoring::credit(conn, &plan.sponsored, now)?;
    let cost = Cost { fee: plan.sponsored.lamports, ..Cost::default() };
    budgets::judge_settlement(conn, plan.anchor, (Some(&subject), credit), cost, now)
}

/// The delegation that the channel is of, with what is reserved on it and what of its grant has not moved.
fn delegation(conn: &Connection, plan: &ChannelPlan) -> Outcome<Option<(i64, u128, u64)>> {
    let terms = &plan.terms;
    let found: Option<(i64, i64, i64)> = conn
        .prepare_cached(
            "SELECT d.seq, u.reserved, g.spend_limit - g.moved FROM delegations d \
             JOIN delegation_use u ON u.delegation = d.seq \
             JOIN delegation_grants g ON g.delegation = d.seq AND g.generation = d.generation \
             WHERE d.account = ?1 AND d.buyer = ?2 AND d.mint = ?3 AND d.state = 'active' AND d.generation = ?4",
        )?
        .query_row(
            params![terms.account.to_bytes(), terms.buyer.to_bytes(), terms.mint.to_bytes(), terms.generation],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    Ok(found.map(|(delegation, reserved, granted)| {
        let reserved = u128::try_from(reserved).unwrap_or(u128::MAX / 2);
        (delegation, reserved, u64::try_from(granted).unwrap_or(0))
    }))
}

/// Whether the grant that stands pays another seller alone.
fn names_another_seller(conn: &Connection, plan: &ChannelPlan, delegation: i64) -> Outcome<bool> {
    let sql = "SELECT 1 FROM delegation_grants WHERE delegation = ?1 AND generation = ?2 AND seller IS NOT NULL AND seller <> ?3";
    let of = params![delegation, plan.terms.generation, plan.terms.seller.to_bytes()];
    Ok(select::value::<i64>(conn, sql, of)?.is_some())
}

/// What a proof has opened: none where it is new, an inner none where it was used for something else.
#[expect(clippy::option_option, reason = "not used, used for this, used for something else")]
fn used_for(conn: &Connection, plan: &ChannelPlan, proof: &UsedProof) -> Outcome<Option<Option<PublicId>>> {
    let used = sign_ins::find_proof(conn, &plan.terms.buyer, &proof.nonce)?;
    Ok(used.map(|(act, subject)| (act == proof.act).then(|| PublicId::from_bytes(subject))))
}

/// Whether the permission is good; nothing is used up.
fn not_allowed(conn: &Connection, plan: &ChannelPlan, delegation: i64, now: UnixSeconds) -> Outcome<Option<NotOpened>> {
    let leaving = "SELECT 1 FROM issued_messages m LEFT JOIN settlements s ON s.id = m.settlement WHERE m.delegation = ?1 \
        AND m.kind = 'leave' AND ((m.settlement IS NULL AND m.voided = 0 AND m.until > ?2) \
            OR s.state IN ('reserved', 'in_flight')) LIMIT 1";
    if select::value::<i64>(conn, leaving, params![delegation, column("until", now)?])?.is_some() {
        return Ok(Some(NotOpened::Leaving));
    }
    if issued::changes_grant(conn, delegation)? {
        return Ok(Some(NotOpened::Renewing));
    }
    let Permission::Window(from) = &plan.permission else { return Ok(None) };
    if !has_window(conn, plan, from, now)? {
        return Ok(Some(NotOpened::NotAuthorised));
    }
    let rest = format!("{LIVE} WHERE l.delegation = ?1 AND c.authorised = 'window'");
    let others: u128 =
        channels(conn, &rest, [delegation])?.iter().map(|other| u128::from(other.terms.deposit.get())).sum();
    let sum = others + u128::from(plan.terms.deposit.get());
    Ok((sum > u128::from(plan.limits.window_deposits.get())).then_some(NotOpened::WindowSum))
}

/// Whether a window is open from this place.
fn has_window(conn: &Connection, plan: &ChannelPlan, from: &CallerOrigin, now: UnixSeconds) -> Outcome<bool> {
    let sql = "SELECT 1 FROM onboard_windows WHERE wallet = ?1 AND caller = ?2 AND origin = ?3 AND until > ?4 \
        AND opens_left > 0 LIMIT 1";
    let found = params![plan.terms.buyer.to_bytes(), from.caller, from.origin, column("until", now)?];
    Ok(select::value::<i64>(conn, sql, found)?.is_some())
}

/// Uses the permission up.
fn use_up(conn: &Connection, plan: &ChannelPlan, now: UnixSeconds) -> Outcome<()> {
    match &plan.permission {
        Permission::Window(from) => {
            if !sign_ins::take_window(conn, &plan.terms.buyer, *from, now)? {
                return Err(missing("window"));
            }
        }
        Permission::Proof(proof) => {
            sign_ins::use_proof(conn, &plan.terms.buyer, proof, plan.terms.id.to_bytes(), now)?;
        }
        Permission::Off => {}
    }
    Ok(())
}

/// The first limit of live channels that one more would pass. Of what all share, half is for known wallets alone.
fn full(conn: &Connection, plan: &ChannelPlan, delegation: i64, now: UnixSeconds) -> Outcome<Option<NotOpened>> {
    let limits = &plan.limits;
    let passes = |limit: u64, number: u64| limit > 0 && number >= limit;
    let live = |sql: &str, of: &dyn rusqlite::ToSql| counted(conn, sql, [of]);
    let is_known = sponsoring::credit(conn, &plan.sponsored, now)? == Credit::Earned;
    let shared = |limit: u64| if is_known { limit } else { limit.div_ceil(2) };
    if passes(shared(limits.in_all), counted(conn, "SELECT live FROM channel_totals", [])?) {
        return Ok(Some(NotOpened::InAll));
    }
    let of_seller = live("SELECT count(*) FROM live_channels WHERE seller = ?1", &plan.terms.seller.to_bytes())?;
    if passes(shared(limits.of_seller), of_seller) {
        return Ok(Some(NotOpened::OfSeller));
    }
    if passes(limits.of_buyer, live("SELECT live FROM delegation_use WHERE delegation = ?1", &delegation)?) {
        return Ok(Some(NotOpened::OfBuyer));
    }
    let unsettled = counted(
        conn,
        "SELECT unsettled FROM channel_days WHERE delegation = ?1 AND day = ?2",
        params![delegation, column("day", now / DAY)?],
    )?;
    Ok(passes(limits.unsettled_per_day, unsettled).then_some(NotOpened::Unsettled))
}

fn write(conn: &Connection, plan: &ChannelPlan, delegation: i64) -> Outcome<()> {
    let terms = &plan.terms;
    conn.prepare_cached(
        "INSERT INTO channels (id, delegation, generation, buyer, mint, account, seller, signer, program, deposit, idle_timeout, \
         opened_at, expires_at, certificate, authorised, anchor) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        terms.id.to_bytes(),
        delegation,
        terms.generation,
        terms.buyer.to_bytes(),
        terms.mint.to_bytes(),
        terms.account.to_bytes(),
        terms.seller.to_bytes(),
        terms.signer.to_bytes(),
        terms.program.to_bytes(),
        i64::from(terms.deposit),
        column("idle_timeout", terms.idle_timeout)?,
        column("opened_at", terms.opened_at)?,
        column("expires_at", terms.expires_at)?,
        terms.certificate,
        plan.permission.way().word(),
        select::settlement_key(plan.anchor),
    ])?;
    conn.prepare_cached("INSERT INTO channel_sums (channel, deposit, active_at) VALUES (?1, ?2, ?3)")?
        .execute(params![conn.last_insert_rowid(), i64::from(terms.deposit), column("active_at", terms.opened_at)?])?;
    Ok(())
}
