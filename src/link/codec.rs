//! Messages to bytes and back.
//!
//! postcard is not self-describing, so a message is only ever read by the
//! version that wrote it. The very first message is therefore none of these: a
//! server introduces itself by four bytes that no version will change.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest encoded message, in bytes. A session request is limited to half of
/// this by the HTTP body limit; a message above it is refused, never cut.
pub const MESSAGE_MAX: usize = 128 * 1024;

/// Why a message could not be encoded or decoded.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Longer than [`MESSAGE_MAX`].
    #[error("a link message of {0} bytes is over the limit of {MESSAGE_MAX}")]
    TooLong(usize),
    /// No message of this version looks like this.
    #[error("a link message can't be read: {0}")]
    Malformed(#[from] postcard::Error),
    /// A whole message, and then something.
    #[error("a link message has {0} bytes behind its end")]
    Trailing(usize),
}

/// What a server says first: `QD` and its link version, little endian.
#[must_use]
pub fn introduction(version: u16) -> [u8; 4] {
    let [low, high] = version.to_le_bytes();
    [b'Q', b'D', low, high]
}

/// The version of an introduction, if `bytes` are one.
#[must_use]
pub fn read_introduction(bytes: &[u8]) -> Option<u16> {
    match bytes {
        [b'Q', b'D', low, high] => Some(u16::from_le_bytes([*low, *high])),
        _ => None,
    }
}

/// Encodes one message.
///
/// # Errors
/// [`CodecError::TooLong`] above [`MESSAGE_MAX`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, CodecError> {
    let bytes = postcard::to_stdvec(message)?;
    if bytes.len() > MESSAGE_MAX {
        return Err(CodecError::TooLong(bytes.len()));
    }
    Ok(bytes)
}

/// Decodes one whole message.
///
/// # Errors
/// Any [`CodecError`]; arbitrary input gives an error, never a panic.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > MESSAGE_MAX {
        return Err(CodecError::TooLong(bytes.len()));
    }
    let (message, rest) = postcard::take_from_bytes(bytes)?;
    if !rest.is_empty() {
        return Err(CodecError::Trailing(rest.len()));
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::link::message::{Answer, Refusal, Request, Scope, ToInit, ToServer};
    use crate::model::attention::{Attention, Ticket};
    use crate::model::id::{SessionId, SessionName};
    use crate::model::session::{Exit, ExitStatus, Record, Stage, State};
    use crate::model::signal::Signal;
    use crate::model::spec::{SessionSpec, SpawnFailure, SpawnStage, TerminalSize};
    use crate::model::worktree::{BranchName, Worktree};

    prop_compose! {
        fn name()(text in "[A-Za-z0-9-]{1,50}") -> SessionName {
            SessionName::try_from(text).unwrap()
        }
    }

    prop_compose! {
        fn size()(cols in 1u32..=1000, rows in 1u32..=1000) -> TerminalSize {
            TerminalSize::new(cols, rows).unwrap()
        }
    }

    prop_compose! {
        fn spec()(
            command in prop::collection::vec(".{0,40}", 1..5),
            cwd in "/.{0,40}",
            env in prop::collection::vec(("[A-Z]{1,8}", ".{0,30}"), 0..5),
            is_session_command in any::<bool>(),
        ) -> SessionSpec {
            SessionSpec { command, cwd, env, is_session_command }
        }
    }

    prop_compose! {
        fn worktree()(branch in prop::option::of("[a-z/]{1,20}"), path in "/.{0,40}") -> Worktree {
            Worktree { branch: branch.and_then(|text| BranchName::try_from(text).ok()), path }
        }
    }

    fn signal() -> impl Strategy<Value = Signal> {
        (1u8..=64).prop_map(|n| Signal::try_from(n).unwrap())
    }

    fn status() -> impl Strategy<Value = ExitStatus> {
        prop_oneof![any::<u8>().prop_map(ExitStatus::Code), any::<u8>().prop_map(ExitStatus::Signal)]
    }

    fn stage() -> impl Strategy<Value = Stage> {
        prop_oneof![
            Just(Stage::Starting),
            any::<u32>().prop_map(|pid| Stage::Running { pid }),
            Just(Stage::Ended),
            any::<u64>().prop_map(|last_activity| Stage::Idle { last_activity }),
        ]
    }

    prop_compose! {
        fn exit()(
            life in any::<u32>(),
            status in status(),
            at in any::<u64>(),
            requested in any::<bool>(),
            at_shutdown in any::<bool>(),
            out_of_memory in any::<bool>(),
            drained_at in any::<Option<u64>>(),
        ) -> Exit {
            Exit { life, status, at, requested, at_shutdown, out_of_memory, drained_at }
        }
    }

    prop_compose! {
        fn attention()(
            need in prop::option::of(".{0,60}"),
            is_told in any::<bool>(),
            is_stuck in any::<bool>(),
        ) -> Attention {
            Attention { need, is_told, is_stuck }
        }
    }

    prop_compose! {
        fn state()(
            size in size(),
            life in any::<u32>(),
            started_at in any::<Option<u64>>(),
            stage in stage(),
            last_exit in prop::option::of(exit()),
            attention in attention(),
        ) -> State {
            State { size, life, started_at, stage, last_exit, attention }
        }
    }

    prop_compose! {
        fn record()(
            name in name(),
            spec in spec(),
            worktree in prop::option::of(worktree()),
            created_at in any::<u64>(),
            state in state(),
        ) -> Record {
            Record { id: SessionId::random(), name, spec, worktree, created_at, ticket: Ticket::random(), state }
        }
    }

    fn refusal() -> impl Strategy<Value = Refusal> {
        prop_oneof![
            any::<u32>().prop_map(Refusal::MaxSessions),
            name().prop_map(Refusal::NameTaken),
            Just(Refusal::NotFound),
            (0..SpawnStage::ALL.len(), any::<i32>())
                .prop_map(|(i, errno)| Refusal::SpawnFailed(SpawnFailure { stage: SpawnStage::ALL[i], errno })),
            ".{0,60}".prop_map(Refusal::Invalid),
            Just(Refusal::TooManyTools),
            Just(Refusal::TooManyWaiting),
            any::<i32>().prop_map(Refusal::Kernel),
        ]
    }

    fn to_init() -> impl Strategy<Value = ToInit> {
        let id = SessionId::random();
        let request = prop_oneof![
            (prop::option::of(name()), spec(), size(), prop::option::of(worktree()))
                .prop_map(|(name, spec, size, worktree)| Request::Create { name, spec, size, worktree }),
            (prop::collection::vec(".{0,40}", 0..5), "/.{0,40}").prop_map(|(argv, cwd)| Request::RunTool { argv, cwd }),
            Just(Request::Resume(id)),
            Just(Request::Remove(id)),
            signal().prop_map(move |s| Request::Signal(id, s, Scope::Session)),
            size().prop_map(move |s| Request::Resize(id, s)),
            (record(), any::<u64>())
                .prop_map(|(record, output_end)| Request::Restore { record: Box::new(record), output_end }),
        ];
        prop_oneof![
            Just(ToInit::Serving),
            Just(ToInit::Restored),
            Just(ToInit::Pong),
            any::<u64>().prop_map(ToInit::OomKills),
            (any::<u32>(), attention()).prop_map(move |(life, a)| ToInit::Attention(id, life, a)),
            (any::<u64>(), request).prop_map(|(n, r)| ToInit::Request(n, r)),
        ]
    }

    fn to_server() -> impl Strategy<Value = ToServer> {
        let id = SessionId::random();
        prop_oneof![
            record().prop_map(|r| ToServer::Session(Box::new(r))),
            Just(ToServer::HelloDone),
            state().prop_map(move |s| ToServer::Changed(id, s)),
            Just(ToServer::Removed(id)),
            (any::<u64>(), refusal()).prop_map(|(n, r)| ToServer::Reply(n, Err(r))),
            any::<u64>().prop_map(move |n| ToServer::Reply(n, Ok(Answer::Session(id)))),
            (any::<u64>(), status(), any::<bool>())
                .prop_map(|(n, status, is_overdue)| { ToServer::Reply(n, Ok(Answer::Tool { status, is_overdue })) }),
            any::<u64>().prop_map(ToServer::ToolStarted),
            any::<u64>().prop_map(|grace_ms| ToServer::ShuttingDown { grace_ms }),
            Just(ToServer::ReopenLogs),
            Just(ToServer::Goodbye),
        ]
    }

    proptest! {
        #[test]
        fn every_message_to_init_survives_the_way(message in to_init()) {
            prop_assert_eq!(decode::<ToInit>(&encode(&message).unwrap()).unwrap(), message);
        }

        #[test]
        fn every_message_to_the_server_survives_the_way(message in to_server()) {
            prop_assert_eq!(decode::<ToServer>(&encode(&message).unwrap()).unwrap(), message);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = decode::<ToInit>(&bytes);
            let _ = decode::<ToServer>(&bytes);
        }

        #[test]
        fn a_cut_message_is_an_error(message in to_init(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&message).unwrap();
            let cut = cut.index(bytes.len());
            prop_assert!(decode::<ToInit>(&bytes[..cut]).is_err());
        }

        #[test]
        fn a_message_with_a_tail_is_an_error(message in to_init(), tail in 1usize..9) {
            let mut bytes = encode(&message).unwrap();
            bytes.resize(bytes.len() + tail, 0);
            prop_assert!(matches!(decode::<ToInit>(&bytes), Err(CodecError::Trailing(n)) if n == tail));
        }
    }

    #[test]
    fn values_out_of_range_are_refused_while_decoding() {
        let bad_size = postcard::to_stdvec(&(0u16, 24u16)).unwrap();
        assert!(decode::<TerminalSize>(&bad_size).is_err());
        let bad_name = postcard::to_stdvec("a/b").unwrap();
        assert!(decode::<SessionName>(&bad_name).is_err());
        assert!(decode::<Signal>(&[65]).is_err());
    }

    #[test]
    fn a_message_over_the_limit_is_refused_not_cut() {
        let (command, cwd) = (vec!["x".repeat(MESSAGE_MAX)], "/".into());
        let spec = SessionSpec { command, cwd, env: vec![], is_session_command: false };
        let request = Request::Create { name: None, spec, size: TerminalSize::DEFAULT, worktree: None };
        let request = ToInit::Request(1, request);
        assert!(matches!(encode(&request), Err(CodecError::TooLong(_))));
    }
}
