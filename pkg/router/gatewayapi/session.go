package gatewayapi

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

const setCookie = "Set-Cookie"

// cookie keeps a user with the canary. Its value is that of the revision, so the next canary's users are others.
type cookie struct {
	spec *v1beta1.SessionAffinity
	hash string
}

// cookieOf is the cookie of a split. While only one side gets traffic by weight there is none, and nothing to
// keep anybody from.
func cookieOf(app router.App, split rollout.Split) (cookie, bool) {
	c := cookie{spec: app.Canary.Spec.Analysis.SessionAffinity}
	if revision := app.Canary.Status.Canary; revision != nil {
		c.hash = revision.Hash
	}
	return c, c.spec != nil && c.hash != "" && split.Weight > 0 && split.Weight < hundredths
}

// comes describes a Cookie header that has it, perhaps among others.
func (c cookie) comes() v1beta1.StringMatch {
	return v1beta1.StringMatch{
		Regex: fmt.Sprintf("(.*; *)?%s=%s(;.*)?", regexp.QuoteMeta(c.spec.CookieName), regexp.QuoteMeta(c.hash)),
	}
}

// goes is the value of the Set-Cookie header. Without a path, a browser would keep to that of the request.
func (c cookie) goes() string {
	path := c.spec.Path
	if path == "" {
		path = "/"
	}
	value := []string{c.spec.CookieName + "=" + c.hash, "Path=" + path}
	for _, a := range []struct {
		set  bool
		says string
	}{
		{c.spec.MaxAge > 0, fmt.Sprintf("Max-Age=%d", c.spec.MaxAge)}, {c.spec.Domain != "", "Domain=" + c.spec.Domain},
		{c.spec.HTTPOnly, "HttpOnly"}, {c.spec.Secure, "Secure"}, {c.spec.Partitioned, "Partitioned"},
		{c.spec.SameSite != "", "SameSite=" + c.spec.SameSite},
	} {
		if a.set {
			value = append(value, a.says)
		}
	}
	return strings.Join(value, "; ")
}

// cookied is the canary's half of a pair with a filter by which its answers set the cookie.
func cookied(app router.App, split rollout.Split, backend object) (object, error) {
	c, ok := cookieOf(app, split)
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
	modifier["add"] = list(append(adds, object{"name": setCookie, "value": c.goes()}))
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
