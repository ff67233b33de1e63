#!/bin/sh
# Behaves as the official image's: POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB count only while the data folder is
# empty; the socket and 127.0.0.1 are trusted, everybody else needs the password.
set -eu
data=/var/lib/postgresql/data
# shellcheck disable=SC2016 # the words are the inner shell's
as_postgres() { su -- postgres -c 'exec "$0" "$@"' "$@"; }
mkdir -p "$data" /run/postgresql
chown postgres:postgres "$data" /run/postgresql; chmod 700 "$data"
if [ ! -s "$data/PG_VERSION" ]; then
  pwfile=$(mktemp); printf '%s' "$POSTGRES_PASSWORD" >"$pwfile"; chown postgres "$pwfile"
  as_postgres initdb -D "$data" -U "$POSTGRES_USER" --pwfile="$pwfile" --no-sync --locale=C --encoding=UTF8 \
    --auth-local=trust --auth-host=trust
  rm -f "$pwfile"
  printf 'host all all all scram-sha-256\n' >>"$data/pg_hba.conf"
  as_postgres pg_ctl -D "$data" -w -o "-c listen_addresses= -k /run/postgresql" start
  as_postgres createdb -h /run/postgresql -U "$POSTGRES_USER" "$POSTGRES_DB"
  as_postgres pg_ctl -D "$data" -w -m fast stop
fi
# shellcheck disable=SC2016
exec su -- postgres -c 'exec "$0" "$@"' "$@" -D "$data" -c listen_addresses='*'
