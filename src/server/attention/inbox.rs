//! What a session's watcher must hear of besides output.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::judge::Word;

/// Words kept for a watcher that is busy; the latest count.
const KEPT: usize = 16;

/// One piece of news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody typed.
    Typed,
    /// The program spoke for itself.
    Told(Word),
}

/// News on their way to the watcher.
#[derive(Debug, Default)]
pub struct Inbox {
    events: Mutex<Vec<Event>>,
    filled: Notify,
}

impl Inbox {
    /// Adds one piece, and wakes the watcher.
    pub fn put(&self, event: Event) {
        {
            let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
            if events.last() == Some(&event) {
                return;
            }
            if events.len() == KEPT {
                events.remove(0);
            }
            events.push(event);
        }
        self.filled.notify_one();
    }

    /// Everything so far, in order.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns when something was put in since the last call.
    pub async fn filled(&self) {
        self.filled.notified().await;
    }
}

/// Whether bytes from a client are a terminal's own report (position, colour,
/// focus, mouse) and not something that a person typed.
#[must_use]
pub fn is_report(input: &[u8]) -> bool {
    match input {
        [0x1b, b'P' | b']', ..] => true,
        [0x1b, b'[', middle @ .., last] => {
            let is_mouse = middle.first() == Some(&b'<') || *last == b'M' && middle.is_empty();
            is_mouse
                || middle.is_empty() && matches!(last, b'I' | b'O')
                || matches!(last, b'R' | b'c' | b'n' | b't' | b'y')
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_told_from_keys() {
        let reports: [&[u8]; 8] = [
            b"\x1b[I",
            b"\x1b[O",
            b"\x1b[12;40R",
            b"\x1b[?62;22c",
            b"\x1b[0n",
            b"\x1b[<35;10;10M",
            b"\x1b]11;rgb:00/00/00\x1b\\",
            b"\x1bP>|xterm.js\x1b\\",
        ];
        for report in reports {
            assert!(is_report(report), "{:?}", String::from_utf8_lossy(report));
        }
        let keys: [&[u8]; 7] = [b"a", b"\r", b"\x1b", b"\x1b[A", b"\x1b[3~", b"\x1b[200~pasted\x1b[201~", b"\x1b[1;5C"];
        for key in keys {
            assert!(!is_report(key), "{:?}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn news_come_in_order_and_never_without_bound() {
        let inbox = Inbox::default();
        inbox.put(Event::Typed);
        inbox.put(Event::Typed);
        inbox.put(Event::Told(Word::Active));
        assert_eq!(inbox.take(), [Event::Typed, Event::Told(Word::Active)]);
        let word = |n: usize| Event::Told(Word::NeedsInput(n.to_string()));
        (0..100).for_each(|n| inbox.put(word(n)));
        let kept = inbox.take();
        assert_eq!((kept.len(), kept.last()), (KEPT, Some(&word(99))));
    }
}
