package stories

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// called is a path that nobody calls but the load tester.
const called = "/api/info"

// loadTested judges by how pods answer the load tester alone. Without its load there is nothing to judge by.
const loadTested = `    interval: 3s
    threshold: 2
    stepWeights: [10, 50]
    metrics:
    - {name: answers, templateRef: {name: answers}, interval: 10s, thresholdRange: {min: 99}}
    - {name: latency, templateRef: {name: latency}, interval: 10s, thresholdRange: {max: 250}}
    webhooks:
    - name: acceptance-test
      type: pre-rollout
      url: http://weir-loadtester.%[1]s/
      timeout: 30s
      metadata: {type: http, url: "http://podinfo-canary.%[1]s:9898%[2]s", requests: "5", wait: "true"}
    - name: load
      url: http://weir-loadtester.%[1]s/
      metadata: {type: cmd, cmd: "hey -z 10s -q 5 -c 4 http://podinfo-canary.%[1]s:9898%[2]s"}
    - name: release-gate
      type: confirm-promotion
      url: http://weir-loadtester.%[1]s/gate/check
`

// templates are what a team has written for its metrics: how many of the answers are good, in percent, and how long 99 of
// 100 take at most, in milliseconds.
const templates = `apiVersion: weir.dev/v1beta1
kind: MetricTemplate
metadata: {name: answers, namespace: %[1]s}
spec:
  provider: {type: prometheus, address: "%[2]s"}
  query: |
    100 * sum(rate(http_request_duration_seconds_count{%[3]s, status=~"2.."}[{{ interval }}]))
    / sum(rate(http_request_duration_seconds_count{%[3]s}[{{ interval }}]))
---
apiVersion: weir.dev/v1beta1
kind: MetricTemplate
metadata: {name: latency, namespace: %[1]s}
spec:
  provider: {type: prometheus, address: "%[2]s"}
  query: |
    1000 * histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{%[3]s}[{{ interval }}])))
`

// calls are the series of podinfo's that count the calls of the load tester, and no user's.
const calls = `namespace="{{ namespace }}", pod=~"{{ pods }}", path="api_info"`

// people: all that people have of Weir, together, with the rights of its manifests alone. The load tester tests a version
// before it gets traffic, calls it, and holds the gate before its promotion; Slack is told of everything once; and the
// dashboard shows it to those who may see it.
func people(s *story) {
	chat := s.chat()
	s.equip(stage.Overlay{
		Components: []string{"dashboard"}, LoadTester: s.Namespace, Secrets: []string{"WEIR_SLACK_URL=" + chat.URL + hook},
	})
	require.NoError(s.t, sandbox.Apply(s.t.Context(), s.Stage.Sandbox.RESTConfig(),
		fmt.Appendf(nil, templates, s.Namespace, s.Stage.Sandbox.PrometheusURL, calls)))
	s.person("releaser", "get,list,patch")
	s.person("reader", "get,list")
	gate := &gateOfTester{s, s.forward(s.Namespace, "weir-loadtester")}
	board := s.forward("weir-system", "weir-dashboard")
	s.adoptWith(fmt.Sprintf(loadTested, s.Namespace, called))

	// A good one waits until somebody who may opens the gate.
	s.release(stage.Version{Label: "two"})
	c := s.await(atGate)
	assert.Equal(s.t, int32(50), c.Status.Weight)
	gate.turns("open", "reader", http.StatusForbidden)
	settled()
	c = s.await(func(*v1beta1.Canary) bool { return true })
	assert.True(s.t, atGate(c), "it waits: %s", stage.Standing(c))
	opened := time.Now()
	gate.turns("open", "releaser", http.StatusAccepted)
	c = s.ended(1, v1beta1.OutcomePromoted)
	assert.True(s.t, c.Status.History[0].EndedAt.After(opened.Truncate(time.Second)))
	gate.turns("close", "releaser", http.StatusAccepted)

	// A slow one passes the acceptance test, and not the load.
	s.release(stage.Version{Label: "slow", OpenPort: true, Args: []string{
		"--random-delay", "--random-delay-unit=ms", "--random-delay-min=400", "--random-delay-max=900",
	}})
	c = s.ended(2, v1beta1.OutcomeRolledBack)
	assert.Equal(s.t, "CheckFailed", c.Status.History[0].Reason)
	assert.Contains(s.t, c.Status.History[0].Message, "latency")
	assert.Equal(s.t, int32(10), c.Status.History[0].MaxWeight)

	s.release(stage.Version{Label: "three", Image: sandbox.PodinfoNextImage})
	s.await(atGate)
	settled() // and is judged meanwhile
	s.showsDashboard(board)
	s.takesPictures(board)
	gate.turns("open", "releaser", http.StatusAccepted)
	s.ended(3, v1beta1.OutcomePromoted)
	gate.tells()
	s.toldOnce(chat)
	s.remove()
	s.vanilla()
}

// atGate wants the run to wait before its promotion for the load tester's gate, which has been asked.
func atGate(c *v1beta1.Canary) bool {
	for _, g := range c.Status.Gates {
		if g.Name == "release-gate" && g.State == v1beta1.GateClosed && strings.Contains(g.Message, "gate of Canary podinfo") {
			return c.Status.Phase == v1beta1.PhaseWaitingPromotion
		}
	}
	return false
}

// equip changes what is installed, for this story.
func (s *story) equip(o stage.Overlay) {
	s.t.Helper()
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(s.t, s.Stage.Install(ctx, stage.Overlay{}))
	})
	require.NoError(s.t, s.Stage.Install(s.t.Context(), o))
}

// person is an account that may do something to the Canaries of the namespace.
func (s *story) person(name, verbs string) {
	s.t.Helper()
	s.kubectl("create", "serviceaccount", name)
	s.kubectl("create", "role", name, "--verb="+verbs, "--resource=canaries.weir.dev")
	s.kubectl("create", "rolebinding", name, "--role="+name, "--serviceaccount="+s.Namespace+":"+name)
}

// token is one of an account, for an audience.
func (s *story) token(name, audience string) string {
	s.t.Helper()
	return strings.TrimSpace(s.kubectl("create", "token", name, "--audience="+audience))
}

// forward is the way of a person to port 80 of a Service, while the test runs.
func (s *story) forward(namespace, service string) (url string) {
	s.t.Helper()
	args := []string{"-n", namespace, "port-forward", "service/" + service, ":80"}
	command := exec.CommandContext(s.t.Context(), s.Stage.Sandbox.Kubectl(), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+s.Stage.Sandbox.Kubeconfig)
	said, err := command.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, command.Start())
	s.t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	lines := bufio.NewReader(said)
	line, err := lines.ReadString('\n')
	require.NoError(s.t, err)
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(line)
	require.NotEmpty(s.t, address, line)
	return "http://" + address
}

// gateOfTester is the gate that the load tester has for the Canary.
type gateOfTester struct {
	*story
	url string
}

// turns opens or closes the gate as somebody, and wants a status.
func (g *gateOfTester) turns(action, person string, want int) {
	g.t.Helper()
	about, err := json.Marshal(map[string]string{"name": g.Name, "namespace": g.Namespace})
	require.NoError(g.t, err)
	code, said := g.asks(http.MethodPost, g.url+"/gate/"+action, g.token(person, "weir-loadtester"), string(about))
	require.Equal(g.t, want, code, said)
}

// tells checks what the load tester has counted: a test for each version, and load on each, without a request failed.
func (g *gateOfTester) tells() {
	g.t.Helper()
	_, said := g.asks(http.MethodGet, g.url+"/metrics", "", "")
	assert.Contains(g.t, said, `weir_loadtester_tasks_total{result="ok",type="http"} 3`)
	assert.Regexp(g.t, `weir_loadtester_tasks_total{result="ok",type="cmd"} \d`, said)
	assert.NotContains(g.t, said, `weir_loadtester_tasks_total{result="failed"`)
	assert.NotContains(g.t, said, `outcome="failed"`)
}

// asks is a request with somebody's token.
func (s *story) asks(method, url, token, body string) (code int, said string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, url, strings.NewReader(body))
	require.NoError(s.t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultTransport.RoundTrip(req) // redirects are answers
	require.NoError(s.t, err)
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	return res.StatusCode, string(content)
}

// showsDashboard checks who is shown what of the run that is on.
func (s *story) showsDashboard(url string) {
	s.t.Helper()
	s.kubectl("create", "serviceaccount", "stranger")
	page := url + "/canaries/" + s.Namespace + "/" + s.Name
	code, said := s.asks(http.MethodGet, page, s.token("reader", "weir-dashboard"), "")
	require.Equal(s.t, http.StatusOK, code)
	c := s.await(atGate)
	for _, shown := range []string{
		"WaitingPromotion", "canary 50 %", c.Status.Canary.Hash, "release-gate", "latency", "answers", "webhook/load",
		"RolledBack", "Promoted", c.Status.History[0].Revision, c.Status.History[1].Revision,
	} {
		assert.Contains(s.t, said, shown)
	}
	for token, want := range map[string]int{
		"":                                    http.StatusSeeOther, // to log in
		s.token("reader", "weir-loadtester"):  http.StatusSeeOther, // it is for somebody else
		s.token("stranger", "weir-dashboard"): http.StatusForbidden,
	} {
		code, said := s.asks(http.MethodGet, page, token, "")
		assert.Equal(s.t, want, code, said)
		assert.NotContains(s.t, said, c.Status.Canary.Hash)
	}
	code, said = s.asks(http.MethodGet, url+"/", s.token("reader", "weir-dashboard"), "")
	assert.Equal(s.t, http.StatusOK, code)
	assert.Contains(s.t, said, page[len(url):])
}

// toldOnce checks what the chat was told: everything, in order, and once; and that nobody has heard its address or was
// refused anything.
func (s *story) toldOnce(c *chat) {
	s.t.Helper()
	var want []string
	for _, what := range []string{
		"new revision", "gate closed", "promoted", "new revision", "check failed", "rolled back", "new revision", "gate closed",
		"promoted",
	} {
		want = append(want, s.Namespace+"/"+s.Name+": "+what)
	}
	titles, texts := s.hears(c, len(want))
	require.Equal(s.t, want, titles, strings.Join(texts, "\n"))
	assert.Contains(s.t, texts[1], "release-gate")
	assert.Contains(s.t, texts[5], "latency")
	assert.NotContains(s.t, s.kubectl("get", "canaries,events", "-o", "yaml"), hook)
	for _, log := range []string{
		s.kubectl("logs", "--namespace=weir-system", "deployment/weir"), s.kubectl("logs", "deployment/weir-loadtester"),
	} {
		require.Contains(s.t, log, s.Namespace)
		assert.NotContains(s.t, log, hook)
		assert.NotContains(s.t, log, "forbidden", "a right is missing")
	}
}
