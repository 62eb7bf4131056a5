package istio

import (
	"fmt"
	"maps"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

const (
	fieldHTTP = "http"
	fieldTCP  = "tcp"
	setCookie = "Set-Cookie"

	fieldSourceLabels = "sourceLabels"
)

// addedName begins the names of the routes that send requests to the canary by a match, by which they are known
// again.
const addedName = "weir-canary-"

// httpRoutes are the routes of requests for a split, built on a frame. The first that matches is taken, so what
// goes to the canary by a match stands before what is shared out.
func httpRoutes(app router.App, split rollout.Split, frame object) []any {
	s := &app.Canary.Spec.Service
	requests := chosen(app, split)
	var all []any
	count := 0
	for _, e := range entries(s) {
		// A route without a match would take everything.
		if matches := narrowed(e, matches(s), requests); len(matches) > 0 {
			added := httpRoute(app, e, frame, matches, undivided(toCanary))
			count++
			added["name"] = fmt.Sprintf("%s%d", addedName, count)
			all = append(all, added)
		}
		own := httpRoute(app, e, frame, fenced(e, matches(s)), pair(split.Weight))
		if c, ok := router.CookieOf(app, split); ok {
			own["route"].([]any)[1].(object)["headers"] = object{"response": object{"add": object{setCookie: c.Goes()}}}
		}
		if split.Mirror > 0 {
			own["mirror"] = undivided(toCanary)[0].destination(app, e)
			own["mirrorPercentage"] = object{"value": int64(split.Mirror)}
		}
		all = append(all, own)
	}
	return all
}

func httpRoute(app router.App, e entry, frame object, matches []object, shares []share) object {
	route := maps.Clone(frame)
	if len(matches) > 0 {
		route["match"] = list(matches)
	}
	var to []any
	for _, s := range shares {
		to = append(to, s.backend(app, e))
	}
	route["route"] = to
	return route
}

// united are the routes with all of the traffic on the apex.
func united(app router.App, frame object) []any {
	s := &app.Canary.Spec.Service
	var all []any
	for _, e := range entries(s) {
		all = append(all, httpRoute(app, e, frame, fenced(e, matches(s)), undivided(toApex)))
	}
	return all
}

// frame is what the spec says of every request, whoever answers it.
func frame(s *v1beta1.CanaryService) (object, error) {
	out := object{}
	if s.Timeout != "" {
		out["timeout"] = s.Timeout
	}
	var err error
	put := func(name string, isSet bool, field any) {
		if isSet && err == nil {
			var value object
			value, err = asJSON(field)
			out[name] = value
		}
	}
	put("retries", s.Retries != nil, s.Retries)
	put("corsPolicy", s.CorsPolicy != nil, s.CorsPolicy)
	put("headers", s.Headers != nil, s.Headers)
	if r := rewrite(s); len(r) > 0 {
		out["rewrite"] = r
	}
	return out, err
}

// rewrite says spec.service.rewrite in Istio's words. Its own `uri` does not know what an element of a path is.
func rewrite(s *v1beta1.CanaryService) object {
	if s.Rewrite == nil {
		return nil
	}
	out := object{}
	if s.Rewrite.Authority != "" {
		out["authority"] = s.Rewrite.Authority
	}
	if from, to, ok := router.PathRewrite(s); ok {
		out["uriRegexRewrite"] = object{"match": from, "rewrite": to}
	}
	return out
}
