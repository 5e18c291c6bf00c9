//! `quarterdeck attach`: the user's terminal becomes that of a session.
//!
//! [`attachment`] is the loop. It stands between three things that never wait
//! for each other: the [`wire`] to the server, the [`screen`] and the keys
//! ([`stdin`]). What goes to the screen passes the [`view`], which leaves out of
//! old output what must not happen again and keeps track of what has to be
//! undone at the end ([`modes`], [`tty`]).

mod attachment;
mod farewell;
mod keys;
mod modes;
mod old;
mod screen;
pub mod signals;
mod sizes;
pub mod stdin;
pub mod tty;
mod typed;
mod view;
mod vt;
mod wire;

use std::io::{self, IsTerminal};
use std::str::FromStr;

use super::api::Api;
use super::failure::Failure;
use super::output;
use super::session::Session;
use crate::cli::client::{AttachArgs, From};
use crate::cli::detach_keys::DetachKeys;
use crate::exit::Exit;
use crate::model::signal::Signal;
use attachment::{Attachment, End};
use tty::Hold;
use view::View;

/// What marks the processes of a session.
const MARK: &str = "QUARTERDECK_SESSION_ID";

/// Who attaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A person, or a program that types.
    Whole,
    /// Somebody who only looks, and may detach.
    ReadOnly,
    /// Somebody who reads the output to its end, as it is or without what must
    /// not happen again on a terminal.
    Reader {
        /// As it is.
        raw: bool,
    },
}

/// How to attach.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The keys that detach.
    pub keys: DetachKeys,
    /// What to show first.
    pub from: From,
    /// Who attaches.
    pub role: Role,
}

impl Wanted {
    /// The usual.
    #[must_use]
    pub fn whole(keys: DetachKeys) -> Self {
        Self { keys, from: From::Recent, role: Role::Whole }
    }
}

/// Attaches to a session by name or id.
pub async fn attach(api: &Api, args: &AttachArgs) -> Result<Exit, Failure> {
    let session = api.session(&args.name).await?;
    let role = if args.read_only { Role::ReadOnly } else { Role::Whole };
    to(api, session, Wanted { keys: args.terminal.detach_keys.clone(), from: args.from, role }).await
}

/// Attaches to this session, and says how that ended.
pub async fn to(api: &Api, session: Session, wanted: Wanted) -> Result<Exit, Failure> {
    let name = session.name.clone();
    if std::env::var(MARK).is_ok_and(|id| id == session.id) {
        let failure = Failure::new(format!("This terminal is that of session {name} itself"));
        return Err(failure.suggest("Attach from outside of it, or to another one."));
    }
    if session.pty_pid.is_none() && !session.has_ended() {
        let failure = Failure::new(format!("Session {name} is not running"));
        return Err(failure.suggest(format!("`quarterdeck resume --attach {name}` starts its command again.")));
    }
    let role = wanted.role;
    let mut attachment = Attachment::start(api, session, wanted).await?;
    let end = attachment.run().await;
    let at_line_start = attachment.finish(&end).await;
    drop(attachment);
    let tell = |what: &str| {
        if !matches!(role, Role::Reader { .. }) && io::stdout().is_terminal() {
            output::note(&format!("{}{what}\n", if at_line_start { "" } else { "\n" }));
        }
    };
    match end {
        End::Detached => {
            // Below the cursor may be what the program showed there.
            tell(&format!("\x1b[J[{name}: detached]"));
            Ok(Exit::Success)
        }
        End::Exited { .. } if matches!(role, Role::Reader { .. }) => Ok(Exit::Success),
        End::Exited { code, signal } => {
            match &signal {
                Some(signal) => tell(&format!("[{name}: ended by {signal}]")),
                None => tell(&format!("[{name}: ended with code {}]", code.unwrap_or(0))),
            }
            Ok(Exit::Main(exit_code(code, signal.as_deref())))
        }
        End::Destroyed => Err(Failure::new(format!("Session {name} was deleted"))),
        End::Signal(number) => Ok(Exit::Main(128 + number)),
        End::Failed(failure) => Err(failure),
    }
}

/// As a shell would say it.
fn exit_code(code: Option<u8>, signal: Option<&str>) -> u8 {
    let number = signal.and_then(|name| Signal::from_str(name).ok()).map_or(0, u8::from);
    code.unwrap_or(128 + number)
}

/// Shows output that was read already, as an attachment would.
pub fn show(offset: u64, bytes: &[u8], raw: bool) -> Result<(), Failure> {
    if raw || !io::stdout().is_terminal() {
        return output::print(bytes);
    }
    let hold = Hold::take(false).map_err(|e| Failure::new(format!("cannot use the terminal: {e}")))?;
    let mut view = View::of(offset, offset + bytes.len() as u64, false);
    let (shown, _) = view.take(offset, bytes.to_vec());
    hold.farewell(view.modes().undo().into_bytes());
    output::print(&shown)
}
