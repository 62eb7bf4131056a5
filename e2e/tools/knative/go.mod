// Pins Knative Serving, of which nothing is built: tests take the definitions of its Service and Revision from the module.
module weir.dev/weir/e2e/tools/knative

go 1.26.0

require knative.dev/serving v0.51.0
