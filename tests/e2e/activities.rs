//! The activities of a host, called by name from somebody else's workflow.

// The macros generate undocumented constants beside each handler.
#![allow(missing_docs)]

use super::{API, SLEEP, WF_API, api_runs, file, set};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Host, Launch, Sandbox, Temporal, TemporalServer, in_sandbox, wait_until};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::time::Duration;
use temporalio_client::{WorkflowGetResultOptions, WorkflowStartOptions};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use temporalio_workflow::common::ActivityDefinition;
use temporalio_workflow::common::data_converters::MultiArgs2;
use temporalio_workflow::common::error::IncomingError;
use temporalio_workflow::{ActivityOptions, RetryPolicy, WorkflowContext, WorkflowResult, workflow, workflow_methods};

/// An activity that is known by its name alone, with one positional argument.
struct Named(String);
/// With two.
struct NamedWithTwo(String);

impl ActivityDefinition for NamedWithTwo {
    type Input = MultiArgs2<Value, Value>;
    type Output = Value;

    fn name(&self) -> &str {
        &self.0
    }
}

impl ActivityDefinition for Named {
    type Input = Value;
    type Output = Value;

    fn name(&self) -> &str {
        &self.0
    }
}

/// Somebody's workflow: `[activity, argument]`, an array being two arguments; the answer is `{"ok":…}` or `{"error":type,"message":…}`.
#[workflow]
#[derive(Default)]
struct Somebodys;

#[workflow_methods]
impl Somebodys {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, call: (String, Value)) -> WorkflowResult<Value> {
        let options = ActivityOptions::with_start_to_close_timeout(Duration::from_secs(60))
            .task_queue("dotidx-watcher@alpha".to_owned())
            .retry_policy(RetryPolicy::builder().maximum_attempts(1).build())
            .build();
        let called = match call.1 {
            Value::Array(two) if two.len() == 2 => {
                let two = MultiArgs2(two[0].clone(), two[1].clone());
                ctx.execute_activity(NamedWithTwo(call.0), two, options).await
            }
            one => ctx.execute_activity(Named(call.0), one, options).await,
        };
        Ok(match called {
            Ok(answer) => json!({ "ok": answer }),
            Err(error) => match error.cause() {
                Some(IncomingError::Application(failure)) => {
                    json!({ "error": failure.type_name(), "message": failure.to_string() })
                }
                _ => json!({ "error": error.to_string() }),
            },
        })
    }
}

/// Calls activities on the host, one after the other, and gives their answers.
pub(super) fn call(temporal: &Temporal, calls: &[(&str, Value)]) -> Vec<Value> {
    let client = temporal.client().clone();
    let calls: Vec<_> = calls.iter().map(|(activity, argument)| ((*activity).to_owned(), argument.clone())).collect();
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio.block_on(async move {
        let runtime = Runtime::from_current_tokio(Default::default()).unwrap();
        let options = WorkerOptions::new("somebodys").register_workflow::<Somebodys>().unwrap().build();
        let mut worker = Worker::new(&runtime, client.clone(), options).unwrap();
        let stop = worker.shutdown_handle();
        let questions = async {
            let mut answers = Vec::new();
            for (index, call) in calls.into_iter().enumerate() {
                let options = WorkflowStartOptions::new("somebodys", format!("call-{index}")).build();
                let handle = client.start_workflow(Somebodys::run, call, options).await.unwrap();
                answers.push(handle.get_result(WorkflowGetResultOptions::default()).await.unwrap());
            }
            stop();
            answers
        };
        let (ran, answers) = tokio::join!(worker.run(), questions);
        ran.unwrap();
        answers
    })
}

#[test]
fn activities_are_called_by_name_from_any_workflow() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        host.install([("other.service", SLEEP)]);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, API).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        // Paused, so that the workflow of the service lets them work.
        temporal.cli(&["workflow", "update", "execute", "--workflow-id", WF_API, "--name", "pause"]);
        let before = host.invocation("api");
        let api = || json!("api.service");
        let mut answers = call(
            &temporal,
            &[
                ("CheckSystemdServiceActivity", api()),
                ("CheckResourceUsageActivity", api()),
                ("RestartSystemdServiceActivity", api()),
                ("StopSystemdServiceActivity", api()),
                ("CheckSystemdServiceActivity", api()),
                ("StartSystemdServiceActivity", api()),
            ],
        );
        let usage = answers.remove(1)["ok"].take();
        assert!(usage["MemoryBytes"].as_u64().is_some_and(|bytes| bytes > 0), "{usage}");
        assert!(usage["CPUPercent"].is_number() && usage["Timestamp"].is_string(), "{usage}");
        let done = json!({ "ok": null });
        let running = json!({"IsActive": true, "ActiveState": "active", "SubState": "running", "LoadState": "loaded"});
        let dead = json!({"IsActive": false, "ActiveState": "inactive", "SubState": "dead", "LoadState": "loaded"});
        let expected = [json!({ "ok": running }), done.clone(), done.clone(), json!({ "ok": dead }), done];
        assert_eq!(answers, expected);
        assert!(host.is_running("api") && host.invocation("api") != before);
    });
}

#[test]
fn a_unit_that_the_host_does_not_name_is_refused() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        host.install([("other.service", SLEEP)]);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, API).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let answers = call(
            &temporal,
            &[
                ("StartSystemdServiceActivity", json!("other.service")),
                ("CheckSystemdServiceActivity", json!("other.service")),
                ("StopSystemdServiceActivity", json!("../api.service")),
                ("StopSystemdServiceActivity", json!({"unit": "api.service"})),
                ("StopSystemdServiceActivity", json!("api.service; reboot")),
            ],
        );
        let errors: Vec<_> = answers.iter().map(|answer| answer["error"].as_str().unwrap_or_default()).collect();
        assert_eq!(errors, ["NotAllowed", "NotAllowed", "BadInput", "BadInput", "BadInput"], "{answers:?}");
        assert!(!host.is_running("other") && host.is_running("api"));
    });
}

#[test]
fn a_node_is_asked_whether_it_is_in_sync() {
    in_sandbox(Sandbox::UserManager, |host| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/node.py");
        let node = format!("ExecStart=python3 {script} 9944 {}", file("syncs").display());
        host.install([("node.service", node.as_str())]);
        set("syncs", true);
        let server = TemporalServer::start();
        let probe = "probes.sync = { rpc = \"http://localhost:9944\" }";
        let _dixmgr = Launch::exec(host, &format!("[services.node]\nunit = \"node.service\"\n{probe}\n")).start();
        let temporal = server.connect();
        // Before it listens it is degraded too.
        wait_until("the node listens", || TcpStream::connect("127.0.0.1:9944").is_ok());
        temporal.wait_phase("wf.svc.node", PhaseName::Degraded);
        let check = "CheckNodeSyncActivity";
        let syncs = call(&temporal, &[(check, json!(["", 9944])), (check, json!(["http://localhost:9944", 0]))]);
        assert_eq!(syncs, [json!({ "ok": false }), json!({ "ok": false })]);
        set("syncs", false);
        temporal.wait_phase("wf.svc.node", PhaseName::Healthy);
        let asked = [(check, json!(["", 9944])), (check, json!(["", 9945])), (check, json!(["http://10.1.2.3", 9944]))];
        let answers = call(&temporal, &asked);
        assert_eq!(answers[0], json!({ "ok": true }));
        assert_eq!((&answers[1]["error"], &answers[2]["error"]), (&json!("NotAllowed"), &json!("NotAllowed")));
    });
}

/// `api` says at port 8080 whether it is well.
pub(super) fn serves_health(host: &Host) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/health.py");
    let web = format!("ExecStart=python3 {script} 8080 {}", file("sick").display());
    host.install([("api.service", web.as_str())]);
}

#[test]
fn endpoints_are_checked_by_name_if_a_probe_names_them() {
    in_sandbox(Sandbox::UserManager, |host| {
        serves_health(host);
        let server = TemporalServer::start();
        let url = "http://127.0.0.1:8080/health";
        let _dixmgr = Launch::exec(host, &format!("{API}\nprobes.http = {{ url = \"{url}\" }}\n")).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let (check, simple) = ("CheckHTTPEndpointActivity", "CheckHTTPEndpointSimpleActivity");
        // As a workflow in Go writes it.
        let go = json!({"URL": url, "Method": "GET", "Headers": null, "ExpectedStatus": 0, "Timeout": 2_000_000_000, "ResponseContains": "", "JSONPath": "status"});
        let answers = call(&temporal, &[(check, go.clone()), (simple, json!(url))]);
        let well = &answers[0]["ok"];
        assert_eq!((&well["Healthy"], &well["StatusCode"], &well["Error"]), (&json!(true), &json!(200), &json!("")));
        assert_eq!(well["ResponseBody"], "{\"status\": \"ok\"}");
        assert!(well["ResponseTime"].as_i64().is_some_and(|nanos| nanos > 0), "{well}");
        assert_eq!(answers[1], json!({ "ok": true }));
        set("sick", true);
        let asked = [
            (check, go),
            (simple, json!(url)),
            (simple, json!("http://127.0.0.1:8080/other")),
            (check, json!({"URL": url, "Method": "DELETE"})),
            (check, json!({"URL": "ftp://127.0.0.1"})),
        ];
        let answers = call(&temporal, &asked);
        let ill = &answers[0]["ok"];
        assert_eq!((&ill["Healthy"], &ill["StatusCode"]), (&json!(false), &json!(503)));
        assert_eq!(answers[1], json!({ "ok": false }));
        let errors: Vec<_> = answers[2..].iter().map(|answer| answer["error"].as_str().unwrap_or_default()).collect();
        assert_eq!(errors, ["NotAllowed", "NotAllowed", "BadInput"], "{answers:?}");
    });
}
