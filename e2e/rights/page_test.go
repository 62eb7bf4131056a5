package rights

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	rbacv1 "k8s.io/api/rbac/v1"

	"weir.dev/weir/e2e/seen"
)

var _ = flag.Bool("rewrite", false, "write docs/rights.md anew")

const (
	page = "docs/rights.md"

	pageTop = `# Rights

What Weir's ServiceAccounts may do, overlay by overlay, and what for. This page is made of the manifests, by
` + "`go test ./e2e/rights -run TestPage -rewrite`" + `. Of a cluster, this command says the same, beside what every account may:

` + "```sh" + `
kubectl auth can-i --list --as=system:serviceaccount:weir-system:weir -n weir-system
` + "```" + `

It is all that the operator needs, and no more: the tests in ` + "`e2e/rights`" + ` have the real program live whole lives of
Canaries with each overlay's rights. Nothing that it asks for is denied, and each verb of the first three tables is asked
for. There is no wildcard, and nothing that is bound reaches a Secret.

The API server of those tests has the admission plugin OwnerReferencesPermissionEnforcement on, as OpenShift's has, which
asks for ` + "`update`" + ` on the finalizers of owners, and for ` + "`delete`" + ` on what gets or loses one. Without the
plugin, nobody asks for the former, and for ` + "`delete`" + ` only where something is deleted.
`
	pageBase = `
## Every overlay

This is all that the overlay ` + "`kubernetes`" + ` has. The rights are on all namespaces, but for the Lease, which is in
` + "`weir-system`" + `.
`
	pageAdded = `
## What an overlay adds
`
	pageUnbound = `
## Bound to nobody

ClusterRoles that you bind in the namespaces that need them; [the guide](guide.md#rights) says where that is.
`
	pageBeside = `
## Beside the operator

The components ` + "`admission`" + `, ` + "`dashboard`" + ` and ` + "`shards`" + ` give the operator's account rights, too.
The load tester has an account of its own; its ConfigMap is in its own namespace.
`
)

// TestPage holds the list of rights in the documentation to what kustomize makes of the manifests.
func TestPage(t *testing.T) {
	var now strings.Builder
	now.WriteString(pageTop + pageBase)
	base := rolesOf(t, manifests(t, bare))
	bound := func(r *role) bool { return len(r.subjects) > 0 }
	now.WriteString(table(t, "", []rows{{"base", filter(base, bound)}}))
	now.WriteString(pageAdded)
	added := func(folder string) rows {
		return rows{folder, filter(rolesOf(t, manifests(t, folder)), func(r *role) bool {
			return !slices.ContainsFunc(base, func(b *role) bool { return b.name == r.name && b.kind == r.kind })
		})}
	}
	var overlay []rows
	for _, name := range overlays()[1:] {
		overlay = append(overlay, added(name))
	}
	now.WriteString(table(t, "overlay", overlay))
	now.WriteString(pageUnbound)
	var unbound []rows
	for _, r := range base {
		if !bound(r) {
			unbound = append(unbound, rows{"base", []*role{r}})
		}
	}
	now.WriteString(table(t, "ClusterRole", unbound))
	now.WriteString(pageBeside)
	now.WriteString(table(t, "folder", []rows{added("admission"), added("dashboard"), added("shards"), added("loadtester")}))

	file := filepath.Join(tree, page)
	if seen.Rewriting() {
		require.NoError(t, os.WriteFile(file, []byte(now.String()), 0o644))
		return
	}
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(before), now.String(), "%s is out of date; run go test ./e2e/rights -run TestPage -rewrite", page)
}

// rows are the roles of a folder.
type rows struct {
	folder string
	roles  []*role
}

func filter(roles []*role, is func(*role) bool) []*role {
	return slices.DeleteFunc(slices.Clone(roles), func(r *role) bool { return !is(r) })
}

// table has one row for each rule, in the order of the manifests. The first column is left out without a title.
func table(t *testing.T, first string, all []rows) string {
	t.Helper()
	columns := []string{"API group", "resources", "verbs", "for"}
	if first != "" {
		columns = append([]string{first}, columns...)
	}
	said := "\n| " + strings.Join(columns, " | ") + " |\n" + strings.Repeat("|---", len(columns)) + "|\n"
	for _, one := range all {
		require.NotEmpty(t, one.roles, one.folder)
		why := reasons(t, one.folder)
		for _, r := range one.roles {
			require.Len(t, why[r.kind+" "+r.name], len(r.rules))
			for i, rule := range r.rules {
				cells := []string{group(rule), code(rule.Resources), code(rule.Verbs), why[r.kind+" "+r.name][i]}
				if len(rule.ResourceNames) > 0 {
					cells[1] += " named " + code(rule.ResourceNames)
				}
				switch first {
				case "":
				case "ClusterRole":
					cells = append([]string{code([]string{r.name})}, cells...)
				default:
					cells = append([]string{code([]string{one.folder})}, cells...)
				}
				said += "| " + strings.Join(cells, " | ") + " |\n"
			}
		}
	}
	return said
}

func group(rule rbacv1.PolicyRule) string {
	if slices.Equal(rule.APIGroups, []string{""}) {
		return "core"
	}
	return code(rule.APIGroups)
}

func code(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }

// reasons are the comments on each rule of each role in a folder: what it is for.
func reasons(t *testing.T, folder string) map[string][]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(tree, "kustomize", folder, "rights.yaml"))
	require.NoError(t, err)
	of := map[string][]string{}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document struct {
			Kind     string
			Metadata struct{ Name string }
			Rules    []yaml.Node
		}
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return of
		}
		require.NoError(t, err)
		for i := range document.Rules {
			role := fmt.Sprintf("%s %s", document.Kind, document.Metadata.Name)
			of[role] = append(of[role], strings.Join(comments(&document.Rules[i]), "; "))
		}
	}
}

// comments of a node and of all below it, each in one line.
func comments(n *yaml.Node) []string {
	var all []string
	for _, comment := range []string{n.HeadComment, n.LineComment, n.FootComment} {
		if words := strings.Fields(strings.ReplaceAll(comment, "#", "")); len(words) > 0 {
			all = append(all, strings.Join(words, " "))
		}
	}
	for _, below := range n.Content {
		all = append(all, comments(below)...)
	}
	return all
}
