//! Charges as a tower layer: `.layer(MppWall::new(seller, Gate::new("GET /weather", offer)?))`.
//!
//! Like [`Paywall`] it may stand around a route, a router or an application; only what its gate sells is asked for, and it is
//! settled before the handler runs. No handler of what is sold sees the credential. The offers of its gate are paid in a plain
//! token: the mint, network and recipient of a facilitator that serves the Machine Payments Protocol.

use crate::{
    merchant::{
        answers::{keep_private, not_sold, paywalls_differ, unavailable, unpriced},
        bought::Receipt,
        cors::Cors,
        gate::{Gate, Others},
        layer::Paywall,
        mpp::{
            answers::{attach, challenged, pending, problem, undecided},
            charge::{ChargeSeller, Charged, Unpaid},
            client::ChargeFault,
            nested::Taken,
        },
        price::Offer,
        route::RequestKind,
        service::paywall_service,
    },
    wire::mpp::{
        SCHEME,
        challenge::Challenge,
        credential::{Credential, CredentialFault},
        problem::Problem,
    },
};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{AUTHORIZATION, ORIGIN},
};
use std::sync::Arc;
use tower::{Layer as _, Service};

/// The header that pays here, of which an answer depends.
const PAID_BY: &str = "authorization";

/// What stands before routes that are sold for charges.
#[derive(Clone, Debug)]
pub struct MppWall(Arc<Terms>);

#[derive(Clone, Debug)]
struct Terms {
    seller: ChargeSeller,
    gate: Gate,
    cors: Cors,
    x402: Option<Paywall>,
}

impl MppWall {
    /// Sells what `gate` says for charges that `seller` takes. What several offers for one route ask for is asked for in as many
    /// challenges.
    pub fn new(seller: ChargeSeller, gate: Gate) -> Self {
        Self(Arc::new(Terms { seller, gate, cors: Cors::default(), x402: None }))
    }

    /// Chooses whose pages may pay; without it, those of all origins.
    #[must_use]
    pub fn cors(self, cors: Cors) -> Self {
        Self(Arc::new(Terms { cors, ..Arc::unwrap_or_clone(self.0) }))
    }

    /// Takes x402 payments too, on the terms of `paywall`, which says so itself: a request without a credential goes there, and its
    /// 402 carries this layer's challenges beside the offers. Only for what both sell.
    #[must_use]
    pub fn or_pay_by(self, paywall: Paywall) -> Self {
        Self(Arc::new(Terms { x402: Some(paywall), ..Arc::unwrap_or_clone(self.0) }))
    }

    /// Asks the facilitator for a challenge for every standing offer: a start that fails is better than a shop in which nobody can
    /// pay.
    pub async fn check(&self) -> Result<(), ChargeFault> {
        for offer in self.0.gate.standing_offers() {
            self.0.seller.challenge(offer).await?;
        }
        Ok(())
    }
}

paywall_service! {
    /// A service behind a [`MppWall`].
    MppPaid, MppWall, Terms
}

impl Terms {
    /// Sends a request where it belongs: past the layer, behind it once it is paid for, or nowhere.
    async fn answer<S, B, R>(&self, mut inner: S, mut request: Request<B>) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Send,
        B: Send + 'static,
        R: From<String> + Send + 'static,
    {
        let origin = request.headers().get(ORIGIN).cloned();
        let path = request.uri().path();
        let mut response = match self.gate.kind(request.method(), path) {
            RequestKind::Elsewhere if self.gate.others_go() == Others::OnToTheApplication => {
                return inner.call(request).await;
            }
            kind @ (RequestKind::Elsewhere | RequestKind::OtherSpelling | RequestKind::OtherMethod) => {
                return Ok(not_sold(kind, &self.gate.methods(path), &self.cors, &request));
            }
            RequestKind::Head => {
                let _ = take_credential(request.headers_mut());
                self.price(request).await
            }
            RequestKind::Sold => match request.extensions().get::<Taken>().cloned() {
                Some(taken) => return self.serve_within(inner, request, &taken).await,
                None => self.serve(inner, request).await?,
            },
        };
        self.cors.mark(response.headers_mut(), origin.as_ref());
        Ok(response)
    }

    /// Serves what a layer around this one was paid for on this one's own terms, and nothing else.
    async fn serve_within<S, B, R>(
        &self,
        mut inner: S,
        request: Request<B>,
        taken: &Taken,
    ) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>>,
        R: From<String>,
    {
        let quote = match self.gate.quote(request.method(), request.uri(), request.headers()).await {
            Ok(quote) => quote,
            Err(none) => return Ok(unpriced(none)),
        };
        if taken.pays(self.seller.facilitator(), quote.offers()) {
            inner.call(request).await
        } else {
            Ok(paywalls_differ())
        }
    }

    async fn serve<S, B, R>(&self, mut inner: S, mut request: Request<B>) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Send,
        B: Send + 'static,
        R: From<String> + Send + 'static,
    {
        let credential = take_credential(request.headers_mut());
        let paywall = self.x402.as_ref().filter(|paywall| paywall.sells(&request));
        if let (Err(CredentialFault::Absent), Some(paywall)) = (&credential, paywall) {
            return self.serve_beside(paywall, inner, request).await;
        }
        let quote = match self.gate.quote(request.method(), request.uri(), request.headers()).await {
            Ok(quote) => quote,
            Err(none) => return Ok(unpriced(none)),
        };
        let charged = match self.settle(credential, quote.offers()).await {
            Ok(charged) => charged,
            Err(unpaid) => return Ok(self.refuse(unpaid, quote.offers()).await),
        };
        let receipt = receipt(&charged);
        if let Some(mark) = quote.mark() {
            mark(request.extensions_mut(), &receipt);
        }
        request.extensions_mut().insert(receipt);
        request.extensions_mut().insert(Taken::new(self.seller.facilitator(), &charged));
        let mut response = inner.call(request).await?;
        if response.status().is_server_error() {
            let status = response.status().as_u16();
            tracing::warn!(status, transaction = charged.answer.signature, "a request failed that was paid for");
        }
        attach(response.headers_mut(), &charged.receipt);
        keep_private(response.headers_mut(), PAID_BY);
        Ok(response)
    }

    /// Serves a request on the terms of the other way to pay; what asks for a payment there, asks for a charge too.
    async fn serve_beside<S, B, R>(
        &self,
        paywall: &Paywall,
        inner: S,
        request: Request<B>,
    ) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Send,
        B: Send + 'static,
        R: From<String> + Send + 'static,
    {
        // Asked for before the request is given away; a price that a callback names is asked for twice.
        let quote = self.gate.quote(request.method(), request.uri(), request.headers()).await;
        let mut response = paywall.layer(inner).call(request).await?;
        if response.status() == StatusCode::PAYMENT_REQUIRED
            && let Ok(quote) = quote
        {
            match self.challenges(quote.offers()).await {
                Ok(challenges) => challenged(response.headers_mut(), &challenges),
                // The other way to pay still stands.
                Err(fault) => tracing::warn!(error = &fault as &dyn std::error::Error, "no challenge for a charge"),
            }
        }
        Ok(response)
    }

    async fn settle(
        &self,
        credential: Result<Credential, CredentialFault>,
        offers: &[Offer],
    ) -> Result<Charged, Unpaid> {
        self.seller.verify(&credential?, offers).await
    }

    /// What a request costs that will not pay.
    async fn price<B, R: From<String>>(&self, request: Request<B>) -> Response<R> {
        match self.gate.quote(request.method(), request.uri(), request.headers()).await {
            Ok(quote) => self.refuse(Unpaid::Problem(Problem::PaymentRequired), quote.offers()).await,
            Err(none) => unpriced(none),
        }
    }

    /// Says why nothing is served, with fresh challenges where they help.
    async fn refuse<R: From<String>>(&self, unpaid: Unpaid, offers: &[Offer]) -> Response<R> {
        let told = match unpaid {
            Unpaid::Problem(told) => told,
            Unpaid::Pending(error) => return pending(&error),
            Unpaid::Facilitator(fault) => return unavailable(&fault),
        };
        if told.status() != StatusCode::PAYMENT_REQUIRED.as_u16() {
            return problem(&told, &[]);
        }
        match self.challenges(offers).await {
            Ok(challenges) => problem(&told, &challenges),
            Err(fault) => undecided(&fault),
        }
    }

    async fn challenges(&self, offers: &[Offer]) -> Result<Vec<Challenge>, ChargeFault> {
        let mut challenges = Vec::with_capacity(offers.len());
        for offer in offers {
            challenges.push(self.seller.challenge(offer).await?);
        }
        Ok(challenges)
    }
}

/// What a handler finds of a charge: what it finds of every payment.
fn receipt(charged: &Charged) -> Receipt {
    Receipt {
        payer: Some(charged.answer.payer.clone()),
        transaction: charged.answer.signature.clone(),
        amount: charged.answer.amount.clone(),
        network: charged.network.clone(),
        session: None,
    }
}

/// Takes the credential out of a request, so that no handler sees it; other schemes of the header stay.
fn take_credential(headers: &mut HeaderMap) -> Result<Credential, CredentialFault> {
    let values = headers.get_all(AUTHORIZATION).iter();
    let texts: Result<Vec<&str>, CredentialFault> =
        values.map(|value| value.to_str().map_err(|_| CredentialFault::Malformed)).collect();
    let Ok(texts) = texts else {
        headers.remove(AUTHORIZATION);
        return Err(CredentialFault::Malformed);
    };
    let text = texts.join(", ");
    let credential = Credential::read(&text);
    let (ours, others): (Vec<&str>, Vec<&str>) = text.split(',').map(str::trim).partition(|part| is_ours(part));
    if !ours.is_empty() {
        headers.remove(AUTHORIZATION);
        let others = Some(others.join(", ")).filter(|others| !others.is_empty());
        headers.extend(others.and_then(|text| HeaderValue::try_from(text).ok()).map(|value| (AUTHORIZATION, value)));
    }
    credential
}

/// Whether a part of the header is of our scheme.
fn is_ours(part: &str) -> bool {
    let scheme = part.split([' ', '\t']).next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_taken_and_other_schemes_stay() {
        for (before, after) in [
            (&["Payment e30"][..], None),
            (&["Bearer abc, Payment e30"], Some("Bearer abc")),
            (&["payment\te30, Digest a=\"b\", c=d"], Some("Digest a=\"b\", c=d")),
            (&["Bearer abc", "Payment e30"], Some("Bearer abc")),
            (&["Bearer abc"], Some("Bearer abc")),
        ] {
            let values = before.iter().map(|text| (AUTHORIZATION, HeaderValue::from_static(text)));
            let mut headers = HeaderMap::new();
            for (name, value) in values {
                headers.append(name, value);
            }
            let taken = take_credential(&mut headers);
            let expected = if before == ["Bearer abc"] { CredentialFault::Absent } else { CredentialFault::Malformed };
            assert_eq!(taken, Err(expected), "{before:?}");
            let left = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap());
            assert_eq!(left, after, "{before:?}");
        }
    }
}
