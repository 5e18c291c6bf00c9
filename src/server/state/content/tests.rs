//! Whole files, torn ones, and ones that somebody wrote by hand.

use proptest::prelude::*;

use super::*;

fn record(name: &str, last_exit: Option<Exit>) -> Record {
    Record {
        id: SessionId::random(),
        name: SessionName::try_from(name.to_owned()).unwrap(),
        spec: SessionSpec {
            command: vec!["sh".into(), "-c".into(), "echo \"ä\n,{\"".into()],
            cwd: "/work dir".into(),
            env: vec![("A".into(), "1".into()), ("B".into(), "x\ny".into())],
            is_session_command: true,
        },
        worktree: Some(Worktree {
            branch: BranchName::try_from("feature/ä".to_owned()).ok(),
            path: "/work dir/.worktrees/a".into(),
        }),
        created_at: 1_700_000_000_123,
        ticket: Ticket::random(),
        state: State {
            size: TerminalSize::new(101, 33).unwrap(),
            life: 2,
            started_at: Some(1_700_000_000_456),
            stage: Stage::Idle { last_activity: 1_700_000_000_789 },
            last_exit,
            attention: Attention::default(),
        },
    }
}

fn exit(status: ExitStatus) -> Exit {
    Exit {
        life: 2,
        status,
        at: 1_700_000_000_500,
        requested: true,
        at_shutdown: true,
        out_of_memory: false,
        drained_at: Some(77),
    }
}

fn save(record: &Record) -> Saved {
    Saved::of(record, 1_700_000_000_789, 77).unwrap()
}

fn four() -> Vec<Saved> {
    let exits = [None, Some(ExitStatus::Code(3)), Some(ExitStatus::Signal(15)), None];
    let records = exits.iter().enumerate().map(|(n, status)| record(&format!("s-{n}"), status.map(exit)));
    records.map(|record| save(&record)).collect()
}

#[test]
fn what_was_saved_is_read_again() {
    for status in [ExitStatus::Code(0), ExitStatus::Code(255), ExitStatus::Signal(9), ExitStatus::Signal(35)] {
        let record = record("a", Some(exit(status)));
        let restored = save(&record).record();
        assert_eq!(Record { ticket: record.ticket, ..restored }, record);
    }
    for sessions in [four(), Vec::new()] {
        assert_eq!(parse(&to_text(&sessions)), Content::Whole(sessions));
    }
}

#[test]
fn a_file_torn_at_any_byte_gives_every_session_before_the_tear() {
    let sessions = four();
    let text = to_text(&sessions);
    let line_ends: Vec<usize> = sessions.iter().map(|s| end_of(&text, s)).collect();
    for length in 0..text.len() {
        let before = line_ends.iter().filter(|end| **end <= length).count();
        match parse(&text[..length]) {
            // Without its last newline it is whole.
            Content::Whole(read) => assert_eq!((length, &read), (text.len() - 1, &sessions)),
            Content::Damaged(read, _) => assert_eq!(read, sessions[..before], "torn at {length}"),
            Content::Newer(version) => panic!("torn at {length} it is of version {version}"),
        }
    }
}

fn end_of(text: &[u8], saved: &Saved) -> usize {
    let entry = serde_json::to_vec(saved).unwrap();
    text.windows(entry.len()).position(|window| window == entry).unwrap() + entry.len()
}

#[test]
fn a_byte_changed_anywhere_costs_one_session_at_most() {
    let sessions = four();
    let text = to_text(&sessions);
    for at in 0..text.len() {
        // A line's end belongs to the next line as well.
        let most = if text[at] == b'\n' { 2 } else { 1 };
        for garbage in [0u8, b'"', b'\n', b'z', 0xff] {
            let mut text = text.clone();
            text[at] = garbage;
            let read = match parse(&text) {
                Content::Whole(read) | Content::Damaged(read, _) => read,
                Content::Newer(version) => panic!("byte {at} made it version {version}"),
            };
            let kept = read.iter().filter(|saved| sessions.contains(saved)).count();
            assert!(kept + most >= sessions.len(), "byte {at} as {garbage:#x} lost more than {most}: {read:?}");
        }
    }
}

#[test]
fn one_bad_session_leaves_the_others() {
    let sessions = four();
    let with = |bad: &str| {
        let good = |at: usize| serde_json::to_string(&sessions[at]).unwrap();
        parse(format!(r#"{{"version":1,"sessions":[{},{bad},{}]}}"#, good(0), good(1)).as_bytes())
    };
    let twin = serde_json::to_string(&sessions[0]).unwrap();
    for (bad, named) in [
        ("{}", "session 2"),
        ("7", "session 2"),
        (r#"{"id":"x"}"#, "session 2"),
        (&twin, "s-0"),
        (&twin.replace("/work dir", "relative"), "relative"),
        (&twin.replace("s-0", "a/b"), "session 2"),
    ] {
        match with(bad) {
            Content::Damaged(read, reason) => {
                assert_eq!(read, sessions[..2], "{bad}");
                assert!(reason.contains(named), "{reason}");
            }
            other => panic!("{bad} gave {other:?}"),
        }
    }
}

#[test]
fn what_a_later_version_added_to_a_session_is_let_pass() {
    let saved = four().remove(1);
    let mut entry = serde_json::to_value(&saved).unwrap();
    entry["mood"] = Value::from("sunny");
    let text = serde_json::json!({ "version": 1, "sessions": [entry], "more": {} }).to_string();
    assert_eq!(parse(text.as_bytes()), Content::Whole(vec![saved]));
}

#[test]
fn other_files_are_told_apart() {
    assert_eq!(parse(br#"{"version":2,"sessions":{}}"#), Content::Newer(2));
    let texts: [&[u8]; 8] = [
        b"",
        b"[]",
        b"null",
        b"{}",
        br#"{"version":"1"}"#,
        br#"{"version":0,"sessions":[]}"#,
        br#"{"version":1}"#,
        b"\xff",
    ];
    for text in texts {
        assert!(matches!(parse(text), Content::Damaged(read, _) if read.is_empty()), "{text:?}");
    }
}

#[test]
fn output_and_time_alone_are_no_difference() {
    let record = record("a", None);
    let saved = save(&record);
    assert!(!saved.differs(&Saved::of(&record, 0, 1 << 40).unwrap()));
    let mut resized = record;
    resized.state.size = TerminalSize::DEFAULT;
    assert!(saved.differs(&save(&resized)));
}

#[test]
fn a_session_that_never_ran_is_not_saved() {
    let mut record = record("a", None);
    record.state.stage = Stage::Starting;
    assert!(Saved::of(&record, 0, 0).is_some());
    record.state.life = 0;
    assert!(Saved::of(&record, 0, 0).is_none());
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
    }
}
