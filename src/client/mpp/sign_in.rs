//! `SIGN-IN-WITH-X` as the published client makes it: for the facilitator's host without its port, good for five minutes.

use crate::{
    client::signer::{PayerSigner, SigningError},
    domain::{
        clock::UnixMillis,
        mpp::{siwx::SignIn, timestamp},
    },
    wire::mpp::siwx::SignedIn,
};

/// For how long a sign-in is good, in milliseconds.
pub(super) const LIFE: u64 = 5 * 60 * 1_000;

/// What a sign-in is for.
pub(super) struct SignInFor<'a> {
    /// The facilitator's host.
    pub(super) host: &'a str,
    /// The network, CAIP-2.
    pub(super) chain_id: &'a str,
    /// The one act that it proves; none for a plain sign-in.
    pub(super) resources: Vec<String>,
    /// 16 random bytes.
    pub(super) nonce: [u8; 16],
    /// When it is made.
    pub(super) now: UnixMillis,
}

impl SignInFor<'_> {
    /// Has the wallet sign it; gives the header's value.
    pub(super) async fn signed_by(self, wallet: &dyn PayerSigner) -> Result<String, SigningError> {
        let sign_in = SignIn {
            domain: self.host.to_owned(),
            address: wallet.pubkey().to_string(),
            // The published client says so for every route, and for hosts without TLS too.
            uri: format!("https://{}/api/sessions/onboard", self.host),
            version: "1".to_owned(),
            chain_id: self.chain_id.to_owned(),
            nonce: hex::encode(self.nonce),
            issued_at: timestamp::write(self.now),
            expiration_time: Some(timestamp::write(self.now.saturating_add(LIFE))),
            resources: self.resources,
            ..SignIn::default()
        };
        let signature = wallet.sign_message(sign_in.text().as_bytes()).await?;
        Ok(SignedIn { sign_in, signature }.encode())
    }
}
