package router

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// Cookie keeps a user with the canary. Its value is that of the revision, so the next canary's users are others.
type Cookie struct {
	spec *v1beta1.SessionAffinity
	hash string
}

// CookieOf is the cookie of a split. While only one side gets traffic by weight there is none, and nothing to
// keep anybody from.
func CookieOf(app App, split rollout.Split) (Cookie, bool) {
	c := Cookie{spec: app.Canary.Spec.Analysis.SessionAffinity}
	if revision := app.Canary.Status.Canary; revision != nil {
		c.hash = revision.Hash
	}
	return c, c.spec != nil && c.hash != "" && split.Weight > 0 && split.Weight < 100
}

// Comes describes a Cookie header that has it, perhaps among others.
func (c Cookie) Comes() v1beta1.StringMatch {
	return v1beta1.StringMatch{
		Regex: fmt.Sprintf("(.*; *)?%s=%s(;.*)?", regexp.QuoteMeta(c.spec.CookieName), regexp.QuoteMeta(c.hash)),
	}
}

// Goes is the value of the Set-Cookie header. Without a path, a browser would keep to that of the request.
func (c Cookie) Goes() string {
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

const setCookie = "Set-Cookie"

// CookieProblems refuse changes of answers by which the canary's cookie would be lost.
func CookieProblems(c *v1beta1.Canary) []rollout.Problem {
	h := c.Spec.Service.Headers
	if c.Spec.Analysis.SessionAffinity == nil || h == nil || h.Response == nil {
		return nil
	}
	isCookie := func(name string) bool { return strings.EqualFold(name, setCookie) }
	if slices.ContainsFunc(h.Response.Remove, isCookie) ||
		slices.ContainsFunc(slices.Collect(maps.Keys(h.Response.Set)), isCookie) {
		return []rollout.Problem{{Reason: rollout.ReasonFieldNotServed, Message: "spec.service.headers.response sets or removes " +
			"Set-Cookie, by which spec.analysis.sessionAffinity keeps users with the canary; remove one of the two"}}
	}
	return nil
}
