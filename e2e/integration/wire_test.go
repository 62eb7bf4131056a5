package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"weir.dev/weir/pkg/client/clientset/versioned"
	"weir.dev/weir/pkg/controller"
)

// clients are connections as the operator makes them, over a wire of the test's.
func (c *cluster) clients(t *testing.T, wire transport.WrapperFunc) controller.Clients {
	t.Helper()
	config := rest.CopyConfig(c.config)
	config.Wrap(wire)
	protobuf := rest.CopyConfig(config)
	protobuf.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	protobuf.ContentType = "application/vnd.kubernetes.protobuf"
	kube, err := kubernetes.NewForConfig(protobuf)
	require.NoError(t, err)
	weir, err := versioned.NewForConfig(config)
	require.NoError(t, err)
	dyn, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	return controller.Clients{Kube: kube, Weir: weir, Dynamic: dyn}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func isWatch(req *http.Request) bool {
	asked := req.URL.Query().Get("watch")
	return asked == "true" || asked == "1"
}

// fate is what becomes of a request.
type fate string

const (
	answered   fate = "answered"
	conflict   fate = "409"
	busy       fate = "429"
	broken     fate = "500"
	unsent     fate = "timed out, and was never carried out"
	unanswered fate = "timed out, and was carried out"
)

// storm is a wire on which one request in four fails in one way or another. Which one depends on the seed, and
// on nothing that differs from one time to the next: the nth request of its kind has the same fate.
type storm struct {
	seed      uint64
	namespace string // has another name each time

	raging  atomic.Bool
	mu      sync.Mutex
	chances map[string]*rand.Rand
	met     map[fate]int
}

func newStorm(seed uint64, namespace string) *storm {
	return &storm{seed: seed, namespace: namespace, chances: map[string]*rand.Rand{}, met: map[fate]int{}}
}

func (s *storm) wire(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		switch f := s.draw(req); f {
		case conflict:
			return refusal(req, http.StatusConflict, metav1.StatusReasonConflict, nil)
		case busy:
			return refusal(req, http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, http.Header{"Retry-After": {"1"}})
		case broken:
			return refusal(req, http.StatusInternalServerError, metav1.StatusReasonInternalError, nil)
		case unsent:
			return nil, unheard(req)
		case unanswered:
			if res, err := next.RoundTrip(req); err == nil {
				res.Body.Close()
			}
			return nil, fmt.Errorf("reading the answer: %w", context.DeadlineExceeded)
		}
		return next.RoundTrip(req)
	})
}

func (s *storm) draw(req *http.Request) fate {
	if !s.raging.Load() {
		return answered
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := req.Method + strings.ReplaceAll(req.URL.Path, s.namespace, "")
	chance := s.chances[kind]
	if chance == nil {
		h := fnv.New64a()
		_, _ = io.WriteString(h, kind) // a hash takes all
		chance = rand.New(rand.NewPCG(s.seed, h.Sum64()))
		s.chances[kind] = chance
	}
	drawn := answered
	if chance.IntN(4) == 0 {
		fates := []fate{conflict, busy, broken, unsent, unanswered}
		drawn = fates[chance.IntN(len(fates))]
	}
	s.met[drawn]++
	return drawn
}

// tally is what became of the requests so far.
func (s *storm) tally() map[fate]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.met)
}

// refusal is an answer of the API server's that it did not give.
func refusal(req *http.Request, code int, reason metav1.StatusReason, header http.Header) (*http.Response, error) {
	drop(req)
	body, err := json.Marshal(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Message: "as the storm wants it", Reason: reason, Code: int32(code),
	})
	if err != nil {
		return nil, err
	}
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	return &http.Response{
		Status: http.StatusText(code), StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}, nil
}

func unheard(req *http.Request) error {
	drop(req)
	return fmt.Errorf("sending: %w", context.DeadlineExceeded)
}

// drop closes what a request carries: who does not send it has to.
func drop(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// outage is a wire that can be cut, and mended.
type outage struct {
	mu   sync.Mutex
	cut  bool
	open map[*stream]bool
}

func newOutage() *outage { return &outage{open: map[*stream]bool{}} }

func (o *outage) wire(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if o.isCut() {
			drop(req)
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		}
		res, err := next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		body := &stream{ReadCloser: res.Body}
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.cut { // while the answer was on its way
			res.Body.Close()
			return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
		}
		if isWatch(req) {
			o.open[body] = true
			res.Body = body
		}
		return res, nil
	})
}

func (o *outage) isCut() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cut
}

func (o *outage) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cut = true
	for body := range o.open {
		body.sever()
	}
	clear(o.open)
}

func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cut = false
}

// stream is the body of a watch, which can be severed.
type stream struct {
	io.ReadCloser
	severed atomic.Bool
	// left is how many bytes come through before it is severed; 0 for any number.
	left int
	// late is how long what was read is kept back; nil for no time.
	late func() time.Duration
}

func (s *stream) Read(p []byte) (int, error) {
	if s.severed.Load() {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := s.ReadCloser.Read(p)
	if s.late != nil && n > 0 {
		time.Sleep(s.late())
	}
	switch {
	case s.severed.Load():
		return 0, io.ErrUnexpectedEOF
	case s.left > 0 && n >= s.left: // in the middle of an event, mostly
		n = s.left
		s.sever()
	case s.left > 0:
		s.left -= n
	}
	return n, err
}

func (s *stream) sever() {
	s.severed.Store(true)
	s.Close()
}

// unsteady is a wire whose watches are severed, or whose news come late, each at a time of its own.
type unsteady struct {
	severs, delays bool

	mu      sync.Mutex
	chance  *rand.Rand
	started map[string]int
}

func newUnsteady(seed uint64) *unsteady {
	return &unsteady{chance: rand.New(rand.NewPCG(seed, 0)), started: map[string]int{}}
}

func (u *unsteady) wire(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		res, err := next.RoundTrip(req)
		if err != nil || !isWatch(req) {
			return res, err
		}
		body := &stream{ReadCloser: res.Body}
		if u.severs {
			u.mu.Lock()
			u.started[req.URL.Path]++
			body.left = 1 + u.chance.IntN(32<<10)
			u.mu.Unlock()
			// A watch that ends within a second makes client-go wait, longer each time. Most live longer here.
			time.AfterFunc(time.Second+u.upTo(2*time.Second), body.sever)
		}
		if u.delays {
			body.late = func() time.Duration { return u.upTo(500 * time.Millisecond) }
		}
		res.Body = body
		return res, nil
	})
}

func (u *unsteady) upTo(longest time.Duration) time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return time.Duration(u.chance.Int64N(int64(longest)))
}

// resumed is how often a watch was begun anew.
func (u *unsteady) resumed() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	again := 0
	for _, n := range u.started {
		again += n - 1
	}
	return again
}
