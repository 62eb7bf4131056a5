package integration

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// trouble is a way in which a Prometheus does not answer, and what is said of it.
type trouble struct {
	name             string
	answer           http.HandlerFunc
	verdict          v1beta1.Verdict
	reason, sentence string
}

func troubles() []trouble {
	const errored, none = v1beta1.VerdictErrored, v1beta1.VerdictNoData
	const unread = "gives an answer that cannot be read"
	return []trouble{
		{"hangs", hang, errored, "CheckErrored", "did not answer in time"},
		{"hangs in mid-answer", stammer, errored, "CheckErrored", "did not answer in time"},
		{"resets connections", reset, errored, "CheckErrored", "connection reset by peer"},
		{"hangs up", hangUp, errored, "CheckErrored", unread},
		{"gives HTML", text("text/html", "<html><body>Sign in</body></html>"), errored, "CheckErrored", unread},
		{"gives half of a JSON", text("application/json", `{"status":"success","data":{"resultTy`), errored, "CheckErrored", unread},
		{"gives less than it promised", shorten, errored, "CheckErrored", unread},
		{"gives nothing at all", text("application/json", ""), errored, "CheckErrored", unread},
		{"gives NaN", vector(`{"metric":{},"value":[1,"NaN"]}`), none, "NoData", "the query gave NaN"},
		{"gives an empty vector", vector(""), none, "NoData", "the query gave no data"},
		{"fails", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) },
			errored, "CheckErrored", "fails (HTTP 500)"},
	}
}

func text(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		fmt.Fprint(w, body)
	}
}

func vector(series string) http.HandlerFunc {
	return text("application/json", fmt.Sprintf(`{"status":"success","data":{"resultType":"vector","result":[%s]}}`, series))
}

// hang answers when the caller has gone.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // or the server would not notice that the caller goes
	<-r.Context().Done()
}

func stammer(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, `{"status":"success",`)
	_ = http.NewResponseController(w).Flush()
	hang(w, r)
}

func reset(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // or the caller may be cut off while it writes
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // closing is a reset then
	}
	conn.Close()
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func shorten(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, `{"status":"success"`)
}

// monitor is a Prometheus that answers one query well, then badly until it is mended.
type monitor struct {
	server *httptest.Server
	// first is done when the first query has come, before it is answered. It may be nil.
	first func()

	mu    sync.Mutex
	asked int
	bad   http.HandlerFunc
}

func newMonitor(t *testing.T, bad http.HandlerFunc) *monitor {
	t.Helper()
	m := &monitor{bad: bad}
	m.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		m.asked++
		serve := http.HandlerFunc(answer)
		if m.asked == 1 && m.first != nil {
			m.first()
		}
		if m.asked > 1 && m.bad != nil {
			serve = m.bad
		}
		m.mu.Unlock()
		serve(w, r)
	}))
	t.Cleanup(m.server.Close)
	return m
}

func (m *monitor) mend() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bad = nil
}

// monitoring is a Prometheus that is out of order in mid-run, which is no trouble of the release: the step
// holds, says why, and goes on when there are answers again.
func monitoring() []fault {
	var all []fault
	for _, tr := range troubles() {
		all = append(all, fault{"Prometheus " + tr.name, func(t *testing.T, c *cluster) { c.unmonitored(t, tr) }})
	}
	return all
}

func (c *cluster) unmonitored(t *testing.T, tr trouble) {
	t.Helper()
	m := newMonitor(t, tr.answer)
	a := c.application(t)
	op := c.operate(t, a.namespace, nil)
	defer op.end()
	a.make(func(s *v1beta1.CanarySpec) { s.MetricsServer = m.server.URL })
	adopt(a)
	a.release("2")
	a.await("two rounds without an answer", func() bool { return a.last().Weight == 60 && a.last().Step.Round >= 2 })
	a.mu.Lock()
	st := a.last()
	said := a.said(v1beta1.ConditionProgressing)
	assert.Equal(t, v1beta1.PhaseProgressing, st.Phase)
	assert.Equal(t, int32(60), st.Weight)
	assert.Zero(t, st.FailedChecks)
	a.mu.Unlock()
	require.NotEmpty(t, st.Checks)
	check := st.Checks[0] // the guard may have had its first look, too
	assert.Equal(t, tr.verdict, check.Verdict)
	assert.Contains(t, check.Message, tr.sentence)
	if tr.verdict == v1beta1.VerdictErrored {
		assert.Contains(t, check.Message, "Prometheus at "+strings.TrimPrefix(m.server.URL, "http://"))
	}
	assert.Equal(t, tr.reason, said.Reason)
	assert.Equal(t, "request-success-rate: "+check.Message, said.Message)
	m.mend()
	a.awaitPhase(v1beta1.PhaseSucceeded)
	checkPromotedWell(a)
	a.toldEnd()
}
