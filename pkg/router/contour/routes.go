package contour

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// routes are those for a split: in each place the pair, and the canary alone for requests by a match.
func routes(app router.App, split rollout.Split) []any {
	s := &app.Canary.Spec.Service
	pair := []object{
		service(app, app.Primary, hundred-int64(split.Weight)), service(app, app.CanaryService, int64(split.Weight)),
	}
	if split.Mirror > 0 {
		copies := service(app, app.CanaryService, int64(split.Mirror))
		copies["mirror"] = true
		pair = append(pair, copies)
	}
	base := frame(s)
	var own, added []object
	for _, p := range places(s) {
		own = append(own, route(base, p, pair))
		for _, r := range split.Match {
			conditions, err := p.narrowed(r)
			if err != nil {
				continue // a rollback never waits for a correction of the spec
			}
			one := route(base, place{conditions, p.prefixes}, []object{service(app, app.CanaryService, hundred)})
			same := func(had object) bool { return reflect.DeepEqual(had, one) }
			if !slices.ContainsFunc(added, same) {
				added = append(added, one)
			}
		}
	}
	return router.List(slices.Concat(own, added))
}

// united are the routes with all of the traffic on the apex.
func united(app router.App) []any {
	s := &app.Canary.Spec.Service
	base := frame(s)
	var all []object
	for _, p := range places(s) {
		all = append(all, route(base, p, []object{service(app, app.Apex, hundred)}))
	}
	return router.List(all)
}

func route(base object, p place, services []object) object {
	out := maps.Clone(base)
	if len(p.conditions) > 0 {
		out["conditions"] = router.List(p.conditions)
	}
	if len(p.prefixes) > 0 {
		out["pathRewritePolicy"] = object{"replacePrefix": router.List(p.prefixes)}
	}
	out["services"] = router.List(services)
	return out
}

// service is a Service's part of the traffic. It is there at weight 0 too: a part that comes and goes could be seen
// half-done. Where no weight of a route is above 0, Contour gives each the same.
func service(app router.App, name string, weight int64) object {
	s := &app.Canary.Spec.Service
	out := object{"name": name, "port": int64(s.Port), "weight": weight}
	if speaks := upstream(s); speaks != "" {
		out["protocol"] = speaks
	}
	return out
}

// upstream is how Envoy has to speak to the pods where it is not HTTP/1.1 in plain text. Contour takes that from
// annotations of a Service, which the apex may have and the two others have not.
func upstream(s *v1beta1.CanaryService) string {
	switch _, protocol := router.Protocol(s); protocol {
	case "grpc", "http2", "h2c", "kubernetes.io/h2c":
		return "h2c"
	case "https", "tls":
		return "tls"
	}
	return ""
}

// frame is what the spec says of every request, whoever answers it.
func frame(s *v1beta1.CanaryService) object {
	out := object{}
	if _, protocol := router.Protocol(s); protocol == "kubernetes.io/ws" {
		out["enableWebsockets"] = true
	}
	if s.Timeout != "" {
		out["timeoutPolicy"] = object{"response": s.Timeout}
	}
	// Contour has a count of -1 for none, and leaves it to Envoy then, which tries again once.
	if s.Retries != nil && s.Retries.Attempts > 0 {
		out["retryPolicy"] = retries(s.Retries)
	}
	var requests, responses *v1beta1.HeaderOperations
	if s.Headers != nil {
		requests, responses = s.Headers.Request, s.Headers.Response
	}
	host := ""
	if s.Rewrite != nil {
		host = s.Rewrite.Authority
	}
	for field, policy := range map[string]object{
		"requestHeadersPolicy": headers(requests, host), "responseHeadersPolicy": headers(responses, ""),
	} {
		if len(policy) > 0 {
			out[field] = policy
		}
	}
	return out
}

func retries(r *v1beta1.Retries) object {
	out := object{"count": int64(r.Attempts)}
	if r.PerTryTimeout != "" {
		out["perTryTimeout"] = string(r.PerTryTimeout)
	}
	if r.RetryOn != "" {
		out["retryOn"] = router.List(retryWords(r))
	}
	return out
}

func retryWords(r *v1beta1.Retries) []string {
	var words []string
	for word := range strings.SplitSeq(r.RetryOn, ",") {
		words = append(words, strings.TrimSpace(word))
	}
	return words
}

// headers is a policy for headers. The host is one of a request's.
func headers(ops *v1beta1.HeaderOperations, host string) object {
	if ops == nil {
		ops = &v1beta1.HeaderOperations{}
	}
	out := object{}
	var set []object
	if host != "" {
		set = append(set, object{"name": "Host", "value": host})
	}
	for _, name := range slices.Sorted(maps.Keys(ops.Set)) {
		set = append(set, object{"name": name, "value": ops.Set[name]})
	}
	if len(set) > 0 {
		out["set"] = router.List(set)
	}
	if len(ops.Remove) > 0 {
		out["remove"] = router.List(ops.Remove)
	}
	return out
}
