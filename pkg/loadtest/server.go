// Package loadtest is the server beside Canaries that their webhooks call: it sends load, runs acceptance tests, and
// holds gates that people open and close.
//
// Every answer is an object of JSON whose message says in words what happened. A task or a question is served only for
// Canaries of the namespaces that it is for, and where there are keys only if the call is signed with the namespace's.
// A gate is opened and closed only by who may patch the Canary, which the API server is asked at each call. Commands are
// run without a shell, and only those that are allowed. What a call carries of secrets is not logged.
package loadtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"

	"weir.dev/weir/pkg/gate"
	"weir.dev/weir/pkg/loadtest/traffic"
)

const (
	// longestCall is how long the body of a call may be, in bytes.
	longestCall = 256 << 10
	// mostTurning is how many gates may be opened and closed at the same time: each asks the API server several things.
	mostTurning = 8
	// gateTimeout is how long the API server may take to answer for a gate. A webhook is waited for 10 seconds.
	gateTimeout = 8 * time.Second
)

// Options say what is allowed, and to whom.
type Options struct {
	// Namespaces whose Canaries are served; "*" stands for all.
	Namespaces []string
	// Keys is a folder with a file for each namespace, with the key that calls for its Canaries are signed with. It is
	// read at each call. Without it, calls need no signature.
	Keys string
	// Commands that may be run, each a program or a program and its first words.
	Commands []string
	// Shell allows every command, by a shell.
	Shell bool
	// Limits of one load. Their duration is also that of every other task.
	Limits traffic.Limits
	// MaxTasks may be under way at the same time.
	MaxTasks int
	// TrustNetwork lets everybody who reaches the server open and close gates.
	TrustNetwork bool
	// Audience that the tokens of callers are for; without it, the API server's own.
	Audience string
	// Namespace and ConfigMap that gates are kept in.
	Namespace, ConfigMap string
	Client               kubernetes.Interface
	Log                  *slog.Logger
}

// Server answers webhooks.
type Server struct {
	access   access
	commands commands
	limits   traffic.Limits
	gates    gates
	runner   *runner
	numbers  *numbers
	log      *slog.Logger
	// turning has a place for each gate that is being opened or closed.
	turning chan struct{}
}

// New makes a server, and registers its metrics. An error says which of the options cannot be.
func New(o Options, r prometheus.Registerer) (*Server, error) {
	allowed, err := newCommands(o.Commands, o.Shell)
	if err != nil {
		return nil, err
	}
	if len(o.Namespaces) == 0 {
		return nil, errors.New("no namespace is served: name some with --namespaces")
	}
	if o.MaxTasks < 1 || o.Limits.Rate <= 0 || o.Limits.Concurrency < 1 || o.Limits.Duration <= 0 {
		return nil, errors.New("--max-tasks, --max-rate, --max-concurrency and --task-timeout have to be above 0")
	}
	n := newNumbers(r)
	s := &Server{
		access: access{
			namespaces: o.Namespaces, keys: o.Keys, trusting: o.TrustNetwork, audience: o.Audience, client: o.Client,
		},
		commands: allowed, limits: o.Limits, numbers: n, log: o.Log, turning: make(chan struct{}, mostTurning),
		gates:  gates{client: o.Client.CoreV1().ConfigMaps(o.Namespace), name: o.ConfigMap},
		runner: newRunner(o.MaxTasks, o.Limits.Duration, o.Log, n),
	}
	r.MustRegister(newRates(s.runner))
	return s, nil
}

// Stop ends all tasks and waits until they have ended. No more are begun.
func (s *Server) Stop() { s.runner.end() }

// Handler answers the calls.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) { s.runTask(r).write(w) })
	for path, do := range map[string]struct {
		door, action string
		call         func(*http.Request, string) answer
	}{
		"/gate/approve":        {doorGate, "approve", approve},
		"/gate/halt":           {doorGate, "halt", halt},
		"POST /gate/check":     {doorGate, "check", s.check},
		"POST /gate/open":      {doorGate, "open", s.open},
		"POST /gate/close":     {doorGate, "close", s.close},
		"POST /rollback/check": {doorRollback, "check", s.check},
		"POST /rollback/open":  {doorRollback, "open", s.open},
		"POST /rollback/close": {doorRollback, "close", s.close},
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			a := do.call(r, do.door)
			s.numbers.gates.WithLabelValues(do.door, do.action, strconv.Itoa(a.code)).Inc()
			a.write(w)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answer{code: http.StatusNotFound, Message: fmt.Sprintf("%s of this path is not served: POST a task to /, or call one of "+
			"/gate/approve, /gate/halt and, by POST, /gate/ and /rollback/ with check, open and close", r.Method)}.write(w)
	})
	return mux
}

// payloadOf a call, which has to be for a Canary that is served.
func (s *Server) payloadOf(r *http.Request) (p gate.Payload, body []byte, err error) {
	body, err = io.ReadAll(http.MaxBytesReader(nil, r.Body, longestCall))
	if err != nil {
		return p, nil, refuse(badRequest, "the call cannot be read, or is longer than %d bytes", longestCall)
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return p, nil, refuse(badRequest, "the call is no object of JSON with strings for name, namespace and what metadata has")
	}
	if len(validation.IsDNS1123Subdomain(p.Name)) > 0 || len(validation.IsDNS1123Label(p.Namespace)) > 0 {
		return p, nil, refuse(badRequest, "the call names no Canary: it has name and namespace, as in %s",
			`{"name":"podinfo","namespace":"test"}`)
	}
	return p, body, s.access.served(p)
}

func (s *Server) runTask(r *http.Request) answer {
	p, body, err := s.payloadOf(r)
	if err == nil {
		err = s.access.signed(p, r.Header, body)
	}
	var t *task
	if err == nil {
		t, err = taskOf(p, s.commands, s.limits)
	}
	if err != nil {
		s.log.Warn("a task was refused", "namespace", p.Namespace, "canary", p.Name, "why", err.Error())
		return answerOf(err)
	}
	return s.runner.do(r.Context(), t)
}

func approve(*http.Request, string) answer {
	return answer{code: http.StatusOK, Message: "this gate is always open"}
}

func halt(*http.Request, string) answer {
	return answer{code: forbidden, Message: "this gate is always closed"}
}

// check tells whether a gate is open.
func (s *Server) check(r *http.Request, door string) answer {
	p, body, err := s.payloadOf(r)
	if err == nil {
		err = s.access.signed(p, r.Header, body)
	}
	if err != nil {
		return answerOf(err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), gateTimeout)
	defer cancel()
	key, err := keyOf(door, p)
	if err != nil {
		return answerOf(err)
	}
	noted, open, err := s.gates.open(ctx, key)
	switch {
	case err != nil:
		s.log.Error("a gate cannot be read", "key", key, "error", err)
		return answerOf(fmt.Errorf("the %s of Canary %s cannot be looked up: %w", door, p.Name, err))
	case open:
		return answer{code: http.StatusOK, Message: fmt.Sprintf("the %s of Canary %s is open: %s", door, p.Name, noted)}
	}
	return answerOf(refuse(forbidden, "the %s of Canary %s is closed: POST to /%s/open opens it", door, p.Name, door))
}

func (s *Server) open(r *http.Request, door string) answer { return s.turn(r, door, true) }

func (s *Server) close(r *http.Request, door string) answer { return s.turn(r, door, false) }

// turn opens or closes a gate.
func (s *Server) turn(r *http.Request, door string, open bool) answer {
	select {
	case s.turning <- struct{}{}:
		defer func() { <-s.turning }()
	default:
		return answerOf(refuse(tooMany, "%d gates are being opened and closed, and no more may be at the same time: try again",
			mostTurning))
	}
	state := "closed"
	if open {
		state = "open"
	}
	ctx, cancel := context.WithTimeout(r.Context(), gateTimeout)
	defer cancel()
	p, _, err := s.payloadOf(r)
	if err != nil {
		return answerOf(err)
	}
	who, err := s.access.steers(ctx, p, r.Header)
	log := s.log.With("namespace", p.Namespace, "canary", p.Name, "door", door, "to", state, "by", who)
	var key string
	if err == nil {
		key, err = keyOf(door, p)
	}
	var changed bool
	if err == nil {
		changed, err = s.gates.set(ctx, key, open, who, time.Now())
	}
	if err != nil {
		log.Warn("a gate was not turned", "why", err.Error())
		return answerOf(err)
	}
	a := answer{code: http.StatusAccepted, Message: fmt.Sprintf("the %s of Canary %s is %s now", door, p.Name, state)}
	if !changed {
		a.Message = fmt.Sprintf("the %s of Canary %s was %s already", door, p.Name, state)
	}
	log.Info("a gate was turned", "changed", changed)
	return a
}
