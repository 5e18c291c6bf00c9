//! The JSON form: whole characters, exact offsets.

use serde_json::json;

use crate::support::{Form, Quarterdeck};

/// Characters of one to four bytes.
const TEXT: &str = "aé€𐍈z";

/// A perl program that writes these bytes one at a time, each after a byte of input.
fn dribble(bytes: &[u8]) -> Vec<String> {
    let list = bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
    let script = format!(
        "system('stty raw -echo'); $| = 1; binmode STDOUT; \
         for my $byte ({list}) {{ sysread(STDIN, my $go, 1) or exit 1; syswrite(STDOUT, chr $byte); }}"
    );
    ["perl", "-e", &script].map(str::to_owned).to_vec()
}

#[test]
fn a_character_split_between_reads_is_held_back_until_it_is_whole() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = api.run(&dribble(TEXT.as_bytes()));
    let mut text = quarterdeck.connect(Form::Json);
    text.attach(&id);
    let mut binary = quarterdeck.connect(Form::Binary);
    binary.attach(&id);
    // Input before `stty raw` would be echoed: raw means that ISIG is off,
    // which the foreground program shows by reading.
    api.wait_for(&id, "raw", raw);
    for (count, byte) in TEXT.bytes().enumerate() {
        let _ = api.input(&id, b"!").json_of(200);
        binary.wait_until("the byte came", |view| view.bytes(&id).len() == count + 1);
        text.round_trip();
        let whole = TEXT.as_bytes()[..=count].utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
        text.wait_until("every whole character came", |view| view.bytes(&id).len() >= whole);
        assert_eq!(text.view.text(&id), TEXT[..whole], "after byte {count} ({byte:#x})");
    }
    text.wait_for_exit(&id);
    let expected: Vec<_> = TEXT.char_indices().map(|(offset, c)| (offset as u64, c.to_string())).collect();
    assert_eq!(text.view.terminal(&id).pieces, expected);
}

/// Whether the session's terminal is raw, by `stty` on the terminal itself.
fn raw(session: &serde_json::Value) -> bool {
    let pid = crate::support::http::pid_of(session);
    let Ok(terminal) = std::fs::File::open(format!("/proc/{pid}/fd/0")) else { return false };
    let answer = std::process::Command::new("stty").arg("-a").stdin(terminal).output().expect("stty");
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    answer.contains("-icanon") && answer.contains("-echo ")
}

#[test]
fn invalid_bytes_become_replacement_characters_and_offsets_stay_exact() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    // 0xff is never valid, 0xc3 needs a second byte that is no bracket, and the
    // last character is never finished.
    let id = api.shell(r"stty raw -echo; printf 'a\377b\303(c\342'; head -c 1 >/dev/null; exit 2");
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.wait_until("the whole characters came", |view| view.text(&id).ends_with('c'));
    assert_eq!(client.view.text(&id), "a\u{fffd}b\u{fffd}(c");
    let _ = api.input(&id, b"!").json_of(200);
    let exit = client.wait_for_exit(&id);
    assert_eq!((exit["exitCode"].clone(), exit["offset"].clone()), (json!(2), json!(7)));
    assert_eq!(client.view.text(&id), "a\u{fffd}b\u{fffd}(c\u{fffd}");
    for (offset, piece) in &client.view.terminal(&id).pieces {
        let at = usize::try_from(*offset).unwrap();
        let first = [b"a".as_slice(), b"\xff", b"b", b"\xc3", b"(", b"c", b"\xe2"][at];
        assert_eq!(String::from_utf8_lossy(first).chars().next(), piece.chars().next(), "offset {offset}");
    }
}

#[test]
fn attaching_inside_a_character_replaces_only_its_rest() {
    let quarterdeck = Quarterdeck::start();
    let id = quarterdeck.api().shell("stty raw -echo; printf '€uro'");
    quarterdeck.api().wait_for_exit(&id);
    let mut client = quarterdeck.connect(Form::Json);
    client.attach_with(&id, json!({ "offset": 1 }));
    client.wait_for_exit(&id);
    let text = client.view.text(&id);
    assert_eq!(text.trim_start_matches('\u{fffd}'), "uro");
    assert!(text.starts_with('\u{fffd}'), "{text:?}");
    assert_eq!(client.view.terminal(&id).pieces[0].0, 1);
}
