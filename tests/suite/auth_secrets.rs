//! Where the token must not be found: the process list, environments, logs.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use super::auth::{TOKEN, log_in};
use crate::support::process::children;
use crate::support::{Quarterdeck, Setup, eventually};

fn holds(file: &str, secret: &str) -> bool {
    let bytes = fs::read(file).unwrap_or_else(|e| panic!("{file}: {e}"));
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// Asserts that no process of this one shows the token.
fn assert_hidden(quarterdeck: &Quarterdeck) {
    let server = quarterdeck.server();
    let mut seen = vec![quarterdeck.init];
    seen.extend(children(quarterdeck.init));
    assert!(seen.contains(&server) && seen.len() > 2, "{seen:?}");
    for pid in seen {
        for file in ["cmdline", "environ"] {
            assert!(!holds(&format!("/proc/{pid}/{file}"), TOKEN), "{file} of {pid}");
        }
    }
}

#[test]
fn the_command_line_and_the_environment_of_no_process_show_the_token() {
    let as_flag = ["--token", TOKEN];
    let as_one = [&format!("--token={TOKEN}") as &str];
    for (args, env) in [(&as_flag[..], &[][..]), (&as_one, &[]), (&[], &[("QUARTERDECK_TOKEN", TOKEN)])] {
        let quarterdeck = Quarterdeck::launch(&Setup { secured: true, args, env, ..Setup::default() });
        let api = quarterdeck.api().bearing(TOKEN);
        let id = api.shell("env; printf 'a%s\\n' ll; exec sleep 1000");
        eventually("the environment is printed", || {
            let output = String::from_utf8_lossy(&api.output(&id)).into_owned();
            assert!(!output.contains(TOKEN) && !output.contains("QUARTERDECK_TOKEN"), "{output}");
            output.contains("all").then_some(())
        });
        let line = fs::read(format!("/proc/{}/cmdline", quarterdeck.init)).expect("a command line");
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        assert!(words.contains(&&b"init"[..]) && words.contains(&&b"--state-dir"[..]), "the rest stays");
        assert_hidden(&quarterdeck);
        quarterdeck.kill_server();
        eventually("the next server answers", || api.try_call("GET", "/health", None, &[]).ok().map(drop));
        assert_hidden(&quarterdeck);
    }
}

#[test]
fn the_main_command_gets_its_own_arguments_and_no_token() {
    let place = tempfile::tempdir().expect("a directory");
    let told = place.path().join("told");
    let script = format!("{{ env; echo \"$@\"; }} >{0}.new; mv {0}.new {0}; exec sleep 1000", told.display());
    let args = ["--", "sh", "-c", &script, "sh", "--token", "its-own"];
    let env = [("QUARTERDECK_TOKEN", TOKEN), ("KEPT", "yes")];
    let mut quarterdeck = Quarterdeck::launch(&Setup { secured: true, args: &args, env: &env, ..Setup::default() });
    let text = eventually("the main command tells", || fs::read_to_string(&told).ok());
    assert!(text.contains("KEPT=yes") && text.contains("--token its-own"), "{text}");
    assert!(!text.contains(TOKEN) && !text.contains("QUARTERDECK_TOKEN"), "{text}");
    assert_eq!(quarterdeck.api().bearing(TOKEN).get("/api/sessions").status, 200);
    quarterdeck.stop();
}

#[test]
fn no_log_and_no_error_shows_a_token() {
    let logs = tempfile::tempdir().expect("a directory");
    let path = logs.path().display().to_string();
    let args = ["--log-level", "debug", "--log-dir", &path];
    let quarterdeck = Quarterdeck::launch(&Setup { secured: true, args: &args, ..Setup::default() });
    let token = quarterdeck.printed_token();
    let api = quarterdeck.api();
    let cookie = log_in(&api, &token);
    let browser = api.with("cookie", &cookie);
    let made = browser.post("/api/tokens", &json!({ "readOnly": true })).json_of(201);
    let guest = made["token"]["token"].as_str().expect("a token").to_owned();
    assert_eq!(api.bearing(&guest).get("/api/sessions").status, 200);
    let wrong = format!("{token}-wrong");
    let refused = api.post("/api/login", &json!({ "token": wrong })).error(401, "UNAUTHORIZED");
    assert!(!refused.to_string().contains(&token), "{refused}");
    let odd = api.post("/api/login", &json!({ "token": 7, "tokem": token })).error(400, "INVALID_REQUEST");
    assert!(!odd.to_string().contains(&token), "{odd}");
    quarterdeck.signal(Signal::SIGHUP);
    quarterdeck.log().wait_for_message("Log files opened again");
    let files = fs::read_dir(logs.path()).expect("the logs").map(|entry| entry.expect("a log").path());
    let mut text: String = files.map(|file| fs::read_to_string(file).expect("a log")).collect();
    let lines = quarterdeck.log().lines();
    text.extend(lines.iter().filter(|line| !line.starts_with("Open http")).map(String::as_str));
    assert!(text.contains("A wrong token was shown"), "{text}");
    let (_, value) = cookie.split_once('=').expect("a value");
    for secret in [token.as_str(), value, guest.rsplit('_').next().expect("its secret")] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
