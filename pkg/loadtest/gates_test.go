package loadtest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/gate"
	"weir.dev/weir/pkg/loadtest"
)

const audience = "weir-loadtester"

// town is a real API server with the load tester's account, and people.
type town struct {
	*testing.T
	server *sandbox.APIServer
	admin  kubernetes.Interface
}

// found makes a town of the manifests that docs/loadtester.md has people apply.
func found(t *testing.T) *town {
	t.Helper()
	server, err := sandbox.StartAPIServer(t.Context(), sandbox.APIServerOptions{Progress: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	admin, err := kubernetes.NewForConfig(server.RESTConfig())
	require.NoError(t, err)
	c := &town{T: t, server: server, admin: admin}
	for _, name := range []string{"test", "shop"} {
		_, err := admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}},
			metav1.CreateOptions{})
		require.NoError(t, err)
	}
	require.NoError(t, sandbox.Apply(t.Context(), server.RESTConfig(), built(t, overlays(t)[0])))
	return c
}

// built is what an overlay of the documentation makes.
func built(t *testing.T, overlay string) []byte {
	t.Helper()
	scratch := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(scratch, "weir/kustomize"), os.DirFS("../../kustomize")))
	mine := filepath.Join(scratch, "mine")
	require.NoError(t, os.Mkdir(mine, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(mine, "kustomization.yaml"), []byte(overlay), 0o600))
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), mine)
	require.NoError(t, err)
	manifests, err := objects.AsYaml()
	require.NoError(t, err)
	return manifests
}

// token of an account, for an audience.
func (c *town) token(namespace, name, audience string) string {
	c.Helper()
	wanted := &authenticationv1.TokenRequest{}
	if audience != "" {
		wanted.Spec.Audiences = []string{audience}
	}
	got, err := c.admin.CoreV1().ServiceAccounts(namespace).CreateToken(c.Context(), name, wanted, metav1.CreateOptions{})
	require.NoError(c, err)
	return got.Status.Token
}

// person is an account that may do something to Canaries of its namespace, and of those to the named alone.
func (c *town) person(namespace, name, verb string, canaries ...string) (bearer string) {
	c.Helper()
	_, err := c.admin.CoreV1().ServiceAccounts(namespace).Create(c.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	require.NoError(c, err)
	_, err = c.admin.RbacV1().Roles(namespace).Create(c.Context(), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"weir.dev"}, Resources: []string{"canaries"}, Verbs: []string{verb}, ResourceNames: canaries,
		}},
	}, metav1.CreateOptions{})
	require.NoError(c, err)
	_, err = c.admin.RbacV1().RoleBindings(namespace).Create(c.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: namespace}},
	}, metav1.CreateOptions{})
	require.NoError(c, err)
	return "Authorization: Bearer " + c.token(namespace, name, audience)
}

// account is a client with the rights of the manifests.
func (c *town) account() kubernetes.Interface {
	c.Helper()
	config := rest.AnonymousClientConfig(c.server.RESTConfig())
	config.BearerToken, config.QPS = c.token("test", "weir-loadtester", ""), -1
	client, err := kubernetes.NewForConfig(config)
	require.NoError(c, err)
	return client
}

// desk is a load tester of the town.
func (c *town) desk(change ...func(*loadtest.Options)) *desk {
	c.Helper()
	o := options()
	o.Namespaces, o.Client = []string{"test", "shop"}, c.account()
	for _, f := range change {
		f(&o)
	}
	return open(c.T, o)
}

func canary(namespace, name string) gate.Payload {
	return gate.Payload{Name: name, Namespace: namespace}
}

// TestGates: with real tokens, and an API server that says whose they are and what they may.
func TestGates(t *testing.T) {
	c := found(t)
	ann, bob := c.person("test", "ann", "patch"), c.person("shop", "bob", "patch")
	eve, cat := c.person("test", "eve", "get"), c.person("test", "cat", "patch", "podinfo")
	t.Run("who opens what", func(t *testing.T) { c.opens(t, ann, bob, eve, cat) })
	t.Run("a restart loses nothing", func(t *testing.T) { c.restarts(t, ann) })
	t.Run("many at once", func(t *testing.T) { c.rushes(t, ann) })
	t.Run("tokens", func(t *testing.T) { c.tokens(t, ann) })
	t.Run("a trusted network", func(t *testing.T) {
		d := c.desk(func(o *loadtest.Options) { o.TrustNetwork = true })
		assert.Equal(t, 202, d.post("/gate/open", canary("shop", "trusted")).code)
		assert.Equal(t, 200, d.post("/gate/check", canary("shop", "trusted")).code)
		assert.Equal(t, 403, d.post("/gate/open", canary("elsewhere", "trusted")).code, "it is not served all the same")
	})
	t.Run("what the account may not", c.mayNot)
	t.Run("as many as there may be", func(t *testing.T) { c.fills(t, ann) })
	t.Run("an API server that is away", func(t *testing.T) {
		d := c.desk()
		require.NoError(t, c.server.Stop())
		got := d.post("/gate/check", canary("test", "podinfo"))
		assert.Equal(t, 503, got.code)
		assert.Contains(t, got.Message, "the gate of Canary podinfo cannot be looked up")
		assert.Equal(t, 503, d.post("/gate/open", canary("test", "podinfo"), ann).code)
	})
}

// opens: nobody opens a gate of another namespace, or without a right of theirs.
func (c *town) opens(t *testing.T, ann, bob, eve, cat string) {
	d := c.desk()
	closed := d.post("/gate/check", canary("test", "podinfo"))
	assert.Equal(t, 403, closed.code)
	assert.Equal(t, "the gate of Canary podinfo is closed: POST to /gate/open opens it", closed.Message)
	const who = "system:serviceaccount:"
	for _, refused := range []struct {
		header, namespace, name string
		code                    int
		want                    string
	}{
		{"X: y", "test", "podinfo", 401, "kubectl create token ACCOUNT --namespace=test --audience=weir-loadtester"},
		{"Authorization: Basic YTpi", "test", "podinfo", 401, "send a token"},
		{"Authorization: Bearer made-up", "test", "podinfo", 401, "the token is not valid"},
		{bob, "test", "podinfo", 403, who + "shop:bob may not patch Canary podinfo of namespace test"},
		{ann, "shop", "podinfo", 403, who + "test:ann may not patch Canary podinfo of namespace shop"},
		{eve, "test", "podinfo", 403, who + "test:eve may not patch"},
		{cat, "test", "other", 403, who + "test:cat may not patch Canary other"},
	} {
		for _, path := range []string{"/gate/open", "/gate/close", "/rollback/open", "/rollback/close"} {
			got := d.post(path, canary(refused.namespace, refused.name), refused.header)
			assert.Equal(t, refused.code, got.code, "%s of %s", path, refused.name)
			assert.Contains(t, got.Message, refused.want)
		}
	}
	for _, path := range []string{"/gate/check", "/rollback/check"} {
		for _, namespace := range []string{"test", "shop"} {
			assert.Equal(t, 403, d.post(path, canary(namespace, "podinfo")).code)
		}
	}
	_, err := c.admin.CoreV1().ConfigMaps("test").Get(t.Context(), "weir-gates", metav1.GetOptions{})
	assert.True(t, apierrors.IsNotFound(err), "nothing was written")

	got := d.post("/gate/open", canary("test", "podinfo"), cat)
	assert.Equal(t, 202, got.code)
	assert.Equal(t, "the gate of Canary podinfo is open now", got.Message)
	assert.Equal(t, "the gate of Canary podinfo was open already", d.post("/gate/open", canary("test", "podinfo"), ann).Message)
	got = d.post("/gate/check", canary("test", "podinfo"))
	assert.Equal(t, 200, got.code)
	assert.Regexp(t, `^the gate of Canary podinfo is open: \S+Z by system:serviceaccount:test:cat$`, got.Message)
	for path, payload := range map[string]gate.Payload{
		"/rollback/check": canary("test", "podinfo"), "/gate/check": canary("shop", "podinfo"),
	} {
		assert.Equal(t, 403, d.post(path, payload).code, "of others, nothing has changed")
	}
	assert.Equal(t, 202, d.post("/rollback/open", canary("shop", "podinfo"), bob).code)
	assert.Equal(t, 200, d.post("/rollback/check", canary("shop", "podinfo")).code)
	got = d.post("/gate/close", canary("test", "podinfo"), ann)
	assert.Equal(t, "the gate of Canary podinfo is closed now", got.Message)
	assert.Equal(t, 403, d.post("/gate/check", canary("test", "podinfo")).code)
	for _, token := range []string{ann, bob, eve, cat} {
		assert.NotContains(t, d.log.String(), token[len("Authorization: Bearer "):])
	}
	assert.Contains(t, d.log.String(), "by=system:serviceaccount:test:cat")
}

func (c *town) restarts(t *testing.T, ann string) {
	first := c.desk()
	require.Equal(t, 202, first.post("/gate/open", canary("test", "kept"), ann).code)
	first.server.Stop()
	second := c.desk()
	assert.Equal(t, 200, second.post("/gate/check", canary("test", "kept")).code)
	// With the ConfigMap's rights, it is a matter of kubectl.
	_, err := c.admin.CoreV1().ConfigMaps("test").Patch(t.Context(), "weir-gates", types.MergePatchType,
		[]byte(`{"data":{"gate.test.kept":null,"rollback.test.kept":"opened by hand"}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	assert.Equal(t, 403, second.post("/gate/check", canary("test", "kept")).code)
	got := second.post("/rollback/check", canary("test", "kept"))
	assert.Equal(t, 200, got.code)
	assert.Contains(t, got.Message, "opened by hand")
}

// rushes: of what many open and close through two replicas at the same time, nothing is lost.
func (c *town) rushes(t *testing.T, ann string) {
	replicas := []*desk{c.desk(), c.desk()}
	var all sync.WaitGroup
	places := make(chan struct{}, 8) // more at the same time are refused
	for i := range 20 {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			name := fmt.Sprintf("rush-%d", i)
			assert.Equal(t, 202, replicas[i%2].post("/gate/open", canary("test", name), ann).code)
			if i%4 < 2 {
				assert.Equal(t, 202, replicas[(i+1)%2].post("/gate/close", canary("test", name), ann).code)
			}
		})
	}
	all.Wait()
	for i := range 20 {
		want := 200
		if i%4 < 2 {
			want = 403
		}
		assert.Equal(t, want, replicas[0].post("/gate/check", canary("test", fmt.Sprintf("rush-%d", i))).code, i)
	}
}

// tokens are for this service, or for the API server where it is set so; and no longer than their account is there.
func (c *town) tokens(t *testing.T, ann string) {
	d := c.desk()
	general := "Authorization: Bearer " + c.token("test", "ann", "")
	got := d.post("/gate/open", canary("test", "tokens"), general)
	assert.Equal(t, 401, got.code, "a token that opens the API server is not for others to have")
	assert.Contains(t, got.Message, "is not for this service")
	lax := c.desk(func(o *loadtest.Options) { o.Audience = "" })
	assert.Equal(t, 202, lax.post("/gate/open", canary("test", "tokens"), general).code)
	assert.Equal(t, 401, lax.post("/gate/open", canary("test", "tokens"), ann).code)
	gone := c.person("test", "gone", "patch")
	require.Equal(t, 202, d.post("/gate/close", canary("test", "tokens"), gone).code)
	require.NoError(t, c.admin.CoreV1().ServiceAccounts("test").Delete(t.Context(), "gone", metav1.DeleteOptions{}))
	assert.Eventually(t, func() bool { return d.post("/gate/open", canary("test", "tokens"), gone).code == 401 },
		patience, patience/100)
}

// mayNot: the account has what it needs, and no more.
func (c *town) mayNot(t *testing.T) {
	account := c.account().CoreV1()
	for what, try := range map[string]func(context.Context) error{
		"other ConfigMaps": func(ctx context.Context) error {
			_, err := account.ConfigMaps("test").Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
			return err
		},
		"all ConfigMaps": func(ctx context.Context) error {
			_, err := account.ConfigMaps("test").List(ctx, metav1.ListOptions{})
			return err
		},
		"ConfigMaps of others": func(ctx context.Context) error {
			_, err := account.ConfigMaps("shop").Get(ctx, "weir-gates", metav1.GetOptions{})
			return err
		},
		"deleting": func(ctx context.Context) error {
			return account.ConfigMaps("test").Delete(ctx, "weir-gates", metav1.DeleteOptions{})
		},
		"Secrets": func(ctx context.Context) error {
			_, err := account.Secrets("test").List(ctx, metav1.ListOptions{})
			return err
		},
	} {
		assert.True(t, apierrors.IsForbidden(try(t.Context())), what)
	}
}

func (c *town) fills(t *testing.T, ann string) {
	maps := c.admin.CoreV1().ConfigMaps("test")
	kept, err := maps.Get(t.Context(), "weir-gates", metav1.GetOptions{})
	require.NoError(t, err)
	for i := 0; len(kept.Data) < 1000; i++ {
		kept.Data[fmt.Sprintf("gate.test.filler-%d", i)] = "open"
	}
	_, err = maps.Update(t.Context(), kept, metav1.UpdateOptions{})
	require.NoError(t, err)
	d := c.desk()
	got := d.post("/gate/open", canary("test", "one-more"), ann)
	assert.Equal(t, 409, got.code)
	assert.Equal(t, "1000 gates are open, and no more can be: close some", got.Message)
	require.Equal(t, 202, d.post("/gate/close", canary("test", "filler-0"), ann).code)
	assert.Equal(t, 202, d.post("/gate/open", canary("test", "one-more"), ann).code)
}
