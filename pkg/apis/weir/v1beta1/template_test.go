package v1beta1_test

import (
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

const templateBase = `
apiVersion: weir.dev/v1beta1
kind: MetricTemplate
metadata: {name: own}
spec:
  provider: {type: prometheus}
  query: up
`

const clusterTemplateBase = `
apiVersion: weir.dev/v1beta1
kind: ClusterMetricTemplate
metadata: {name: own}
spec:
  provider: {type: prometheus}
  query: up
`

// templateRules are those of both kinds, which are alike but for where the Secret is.
func templateRules(kind string) []rule {
	const here = "spec: {provider: {secretRef: {name: reader}}}"
	const there = "spec: {provider: {secretRef: {name: reader, namespace: a}}}"
	of, rules := rule{
		field: "spec", yes: []string{here}, no: []string{there},
		says: "spec.provider.secretRef.namespace is for a ClusterMetricTemplate; " +
			"the Secret of a MetricTemplate is in its own namespace",
	}, append(providerRules(), jobRules()...)
	if kind == v1beta1.KindClusterMetricTemplate {
		of = rule{
			field: "spec", yes: []string{there}, no: []string{here},
			says: "spec.provider.secretRef.namespace is needed: a ClusterMetricTemplate is in no namespace " +
				"that its Secret could be in, too",
		}
		for _, r := range rules {
			inNamespace(r.yes)
			inNamespace(r.no)
		}
	}
	return append(rules, of, rule{
		field: "spec.provider.secretRef.namespace",
		yes:   of.yes, no: each("provider: {secretRef: {name: reader, namespace: #}}", `""`), says: notEmpty,
	})
}

// jobRules are about what is no server.
func jobRules() []rule {
	const atLeast, atMost = "should be greater than or equal to", "should be less than or equal to"
	const fine = "spec: {query: null, provider: {type: job, job: {template: {spec: {containers: [{name: a, image: b}]}}}}}"
	job := func(job string, values ...string) []string {
		return each("query: null, provider: {type: job, job: {template: {}, "+job+"}}", values...)
	}
	return []rule{
		{
			field: "spec.provider", yes: []string{fine},
			no:   []string{"spec: {query: null, provider: {type: job}}", "spec: {provider: {job: {template: {}}}}"},
			says: "spec.provider.job is needed for type job, and is for no other",
		},
		{
			field: "spec.provider", yes: []string{fine},
			no: each("query: null, provider: {type: job, job: {template: {}}, #}",
				"address: 'http://a'", "secretRef: {name: a}", "headers: {a: b}", "insecureSkipVerify: true"),
			says: "type job asks no server: remove address, secretRef, headers and insecureSkipVerify of spec.provider",
		},
		{
			field: "spec", yes: []string{fine},
			no: each("provider: {type: job, job: {template: {}}}, query: #", "up"),
			says: "type job is asked no spec.query: what is run is spec.provider.job.template, " +
				"which has the variables in its environment",
		},
		{
			field: "spec.provider.job.template", yes: []string{fine},
			no: []string{"spec: {query: null, provider: {type: job, job: {}}}"}, says: "Required value",
		},
		{
			field: "spec.provider.job.activeDeadlineSeconds",
			yes:   job("activeDeadlineSeconds: #", "1", "3600"), no: job("activeDeadlineSeconds: #", "0"), says: atLeast,
		},
		{
			field: "spec.provider.job.activeDeadlineSeconds",
			yes:   job("activeDeadlineSeconds: #", "1", "3600"), no: job("activeDeadlineSeconds: #", "3601"), says: atMost,
		},
		{
			field: "spec.provider.job.ttlSecondsAfterFinished",
			yes:   job("ttlSecondsAfterFinished: #", "600", "604800"), no: job("ttlSecondsAfterFinished: #", "599"), says: atLeast,
		},
		{
			field: "spec.provider.job.ttlSecondsAfterFinished",
			yes:   job("ttlSecondsAfterFinished: #", "600", "604800"), no: job("ttlSecondsAfterFinished: #", "604801"), says: atMost,
		},
	}
}

// inNamespace gives each Secret of these patches a namespace.
func inNamespace(patches []string) {
	for i, p := range patches {
		patches[i] = strings.ReplaceAll(p, "secretRef: {", "secretRef: {namespace: a, ")
	}
}

func providerRules() []rule {
	return []rule{
		{
			field: "spec.provider.type",
			yes: []string{
				"spec: {provider: {type: prometheus}}",
				"spec: {provider: {type: cloudwatch, region: eu-central-1}}",
				"spec: {provider: {type: datadog, secretRef: {name: datadog}}}",
				"spec: {provider: {type: dynatrace, address: 'https://e.live.dynatrace.com', secretRef: {name: dynatrace}}}",
				"spec: {provider: {type: externalmetrics}}",
				"spec: {provider: {type: graphite, address: 'http://graphite'}}",
				"spec: {provider: {type: influxdb, address: 'http://influxdb:8086', secretRef: {name: influxdb}}}",
				"spec: {query: null, provider: {type: job, job: {template: {}}}}",
				"spec: {provider: {type: newrelic, secretRef: {name: newrelic}}}",
				"spec: {provider: {type: splunk, address: 'https://api.us0.signalfx.com', secretRef: {name: splunk}}}",
				"spec: {provider: {type: stackdriver, secretRef: {name: google}}}",
				"spec: {provider: {type: web, address: 'http://web', value: body.score}}",
			},
			no:   each("provider: {type: #}", "abacus", `""`),
			says: oneOf,
		},
		{
			field: "spec.provider.address",
			yes:   each("provider: {address: #}", "'http://prometheus:9090'", "'https://10.0.0.1/prometheus'"),
			no:    each("provider: {address: #}", "'prometheus:9090'", "'http://:9090'"),
			says:  "spec.provider.address must be an http or https URL",
		},
		{
			field: "spec.provider",
			yes: each("provider: {type: #, address: 'http://server', secretRef: {name: reader}}",
				"dynatrace", "graphite", "influxdb", "splunk"),
			no: append(each("provider: {type: #, secretRef: {name: reader}}", "dynatrace", "graphite", "influxdb", "splunk"),
				"spec: {provider: {type: web, value: body}}"),
			says: "spec.provider.address is needed for types dynatrace, graphite, influxdb, splunk and web, " +
				"which have no address of their own",
		},
		{
			field: "spec.provider",
			yes: each("provider: {type: #, address: 'http://server', secretRef: {name: reader}}",
				"datadog", "dynatrace", "influxdb", "newrelic", "splunk", "stackdriver"),
			no: each("provider: {type: #, address: 'http://server'}",
				"datadog", "dynatrace", "influxdb", "newrelic", "splunk", "stackdriver"),
			says: "spec.provider.secretRef is needed for types datadog, dynatrace, influxdb, newrelic, splunk and stackdriver, " +
				"which answer nobody without credentials",
		},
		{
			field: "spec.provider",
			yes:   each("provider: {type: cloudwatch, region: #}", "us-east-1"),
			no:    []string{"spec: {provider: {type: cloudwatch}}", "spec: {provider: {region: us-east-1}}"},
			says:  "spec.provider.region is needed for type cloudwatch, and is for no other",
		},
		{
			field: "spec.provider.region",
			yes:   each("provider: {type: cloudwatch, region: #}", "us-gov-west-1"),
			no:    each("provider: {type: cloudwatch, region: #}", "evil.example", `""`),
			says:  "should match '^[a-z0-9-]+$'",
		},
		{
			field: "spec.provider",
			yes:   each("provider: {type: web, address: 'http://web', value: #}", "body"),
			no:    []string{"spec: {provider: {type: web, address: 'http://web'}}", "spec: {provider: {value: body}}"},
			says:  "spec.provider.value is needed for type web, and is for no other",
		},
		{
			field: "spec.provider.value",
			yes:   each("provider: {type: web, address: 'http://web', value: #}", "body.score"),
			no:    each("provider: {type: web, address: 'http://web', value: #}", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.provider",
			yes:   each("provider: {type: web, address: 'http://web', value: body, method: #}", "POST"),
			no:    each("provider: {method: #}", "POST"),
			says:  "spec.provider.method is for type web alone",
		},
		{
			field: "spec.provider.method",
			yes:   each("provider: {type: web, address: 'http://web', value: body, method: #}", "GET", "POST"),
			no:    each("provider: {type: web, address: 'http://web', value: body, method: #}", "PUT", `""`),
			says:  oneOf,
		},
		{
			field: "spec.provider.secretRef.name",
			yes:   each("provider: {secretRef: {name: #}}", "prometheus"),
			no:    each("provider: {secretRef: {name: #}}", `""`),
			says:  notEmpty,
		},
		{
			field: "spec",
			yes:   each("query: null, totalQuery: a, #: b", "badQuery", "sumQuery"),
			no:    each("#: null", "query"),
			says:  "a template needs spec.query, or spec.totalQuery for comparisons, or both",
		},
		{
			field: "spec",
			yes:   each("totalQuery: a, #: b", "badQuery", "sumQuery"),
			no:    each("#: a", "totalQuery", "badQuery", "sumQuery"),
			says:  "spec.totalQuery goes with spec.badQuery or spec.sumQuery: what is compared is the one by the other",
		},
		{
			field: "spec",
			yes:   each("provider: {type: #}, totalQuery: a, badQuery: b", "prometheus"),
			no:    each("provider: {type: #}, totalQuery: a, badQuery: b", "cloudwatch, region: a"),
			says:  "spec.totalQuery is for type prometheus, whose counters can be read at any instant",
		},
		{
			field: "spec.query",
			yes:   each("query: #", "'vector(1)'"),
			no:    each("query: #", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.totalQuery",
			yes:   each("totalQuery: #, badQuery: b", "a"),
			no:    each("totalQuery: #, badQuery: b", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.badQuery",
			yes:   each("totalQuery: a, badQuery: #", "b"),
			no:    each("totalQuery: a, badQuery: #", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.sumQuery",
			yes:   each("totalQuery: a, sumQuery: #", "b"),
			no:    each("totalQuery: a, sumQuery: #", `""`),
			says:  notEmpty,
		},
	}
}
