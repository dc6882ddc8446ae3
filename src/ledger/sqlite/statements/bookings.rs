//! Bookings: what every signed transaction may cost and did cost us.
//!
//! Promises: every attempt has exactly one booking, made in the transaction that records it; it counts with its full cost
//! until it is known what was spent; a transaction that lands twice (around a fork) is booked once.

use crate::ledger::sqlite::statements::{Outcome, missing, select};
use crate::{
    domain::{
        budget::{BudgetSubject, Credit, Spending},
        clock::UnixSeconds,
        session::SessionId,
        settlement::{Attempt, Cost, Purpose, Settlement, SettlementId, Subject},
    },
    ledger::{
        LedgerError, Recorded,
        rows::{column, count, key},
        rules::record::{Booking, Entry},
    },
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use solana_signature::Signature;

/// Whose budgets what serves `subject` counts against; nobody's for what serves ourselves.
pub(in crate::ledger) fn subject(conn: &Connection, subject: Subject) -> Outcome<Option<BudgetSubject>> {
    let (sql, id, session) = match subject {
        Subject::Session(id) => ("SELECT user, recipient FROM sessions WHERE id = ?1", id.to_bytes(), Some(id)),
        Subject::Single(id) => {
            ("SELECT payer, recipient FROM single_payments WHERE id = ?1", id.0.into_bytes(), None::<SessionId>)
        }
        // They pay nobody, so whoever signs them stands in both places.
        Subject::Revocation(id) => ("SELECT user, user FROM revocations WHERE id = ?1", id.0.into_bytes(), None),
        Subject::Issued(id) => (
            "SELECT d.buyer, d.buyer FROM issued_messages m JOIN delegations d ON d.seq = m.delegation WHERE m.id = ?1",
            id.0.into_bytes(),
            None,
        ),
        Subject::Charge(id) => ("SELECT payer, recipient FROM charges WHERE id = ?1", id.0.into_bytes(), None),
        // An anchor pays nobody, and what a seller may cost is no stranger's to use up.
        Subject::Channel(id) => ("SELECT buyer, buyer FROM channels WHERE id = ?1", id.0.into_bytes(), None),
        Subject::Own => return Ok(None),
    };
    let mut statement = conn.prepare_cached(sql)?;
    let keys: Option<(Vec<u8>, Vec<u8>)> =
        statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (user, recipient) = keys.ok_or_else(|| missing("subject of a settlement"))?;
    Ok(Some(BudgetSubject { session, user: key("user", &user)?, recipient: key("recipient", &recipient)? }))
}

/// Reads fee, rent and grant in lamports from three columns, the first at index `first`.
pub(super) fn cost(row: &Row<'_>, first: usize) -> Outcome<Cost> {
    Ok(Cost {
        fee: count("fee", row.get(first)?)?,
        rent: count("rent", row.get(first + 1)?)?,
        grant: count("lamports_granted", row.get(first + 2)?)?,
    })
}

/// Whether the booked rent is an upper bound until the landed transaction tells.
const fn is_upper_bound(purpose: Purpose, cost: Cost) -> bool {
    cost.rent > 0 && purpose.may_find_its_accounts()
}

/// Books a signed attempt with its full cost, and under the credit that it was judged by.
pub(in crate::ledger) fn reserve(
    conn: &Connection,
    settlement: &Settlement,
    (subject, credit): (Option<&BudgetSubject>, Credit),
    attempt: &Attempt,
    now: UnixSeconds,
) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO sponsored_lamports (signature, settlement, purpose, session, user, recipient, state, fee, rent, \
         lamports_granted, rent_known, at, credit) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'reserved', ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        attempt.signature.as_ref(),
        select::settlement_key(settlement.id),
        settlement.purpose.word(),
        subject.and_then(|subject| subject.session).map(SessionId::to_bytes),
        subject.map(|subject| subject.user.to_bytes()),
        subject.map(|subject| subject.recipient.to_bytes()),
        column("fee", attempt.cost.fee)?,
        column("rent", attempt.cost.rent)?,
        column("lamports_granted", attempt.cost.grant)?,
        !is_upper_bound(settlement.purpose, attempt.cost),
        column("at", now)?,
        credit.word(),
    ])?;
    Ok(())
}

/// What became of a booked attempt of this purpose. One that a fork takes back counts as if it had never landed.
pub(in crate::ledger) fn book(conn: &Connection, purpose: Purpose, entry: &Entry) -> Outcome<()> {
    let Entry { signature, booking, cost, .. } = entry;
    let changed = conn
        .prepare_cached(
            "UPDATE sponsored_lamports SET state = ?2, fee = ?3, rent = ?4, lamports_granted = ?5, rent_known = ?6 \
             WHERE signature = ?1",
        )?
        .execute(params![
            signature.as_ref(),
            booking.word(),
            column("fee", cost.fee)?,
            column("rent", cost.rent)?,
            column("lamports_granted", cost.grant)?,
            !is_upper_bound(purpose, *cost),
        ])?;
    if changed == 1 { Ok(()) } else { Err(missing("booking")) }
}

/// Landed attempts whose rent is an upper bound still, of settlements behind `after`.
pub(in crate::ledger) fn rents_to_check(
    conn: &Connection,
    after: Option<SettlementId>,
    most: u64,
) -> Outcome<Vec<Recorded<Attempt>>> {
    let found = select::attempts(
        conn,
        "WHERE signature IN (SELECT signature FROM sponsored_lamports WHERE rent_known = 0 AND state = 'spent' \
         AND (?1 IS NULL OR settlement > ?1) ORDER BY settlement LIMIT ?2) ORDER BY settlement",
        params![after.map(select::settlement_key), column("most", most)?],
    )?;
    Ok(found.into_iter().map(Recorded).collect())
}

/// Books the rent that was really spent.
pub(in crate::ledger) fn correct_rent(conn: &Connection, signature: &Signature, rent: u64) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE sponsored_lamports SET rent = ?2, rent_known = 1 \
         WHERE signature = ?1 AND rent_known = 0 AND state = 'spent'",
    )?
    .execute(params![signature.as_ref(), column("rent", rent)?])?;
    Ok(())
}

/// What was booked since `since`, by hour, purpose and merchant.
pub(in crate::ledger) fn spending(conn: &Connection, since: UnixSeconds) -> Outcome<Vec<Spending>> {
    let no_purpose = || LedgerError::Inconsistent("a booking's purpose has no meaning".to_owned());
    select::list(
        conn,
        "SELECT at / 3600 * 3600 AS hour, purpose, nullif(recipient, user), sum(state = 'spent'), \
         sum(iif(state = 'spent', fee, 0)), sum(iif(state = 'spent', rent, 0)), \
         sum(iif(state = 'spent', lamports_granted, 0)), sum(iif(state = 'reserved', fee, 0)), \
         sum(iif(state = 'reserved', rent, 0)), sum(iif(state = 'reserved', lamports_granted, 0)) \
         FROM sponsored_lamports WHERE at >= ?1 AND state <> 'void' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        [column("since", since)?],
        |row| {
            let word: String = row.get(1)?;
            let recipient: Option<Vec<u8>> = row.get(2)?;
            Ok(Spending {
                hour: count("at", row.get(0)?)?,
                purpose: Purpose::from_word(&word).ok_or_else(no_purpose)?,
                recipient: recipient.map(|bytes| key("recipient", &bytes)).transpose()?,
                landed: count("landed", row.get(3)?)?,
                spent: cost(row, 4)?,
                reserved: cost(row, 7)?,
            })
        },
    )
}

/// Whether an attempt is booked under its own settlement, purpose and subject, and as what its log says became of it. The rent
/// of an account that may have been there before is what the chain said, once it was asked.
pub(super) fn is_booked(
    conn: &Connection,
    settlement: &Settlement,
    signature: &Signature,
    booked: Booking,
    cost: Cost,
) -> Outcome<bool> {
    let subject = subject(conn, settlement.subject)?;
    let found: Option<i64> = select::value(
        conn,
        "SELECT 1 FROM sponsored_lamports WHERE signature = ?1 AND settlement = ?2 AND purpose = ?3 AND session IS ?4 \
         AND user IS ?5 AND recipient IS ?6 AND state = ?7 AND fee = ?8 AND lamports_granted = ?10 \
         AND (rent = ?9 OR (state = 'spent' AND rent_known = 1 AND ?11))",
        params![
            signature.as_ref(),
            select::settlement_key(settlement.id),
            settlement.purpose.word(),
            subject.and_then(|subject| subject.session).map(SessionId::to_bytes),
            subject.map(|subject| subject.user.to_bytes()),
            subject.map(|subject| subject.recipient.to_bytes()),
            booked.word(),
            column("fee", cost.fee)?,
            column("rent", cost.rent)?,
            column("lamports_granted", cost.grant)?,
            is_upper_bound(settlement.purpose, cost),
        ],
    )?;
    Ok(found.is_some())
}

/// Refuses budgets whose sums are not those of the bookings.
pub(super) fn audit(conn: &Connection) -> Outcome<()> {
    match select::value::<i64>(conn, DRIFTED, [])? {
        None => Ok(()),
        Some(_) => Err(LedgerError::Inconsistent("budget_use is not the sum of the bookings".to_owned()).into()),
    }
}

/// Answers when a sum of a budget is not what its bookings add up to.
const DRIFTED: &str = "WITH subjects AS ( \
    SELECT 'session' AS scope, session AS subject, 0 AS bucket, fee, rent, lamports_granted AS granted \
    FROM sponsored_lamports WHERE session IS NOT NULL \
    UNION ALL SELECT 'user_hour', user, at / 300 * 300, fee, rent, lamports_granted \
    FROM sponsored_lamports WHERE user IS NOT NULL \
    UNION ALL SELECT 'user_day', user, at / 3600 * 3600, fee, rent, lamports_granted \
    FROM sponsored_lamports WHERE user IS NOT NULL \
    UNION ALL SELECT 'merchant_hour', recipient, at / 300 * 300, fee, rent, lamports_granted \
    FROM sponsored_lamports WHERE recipient IS NOT NULL \
    UNION ALL SELECT 'unproven_user_hour', user, at / 300 * 300, fee, rent, lamports_granted \
    FROM sponsored_lamports WHERE credit = 'start' \
    UNION ALL SELECT 'newcomers_hour', x'', at / 300 * 300, fee, rent, lamports_granted \
    FROM sponsored_lamports WHERE credit <> 'earned' \
    UNION ALL SELECT 'newcomers_day', x'', at / 3600 * 3600, fee, rent, lamports_granted \
    FROM sponsored_lamports WHERE credit <> 'earned' \
    UNION ALL SELECT 'hour', x'', at / 300 * 300, fee, rent, lamports_granted FROM sponsored_lamports \
    UNION ALL SELECT 'day', x'', at / 3600 * 3600, fee, rent, lamports_granted FROM sponsored_lamports), \
    booked AS (SELECT scope, subject, bucket, sum(fee), sum(rent), sum(granted) FROM subjects GROUP BY 1, 2, 3), \
    used AS (SELECT scope, subject, bucket, fee, rent, lamports_granted FROM budget_use) \
    SELECT 1 FROM (SELECT * FROM (SELECT * FROM booked EXCEPT SELECT * FROM used) \
    UNION ALL SELECT * FROM (SELECT * FROM used EXCEPT SELECT * FROM booked)) LIMIT 1";
