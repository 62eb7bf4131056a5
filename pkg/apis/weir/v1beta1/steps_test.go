package v1beta1_test

// stepRules are about the plan written out.
func stepRules() []rule {
	const (
		steps   = "analysis: {stepWeight: null, steps: #}"
		metrics = "metrics: [{name: request-duration, thresholdRange: {max: 500}}]"
		gate    = "webhooks: [{name: ask, url: 'http://gate', type: confirm-traffic-increase}]"
		pauses  = "a step's pause.duration must be a duration of at least 1s, for example 10m; leave it out to wait for a person"
	)
	return []rule{
		{
			field: "spec.analysis",
			yes:   []string{planned("steps: [{weight: 10}, {pause: {}}, {weight: 50}], maxWeight: 50")},
			no:    []string{planned("steps: [{weight: 10}, {pause: {}}, {weight: 51}], maxWeight: 50")},
			says:  "the weights of spec.analysis.steps must not exceed maxWeight",
		},
		{
			field: "spec.analysis",
			yes:   []string{planned(metrics + ", steps: [{weight: 5, analysis: [request-duration]}, {weight: 10}]")},
			no: []string{
				planned(metrics + ", steps: [{weight: 5}, {weight: 10, analysis: [request-duration, other]}]"),
				planned("steps: [{weight: 5, analysis: [request-duration]}]"),
			},
			says: "a step's analysis names a metric that spec.analysis.metrics does not have",
		},
		{
			field: "spec.analysis",
			yes:   []string{planned(gate + ", steps: [{weight: 5, gates: [ask]}, {weight: 10}]")},
			no: []string{
				planned(gate + ", steps: [{weight: 5}, {weight: 10, gates: [ask, other]}]"),
				planned("webhooks: [{name: ask, url: 'http://gate'}], steps: [{weight: 5, gates: [ask]}]"),
				planned("steps: [{weight: 5, gates: [ask]}]"),
			},
			says: "a step's gates names a webhook that spec.analysis.webhooks does not have with type confirm-traffic-increase",
		},
		{
			field: "spec.analysis.steps",
			yes:   each(steps, "[{weight: 5}]", list(40, "{weight: #}")),
			no:    each(steps, "[]"),
			says:  "should have at least 1 items",
		},
		{
			field: "spec.analysis.steps",
			yes:   each(steps, "[{weight: 5}, {weight: 5, pause: {}}, {pause: {}}, {weight: 20}]", "[{weight: 0}, {weight: 100}]"),
			no:    each(steps, "[{weight: 20}, {weight: 5}]", "[{weight: 20}, {pause: {}}, {weight: 5}]"),
			says:  "the weights of spec.analysis.steps must not fall from step to step",
		},
		{
			field: "spec.analysis.steps[0]",
			yes: each(steps,
				"[{weight: 0}]", "[{mirror: true}]", "[{pause: {}}]", "[{match: [{sourceLabels: {app: client}}]}]"),
			no:   each(steps, "[{}]", "[{mirror: false}]", "[{replicas: 2}]"),
			says: "a step needs weight, match, mirror or pause",
		},
		{
			field: "spec.analysis.steps[0].pause.duration",
			yes:   each(steps, "[{pause: {duration: 1s}}]", "[{pause: {duration: 1h30m}}]", "[{pause: {}}]"),
			no:    each("analysis: {stepWeight: null, steps: [{pause: {duration: #}}]}", "999ms", "0s", "-1m", "long", `"5"`, `""`),
			says:  pauses,
		},
		{
			field: "spec.analysis.steps[0].replicas",
			yes:   each("analysis: {stepWeight: null, steps: [{weight: 5, replicas: #}]}", "1", "10000", "1%", "100%"),
			no: each("analysis: {stepWeight: null, steps: [{weight: 5, replicas: #}]}",
				"0", "10001", `"5"`, "0%", "101%", "half", `""`),
			says: "a step's replicas must be a number of pods of at least 1, or a percentage from 1% to 100%",
		},
		{
			field: "spec.analysis.steps[0].analysis",
			yes:   []string{planned(metrics + ", steps: [{weight: 5, analysis: [request-duration]}]")},
			no:    []string{planned(metrics + ", steps: [{weight: 5, analysis: []}]")},
			says:  "should have at least 1 items",
		},
		{
			field: "spec.analysis.steps[0].gates",
			yes:   []string{planned(gate + ", steps: [{weight: 5, gates: [ask]}]")},
			no:    []string{planned(gate + ", steps: [{weight: 5, gates: []}]")},
			says:  "should have at least 1 items",
		},
	}
}

// matchRules hold for the requests of the iterations and for those of a step alike.
func matchRules() []rule {
	var rules []rule
	for field, spec := range map[string]string{
		"spec.analysis.match":          "analysis: {stepWeight: null, iterations: 10, match: #}",
		"spec.analysis.steps[0].match": "analysis: {stepWeight: null, steps: [{match: #}]}",
	} {
		one := func(of string, values ...string) []string {
			for i, value := range values {
				values[i] = "[{" + of + ": " + value + "}]"
			}
			return each(spec, values...)
		}
		rules = append(rules,
			rule{
				field: field, says: "should have at least 1 items",
				yes: one("sourceLabels", "{app: client}"), no: each(spec, "[]"),
			},
			rule{
				field: field + "[0]", says: "a match needs headers, queryParams, sourceLabels or method",
				yes: each(spec, "[{headers: {a: {exact: b}}}]", "[{queryParams: {a: {exact: b}}}]", "[{sourceLabels: {a: b}}]",
					"[{method: GET}]", "[{headers: {a: {exact: b}}, queryParams: {a: {exact: b}}, sourceLabels: {a: b}, method: GET}]"),
				no: each(spec, "[{}]"),
			},
			rule{
				field: field + "[0].method", says: oneOf,
				yes: one("method", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"),
				no:  one("method", "get", "QUERY", `""`),
			},
			rule{
				field: field + "[0].headers", says: "a match's headers need names of letters, digits and hyphens",
				yes: one("headers", "{x-user: {exact: me}}", "{cookie: {regex: '^(.*; )?canary=always(;.*)?$'}}",
					"{X_User2: {prefix: a}}"),
				no: one("headers", "{'x user': {exact: me}}", `{"": {exact: me}}`, "{':path': {exact: me}}", "{"+long(257)+": {exact: me}}"),
			},
			rule{
				field: field + "[0].queryParams", says: "a match's queryParams need names of 1 to 256 characters",
				yes: one("queryParams", "{user: {exact: me}}", "{'filter[user]': {prefix: m}}"),
				no:  one("queryParams", `{"": {exact: me}}`, "{"+long(257)+": {exact: me}}"),
			},
		)
		for _, of := range []string{"headers", "queryParams", "sourceLabels"} {
			value := "{a: {exact: b}}"
			if of == "sourceLabels" {
				value = "{a: b}"
			}
			rules = append(rules, rule{
				field: field + "[0]." + of, says: "should have at least 1 properties", yes: one(of, value), no: one(of, "{}"),
			})
		}
		for _, of := range []string{"headers", "queryParams"} {
			with := func(text string) []string { return one(of, "{a: "+text+"}") }
			rules = append(rules, textRules(field+"[0]."+of+"[a]", with)...)
		}
	}
	return rules
}

// textRules are about the text that a header or a parameter is compared with.
func textRules(field string, with func(text string) []string) []rule {
	rules := []rule{{
		field: field, says: "a text is matched by one of exact, prefix and regex",
		yes: with("{exact: me}"), no: append(with("{}"), with("{exact: me, prefix: m}")...),
	}}
	for _, way := range []string{"exact", "prefix", "regex"} {
		rules = append(rules, rule{
			field: field + "." + way, says: notEmpty, yes: with("{" + way + ": m}"), no: with("{" + way + `: ""}`),
		})
	}
	return rules
}

func affinityRules() []rule {
	with := func(field string, values ...string) []string {
		return each("analysis: {sessionAffinity: {cookieName: a, "+field+": #}}", values...)
	}
	return []rule{
		{
			field: "spec.analysis.sessionAffinity.cookieName",
			yes:   each("analysis: {sessionAffinity: {cookieName: #}}", "weir-canary", "__Host-weir"),
			no:    each("analysis: {sessionAffinity: {cookieName: #}}", "'a b'", "a=b", "a;b", "'\"a\"'"),
			says:  "sessionAffinity.cookieName must be made of letters, digits, hyphens and underscores",
		},
		{
			field: "spec.analysis.sessionAffinity.cookieName",
			yes:   each("analysis: {sessionAffinity: {cookieName: #}}", "a"),
			no:    each("analysis: {sessionAffinity: {cookieName: #}}", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.analysis.sessionAffinity.domain",
			yes:   with("domain", "example.com", ".example.com", "localhost"),
			no:    with("domain", "'example.com; Secure'", "'*.example.com'", "example.com.", "'example.com:80'", `""`),
			says:  "sessionAffinity.domain must be a host name",
		},
		{
			field: "spec.analysis.sessionAffinity.path",
			yes:   with("path", "/", "/app"),
			no:    with("path", "app", "'/; Secure'", "'/a b'", "'/a,b'", `""`),
			says:  "sessionAffinity.path must begin with a slash and hold no semicolon, comma or space",
		},
		{
			field: "spec.analysis.sessionAffinity.sameSite",
			yes:   with("sameSite", "Strict", "Lax", "None"),
			no:    with("sameSite", "lax", `""`),
			says:  oneOf,
		},
	}
}
