//! The server's end of the link: wishes out, facts in.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::Interest;
use tokio::sync::oneshot;

use super::tool::{Collector, Finished};
use crate::link::codec::{self, MESSAGE_MAX};
use crate::link::message::{Answer, Refusal, Request, ToInit, ToServer, VERSION};
use crate::model::id::SessionId;
use crate::model::secret::Secret;
use crate::model::settings::Settings;
use crate::sys::seqpacket;
use crate::sys::watched::{Watched, watch};

/// Init's answer to a wish.
type Outcome = Result<Answer, Refusal>;

/// A message and the descriptors that came with it.
pub type Received = (ToServer, Vec<OwnedFd>);

/// The connected link.
#[derive(Debug)]
pub struct Link {
    socket: Watched,
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, Waiting>>,
}

/// Who waits for what a request brings.
#[derive(Debug)]
struct Waiting {
    outcome: oneshot::Sender<Outcome>,
    /// Gets the pipes of a tool.
    pipes: Option<oneshot::Sender<Vec<OwnedFd>>>,
}

/// What the first message tells.
#[derive(Debug)]
pub struct Greeting {
    /// From init's command line.
    pub settings: Settings,
    /// How many servers came before.
    pub restarts: u32,
    /// What clients must show, if they must show anything.
    pub token: Option<Secret>,
    /// Whether init has the sessions of the container's earlier life.
    pub is_restored: bool,
    /// Rung to tell init that a ring has room again.
    pub nudge: OwnedFd,
    /// Rings at init unless it is pushed ahead again and again.
    pub alarm: OwnedFd,
    /// The listening TCP socket.
    pub tcp: OwnedFd,
    /// The listening Unix socket of the API.
    pub unix: Option<OwnedFd>,
    /// The listening Unix socket for what sessions say of themselves.
    pub notify: Option<OwnedFd>,
    /// The directory for what must outlive the container.
    pub state_dir: Option<OwnedFd>,
    /// The directory for log files.
    pub log_dir: Option<OwnedFd>,
    /// Whether the server before could not use that of the state.
    pub had_state_trouble: bool,
}

/// Why a wish got no answer.
#[derive(Debug)]
pub enum RequestError {
    /// Init said no.
    Refused(Refusal),
    /// The wish is too large for the link.
    TooLarge,
    /// The link is gone.
    Unavailable,
}

impl Link {
    /// Waits for init's hello.
    ///
    /// # Errors
    /// A link that is closed, or an init that speaks another version.
    pub async fn greet(socket: OwnedFd) -> Result<(Self, Greeting), String> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        let socket = watch(socket, interest).map_err(|e| format!("the link can't be watched: {e}"))?;
        let link = Self { socket, next: AtomicU64::new(1), waiting: Mutex::default() };
        link.send_bytes(&codec::introduction(VERSION)).await.map_err(|e| format!("the link broke: {e}"))?;
        let (message, fds) = link.receive().await?;
        let ToServer::Hello { version, restarts, is_restored, token, settings, unix, directories } = message else {
            return Err("init's first message is no hello".into());
        };
        if version != VERSION {
            return Err(format!("init speaks link version {version}, this server {VERSION}; restart the container"));
        }
        let mut fds = fds.into_iter();
        let (Some(nudge), Some(alarm), Some(tcp)) = (fds.next(), fds.next(), fds.next()) else {
            return Err("init's hello lacks descriptors".into());
        };
        let mut next = |is_there: bool| if is_there { fds.next() } else { None };
        let (unix, notify) = (next(unix.api), next(unix.notify));
        let (state_dir, log_dir) = (next(directories.state), next(directories.log));
        let greeting = Greeting {
            settings: *settings,
            token,
            restarts,
            is_restored,
            had_state_trouble: directories.had_trouble,
            nudge,
            alarm,
            tcp,
            unix,
            notify,
            state_dir,
            log_dir,
        };
        Ok((link, greeting))
    }

    /// The next message that is not the answer to a wish.
    ///
    /// # Errors
    /// A link that is closed or broken; the server ends then, and init starts
    /// another.
    pub async fn receive(&self) -> Result<Received, String> {
        let mut buffer = vec![0; MESSAGE_MAX];
        loop {
            let read = |socket: &OwnedFd| seqpacket::receive(socket, &mut buffer);
            let (n, fds) =
                self.socket.async_io(Interest::READABLE, read).await.map_err(|e| format!("the link broke: {e}"))?;
            if n == 0 {
                return Err("init closed the link".into());
            }
            let message = codec::decode(&buffer[..n]).map_err(|e| format!("init can't be understood: {e}"))?;
            match message {
                ToServer::Reply(number, outcome) => self.answer(number, outcome),
                ToServer::ToolStarted(number) => self.hand_over(number, fds),
                ToServer::Ping => self.send(&ToInit::Pong).await?,
                message => return Ok((message, fds)),
            }
        }
    }

    fn answer(&self, number: u64, outcome: Outcome) {
        let waiting = self.lock().remove(&number);
        if let Some(waiting) = waiting {
            let _ = waiting.outcome.send(outcome);
        }
    }

    fn hand_over(&self, number: u64, pipes: Vec<OwnedFd>) {
        let waiting = self.lock().get_mut(&number).and_then(|waiting| waiting.pipes.take());
        if let Some(waiting) = waiting {
            let _ = waiting.send(pipes);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// A link that is gone.
    pub async fn send(&self, message: &ToInit) -> Result<(), String> {
        let bytes = codec::encode(message).map_err(|e| e.to_string())?;
        self.send_bytes(&bytes).await.map_err(|e| format!("the link broke: {e}"))
    }

    async fn send_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        self.socket.async_io(Interest::WRITABLE, |socket| seqpacket::send(socket.as_fd(), bytes, &[])).await
    }

    /// Sends a wish that concerns a session and waits until it is granted.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn wish(&self, request: Request) -> Result<SessionId, RequestError> {
        match self.request(request).await? {
            Answer::Session(id) => Ok(id),
            Answer::Swept(_) | Answer::Tool { .. } => Err(RequestError::Unavailable),
        }
    }

    /// Sends a wish and waits for its answer.
    ///
    /// # Errors
    /// Init's refusal, or a link that is gone.
    pub async fn request(&self, request: Request) -> Result<Answer, RequestError> {
        let outcome = self.begin(request, None).await?;
        granted(outcome.await)
    }

    /// Has init run a tool, and collects what it prints.
    ///
    /// # Errors
    /// Init's refusal, or a link that is gone.
    pub async fn run_tool(&self, argv: Vec<String>, cwd: String) -> Result<Finished, RequestError> {
        let (sender, pipes) = oneshot::channel();
        let mut outcome = self.begin(Request::RunTool { argv, cwd }, Some(sender)).await?;
        let mut collector = Collector::new(pipes);
        let outcome = loop {
            tokio::select! {
                () = collector.collect() => {}
                outcome = &mut outcome => break outcome,
            }
        };
        let Answer::Tool { status, is_overdue } = granted(outcome)? else { return Err(RequestError::Unavailable) };
        let (output, errors) = collector.finish();
        Ok(Finished { status, is_overdue, output, errors })
    }

    async fn begin(
        &self,
        request: Request,
        pipes: Option<oneshot::Sender<Vec<OwnedFd>>>,
    ) -> Result<oneshot::Receiver<Outcome>, RequestError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let bytes = codec::encode(&ToInit::Request(number, request)).map_err(|_| RequestError::TooLarge)?;
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(number, Waiting { outcome: sender, pipes });
        if self.send_bytes(&bytes).await.is_err() {
            self.lock().remove(&number);
            return Err(RequestError::Unavailable);
        }
        Ok(receiver)
    }
}

fn granted(outcome: Result<Outcome, oneshot::error::RecvError>) -> Result<Answer, RequestError> {
    outcome.map_err(|_| RequestError::Unavailable)?.map_err(RequestError::Refused)
}
