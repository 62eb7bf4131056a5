// Package pkg_test keeps the house in order: who imports whom (this file), how hand-written Go looks
// (sources_test.go), and what no file may name (tree_test.go). It stands here because it is about the
// folders beside it. Each rule is a function from what is found to sentences about what is wrong, and
// each is also shown an offender, so that it is known to bite.
package pkg_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	root   = ".." // the top of the tree, from the folder that go test runs in
	module = "weir.dev/weir/"
)

// layer is one row of the table: what the packages of one kind may import.
type layer struct {
	// who are the packages; "/*" at the end means the folders within, "/..." those and what they hold.
	who string
	// own packages of Weir that they may import, in the same notation.
	own []string
	// pure packages fetch nothing and read no clock: values in, values out.
	pure bool
	// outside limits the modules of others to these; without it, any will do.
	outside []string
	// why is the end of the sentence that refuses an import.
	why string
}

// layers is the table, from the top down; the first row that fits a package is its row. Only what is
// built is held to it: a test may also reach for the suites and for the cluster it runs against.
func layers() []layer {
	const (
		apis, client, rollout = "pkg/apis/...", "pkg/client/...", "pkg/rollout"
		plugin                = "a plug-in knows its parent and the types, never another plug-in"
		registry              = "a registry lists the implementations beside it and does nothing else"
	)
	return []layer{
		{who: "cmd/...", own: []string{"pkg/..."}, why: "a command wires what is in pkg"},
		// Beside the words, the CLI has the operator's own rules: which templates are the same revision, and what
		// of a manifest routers and metrics refuse. So both say the same.
		{who: "pkg/cli/...", own: []string{client, apis, rollout, "pkg/analysis", "pkg/analysis/evidence", "pkg/workload",
			"pkg/router", "pkg/router/builtin", "pkg/metrics", "pkg/metrics/builtin", "pkg/alert", "pkg/alert/builtin",
			"pkg/words", "pkg/course", "pkg/annotated", "pkg/cli/...", "artifacts"},
			why: "the CLI speaks to the API server, explains and checks; it does not reach into the operator"},
		{who: "pkg/controller", own: []string{rollout, "pkg/analysis", "pkg/analysis/evidence", "pkg/workload",
			"pkg/router", "pkg/router/builtin", "pkg/metrics", "pkg/metrics/builtin", "pkg/metrics/shared",
			"pkg/alert", "pkg/alert/builtin", "pkg/gate", "pkg/annotated", "pkg/outbound", "pkg/kube", "pkg/rights", client, apis},
			why: "the shell knows plug-ins by their contract and their registry only"},
		{who: "pkg/page", own: []string{"pkg/words", "pkg/course", "pkg/kube", "pkg/rights", rollout, client, apis},
			why: "the dashboard shows what a cache has, and knows nothing of who fills it"},
		{who: "pkg/kube", own: []string{"pkg/workload", rollout, client, apis},
			why: "the writer carries out; what to write is decided above it"},

		{who: "pkg/router/builtin", own: []string{"pkg/router", "pkg/router/*"}, why: registry},
		{who: "pkg/router/routertest", own: []string{"pkg/router", "pkg/kube", "pkg/workload", rollout, apis, "e2e/sandbox"},
			why: "the suite knows the contract, and writes to a real API server as the operator does"},
		{who: "pkg/router/*", own: []string{"pkg/router", rollout, apis}, pure: true, why: plugin},
		{who: "pkg/router", own: []string{rollout, apis}, pure: true, why: "a router is a function of objects"},

		{who: "pkg/metrics/builtin", own: []string{"pkg/metrics", "pkg/metrics/*", "pkg/analysis/evidence", "pkg/outbound", apis},
			why: "a registry lists the implementations beside it, and its metrics are counted as evidence takes them"},
		{who: "pkg/metrics/stackdriver", own: []string{"pkg/metrics", "pkg/metrics/prometheus", "pkg/outbound", apis},
			why: "Google's monitoring answers as a Prometheus does, and is asked by the same code"},
		{who: "pkg/metrics/shared", own: []string{"pkg/metrics", "pkg/outbound", apis},
			why: "it asks whoever can be asked, and a server so much at a time"},
		{who: "pkg/metrics/*", own: []string{"pkg/metrics", apis}, why: plugin},
		{who: "pkg/metrics", own: []string{"pkg/fill", "pkg/outbound", apis}, why: "a contract knows nobody who keeps it"},
		{who: "pkg/alert/builtin", own: []string{"pkg/alert", "pkg/alert/*", "pkg/outbound", apis}, why: registry},
		{who: "pkg/alert/*", own: []string{"pkg/alert", "pkg/outbound", apis}, why: plugin},
		{who: "pkg/alert", own: []string{"pkg/outbound", "pkg/fill", apis}, why: "a contract knows nobody who keeps it"},
		{who: "pkg/gate", own: []string{"pkg/outbound", apis}, why: "a gate asks one question and gives the answer back"},

		{who: "pkg/outbound", why: "it knows strangers, and nothing of Weir"},
		{who: "pkg/fill", pure: true, why: "a text is a function of a template and of what it is filled in with"},

		{who: "pkg/loadtest/traffic", why: "load is made without knowing what for"},
		{who: "pkg/loadtest", own: []string{"pkg/loadtest/traffic", "pkg/gate", "pkg/rights", apis},
			why: "the load tester knows of the operator what a webhook is sent, and no more"},
		{who: "pkg/rights", own: []string{apis}, why: "who may do what is known by the API server, and by nobody here"},
		{who: "pkg/settings", why: "what a program is told is no matter of what it does"},

		{who: "pkg/analysis/evidence", pure: true, why: "statistics are functions of numbers"},
		{who: "pkg/analysis", own: []string{"pkg/analysis/evidence", rollout, apis}, pure: true,
			why: "a verdict is a function of samples"},
		{who: "pkg/workload", own: []string{rollout, apis}, pure: true, why: "an object is a function of objects"},
		{who: "pkg/annotated", own: []string{"pkg/workload", rollout, apis}, pure: true,
			why: "a Canary is a function of annotations and a profile"},
		{who: "pkg/words", own: []string{rollout, apis}, pure: true, why: "words are a function of objects and a time"},
		{who: "pkg/course", own: []string{apis}, pure: true, why: "it remembers what it is shown"},
		{who: rollout, own: []string{apis}, pure: true, outside: []string{"k8s.io/apimachinery"},
			why: "the decision is a function of values"},
		{who: client, own: []string{client, apis}, why: "the clients are generated from the types"},
		{who: apis, own: []string{apis}, pure: true, why: "the types are at the bottom"},
		{who: "artifacts", why: "it holds files, and knows nothing of what reads them"},
		{who: "pkg", why: "the house rules read the tree and import none of it"},

		{who: "e2e/sandbox/...", own: []string{"e2e/sandbox/..."},
			why: "the sandbox is a cluster that has never heard of Weir"},
		{who: "e2e/...", own: []string{"e2e/...", "pkg/..."}, why: "stories are made of Weir and of the sandbox"},
	}
}

// rowOf is the row of a package.
func rowOf(pkg string) (row layer, ok bool) {
	rows := layers()
	at := slices.IndexFunc(rows, func(l layer) bool { return fits(l.who, pkg) })
	if at < 0 {
		return layer{}, false
	}
	return rows[at], true
}

// importing says what is wrong with the imports of a package, given without the module's name.
func importing(pkg string, imports []string) []string {
	row, ok := rowOf(pkg)
	if !ok {
		return []string{pkg + " has no row in the table of layers: say there what it may import"}
	}
	var wrong []string
	for _, imported := range imports {
		if reason := row.refuses(imported); reason != "" {
			wrong = append(wrong, fmt.Sprintf("%s imports %s, and %s: %s", pkg, imported, reason, row.why))
		}
	}
	return wrong
}

// refuses gives the reason why an import is refused, or nothing.
func (l layer) refuses(imported string) string {
	if own, ok := strings.CutPrefix(imported, module); ok {
		if !slices.ContainsFunc(l.own, func(pattern string) bool { return fits(pattern, own) }) {
			return "may import of Weir only " + orNothing(l.own)
		}
		return ""
	}
	if l.pure && impure(imported) {
		return "may not reach the network, files, processes, logs, chance or a client"
	}
	standard := !strings.Contains(strings.Split(imported, "/")[0], ".")
	within := func(module string) bool { return fits(module+"/...", imported) }
	if len(l.outside) > 0 && !standard && !slices.ContainsFunc(l.outside, within) {
		return "may import of others only " + orNothing(l.outside)
	}
	return ""
}

// impure tells whether a package outside of Weir reaches out of the program. Of client-go, only the
// types that server-side apply is written with do not.
func impure(imported string) bool {
	if fits("k8s.io/client-go/applyconfigurations/...", imported) || imported == "net/url" {
		return false
	}
	outward := []string{"net", "os", "io/fs", "log", "syscall", "math/rand", "crypto/rand", "plugin",
		"golang.org/x/net", "golang.org/x/sys", "google.golang.org/grpc", "github.com/prometheus/client_golang",
		"k8s.io/client-go", "k8s.io/klog/v2", "sigs.k8s.io/controller-runtime"}
	if slices.ContainsFunc(outward, func(p string) bool { return fits(p+"/...", imported) }) {
		return true
	}
	clients := []string{"clientset", "informers", "listers"}
	return slices.ContainsFunc(strings.Split(imported, "/"), func(s string) bool { return slices.Contains(clients, s) })
}

// fits tells whether a path is one of a pattern's.
func fits(pattern, of string) bool {
	if above, ok := strings.CutSuffix(pattern, "/..."); ok {
		return of == above || strings.HasPrefix(of, above+"/")
	}
	if above, ok := strings.CutSuffix(pattern, "/*"); ok {
		return path.Dir(of) == above
	}
	return of == pattern
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// registering says which plug-ins are on no list, and which do not call their suite. The imports are
// without the module's name; a suite is asked for as soon as there is one.
func registering(packages []listed) []string {
	var wrong []string
	for _, kind := range []string{"router", "metrics", "alert"} {
		builtin, suite := "pkg/"+kind+"/builtin", "pkg/"+kind+"/"+kind+"test"
		var registered []string
		haveSuite := false
		for _, p := range packages {
			if p.path() == builtin {
				registered = p.Imports
			}
			haveSuite = haveSuite || p.path() == suite
		}
		for _, p := range packages {
			// What stands before all providers is none itself.
			if path.Dir(p.path()) != "pkg/"+kind || p.path() == builtin || p.path() == suite || p.path() == "pkg/metrics/shared" {
				continue
			}
			if !slices.Contains(registered, p.ImportPath) {
				wrong = append(wrong, fmt.Sprintf("%s is not in %s: add one line there", p.path(), builtin))
			}
			tests := slices.Concat(p.TestImports, p.XTestImports)
			// What stands over other routers is none by itself.
			if haveSuite && p.path() != "pkg/router/named" && !slices.Contains(tests, module+suite) {
				wrong = append(wrong, fmt.Sprintf("%s does not run %s: call it in its test", p.path(), suite))
			}
		}
	}
	return wrong
}

// listed is a package as go list tells it.
type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func (l listed) path() string {
	return strings.TrimPrefix(l.ImportPath, module)
}

func packages(t *testing.T) []listed {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-e",
		"-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	list.Dir = root
	out, err := list.Output()
	require.NoError(t, err, "listing the packages of the tree")
	var found []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var one listed
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, "reading what go list says")
		found = append(found, one)
	}
	require.Greater(t, len(found), 20, "go list sees hardly anything")
	return found
}

func TestImportsPointDown(t *testing.T) {
	for _, p := range packages(t) {
		for _, wrong := range importing(p.path(), p.Imports) {
			t.Error(wrong)
		}
	}
}

func TestEveryPluginIsRegisteredAndTested(t *testing.T) {
	for _, wrong := range registering(packages(t)) {
		t.Error(wrong)
	}
}

// TestLayersBite shows the table imports that it has to refuse, and their neighbours that it may not.
func TestLayersBite(t *testing.T) {
	for _, c := range []struct {
		pkg, imported string
		refused       bool
	}{
		{"pkg/rollout", "weir.dev/weir/pkg/apis/weir/v1beta1", false},
		{"pkg/rollout", "k8s.io/apimachinery/pkg/api/meta", false},
		{"pkg/rollout", "strings", false},
		{"pkg/rollout", "weir.dev/weir/pkg/workload", true},
		{"pkg/rollout", "k8s.io/client-go/kubernetes", true},
		{"pkg/rollout", "k8s.io/api/core/v1", true},
		{"pkg/rollout", "net", true},
		{"pkg/rollout", "net/http", true},
		{"pkg/rollout", "os", true},
		{"pkg/rollout", "log/slog", true},
		{"pkg/router/istio", "weir.dev/weir/pkg/router", false},
		{"pkg/router/istio", "k8s.io/client-go/applyconfigurations/core/v1", false},
		{"pkg/router/istio", "istio.io/client-go/pkg/apis/networking/v1", false},
		{"pkg/router/istio", "istio.io/client-go/pkg/clientset/versioned", true},
		{"pkg/router/istio", "weir.dev/weir/pkg/router/smi", true},
		{"pkg/router/istio", "weir.dev/weir/pkg/kube", true},
		{"pkg/router", "weir.dev/weir/pkg/router/istio", true},
		{"pkg/router/builtin", "weir.dev/weir/pkg/router/istio", false},
		{"pkg/router/routertest", "weir.dev/weir/e2e/sandbox", false},
		{"pkg/router/routertest", "weir.dev/weir/pkg/router/istio", true},
		{"pkg/metrics/datadog", "net/http", false},
		{"pkg/metrics/datadog", "weir.dev/weir/pkg/metrics/prometheus", true},
		{"pkg/metrics/stackdriver", "weir.dev/weir/pkg/metrics/prometheus", false},
		{"pkg/metrics/stackdriver", "weir.dev/weir/pkg/metrics/datadog", true},
		{"pkg/controller", "weir.dev/weir/pkg/router/builtin", false},
		{"pkg/controller", "weir.dev/weir/pkg/router/istio", true},
		{"pkg/controller", "weir.dev/weir/pkg/cli", true},
		{"pkg/controller", "weir.dev/weir/e2e/sandbox", true},
		{"pkg/apis/weir/v1beta1", "weir.dev/weir/pkg/rollout", true},
		{"pkg/cli", "weir.dev/weir/pkg/controller", true},
		{"pkg/cli", "weir.dev/weir/pkg/kube", true},
		{"pkg/cli", "weir.dev/weir/pkg/router/gatewayapi", true},
		{"pkg/cli", "weir.dev/weir/pkg/router/builtin", false},
		{"pkg/loadtest", "weir.dev/weir/pkg/gate", false},
		{"pkg/loadtest", "weir.dev/weir/pkg/rollout", true},
		{"pkg/loadtest", "weir.dev/weir/pkg/client/clientset/versioned", true},
		{"pkg/loadtest/traffic", "weir.dev/weir/pkg/gate", true},
		{"pkg/gate", "weir.dev/weir/pkg/loadtest", true},
		{"artifacts", "weir.dev/weir/pkg/apis/weir/v1beta1", true},
		{"cmd/weir", "weir.dev/weir/pkg/controller", false},
		{"cmd/weir", "weir.dev/weir/e2e/sandbox", true},
		{"e2e/sandbox/image", "weir.dev/weir/pkg/apis/weir/v1beta1", true},
		{"pkg/helpers", "strings", true}, // no row
	} {
		wrong := importing(c.pkg, []string{c.imported})
		require.Equal(t, c.refused, len(wrong) == 1, "%s importing %s: %v", c.pkg, c.imported, wrong)
	}
}

func TestRegistryBites(t *testing.T) {
	suite := listed{ImportPath: module + "pkg/router/routertest"}
	builtin := listed{ImportPath: module + "pkg/router/builtin", Imports: []string{module + "pkg/router/istio"}}
	tested := listed{ImportPath: module + "pkg/router/istio", XTestImports: []string{module + "pkg/router/routertest"}}
	untested := listed{ImportPath: module + "pkg/router/istio"}
	unlisted := listed{ImportPath: module + "pkg/router/smi", TestImports: []string{module + "pkg/router/routertest"}}

	require.Empty(t, registering([]listed{suite, builtin, tested}))
	require.Empty(t, registering([]listed{builtin, untested}), "there is no suite yet")
	require.Len(t, registering([]listed{suite, builtin, untested}), 1)
	require.Len(t, registering([]listed{suite, builtin, tested, unlisted}), 1)
}
