//! What the fuzz targets in `tests/fuzz` reach of the private parts. cargo-fuzz
//! alone sets the configuration that this exists in.

pub use crate::server::http::ws::frames::{HEAD, InputFrame, parse_input};
pub use crate::server::http::ws::messages::ClientMessage;
pub use crate::server::http::ws::utf8::Utf8;
pub use crate::server::resources::sessions::command::shown;
pub use crate::server::resources::sessions::process::ProcReader;
pub use crate::server::state::content::{Content, parse, to_text};
