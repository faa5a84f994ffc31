//! Services in few bytes: the state of 20,000 of them has to fit a payload.
//!
//! A service is a row of cells. A cell is empty where the value is the usual one, and otherwise leaves out what its begin
//! shares with the cell above: the first character says how many bytes, as `0` + n. Services are sorted by name and named
//! alike (`sidecar-polkadot-assethub-3`), so a row is about a third of its JSON. Rejected: compression, which hides the
//! state from people who read a payload, for another third.

use dixmgr_contract::plan::PlannedService;
use dixmgr_contract::spec::default_kind;
use dixmgr_contract::{NameError, ServiceName};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, btree_map::Entry};

const CELLS: usize = 6;
/// What one character from `0` on can say.
const SHARED: usize = 74;

type Row = Vec<String>;

/// Services by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Row>", into = "Vec<Row>")]
pub(super) struct Services(pub(super) BTreeMap<ServiceName, PlannedService>);

impl Services {
    /// Keeps the first of each name. The number of those left out.
    pub(super) fn merge(&mut self, services: impl IntoIterator<Item = PlannedService>) -> usize {
        let mut left_out = 0;
        for service in services {
            match self.0.entry(service.name.clone()) {
                Entry::Occupied(_) => left_out += 1,
                Entry::Vacant(place) => _ = place.insert(service),
            }
        }
        left_out
    }

    /// How many bytes they take when they are stored.
    pub(super) fn bytes(&self) -> usize {
        rows(&self.0).iter().map(|row| 3 + row.iter().map(|cell| json_bytes(cell)).sum::<usize>()).sum::<usize>() + 2
    }
}

/// How many bytes a text takes in JSON, with its quotes and a comma.
pub(super) fn json_bytes(text: &str) -> usize {
    let of = |c: char| match c {
        '"' | '\\' => 2,
        '\0'..='\x1f' => 6,
        c => c.len_utf8(),
    };
    text.chars().map(of).sum::<usize>() + 3
}

fn rows(services: &BTreeMap<ServiceName, PlannedService>) -> Vec<Row> {
    let mut above: [String; CELLS] = Default::default();
    services.values().map(|service| row(service, &mut above)).collect()
}

fn usual(name: &str) -> [String; CELLS] {
    let (unit, workflow) = (format!("{name}.service"), format!("wf.svc.{name}"));
    [String::new(), unit, workflow, default_kind(), String::new(), String::new()]
}

fn row(service: &PlannedService, above: &mut [String; CELLS]) -> Row {
    let after: Vec<_> = service.after.iter().map(ServiceName::as_str).collect();
    let values = [
        service.name.to_string(),
        service.unit.to_string(),
        service.workflow_id.clone(),
        service.kind.clone(),
        service.chain.clone(),
        after.join(","),
    ];
    let usual = usual(service.name.as_str());
    let cell =
        |index: usize| if values[index] == usual[index] { String::new() } else { fold(&above[index], &values[index]) };
    let mut row: Row = (0..CELLS).map(cell).collect();
    while row.last().is_some_and(String::is_empty) {
        row.pop();
    }
    *above = values;
    row
}

fn fold(above: &str, value: &str) -> String {
    let same = above.bytes().zip(value.bytes()).take(SHARED).take_while(|(a, b)| a == b).count();
    let shared = (0..=same).rev().find(|at| value.is_char_boundary(*at) && above.is_char_boundary(*at)).unwrap_or(0);
    let count = u8::try_from(shared).map_or('0', |shared| char::from(b'0' + shared));
    format!("{count}{}", &value[shared..])
}

fn unfold(above: &str, cell: &str) -> Option<String> {
    let shared = usize::from(cell.bytes().next()?.checked_sub(b'0')?);
    Some(format!("{}{}", above.get(..shared)?, cell.get(1..)?))
}

/// Why stored rows are none of ours.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowError {
    /// Not as [`fold`] writes it.
    #[error("a stored cell refers to more than the cell above holds")]
    Cell,
    /// A name that no host could have told.
    #[error("a stored name {0}")]
    Name(#[from] NameError),
}

impl TryFrom<Vec<Row>> for Services {
    type Error = RowError;

    fn try_from(rows: Vec<Row>) -> Result<Self, RowError> {
        let mut above: [String; CELLS] = Default::default();
        let mut services = BTreeMap::new();
        for row in rows {
            let at = |index: usize| row.get(index).map_or("", String::as_str);
            let name = unfold(&above[0], at(0)).ok_or(RowError::Cell)?;
            let mut values = usual(&name);
            values[0] = name;
            for index in (1..CELLS).filter(|index| !at(*index).is_empty()) {
                values[index] = unfold(&above[index], at(index)).ok_or(RowError::Cell)?;
            }
            above = values.clone();
            let service = service(values)?;
            services.insert(service.name.clone(), service);
        }
        Ok(Self(services))
    }
}

fn service([name, unit, workflow_id, kind, chain, after]: [String; CELLS]) -> Result<PlannedService, NameError> {
    let after = after.split(',').filter(|name| !name.is_empty()).map(ServiceName::new).collect::<Result<_, _>>()?;
    Ok(PlannedService { name: ServiceName::new(name)?, workflow_id, unit: unit.parse()?, kind, chain, after })
}

impl From<Services> for Vec<Row> {
    fn from(services: Services) -> Self {
        rows(&services.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn planned() -> impl Strategy<Value = PlannedService> {
        let name = "[a-c]{1,3}(-[a-c]{1,70})?";
        let after = proptest::collection::vec("[a-c]{1,3}", 0..3);
        (name, proptest::option::of("[a-c]{1,3}"), "[a-cäß\"\\\\\n]{0,4}", "[ab€]{0,3}", after).prop_map(
            |(name, other, kind, chain, after)| PlannedService {
                workflow_id: other.as_ref().map_or(format!("wf.svc.{name}"), |other| format!("wf.ß.{other}")),
                unit: format!("{}.service", other.as_ref().unwrap_or(&name)).parse().unwrap(),
                name: ServiceName::new(name).unwrap(),
                kind: if kind.len() == 1 { "service".into() } else { kind },
                chain,
                after: after.into_iter().map(|name| ServiceName::new(name).unwrap()).collect(),
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_stored_is_read_back_and_its_size_is_known(list in proptest::collection::vec(planned(), 0..30)) {
            let mut services = Services::default();
            services.merge(list);
            let json = serde_json::to_string(&services).unwrap();
            prop_assert_eq!(serde_json::from_str::<Services>(&json).unwrap(), services.clone());
            prop_assert!(json.len() <= services.bytes(), "{} of {}", json.len(), services.bytes());
        }

        #[test]
        fn no_row_panics(rows in proptest::collection::vec(proptest::collection::vec(".{0,4}", 0..8), 0..5)) {
            let _ = Services::try_from(rows);
        }
    }

    #[test]
    fn a_row_leaves_out_what_is_usual_and_what_is_above() {
        let list = [1, 2].map(|index| PlannedService {
            name: ServiceName::new(format!("sidecar-polkadot-assethub-{index}")).unwrap(),
            workflow_id: format!("wf.sidecar.polkadot.assethub.{index}"),
            unit: format!("sidecar@polkadot-assethub-{index}.service").parse().unwrap(),
            kind: "sidecar".into(),
            chain: "assethub".into(),
            after: vec![],
        });
        let mut services = Services::default();
        assert_eq!(services.merge(list.iter().cloned().chain(list.clone())), 2);
        assert_eq!(rows(&services.0)[1], ["J2", "J2.service", "M2", "7", "8"]);
    }
}
