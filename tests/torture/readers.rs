//! Streams with a client each that reads every byte, over however many
//! connections that takes.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;
use tungstenite::Message;

use crate::ledger::{End, Promise, Tracked};
use crate::stream::Check;
use crate::support::client::{Client, Form};
use crate::support::view::View;
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

/// This very program prints the stream.
fn command(seed: u64, pieces: u32, code: u8, marker: &str) -> Vec<String> {
    let own = std::env::current_exe().expect("this program's path").display().to_string();
    vec![own, "--print".to_owned(), seed.to_string(), pieces.to_string(), code.to_string(), marker.to_owned()]
}

/// Reads to the exit, or until the session is deleted or the run over.
fn follow(world: &World, number: usize, id: &str, check: &mut Check) -> Result<(), String> {
    let mut view = View::default();
    view.terminal(id).next = Some(0);
    let Some(mut client) = attach(world, FORMS[number], id, view)? else { return Ok(()) };
    let mut last = Instant::now();
    while !client.view.exited(id) {
        let is_cut = world.cuts[number].swap(false, Ordering::Relaxed);
        if is_cut || client.pump().is_err() {
            let view = std::mem::take(&mut client.view);
            let Some(again) = attach(world, FORMS[number], id, view)? else { return Ok(()) };
            client = again;
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
    if exit["exitCode"].is_number() && !check.is_complete() {
        return Err(format!("the exit came behind byte {}, before the rest: {exit}", check.sound));
    }
    world.ledger.count(Promise::StreamsWhole, "streams read to their end", 1);
    Ok(())
}

/// A connection that goes on where the view ends; None if the session was
/// deleted or the run is over.
fn attach(world: &World, form: Form, id: &str, mut view: View) -> Result<Option<Client>, String> {
    let next = view.terminal(id).next.unwrap_or(0);
    let message = json!({ "type": "session.attach", "sessionId": id, "offset": next }).to_string();
    let start = Instant::now();
    while !world.ledger.pause(Duration::from_millis(5)) {
        if Instant::now() > world.ledger.excuses.due(start) + STILL {
            return Err(format!("not attached again in {:?}", start.elapsed()));
        }
        let Ok(mut client) = Client::connect_at(&world.rig.address, "/ws", form) else { continue };
        view.disconnect();
        client.view = view;
        let mut is_alive = client.send_raw(Message::text(message.clone())).is_ok();
        while is_alive && !client.view.is_attached(id) && !world.ledger.is_over() {
            is_alive = client.pump().is_ok();
            let refusal = client.view.of_type("error").next().cloned();
            match refusal {
                Some(error) if error["code"] == "NOT_FOUND" && world.is_deleted(id) => return Ok(None),
                Some(error) => return Err(format!("attaching again: {error}")),
                None => {}
            }
        }
        if is_alive {
            return Ok(Some(client));
        }
        view = client.view;
    }
    Ok(None)
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
