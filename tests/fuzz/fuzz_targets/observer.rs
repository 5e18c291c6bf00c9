//! The observer of escape sequences. The first byte says how the output is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quarterdeck::server::attention::observer::{Observer, Sign};

fuzz_target!(|bytes: &[u8]| {
    let Some((size, output)) = bytes.split_first() else { return };
    let whole = signs([output].into_iter());
    assert_eq!(signs(output.chunks(usize::from(*size) + 1)), whole, "the cut changes what is seen");
    assert_eq!(signs(output.chunks(1)), whole, "the cut changes what is seen");
    for sign in &whole {
        if let Sign::Notification(text) | Sign::Title(text) = sign {
            assert!(!text.chars().any(char::is_control), "{text:?}");
            assert!(text.chars().count() <= 250, "{text:?}");
        }
    }
});

fn signs<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Sign> {
    let (mut observer, mut found) = (Observer::default(), Vec::new());
    pieces.for_each(|piece| observer.read(piece, |sign| found.push(sign)));
    found
}
