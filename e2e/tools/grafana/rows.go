package main

import "fmt"

// row is one part of the dashboard.
type row struct {
	title  string
	panels []panel
}

// panel is one picture in it. Rows are 24 wide.
type panel struct {
	title, about, unit string
	width              uint32
	height             uint32 // 0 for 8
	kind               kind
	queries            []query
	// max is the top of the axis; 0 for what the data has.
	max float64
	// bad is from where on a number is red; 0 for never.
	bad float64
	// names are what the values from 1 on are called in a timeline, each with a colour.
	names []name
}

type kind int

const (
	lines kind = iota
	stacked
	bars
	number
	timeline
)

// query is an expression, and what its series are called.
type query struct{ expr, legend string }

// name is a state in a timeline: a label's value, and its colour.
type name struct{ value, colour string }

func rows() []row {
	return []row{{"All Canaries", overview()}, {"One Canary: $namespace/$name", one()}, {"The operator", operator()}}
}

func overview() []panel {
	return []panel{
		{title: "Canaries", width: 4, height: 4, kind: number, queries: []query{{"count(weir_canary_info) or vector(0)", ""}}},
		{title: "Runs that are on", width: 5, height: 4, kind: number,
			queries: []query{{"count(weir_canary_run_start_time_seconds) or vector(0)", ""}}},
		{title: "Rolled back", width: 5, height: 4, kind: number, bad: 1,
			about:   "Canaries whose last run was rolled back: what serves is not the target's template.",
			queries: []query{{`count(weir_canary_phase{phase="Failed"}) or vector(0)`, ""}}},
		{title: "Waiting for a person", width: 5, height: 4, kind: number, bad: 1, about: "Those that were rolled back are among them.",
			queries: []query{{"count(weir_canary_stalled) or vector(0)", ""}}},
		{title: "Replicas that lead", width: 5, height: 4, kind: number, about: "One for each installation.",
			queries: []query{{"sum(weir_leading) or vector(0)", ""}}},
		{title: "Canaries by phase", width: 12, kind: stacked, queries: []query{{"count by (phase) (weir_canary_phase)", "{{phase}}"}}},
		{title: "Runs that ended, by outcome", width: 12, kind: bars, queries: []query{{
			"sum by (outcome) (increase(weir_canary_run_duration_seconds_count[$__rate_interval]))", "{{outcome}}"}}},
		{title: "Duration of runs", width: 12, unit: "s", about: "Of those that ended in the last six hours.", queries: []query{
			{quantile("0.5", "", "weir_canary_run_duration_seconds", "6h"), "half"},
			{quantile("0.95", "", "weir_canary_run_duration_seconds", "6h"), "95 %"},
		}},
		{title: "Failed rounds of runs that are on", width: 12,
			queries: []query{{"weir_canary_run_failed_rounds > 0", "{{namespace}}/{{name}}"}}},
	}
}

func one() []panel {
	const canary = `{namespace="$namespace", name="$name"}`
	phases := []name{
		{"Initializing", "light-blue"}, {"Initialized", "blue"}, {"Waiting", "light-purple"}, {"Progressing", "yellow"},
		{"WaitingPromotion", "purple"}, {"Promoting", "light-green"}, {"Finalising", "semi-dark-green"}, {"Succeeded", "green"},
		{"Failed", "red"}, {"Terminating", "text"},
	}
	verdicts := []name{{"Passed", "green"}, {"Failed", "red"}, {"NoData", "yellow"}, {"Errored", "orange"}}
	return []panel{
		{title: "Phase", width: 16, height: 4, kind: timeline, names: phases,
			queries: []query{{states("weir_canary_phase", "phase", "name", phases), "phase"}}},
		{title: "The run is on for", width: 4, height: 4, kind: number, unit: "s",
			queries: []query{{"time() - weir_canary_run_start_time_seconds" + canary, ""}}},
		{title: "Failed rounds", width: 4, height: 4, kind: number, bad: 1, queries: []query{{"weir_canary_run_failed_rounds" + canary, ""}}},
		{title: "Weight", width: 12, unit: "percent", max: 100, queries: []query{{"weir_canary_weight" + canary, "canary"}}},
		{title: "Verdicts", width: 12, kind: timeline, names: verdicts,
			queries: []query{{states("weir_canary_check_verdict", "verdict", "check", verdicts), "{{check}}"}}},
		{title: "Values of checks", width: 12, queries: []query{{"weir_canary_check_value" + canary, "{{check}}"}}},
		{title: "Runs since the operator began", width: 12, kind: bars,
			queries: []query{{"sum by (outcome) (weir_canary_runs_total" + canary + ")", "{{outcome}}"}}},
	}
}

func operator() []panel {
	const own = " and on (job, instance) weir_leading"
	return []panel{
		{title: "Looks", width: 8, unit: "ops", queries: []query{{rate("result", "weir_sync_duration_seconds_count"), "{{result}}"}}},
		{title: "Time of a look", width: 8, unit: "s", queries: []query{
			{quantile("0.5", "", "weir_sync_duration_seconds", "$__rate_interval"), "half"},
			{quantile("0.99", "", "weir_sync_duration_seconds", "$__rate_interval"), "99 %"},
		}},
		{title: "What a queue is given", width: 8, unit: "ops", queries: []query{
			{rate("queue", "weir_queue_adds_total"), "{{queue}}"},
			{rate("queue", "weir_queue_retries_total"), "{{queue}}, again"},
		}},
		{title: "Queue depth", width: 8, queries: []query{{"sum by (queue) (weir_queue_depth)", "{{queue}}"}}},
		{title: "Wait in a queue, 99 %", width: 8, unit: "s",
			queries: []query{{quantile("0.99", "queue", "weir_queue_wait_seconds", "$__rate_interval"), "{{queue}}"}}},
		{title: "Longest work that is under way", width: 8, unit: "s",
			queries: []query{{"max by (queue) (weir_queue_longest_running_seconds)", "{{queue}}"}}},
		{title: "Provider latency, 95 %", width: 8, unit: "s",
			queries: []query{{quantile("0.95", "provider", "weir_provider_duration_seconds", "$__rate_interval"), "{{provider}}"}}},
		{title: "Queries by result", width: 8, unit: "ops",
			queries: []query{{rate("provider, result", "weir_provider_duration_seconds_count"), "{{provider}} {{result}}"}}},
		{title: "Queries that are under way", width: 8, queries: []query{{"sum by (provider) (weir_provider_in_flight)", "{{provider}}"}}},
		{title: "Checks by verdict", width: 8, unit: "ops",
			queries: []query{{rate("verdict", "weir_check_duration_seconds_count"), "{{verdict}}"}}},
		{title: "Checks that share a query", width: 8, unit: "ops",
			queries: []query{{rate("result", "weir_check_cache_total"), "{{result}}"}}},
		{title: "Webhooks", width: 8, unit: "ops",
			queries: []query{{rate("type, answer", "weir_webhook_duration_seconds_count"), "{{type}} {{answer}}"}}},
		{title: "Alerts, told and not told", width: 8, unit: "ops",
			queries: []query{{rate("provider, result", "weir_alert_duration_seconds_count"), "{{provider}} {{result}}"}}},
		{title: "Requests to the API server", width: 8, unit: "reqps",
			queries: []query{{rate("verb, resource", "weir_api_requests_total"), "{{verb}} {{resource}}"}}},
		{title: "Requests that failed", width: 8, unit: "reqps", about: "Code 0 is no answer; 409 is a conflict.",
			queries: []query{{rate("verb, resource, code", `weir_api_requests_total{code!~"[123].."}`), "{{code}} {{verb}} {{resource}}"}}},
		{title: "Memory", width: 8, unit: "bytes", queries: []query{
			{"process_resident_memory_bytes" + own, "{{instance}} resident"},
			{"go_memstats_heap_alloc_bytes" + own, "{{instance}} heap"},
		}},
		{title: "CPU", width: 8, unit: "short", about: "In cores.",
			queries: []query{{"rate(process_cpu_seconds_total[$__rate_interval])" + own, "{{instance}}"}}},
		{title: "Goroutines", width: 8, queries: []query{{"go_goroutines" + own, "{{instance}}"}}},
	}
}

func rate(by, of string) string {
	return fmt.Sprintf("sum by (%s) (rate(%s[$__rate_interval]))", by, of)
}

func quantile(q, by, of, over string) string {
	if by != "" {
		by = ", " + by
	}
	return fmt.Sprintf("histogram_quantile(%s, sum by (le%s) (rate(%s_bucket[%s])))", q, by, of, over)
}

// states has one series for each value of by, whose value is the number of the name that a label has, from 1 on.
func states(metric, label, by string, names []name) string {
	var all string
	for i, n := range names {
		if i > 0 {
			all += " or "
		}
		all += fmt.Sprintf(`%d * %s{namespace="$namespace", name="$name", %s=%q}`, i+1, metric, label, n.value)
	}
	return fmt.Sprintf("max by (%s) (%s)", by, all)
}
