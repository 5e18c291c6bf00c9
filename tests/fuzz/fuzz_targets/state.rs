//! The state file, however damaged.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use quarterdeck::fuzzing::{Content, parse, to_text};

fuzz_target!(|bytes: &[u8]| {
    let sessions = match parse(bytes) {
        Content::Whole(sessions) | Content::Damaged(sessions, _) => sessions,
        Content::Newer(version) => return assert!(version > 1),
    };
    let ids: HashSet<_> = sessions.iter().map(|saved| saved.id).collect();
    let names: HashSet<_> = sessions.iter().map(|saved| saved.name.clone()).collect();
    assert_eq!((ids.len(), names.len()), (sessions.len(), sessions.len()), "two of one id or name");
    for saved in &sessions {
        assert_eq!(saved.record().spec.check(), Ok(()), "what was taken can't be started");
    }
    // What was made out is written, and read again without a loss.
    let text = to_text(&sessions);
    match parse(&text) {
        Content::Whole(again) => assert_eq!(again, sessions),
        other => panic!("what was written can't be read: {other:?}"),
    }
});
