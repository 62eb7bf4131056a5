package v1beta1_test

func analysisRules() []rule {
	weights := func(w string) string { return "spec: {analysis: {stepWeight: null, " + w + "}}" }
	return []rule{
		{
			field: "spec.analysis",
			yes:   []string{weights("stepWeights: [5, 20]"), "spec: {analysis: {stepWeight: 5}}"},
			no:    []string{weights("interval: 1m"), "spec: {analysis: {stepWeights: [5, 20]}}"},
			says:  "spec.analysis needs either stepWeight or stepWeights, not both",
		},
		{
			field: "spec.analysis",
			yes:   each("analysis: {stepWeight: 50, maxWeight: #}", "50"),
			no:    each("analysis: {stepWeight: 51, maxWeight: #}", "50"),
			says:  "spec.analysis.stepWeight must not exceed maxWeight",
		},
		{
			field: "spec.analysis",
			yes:   []string{weights("stepWeights: [10, 50], maxWeight: 50")},
			no:    []string{weights("stepWeights: [10, 51], maxWeight: 50")},
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
			yes:   []string{weights("stepWeights: [5]")},
			no:    []string{weights("stepWeights: []")},
			says:  "should have at least 1 items",
		},
		{
			field: "spec.analysis.stepWeights",
			yes:   []string{weights("stepWeights: [1, 2, 3]"), weights("stepWeights: [100]")},
			no:    each("analysis: {stepWeight: null, stepWeights: #}", "[5, 5]", "[20, 5]", "[5, 50, 20]"),
			says:  "spec.analysis.stepWeights must rise from step to step, for example [5, 20, 50]",
		},
	}
}

func metricRules() []rule {
	metric := func(m string) string { return "spec: {analysis: {metrics: [" + m + "]}}" }
	own := func(m string) string {
		return metric("{name: own, thresholdRange: {max: 1}, templateRef: {name: own}, " + m + "}")
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
			says: "a metric needs a templateRef unless it is built in (request-success-rate, request-duration)",
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
	}
}
