package v1beta1_test

import (
	"slices"
	"strings"
)

// meshRules are about what a mesh does with requests and connections.
func meshRules() []rule {
	return slices.Concat(meshServiceRules(), corsRules(), trafficRules(), meshDurationRules(), meshNumberRules())
}

func meshServiceRules() []rule {
	return []rule{
		{
			field: "spec.service.gateways",
			yes: each("service: {gateways: #}", "[mesh]", "[public, istio-system/public]",
				"[public.istio-system.svc.cluster.local]"),
			no:   each("service: {gateways: #}", "[Public]", "[a/b/c]", "['']", "['*']", "[/public]", "[public/]"),
			says: "spec.service.gateways must be names, as in public, istio-system/public or mesh",
		},
		{
			field: "spec.service.gateways",
			yes:   each("service: {gateways: #}", list(16, "g#")),
			no:    each("service: {gateways: #}", list(17, "g#")),
			says:  "must have at most 16 items",
		},
		{
			field: "spec.service",
			yes: each("service: {delegation: #}", "true", "true, hosts: [], gateways: []", "false, hosts: [a.example.com]",
				"false, gateways: [public]"),
			no: each("service: {delegation: true, #}", "hosts: [a.example.com]", "gateways: [mesh]"),
			says: "with spec.service.delegation, hosts and gateways are those of the VirtualService that delegates; remove " +
				"spec.service.hosts and spec.service.gateways",
		},
		{
			field: "spec.service.retries.retryOn",
			yes:   each("service: {retries: {attempts: 3, retryOn: #}}", "'5xx,reset'"),
			no:    each("service: {retries: {attempts: 3, retryOn: #}}", `""`),
			says:  notEmpty,
		},
	}
}

func corsRules() []rule {
	cors := func(origins string) string { return "spec: {service: {corsPolicy: {allowOrigins: " + origins + "}}}" }
	rules := []rule{
		{
			field: "spec.service.corsPolicy.allowOrigins",
			yes:   []string{cors("[{exact: 'https://example.com'}]")},
			no:    []string{cors("[]")},
			says:  "should have at least 1 items",
		},
		{
			field: "spec.service.corsPolicy.allowOrigins[0]",
			yes:   []string{cors("[{prefix: 'https://'}, {regex: '.*'}]")},
			no:    []string{cors("[{}]"), cors("[{exact: a, regex: a}]")},
			says:  "a text is matched by one of exact, prefix and regex",
		},
	}
	for _, kind := range []string{"exact", "prefix", "regex"} {
		rules = append(rules, rule{
			field: "spec.service.corsPolicy.allowOrigins[0]." + kind,
			yes:   []string{cors("[{" + kind + ": a}]")},
			no:    []string{cors("[{" + kind + `: ""}]`)},
			says:  notEmpty,
		})
	}
	return rules
}

// policy makes patches of a trafficPolicy.
func policy(spec string, values ...string) []string {
	return each("service: {trafficPolicy: {"+spec+"}}", values...)
}

func trafficRules() []rule {
	const at = "spec.service.trafficPolicy."
	hash := "loadBalancer: {consistentHash: #}"
	return []rule{
		{
			field: "spec.service.trafficPolicy",
			yes:   policy("#", "loadBalancer: {}", "connectionPool: {}", "outlierDetection: {}", "tls: {mode: DISABLE}"),
			no:    policy("#", ""),
			says:  "spec.service.trafficPolicy needs loadBalancer, connectionPool, outlierDetection or tls",
		},
		{
			field: at + "loadBalancer",
			yes:   policy("loadBalancer: #", "{simple: RANDOM}", "{consistentHash: {useSourceIp: true}}"),
			no:    policy("loadBalancer: #", "{simple: RANDOM, consistentHash: {useSourceIp: true}}"),
			says:  "a loadBalancer is simple or has a consistentHash, not both",
		},
		{
			field: at + "loadBalancer.simple",
			yes: policy("loadBalancer: {simple: #}", "UNSPECIFIED", "LEAST_REQUEST", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN",
				"LEAST_CONN"),
			no:   policy("loadBalancer: {simple: #}", "random", `""`),
			says: oneOf,
		},
		{
			field: at + "loadBalancer.consistentHash",
			yes: policy(hash, "{httpHeaderName: x-user}", "{httpCookie: {name: user}}", "{useSourceIp: true}",
				"{httpQueryParameterName: user, minimumRingSize: 1024}"),
			no:   policy(hash, "{}", "{httpHeaderName: x-user, useSourceIp: true}"),
			says: "a consistentHash is made of one of httpHeaderName, httpCookie, useSourceIp and httpQueryParameterName",
		},
		{
			field: at + "loadBalancer.consistentHash.httpHeaderName", says: notEmpty,
			yes: policy(hash, "{httpHeaderName: a}"), no: policy(hash, `{httpHeaderName: ""}`),
		},
		{
			field: at + "loadBalancer.consistentHash.httpQueryParameterName", says: notEmpty,
			yes: policy(hash, "{httpQueryParameterName: a}"), no: policy(hash, `{httpQueryParameterName: ""}`),
		},
		{
			field: at + "loadBalancer.consistentHash.httpCookie.name", says: notEmpty,
			yes: policy(hash, "{httpCookie: {name: a}}"), no: policy(hash, `{httpCookie: {name: ""}}`),
		},
		{
			field: at + "loadBalancer.consistentHash.httpCookie.ttl",
			yes:   policy(hash, "{httpCookie: {name: a, ttl: 0s}}", "{httpCookie: {name: a, ttl: 24h}}"),
			no:    policy(hash, "{httpCookie: {name: a, ttl: soon}}", "{httpCookie: {name: a, ttl: -1s}}"),
			says:  "a cookie's ttl must be a duration without a fraction, for example 0s or 24h",
		},
		{
			field: at + "loadBalancer.localityLbSetting",
			yes: policy("loadBalancer: {localityLbSetting: #}", "{enabled: true, failoverPriority: [topology.kubernetes.io/zone]}",
				"{failover: [{from: a, to: b}]}"),
			no:   policy("loadBalancer: {localityLbSetting: #}", "{failover: [{from: a, to: b}], failoverPriority: [a]}"),
			says: "a localityLbSetting has failover or failoverPriority, not both",
		},
		{
			field: at + "loadBalancer.localityLbSetting.failover[0].from", says: notEmpty,
			yes: policy("loadBalancer: {localityLbSetting: {failover: [{from: #, to: b}]}}", "a"),
			no:  policy("loadBalancer: {localityLbSetting: {failover: [{from: #, to: b}]}}", `""`),
		},
		{
			field: at + "loadBalancer.localityLbSetting.failover[0].to", says: notEmpty,
			yes: policy("loadBalancer: {localityLbSetting: {failover: [{from: a, to: #}]}}", "b"),
			no:  policy("loadBalancer: {localityLbSetting: {failover: [{from: a, to: #}]}}", `""`),
		},
		{
			field: at + "connectionPool.http.h2UpgradePolicy",
			yes:   policy("connectionPool: {http: {h2UpgradePolicy: #}}", "DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"),
			no:    policy("connectionPool: {http: {h2UpgradePolicy: #}}", "upgrade", `""`),
			says:  oneOf,
		},
		{
			field: at + "tls.mode",
			yes:   policy("tls: {mode: #}", "DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"),
			no:    policy("tls: {mode: #}", "STRICT", `""`),
			says:  oneOf,
		},
	}
}

// meshDurationRules are those of every duration that Istio is told.
func meshDurationRules() []rule {
	var rules []rule
	for _, f := range []struct{ field, spec string }{
		{"retries.perTryTimeout", "retries: {attempts: 1, perTryTimeout: #}"},
		{"corsPolicy.maxAge", "corsPolicy: {allowOrigins: [{exact: a}], maxAge: #}"},
		{"trafficPolicy.loadBalancer.warmupDurationSecs", "trafficPolicy: {loadBalancer: {warmupDurationSecs: #}}"},
		{"trafficPolicy.connectionPool.tcp.connectTimeout", "trafficPolicy: {connectionPool: {tcp: {connectTimeout: #}}}"},
		{"trafficPolicy.connectionPool.http.idleTimeout", "trafficPolicy: {connectionPool: {http: {idleTimeout: #}}}"},
		{"trafficPolicy.outlierDetection.interval", "trafficPolicy: {outlierDetection: {interval: #}}"},
		{"trafficPolicy.outlierDetection.baseEjectionTime", "trafficPolicy: {outlierDetection: {baseEjectionTime: #}}"},
	} {
		rules = append(rules, rule{
			field: "spec.service." + f.field,
			yes:   each("service: {"+f.spec+"}", "2s", "500ms", "1m30s"),
			no:    each("service: {"+f.spec+"}", "0s", "1.5s", "-1s", "soon", `""`),
			says:  "a time in a mesh must be a duration above zero without a fraction, for example 2s or 500ms",
		})
	}
	return rules
}

func meshNumberRules() []rule {
	atLeast := func(field, spec string, least int) rule {
		return between("spec.service.trafficPolicy."+field, "service: {trafficPolicy: {"+spec+"}}", least, least)[0]
	}
	const http = "connectionPool.http."
	rules := []rule{
		atLeast("connectionPool.tcp.maxConnections", "connectionPool: {tcp: {maxConnections: #}}", 1),
		atLeast("outlierDetection.consecutive5xxErrors", "outlierDetection: {consecutive5xxErrors: #}", 0),
		atLeast("outlierDetection.consecutiveGatewayErrors", "outlierDetection: {consecutiveGatewayErrors: #}", 0),
	}
	for _, f := range strings.Fields("http1MaxPendingRequests http2MaxRequests maxRequestsPerConnection maxRetries") {
		rules = append(rules, atLeast(http+f, "connectionPool: {http: {"+f+": #}}", 1))
	}
	const ejection = "spec.service.trafficPolicy.outlierDetection."
	return slices.Concat(rules,
		between("spec.service.retries.attempts", "service: {retries: {attempts: #}}", 0, 100),
		between("spec.service.trafficPolicy.loadBalancer.consistentHash.minimumRingSize",
			"service: {trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, minimumRingSize: #}}}}", 1, 8388608),
		between(ejection+"maxEjectionPercent", "service: {trafficPolicy: {outlierDetection: {maxEjectionPercent: #}}}", 0, 100),
		between(ejection+"minHealthPercent", "service: {trafficPolicy: {outlierDetection: {minHealthPercent: #}}}", 0, 100),
	)
}
