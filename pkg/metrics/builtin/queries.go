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
	// count and bucket are the names of a counter of requests and of a histogram of their durations,
	// empty where another source has it.
	count, bucket string
	// selector picks the requests of one revision; the histogram need not have the label of the status.
	selector string
	// status is the label that tells an HTTP status.
	status string
	// toMillis turns the histogram's unit into milliseconds.
	toMillis int
}

// Query is the PromQL of a metric that needs no template. It asks the Gateway first, which also counts
// what never reached the application, and the application's own pods where the Gateway has nothing to
// say: the first of the sources with requests in the window answers, alone. It gives one series without
// labels, or none where no source has any request. docs/metrics.md says where each name comes from.
// An error is of the kind Rejected.
func Query(metric string, v metrics.Vars) (string, error) {
	sources, err := sourcesOf(v)
	if err != nil {
		return "", err
	}
	var one func(source, string) string
	switch metric {
	case v1beta1.RequestSuccessRate:
		one = successRate
	case v1beta1.RequestDuration:
		one = duration
	default:
		return "", metrics.Rejectedf("metric %s is not built in; give it a templateRef", metric)
	}
	var parts []string
	for _, s := range sources {
		if part := one(s, v.PromInterval()); part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "\nor\n"), nil
}

// sourcesOf are those of a revision. Pods that cannot be told apart by name leave the Gateway's word.
func sourcesOf(v metrics.Vars) ([]source, error) {
	sources := gatewaySources(v.Namespace, v.OwnService())
	pods, err := v.Pods()
	switch {
	case err == nil:
		return append(sources, applicationSources(v.Namespace, pods)...), nil
	case errors.Is(err, metrics.Rejected):
		return sources, nil
	}
	return nil, err
}

// gatewaySources are what gateways and meshes say of a Service. Names of Services and
// namespaces have no character that a regular expression or a quoted string would take amiss.
func gatewaySources(namespace, service string) []source {
	traefik := []string{
		fmt.Sprintf(`=~"(http|grpc)route-%[1]s-.+-svc-%[1]s-%[2]s-[0-9]+@kubernetesgateway"`, namespace, service),
		fmt.Sprintf(`=~"%s-%s-[0-9]+@kubernetescrd"`, namespace, service),
	}
	istio := fmt.Sprintf(`destination_service_namespace="%s",destination_service_name="%s",reporter=`, namespace, service)
	var all []source
	for _, named := range traefik {
		// Prometheus renames a label that its own discovery has set, as it does for a ServiceMonitor.
		for _, label := range []string{"service", "exported_service"} {
			all = append(all, source{
				count: "traefik_service_requests_total", bucket: "traefik_service_request_duration_seconds_bucket",
				selector: label + named, status: "code", toMillis: 1000,
			})
		}
	}
	all = append(all, source{ // Contour, and kgateway with its prefix
		count: "envoy_cluster_upstream_rq", bucket: "envoy_cluster_upstream_rq_time_bucket",
		selector: fmt.Sprintf(`envoy_cluster_name=~"(kube_)?%s_%s_[0-9a-zA-Z-]+"`, namespace, service),
		status:   "envoy_response_code", toMillis: 1,
	})
	// Each proxy on the way counts a request; the one nearest to the client has seen them all.
	for _, reporter := range []string{"source", "waypoint", "destination"} {
		all = append(all, source{
			count: "istio_requests_total", bucket: "istio_request_duration_milliseconds_bucket",
			selector: istio + `"` + reporter + `"`, status: "response_code", toMillis: 1,
		})
	}
	return all
}

// unasked are the paths that no user has asked for: with probes and scrapes a canary without traffic would
// look busy and well, and one that has just started broken. The empty path is among them, because a
// metric that does not tell the path counts probes too.
const unasked = "(/?(health|healthz|healthcheck|live|livez|liveness|ready|readyz|readiness|startup|startupz|ping|" +
	"metrics|actuator/.+|-/ready|-/healthy))?"

// applicationSources are what applications say of themselves, by the conventions that are in use.
func applicationSources(namespace, pods string) []source {
	const seconds = "http_request_duration_seconds"
	var all []source
	for _, f := range []struct{ histogram, count, path, status string }{
		{seconds, seconds + "_count", "path", "status"},
		{"", seconds + "_count", "path", "status_code"},
		{"", seconds + "_count", "path", "code"},
		{seconds, seconds + "_count", "route", "status_code"},
		{seconds, seconds + "_count", "handler", "code"},
		{"http_server_request_duration_seconds", "http_server_request_duration_seconds_count",
			"http_route", "http_response_status_code"}, // OpenTelemetry
		{"http_server_requests_seconds", "http_server_requests_seconds_count", "uri", "status"}, // Micrometer
		{"", "http_requests_total", "path", "status"},
		{"", "http_requests_total", "path", "code"},
		{"", "http_requests_total", "handler", "status"},
		{"", "http_requests_total", "handler", "code"},
	} {
		s := source{
			count: f.count, status: f.status, toMillis: 1000,
			selector: fmt.Sprintf(`namespace="%s",pod=~"%s",%s!~"%s"`, namespace, pods, f.path, unasked),
		}
		if f.histogram != "" {
			s.bucket = f.histogram + "_bucket"
		}
		all = append(all, s)
	}
	return all
}

// successRate is the percentage of requests without a server error. A source without requests gives
// nothing; one without errors gives 100.
func successRate(s source, window string) string {
	all := fmt.Sprintf(`sum(rate(%s{%s,%s!=""}[%s]))`, s.count, s.selector, s.status, window)
	failed := fmt.Sprintf(`(sum(rate(%s{%s,%s=~"5.."}[%s])) or vector(0))`, s.count, s.selector, s.status, window)
	return fmt.Sprintf("100 * (1 - %s / (%s > 0))", failed, all)
}

// duration is the 99th percentile in milliseconds. A histogram without requests has NaN, which is not
// at least 0, so that it gives nothing.
func duration(s source, window string) string {
	if s.bucket == "" {
		return ""
	}
	return fmt.Sprintf("%d * (histogram_quantile(0.99, sum by (le) (rate(%s{%s}[%s]))) >= 0)",
		s.toMillis, s.bucket, s.selector, window)
}
