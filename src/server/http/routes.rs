//! The routes of the API, in one place: the router is made from them, and the
//! description of the API is held to them.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};

use super::{health, login, metrics, openapi, processes, root, sessions, sweep, terminal, tokens, ws};
use crate::server::App;

/// Routes under construction.
#[derive(Debug, Default)]
pub struct Routes {
    /// What answers.
    pub router: Router<App>,
    /// Method and path of each, in order.
    #[cfg(test)]
    pub list: Vec<(&'static str, &'static str)>,
}

impl Routes {
    /// All there are. What each asks for is in `rights.rs`.
    pub fn all() -> Self {
        Self::default()
            .get("/", root)
            .get("/ws", ws::upgrade)
            .get("/health", health::live)
            .get("/ready", health::ready)
            .get("/metrics", metrics::metrics)
            .get("/api/openapi.json", openapi::document)
            .get("/api/login", login::state)
            .post("/api/login", login::login)
            .post("/api/logout", login::logout)
            .get("/api/tokens", tokens::list)
            .post("/api/tokens", tokens::create)
            .delete("/api/tokens/{id}", tokens::delete)
            .get("/api/health", health::health)
            .get("/api/resources", health::resources)
            .get("/api/resources/history", health::history)
            .post("/api/sweep", sweep::sweep)
            .get("/api/sessions", sessions::list)
            .post("/api/sessions", sessions::create)
            .get("/api/sessions/{id}", sessions::get)
            .delete("/api/sessions/{id}", sessions::delete)
            .get("/api/sessions/{id}/status", sessions::get)
            .post("/api/sessions/{id}/cleanup", sessions::delete)
            .delete("/api/sessions/{id}/cleanup", sessions::delete)
            .post("/api/sessions/{id}/resume", sessions::resume)
            .post("/api/sessions/{id}/input", terminal::input)
            .post("/api/sessions/{id}/signal", terminal::signal)
            .post("/api/sessions/{id}/resize", terminal::resize)
            .get("/api/sessions/{id}/output", terminal::output)
            .get("/api/sessions/{id}/processes", processes::list)
    }

    fn get<T: 'static>(self, path: &'static str, handler: impl Handler<T, App>) -> Self {
        self.add("GET", MethodFilter::GET, path, handler)
    }

    fn post<T: 'static>(self, path: &'static str, handler: impl Handler<T, App>) -> Self {
        self.add("POST", MethodFilter::POST, path, handler)
    }

    fn delete<T: 'static>(self, path: &'static str, handler: impl Handler<T, App>) -> Self {
        self.add("DELETE", MethodFilter::DELETE, path, handler)
    }

    #[cfg_attr(not(test), allow(unused_variables, reason = "the list is for tests"))]
    fn add<T: 'static>(
        mut self,
        method: &'static str,
        filter: MethodFilter,
        path: &'static str,
        handler: impl Handler<T, App>,
    ) -> Self {
        #[cfg(test)]
        self.list.push((method, path));
        self.router = self.router.route(path, on(filter, handler));
        self
    }
}
