package controller

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// CountRequests counts what is asked of the API server, by verb, resource and status. It is for the transport of a
// rest.Config. Names of objects are in no label.
func CountRequests(r prometheus.Registerer) func(http.RoundTripper) http.RoundTripper {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "weir_api_requests_total", Help: "Requests to the API server; without an answer, the code is 0.",
	}, []string{"verb", "resource", "code"})
	r.MustRegister(requests)
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			res, err := next.RoundTrip(req)
			code := 0
			if err == nil {
				code = res.StatusCode
			}
			verb, resource := requestInWords(req.Method, req.URL)
			requests.WithLabelValues(verb, resource, strconv.Itoa(code)).Inc()
			return res, err
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }

// requestInWords is what a request asks for, as RBAC would say it. What is not about a resource has the verb alone.
func requestInWords(method string, at *url.URL) (verb, resource string) {
	parts := strings.Split(strings.Trim(at.Path, "/"), "/")
	switch {
	case len(parts) >= 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) >= 3 && parts[0] == "apis": //nolint:mnd // apis, group, version
		parts = parts[3:]
	default:
		parts = nil
	}
	if len(parts) > 2 && parts[0] == "namespaces" { //nolint:mnd // of something in a namespace
		parts = parts[2:]
	}
	named := len(parts) > 1
	if len(parts) > 0 {
		resource = parts[0]
	}
	if len(parts) > 2 { //nolint:mnd // a part of the object
		resource += "/" + parts[2]
	}
	switch method {
	case http.MethodPost:
		verb = "create"
	case http.MethodPut:
		verb = "update"
	case http.MethodPatch:
		verb = "patch"
	case http.MethodDelete:
		verb = "delete"
	default:
		verb = "get"
		if watch := at.Query().Get("watch"); watch == "true" || watch == "1" {
			verb = "watch"
		} else if !named && resource != "" {
			verb = "list"
		}
	}
	return verb, resource
}
