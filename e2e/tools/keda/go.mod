// Pins KEDA, of which nothing is built: a test takes the definition of its ScaledObject from the module.
module weir.dev/weir/e2e/tools/keda

go 1.26.0

require github.com/kedacore/keda/v2 v2.21.0
