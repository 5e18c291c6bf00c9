//! Room for so many sessions and no more.

use serde_json::{Value, json};

use crate::support::http::id_of;
use crate::support::{Bystander, Quarterdeck};

fn sleeper() -> Value {
    json!({ "command": ["sleep", "1000"] })
}

#[test]
fn eight_posts_at_once_with_room_for_four_make_four_sessions() {
    let quarterdeck = Quarterdeck::with(&["--max-sessions", "5"]);
    let bystander = Bystander::of(&quarterdeck);
    let api = quarterdeck.api();
    let replies: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| api.post("/api/sessions", &sleeper()))).collect();
        asking.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    let (made, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert_eq!((made.len(), refused.len()), (4, 4));
    for reply in refused {
        let error = reply.error(409, "MAX_SESSIONS");
        assert_eq!(error["message"], json!("Maximum 5 sessions supported. Destroy a session to create a new one."));
    }
    let listed = api.get("/api/sessions").json_of(200)["sessions"].as_array().unwrap().len();
    assert_eq!(listed, 5);
    let mut names: Vec<_> = made.into_iter().map(|reply| reply.json_of(201)["session"].take()).collect();
    names.sort_by_key(|session| session["name"].to_string());
    for (session, n) in names.iter().zip(1..) {
        assert_eq!(session["name"], json!(format!("session-{n}")));
        api.remove(&id_of(session));
    }
    bystander.check();
}

#[test]
fn the_default_limit_is_four_and_its_refusal_is_exact() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let ids: Vec<_> = (0..4).map(|_| id_of(&api.create(&sleeper()))).collect();
    let health = api.get("/api/health").json_of(200);
    assert_eq!((health["sessionCount"].clone(), health["maxSessions"].clone()), (json!(4), json!(4)));
    let body = api.post("/api/sessions", &sleeper()).json_of(409);
    assert_eq!(body["code"], json!("MAX_SESSIONS"));
    assert_eq!(body["error"]["code"], json!("MAX_SESSIONS"));
    assert_eq!(body["error"]["message"], json!("Maximum 4 sessions supported. Destroy a session to create a new one."));
    // An ended session can be resumed, so it counts until it is deleted.
    let _ = api.post(&format!("/api/sessions/{}/signal", ids[0]), &json!({ "signal": "KILL" })).json_of(200);
    api.wait_for_exit(&ids[0]);
    api.post("/api/sessions", &sleeper()).error(409, "MAX_SESSIONS");
    api.remove(&ids[0]);
    api.create(&sleeper());
}

#[test]
fn a_name_is_taken_once_even_at_the_same_instant() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let api = quarterdeck.api();
    let request = json!({ "name": "wanted", "command": ["sleep", "1000"] });
    let replies: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..3).map(|_| scope.spawn(|| api.post("/api/sessions", &request))).collect();
        asking.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    let (made, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert_eq!(made.len(), 1);
    for reply in refused {
        reply.error(409, "NAME_TAKEN");
    }
    api.remove("wanted");
    bystander.check();
}
