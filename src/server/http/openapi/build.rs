//! How the document is put together.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// One route, as the document has it.
pub struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    id: &'static str,
    summary: &'static str,
    is_open: bool,
    query: Option<Schema>,
    body: Option<(&'static str, Value)>,
    needs_body: bool,
    answers: BTreeMap<u16, Value>,
    errors: BTreeMap<u16, Vec<&'static str>>,
}

/// Errors that any request can get.
const ALWAYS: [(u16, &[&str]); 6] = [
    (403, &["HOST_NOT_ALLOWED", "ORIGIN_NOT_ALLOWED"]),
    (408, &["REQUEST_TIMEOUT"]),
    (414, &["URI_TOO_LONG"]),
    (429, &["RATE_LIMITED"]),
    (431, &["HEADERS_TOO_LARGE"]),
    (503, &["TOO_MANY_CONNECTIONS"]),
];

/// Errors of routes that ask for a token.
const GUARDED: [(u16, &[&str]); 3] = [(401, &["UNAUTHORIZED"]), (403, &["FORBIDDEN"]), (429, &["TOO_MANY_ATTEMPTS"])];

/// A document under construction.
pub struct Document {
    schemas: SchemaGenerator,
    pub operations: Vec<Operation>,
}

impl Document {
    pub fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self { schemas: settings.into_generator(), operations: Vec::new() }
    }

    /// A route, and what it does.
    pub fn operation(
        &mut self,
        (method, path): (&'static str, &'static str),
        id: &'static str,
        summary: &'static str,
    ) -> Described<'_> {
        let mut errors: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
        for (status, codes) in ALWAYS.iter().chain(&GUARDED) {
            errors.entry(*status).or_default().extend(*codes);
        }
        if path.contains("{id}") {
            errors.insert(400, vec!["INVALID_REQUEST"]);
            errors.insert(404, vec!["NOT_FOUND"]);
        }
        self.operations.push(Operation {
            method,
            path,
            id,
            summary,
            is_open: false,
            query: None,
            body: None,
            needs_body: false,
            answers: BTreeMap::new(),
            errors,
        });
        Described { at: self.operations.len() - 1, document: self }
    }

    /// The whole.
    pub fn finish(mut self) -> Value {
        let error = self.schemas.subschema_for::<crate::server::http::error::WholeError<'_>>();
        let (mut paths, mut shared): (Map<String, Value>, Shared) = Default::default();
        for operation in &self.operations {
            let path = paths.entry(operation.path).or_insert_with(|| json!({}));
            path[operation.method.to_lowercase()] = operation.to_json(&error, &mut shared);
        }
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "quarterdeck",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "PTY sessions of one container. Beside this API there is a WebSocket: docs/protocol.md.",
                "license": { "name": "Apache-2.0 OR MIT" },
            },
            "servers": [{ "url": "/" }],
            "security": [{ "bearerAuth": [] }, { "cookieAuth": [] }],
            "paths": paths,
            "components": {
                "schemas": self.schemas.take_definitions(true),
                "responses": shared.0.iter().cloned().collect::<Map<_, _>>(),
                "securitySchemes": {
                    "bearerAuth": { "type": "http", "scheme": "bearer" },
                    "cookieAuth": {
                        "type": "apiKey",
                        "in": "cookie",
                        "name": "quarterdeck_3000",
                        "description": "Set by POST /api/login; its name ends in the port of the address in use.",
                    },
                },
            },
        })
    }
}

/// The operation that was added last.
pub struct Described<'d> {
    document: &'d mut Document,
    at: usize,
}

impl Described<'_> {
    fn operation(&mut self) -> &mut Operation {
        &mut self.document.operations[self.at]
    }

    /// No token is asked for.
    pub fn open(mut self) -> Self {
        let operation = self.operation();
        operation.is_open = true;
        operation.errors.remove(&401);
        operation.errors.insert(403, vec!["HOST_NOT_ALLOWED", "ORIGIN_NOT_ALLOWED"]);
        operation.errors.insert(429, vec!["RATE_LIMITED"]);
        self
    }

    /// Takes these fields in its query.
    pub fn query<T: JsonSchema>(mut self) -> Self {
        let schema = self.document.schemas.root_schema_for::<T>();
        self.operation().query = Some(schema);
        self.error(400, &["INVALID_REQUEST"])
    }

    /// Takes a JSON body.
    pub fn json<T: JsonSchema>(mut self) -> Self {
        let whole = self.document.schemas.root_schema_for::<T>();
        let schema = self.document.schemas.subschema_for::<T>();
        // No body counts as an object without fields.
        self.operation().needs_body = whole.get("required").is_some();
        self.operation().body = Some(("application/json", json!(schema)));
        self.takes_body()
    }

    /// Takes a body of raw bytes.
    pub fn bytes(mut self) -> Self {
        self.operation().body = Some(("application/octet-stream", json!({})));
        self.takes_body()
    }

    fn takes_body(self) -> Self {
        self.error(400, &["INVALID_REQUEST"]).error(413, &["PAYLOAD_TOO_LARGE"]).error(415, &["UNSUPPORTED_MEDIA_TYPE"])
    }

    /// Answers with this object.
    pub fn answers<T: JsonSchema>(self, status: u16, what: &str) -> Self {
        let schema = self.document.schemas.subschema_for::<T>();
        self.content(status, what, "application/json", &json!(schema), json!({}))
    }

    /// Answers with something else than JSON.
    pub fn content(mut self, status: u16, what: &str, kind: &str, schema: &Value, headers: Value) -> Self {
        let mut answer = json!({ "description": what, "content": { kind: { "schema": schema } } });
        if headers.as_object().is_some_and(|headers| !headers.is_empty()) {
            answer["headers"] = headers;
        }
        self.operation().answers.insert(status, answer);
        self
    }

    /// Answers that with these fields in its head.
    pub fn headers(mut self, status: u16, headers: Value) -> Self {
        if let Some(answer) = self.operation().answers.get_mut(&status) {
            answer["headers"] = headers;
        }
        self
    }

    /// Answers an error with one of these codes.
    pub fn error(mut self, status: u16, codes: &[&'static str]) -> Self {
        let all = self.operation().errors.entry(status).or_default();
        for code in codes {
            if !all.contains(code) {
                all.push(code);
            }
        }
        self
    }
}

impl Operation {
    fn to_json(&self, error: &Schema, shared: &mut Shared) -> Value {
        let mut operation = json!({ "operationId": self.id, "summary": self.summary });
        if self.is_open {
            operation["security"] = json!([]);
        }
        let parameters = self.parameters();
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some((kind, schema)) = &self.body {
            operation["requestBody"] =
                json!({ "required": self.needs_body, "content": { *kind: { "schema": schema } } });
        }
        let mut answers: Map<String, Value> =
            self.answers.iter().map(|(status, answer)| (status.to_string(), answer.clone())).collect();
        for (status, codes) in &self.errors {
            let mut schema = json!(error);
            schema["properties"] = json!({ "code": { "enum": codes } });
            let key = status.to_string();
            let mut answer = answers.remove(&key).unwrap_or_else(|| json!({ "description": codes.join(", ") }));
            let own = answer.pointer_mut("/content/application~1json/schema").map(Value::take);
            let schema = match own {
                // One status for an answer of its own and for errors.
                Some(own) => json!({ "anyOf": [own, schema] }),
                None => schema,
            };
            answer["content"] = json!({ "application/json": { "schema": schema } });
            add_headers(*status, &mut answer);
            answers.insert(key, shared.refer(*status, answer));
        }
        operation["responses"] = answers.into();
        operation
    }

    fn parameters(&self) -> Vec<Value> {
        let mut parameters = Vec::new();
        if self.path.contains("{id}") {
            let what = if self.path.contains("/tokens/") { "Its id" } else { "Its id or its name" };
            let schema = json!({ "type": "string", "minLength": 1 });
            parameters
                .push(json!({ "name": "id", "in": "path", "required": true, "description": what, "schema": schema }));
        }
        let fields = self.query.as_ref().and_then(|query| query.get("properties")?.as_object());
        for (name, schema) in fields.into_iter().flatten() {
            let mut schema = schema.clone();
            // What is not there is not null either.
            if let Some(kinds) = schema["type"].as_array() {
                schema["type"] = kinds[0].clone();
            }
            match schema["format"].as_str() {
                Some("uint32") => schema["maximum"] = u32::MAX.into(),
                Some("uint64") => schema["maximum"] = u64::MAX.into(),
                _ => {}
            }
            parameters.push(json!({ "name": name, "in": "query", "schema": schema }));
        }
        parameters
    }
}

/// Answers that several operations have.
#[derive(Default)]
struct Shared(Vec<(String, Value)>);

impl Shared {
    fn refer(&mut self, status: u16, answer: Value) -> Value {
        let known = self.0.iter().find(|(_, other)| *other == answer).map(|(name, _)| name.clone());
        let name = known.unwrap_or_else(|| {
            let prefix = format!("Error{status}");
            let same = self.0.iter().filter(|(name, _)| name.starts_with(&prefix)).count();
            let name = format!("{prefix}.{}", same + 1);
            self.0.push((name.clone(), answer));
            name
        });
        json!({ "$ref": format!("#/components/responses/{name}") })
    }
}

/// What stands in the head of an error.
fn add_headers(status: u16, answer: &mut Value) {
    let text = |what: &str| json!({ "description": what, "schema": { "type": "string" } });
    let number = |what: &str| json!({ "description": what, "schema": { "type": "integer", "minimum": 0 } });
    match status {
        401 => answer["headers"]["WWW-Authenticate"] = text("Bearer"),
        416 => {
            answer["headers"]["Quarterdeck-Next-Offset"] = number("Where the output ends");
            answer["headers"]["Quarterdeck-Oldest-Offset"] = number("The oldest byte that is kept");
        }
        429 | 503 => answer["headers"]["Retry-After"] = number("Seconds to wait"),
        _ => {}
    }
}
