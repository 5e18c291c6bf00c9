//! What a hostile server does. Each goes on until init kills it.

use std::fs::File;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::Command;
use std::time::Duration;

use quarterdeck::link::codec;
use quarterdeck::link::message::{Request, Scope, ToInit};
use quarterdeck::model::attention::{Attention, NEED_MAX, Ticket};
use quarterdeck::model::id::{SessionId, SessionName};
use quarterdeck::model::session::{Exit, ExitStatus, Record, Stage, State};
use quarterdeck::model::signal::Signal;
use quarterdeck::model::spec::{SessionSpec, TerminalSize};
use quarterdeck::model::tool::GIT;
use quarterdeck::model::worktree::Worktree;
use quarterdeck::ring::hint::Hint;
use quarterdeck::sys::memfd::{Access, Mapping};
use rustix::fs::SealFlags;
use rustix::net::Shutdown;

use crate::double::Double;
use crate::kinds::Kind;
use crate::rig::{RUN, beside, tell_breach};

/// Rages in one way.
pub fn rage(kind: Kind, double: &mut Double) {
    if kind == Kind::Stranger {
        loop {
            strange(double);
        }
    }
    double.greet();
    match kind {
        // Goes on, because of one that ends by itself init may see the end first, and its words never.
        Kind::FalseStart => loop {
            double.send(&ToInit::Serving);
            garbage(double);
        },
        Kind::Deaf => loop {
            let message = if double.rng.u8(..8) == 0 { any_message(double) } else { complaint(double) };
            if !double.send(&message) {
                std::thread::park_timeout(Duration::from_micros(100));
            }
        },
        Kind::Breeder => {
            breed();
            double.count_act();
            double.linger();
        }
        kind => loop {
            once(kind, double);
        },
    }
}

/// One act of a kind that has no end of its own.
fn once(kind: Kind, double: &mut Double) {
    match kind {
        Kind::Garbage => garbage(double),
        Kind::Flood => flood(double),
        Kind::Descriptors => load(double),
        Kind::HalfClosed => close_half(double),
        Kind::Hints => hints(double),
        Kind::Restore => restore(double),
        Kind::Greedy => greed(double),
        Kind::Random => {
            let kinds = [Kind::Flood, Kind::Hints, Kind::Restore, Kind::Greedy];
            let harsh = [Kind::Garbage, Kind::Descriptors, Kind::HalfClosed];
            // What ends it at once comes seldom, so that the rest gets its turn.
            let kind = if double.rng.u8(..) == 0 { double.rng.choice(harsh) } else { double.rng.choice(kinds) };
            kind.into_iter().for_each(|kind| once(kind, double));
        }
        Kind::Stranger | Kind::FalseStart | Kind::Deaf | Kind::Breeder => {}
    }
}

fn strange(double: &mut Double) {
    let len = double.rng.usize(0..8);
    let bytes = double.noise(len);
    double.send_bytes(&bytes, &[]);
    double.take_all();
}

/// Lengths around every border there is.
fn garbage(double: &mut Double) {
    let max = codec::MESSAGE_MAX;
    let len = match double.rng.u8(..6) {
        0 => double.rng.usize(0..3),
        1 => double.rng.usize(max - 2..max + 3),
        2 => 180_000,
        _ => double.rng.usize(1..2000),
    };
    let mut bytes = double.noise(len);
    if let Some(first) = bytes.first_mut() {
        // The number of a message that there is, so that its inside is read.
        *first = double.rng.u8(..8);
    }
    double.send_bytes(&bytes, &[]);
    double.take_all();
}

fn flood(double: &mut Double) {
    for _ in 0..64 {
        let message = any_message(double);
        double.send(&message);
    }
    double.take_all();
}

fn any_message(double: &mut Double) -> ToInit {
    match double.rng.u8(..24) {
        0 => ToInit::Serving,
        1 => ToInit::Pong,
        2 => ToInit::OomKills(double.rng.u64(..)),
        3 => ToInit::Restored,
        4..=6 => attention(double),
        _ => ToInit::Request(double.rng.u64(..), any_request(double)),
    }
}

fn attention(double: &mut Double) -> ToInit {
    let id = double.anybody().unwrap_or_else(SessionId::random);
    let len = double.rng.usize(..2 * NEED_MAX);
    let need = double.rng.bool().then(|| "\u{1b}".repeat(len));
    ToInit::Attention(
        id,
        double.rng.u32(..3),
        Attention { need, is_told: double.rng.bool(), is_stuck: double.rng.bool() },
    )
}

/// What init tells on at once, and as long as it may be.
fn complaint(double: &mut Double) -> ToInit {
    let Some(known) = double.sessions.first() else { return attention(double) };
    let (id, life) = (known.record.id, known.record.state.life);
    let need = Some(double.rng.lowercase().to_string().repeat(NEED_MAX));
    ToInit::Attention(id, life, Attention { need, is_told: double.rng.bool(), is_stuck: false })
}

fn any_request(double: &mut Double) -> Request {
    let anybody = double.anybody().unwrap_or_else(SessionId::random);
    let victim = double.victim().unwrap_or_else(SessionId::random);
    match double.rng.u8(..12) {
        0 => Request::Sweep,
        1 => Request::Remove(victim),
        2 => Request::Resume(anybody),
        3 => Request::Signal(victim, any_signal(double), Scope::Session),
        4 => Request::Signal(victim, any_signal(double), Scope::Foreground),
        // That of one that is spared does nothing to it.
        5 => Request::Signal(anybody, Signal::CONT, Scope::Session),
        6..=8 => Request::Resize(anybody, any_size(double)),
        9 => any_tool(double),
        _ => create(double, vec!["true".into()], Vec::new()),
    }
}

fn any_signal(double: &mut Double) -> Signal {
    Signal::try_from(double.rng.u8(1..=64)).expect("a signal")
}

fn any_size(double: &mut Double) -> TerminalSize {
    TerminalSize::new(double.rng.u32(1..=1000), double.rng.u32(1..=1000)).expect("a size")
}

/// Some that would run a program of the server's, and one that may be run.
fn any_tool(double: &mut Double) -> Request {
    let own = format!("alias.x=!touch {}", beside(RUN).display());
    let words: &[&str] = match double.rng.u8(..4) {
        0 => &["-c", &own, "x"],
        1 => &["submodule", "foreach", "sh"],
        2 => &["--exec-path=/tmp", "status"],
        _ => &["status"],
    };
    let argv = GIT.iter().chain(words).map(|word| (*word).to_owned()).collect();
    Request::RunTool { argv, cwd: double.rng.choice(["/", "/tmp", "relative"]).unwrap_or("/").into() }
}

fn create(double: &mut Double, command: Vec<String>, env: Vec<(String, String)>) -> Request {
    let cwd = double.rng.choice(["/", "/tmp", "/nowhere", "here", ""]).unwrap_or("/").into();
    let path = double.rng.choice(["/w", "w", "/\0"]).unwrap_or("/w").to_owned();
    Request::Create {
        name: None,
        spec: SessionSpec { command, cwd, env, is_session_command: double.rng.bool() },
        size: any_size(double),
        worktree: double.rng.bool().then_some(Worktree { branch: None, path }),
    }
}

/// What is large in every way that a message can be.
fn greed(double: &mut Double) {
    // At the limit nothing more would be looked at.
    if let Some(victim) = double.victim() {
        double.wish(Request::Remove(victim));
    }
    let (command, env) = match double.rng.u8(..6) {
        0 => (vec!["x".repeat(30_000)], vec![("PATH".into(), ":".repeat(30_000))]),
        1 => {
            let dirs: Vec<String> = (0..12_000).map(|n| n.to_string()).collect();
            let words = vec![String::new(); 20_000];
            ([vec!["no-such-program".to_owned()], words].concat(), vec![("PATH".into(), dirs.join(":"))])
        }
        // Short to say, long to keep.
        2 => (vec!["true".into(); 10_000], Vec::new()),
        3 => (vec!["true".into()], vec![("A".into(), String::new()); 20_000]),
        4 => (vec!["true".into(), "x".repeat(100_000)], Vec::new()),
        _ => (vec!["sleep".into(), "1000".into()], Vec::new()),
    };
    let request = create(double, command, env);
    double.wish(request);
    double.take_all();
}

/// Descriptors of all kinds, also such that wait when they are closed.
fn load(double: &mut Double) {
    let lingering = linger();
    let null = File::open("/dev/null").expect("/dev/null");
    let count = double.rng.choice([1, 8, 200]).unwrap_or(1);
    let mut fds: Vec<BorrowedFd<'_>> = vec![null.as_fd(); count];
    fds.extend(lingering.iter().map(AsFd::as_fd));
    let message = codec::encode(&ToInit::Pong).expect("a message");
    // More than this library sends at once, as the kernel takes 253.
    send_loaded(double.link.as_fd(), &message, &fds);
    double.count_act();
    drop(lingering);
    double.take_all();
}

/// A connection that waits for half an hour when its last descriptor is closed.
fn linger() -> Option<OwnedFd> {
    let listener = TcpListener::bind("127.0.0.1:0").ok()?;
    let stream = TcpStream::connect(listener.local_addr().ok()?).ok()?;
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::from_secs(1800))).ok()?;
    stream.set_nonblocking(true).ok()?;
    while io::Write::write(&mut &stream, &[0; 65536]).is_ok() {}
    // It stays open, and nobody ever reads from it.
    Box::leak(Box::new((listener.accept().ok()?, listener)));
    Some(stream.into())
}

fn send_loaded(link: BorrowedFd<'_>, message: &[u8], fds: &[BorrowedFd<'_>]) {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(fds));
    let _ = sendmsg(link, &[io::IoSlice::new(message)], &mut control, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
}

fn close_half(double: &mut Double) {
    let half = if double.rng.bool() { Shutdown::Read } else { Shutdown::Write };
    double.count_act();
    let _ = rustix::net::shutdown(&double.link, half);
    for _ in 0..1000 {
        let message = any_message(double);
        double.send(&message);
        double.take_all();
    }
}

/// Every word of every page that the server may write; and rings, which it may not.
fn hints(double: &mut Double) {
    double.take_all();
    double.count_act();
    for known in &double.sessions {
        let [ring, hint, data, ..] = known.fds.as_slice() else { continue };
        if let Ok(hint) = Hint::open(hint) {
            hint.set_pace(double.rng.choice([0, 1, u64::MAX - 1, u64::MAX, 12345]).unwrap_or(0));
            hint.set_typed_at(double.rng.u64(..));
            hint.want_wake();
        }
        if let Ok(page) = Mapping::new(hint, 4096, Access::Write) {
            let (word, value) = (double.rng.usize(..512), double.rng.u64(..));
            page.word(word).store(value, std::sync::atomic::Ordering::Relaxed);
        }
        // Init's own mapping keeps the second from being set, and would keep both.
        for seal in [SealFlags::FUTURE_WRITE, SealFlags::WRITE] {
            let _ = rustix::fs::fcntl_add_seals(hint, seal);
        }
        let _ = rustix::io::write(data, &(u64::MAX - 1).to_ne_bytes());
        try_to_write(ring);
    }
    double.show_life();
}

fn try_to_write(ring: &OwnedFd) {
    let anew = format!("/proc/self/fd/{}", ring.as_raw_fd());
    let again = File::options().read(true).write(true).open(anew).ok().map(OwnedFd::from);
    for fd in [Some(ring), again.as_ref()].into_iter().flatten() {
        if rustix::io::pwrite(fd, b"x", 8192).is_ok() {
            tell_breach("a ring was written");
        }
        if Mapping::new(fd, 8192, Access::Write).is_ok() {
            tell_breach("a ring was mapped for writing");
        }
        if rustix::fs::ftruncate(fd, 0).is_ok() {
            tell_breach("a ring was cut");
        }
    }
}

/// Sessions that were never there; a server says so before it says "restored".
fn restore(double: &mut Double) {
    let record = any_record(double);
    let output_end = double.rng.choice([0, 1 << 20, u64::MAX]).unwrap_or(0);
    double.wish(Request::Restore { record: Box::new(record), output_end });
    double.take_all();
}

fn any_record(double: &mut Double) -> Record {
    let known = double.anybody().filter(|_| double.rng.u8(..4) == 0);
    let time = double.rng.choice([0, 1_700_000_000_000, u64::MAX]).unwrap_or(0);
    let cwd = double.rng.choice(["/", "/tmp", "here"]).unwrap_or("/").to_owned();
    let stage = match double.rng.u8(..8) {
        0 => Stage::Running { pid: 1 },
        1 => Stage::Starting,
        2 => Stage::Ended,
        _ => Stage::Idle { last_activity: time },
    };
    let status = ExitStatus::Signal(double.rng.u8(..));
    let exit = Exit {
        life: 7,
        status,
        at: time,
        requested: false,
        at_shutdown: true,
        out_of_memory: true,
        drained_at: Some(u64::MAX),
    };
    Record {
        id: known.unwrap_or_else(SessionId::random),
        name: SessionName::numbered(double.rng.usize(..5000)),
        spec: SessionSpec {
            command: vec!["x".repeat(double.rng.usize(..3000))],
            cwd,
            env: Vec::new(),
            is_session_command: true,
        },
        worktree: Some(Worktree { branch: None, path: "/w".into() }),
        created_at: time,
        ticket: Ticket::random(),
        state: State {
            size: any_size(double),
            life: double.rng.choice([0, 1, u32::MAX]).unwrap_or(0),
            started_at: Some(time),
            stage,
            last_exit: Some(exit),
            attention: Attention { need: Some("x".repeat(10_000)), is_told: true, is_stuck: true },
        },
    }
}

/// A process that its parent leaves to init.
fn breed() {
    let script = "for n in 1 2 3; do setsid sleep 1000 & done";
    let _ = Command::new("/bin/sh").args(["-c", script]).status();
}
