package traffic

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What is sent where nothing else is said.
const (
	defaultRate        = 10
	defaultConcurrency = 2
	defaultDuration    = time.Minute
	defaultTimeout     = 10 * time.Second
)

// settings reads metadata key by key, and keeps the first thing that is wrong.
type settings struct {
	values map[string]string
	known  []string
	err    error
}

func (s *settings) text(key, without string) string {
	s.known = append(s.known, key)
	if value, ok := s.values[key]; ok {
		return value
	}
	return without
}

func setting[T any](s *settings, key string, without T, what string, parse func(string) (T, error)) T {
	said := s.text(key, "")
	if said == "" {
		return without
	}
	value, err := parse(said)
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("metadata %s: %q is no %s", key, said, what)
	}
	return value
}

func (s *settings) flag(key string) bool {
	return setting(s, key, false, "true or false", strconv.ParseBool)
}

func (s *settings) pace() Pace {
	number := func(said string) (float64, error) { return strconv.ParseFloat(said, 64) }
	count := func(said string) (int64, error) { return strconv.ParseInt(said, 10, 64) }
	p := Pace{
		Rate:        setting(s, "rate", defaultRate, "number of requests a second", number),
		Concurrency: setting(s, "concurrency", defaultConcurrency, "whole number", strconv.Atoi),
		Requests:    setting(s, "requests", 0, "whole number", count),
		Timeout:     setting(s, "timeout", defaultTimeout, "duration, as in 10s", time.ParseDuration),
	}
	until := defaultDuration
	if p.Requests > 0 {
		until = 0
	}
	p.Duration = setting(s, "duration", until, "duration, as in 1m", time.ParseDuration)
	return p
}

// headers are lines of a name and a value.
func (s *settings) headers(key string) http.Header {
	header := http.Header{}
	for line := range strings.Lines(s.text(key, "")) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok && s.err == nil {
			s.err = fmt.Errorf("metadata %s: a line is no name with a value, as in %q", key, "Accept: text/html")
		}
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return header
}

// done tells what was wrong, a key that nobody knows included: it is more likely misspelt than meant for nobody.
func (s *settings) done(kind string, others []string) error {
	if s.err != nil {
		return s.err
	}
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		if !slices.Contains(s.known, key) && !slices.Contains(others, key) {
			return fmt.Errorf("metadata %s: a task of type %s knows only %s", key, kind, strings.Join(s.known, ", "))
		}
	}
	return nil
}

// HTTPOf is the load that metadata ask for, within limits. The others are the keys that somebody else reads.
func HTTPOf(metadata map[string]string, limits Limits, others ...string) (*HTTP, error) {
	s := &settings{values: metadata}
	h := &HTTP{
		URL: s.text("url", ""), Method: s.text("method", http.MethodGet), Pace: s.pace(), Header: s.headers("headers"),
		Body: []byte(s.text("body", "")), HTTP2: s.flag("http2"), Insecure: s.flag("insecureSkipVerify"),
		NoRedirects: s.flag("disableRedirects"), NoKeepAlive: s.flag("disableKeepalive"),
	}
	if err := s.done("http", others); err != nil {
		return nil, err
	}
	return h, h.check(limits)
}

// GRPCOf is the load that metadata ask for, within limits. The others are the keys that somebody else reads.
func GRPCOf(metadata map[string]string, limits Limits, others ...string) (*GRPC, error) {
	s := &settings{values: metadata}
	g := &GRPC{
		Address: s.text("address", ""), Call: s.text("call", HealthCheck), Data: s.text("data", ""), Pace: s.pace(),
		TLS: s.flag("tls"), Insecure: s.flag("insecureSkipVerify"), Metadata: map[string]string{},
	}
	for name, values := range s.headers("headers") {
		g.Metadata[name] = strings.Join(values, ",")
	}
	if err := s.done("grpc", others); err != nil {
		return nil, err
	}
	return g, g.check(limits)
}
