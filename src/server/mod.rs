//! The API server: HTTP and WebSocket in front of what init owns.
//!
//! It holds nothing that it can't rebuild from init's greeting, so that it may
//! be killed at any moment. One thread: the work is moving bytes, and a second
//! thread would cost memory in every container for nothing.

pub mod attention;
pub mod auth;
mod characters;
mod confine;
mod directories;
mod disk;
pub mod history;
pub mod http;
mod link;
pub mod metrics;
mod pace;
mod registry;
pub mod resource_view;
pub mod resources;
mod room;
pub mod session;
pub(crate) mod state;
mod tool;
pub mod view;
pub mod worktree;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinError;
use tracing_appender::non_blocking::WorkerGuard;

use crate::exit::Exit;
use crate::link::message::{LIFE_SIGN, ToInit, ToServer};
use crate::logging::{self, LogFiles};
use crate::model::secret::Secret;
use crate::model::settings::{LogFormat, LogLevel, LogSettings, Settings};
use auth::Auth;
use directories::Directories;
use history::keeper::Keeper as Historian;
use http::serve::{self, Serving};
use link::{Greeting, Link};
use registry::Registry;
use resources::monitor::Monitor;
use resources::sessions::{Processes, Watch, init_pid};
use room::Room;
use state::keeper::Keeper;
use state::store::Store;
use worktree::Worktrees;

/// How long clients get to take the last bytes after goodbye.
const FAREWELL: Duration = Duration::from_millis(500);

/// How long a start waits for the disk to tell what was recorded of the sessions.
/// A slow one tells it later.
const DISK_PATIENCE: Duration = Duration::from_secs(1);

/// What every handler may use.
#[derive(Clone)]
pub struct App {
    /// Wishes go to init.
    pub link: Arc<Link>,
    /// Facts, as init tells them.
    pub registry: Arc<Registry>,
    /// What the container uses.
    pub monitor: Arc<Monitor>,
    /// Who runs in a session.
    pub processes: Arc<Processes>,
    /// Sessions with a git worktree of their own.
    pub worktrees: Arc<Worktrees>,
    /// Who may do what.
    pub auth: Arc<Auth>,
    /// From init's command line.
    pub settings: Arc<Settings>,
    /// How many servers came before this one.
    pub restarts: u32,
}

/// Runs the server on the link that init left at descriptor 3.
#[must_use]
pub fn run() -> Exit {
    // The kernel named this process after the descriptor it was executed from.
    crate::sys::process::set_name(c"quarterdeck-api");
    // A file that may grow no more is an error to handle, not a reason to end.
    crate::sys::signals::set_disposition(libc::SIGXFSZ, true);
    // Sessions may be of the same user. Only a kernel that knows no such thing
    // refuses it.
    let _ = crate::sys::rights::forbid_inspection();
    let Some(link) = crate::sys::service::take_link() else {
        logging::start(LogLevel::Info, LogFormat::Text);
        tracing::error!("`quarterdeck server` is started by `quarterdeck init` and does not run by hand");
        return Exit::Usage;
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            logging::start(LogLevel::Info, LogFormat::Json);
            tracing::error!(%error, "The API server cannot start");
            return Exit::Failure;
        }
    };
    runtime.block_on(serve(link))
}

async fn serve(link: OwnedFd) -> Exit {
    match try_serve(link).await {
        Ok(()) => Exit::Success,
        Err(reason) => {
            tracing::error!(%reason, "The API server ends");
            Exit::Failure
        }
    }
}

async fn try_serve(link: OwnedFd) -> Result<(), String> {
    let (link, mut greeting) = Link::greet(link).await.inspect_err(|_| {
        // How to log is part of the greeting.
        logging::start(LogLevel::Info, LogFormat::Json);
    })?;
    let (_directories, logging) = settle(&mut greeting);
    let (files, _guard) = logging.unzip();
    let Greeting { settings, token, restarts, is_restored, had_state_trouble, nudge, alarm, tcp, unix, notify, .. } =
        greeting;
    tokio::spawn(show_life(alarm));
    let link = Arc::new(link);
    let registry = Arc::new(Registry::new(restarts, nudge, historian(&settings, restarts)));
    let app = App::new(Arc::clone(&link), Arc::clone(&registry), settings, token.as_ref(), restarts)?;

    // Everything init has to say about the sessions of today comes before the
    // first connection is accepted, and so do those of yesterday.
    while !registry.take(link.receive().await?) {}
    let mut facts = tokio::spawn(take_facts(Arc::clone(&link), Arc::clone(&registry), Arc::clone(&app.auth)));
    app.auth.load().await;
    let keeper = tokio::select! {
        keeper = restore(&app, is_restored, had_state_trouble) => keeper?,
        ended = &mut facts => return over(ended),
    };
    listen(&app, tcp, unix, notify).map_err(|e| format!("cannot serve: {e}"))?;
    link.send(&ToInit::Serving).await?;
    tracing::info!(
        pid = std::process::id(),
        restarts,
        sessionCount = app.registry.now().sessions.len(),
        "API server started"
    );
    tokio::spawn(reopen_logs(files, Arc::clone(&registry)));
    tokio::spawn(registry::keep_pace(Arc::clone(&registry)));
    let monitoring = tokio::spawn(Arc::clone(&app.monitor).watch(Arc::clone(&registry)));
    let stuck_after = app.settings.stuck_after_ms.map(Duration::from_millis);
    tokio::spawn(attention::watch(Arc::clone(&registry), Arc::clone(&link), stuck_after));
    tokio::spawn(Watch::new(Arc::clone(&registry), Arc::clone(&app.monitor), Arc::clone(&link)).run());
    let keeping = tokio::spawn(async move {
        if let Some(keeper) = keeper {
            keeper.run().await;
        }
    });
    over(facts.await)?;
    // Monitoring ends with the announcement of the shutdown, and says so. For
    // the state there is no time limit here: init has one for all of this.
    let (_, _, _, _) = tokio::join!(
        keeping,
        tokio::time::timeout(FAREWELL, registry.finish_histories()),
        tokio::time::timeout(FAREWELL, monitoring),
        tokio::time::timeout(FAREWELL, registry.all_connections_closed()),
    );
    tracing::info!("API server ends");
    Ok(())
}

impl App {
    fn new(
        link: Arc<Link>,
        registry: Arc<Registry>,
        settings: Settings,
        token: Option<&Secret>,
        restarts: u32,
    ) -> Result<Self, String> {
        let monitor = Arc::new(Monitor::new(settings.resources)?);
        if restarts == 0 {
            room::warn_of_rings(&settings, monitor.memory().limit);
        }
        Ok(Self {
            processes: Arc::new(Processes::new(Path::new("/"), init_pid())),
            worktrees: Arc::new(Worktrees::new(Arc::clone(&link), Arc::clone(&registry), &settings, restarts)),
            auth: Arc::new(Auth::new(token, settings.state_dir.clone())),
            settings: Arc::new(settings),
            link,
            registry,
            monitor,
            restarts,
        })
    }
}

/// Gives up what is not needed, and starts logging. What is returned is kept for
/// as long as the server runs.
fn settle(greeting: &mut Greeting) -> (Directories, Option<(LogFiles, WorkerGuard)>) {
    crate::sys::service::raise_descriptor_limit();
    crate::sys::sched::prefer_short_slices();
    let (state, log) = (greeting.state_dir.take(), greeting.log_dir.take());
    let directories = Directories::take(state, log, &mut greeting.settings);
    // There is no other thread yet, and nobody but init has said anything.
    let confinement = confine::confine(&directories.writable());
    let files = start_logging(&greeting.settings.log);
    confinement.tell();
    confine::rehearse(greeting.restarts);
    (directories, files)
}

/// Brings back what the container's earlier life and servers that were killed
/// have left.
async fn restore(app: &App, is_restored: bool, had_trouble: bool) -> Result<Option<Keeper>, String> {
    let mut keeper = keeper(app, is_restored, had_trouble).await?;
    if let Some(keeper) = &mut keeper {
        keeper.begin().await;
    }
    let knows_all = keeper.as_ref().is_some_and(Keeper::knows_all);
    let _ = tokio::time::timeout(DISK_PATIENCE, app.registry.open_histories(knows_all)).await;
    // Without the sessions of yesterday it could not tell what is whose. It comes
    // to its turn before the first connection does.
    if keeper.as_ref().is_none_or(Keeper::is_restored) {
        tokio::spawn(Arc::clone(&app.worktrees).recover());
    }
    Ok(keeper)
}

/// Takes over what init says until its goodbye.
async fn take_facts(link: Arc<Link>, registry: Arc<Registry>, auth: Arc<Auth>) -> Result<(), String> {
    while !registry.has_goodbye() {
        match link.receive().await? {
            (ToServer::TokenChanged(token), _) => auth.change_token(&token),
            received => drop(registry.take(received)),
        }
    }
    Ok(())
}

fn over(facts: Result<Result<(), String>, JoinError>) -> Result<(), String> {
    facts.map_err(|e| format!("the link's task ended: {e}"))?
}

/// Who keeps the output of sessions on disk, if it is to be kept.
fn historian(settings: &Settings, restarts: u32) -> Option<Arc<Historian>> {
    let dir = settings.state_dir.as_ref().filter(|_| settings.history > 0)?;
    Some(Historian::new(dir, settings.history, restarts > 0))
}

/// What keeps the sessions over a restart of the container, if there is a
/// place for that.
async fn keeper(app: &App, is_restored: bool, had_trouble: bool) -> Result<Option<Keeper>, String> {
    if let Some(dir) = &app.settings.state_dir {
        let store = Store::new(dir.clone());
        let (link, registry, worktrees) =
            (Arc::clone(&app.link), Arc::clone(&app.registry), Arc::clone(&app.worktrees));
        return Ok(Some(Keeper::new(store, link, registry, worktrees, is_restored, had_trouble)));
    }
    if !is_restored {
        tracing::warn!(
            "Sessions will be gone after a restart of the container: there is no directory for their state, because \
             neither XDG_STATE_HOME nor HOME is set; name one with --state-dir"
        );
        app.link.send(&ToInit::Restored).await?;
    }
    Ok(None)
}

/// Starts logging, to files as well if that is wanted and can be done.
fn start_logging(log: &LogSettings) -> Option<(LogFiles, WorkerGuard)> {
    let started = log.dir.as_deref().map(|dir| logging::start_with_files(log.level, log.format, dir));
    match started {
        Some(Ok(files)) => return Some(files),
        None => logging::start(log.level, log.format),
        Some(Err(reason)) => {
            logging::start(log.level, log.format);
            tracing::warn!("{reason}; logging to stderr only");
        }
    }
    None
}

/// Opens the log files again whenever that is asked for.
async fn reopen_logs(files: Option<LogFiles>, registry: Arc<Registry>) {
    loop {
        registry.logs_moved.notified().await;
        match files.as_ref().map(LogFiles::reopen) {
            None => tracing::info!("Asked to open log files again, but there are none: logging to stderr only"),
            Some(Ok(())) => tracing::info!("Log files opened again"),
            Some(Err(reason)) => tracing::warn!("{reason}; writing on to the log file that was open"),
        }
    }
}

/// Keeps init's alarm from ringing for as long as this task gets its turns.
async fn show_life(alarm: OwnedFd) {
    let mut ticks = tokio::time::interval(LIFE_SIGN / 3);
    loop {
        ticks.tick().await;
        if let Err(error) = crate::sys::timer::push(&alarm, LIFE_SIGN) {
            tracing::error!(%error, "Init cannot be shown that this server lives");
        }
    }
}

fn listen(app: &App, tcp: OwnedFd, unix: Option<OwnedFd>, notify: Option<OwnedFd>) -> io::Result<()> {
    let room = Room::of(&app.settings);
    let metrics = || Arc::clone(&app.registry.metrics);
    tokio::spawn(serve::serve(
        TcpListener::from_std(tcp.into())?,
        Serving::tcp(http::router(app.clone()), &room, &app.settings.limits, metrics()),
    ));
    if let Some(socket) = unix {
        let router = http::private_router(app.clone(), http::peer::owner(&socket)?);
        let listener = UnixListener::from_std(socket.into())?;
        tokio::spawn(serve::serve(listener, Serving::unix(router, &room, metrics())));
    }
    if let Some(socket) = notify {
        let router = http::notify_router(app.clone());
        let listener = UnixListener::from_std(socket.into())?;
        tokio::spawn(serve::serve(listener, Serving::notify(router, &room, metrics())));
    }
    Ok(())
}
