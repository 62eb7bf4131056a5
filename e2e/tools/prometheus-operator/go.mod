// Pins the Prometheus operator, of which nothing is built: a test takes the definitions of its kinds from the module.
module weir.dev/weir/e2e/tools/prometheus-operator

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
