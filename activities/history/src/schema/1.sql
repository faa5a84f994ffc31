-- Version 1, for SQLite and PostgreSQL alike. {id} and {clustered} are all in which they differ.
-- Times are milliseconds since 1970; an interval without an end lasts still.
CREATE TABLE transitions (
    host TEXT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, service TEXT NOT NULL,
    state TEXT NOT NULL, phase TEXT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (host, seq)
) {clustered};
CREATE INDEX transitions_at ON transitions (at);
CREATE INDEX transitions_service ON transitions (service, at);

CREATE TABLE intervals (
    host TEXT NOT NULL, service TEXT NOT NULL, began BIGINT NOT NULL, ended BIGINT,
    state TEXT NOT NULL, cause TEXT NOT NULL,
    PRIMARY KEY (host, service, began)
) {clustered};
CREATE INDEX intervals_ended ON intervals (ended);

CREATE TABLE restarts (
    host TEXT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, service TEXT NOT NULL,
    reason TEXT NOT NULL, result TEXT NOT NULL, detail TEXT NOT NULL, took BIGINT NOT NULL,
    PRIMARY KEY (host, seq)
) {clustered};
CREATE INDEX restarts_at ON restarts (at);
CREATE INDEX restarts_service ON restarts (service, at);

CREATE TABLE actions (
    host TEXT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, service TEXT NOT NULL,
    who TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL, result TEXT NOT NULL,
    PRIMARY KEY (host, seq)
) {clustered};
CREATE INDEX actions_at ON actions (at);
CREATE INDEX actions_service ON actions (service, at);

CREATE TABLE incidents (
    id TEXT NOT NULL, began BIGINT NOT NULL, updated BIGINT NOT NULL, ended BIGINT, host TEXT NOT NULL,
    alert TEXT NOT NULL, severity TEXT NOT NULL, service TEXT NOT NULL, title TEXT NOT NULL,
    members BIGINT NOT NULL, acknowledged_by TEXT NOT NULL,
    PRIMARY KEY (id, began)
) {clustered};
CREATE INDEX incidents_began ON incidents (began);

CREATE TABLE notes (
    id TEXT NOT NULL PRIMARY KEY, incident TEXT NOT NULL, sequence BIGINT NOT NULL, at BIGINT NOT NULL,
    host TEXT NOT NULL, channel TEXT NOT NULL, why TEXT NOT NULL, alert TEXT NOT NULL, severity TEXT NOT NULL,
    service TEXT NOT NULL, title TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL, tries BIGINT NOT NULL
) {clustered};
CREATE INDEX notes_at ON notes (at);
CREATE INDEX notes_service ON notes (service, at);

-- What samples are of, so that a sample holds a number and no names. A service's own has an empty probe.
CREATE TABLE series (
    id {id}, host TEXT NOT NULL, service TEXT NOT NULL, probe TEXT NOT NULL,
    UNIQUE (host, service, probe)
);
-- Samples in the order of their time, so that they are written, rolled up and forgotten at one end each.
-- step 0: as they came; otherwise the milliseconds that a row sums up, from `at` on.
CREATE TABLE usage (
    step BIGINT NOT NULL, at BIGINT NOT NULL, series BIGINT NOT NULL, samples BIGINT NOT NULL,
    cpu DOUBLE PRECISION NOT NULL, cpu_max DOUBLE PRECISION, memory DOUBLE PRECISION NOT NULL,
    memory_max DOUBLE PRECISION, disk_read DOUBLE PRECISION NOT NULL, disk_write DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (step, at, series)
) {clustered};
CREATE TABLE probes (
    step BIGINT NOT NULL, at BIGINT NOT NULL, series BIGINT NOT NULL, samples BIGINT NOT NULL,
    failed BIGINT NOT NULL, took DOUBLE PRECISION NOT NULL, took_max DOUBLE PRECISION,
    PRIMARY KEY (step, at, series)
) {clustered};

-- Where each host's writer stands.
CREATE TABLE marks (host TEXT NOT NULL, name TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (host, name)) {clustered};
