-- What version 2 has made, with a row in each table. Never changed.
BEGIN TRANSACTION;
CREATE TABLE actions (
    host TEXT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, service TEXT NOT NULL,
    who TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL, result TEXT NOT NULL,
    PRIMARY KEY (host, seq)
) WITHOUT ROWID;
INSERT INTO "actions" VALUES('alpha',5,1800000070000,'api','ada','pause','for a look','done');
CREATE TABLE dixmgr_schema (version BIGINT NOT NULL PRIMARY KEY, at BIGINT NOT NULL);
INSERT INTO "dixmgr_schema" VALUES(1,1800000000000);
INSERT INTO "dixmgr_schema" VALUES(2,1800000000000);
CREATE TABLE incidents (
    id TEXT NOT NULL, began BIGINT NOT NULL, updated BIGINT NOT NULL, ended BIGINT, host TEXT NOT NULL,
    alert TEXT NOT NULL, severity TEXT NOT NULL, service TEXT NOT NULL, title TEXT NOT NULL,
    members BIGINT NOT NULL, acknowledged_by TEXT NOT NULL,
    PRIMARY KEY (id, began)
) WITHOUT ROWID;
INSERT INTO "incidents" VALUES('service_down:api',1800000060000,1800000061000,1800000061000,'alpha','service_down','critical','api','api is down',1,'');
CREATE TABLE intervals (
    host TEXT NOT NULL, service TEXT NOT NULL, began BIGINT NOT NULL, ended BIGINT,
    state TEXT NOT NULL, cause TEXT NOT NULL,
    PRIMARY KEY (host, service, began)
) WITHOUT ROWID;
INSERT INTO "intervals" VALUES('alpha','api',1800000001000,1800000060000,'up','started');
INSERT INTO "intervals" VALUES('alpha','api',1800000060000,1800000061000,'down','signal 9');
INSERT INTO "intervals" VALUES('alpha','api',1800000061000,NULL,'up','restarted');
CREATE TABLE marks (host TEXT NOT NULL, name TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (host, name)) WITHOUT ROWID;
INSERT INTO "marks" VALUES('alpha','alive',1800000120000);
INSERT INTO "marks" VALUES('alpha','rolled_1h',1800000000000);
INSERT INTO "marks" VALUES('alpha','rolled_5m',1800000000000);
CREATE TABLE members (
    incident TEXT NOT NULL, service TEXT NOT NULL, at BIGINT NOT NULL, host TEXT NOT NULL,
    PRIMARY KEY (incident, service)
) WITHOUT ROWID;
INSERT INTO "members" VALUES('service_down:api','web',1800000060000,'alpha');
CREATE TABLE notes (
    id TEXT NOT NULL PRIMARY KEY, incident TEXT NOT NULL, sequence BIGINT NOT NULL, at BIGINT NOT NULL,
    host TEXT NOT NULL, channel TEXT NOT NULL, why TEXT NOT NULL, alert TEXT NOT NULL, severity TEXT NOT NULL,
    service TEXT NOT NULL, title TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL, tries BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO "notes" VALUES('service_down:api/1/ops','service_down:api',1,1800000060200,'alpha','ops','firing','service_down','critical','api','api is down','sent','',1);
CREATE TABLE probes (
    step BIGINT NOT NULL, at BIGINT NOT NULL, series BIGINT NOT NULL, samples BIGINT NOT NULL,
    failed BIGINT NOT NULL, took DOUBLE PRECISION NOT NULL, took_max DOUBLE PRECISION,
    PRIMARY KEY (step, at, series)
) WITHOUT ROWID;
INSERT INTO "probes" VALUES(0,1800000005000,2,1,0,8.25,NULL);
INSERT INTO "probes" VALUES(300000,1799999700000,2,10,1,9.5,40.0);
CREATE TABLE restarts (
    host TEXT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, service TEXT NOT NULL,
    reason TEXT NOT NULL, result TEXT NOT NULL, detail TEXT NOT NULL, took BIGINT NOT NULL,
    PRIMARY KEY (host, seq)
) WITHOUT ROWID;
INSERT INTO "restarts" VALUES('alpha',3,1800000060010,'api','signal 9','done','',35);
CREATE TABLE series (
    id INTEGER NOT NULL PRIMARY KEY, host TEXT NOT NULL, service TEXT NOT NULL, probe TEXT NOT NULL,
    UNIQUE (host, service, probe)
);
INSERT INTO "series" VALUES(1,'alpha','api','');
INSERT INTO "series" VALUES(2,'alpha','api','http');
CREATE TABLE transitions (
    host TEXT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, service TEXT NOT NULL,
    state TEXT NOT NULL, phase TEXT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (host, seq)
) WITHOUT ROWID;
INSERT INTO "transitions" VALUES('alpha',1,1800000001000,'api','up','healthy','started');
INSERT INTO "transitions" VALUES('alpha',2,1800000060000,'api','down','down','signal 9');
INSERT INTO "transitions" VALUES('alpha',4,1800000061000,'api','up','healthy','restarted');
CREATE TABLE usage (
    step BIGINT NOT NULL, at BIGINT NOT NULL, series BIGINT NOT NULL, samples BIGINT NOT NULL,
    cpu DOUBLE PRECISION NOT NULL, cpu_max DOUBLE PRECISION, memory DOUBLE PRECISION NOT NULL,
    memory_max DOUBLE PRECISION, disk_read DOUBLE PRECISION NOT NULL, disk_write DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (step, at, series)
) WITHOUT ROWID;
INSERT INTO "usage" VALUES(0,1800000005000,1,1,12.5,NULL,4096.0,NULL,0.0,10.0);
INSERT INTO "usage" VALUES(300000,1799999700000,1,60,10.0,20.0,4000.0,5000.0,0.0,9.0);
INSERT INTO "usage" VALUES(3600000,1799996400000,1,720,10.0,30.0,4000.0,6000.0,0.0,9.0);
CREATE INDEX transitions_at ON transitions (at);
CREATE INDEX transitions_service ON transitions (service, at);
CREATE INDEX intervals_ended ON intervals (ended);
CREATE INDEX restarts_at ON restarts (at);
CREATE INDEX restarts_service ON restarts (service, at);
CREATE INDEX actions_at ON actions (at);
CREATE INDEX actions_service ON actions (service, at);
CREATE INDEX incidents_began ON incidents (began);
CREATE INDEX members_at ON members (at);
CREATE INDEX members_service ON members (service);
CREATE INDEX notes_at ON notes (at);
CREATE INDEX notes_service ON notes (service, at);
COMMIT;
