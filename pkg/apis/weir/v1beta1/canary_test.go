package v1beta1_test

import (
	"slices"
	"strconv"
)

const canaryBase = `
apiVersion: weir.dev/v1beta1
kind: Canary
metadata: {name: podinfo}
spec:
  targetRef: {name: podinfo}
  service: {port: 9898}
  analysis: {stepWeight: 10}
`

// What the API server says by itself.
const (
	oneOf    = "supported values"
	notEmpty = "should be at least 1 chars long"
)

func canaryRules() []rule {
	return slices.Concat(targetRules(), delayRules(), serviceRules(), requestRules(), pathRules(), meshRules(),
		planRules(), analysisRules(), stepRules(), matchRules(), affinityRules(), metricRules(), judgingRules(), webhookRules(),
		alertRules(),
		between("spec.progressDeadlineSeconds", "progressDeadlineSeconds: #", 1, 86400),
		between("spec.service.port", "service: {port: #}", 1, 65535),
		between("spec.analysis.threshold", "analysis: {threshold: #}", 1, 1000),
		between("spec.analysis.maxWeight", "analysis: {stepWeight: 1, maxWeight: #}", 1, 100),
		between("spec.analysis.stepWeight", "analysis: {stepWeight: #}", 1, 100),
		between("spec.analysis.stepWeights[0]", "analysis: {stepWeight: null, stepWeights: [#]}", 1, 100),
		between("spec.analysis.steps[0].weight", "analysis: {stepWeight: null, steps: [{weight: #}]}", 0, 100),
		between("spec.analysis.stepWeightPromotion", "analysis: {stepWeightPromotion: #}", 0, 100),
		between("spec.analysis.iterations", "analysis: {stepWeight: null, iterations: #}", 1, 1000),
		between("spec.analysis.mirrorWeight", "analysis: {mirrorWeight: #}", 1, 100),
		between("spec.analysis.primaryReadyThreshold", "analysis: {primaryReadyThreshold: #}", 0, 100),
		between("spec.analysis.canaryReadyThreshold", "analysis: {canaryReadyThreshold: #}", 1, 100),
		between("spec.analysis.sessionAffinity.maxAge", "analysis: {sessionAffinity: {cookieName: a, maxAge: #}}", 1, 31536000),
		between("spec.analysis.webhooks[0].retries", "analysis: {webhooks: [{name: a, url: 'http://a', retries: #}]}", 0, 20),
	)
}

// between are the rules of a number with a least and a greatest value.
func between(field, spec string, least, most int) []rule {
	of := func(n int) []string { return each(spec, strconv.Itoa(n)) }
	atLeast, atMost := "should be greater than or equal to ", "should be less than or equal to "
	return []rule{
		{field: field, yes: of(least), no: of(least - 1), says: atLeast + strconv.Itoa(least)},
		{field: field, yes: of(most), no: of(most + 1), says: atMost + strconv.Itoa(most)},
	}
}

func targetRules() []rule {
	return []rule{
		{
			field: "<nil>",
			yes:   []string{"metadata: {name: " + long(63) + "}"},
			no:    []string{"metadata: {name: " + long(64) + "}"},
			says: "metadata.name of a Canary must have at most 63 characters; it is the label weir.dev/canary of all " +
				"that Weir makes",
		},
		{
			field: "spec.targetRef",
			yes: each("targetRef: #",
				"{apiVersion: apps/v1, kind: Deployment}", "{name: other}", "{kind: StatefulSet}", "{kind: DaemonSet}",
				"{apiVersion: serving.knative.dev/v1, kind: Service}"),
			no: each("targetRef: #",
				"{kind: ReplicaSet}", "{apiVersion: extensions/v1beta1}", "{apiVersion: v1, kind: StatefulSet}",
				"{kind: deployment}", `{kind: ""}`, "{kind: Service}", "{apiVersion: v1, kind: Service}",
				"{apiVersion: serving.knative.dev/v1}", "{apiVersion: serving.knative.dev/v1, kind: Configuration}",
			),
			says: "spec.targetRef must name a Deployment, a StatefulSet or a DaemonSet of apps/v1, or a Service of " +
				"serving.knative.dev/v1",
		},
		{
			field: "spec.targetRef", from: "spec: {service: {name: web}}",
			yes:  each("#", "targetRef: {name: podinfo}", "analysis: {threshold: 5}"),
			no:   each("targetRef: {name: #}", "other"),
			says: "spec.targetRef cannot change; delete this Canary and make one for the other workload",
		},
		{
			field: "spec.targetRef.name",
			yes:   each("targetRef: {name: #}", "a"),
			no:    each("targetRef: {name: #}", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.autoscalerRef.name",
			yes:   each("autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: #}", "podinfo"),
			no:    each("autoscalerRef: {name: #}", `""`),
			says:  notEmpty,
		},
		{
			field: "spec",
			yes: slices.Concat(
				each("targetRef: {name: #}", long(55)),
				each("targetRef: {name: #}, service: {name: web}", long(56), "podinfo.v2", "2048-game"),
			),
			no: each("targetRef: {name: #}", long(56), "podinfo.v2", "2048-game"),
			says: "the target's name cannot be a Service's; set spec.service.name to lower case letters, digits and " +
				"hyphens, a letter first, at most 55 characters",
		},
		{
			field: "spec.provider",
			yes:   each("provider: #", "gatewayapi", `"gatewayapi:v1"`, "istio", "kubernetes", "nginx, ingressRef: {name: podinfo}"),
			no:    each("provider: #", "Istio", `"gatewayapi:beta"`, `""`),
			says:  "should match",
		},
		{
			field: "spec",
			yes:   each("#", "provider: nginx, ingressRef: {name: podinfo}", "ingressRef: {name: podinfo}"),
			no:    each("provider: #", "nginx"),
			says:  "the provider nginx needs spec.ingressRef, the Ingress that leads to the apex Service",
		},
		{
			field: "spec.ingressRef",
			yes: each("ingressRef: #",
				"{apiVersion: networking.k8s.io/v1, kind: Ingress, name: podinfo}", "{name: podinfo.example.com}"),
			no: each("ingressRef: #",
				"{apiVersion: extensions/v1beta1, name: podinfo}", "{kind: IngressRoute, name: podinfo}"),
			says: "spec.ingressRef must name an Ingress of networking.k8s.io/v1",
		},
		{
			field: "spec.ingressRef", from: "spec: {ingressRef: {name: podinfo}}",
			yes:  each("#", "ingressRef: {name: podinfo}", "analysis: {threshold: 5}"),
			no:   each("ingressRef: {name: #}", "other"),
			says: "spec.ingressRef cannot change; delete this Canary and make one for the other Ingress",
		},
		{
			field: "spec.routeRefs",
			yes: each("routeRefs: [#]", "{apiVersion: v1, kind: A, name: web}", "{apiVersion: v1, kind: A, name: web, rules: [a, b]}",
				"{apiVersion: v1, kind: A, name: web}, {apiVersion: v1, kind: B, name: web}"),
			no: each("routeRefs: [#]",
				"{apiVersion: v1, kind: A, name: web, rules: [a]}, {apiVersion: v1, kind: A, name: web, rules: [b]}"),
			says: "spec.routeRefs must not name a route twice; name all of its rules in one place",
		},
		{
			field: "spec.routeRefs",
			yes:   each("routeRefs: #", "[{apiVersion: v1, kind: A, name: web}]"),
			no:    each("routeRefs: #", "[]"),
			says:  "should have at least 1 items",
		},
		{
			field: "spec.routeRefs[0].apiVersion",
			yes:   each("routeRefs: [{apiVersion: #, kind: A, name: web}]", "v1"),
			no:    each("routeRefs: [{apiVersion: #, kind: A, name: web}]", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.routeRefs[0].kind",
			yes:   each("routeRefs: [{apiVersion: v1, kind: #, name: web}]", "A"),
			no:    each("routeRefs: [{apiVersion: v1, kind: #, name: web}]", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.routeRefs[0].name",
			yes:   each("routeRefs: [{apiVersion: v1, kind: A, name: #}]", "web"),
			no:    each("routeRefs: [{apiVersion: v1, kind: A, name: #}]", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.routeRefs[0].rules[0]",
			yes:   each("routeRefs: [{apiVersion: v1, kind: A, name: web, rules: [#]}]", "a"),
			no:    each("routeRefs: [{apiVersion: v1, kind: A, name: web, rules: [#]}]", `""`),
			says:  notEmpty,
		},
		{
			field: "spec", from: "spec: {routeRefs: [{apiVersion: v1, kind: A, name: web}]}",
			yes:  each("#", "routeRefs: [{apiVersion: v1, kind: A, name: web}]", "analysis: {threshold: 5}"),
			no:   each("#", "routeRefs: [{apiVersion: v1, kind: A, name: other}]", "routeRefs: null"),
			says: "spec.routeRefs cannot change; delete this Canary and make one for the other routes",
		},
		{
			field: "spec.ingressRef.name",
			yes:   each("ingressRef: {name: #}", "a"),
			no:    each("ingressRef: {name: #}", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.ingressRef.name",
			yes:   each("ingressRef: {name: #}", long(246)),
			no:    each("ingressRef: {name: #}", long(247)),
			says:  "246",
		},
		{
			field: "spec",
			yes:   each("#", "provider: apisix, routeRef: {name: podinfo}", "routeRef: {name: podinfo}"),
			no:    each("provider: #", "apisix", "apisix, ingressRef: {name: podinfo}"),
			says:  "the provider apisix needs spec.routeRef, the ApisixRoute that leads to the apex Service",
		},
		{
			field: "spec.routeRef",
			yes: each("routeRef: #",
				"{apiVersion: apisix.apache.org/v2, kind: ApisixRoute, name: podinfo}", "{name: podinfo}"),
			no: each("routeRef: #",
				"{apiVersion: apisix.apache.org/v2beta3, name: podinfo}", "{kind: ApisixUpstream, name: podinfo}"),
			says: "spec.routeRef must name an ApisixRoute of apisix.apache.org/v2",
		},
		{
			field: "spec.routeRef", from: "spec: {routeRef: {name: podinfo}}",
			yes:  each("#", "routeRef: {name: podinfo}", "analysis: {threshold: 5}"),
			no:   each("routeRef: {name: #}", "other"),
			says: "spec.routeRef cannot change; delete this Canary and make one for the other ApisixRoute",
		},
		{
			field: "spec.routeRef.name",
			yes:   each("routeRef: {name: #}", "a"),
			no:    each("routeRef: {name: #}", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.routeRef.name",
			yes:   each("routeRef: {name: #}", long(246)),
			no:    each("routeRef: {name: #}", long(247)),
			says:  "246",
		},
		{
			field: "spec.upstreamRef",
			yes: each("upstreamRef: #",
				"{apiVersion: gloo.solo.io/v1, kind: Upstream, name: podinfo}", "{name: podinfo, namespace: gloo-system}"),
			no: each("upstreamRef: #",
				"{apiVersion: gloo.solo.io/v2, name: podinfo}", "{kind: UpstreamGroup, name: podinfo}"),
			says: "spec.upstreamRef must name an Upstream of gloo.solo.io/v1",
		},
		{
			field: "spec.upstreamRef.name",
			yes:   each("upstreamRef: {name: #}", "a"),
			no:    each("upstreamRef: {name: #}", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.metricsServer",
			yes: each("metricsServer: #",
				"'http://prometheus.monitoring:9090'", "'https://metrics.example.com/tenant/1'",
			),
			no:   each("metricsServer: #", "'prometheus:9090'", "'ftp://prometheus'", "'http://'", `""`),
			says: "spec.metricsServer must be an http or https URL",
		},
		{
			field: "spec",
			yes:   each("metricsServer: 'http://prometheus', metricsServerSecretRef: {name: #}", "reader"),
			no:    each("metricsServerSecretRef: {name: #}", "reader"),
			says:  "spec.metricsServerSecretRef is for the Prometheus of spec.metricsServer: set that, too",
		},
		{
			field: "spec.metricsServerSecretRef.name",
			yes:   each("metricsServer: 'http://prometheus', metricsServerSecretRef: {name: #}", "reader"),
			no:    each("metricsServer: 'http://prometheus', metricsServerSecretRef: {name: #}", `""`),
			says:  notEmpty,
		},
	}
}

// delayRules are about how long pods and splits stay, and what begins a run.
func delayRules() []rule {
	rules := []rule{
		{
			field: "spec.configTracking",
			yes:   each("configTracking: #", "Ignore", "Restart"),
			no:    each("configTracking: #", "restart", `""`),
			says:  oneOf,
		},
		{
			field: "spec.onNewRevision",
			yes:   each("onNewRevision: #", "Restart", "Queue"),
			no:    each("onNewRevision: #", "Ignore", `""`),
			says:  oneOf,
		},
	}
	for field, example := range map[string]string{
		"promotionDelay": "5m", "scaleDownDelay": "10m", "abortScaleDownDelay": "30s",
	} {
		rules = append(rules, rule{
			field: "spec." + field,
			yes:   each(field+": #", "0s", "1.5s", "24h", "1h30m"),
			no:    each(field+": #", "-1s", "soon", `"5"`, `""`, "5 m", "999999999999999h"),
			says:  "spec." + field + " must be a duration, for example " + example,
		})
	}
	return rules
}

func serviceRules() []rule {
	const cannotChange = "spec.service.name cannot change; delete this Canary and make it anew"
	return []rule{
		{
			field: "spec.service.name",
			yes:   each("service: {name: #}", "web-2", "w"),
			no:    each("service: {name: #}", "Web", "2web", "web-", "web.local", `""`),
			says:  "spec.service.name must be lower case letters, digits and hyphens, with a letter first and no hyphen last",
		},
		{
			field: "spec", from: "spec: {service: {name: web}}",
			yes:  each("service: {name: web, port: #}", "80"),
			no:   each("service: {name: #}", "other", "null"),
			says: cannotChange,
		},
		{
			field: "spec", from: "spec: {service: {port: 9898}}",
			yes:  each("service: {name: #}", "podinfo"), // what it is by default
			no:   each("service: {name: #}", "web"),
			says: cannotChange,
		},
		{
			field: "spec.service.portName",
			yes:   each("service: {portName: #}", "grpc-web", `"80"`),
			no:    each("service: {portName: #}", "Web", "web-", `""`),
			says:  "spec.service.portName must be lower case letters, digits and hyphens, with no hyphen first or last",
		},
		{
			field: "spec.service.targetPort",
			yes:   each("service: {targetPort: #}", "9898", "http", "65535"),
			no:    each("service: {targetPort: #}", "0", "65536", `"9898"`, "HTTP", `""`, long(16)),
			says:  "spec.service.targetPort must be a port number or the name of a container port, for example 9898 or http",
		},
		{
			field: "spec.service.appProtocol",
			yes:   each("service: {appProtocol: #}", "http", "kubernetes.io/h2c"),
			no:    each("service: {appProtocol: #}", "'http 2'", "/h2c", `""`, long(64)),
			says:  "spec.service.appProtocol must be a name with or without a domain, for example http or kubernetes.io/h2c",
		},
		{
			field: "spec.service.gatewayRefs",
			yes:   each("service: {gatewayRefs: #}", list(16, "{name: g#}")),
			no:    each("service: {gatewayRefs: #}", list(17, "{name: g#}")),
			says:  "must have at most 16 items",
		},
		{
			field: "spec.service.hosts[1]",
			yes:   []string{"spec: {service: {hosts: [app.example.com, '*.example.com']}}"},
			no:    each("service: {hosts: #}", "[app.example.com, App.example.com]", "[a.example.com, 'a:80']"),
			says:  "should match",
		},
		{
			field: "spec.service.settle",
			yes:   each("service: {settle: #}", "0s", "5m", "1.5s"),
			no:    each("service: {settle: #}", "5m1s", "-1s", "soon", `"5"`, `""`),
			says:  "spec.service.settle must be a duration from 0s to 5m, for example 5s",
		},
	}
}

func requestRules() []rule {
	const header = "a header needs a name of letters, digits and hyphens, and a value"
	rules := []rule{
		{
			field: "spec.service",
			yes: each("service: {rewrite: #}",
				"{uri: /}", "{uri: /}, match: []", "{uri: /}, match: [{path: {value: /api}}]",
				"{uri: /, type: ReplaceFullPath}, match: [{path: {value: /a}}, {path: {value: /b}}]",
				"{authority: example.com}, match: [{path: {value: /a}}, {path: {value: /b}}]",
			),
			no: each("service: {rewrite: {uri: /}, match: #}",
				"[{path: {value: /a}}, {path: {value: /b}}]", "[{path: {type: Exact, value: /a}}]",
			),
			says: "spec.service.rewrite replaces the matched prefix, so spec.service.match must have one entry with a " +
				"path of type PathPrefix; or set rewrite.type to ReplaceFullPath",
		},
		{
			field: "spec.service.rewrite",
			yes:   each("service: {rewrite: {uri: /, authority: #}}", "example.com"),
			no:    each("service: {rewrite: #}", "{}", "{type: ReplaceFullPath}"),
			says:  "spec.service.rewrite needs uri, authority or both",
		},
		{
			field: "spec.service.rewrite.uri",
			yes:   each("service: {rewrite: {uri: #}}", "/"),
			no:    each("service: {rewrite: {uri: #}}", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.service.rewrite.type",
			yes:   each("service: {rewrite: {uri: /, type: #}}", "ReplacePrefixMatch"),
			no:    each("service: {rewrite: {uri: /, type: #}}", "Regex"),
			says:  oneOf,
		},
		{
			field: "spec.service.rewrite.authority",
			yes:   each("service: {rewrite: {authority: #}}", "example.com"),
			no:    each("service: {rewrite: {authority: #}}", "'example.com:80'", "'*.example.com'", `""`),
			says:  "spec.service.rewrite.authority must be a host name in lower case without a port",
		},
		{
			field: "spec.service.timeout",
			yes:   each("service: {timeout: #}", "15s", "1m30s", "1500ms"),
			no:    each("service: {timeout: #}", "0s", "1.5s", "100000s", `"15"`, "-1s"),
			says:  "spec.service.timeout must be a duration above zero without a fraction, for example 15s or 1500ms",
		},
	}
	for _, side := range []string{"request", "response"} {
		for _, doing := range []string{"set", "add"} {
			put := func(headers string) string {
				return "spec: {service: {headers: {" + side + ": {" + doing + ": " + headers + "}}}}"
			}
			rules = append(rules, rule{
				field: "spec.service.headers." + side + "." + doing,
				yes:   []string{put("{x-app: weir, X_App2: 'a b'}")},
				no: []string{
					put("{'x app': weir}"), put(`{"": weir}`), put(`{x-app: ""}`), put("{':path': weir}"),
					put("{" + long(257) + ": weir}"), put("{x-app: " + long(4097) + "}"),
				},
				says: header,
			})
		}
	}
	return rules
}

// pathRules are the Gateway API's own, which come with its type of a match.
func pathRules() []rule {
	path := func(kind, value string) string {
		return "spec: {service: {match: [{path: {type: " + kind + ", value: '" + value + "'}}]}}"
	}
	var rules []rule
	for _, r := range []struct{ value, says string }{
		{"api", "value must be an absolute path and start with '/' when type one of ['Exact', 'PathPrefix']"},
		{"/a//b", "must not contain '//' when type one of ['Exact', 'PathPrefix']"},
		{"/a/./b", "must not contain '/./' when type one of ['Exact', 'PathPrefix']"},
		{"/a/../b", "must not contain '/../' when type one of ['Exact', 'PathPrefix']"},
		{"/a%2fb", "must not contain '%2f' when type one of ['Exact', 'PathPrefix']"},
		{"/a%2Fb", "must not contain '%2F' when type one of ['Exact', 'PathPrefix']"},
		{"/a#b", "must not contain '#' when type one of ['Exact', 'PathPrefix']"},
		{"/a/..", "must not end with '/..' when type one of ['Exact', 'PathPrefix']"},
		{"/a/.", "must not end with '/.' when type one of ['Exact', 'PathPrefix']"},
		{"/a b", "must only contain valid characters (matching ^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$) " +
			"for types ['Exact', 'PathPrefix']"},
	} {
		rules = append(rules, rule{
			field: "spec.service.match[0].path", says: r.says,
			yes: []string{path("Exact", "/a/b"), path("RegularExpression", r.value)},
			no:  []string{path("Exact", r.value), path("PathPrefix", r.value)},
		})
	}
	return rules
}
