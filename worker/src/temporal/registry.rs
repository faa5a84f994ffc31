//! What this host tells the fleet of itself: its slice of the plan, and the clusters that it knows.
//!
//! Both are told whole with each session, and told again they change nothing. Supervision does not wait for it.

use super::SessionError;
use super::connect::Endpoint;
use dixmgr_contract::HostName;
use dixmgr_contract::cluster::{ClusterSpec, workflow_id};
use dixmgr_contract::id::{MEMO_MARK, TASK_TIMEOUT};
use dixmgr_contract::plan::{INFRASTRUCTURE_ID, PART_SERVICES, PlanPart, PlannedService};
use dixmgr_flows::{ClusterInput, ClusterWorkflow, InfrastructureInput, InfrastructureWorkflow};
use std::hash::{DefaultHasher, Hash, Hasher};
use temporalio_client::{Client, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowStartOptions};
use temporalio_common::MemoValues;

/// What is told.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) host: HostName,
    pub(crate) services: Vec<PlannedService>,
    /// With the workflow ids of members that are not the usual ones.
    pub(crate) clusters: Vec<ClusterSpec>,
}

impl Slice {
    /// Tells it.
    ///
    /// # Errors
    /// Temporal did not take it.
    pub(super) async fn tell(&self, client: &Client, endpoint: &Endpoint) -> Result<(), SessionError> {
        let unreachable = |error: &dyn std::fmt::Display| SessionError::Unreachable(error.to_string());
        for part in self.parts() {
            let told = client.signal_with_start_workflow(
                InfrastructureWorkflow::run,
                InfrastructureInput::default().into(),
                InfrastructureWorkflow::apply_plan,
                part.into(),
                options(endpoint, INFRASTRUCTURE_ID.to_owned(), "the registry of the fleet".to_owned()),
            );
            told.await.map_err(|error| unreachable(&error))?;
        }
        for spec in &self.clusters {
            let told = client.signal_with_start_workflow(
                ClusterWorkflow::run,
                ClusterInput { spec: spec.clone(), state: None }.into(),
                ClusterWorkflow::configure,
                spec.clone().into(),
                options(endpoint, workflow_id(&spec.name), format!("cluster {}", spec.name)),
            );
            told.await.map_err(|error| unreachable(&error))?;
        }
        Ok(())
    }

    fn parts(&self) -> Vec<PlanPart> {
        let mut hasher = DefaultHasher::new();
        serde_json::to_string(&self.services).unwrap_or_default().hash(&mut hasher);
        let generation = format!("{:016x}", hasher.finish());
        let mut chunks: Vec<_> = self.services.chunks(PART_SERVICES).map(<[_]>::to_vec).collect();
        if chunks.is_empty() {
            // A host that supervises nothing any more says so.
            chunks.push(Vec::new());
        }
        let parts = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        let part = |(part, services)| PlanPart {
            host: self.host.clone(),
            generation: generation.clone(),
            part,
            parts,
            services,
            clusters: if part == 0 {
                self.clusters.iter().map(|one| one.name.to_string()).collect()
            } else {
                Vec::new()
            },
        };
        (0..).zip(chunks).map(part).collect()
    }
}

fn options(endpoint: &Endpoint, id: String, summary: String) -> WorkflowStartOptions {
    let mut memo = MemoValues::new();
    memo.insert(MEMO_MARK, env!("CARGO_PKG_VERSION").to_owned());
    WorkflowStartOptions::new(endpoint.task_queue.clone(), format!("{}{id}", endpoint.prefix))
        .task_timeout(TASK_TIMEOUT)
        .id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicate)
        .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting)
        .memo(memo)
        .static_summary(summary)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_travels_in_parts_of_one_generation() {
        let service = |number: usize| PlannedService {
            name: format!("s{number}").parse().unwrap(),
            workflow_id: format!("wf.svc.s{number}"),
            unit: format!("s{number}.service").parse().unwrap(),
            kind: "service".into(),
            chain: String::new(),
            after: vec![],
        };
        let slice = |count: usize| Slice {
            host: "alpha".parse().unwrap(),
            services: (0..count).map(service).collect(),
            clusters: vec![],
        };
        let parts = slice(1001).parts();
        assert_eq!(
            parts.iter().map(|part| (part.part, part.parts, part.services.len())).collect::<Vec<_>>(),
            [(0, 3, 500), (1, 3, 500), (2, 3, 1)]
        );
        assert!(parts.iter().all(|part| part.generation == parts[0].generation && part.objection().is_none()));
        assert_ne!(slice(2).parts()[0].generation, slice(3).parts()[0].generation);
        assert_eq!(slice(0).parts().len(), 1);
    }
}
