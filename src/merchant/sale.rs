//! What routes are sold for: offers that stand, or those that a callback names for each request.

use crate::merchant::{
    bought::{Bought, Receipt},
    price::Offer,
    quote::Quote,
    route::PaidRoute,
};
use http::{Extensions, HeaderMap, Method, Uri};
use std::{fmt, future::Future, pin::Pin, sync::Arc};

/// A request whose price is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its method; `HEAD` asks for the price of a `GET`.
    pub method: Method,
    /// Its path and query, as the layer meets them.
    pub uri: Uri,
    /// Its headers, without a payment.
    pub headers: HeaderMap,
}

/// Why a request has no price. Nothing is charged then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPrice {
    /// There is no such thing: it is answered 404.
    #[error("nothing is sold here; nothing was charged")]
    NotSold,
    /// The price is not known now: it is answered 503, and the payer comes back.
    #[error("the price is not known now; nothing was charged")]
    Unknown,
}

type Named = Pin<Box<dyn Future<Output = Result<Vec<Offer>, NoPrice>> + Send>>;

/// Names the offers for a request.
#[derive(Clone)]
struct Callback(Arc<dyn Fn(Order) -> Named + Send + Sync>);

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
enum Pricing {
    Fixed(Arc<[Offer]>),
    Called(Callback),
}

/// Leaves a receipt for the handler under the type of what was bought.
pub(super) type Mark = fn(&mut Extensions, &Receipt);

/// Routes that are sold on the same terms.
#[derive(Clone, Debug)]
pub(super) struct Sale {
    routes: Vec<PaidRoute>,
    pricing: Pricing,
    mark: Option<Mark>,
}

impl Sale {
    /// Sells `route` for `offer`.
    pub(super) fn fixed(route: PaidRoute, offer: Offer) -> Self {
        Self { routes: vec![route], pricing: Pricing::Fixed(Arc::from([offer])), mark: None }
    }

    /// Sells `route` for what `callback` names.
    pub(super) fn called<F, P>(route: PaidRoute, callback: F) -> Self
    where
        F: Fn(Order) -> P + Send + Sync + 'static,
        P: Future<Output = Result<Vec<Offer>, NoPrice>> + Send + 'static,
    {
        let boxed = move |order| Box::pin(callback(order)) as Named;
        Self { routes: vec![route], pricing: Pricing::Called(Callback(Arc::new(boxed))), mark: None }
    }

    /// Sells another route, too.
    pub(super) fn add_route(&mut self, route: PaidRoute) {
        self.routes.push(route);
    }

    /// Adds a less preferred offer; false where a callback names them all.
    pub(super) fn add_offer(&mut self, offer: Offer) -> bool {
        match &self.pricing {
            Pricing::Fixed(offers) => {
                self.pricing = Pricing::Fixed(offers.iter().cloned().chain([offer]).collect());
                true
            }
            Pricing::Called(_) => false,
        }
    }

    /// Leaves receipts for the handler under the type `T`.
    pub(super) fn sold_as<T: 'static>(&mut self) {
        self.mark = Some(|extensions, receipt| drop(extensions.insert(Bought::<T>::by(receipt))));
    }

    /// What it sells.
    pub(super) fn routes(&self) -> &[PaidRoute] {
        &self.routes
    }

    /// The offers that stand, whatever is asked for; none of a callback's.
    pub(super) fn standing_offers(&self) -> &[Offer] {
        match &self.pricing {
            Pricing::Fixed(offers) => offers,
            Pricing::Called(_) => &[],
        }
    }

    /// What a request is sold for.
    pub(super) async fn quote(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Quote, NoPrice> {
        let offers = match &self.pricing {
            Pricing::Fixed(offers) => Arc::clone(offers),
            Pricing::Called(callback) => {
                let order = Order { method: method.clone(), uri: uri.clone(), headers: headers.clone() };
                let offers = (callback.0)(order).await?;
                if let Some(lost) = offers.iter().find_map(Offer::not_a_wallet) {
                    tracing::error!(
                        detail = %lost,
                        "a price names a recipient that is no wallet: what is paid to it is lost, so nothing is sold"
                    );
                    return Err(NoPrice::Unknown);
                }
                offers.into()
            }
        };
        if offers.is_empty() { Err(NoPrice::NotSold) } else { Ok(Quote::new(offers, self.mark)) }
    }
}
