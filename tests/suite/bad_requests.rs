//! Wrong HTTP requests: a clear error each, and nobody notices but the asker.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::payload::shell;
use crate::support::{Bystander, Quarterdeck};

const JSON: Option<&str> = Some("application/json");

#[test]
fn requests_for_impossible_sessions_are_refused() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let api = quarterdeck.api();
    let invalid = [
        json!({ "command": ["sh", "nul\0inside"] }),
        json!({ "command": ["\0"] }),
        json!({ "command": [] }),
        json!({ "command": [""] }),
        json!({ "command": "sh -c true" }),
        json!({ "command": [1] }),
        json!({ "command": null, "cols": "80" }),
        json!({ "cols": 0 }),
        json!({ "rows": 0 }),
        json!({ "cols": 1001 }),
        json!({ "rows": -1 }),
        json!({ "cols": 80.5 }),
        json!({ "cols": 4_294_967_376_u64 }),
        json!({ "cwd": "/nul\0" }),
        json!({ "cwd": 7 }),
        json!({ "env": { "A=B": "c" } }),
        json!({ "env": { "": "c" } }),
        json!({ "env": { "A": "nul\0" } }),
        json!({ "env": { "A": 1 } }),
        json!({ "env": ["A=B"] }),
        json!({ "colour": "blue" }),
        json!({ "name": 7 }),
        json!([]),
        json!("text"),
        json!(null),
    ];
    for request in invalid {
        api.post("/api/sessions", &request).error(400, "INVALID_REQUEST");
    }
    let long = "x".repeat(51);
    for name in ["a/b", "../etc", "/", "a\\b", "", "a b", "ä", "nul\0", "a_b", "a.b", "%2e", long.as_str()] {
        let error = api.post("/api/sessions", &json!({ "name": name })).error(400, "INVALID_NAME");
        assert!(error["message"].as_str().unwrap().len() > 15, "{error}");
    }
    api.post("/api/sessions", &json!({ "name": "bystander" })).error(409, "NAME_TAKEN");
    assert_eq!(api.get("/api/sessions").json_of(200)["sessions"].as_array().map(Vec::len), Some(1));
    bystander.check();
}

#[test]
fn malformed_bodies_are_refused() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let api = quarterdeck.api();
    let deep = "[".repeat(60_000);
    for body in ["{", "{}{}", "{\"name\":}", "nonsense", deep.as_str(), "{\"name\":\"\\ud800\"}"] {
        api.post_bytes("/api/sessions", JSON, body.as_bytes()).error(400, "INVALID_REQUEST");
    }
    api.post_bytes("/api/sessions", JSON, b"{\"name\":\"\xff\xfe\"}").error(400, "INVALID_REQUEST");
    for kind in [Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/octet-stream"), None]
    {
        api.post_bytes("/api/sessions", kind, b"{}").error(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    bystander.check();
}

#[test]
fn a_program_that_cannot_start_is_422_with_stage_and_errno() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let api = quarterdeck.api();
    let plain = quarterdeck.dir().join("not-executable");
    std::fs::write(&plain, "text").expect("a file");
    let missing = quarterdeck.dir().join("missing");
    let (enoent, eacces) = (["ENOENT", "2"], ["EACCES", "13"]);
    let failing = [
        (json!({ "command": ["no-such-program-anywhere"] }), "exec", enoent),
        (json!({ "command": [missing] }), "exec", enoent),
        (json!({ "command": [plain] }), "exec", eacces),
        (json!({ "command": [quarterdeck.dir()] }), "exec", eacces),
        (json!({ "command": ["true"], "cwd": missing }), "chdir", enoent),
        (json!({ "command": ["true"], "cwd": plain }), "chdir", ["ENOTDIR", "20"]),
    ];
    for (request, stage, errno) in failing {
        let error = api.post("/api/sessions", &request).error(422, "SPAWN_FAILED");
        let details = error["details"].to_string();
        assert!(details.to_lowercase().contains(stage), "the stage {stage:?} is not told: {error}");
        assert!(errno.iter().any(|text| details.contains(text)), "errno {errno:?} is not told: {error}");
    }
    assert_eq!(api.get("/api/sessions").json_of(200)["sessions"].as_array().map(Vec::len), Some(1));
    // None of them holds a place.
    for _ in 0..3 {
        let id = api.shell("exit 0");
        api.wait_for_exit(&id);
        api.remove(&id);
    }
    bystander.check();
}

#[test]
fn unknown_sessions_and_routes_are_404() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let api = quarterdeck.api();
    let odd = ["nobody", "00000000-0000-4000-8000-000000000000", "%2e%2e%2fetc", "%00", "a%20b", &"x".repeat(5000)];
    for id in odd {
        for path in ["", "/status", "/output", "/output?offset=0"] {
            api.get(&format!("/api/sessions/{id}{path}")).error(404, "NOT_FOUND");
        }
        api.delete(&format!("/api/sessions/{id}")).error(404, "NOT_FOUND");
        api.input(id, b"x").error(404, "NOT_FOUND");
        for (path, body) in [
            ("resume", json!({})),
            ("signal", json!({ "signal": "INT" })),
            ("resize", json!({ "cols": 80, "rows": 24 })),
        ] {
            api.post(&format!("/api/sessions/{id}/{path}"), &body).error(404, "NOT_FOUND");
        }
    }
    // What is no text at all can't be a name; either answer is one of ours.
    let reply = api.get("/api/sessions/%ff");
    match reply.status {
        400 => reply.error(400, "INVALID_REQUEST"),
        _ => reply.error(404, "NOT_FOUND"),
    };
    for path in ["/api", "/api/nothing", "/api/sessions/x/y/z", "/api/health/more"] {
        api.get(path).error(404, "NOT_FOUND");
    }
    for (method, path) in [("PUT", "/api/sessions"), ("DELETE", "/api/sessions"), ("POST", "/api/health")] {
        let reply = api.try_call(method, path, JSON, b"{}").expect("an answer");
        assert_eq!(reply.status, 405, "{reply}");
        let allowed = reply.headers.get("allow").map(|value| value.to_str().unwrap().contains("GET"));
        assert_eq!(allowed, Some(true), "{reply}");
    }
    bystander.check();
}

#[test]
fn wrong_values_for_a_living_session_are_refused() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let api = quarterdeck.api();
    let refuse = |path: &str, body: Value| {
        api.post(&format!("/api/sessions/bystander/{path}"), &body).error(400, "INVALID_REQUEST");
    };
    for (cols, rows) in
        [(json!(0), json!(24)), (json!(80), json!(0)), (json!(1001), json!(24)), (json!("80"), json!(24))]
    {
        refuse("resize", json!({ "cols": cols, "rows": rows }));
    }
    refuse("resize", json!({ "cols": 80 }));
    for signal in [json!("NOPE"), json!(""), json!("0"), json!("65"), json!(null)] {
        refuse("signal", json!({ "signal": signal }));
    }
    refuse("signal", json!({}));
    refuse("signal", json!({ "signal": "INT", "scope": "universe" }));
    for query in ["offset=-1", "offset=abc", "offset=99999999999999999999999", "limit=abc", "limit=-1"] {
        api.get(&format!("/api/sessions/bystander/output?{query}")).error(400, "INVALID_REQUEST");
    }
    api.get("/api/sessions?waitBeyond=abc").error(400, "INVALID_REQUEST");
    bystander.check();
}

#[test]
fn an_ended_session_takes_no_input_and_no_signal() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let api = quarterdeck.api();
    let id = api.run(&shell("exit 0"));
    api.wait_for_exit(&id);
    api.input(&id, b"too late").error(409, "NOT_RUNNING");
    api.post(&format!("/api/sessions/{id}/signal"), &json!({ "signal": "INT" })).error(409, "NOT_RUNNING");
    assert_eq!(api.session(&id)["outputOffset"], json!(0));
    api.remove(&id);
    api.input(&id, b"far too late").error(404, "NOT_FOUND");
    bystander.check();
}

#[test]
fn bodies_that_are_too_large_are_413_and_the_border_is_exact() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let api = quarterdeck.api();
    let padded = |size: usize| {
        let empty = json!({ "command": ["true"], "env": { "PAD": "" } }).to_string();
        json!({ "command": ["true"], "env": { "PAD": "x".repeat(size - empty.len()) } })
    };
    let created = api.create(&padded(64 << 10));
    api.remove(created["id"].as_str().unwrap());
    api.post("/api/sessions", &padded((64 << 10) + 1)).error(413, "PAYLOAD_TOO_LARGE");
    api.input("bystander", &vec![b'x'; (1 << 20) + 1]).error(413, "PAYLOAD_TOO_LARGE");

    for path in ["/api/sessions", "/api/sessions/bystander/input"] {
        for chunked in [false, true] {
            let answer = post_ten_megabytes(quarterdeck.address(), path, chunked);
            assert!(answer.starts_with("HTTP/1.1 413 "), "{path}, chunked: {chunked}: {answer}");
            assert!(answer.contains("PAYLOAD_TOO_LARGE"), "{path}, chunked: {chunked}: {answer}");
        }
    }
    bystander.check();
}

/// Sends what a careless client would, reading the answer meanwhile, and
/// returns the answer.
fn post_ten_megabytes(address: &str, path: &str, chunked: bool) -> String {
    const CHUNK: usize = 1 << 20;
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(crate::support::patience())).expect("SO_RCVTIMEO");
    let length =
        if chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {}", 10 * CHUNK) };
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nConnection: close\r\n{length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("a connection");
    let mut writer = stream.try_clone().expect("a second handle");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let body = vec![b' '; CHUNK];
            // The server may stop listening as soon as it has answered.
            let _ = (0..10)
                .try_for_each(|_| {
                    if chunked {
                        writer.write_all(format!("{CHUNK:x}\r\n").as_bytes())?;
                    }
                    writer.write_all(&body)?;
                    if chunked { writer.write_all(b"\r\n") } else { Ok(()) }
                })
                .and_then(|()| if chunked { writer.write_all(b"0\r\n\r\n") } else { Ok(()) });
        });
        let mut answer = Vec::new();
        let end = stream.read_to_end(&mut answer);
        assert!(!answer.is_empty(), "no answer: {end:?}");
        String::from_utf8_lossy(&answer).into_owned()
    })
}

#[test]
fn what_is_not_http_disturbs_nobody() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    for garbage in [
        &b"\0\0\0\0\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET /%zz HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(quarterdeck.address()).expect("a connection");
        stream.set_read_timeout(Some(crate::support::patience())).expect("SO_RCVTIMEO");
        stream.write_all(garbage).expect("a connection");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{garbage:?} was accepted");
    }
    // Connections that begin a request and never finish it.
    let idle: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(quarterdeck.address()).expect("a connection");
            stream.write_all(b"POST /api/sessions HTTP/1.1\r\n").expect("a connection");
            stream
        })
        .collect();
    assert_eq!(quarterdeck.api().get("/health").status, 200);
    drop(idle);
    bystander.check();
}
