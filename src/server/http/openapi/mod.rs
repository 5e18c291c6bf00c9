//! `GET /api/openapi.json`: what the API takes and answers, for programs.
//!
//! The document is made from the code, by a test that also fails when it is out
//! of date; so what makes it is no part of the program.

#[cfg(test)]
mod build;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod tests;

use axum::http::{HeaderName, header};

/// OpenAPI 3.1.
const DOCUMENT: &str = include_str!("../openapi.json");

/// `GET /api/openapi.json`
pub async fn document() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}
