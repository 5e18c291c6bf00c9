//! Output on disk: older than the ring, exact, bounded, and playable elsewhere.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::payload::{self, assert_same};
use crate::support::{Api, Form, Quarterdeck, Setup, eventually, heavy};

const SMALL_RING: [&str; 2] = ["--scrollback", "128KiB"];

/// A session that repeats what it is given, byte for byte.
const ECHO: &str = "stty raw -echo; printf R; exec cat";

/// What is recorded of one session, taken apart by the format's rules alone.
struct Recording {
    dir: PathBuf,
}

impl Recording {
    fn of(quarterdeck: &Quarterdeck, id: &str) -> Self {
        Self { dir: quarterdeck.dir().join("history").join(id) }
    }

    /// The files in order.
    fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Vec::new() };
        let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
        files.sort();
        files
    }

    fn on_disk(&self) -> u64 {
        // One may go while we look.
        self.files().iter().filter_map(|file| Some(file.metadata().ok()?.len().next_multiple_of(4096))).sum()
    }

    /// Where each file begins, and the bytes in it.
    fn pieces(&self) -> Vec<(u64, Vec<u8>)> {
        self.files().iter().filter_map(|file| Some((start_of(file), bytes_of(&fs::read(file).ok()?)))).collect()
    }

    /// The bytes behind the last hole, and the offset of the first.
    fn last(&self) -> (u64, Vec<u8>) {
        let mut last: (u64, Vec<u8>) = (0, Vec::new());
        for (start, bytes) in self.pieces() {
            if start == last.0 + last.1.len() as u64 {
                last.1.extend(bytes);
            } else {
                last = (start, bytes);
            }
        }
        last
    }

    fn end(&self) -> u64 {
        let (start, bytes) = self.last();
        start + bytes.len() as u64
    }

    fn wait_for_end(&self, end: u64) {
        eventually("it is recorded", || (self.end() == end).then_some(()));
    }

    /// Every event of every file.
    fn events(&self) -> Vec<(f64, String, String)> {
        let texts = self.files().into_iter().map(|file| fs::read_to_string(file).expect("UTF-8"));
        texts.flat_map(|text| text.lines().filter_map(event).collect::<Vec<_>>()).collect()
    }
}

fn start_of(file: &std::path::Path) -> u64 {
    let name = file.file_stem().and_then(|stem| stem.to_str()).expect("a name");
    assert_eq!(name.len(), 20, "{name}");
    name.parse().expect("an offset")
}

/// Comments are none, and neither is the header.
fn event(line: &str) -> Option<(f64, String, String)> {
    if line.starts_with(['#', '{']) {
        return None;
    }
    Some(serde_json::from_str(line).unwrap_or_else(|e| panic!("no event: {e}: {line:?}")))
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The output in a file whose last line may not be whole yet.
fn bytes_of(text: &[u8]) -> Vec<u8> {
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let text = str::from_utf8(&text[..end]).expect("recordings are UTF-8");
    let (mut bytes, mut exact) = (Vec::new(), None);
    for line in text.lines() {
        if let Some(hex) = line.strip_prefix("# bytes ") {
            exact = Some(unhex(hex));
        } else if let Some((_, _, data)) = event(line).filter(|(_, code, _)| code == "o") {
            bytes.extend(exact.take().unwrap_or_else(|| data.into_bytes()));
        }
    }
    bytes
}

/// A session whose output the test decides, piece by piece.
struct Echo {
    id: String,
    api: Api,
    recording: Recording,
    /// All that it has put out.
    output: Vec<u8>,
}

impl Echo {
    fn start(quarterdeck: &Quarterdeck) -> Self {
        let api = quarterdeck.api();
        let id = api.shell(ECHO);
        api.wait_for(&id, "ready", |session| session["outputOffset"] == json!(1));
        let recording = Recording::of(quarterdeck, &id);
        Self { id, api, recording, output: b"R".to_vec() }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.api.input(&self.id, bytes).json_of(200);
        self.output.extend_from_slice(bytes);
        let len = self.output.len();
        self.api.wait_for(&self.id, "echoed", |session| session["outputOffset"] == json!(len));
    }

    /// Says `len` bytes in pieces that the ring can hold until they are recorded.
    fn say_recorded(&mut self, seed: u64, len: usize) {
        for piece in payload::binary(seed, len).chunks(60_000) {
            self.say(piece);
            self.wait_until_recorded();
        }
    }

    /// The start of a character waits for its end.
    fn wait_until_recorded(&self) {
        let all = self.output.len() as u64;
        eventually("all but the start of a character is recorded", || (self.recording.end() + 3 >= all).then_some(()));
    }

    fn oldest(&self) -> usize {
        usize::try_from(self.api.session(&self.id)["oldestOffset"].as_u64().expect("an offset")).expect("an offset")
    }

    fn read(&self, query: &str) -> Vec<u8> {
        self.api.get(&format!("/api/sessions/{}/output{query}", self.id)).bytes_of(200)
    }
}

#[test]
fn output_older_than_the_ring_is_read_from_disk_without_a_seam() {
    let quarterdeck = Quarterdeck::with(&SMALL_RING);
    let mut echo = Echo::start(&quarterdeck);
    echo.say_recorded(1, 900_000);
    assert_eq!(echo.oldest(), 0);

    assert_same(&echo.read("?offset=0"), &echo.output);
    for (from, len) in [(0, 10), (300_000, 100_000), (700_000, 190_000), (899_000, 500)] {
        assert_same(&echo.read(&format!("?offset={from}&limit={len}")), &echo.output[from..from + len]);
    }
    let mut clients = [Form::Binary, Form::Acked].map(|form| {
        let mut client = quarterdeck.connect(form);
        client.attach(&echo.id);
        client
    });
    let mut late = quarterdeck.connect(Form::Binary);
    late.attach_with(&echo.id, json!({ "offset": 123_456 }));
    // It goes on while they read.
    for seed in 2..6 {
        echo.say(&payload::binary(seed, 50_000));
    }
    for client in &mut clients {
        let len = echo.output.len();
        client.wait_until("it has all", |view| view.bytes(&echo.id).len() == len);
        let terminal = client.view.terminal(&echo.id);
        assert_eq!((&terminal.attached[0]["offset"], &terminal.attached[0]["oldest"]), (&json!(0), &json!(0)));
        assert_eq!(terminal.gaps, []);
        assert_same(&terminal.bytes, &echo.output);
    }
    let len = echo.output.len() - 123_456;
    late.wait_until("it has the rest", |view| view.bytes(&echo.id).len() == len);
    assert_eq!(late.view.terminal(&echo.id).gaps, []);
    assert_same(late.view.bytes(&echo.id), &echo.output[123_456..]);
}

#[test]
fn text_from_disk_is_whole_characters_too() {
    let quarterdeck = Quarterdeck::with(&SMALL_RING);
    let mut echo = Echo::start(&quarterdeck);
    let text = payload::text(3, 500_000);
    for piece in text.chunks(60_001) {
        echo.say(piece);
        echo.wait_until_recorded();
    }
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&echo.id);
    let len = echo.output.len();
    client.wait_until("it has all", |view| view.bytes(&echo.id).len() == len);
    assert_same(client.view.bytes(&echo.id), &echo.output);
    // No character was split, so there was nothing to keep beside the text.
    let files = echo.recording.files();
    assert!(files.iter().all(|file| !fs::read_to_string(file).expect("UTF-8").contains("# bytes")), "{files:?}");
}

#[test]
fn what_is_on_disk_stays_below_the_limit_and_the_newest_stays_readable() {
    let quarterdeck = Quarterdeck::with(&["--scrollback", "128KiB", "--history", "512KiB"]);
    let mut echo = Echo::start(&quarterdeck);
    let text = payload::ascii(4, 1_200_000);
    for piece in text.chunks(60_000) {
        echo.say(piece);
        echo.wait_until_recorded();
        assert!(echo.recording.on_disk() <= 512 << 10, "{} bytes on disk", echo.recording.on_disk());
    }
    let oldest = echo.oldest();
    let kept = echo.output.len() - oldest;
    assert!((256 << 10..512 << 10).contains(&kept), "{kept} bytes kept");
    assert_same(&echo.read(&format!("?offset={oldest}")), &echo.output[oldest..]);
    let gone = echo.api.get(&format!("/api/sessions/{}/output?offset={}", echo.id, oldest - 1));
    gone.error(416, "OFFSET_OUT_OF_RANGE");
    let mut client = quarterdeck.connect(Form::Binary);
    client.attach_with(&echo.id, json!({ "offset": 5 }));
    client.wait_until("it has all", |view| view.bytes(&echo.id).len() == kept);
    assert_eq!(client.view.terminal(&echo.id).gaps, [(5, oldest as u64)]);
    assert_same(client.view.bytes(&echo.id), &echo.output[oldest..]);
}

#[test]
fn a_killed_server_leaves_what_the_next_one_continues_exactly() {
    let _alone = heavy();
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let quarterdeck = Quarterdeck::with(&SMALL_RING);
    let mut echo = Echo::start(&quarterdeck);
    for round in 0..20 {
        echo.say(&payload::binary(round, random.usize(1..50_000)));
        // Somewhere between output and record, or behind it.
        let due = echo.output.len() as u64 - random.u64(..3_000);
        if random.bool() {
            eventually("that much is recorded", || (echo.recording.end() >= due.saturating_sub(3)).then_some(()));
        }
        quarterdeck.kill_server();
        // The next round's output must not push out of the ring what nobody has recorded yet.
        let least = (echo.output.len() as u64).saturating_sub(60_000);
        eventually("the next server has caught up", || (echo.recording.end() >= least).then_some(()));
    }
    echo.say(b"end");
    echo.recording.wait_for_end(echo.output.len() as u64);
    let (start, recorded) = echo.recording.last();
    assert_eq!(start, 0);
    assert_same(&recorded, &echo.output);
    assert_same(&echo.read("?offset=0"), &echo.output);
}

#[test]
fn a_line_that_was_not_written_whole_is_cut_off_and_written_again() {
    let quarterdeck = Quarterdeck::start();
    let mut echo = Echo::start(&quarterdeck);
    echo.say(b"first");
    echo.recording.wait_for_end(6);
    let file = echo.recording.files().remove(0);
    // The next server is to find it torn: none comes while init stands still.
    quarterdeck.signal(Signal::SIGSTOP);
    quarterdeck.kill_server();
    let text = fs::read(&file).expect("the recording");
    let torn = text.len() - 3;
    let is_torn = fs::OpenOptions::new().write(true).open(&file).and_then(|file| file.set_len(torn as u64));
    is_torn.expect("the recording is cut");
    quarterdeck.signal(Signal::SIGCONT);
    echo.say(b"second");
    echo.recording.wait_for_end(12);
    assert_eq!(echo.recording.last(), (0, b"Rfirstsecond".to_vec()));
    assert_same(&echo.read("?offset=0"), b"Rfirstsecond");
}

#[test]
fn each_life_is_a_recording_that_ends_with_its_exit_status() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let made = api.create(&json!({
        "name": "lives", "command": ["/bin/sh", "-c", "printf 'caf\\303\\251'; exit 3"], "cols": 91, "rows": 17,
    }));
    let id = crate::support::http::id_of(&made);
    api.wait_for_exit(&id);
    let recording = Recording::of(&quarterdeck, &id);
    let exits = |recording: &Recording| {
        recording.events().into_iter().filter(|(_, code, _)| code == "x").map(|(.., data)| data).collect::<Vec<_>>()
    };
    eventually("the exit is recorded", || (exits(&recording) == ["3"]).then_some(()));
    api.post(&format!("/api/sessions/{id}/resume"), &json!({})).json_of(200);
    eventually("both are", || (exits(&recording) == ["3", "3"]).then_some(()));

    assert_eq!(recording.pieces(), [(0, "café".into()), (5, "café".into())]);
    for file in recording.files() {
        let text = fs::read_to_string(&file).expect("UTF-8");
        let header: Value = serde_json::from_str(text.lines().next().expect("a header")).expect("JSON");
        assert_eq!(header["version"], json!(3));
        assert_eq!(header["term"], json!({ "cols": 91, "rows": 17, "type": "xterm-256color" }));
        assert_eq!(header["title"], json!("lives"));
        assert!(header["timestamp"].is_u64() && header["command"].is_string(), "{header}");
        assert!(text.ends_with("\"x\",\"3\"]\n"), "{text}");
    }
}

#[test]
fn a_new_size_is_an_event() {
    let quarterdeck = Quarterdeck::start();
    let mut echo = Echo::start(&quarterdeck);
    echo.recording.wait_for_end(1);
    echo.api.post(&format!("/api/sessions/{}/resize", echo.id), &json!({ "cols": 100, "rows": 40 })).json_of(200);
    echo.say(b"after");
    echo.recording.wait_for_end(6);
    let events: Vec<_> = echo.recording.events().into_iter().map(|(_, code, data)| (code, data)).collect();
    let expected = [("o", "R"), ("r", "100x40"), ("o", "after")];
    assert_eq!(events, expected.map(|(code, data)| (code.to_owned(), data.to_owned())));
}

/// Stopped, the container records to the last byte; killed, what was recorded is
/// what there is.
#[test]
fn what_was_output_before_the_container_was_started_again_stays_readable() {
    let mut quarterdeck = Quarterdeck::with(&SMALL_RING);
    let api = quarterdeck.api();
    let lines = payload::binary(9, 300_000);
    let path = payload::file(quarterdeck.dir(), "lines", &lines);
    // A piece each time that something is typed, and what was typed.
    let script = format!(
        "stty raw -echo; printf R; for n in 0 1 2 3 4 5; do head -c 1; dd if={} bs=50000 skip=$n count=1 2>/dev/null; done; exec cat",
        path.display()
    );
    let id = api.shell(&script);
    let recording = Recording::of(&quarterdeck, &id);
    let mut output = b"R".to_vec();
    api.wait_for(&id, "ready", |session| session["outputOffset"] == json!(1));
    for piece in lines.chunks(50_000) {
        api.input(&id, b".").json_of(200);
        output.push(b'.');
        output.extend_from_slice(piece);
        eventually("all but the start of a character is recorded", || {
            (recording.end() + 3 >= output.len() as u64).then_some(())
        });
    }
    let read = |quarterdeck: &Quarterdeck| {
        let reply = quarterdeck.api().get(&format!("/api/sessions/{id}/output?offset=0"));
        (reply.number("quarterdeck-next-offset"), reply.bytes_of(200))
    };
    for is_killed in [false, true] {
        if is_killed {
            quarterdeck.kill();
        } else {
            assert_eq!(quarterdeck.stop().code(), Some(0));
            assert_same(&recording.last().1, &output);
        }
        output.truncate(usize::try_from(recording.end()).expect("a length"));
        quarterdeck.start_again(&Setup { args: &SMALL_RING, ..Setup::default() });
        let session = quarterdeck.api().session(&id);
        assert_eq!((&session["status"], &session["oldestOffset"]), (&json!("idle"), &json!(0)), "{session}");
        assert_eq!(session["outputOffset"], json!(output.len()));
        assert_same(&read(&quarterdeck).1, &output);

        let api = quarterdeck.api();
        let mut client = quarterdeck.connect(Form::Binary);
        client.attach(&id);
        client.wait_until("it has the earlier life", |view| view.bytes(&id).len() == output.len());
        if !is_killed {
            client.wait_for_exit(&id);
            client.view.terminal(&id).expect_new_life();
        }
        api.post(&format!("/api/sessions/{id}/resume"), &json!({})).json_of(200);
        output.push(b'R');
        api.wait_for(&id, "ready", |session| session["outputOffset"] == json!(output.len()));
        api.input(&id, b"!").json_of(200);
        output.push(b'!');
        output.extend_from_slice(&lines[..50_000]);
        client.wait_until("it has the next life too", |view| view.bytes(&id).len() == output.len());
        assert_eq!(client.view.terminal(&id).gaps, []);
        assert_same(client.view.bytes(&id), &output);
        assert_eq!(read(&quarterdeck), (output.len() as u64, output.clone()));
        eventually("it is recorded", || (recording.end() + 3 >= output.len() as u64).then_some(()));
    }
}

/// Bytes the server has written with write(2), to whatever.
fn written(quarterdeck: &Quarterdeck) -> u64 {
    let io = fs::read_to_string(format!("/proc/{}/io", quarterdeck.server())).expect("its figures");
    io.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).expect("a number")
}

#[test]
fn a_flood_is_not_written_to_disk_but_its_end_is() {
    let _alone = heavy();
    let quarterdeck = Quarterdeck::with(&["--scrollback", "256KiB", "--history", "1MiB"]);
    let api = quarterdeck.api();
    let id = api.shell("yes 'a line of a flood' | head -c 40M; printf the-end");
    api.wait_for_exit(&id);
    let end = api.session(&id)["outputOffset"].as_u64().expect("an offset");
    assert!(end > 40 << 20);
    let recording = Recording::of(&quarterdeck, &id);
    recording.wait_for_end(end);
    let written = written(&quarterdeck);
    assert!(written < 4 << 20, "{written} bytes were written to disk");
    assert!(recording.on_disk() <= 1 << 20);
    let (start, bytes) = recording.last();
    assert!(bytes.ends_with(b"the-end") && end - start > 100 << 10, "{} bytes kept", bytes.len());
    assert_eq!(api.session(&id)["oldestOffset"], json!(start));
}

#[test]
fn nothing_is_recorded_if_nothing_is_to_be() {
    let quarterdeck = Quarterdeck::with(&["--history", "0", "--scrollback", "128KiB"]);
    let mut echo = Echo::start(&quarterdeck);
    for seed in 0..5 {
        echo.say(&payload::binary(seed, 60_000));
    }
    assert!(echo.oldest() > 150_000, "{}", echo.oldest());
    assert!(!quarterdeck.dir().join("history").exists());
}

#[test]
fn the_recording_goes_with_the_session_and_that_of_unknown_ones_at_the_next_start() {
    let quarterdeck = Quarterdeck::start();
    let (mut gone, mut kept) = (Echo::start(&quarterdeck), Echo::start(&quarterdeck));
    for echo in [&mut gone, &mut kept] {
        echo.say(b"words");
        echo.recording.wait_for_end(6);
    }
    gone.api.remove(&gone.id);
    eventually("its folder is gone", || (!gone.recording.dir.exists()).then_some(()));

    let history = quarterdeck.dir().join("history");
    let stranger = history.join("3d0c4a53-32e5-4a4a-92b4-0a8b4f4a3c11");
    fs::create_dir(&stranger).expect("a folder");
    fs::create_dir(history.join("of-somebody-else")).expect("a folder");
    quarterdeck.kill_server();
    eventually("the unknown session's folder is gone", || (!stranger.exists()).then_some(()));
    assert!(history.join("of-somebody-else").exists() && kept.recording.dir.exists());
    kept.say(b"and more");
    kept.recording.wait_for_end(14);
}

#[test]
fn what_was_recorded_of_sessions_in_a_file_that_was_set_aside_stays_until_that_is_gone() {
    let mut quarterdeck = Quarterdeck::start();
    let mut echo = Echo::start(&quarterdeck);
    echo.say(b"words");
    echo.recording.wait_for_end(6);
    quarterdeck.stop();
    let kept = fs::read(quarterdeck.state_file()).expect("a state file");
    fs::write(quarterdeck.state_file(), &kept[..kept.len() - 9]).expect("damaged");

    // The file that is sound again after the first of these knows nothing of the session.
    for _ in 0..2 {
        quarterdeck.start_again(&Setup::default());
        let other = quarterdeck.api().shell("echo words");
        let recording = Recording::of(&quarterdeck, &other);
        eventually("another one is recorded", || recording.dir.exists().then_some(()));
        quarterdeck.api().remove(&other);
        assert!(echo.recording.dir.exists(), "it is removed only when nothing can tell of the session any more");
        quarterdeck.stop();
    }
    fs::write(quarterdeck.state_file(), &kept).expect("put back");
    quarterdeck.start_again(&Setup::default());
    assert_same(&quarterdeck.api().get(&format!("/api/sessions/{}/output?offset=0", echo.id)).body, b"Rwords");
    quarterdeck.stop();

    let is_aside = |path: &std::path::Path| path.to_string_lossy().contains("sessions.json.damaged-");
    let aside = fs::read_dir(quarterdeck.dir()).expect("the directory").map(|entry| entry.expect("an entry").path());
    aside.filter(|path| is_aside(path)).for_each(|path| fs::remove_file(path).expect("removed"));
    fs::write(quarterdeck.state_file(), br#"{"version":1,"sessions":[]}"#).expect("written");
    quarterdeck.start_again(&Setup::default());
    eventually("nothing can tell of it", || (!echo.recording.dir.exists()).then_some(()));
}

#[test]
fn a_session_deleted_while_it_is_recorded_is_no_trouble_of_the_disk() {
    let mut quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    for _ in 0..10 {
        let id = api.shell("while :; do echo words; sleep 0.01; done");
        let recording = Recording::of(&quarterdeck, &id);
        eventually("it is recorded", || recording.dir.exists().then_some(()));
        api.remove(&id);
    }
    quarterdeck.stop();
    let told = quarterdeck.log().entries();
    let is_trouble = |entry: &&Value| entry["message"].as_str().is_some_and(|text| text.contains("cannot be recorded"));
    assert_eq!(told.iter().find(is_trouble), None);
}

#[test]
fn everything_is_recorded_when_the_container_ends() {
    let mut quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = api.shell("trap 'printf \"last words \\303\"; exit 5' TERM; printf ready; sleep 1000 & wait");
    api.wait_for(&id, "ready", |session| session["outputOffset"] == json!(5));
    assert_eq!(quarterdeck.stop().code(), Some(0));
    let recording = Recording::of(&quarterdeck, &id);
    assert_eq!(recording.last(), (0, b"readylast words \xc3".to_vec()));
    assert_eq!(
        recording.events().last().map(|(_, code, data)| (code.clone(), data.clone())),
        Some(("x".into(), "5".into()))
    );
}

#[test]
fn a_limit_of_file_sizes_ends_recordings_and_nothing_else() {
    // In halves of a KiB or in whole ones, as the shell has it: the ring's file is
    // below it in any case, the recording gets above it.
    let quarterdeck = Quarterdeck::launch(&Setup { args: &SMALL_RING, before: "ulimit -f 300", ..Setup::default() });
    let mut echo = Echo::start(&quarterdeck);
    let server = quarterdeck.server();
    let warnings = || {
        let is_one = |entry: &Value| entry["message"].as_str().is_some_and(|text| text.contains("cannot be recorded"));
        quarterdeck.log().entries().into_iter().filter(is_one).collect::<Vec<_>>()
    };
    for seed in 0..10 {
        echo.say(&payload::ascii(seed, 50_000));
        let end = echo.output.len() as u64;
        eventually("it is recorded or cannot be", || {
            (echo.recording.end() == end || !warnings().is_empty()).then_some(())
        });
    }
    let warning = &warnings()[0];
    assert!(warning["error"].as_str().is_some_and(|error| error.contains("large")), "{warning}");
    let oldest = echo.oldest();
    assert_same(&echo.read(&format!("?offset={oldest}")), &echo.output[oldest..]);
    assert_eq!(quarterdeck.server(), server);
}

#[test]
fn a_full_disk_is_told_once_and_recording_goes_on_when_there_is_room() {
    let mount = "mkdir \"$HOME/history\" && mount -t tmpfs -o size=2M,mode=700 tmpfs \"$HOME/history\"";
    let quarterdeck = Quarterdeck::launch(&Setup { pid1: true, before: mount, ..Setup::default() });
    if !quarterdeck.contained {
        // Without namespaces nothing can be mounted.
        return;
    }
    let mut echo = Echo::start(&quarterdeck);
    // In init's own namespace, where the small disk is.
    let filler = echo.api.shell("head -c 4M /dev/zero >\"$HOME/history/filler\"; printf full");
    echo.api.wait_for_exit(&filler);
    for seed in 0..3 {
        echo.say(&payload::binary(seed, 60_000));
    }
    let warning = quarterdeck.log().wait_for("the warning", |entry| {
        entry["message"].as_str().is_some_and(|message| message.contains("cannot be recorded"))
    });
    assert_eq!((&warning["level"], &warning["sessionId"].is_string()), (&json!("warn"), &true), "{warning}");
    assert_same(&echo.read("?offset=0"), &echo.output);

    echo.api.shell("rm \"$HOME/history/filler\"");
    quarterdeck.log().wait_for_message("The output of sessions is recorded again");
    let warnings = quarterdeck.log().entries().into_iter().filter(|entry| entry["message"] == warning["message"]);
    assert_eq!(warnings.count(), 1);
    // Nothing was overrun meanwhile.
    assert_same(&echo.read("?offset=0"), &echo.output);
    assert_eq!(echo.oldest(), 0);
}
