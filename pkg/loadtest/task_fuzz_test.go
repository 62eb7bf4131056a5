package loadtest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/gate"
	"weir.dev/weir/pkg/loadtest/traffic"
)

// FuzzTask: whatever a webhook asks for is refused as its fault, or it is a command that was allowed or a load within the
// limits.
func FuzzTask(f *testing.F) {
	for _, cmd := range []string{
		"hey -z 1m -q 10 -c 2 http://a.test/", "hey -n 1000000000 -c 100000 -q 1e9 http://a.test/",
		"hey -H 'A: b' -m POST -d '{}' http://a.test/", "hey -z 9999h http://a.test/",
		"ghz -z 1m -q 10 --call=a.B/C a.test:80", "ghz --insecure --total 9999999999 a:1",
		"kubectl get pods", "kubectl delete pods", "rm -rf /", "hey", "''", "a $(b)", "a 'b", "",
		"hey -z -1s http://a.test", "hey http://%zz",
	} {
		for _, kind := range []string{"", "cmd", "bash", "helm", "kubectl", "k6"} {
			f.Add(kind, cmd, `{}`)
		}
	}
	for _, metadata := range []string{
		`{"url": "http://a.test/", "rate": "10", "duration": "1m"}`,
		`{"url": "http://a.test/", "rate": "1e999", "concurrency": "999999999"}`,
		`{"url": "http://a.test/", "rate": "NaN", "minSuccessRate": "NaN"}`, `{"address": "a.test:80", "call": "a.B/C", "wait": "x"}`,
		`{"url": "file:///etc/passwd"}`, `{"url": "http://a.test/", "headers": "a: b\nc"}`, `{"script": "export default () => {}"}`,
		`{"url": "http://a.test/", "duration": "-1s", "logCmdOutput": "true"}`,
	} {
		f.Add("http", "", metadata)
		f.Add("grpc", "", metadata)
		f.Add("k6", "", metadata)
	}
	limits := traffic.Limits{Rate: 100, Concurrency: 50, Duration: 10 * time.Minute}
	allowed := commands{allowed: [][]string{{"kubectl", "get"}}}
	f.Fuzz(func(t *testing.T, kind, cmd, metadata string) {
		p := gate.Payload{Name: "podinfo", Namespace: "shop", Metadata: map[string]string{}}
		_ = json.Unmarshal([]byte(metadata), &p.Metadata) // what is none leaves the others
		if p.Metadata == nil {
			p.Metadata = map[string]string{}
		}
		p.Metadata["type"], p.Metadata["cmd"] = kind, cmd
		if kind == "http" || kind == "grpc" {
			delete(p.Metadata, "cmd")
		}
		task, err := taskOf(p, allowed, limits)
		if err != nil {
			require.Nil(t, task)
			return
		}
		require.NotNil(t, task.run)
		if task.load == nil {
			words, plain, err := wordsOf(cmd)
			require.NoError(t, err)
			require.True(t, plain)
			require.Equal(t, "get", words[indexOfGet(kind)], cmd)
			return
		}
		keeps(t, task.load.Asked(), limits)
	})
}

func keeps(t *testing.T, pace traffic.Pace, limits traffic.Limits) {
	t.Helper()
	require.True(t, pace.Rate >= 0 && pace.Rate <= limits.Rate, "%v", pace)
	require.True(t, pace.Concurrency > 0 && pace.Concurrency <= limits.Concurrency, "%v", pace)
	require.True(t, pace.Duration >= 0 && pace.Duration <= limits.Duration, "%v", pace)
	require.True(t, pace.Duration > 0 || pace.Requests > 0, "it has no end")
}

// indexOfGet is where the second of the allowed words stands: the first may be the type's.
func indexOfGet(kind string) int {
	if kind == typeKubectl {
		return 0
	}
	return 1
}
