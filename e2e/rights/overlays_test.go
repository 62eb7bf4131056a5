package rights

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// tree is the top of the source tree, as seen from here.
const tree = "../.."

// bare is the overlay that adds nothing to the rights of the base.
const bare = "kubernetes"

// overlays are all that there are, the bare one first.
func overlays() []string {
	return []string{bare, "apisix", "contour", "gatewayapi", "gloo", "istio", "knative", "kuma", "linkerd", "nginx", "skipper",
		"smi", "traefik"}
}

// components are those that give the operator rights, and change what it does.
func components() []string { return []string{"admission", "shards"} }

// manifests are what kustomize makes of an overlay, or of the bare one with a component, object by object.
func manifests(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	source := filepath.Join(tree, "kustomize", folder)
	content, err := os.ReadFile(filepath.Join(source, "kustomization.yaml"))
	require.NoError(t, err)
	if bytes.Contains(content, []byte("kind: Component")) {
		source = with(t, folder)
	}
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), source)
	require.NoError(t, err)
	var objects []*unstructured.Unstructured
	for _, one := range made.Resources() {
		raw, err := one.MarshalJSON()
		require.NoError(t, err)
		object := &unstructured.Unstructured{}
		require.NoError(t, object.UnmarshalJSON(raw))
		objects = append(objects, object)
	}
	return objects
}

// with is an overlay of the bare one and a component.
func with(t *testing.T, component string) string {
	t.Helper()
	folder := t.TempDir()
	top, err := filepath.Abs(filepath.Join(tree, "kustomize"))
	require.NoError(t, err)
	top, err = filepath.Rel(folder, top)
	require.NoError(t, err)
	content := fmt.Sprintf(`apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [%[1]s/%[2]s]
components: [%[1]s/%[3]s]
`, top, bare, component)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(content), 0o600))
	return folder
}

// role is a ClusterRole or a Role, and who has it.
type role struct {
	kind, name string
	rules      []rbacv1.PolicyRule
	// namespace that it is for; empty for all. subjects have it; there are none where it is bound to nobody.
	namespace string
	subjects  []string
}

// rolesOf are those of manifests, in their order.
func rolesOf(t *testing.T, objects []*unstructured.Unstructured) []*role {
	t.Helper()
	var roles []*role
	for _, o := range objects {
		if o.GetKind() == "ClusterRole" || o.GetKind() == "Role" {
			r := typed[rbacv1.Role](t, o) // a ClusterRole has rules, too
			roles = append(roles, &role{kind: o.GetKind(), name: o.GetName(), namespace: o.GetNamespace(), rules: r.Rules})
		}
	}
	for _, o := range objects {
		if o.GetKind() != "ClusterRoleBinding" && o.GetKind() != "RoleBinding" {
			continue
		}
		binding := typed[rbacv1.RoleBinding](t, o)
		at := slices.IndexFunc(roles, func(r *role) bool {
			return r.kind == binding.RoleRef.Kind && r.name == binding.RoleRef.Name && r.namespace == o.GetNamespace()
		})
		require.GreaterOrEqual(t, at, 0, "%s %s binds no role of these manifests", o.GetKind(), o.GetName())
		for _, s := range binding.Subjects {
			roles[at].subjects = append(roles[at].subjects, s.Kind+" "+s.Namespace+"/"+s.Name)
		}
	}
	return roles
}

func typed[T any](t *testing.T, object *unstructured.Unstructured) *T {
	t.Helper()
	out := new(T)
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, out))
	return out
}

// grant is one verb on one kind of objects.
type grant struct {
	// name is that of the only object, and namespace the only one; empty for all.
	verb, group, resource, namespace, name string
}

func (g grant) String() string {
	said := g.verb + " " + qualified(g.group, g.resource)
	if g.name != "" {
		said += " " + g.name
	}
	if g.namespace != "" {
		said += " in " + g.namespace
	}
	return said
}

// covers says that something that was asked for is granted by it.
func (g grant) covers(a ask) bool {
	return g.verb == a.verb && g.group == a.group && g.resource == a.resource &&
		(g.namespace == "" || g.namespace == a.namespace) && (g.name == "" || g.name == a.name)
}

// grants of rules in a namespace, or in all.
func grants(rules []rbacv1.PolicyRule, namespace string) []grant {
	var all []grant
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					for _, name := range append(rule.ResourceNames, "")[:max(1, len(rule.ResourceNames))] {
						all = append(all, grant{verb, group, resource, namespace, name})
					}
				}
			}
		}
	}
	return all
}

// granted are the grants of the operator's account.
func granted(roles []*role) []grant {
	var all []grant
	for _, r := range roles {
		if slices.Contains(r.subjects, "ServiceAccount "+system+"/weir") {
			all = append(all, grants(r.rules, r.namespace)...)
		}
	}
	return all
}

// program are the arguments of the operator's program, and its environment beside what settings there are.
func program(t *testing.T, objects []*unstructured.Unstructured) (args, env []string) {
	t.Helper()
	at := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool {
		return o.GetKind() == "Deployment" && o.GetName() == "weir"
	})
	require.GreaterOrEqual(t, at, 0)
	container := typed[appsv1.Deployment](t, objects[at]).Spec.Template.Spec.Containers[0]
	for _, v := range container.Env {
		env = append(env, v.Name+"="+v.Value)
	}
	return container.Args, env
}

// TestPlain: nobody of the manifests may do anything by a wildcard, read a Secret, or get at rights that he has not.
func TestPlain(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(tree, "kustomize", "*", "kustomization.yaml"))
	require.NoError(t, err)
	require.Greater(t, len(folders), len(overlays()))
	of := map[string][]grant{}
	for _, folder := range folders {
		name := filepath.Base(filepath.Dir(folder))
		objects := manifests(t, name)
		for _, r := range rolesOf(t, objects) {
			for _, problem := range unplain(r) {
				t.Errorf("%s: %s %s: %s", name, r.kind, r.name, problem)
			}
		}
		of[name] = granted(rolesOf(t, objects))
	}
	for _, name := range overlays() {
		require.Contains(t, of, name)
		require.Subset(t, of[name], of[bare], name)
	}
	require.Equal(t, []string{
		`"*" is a wildcard`, `"escalate" gets at the rights of others`, "it is bound, and reaches Secrets",
	}, unplain(&role{subjects: []string{"User somebody"}, rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"*"}, Verbs: []string{"escalate"}}, {Resources: []string{"secrets"}},
	}}))
}

// unplain says what is wrong with a role.
func unplain(r *role) []string {
	var wrong []string
	for _, rule := range r.rules {
		words := slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.NonResourceURLs)
		for _, word := range words {
			switch {
			case strings.Contains(word, "*"):
				wrong = append(wrong, fmt.Sprintf("%q is a wildcard", word))
			case slices.Contains([]string{"escalate", "bind", "impersonate", "serviceaccounts/token"}, word):
				wrong = append(wrong, fmt.Sprintf("%q gets at the rights of others", word))
			case word == "secrets" && len(r.subjects) > 0:
				wrong = append(wrong, "it is bound, and reaches Secrets")
			}
		}
	}
	return wrong
}
