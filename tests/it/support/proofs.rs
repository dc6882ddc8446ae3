//! Proofs of balances: what a payer has the Covalidator attest, and the body that carries it.

use super::{PATIENCE, Wallet, World};
use serde_json::{Value, json};
use sotto::covalidator::{AttestedValue, Covalidator as _, HttpCovalidator, WalletSigner};

impl World {
    /// What a wallet's balance decrypts to, with the Covalidator's word for it. Its owner must be allowed to read it.
    pub async fn attested(&self, wallet: &Wallet) -> AttestedValue {
        let key = self.net.network().stand_ins().attestation_key();
        let client = HttpCovalidator::new(&self.covalidator.url(), key, PATIENCE).unwrap();
        let handle = self.token_account(&wallet.key()).unwrap().amount;
        let signer = WalletSigner::from_secret(&wallet.seed());
        client.decrypt(handle, &signer, PATIENCE).await.unwrap()
    }

    /// The body of `POST /sessions/{id}/funding` for what the wallet has now.
    pub async fn funding_proof(&self, wallet: &Wallet) -> Value {
        proof_body(&self.attested(wallet).await)
    }
}

/// A proof as it is sent.
pub fn proof_body(value: &AttestedValue) -> Value {
    json!({ "fundingProof": {
        "handle": value.handle.to_string(),
        "plaintext": value.plaintext.to_string(),
        "signature": bs58::encode(value.signature).into_string(),
    } })
}
