package cli_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/cli"
)

func names(b *bench) {
	b.managed()
	for _, name := range []string{"podinfo", "canary/podinfo", "can/podinfo", "canaries.weir.dev/podinfo"} {
		typed := b.types("get", name, "-o", "name")
		assert.Equal(b, "canary.weir.dev/podinfo\n", typed.out, typed.err)
	}
	for name, said := range map[string]string{
		"deployment/podinfo": "deployment/podinfo is not a Canary; give the name of one, as in podinfo or canary/podinfo",
		"canary/":            `"canary/" names no Canary`,
		"podinfoo": "there is no Canary podinfoo in namespace " + b.namespace + "; `kubectl weir list -n " + b.namespace +
			"` has those that there are",
	} {
		for _, verb := range []string{"get", "status", "explain", "history", "pause", "restart"} {
			typed := b.types(verb, name)
			assert.Equal(b, 1, typed.code)
			assert.Equal(b, "kubectl weir: "+said+"\n", typed.err)
		}
	}
}

func outputs(b *bench) {
	b.managed()
	assert.Equal(b, "podinfo", read[v1beta1.Canary](b, b.types("get", "podinfo", "-o", "yaml").out).Name)
	assert.Equal(b, "podinfo", read[v1beta1.Canary](b, b.types("get", "podinfo", "-o", "json").out).Name)
	assert.Len(b, read[v1beta1.CanaryList](b, b.types("list", "-o", "yaml").out).Items, 1)
	assert.Equal(b, "Initialized", b.types("get", "podinfo", "-o", "jsonpath={.status.phase}").out)
	wide := b.types("list", "-A", "-o", "wide")
	assert.Regexp(b, `(?m)^NAMESPACE +NAME +TARGET +PHASE +WEIGHT +STEP +REVISION +FAILED +IMAGES +SERVES +AGE +MESSAGE$`, wide.out)
	assert.Regexp(b, `(?m)^`+b.namespace+` +podinfo +podinfo +Initialized +0% `, wide.out)
	assert.Contains(b, b.types("get", "podinfo", "-o", "nothing").err, "-o nothing is not known")
	assert.Equal(b, "[]\n", b.types("history", "podinfo", "-o", "json").out)
	assert.Equal(b, "No run of Canary podinfo is over yet.\n", b.types("history", "podinfo").err)
}

func nothingThere(b *bench) {
	typed := b.types("list")
	assert.Equal(b, 0, typed.code)
	assert.Equal(b, "There is no Canary in namespace "+b.namespace+".\n", typed.err)
	assert.Empty(b, typed.out)
}

func completes(b *bench) {
	b.managed()
	b.commits(func(st *v1beta1.CanaryStatus) {
		since := metav1.NewTime(now())
		st.Phase, st.Run = v1beta1.PhaseWaiting, &v1beta1.RunStatus{ID: "1", StartedAt: since}
		st.Gates = []v1beta1.GateStatus{
			{Name: "load-test", Type: v1beta1.WebhookConfirmRollout, State: v1beta1.GateClosed, Run: "1", Since: since},
			{Name: "sign-off", Type: v1beta1.WebhookConfirmRollout, State: v1beta1.GateOpen, Run: "1", Since: since},
		}
	})
	words := func(line ...string) string {
		// What is to be completed comes last.
		return offline(append([]string{"__complete", "--kubeconfig", b.kubeconfig, "-n", b.namespace}, line...)...).out
	}
	assert.Contains(b, words("explain", ""), "podinfo\tWaiting")
	assert.Contains(b, words("approve", ""), "podinfo")
	gates := words("approve", "podinfo", "")
	assert.Contains(b, gates, "load-test")
	assert.NotContains(b, gates, "sign-off")
}

// needsRights is somebody who may read Canaries and no more: what can be told is told.
func needsRights(b *bench) {
	b.managed()
	b.allows()
	assert.Contains(b, b.types("status", "podinfo", "--as", "ann").out, "3 of 3 pods ready")
	explained := b.types("explain", "podinfo", "--as", "ann")
	assert.Contains(b, explained.out,
		`How many pods there are now cannot be seen: `+b.resource()+`.apps "podinfo" is forbidden: User "ann"`)
	for _, args := range [][]string{{"status", "podinfo", "--wait"}, {"pause", "podinfo"}, {"restart", "podinfo"}} {
		typed := b.types(append(args, "--as", "ann")...)
		assert.Equal(b, 1, typed.code, args)
		assert.Contains(b, typed.err, `is forbidden: User "ann" cannot`)
		assert.Equal(b, 1, strings.Count(typed.err, "\n"), typed.err)
	}
}

// needsRightsOnRevisions is somebody who may read the target, too, and not what it runs. That the template is a new
// revision cannot be told then, nor that it is none.
func needsRightsOnRevisions(b *bench) {
	b.managed()
	verbs := []string{"get", "list", "watch"}
	b.allows(rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{b.resource()}, Verbs: verbs})
	unread := map[string]string{
		"Deployment": "replicasets", "StatefulSet": "controllerrevisions", "DaemonSet": "controllerrevisions",
	}
	forbidden := unread[b.kind] + `.apps is forbidden: User "ann" cannot list`
	assert.Contains(b, b.types("status", "podinfo", "--as", "ann").out, "3 of 3 pods ready")
	explained := b.types("explain", "podinfo", "--as", "ann").out
	assert.Contains(b, explained, "How many pods there are now cannot be seen: "+forbidden)
	assert.Contains(b, explained, "No run is on. One begins when the template of "+b.kind+" podinfo changes.")
	typed := b.types("status", "podinfo", "--wait", "--as", "ann")
	assert.Equal(b, 1, typed.code)
	assert.Contains(b, typed.err, forbidden)
}

// needsTheRightsToldOf is somebody who has the rights that docs/cli.md names: they are enough.
func needsTheRightsToldOf(b *bench) {
	b.managed()
	docs, err := os.ReadFile("../../docs/cli.md")
	require.NoError(b, err)
	_, role, told := strings.Cut(string(docs), "```yaml\napiVersion: rbac")
	require.True(b, told)
	role, _, _ = strings.Cut(role, "```")
	b.allows(read[rbacv1.Role](b, "apiVersion: rbac"+role).Rules...)
	for _, args := range [][]string{
		{"list"}, {"get", "podinfo"}, {"status", "podinfo"}, {"explain", "podinfo"}, {"history", "podinfo"},
		{"status", "podinfo", "--wait"}, {"restart", "podinfo"}, {"pause", "podinfo", "--no-wait"}} {
		typed := b.types(append(args, "--as", "ann")...)
		assert.Equal(b, 0, typed.code, args)
		assert.NotContains(b, typed.out+typed.err, "forbidden", args)
	}
	seen, keys := b.looks("watch", "podinfo", "--as", "ann")
	seen.shows("Primary")
	keys.types("q")
	assert.NotContains(b, seen.ends().out, "forbidden")
}

// allows lets ann read Canaries, and what else is said.
func (b *bench) allows(also ...rbacv1.PolicyRule) {
	b.Helper()
	role := read[rbacv1.Role](b, `
metadata: {name: releases}
rules: [{apiGroups: [weir.dev], resources: [canaries], verbs: [get, list, watch]}]
`)
	role.Rules = append(role.Rules, also...)
	_, err := b.kube.RbacV1().Roles(b.namespace).Create(b.Context(), role, metav1.CreateOptions{})
	require.NoError(b, err)
	binding := read[rbacv1.RoleBinding](b, `
metadata: {name: releases}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: releases}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}]
`)
	_, err = b.kube.RbacV1().RoleBindings(b.namespace).Create(b.Context(), binding, metav1.CreateOptions{})
	require.NoError(b, err)

	// The API server takes a while to know a new binding.
	b.eventually("ann to have her rights", func() bool { return b.types("list", "--as", "ann").code == 0 })
}

// eventually waits as long as anybody would; how long it takes is not what is tested.
func (b *bench) eventually(what string, holds func() bool) {
	b.Helper()
	err := wait.PollUntilContextTimeout(b.Context(), 50*time.Millisecond, time.Minute, true,
		func(context.Context) (bool, error) { return holds(), nil })
	require.NoError(b, err, "waiting for %s", what)
}

// offline is a command that needs no cluster, or has none.
func offline(args ...string) typed {
	var out, err bytes.Buffer
	code := cli.Run(context.Background(), args, cli.Terminal{In: strings.NewReader(""), Out: &out, Err: &err, Now: now})
	return typed{out.String(), err.String(), code}
}

// TestErrorsAreSentences: what goes wrong is told in one, whatever it is.
func TestErrorsAreSentences(t *testing.T) {
	for said, args := range map[string][]string{
		`unknown command "anounce" for "kubectl weir"`:                                      {"anounce"},
		"unknown flag: --fast":                                                              {"promote", "podinfo", "--fast"},
		"give the name of one Canary, as in: kubectl weir status podinfo":                   {"status"},
		"give the name of a Canary; `kubectl weir list` shows all":                          {"get"},
		"give a Canary and one of its gates, as in: kubectl weir approve podinfo load-test": {"approve", "podinfo"},
		"--timeout and --revision go with --wait":                                           {"status", "podinfo", "--timeout", "1m"},
		"give a file, a folder or - with -f":                                                {"lint"},
		"there is no file or folder nowhere":                                                {"lint", "-f", "nowhere"},
		"the API server is not reached":                                                     {"list", "--server", "http://127.0.0.1:1"},
	} {
		typed := offline(args...)
		assert.Equal(t, 1, typed.code)
		assert.Empty(t, typed.out)
		assert.Contains(t, typed.err, "kubectl weir: "+said)
		assert.Equal(t, 1, strings.Count(typed.err, "\n"), typed.err)
	}
}

func TestVersionAndHelp(t *testing.T) {
	assert.Contains(t, offline("version").out, "for weir.dev/v1beta1")
	help := offline("--help")
	require.Equal(t, 0, help.code)
	assert.Contains(t, help.out, "Exit codes:")
	assert.NotContains(t, help.out, "--certificate-authority", "kubectl's rarer flags work without being told")
}
