#!/bin/sh
# Takes the pictures of the README: a fresh server with the scripted model, the
# first demo chat open, and the customers' widget on the sample company's page.
# Ends only what it started.
set -eu
cd "$(dirname "$0")/.."
sh deploy/chromium.sh
go build -o bin/scripted-model ./cmd/scripted-model
dir=$(mktemp -d)
chmod 711 "$dir"
bin/scripted-model --listen 127.0.0.1:7411 --first-token 300ms >"$dir/model.log" 2>&1 &
model=$!
ASIDE_LLM_BASE_URL=http://127.0.0.1:7411/v1 ASIDE_LLM_MODEL=scripted \
	bin/aside up --data-dir "$dir" --listen 127.0.0.1:7412 --log-level warn >"$dir/up.log" 2>&1 &
server=$!
trap 'kill $server $model 2>/dev/null; wait; rm -rf "$dir"' EXIT
sleep "${WAIT:-20}" # the demo's customers write at human pace
go test ./internal/web -count=1 -run Screenshots -screenshots http://127.0.0.1:7412/
