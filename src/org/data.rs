//! The org's data: as much of it as clients ask for when they try a token, and records that can be created, so
//! that a call that was lost or doubled can be seen.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::Org;
use super::registry::org_id;
use super::resource::RestError;
use super::store::{RECORDS, Record, State};
use crate::oauth::salesforce::id18;

/// Calls within 24 hours that an org is told it has.
pub(super) const DAILY_CALLS: u64 = 15_000;

const FIRST_VERSION: u32 = 20;
const LAST_VERSION: u32 = 68;

/// An object, the prefix of its ids, and its fields after `Id`; the first of them is required.
struct Object {
    name: &'static str,
    prefix: &'static str,
    creatable: bool,
    fields: &'static [&'static str],
}

const OBJECTS: &[Object] = &[
    Object { name: "Account", prefix: "001", creatable: true, fields: &["Name", "Type", "Phone", "Website"] },
    Object { name: "Contact", prefix: "003", creatable: true, fields: &["LastName", "FirstName", "Email"] },
    Object { name: "Lead", prefix: "00Q", creatable: true, fields: &["LastName", "Company", "Email"] },
    Object {
        name: "Organization",
        prefix: "00D",
        creatable: false,
        fields: &["Name", "IsSandbox", "InstanceName"],
    },
    Object {
        name: "User",
        prefix: "005",
        creatable: false,
        fields: &["Username", "Name", "FirstName", "LastName", "Email", "IsActive"],
    },
];

/// Whether a path names a version that is served.
pub(super) fn is_version(text: &str) -> bool {
    let number = text.strip_prefix('v').and_then(|rest| rest.strip_suffix(".0"));
    number.is_some_and(|n| {
        n.len() == 2 && n.parse::<u32>().is_ok_and(|n| (FIRST_VERSION..=LAST_VERSION).contains(&n))
    })
}

/// The number of the newest version.
pub(super) fn latest() -> String {
    format!("{LAST_VERSION}.0")
}

/// Every version, ascending; three releases a year since Winter '11.
pub(super) fn versions() -> Value {
    let one = |n: u32| {
        let (year, season) = (
            11 + (n - FIRST_VERSION) / 3,
            ["Winter", "Spring", "Summer"][((n - FIRST_VERSION) % 3) as usize],
        );
        json!({ "label": format!("{season} '{year}"), "url": format!("/services/data/v{n}.0"), "version": format!("{n}.0") })
    };
    (FIRST_VERSION..=LAST_VERSION).map(one).collect()
}

/// The resources of a version.
pub(super) fn root(version: &str) -> Value {
    let url = |name: &str| format!("/services/data/{version}/{name}");
    json!({ "sobjects": url("sobjects"), "query": url("query"), "limits": url("limits") })
}

pub(super) fn limits(calls: u64) -> Value {
    json!({
        "DailyApiRequests": { "Max": DAILY_CALLS, "Remaining": DAILY_CALLS.saturating_sub(calls) },
        "DataStorageMB": { "Max": 5, "Remaining": 5 },
        "FileStorageMB": { "Max": 20, "Remaining": 20 },
    })
}

/// The name of an object, whatever its case.
pub(super) fn object(name: &str) -> Option<&'static str> {
    row(name).map(|object| object.name)
}

/// The name of an object of which records can be created.
pub(super) fn creatable(name: &str) -> Option<&'static str> {
    row(name).filter(|object| object.creatable).map(|object| object.name)
}

fn row(name: &str) -> Option<&'static Object> {
    OBJECTS.iter().find(|object| object.name.eq_ignore_ascii_case(name))
}

/// The fields of a record to create.
pub(super) fn fields(object: &str, body: &[u8]) -> Result<Map<String, Value>, RestError> {
    let bad = |code, message: String| RestError::new(StatusCode::BAD_REQUEST, code, message);
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return Err(bad("JSON_PARSER_ERROR", "The body is not a JSON object".to_owned()));
    };
    let Some(known) = row(object) else { return Err(bad("INVALID_TYPE", String::new())) };
    let required = known.fields[0];
    if fields.get(required).and_then(Value::as_str).is_none_or(str::is_empty) {
        let mut error = bad("REQUIRED_FIELD_MISSING", format!("Required fields are missing: [{required}]"));
        error.fields = vec![required.to_owned()];
        return Err(error);
    }
    Ok(fields)
}

/// Creates a record; none where there are too many.
pub(super) fn create(state: &mut State, object: &'static str, fields: Map<String, Value>) -> Option<String> {
    if state.records.len() >= RECORDS {
        return None;
    }
    let id = id18(&format!("{}xx{:010}", row(object)?.prefix, state.number() + 1));
    state.records.insert(id.clone(), Record { object: object.to_owned(), fields });
    Some(id)
}

/// `sobjects`: what there is.
pub(super) fn objects(version: &str) -> Value {
    let list: Vec<Value> = OBJECTS.iter().map(|object| brief(version, object)).collect();
    json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": list })
}

fn brief(version: &str, object: &Object) -> Value {
    let url = format!("/services/data/{version}/sobjects/{}", object.name);
    json!({
        "name": object.name,
        "label": object.name,
        "keyPrefix": object.prefix,
        "createable": object.creatable,
        "queryable": true,
        "urls": { "sobject": url, "describe": format!("{url}/describe"), "rowTemplate": format!("{url}/{{ID}}") },
    })
}

/// `sobjects/X`: what it is, and its last records.
pub(super) fn about(org: &Org, version: &str, object: &str) -> Value {
    let described = row(object).map(|object| brief(version, object));
    let mut recent: Vec<Value> = all(org, object).into_iter().map(|r| shaped(version, object, &r)).collect();
    recent.reverse();
    recent.truncate(5);
    json!({ "objectDescribe": described, "recentItems": recent })
}

pub(super) fn describe(version: &str, name: &str) -> Value {
    let Some(object) = row(name) else { return Value::Null };
    let mut described = brief(version, object);
    let fields: Vec<Value> = std::iter::once(&"Id")
        .chain(object.fields)
        .map(|field| json!({ "name": field, "label": field, "type": if *field == "Id" { "id" } else { "string" } }))
        .collect();
    described["fields"] = fields.into();
    described
}

/// One record by its id of 15 or 18 characters.
pub(super) fn record(org: &Org, version: &str, object: &str, id: &str) -> Option<Value> {
    let is = |record: &Map<String, Value>| {
        let known = record.get("Id").and_then(Value::as_str).unwrap_or("");
        known == id || known.get(..15) == Some(id)
    };
    all(org, object).into_iter().find(is).map(|record| shaped(version, object, &record))
}

/// Every record of an object, with `Id`: those that are there from the start, and those that were created.
fn all(org: &Org, object: &str) -> Vec<Map<String, Value>> {
    let seeded: Vec<Value> = match object {
        "Account" => vec![json!({ "Id": id18("001xx0000000001"), "Name": "Acme", "Type": "Customer" })],
        "Organization" => {
            vec![json!({ "Id": org_id(), "Name": "Acme", "IsSandbox": false, "InstanceName": "GC1", "TrialExpirationDate": null })]
        }
        "User" => org
            .registry
            .users()
            .iter()
            .map(|user| {
                json!({ "Id": user.id, "Username": user.user.username, "Name": user.name(), "FirstName": user.first_name,
                    "LastName": "User", "Email": user.user.username, "IsActive": !user.user.inactive })
            })
            .collect(),
        _ => Vec::new(),
    };
    let mut records: Vec<Map<String, Value>> = seeded
        .into_iter()
        .filter_map(|record| match record {
            Value::Object(fields) => Some(fields),
            _ => None,
        })
        .collect();
    let state = org.store.lock();
    records.extend(state.records.iter().filter(|(_, record)| record.object == object).map(|(id, record)| {
        let mut fields = Map::from_iter([("Id".to_owned(), Value::from(id.as_str()))]);
        fields.extend(record.fields.clone());
        fields
    }));
    records
}

/// A record as it is answered: where it is first, then its fields.
fn shaped(version: &str, object: &str, record: &Map<String, Value>) -> Value {
    let id = record.get("Id").and_then(Value::as_str).unwrap_or("");
    let url = format!("/services/data/{version}/sobjects/{object}/{id}");
    let mut out = Map::from_iter([("attributes".to_owned(), json!({ "type": object, "url": url }))]);
    out.extend(record.clone());
    Value::Object(out)
}

/// `SELECT fields FROM object [WHERE field = 'value' [AND ...]] [ORDER BY ...] [LIMIT n]`.
struct Soql<'q> {
    fields: Vec<&'q str>,
    object: &'static str,
    conditions: Vec<(&'q str, &'q str)>,
    limit: usize,
}

pub(super) fn malformed(message: &str) -> RestError {
    RestError::new(StatusCode::BAD_REQUEST, "MALFORMED_QUERY", message)
}

fn parse(text: &str) -> Result<Soql<'_>, RestError> {
    // ASCII alone changes its case, so that places in both are the same.
    let lower = text.to_ascii_lowercase();
    let after = |word: &str| lower.find(word).map(|at| (at, at + word.len()));
    let unexpected = || {
        malformed(
            "unexpected token: the embedded org reads SELECT fields FROM object WHERE field = 'value' LIMIT n",
        )
    };
    let (0, fields_at) = after("select ").ok_or_else(unexpected)? else { return Err(unexpected()) };
    let (fields_end, from) = after(" from ").filter(|(at, _)| *at >= fields_at).ok_or_else(unexpected)?;
    let clauses = [" where ", " order by ", " limit "].map(|word| after(word).filter(|(at, _)| *at >= from));
    let end_of = |begin: usize| {
        clauses.iter().flatten().map(|(at, _)| *at).filter(|at| *at >= begin).min().unwrap_or(text.len())
    };
    let name = text[from..end_of(from)].trim();
    let object = object(name.split_whitespace().next().unwrap_or("")).ok_or_else(|| {
        let short: String = name.chars().take(40).collect();
        RestError::new(
            StatusCode::BAD_REQUEST,
            "INVALID_TYPE",
            format!("sObject type '{short}' is not supported."),
        )
    })?;
    let mut conditions = Vec::new();
    if let Some((_, begin)) = clauses[0] {
        let mut rest = text[begin..end_of(begin)].trim();
        while !rest.is_empty() {
            let (field, value) = rest.split_once('=').ok_or_else(unexpected)?;
            let value = value.trim_start().strip_prefix('\'').ok_or_else(unexpected)?;
            let (value, more) = value.split_once('\'').ok_or_else(unexpected)?;
            conditions.push((field.trim(), value));
            rest = more.trim();
            if !rest.is_empty() {
                let and =
                    rest.get(..4).filter(|and| and.eq_ignore_ascii_case("and ")).ok_or_else(unexpected)?;
                rest = rest[and.len()..].trim_start();
            }
        }
    }
    let limit = match clauses[2] {
        Some((_, begin)) => text[begin..end_of(begin)].trim().parse().map_err(|_| unexpected())?,
        None => usize::MAX,
    };
    let fields = text[fields_at..fields_end].split(',').map(str::trim).collect();
    Ok(Soql { fields, object, conditions, limit })
}

fn field<'r>(record: &'r Map<String, Value>, name: &str) -> Option<(&'r String, &'r Value)> {
    record.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
}

pub(super) fn query(org: &Org, version: &str, text: &str) -> Result<Value, RestError> {
    let soql = parse(text)?;
    let fits = |record: &Map<String, Value>| {
        soql.conditions
            .iter()
            .all(|(name, value)| field(record, name).is_some_and(|(_, found)| found.as_str() == Some(value)))
    };
    let found: Vec<Map<String, Value>> =
        all(org, soql.object).into_iter().filter(fits).take(soql.limit).collect();
    if soql.fields.iter().any(|f| f.eq_ignore_ascii_case("count()")) {
        return Ok(json!({ "totalSize": found.len(), "done": true, "records": [] }));
    }
    let records: Vec<Value> = found
        .iter()
        .map(|record| {
            let whole = shaped(version, soql.object, record);
            let mut out = Map::from_iter([("attributes".to_owned(), whole["attributes"].clone())]);
            for name in &soql.fields {
                let (name, value) =
                    field(record, name).map_or((*name, &Value::Null), |(n, v)| (n.as_str(), v));
                out.insert(name.to_owned(), value.clone());
            }
            Value::Object(out)
        })
        .collect();
    Ok(json!({ "totalSize": records.len(), "done": true, "records": records }))
}

/// `columns=true`: what the query would select.
pub(super) fn columns(text: &str) -> Result<Value, RestError> {
    let soql = parse(text)?;
    let column = |name: &&str| {
        json!({ "aggregate": false, "apexType": "String", "booleanType": false, "columnName": name, "custom": false,
            "displayName": name, "foreignKeyName": null, "insertable": true, "joinColumns": [], "numberType": false,
            "textType": true, "updatable": true })
    };
    let columns: Vec<Value> = soql.fields.iter().map(column).collect();
    Ok(
        json!({ "columnMetadata": columns, "entityName": soql.object, "groupBy": false, "idSelected": true, "keyPrefix": null }),
    )
}
