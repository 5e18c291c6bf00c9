//! What a request says about a worktree, and every error there is about one.

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::error::ApiError;
use super::sessions::capitalised;
use crate::model::worktree::BranchName;
use crate::server::worktree::{Fault, Source};

/// `existingBranch`: beside `branch` a flag, alone the branch itself.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "existingBranch is neither a boolean nor the name of a branch")]
pub enum ExistingBranch {
    /// Whether `branch` is there already.
    Flag(bool),
    /// The branch.
    Name(String),
}

/// The branch of a new session's worktree, if it is to have one.
pub fn source(branch: Option<String>, existing: Option<ExistingBranch>) -> Result<Option<Source>, ApiError> {
    let checked = |text: String| {
        BranchName::try_from(text.clone()).map_err(|why| {
            ApiError::invalid(format!("{text:?} can't be the name of a branch: {why}"))
                .suggest("Choose another name; `git help check-ref-format` has the rules.")
        })
    };
    Ok(match (branch, existing) {
        (None, None | Some(ExistingBranch::Flag(false))) => None,
        (None, Some(ExistingBranch::Flag(true))) => {
            return Err(ApiError::invalid("existingBranch is true, but there is no branch that it could be about"));
        }
        (Some(branch), None | Some(ExistingBranch::Flag(false))) => Some(Source::New(checked(branch)?)),
        (Some(branch), Some(ExistingBranch::Flag(true))) | (None, Some(ExistingBranch::Name(branch))) => {
            Some(Source::Existing(checked(branch)?))
        }
        (Some(branch), Some(ExistingBranch::Name(existing))) if branch == existing => {
            Some(Source::Existing(checked(branch)?))
        }
        (Some(_), Some(ExistingBranch::Name(_))) => {
            return Err(ApiError::invalid("branch and existingBranch name different branches; a worktree has one"));
        }
    })
}

/// A directory in a worktree, seen from its top. It may not lead out.
pub fn inside(cwd: Option<String>) -> Result<String, ApiError> {
    let Some(cwd) = cwd else { return Ok("/".into()) };
    let is_out = cwd.starts_with('/') || cwd.split('/').any(|part| part == "..");
    if is_out {
        let message = format!("The directory {cwd:?} is not inside the session's worktree");
        return Err(
            ApiError::invalid(message).suggest("Name a directory from the top of the worktree, or leave it out.")
        );
    }
    Ok(format!("/{}", cwd.trim_end_matches('/')))
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        let (status, kind) = match &fault {
            Fault::NoGit
            | Fault::Kept { .. }
            | Fault::NoDirectory { .. }
            | Fault::Denied { .. }
            | Fault::Overdue { .. }
            | Fault::Killed { .. }
            | Fault::Failed { .. }
            | Fault::TooMuch { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "worktree"),
            Fault::DiskFull { .. } | Fault::State { .. } | Fault::NoState => {
                (StatusCode::SERVICE_UNAVAILABLE, "resource")
            }
            Fault::NoBranch { .. } => (StatusCode::NOT_FOUND, "not_found"),
            _ => (StatusCode::CONFLICT, "conflict"),
        };
        let error = Self::new(status, kind, fault.code(), capitalised(&fault.to_string())).suggest(fault.advice());
        match fault {
            Fault::Link(error) => error.into(),
            Fault::Dirty { losses, is_session_removed } => {
                let mut details = json!(losses);
                details["sessionRemoved"] = is_session_removed.into();
                error.details(details)
            }
            Fault::CheckedOut { branch, at } => error.details(json!({ "branch": branch, "worktreePath": at })),
            Fault::BranchExists { branch, at } => {
                error.details(json!({ "branch": branch.as_str(), "worktreePath": at }))
            }
            Fault::Kept { path, .. } => error.details(json!({ "worktreePath": path, "sessionRemoved": true })),
            Fault::InTheWay { path, .. } | Fault::Broken { path } => error.details(json!({ "path": path })),
            Fault::Locked { path, reason } => error.details(json!({ "worktreePath": path, "reason": reason })),
            Fault::InUse { path, session } => error.details(json!({ "worktreePath": path, "session": session })),
            Fault::LockFile { file } => error.details(json!({ "file": file })),
            Fault::Failed { command, words } => error.details(json!({ "command": command, "output": words })),
            Fault::Overdue { command } | Fault::Killed { command } => error.details(json!({ "command": command })),
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(text: &str) -> BranchName {
        BranchName::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_branch_is_new_unless_it_is_said_to_exist() {
        let name = |text: &str| Some(ExistingBranch::Name(text.into()));
        let flag = |flag| Some(ExistingBranch::Flag(flag));
        let asked = |text: Option<&str>, existing| source(text.map(Into::into), existing);
        let new = || Some(Source::New(branch("x")));
        let existing = || Some(Source::Existing(branch("x")));
        for (text, flag_or_name, wanted) in [
            (None, None, None),
            (None, flag(false), None),
            (Some("x"), None, new()),
            (Some("x"), flag(false), new()),
            (Some("x"), flag(true), existing()),
            (None, name("x"), existing()),
            (Some("x"), name("x"), existing()),
        ] {
            assert_eq!(asked(text, flag_or_name).unwrap(), wanted);
        }
        assert!(asked(None, flag(true)).is_err());
        assert!(asked(Some("x"), name("y")).is_err());
        assert!(asked(Some("--upload-pack=x"), None).is_err());
        assert!(asked(None, name("../x")).is_err());
    }

    #[test]
    fn a_directory_does_not_lead_out_of_the_worktree() {
        assert_eq!(inside(None).unwrap(), "/");
        for (good, seen) in [("", "/"), ("a", "/a"), ("a/b/", "/a/b"), ("a..b", "/a..b"), ("...", "/...")] {
            assert_eq!(inside(Some(good.into())).unwrap(), seen);
        }
        for bad in ["/", "/etc", "..", "../x", "a/../..", "a/.."] {
            assert!(inside(Some(bad.into())).is_err(), "{bad:?}");
        }
    }
}
