//! The tower service behind a paywall of any kind: they differ in what they answer and in nothing else.

/// Writes the layer of a paywall, a clonable `$wall(Arc<$terms>)`, and the service that it makes: each request is answered by
/// `$terms::answer`, which is given the instance that was polled ready.
macro_rules! paywall_service {
    ($(#[$about:meta])* $service:ident, $wall:ident, $terms:ident) => {
        impl<S> tower::Layer<S> for $wall {
            type Service = $service<S>;

            fn layer(&self, inner: S) -> $service<S> {
                $service { inner, terms: std::sync::Arc::clone(&self.0) }
            }
        }

        $(#[$about])*
        #[derive(Clone, Debug)]
        pub struct $service<S> {
            inner: S,
            terms: std::sync::Arc<$terms>,
        }

        impl<S, B, R> tower::Service<http::Request<B>> for $service<S>
        where
            S: tower::Service<http::Request<B>, Response = http::Response<R>> + Clone + Send + 'static,
            S::Future: Send,
            S::Error: Send,
            B: Send + 'static,
            R: From<String> + Send + 'static,
        {
            type Response = http::Response<R>;
            type Error = S::Error;
            type Future = std::pin::Pin<Box<dyn Future<Output = Result<http::Response<R>, S::Error>> + Send>>;

            fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
                self.inner.poll_ready(cx)
            }

            fn call(&mut self, request: http::Request<B>) -> Self::Future {
                let inner = $crate::merchant::service::take_ready(&mut self.inner);
                let terms = std::sync::Arc::clone(&self.terms);
                Box::pin(async move { terms.answer(inner, request).await })
            }
        }
    };
}

pub(super) use paywall_service;

/// Takes the instance that was polled ready, which is the one to call; the fresh clone in its place waits for its own turn.
pub(super) fn take_ready<S: Clone>(inner: &mut S) -> S {
    let fresh = inner.clone();
    std::mem::replace(inner, fresh)
}
