#!/bin/sh
# Run once by the image of PostgreSQL: a user and a database for the history of dixmgr. dixmgr makes the tables itself.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$POSTGRES_PASSWORD" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE dixmgr LOGIN PASSWORD :'password';
CREATE DATABASE dixmgr OWNER dixmgr;
SQL
