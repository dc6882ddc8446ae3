//! What a paywall sells: routes, each with its own price, and what becomes of every other request. Pure but for prices that a
//! callback names.

use crate::merchant::{
    price::Offer,
    quote::Quote,
    route::{PaidRoute, RequestKind, RouteError},
    sale::{NoPrice, Order, Sale},
};
use http::{HeaderMap, Method, Uri};
use solana_pubkey::Pubkey;
use std::{future::Future, sync::Arc};

/// What is sold, and for what.
#[derive(Clone, Debug)]
pub struct Gate {
    /// All but the last one that was begun.
    earlier: Vec<Sale>,
    last: Sale,
    public_base: Option<Arc<str>>,
    others_go: Others,
}

/// Where requests go that ask for nothing that is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Others {
    /// To the application, as they came.
    OnToTheApplication,
    /// Nowhere.
    Refused,
}

/// Why nothing is sold like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The route.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The offer's recipient.
    #[error(
        "{0} is no wallet: no key signs for a derived address, and what is paid to it is lost. Name the wallet, or say \
         `paying_a_derived_address` where a program pays out of it"
    )]
    NotAWallet(Pubkey),
    /// Two prices for one request: which of them counted would depend on their order.
    #[error("{0} is sold twice; name all offers for a route in one place")]
    SoldTwice(PaidRoute),
    /// An offer beside those of a callback, which names them all.
    #[error("the callback names all offers for its routes")]
    PricedByCallback,
}

impl Gate {
    /// Sells what `route` says, as in `GET /weather/{city}` or `GET|POST /report`: the path as the layer meets it (a nested
    /// router has cut off its prefix). What is not sold is nobody's to pay.
    pub fn new(route: &str, offer: Offer) -> Result<Self, GateError> {
        check_recipient(&offer)?;
        Ok(Self::of(Sale::fixed(route.parse()?, offer)))
    }

    /// Sells what `route` says for the offers that `price` names for each request, best first; none means that there is no such
    /// thing. It is asked twice for what is paid: for the 402, and again with the payment, which has to take what is offered then.
    pub fn priced<F, P>(route: &str, price: F) -> Result<Self, GateError>
    where
        F: Fn(Order) -> P + Send + Sync + 'static,
        P: Future<Output = Result<Vec<Offer>, NoPrice>> + Send + 'static,
    {
        Ok(Self::of(Sale::called(route.parse()?, price)))
    }

    fn of(last: Sale) -> Self {
        Self { earlier: Vec::new(), last, public_base: None, others_go: Others::OnToTheApplication }
    }

    /// Sells another route on the terms of the last one.
    pub fn also_sells(mut self, route: &str) -> Result<Self, GateError> {
        let route: PaidRoute = route.parse()?;
        self.check_unsold(&route)?;
        self.last.add_route(route);
        Ok(self)
    }

    /// Sells beside it what another gate sells, each at its own price. What this gate says of its public URL and of other requests
    /// stands.
    pub fn and(mut self, other: Self) -> Result<Self, GateError> {
        for sale in other.sales() {
            sale.routes().iter().try_for_each(|route| self.check_unsold(route))?;
        }
        self.earlier.push(self.last);
        self.earlier.extend(other.earlier);
        Ok(Self { last: other.last, ..self })
    }

    /// Adds another way to pay for the last route, less preferred than those before.
    pub fn or(mut self, offer: Offer) -> Result<Self, GateError> {
        check_recipient(&offer)?;
        if self.last.add_offer(offer) { Ok(self) } else { Err(GateError::PricedByCallback) }
    }

    /// Leaves the receipt for the last route as [`super::Bought`] of `T`, too. A handler that takes that cannot run for the price of
    /// another route, however routers and paywalls are put together; in [`super::Flow::Authorization`] nothing is bought before it
    /// runs, so there it cannot run at all.
    #[must_use]
    pub fn sold_as<T: 'static>(mut self) -> Self {
        self.last.sold_as::<T>();
        self
    }

    /// Sells nothing beside: the layer answers every other request 404, and none reaches a handler. For a paywall around paid routes
    /// alone, where a path that the router serves and this gate forgot would be served for nothing.
    #[must_use]
    pub fn closed(mut self) -> Self {
        self.others_go = Others::Refused;
        self
    }

    /// Where requests go that ask for nothing that is sold.
    pub(super) const fn others_go(&self) -> Others {
        self.others_go
    }

    /// What a request with this method and path is to what is sold.
    pub fn kind(&self, method: &Method, path: &str) -> RequestKind {
        self.routes().map(|route| route.kind(method, path)).min().unwrap_or(RequestKind::Elsewhere)
    }

    /// The methods with which a path is sold, as in an `Allow` header.
    pub fn methods(&self, path: &str) -> String {
        self.routes().filter(|route| route.is_path(path)).map(PaidRoute::methods).collect::<Vec<_>>().join(", ")
    }

    /// Says under which URL payers reach this server, as in `https://api.example.com`: then a payment that names
    /// another resource is refused, so that one for a sister route cannot be spent here.
    #[must_use]
    pub fn public_base(mut self, base: impl AsRef<str>) -> Self {
        self.public_base = Some(base.as_ref().trim_end_matches('/').into());
        self
    }

    /// The resource's URL, from the request's path (with its query) and `Host`, unless the public base is known.
    pub fn resource_url(&self, host: Option<&str>, path: &str) -> String {
        match (&self.public_base, host) {
            (Some(base), _) => format!("{base}{path}"),
            (None, Some(host)) => format!("http://{host}{path}"),
            (None, None) => path.to_owned(),
        }
    }

    /// What a request is sold for.
    pub async fn quote(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Quote, NoPrice> {
        let sale = self.sale(method, uri.path()).ok_or(NoPrice::NotSold)?;
        Ok(sale.quote(method, uri, headers).await?.at(self.public_base.as_ref()))
    }

    /// Every offer that stands, whatever is asked for.
    pub fn standing_offers(&self) -> impl Iterator<Item = &Offer> {
        self.sales().flat_map(Sale::standing_offers)
    }

    /// The sale that a request is for.
    fn sale(&self, method: &Method, path: &str) -> Option<&Sale> {
        let is_for = |sale: &&Sale| {
            let kinds = sale.routes().iter().map(|route| route.kind(method, path));
            kinds.min().is_some_and(|kind| matches!(kind, RequestKind::Sold | RequestKind::Head))
        };
        self.sales().find(is_for)
    }

    fn sales(&self) -> impl Iterator<Item = &Sale> {
        self.earlier.iter().chain([&self.last])
    }

    fn routes(&self) -> impl Iterator<Item = &PaidRoute> {
        self.sales().flat_map(Sale::routes)
    }

    fn check_unsold(&self, route: &PaidRoute) -> Result<(), GateError> {
        if self.routes().any(|sold| sold.overlaps(route)) { Err(GateError::SoldTwice(route.clone())) } else { Ok(()) }
    }
}

fn check_recipient(offer: &Offer) -> Result<(), GateError> {
    offer.not_a_wallet().map_or(Ok(()), |address| Err(GateError::NotAWallet(address)))
}

#[cfg(test)]
mod tests;
