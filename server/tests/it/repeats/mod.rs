//! Concurrent repetitions of each call that takes a `request_id`. Each repetition gets the answer of the first call.
//! Each call with other parameters is refused.

mod cases;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::uri::PathAndQuery;
use prost::Message;
use prost_types::{DescriptorProto, FileDescriptorSet};
use tokio_stream as stream;
use tonic::client::Grpc;
use tonic::{Code, Request, Status};
use vintedbot_domain::ids::Ids as _;
use vintedbot_domain::ids::SystemIds;

use crate::harness::{Connection, http, jpeg, reason};
use crate::postgres::Postgres;
use world::World;

/// Concurrent calls for each of two sets of parameters.
const CALLS: usize = 50;
/// The HTTP/2 connections that the calls share.
const CONNECTIONS: usize = 4;
/// Calls whose request id belongs to a later request, with the reason.
const ELSEWHERE: [(&str, &str); 2] = [
    (
        "MediaService/CreateUploadUrl",
        "it stores nothing; the request id belongs to the upload, which has its own test",
    ),
    (
        "AuthService/CreateInvitation",
        "only people may call it; `people::equal_invitations_create_and_mail_one` races it",
    ),
];

/// Makes one call. Returns the answer as text, without parts that differ between two reads of the same resource.
type Ready = Arc<dyn Fn(Connection) -> BoxFuture<'static, Result<String, Status>> + Send + Sync>;

/// A call that takes a `request_id`.
struct Case {
    /// `Service/Method`.
    method: String,
    /// Creates the prerequisites of the call and returns the call with the given id. Each number gives different
    /// parameters.
    make: for<'a> fn(&'a World, u8, String) -> BoxFuture<'a, Ready>,
}

fn ready<Q, A>(service: &str, answer: &str, messages: Vec<Q>) -> Ready
where
    Q: Message + Default + Clone + Send + Sync + 'static,
    A: Message + Default + Send + std::fmt::Debug + 'static,
{
    let path = format!("/vintedbot.v1.{}", method(service, answer));
    let path = PathAndQuery::try_from(path).expect("a path");
    Arc::new(move |connection| {
        let (path, messages) = (path.clone(), messages.clone());
        async move {
            let mut client = Grpc::new(connection);
            client
                .ready()
                .await
                .map_err(|error| Status::unavailable(error.to_string()))?;
            let codec = tonic_prost::ProstCodec::<Q, A>::default();
            // On the wire, a stream of one message equals a single message.
            let answer = client.client_streaming(Request::new(stream::iter(messages)), path, codec);
            Ok(plain(&format!("{:?}", answer.await?.into_inner())))
        }
        .boxed()
    })
}

/// Derives the name of a method from the name of its answer.
fn method(service: &str, answer: &str) -> String {
    format!(
        "{service}/{}",
        answer.strip_suffix("Response").expect("an answer")
    )
}

/// Removes what may differ between answers to the same call: signed addresses; secrets, which are shown once; whether a
/// photo existed; what a repetition of SetMode or ReplayDeliveries did itself; and the sequence, which the first answer
/// does not have yet.
fn plain(answer: &str) -> String {
    let mut plain = answer.to_owned();
    for (from, to) in [
        ("url: \"", "\""),
        ("url_expire_time: Some(", ")"),
        (" secret: \"", "\""),
        ("existing: ", ",}"),
        ("cancelled_publish_job_ids: [", "]"),
        ("replayed: ", ",}"),
        ("sequence: ", ",}"),
    ] {
        let mut rest = plain.as_str();
        let mut cut = String::new();
        while let Some((before, after)) = rest.split_once(from) {
            cut.push_str(before);
            let end = after.find(|c| to.contains(c)).unwrap_or(after.len());
            rest = &after[end..];
        }
        cut.push_str(rest);
        plain = cut;
    }
    plain
}

/// The outcomes of calls with one set of parameters.
#[derive(Debug, Default)]
struct Outcomes {
    answers: BTreeSet<String>,
    answered: usize,
    refused: usize,
    others: Vec<String>,
}

impl Outcomes {
    fn add(&mut self, result: Result<String, Status>) {
        match result {
            Ok(answer) => {
                self.answered += 1;
                self.answers.insert(answer);
            }
            Err(status) if status.code() == Code::AlreadyExists && reason(&status) == "REQUEST_ID_REUSED" => {
                self.refused += 1;
            }
            Err(status) => self
                .others
                .push(format!("{:?} {}", status.code(), status.message())),
        }
    }
}

/// Describes the fault in the answers to calls with two sets of parameters and one id. Correct: all calls of one
/// set get the same answer, and all calls of the other set are refused.
fn wrong(outcomes: &mut [Outcomes; 2]) -> Option<String> {
    outcomes.sort_by_key(|outcomes| outcomes.refused);
    let [first, second] = &*outcomes;
    let is_right = (first.answered, first.answers.len(), second.refused) == (CALLS, 1, CALLS);
    (!is_right).then(|| {
        let mut others: Vec<_> = first.others.iter().chain(&second.others).cloned().collect();
        others.sort();
        others.dedup();
        others.truncate(4);
        let some: Vec<_> = first.answers.iter().take(2).collect();
        format!(
            "{} answered in {} ways and {} refused; {} answered and {} refused; {others:?} {some:?}",
            first.answered,
            first.answers.len(),
            first.refused,
            second.answered,
            second.refused
        )
    })
}

async fn race(world: &World, case: &Case) -> Option<String> {
    let id = SystemIds.id();
    let calls = [
        (case.make)(world, 0, id.clone()).await,
        (case.make)(world, 1, id).await,
    ];
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(world.instance.connect().await);
    }
    let all = (0..2 * CALLS).map(|at| {
        let (call, connection) = (Arc::clone(&calls[at % 2]), connections[at % CONNECTIONS].clone());
        tokio::spawn(async move { (at % 2, call(connection).await) })
    });
    let mut outcomes = [Outcomes::default(), Outcomes::default()];
    for finished in futures::future::join_all(all).await {
        let (of, result) = finished.expect("does not panic");
        outcomes[of].add(result);
    }
    wrong(&mut outcomes)
}

async fn every_call(world: World) {
    let mut found = Vec::new();
    for case in cases::all() {
        if let Some(wrong) = race(&world, &case).await {
            found.push(format!("{}: {wrong}", case.method));
        }
    }
    if let Some(wrong) = uploads(&world).await {
        found.push(format!("PUT: {wrong}"));
    }
    world.stop().await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Does the same with uploads to signed addresses.
async fn uploads(world: &World) -> Option<String> {
    let id = SystemIds.id();
    let urls = [world.upload_url(&id).await, world.upload_url(&id).await];
    let client = http();
    let all = (0..2 * CALLS).map(|at| {
        let sent = client
            .put(urls[at % 2].as_str())
            .body(jpeg(u8::try_from(at % 2).expect("small") + 90))
            .send();
        async move {
            let answer = sent.await.expect("an answer");
            let status = answer.status().as_u16();
            let body: serde_json::Value = answer.json().await.expect("JSON");
            let result = match status {
                200 => Ok(body["photo"]["id"].to_string()),
                409 if body["reason"] == "ERROR_REASON_REQUEST_ID_REUSED" => Err(None),
                other => Err(Some(format!("{other} {body}"))),
            };
            (at % 2, result)
        }
    });
    let mut outcomes = [Outcomes::default(), Outcomes::default()];
    for (of, result) in futures::future::join_all(all).await {
        let outcomes = &mut outcomes[of];
        match result {
            Ok(id) => outcomes.add(Ok(id)),
            Err(None) => outcomes.refused += 1,
            Err(Some(other)) => outcomes.others.push(other),
        }
    }
    wrong(&mut outcomes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_calls_at_once_get_one_answer_on_sqlite() {
    every_call(World::new(None).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_calls_at_once_get_one_answer_on_postgresql() {
    let server = Postgres::start().await.expect("starts");
    every_call(World::new(Some(&server.url())).await).await;
    server.stop().await.expect("stops");
}

#[test]
fn every_call_with_a_request_id_has_a_race_case() {
    let descriptors = FileDescriptorSet::decode(vintedbot_proto::FILE_DESCRIPTOR_SET).expect("descriptors");
    let files: Vec<_> = descriptors
        .file
        .iter()
        .filter(|file| file.package() == "vintedbot.v1")
        .collect();
    let messages: Vec<&DescriptorProto> = files.iter().flat_map(|file| &file.message_type).collect();
    let takes = |name: &str| {
        let name = name.rsplit('.').next().expect("a name");
        let message = messages.iter().find(|message| message.name() == name);
        message.is_some_and(|message| takes_request_id(message))
    };
    let methods = files.iter().flat_map(|file| &file.service).flat_map(|service| {
        let all = service.method.iter().filter(|method| takes(method.input_type()));
        all.map(|method| format!("{}/{}", service.name(), method.name()))
    });
    let elsewhere = ELSEWHERE.iter().map(|(method, _)| (*method).to_owned());
    let raced: BTreeSet<_> = cases::all()
        .into_iter()
        .map(|case| case.method)
        .chain(elsewhere)
        .collect();
    assert_eq!(methods.collect::<BTreeSet<_>>(), raced);
}

/// Whether a message or a message inside it has the field.
fn takes_request_id(message: &DescriptorProto) -> bool {
    message.field.iter().any(|field| field.name() == "request_id")
        || message.nested_type.iter().any(takes_request_id)
}
