//! The plan as people and machines see it.

use crate::good;
use dixmgr_model::plan::Plan;

#[test]
fn it_is_drawn_as_a_tree_in_start_order() {
    let config = good(
        "[parachains.polkadot.polkadot]\nsidecar_count = 1\n[parachains.polkadot.assethub]\nsidecar_count = 2\n\
         [services.db]\nunit = 'db.service'\nhost = 'alpha'\n\
         [services.api]\nunit = 'api.service'\nafter = ['db', 'dixfe']\nstart = false\ndependency = { mode = 'any' }",
    );
    assert_eq!(
        Plan::new(&config).to_string(),
        "\
x.toml: 12 services, 6 levels
db  service  db.service  on alpha
relay-node-polkadot  relay  relay-node-archive@polkadot.service
├─ para-node-polkadot-assethub  parachain  chain-node-archive@polkadot-assethub.service
│  ├─ sidecar-polkadot-assethub-0  sidecar  sidecar@polkadot-assethub-0.service
│  └─ sidecar-polkadot-assethub-1  sidecar  sidecar@polkadot-assethub-1.service
│     └─ dix-nginx  nginx  dix-nginx.service  after sidecar-polkadot-assethub-0, sidecar-polkadot-assethub-1, sidecar-polkadot-polkadot-0
│        ├─ dixbatch  app  dixbatch.service
│        ├─ dixcron  app  dixcron.service
│        ├─ dixfe  app  dixfe.service
│        │  └─ api  service  api.service  not started by us  after any of db, dixfe
│        └─ dixlive  app  dixlive.service
└─ sidecar-polkadot-polkadot-0  sidecar  sidecar@polkadot-polkadot-0.service
"
    );
}

#[test]
fn many_dependencies_are_counted() {
    let mut text = "[services.z]\nunit = 'z.service'\nafter = ['a', 'b', 'c', 'd', 'e', 'f']\n".to_owned();
    for name in ["a", "b", "c", "d", "e", "f"] {
        text += &format!("[services.{name}]\nunit = '{name}.service'\n");
    }
    let plan = Plan::new(&good(&text)).to_string();
    assert!(plan.ends_with("f  service  f.service\n└─ z  service  z.service  after a, b, c, d and 2 more\n"), "{plan}");
}

#[test]
fn it_is_data_for_machines() {
    let config = good("[services.a]\nunit = 'a.service'\n[services.b]\nunit = 'b.service'\nafter = ['a']");
    assert_eq!(
        serde_json::to_value(Plan::new(&config)).unwrap()["services"][1],
        serde_json::json!({
            "name": "b", "unit": "b.service", "kind": "service", "chain": "", "host": null, "workflow_id": "wf.svc.b",
            "level": 1, "after": ["a"], "dependency": {"mode": "all", "timeout": "24h", "on_timeout": "fail"},
            "start": true, "probes": [],
        })
    );
}
