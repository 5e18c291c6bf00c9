//! Short programs that run for the server, which never forks: git, and
//! `quarterdeck workspace`.
//!
//! A tool runs with a session's rights and without a terminal. It belongs to
//! no session, so no sweep ends it; the shutdown does, as it ends everybody. What
//! it leaves behind, a hook's daemon for example, the next sweep does end.
//! One whose server is gone goes on to its end, and until then no other starts:
//! the next server is to find things at rest.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::env;
use super::event_loop::Init;
use super::people::tag_of;
use super::session::{OOM_RAISE, RequestNumber};
use crate::link::message::{Answer, Refusal, ToServer};
use crate::model::id::SessionId;
use crate::model::session::ExitStatus;
use crate::model::signal::Signal;
use crate::model::spec::{SpawnFailure, SpawnStage, check_directory};
use crate::model::tool::is_permitted;
use crate::sys::pipe;
use crate::sys::process::{self, Pid};
use crate::sys::spawn::{self, Marks, Outcome, Stdio};
use crate::sys::tag::Tag;
use crate::workspace::is_permitted as is_workspace;

/// Tools that run at the same time.
const AT_ONCE: usize = 8;
/// Tools that wait for their turn.
const WAITING_MAX: usize = 64;

/// What a tool may take before it is asked to end: large repositories are checked
/// out in minutes.
const TIME: Duration = Duration::from_secs(600);
/// What it gets to clean up then.
const GRACE: Duration = Duration::from_secs(2);

/// A tool that waits for its turn.
#[derive(Debug)]
struct Order {
    number: RequestNumber,
    argv: Vec<String>,
    cwd: String,
}

/// A running tool.
#[derive(Debug)]
struct Tool {
    pid: Pid,
    tag: Tag,
    report: OwnedFd,
    /// Held so that a tool whose server died is not killed by its next word.
    _pipes: [OwnedFd; 2],
    /// None once the server that asked is gone.
    asker: Option<RequestNumber>,
    until: Instant,
    is_overdue: bool,
}

/// The tools there are.
#[derive(Debug)]
pub struct Tools {
    running: Vec<Tool>,
    waiting: VecDeque<Order>,
    time: Duration,
}

impl Tools {
    /// None yet.
    pub fn new() -> Self {
        Self { running: Vec::new(), waiting: VecDeque::new(), time: rehearsed_time().unwrap_or(TIME) }
    }

    /// By what the processes of those that run are known.
    pub fn tags(&self) -> impl Iterator<Item = Tag> {
        self.running.iter().map(|tool| tool.tag)
    }

    /// When a tool has used up its time.
    pub fn deadline(&self) -> Option<Instant> {
        self.running.iter().map(|tool| tool.until).min()
    }

    /// Ends those that have used up their time.
    pub fn advance(&mut self, now: Instant) {
        for tool in self.running.iter_mut().filter(|tool| tool.until <= now) {
            let signal = if tool.is_overdue { Signal::KILL } else { Signal::TERM };
            tracing::warn!(pid = tool.pid.raw(), %signal, "A tool takes too long: ending it");
            // It leads the group until it is reaped, which is when it leaves
            // this list.
            let _ = process::kill_group(tool.pid, signal);
            tool.is_overdue = true;
            tool.until = now + GRACE;
        }
    }

    /// The server that asked is gone.
    pub fn forget_askers(&mut self) {
        self.waiting.clear();
        self.running.iter_mut().for_each(|tool| tool.asker = None);
    }

    fn take(&mut self, order: Order) -> Result<(), Refusal> {
        if !is_workspace(&order.argv) && !is_permitted(&order.argv) {
            return Err(Refusal::Invalid("no such command of git or about the workspace may be run".into()));
        }
        check_directory(&order.cwd).map_err(|e| Refusal::Invalid(e.to_string()))?;
        if self.waiting.len() >= WAITING_MAX {
            return Err(Refusal::TooManyTools);
        }
        self.waiting.push_back(order);
        Ok(())
    }

    /// The next one that may start now.
    fn next(&mut self) -> Option<Order> {
        if self.has_room() { self.waiting.pop_front() } else { None }
    }

    fn has_room(&self) -> bool {
        self.running.len() < AT_ONCE && self.running.iter().all(|tool| tool.asker.is_some())
    }
}

/// Tests can't wait for [`TIME`].
fn rehearsed_time() -> Option<Duration> {
    if !cfg!(debug_assertions) {
        return None;
    }
    let told = std::env::var("QUARTERDECK_TEST_TOOL_TIME").ok()?;
    told.parse().ok().map(Duration::from_millis)
}

impl Init {
    pub(super) fn run_tool(
        &mut self,
        number: RequestNumber,
        argv: Vec<String>,
        cwd: String,
    ) -> Result<Option<SessionId>, Refusal> {
        if self.shutdown.has_begun() {
            return Err(Refusal::ShuttingDown);
        }
        self.tools.take(Order { number, argv, cwd })?;
        self.start_tools();
        Ok(None)
    }

    /// Starts as many as there is room for.
    fn start_tools(&mut self) {
        while let Some(order) = self.tools.next() {
            let number = order.number;
            let started = if self.shutdown.has_begun() { Err(Refusal::ShuttingDown) } else { self.start_tool(&order) };
            if let Err(refusal) = started {
                self.server.send(&ToServer::Reply(number, Err(refusal)), &[]);
            }
        }
    }

    fn start_tool(&mut self, order: &Order) -> Result<(), Refusal> {
        let no_pipe = |e: std::io::Error| {
            let errno = e.raw_os_error().unwrap_or(libc::EMFILE);
            Refusal::SpawnFailed(SpawnFailure { stage: SpawnStage::Resources, errno })
        };
        let nul = |_| Refusal::Invalid("the tool's arguments contain a NUL byte".into());
        let mut program = env::tool(&order.argv, &order.cwd, &self.ground).map_err(nul)?;
        if is_workspace(&order.argv) {
            // The server's own version of it, whatever lies on PATH.
            program.candidates = self.server.candidates().map_err(nul)?;
        }
        let tag = tag_of(SessionId::random());
        program.marks = Marks {
            tag: Some(tag),
            oom_score: self.ground.oom_score.map(|own| own.raised_by(OOM_RAISE)),
            cgroup: None,
        };
        let (output, its_output) = pipe::for_output().map_err(no_pipe)?;
        let (errors, its_errors) = pipe::for_output().map_err(no_pipe)?;
        let stdio = Stdio::Tool(its_output.as_fd(), its_errors.as_fd());
        let child = spawn::spawn(&program, stdio).map_err(Refusal::SpawnFailed)?;
        self.server.send(&ToServer::ToolStarted(order.number), &[output.as_fd(), errors.as_fd()]);
        self.tools.running.push(Tool {
            pid: child.pid,
            tag,
            report: child.report,
            _pipes: [output, errors],
            asker: Some(order.number),
            until: Instant::now() + self.tools.time,
            is_overdue: false,
        });
        Ok(())
    }

    /// A child was reaped; true if it was a tool.
    pub(super) fn tool_ended(&mut self, pid: Pid, status: ExitStatus) -> bool {
        let Some(at) = self.tools.running.iter().position(|tool| tool.pid == pid) else { return false };
        let tool = self.tools.running.swap_remove(at);
        if tool.is_overdue {
            // What it ran may have been deaf to TERM. While anybody is left in
            // the group, its number is nobody else's; and numbers come in
            // order, so it is not given out again within this turn.
            let _ = process::kill_group(pid, Signal::KILL);
        }
        if let Some(number) = tool.asker {
            let outcome = match spawn::outcome(&tool.report) {
                Outcome::Failed(failure) => Err(Refusal::SpawnFailed(failure)),
                Outcome::Started | Outcome::Pending => Ok(Answer::Tool { status, is_overdue: tool.is_overdue }),
            };
            self.server.send(&ToServer::Reply(number, outcome), &[]);
        }
        self.start_tools();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tool::GIT;

    fn order(number: RequestNumber) -> Order {
        let argv = GIT.iter().chain(&["status"]).map(|word| (*word).to_owned()).collect();
        Order { number, argv, cwd: "/".into() }
    }

    fn running(number: RequestNumber) -> Tool {
        let fd = || -> OwnedFd { std::fs::File::open("/dev/null").unwrap().into() };
        Tool {
            // Nobody has a number as large as that, so nobody is signalled.
            pid: Pid::new(i32::MAX).unwrap(),
            tag: tag_of(SessionId::random()),
            report: fd(),
            _pipes: [fd(), fd()],
            asker: Some(number),
            until: Instant::now() + TIME,
            is_overdue: false,
        }
    }

    #[test]
    fn only_git_is_run_and_only_in_a_place_that_is_told() {
        let mut tools = Tools::new();
        for argv in [
            vec![],
            vec![""],
            vec!["sh", "-c", "git"],
            vec!["/usr/bin/git"],
            vec!["git "],
            vec!["./git"],
            vec!["quarterdeck"],
            vec!["quarterdeck", "init"],
        ] {
            let argv = argv.into_iter().map(String::from).collect();
            assert!(matches!(tools.take(Order { argv, ..order(1) }), Err(Refusal::Invalid(_))));
        }
        for cwd in ["", "here", "../there"] {
            assert!(matches!(tools.take(Order { cwd: cwd.into(), ..order(1) }), Err(Refusal::Invalid(_))));
        }
        assert!(tools.next().is_none());
        tools.take(order(1)).unwrap();
        assert_eq!(tools.next().map(|order| order.number), Some(1));
    }

    #[test]
    fn eight_run_and_some_wait_in_order() {
        let mut tools = Tools::new();
        tools.running.extend((0..8).map(running));
        for number in 0..64 {
            tools.take(order(number)).unwrap();
        }
        assert_eq!(tools.take(order(64)), Err(Refusal::TooManyTools));
        assert!(tools.next().is_none());
        tools.running.pop();
        assert_eq!(tools.next().map(|order| order.number), Some(0));
        assert_eq!(tools.next().map(|order| order.number), Some(1), "it is the caller who starts them");
    }

    #[test]
    fn nothing_starts_beside_a_tool_whose_server_is_gone() {
        let mut tools = Tools::new();
        tools.running.push(running(1));
        tools.take(order(2)).unwrap();
        tools.forget_askers();
        tools.take(order(3)).unwrap();
        assert!(tools.next().is_none());
        tools.running.clear();
        assert_eq!(tools.next().map(|order| order.number), Some(3), "the first one's server is gone as well");
    }

    #[test]
    fn one_that_takes_too_long_is_asked_first_and_then_killed() {
        let mut tools = Tools::new();
        tools.running.push(running(1));
        let start = tools.deadline().unwrap();
        tools.advance(start - Duration::from_millis(1));
        assert!(!tools.running[0].is_overdue);
        tools.advance(start);
        assert!(tools.running[0].is_overdue);
        assert_eq!(tools.deadline(), Some(start + GRACE));
    }
}
