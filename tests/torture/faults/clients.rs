//! Clients that misbehave.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tungstenite::Message;

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
pub fn half_frame(world: &World, random: &mut fastrand::Rng) -> String {
    let whole = json!({ "type": "heartbeat", "timestamp": 1, "filler": "x".repeat(300) }).to_string();
    let mut frame =
        vec![0x81, 0x80 | 126, u8::try_from(whole.len() >> 8).expect("short"), whole.len().to_le_bytes()[0]];
    // The mask is zero, so the text is as it is.
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(whole.as_bytes());
    let mut places = Vec::new();
    for _ in 0..random.usize(1..20) {
        let Some(mut stream) = say(world, UPGRADE.as_bytes(), true) else { continue };
        let cut = random.usize(1..frame.len());
        let _ = stream.write_all(&frame[..cut]);
        places.push(cut);
        if random.bool() {
            // Unread data on close makes it a reset instead of a goodbye.
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
    }
    let half = random.usize(1..UPGRADE.len());
    drop(say(world, &UPGRADE.as_bytes()[..half], false));
    format!("cut after {places:?} of {} bytes, and a request after {half}", frame.len())
}

/// Random bytes where HTTP is expected, and where frames are.
pub fn nonsense(world: &World, random: &mut fastrand::Rng) -> String {
    let mut bytes = vec![0; random.usize(1..5000)];
    random.fill(&mut bytes);
    let first = say(world, &bytes, false);
    let second = say(world, UPGRADE.as_bytes(), true).map(|mut stream| stream.write_all(&bytes));
    format!("{} bytes, {}", bytes.len(), if first.is_some() && second.is_some() { "said" } else { "not all heard" })
}

/// Attaches everything there is and never reads.
pub fn stall(world: &World) -> String {
    let Ok(mut client) = Client::connect_at(&world.rig.address, "/ws", Form::Binary) else {
        return "no connection".to_owned();
    };
    let ids: Vec<_> = world.ledger.sessions().into_values().filter_map(|tracked| tracked.id).collect();
    for id in &ids {
        let _ = client.send_raw(Message::text(json!({ "type": "session.attach", "sessionId": id }).to_string()));
    }
    world.ledger.pause(Duration::from_secs(3));
    client.cut();
    format!("{} sessions unread for 3 s", ids.len())
}

/// Every reader loses its connection.
pub fn cut(world: &World) -> String {
    world.cuts.iter().for_each(|cut| cut.store(true, Ordering::Relaxed));
    format!("{} connections", world.cuts.len())
}
