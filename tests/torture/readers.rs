//! Streams with a client each that reads every byte, over however many
//! connections that takes.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::ledger::{End, Promise, Tracked};
use crate::stream::Check;
use crate::support::client::{Client, Form};
use crate::world::World;

/// One for each form of the protocol.
pub const READERS: usize = 3;
const FORMS: [Form; READERS] = [Form::Json, Form::Binary, Form::Acked];

/// A stream that gives nothing for this long, beyond what is excused, stands still.
const STILL: Duration = Duration::from_secs(5);

/// Reads one stream after the other until the run is over.
pub fn read(world: &World, number: usize) {
    let mut random = world.random(100 + number as u64);
    while !world.ledger.is_over() {
        // 40 pieces are about 1.6 seconds.
        let (seed, pieces, code) = (random.u64(..), random.u32(40..400), random.u8(..));
        let marker = world.marker();
        let tracked = Tracked { ends: Some(vec![End::Code(code.into())]), ..Tracked::default() };
        let Some(id) = world.create(&marker, &command(seed, pieces, code, &marker), tracked) else { return };
        if let Err(evidence) = follow(world, number, &id, &mut Check::new(seed, pieces)) {
            let marker = format!("reader {number} of {marker}, seed {seed}, {pieces} pieces");
            return world.ledger.broken(Promise::StreamsWhole, &format!("{marker}: {evidence}"));
        }
        if world.ledger.session(&marker).id.is_some() && !world.ledger.is_over() {
            // The census has to see how it ended before it is gone.
            world.wait_for_end(&marker, Duration::from_secs(20));
            world.delete(&marker);
        }
    }
}

/// This very program prints the stream. The terminal is raw, or it would turn
/// each newline into two bytes.
fn command(seed: u64, pieces: u32, code: u8, marker: &str) -> Vec<String> {
    let own = std::env::current_exe().expect("this program's path").display().to_string();
    let script = "stty raw -echo && exec \"$@\"".to_owned();
    let mut words = vec!["/bin/sh".to_owned(), "-c".to_owned(), script, marker.to_owned(), own];
    words.extend(["--print".to_owned(), seed.to_string(), pieces.to_string(), code.to_string(), marker.to_owned()]);
    words
}

/// Reads to the exit, or until the session is deleted or the run over.
fn follow(world: &World, number: usize, id: &str, check: &mut Check) -> Result<(), String> {
    let form = FORMS[number];
    let Some(mut client) = connect(world, form) else { return Ok(()) };
    client.view.terminal(id).next = Some(0);
    client.reconnect(form);
    let mut last = Instant::now();
    while !client.view.exited(id) {
        let is_cut = world.cuts[number].swap(false, Ordering::Relaxed);
        if is_cut || client.pump().is_err() {
            client.reconnect(form);
            world.ledger.count(Promise::StreamsWhole, "connections made again", 1);
        }
        if is_deleted(&client, id) || world.ledger.is_over() {
            return Ok(());
        }
        if take(world, &mut client, id, check)? {
            last = Instant::now();
        } else if Instant::now() > world.ledger.excuses.due(last) + STILL {
            return Err(format!("nothing came for {:?} behind byte {}", last.elapsed(), check.sound));
        }
    }
    take(world, &mut client, id, check)?;
    let exit = client.view.terminal(id).exits.last().cloned().unwrap_or_default();
    client.cut();
    if exit["exitCode"].is_number() && !check.is_complete() {
        return Err(format!("the exit came behind byte {}, before the rest: {exit}", check.sound));
    }
    world.ledger.count(Promise::StreamsWhole, "streams read to their end", 1);
    Ok(())
}

/// The first connection; the run may be over before there is one.
fn connect(world: &World, form: Form) -> Option<Client> {
    loop {
        if let Ok(client) = Client::connect_at(&world.rig.address, "/ws", form) {
            return Some(client);
        }
        if world.ledger.pause(Duration::from_millis(20)) {
            return None;
        }
    }
}

fn is_deleted(client: &Client, id: &str) -> bool {
    client.view.of_type("session.destroyed").any(|message| message["sessionId"] == id)
}

/// Checks what arrived since; whether anything did.
fn take(world: &World, client: &mut Client, id: &str, check: &mut Check) -> Result<bool, String> {
    if let Some(fault) = client.view.faults.first() {
        return Err(format!("behind byte {}: {fault}", check.sound));
    }
    client.view.messages.retain(|message| message["type"] == "session.destroyed");
    let terminal = client.view.terminal(id);
    if let Some((from, to)) = terminal.gaps.first() {
        return Err(format!("a gap from {from} to {to}, with a client that keeps up"));
    }
    let bytes = std::mem::take(&mut terminal.bytes);
    check.take(&bytes)?;
    world.ledger.count(Promise::StreamsWhole, "bytes", bytes.len() as u64);
    Ok(!bytes.is_empty())
}
