-- Version 2: which services were part of an incident, beside the one that stands for it.
CREATE TABLE members (
    incident TEXT NOT NULL, service TEXT NOT NULL, at BIGINT NOT NULL, host TEXT NOT NULL,
    PRIMARY KEY (incident, service)
) {clustered};
CREATE INDEX members_at ON members (at);
CREATE INDEX members_service ON members (service);
