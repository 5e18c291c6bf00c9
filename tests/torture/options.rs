//! The command line.

use std::time::Duration;

use crate::plan::{FAULTS, Fault};

/// What to do.
pub struct Options {
    pub length: Duration,
    pub seed: u64,
    pub faults: Vec<Fault>,
    /// As they were chosen, if they were.
    chosen: Option<String>,
    /// Only print the schedule.
    pub plan_only: bool,
}

impl Options {
    /// The command that makes the same run.
    pub fn again(&self) -> String {
        let faults = self.chosen.as_ref().map_or(String::new(), |list| format!(" --faults {list}"));
        format!("scripts/torture --seconds {} --seed {}{faults}", self.length.as_secs(), self.seed)
    }
}

/// The text of `--help`.
pub fn help() -> String {
    let mut text = String::from(
        "Random faults against the real binary as PID 1, and a watch over what it promises. Needs root and strace(1).\n\
         \n  \
         scripts/torture [--seconds N] [--seed S] [--faults LIST] [--plan]\n\n  \
         --seconds N     how long faults come (default 60)\n  \
         --seed S        the seed that a failed run printed: the same faults in the same order\n  \
         --faults LIST   only these, separated by commas; with - before the first: all but these\n  \
         --plan          print the schedule and do nothing\n\n\
         QUARTERDECK_BIN tortures another binary. On failure it exits with 1 and keeps init's log.\n\nFaults:\n",
    );
    for entry in &FAULTS {
        text += &format!("  {:<18} {}\n", entry.name, entry.what);
    }
    text
}

/// Reads the arguments; an error is for the user.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let all = FAULTS.iter().map(|entry| entry.fault).collect();
    let mut options = Options {
        length: Duration::from_secs(60),
        seed: fastrand::u64(..),
        faults: all,
        plan_only: false,
        chosen: None,
    };
    let mut arguments = arguments.flat_map(|argument| match argument.split_once('=') {
        Some((flag, value)) => vec![flag.to_owned(), value.to_owned()],
        None => vec![argument],
    });
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{flag} needs a value; see --help"));
        match flag.as_str() {
            "--seconds" => options.length = Duration::from_secs(number(&flag, &value()?)?),
            "--seed" => options.seed = number(&flag, &value()?)?,
            "--faults" => {
                let list = value()?;
                options.faults = faults(&list)?;
                options.chosen = Some(list);
            }
            "--plan" => options.plan_only = true,
            _ => return Err(format!("there is no {flag}; see --help")),
        }
    }
    Ok(options)
}

fn number(flag: &str, text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{flag} needs a whole number, and {text:?} is none"))
}

fn faults(list: &str) -> Result<Vec<Fault>, String> {
    let (names, without) = list.strip_prefix('-').map_or((list, false), |rest| (rest, true));
    let named: Vec<_> = names
        .split(',')
        .map(|name| Fault::named(name).ok_or_else(|| format!("there is no fault {name:?}; --help lists them")))
        .collect::<Result<_, _>>()?;
    Ok(FAULTS.iter().map(|entry| entry.fault).filter(|fault| named.contains(fault) != without).collect())
}
