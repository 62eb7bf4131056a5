// Package envoy says what Envoy would do with a request by a configuration of its routes, as its reference has it. It is
// for control planes that can be asked what they tell a proxy where there is no proxy. It knows what they write of the
// routes that Weir renders; of a field that it does not know it says so, and nothing about the request.
package envoy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Request is one of a client's.
type Request struct {
	Host, Path, Method string
	Headers            map[string]string
}

// Shares are parts of the traffic by Service, in percent.
type Shares map[string]int

// Answer is what becomes of a request. Without shares, nobody gets it.
type Answer struct {
	Shares, Copies Shares
	// Path is what the application sees.
	Path string
	// Route that was taken.
	Route Route
}

// Text describes a text.
type Text struct {
	Exact  *string     `json:"exact"`
	Prefix *string     `json:"prefix"`
	Regex  *Expression `json:"safe_regex"`
}

// Expression is for all of a text.
type Expression struct {
	Regex string `json:"regex"`
}

// Condition is one on a header or a query parameter.
type Condition struct {
	Name string `json:"name"`
	Text *Text  `json:"string_match"`
}

// HeaderSets are headers that are set.
type HeaderSets []struct {
	Header struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"header"`
	Action string `json:"append_action"`
}

// Texts are the headers as one writes them.
func (h HeaderSets) Texts() []string {
	var all []string
	for _, set := range h {
		all = append(all, set.Header.Key+": "+set.Header.Value)
	}
	return all
}

// RetryPolicy says what is tried again.
type RetryPolicy struct {
	RetryOn string `json:"retry_on"`
	Retries int    `json:"num_retries"`
	PerTry  string `json:"per_try_timeout"`
}

// Route is one of a virtual host.
type Route struct {
	Match struct {
		Path       *string     `json:"path"`
		Prefix     *string     `json:"prefix"`
		Regex      *Expression `json:"safe_regex"`
		Headers    []Condition `json:"headers"`
		Parameters []Condition `json:"query_parameters"`
	} `json:"match"`
	Action          *Action         `json:"route"`
	Direct          json.RawMessage `json:"direct_response"`
	RequestSets     HeaderSets      `json:"request_headers_to_add"`
	RequestRemoves  []string        `json:"request_headers_to_remove"`
	ResponseSets    HeaderSets      `json:"response_headers_to_add"`
	ResponseRemoves []string        `json:"response_headers_to_remove"`
	Filters         json.RawMessage `json:"typed_per_filter_config"`
	// Metadata is for logs.
	Metadata json.RawMessage `json:"metadata"`
}

// Action sends a request on.
type Action struct {
	Cluster string `json:"cluster"`
	Shares  struct {
		Clusters []struct {
			Name   string `json:"name"`
			Weight int    `json:"weight"`
		} `json:"clusters"`
	} `json:"weighted_clusters"`
	Copies []struct {
		Cluster  string `json:"cluster"`
		Fraction struct {
			Default struct {
				Numerator int `json:"numerator"`
			} `json:"default_value"`
		} `json:"runtime_fraction"`
	} `json:"request_mirror_policies"`
	PrefixRewrite string      `json:"prefix_rewrite"`
	HostRewrite   string      `json:"host_rewrite_literal"`
	Timeout       string      `json:"timeout"`
	Retry         RetryPolicy `json:"retry_policy"`
}

// Ask says what becomes of a request by a RouteConfiguration in JSON: of the virtual host of the request's host, the
// first route that matches is taken.
func Ask(config []byte, r Request) (Answer, error) {
	var routes struct {
		Hosts []struct {
			Domains []string          `json:"domains"`
			Routes  []json.RawMessage `json:"routes"`
		} `json:"virtual_hosts"`
	}
	if err := json.Unmarshal(config, &routes); err != nil {
		return Answer{}, fmt.Errorf("reading routes: %w", err)
	}
	for _, host := range routes.Hosts {
		if len(host.Domains) == 0 || host.Domains[0] != r.Host {
			continue
		}
		for _, raw := range host.Routes {
			var route Route
			strict := json.NewDecoder(bytes.NewReader(raw))
			strict.DisallowUnknownFields()
			if err := strict.Decode(&route); err != nil {
				return Answer{}, fmt.Errorf("reading the route %s: %w", raw, err)
			}
			if route.matches(r) {
				return route.answer(r), nil
			}
		}
	}
	return Answer{}, nil
}

func (e Route) matches(r Request) bool {
	path, query, _ := strings.Cut(r.Path, "?")
	m := e.Match
	switch {
	case m.Path != nil && path != *m.Path,
		m.Prefix != nil && !strings.HasPrefix(path, *m.Prefix),
		m.Regex != nil && !m.Regex.matches(path):
		return false
	}
	headers := map[string]string{":path": r.Path, ":method": r.Method}
	for name, value := range r.Headers {
		headers[strings.ToLower(name)] = value
	}
	for _, c := range m.Headers {
		if value, ok := headers[strings.ToLower(c.Name)]; !ok || !c.Text.matches(value) {
			return false
		}
	}
	parameters := map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		parameters[name] = value
	}
	for _, c := range m.Parameters {
		if value, ok := parameters[c.Name]; !ok || !c.Text.matches(value) {
			return false
		}
	}
	return true
}

func (x *Expression) matches(value string) bool {
	return regexp.MustCompile("^(?:" + x.Regex + ")$").MatchString(value)
}

func (x *Text) matches(value string) bool {
	switch {
	case x.Exact != nil:
		return value == *x.Exact
	case x.Prefix != nil:
		return strings.HasPrefix(value, *x.Prefix)
	}
	return x.Regex.matches(value)
}

func (e Route) answer(r Request) Answer {
	a := Answer{Route: e, Path: r.Path}
	if e.Action == nil {
		return a
	}
	a.Shares, a.Copies = Shares{}, Shares{}
	if e.Action.Cluster != "" {
		a.Shares[serviceOf(e.Action.Cluster)] = 100
	}
	for _, c := range e.Action.Shares.Clusters {
		a.Shares[serviceOf(c.Name)] += c.Weight
	}
	for _, c := range e.Action.Copies {
		a.Copies[serviceOf(c.Cluster)] += c.Fraction.Default.Numerator
	}
	if e.Action.PrefixRewrite != "" {
		a.Path = e.Action.PrefixRewrite + strings.TrimPrefix(r.Path, *e.Match.Prefix)
	}
	return a
}

// serviceOf is the Service in the name of a cluster of Contour's, which is namespace/service/port/hash.
func serviceOf(cluster string) string {
	parts := strings.Split(cluster, "/")
	if len(parts) < 2 {
		return cluster
	}
	name, err := url.PathUnescape(parts[1])
	if err != nil {
		return cluster
	}
	return name
}
