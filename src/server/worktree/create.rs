//! Making a session with a worktree: whole, or not at all.

use std::path::Path;
use std::sync::Arc;

use super::fault::Fault;
use super::git::{Git, line};
use super::intent::{Intent, Purpose};
use super::listing::{self, Listed};
use super::place::{self, Ground};
use super::{Order, Source, Worktrees};
use crate::link::message::{Refusal, Request};
use crate::model::id::{SessionId, SessionName};
use crate::model::session::ExitStatus;
use crate::model::spec::SessionSpec;
use crate::model::worktree::{BranchName, Worktree};
use crate::server::link::RequestError;

/// How often another name is tried when somebody else took the free one.
const NAMES_TRIED: usize = 5;

/// What has to be done for the worktree.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// Nothing: it is there, with its branch.
    Reuse,
    /// The branch is there.
    Check(BranchName),
    /// A branch that begins with this commit.
    Branch(BranchName, String),
    /// A branch that begins with this commit of a remote and follows it.
    Track(BranchName, String, String),
}

impl Plan {
    /// The branch that is made on the way, and its first commit.
    fn made(&self) -> Option<(BranchName, String)> {
        match self {
            Self::Reuse | Self::Check(_) => None,
            Self::Branch(branch, commit) | Self::Track(branch, commit, _) => Some((branch.clone(), commit.clone())),
        }
    }
}

impl Worktrees {
    /// Makes the worktree and the session in it. Goes on to its end when nobody
    /// waits for it any more.
    ///
    /// # Errors
    /// Nothing is left then of what was made on the way.
    pub async fn create(self: &Arc<Self>, order: Order) -> Result<SessionId, Fault> {
        let this = Arc::clone(self);
        let task = tokio::spawn(async move {
            let _turn = this.busy.lock().await;
            this.create_in_turn(&order).await
        });
        task.await.unwrap_or(Err(Fault::Link(RequestError::Unavailable)))
    }

    async fn create_in_turn(&self, order: &Order) -> Result<SessionId, Fault> {
        let mut tried = Vec::new();
        loop {
            let name = self.admit(order.name.as_ref(), &tried)?;
            let made = self.create_named(&name, order).await;
            let is_taken = matches!(&made, Err(Fault::Link(RequestError::Refused(Refusal::NameTaken(_)))));
            if !is_taken || order.name.is_some() || tried.len() == NAMES_TRIED {
                return made;
            }
            tried.push(name);
        }
    }

    /// What init would refuse in the end is refused before git does its work.
    fn admit(&self, wanted: Option<&SessionName>, tried: &[SessionName]) -> Result<SessionName, Fault> {
        let now = self.registry.now();
        let refused = |refusal| Err(Fault::Link(RequestError::Refused(refusal)));
        if now.shutting_down.is_some() {
            return refused(Refusal::ShuttingDown);
        }
        if now.sessions.len() >= self.max_sessions {
            return refused(Refusal::MaxSessions(u32::try_from(self.max_sessions).unwrap_or(u32::MAX)));
        }
        let is_taken = |name: &SessionName| now.sessions.iter().any(|entry| entry.record.name == *name);
        match wanted {
            Some(name) if is_taken(name) => refused(Refusal::NameTaken(name.clone())),
            Some(name) => Ok(name.clone()),
            None => {
                let mut names = (1..).map(SessionName::numbered);
                let free = names.find(|name| !is_taken(name) && !tried.contains(name));
                Ok(free.unwrap_or_else(|| SessionName::numbered(1)))
            }
        }
    }

    async fn create_named(&self, name: &SessionName, order: &Order) -> Result<SessionId, Fault> {
        let place = Worktree::place(&self.workspace, name);
        let git = Git::new(&self.link, &self.workspace);
        let plan = self.plan(git, &place, &order.source).await?;
        let (Source::New(branch) | Source::Existing(branch)) = &order.source;
        let request = Request::Create {
            name: Some(name.clone()),
            spec: SessionSpec { cwd: format!("{place}{}", order.spec.cwd.trim_end_matches('/')), ..order.spec.clone() },
            size: order.size,
            worktree: Some(Worktree { branch: Some(branch.clone()), path: place.clone() }),
        };
        if plan == Plan::Reuse {
            return Ok(self.link.wish(request).await?);
        }
        let purpose = Purpose::Create { made: plan.made() };
        let intent = Intent::new(name.clone(), self.workspace.clone(), purpose);
        self.rehearsal.step("planned").await;
        self.intend(&intent).await?;
        self.rehearsal.step("intended").await;
        let made = match add(git, &place, &plan).await {
            Ok(()) => {
                self.rehearsal.step("added").await;
                self.link.wish(request).await.map_err(Fault::from)
            }
            Err(fault) => Err(fault),
        };
        self.rehearsal.step("answered").await;
        match &made {
            Ok(id) => self.forget_once_saved(*id, intent),
            // No program has run in it, so nothing of anybody's is in it.
            Err(_) if self.take_back(&intent, true).await => self.forget(&intent).await,
            Err(_) => {}
        }
        made
    }

    /// Looks at everything that can be looked at before anything is changed.
    async fn plan(&self, git: Git<'_>, place: &str, source: &Source) -> Result<Plan, Fault> {
        let ground = place::look(git, &self.workspace, place).await?;
        let (exclude, prefix) = self.repository(git).await?;
        let all = listing::all(git).await?;
        let here = listing::at(&all, place);
        let (Source::New(branch) | Source::Existing(branch)) = source;
        let refs = Refs::of(git, branch).await?;
        let elsewhere = all.iter().find(|listed| listed.branch.as_ref() == Some(branch) && listed.path != place);
        let is_here = here.is_some_and(|listed| listed.branch.as_ref() == Some(branch) && !listed.is_unfinished());
        let plan = match source {
            Source::New(_) if refs.is_local => {
                let at = all.iter().find(|listed| listed.branch.as_ref() == Some(branch));
                return Err(Fault::BranchExists { branch: branch.clone(), at: at.map(|listed| listed.path.clone()) });
            }
            Source::New(_) => Plan::Branch(branch.clone(), self.head(git).await?),
            Source::Existing(_) if ground == Ground::Taken && here.is_some_and(|listed| listed.is_broken) => {
                return Err(Fault::Broken { path: place.to_owned() });
            }
            Source::Existing(_) if ground == Ground::Taken && is_here => Plan::Reuse,
            Source::Existing(_) => match elsewhere {
                Some(Listed { path, .. }) => {
                    return Err(Fault::CheckedOut { branch: branch.to_string(), at: path.clone() });
                }
                None => refs.into_plan(branch)?,
            },
        };
        if plan == Plan::Reuse {
            return Ok(plan);
        }
        if ground == Ground::Taken {
            return Err(Fault::InTheWay { path: place.to_owned(), what: "Something" });
        }
        match here {
            // Its directory was removed by hand. Commits that only its HEAD
            // knew would go with its last traces.
            Some(listed) if listed.branch.is_some() && listed.locked.is_none() => {
                git.must(&["worktree", "remove", "--force", "--", place]).await?;
            }
            Some(_) => return Err(Fault::Broken { path: place.to_owned() }),
            None => {}
        }
        place::exclude(git, &exclude, &prefix).await;
        Ok(plan)
    }

    /// The exclude file of the workspace's repository, and the workspace's path
    /// in it.
    async fn repository(&self, git: Git<'_>) -> Result<(std::path::PathBuf, String), Fault> {
        let args =
            ["rev-parse", "--is-bare-repository", "--is-inside-git-dir", "--show-prefix", "--git-path", "info/exclude"];
        let text = line(&git.must(&args).await?);
        let mut lines = text.lines();
        let (bare, inside, prefix, exclude) = (lines.next(), lines.next(), lines.next(), lines.next());
        if bare != Some("false") || inside != Some("false") {
            return Err(Fault::Bare { workspace: self.workspace.clone() });
        }
        Ok((Path::new(&self.workspace).join(exclude.unwrap_or_default()), prefix.unwrap_or_default().to_owned()))
    }

    async fn head(&self, git: Git<'_>) -> Result<String, Fault> {
        let args = ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"];
        let finished = git.run(&args).await?;
        match finished.status {
            ExitStatus::Code(0) => Ok(line(&finished.output)),
            ExitStatus::Code(1) => Err(Fault::NoCommits { workspace: self.workspace.clone() }),
            _ => Err(git.failed(&args, &finished)),
        }
    }
}

/// Where a branch of this name is.
#[derive(Debug, Default)]
struct Refs {
    is_local: bool,
    /// The remotes that have it, with their reference and its commit.
    remotes: Vec<(String, String, String)>,
}

impl Refs {
    async fn of(git: Git<'_>, branch: &BranchName) -> Result<Self, Fault> {
        let at_remotes = format!("refs/remotes/*/{branch}");
        let args = ["for-each-ref", "--format=%(objectname) %(refname)", &branch.reference(), &at_remotes];
        Ok(Self::parse(&line(&git.must(&args).await?), branch))
    }

    /// A pattern also finds what is below it, as if it were a directory.
    fn parse(text: &str, branch: &BranchName) -> Self {
        let mut refs = Self::default();
        for (commit, reference) in text.lines().filter_map(|line| line.split_once(' ')) {
            refs.is_local |= reference == branch.reference();
            let remote = reference.strip_prefix("refs/remotes/").and_then(|rest| rest.split_once('/'));
            if let Some((remote, _)) = remote.filter(|(_, name)| *name == branch.as_str()) {
                refs.remotes.push((remote.to_owned(), reference.to_owned(), commit.to_owned()));
            }
        }
        refs
    }

    fn into_plan(mut self, branch: &BranchName) -> Result<Plan, Fault> {
        if self.is_local {
            return Ok(Plan::Check(branch.clone()));
        }
        match (self.remotes.len(), self.remotes.pop()) {
            (1, Some((_, reference, commit))) => Ok(Plan::Track(branch.clone(), commit, reference)),
            (_, None) => Err(Fault::NoBranch { branch: branch.clone() }),
            (_, Some((last, ..))) => {
                let remotes = self.remotes.into_iter().map(|(remote, ..)| remote).chain([last]).collect();
                Err(Fault::ManyRemotes { branch: branch.clone(), remotes })
            }
        }
    }
}

async fn add(git: Git<'_>, place: &str, plan: &Plan) -> Result<(), Fault> {
    let mut args = vec!["worktree", "add", "--quiet"];
    match plan {
        Plan::Reuse => return Ok(()),
        Plan::Check(branch) => args.extend(["--", place, branch.as_str()]),
        Plan::Branch(branch, commit) => args.extend(["--no-track", "-b", branch.as_str(), "--", place, commit]),
        Plan::Track(branch, _, from) => args.extend(["--track", "-b", branch.as_str(), "--", place, from]),
    }
    let finished = git.run(&args).await?;
    if finished.status == ExitStatus::Code(0) {
        return Ok(());
    }
    // Git ends with the code of a hook, post-checkout, that failed when all was
    // done. To git that is no failure.
    let all = listing::all(git).await?;
    if listing::at(&all, place).is_some_and(|listed| listed.locked.is_none() && !listed.is_broken) {
        let words = String::from_utf8_lossy(&finished.errors.bytes).into_owned();
        tracing::warn!(worktree = place, status = ?finished.status, words, "A hook of the repository failed in a new worktree");
        return Ok(());
    }
    Err(git.failed(&args, &finished))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(text: &str) -> BranchName {
        BranchName::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_branch_is_here_or_at_one_remote() {
        let local = Refs::parse("1 refs/heads/x\n2 refs/remotes/origin/x\n", &branch("x"));
        assert_eq!(local.into_plan(&branch("x")).unwrap(), Plan::Check(branch("x")));
        let remote =
            Refs::parse("1 refs/heads/x/y\n2 refs/remotes/origin/x\n3 refs/remotes/origin/x/z\n", &branch("x"));
        let plan = Plan::Track(branch("x"), "2".into(), "refs/remotes/origin/x".into());
        assert_eq!(remote.into_plan(&branch("x")).unwrap(), plan);
        let many = Refs::parse("1 refs/remotes/a/x\n2 refs/remotes/b/x\n", &branch("x"));
        let fault = many.into_plan(&branch("x")).unwrap_err();
        assert!(matches!(fault, Fault::ManyRemotes { remotes, .. } if remotes == ["a", "b"]));
        let none = Refs::parse("", &branch("x"));
        assert!(matches!(none.into_plan(&branch("x")), Err(Fault::NoBranch { .. })));
    }
}
