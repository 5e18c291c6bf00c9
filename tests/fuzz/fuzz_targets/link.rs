//! Both directions of the link between init and server. The first byte chooses.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use quarterdeck::link::codec::{MESSAGE_MAX, decode, encode, introduction, read_introduction};
use quarterdeck::link::message::{Request, ToInit, ToServer};
use quarterdeck::model::tool::{GIT, is_permitted};
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|bytes: &[u8]| {
    let Some((direction, message)) = bytes.split_first() else { return };
    if let Some(version) = read_introduction(message) {
        assert_eq!(introduction(version), message);
    }
    if direction % 2 == 0 {
        if let Some(ToInit::Request(_, request)) = round::<ToInit>(message) {
            check(&request);
        }
    } else {
        let _ = round::<ToServer>(message);
    }
});

/// What can be read is what its own bytes say.
fn round<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let message: T = decode(bytes).ok()?;
    let again = encode(&message).expect("what was read can be written");
    assert!(again.len() <= MESSAGE_MAX && again.len() <= bytes.len(), "the shortest form is the one that is written");
    assert_eq!(decode::<T>(&again).expect("what was written can be read"), message);
    Some(message)
}

/// What init checks of a wish that can be read.
fn check(request: &Request) {
    match request {
        Request::Create { spec, .. } => {
            if let Err(error) = spec.check() {
                assert!(error.to_string().len() < 1000, "an answer repeats what it refuses");
            }
        }
        Request::Restore { record, output_end } => {
            if record.check_restored(*output_end).is_ok() {
                assert!(record.spec.cwd.starts_with('/') && *output_end <= 1 << 53);
            }
        }
        Request::RunTool { argv, .. } => {
            if is_permitted(argv) {
                assert!(argv.iter().zip(GIT).all(|(word, fixed)| word == fixed));
                let own = argv[GIT.len()..].iter().take_while(|word| *word != "--");
                assert!(own.clone().all(|word| word != "-c" && !word.starts_with("--exec-path")));
            }
        }
        _ => {}
    }
}
