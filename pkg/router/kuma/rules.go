package kuma

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// rules are those for a split: one for requests by a match, if there are any, and the one with the pair.
func rules(n names, s *v1beta1.CanaryService, split rollout.Split) []any {
	own := matches(s)
	common := filters(s)
	var all []any
	var added []object
	for _, m := range own {
		for _, r := range split.Match {
			narrow, err := narrowed(m, r)
			same := func(had object) bool { return reflect.DeepEqual(had, narrow) }
			if err != nil || slices.ContainsFunc(added, same) {
				continue // a rollback never waits for a correction of the spec
			}
			added = append(added, narrow)
		}
	}
	canary := n.app.CanaryService
	if len(added) > 0 {
		all = append(all, rule(added, common, n.backend(canary, hundred)))
	}
	if len(own) == 0 {
		return all // the spec describes no request
	}
	if split.Mirror > 0 {
		common = append(common, object{"type": "RequestMirror", "requestMirror": object{
			// The weight means nothing; the definition would add it.
			"percentage": int64(split.Mirror), "backendRef": n.backend(canary, 1),
		}})
	}
	weight := int64(split.Weight)
	return append(all, rule(own, common, n.backend(n.app.Primary, hundred-weight), n.backend(canary, weight)))
}

// united is the rule with all of the traffic on the apex.
func united(n names, s *v1beta1.CanaryService) []any {
	if own := matches(s); len(own) > 0 {
		return []any{rule(own, filters(s), n.backend(n.app.Apex, hundred))}
	}
	return []any{}
}

func rule(matches, filters []object, backends ...object) object {
	does := object{"backendRefs": router.List(backends)}
	if len(filters) > 0 {
		does["filters"] = router.List(filters)
	}
	return object{"matches": router.List(matches), "default": does}
}

// backend is a Service's part of the traffic. It is there at weight 0 too: a part that comes and goes could be seen
// half-done.
func (n names) backend(name string, weight int64) object {
	out := n.service(name)
	out["port"], out["weight"] = int64(n.app.Canary.Spec.Service.Port), weight
	return out
}

// filters are what the spec says of every request, whoever answers it.
func filters(s *v1beta1.CanaryService) []object {
	var all []object
	add := func(kind, field string, what object) {
		if len(what) > 0 {
			all = append(all, object{"type": kind, field: what})
		}
	}
	if s.Headers != nil {
		add("RequestHeaderModifier", "requestHeaderModifier", modifier(s.Headers.Request))
		add("ResponseHeaderModifier", "responseHeaderModifier", modifier(s.Headers.Response))
	}
	add("URLRewrite", "urlRewrite", rewrite(s.Rewrite))
	return all
}

// modifier has names in lower case, as Kuma wants them.
func modifier(ops *v1beta1.HeaderOperations) object {
	out := object{}
	if ops == nil {
		return out
	}
	for field, headers := range map[string]map[string]string{"set": ops.Set, "add": ops.Add} {
		var all []object
		for _, name := range slices.Sorted(maps.Keys(headers)) {
			all = append(all, object{"name": strings.ToLower(name), "value": headers[name]})
		}
		if len(all) > 0 {
			out[field] = router.List(all)
		}
	}
	var remove []string
	for _, name := range ops.Remove {
		remove = append(remove, strings.ToLower(name))
	}
	if len(remove) > 0 {
		out["remove"] = router.List(remove)
	}
	return out
}

func rewrite(r *v1beta1.Rewrite) object {
	out := object{}
	if r == nil {
		return out
	}
	if r.Authority != "" {
		out["hostname"] = r.Authority
	}
	if r.URI != "" {
		how := cmp.Or(r.Type, string(gatewayv1.PrefixMatchHTTPPathModifier))
		field := "replacePrefixMatch"
		if how == string(gatewayv1.FullPathHTTPPathModifier) {
			field = "replaceFullPath"
		}
		out["path"] = object{"type": how, field: r.URI}
	}
	return out
}
