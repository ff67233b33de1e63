#!/bin/sh
# Behaves as the official image's: POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB count only while the data folder is
# empty; the socket and 127.0.0.1 are trusted, everybody else needs the password.
set -eu
data=/var/lib/postgresql/data
mkdir -p "$data" /run/postgresql
chown postgres:postgres "$data" /run/postgresql; chmod 700 "$data"
if [ ! -s "$data/PG_VERSION" ]; then
  pwfile=$(mktemp); printf '%s' "$POSTGRES_PASSWORD" >"$pwfile"; chown postgres "$pwfile"
  setuidgid postgres initdb -D "$data" -U "$POSTGRES_USER" --pwfile="$pwfile" --no-sync --locale=C --encoding=UTF8 \
    --auth-local=trust --auth-host=trust
  rm -f "$pwfile"
  printf 'host all all all scram-sha-256\n' >>"$data/pg_hba.conf"
  setuidgid postgres pg_ctl -D "$data" -w -o "-c listen_addresses= -k /run/postgresql" start
  setuidgid postgres createdb -h /run/postgresql -U "$POSTGRES_USER" "$POSTGRES_DB"
  setuidgid postgres pg_ctl -D "$data" -w -m fast stop
fi
exec setuidgid postgres "$@" -D "$data" -c listen_addresses='*'
