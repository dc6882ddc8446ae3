//! `SIGN-IN-WITH-X`: a wallet's signature over the text of CAIP-122, by which it proves to a host that it is there
//! (`spec/mpp.md` §4).
//!
//! Whatever passes here is signed by the wallet over a text that no other members have. How often a nonce was used, and
//! whether a proof was used before, is the caller's to count.

mod proof;

pub use proof::Proof;

use crate::domain::{
    clock::UnixMillis,
    mpp::{reason::SiwxReason, spellings::Spellings, timestamp},
    signed,
};
use solana_pubkey::Pubkey;

/// How old a sign-in may be, in milliseconds.
const MOST_AGE: u64 = 5 * 60 * 1_000;
/// How far ahead of our clock it may be issued, in milliseconds.
const MOST_AHEAD: u64 = 30 * 1_000;
/// How long it may be good for, in milliseconds.
const MOST_LIFE: u64 = 10 * 60 * 1_000;
/// How many characters a nonce has.
const NONCE_LENGTH: std::ops::RangeInclusive<usize> = 8..=128;
/// What a resource of a proof begins with.
const PROOF: &str = "mpp:";

/// The members of a sign-in that its text has, as they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignIn {
    /// The host that it is for, without a port.
    pub domain: String,
    /// The wallet, base58.
    pub address: String,
    /// What is signed, for people.
    pub statement: Option<String>,
    /// A URL of that host.
    pub uri: String,
    /// `1`.
    pub version: String,
    /// The network, CAIP-2.
    pub chain_id: String,
    /// Of the signer's choice.
    pub nonce: String,
    /// RFC 3339.
    pub issued_at: String,
    /// RFC 3339.
    pub expiration_time: Option<String>,
    /// RFC 3339.
    pub not_before: Option<String>,
    /// Of the signer's choice.
    pub request_id: Option<String>,
    /// What it is good for; those that begin with `mpp:` make it a proof.
    pub resources: Vec<String>,
}

/// What a sign-in is held against.
#[derive(Clone, Copy, Debug)]
pub struct SiwxTerms<'a> {
    /// The hosts that are ours, in lower case.
    pub hosts: &'a [String],
    /// The network that is served.
    pub network: &'a Spellings,
    /// The time.
    pub now: UnixMillis,
    /// The wallet that the request names.
    pub wallet: Pubkey,
}

impl SignIn {
    /// The text that the wallet signs: lines joined by line feeds, none at the end.
    pub fn text(&self) -> String {
        let chain = self.chain_id.strip_prefix("solana:").unwrap_or(&self.chain_id);
        let mut lines = vec![
            format!("{} wants you to sign in with your Solana account:", self.domain),
            self.address.clone(),
            String::new(),
        ];
        if let Some(statement) = &self.statement {
            lines.extend([statement.clone(), String::new()]);
        }
        lines.extend([
            format!("URI: {}", self.uri),
            format!("Version: {}", self.version),
            format!("Chain ID: {chain}"),
            format!("Nonce: {}", self.nonce),
            format!("Issued At: {}", self.issued_at),
        ]);
        let optional = [
            ("Expiration Time", &self.expiration_time),
            ("Not Before", &self.not_before),
            ("Request ID", &self.request_id),
        ];
        lines.extend(optional.iter().filter_map(|(name, value)| Some(format!("{name}: {}", value.as_deref()?))));
        if !self.resources.is_empty() {
            lines.push("Resources:".to_owned());
            lines.extend(self.resources.iter().map(|resource| format!("- {resource}")));
        }
        lines.join("\n")
    }

    /// Checks a sign-in for a route that asks for no act in particular; refuses a proof of one.
    pub fn verify(&self, terms: &SiwxTerms<'_>, signature: &[u8; 64]) -> Result<(), SiwxReason> {
        self.check(terms, signature, |resources| !resources.iter().any(|resource| resource.starts_with(PROOF)))
    }

    /// Checks a sign-in that has to be a proof of exactly this act.
    pub fn verify_proof(&self, act: &Proof, terms: &SiwxTerms<'_>, signature: &[u8; 64]) -> Result<(), SiwxReason> {
        self.check(terms, signature, |resources| Proof::read(resources).as_ref() == Some(act))
    }

    /// Every check in the protocol's order; the first that fails is told.
    fn check(
        &self,
        terms: &SiwxTerms<'_>,
        signature: &[u8; 64],
        is_for_this: impl FnOnce(&[String]) -> bool,
    ) -> Result<(), SiwxReason> {
        let address = signed::parse_key(&self.address).ok_or(SiwxReason::Malformed)?;
        let times = self.times().filter(|_| self.version == "1").ok_or(SiwxReason::Malformed)?;
        let is_ours = terms.hosts.contains(&self.domain.to_ascii_lowercase());
        if !is_ours || host(&self.uri).is_none_or(|host| !host.eq_ignore_ascii_case(&self.domain)) {
            return Err(SiwxReason::DomainMismatch);
        }
        if !terms.network.takes_chain(&self.chain_id) {
            return Err(SiwxReason::ChainMismatch);
        }
        if !times.hold(terms.now) {
            return Err(SiwxReason::Expired);
        }
        let is_one_text = NONCE_LENGTH.contains(&self.nonce.len()) && self.members().all(|text| is_one_line(text));
        if !is_one_text || !is_for_this(&self.resources) {
            return Err(SiwxReason::Malformed);
        }
        if !signed::verify(&address, self.text().as_bytes(), signature) {
            return Err(SiwxReason::InvalidSignature);
        }
        if address == terms.wallet { Ok(()) } else { Err(SiwxReason::WalletMismatch) }
    }

    /// Its times; `None` where one is no time.
    fn times(&self) -> Option<Times> {
        let read = |text: &Option<String>| match text {
            Some(text) => timestamp::read(text).map(Some),
            None => Some(None),
        };
        let issued = timestamp::read(&self.issued_at)?;
        Some(Times { issued, expires: read(&self.expiration_time)?, not_before: read(&self.not_before)? })
    }

    /// Everything that stands in the text.
    fn members(&self) -> impl Iterator<Item = &String> {
        let required =
            [&self.domain, &self.address, &self.uri, &self.version, &self.chain_id, &self.nonce, &self.issued_at];
        let optional = [&self.statement, &self.expiration_time, &self.not_before, &self.request_id];
        required.into_iter().chain(optional.into_iter().flatten()).chain(&self.resources)
    }
}

/// When a sign-in was made and how long it is good for.
struct Times {
    issued: UnixMillis,
    expires: Option<UnixMillis>,
    not_before: Option<UnixMillis>,
}

impl Times {
    /// Whether it is good now.
    fn hold(&self, now: UnixMillis) -> bool {
        let is_recent = (now.saturating_sub(MOST_AGE)..=now.saturating_add(MOST_AHEAD)).contains(&self.issued);
        let lives = self.expires.is_none_or(|at| at > now && at <= self.issued.saturating_add(MOST_LIFE));
        let has_begun = self.not_before.is_none_or(|at| at <= now.saturating_add(MOST_AHEAD));
        is_recent && lives && has_begun
    }
}

/// Whether a text is one line of printable ASCII: with any other character two objects could share one text.
fn is_one_line(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// The host of a URL, as it is spelled; scheme, port and path mean nothing. `None` where it has none.
fn host(uri: &str) -> Option<&str> {
    let rest = uri.split_once("://")?.1;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    // What stands before an @ is a user's name, which could pass for the host.
    if authority.contains('@') {
        return None;
    }
    let host = match authority.find(']') {
        Some(end) => authority.get(..=end)?,
        None => authority.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_told_without_scheme_port_and_path() {
        for (uri, expected) in [
            ("https://localhost/api/sessions/onboard", Some("localhost")),
            ("http://localhost:4072", Some("localhost")),
            ("x://Example.com?a#b", Some("Example.com")),
            ("https://[::1]:8402/a", Some("[::1]")),
            ("https://localhost@evil.test/", None),
            ("https://evil.test\\@localhost/", Some("evil.test")),
            ("localhost/a", None),
            ("https://", None),
            ("https://:80/", None),
        ] {
            assert_eq!(host(uri), expected, "{uri}");
        }
    }

    #[test]
    fn an_act_leads_back_to_itself_and_nothing_else_is_one() {
        let acts = [
            Proof::Open { seller: Pubkey::new_from_array([7; 32]), deposit: crate::domain::samples::amount(5) },
            Proof::Close(crate::domain::mpp::channel_id::PublicId::from_bytes([9; 16])),
            Proof::Leave,
        ];
        for act in acts {
            let mut resources = act.resources();
            assert_eq!(Proof::read(&resources), Some(act));
            resources.push("mpp:leave".to_owned());
            assert_eq!(Proof::read(&resources), None);
        }
        for text in ["", "mpp:", "mpp:leave:", "mpp:close:", "https://example.com"] {
            assert_eq!(Proof::read(&[text.to_owned()]), None, "{text}");
        }
        assert_eq!(Proof::read(&["mpp:deposit:5".to_owned(), "mpp:seller:x".to_owned()]), None);
    }
}
