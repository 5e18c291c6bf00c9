//! What each request passes before the routes: the client's allowance and the
//! size of the head.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use hyper::body::{Body as _, Incoming};
use tower_service::Service;

use super::Caller;
use super::allowance::Allowance;
use super::bodies::{Arriving, Leaving};
use super::seats::Conduct;
use crate::server::http::error::ApiError;
use crate::server::metrics::Metrics;

/// Most header fields of a request.
const FIELDS_MAX: usize = 100;

/// Largest head in bytes: names and values of all fields.
const HEAD_MAX: usize = 16 * 1024;

/// Largest path and query in bytes.
const TARGET_MAX: usize = 8 * 1024;

/// Serves the requests of one connection.
#[derive(Debug)]
pub struct Door {
    /// What is behind it.
    pub router: Router,
    /// How the connection does.
    pub conduct: Arc<Conduct>,
    /// Who is at the other end.
    pub caller: Caller,
    /// What they may still do; none for those that nothing is counted of.
    pub allowance: Option<Arc<Allowance>>,
    /// Counts what is refused.
    pub metrics: Arc<Metrics>,
}

impl Door {
    fn check(&self, request: &Request<Incoming>) -> Result<(), Refusal> {
        if let Some(Err(wait)) = self.allowance.as_ref().map(|allowance| allowance.request()) {
            return Err(Refusal { error: ApiError::rate_limited(wait), ends: true });
        }
        let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
        if target > TARGET_MAX {
            return Err(Refusal { error: ApiError::target_too_long(TARGET_MAX), ends: false });
        }
        let fields = request.headers();
        let bytes: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if fields.len() > FIELDS_MAX || bytes > HEAD_MAX {
            return Err(Refusal { error: ApiError::head_too_large(FIELDS_MAX, HEAD_MAX), ends: false });
        }
        Ok(())
    }

    fn refuse(&self, Refusal { error, ends }: Refusal) -> Response<Body> {
        self.metrics.refused(error.code());
        let mut response = error.into_response();
        if ends {
            // Whatever else is in the pipe need not be answered one by one.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// A request that goes no further.
struct Refusal {
    error: ApiError,
    /// Whether the connection ends with it.
    ends: bool,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Leaving>, Infallible>> + Send>>;

impl hyper::service::Service<Request<Incoming>> for Door {
    type Response = Response<Leaving>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        let conduct = Arc::clone(&self.conduct);
        conduct.asked(request.body().is_end_stream());
        if let Err(refusal) = self.check(&request) {
            let response = self.refuse(refusal).map(|body| Leaving::new(body, conduct));
            return Box::pin(std::future::ready(Ok(response)));
        }
        let (watched, metrics) = (Arc::clone(&conduct), Arc::clone(&self.metrics));
        let mut request = request.map(|body| {
            if body.is_end_stream() { Body::empty() } else { Body::new(Arriving::new(body, watched, metrics)) }
        });
        let extensions = request.extensions_mut();
        match self.caller {
            Caller::Tcp(address) => extensions.insert(ConnectInfo(address)).map(drop),
            Caller::Unix(peer) => extensions.insert(ConnectInfo(peer)).map(drop),
        };
        if let Some(allowance) = &self.allowance {
            extensions.insert(Arc::clone(allowance));
        }
        let answer = self.router.clone().call(request);
        Box::pin(async move {
            let Ok(response) = answer.await;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                conduct.upgraded();
            }
            Ok(response.map(|body| Leaving::new(body, conduct)))
        })
    }
}

/// Whole seconds to wait, at least one.
pub fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)
}
