package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A line of the log, by who asked for what, how it was answered and which version came back.
func line(user, verb, group, resource, namespace, stage string, code, version int) string {
	return fmt.Sprintf(`{"stage":%q,"verb":%q,"requestURI":"/x","user":{"username":%q},"objectRef":{"apiGroup":%q,`+
		`"resource":%q,"namespace":%q,"name":"app-0"},"responseStatus":{"code":%d},"responseObject":{"metadata":`+
		`{"resourceVersion":"%d"}}}`+"\n", stage, verb, user, group, resource, namespace, code, version)
}

func logged(t *testing.T, lines ...string) []event {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.log")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "")+`{"stage":"Resp`), 0o600))
	events, err := openAuditLog(path).from(0)
	require.NoError(t, err)
	return events
}

const (
	whole = "ResponseComplete"
	begun = "ResponseStarted"
)

func TestAtRest(t *testing.T) {
	lease := line(account, "update", "coordination.k8s.io", "leases", system, whole, 200, 0)
	watch := line(account, "watch", "", "pods", "", begun, 200, 0)
	ended := line(account, "watch", "", "pods", "", whole, 200, 0)
	others := line("admin", "list", "", "pods", "", whole, 200, 0)
	list := line(account, "list", "", "pods", "", whole, 200, 0)
	ten := costs{Seconds: 10}

	events := logged(t, lease, watch, ended, others)
	assert.Len(t, events, 2, "a watch is counted once, and nobody else is counted")
	assert.Empty(t, atRest(events, ten))
	assert.Equal(t, []string{"at rest: 1 × list pods, neither a watch nor the Lease"}, atRest(logged(t, lease, list), ten))
	assert.Equal(t, []string{"at rest: 3 × watch pods, where 2 are enough"}, atRest(logged(t, watch, watch, watch), ten))
	assert.Equal(t, []string{"at rest: 7 looks at Canaries that nothing has happened to"}, atRest(nil, costs{Looks: 7}))
}

func TestInRelease(t *testing.T) {
	const there, elsewhere = releasedNamespace, "scale-1"
	read := line(account, "get", "apps", "deployments", there, whole, 200, 5)
	write := func(user, namespace string, code, version int) string {
		return line(user, "patch", "", "services", namespace, whole, code, version)
	}
	for _, c := range []struct {
		name  string
		lines []string
		said  []string
	}{
		{"one read and a write", []string{write(account, there, 200, 4), read}, nil},
		{"two reads", []string{read, read}, []string{"one live read before the hand-over is enough"}},
		{"a list", []string{line(account, "list", "", "services", there, whole, 200, 0)}, []string{"one live read"}},
		{"a write that changes nothing", []string{write("admin", there, 200, 4), write(account, there, 200, 4)},
			[]string{"patch services scale-released/app-0, which changed nothing"}},
		{"a conflict", []string{write(account, there, 409, 4)}, []string{"refused with 409"}},
		{"another application", []string{write(account, elsewhere, 200, 4)}, []string{"of another application"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wrong := inRelease(logged(t, c.lines...))
			require.Len(t, wrong, len(c.said))
			for i, said := range c.said {
				assert.Contains(t, wrong[i], said)
			}
		})
	}
}
