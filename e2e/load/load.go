// Package load sends a steady stream of requests through a gateway, or of calls through a mesh, and counts
// every answer by the pod that gave it. A request is never retried and never left out of the count: what the
// client could not get is a failure, whoever is to blame. What a client of gRPC did not even send is asked for
// again, and told.
package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"
)

// Config says what is sent where.
type Config struct {
	// URL of the gateway.
	URL string
	// Host header of every request.
	Host string
	// Path of every request. The application answers it with JSON that has the fields "hostname" and "message".
	Path string
	// Rate is in requests a second.
	Rate int
	// Header is sent along.
	Header http.Header
}

// Load is a stream of requests that is under way.
type Load struct {
	// send sends one and waits for its answer. It is not cancelled when the load stops: a request under way is
	// waited for and counted.
	send func() Answer
	// close gives up the connections.
	close func()
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu      sync.Mutex
	answers []Answer
}

// Answer is what one request came to.
type Answer struct {
	// At is when the request was sent, Took how long its answer needed.
	At   time.Time
	Took time.Duration
	// Status is the HTTP status, 0 where there was no answer.
	Status int
	// Pod that answered, empty where it did not say, and the version that it says it is.
	Pod, Version string
	// FromApplication says that the application itself gave this answer, whatever its status.
	FromApplication bool
	// Err is why there was no answer.
	Err string
	// Unsent is how often a client of gRPC took a call back before it was sent; see Call.
	Unsent int
}

// Failed says that the client did not get what it asked for.
func (a Answer) Failed() bool {
	return a.Err != "" || a.Status >= http.StatusBadRequest
}

// Start begins to send. Requests are spaced evenly and are not held back by slow answers.
func Start(ctx context.Context, config Config) *Load {
	client := &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: config.Rate, MaxIdleConns: config.Rate, IdleConnTimeout: time.Minute},
	}
	return begin(ctx, config.Rate, func() Answer { return config.send(client) }, client.CloseIdleConnections)
}

func begin(ctx context.Context, rate int, send func() Answer, end func()) *Load {
	ctx, stop := context.WithCancel(ctx)
	l := &Load{send: send, close: end, stop: stop}
	l.done.Add(1)
	go l.run(ctx, rate)
	return l
}

// AwaitOK returns when the first request succeeds, and fails after a minute without.
func AwaitOK(ctx context.Context, config Config) error {
	what := fmt.Sprintf("%s%s of host %s", config.URL, config.Path, config.Host)
	return awaitOK(ctx, what, func() Answer { return config.send(http.DefaultClient) })
}

func awaitOK(ctx context.Context, what string, send func() Answer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		answer := send()
		if !answer.Failed() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s to answer, which gives status %d %s: %w",
				what, answer.Status, answer.Err, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (l *Load) run(ctx context.Context, rate int) {
	defer l.done.Done()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			l.done.Add(1)
			go func() {
				defer l.done.Done()
				l.record(l.send())
			}()
		}
	}
}

func (c Config) send(client *http.Client) (a Answer) {
	a.At = time.Now()
	defer func() { a.Took = time.Since(a.At) }()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, c.URL+c.Path, http.NoBody)
	if err != nil {
		a.Err = err.Error()
		return a
	}
	req.Host = c.Host
	if c.Header != nil {
		req.Header = c.Header.Clone()
	}
	res, err := client.Do(req)
	if err != nil {
		a.Err = err.Error()
		return a
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err != nil {
		a.Err = err.Error()
		return a
	}
	a.Status = res.StatusCode
	var info struct {
		Hostname string `json:"hostname"`
		Message  string `json:"message"`
		Code     int    `json:"code"`
	}
	if json.Unmarshal(body, &info) == nil {
		a.Pod, a.Version, a.FromApplication = info.Hostname, info.Message, true
	}
	a.FromApplication = a.FromApplication || randomError(a.Status, body)
	return a
}

// randomError knows what podinfo makes up under --random-error: three codes, and nothing said. A proxy that has nobody to
// send a request to says so in the answer's body; but where a route names a Service that is not there, Traefik answers 500
// and nothing else.
func randomError(status int, body []byte) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadRequest, http.StatusConflict:
		return len(body) == 0
	}
	return false
}

func (l *Load) record(a Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = append(l.answers, a)
}

// Stop ends the stream, waits for the answers that are under way and returns all of them.
func (l *Load) Stop() []Answer {
	l.stop()
	l.done.Wait()
	l.close()
	return l.Answers()
}

// Answers are those that have come so far.
func (l *Load) Answers() []Answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Answer(nil), l.answers...)
}

// Summary counts answers.
type Summary struct {
	Total, Failed int
	// Lost are failures that the application did not itself produce.
	Lost int
	// Unsent are answers that came only after the client had taken the call back.
	Unsent int
	// ByRevision counts answers by the pod-template-hash in the pod's name.
	ByRevision map[string]int
	// ByVersion counts them by the version that the application says it is.
	ByVersion map[string]int
	// Examples are the first few that were lost, in words.
	Examples []string
}

// Summarise counts the answers from a time on; a zero time counts them all.
func Summarise(answers []Answer, from time.Time) Summary {
	s := Summary{ByRevision: map[string]int{}, ByVersion: map[string]int{}}
	for _, a := range answers {
		if a.At.Before(from) {
			continue
		}
		s.Total++
		if a.Pod != "" {
			s.ByRevision[Revision(a.Pod)]++
			s.ByVersion[a.Version]++
		}
		if a.Unsent > 0 {
			s.Unsent++
		}
		if !a.Failed() {
			continue
		}
		s.Failed++
		if !a.FromApplication {
			s.Lost++
			if len(s.Examples) < 5 {
				s.Examples = append(s.Examples, fmt.Sprintf("%s: status %d %s after %s",
					a.At.Format("15:04:05.000"), a.Status, a.Err, a.Took.Round(time.Millisecond)))
			}
		}
	}
	return s
}

// String is the summary in one line.
func (s Summary) String() string {
	revisions := make([]string, 0, len(s.ByRevision))
	for r, n := range s.ByRevision {
		revisions = append(revisions, fmt.Sprintf("%s: %d", r, n))
	}
	sort.Strings(revisions)
	line := fmt.Sprintf("%d requests (%s), %d failed, %d lost", s.Total, strings.Join(revisions, ", "), s.Failed, s.Lost)
	if s.Unsent > 0 {
		line += fmt.Sprintf(", %d not sent at first", s.Unsent)
	}
	return line
}

// Revision is the pod-template-hash in the name of a Deployment's pod.
func Revision(pod string) string {
	parts := strings.Split(pod, "-")
	if len(parts) < 3 {
		return pod
	}
	return parts[len(parts)-2]
}
