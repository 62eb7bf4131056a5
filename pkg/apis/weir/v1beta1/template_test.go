package v1beta1_test

const templateBase = `
apiVersion: weir.dev/v1beta1
kind: MetricTemplate
metadata: {name: own}
spec:
  provider: {type: prometheus}
  query: up
`

func templateRules() []rule {
	return []rule{
		{
			field: "spec.provider.type",
			yes:   each("provider: {type: #}", "prometheus"),
			no:    each("provider: {type: #}", "graphite", `""`),
			says:  oneOf,
		},
		{
			field: "spec.provider.address",
			yes:   each("provider: {address: #}", "'http://prometheus:9090'", "'https://10.0.0.1/prometheus'"),
			no:    each("provider: {address: #}", "'prometheus:9090'", "'http://:9090'"),
			says:  "spec.provider.address must be an http or https URL",
		},
		{
			field: "spec.provider.secretRef.name",
			yes:   each("provider: {secretRef: {name: #}}", "prometheus"),
			no:    each("provider: {secretRef: {name: #}}", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.query",
			yes:   each("query: #", "'vector(1)'"),
			no:    each("query: #", `""`),
			says:  notEmpty,
		},
	}
}
