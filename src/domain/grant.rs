//! Grants: SOL that an approve gives the payer, so that they can pay the rent of its decrypt allowance.
//!
//! A grant is what the wallet lacks and never more; whatever is more would be income for whoever opens sessions. One
//! amount is taken beside it: the published client's, which is always the same (`spec/session.md` §7).

/// What the published client's approve grants, whatever the wallet has, in lamports.
pub const PUBLISHED_GRANT: u64 = 2_000_000;

/// A wallet, and what an approve takes of it; all in lamports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// What the wallet has before, without a grant.
    pub held: u64,
    /// What the approve takes of it: the rent of the decrypt allowance.
    pub spent: u64,
    /// The least that a wallet may have that is not empty.
    pub least: u64,
}

impl Need {
    /// The need of a wallet that had `held` lamports and would have `left` after an approve with this grant.
    pub const fn simulated(held: u64, grant: u64, left: u64, least: u64) -> Self {
        Self { held, spent: held.saturating_add(grant).saturating_sub(left), least }
    }

    /// What the wallet lacks, in lamports. With it the wallet ends empty, or with the least that it may have.
    pub const fn lacking(self) -> u64 {
        let Self { held, spent, least } = self;
        if held < spent {
            spent - held
        } else if held == spent {
            0
        } else {
            spent.saturating_add(least).saturating_sub(held)
        }
    }

    /// Whether a grant of so many lamports is taken.
    pub const fn allows(self, grant: u64) -> bool {
        grant <= self.lacking() || grant == PUBLISHED_GRANT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENT: u64 = 960_480;
    const LEAST: u64 = 890_880;

    fn lacking(held: u64) -> u64 {
        Need { held, spent: RENT, least: LEAST }.lacking()
    }

    #[test]
    fn a_wallet_lacks_what_it_cannot_pay_and_stay_empty_or_exempt_from_rent() {
        assert_eq!([lacking(0), lacking(1), lacking(RENT - 1), lacking(RENT)], [RENT, RENT - 1, 1, 0]);
        assert_eq!([lacking(RENT + 1), lacking(RENT + LEAST - 1)], [LEAST - 1, 1]);
        assert_eq!([lacking(RENT + LEAST), lacking(u64::MAX)], [0, 0]);
    }

    /// Whatever it has before, no grant of what is lacking leaves it more.
    #[test]
    fn a_grant_is_no_income() {
        for held in (0..3_000_000).step_by(997).chain([RENT - 1, RENT, RENT + 1, RENT + LEAST]) {
            let left = held + lacking(held) - RENT;
            assert!(left <= held && (left == 0 || left >= LEAST), "{held} becomes {left}");
        }
    }

    #[test]
    fn more_than_is_lacking_is_taken_in_the_published_amount_alone() {
        let need = |held| Need { held, spent: RENT, least: LEAST };
        assert!(need(0).allows(0) && need(0).allows(RENT) && need(0).allows(PUBLISHED_GRANT));
        assert!(!need(0).allows(RENT + 1) && !need(0).allows(PUBLISHED_GRANT - 1) && !need(0).allows(u64::MAX));
        assert!(need(RENT).allows(0) && !need(RENT).allows(1) && need(RENT).allows(PUBLISHED_GRANT));
    }

    #[test]
    fn a_simulation_with_a_grant_tells_what_an_approve_takes() {
        let need = Need::simulated(5, PUBLISHED_GRANT, 5 + PUBLISHED_GRANT - RENT, LEAST);
        assert_eq!(need, Need { held: 5, spent: RENT, least: LEAST });
        assert_eq!(Need::simulated(0, 0, 1, LEAST).spent, 0, "somebody gave it SOL meanwhile");
    }
}
