//! Clients that misbehave.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tungstenite::Message;

use super::{Outcome, find};
use crate::support::client::{Client, Form};
use crate::world::World;

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A connection on which this was said, and the beginning of an answer waited for.
fn say(world: &World, words: &[u8], wait: bool) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(&world.rig.address).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
    stream.write_all(words).ok()?;
    if wait {
        let _ = stream.read(&mut [0; 64]);
    }
    Some(stream)
}

/// They say half of what they have to say, and are gone.
pub fn half_frame(world: &World, random: &mut fastrand::Rng) -> Outcome {
    let whole = json!({ "type": "heartbeat", "timestamp": 1, "filler": "x".repeat(300) }).to_string();
    let mut frame =
        vec![0x81, 0x80 | 126, u8::try_from(whole.len() >> 8).expect("short"), whole.len().to_le_bytes()[0]];
    // The mask is zero, so the text is as it is.
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(whole.as_bytes());
    let mut places = Vec::new();
    for _ in 0..random.usize(1..20) {
        let mut stream = find(world, "connection", || say(world, UPGRADE.as_bytes(), true))?;
        let cut = random.usize(1..frame.len());
        if stream.write_all(&frame[..cut]).is_err() {
            continue;
        }
        places.push(cut);
        if random.bool() {
            // Unread data on close makes it a reset instead of a goodbye.
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
    }
    let half = random.usize(1..UPGRADE.len());
    drop(say(world, &UPGRADE.as_bytes()[..half], false));
    if places.is_empty() {
        return Err("no frame was begun".to_owned());
    }
    Ok(format!("cut after {places:?} of {} bytes, and a request after {half}", frame.len()))
}

/// Random bytes where HTTP is expected, and where frames are.
pub fn nonsense(world: &World, random: &mut fastrand::Rng) -> Outcome {
    let mut bytes = vec![0; random.usize(1..5000)];
    random.fill(&mut bytes);
    find(world, "listener", || say(world, &bytes, false))?;
    find(world, "listener to frames", || say(world, UPGRADE.as_bytes(), true)?.write_all(&bytes).ok())?;
    Ok(format!("{} bytes, twice", bytes.len()))
}

/// Attaches everything there is and never reads.
pub fn stall(world: &World) -> Outcome {
    let connect = || Client::connect_at(&world.rig.address, "/ws", Form::Binary).ok();
    let mut client = find(world, "connection", connect)?;
    let ids: Vec<_> = world.ledger.sessions().into_values().filter_map(|tracked| tracked.id).collect();
    let attach = |id: &String| Message::text(json!({ "type": "session.attach", "sessionId": id }).to_string());
    let attached = ids.iter().filter(|id| client.send_raw(attach(id)).is_ok()).count();
    world.ledger.pause(Duration::from_secs(3));
    client.cut();
    if attached == 0 { Err("nothing to attach".to_owned()) } else { Ok(format!("{attached} sessions unread for 3 s")) }
}

/// Every reader loses its connection.
pub fn cut(world: &World) -> Outcome {
    world.cuts.iter().for_each(|cut| cut.store(true, Ordering::Relaxed));
    let cut = || world.cuts.iter().filter(|cut| !cut.load(Ordering::Relaxed)).count();
    find(world, "reader", || (cut() > 0).then_some(()))?;
    Ok(format!("{} connections or more", cut()))
}
