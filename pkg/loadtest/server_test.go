package loadtest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/gate"
	"weir.dev/weir/pkg/loadtest"
)

// TestLoadIsInTheBackground: a command of hey as it is in people's manifests, without hey.
func TestLoadIsInTheBackground(t *testing.T) {
	d := open(t, options())
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer target.Close()
	host := strings.TrimPrefix(target.URL, "http://")
	task := map[string]string{"cmd": "hey -z 2s -q 10 -c 2 -H 'X-Token: secret' " + target.URL + "/?key=secret"}
	got := d.post("/", task)
	assert.Equal(t, 202, got.code)
	assert.Equal(t, "load on "+host+" has begun", got.Message)
	again := d.post("/", task)
	assert.Equal(t, 202, again.code)
	assert.Regexp(t, "has been on for [012]s$", again.Message)
	of := `{name="podinfo",namespace="test",target="` + host + `",type="cmd"}`
	assert.True(t, d.shows("weir_loadtester_asked_rate"+of+" 20"))
	assert.True(t, d.shows("weir_loadtester_achieved_rate"+of))
	assert.True(t, d.shows(`weir_loadtester_tasks_running{type="cmd"} 1`), "the same task is not begun twice")
	assert.Eventually(t, func() bool { return d.shows(`weir_loadtester_tasks_total{result="ok",type="cmd"} 1`) },
		patience, 50*time.Millisecond)
	assert.True(t, d.shows(`weir_loadtester_requests_total{outcome="200",protocol="http"}`))
	assert.True(t, d.shows(`weir_loadtester_latency_seconds_count{protocol="http"}`))
	assert.False(t, d.shows("weir_loadtester_asked_rate{"), "what is over is not shown")
	assert.Contains(t, d.log.String(), "a second of 20 asked, 100% succeeded")
	assert.NotContains(t, d.log.String(), "secret")
}

// TestLoadIsWaitedFor: then it is a test, with a report.
func TestLoadIsWaitedFor(t *testing.T) {
	d := open(t, options())
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Vegeta-Seq") == "0" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer target.Close()
	task := map[string]string{"type": "http", "url": target.URL, "requests": "4", "rate": "0", "wait": "true"}
	got := d.post("/", task)
	assert.Equal(t, 500, got.code)
	assert.Regexp(t, "^less than 100% succeeded of the load on .*: 4 requests in .*, 75% succeeded", got.Message)
	require.NotNil(t, got.Report)
	assert.Equal(t, map[string]int64{"200": 3, "418": 1}, got.Report.Answers)
	task["minSuccessRate"] = "75"
	got = d.post("/", task)
	assert.Equal(t, 200, got.code, got.Message)
	assert.EqualValues(t, 3, got.Report.Succeeded)
	assert.True(t, d.shows(`weir_loadtester_tasks_total{result="failed",type="http"} 1`))
	assert.True(t, d.shows(`weir_loadtester_tasks_total{result="ok",type="http"} 1`))

	got = d.post("/", map[string]string{"type": "grpc", "address": "127.0.0.1:1", "call": "a.B/C", "wait": "true", "requests": "1"})
	assert.Equal(t, 500, got.code)
	assert.Contains(t, got.Message, "by reflection for service a.B")
}

func TestRefusals(t *testing.T) {
	o := options()
	o.Commands = []string{"echo", "helm test"}
	d := open(t, o)
	for _, c := range []struct {
		metadata map[string]string
		want     string
	}{
		{nil, "metadata cmd: a task of type cmd is a command, and there is none"},
		{map[string]string{"type": "ngrinder"}, `"ngrinder" is none of cmd, bash, helm, helmv3, kubectl, k6, http, grpc`},
		{map[string]string{"cmd": "rm -rf /"}, `not allowed here: whoever runs the load tester allows it with --allow-command="rm"`},
		{map[string]string{"cmd": "./echo a"}, `command "./echo" is not allowed here`},
		{map[string]string{"cmd": "echo a; rm b"}, "metadata cmd: the command needs a shell"},
		{map[string]string{"cmd": "echo 'a"}, "a quote that does not end"},
		{map[string]string{"type": "bash", "cmd": "echo a"}, "allows a shell with --allow-shell"},
		{map[string]string{"type": "helmv3", "cmd": "uninstall a"}, `allows it with --allow-command="helm uninstall"`},
		{map[string]string{"type": "kubectl", "cmd": "get pods"}, `allows it with --allow-command="kubectl get"`},
		{map[string]string{"type": "k6", "script": "x"}, `allows it with --allow-command="k6 run"`},
		{map[string]string{"type": "http"}, "the url is no http or https URL"},
		{map[string]string{"cmd": "echo", "wait": "perhaps"}, `metadata wait: "perhaps" is neither true nor false`},
		{map[string]string{"cmd": "hey -z 2h http://a.test/"}, "metadata cmd: duration 2h0m0s is above 30s"},
		{map[string]string{"type": "grpc", "address": "a.test:1", "requests": "1", "minSuccessRate": "101"}, "metadata minSuccessRate"},
	} {
		got := d.post("/", c.metadata)
		assert.Equal(t, 400, got.code, c.metadata)
		assert.Contains(t, got.Message, c.want)
	}
	for body, want := range map[string]string{
		"":                                 "no object of JSON",
		"{}":                               "the call names no Canary",
		`{"name":"../a","namespace":"b"}`:  "the call names no Canary",
		`{"name":"a","namespace":"b.c"}`:   "the call names no Canary",
		`{"metadata":{"cmd":["echo"]}}`:    "no object of JSON with strings",
		strings.Repeat(" ", 300<<10) + "1": "longer than 262144 bytes",
	} {
		for _, path := range []string{"/", "/gate/check", "/gate/open", "/rollback/close"} {
			got := d.post(path, body)
			assert.Equal(t, 400, got.code)
			assert.Contains(t, got.Message, want)
		}
	}
	elsewhere := gate.Payload{Name: "podinfo", Namespace: "shop", Metadata: map[string]string{"cmd": "echo"}}
	for _, path := range []string{"/", "/gate/check", "/gate/open", "/rollback/check"} {
		got := d.post(path, elsewhere)
		assert.Equal(t, 403, got.code)
		assert.Contains(t, got.Message, "namespace shop is not served here")
	}
	assert.Equal(t, 404, d.post("/gates", "{}").code)
}

func TestCommands(t *testing.T) {
	script(t, "helm", `echo "helm $*"; echo "settings: $WEIR_NAMESPACES"; exit $CODE`)
	script(t, "k6", `echo "k6 $1"; cat "$2"`)
	t.Setenv("WEIR_NAMESPACES", "shop")
	o := options()
	o.Commands = []string{"helm test", "k6 run"}
	d := open(t, o)
	got := d.post("/", map[string]string{"type": "helmv3", "cmd": "test podinfo -n test"})
	assert.Equal(t, 200, got.code)
	assert.Equal(t, "helm succeeded", got.Message)
	assert.Equal(t, "helm test podinfo -n test\nsettings: \n", got.Output, "Weir's own settings are nobody's business")
	got = d.post("/", map[string]string{"type": "k6", "script": "export default function() {}", "logCmdOutput": "true"})
	assert.Equal(t, 200, got.code)
	assert.Equal(t, "k6 run\nexport default function() {}", got.Output)
	t.Setenv("CODE", "3")
	got = d.post("/", map[string]string{"type": "helm", "cmd": "test podinfo"})
	assert.Equal(t, 500, got.code)
	assert.Equal(t, "helm failed: exit status 3: settings:", got.Message)
	assert.Contains(t, d.log.String(), "export default")
	assert.NotContains(t, d.log.String(), "settings:", "an output is logged only if the task says so")
}

func TestShell(t *testing.T) {
	o := options()
	o.Shell = true
	d := open(t, o)
	got := d.post("/", map[string]string{"type": "bash", "cmd": "echo a | tr a b"})
	assert.Equal(t, "b\n", got.Output, got.Message)
	got = d.post("/", map[string]string{"cmd": "echo a; false", "wait": "true"})
	assert.Equal(t, "sh failed: exit status 1: a", got.Message)
	got = d.post("/", map[string]string{"cmd": "echo $((1+1))", "wait": "true"})
	assert.Equal(t, "2\n", got.Output)
	got = d.post("/", map[string]string{"cmd": "no-such-program a", "wait": "true"})
	assert.Equal(t, "no-such-program is not in this image: use one that has it", got.Message)
	got = d.post("/", map[string]string{"type": "bash", "cmd": "yes | head -c 100000; echo end"})
	assert.Less(t, len(got.Output), 17<<10)
	assert.True(t, strings.HasSuffix(got.Output, "\nend\n"))
}

// TestWholeGroupIsKilled: what a command has started ends with it, when its time is over and when it just left it behind.
func TestWholeGroupIsKilled(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	script(t, "forks", `(trap "" TERM; sh -c 'echo $$ >>"$0"; sleep 300' "$1") & echo $! >>"$1"; `+
		`while [ "$(wc -l <"$1")" -lt 2 ]; do sleep 0.1; done; [ "$2" = leave ] || sleep 300`)
	o := options()
	o.Commands, o.Limits.Duration = []string{"forks"}, 3*time.Second
	d := open(t, o)
	for _, how := range []string{"leave", "stay"} {
		start := time.Now()
		got := d.post("/", map[string]string{"cmd": "forks " + pids + " " + how, "wait": "true"})
		assert.Equal(t, 500, got.code)
		if how == "stay" {
			assert.Equal(t, "forks was stopped: it was not through after 3s", got.Message)
		}
		assert.Less(t, time.Since(start), patience)
		listed, err := os.ReadFile(pids)
		require.NoError(t, err)
		require.Len(t, strings.Fields(string(listed)), 2)
		for _, pid := range strings.Fields(string(listed)) {
			assert.Eventually(t, func() bool { return !alive(pid) }, patience, 50*time.Millisecond, "process %s", pid)
		}
		require.NoError(t, os.Remove(pids))
	}
}

// alive tells of a process whether it runs, rather than waits for somebody to note its end.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	_, rest, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z")
}

// TestSameTestIsJoined: who asks again for a test that is under way gets its result.
func TestSameTestIsJoined(t *testing.T) {
	began := filepath.Join(t.TempDir(), "began")
	script(t, "slow", `echo once >>"$1"; while [ ! -e "$1.go" ]; do sleep 0.1; done; echo done`)
	o := options()
	o.Commands = []string{"slow"}
	d := open(t, o)
	task := map[string]string{"cmd": "slow " + began, "wait": "true"}
	hasty, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	body := fmt.Sprintf(`{"name":"podinfo","namespace":"test","metadata":{"cmd":"slow %s","wait":"true"}}`, began)
	req, err := http.NewRequestWithContext(hasty, http.MethodPost, d.url+"/", strings.NewReader(body))
	require.NoError(t, err)
	_, err = http.DefaultClient.Do(req)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { assert.Equal(t, "done\n", d.post("/", task).Output) })
	}
	time.Sleep(300 * time.Millisecond)
	require.NoError(t, os.WriteFile(began+".go", nil, 0o600))
	all.Wait()
	times, err := os.ReadFile(began)
	require.NoError(t, err)
	assert.Equal(t, "once\n", string(times))
}

// TestOtherRevision: what is under way for one revision says nothing of another.
func TestOtherRevision(t *testing.T) {
	began := filepath.Join(t.TempDir(), "began")
	script(t, "slow", `echo once >>"$1"; while [ "$(wc -l <"$1")" -lt 2 ]; do sleep 0.1; done`)
	o := options()
	o.Commands = []string{"slow"}
	d := open(t, o)
	var all sync.WaitGroup
	for _, checksum := range []string{"old", "new"} {
		all.Go(func() {
			got := d.post("/", gate.Payload{Name: "podinfo", Namespace: "test", Checksum: checksum,
				Metadata: map[string]string{"cmd": "slow " + began, "wait": "true"}})
			assert.Equal(t, 200, got.code, got.Message)
		})
	}
	all.Wait()
}

// TestManyTurnAtOnce: an API server that takes its time is not asked by everybody.
func TestManyTurnAtOnce(t *testing.T) {
	o, asked := options(), make(chan struct{})
	client := fake.NewClientset()
	client.PrependReactor("create", "tokenreviews", func(k8stesting.Action) (bool, runtime.Object, error) {
		<-asked
		return true, &authenticationv1.TokenReview{}, nil
	})
	o.Client = client
	d := open(t, o)
	codes := make(chan int, 20)
	for range 20 {
		go func() { codes <- d.post("/gate/open", canary("test", "podinfo"), "Authorization: Bearer made-up").code }()
	}
	for range 12 {
		assert.Equal(t, 429, <-codes)
	}
	close(asked)
	for range 8 {
		assert.Equal(t, 401, <-codes)
	}
}

func TestLimitAndStop(t *testing.T) {
	script(t, "waits", "exec sleep 300")
	o := options()
	o.Commands, o.MaxTasks = []string{"waits"}, 2
	d := open(t, o)
	for i := range 2 {
		require.Equal(t, 202, d.post("/", map[string]string{"cmd": fmt.Sprintf("waits %d", i)}).code)
	}
	got := d.post("/", map[string]string{"cmd": "waits 3"})
	assert.Equal(t, 429, got.code)
	assert.Equal(t, "10", got.header.Get("Retry-After"))
	assert.Contains(t, got.Message, "2 tasks are under way, and no more may be")
	assert.Equal(t, 202, d.post("/", map[string]string{"cmd": "waits 1"}).code, "which is one of them")
	d.server.Stop()
	assert.True(t, d.shows(`weir_loadtester_tasks_total{result="stopped",type="cmd"} 2`))
	got = d.post("/", map[string]string{"cmd": "waits 1"})
	assert.Equal(t, 503, got.code)
	assert.Equal(t, "the load tester is stopping", got.Message)
}

// TestSignedCalls are made by the operator's own client.
func TestSignedCalls(t *testing.T) {
	o := options()
	o.Namespaces, o.Keys = []string{"*"}, t.TempDir()
	for namespace, key := range map[string]string{"test": "of test\n", "shop": "of shop", "none": "\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(o.Keys, namespace), []byte(key), 0o600))
	}
	d := open(t, o)
	for _, c := range []struct {
		namespace, key string
		agreed         bool
	}{
		{"test", "of test", true}, {"shop", "of shop\n", true}, {"shop", "of test", false}, {"shop", "", false},
		{"none", "", false}, {"none", "\n\n.", false}, {"elsewhere", "of shop", false},
	} {
		for path, agrees := range map[string]int{"/": 202, "/gate/check": 403} {
			call := gate.Call{
				Webhook: v1beta1.CanaryWebhook{Name: "load", URL: d.url + path, Timeout: patience.String(),
					Metadata: map[string]string{"cmd": "hey -n 1 -c 1 http://127.0.0.1:1/"}},
				Payload: gate.Payload{Name: "podinfo", Namespace: c.namespace},
			}
			if c.key != "" {
				call.Webhook.SecretRef = &v1beta1.LocalSecretRef{Name: "key"}
				call.Secret = map[string][]byte{"hmacKey": []byte(c.key)}
			}
			got, err := gate.New(nil).Do(t.Context(), call)
			require.NoError(t, err)
			want := agrees
			if !c.agreed {
				want = 401
				assert.Contains(t, got.Message, "the call is not signed with the key of namespace "+c.namespace)
			}
			assert.Equal(t, want, got.Code, "%s of %s with %q: %s", path, c.namespace, c.key, got.Message)
		}
	}
	assert.NotContains(t, d.log.String(), "of test")
}

func TestFixedGates(t *testing.T) {
	d := open(t, options())
	assert.Equal(t, 200, d.post("/gate/approve", "").code)
	assert.Equal(t, 403, d.post("/gate/halt", "").code)
	assert.True(t, d.shows(`weir_loadtester_gate_calls_total{action="halt",code="403",door="gate"} 1`))
}

func TestOptions(t *testing.T) {
	for want, change := range map[string]func(*loadtest.Options){
		"no namespace is served": func(o *loadtest.Options) { o.Namespaces = nil },
		"have to be above 0":     func(o *loadtest.Options) { o.MaxTasks = 0 },
		"has an empty command":   func(o *loadtest.Options) { o.Commands = []string{" "} },
	} {
		o := options()
		change(&o)
		_, err := loadtest.New(o, prometheus.NewRegistry())
		assert.ErrorContains(t, err, want)
	}
}
