package router

import (
	"regexp"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// PathRewrite says what spec.service.rewrite does with a path as an expression and what takes its place, for proxies
// that put one text in the place of another and know nothing of a path's elements: of /api and /api/ the same text
// cannot be put into the place of both. Without a URI there is nothing to do.
func PathRewrite(s *v1beta1.CanaryService) (from, to string, ok bool) {
	if s.Rewrite == nil || s.Rewrite.URI == "" {
		return "", "", false
	}
	from, to = "^.*$", s.Rewrite.URI
	if s.Rewrite.Type != string(gatewayv1.FullPathHTTPPathModifier) {
		from, to = prefixRewrite(prefix(s), s.Rewrite.URI)
	}
	return from, strings.ReplaceAll(to, `\`, `\\`), true
}

// prefixRewrite replaces a prefix of whole path elements. Without an element left, the path is a slash.
func prefixRewrite(prefix, by string) (from, to string) {
	prefix, by = strings.TrimSuffix(prefix, "/"), strings.TrimSuffix(by, "/")
	switch {
	case by == "":
		return "^" + regexp.QuoteMeta(prefix) + "/?", "/"
	case prefix == "":
		return "^/", by + "/"
	default:
		return "^" + regexp.QuoteMeta(prefix), by
	}
}

// prefix is the one that all requests match. The schema lets a prefix be rewritten only where there is one.
func prefix(s *v1beta1.CanaryService) string {
	if len(s.Match) == 1 && s.Match[0].Path != nil && s.Match[0].Path.Value != nil {
		return *s.Match[0].Path.Value
	}
	return "/"
}
