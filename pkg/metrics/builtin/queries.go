package builtin

import (
	"fmt"
	"regexp"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
)

// source is one family of request metrics that a Gateway or an application exports.
type source struct {
	// count and bucket are the names of a counter of requests and of a histogram of their durations.
	count, bucket string
	// selector picks the requests of one revision.
	selector string
	// failed picks the server errors among them.
	failed string
	// toMillis turns the histogram's unit into milliseconds.
	toMillis int
}

// Query is the PromQL of a metric that needs no template. It asks the Gateway first, which also counts
// what never reached the application, and the application's own pods where the Gateway has nothing to
// say: the first of the sources with requests in the window answers, alone. It gives one series, or none
// where no source has any.
func Query(metric string, v metrics.Vars) (string, error) {
	var one func(source, string) string
	switch metric {
	case v1beta1.RequestSuccessRate:
		one = successRate
	case v1beta1.RequestDuration:
		one = duration
	default:
		return "", fmt.Errorf("metric %s is not built in; give it a templateRef", metric)
	}
	var parts []string
	for _, s := range sources(v) {
		parts = append(parts, one(s, v.PromInterval()))
	}
	return strings.Join(parts, "\nor\n"), nil
}

// sources are what Gateway API implementations and applications really export, in the order of asking.
// docs/metrics.md says where each name comes from.
func sources(v metrics.Vars) []source {
	return append(gatewaySources(v), applicationSources(v)...)
}

func gatewaySources(v metrics.Vars) []source {
	ns, svc := regexp.QuoteMeta(v.Namespace), regexp.QuoteMeta(v.Service)
	return []source{
		{ // Traefik, one service a backend of a route
			count: "traefik_service_requests_total", bucket: "traefik_service_request_duration_seconds_bucket",
			selector: fmt.Sprintf(`service=~%q`, ".*-svc-"+ns+"-"+svc+"-[0-9]+@kubernetesgateway"), failed: `code=~"5.."`, toMillis: 1000,
		},
		{ // Istio's gateways
			count: "istio_requests_total", bucket: "istio_request_duration_milliseconds_bucket",
			selector: fmt.Sprintf(`destination_service_namespace=%q,destination_service_name=%q`, v.Namespace, v.Service), failed: `response_code=~"5.."`, toMillis: 1,
		},
	}
}

func applicationSources(v metrics.Vars) []source {
	pods := fmt.Sprintf(`namespace=%q,pod=~%q`, v.Namespace, v.Pods())
	return []source{
		{
			count: "http_request_duration_seconds_count", bucket: "http_request_duration_seconds_bucket",
			selector: pods + `,status!=""`, failed: `status=~"5.."`, toMillis: 1000,
		},
		{
			count: "http_requests_total", bucket: "http_request_duration_seconds_bucket",
			selector: pods + `,status!=""`, failed: `status=~"5.."`, toMillis: 1000,
		},
		{
			count: "http_requests_total", bucket: "http_request_duration_seconds_bucket",
			selector: pods + `,code!=""`, failed: `code=~"5.."`, toMillis: 1000,
		},
	}
}

// successRate is the percentage of requests without a server error. A source without requests gives
// nothing; one without errors gives 100.
func successRate(s source, window string) string {
	all := fmt.Sprintf("sum(rate(%s{%s}[%s]))", s.count, s.selector, window)
	failed := fmt.Sprintf("(sum(rate(%s{%s,%s}[%s])) or vector(0))", s.count, s.selector, s.failed, window)
	return fmt.Sprintf("100 * (1 - %s / (%s > 0))", failed, all)
}

// duration is the 99th percentile in milliseconds.
func duration(s source, window string) string {
	return fmt.Sprintf("%d * (histogram_quantile(0.99, sum by (le) (rate(%s{%s}[%s]))) >= 0)", s.toMillis, s.bucket, s.selector, window)
}
