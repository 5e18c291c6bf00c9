//! Running git and understanding how it ended.

use super::fault::Fault;
use crate::link::message::Refusal;
use crate::model::session::ExitStatus;
use crate::model::spec::SpawnStage;
use crate::model::tool::GIT;
use crate::server::link::{Link, RequestError};
use crate::server::tool::{Finished, Printed};
use crate::workspace::{Act, Answer};

/// Git in one directory.
#[derive(Clone, Copy, Debug)]
pub struct Git<'a> {
    link: &'a Link,
    dir: &'a str,
}

impl<'a> Git<'a> {
    /// Git in `dir`.
    pub fn new(link: &'a Link, dir: &'a str) -> Self {
        Self { link, dir }
    }

    /// Git in another directory.
    pub fn at<'b>(self, dir: &'b str) -> Git<'b>
    where
        'a: 'b,
    {
        Git { link: self.link, dir }
    }

    /// Runs a command that may end with any code.
    ///
    /// # Errors
    /// It could not be run, or was ended before it was ready.
    pub async fn run(self, args: &[&str]) -> Result<Finished, Fault> {
        let argv = GIT.iter().chain(args).map(|word| (*word).to_owned()).collect();
        let finished = self.link.run_tool(argv, self.dir.to_owned()).await.map_err(|e| self.not_run(e))?;
        match finished.status {
            _ if finished.is_overdue => Err(Fault::Overdue { command: shown(args) }),
            ExitStatus::Code(_) => Ok(finished),
            ExitStatus::Signal(_) => Err(Fault::Killed { command: shown(args) }),
        }
    }

    /// Runs a command that has to succeed; what it printed.
    ///
    /// # Errors
    /// As [`Self::run`], and what git said when it failed.
    pub async fn must(self, args: &[&str]) -> Result<Printed, Fault> {
        let finished = self.run(args).await?;
        if finished.status == ExitStatus::Code(0) { Ok(finished.output) } else { Err(self.failed(args, &finished)) }
    }

    /// Has something else looked at or done in the workspace.
    ///
    /// # Errors
    /// It could not be run, or gave no answer.
    pub async fn ask(self, act: Act) -> Result<Answer, Fault> {
        let words = act.into_words();
        let command = || words.join(" ");
        let finished = self.link.run_tool(words.clone(), "/".to_owned()).await.map_err(Fault::Link)?;
        if finished.is_overdue {
            return Err(Fault::Overdue { command: command() });
        }
        if finished.output.is_cut {
            return Err(Fault::TooMuch { command: "quarterdeck workspace" });
        }
        serde_json::from_slice(&finished.output.bytes).map_err(|_| Fault::Killed { command: command() })
    }

    /// Why a command failed.
    pub fn failed(self, args: &[&str], finished: &Finished) -> Fault {
        Fault::told_by_git(shown(args), self.dir, &String::from_utf8_lossy(&finished.errors.bytes))
    }

    fn not_run(self, error: RequestError) -> Fault {
        match error {
            RequestError::Refused(Refusal::SpawnFailed(failure)) => match (failure.stage, failure.errno) {
                (SpawnStage::Exec, libc::ENOENT | libc::ENOTDIR) => Fault::NoGit,
                (SpawnStage::WorkingDirectory, errno) => Fault::NoDirectory { path: self.dir.to_owned(), errno },
                _ => Fault::Link(RequestError::Refused(Refusal::SpawnFailed(failure))),
            },
            other => Fault::Link(other),
        }
    }
}

/// The command as a person would type it, without what is always there.
fn shown(args: &[&str]) -> String {
    std::iter::once("git").chain(args.iter().copied()).collect::<Vec<_>>().join(" ")
}

/// Text without the line's end.
pub fn line(printed: &Printed) -> String {
    String::from_utf8_lossy(&printed.bytes).trim_end_matches('\n').to_owned()
}
