#!/bin/sh
# Draws the secrets that compose.yaml names, each once, into deploy/secrets/. Keep a copy: raters' pseudonyms hang on
# secret_key.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets

draw() {
  [ -s "secrets/$1" ] || head -c 48 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n=' > "secrets/$1"
}

draw database_password
draw secret_key
draw metrics_token
[ -s secrets/database_url ] ||
  printf 'postgres://evenhand:%s@database:5432/evenhand' "$(cat secrets/database_password)" > secrets/database_url
# Readable in the containers, whose user is another; the folder lets nobody else in.
chmod 444 secrets/*
