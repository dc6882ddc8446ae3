//! Delegations over HTTP on a real chain: onboarding, renewing and leaving, by either program (`spec/mpp.md` §4-§6, §10).

mod charges;
mod eligibility;
mod leaving;
mod lost_answers;
mod onboarding;
mod sign_ins;
mod swig_rounds;
