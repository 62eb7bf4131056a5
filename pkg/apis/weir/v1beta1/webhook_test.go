package v1beta1_test

import "slices"

func webhookRules() []rule {
	webhook := func(more ...string) []string {
		return each("analysis: {webhooks: [{name: gate, url: 'http://gate', #}]}", more...)
	}
	return slices.Concat(webhookGateRules(webhook), []rule{
		{
			field: "spec.analysis.webhooks[1]",
			yes:   each("analysis: {webhooks: #}", list(16, "{name: a#, url: 'http://a'}")),
			no:    each("analysis: {webhooks: #}", "[{name: a, url: 'http://a'}, {name: a, url: 'http://b', type: event}]"),
			says:  "Duplicate value",
		},
		{
			field: "spec.analysis.webhooks[0].name",
			yes:   each("analysis: {webhooks: [{name: #, url: 'http://a'}]}", "a", "load test", "manually"),
			no:    each("analysis: {webhooks: [{name: #, url: 'http://a'}]}", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.analysis.webhooks[0].name",
			yes:   each("analysis: {webhooks: [{name: #, url: 'http://a'}]}", "manual-gate"),
			no:    each("analysis: {webhooks: [{name: #, url: 'http://a'}]}", "manual"),
			says:  "a webhook cannot be named manual: that is the gate of spec.analysis.manual",
		},
		{
			field: "spec.analysis.webhooks[0].type",
			yes: webhook("type: confirm-rollout", "type: pre-rollout", "type: rollout", "type: confirm-traffic-increase",
				"type: confirm-promotion", "type: post-rollout", "type: rollback", "type: event"),
			no:   webhook("type: confirm", `type: ""`),
			says: oneOf,
		},
		{
			field: "spec.analysis.webhooks[0].url",
			yes: each("analysis: {webhooks: [{name: a, url: #}]}", "'http://gate.ops/canary?strict=1'",
				"'https://user:password@gate.example.com:8443'", "'http://[::1]:8080/'", "'HTTPS://gate'"),
			no: each("analysis: {webhooks: [{name: a, url: #}]}",
				"'gate:8080'", "'ftp://gate'", "'http://'", "'http://:80'", "'/canary'", "'http://ga te'", `""`),
			says: "a webhook's url must be an http or https URL",
		},
		{
			field: "spec.analysis.webhooks[0].timeout",
			yes:   webhook("timeout: 100ms", "timeout: 1h", "timeout: 2.5s"),
			no:    webhook("timeout: 99ms", "timeout: 1h1s", "timeout: -1s", "timeout: soon", `timeout: "5"`, `timeout: ""`),
			says:  "a webhook's timeout must be a duration from 100ms to 1h, for example 10s",
		},
		{
			field: "spec.analysis.webhooks[0].secretRef.name",
			yes:   webhook("secretRef: {name: gate}"),
			no:    webhook(`secretRef: {name: ""}`),
			says:  notEmpty,
		},
		{
			field: "spec.analysis.webhooks[0].tlsSecretRef.name",
			yes:   webhook("tlsSecretRef: {name: gate-tls}"),
			no:    webhook(`tlsSecretRef: {name: ""}`),
			says:  notEmpty,
		},
	})
}

// webhookGateRules are about how long a gate may stay closed.
func webhookGateRules(webhook func(...string) []string) []rule {
	return []rule{
		{
			field: "spec.analysis.webhooks[0]",
			yes: webhook("type: confirm-rollout, gateTimeout: 1h", "type: confirm-traffic-increase, gateTimeout: 1h",
				"type: confirm-promotion, gateTimeout: 1h"),
			no: webhook("gateTimeout: 1h", "type: rollout, gateTimeout: 1h", "type: pre-rollout, gateTimeout: 1h",
				"type: post-rollout, gateTimeout: 1h", "type: rollback, gateTimeout: 1h", "type: event, gateTimeout: 1h"),
			says: "gateTimeout is for webhooks of type confirm-rollout, confirm-traffic-increase and confirm-promotion",
		},
		{
			field: "spec.analysis.webhooks[0].gateTimeout",
			yes:   webhook("type: confirm-rollout, gateTimeout: 1s", "type: confirm-rollout, gateTimeout: 72h"),
			no: webhook("type: confirm-rollout, gateTimeout: 999ms", "type: confirm-rollout, gateTimeout: -1h",
				"type: confirm-rollout, gateTimeout: never", `type: confirm-rollout, gateTimeout: ""`),
			says: "a webhook's gateTimeout must be a duration of at least 1s, for example 1h",
		},
		{
			field: "spec.analysis.webhooks[0].onTimeout",
			yes:   webhook("type: confirm-rollout, gateTimeout: 1h, onTimeout: Abort", "onTimeout: Abort"),
			no:    webhook("type: confirm-rollout, gateTimeout: 1h, onTimeout: Promote", `onTimeout: ""`),
			says:  oneOf,
		},
		{
			field: "spec.analysis.webhooks[0]",
			yes:   webhook("type: confirm-promotion, gateTimeout: 1h, onTimeout: Continue"),
			no:    webhook("type: confirm-promotion, onTimeout: Continue", "onTimeout: Continue"),
			says:  "onTimeout Continue needs a gateTimeout",
		},
	}
}
