//! What several routes answer with.

use serde::Serialize;

use crate::server::view::SessionView;

/// It is done.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Done {
    success: bool,
}

impl Done {
    /// The only one there is: what is not done is an error.
    pub const YES: Self = Self { success: true };
}

/// One session.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OneSession {
    /// As it is now.
    pub session: SessionView,
}
