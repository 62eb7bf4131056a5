package builtin_test

import (
	"fmt"
	"maps"
	"strings"
)

// world is what a Prometheus gets to see, and what the built-in metrics of the canary are in it.
type world struct {
	targets         []target
	success, millis float64
}

// nothing is no data.
const nothing = -1

// target is one thing that is scraped: the labels that discovery gives it, and its series, each with what
// it grows by. NS is the namespace.
type target struct {
	labels map[string]string
	series string
	// still: the series are there, and do not grow.
	still bool
}

func worlds() map[string]world {
	all := map[string]world{"nothing at all": {nil, nothing, nothing}}
	maps.Copy(all, gateways())
	maps.Copy(all, applications())
	maps.Copy(all, conventions())
	maps.Copy(all, orders())
	return all
}

// seconds and milliseconds are histograms of 100 requests. The 99th lies nine tenths into the bucket that ends at
// 0.5 s: 460 ms. Fast ones are all in the first bucket: 99 ms.
func seconds(name, labels string) string { return histogram(name, labels, "0.1", "0.5", 90) }
func milliseconds(name, labels string) string {
	return histogram(name, labels, "100", "500", 90)
}
func fast(name, labels string) string { return histogram(name, labels, "0.1", "0.5", 100) }

func histogram(name, labels, low, high string, inLow int) string {
	bucket := func(le string, n int) string { return fmt.Sprintf("%s_bucket{%s,le=%q} %d\n", name, labels, le, n) }
	sum := map[string]int{"0.5": 25, "500": 25_000}[high] // a quarter of a second on average
	return bucket(low, inLow) + bucket(high, 100) + bucket("+Inf", 100) + fmt.Sprintf("%s_sum{%s} %d\n", name, labels, sum)
}

func still(t target) target {
	t.still = true
	return t
}

// pod is a target that discovery found as a pod.
func pod(name string, series ...string) target {
	return target{labels: map[string]string{"pod": name}, series: strings.Join(series, "\n")}
}

const canaryPod, primaryPod = "shop-5d89c7b6f4-abcde", "shop-7c6d5b4f3x-abcde"

func gateways() map[string]world {
	const (
		route          = "httproute-NS-shop-gw-infra-weir-ep-web-0-e9a5f9c29d35e93ffeef"
		traefikCanary  = `service="` + route + `-svc-NS-shop-canary-1@kubernetesgateway"`
		traefikPrimary = `service="` + route + `-svc-NS-shop-primary-0@kubernetesgateway"`
		workload       = `destination_workload="shop",destination_service_namespace="NS",`
		istio          = workload + `destination_service_name="shop-canary"`
		istioPrimary   = workload + `destination_service_name="shop-primary"`
	)
	traefik := `
		traefik_service_requests_total{code="200",method="GET",protocol="http",` + traefikCanary + `} 97
		traefik_service_requests_total{code="502",method="GET",protocol="http",` + traefikCanary + `} 2
		traefik_service_requests_total{code="503",method="POST",protocol="http",` + traefikCanary + `} 1
		traefik_service_requests_total{code="500",method="GET",protocol="http",` + traefikPrimary + `} 900
		traefik_entrypoint_requests_total{code="500",entrypoint="web",method="GET",protocol="http"} 903
		` + seconds("traefik_service_request_duration_seconds", `code="200",method="GET",protocol="http",`+traefikCanary) +
		fast("traefik_service_request_duration_seconds", `code="500",method="GET",protocol="http",`+traefikPrimary)
	own := func(series string) string {
		return strings.NewReplacer(traefikCanary, `service="NS-shop-canary-9898@kubernetescrd"`,
			traefikPrimary, `service="NS-shop-primary-9898@kubernetescrd"`).Replace(series)
	}
	envoy := func(cluster string) string {
		return `
		envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="` + cluster + `canary_80"} 70
		envoy_cluster_upstream_rq{envoy_response_code="404",envoy_cluster_name="` + cluster + `canary_80"} 20
		envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="` + cluster + `canary_80"} 10
		envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="` + cluster + `primary_80"} 900
		envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="` + cluster + `canary_80"} 10
		` + milliseconds("envoy_cluster_upstream_rq_time", `envoy_cluster_name="`+cluster+`canary_80"`)
	}
	// mesh is what the proxies of one side report, of requests that take as long as the others here.
	mesh := func(reporter, labels string, good, bad int) string {
		labels = fmt.Sprintf("reporter=%q,%s", reporter, labels)
		return fmt.Sprintf("istio_requests_total{%[1]s,response_code=\"200\"} %[2]d\n", labels, good) +
			fmt.Sprintf("istio_requests_total{%[1]s,response_code=\"503\"} %[2]d\n", labels, bad) +
			milliseconds("istio_request_duration_milliseconds", labels)
	}
	return map[string]world{
		"traefik":                   {[]target{{series: traefik}}, 97, 460},
		"traefik by ServiceMonitor": {[]target{{series: traefik, labels: map[string]string{"service": "traefik"}}}, 97, 460},
		"traefik without traffic":   {[]target{{series: traefik, still: true}}, nothing, nothing},
		"traefik by TraefikService": {[]target{{series: own(traefik)}}, 97, 460},
		"contour":                   {[]target{{series: envoy("NS_shop-")}}, 90, 460},
		"kgateway":                  {[]target{{series: envoy("kube_NS_shop-")}}, 90, 460},
		// The caller's proxy has seen what never arrived.
		"istio": {[]target{
			{series: mesh("source", istio, 90, 10) + mesh("source", istioPrimary, 0, 900)},
			{series: mesh("destination", istio, 90, 0)},
		}, 90, 460},
		"istio with a waypoint":      {[]target{{series: mesh("waypoint", istio, 80, 20)}}, 80, 460},
		"istio with callers outside": {[]target{{series: mesh("destination", istio, 60, 40)}}, 60, 460},
	}
}

// podinfo is the application that Weir is tried with. It spells the path without slashes.
const podinfo = `
	http_request_duration_seconds_count{method="GET",path="root",status="200"} 90
	http_request_duration_seconds_count{method="POST",path="api_echo",status="202"} 5
	http_request_duration_seconds_count{method="GET",path="status_code",status="500"} 5
	http_requests_total{status="200"} 90
	http_requests_total{status="500"} 5
`

// probes come in great numbers. They are fast, and some of them find a pod not ready.
var probes = `
	http_request_duration_seconds_count{method="GET",path="healthz",status="200"} 900
	http_request_duration_seconds_count{method="GET",path="readyz",status="503"} 900
	http_request_duration_seconds_count{method="GET",path="metrics",status="200"} 900
	http_requests_total{status="200"} 1800
	http_requests_total{status="503"} 900
` + fast("http_request_duration_seconds", `method="GET",path="readyz",status="200"`)

func applications() map[string]world {
	took := seconds("http_request_duration_seconds", `method="GET",path="root",status="200"`)
	failing := strings.NewReplacer(`"200"`, `"500"`, `"202"`, `"500"`).Replace(podinfo)
	return map[string]world{
		"podinfo": {[]target{
			pod(canaryPod, podinfo, took),
			pod(primaryPod, failing, fast("http_request_duration_seconds", `path="root",status="500"`)),
		}, 95, 460},
		"podinfo with probes":     {[]target{pod(canaryPod, podinfo, took, probes)}, 95, 460},
		"podinfo without traffic": {[]target{pod(canaryPod, probes)}, nothing, nothing},
		"podinfo still":           {[]target{still(pod(canaryPod, podinfo, took))}, nothing, nothing},
		"podinfo without errors": {[]target{pod(canaryPod,
			`http_request_duration_seconds_count{path="root",status="200"} 1`, took)}, 100, 460},
		"podinfo with errors alone": {[]target{pod(canaryPod, failing)}, 0, nothing},
		"two pods": {[]target{
			pod(canaryPod, `http_request_duration_seconds_count{path="root",status="200"} 3`),
			pod("shop-5d89c7b6f4-fghij", `http_request_duration_seconds_count{path="root",status="200"} 3`),
		}, 100, nothing},
		"another application": {[]target{
			pod("shop-5d89c7b6f4-abcde-x", podinfo), pod("web-shop-5d89c7b6f4-abcde", podinfo),
		}, nothing, nothing},
	}
}

// conventions are how other libraries spell the same.
func conventions() map[string]world {
	of := func(count, path, status, histogram string) world {
		series := func(p, code string, n int) string {
			return fmt.Sprintf("%s{%s=%q,%s=%q} %d\n", count, path, p, status, code, n)
		}
		w := world{success: 95, millis: nothing}
		all := series("/cart", "200", 90) + series("/cart", "404", 5) + series("/cart", "503", 5) +
			series("/healthz", "200", 900) + series("/actuator/health", "503", 900)
		if histogram != "" {
			w.millis = 460
			all += seconds(histogram, path+`="/cart"`) + fast(histogram, path+`="/healthz"`)
		}
		w.targets = []target{pod(canaryPod, all)}
		return w
	}
	const duration = "http_request_duration_seconds"
	return map[string]world{
		"path and status code": of(duration+"_count", "path", "status_code", duration),
		"path and code":        of(duration+"_count", "path", "code", duration),
		"route":                of(duration+"_count", "route", "status_code", duration),
		"handler":              of(duration+"_count", "handler", "code", duration),
		"OpenTelemetry": of("http_server_request_duration_seconds_count", "http_route", "http_response_status_code",
			"http_server_request_duration_seconds"),
		"Micrometer":          of("http_server_requests_seconds_count", "uri", "status", "http_server_requests_seconds"),
		"a counter":           of("http_requests_total", "path", "status", ""),
		"a counter of codes":  of("http_requests_total", "path", "code", ""),
		"a handler's counter": of("http_requests_total", "handler", "status", ""),
		"a handler's codes":   of("http_requests_total", "handler", "code", ""),
		"classes of status": {[]target{pod(canaryPod, `
			http_requests_total{handler="/cart",status="2xx"} 90
			http_requests_total{handler="/cart",status="5xx"} 10`)}, 90, nothing},
		// What only a template counts.
		"own counters": {[]target{
			pod(canaryPod, "orders_total{result=\"good\"} 90\norders_total{result=\"bad\"} 10\norders_bytes 700"),
			pod(primaryPod, "orders_total{result=\"good\"} 900\norders_bytes 4500"),
		}, nothing, nothing},
		// Without a path there is no telling users from probes.
		"no path": {[]target{pod(canaryPod, `
			http_requests_total{status="200"} 90
			http_request_duration_seconds_count{code="200"} 90`, seconds(duration, `code="200"`))}, nothing, nothing},
	}
}

// orders have several sources: the first that has requests answers, alone.
func orders() map[string]world {
	const (
		service   = `service="httproute-NS-shop-gw-infra-weir-ep-web-0-0a-svc-NS-shop-canary-1@kubernetesgateway"`
		traefik   = `traefik_service_requests_total{code="200",` + service + `} 10`
		envoyGood = `envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="NS_shop-canary_80"} 3`
		envoyBad  = `envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="NS_shop-canary_80"} 1`
		micro     = `http_server_requests_seconds_count{uri="/cart",status="500"} 9`
	)
	took := fast("http_request_duration_seconds", `path="root",status="200"`)
	idle := still(target{series: traefik + "\n" + seconds("traefik_service_request_duration_seconds", service)})
	return map[string]world{
		"gateway before application": {[]target{{series: traefik}, pod(canaryPod, podinfo, took)}, 100, 99},
		"gateway before gateway":     {[]target{{series: envoyGood + "\n" + envoyBad}, {series: traefik}}, 100, nothing},
		"idle gateway":               {[]target{idle, pod(canaryPod, podinfo, took)}, 95, 99},
		"convention before other":    {[]target{pod(canaryPod, podinfo, micro)}, 95, nothing},
		"errors alone still answer":  {[]target{{series: envoyBad}, pod(canaryPod, podinfo)}, 0, nothing},
	}
}
