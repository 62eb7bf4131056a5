package v1beta1_test

import "slices"

// planned is a spec with another plan than the base's, or with none.
func planned(analysis string) string { return "spec: {analysis: {stepWeight: null, " + analysis + "}}" }

// planRules say which plan there is, and what goes with which.
func planRules() []rule {
	const metric, mirror = "metrics: [{name: request-duration, thresholdRange: {max: 500}}]", "mirror: true"
	const gate, match = "webhooks: [{name: gate, url: 'http://gate', type: #}]", "match: [{headers: {x-user: {exact: me}}}]"
	called := "webhooks: [{name: gate, url: 'http://gate'}]"
	return []rule{
		{
			field: "spec.analysis",
			yes: []string{
				"spec: {analysis: null}", planned("interval: 1m"), "spec: {analysis: {stepWeight: 5}}",
				planned("stepWeights: [5, 20]"), planned("steps: [{weight: 5}]"), planned("iterations: 10"),
			},
			no: each("analysis: {stepWeight: #}",
				"5, stepWeights: [5]", "5, steps: [{weight: 5}]", "5, iterations: 10", "null, stepWeights: [5], iterations: 10",
				"null, steps: [{weight: 5}], iterations: 10", "null, steps: [{weight: 5}], stepWeights: [5]",
			),
			says: "spec.analysis needs one of steps, stepWeights, stepWeight and iterations, not several",
		},
		{
			field: "spec.analysis",
			yes: each("analysis: {#, "+metric+"}",
				"stepWeight: 5", "stepWeight: null, stepWeights: [5]", "stepWeight: null, steps: [{weight: 5}]",
				"stepWeight: null, iterations: 10"),
			no:   []string{planned(metric)},
			says: "spec.analysis.metrics needs a plan to be judged in: set steps, stepWeights, stepWeight or iterations",
		},
		{
			field: "spec.analysis",
			yes: slices.Concat(
				each("analysis: {#, "+called+"}",
					"stepWeight: 5", "stepWeight: null, stepWeights: [5]", "stepWeight: null, steps: [{weight: 5}]",
					"stepWeight: null, iterations: 10"),
				each("analysis: {stepWeight: null, "+gate+"}",
					"confirm-rollout", "pre-rollout", "confirm-promotion", "post-rollout", "rollback", "event"),
			),
			no: append(each("analysis: {stepWeight: null, "+gate+"}", "rollout", "confirm-traffic-increase"), planned(called)),
			says: "webhooks of type rollout and confirm-traffic-increase need a plan to be called in: " +
				"set steps, stepWeights, stepWeight or iterations",
		},
		{
			field: "spec.analysis",
			yes:   []string{planned("iterations: 10, " + match)},
			no: []string{
				"spec: {analysis: {" + match + "}}", planned("stepWeights: [5], " + match),
				planned("steps: [{weight: 5}], " + match), planned(match),
			},
			says: "spec.analysis.match needs iterations; in explicit steps, each step has a match of its own",
		},
		{
			field: "spec.analysis",
			yes: []string{
				"spec: {analysis: {" + mirror + "}}", planned("stepWeights: [5], " + mirror), planned("iterations: 10, " + mirror),
				planned("mirror: false"), planned("steps: [{weight: 5, mirror: true}], mirror: false"),
			},
			no: []string{planned(mirror), planned("steps: [{weight: 5}], " + mirror)},
			says: "spec.analysis.mirror needs stepWeights, stepWeight or iterations; " +
				"in explicit steps, each step has a mirror of its own",
		},
	}
}

func analysisRules() []rule {
	return []rule{
		{
			field: "spec.analysis",
			yes:   each("analysis: {stepWeight: 50, maxWeight: #}", "50"),
			no:    each("analysis: {stepWeight: 51, maxWeight: #}", "50"),
			says:  "spec.analysis.stepWeight must not exceed maxWeight",
		},
		{
			field: "spec.analysis",
			yes:   []string{planned("stepWeights: [10, 50], maxWeight: 50")},
			no:    []string{planned("stepWeights: [10, 51], maxWeight: 50")},
			says:  "spec.analysis.stepWeights must not exceed maxWeight",
		},
		{
			field: "spec.analysis.interval",
			yes:   each("analysis: {interval: #}", "1s", "1h30m", "2.5s"),
			no:    each("analysis: {interval: #}", "999ms", "1 minute", `"30"`, "-1m", `""`, "999999999999999h"),
			says:  "spec.analysis.interval must be a duration of at least 1s, for example 30s",
		},
		{
			field: "spec.analysis.stepWeights",
			yes:   []string{planned("stepWeights: [5]")},
			no:    []string{planned("stepWeights: []")},
			says:  "should have at least 1 items",
		},
		{
			field: "spec.analysis.stepWeights",
			yes:   []string{planned("stepWeights: [1, 2, 3]"), planned("stepWeights: [100]")},
			no:    each("analysis: {stepWeight: null, stepWeights: #}", "[5, 5]", "[20, 5]", "[5, 50, 20]"),
			says:  "spec.analysis.stepWeights must rise from step to step, for example [5, 20, 50]",
		},
		{
			field: "spec.analysis.canaryReplicas",
			yes:   each("analysis: {canaryReplicas: #}", "1", "10000", "1%", "100%"),
			no:    each("analysis: {canaryReplicas: #}", "0", "-1", "10001", `"5"`, "0%", "05%", "101%", "1.5%", "half", `""`),
			says: "spec.analysis.canaryReplicas must be a number of pods of at least 1, " +
				"or a percentage from 1% to 100%",
		},
	}
}

func metricRules() []rule {
	const atLeast, atMost = "should be greater than or equal to", "should be less than or equal to"
	metric := func(m string) string { return "spec: {analysis: {metrics: [" + m + "]}}" }
	own := func(m string) string {
		return metric("{name: own, thresholdRange: {max: 1}, templateRef: {name: own}, " + m + "}")
	}
	of := func(ref string) string {
		return metric("{name: own, thresholdRange: {max: 1}, templateRef: {name: own, " + ref + "}}")
	}
	const rate = "name: request-success-rate, thresholdRange: "
	return []rule{
		{
			field: "spec.analysis.metrics[0]",
			yes: []string{
				metric("{" + rate + "{min: 99}}"), metric("{name: request-duration, thresholdRange: {max: 500}}"),
				metric("{name: own, thresholdRange: {max: 1}, templateRef: {name: own}}"),
			},
			no:   []string{metric("{name: own, thresholdRange: {max: 1}}")},
			says: "a metric needs a templateRef unless it is built in (request-success-rate, request-duration, request-share)",
		},
		{
			field: "spec.analysis.metrics[1]",
			yes:   []string{metric("{" + rate + "{min: 99}}, {name: request-duration, thresholdRange: {max: 500}}")},
			no:    []string{metric("{" + rate + "{min: 99}}, {" + rate + "{min: 90}}")},
			says:  "Duplicate value",
		},
		{
			field: "spec.analysis.metrics[0].name",
			yes:   []string{metric("{name: a, thresholdRange: {max: 1}, templateRef: {name: own}}")},
			no:    []string{metric(`{name: "", thresholdRange: {max: 1}, templateRef: {name: own}}`)},
			says:  notEmpty,
		},
		{
			field: "spec.analysis.metrics[0].name",
			yes:   []string{metric("{name: webhooks/a, thresholdRange: {max: 1}, templateRef: {name: own}}")},
			no: []string{
				metric("{name: webhook/a, thresholdRange: {max: 1}, templateRef: {name: own}}"),
				metric("{name: guard, thresholdRange: {max: 1}, templateRef: {name: own}}"),
			},
			says: "a metric's name cannot be guard or begin with webhook/: so other checks are named in the status",
		},
		{
			field: "spec.analysis.metrics[0].interval",
			yes:   []string{own("interval: 1s"), own("interval: 5m")},
			no:    []string{own("interval: 100ms"), own("interval: often")},
			says:  "a metric's interval must be a duration of at least 1s, for example 30s",
		},
		{
			field: "spec.analysis.metrics[0].thresholdRange",
			yes:   []string{metric("{" + rate + "{min: 0}}"), metric("{" + rate + "{max: 0}}")},
			no:    []string{metric("{" + rate + "{}}")},
			says:  "thresholdRange needs min, max or both",
		},
		{
			field: "spec.analysis.metrics[0].thresholdRange",
			yes:   []string{metric("{" + rate + "{min: 99.5, max: 99.5}}"), metric("{" + rate + "{min: -1, max: 0.5}}")},
			no:    []string{metric("{" + rate + "{min: 99.5, max: 99}}")},
			says:  "thresholdRange.min must not exceed max",
		},
		{
			field: "spec.analysis.metrics[0].templateRef.name",
			yes:   []string{own("onError: Hold")},
			no:    []string{metric(`{name: own, thresholdRange: {max: 1}, templateRef: {name: ""}}`)},
			says:  notEmpty,
		},
		{
			field: "spec.analysis.metrics[0].templateRef.kind",
			yes:   []string{of("kind: MetricTemplate"), of("kind: ClusterMetricTemplate")},
			no:    []string{of("kind: Template"), of(`kind: ""`)},
			says:  oneOf,
		},
		{
			field: "spec.analysis.metrics[0].templateRef",
			yes: []string{
				of("namespace: a"), of("kind: MetricTemplate, namespace: a"), of("kind: ClusterMetricTemplate"),
			},
			no:   []string{of("kind: ClusterMetricTemplate, namespace: a")},
			says: "a ClusterMetricTemplate is in no namespace: remove templateRef.namespace",
		},
		{
			field: "spec.analysis.metrics[0].onNoData",
			yes:   []string{own("onNoData: Hold"), own("onNoData: Fail"), own("onNoData: Pass")},
			no:    []string{own("onNoData: Ignore")},
			says:  oneOf,
		},
		{
			field: "spec.analysis.metrics[0].onError",
			yes:   []string{own("onError: Hold"), own("onError: Fail")},
			no:    []string{own("onError: Pass")},
			says:  oneOf,
		},
		{
			field: "spec.analysis.metrics[0].failureLimit",
			yes:   []string{own("failureLimit: 0"), own("failureLimit: 1000")},
			no:    []string{own("failureLimit: -1")},
			says:  atLeast,
		},
		{
			field: "spec.analysis.metrics[0].failureLimit",
			yes:   []string{own("failureLimit: 0")},
			no:    []string{own("failureLimit: 1001")},
			says:  atMost,
		},
	}
}

// judgingRules are those of how a metric is judged.
func judgingRules() []rule {
	const atLeast, atMost = "should be greater than or equal to", "should be less than or equal to"
	metric := func(m string) string { return "spec: {analysis: {metrics: [" + m + "]}}" }
	const (
		rate    = "name: request-success-rate, "
		slow    = "name: request-duration, "
		own     = "name: own, templateRef: {name: own}, "
		compare = slow + "comparison: "
	)
	comparison := func(c string) string { return metric("{" + compare + "{" + c + "}}") }
	guard := func(g string) string { return "spec: {analysis: {guard: {" + g + "}}}" }
	return []rule{
		{
			field: "spec.analysis.metrics[0]",
			yes: []string{
				metric("{" + own + "condition: value < 1.0}"), comparison(""), metric("{" + rate + "comparison: {}}"),
				metric("{name: own, templateRef: {name: own}}"),
			},
			no: []string{
				metric("{" + rate + "}"), metric("{" + own + "condition: 'true', thresholdRange: {max: 1}}"),
				metric("{" + compare + "{}, thresholdRange: {max: 1}}"), metric("{" + compare + "{}, condition: 'true'}"),
			},
			says: "a metric is judged by one of thresholdRange, condition and comparison, " +
				"and by none of them if its template is of type job",
		},
		{
			field: "spec.analysis.metrics[0]",
			yes:   []string{metric("{name: request-share, comparison: {}}")},
			no:    []string{metric("{name: request-share, thresholdRange: {min: 5}}")},
			says:  "request-share is judged by comparison, with the weight",
		},
		{
			field: "spec.analysis.metrics[0]",
			yes: []string{
				metric("{" + own + "comparison: {}}"), metric("{" + own + "comparison: {kind: mean}}"), comparison("kind: mean"),
				comparison("kind: latency"), metric("{" + rate + "comparison: {kind: errors}}"),
				metric("{name: request-share, comparison: {kind: split}}"),
			},
			no: []string{
				metric("{" + own + "comparison: {kind: latency}}"), comparison("kind: errors"),
				metric("{" + rate + "comparison: {kind: mean}}"), metric("{name: request-share, comparison: {kind: errors}}"),
			},
			says: "comparison.kind is errors or mean for a template, latency or mean for request-duration, split for " +
				"request-share, and errors for request-success-rate",
		},
		{
			field: "spec.analysis.metrics[0].comparison.kind",
			yes:   []string{comparison("kind: mean")},
			no:    []string{comparison("kind: median")},
			says:  oneOf,
		},
		{
			field: "spec.analysis.metrics[0]",
			yes:   []string{metric("{" + compare + "{}, weight: 2}")},
			no: []string{
				metric("{" + rate + "thresholdRange: {min: 99}, weight: 2}"), metric("{" + compare + "{}, weight: 2, dryRun: true}"),
				metric("{name: request-share, comparison: {}, weight: 2}"),
			},
			says: "weight is for comparisons that are judged together: not for request-share, and not with dryRun",
		},
		{
			field: "spec.analysis.metrics[0].weight",
			yes:   []string{metric("{" + compare + "{}, weight: 100}")},
			no:    []string{metric("{" + compare + "{}, weight: 101}")},
			says:  atMost,
		},
		{
			field: "spec.analysis.metrics[0].weight",
			yes:   []string{metric("{" + compare + "{}, weight: 1}")},
			no:    []string{metric("{" + compare + "{}, weight: -1}")},
			says:  atLeast,
		},
		{
			field: "spec.analysis.metrics[0]",
			yes:   []string{metric("{" + own + "condition: 'true', reduce: max}")},
			no:    []string{metric("{" + compare + "{}, reduce: max}")},
			says:  "reduce is for thresholdRange and condition; a comparison counts all series",
		},
		{
			field: "spec.analysis.metrics[0]",
			yes:   []string{comparison("bound: 500ms")},
			no:    []string{metric("{" + rate + "comparison: {bound: 500ms}}"), comparison("kind: mean, bound: 500ms")},
			says:  "comparison.bound is a duration of requests, for request-duration of kind latency",
		},
		{
			field: "spec.analysis.metrics[0].comparison.bound",
			yes:   []string{comparison("bound: 1ms"), comparison("bound: 2.5s")},
			no:    []string{comparison("bound: 0s"), comparison("bound: slow")},
			says:  "comparison.bound must be a duration of at least 1ms, for example 500ms",
		},
		{
			field: "spec.analysis.metrics[0].comparison.tolerance",
			yes:   []string{comparison("tolerance: 1"), comparison("tolerance: 1.5")},
			no:    []string{comparison("tolerance: 0.9")},
			says:  atLeast,
		},
		{
			field: "spec.analysis.metrics[0].comparison.tolerance",
			yes:   []string{comparison("tolerance: 1")},
			no:    []string{comparison("tolerance: 101")},
			says:  atMost,
		},
		{
			field: "spec.analysis.metrics[0].comparison.confidence",
			yes:   []string{comparison("confidence: 0.5"), comparison("confidence: 0.999")},
			no:    []string{comparison("confidence: 0.4")},
			says:  atLeast,
		},
		{
			field: "spec.analysis.metrics[0].comparison.confidence",
			yes:   []string{comparison("confidence: 0.5")},
			no:    []string{comparison("confidence: 1")},
			says:  atMost,
		},
		{
			field: "spec.analysis.metrics[0].comparison.minRequests",
			yes:   []string{comparison("minRequests: 0"), comparison("minRequests: 500")},
			no:    []string{comparison("minRequests: -1")},
			says:  atLeast,
		},
		{
			field: "spec.analysis.metrics[0].comparison.minRequests",
			yes:   []string{comparison("minRequests: 0")},
			no:    []string{comparison("minRequests: 1000001")},
			says:  atMost,
		},
		{
			field: "spec.analysis.metrics[0].condition",
			yes:   []string{metric("{" + own + "condition: value < 1.25 * baseline}")},
			no:    []string{metric("{" + own + `condition: ""}`)},
			says:  notEmpty,
		},
		{
			field: "spec.analysis.metrics[0].reduce",
			yes:   []string{metric("{" + own + "condition: 'true', reduce: mean}")},
			no:    []string{metric("{" + own + "condition: 'true', reduce: median}")},
			says:  oneOf,
		},
		{
			field: "spec.analysis.metrics[0].comparison.limit",
			yes:   []string{comparison("limit: 1.25"), comparison("limit: 100")},
			no:    []string{comparison("limit: 0.9")},
			says:  atLeast,
		},
		{
			field: "spec.analysis.metrics[0].comparison.limit",
			yes:   []string{comparison("limit: 1.25")},
			no:    []string{comparison("limit: 101")},
			says:  atMost,
		},
		{
			field: "spec.analysis.metrics[0].comparison",
			yes:   []string{comparison("tolerance: 1.5, limit: 1.5")},
			no:    []string{comparison("tolerance: 1.5, limit: 1.4")},
			says:  "comparison.limit must not be below tolerance",
		},
		{
			field: "spec.analysis",
			yes: []string{
				"spec: {analysis: {pace: adaptive, metrics: [{" + compare + "{}}]}}", "spec: {analysis: {pace: fixed}}",
			},
			no: []string{
				"spec: {analysis: {pace: adaptive}}",
				"spec: {analysis: {pace: adaptive, metrics: [{" + rate + "thresholdRange: {min: 99}}]}}",
			},
			says: "spec.analysis.pace adaptive needs a metric with a comparison, whose evidence it goes by",
		},
		{
			field: "spec.analysis.pace",
			yes:   each("analysis: {pace: #}", "fixed"),
			no:    each("analysis: {pace: #}", "fast"),
			says:  oneOf,
		},
		{
			field: "spec.analysis.minStep",
			yes:   each("analysis: {minStep: #}", "1s", "2m"),
			no:    each("analysis: {minStep: #}", "0s", "soon"),
			says:  "spec.analysis.minStep must be a duration of at least 1s, for example 2m",
		},
		{
			field: "spec.analysis.noDataDeadline",
			yes:   each("analysis: {noDataDeadline: #}", "1s", "30m"),
			no:    each("analysis: {noDataDeadline: #}", "0s", "soon"),
			says:  "spec.analysis.noDataDeadline must be a duration of at least 1s, for example 30m",
		},
		{
			field: "spec.analysis.guard.interval",
			yes:   []string{guard("interval: 1s"), guard("disabled: true")},
			no:    []string{guard("interval: 100ms"), guard("interval: often")},
			says:  "spec.analysis.guard.interval must be a duration of at least 1s, for example 10s",
		},
		{
			field: "spec.analysis.guard.tolerance",
			yes:   []string{guard("tolerance: 1"), guard("tolerance: 100")},
			no:    []string{guard("tolerance: 0.5")},
			says:  atLeast,
		},
		{
			field: "spec.analysis.guard.tolerance",
			yes:   []string{guard("tolerance: 1")},
			no:    []string{guard("tolerance: 101")},
			says:  atMost,
		},
		{
			field: "spec.analysis.guard.confidence",
			yes:   []string{guard("confidence: 0.99")},
			no:    []string{guard("confidence: 0.4")},
			says:  atLeast,
		},
		{
			field: "spec.analysis.guard.confidence",
			yes:   []string{guard("confidence: 0.99")},
			no:    []string{guard("confidence: 1")},
			says:  atMost,
		},
	}
}
