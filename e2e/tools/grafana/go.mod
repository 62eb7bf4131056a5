// Writes the dashboard in artifacts/grafana, and checks it by Grafana's own types.
module weir.dev/weir/e2e/tools/grafana

go 1.26.0

require github.com/grafana/grafana-foundation-sdk/go v0.0.22
