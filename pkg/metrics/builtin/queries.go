package builtin

import (
	"errors"
	"fmt"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
)

// source is one family of request metrics that a Gateway or an application exports.
type source struct {
	// count and bucket are the names of a counter of requests and of a histogram of their durations.
	count, bucket string
	// selector picks the requests of one revision; the histogram need not have the label of the status.
	selector string
	// known picks, among them, those that tell their status; failed the server errors.
	known, failed string
	// toMillis turns the histogram's unit into milliseconds.
	toMillis int
}

// Query is the PromQL of a metric that needs no template. It asks the Gateway first, which also counts
// what never reached the application, and the application's own pods where the Gateway has nothing to
// say: the first of the sources with requests in the window answers, alone. It gives one series without
// labels, or none where no source has any request. docs/metrics.md says where each name comes from.
// An error is of the kind Rejected.
func Query(metric string, v metrics.Vars) (string, error) {
	sources := gatewaySources(v.Namespace, v.OwnService())
	pods, err := v.Pods()
	switch {
	case err == nil:
		sources = append(sources, applicationSources(v.Namespace, pods)...)
	case !errors.Is(err, metrics.Rejected):
		return "", err
	} // Pods that cannot be told apart by name leave the Gateway's word.
	var one func(source, string) string
	switch metric {
	case v1beta1.RequestSuccessRate:
		one = successRate
	case v1beta1.RequestDuration:
		one, sources = duration, oncePerHistogram(sources)
	default:
		return "", metrics.Rejectedf("metric %s is not built in; give it a templateRef", metric)
	}
	parts := make([]string, 0, len(sources))
	for _, s := range sources {
		parts = append(parts, one(s, v.PromInterval()))
	}
	return strings.Join(parts, "\nor\n"), nil
}

// gatewaySources are what implementations of the Gateway API say of a Service. Names of Services and
// namespaces have no character that a regular expression or a quoted string would take amiss.
func gatewaySources(namespace, service string) []source {
	traefik := fmt.Sprintf(`=~"(http|grpc)route-%[1]s-.+-svc-%[1]s-%[2]s-[0-9]+@kubernetesgateway"`, namespace, service)
	istio := fmt.Sprintf(`destination_service_namespace="%s",destination_service_name="%s",reporter=`, namespace, service)
	var all []source
	// Prometheus renames a label that its own discovery has set, as it does for a ServiceMonitor.
	for _, label := range []string{"service", "exported_service"} {
		all = append(all, source{
			count: "traefik_service_requests_total", bucket: "traefik_service_request_duration_seconds_bucket",
			selector: label + traefik, failed: `code=~"5.."`, toMillis: 1000,
		})
	}
	all = append(all, source{ // Contour, and kgateway with its prefix
		count: "envoy_cluster_upstream_rq", bucket: "envoy_cluster_upstream_rq_time_bucket",
		selector: fmt.Sprintf(`envoy_cluster_name=~"(kube_)?%s_%s_[0-9a-zA-Z-]+"`, namespace, service),
		failed:   `envoy_response_code=~"5.."`, toMillis: 1,
	})
	// Each proxy on the way counts a request; the one nearest to the client has seen them all.
	for _, reporter := range []string{"source", "waypoint", "destination"} {
		all = append(all, source{
			count: "istio_requests_total", bucket: "istio_request_duration_milliseconds_bucket",
			selector: istio + `"` + reporter + `"`, failed: `response_code=~"5.."`, toMillis: 1,
		})
	}
	return all
}

// unasked leaves out what no user has asked for: probes and scrapes would make a canary without traffic
// look busy and well, and one that has just started look broken. A label that is not there matches.
func unasked() string {
	const paths = "/?(health|healthz|healthcheck|live|livez|liveness|ready|readyz|readiness|startup|startupz|ping|metrics|actuator/.+|-/ready|-/healthy)"
	var matchers []string
	for _, label := range []string{"path", "route", "handler", "uri", "http_route"} {
		matchers = append(matchers, fmt.Sprintf(`%s!~"%s"`, label, paths))
	}
	return strings.Join(matchers, ",")
}

// applicationSources are what applications say of themselves. Those come first that tell the path, so
// that probes can be left out.
func applicationSources(namespace, pods string) []source {
	selector := fmt.Sprintf(`namespace="%s",pod=~"%s",%s`, namespace, pods, unasked())
	var all []source
	for _, f := range []struct{ family, label string }{
		{"http_request_duration_seconds_count", "status"},
		{"http_request_duration_seconds_count", "code"},
		{"http_request_duration_seconds_count", "status_code"},
		{"http_server_request_duration_seconds_count", "http_response_status_code"}, // OpenTelemetry
		{"http_server_requests_seconds_count", "status"},                            // Micrometer
		{"http_requests_total", "status"},
		{"http_requests_total", "code"},
	} {
		bucket := "http_request_duration_seconds_bucket"
		if histogram, ok := strings.CutSuffix(f.family, "_count"); ok {
			bucket = histogram + "_bucket"
		}
		all = append(all, source{
			count: f.family, bucket: bucket, selector: selector,
			known: f.label + `!=""`, failed: f.label + `=~"5.."`, toMillis: 1000,
		})
	}
	return all
}

func oncePerHistogram(sources []source) []source {
	type histogram struct{ bucket, selector string }
	seen := map[histogram]bool{}
	var once []source
	for _, s := range sources {
		h := histogram{s.bucket, s.selector}
		if !seen[h] {
			once = append(once, s)
		}
		seen[h] = true
	}
	return once
}

// successRate is the percentage of requests without a server error. A source without requests gives
// nothing; one without errors gives 100.
func successRate(s source, window string) string {
	selector := s.selector
	if s.known != "" {
		selector += "," + s.known
	}
	all := fmt.Sprintf("sum(rate(%s{%s}[%s]))", s.count, selector, window)
	failed := fmt.Sprintf("(sum(rate(%s{%s,%s}[%s])) or vector(0))", s.count, s.selector, s.failed, window)
	return fmt.Sprintf("100 * (1 - %s / (%s > 0))", failed, all)
}

// duration is the 99th percentile in milliseconds. A histogram without requests has NaN, which is not
// at least 0, so that it gives nothing.
func duration(s source, window string) string {
	return fmt.Sprintf("%d * (histogram_quantile(0.99, sum by (le) (rate(%s{%s}[%s]))) >= 0)", s.toMillis, s.bucket, s.selector, window)
}
