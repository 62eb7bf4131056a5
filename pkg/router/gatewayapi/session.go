package gatewayapi

import (
	"errors"
	"maps"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

const setCookie = "Set-Cookie"

// cookied is the canary's half of a pair with a filter by which its answers set the cookie.
func cookied(app application, split rollout.Split, backend object) (object, error) {
	c, ok := router.CookieOf(app.App, split)
	if !ok {
		return backend, nil
	}
	filters := listIn(backend, "filters")
	at := slices.IndexFunc(filters, modifiesResponse)
	if at < 0 {
		at = len(filters)
		filters = append(filters, object{
			"type": string(gatewayv1.HTTPRouteFilterResponseHeaderModifier), "responseHeaderModifier": object{},
		})
	}
	if len(filters) > maxFilters {
		return nil, errNoRoom
	}
	modifier, _ := filters[at]["responseHeaderModifier"].(object)
	adds := listIn(modifier, "add")
	if slices.ContainsFunc(adds, setsCookie) {
		return nil, errors.New("has a backend that adds the header Set-Cookie already, and the Gateway API allows one; " +
			"remove spec.analysis.sessionAffinity, or let the application set its cookie")
	}
	if len(adds) == maxFilters {
		return nil, errNoRoom
	}
	filters[at] = maps.Clone(filters[at])
	modifier = maps.Clone(modifier)
	modifier["add"] = list(append(adds, object{"name": setCookie, "value": c.Goes()}))
	filters[at]["responseHeaderModifier"] = modifier
	out := maps.Clone(backend)
	out["filters"] = list(filters)
	return out, nil
}

// uncookied takes from a canary's half of a pair what cookied has added.
func uncookied(backend object) object {
	filters := listIn(backend, "filters")
	at := slices.IndexFunc(filters, modifiesResponse)
	if at < 0 {
		return backend
	}
	modifier, _ := filters[at]["responseHeaderModifier"].(object)
	adds := listIn(modifier, "add")
	rest := slices.DeleteFunc(slices.Clone(adds), setsCookie)
	if len(rest) == len(adds) {
		return backend
	}
	modifier = maps.Clone(modifier)
	if modifier["add"] = list(rest); len(rest) == 0 {
		delete(modifier, "add")
	}
	filters[at] = maps.Clone(filters[at])
	if filters[at]["responseHeaderModifier"] = modifier; len(modifier) == 0 {
		filters = slices.Delete(filters, at, at+1)
	}
	out := maps.Clone(backend)
	if out["filters"] = list(filters); len(filters) == 0 {
		delete(out, "filters")
	}
	return out
}

func modifiesResponse(filter object) bool {
	return filter["type"] == string(gatewayv1.HTTPRouteFilterResponseHeaderModifier)
}

func setsCookie(header object) bool {
	name, _ := header["name"].(string)
	return strings.EqualFold(name, setCookie)
}
