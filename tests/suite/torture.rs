//! The parts of `scripts/torture` that decide: without them its runs would prove nothing.

#[path = "../torture/excuse.rs"]
#[allow(dead_code, reason = "the torture itself uses the rest")]
mod excuse;
#[path = "../torture/plan.rs"]
#[allow(dead_code, reason = "the torture itself uses the rest")]
mod plan;
#[path = "../torture/stream.rs"]
#[allow(dead_code, reason = "the torture itself uses the rest")]
mod stream;

use std::time::{Duration, Instant};

use excuse::{ANSWER, Excuses};
use plan::{FAULTS, Fault, LANES, schedule};
use stream::{Check, Generator};

const MINUTES: Duration = Duration::from_secs(300);

fn all() -> Vec<Fault> {
    FAULTS.iter().map(|entry| entry.fault).collect()
}

#[test]
fn a_seed_makes_the_same_schedule_again_and_another_seed_another() {
    for lane in LANES {
        let first = schedule(7, lane, MINUTES, &all());
        assert_eq!(first, schedule(7, lane, MINUTES, &all()));
        assert_ne!(first, schedule(8, lane, MINUTES, &all()));
        // A shorter run is the beginning of a longer one.
        let short = schedule(7, lane, MINUTES / 5, &all());
        assert_eq!(first[..short.len()], short);
    }
}

#[test]
fn every_fault_comes_and_none_before_the_end_of_the_one_before() {
    let mut seen = Vec::new();
    for lane in LANES {
        let steps = schedule(1, lane, MINUTES, &all());
        for (step, next) in steps.iter().zip(&steps[1..]) {
            assert!(next.at >= step.at + Duration::from_millis(step.fault.entry().lasts), "{step:?}, {next:?}");
        }
        assert!(steps.iter().all(|step| step.fault.entry().lane == lane));
        seen.extend(steps.into_iter().map(|step| step.fault));
    }
    assert_eq!(all().into_iter().filter(|fault| !seen.contains(fault)).collect::<Vec<_>>(), []);
}

#[test]
fn a_run_of_one_round_meets_every_fault_and_a_minute_is_long_enough() {
    let round = plan::round(&all());
    assert!(round <= Duration::from_secs(60), "scripts/test runs a minute, a round may take {round:?}");
    for seed in 0..300 {
        let steps = LANES.map(|lane| schedule(seed, lane, round, &all())).concat();
        let never = all().into_iter().filter(|fault| steps.iter().all(|step| step.fault != *fault));
        assert_eq!(never.collect::<Vec<_>>(), [], "seed {seed}");
    }
}

#[test]
fn only_the_chosen_faults_come() {
    let chosen = [Fault::KillServer];
    assert!(schedule(1, plan::Lane::Server, MINUTES, &chosen).iter().all(|step| step.fault == Fault::KillServer));
    assert_eq!(schedule(1, plan::Lane::Session, MINUTES, &chosen), []);
}

/// A stream's bytes.
fn printed(seed: u64) -> Vec<u8> {
    Generator::new(seed, 30).flat_map(|(bytes, _)| bytes).collect()
}

#[test]
fn a_stream_is_sound_in_whatever_pieces_it_comes() {
    let bytes = printed(3);
    for size in [1, 7, 1000, bytes.len()] {
        let mut check = Check::new(3, 30);
        for piece in bytes.chunks(size) {
            assert!(!check.is_complete());
            check.take(piece).expect("the same bytes");
        }
        assert!(check.is_complete());
        assert_eq!(check.sound, bytes.len() as u64);
    }
}

#[test]
fn a_byte_that_is_missing_doubled_or_too_much_is_found_where_it_is() {
    let bytes = printed(3);
    let at = bytes.len() / 2;
    let (head, tail) = bytes.split_at(at);
    let missing = [head, &tail[1..]].concat();
    let doubled = [head, &tail[..1], tail].concat();
    let longer = [bytes.as_slice(), b"x"].concat();
    for wrong in [missing, doubled, longer] {
        let mut check = Check::new(3, 30);
        let outcome: Result<Vec<()>, String> = wrong.chunks(100).map(|piece| check.take(piece)).collect();
        assert!(outcome.is_err(), "taken as sound: {} bytes", wrong.len());
    }
    let mut check = Check::new(3, 30);
    check.take(head).expect("the first half is right");
    assert!(!check.is_complete(), "half of it is not all of it");
}

#[test]
fn nothing_is_excused_that_was_not_done() {
    let (excuses, now) = (Excuses::default(), Instant::now());
    assert_eq!(excuses.due(now), now + ANSWER);
    // A kill gives one more second, from the kill on.
    let killed = now + ANSWER / 2;
    excuses.server_ends(killed);
    assert_eq!(excuses.due(now), killed + ANSWER);
    // What comes later than the answer was due excuses nothing.
    excuses.server_ends(now + ANSWER * 5);
    assert_eq!(excuses.due(now), killed + ANSWER);
}

#[test]
fn a_silence_made_on_purpose_excuses_one_as_long() {
    let (excuses, now) = (Excuses::default(), Instant::now());
    excuses.silence(ANSWER * 3);
    let due = excuses.due(now);
    assert!(due >= now + ANSWER * 4 && due < now + ANSWER * 5, "{:?}", due - now);
    assert_eq!(excuses.due(now + ANSWER * 10), now + ANSWER * 11);
}
